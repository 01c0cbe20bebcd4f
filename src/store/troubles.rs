//! Troubles, what somebody has to see: jobs that failed, leases that nobody took over, work that nobody does,
//! evidence that nobody publishes, and the latest runs of rules. Only read; every list is bounded.

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::Store;
use super::error::StoreError;
use super::jobs::{self, Job, job_columns};
use super::statement::{Row, Sql, args};
use crate::domain::{CaseOutcome, CaseState, Digest, ScheduleName};

/// Jobs that could be claimed and are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The system.
    pub system: String,
    /// How many.
    pub jobs: u64,
    /// Since when the oldest of them could be claimed.
    pub since: Timestamp,
}

/// A job whose lease has ended and that nobody took over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedLease {
    /// The job.
    pub job: Uuid,
    /// Its case.
    pub case_id: Uuid,
    /// The system.
    pub system: String,
    /// When its lease ended.
    pub since: Timestamp,
}

/// A run of rules, without its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunOnRecord {
    /// Its case.
    pub case_id: Uuid,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// How it stands.
    pub state: CaseState,
    /// How it ended, where it did.
    pub outcome: Option<CaseOutcome>,
    /// Size of its plan on record, in bytes.
    pub plan_bytes: u64,
}

/// What waits to be published or signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unpublished {
    /// Entries that are in no log yet.
    pub entries: u64,
    /// Since when the oldest of them waits.
    pub entries_since: Option<Timestamp>,
    /// Certificates that are signed and not proven to be in the log.
    pub unproven: u64,
    /// When the oldest of them was signed.
    pub unproven_since: Option<Timestamp>,
}

const FAILED: Sql = Sql::both(job_columns!(
    "WHERE state = 'failed' AND (CAST($1 AS TEXT) IS NULL OR system = $1) AND id > $2
       AND NOT EXISTS (SELECT 1 FROM cases
           WHERE cases.id = jobs.case_id AND cases.cancelled_at IS NOT NULL)
     ORDER BY id LIMIT $3"
));
// Only of systems in which something has failed, so that little is read.
const SWEPT_SINCE: Sql = Sql::both(job_columns!(
    "WHERE kind = 'sweep' AND state = 'completed' AND system = $1 AND created_at >= $2
     ORDER BY created_at DESC, id DESC LIMIT $3"
));
const ENDED_LEASES: Sql = Sql::both(
    "SELECT id, case_id, system, lease_until FROM jobs
     WHERE state = 'running' AND lease_until < $1 ORDER BY lease_until, id LIMIT $2",
);
const WAITING: Sql = Sql::both(
    "SELECT system, count(*) AS many, min(available_at) AS since FROM jobs
     WHERE state IN ('scheduled', 'available', 'waiting') AND available_at <= $1
     GROUP BY system ORDER BY since, system LIMIT $2",
);
const AT_WORK: Sql =
    Sql::both("SELECT count(*) AS many FROM jobs WHERE state = 'running' AND lease_until >= $1");
const RUNS_OF_SCHEDULE: Sql = Sql::both(
    "SELECT id, created_at, state, outcome, CAST(octet_length(plan) AS BIGINT) AS bytes FROM cases
     WHERE cause = 'schedule' AND schedule = $1 ORDER BY created_at DESC LIMIT $2",
);
// The case of a restore does what was done before once more.
const RUNS_OF_COMMANDS: Sql = Sql::both(
    "SELECT id, created_at, state, outcome, CAST(octet_length(plan) AS BIGINT) AS bytes FROM cases
     WHERE cause = 'command'
       AND NOT EXISTS (SELECT 1 FROM restores WHERE restores.case_id = cases.id)
     ORDER BY created_at DESC LIMIT $1",
);
const UNPUBLISHED: Sql = Sql::both(
    "SELECT
         (SELECT count(*) FROM evidence_outbox) AS entries,
         (SELECT min(created_at) FROM evidence_outbox) AS entries_since,
         (SELECT count(*) FROM certificates WHERE state = 'signed') AS unproven,
         (SELECT min(issued_at) FROM certificates WHERE state = 'signed') AS unproven_since",
);
const UNANCHORED: Sql = Sql::both(
    "SELECT count(*) AS many, min(issued_at) AS since FROM certificates
     WHERE anchored_at IS NULL AND bundle IS NOT NULL",
);
// The second condition is that of the index.
const AWAITING: Sql = Sql::both(
    "SELECT count(*) AS many, min(created_at) AS since FROM cases
     WHERE state = 'awaiting_approval' AND state <> 'closed'",
);
const FIRST_SEEN: Sql = Sql::both("SELECT first_seen_at FROM documents WHERE digest = $1");
const DISPATCHED_BY: Sql = Sql::both(
    "SELECT id, rules_digest FROM cases WHERE cause = 'schedule' AND created_at > $1
     ORDER BY created_at DESC LIMIT 1",
);
const HEARTBEAT: Sql = Sql::both("SELECT max(beat_at) AS moment FROM evidence_producers");

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("troubles::FAILED", FAILED),
    ("troubles::SWEPT_SINCE", SWEPT_SINCE),
    ("troubles::ENDED_LEASES", ENDED_LEASES),
    ("troubles::WAITING", WAITING),
    ("troubles::AT_WORK", AT_WORK),
    ("troubles::RUNS_OF_SCHEDULE", RUNS_OF_SCHEDULE),
    ("troubles::RUNS_OF_COMMANDS", RUNS_OF_COMMANDS),
    ("troubles::UNPUBLISHED", UNPUBLISHED),
    ("troubles::UNANCHORED", UNANCHORED),
    ("troubles::AWAITING", AWAITING),
    ("troubles::FIRST_SEEN", FIRST_SEEN),
    ("troubles::DISPATCHED_BY", DISPATCHED_BY),
    ("troubles::HEARTBEAT", HEARTBEAT),
];

