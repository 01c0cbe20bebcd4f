//! The three drivers behind one session: the only place that names them, but for what tells poolers
//! (`pooler`), and that declares a statement safe.
//!
//! A session is one plain connection, opened for one undertaking and closed after it. When its
//! future is dropped the connection closes with it and the system rolls back, so there is no pool
//! that could hand on a connection inside a transaction.

use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow};
use sqlx::postgres::types::Oid;
use sqlx::postgres::{
    PgArgumentBuffer, PgConnectOptions, PgConnection, PgRow, PgTypeInfo, Postgres,
};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Row as _, Type, TypeInfo as _, ValueRef as _,
};

use crate::order::Pace;
use crate::receipt::Fault;
use crate::sql::dialect::Dialect;
use crate::sql::faults::{Doing, fault, misconfigured, transient};
use crate::sql::fragment::{Cell, Fragment};
use crate::sql::pooler::{self, Reach};

/// How long reaching a system may take.
const CONNECT_TIMEOUT_MS: u64 = 15_000;

/// Where a system is.
pub(crate) struct Target {
    pub(crate) dialect: Dialect,
    url: SecretString,
}

/// One connection.
pub(crate) enum Session {
    Postgres(PgConnection),
    MariaDb(MySqlConnection),
    Sqlite(SqliteConnection),
}

impl Target {
    /// # Errors
    /// `Misconfigured` where the URL does not fit the kind.
    pub(crate) fn new(dialect: Dialect, url: SecretString) -> Result<Self, Fault> {
        let scheme = url.expose_secret().split(':').next().unwrap_or("").to_ascii_lowercase();
        if !dialect.schemes().contains(&scheme.as_str()) {
            return Err(misconfigured(format!(
                "the URL of a {} system begins with `{}:`",
                dialect.product(),
                dialect.schemes()[0]
            )));
        }
        let target = Self { dialect, url };
        target.options()?;
        Ok(target)
    }

    fn options(&self) -> Result<Options, Fault> {
        let url = self.url.expose_secret();
        let map = |error| fault(self.dialect, Doing::Connect, error);
        Ok(match self.dialect {
            Dialect::Postgres => {
                let options = PgConnectOptions::from_str(url).map_err(map)?;
                let options = options.application_name("quietus").disable_statement_logging();
                Options::Postgres(Box::new(options))
            }
            Dialect::MariaDb => {
                Options::MariaDb(Box::new(MySqlConnectOptions::from_str(url).map_err(map)?))
            }
            Dialect::Sqlite => {
                Options::Sqlite(Box::new(SqliteConnectOptions::from_str(url).map_err(map)?))
            }
        })
    }

    /// Opens a connection with the order's timeouts.
    pub(crate) async fn open(&self, pace: &Pace) -> Result<Session, Fault> {
        let opening = self.open_now(pace);
        match tokio::time::timeout(Duration::from_millis(CONNECT_TIMEOUT_MS), opening).await {
            Ok(session) => session,
            Err(_) => Err(transient(format!(
                "{} did not answer within {CONNECT_TIMEOUT_MS} ms",
                self.dialect.product()
            ))),
        }
    }

    async fn open_now(&self, pace: &Pace) -> Result<Session, Fault> {
        let map = |error| fault(self.dialect, Doing::Connect, error);
        let mut session = match self.options()? {
            Options::Postgres(options) => {
                let (mut connection, reach) = pooler::connect(&options).await?;
                // Before anything is set, which somebody else would find.
                if reach == Reach::Pooled {
                    pooler::refuse_lent(&options, &mut connection).await?;
                }
                Session::Postgres(connection)
            }
            Options::MariaDb(options) => {
                let options = options.disable_statement_logging();
                Session::MariaDb(MySqlConnection::connect_with(&options).await.map_err(map)?)
            }
            Options::Sqlite(options) => {
                let options = options
                    .create_if_missing(false)
                    .foreign_keys(true)
                    .busy_timeout(Duration::from_millis(pace.lock_timeout_ms))
                    .disable_statement_logging();
                Session::Sqlite(SqliteConnection::connect_with(&options).await.map_err(map)?)
            }
        };
        for setting in session.settings(pace) {
            session.command(&setting).await?;
        }
        Ok(session)
    }

    /// Refuses a connection that a pooler lends for one transaction, by a second connection beside it.
    ///
    /// # Errors
    /// `Misconfigured` where it is lent.
    pub(crate) async fn refuse_lent(&self, session: &mut Session) -> Result<(), Fault> {
        match (self.options()?, session) {
            (Options::Postgres(options), Session::Postgres(connection)) => {
                pooler::refuse_lent(&options, connection).await
            }
            _ => Ok(()),
        }
    }
}

