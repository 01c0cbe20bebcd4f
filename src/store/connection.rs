//! Opening the store, and its transactions.
//!
//! SQLite: one writer connection, whose transactions all begin with `BEGIN IMMEDIATE` (a deferred
//! transaction that starts to write later is refused at once and not waited for), and a pool of
//! readers; WAL, and `synchronous=FULL` because proofs must survive a power cut. A connection is
//! looked at when it is given back, and not once more before it is lent: nobody can cut it off. PostgreSQL: one
//! small pool ([`postgresql`](super::postgresql)); before a connection is lent it is rolled back, because
//! a `begin` that was cancelled half-way would otherwise leave its transaction open for the next borrower.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection as _, Executor as _, Sqlite, Transaction};

use super::error::StoreError;
use super::migrating;
use super::migrations;
use super::postgresql::{Postgresql, PostgresqlTx, Purpose, Reach};
use super::schema::Early;
use super::statement::{Arg, Row, Sql, for_sqlite};

/// How to open the store.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Create the SQLite file where there is none.
    pub create: bool,
    /// Connections for reading (SQLite), or all connections (PostgreSQL); 1 to 64.
    pub readers: u32,
    /// How long to wait for a free connection.
    pub wait: Duration,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { create: false, readers: 4, wait: Duration::from_secs(10) }
    }
}

/// The store. Cheap to clone; all clones share the connections.
#[derive(Debug, Clone)]
pub struct Store {
    backend: Backend,
    only_looks: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Backend {
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    Postgres(Postgresql),
}

impl Store {
    /// Opens `sqlite:<path>` or `postgres://…` and brings the schema up to date.
    ///
    /// # Errors
    /// Where the URL is of no use, the database cannot be reached or its schema is not ours.
    pub async fn open(url: &str, options: OpenOptions) -> Result<Self, StoreError> {
        let readers = options.readers.clamp(1, 64);
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return Self::open_sqlite(Path::new(path), &options, readers).await;
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options = OpenOptions { readers, ..options };
            return Box::pin(Self::open_postgres(url, &options)).await;
        }
        Err(unknown_url())
    }

