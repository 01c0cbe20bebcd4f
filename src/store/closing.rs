//! How a case comes to its end: nothing of it is open any more, it is stated, and a certificate closes
//! it; or a person does, where what was done cannot be certified.

use jiff::Timestamp;
use uuid::Uuid;

use super::cases::{self, Case, case_columns};
use super::connection::{Store, Tx};
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::jobs::Job;
use super::statement::{Sql, args, count};
use crate::domain::CaseOutcome;

/// The jobs of a case as a certificate was stated from them: whatever begins or ends among them makes
/// another one of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobsStated {
    /// How many there are.
    jobs: u64,
    /// Attempts of all of them that were begun.
    attempts: u64,
    /// How many are final.
    settled: u64,
    /// When the last of these became so.
    last_settled_at: Option<Timestamp>,
}

impl JobsStated {
    /// What all jobs of a case, as they were read, amount to.
    pub fn of(jobs: &[Job]) -> Self {
        let settled = || jobs.iter().filter_map(|job| job.settled_at);
        Self {
            jobs: jobs.len() as u64,
            attempts: jobs.iter().map(|job| u64::from(job.attempt)).sum(),
            settled: settled().count() as u64,
            last_settled_at: settled().max(),
        }
    }
}

// Nothing is left to do before a certificate: jobs are final, or wait for a law's date, for copies to
// go, or for somebody who is overdue.
macro_rules! nothing_is_open {
    () => {
        " AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.case_id = cases.id
           AND jobs.state NOT IN ('completed', 'failed', 'cancelled')
           AND NOT (jobs.kind IN ('retained', 'upkeep') AND jobs.state IN ('scheduled', 'held'))
           AND jobs.kind NOT IN ('backup', 'residue')
           AND NOT (COALESCE(jobs.last_fault_kind, '') = 'overdue'
               AND jobs.state IN ('available', 'waiting')))"
    };
}
const TO_CERTIFY: Sql = Sql::both(concat!(
    case_columns!(
        "WHERE state IN ('planned', 'executing', 'verifying') AND (id > $1 OR $1 IS NULL)"
    ),
    nothing_is_open!(),
    " ORDER BY id LIMIT $2"
));
const VERIFY: Sql = Sql::both(concat!(
    "UPDATE cases SET state = 'verifying' WHERE id = $1 AND state IN ('planned', 'executing')",
    nothing_is_open!()
));
// Only from the state into which it was brought before it was stated: whatever ends or begins meanwhile
// takes the case out of it. Another process may have brought it there once more, so that the jobs have
// to be those of which it was stated, too.
const CLOSE: Sql = Sql::both(concat!(
    "UPDATE cases SET state = 'closed', outcome = $2, closed_at = $3
     WHERE id = $1 AND state = 'verifying'
       AND (CAST($4 AS BIGINT) IS NULL OR EXISTS (SELECT 1 FROM (
               SELECT count(*) AS jobs, CAST(COALESCE(sum(attempt), 0) AS BIGINT) AS attempts,
                   count(settled_at) AS settled, COALESCE(max(settled_at), 0) AS last_settled_at
               FROM jobs WHERE case_id = $1) AS found
           WHERE found.jobs = $4 AND found.attempts = $5 AND found.settled = $6
             AND found.last_settled_at = $7))",
    nothing_is_open!()
));

pub(super) const STATEMENTS: &[(&str, Sql)] =
    &[("closing::TO_CERTIFY", TO_CERTIFY), ("closing::VERIFY", VERIFY), ("closing::CLOSE", CLOSE)];

/// Closes a case that is being stated and of which nothing is open; `false` where it is not so, or where
/// its jobs are not those that were `stated` any more.
pub(super) async fn close(
    tx: &mut Tx,
    case: Uuid,
    (outcome, now): (CaseOutcome, Timestamp),
    stated: Option<JobsStated>,
) -> Result<bool, StoreError> {
    let number = |of: fn(JobsStated) -> u64| {
        stated.map(|stated| count(of(stated), "so many jobs")).transpose()
    };
    let last = stated.map(|stated| stated.last_settled_at.unwrap_or_default());
    let values = args![
        case,
        outcome.as_str(),
        now,
        number(|stated| stated.jobs)?,
        number(|stated| stated.attempts)?,
        number(|stated| stated.settled)?,
        last,
    ];
    Ok(tx.execute(CLOSE, values).await? == 1)
}

impl Store {
    /// Cases whose jobs are all final and that are not closed, by their identifiers, so oldest first;
    /// at most 1000, behind the one that is named. A case without any job is among them.
    pub async fn cases_to_certify(
        &self,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Case>, StoreError> {
        let rows = self.read(TO_CERTIFY, args![after, limit.min(1000)]).await?;
        rows.iter().map(cases::from_row).collect()
    }

    /// Certificates of these cases are being made, whose jobs are all final; of how many it is so.
    pub async fn begin_verifying(&self, cases: &[Uuid]) -> Result<u64, StoreError> {
        let (mut tx, mut marked) = (self.begin().await?, 0);
        for case in cases {
            marked += tx.execute(VERIFY, args![*case]).await?;
        }
        tx.commit().await.map(|()| marked)
    }

    /// Closes a case without a certificate, where one was being made and its jobs are all final;
    /// `false` where it is not so.
    pub async fn finish_case(
        &self,
        case: Uuid,
        outcome: CaseOutcome,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if !close(&mut tx, case, (outcome, now), None).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }
}
