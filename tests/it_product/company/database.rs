//! A database of its own for one test, reached by raw SQL and never through the product.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, Row as _};

static NUMBER: AtomicU64 = AtomicU64::new(1);

/// What a database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Postgres,
    MariaDb,
    Sqlite,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Postgres => "postgresql",
            Self::MariaDb => "mariadb",
            Self::Sqlite => "sqlite",
        }
    }

    /// Picks by kind: PostgreSQL, MariaDB, SQLite.
    pub fn pick<T>(self, postgresql: T, mariadb: T, sqlite: T) -> T {
        match self {
            Self::Postgres => postgresql,
            Self::MariaDb => mariadb,
            Self::Sqlite => sqlite,
        }
    }
}

/// A fresh database; on a server it is dropped again at the end of the test.
pub struct Database {
    pub kind: Kind,
    /// With the password, where there is one.
    pub url: String,
    server: Option<(String, String)>,
}

#[expect(clippy::disallowed_methods, reason = "the environment says where the test servers are")]
fn server(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("`{variable}` is not set: run the tests with `tests/run`, which starts the servers")
    })
}

fn with_database(url: &str, name: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let authority = rest.split(['/', '?']).next().unwrap();
    format!("{scheme}://{authority}/{name}")
}

/// The part of a URL that must never be seen anywhere.
pub fn password_of(url: &str) -> Option<String> {
    let authority = url.split_once("://")?.1.split('/').next()?;
    let account = authority.rsplit_once('@')?.0;
    account.split_once(':').map(|(_, password)| password.to_owned())
}

impl Database {
    /// A fresh database; `file` is where one of SQLite lies.
    pub async fn fresh(kind: Kind, file: &Path) -> Self {
        let variable = match kind {
            Kind::Postgres => "QUIETUS_TEST_POSTGRES_URL",
            Kind::MariaDb => "QUIETUS_TEST_MARIADB_URL",
            Kind::Sqlite => {
                let url = format!("sqlite://{}?mode=rwc", file.display());
                drop(Raw::open(kind, &url).await);
                return Self { kind, url, server: None };
            }
        };
        let admin = server(variable);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("quietus_company_{}_{number}", std::process::id());
        let mut raw = Raw::open(kind, &admin).await;
        raw.run(&format!("DROP DATABASE IF EXISTS {name}")).await;
        raw.run(&format!("CREATE DATABASE {name}")).await;
        Self { kind, url: with_database(&admin, &name), server: Some((admin, name)) }
    }

    /// One on a server of the test's own, which goes with the server.
    pub fn at(kind: Kind, url: String) -> Self {
        Self { kind, url, server: None }
    }

    /// Its URL through a pooler in transaction mode.
    pub fn through_pooler(&self) -> String {
        let (_, name) = self.url.rsplit_once('/').unwrap();
        with_database(&server("QUIETUS_TEST_PGBOUNCER_URL"), name)
    }

    /// The same, through one that passes over what it does not know.
    pub fn through_lenient_pooler(&self) -> String {
        let (_, name) = self.url.rsplit_once('/').unwrap();
        with_database(&server("QUIETUS_TEST_PGBOUNCER_LENIENT_URL"), name)
    }

    /// A copy of a database on PostgreSQL, by a dump into this file.
    pub async fn copied(&self, dump: &Path) -> Self {
        let copy = Self::fresh(self.kind, Path::new("")).await;
        let program = async |name: &str, arguments: [&str; 4]| {
            let mut command = tokio::process::Command::new(name);
            let ended = command.args(arguments).arg(dump).output().await;
            let ended = ended.unwrap_or_else(|error| panic!("`{name}` is needed: {error}"));
            let said = String::from_utf8_lossy(&ended.stderr).into_owned();
            assert!(ended.status.success(), "{name}: {said}");
        };
        program("pg_dump", ["--no-owner", "--no-sync", &self.url, "--file"]).await;
        program("psql", ["--quiet", "--set=ON_ERROR_STOP=1", &copy.url, "--file"]).await;
        copy
    }

