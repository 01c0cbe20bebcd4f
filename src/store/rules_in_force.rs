//! Which rules are in force: those with which a process has begun to work last.
//!
//! Minimums are read from them by every job, whatever its case was planned with. So they change like
//! a hold does: whoever starts an attempt and whoever brings other rules in force take turns, and a
//! job that waits for a date of before comes forward, to be decided anew.

use jiff::Timestamp;

use super::connection::Store;
use super::documents::{self, Document};
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::statement::{Sql, args};
use crate::domain::Digest;

/// The rules in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RulesInForce {
    /// How often others came in force.
    pub version: u64,
    /// Digest of their document; `None` where no process of this version has worked yet.
    pub digest: Option<Digest>,
}

/// Rules that come in force.
#[derive(Debug, Clone)]
pub struct ComingInForce {
    /// Those that were in force when it was decided.
    pub instead_of: RulesInForce,
    /// The rules.
    pub rules: Document,
    /// Systems in which minimums or maximums differ: dated jobs there come forward.
    pub systems: Vec<String>,
    /// When.
    pub now: Timestamp,
    /// What is put on record with it.
    pub evidence: Vec<OutboxEntry>,
}

const READ: Sql = Sql::both("SELECT value, digest FROM versions WHERE name = 'rules'");
const TAKE: Sql = Sql::both(
    "UPDATE versions SET value = value + 1, digest = $1 WHERE name = 'rules' AND value = $2",
);
// Once: a job that has come forward is decided anew by whoever claims it, as of the moment from which
// it may begin, and what it leaves gets a date by the minimums of then.
const COME_FORWARD: Sql = Sql::both(
    "UPDATE jobs SET available_at = $2
     WHERE system = $1 AND kind = 'retained' AND state = 'scheduled' AND available_at > $2",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("rules_in_force::READ", READ),
    ("rules_in_force::TAKE", TAKE),
    ("rules_in_force::COME_FORWARD", COME_FORWARD),
];

impl Store {
    /// The rules in force.
    pub async fn rules_in_force(&self) -> Result<RulesInForce, StoreError> {
        let row = self.read_one(READ, args![]).await?;
        let row = row.ok_or(StoreError::Corrupt { column: "versions.name" })?;
        Ok(RulesInForce { version: row.whole("value")?, digest: row.maybe_digest("digest")? })
    }

    /// Brings rules in force and lets dated jobs of these systems come forward: how many. `None`,
    /// with nothing written, where others came in force meanwhile.
    pub async fn bring_in_force(&self, coming: ComingInForce) -> Result<Option<u64>, StoreError> {
        let ComingInForce { instead_of, rules, systems, now, evidence } = coming;
        let mut tx = self.begin().await?;
        let version = i64::try_from(instead_of.version).unwrap_or(i64::MAX);
        // Attempts that are being started are waited for here.
        if tx.execute(TAKE, args![rules.digest, version]).await? != 1 {
            tx.rollback().await?;
            return Ok(None);
        }
        documents::keep(&mut tx, rules, now).await?;
        let mut forward = 0;
        for system in systems {
            forward += tx.execute(COME_FORWARD, args![system, now]).await?;
        }
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(Some(forward))
    }
}
