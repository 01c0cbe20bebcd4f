//! A fresh, empty database of each kind for one test, spoken to by raw SQL and never through the
//! connector under test.
//!
//! Statements are written once for all kinds: `{bigint}`, `{text}`, `{moment}` … stand for
//! column types, `{@2026-01-01T00:00:00Z}` for a moment's literal.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use jiff::Timestamp;
use quietus_connectors::{Connector, Settings, open};
use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Row, raw_sql};
use tempfile::TempDir;

/// A test that takes longer than this hangs.
const MOST_SECONDS_OF_A_TEST: u64 = 180;

static NEXT_DATABASE: AtomicU32 = AtomicU32::new(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Postgresql,
    Mariadb,
    Sqlite,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgresql => "postgresql",
            Self::Mariadb => "mariadb",
            Self::Sqlite => "sqlite",
        }
    }

    /// What a column of a type is called; `None` where there is no such placeholder.
    fn column_type(self, word: &str) -> Option<&'static str> {
        let [postgresql, mariadb, sqlite] = match word {
            "bigint" => ["bigint", "bigint", "integer"],
            "text" => ["text", "varchar(200)", "text"],
            "moment" => ["timestamptz", "datetime(6)", "text"],
            "day" => ["date", "date", "text"],
            "boolean" => ["boolean", "boolean", "boolean"],
            "decimal" => ["numeric(12,2)", "decimal(12,2)", "numeric"],
            "float" => ["double precision", "double", "real"],
            "uuid" => ["uuid", "uuid", "text"],
            "bytes" => ["bytea", "varbinary(64)", "blob"],
            "json" => ["jsonb", "json", "text"],
            "address" => ["inet", "varchar(45)", "text"],
            _ => return None,
        };
        Some(match self {
            Self::Postgresql => postgresql,
            Self::Mariadb => mariadb,
            Self::Sqlite => sqlite,
        })
    }

    /// A moment as a literal of this kind, in UTC.
    pub fn moment(self, moment: &str) -> String {
        let moment: Timestamp = moment.parse().expect("a moment in RFC 3339");
        let civil = moment.to_zoned(jiff::tz::TimeZone::UTC).datetime();
        match self {
            Self::Postgresql => format!("'{}+00'", civil.strftime("%Y-%m-%d %H:%M:%S%.6f")),
            Self::Mariadb => format!("'{}'", civil.strftime("%Y-%m-%d %H:%M:%S%.6f")),
            Self::Sqlite => format!("'{}'", civil.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")),
        }
    }

    /// An identifier, quoted.
    pub fn quote(self, name: &str) -> String {
        match self {
            Self::Mariadb => format!("`{}`", name.replace('`', "``")),
            Self::Postgresql | Self::Sqlite => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    /// The name under which a data map knows a table of the fixture's database.
    pub fn source(self, table: &str) -> String {
        match self {
            Self::Postgresql => format!("public.{table}"),
            Self::Mariadb | Self::Sqlite => table.to_owned(),
        }
    }

    /// Replaces the placeholders of a statement.
    pub fn write(self, template: &str) -> String {
        let mut written = String::with_capacity(template.len());
        let mut rest = template;
        while let Some(open) = rest.find('{') {
            written.push_str(&rest[..open]);
            let close = open + rest[open..].find('}').expect("a closing brace");
            let word = &rest[open + 1..close];
            if let Some(moment) = word.strip_prefix('@') {
                written.push_str(&self.moment(moment));
            } else {
                let found = self.column_type(word);
                written.push_str(found.unwrap_or_else(|| panic!("no placeholder `{word}`")));
            }
            rest = &rest[close + 1..];
        }
        written.push_str(rest);
        written
    }
}

#[derive(Debug, Clone)]
enum Pool {
    Postgresql(PgPool),
    Mariadb(MySqlPool),
    Sqlite(SqlitePool),
}

/// Runs the same expression on whichever pool it is.
macro_rules! on_pool {
    ($pool:expr, $inner:ident => $body:expr) => {
        match $pool {
            Pool::Postgresql($inner) => $body,
            Pool::Mariadb($inner) => $body,
            Pool::Sqlite($inner) => $body,
        }
    };
}

/// One row, everything as text.
pub type TextRow = Vec<Option<String>>;

/// One database of its own.
pub struct Fixture {
    pub kind: Kind,
    /// Name of the database on its server.
    pub database: String,
    url: String,
    pool: Pool,
    folder: TempDir,
}

/// Gives one test a database, and removes it whatever becomes of the test.
pub fn run(kind: Kind, test: impl AsyncFnOnce(&Fixture)) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let fixture = Fixture::create(kind).await;
        let limit = Duration::from_secs(MOST_SECONDS_OF_A_TEST);
        let outcome =
            AssertUnwindSafe(tokio::time::timeout(limit, test(&fixture))).catch_unwind().await;
        fixture.remove().await;
        match outcome {
            Ok(in_time) => in_time.expect("the test ends in time"),
            Err(panic) => resume_unwind(panic),
        }
    });
}

