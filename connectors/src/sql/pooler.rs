//! Whether a connection to PostgreSQL is our own for as long as it lasts, or one that a pooler lends
//! for one transaction, of which whatever outlives that is found by somebody else: lists in temporary
//! tables, prepared statements, settings.
//!
//! A connection asks the server for a setting that nobody else asks for, and looks for it. No pooler
//! hands it on, whatever its mode is. Where it is not there, a second connection tells the modes
//! apart: both at once with one process of the server are lent.

use std::hash::{BuildHasher as _, RandomState};

use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{Connection as _, Row as _, raw_sql};

use crate::receipt::Fault;
use crate::sql::dialect::Dialect;
use crate::sql::faults::{Doing, LENT, fault, misconfigured};

/// The setting that a connection of our own shows.
const MARK: &str = "quietus.connection";

/// How the server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Nothing stands before it.
    Direct,
    /// A pooler does, in one mode or another.
    Pooled,
}

/// Connects, and finds out whether a pooler stands before the server.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<(PgConnection, Reach), Fault> {
    // Of its own each time: a pooler might open its first connection with what it was asked for.
    let mark = RandomState::new().hash_one(MARK).to_string();
    let marked = options.clone().options([(MARK, &mark)]);
    match PgConnection::connect_with(&marked).await {
        Ok(mut connection) => {
            let shown = text(&mut connection, "SELECT current_setting('quietus.connection', true)");
            let is_shown = shown.await?.as_deref() == Some(mark.as_str());
            Ok((connection, if is_shown { Reach::Direct } else { Reach::Pooled }))
        }
        Err(error) if refuses_settings(&error) => {
            let connection = PgConnection::connect_with(options).await.map_err(unreached)?;
            Ok((connection, Reach::Pooled))
        }
        Err(error) => Err(unreached(error)),
    }
}

/// Refuses a connection that is lent for one transaction: while it rests, a second one with a
/// transaction open has the process of the server that it had itself, or it has another one
/// afterwards. Nothing is left to whoever is lent it next. A busy pooler can hide it.
///
/// # Errors
/// `Misconfigured` where it is lent.
pub(super) async fn refuse_lent(
    options: &PgConnectOptions,
    connection: &mut PgConnection,
) -> Result<(), Fault> {
    const PROCESS: &str = "SELECT CAST(pg_backend_pid() AS text)";
    let mine = text(connection, PROCESS).await?;
    let mut other = PgConnection::connect_with(options).await.map_err(unreached)?;
    let theirs = text(&mut other, "BEGIN; SELECT CAST(pg_backend_pid() AS text)").await?;
    let afterwards = text(connection, PROCESS).await?;
    text(&mut other, "ROLLBACK").await?;
    if other.close().await.is_err() {
        tracing::debug!("the second connection was gone before it was closed");
    }
    if mine == theirs || mine != afterwards { Err(misconfigured(LENT)) } else { Ok(()) }
}

/// The first column of the last row, by a statement without a name.
async fn text(
    connection: &mut PgConnection,
    statement: &'static str,
) -> Result<Option<String>, Fault> {
    super::connection::sent();
    let rows = raw_sql(statement).fetch_all(connection).await;
    let read = |row: &PgRow| row.try_get_unchecked::<Option<String>, _>(0);
    let last = rows.and_then(|rows| rows.last().map(read).transpose());
    last.map(Option::flatten).map_err(|error| fault(Dialect::Postgres, Doing::Statement, error))
}

/// Something before the server does not take settings with a connection; the server itself always
/// does.
fn refuses_settings(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(database) = error else { return false };
    // PgBouncer has the first code for whatever it refuses. Where it was something else, it is
    // refused once more without the setting.
    database.code().is_some_and(|code| matches!(code.as_ref(), "08P01" | "0A000"))
        || database.message().contains("startup parameter")
}

fn unreached(error: sqlx::Error) -> Fault {
    fault(Dialect::Postgres, Doing::Connect, error)
}
