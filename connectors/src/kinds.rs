//! The one list of kinds of systems.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;

use crate::backup::{BackupSettings, BackupStore};
use crate::connector::Connector;
use crate::receipt::Fault;
use crate::tokens::TokenKeeper;

/// What a connector needs to reach its system. Secrets do not print.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name of the system in the data map.
    pub system: String,
    /// Connection URL with credentials: `postgres://`, `mysql://`, `sqlite://`.
    pub url: SecretString,
    /// Name of the table in which a SQL connector keeps how far an order has come, so that a
    /// chunk and its count commit together.
    pub progress_table: String,
}

/// What a connector needs to reach a third party over HTTP. Secrets do not print.
#[derive(Clone)]
pub struct ProcessorSettings {
    /// Name of the system in the data map.
    pub system: String,
    /// Address of its interface, with its version (`https://opendsr.example.com/v2`); `None` where
    /// the definition has it.
    pub address: Option<String>,
    /// Text of the definition, for kinds that need one.
    pub definition: Option<String>,
    /// Parameters of the definition, and credentials.
    pub parameters: BTreeMap<String, SecretString>,
    /// Hosts with port that may be spoken to although they have a private address
    /// (`127.0.0.1:9801`).
    pub private_hosts: Vec<String>,
    /// Certificates of authorities that are trusted beside those of the system, as PEM.
    pub trust: Option<String>,
    /// Where the time comes from: certificates are valid at a moment.
    pub now: Now,
    /// Where tokens that the vendor replaces are kept; without it they are lost with the connector.
    pub tokens: Option<Arc<dyn TokenKeeper>>,
}

/// Where a connector asks for the time.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

impl fmt::Debug for ProcessorSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ProcessorSettings")
            .field("system", &self.system)
            .field("parameters", &self.parameters.keys())
            .finish_non_exhaustive()
    }
}

/// Names of all kinds that are asked by predicates, as the data map writes them.
pub fn kinds() -> &'static [&'static str] {
    &["postgresql", "mariadb", "mysql", "sqlite"]
}

/// Names of all kinds that are asked by name of a person.
///
/// `processor`: an HTTP dialect described by a definition; `opendsr`: OpenDSR 2.0 and its
/// dialects; `own`: a connector of the user's own that takes orders as JSON.
pub fn processor_kinds() -> &'static [&'static str] {
    &["processor", "opendsr", "own"]
}

/// Opens a connector of a kind. No connection is made yet.
///
/// # Errors
/// `Misconfigured` where the kind is unknown or the URL does not fit it.
pub fn open(kind: &str, settings: Settings) -> Result<Box<dyn Connector>, Fault> {
    crate::sql::open(kind, settings)
}

/// Opens a connector to a third party. No connection is made yet.
///
/// # Errors
/// `Misconfigured` where the kind is unknown, or its definition or settings do not fit.
pub fn open_processor(
    kind: &str,
    settings: ProcessorSettings,
) -> Result<Box<dyn Connector>, Fault> {
    match kind {
        "processor" => Ok(Box::new(crate::processor::Processor::open(settings)?)),
        "own" => Ok(Box::new(crate::processor::Own::open(settings)?)),
        "opendsr" => crate::opendsr::open(settings),
        _ => Err(Fault::Misconfigured {
            message: format!("system `{}` has the unknown kind `{kind}`", settings.system),
        }),
    }
}

/// Names of all kinds of backup stores.
///
/// `restic`, `borg`: repositories; `pgbackrest`: a stanza; `barman`: a server as it names it;
/// `dumps`: a folder of dated files; `s3`: a bucket, or what of it is below a prefix.
pub fn backup_kinds() -> &'static [&'static str] {
    &["restic", "borg", "pgbackrest", "barman", "dumps", "s3"]
}

/// Opens a backup store of a kind. No connection is made yet, and no tool is started.
///
/// # Errors
/// `Misconfigured` where the kind is unknown, or its settings do not fit.
pub fn open_backup(kind: &str, settings: &BackupSettings) -> Result<Box<dyn BackupStore>, Fault> {
    crate::backup::open(kind, settings)
}
