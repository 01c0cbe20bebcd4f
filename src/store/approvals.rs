//! A second person's decisions about a case: asking them, their agreeing to what they saw, and calling
//! the case off.
//!
//! Whoever asks and whoever decides lock the case before its jobs, so that they take turns: no job
//! begins to wait while somebody agrees to those that wait already.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::cases::Decision;
use super::connection::{Store, Tx};
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::jobs;
use super::statement::{Row, Sql, args};

/// A job that waits for a second person, as it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Waits {
    /// The job.
    pub job: Uuid,
    /// Number of its latest attempt, 0 before the first. Once it is agreed to, the job waits again
    /// only after another attempt, which has found more to do.
    pub attempt: u32,
}

/// What became of an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// The case goes on.
    Approved,
    /// There is no such case, or it awaits none.
    NotAwaiting,
    /// The same person wrote the rules or opened the case; a second person is needed.
    SamePerson,
    /// More waits by now than was seen; nothing was written.
    AsksMore,
}

const LOCK_CASE_OF_JOB: Sql = Sql::fork(
    "SELECT 1 AS one FROM cases WHERE id = (SELECT case_id FROM jobs WHERE jobs.id = $1)",
    "SELECT 1 AS one FROM cases
     WHERE id = (SELECT case_id FROM jobs WHERE jobs.id = $1) FOR UPDATE",
);
// Also where it was answered: it is under way once more. What several jobs ask while it waits stands
// side by side.
const ASK: Sql = Sql::both(
    "UPDATE cases SET state = 'awaiting_approval', outcome = NULL, closed_at = NULL,
         blocked_reason = CASE WHEN state = 'awaiting_approval'
                 AND blocked_reason IS NOT NULL AND CAST($3 AS TEXT) IS NOT NULL
             THEN blocked_reason || '; ' || CAST($3 AS TEXT)
             ELSE COALESCE(CAST($3 AS TEXT), blocked_reason, $2) END
     WHERE id = $1",
);
const LOCK_AWAITING: Sql = Sql::fork(
    "SELECT authors FROM cases WHERE id = $1 AND state = 'awaiting_approval'",
    "SELECT authors FROM cases WHERE id = $1 AND state = 'awaiting_approval' FOR UPDATE",
);
const WAITING: Sql = Sql::both(
    "SELECT id, attempt FROM jobs
     WHERE case_id = $1 AND state = 'blocked' AND blocked_reason IN ('approval', 'cap')",
);
const APPROVE: Sql = Sql::both(
    "UPDATE cases SET state = 'executing', approved_at = $2, approved_by = $3, approved_reason = $4
     WHERE id = $1 AND state = 'awaiting_approval'",
);
const UNBLOCK: Sql = Sql::both(
    "UPDATE jobs SET state = 'available', blocked_reason = NULL,
         available_at = CASE WHEN available_at > $2 THEN available_at ELSE $2 END
     WHERE case_id = $1 AND state = 'blocked' AND blocked_reason IN ('approval', 'cap')",
);
const CANCEL: Sql = Sql::both(
    "UPDATE cases SET state = 'executing', outcome = NULL, closed_at = NULL, cancelled_at = $2,
         cancelled_by = $3, cancelled_reason = $4
     WHERE id = $1 AND cancelled_at IS NULL
       AND (state IN ('planned', 'awaiting_approval', 'executing')
           OR EXISTS (SELECT 1 FROM jobs WHERE jobs.case_id = $1
               AND jobs.last_fault_kind = 'overdue' AND jobs.state IN ('available', 'waiting')))",
);
// What a restore brought back is not called off with its case, so that somebody has to agree to it
// all the same.
const STILL_ASKS: Sql = Sql::both(
    "UPDATE cases SET state = 'awaiting_approval'
     WHERE id = $1 AND EXISTS (SELECT 1 FROM jobs WHERE jobs.case_id = $1
         AND jobs.state = 'blocked' AND jobs.blocked_reason IN ('approval', 'cap'))",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("approvals::LOCK_CASE_OF_JOB", LOCK_CASE_OF_JOB),
    ("approvals::ASK", ASK),
    ("approvals::LOCK_AWAITING", LOCK_AWAITING),
    ("approvals::WAITING", WAITING),
    ("approvals::APPROVE", APPROVE),
    ("approvals::UNBLOCK", UNBLOCK),
    ("approvals::CANCEL", CANCEL),
    ("approvals::STILL_ASKS", STILL_ASKS),
];

/// Takes the turn of whoever is going to `ask` for a job, before anything of it is written.
pub(super) async fn lock_case_of(tx: &mut Tx, job: Uuid) -> Result<(), StoreError> {
    tx.read_one(LOCK_CASE_OF_JOB, args![job]).await?;
    Ok(())
}

/// Puts a case in front of a second person, for one of its jobs; `question` is what they are asked, where
/// it is not what the case asks already.
pub(super) async fn ask(
    tx: &mut Tx,
    case: Uuid,
    (reason, question): (jobs::BlockedReason, Option<&str>),
) -> Result<(), StoreError> {
    tx.execute(ASK, args![case, reason.as_str(), question]).await?;
    Ok(())
}

fn waits(row: &Row) -> Result<Waits, StoreError> {
    Ok(Waits { job: row.get("id")?, attempt: row.small("attempt")? })
}

impl Store {
    /// A second person agrees to what they have `seen`: the jobs that wait for them become available.
    pub async fn approve_case(
        &self,
        case: Uuid,
        decision: Decision,
        seen: &BTreeSet<Waits>,
        evidence: Vec<OutboxEntry>,
    ) -> Result<Approval, StoreError> {
        let mut tx = self.begin().await?;
        let Some(row) = tx.read_one(LOCK_AWAITING, args![case]).await? else {
            return Ok(Approval::NotAwaiting);
        };
        let authors: Vec<String> = row.json("authors")?;
        if authors.iter().any(|author| author.eq_ignore_ascii_case(&decision.by)) {
            return Ok(Approval::SamePerson);
        }
        for row in tx.read(WAITING, args![case]).await? {
            if !seen.contains(&waits(&row)?) {
                return Ok(Approval::AsksMore);
            }
        }
        let Decision { by, reason, at } = decision;
        if tx.execute(APPROVE, args![case, at, by, reason]).await? == 0 {
            return Ok(Approval::NotAwaiting);
        }
        tx.execute(UNBLOCK, args![case, at]).await?;
        evidence::append(&mut tx, evidence, at).await?;
        tx.commit().await?;
        Ok(Approval::Approved)
    }

    /// A person calls a case off: what runs is asked to stop, the rest is cancelled. `false` where
    /// it is too late or already done. The case is closed by its certificate.
    pub async fn cancel_case(
        &self,
        case: Uuid,
        decision: Decision,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let Decision { by, reason, at } = decision;
        if tx.execute(CANCEL, args![case, at, by.as_str(), reason]).await? == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        jobs::cancel_of_case(&mut tx, case, &by, at).await?;
        tx.execute(STILL_ASKS, args![case]).await?;
        evidence::append(&mut tx, evidence, at).await?;
        tx.commit().await?;
        Ok(true)
    }
}
