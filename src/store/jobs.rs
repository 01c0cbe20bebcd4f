//! Jobs: durable units that each carry out one step of a plan.
//!
//! How a job is claimed and worked on is in `claims`; how an attempt ends is in `settlement`. Here
//! is what a job is, and what people do to it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::claims::{self, Turn};
use super::connection::{Store, Tx};
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::statement::{Row, Sql, args, count, json, words};
use crate::domain::{JobState, SystemName};

words! {
    /// What kind of work a job is.
    JobKind {
        /// Everything in one system that is due before the plan's cut-offs.
        Sweep = "sweep",
        /// One system's part of a person's request.
        Request = "request",
        /// What a request left for a minimum or a hold: it goes when the date comes or the hold is
        /// released. It does not keep its case from being answered.
        Retained = "retained",
        /// Keeps a person's restriction up: it looks again and again for records of theirs that
        /// have appeared since, until the restriction is lifted. It does not keep its case from
        /// being answered either.
        Upkeep = "upkeep",
        /// Does again on a restored system what was done there for a person since the restored
        /// state.
        Replay = "replay",
        /// Looks at a store of copies until none is left that can hold what the case has erased. Its
        /// system is the store. It does not keep its case from being answered.
        Backup = "backup",
        /// Looks at files and logs of a system until none can hold what the case has erased there.
        /// It does not keep its case from being answered.
        Residue = "residue",
    }

    /// What stops a job until somebody acts.
    BlockedReason {
        /// A second person has to agree to the case.
        Approval = "approval",
        /// It would do more than its cap; a second person has to agree to the case.
        Cap = "cap",
        /// Paused; it goes on when the pause ends.
        Pause = "pause",
        /// The system no longer looks as the data map says.
        Drift = "drift",
        /// Another step has to be completed first.
        Dependency = "dependency",
    }
}

/// A job to write.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its identifier.
    pub id: Uuid,
    /// The system.
    pub system: SystemName,
    /// What kind of work it is.
    pub kind: JobKind,
    /// What stops it from the start.
    pub blocked: Option<BlockedReason>,
    /// The holds that it waits for; `None` where it waits for none.
    pub held_by: Option<HeldBy>,
    /// The earliest moment at which it may be claimed.
    pub available_at: Timestamp,
    /// How many attempts before a person is needed; at least 1.
    pub attempts_allowed: u32,
    /// What to do, tagged with its version. Never rewritten.
    pub payload: Value,
    /// Records that it is expected to cover.
    pub total_estimate: Option<u64>,
}

/// Holds that a new job waits for, as whoever writes it has read them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldBy {
    /// Their matters.
    pub matters: Vec<String>,
    /// Which they are; empty where only the matters are known.
    pub holds: BTreeSet<Uuid>,
}

/// What went wrong in an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFault {
    /// Kind of the fault, such as `transient` or `misconfigured`.
    pub kind: String,
    /// What happened, without personal data.
    pub message: String,
}

/// A job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its identifier.
    pub id: Uuid,
    /// The case.
    pub case_id: Uuid,
    /// The system.
    pub system: String,
    /// What kind of work it is.
    pub kind: JobKind,
    /// Where it stands.
    pub state: JobState,
    /// Number of its latest attempt; 0 before the first.
    pub attempt: u32,
    /// The last attempt number before a person is needed; a person's part is begun some times more,
    /// where its attempts died with their processes.
    pub attempts_allowed: u32,
    /// The earliest moment at which it may be claimed.
    pub available_at: Timestamp,
    /// Who runs it, and until when.
    pub lease: Option<(String, Timestamp)>,
    /// What to do.
    pub payload: Value,
    /// How far it has come, and in the end what was done.
    pub done: Option<Value>,
    /// What the second look found; only where it is completed.
    pub verification: Option<Value>,
    /// Records that it is expected to cover.
    pub total_estimate: Option<u64>,
    /// What stops it.
    pub blocked: Option<BlockedReason>,
    /// The matters whose holds stop it.
    pub hold_matters: Vec<String>,
    /// What to ask the system after, where it reports later.
    pub reference: Option<String>,
    /// What went wrong last.
    pub last_fault: Option<JobFault>,
    /// Who asked it to stop, and when.
    pub cancel_requested: Option<(String, Timestamp)>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it became final.
    pub settled_at: Option<Timestamp>,
}