/// Settings of a session in MariaDB and MySQL. MariaDB bounds every statement, MySQL only reading
/// ones; each reads what stands in comments for it and passes over the other's. Nothing but this time
/// bounds a recursive query.
fn mariadb_settings(pace: &Pace) -> String {
    let milliseconds = pace.statement_timeout_ms;
    let lock_seconds = pace.lock_timeout_ms.max(1).div_ceil(1000);
    let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
    // MariaDB remembers the answer of a subquery by the field's own equality, and would give the
    // answer for `ann` to `Ann` where only one of them is on a list. And beyond its limit it answers
    // with what a recursive query has found so far. Zero is the key of a record that moves, and no wish
    // for another one.
    format!(
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO', \
         SESSION time_zone = '+00:00', SESSION foreign_key_checks = 1, \
         SESSION sql_safe_updates = 0, SESSION innodb_lock_wait_timeout = {lock_seconds} \
         /*M!100101 , SESSION max_statement_time = {seconds}.{rest:03}, \
         SESSION optimizer_switch = 'subquery_cache=off', \
         SESSION max_recursive_iterations = 4294967295 */ \
         /*!50708 , SESSION max_execution_time = {milliseconds} */ \
         /*!80003 , SESSION cte_max_recursion_depth = 4294967295 */; \
         SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"
    )
}

enum Options {
    Postgres(Box<PgConnectOptions>),
    MariaDb(Box<MySqlConnectOptions>),
    Sqlite(Box<SqliteConnectOptions>),
}

impl Session {
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Postgres(_) => Dialect::Postgres,
            Self::MariaDb(_) => Dialect::MariaDb,
            Self::Sqlite(_) => Dialect::Sqlite,
        }
    }

    fn settings(&self, pace: &Pace) -> Vec<String> {
        let statement_ms = pace.statement_timeout_ms;
        let lock_ms = pace.lock_timeout_ms;
        match self {
            // With `row_security` off a policy that hides records is an error and not a silent
            // remainder. Compiling (`jit`) the long conditions of a plan takes many times longer
            // than reading them does.
            Self::Postgres(_) => vec![format!(
                "SET statement_timeout = {statement_ms}; SET lock_timeout = {lock_ms}; \
                 SET idle_in_transaction_session_timeout = {statement_ms}; SET row_security = off; \
                 SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; \
                 SET bytea_output = 'hex'; SET extra_float_digits = 3; \
                 SET standard_conforming_strings = on; \
                 SET plan_cache_mode = force_custom_plan; SET jit = off"
            )],
            Self::MariaDb(_) => vec![mariadb_settings(pace)],
            Self::Sqlite(_) => vec!["PRAGMA secure_delete = ON".to_owned()],
        }
    }

    /// A statement without values and without an answer.
    pub(crate) async fn command(&mut self, text: &str) -> Result<(), Fault> {
        self.command_doing(text, Doing::Statement).await
    }

    async fn command_doing(&mut self, text: &str, doing: Doing) -> Result<(), Fault> {
        let dialect = self.dialect();
        sent();
        let sql = sqlx::raw_sql(AssertSqlSafe(text.to_owned()));
        let answer = match self {
            Self::Postgres(connection) => sql.execute(connection).await.map(|_| ()),
            Self::MariaDb(connection) => sql.execute(connection).await.map(|_| ()),
            Self::Sqlite(connection) => sql.execute(connection).await.map(|_| ()),
        };
        answer.map_err(|error| fault(dialect, doing, error))
    }

    /// Begins a transaction that may write.
    pub(crate) async fn begin(&mut self) -> Result<(), Fault> {
        self.command(match self {
            Self::Postgres(_) => "BEGIN ISOLATION LEVEL READ COMMITTED",
            Self::MariaDb(_) => "START TRANSACTION",
            // A deferred transaction that turns into a writing one does not wait for a lock.
            Self::Sqlite(_) => "BEGIN IMMEDIATE",
        })
        .await
    }

    /// Commits. A connection lost here leaves the outcome open.
    pub(crate) async fn commit(&mut self) -> Result<(), Fault> {
        self.command_doing("COMMIT", Doing::Commit).await
    }

    /// Rolls back. Where that fails too the connection is of no use and is dropped by the caller.
    pub(crate) async fn rollback(&mut self) -> Result<(), Fault> {
        self.command("ROLLBACK").await
    }

    /// Carries out a statement and tells how many records it touched.
    pub(crate) async fn execute(&mut self, statement: &Fragment) -> Result<u64, Fault> {
        let dialect = self.dialect();
        sent();
        let text = AssertSqlSafe(statement.finish(dialect));
        let answer = match self {
            Self::Postgres(connection) => postgres_query(text, &statement.binds)
                .execute(connection)
                .await
                .map(|done| done.rows_affected()),
            // Preparing what has no values would ask the system twice.
            Self::MariaDb(connection) if statement.binds.is_empty() => {
                sqlx::raw_sql(text).execute(connection).await.map(|done| done.rows_affected())
            }
            Self::MariaDb(connection) => mariadb_query(text, &statement.binds)
                .execute(connection)
                .await
                .map(|done| done.rows_affected()),
            Self::Sqlite(connection) => sqlite_query(text, &statement.binds)
                .execute(connection)
                .await
                .map(|done| done.rows_affected()),
        };
        answer.map_err(|error| fault(dialect, doing_of(statement), error))
    }

    /// Reads all rows of a bounded answer that holds whole numbers and texts only. Such an answer is
    /// the same where the statement is not prepared, for which MariaDB would be asked twice; a
    /// floating-point number would come in fewer digits.
    pub(crate) async fn fetch_plain(
        &mut self,
        statement: &Fragment,
    ) -> Result<Vec<Vec<Cell>>, Fault> {
        let Self::MariaDb(connection) = self else { return self.fetch(statement).await };
        if !statement.binds.is_empty() {
            return self.fetch(statement).await;
        }
        sent();
        let text = AssertSqlSafe(statement.finish(Dialect::MariaDb));
        let rows = sqlx::raw_sql(text)
            .fetch_all(connection)
            .await
            .and_then(|rows| rows.iter().map(mariadb_row).collect());
        rows.map_err(|error| fault(Dialect::MariaDb, Doing::Statement, error))
    }

    /// Reads all rows of a bounded answer.
    pub(crate) async fn fetch(&mut self, statement: &Fragment) -> Result<Vec<Vec<Cell>>, Fault> {
        let dialect = self.dialect();
        sent();
        let text = AssertSqlSafe(statement.finish(dialect));
        let rows = match self {
            Self::Postgres(connection) => postgres_query(text, &statement.binds)
                .fetch_all(connection)
                .await
                .and_then(|rows| rows.iter().map(postgres_row).collect()),
            Self::MariaDb(connection) => mariadb_query(text, &statement.binds)
                .fetch_all(connection)
                .await
                .and_then(|rows| rows.iter().map(mariadb_row).collect()),
            Self::Sqlite(connection) => sqlite_query(text, &statement.binds)
                .fetch_all(connection)
                .await
                .and_then(|rows| rows.iter().map(sqlite_row).collect()),
        };
        rows.map_err(|error| fault(dialect, doing_of(statement), error))
    }

    /// The one row of an aggregate.
    pub(crate) async fn fetch_one(&mut self, statement: &Fragment) -> Result<Vec<Cell>, Fault> {
        self.fetch_plain(statement)
            .await?
            .into_iter()
            .next()
            .ok_or_else(|| crate::sql::faults::rejected("a count came back without a row"))
    }

    /// One number.
    pub(crate) async fn count(&mut self, statement: &Fragment) -> Result<u64, Fault> {
        Ok(self.fetch_one(statement).await?.first().map_or(0, Cell::count))
    }

    /// Says goodbye; the answer does not matter any more.
    pub(crate) async fn close(self) {
        let closed = match self {
            Self::Postgres(connection) => connection.close().await,
            Self::MariaDb(connection) => connection.close().await,
            Self::Sqlite(connection) => connection.close().await,
        };
        if closed.is_err() {
            tracing::debug!("the connection was gone before it was closed");
        }
    }
}

