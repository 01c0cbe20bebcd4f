//! Legal holds as the store keeps them.
//!
//! Values that name a record or a person arrive sealed; the open part of a scope has none. Every
//! placing and every release counts the version of holds up in the same transaction, so that
//! whoever works under an older version looks again.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;
use uuid::Uuid;

use super::connection::{Store, Tx};
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::jobs;
use super::statement::{Row, Sql, args, json};

/// A hold to place.
#[derive(Debug, Clone, PartialEq)]
pub struct NewHold {
    /// Its identifier.
    pub id: Uuid,
    /// The matter it belongs to.
    pub matter: String,
    /// The scope without values of records or persons.
    pub scope: Value,
    /// Values of a record or a person, sealed by the caller.
    pub sealed: Option<Vec<u8>>,
    /// Why, without personal data.
    pub reason: String,
    /// Who places it.
    pub placed_by: String,
    /// When somebody must look at it again.
    pub review_on: Option<Date>,
}

/// A hold on record.
#[derive(Debug, Clone, PartialEq)]
pub struct Hold {
    /// Its identifier.
    pub id: Uuid,
    /// The matter it belongs to.
    pub matter: String,
    /// The scope without values of records or persons.
    pub scope: Value,
    /// Values of a record or a person, sealed.
    pub sealed: Option<Vec<u8>>,
    /// Why.
    pub reason: String,
    /// Who placed it.
    pub placed_by: String,
    /// When.
    pub placed_at: Timestamp,
    /// When somebody must look at it again.
    pub review_on: Option<Date>,
    /// Who released it, and when; `None` while it holds.
    pub released: Option<(String, Timestamp)>,
}

/// Which holds are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldKey {
    /// One.
    Id(Uuid),
    /// All of a matter.
    Matter(String),
}

/// Which holds to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldFilter {
    /// Those that hold.
    Active,
    /// Released ones too.
    All,
}

const PLACE: Sql = Sql::both(
    "INSERT INTO holds (id, matter, scope, sealed, reason, placed_by, placed_at, review_on)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
);
const COUNT_UP: Sql =
    Sql::both("UPDATE versions SET value = value + 1 WHERE name = $1 RETURNING value");
const RELEASE_ID: Sql = Sql::both(
    "UPDATE holds SET released_at = $2, released_by = $3 WHERE id = $1 AND released_at IS NULL",
);
const RELEASE_MATTER: Sql = Sql::both(
    "UPDATE holds SET released_at = $2, released_by = $3
     WHERE matter = $1 AND released_at IS NULL",
);
const LIST: Sql = Sql::both(
    "SELECT id, matter, scope, sealed, reason, placed_by, placed_at, review_on, released_at,
         released_by
     FROM holds WHERE released_at IS NULL OR $1 ORDER BY placed_at, id",
);
const VERSION: Sql = Sql::both("SELECT value FROM versions WHERE name = $1");

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("holds::PLACE", PLACE),
    ("holds::COUNT_UP", COUNT_UP),
    ("holds::RELEASE_ID", RELEASE_ID),
    ("holds::RELEASE_MATTER", RELEASE_MATTER),
    ("holds::LIST", LIST),
    ("holds::VERSION", VERSION),
];

/// Counts a version up; takes the lock that starting attempts wait for.
pub(super) async fn count_up(tx: &mut Tx, name: &'static str) -> Result<u64, StoreError> {
    let row = tx.read_one(COUNT_UP, args![name]).await?;
    row.ok_or(StoreError::Corrupt { column: "versions.name" })?.whole("value")
}

fn from_row(row: &Row) -> Result<Hold, StoreError> {
    let review_on: Option<String> = row.get("review_on")?;
    let released_by: Option<String> = row.get("released_by")?;
    Ok(Hold {
        id: row.get("id")?,
        matter: row.get("matter")?,
        scope: row.json("scope")?,
        sealed: row.get("sealed")?,
        reason: row.get("reason")?,
        placed_by: row.get("placed_by")?,
        placed_at: row.instant("placed_at")?,
        review_on: review_on
            .map(|text| text.parse())
            .transpose()
            .map_err(|_| StoreError::Corrupt { column: "review_on" })?,
        released: released_by.zip(row.maybe_instant("released_at")?),
    })
}

impl Store {
    /// Places a hold; gives the new version of holds.
    pub async fn place_hold(
        &self,
        hold: NewHold,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let version = count_up(&mut tx, "holds").await?;
        let values = args![
            hold.id,
            hold.matter,
            json(&hold.scope)?,
            hold.sealed,
            hold.reason,
            hold.placed_by,
            now,
            hold.review_on.map(|day| day.to_string()),
        ];
        tx.execute(PLACE, values).await?;
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(version)
    }

    /// Releases holds and makes every job that is held available again, to be looked at anew. Says
    /// how many holds; 0, with nothing written, where none of them holds.
    pub async fn release_holds(
        &self,
        key: HoldKey,
        by: &str,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        count_up(&mut tx, "holds").await?;
        let released = match key {
            HoldKey::Id(id) => tx.execute(RELEASE_ID, args![id, now, by]).await?,
            HoldKey::Matter(matter) => tx.execute(RELEASE_MATTER, args![matter, now, by]).await?,
        };
        if released == 0 {
            tx.rollback().await?;
            return Ok(0);
        }
        jobs::release_held(&mut tx, now).await?;
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(released)
    }

    /// Holds, oldest first, without a bound: to leave one out would be to delete what it protects.
    pub async fn list_holds(&self, filter: HoldFilter) -> Result<Vec<Hold>, StoreError> {
        let rows = self.read(LIST, args![filter == HoldFilter::All]).await?;
        rows.iter().map(from_row).collect()
    }

    /// The active holds with the version under which they were read, from one moment.
    pub async fn holds_in_force(&self) -> Result<(u64, Vec<Hold>), StoreError> {
        // The version first: should a hold be placed in between, the version is too old and
        // whoever works under it looks again.
        let version = self.holds_version().await?;
        Ok((version, self.list_holds(HoldFilter::Active).await?))
    }

    /// Counts the placings and releases of holds.
    pub async fn holds_version(&self) -> Result<u64, StoreError> {
        self.version("holds").await
    }

    /// Counts the pauses and resumptions.
    pub async fn pauses_version(&self) -> Result<u64, StoreError> {
        self.version("pauses").await
    }

    async fn version(&self, name: &'static str) -> Result<u64, StoreError> {
        let row = self.read_one(VERSION, args![name]).await?;
        row.ok_or(StoreError::Corrupt { column: "versions.name" })?.whole("value")
    }
}
