//! Callbacks of vendors that a definition describes: the names under which each waiting job is
//! called back for, and what was heard already.
//!
//! A callback only wakes jobs. What it names stands here as a keyed digest, and whether anything
//! has this name shows in nothing that the caller is told.

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::{Store, Tx};
use super::error::StoreError;
use super::statement::{Sql, args};

/// Callbacks of one system that are remembered at once.
pub const MOST_REMEMBERED: i64 = 50_000;

/// A callback that has proven where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendorCallback {
    /// The system that called.
    pub system: String,
    /// SHA-256 of what was proven.
    pub message: [u8; 32],
    /// Keyed digest of the vendor's name for what was under way, where it named something.
    pub name_tag: Option<Vec<u8>>,
    /// Until when the same could be believed once more.
    pub remember_until: Timestamp,
}

/// What became of a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeardVendor {
    /// It is new; so many jobs were woken.
    New {
        /// Jobs that look at once.
        woken: u64,
    },
    /// It was heard already; nothing was changed.
    Again,
    /// So many are remembered that it could not be told from an earlier one; nothing was changed.
    TooMany,
}

const FORGET: Sql = Sql::both("DELETE FROM vendor_callbacks WHERE remember_until <= $1");
const FORGET_NAMES: Sql = Sql::both(
    "DELETE FROM vendor_names
     WHERE system = $1 AND job_id IN (SELECT id FROM jobs WHERE settled_at IS NOT NULL)",
);
const REMEMBERED: Sql = Sql::both(
    "SELECT COUNT(*) AS remembered FROM (
         SELECT 1 AS one FROM vendor_callbacks WHERE system = $1 LIMIT $2) AS remembered",
);
const HEAR: Sql = Sql::both(
    "INSERT INTO vendor_callbacks (system, message, name_tag, heard_at, remember_until, woke)
     VALUES ($1, $2, $3, $4, $5, 0) ON CONFLICT (system, message) DO NOTHING",
);
const WOKE: Sql =
    Sql::both("UPDATE vendor_callbacks SET woke = $3 WHERE system = $1 AND message = $2");
const WAKE: Sql = Sql::both(
    "UPDATE jobs SET available_at = $3
     WHERE state = 'waiting' AND available_at > $3 AND id IN (SELECT job_id FROM vendor_names
         WHERE system = $1 AND name_tag = $2)",
);
const DROP_NAMES: Sql = Sql::both("DELETE FROM vendor_names WHERE job_id = $1");
const NAME: Sql = Sql::both(
    "INSERT INTO vendor_names (system, name_tag, job_id) VALUES ($1, $2, $3)
     ON CONFLICT (system, name_tag, job_id) DO NOTHING",
);
const WAKE_HEARD: Sql = Sql::both(
    "UPDATE jobs SET available_at = $3
     WHERE id = $1 AND state = 'waiting' AND available_at > $3 AND EXISTS (
         SELECT 1 FROM vendor_names
         JOIN vendor_callbacks ON vendor_callbacks.system = vendor_names.system
             AND vendor_callbacks.name_tag = vendor_names.name_tag
         WHERE vendor_names.job_id = $1 AND vendor_callbacks.heard_at >= $2
             AND vendor_callbacks.woke = 0)",
);
const WOKE_LATE: Sql = Sql::both(
    "UPDATE vendor_callbacks SET woke = 1
     WHERE woke = 0 AND heard_at >= $2 AND EXISTS (
         SELECT 1 FROM vendor_names
         WHERE vendor_names.job_id = $1 AND vendor_names.system = vendor_callbacks.system
             AND vendor_names.name_tag = vendor_callbacks.name_tag)",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("vendor_callbacks::FORGET", FORGET),
    ("vendor_callbacks::FORGET_NAMES", FORGET_NAMES),
    ("vendor_callbacks::REMEMBERED", REMEMBERED),
    ("vendor_callbacks::HEAR", HEAR),
    ("vendor_callbacks::WOKE", WOKE),
    ("vendor_callbacks::WAKE", WAKE),
    ("vendor_callbacks::DROP_NAMES", DROP_NAMES),
    ("vendor_callbacks::NAME", NAME),
    ("vendor_callbacks::WAKE_HEARD", WAKE_HEARD),
    ("vendor_callbacks::WOKE_LATE", WOKE_LATE),
];

/// What is of no more use goes: callbacks that nobody would believe once more, and names of jobs
/// that have come to their end.
async fn forget(tx: &mut Tx, system: &str, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(FORGET, args![now]).await?;
    tx.execute(FORGET_NAMES, args![system]).await.map(|_| ())
}

impl Store {
    /// Remembers a callback, and makes the jobs look at once that wait under what it names.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn hear_vendor(
        &self,
        callback: VendorCallback,
        now: Timestamp,
    ) -> Result<HeardVendor, StoreError> {
        let VendorCallback { system, message, name_tag, remember_until } = callback;
        let mut tx = self.begin().await?;
        forget(&mut tx, &system, now).await?;
        let most = args![system.as_str(), MOST_REMEMBERED];
        let remembered = tx.read_one(REMEMBERED, most).await?;
        let remembered: i64 = remembered.map_or(Ok(0), |row| row.get("remembered"))?;
        if remembered >= MOST_REMEMBERED {
            tx.rollback().await?;
            return Ok(HeardVendor::TooMany);
        }
        let values =
            args![system.as_str(), message.to_vec(), name_tag.clone(), now, remember_until,];
        if tx.execute(HEAR, values).await? == 0 {
            tx.rollback().await?;
            return Ok(HeardVendor::Again);
        }
        let woken = match name_tag {
            Some(tag) => tx.execute(WAKE, args![system.as_str(), tag, now]).await?,
            None => 0,
        };
        if woken > 0 {
            let count = super::statement::count(woken, "jobs that a callback woke")?;
            tx.execute(WOKE, args![system, message.to_vec(), count]).await?;
        }
        tx.commit().await?;
        Ok(HeardVendor::New { woken })
    }

    /// Writes down under which names a vendor will call back for a job, in place of those before.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn await_vendor(
        &self,
        system: &str,
        job: Uuid,
        name_tags: Vec<Vec<u8>>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        forget(&mut tx, system, now).await?;
        tx.execute(DROP_NAMES, args![job]).await?;
        for tag in name_tags {
            tx.execute(NAME, args![system, tag, job]).await?;
        }
        tx.commit().await
    }

    /// Makes a waiting job look at once where it was called back for since a moment by a callback
    /// that has woken nobody, because the job was still at work when it came.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn wake_heard(
        &self,
        job: Uuid,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if tx.execute(WAKE_HEARD, args![job, since, now]).await? == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        tx.execute(WOKE_LATE, args![job, since]).await?;
        tx.commit().await?;
        Ok(true)
    }
}