    /// Opens a store only to look at it: nothing is created, no schema is brought up to date, and
    /// whatever would write is refused by the database itself.
    ///
    /// # Errors
    /// Where the URL is of no use, or there is no such database.
    pub async fn look(url: &str, options: OpenOptions) -> Result<Self, StoreError> {
        let connections = options.readers.clamp(1, 64);
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = Path::new(path.strip_prefix("//").unwrap_or(path));
            if !path.is_file() {
                return Err(StoreError::Unavailable { why: "there is no such file".to_owned() });
            }
            let pool = SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(options.wait)
                .connect_with(sqlite_options(path).pragma("query_only", "ON"))
                .await?;
            let backend = Backend::Sqlite { writer: pool.clone(), readers: pool };
            return Ok(Self { backend, only_looks: true });
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options = OpenOptions { readers: connections, ..options };
            let postgresql = Postgresql::new(url, &options, Purpose::Look)?;
            Box::pin(postgresql.connect()).await?.close().await?;
            return Ok(Self { backend: Backend::Postgres(postgresql), only_looks: true });
        }
        Err(unknown_url())
    }

    /// Whether it was opened only to look at it.
    pub fn only_looks(&self) -> bool {
        self.only_looks
    }

    async fn open_sqlite(
        path: &Path,
        options: &OpenOptions,
        readers: u32,
    ) -> Result<Self, StoreError> {
        if path.as_os_str().is_empty() || path.as_os_str() == ":memory:" {
            return Err(StoreError::Url {
                why: "write the path of a file behind `sqlite:`".to_owned(),
            });
        }
        if options.create {
            create_private(path)?;
        }
        let connect = sqlite_options(path).journal_mode(SqliteJournalMode::Wal);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(1)
            .acquire_timeout(options.wait)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(connect.clone())
            .await?;
        let migrator = migrations::migrator(migrations::sqlite_files()?)?;
        // All of it in one transaction: two processes that open a new file at once take turns.
        let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
        Early::Sqlite(&mut tx).refuse_what_needs_more(&migrator).await?;
        migrator.run_direct(None, &mut *tx, false).await.map_err(migrations::explain)?;
        tx.commit().await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(readers)
            .acquire_timeout(options.wait)
            .test_before_acquire(false)
            .connect_with(connect.pragma("query_only", "ON"))
            .await?;
        Ok(Self { backend: Backend::Sqlite { writer, readers }, only_looks: false })
    }

    async fn open_postgres(url: &str, options: &OpenOptions) -> Result<Self, StoreError> {
        let postgresql = Postgresql::new(url, options, Purpose::Work)?;
        // Migrations go over a connection of their own: they may take longer than any statement.
        let mut connection = postgresql.connect().await?;
        let migrator = migrations::migrator(migrations::postgres_files()?)?;
        migrating::bring_up_to_date(&mut connection, &migrator).await?;
        connection.close().await?;
        Ok(Self { backend: Backend::Postgres(postgresql), only_looks: false })
    }

    pub(super) fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Closes all connections, after what is under way.
    pub async fn close(&self) {
        match &self.backend {
            Backend::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Backend::Postgres(postgresql) => postgresql.close().await,
        }
    }

    /// Which database it is: `sqlite` or `postgres`.
    pub fn kind(&self) -> &'static str {
        match &self.backend {
            Backend::Sqlite { .. } => "sqlite",
            Backend::Postgres(_) => "postgres",
        }
    }

    /// Whether it is reached through a pooler that lends connections of its server for one
    /// transaction, as far as anybody has found out.
    pub fn is_pooled(&self) -> bool {
        matches!(&self.backend, Backend::Postgres(one) if one.reach() == Reach::Pooled)
    }

    /// Asks the database to answer at all.
    ///
    /// # Errors
    /// Where it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read(PING, Vec::new()).await.map(|_| ())
    }

    /// Has the database prepare a statement without carrying it out; says how many columns it
    /// gives.
    ///
    /// # Errors
    /// Where the database does not accept it.
    pub async fn prepare(&self, sql: Sql) -> Result<usize, StoreError> {
        use sqlx::{SqlSafeStr as _, Statement as _};
        match &self.backend {
            Backend::Sqlite { readers, .. } => {
                let statement = readers.prepare(sql.sqlite.into_sql_str()).await?;
                Ok(statement.columns().len())
            }
            Backend::Postgres(postgresql) => Box::pin(postgresql.prepare(sql)).await,
        }
    }

    /// How SQLite would carry a statement out, step by step; nothing on PostgreSQL, which decides by
    /// what it has counted.
    ///
    /// # Errors
    /// Where the database does not accept it.
    pub async fn steps_of(&self, sql: Sql) -> Result<Vec<String>, StoreError> {
        let Backend::Sqlite { readers, .. } = &self.backend else { return Ok(Vec::new()) };
        let asked = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", sql.sqlite));
        let rows = sqlx::query(asked).fetch_all(readers).await?;
        rows.iter().map(|row| Ok(sqlx::Row::try_get(row, "detail")?)).collect()
    }

    /// Writes the SQLite file anew without what was deleted, and empties its companion; `false`
    /// where somebody who reads just now kept it from that. PostgreSQL keeps old rows until it
    /// needs their place: there only the destruction of a key takes them.
    ///
    /// # Errors
    /// Where the database does not do it.
    pub async fn scrub(&self) -> Result<bool, StoreError> {
        let Backend::Sqlite { writer, .. } = &self.backend else { return Ok(true) };
        sqlx::query("VACUUM").execute(writer).await?;
        let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(writer).await?;
        let busy: i64 = sqlx::Row::try_get(&row, 0)?;
        Ok(busy == 0)
    }

    /// Begins a transaction that may write.
    pub(super) async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(match &self.backend {
            Backend::Sqlite { writer, .. } => {
                Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?)
            }
            Backend::Postgres(postgresql) => Tx::Postgres(Box::pin(postgresql.begin()).await?),
        })
    }

    /// Begins a transaction that writes a log: once it is committed it survives a power cut, whatever
    /// the server's or the role's default says.
    ///
    /// # Errors
    /// Where SQLite does not wait for its disk.
    pub(super) async fn begin_durable(&self) -> Result<Tx, StoreError> {
        let mut tx = self.begin().await?;
        tx.insist_on_durability().await?;
        Ok(tx)
    }

    /// Reads rows, in no transaction of the caller's.
    pub(super) async fn read(&self, sql: Sql, args: Vec<Arg>) -> Result<Vec<Row>, StoreError> {
        Ok(match &self.backend {
            Backend::Sqlite { readers, .. } => {
                let rows = for_sqlite(sql, args).fetch_all(readers).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            // Every operation of the store has this in its future, which would be large.
            Backend::Postgres(postgresql) => Box::pin(postgresql.read(sql, args)).await?,
        })
    }

    /// Reads the first row, if any.
    pub(super) async fn read_one(
        &self,
        sql: Sql,
        args: Vec<Arg>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.read(sql, args).await?.into_iter().next())
    }

    /// Writes one statement in a transaction of its own; says how many rows it touched.
    pub(super) async fn write(&self, sql: Sql, args: Vec<Arg>) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let rows = tx.execute(sql, args).await?;
        tx.commit().await?;
        Ok(rows)
    }
}

