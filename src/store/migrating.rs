//! Bringing a schema on PostgreSQL up to date, alone among all who open it at once.
//!
//! All of it is one transaction, under a lock that ends with it: one that belonged to the connection
//! would stay behind a pooler for ever, with whoever is lent it next. The lock is the one that sqlx
//! takes for a whole connection: binaries of before leave it to sqlx, so that they and this one wait
//! for each other as well.

use std::collections::BTreeMap;

use sqlx::migrate::{Migration, Migrator};
use sqlx::{Connection as _, PgConnection, Row as _};

use super::error::StoreError;
use super::schema::{Early, has_schema};
use super::statement::{Sql, args, for_postgres};

/// Times to begin anew where somebody who is at work stood in the way.
const TIMES: u32 = 5;

/// PostgreSQL's code for two that wait for each other.
const DEADLOCK: &str = "40P01";

// What a connection was asked for, or a role has, may be shorter than a migration takes, and who
// waits for the lock has to see what its holder has written.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 0; \
     SET LOCAL lock_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; \
     SET LOCAL synchronous_commit = 'on'";

// The table is sqlx's own, as binaries of before have made it.
const TABLE: &str = "CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),
    success BOOLEAN NOT NULL,
    checksum BYTEA NOT NULL,
    execution_time BIGINT NOT NULL
)";

// SQLite has one connection that writes, whose transaction is the lock.
const DATABASE: Sql = Sql::fork("SELECT 'main' AS name", "SELECT current_database()::text AS name");
const TURN: Sql = Sql::fork("SELECT $1 AS turn", "SELECT pg_advisory_xact_lock($1) AS turn");
const CHECKSUMS: Sql =
    Sql::both("SELECT version, success, checksum FROM _sqlx_migrations ORDER BY version");
// How long it took is not measured: that it was applied commits together with it.
const APPLY: Sql = Sql::both(
    "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
     VALUES ($1, $2, true, $3, -1)",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("migrating::DATABASE", DATABASE),
    ("migrating::TURN", TURN),
    ("migrating::CHECKSUMS", CHECKSUMS),
    ("migrating::APPLY", APPLY),
];

/// The lock that sqlx takes before it brings a database forward: a number times the CRC-32 (ISO
/// 3309) of the database's name.
fn lock_of(database: &str) -> i64 {
    let mut remainder = u32::MAX;
    for byte in database.bytes() {
        remainder ^= u32::from(byte);
        for _ in 0..8 {
            let is_odd = remainder & 1 == 1;
            remainder >>= 1;
            if is_odd {
                remainder ^= 0xedb8_8320;
            }
        }
    }
    0x3d32_ad9e * i64::from(!remainder)
}

/// Brings a schema up to date.
///
/// # Errors
/// Where it is not for this binary, a migration has changed since it was applied, or one fails:
/// nothing is changed then.
pub(super) async fn bring_up_to_date(
    connection: &mut PgConnection,
    migrator: &Migrator,
) -> Result<(), StoreError> {
    let mut time = 1;
    loop {
        match bring_up_to_date_once(connection, migrator).await {
            // Binaries of before are at work beside this one. Nothing was written.
            Err(StoreError::Busy { code }) if code == DEADLOCK && time < TIMES => time += 1,
            done => return done,
        }
    }
}

async fn bring_up_to_date_once(
    connection: &mut PgConnection,
    migrator: &Migrator,
) -> Result<(), StoreError> {
    let mut tx = connection.begin_with(BEGIN).await?;
    take_turn(&mut tx).await?;
    Early::Postgres(&mut tx).refuse_what_needs_more(migrator).await?;
    let applied = applied(&mut tx).await?;
    for migration in migrator.iter() {
        match applied.get(&migration.version) {
            Some(checksum) if *checksum == *migration.checksum => {}
            Some(_) => {
                let why =
                    format!("number {} was changed after it had been applied", migration.version);
                return Err(StoreError::Migration { why });
            }
            None => apply(&mut tx, migration).await?,
        }
    }
    Ok(tx.commit().await?)
}

/// Waits until nobody else brings the schema forward.
async fn take_turn(connection: &mut PgConnection) -> Result<(), StoreError> {
    let named = for_postgres(DATABASE, Vec::new()).persistent(false);
    let name: String = named.fetch_one(&mut *connection).await?.try_get("name")?;
    let turn = for_postgres(TURN, args![lock_of(&name)]).persistent(false);
    turn.execute(connection).await?;
    Ok(())
}

/// What was applied, with its checksums; makes the table for it where there is none.
async fn applied(connection: &mut PgConnection) -> Result<BTreeMap<i64, Vec<u8>>, StoreError> {
    if !has_schema(&mut Early::Postgres(connection)).await? {
        sqlx::raw_sql(TABLE).execute(connection).await?;
        return Ok(BTreeMap::new());
    }
    let query = for_postgres(CHECKSUMS, Vec::new()).persistent(false);
    let mut applied = BTreeMap::new();
    for row in query.fetch_all(connection).await? {
        let version = row.try_get("version")?;
        if !row.try_get::<bool, _>("success")? {
            let why = format!("number {version} was applied only half");
            return Err(StoreError::Migration { why });
        }
        applied.insert(version, row.try_get("checksum")?);
    }
    Ok(applied)
}

async fn apply(connection: &mut PgConnection, migration: &Migration) -> Result<(), StoreError> {
    let number = migration.version;
    let done = sqlx::raw_sql(migration.sql.clone()).execute(&mut *connection).await;
    done.map_err(|error| match StoreError::from(error) {
        busy @ StoreError::Busy { .. } => busy,
        error => StoreError::Migration { why: format!("number {number} failed: {error}") },
    })?;
    let written = args![number, &*migration.description, migration.checksum.to_vec()];
    for_postgres(APPLY, written).persistent(false).execute(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_that_of_sqlx() {
        // What every table of checks gives for CRC-32.
        assert_eq!(lock_of("123456789"), 0x3d32_ad9e * 0xcbf4_3926);
        assert_eq!(lock_of(""), 0);
    }
}
