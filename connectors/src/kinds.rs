//! The one list of kinds of systems.

use secrecy::SecretString;

use crate::connector::Connector;
use crate::receipt::Fault;

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

/// Names of all kinds, as the data map writes them.
pub fn kinds() -> &'static [&'static str] {
    &["postgresql", "mariadb", "mysql", "sqlite"]
}

/// Opens a connector of a kind. No connection is made yet.
///
/// # Errors
/// `Misconfigured` where the kind is unknown or the URL does not fit it.
pub fn open(kind: &str, settings: Settings) -> Result<Box<dyn Connector>, Fault> {
    crate::sql::open(kind, settings)
}