fn unknown_url() -> StoreError {
    StoreError::Url { why: "write `sqlite:<path>` or `postgres://…`".to_owned() }
}

fn sqlite_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        // Rows that the driver's thread hands over at once.
        .row_buffer_size(1_000)
        .pragma("secure_delete", "ON")
        .pragma("trusted_schema", "OFF")
}

/// Creates the file for its owner only, where there is none; SQLite gives its companions the same
/// rights.
fn create_private(path: &Path) -> Result<(), StoreError> {
    let mut file = std::fs::OpenOptions::new();
    file.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    match file.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::Unavailable { why: error.kind().to_string() }),
    }
}

const PING: Sql = Sql::both("SELECT 1 AS one");

// SQLite is asked what it does; PostgreSQL is told, and what waits for a standby as well is kept.
const DURABLE: Sql = Sql::fork(
    "SELECT CAST(synchronous AS TEXT) AS waits FROM pragma_synchronous",
    "SELECT set_config('synchronous_commit',
         CASE WHEN current_setting('synchronous_commit') = 'remote_apply'
             THEN 'remote_apply' ELSE 'on' END, true) AS waits",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[("connection::DURABLE", DURABLE)];

/// What the databases answer when a commit waits for the disk: SQLite's `FULL` and `EXTRA`, and
/// PostgreSQL's `on` and `remote_apply`.
const WAITS: [&str; 4] = ["2", "3", "on", "remote_apply"];

/// A transaction; rolled back when dropped without a commit.
pub(super) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(PostgresqlTx),
}

impl Tx {
    /// Carries out a statement; says how many rows it touched.
    pub(super) async fn execute(&mut self, sql: Sql, args: Vec<Arg>) -> Result<u64, StoreError> {
        Ok(match self {
            Self::Sqlite(tx) => for_sqlite(sql, args).execute(&mut **tx).await?.rows_affected(),
            Self::Postgres(tx) => tx.execute(sql, args).await?,
        })
    }

    /// Reads rows.
    pub(super) async fn read(&mut self, sql: Sql, args: Vec<Arg>) -> Result<Vec<Row>, StoreError> {
        Ok(match self {
            Self::Sqlite(tx) => {
                let rows = for_sqlite(sql, args).fetch_all(&mut **tx).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Self::Postgres(tx) => tx.read(sql, args).await?,
        })
    }

    /// Reads the first row, if any.
    pub(super) async fn read_one(
        &mut self,
        sql: Sql,
        args: Vec<Arg>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.read(sql, args).await?.into_iter().next())
    }

    /// Has the commit wait for the disk.
    async fn insist_on_durability(&mut self) -> Result<(), StoreError> {
        let row = self.read_one(DURABLE, Vec::new()).await?;
        let waits: Option<String> = row.map(|row| row.get("waits")).transpose()?;
        if waits.is_some_and(|waits| WAITS.contains(&waits.as_str())) {
            return Ok(());
        }
        Err(StoreError::Refused {
            what: "the evidence log in a database that does not wait for its disk".to_owned(),
        })
    }

    /// Makes it last.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// Undoes it.
    pub(super) async fn rollback(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => tx.rollback().await?,
            Self::Postgres(tx) => tx.rollback().await?,
        }
        Ok(())
    }
}
