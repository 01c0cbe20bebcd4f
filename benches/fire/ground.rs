//! What a run stands on: databases on the server that the environment names, and a folder; all of it
//! goes at the end.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

const VARIABLE: &str = "QUIETUS_TEST_POSTGRES_URL";

/// Databases and a folder of a run's own.
pub struct Ground {
    server: String,
    folder: PathBuf,
    keep: bool,
    number: AtomicUsize,
    made: Mutex<Vec<String>>,
}

impl Ground {
    /// On the server of the environment; with `keep` nothing is taken away.
    #[expect(clippy::disallowed_methods, reason = "tests/run names the servers this way")]
    pub fn from_environment(keep: bool) -> Result<Self> {
        let Ok(server) = std::env::var(VARIABLE) else {
            bail!("`{VARIABLE}` is not set: run `tests/run --servers` and export what it prints");
        };
        let folder = std::env::temp_dir().join(format!("quietus-fire-{}", std::process::id()));
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        Ok(Self { server, folder, keep, number: AtomicUsize::new(0), made: Mutex::default() })
    }

    /// The folder of the run.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A fresh database.
    pub async fn database(&self) -> Result<Database> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let name = format!("quietus_fire_{}_{number}", std::process::id());
        let server = Database { url: self.server.clone(), name: String::new() };
        server.run(&format!("DROP DATABASE IF EXISTS {name}")).await?;
        server.run(&format!("CREATE DATABASE {name}")).await?;
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
        let (scheme, rest) = self.server.split_once("://").context("a URL with a scheme")?;
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        Ok(Database { url: format!("{scheme}://{authority}/{name}"), name })
    }

    /// Takes everything away that was made, or says where it is.
    pub async fn clear(&self) {
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        if self.keep {
            println!("\nleft: {} and the databases {}", self.folder.display(), made.join(", "));
            return;
        }
        let server = Database { url: self.server.clone(), name: String::new() };
        for name in made {
            if let Err(error) = server.run(&format!("DROP DATABASE {name} WITH (FORCE)")).await {
                eprintln!("the database {name} stays: {error:#}");
            }
        }
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            eprintln!("the folder {} stays: {error}", self.folder.display());
        }
    }
}

/// A database, reached by plain SQL.
#[derive(Debug, Clone)]
pub struct Database {
    /// With the password.
    pub url: String,
    /// Its name on the server.
    pub name: String,
}

impl Database {
    /// A connection of its own.
    pub async fn open(&self) -> Result<PgConnection> {
        PgConnection::connect(&self.url).await.context("the server does not answer")
    }

    /// Carries out statements.
    pub async fn run(&self, sql: &str) -> Result<()> {
        let mut connection = self.open().await?;
        run(&mut connection, sql).await?;
        connection.close().await?;
        Ok(())
    }

    /// Reads one whole number.
    pub async fn number(&self, sql: &str) -> Result<i64> {
        let mut connection = self.open().await?;
        let number = number(&mut connection, sql).await?;
        connection.close().await?;
        Ok(number)
    }

    /// Reads rows, the columns of each as texts.
    pub async fn rows(&self, sql: &str) -> Result<Vec<Vec<String>>> {
        let mut connection = self.open().await?;
        let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await;
        let rows = rows.with_context(|| sql.to_owned())?;
        let text = |row: &sqlx::postgres::PgRow, column: usize| {
            row.try_get_unchecked::<Option<String>, _>(column).ok().flatten().unwrap_or_default()
        };
        let read = rows.iter().map(|row| (0..row.len()).map(|at| text(row, at)).collect());
        let read = read.collect();
        connection.close().await?;
        Ok(read)
    }

    /// The texts of the first column.
    pub async fn texts(&self, sql: &str) -> Result<Vec<String>> {
        let rows = self.rows(sql).await?;
        Ok(rows.into_iter().filter_map(|row| row.into_iter().next()).collect())
    }
}

/// Carries out statements over an open connection.
pub async fn run(connection: &mut PgConnection, sql: &str) -> Result<()> {
    let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await;
    done.map(drop).with_context(|| sql.to_owned())
}

/// Reads one whole number over an open connection.
pub async fn number(connection: &mut PgConnection, sql: &str) -> Result<i64> {
    let read = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(connection).await;
    read.with_context(|| sql.to_owned())
}