impl Fixture {
    async fn create(kind: Kind) -> Self {
        let number = NEXT_DATABASE.fetch_add(1, Ordering::Relaxed);
        let database = format!("quietus_test_{}_{number}", std::process::id());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (pool, url) = match kind {
            Kind::Postgresql => {
                let server = server_url("QUIETUS_TEST_POSTGRES_URL");
                let server_pool = PgPoolOptions::new().max_connections(1);
                let server_pool =
                    server_pool.connect(&server).await.expect("PostgreSQL is reachable");
                create_database(&Pool::Postgresql(server_pool), &database).await;
                let url = with_database(&server, &database);
                let options: PgConnectOptions = url.parse().expect("a URL");
                let options = options.disable_statement_logging();
                let pool = PgPoolOptions::new().max_connections(6).connect_with(options).await;
                (Pool::Postgresql(pool.expect("the new database is reachable")), url)
            }
            Kind::Mariadb => {
                let server = server_url("QUIETUS_TEST_MARIADB_URL");
                let server_pool = MySqlPoolOptions::new().max_connections(1);
                let server_pool = server_pool.connect(&server).await.expect("MariaDB is reachable");
                create_database(&Pool::Mariadb(server_pool), &database).await;
                let url = with_database(&server, &database);
                let options: MySqlConnectOptions = url.parse().expect("a URL");
                let options = options.disable_statement_logging();
                let pool = MySqlPoolOptions::new().max_connections(6).connect_with(options).await;
                (Pool::Mariadb(pool.expect("the new database is reachable")), url)
            }
            Kind::Sqlite => {
                let path = folder.path().join(format!("{database}.sqlite"));
                let pool = sqlite_pool(&path).await;
                (Pool::Sqlite(pool), format!("sqlite://{}", path.display()))
            }
        };
        Self { kind, database, url, pool, folder }
    }