macro_rules! job_list {
    () => {
        "id, case_id, system, kind, state, attempt, attempts_allowed, available_at,
             leased_by, lease_until, payload, done, verification, total_estimate, blocked_reason,
             hold_matters, reference, last_fault_kind, last_fault, cancel_requested_at,
             cancel_requested_by, created_at, settled_at"
    };
}
pub(super) use job_list;
macro_rules! job_columns {
    ($rest:literal) => {
        concat!("SELECT ", $crate::store::jobs::job_list!(), " FROM jobs ", $rest)
    };
}
pub(super) use job_columns;

const INSERT: Sql = Sql::both(
    "INSERT INTO jobs (id, case_id, system, kind, state, attempt, attempts_allowed, available_at,
         payload, total_estimate, blocked_reason, hold_matters, created_at)
     VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8, $9, $10, $11, $12)",
);
const BY_ID: Sql = Sql::both(job_columns!("WHERE id = $1"));
const OF_CASE: Sql = Sql::both(job_columns!("WHERE case_id = $1 ORDER BY system, id"));
const COUNTS: Sql = Sql::both("SELECT state, count(*) AS jobs FROM jobs GROUP BY state");
const NEXT_AVAILABLE: Sql = Sql::both(
    "SELECT min(available_at) AS available_at FROM jobs
     WHERE state IN ('scheduled', 'available', 'waiting')",
);
const UNBLOCK: Sql = Sql::both(
    "UPDATE jobs SET state = 'available', blocked_reason = NULL,
         available_at = CASE WHEN available_at > $2 THEN available_at ELSE $2 END
     WHERE state = 'blocked' AND blocked_reason = $1",
);
const RELEASE_HELD: Sql = Sql::both(
    "UPDATE jobs SET state = 'available', hold_matters = NULL,
         available_at = CASE WHEN available_at > $1 THEN available_at ELSE $1 END
     WHERE state = 'held'",
);
const RELEASED: Sql = Sql::both("SELECT id FROM holds WHERE id = $1 AND released_at IS NOT NULL");
const MATTER_HOLDS: Sql =
    Sql::both("SELECT id FROM holds WHERE matter = $1 AND released_at IS NULL LIMIT 1");
// One statement for both: a worker that gives a running job back between two would be met by neither,
// and the job would go on.
macro_rules! call_off {
    ($which:literal, idle $idle:literal, running $running:literal) => {
        concat!(
            "UPDATE jobs SET cancel_requested_at = $2, cancel_requested_by = $3,
                 settled_at = CASE WHEN state IN ('running', 'waiting') THEN settled_at ELSE $2 END,
                 blocked_reason = CASE WHEN state IN ('running', 'waiting') THEN blocked_reason END,
                 hold_matters = CASE WHEN state IN ('running', 'waiting') THEN hold_matters END,
                 state = CASE WHEN state IN ('running', 'waiting') THEN state ELSE 'cancelled' END
             WHERE ",
            $which,
            " AND (state IN ('scheduled', 'available', 'held', 'blocked')",
            $idle,
            " OR state IN ('running', 'waiting') AND cancel_requested_at IS NULL",
            $running,
            ")"
        )
    };
}
// What a restore brought back goes again, whatever becomes of the case: a quarantine waits for it. What
// waits for somebody to agree goes with the case, whose calling off is their answer.
const CANCEL_OF_CASE: Sql = Sql::both(call_off!(
    "case_id = $1",
    idle " AND (kind NOT IN ('retained', 'upkeep', 'backup', 'residue', 'replay')
               OR kind IN ('retained', 'upkeep') AND state = 'blocked'
                   AND blocked_reason IN ('approval', 'cap'))",
    running " AND kind NOT IN ('backup', 'residue', 'replay')"
));
const CANCEL: Sql = Sql::both(call_off!("id = $1", idle "", running ""));
const RETRY: Sql = Sql::both(
    "UPDATE jobs SET state = 'available', settled_at = NULL, available_at = $2,
         attempts_allowed = attempt + $3, cancel_requested_at = NULL, cancel_requested_by = NULL
     WHERE id = $1 AND state = 'failed'
     RETURNING case_id",
);
const REOPEN_CASE: Sql = Sql::both(
    "UPDATE cases SET state = 'executing', outcome = NULL, closed_at = NULL
     WHERE id = $1 AND state IN ('verifying', 'closed')",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("jobs::INSERT", INSERT),
    ("jobs::BY_ID", BY_ID),
    ("jobs::OF_CASE", OF_CASE),
    ("jobs::COUNTS", COUNTS),
    ("jobs::NEXT_AVAILABLE", NEXT_AVAILABLE),
    ("jobs::UNBLOCK", UNBLOCK),
    ("jobs::RELEASE_HELD", RELEASE_HELD),
    ("jobs::RELEASED", RELEASED),
    ("jobs::MATTER_HOLDS", MATTER_HOLDS),
    ("jobs::CANCEL_OF_CASE", CANCEL_OF_CASE),
    ("jobs::CANCEL", CANCEL),
    ("jobs::RETRY", RETRY),
    ("jobs::REOPEN_CASE", REOPEN_CASE),
];

