//! How an attempt ends: one guarded transition of its job, the end of the attempt and the evidence,
//! in one transaction.

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::approvals;
use super::attempts::{self, AttemptResult, End};
use super::breakers::{self, Heard, Moved};
use super::claims::{self, Tenure, Turn};
use super::companies::APART;
use super::connection::{Store, Tx};
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::jobs::{self, BlockedReason, JobFault};
use super::statement::{Arg, Sql, args, json};
use super::together;
use crate::domain::JobState;

/// The end of an attempt.
#[derive(Debug, Clone)]
pub struct Settle {
    /// Which attempt.
    pub tenure: Tenure,
    /// How it ended.
    pub settlement: Settlement,
    /// The present moment.
    pub now: Timestamp,
    /// The outcome, recorded after the effect.
    pub evidence: Vec<OutboxEntry>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Settlement {
    /// Carried out, and a second look found nothing left.
    Completed {
        /// What was done.
        done: Value,
        /// What the second look found.
        verification: Value,
    },
    /// A look has come to its end. Where others of its case go on, which the final certificate waits
    /// for, the case is not certified for this one alone.
    Looked {
        /// What was seen.
        done: Value,
        /// How.
        verification: Value,
    },
    /// To be tried again at this moment. Whether attempts are left is the caller's matter.
    Retry {
        /// When.
        available_at: Timestamp,
        /// Why.
        fault: JobFault,
        /// The attempt does not count: it is tried as often as it takes.
        free: bool,
    },
    /// What it waited for has come to nothing: it is to be asked anew, by itself, at this moment.
    Anew {
        /// When.
        available_at: Timestamp,
        /// Why, in words.
        why: String,
    },
    /// It needs a person.
    Failed {
        /// Why.
        fault: JobFault,
    },
    /// A legal hold stops it; it becomes available when any hold is released.
    Held {
        /// The matters whose holds stop it.
        matters: Vec<String>,
        /// The version of holds under which that was found. Where it has changed since, the job
        /// becomes available at once, to be looked at anew.
        holds_version: u64,
    },
    /// It stops until somebody acts. `Approval` and `Cap` put the case in front of a second
    /// person.
    Blocked {
        /// Why.
        reason: BlockedReason,
        /// The version of pauses under which that was found; where the reason is a pause and it has
        /// changed since, the job becomes available at once, to be looked at anew.
        pauses_version: u64,
        /// What the second person is asked, where it is not what the case asked from the start.
        asks: Option<String>,
    },
    /// The system will report; it is asked at this moment.
    Waiting {
        /// When.
        ask_at: Timestamp,
        /// After what.
        reference: String,
        /// It should have reported by now; or why that is no longer so.
        overdue: Option<JobFault>,
    },
    /// It has nothing to do for now and looks again at this moment.
    Postponed {
        /// When.
        available_at: Timestamp,
    },
    /// Given back, to be claimed again from this moment on.
    Released {
        /// When; the present moment for at once.
        available_at: Timestamp,
    },
    /// It stopped because somebody asked it to.
    Cancelled,
}

impl Settlement {
    /// It puts the case in front of a second person.
    fn asks_somebody(&self) -> bool {
        let reasons = [BlockedReason::Approval, BlockedReason::Cap];
        matches!(self, Self::Blocked { reason, .. } if reasons.contains(reason))
    }
}

/// What became of the wish to end attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// They have ended; otherwise another attempt has taken over one of them, and nothing was written.
    pub settled: bool,
    /// How the breaker of their system moved.
    pub moved: Option<Moved>,
}

impl Settled {
    /// Another attempt has taken over.
    pub(super) const LOST: Self = Self { settled: false, moved: None };
}

/// What an attempt has learned besides how it ends.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Learned {
    /// How far it has come, which is written down where its end does not say what is done.
    pub progress: Option<Value>,
    /// What it has heard of its system, by which the breaker moves.
    pub heard: Heard,
}

/// An attempt whose job and whose own row are written, and nothing else yet.
struct Ended {
    tenure: Tenure,
    case: Uuid,
    system: String,
    /// The system has failed before, and not answered since.
    has_failed: bool,
    target: Target,
    /// Somebody asked it to stop, and it is claimed once more for that.
    woken: bool,
}