    async fn remove(self) {
        on_pool!(&self.pool, pool => pool.close().await);
        let server_variable = match self.kind {
            Kind::Postgresql => "QUIETUS_TEST_POSTGRES_URL",
            Kind::Mariadb => "QUIETUS_TEST_MARIADB_URL",
            Kind::Sqlite => return,
        };
        let server = server_url(server_variable);
        let dropped = if self.kind == Kind::Postgresql {
            let pool = PgPool::connect(&server).await.expect("PostgreSQL is reachable");
            let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.database);
            raw_sql(AssertSqlSafe(statement)).execute(&pool).await.map(|_| ())
        } else {
            let pool = MySqlPool::connect(&server).await.expect("MariaDB is reachable");
            let statement = format!("DROP DATABASE IF EXISTS {}", self.database);
            raw_sql(AssertSqlSafe(statement)).execute(&pool).await.map(|_| ())
        };
        dropped.expect("the database can be dropped");
    }

    /// The database's own URL, with credentials.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL through a pooler, which stands before the server that the variable names.
    pub fn through(&self, variable: &str) -> String {
        with_database(&server_url(variable), &self.database)
    }

    /// A path that belongs to this test.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A connector to this database, each time with connections of its own.
    pub fn connector(&self) -> Box<dyn Connector> {
        open(self.kind.name(), settings(&self.url)).expect("the settings are good")
    }

    /// Carries out one or more statements.
    pub async fn sql(&self, template: &str) {
        self.verbatim(&self.kind.write(template)).await;
    }

    /// Carries out one or more statements without looking for placeholders.
    pub async fn verbatim(&self, statement: &str) {
        self.attempt(statement).await.unwrap_or_else(|error| panic!("{error}\n{statement}"));
    }

    /// Carries out one or more statements that may fail.
    pub async fn attempt(&self, statement: &str) -> Result<(), sqlx::Error> {
        let query = raw_sql(AssertSqlSafe(statement.to_owned()));
        on_pool!(&self.pool, pool => query.execute(pool).await.map(|_| ()))
    }

    /// Reads rows, everything as text.
    pub async fn rows(&self, template: &str) -> Vec<TextRow> {
        self.rows_verbatim(self.kind.write(template)).await
    }

    async fn rows_verbatim(&self, statement: String) -> Vec<TextRow> {
        let query = raw_sql(AssertSqlSafe(statement.clone()));
        on_pool!(&self.pool, pool => {
            let rows = query.fetch_all(pool).await;
            rows.unwrap_or_else(|error| panic!("{error}\n{statement}"))
                .iter()
                .map(|row| {
                    let columns = 0..row.len();
                    columns.map(|at| row.try_get_unchecked(at).expect("text")).collect()
                })
                .collect()
        })
    }

    /// Reads one column, everything as text; null is written `NULL`.
    pub async fn column(&self, template: &str) -> Vec<String> {
        self.column_verbatim(&self.kind.write(template)).await
    }

    /// Reads one column without looking for placeholders.
    pub async fn column_verbatim(&self, statement: &str) -> Vec<String> {
        let rows = self.rows_verbatim(statement.to_owned()).await;
        let first = |row: TextRow| row.into_iter().next().flatten();
        rows.into_iter().map(|row| first(row).unwrap_or_else(|| "NULL".to_owned())).collect()
    }

    /// Reads one number.
    pub async fn count(&self, template: &str) -> u64 {
        let column = self.column(template).await;
        column.first().expect("one row").parse().expect("a number")
    }

    /// Keys that are left, in order.
    pub async fn ids(&self, table: &str) -> Vec<i64> {
        let column = self.column(&format!("SELECT id FROM {table} ORDER BY id")).await;
        column.iter().map(|id| id.parse().expect("a number")).collect()
    }

    /// Everything in a table, to compare it with later.
    pub async fn content(&self, table: &str) -> Vec<TextRow> {
        let mut rows = self.rows(&format!("SELECT * FROM {table}")).await;
        rows.sort();
        rows
    }

    /// A connection of its own on which an application holds locks until it is dropped.
    pub async fn hold_open(&self, statements: &str) -> OpenTransaction {
        let statements = self.kind.write(statements);
        let query = raw_sql(AssertSqlSafe(statements));
        match &self.pool {
            Pool::Postgresql(pool) => {
                let mut transaction = pool.begin().await.expect("a transaction");
                query.execute(&mut *transaction).await.expect("the application's statement");
                OpenTransaction::Postgresql(transaction)
            }
            Pool::Mariadb(pool) => {
                let mut transaction = pool.begin().await.expect("a transaction");
                query.execute(&mut *transaction).await.expect("the application's statement");
                OpenTransaction::Mariadb(transaction)
            }
            Pool::Sqlite(_) => {
                let other = sqlite_pool(&self.path(&format!("{}.sqlite", self.database))).await;
                let mut transaction = other.begin_with("BEGIN IMMEDIATE").await.expect("a lock");
                query.execute(&mut *transaction).await.expect("the application's statement");
                OpenTransaction::Sqlite(transaction)
            }
        }
    }
}

/// An application's transaction that is under way.
pub enum OpenTransaction {
    Postgresql(sqlx::Transaction<'static, sqlx::Postgres>),
    Mariadb(sqlx::Transaction<'static, sqlx::MySql>),
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
}

impl OpenTransaction {
    pub async fn roll_back(self) {
        match self {
            Self::Postgresql(transaction) => transaction.rollback().await,
            Self::Mariadb(transaction) => transaction.rollback().await,
            Self::Sqlite(transaction) => transaction.rollback().await,
        }
        .expect("rolled back");
    }

    pub async fn commit(self) {
        match self {
            Self::Postgresql(transaction) => transaction.commit().await,
            Self::Mariadb(transaction) => transaction.commit().await,
            Self::Sqlite(transaction) => transaction.commit().await,
        }
        .expect("committed");
    }
}

/// Settings of a connector to a URL.
pub fn settings(url: &str) -> Settings {
    Settings {
        system: "shop".to_owned(),
        url: url.to_owned().into(),
        progress_table: "quietus_progress".to_owned(),
    }
}

#[expect(clippy::disallowed_methods, reason = "tests/run names the servers this way")]
fn server_url(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("`{variable}` is not set: run `tests/run`, or `tests/run --servers` and export it")
    })
}

/// One connection: sqlx panics where a second one reads `*` from a table that the first altered.
async fn sqlite_pool(path: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10))
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await;
    pool.expect("the file can be opened")
}

async fn create_database(server: &Pool, database: &str) {
    let statement = match server {
        Pool::Postgresql(_) => format!("CREATE DATABASE {database} TEMPLATE template0"),
        Pool::Mariadb(_) | Pool::Sqlite(_) => format!("CREATE DATABASE {database}"),
    };
    let query = raw_sql(AssertSqlSafe(statement));
    on_pool!(server, pool => {
        query.execute(pool).await.expect("a new database");
        pool.close().await;
    });
}

/// The URL of another database on the same server.
fn with_database(server: &str, database: &str) -> String {
    let (base, _) = server.rsplit_once('/').expect("a URL with a database");
    format!("{base}/{database}")
}
