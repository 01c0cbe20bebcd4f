//! Files and logs of the three databases: which places can still hold what was deleted, how they are
//! made to let it go, and how one sees that they have.
//!
//! Every answer errs to the same side: what cannot be seen is not gone.

mod mariadb;
mod mariadb_status;
mod postgresql;
mod postgresql_log;
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
        Some(Dialect::Postgres) => postgresql::STAGES,
        Some(Dialect::MariaDb) => mariadb::STAGES,
        Some(Dialect::Sqlite) => sqlite::STAGES,
        None => &[],
    }
}

/// What may be driven at a kind.
pub(crate) fn drives(kind: &str) -> &'static [ResidueDrive] {
    match Dialect::of_kind(kind) {
        Some(Dialect::Postgres) => postgresql::DRIVES,
        Some(Dialect::MariaDb) => mariadb::DRIVES,
        Some(Dialect::Sqlite) => sqlite::DRIVES,
        None => &[],
    }
}

/// What no stage of a kind looks at, in words that certificates print; named where somebody looks at
/// the others.
pub(crate) fn beyond(kind: &str) -> &'static [&'static str] {
    match Dialect::of_kind(kind) {
        Some(Dialect::Postgres) => {
            &["samples of values in the planner's statistics until the tables are analysed again"]
        }
        Some(Dialect::MariaDb) => &["the doublewrite buffer until it is written over"],
        Some(Dialect::Sqlite) => &[
            "what the application has deleted or replaced in the file by itself without secure_delete",
        ],
        None => &[],
    }
}

/// One look for all that wait, over a connection of its own.
pub(crate) async fn look(
    connector: &SqlConnector,
    look: &ResidueLook,
) -> Result<Vec<ResidueSight>, Fault> {
    let pace = Pace { statement_timeout_ms: LONGEST_STATEMENT_MS, ..Pace::default() };
    let mut session = connector.target.open(&pace).await?;
    let mut seen = match session.dialect() {
        Dialect::Sqlite => sqlite::look(&mut session, look).await?,
        Dialect::Postgres => {
            postgresql::look(&mut session, look, &connector.progress_table).await?
        }
        Dialect::MariaDb => mariadb::look(&mut session, look, &connector.progress_table).await?,
    };
    session.close().await;
    if !look.acts {
        let stages = seen.iter_mut().flat_map(|sight| &mut sight.stages);
        let drives = drives(&connector.kind);
        for stage in stages.filter(|stage| !stage.gone) {
            let wanted = drives.iter().filter(|one| look.drive.iter().any(|it| it == one.name));
            // Nobody has tried yet: it is not said to be held back.
            stage.held = false;
            if let Some(drive) = wanted.clone().find(|drive| drive.stage == stage.stage) {
                stage.why = Some(format!("a later look makes it go (`{}`)", drive.name));
            }
        }
    }
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
