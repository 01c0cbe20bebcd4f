//! Backup stores: copies of systems, when the last copy that can hold somebody is gone, and, with
//! stores that keep each person's files by themselves, erasing these inside of copies.
//!
//! A store is asked for what it has ([`BackupStore::copies`]); what follows for an erasure is
//! arithmetic over that list ([`Horizon`]), so that it can be tried without a store and shown
//! beside the store's own listing.

mod barman;
mod borg;
mod borg_inside;
mod borg_remains;
mod borg_segments;
mod copy;
mod dump_names;
mod dumps;
mod horizon;
mod inside;
mod pgbackrest;
mod pgbackrest_config;
mod pruning;
mod restic;
mod restic_remains;
mod retention;
mod s3;
mod s3_ends;
mod s3_inside;
mod settings;
mod tool;
mod wal;

pub use copy::{BackupCopy, CopyKind, Stay};
pub use horizon::Horizon;
pub use inside::{InsideCopy, InsideErasure, InsideFiles, InsidePart, kinds_that_erase_inside};
pub use pruning::Counting;
pub use retention::StoreRetention;
pub use settings::{BackupParameter, BackupSettings, backup_parameters};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::receipt::{Fault, Health};

/// One store of copies.
///
/// No method retries or polls. Only `expire`, `remove_remains` and `erase_inside` change anything.
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

    /// Why nobody may say that the store has let the data of removed copies go, with what to do: it
    /// takes a copy out of its list first, and keeps its data until somebody clears it away. `None`
    /// where it is known to keep nothing but what it lists, as every kind does that removes a copy
    /// and its data together. Looked for in the whole store, so ask it only where a copy would be
    /// called gone; no effect.
    async fn remains(&self) -> Result<Option<String>, Fault> {
        Ok(None)
    }

    /// Clears such data away with the store's own commands, and nothing that is listed; what
    /// [`Self::remains`] says afterwards.
    async fn remove_remains(&self) -> Result<Option<String>, Fault> {
        self.remains().await
    }

    /// Which copies hold files at or below any of these paths; no effect. Copies that hold none are
    /// left out, so that an empty list says that no copy does.
    ///
    /// # Errors
    /// Where a copy cannot be looked into, or the kind cannot do it
    /// ([`kinds_that_erase_inside`]).
    async fn holding(&self, _parts: &[InsidePart]) -> Result<Vec<InsideCopy>, Fault> {
        Err(cannot_look_inside(self.kind()))
    }

    /// Erases what is at or below these paths in every copy, and nothing else of any copy. What is
    /// gone already is no fault, so that a run that was cut short can be begun again.
    ///
    /// # Errors
    /// Where nobody knows how far it came, or the kind cannot do it.
    async fn erase_inside(&self, _parts: &[InsidePart]) -> Result<InsideErasure, Fault> {
        Err(cannot_look_inside(self.kind()))
    }
}

fn cannot_look_inside(kind: &str) -> Fault {
    let able = kinds_that_erase_inside().join("`, `");
    let message =
        format!("stores of kind `{kind}` cannot erase inside of copies; those of `{able}` can");
    Fault::Rejected { message }
}

/// What became of the wish to remove copies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiry {
    /// Copies that are gone now, with their data.
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