/// A deletion may be one that tells what it has deleted.
fn doing_of(statement: &Fragment) -> Doing {
    let text = statement.text.as_str();
    let told = text.strip_prefix("WITH quietus_changed AS (").unwrap_or(text);
    if told.starts_with("DELETE") { Doing::Deletion } else { Doing::Statement }
}

/// Whoever listens can count statements; what they say is nobody's business.
pub(super) fn sent() {
    tracing::trace!(target: "quietus_connectors::statement", "a statement is sent");
}

type PostgresQuery<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;
type MariaDbQuery<'q> = sqlx::query::Query<'q, sqlx::MySql, sqlx::mysql::MySqlArguments>;
type SqliteQuery<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

/// A time in PostgreSQL's own binary form. As text it would be read again for every record, because
/// reading it depends on settings of the session.
struct PostgresTime {
    oid: u32,
    bytes: Vec<u8>,
}

impl Type<Postgres> for PostgresTime {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1184))
    }
}

impl Encode<'_, Postgres> for PostgresTime {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.bytes);
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(Oid(self.oid)))
    }
}

fn postgres_query<'q>(text: AssertSqlSafe<String>, binds: &[Cell]) -> PostgresQuery<'q> {
    // Named statements save two round trips a window; `plan_cache_mode` lets each window be
    // planned for its own bounds all the same.
    let mut query = sqlx::query(text).persistent(true);
    for bind in binds {
        query = match bind {
            Cell::Null => query.bind(None::<String>),
            Cell::Integer(number) => query.bind(*number),
            Cell::Real(number) => query.bind(*number),
            Cell::Text(text) => query.bind(text.clone()),
            Cell::Bytes(bytes) => query.bind(bytes.clone()),
            Cell::Moment(since) => {
                query.bind(PostgresTime { oid: 1184, bytes: since.to_be_bytes().to_vec() })
            }
            Cell::WallClock(since) => {
                query.bind(PostgresTime { oid: 1114, bytes: since.to_be_bytes().to_vec() })
            }
            Cell::Day(since) => {
                query.bind(PostgresTime { oid: 1082, bytes: since.to_be_bytes().to_vec() })
            }
        };
    }
    query
}

