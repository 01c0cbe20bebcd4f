//! One SQL body with dialects: PostgreSQL, MariaDB/MySQL and SQLite.

use crate::connector::Connector;
use crate::kinds::Settings;
use crate::receipt::Fault;

/// Opens a SQL connector.
pub(crate) fn open(kind: &str, settings: Settings) -> Result<Box<dyn Connector>, Fault> {
    let _ = settings;
    Err(Fault::Misconfigured { message: format!("kind `{kind}` is not known") })
}
