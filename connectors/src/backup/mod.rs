//! Backup stores: copies of systems, of which nobody can erase one person, and when the last copy
//! that can hold somebody is gone.
//!
//! A store is asked for what it has ([`BackupStore::copies`]); what follows for an erasure is
//! arithmetic over that list ([`Horizon`]), so that it can be tried without a store and shown
//! beside the store's own listing.

mod barman;
mod borg;
mod copy;
mod dump_names;
mod dumps;
mod horizon;
mod pgbackrest;
mod pgbackrest_config;
mod pruning;
mod restic;
mod retention;
mod s3;
mod s3_ends;
mod settings;
mod tool;
mod wal;

pub use copy::{BackupCopy, CopyKind, Stay};
pub use horizon::Horizon;
pub use pruning::Counting;
pub use retention::StoreRetention;
pub use settings::{BackupParameter, BackupSettings, backup_parameters};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::receipt::{Fault, Health};

/// One store of copies.
///
/// No method retries or polls. Only `expire` changes anything.
#[async_trait]
pub trait BackupStore: Send + Sync {
    /// The kind of the store, as the data map writes it.
    fn kind(&self) -> &'static str;

    /// Reach, credentials and what the store calls itself; no effect.
    async fn check(&self) -> Result<Health, Fault>;

    /// How the store reads the rules of its retention together, for [`StoreRetention::ends`].
    fn counting(&self) -> Counting {
        Counting::default()
    }

    /// Every copy that can still be restored, of every kind, oldest first; no effect.
    ///
    /// A store that cannot say for sure what it has answers with a fault: a copy that is left out
    /// here would let a certificate say that somebody is gone who is not.
    async fn copies(&self) -> Result<Vec<BackupCopy>, Fault>;

    /// What the store itself says of how long it keeps copies (a stanza's configuration, the life
    /// cycle of a bucket); `None` where only the operator knows. No effect.
    async fn retention(&self) -> Result<Option<StoreRetention>, Fault>;

    /// Lets the store remove these copies, by their identifiers, with its own commands. What is
    /// already gone counts as gone, so that a run that was cut short can be begun again.
    async fn expire(&self, ids: &[String]) -> Result<Expiry, Fault>;
}

/// What became of the wish to remove copies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiry {
    /// Copies that are gone now.
    pub gone: Vec<String>,
    /// Copies that the store does not give up yet, with the reason.
    pub kept: Vec<(String, Stay)>,
}

/// Opens a store of a kind of [`backup_kinds`](crate::backup_kinds).
pub(crate) fn open(kind: &str, settings: &BackupSettings) -> Result<Box<dyn BackupStore>, Fault> {
    match kind {
        "restic" => Ok(Box::new(restic::Restic::open(settings)?)),
        "borg" => Ok(Box::new(borg::Borg::open(settings)?)),
        "pgbackrest" => Ok(Box::new(pgbackrest::PgBackRest::open(settings)?)),
        "barman" => Ok(Box::new(barman::Barman::open(settings)?)),
        "dumps" => Ok(Box::new(dumps::Dumps::open(settings)?)),
        "s3" => Ok(Box::new(s3::S3::open(settings)?)),
        _ => Err(settings.misconfigured(&format!("`{kind}` is no kind of backup store"))),
    }
}
