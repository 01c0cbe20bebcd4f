//! Numbers for metrics and health.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::connection::Store;
use super::error::StoreError;
use super::statement::{Sql, args};
use crate::domain::JobState;

/// How the store stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gauges {
    /// How many jobs are in which state.
    pub jobs: BTreeMap<JobState, u64>,
    /// Since when the oldest claimable job has been waiting.
    pub oldest_overdue_since: Option<Timestamp>,
    /// How many leases have ended without a word.
    pub expired_leases: u64,
    /// How many cases await a second person.
    pub awaiting_approval: u64,
    /// How many entries are not in the log yet.
    pub outbox_entries: u64,
    /// Since when the oldest of them has been waiting.
    pub outbox_since: Option<Timestamp>,
    /// How many certificates are signed but not in the log yet.
    pub unlogged_certificates: u64,
}

/// How later looks stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LaterLookCounts {
    /// Persons and systems that are looked after; one person in two systems counts twice.
    pub living: u64,
    /// Of those, how many could not be looked at when it was tried last.
    pub troubled: u64,
    /// When the one was looked at that has waited longest.
    pub oldest_seen: Option<Timestamp>,
    /// How often something was found again, ever.
    pub reappeared: u64,
    /// Of those, how many wait for a person.
    pub asking: u64,
}

const GAUGES: Sql = Sql::both(
    "SELECT
         (SELECT min(available_at) FROM jobs WHERE state IN ('scheduled', 'available', 'waiting')
             AND available_at <= $1) AS oldest_overdue,
         (SELECT count(*) FROM jobs WHERE state = 'running' AND lease_until < $1) AS expired,
         (SELECT count(*) FROM cases WHERE state = 'awaiting_approval') AS awaiting,
         (SELECT count(*) FROM evidence_outbox) AS outbox,
         (SELECT min(created_at) FROM evidence_outbox) AS outbox_since,
         (SELECT count(*) FROM certificates WHERE state = 'signed') AS unlogged",
);

const LATER_LOOKS: Sql = Sql::both(
    "SELECT (SELECT count(*) FROM later_looks WHERE ended_at IS NULL) AS living,
         (SELECT count(*) FROM later_looks WHERE ended_at IS NULL AND trouble IS NOT NULL)
             AS troubled,
         (SELECT min(seen_at) FROM later_looks WHERE ended_at IS NULL) AS oldest_seen,
         (SELECT count(*) FROM reappearances) AS reappeared,
         (SELECT count(*) FROM reappearances WHERE state = 'asks') AS asking",
);

pub(super) const STATEMENTS: &[(&str, Sql)] =
    &[("gauges::GAUGES", GAUGES), ("gauges::LATER_LOOKS", LATER_LOOKS)];

impl Store {
    /// All gauges at this moment.
    pub async fn gauges(&self, now: Timestamp) -> Result<Gauges, StoreError> {
        let jobs = self.job_counts().await?;
        let Some(row) = self.read_one(GAUGES, args![now]).await? else {
            return Ok(Gauges { jobs, ..Gauges::default() });
        };
        Ok(Gauges {
            jobs,
            oldest_overdue_since: row.maybe_instant("oldest_overdue")?,
            expired_leases: row.whole("expired")?,
            awaiting_approval: row.whole("awaiting")?,
            outbox_entries: row.whole("outbox")?,
            outbox_since: row.maybe_instant("outbox_since")?,
            unlogged_certificates: row.whole("unlogged")?,
        })
    }

    /// How later looks stand.
    pub async fn later_look_counts(&self) -> Result<LaterLookCounts, StoreError> {
        let Some(row) = self.read_one(LATER_LOOKS, Vec::new()).await? else {
            return Ok(LaterLookCounts::default());
        };
        Ok(LaterLookCounts {
            living: row.whole("living")?,
            troubled: row.whole("troubled")?,
            oldest_seen: row.maybe_instant("oldest_seen")?,
            reappeared: row.whole("reappeared")?,
            asking: row.whole("asking")?,
        })
    }
}
