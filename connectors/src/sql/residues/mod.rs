//! Files and logs of the three databases: which places can still hold what was deleted, how they are
//! made to let it go, and how one sees that they have.
//!
//! Every answer errs to the same side: what cannot be seen is not gone.

mod sqlite;

use serde_json::Value;

use crate::order::Pace;
use crate::receipt::Fault;
use crate::residue::{ResidueDrive, ResidueLook, ResidueSight, ResidueStage};
use crate::sql::SqlConnector;
use crate::sql::dialect::Dialect;
use crate::sql::faults::rejected;

/// A statement that makes files let go may take as long as this, in milliseconds.
const LONGEST_STATEMENT_MS: u64 = 6 * 60 * 60 * 1000;

/// Stages of a kind; empty for kinds that declare none.
pub(crate) fn stages(kind: &str) -> &'static [ResidueStage] {
    match Dialect::of_kind(kind) {
        Some(Dialect::Sqlite) => sqlite::STAGES,
        _ => &[],
    }
}

/// What may be driven at a kind.
pub(crate) fn drives(kind: &str) -> &'static [ResidueDrive] {
    match Dialect::of_kind(kind) {
        Some(Dialect::Sqlite) => sqlite::DRIVES,
        _ => &[],
    }
}

/// One look for all that wait, over a connection of its own.
pub(crate) async fn look(
    connector: &SqlConnector,
    look: &ResidueLook,
) -> Result<Vec<ResidueSight>, Fault> {
    let pace = Pace { statement_timeout_ms: LONGEST_STATEMENT_MS, ..Pace::default() };
    let mut session = connector.target.open(&pace).await?;
    let seen = match session.dialect() {
        Dialect::Sqlite => sqlite::look(&mut session, look).await?,
        Dialect::Postgres | Dialect::MariaDb => {
            return Err(rejected("nobody looks at the files and logs of this kind of system"));
        }
    };
    session.close().await;
    Ok(seen)
}

/// A mark that nobody can read is one that was written by a later version.
fn unreadable(error: &serde_json::Error) -> Fault {
    rejected(format!("what an earlier look has written cannot be read: {error}"))
}

/// Writes a mark.
fn written(mark: &impl serde::Serialize) -> Result<Value, Fault> {
    serde_json::to_value(mark).map_err(|error| unreadable(&error))
}
