//! Breakers, shared by all replicas: how a system has answered lately, and which job tries it while
//! its breaker is open. They move in the transaction that ends an attempt.
//!
//! Whoever changes one locks its row, after the rows of jobs and before those of cases, so that nobody
//! waits for each other. A row that is there and says nothing is a lock for those who count turns.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::claims::Tenure;
use super::connection::{Store, Tx};
use super::error::StoreError;
use super::statement::{Row, Sql, args};
use crate::domain::{Breaker, Failure, Open};

/// What an attempt has heard of its system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard {
    /// Whether it answered, or did not or could not do it now; `None` where it was not asked.
    pub answered: Option<bool>,
    /// It asked to be left alone until then.
    pub leave_until: Option<Timestamp>,
}

impl Heard {
    /// It answered, and asked for nothing.
    pub const WELL: Self = Self { answered: Some(true), leave_until: None };

    /// Nothing, which changes no breaker.
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// How a breaker moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// It was closed, and has opened.
    Opened,
    /// It was open, and has closed.
    Closed,
}

/// A breaker on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerOnRecord {
    /// The system.
    pub system: String,
    /// How it stands.
    pub breaker: Breaker,
    /// The job that tries just now.
    pub trying: Option<Uuid>,
    /// What the job that failed last says of it.
    pub why: Option<String>,
}

