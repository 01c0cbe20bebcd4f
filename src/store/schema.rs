//! How far the schema of a store has come, and whether this binary can work with it.
//!
//! While an instance is brought from one version to the next, binaries of both work on one store. The
//! newer one has added to the schema, and the older one goes on: it names every column that it writes
//! and reads. Only a migration whose name says `needs` ends that ([`migrations`](super::migrations)):
//! whoever does not know what it needs does not open the store, and stops where it is at work.

use std::collections::BTreeSet;

use sqlx::migrate::Migrator;
use sqlx::{PgConnection, SqliteConnection};

use super::connection::{Backend, Store};
use super::error::StoreError;
use super::migrations;
use super::statement::{Row, Sql, for_postgres, for_sqlite};

/// How far the schema of a store has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SchemaStanding {
    /// Number of the newest migration that was applied to it; 0 where none was.
    pub applied: u64,
    /// Number of the newest migration that this binary knows.
    pub known: u64,
    /// Number of the newest migration that a binary has to know to work with it; 0 for any binary.
    pub needed: u64,
    /// How many of the migrations that this binary knows were not applied to it.
    pub missing: u64,
}

impl SchemaStanding {
    /// Nothing that was applied keeps this binary from working with it.
    pub fn fits(self) -> bool {
        self.needed <= self.known
    }

    /// A newer binary has added to it.
    pub fn is_newer(self) -> bool {
        self.applied > self.known
    }

    fn of(known: &BTreeSet<u64>, rows: &[Row]) -> Result<Self, StoreError> {
        let newest = known.last().copied().unwrap_or_default();
        let mut standing = Self { known: newest, ..Self::default() };
        let mut missing = known.clone();
        for row in rows {
            let (number, description) = (row.whole("version")?, row.get::<String>("description")?);
            missing.remove(&number);
            standing.applied = standing.applied.max(number);
            standing.needed =
                standing.needed.max(migrations::needed(&description).unwrap_or_default());
        }
        standing.missing = missing.len() as u64;
        Ok(standing)
    }
}

// Each database lists its tables in its own way.
const HAS_SCHEMA: Sql = Sql::fork(
    "SELECT count(*) AS tables FROM sqlite_schema WHERE name = '_sqlx_migrations'",
    "SELECT count(to_regclass('_sqlx_migrations')) AS tables",
);
const APPLIED: Sql =
    Sql::both("SELECT version, description FROM _sqlx_migrations WHERE success ORDER BY version");

pub(super) const STATEMENTS: &[(&str, Sql)] =
    &[("schema::HAS_SCHEMA", HAS_SCHEMA), ("schema::APPLIED", APPLIED)];

fn lists_schema(rows: &[Row]) -> Result<bool, StoreError> {
    let tables = rows.first().map_or(Ok(0), |row| row.whole("tables"))?;
    Ok(tables > 0)
}

/// Whether a database has a schema at all.
pub(super) async fn has_schema(early: &mut Early<'_>) -> Result<bool, StoreError> {
    lists_schema(&early.read(HAS_SCHEMA).await?)
}

/// A connection to a database whose schema was not brought up to date yet.
pub(super) enum Early<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

impl Early<'_> {
    async fn read(&mut self, sql: Sql) -> Result<Vec<Row>, StoreError> {
        Ok(match self {
            Self::Sqlite(connection) => {
                let rows = for_sqlite(sql, Vec::new()).fetch_all(&mut **connection).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Self::Postgres(connection) => {
                // No statement under a name: it would be left to whoever a pooler lends to next.
                let query = for_postgres(sql, Vec::new()).persistent(false);
                let rows = query.fetch_all(&mut **connection).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// Refuses a schema that is not for this binary any more.
    ///
    /// # Errors
    /// `Migration` with what to do, where it is.
    pub(super) async fn refuse_what_needs_more(
        mut self,
        migrator: &Migrator,
    ) -> Result<(), StoreError> {
        if !has_schema(&mut self).await? {
            return Ok(());
        }
        let rows = self.read(APPLIED).await?;
        let standing = SchemaStanding::of(&migrations::known(migrator), &rows)?;
        if standing.fits() {
            return Ok(());
        }
        let SchemaStanding { applied, known, needed, .. } = standing;
        Err(StoreError::Migration {
            why: format!(
                "it is at number {applied}, for binaries that know number {needed}, and this one knows {known}; use the newer binary"
            ),
        })
    }
}

impl Store {
    /// How far its schema has come, for whoever only looks, and whether this binary may go on.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn schema(&self) -> Result<SchemaStanding, StoreError> {
        let files = match self.backend() {
            Backend::Sqlite { .. } => migrations::sqlite_files()?,
            Backend::Postgres { .. } => migrations::postgres_files()?,
        };
        let known = migrations::known(&migrations::migrator(files)?);
        if !lists_schema(&self.read(HAS_SCHEMA, Vec::new()).await?)? {
            return SchemaStanding::of(&known, &[]);
        }
        SchemaStanding::of(&known, &self.read(APPLIED, Vec::new()).await?)
    }
}