/// The row that a settlement leaves behind.
struct Target {
    state: JobState,
    result: AttemptResult,
    available_at: Option<Timestamp>,
    settled_at: Option<Timestamp>,
    done: Option<String>,
    verification: Option<String>,
    blocked: Option<BlockedReason>,
    asks: Option<String>,
    matters: Option<String>,
    /// `None` leaves the reference as it is.
    reference: Option<String>,
    /// There is nothing to ask after any more.
    forgets_reference: bool,
    fault: Option<JobFault>,
    /// Attempts that end without anybody's fault do not count against the job.
    free: bool,
    /// The case is certified once more only where no other look of it is open.
    among_looks: bool,
}

impl Target {
    fn new(state: JobState, result: AttemptResult) -> Self {
        Self {
            state,
            result,
            available_at: None,
            settled_at: None,
            done: None,
            verification: None,
            blocked: None,
            asks: None,
            matters: None,
            reference: None,
            forgets_reference: false,
            fault: None,
            free: false,
            among_looks: false,
        }
    }
}

const SETTLE: Sql = Sql::both(
    "UPDATE jobs SET state = $4, leased_by = NULL, lease_until = NULL,
         available_at = COALESCE(CAST($5 AS BIGINT), available_at), settled_at = $6,
         done = COALESCE(CAST($7 AS TEXT), done), verification = $8, blocked_reason = $9,
         hold_matters = $10,
         reference = CASE WHEN $15 = 1 THEN NULL
             ELSE COALESCE(CAST($11 AS TEXT), reference) END,
         last_fault_kind = COALESCE(CAST($12 AS TEXT), last_fault_kind),
         last_fault = COALESCE(CAST($13 AS TEXT), last_fault),
         attempts_allowed = attempts_allowed + $14
     WHERE id = $1 AND leased_by = $2 AND attempt = $3 AND state = 'running'
     RETURNING case_id, system,
         (SELECT failures FROM breakers WHERE breakers.system = jobs.system) AS failures",
);
// A job that somebody asked to stop must not wait for a release or an approval that never comes: it
// is claimed once more and called off.
const WAKE_CANCELLED: Sql = Sql::both(
    "UPDATE jobs SET state = 'available', blocked_reason = NULL, hold_matters = NULL,
         available_at = $2
     WHERE id = $1 AND state IN ('held', 'blocked') AND cancel_requested_at IS NOT NULL",
);

// The last looks of a case may end at the same moment: they take turns, so that one of them sees that
// it is the last.
const LOCK_CASE: Sql = Sql::fork(
    "SELECT 1 AS one FROM cases WHERE id = $1",
    "SELECT 1 AS one FROM cases WHERE id = $1 FOR UPDATE",
);
// A look at copies does not wait for another one at copies: each store has its own day.
const OTHER_LOOKS: Sql = Sql::both(
    "SELECT 1 AS one FROM jobs
     WHERE case_id = $1 AND id <> $2 AND state NOT IN ('completed', 'failed', 'cancelled')
       AND (kind = 'residue' OR (kind = 'backup'
           AND EXISTS (SELECT 1 FROM jobs AS own WHERE own.id = $2 AND own.kind = 'residue')))
     LIMIT 1",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("settlement::LOCK_CASE", LOCK_CASE),
    ("settlement::OTHER_LOOKS", OTHER_LOOKS),
    ("settlement::SETTLE", SETTLE),
    ("settlement::WAKE_CANCELLED", WAKE_CANCELLED),
];

fn released(available_at: Timestamp) -> Target {
    let mut target = Target::new(JobState::Available, AttemptResult::Released);
    target.available_at = Some(available_at);
    target.free = true;
    target
}

fn completed(done: &Value, verification: &Value, now: Timestamp) -> Result<Target, StoreError> {
    Ok(Target {
        settled_at: Some(now),
        done: Some(json(done)?),
        verification: Some(json(verification)?),
        ..Target::new(JobState::Completed, AttemptResult::Completed)
    })
}