// A trial lasts as long as its job is carried out under the lease that it began with.
macro_rules! is_trying {
    ($trial:literal, $now:literal) => {
        concat!(
            $trial,
            ".id = breakers.trial_job AND ",
            $trial,
            ".attempt = breakers.trial_attempt AND ",
            $trial,
            ".state = 'running' AND ",
            $trial,
            ".lease_until >= ",
            $now
        )
    };
}
/// The condition that no breaker stands in the way of a job of `jobs` at the moment `$1`.
macro_rules! breaker_lets {
    () => {
        concat!(
            " CASE WHEN EXISTS (SELECT 1 FROM breakers WHERE breakers.system = jobs.system
                 AND (breakers.leave_until > $1 OR breakers.trial_at > $1
                     OR EXISTS (SELECT 1 FROM jobs AS trial WHERE ",
            is_trying!("trial", "$1"),
            "))) THEN FALSE ELSE TRUE END"
        )
    };
}
pub(super) use {breaker_lets, is_trying};

macro_rules! breaker_columns {
    ($rest:literal) => {
        concat!(
            "SELECT system, failures, failed_job, failed_at, opened_at, trials, trial_at, trial_job,
             trial_attempt, leave_until FROM breakers ",
            $rest
        )
    };
}

// SQLite's one writer has every row to itself.
const LOCK: Sql = Sql::fork(
    breaker_columns!("WHERE system = $1"),
    breaker_columns!("WHERE system = $1 FOR UPDATE"),
);
const BEGIN: Sql = Sql::both(
    "INSERT INTO breakers (system, failures, trials) VALUES ($1, 0, 0)
     ON CONFLICT (system) DO NOTHING",
);
const WRITE: Sql = Sql::both(
    "UPDATE breakers SET failures = $2, failed_job = $3, failed_at = $4, opened_at = $5,
         trials = $6, trial_at = $7, leave_until = $8
     WHERE system = $1",
);
const HAS_FAILED: Sql =
    Sql::both("SELECT opened_at FROM breakers WHERE system = $1 AND failures > 0");
const CLOSE: Sql = Sql::both(
    "UPDATE breakers SET failures = 0, failed_job = NULL, failed_at = NULL, opened_at = NULL,
         trials = 0, trial_at = NULL, trial_job = NULL, trial_attempt = NULL
     WHERE system = $1 AND failures > 0",
);
const TRY: Sql = Sql::both(concat!(
    "UPDATE breakers SET trial_job = $2, trial_attempt = $3
     WHERE system = $1 AND opened_at IS NOT NULL AND trial_at <= $4
       AND NOT EXISTS (SELECT 1 FROM jobs AS trial WHERE ",
    is_trying!("trial", "$4"),
    ")"
));
const TRIED_BY: Sql =
    Sql::both("SELECT system FROM breakers WHERE trial_job = $1 AND trial_attempt = $2");
const ON_RECORD: Sql = Sql::both(concat!(
    "SELECT system, failures, failed_job, failed_at, opened_at, trials, trial_at, leave_until,
         (SELECT trial.id FROM jobs AS trial WHERE ",
    is_trying!("trial", "$1"),
    ") AS trying,
         (SELECT failed.last_fault FROM jobs AS failed WHERE failed.id = breakers.failed_job) AS why
     FROM breakers WHERE failures > 0 OR leave_until > $1 ORDER BY system"
));
const AT_ONCE: Sql = Sql::both(
    "UPDATE breakers SET trial_at = $1
     WHERE opened_at IS NOT NULL AND trial_at > $1 AND (CAST($2 AS TEXT) IS NULL OR system = $2)",
);
// Only those that wait after a failure, and no longer than a pause lasts: who was told a later moment
// keeps it.
const JOBS_AT_ONCE: Sql = Sql::both(
    "UPDATE jobs SET available_at = $1
     WHERE state IN ('scheduled', 'available', 'waiting') AND state = 'available'
       AND available_at > $1 AND available_at <= $3
       AND last_fault_kind IN ('transient', 'unknown', 'overdue')
       AND EXISTS (SELECT 1 FROM breakers WHERE breakers.system = jobs.system
           AND breakers.opened_at IS NOT NULL
           AND (CAST($2 AS TEXT) IS NULL OR breakers.system = $2))",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("breakers::LOCK", LOCK),
    ("breakers::BEGIN", BEGIN),
    ("breakers::WRITE", WRITE),
    ("breakers::HAS_FAILED", HAS_FAILED),
    ("breakers::CLOSE", CLOSE),
    ("breakers::TRY", TRY),
    ("breakers::TRIED_BY", TRIED_BY),
    ("breakers::ON_RECORD", ON_RECORD),
    ("breakers::AT_ONCE", AT_ONCE),
    ("breakers::JOBS_AT_ONCE", JOBS_AT_ONCE),
];

fn from_row(row: &Row) -> Result<Breaker, StoreError> {
    let failed: Option<Uuid> = row.get("failed_job")?;
    let opened = row.maybe_instant("opened_at")?.zip(row.maybe_instant("trial_at")?);
    let trials = row.small("trials")?;
    Ok(Breaker {
        failures: row.small("failures")?,
        failed: failed.zip(row.maybe_instant("failed_at")?),
        open: opened.map(|(since, trial_at)| Open { since, trials, trial_at }),
        leave_until: row.maybe_instant("leave_until")?,
    })
}

/// The breaker of a system, which nobody else changes until the transaction ends, and the attempt that
/// tried it last.
async fn locked(tx: &mut Tx, system: &str) -> Result<(Breaker, Option<(Uuid, u32)>), StoreError> {
    let mut row = tx.read_one(LOCK, args![system]).await?;
    if row.is_none() {
        tx.execute(BEGIN, args![system]).await?;
        row = tx.read_one(LOCK, args![system]).await?;
    }
    let row = row.ok_or(StoreError::Corrupt { column: "breakers.system" })?;
    let job: Option<Uuid> = row.get("trial_job")?;
    let tried = job.map(|job| Ok::<_, StoreError>((job, row.small("trial_attempt")?)));
    Ok((from_row(&row)?, tried.transpose()?))
}

/// Lets nobody else begin a job of the system until the transaction ends.
pub(super) async fn lock(tx: &mut Tx, system: &str) -> Result<(), StoreError> {
    locked(tx, system).await.map(|_| ())
}

/// Makes an attempt that is about to be claimed the one that tries; `false` where the breaker is not
/// open any more, it is too early, or another one tries.
pub(super) async fn try_by(
    tx: &mut Tx,
    system: &str,
    (job, attempt): (Uuid, u32),
    now: Timestamp,
) -> Result<bool, StoreError> {
    // Whoever waits for another claim to end has to see the job that it has claimed.
    lock(tx, system).await?;
    Ok(tx.execute(TRY, args![system, job, attempt, now]).await? == 1)
}

/// Moves the breaker of a system by what an attempt has heard of it.
pub(super) async fn move_by(
    tx: &mut Tx,
    system: &str,
    (tenure, heard): (&Tenure, Heard),
    now: Timestamp,
) -> Result<Option<Moved>, StoreError> {
    if heard.answered == Some(true) {
        let moved = close(tx, system).await?;
        if let Some(until) = heard.leave_until {
            let (mut breaker, _) = locked(tx, system).await?;
            breaker.leave_alone(until);
            write(tx, system, &breaker).await?;
        }
        return Ok(moved);
    }
    if heard.is_nothing() {
        return Ok(None);
    }
    let (mut breaker, tried) = locked(tx, system).await?;
    let was_trial = tried == Some((tenure.job, tenure.attempt));
    let opens = heard.answered == Some(false)
        && breaker.fails(Failure { job: tenure.job, at: now, was_trial });
    if let Some(until) = heard.leave_until {
        breaker.leave_alone(until);
    }
    write(tx, system, &breaker).await?;
    Ok(opens.then_some(Moved::Opened))
}

/// Forgets failures.
async fn close(tx: &mut Tx, system: &str) -> Result<Option<Moved>, StoreError> {
    let Some(row) = tx.read_one(HAS_FAILED, args![system]).await? else { return Ok(None) };
    let was_open = row.maybe_instant("opened_at")?.is_some();
    tx.execute(CLOSE, args![system]).await?;
    Ok(was_open.then_some(Moved::Closed))
}

async fn write(tx: &mut Tx, system: &str, breaker: &Breaker) -> Result<(), StoreError> {
    let values = args![
        system,
        breaker.failures,
        breaker.failed.map(|(job, _)| job),
        breaker.failed.map(|(_, at)| at),
        breaker.open.map(|open| open.since),
        breaker.open.map_or(0, |open| open.trials),
        breaker.open.map(|open| open.trial_at),
        breaker.leave_until,
    ];
    tx.execute(WRITE, values).await?;
    Ok(())
}

impl Store {
    /// Systems that have failed and not answered since, and those that asked to be left alone, by
    /// their names.
    pub async fn breakers(&self, now: Timestamp) -> Result<Vec<BreakerOnRecord>, StoreError> {
        let read = |row: &Row| {
            Ok(BreakerOnRecord {
                system: row.get("system")?,
                breaker: from_row(row)?,
                trying: row.get("trying")?,
                why: row.get("why")?,
            })
        };
        self.read(ON_RECORD, args![now]).await?.iter().map(read).collect()
    }

    /// The attempt that tries a system has come so far that the system is known to answer, though it
    /// is not done: its breaker closes. How it moved.
    pub async fn trial_answers(&self, tenure: &Tenure) -> Result<Option<Moved>, StoreError> {
        let mut tx = self.begin().await?;
        let mut moved = None;
        for row in tx.read(TRIED_BY, args![tenure.job, tenure.attempt]).await? {
            let system: String = row.get("system")?;
            moved = close(&mut tx, &system).await?;
        }
        tx.commit().await?;
        Ok(moved)
    }

    /// Somebody wants a system with an open breaker, or each of them, to be tried now: the next trial
    /// is due, and what waits after a failure for no longer than `pause` may be the one that tries. A
    /// pause that the system asked for stays. How many breakers were open and not due.
    pub async fn try_at_once(
        &self,
        system: Option<&str>,
        now: Timestamp,
        pause: Duration,
    ) -> Result<u64, StoreError> {
        let until = now.checked_add(pause).unwrap_or(now);
        let mut tx = self.begin().await?;
        tx.execute(JOBS_AT_ONCE, args![now, system, until]).await?;
        let due = tx.execute(AT_ONCE, args![now, system]).await?;
        tx.commit().await?;
        Ok(due)
    }
}