    pub async fn raw(&self) -> Raw {
        Raw::open(self.kind, &self.url).await
    }

    pub async fn run(&self, text: &str) {
        self.raw().await.run(text).await;
    }

    /// All rows, every value as text; `~` stands for null.
    pub async fn rows(&self, text: &str) -> Vec<String> {
        self.raw().await.rows(text).await
    }

    pub async fn number(&self, text: &str) -> i64 {
        self.rows(text).await.first().unwrap().parse().unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Some((admin, name)) = self.server.take() else { return };
        let kind = self.kind;
        // A thread of its own, because the test's runtime is busy with dropping us.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let force = kind.pick(" WITH (FORCE)", "", "");
                let mut raw = Raw::open(kind, &admin).await;
                raw.run(&format!("DROP DATABASE IF EXISTS {name}{force}")).await;
            });
        })
        .join();
        let left = dropped.is_err() && !std::thread::panicking();
        assert!(!left, "the test's database could not be dropped");
    }
}

/// One connection past the product.
pub enum Raw {
    Postgres(sqlx::PgConnection),
    MariaDb(sqlx::MySqlConnection),
    Sqlite(sqlx::SqliteConnection),
}

impl Raw {
    pub async fn open(kind: Kind, url: &str) -> Self {
        match kind {
            Kind::Postgres => Self::Postgres(sqlx::PgConnection::connect(url).await.unwrap()),
            Kind::MariaDb => Self::MariaDb(sqlx::MySqlConnection::connect(url).await.unwrap()),
            Kind::Sqlite => {
                let path = url.trim_start_matches("sqlite://").trim_start_matches("sqlite:");
                let options = sqlx::sqlite::SqliteConnectOptions::new()
                    .filename(path.trim_end_matches("?mode=rwc"))
                    .create_if_missing(true)
                    .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
                    .synchronous(sqlx::sqlite::SqliteSynchronous::Normal)
                    .busy_timeout(Duration::from_secs(20))
                    .foreign_keys(true);
                Self::Sqlite(sqlx::SqliteConnection::connect_with(&options).await.unwrap())
            }
        }
    }

    pub async fn run(&mut self, text: &str) {
        self.attempt(text).await.unwrap();
    }

    pub async fn attempt(&mut self, text: &str) -> Result<(), sqlx::Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(text.to_owned()));
        match self {
            Self::Postgres(raw) => sql.execute(raw).await.map(drop),
            Self::MariaDb(raw) => sql.execute(raw).await.map(drop),
            Self::Sqlite(raw) => sql.execute(raw).await.map(drop),
        }
    }

    pub async fn rows(&mut self, text: &str) -> Vec<String> {
        let sql = sqlx::raw_sql(AssertSqlSafe(text.to_owned()));
        macro_rules! read {
            ($raw:expr) => {
                sql.fetch_all($raw)
                    .await
                    .unwrap()
                    .iter()
                    .map(|row| {
                        let value = |index| {
                            let text = row.try_get_unchecked::<Option<String>, _>(index).unwrap();
                            text.unwrap_or_else(|| "~".to_owned())
                        };
                        (0..row.len()).map(value).collect::<Vec<_>>().join("|")
                    })
                    .collect()
            };
        }
        match self {
            Self::Postgres(raw) => read!(raw),
            Self::MariaDb(raw) => read!(raw),
            Self::Sqlite(raw) => read!(raw),
        }
    }
}

/// Takes a file of SQLite away, with what lies beside it. Who closes it last takes its log away, a
/// moment after a test has let go of it; where nobody does, a process was killed and has left it.
pub fn take_away(file: &std::path::Path) {
    let beside = |end: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        std::path::PathBuf::from(name)
    };
    for _ in 0..50 {
        if !beside("-wal").exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    for end in ["", "-wal", "-shm"] {
        let removed = std::fs::remove_file(beside(end));
        assert!(removed.is_ok() || !beside(end).exists(), "{removed:?}");
    }
}