async fn target(tx: &mut Tx, settlement: Settlement, now: Timestamp) -> Result<Target, StoreError> {
    Ok(match settlement {
        Settlement::Completed { done, verification } => completed(&done, &verification, now)?,
        Settlement::Looked { done, verification } => {
            Target { among_looks: true, ..completed(&done, &verification, now)? }
        }
        Settlement::Retry { available_at, fault, free } => Target {
            available_at: Some(available_at),
            fault: Some(fault),
            free,
            ..Target::new(JobState::Available, AttemptResult::Retry)
        },
        Settlement::Anew { available_at, why } => Target {
            available_at: Some(available_at),
            fault: Some(JobFault { kind: APART.to_owned(), message: why }),
            free: true,
            forgets_reference: true,
            ..Target::new(JobState::Available, AttemptResult::Retry)
        },
        Settlement::Failed { fault } => Target {
            settled_at: Some(now),
            fault: Some(fault),
            ..Target::new(JobState::Failed, AttemptResult::Failed)
        },
        Settlement::Held { matters, holds_version } => {
            if claims::versions(tx, Turn::Wait).await?.holds != holds_version {
                return Ok(released(now));
            }
            Target {
                matters: Some(json(&matters)?),
                free: true,
                ..Target::new(JobState::Held, AttemptResult::Held)
            }
        }
        Settlement::Blocked { reason, pauses_version, asks } => {
            if reason == BlockedReason::Pause
                && claims::versions(tx, Turn::Wait).await?.pauses != pauses_version
            {
                return Ok(released(now));
            }
            Target {
                blocked: Some(reason),
                asks,
                free: true,
                ..Target::new(JobState::Blocked, AttemptResult::Blocked)
            }
        }
        Settlement::Waiting { ask_at, reference, overdue } => Target {
            available_at: Some(ask_at),
            reference: Some(reference),
            fault: overdue,
            free: true,
            ..Target::new(JobState::Waiting, AttemptResult::Waiting)
        },
        Settlement::Postponed { available_at } => Target {
            available_at: Some(available_at),
            free: true,
            ..Target::new(JobState::Scheduled, AttemptResult::Released)
        },
        Settlement::Released { available_at } => released(available_at),
        Settlement::Cancelled => Target {
            settled_at: Some(now),
            ..Target::new(JobState::Cancelled, AttemptResult::Cancelled)
        },
    })
}

fn settle_args(tenure: &Tenure, target: &Target) -> Vec<Arg> {
    args![
        tenure.job,
        tenure.worker.as_str(),
        tenure.attempt,
        target.state.as_str(),
        target.available_at,
        target.settled_at,
        target.done.as_deref(),
        target.verification.as_deref(),
        target.blocked.map(BlockedReason::as_str),
        target.matters.as_deref(),
        target.reference.as_deref(),
        target.fault.as_ref().map(|fault| fault.kind.as_str()),
        target.fault.as_ref().map(|fault| fault.message.as_str()),
        i64::from(target.free),
        i64::from(target.forgets_reference),
    ]
}

/// Whether other looks of a case go on, for which its final certificate waits.
async fn others_look(tx: &mut Tx, case: Uuid, job: Uuid) -> Result<bool, StoreError> {
    tx.read_one(LOCK_CASE, args![case]).await?;
    Ok(tx.read_one(OTHER_LOOKS, args![case, job]).await?.is_some())
}

/// Writes the end of an attempt into its job and its own row; `None`, whereupon the transaction is to
/// be rolled back, where another attempt has taken over.
async fn end(
    tx: &mut Tx,
    (tenure, target): (Tenure, Target),
    now: Timestamp,
) -> Result<Option<Ended>, StoreError> {
    let Some(row) = tx.read_one(SETTLE, settle_args(&tenure, &target)).await? else {
        return Ok(None);
    };
    let (case, system) = (row.get("case_id")?, row.get("system")?);
    let has_failed = row.maybe_whole("failures")?.is_some_and(|failures| failures > 0);
    let end = End {
        job: tenure.job,
        attempt: tenure.attempt,
        result: target.result,
        fault: target.fault.as_ref(),
        now,
    };
    if !attempts::end(tx, end).await? {
        return Ok(None);
    }
    let stopped = matches!(target.state, JobState::Held | JobState::Blocked);
    let woken = stopped && tx.execute(WAKE_CANCELLED, args![tenure.job, now]).await? == 1;
    Ok(Some(Ended { tenure, case, system, has_failed, target, woken }))
}