fn run(row: &Row) -> Result<RunOnRecord, StoreError> {
    Ok(RunOnRecord {
        case_id: row.get("id")?,
        opened_at: row.instant("created_at")?,
        state: row.word("state", CaseState::parse)?,
        outcome: row.maybe_word("outcome", CaseOutcome::parse)?,
        plan_bytes: row.whole("bytes")?,
    })
}

impl Store {
    /// Failed jobs of cases that were not called off, of one system or of all, the oldest first, behind
    /// the one that is named; at most 1000.
    pub async fn failed_jobs(
        &self,
        system: Option<&str>,
        after: Uuid,
        limit: u32,
    ) -> Result<Vec<Job>, StoreError> {
        let rows = self.read(FAILED, args![system, after, limit.min(1000)]).await?;
        rows.iter().map(jobs::from_row).collect()
    }

    /// Completed runs of rules in a system, of cases from this moment on, the newest first; at most
    /// 1000.
    pub async fn swept_since(
        &self,
        system: &str,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<Job>, StoreError> {
        let rows = self.read(SWEPT_SINCE, args![system, since, limit.min(1000)]).await?;
        rows.iter().map(jobs::from_row).collect()
    }

    /// Jobs whose lease ended before this moment, the longest first; at most 1000.
    pub async fn ended_leases(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<EndedLease>, StoreError> {
        let rows = self.read(ENDED_LEASES, args![before, limit.min(1000)]).await?;
        let read = |row: &Row| {
            Ok(EndedLease {
                job: row.get("id")?,
                case_id: row.get("case_id")?,
                system: row.get("system")?,
                since: row.instant("lease_until")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Jobs that could be claimed at this moment, by system, those that have waited longest first;
    /// at most 1000 systems.
    pub async fn waiting_jobs(&self, now: Timestamp) -> Result<Vec<Waiting>, StoreError> {
        let rows = self.read(WAITING, args![now, 1000_u32]).await?;
        let read = |row: &Row| {
            Ok(Waiting {
                system: row.get("system")?,
                jobs: row.whole("many")?,
                since: row.instant("since")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// How many jobs somebody works on at this moment.
    pub async fn jobs_at_work(&self, now: Timestamp) -> Result<u64, StoreError> {
        let row = self.read_one(AT_WORK, args![now]).await?;
        row.map_or(Ok(0), |row| row.whole("many"))
    }

    /// The latest cases of a schedule, or of commands, newest first; at most 1000.
    pub async fn latest_runs(
        &self,
        schedule: Option<&ScheduleName>,
        limit: u32,
    ) -> Result<Vec<RunOnRecord>, StoreError> {
        let limit = limit.min(1000);
        let rows = match schedule {
            Some(schedule) => self.read(RUNS_OF_SCHEDULE, args![schedule.as_str(), limit]).await?,
            None => self.read(RUNS_OF_COMMANDS, args![limit]).await?,
        };
        rows.iter().map(run).collect()
    }

    /// What waits to be published and proven.
    pub async fn unpublished(&self) -> Result<Unpublished, StoreError> {
        let Some(row) = self.read_one(UNPUBLISHED, Vec::new()).await? else {
            return Ok(Unpublished::default());
        };
        Ok(Unpublished {
            entries: row.whole("entries")?,
            entries_since: row.maybe_instant("entries_since")?,
            unproven: row.whole("unproven")?,
            unproven_since: row.maybe_instant("unproven_since")?,
        })
    }

    /// Certificates in the log for which not enough others vouch, and when the oldest of them was
    /// signed; `None` where there is none.
    pub async fn unanchored(&self) -> Result<Option<(u64, Timestamp)>, StoreError> {
        let Some(row) = self.read_one(UNANCHORED, Vec::new()).await? else { return Ok(None) };
        let many = row.whole("many")?;
        Ok(row.maybe_instant("since")?.map(|since| (many, since)))
    }

    /// How many cases wait for a second person, and since when the oldest of them does.
    pub async fn awaiting_approval(&self) -> Result<(u64, Option<Timestamp>), StoreError> {
        let Some(row) = self.read_one(AWAITING, Vec::new()).await? else { return Ok((0, None)) };
        Ok((row.whole("many")?, row.maybe_instant("since")?))
    }

    /// When a document was put on record; `None` where it is not.
    pub async fn document_seen_at(&self, digest: Digest) -> Result<Option<Timestamp>, StoreError> {
        let row = self.read_one(FIRST_SEEN, args![digest]).await?;
        row.map(|row| row.instant("first_seen_at")).transpose()
    }

    /// The newest case that a schedule opened after this moment, and the digest of its rules.
    pub async fn newest_dispatch(
        &self,
        after: Timestamp,
    ) -> Result<Option<(Uuid, Digest)>, StoreError> {
        let row = self.read_one(DISPATCHED_BY, args![after]).await?;
        row.map(|row| Ok((row.get("id")?, row.digest("rules_digest")?))).transpose()
    }

    /// When the last heartbeat was written.
    pub async fn newest_heartbeat(&self) -> Result<Option<Timestamp>, StoreError> {
        let row = self.read_one(HEARTBEAT, Vec::new()).await?;
        row.map_or(Ok(None), |row| row.maybe_instant("moment"))
    }
}