pub(super) async fn insert(
    tx: &mut Tx,
    case: Uuid,
    job: NewJob,
    now: Timestamp,
) -> Result<(), StoreError> {
    let state = match job.blocked {
        Some(_) => JobState::Blocked,
        None if job.held_by.is_some() => JobState::Held,
        None if job.available_at > now => JobState::Scheduled,
        None => JobState::Available,
    };
    let estimate = job.total_estimate.map(|total| count(total, "an estimate so large"));
    let values = args![
        job.id,
        case,
        job.system.as_str(),
        job.kind.as_str(),
        state.as_str(),
        job.attempts_allowed.max(1),
        job.available_at,
        json(&job.payload)?,
        estimate.transpose()?,
        job.blocked.map(BlockedReason::as_str),
        job.held_by.map(|held| json(&held.matters)).transpose()?,
        now,
    ];
    tx.execute(INSERT, values).await?;
    Ok(())
}

/// Lets new jobs go whose holds were released since they were read: the release found nothing to let
/// go, and nobody would ever look at them again. Holds do not change from here to the end of the
/// transaction, so this comes before it locks anything else.
pub(super) async fn let_go_of_released(tx: &mut Tx, new: &mut [NewJob]) -> Result<(), StoreError> {
    if new.iter().all(|job| job.held_by.is_none()) {
        return Ok(());
    }
    claims::versions(tx, Turn::Wait).await?;
    for job in new {
        if let Some(held) = &job.held_by
            && !still_holds(tx, held).await?
        {
            job.held_by = None;
        }
    }
    Ok(())
}