/// Binds values where times are written as text.
macro_rules! bound {
    ($query:expr, $binds:expr) => {{
        let mut query = $query;
        for bind in $binds {
            query = match bind {
                Cell::Null | Cell::Moment(_) | Cell::WallClock(_) | Cell::Day(_) => {
                    query.bind(None::<String>)
                }
                Cell::Integer(number) => query.bind(*number),
                Cell::Real(number) => query.bind(*number),
                Cell::Text(text) => query.bind(text.clone()),
                Cell::Bytes(bytes) => query.bind(bytes.clone()),
            };
        }
        query
    }};
}

fn mariadb_query<'q>(text: AssertSqlSafe<String>, binds: &[Cell]) -> MariaDbQuery<'q> {
    // Closing a statement has no answer, and the next one would wait for a delayed acknowledgement
    // (40 ms each); the cache of prepared statements is bounded.
    bound!(sqlx::query(text).persistent(true), binds)
}

fn sqlite_query<'q>(text: AssertSqlSafe<String>, binds: &[Cell]) -> SqliteQuery<'q> {
    bound!(sqlx::query(text).persistent(false), binds)
}

/// Every value of a row, told by the type of the value and not of its column: SQLite keeps one for
/// each value.
fn cells<R>(
    row: &R,
    read: impl Fn(&str, usize) -> Result<Cell, sqlx::Error>,
) -> Result<Vec<Cell>, sqlx::Error>
where
    R: sqlx::Row,
    usize: sqlx::ColumnIndex<R>,
{
    let mut cells = Vec::with_capacity(row.len());
    for index in 0..row.len() {
        let value = row.try_get_raw(index)?;
        cells.push(if value.is_null() {
            Cell::Null
        } else {
            read(value.type_info().name(), index)?
        });
    }
    Ok(cells)
}

fn postgres_row(row: &PgRow) -> Result<Vec<Cell>, sqlx::Error> {
    cells(row, |name, index| {
        Ok(match name {
            "BOOL" => Cell::Integer(i64::from(row.try_get::<bool, _>(index)?)),
            "INT2" => Cell::Integer(i64::from(row.try_get::<i16, _>(index)?)),
            "INT4" => Cell::Integer(i64::from(row.try_get::<i32, _>(index)?)),
            "INT8" => Cell::Integer(row.try_get::<i64, _>(index)?),
            "FLOAT8" => Cell::Real(row.try_get::<f64, _>(index)?),
            "BYTEA" => Cell::Bytes(row.try_get::<Vec<u8>, _>(index)?),
            _ => Cell::Text(row.try_get_unchecked::<String, _>(index)?),
        })
    })
}

fn mariadb_row(row: &MySqlRow) -> Result<Vec<Cell>, sqlx::Error> {
    cells(row, |name, index| {
        Ok(if name.ends_with("UNSIGNED") {
            let number = row.try_get_unchecked::<u64, _>(index)?;
            i64::try_from(number).map_or_else(|_| Cell::Text(number.to_string()), Cell::Integer)
        } else if name.contains("INT") || name == "BOOLEAN" {
            Cell::Integer(row.try_get_unchecked::<i64, _>(index)?)
        } else if name == "DOUBLE" || name == "FLOAT" {
            Cell::Real(row.try_get_unchecked::<f64, _>(index)?)
        } else if name.contains("BINARY") {
            Cell::Bytes(row.try_get_unchecked::<Vec<u8>, _>(index)?)
        } else {
            Cell::Text(row.try_get_unchecked::<String, _>(index)?)
        })
    })
}

fn sqlite_row(row: &SqliteRow) -> Result<Vec<Cell>, sqlx::Error> {
    cells(row, |name, index| {
        Ok(match name {
            "INTEGER" => Cell::Integer(row.try_get_unchecked::<i64, _>(index)?),
            "REAL" => Cell::Real(row.try_get_unchecked::<f64, _>(index)?),
            "BLOB" => Cell::Bytes(row.try_get_unchecked::<Vec<u8>, _>(index)?),
            _ => Cell::Text(row.try_get_unchecked::<String, _>(index)?),
        })
    })
}