/// Writes what the end of an attempt means for its case, and the evidence.
async fn conclude(
    tx: &mut Tx,
    ended: Ended,
    evidence: Vec<OutboxEntry>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Ended { tenure, case, target, woken, .. } = ended;
    if let Some(reason @ (BlockedReason::Approval | BlockedReason::Cap)) = target.blocked
        && !woken
    {
        approvals::ask(tx, case, (reason, target.asks.as_deref())).await?;
    }
    // What comes to its end after the case was answered is certified once more.
    let among = target.among_looks && others_look(tx, case, tenure.job).await?;
    if target.state.is_final() && !among {
        jobs::reopen_case(tx, case).await?;
    }
    evidence::append(tx, evidence, now).await
}

/// Ends attempts in a transaction, which is to be rolled back unless they are settled: first all jobs,
/// then breakers, then cases, as everybody locks them. Only whoever asks a second person locks the case
/// first, as who agrees does: else a job that begins to wait just then would wait for ever, or go on
/// although nobody has seen it.
async fn settle_in(tx: &mut Tx, settles: Vec<(Settle, Learned)>) -> Result<Settled, StoreError> {
    for (settle, _) in &settles {
        if settle.settlement.asks_somebody() {
            approvals::lock_case_of(tx, settle.tenure.job).await?;
        }
    }
    let mut all = Vec::with_capacity(settles.len());
    for (Settle { tenure, settlement, now, evidence }, Learned { progress, heard }) in settles {
        let mut target = target(tx, settlement, now).await?;
        if let (None, Some(progress)) = (&target.done, &progress) {
            target.done = Some(json(progress)?);
        }
        let Some(ended) = end(tx, (tenure, target), now).await? else {
            return Ok(Settled::LOST);
        };
        all.push((ended, heard, evidence, now));
    }
    let mut moved = None;
    for (ended, heard, _, now) in &all {
        // Most systems are well, and most attempts say so.
        if heard.is_nothing() || (*heard == Heard::WELL && !ended.has_failed) {
            continue;
        }
        let by = (&ended.tenure, *heard);
        moved = breakers::move_by(tx, &ended.system, by, *now).await?.or(moved);
    }
    for (ended, _, evidence, now) in all {
        conclude(tx, ended, evidence, now).await?;
    }
    Ok(Settled { settled: true, moved })
}

/// Makes it last where all of it could be settled, and undoes it otherwise.
async fn close(tx: Tx, settled: Settled) -> Result<Settled, StoreError> {
    if settled.settled {
        tx.commit().await?;
    } else {
        tx.rollback().await?;
    }
    Ok(settled)
}

impl Store {
    /// Ends an attempt. `false`, with nothing written, where another attempt has taken over.
    pub async fn settle(&self, settle: Settle) -> Result<bool, StoreError> {
        Ok(self.settle_with(settle, Learned::default()).await?.settled)
    }

    /// The same, and writes down in the same transaction what the attempt has learned.
    pub async fn settle_with(
        &self,
        settle: Settle,
        learned: Learned,
    ) -> Result<Settled, StoreError> {
        let mut tx = self.begin().await?;
        let settled = settle_in(&mut tx, vec![(settle, learned)]).await?;
        close(tx, settled).await
    }

    /// Ends several attempts in one transaction. `false`, with nothing written, where another attempt
    /// has taken over one of them, so that each has to be settled by itself.
    pub async fn settle_together(&self, settles: Vec<Settle>) -> Result<bool, StoreError> {
        let unheard = settles.into_iter().map(|settle| (settle, Heard::default()));
        Ok(self.settle_hearing(unheard.collect()).await?.settled)
    }

    /// `settle_together`, with what each attempt has heard of its system, by which breakers move.
    pub async fn settle_hearing(
        &self,
        settles: Vec<(Settle, Heard)>,
    ) -> Result<Settled, StoreError> {
        let mut tx = self.begin().await?;
        let settled = if together::all_completed(&settles) {
            together::complete(&mut tx, settles).await?
        } else {
            let learn = |(settle, heard)| (settle, Learned { progress: None, heard });
            settle_in(&mut tx, settles.into_iter().map(learn).collect()).await?
        };
        close(tx, settled).await
    }
}
