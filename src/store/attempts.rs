//! Attempts: every run of a job, numbered, written on until it ends and never after.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::claims::{
    self, Start, Started, StillMine, Turn, Versions, not_in_quarantine, not_paused,
    not_paused_here, versions,
};
use super::connection::{Store, Tx};
use super::error::StoreError;
use super::evidence;
use super::jobs::JobFault;
use super::statement::{Row, Sql, args, words};
use super::together;

words! {
    /// How an attempt ended.
    AttemptResult {
        /// Carried out and verified.
        Completed = "completed",
        /// It failed and will be tried again.
        Retry = "retry",
        /// It failed and needs a person.
        Failed = "failed",
        /// A legal hold stopped it.
        Held = "held",
        /// An approval, a cap or a pause stopped it.
        Blocked = "blocked",
        /// The system will report.
        Waiting = "waiting",
        /// Given back, for instance at shutdown.
        Released = "released",
        /// Called off.
        Cancelled = "cancelled",
        /// Its lease ended without a word: the outcome is unknown.
        Lost = "lost",
    }
}

/// One run of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The job.
    pub job_id: Uuid,
    /// Its number, from 1.
    pub attempt: u32,
    /// Who ran it.
    pub worker: String,
    /// When it was claimed.
    pub claimed_at: Timestamp,
    /// When its intent was recorded; `None` where it never came so far.
    pub started_at: Option<Timestamp>,
    /// When it ended; `None` while it runs.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub result: Option<AttemptResult>,
    /// What went wrong.
    pub fault: Option<JobFault>,
}

const OF_JOB: Sql = Sql::both(
    "SELECT job_id, attempt, worker, claimed_at, started_at, ended_at, result, fault_kind, message
     FROM attempts WHERE job_id = $1 ORDER BY attempt",
);
const OF_CASE: Sql = Sql::both(
    "SELECT job_id, attempt, worker, claimed_at, started_at, ended_at, result, fault_kind, message
     FROM attempts WHERE job_id IN (SELECT id FROM jobs WHERE case_id = $1)
     ORDER BY job_id, attempt",
);
const GOES_ON: Sql = Sql::fork(
    concat!("SELECT 1 AS one FROM jobs WHERE id = $1", not_paused_here!()),
    concat!("SELECT 1 AS one FROM jobs WHERE id = $1", not_paused_here!(postgres)),
);
const START: Sql = Sql::both(
    "UPDATE attempts SET started_at = $4
     WHERE job_id = $1 AND attempt = $2 AND worker = $3 AND ended_at IS NULL",
);
const END: Sql = Sql::both(
    "UPDATE attempts SET ended_at = $3, result = $4, fault_kind = $5, message = $6
     WHERE job_id = $1 AND attempt = $2 AND ended_at IS NULL",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("attempts::OF_JOB", OF_JOB),
    ("attempts::OF_CASE", OF_CASE),
    ("attempts::GOES_ON", GOES_ON),
    ("attempts::START", START),
    ("attempts::END", END),
];

/// An end of an attempt.
pub(super) struct End<'a> {
    pub(super) job: Uuid,
    pub(super) attempt: u32,
    pub(super) result: AttemptResult,
    pub(super) fault: Option<&'a JobFault>,
    pub(super) now: Timestamp,
}

pub(super) async fn end(tx: &mut Tx, end: End<'_>) -> Result<bool, StoreError> {
    let kind = end.fault.map(|fault| fault.kind.as_str());
    let message = end.fault.map(|fault| fault.message.as_str());
    let values = args![end.job, end.attempt, end.now, end.result.as_str(), kind, message];
    Ok(tx.execute(END, values).await? == 1)
}

fn from_row(row: &Row) -> Result<Attempt, StoreError> {
    let kind: Option<String> = row.get("fault_kind")?;
    let message: Option<String> = row.get("message")?;
    Ok(Attempt {
        job_id: row.get("job_id")?,
        attempt: row.small("attempt")?,
        worker: row.get("worker")?,
        claimed_at: row.instant("claimed_at")?,
        started_at: row.maybe_instant("started_at")?,
        ended_at: row.maybe_instant("ended_at")?,
        result: row.maybe_word("result", AttemptResult::parse)?,
        fault: kind.map(|kind| JobFault { kind, message: message.unwrap_or_default() }),
    })
}

/// Starts an attempt in a transaction, which is to be rolled back unless it says yes.
async fn start_in(tx: &mut Tx, start: Start, versions: Versions) -> Result<Started, StoreError> {
    let Start { tenure, now, lease_until, evidence } = start;
    let Some(cancel_requested) = claims::extend(tx, &tenure, lease_until, None).await? else {
        return Ok(Started::NotMine);
    };
    let still_mine = versions.seen(cancel_requested);
    if tx.read_one(GOES_ON, args![tenure.job]).await?.is_none() {
        return Ok(Started::Paused(still_mine));
    }
    let values = args![tenure.job, tenure.attempt, tenure.worker.as_str(), now];
    if tx.execute(START, values).await? != 1 {
        return Ok(Started::NotMine);
    }
    evidence::append(tx, evidence, now).await?;
    Ok(Started::Yes(still_mine))
}

impl Store {
    /// Marks an attempt as started and records its intent; reads holds and pauses in the same
    /// transaction.
    pub async fn start_attempt(&self, start: Start) -> Result<Started, StoreError> {
        let mut tx = self.begin().await?;
        let versions = versions(&mut tx, Turn::Wait).await?;
        let started = start_in(&mut tx, start, versions).await?;
        match started {
            Started::Yes(_) => tx.commit().await?,
            Started::Paused(_) | Started::NotMine => tx.rollback().await?,
        }
        Ok(started)
    }

    /// `start_attempt` for several in one transaction; `None`, with nothing written, where not all of
    /// them may start, so that each has to be started by itself.
    pub async fn start_together(
        &self,
        starts: Vec<Start>,
    ) -> Result<Option<Vec<StillMine>>, StoreError> {
        let mut tx = self.begin().await?;
        let versions = versions(&mut tx, Turn::Wait).await?;
        let all = together::start(&mut tx, starts, versions).await?;
        match all {
            Some(_) => tx.commit().await?,
            None => tx.rollback().await?,
        }
        Ok(all)
    }

    /// All attempts of a job, in order.
    pub async fn attempts_of(&self, job: Uuid) -> Result<Vec<Attempt>, StoreError> {
        self.read(OF_JOB, args![job]).await?.iter().map(from_row).collect()
    }

    /// All attempts of a case, by job, each in order; jobs without any are missing.
    pub async fn attempts_of_case(
        &self,
        case: Uuid,
    ) -> Result<BTreeMap<Uuid, Vec<Attempt>>, StoreError> {
        let mut attempts: BTreeMap<Uuid, Vec<Attempt>> = BTreeMap::new();
        for row in self.read(OF_CASE, args![case]).await? {
            let attempt = from_row(&row)?;
            attempts.entry(attempt.job_id).or_default().push(attempt);
        }
        Ok(attempts)
    }
}