async fn still_holds(tx: &mut Tx, held: &HeldBy) -> Result<bool, StoreError> {
    for hold in &held.holds {
        if tx.read_one(RELEASED, args![*hold]).await?.is_some() {
            return Ok(false);
        }
    }
    for matter in held.matters.iter().filter(|_| held.holds.is_empty()) {
        if tx.read_one(MATTER_HOLDS, args![matter.as_str()]).await?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) async fn unblock(
    tx: &mut Tx,
    reason: BlockedReason,
    now: Timestamp,
) -> Result<u64, StoreError> {
    tx.execute(UNBLOCK, args![reason.as_str(), now]).await
}

/// A case that was answered is under way once more.
pub(super) async fn reopen_case(tx: &mut Tx, case: Uuid) -> Result<(), StoreError> {
    tx.execute(REOPEN_CASE, args![case]).await?;
    Ok(())
}

pub(super) async fn release_held(tx: &mut Tx, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(RELEASE_HELD, args![now]).await
}

pub(super) async fn cancel_of_case(
    tx: &mut Tx,
    case: Uuid,
    by: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(CANCEL_OF_CASE, args![case, now, by]).await?;
    Ok(())
}

pub(super) fn from_row(row: &Row) -> Result<Job, StoreError> {
    let leased_by: Option<String> = row.get("leased_by")?;
    let fault_kind: Option<String> = row.get("last_fault_kind")?;
    let fault: Option<String> = row.get("last_fault")?;
    let cancel_by: Option<String> = row.get("cancel_requested_by")?;
    Ok(Job {
        id: row.get("id")?,
        case_id: row.get("case_id")?,
        system: row.get("system")?,
        kind: row.word("kind", JobKind::parse)?,
        state: row.word("state", JobState::parse)?,
        attempt: row.small("attempt")?,
        attempts_allowed: row.small("attempts_allowed")?,
        available_at: row.instant("available_at")?,
        lease: leased_by.zip(row.maybe_instant("lease_until")?),
        payload: row.json("payload")?,
        done: row.maybe_json("done")?,
        verification: row.maybe_json("verification")?,
        total_estimate: row.maybe_whole("total_estimate")?,
        blocked: row.maybe_word("blocked_reason", BlockedReason::parse)?,
        hold_matters: row.maybe_json("hold_matters")?.unwrap_or_default(),
        reference: row.get("reference")?,
        last_fault: fault_kind.map(|kind| JobFault { kind, message: fault.unwrap_or_default() }),
        cancel_requested: cancel_by.zip(row.maybe_instant("cancel_requested_at")?),
        created_at: row.instant("created_at")?,
        settled_at: row.maybe_instant("settled_at")?,
    })
}

/// Calls a job off within the transaction of what ends it: at once where nobody works on it, else it is
/// asked to stop. `false` where it is final or has been asked already.
pub(super) async fn call_off(
    tx: &mut Tx,
    job: Uuid,
    by: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(tx.execute(CANCEL, args![job, now, by]).await? == 1)
}

impl Store {
    /// The job with this identifier.
    pub async fn job(&self, id: Uuid) -> Result<Option<Job>, StoreError> {
        self.read_one(BY_ID, args![id]).await?.as_ref().map(from_row).transpose()
    }

    /// All jobs of a case, by system.
    pub async fn jobs_of_case(&self, case: Uuid) -> Result<Vec<Job>, StoreError> {
        self.read(OF_CASE, args![case]).await?.iter().map(from_row).collect()
    }

    /// How many jobs are in which state; states without jobs are missing.
    pub async fn job_counts(&self) -> Result<BTreeMap<JobState, u64>, StoreError> {
        let mut counts = BTreeMap::new();
        for row in self.read(COUNTS, Vec::new()).await? {
            counts.insert(row.word("state", JobState::parse)?, row.whole("jobs")?);
        }
        Ok(counts)
    }

    /// When the next job may be claimed; in the past where one waits already.
    pub async fn next_available_at(&self) -> Result<Option<Timestamp>, StoreError> {
        match self.read_one(NEXT_AVAILABLE, Vec::new()).await? {
            Some(row) => row.maybe_instant("available_at"),
            None => Ok(None),
        }
    }

    /// Makes every job that is held available again, to be looked at anew; says how many.
    pub async fn release_held(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.write(RELEASE_HELD, args![now]).await
    }

    /// Makes every job that is blocked for this reason available again; says how many. Approval
    /// and cap are lifted case by case, with `approve_case`.
    ///
    /// # Errors
    /// Where the reason is one that a second person has to lift.
    pub async fn unblock(&self, reason: BlockedReason, now: Timestamp) -> Result<u64, StoreError> {
        if matches!(reason, BlockedReason::Approval | BlockedReason::Cap) {
            return Err(StoreError::Refused {
                what: "an approval of all cases at once; approve each case".to_owned(),
            });
        }
        self.write(UNBLOCK, args![reason.as_str(), now]).await
    }

    /// A person has a failed job tried again, with so many attempts. Its case is opened again.
    /// `false` where the job has not failed.
    ///
    /// # Errors
    /// `Conflict` where the schedule's next case is open already: it will do the same work.
    pub async fn retry_job(
        &self,
        job: Uuid,
        attempts: u32,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let Some(row) = tx.read_one(RETRY, args![job, now, attempts.max(1)]).await? else {
            tx.rollback().await?;
            return Ok(false);
        };
        let case: Uuid = row.get("case_id")?;
        tx.execute(REOPEN_CASE, args![case]).await?;
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// A person calls a job off: at once where nobody works on it, else it is asked to stop.
    /// `false` where it is final or has been asked already.
    pub async fn cancel_job(
        &self,
        job: Uuid,
        by: &str,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if !call_off(&mut tx, job, by, now).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }
}
