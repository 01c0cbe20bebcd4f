//! Restores of connected systems: a system that was put back to an earlier state is in quarantine
//! until everything that was done since is done again, and then it is opened.

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::cases::{self, NewCase};
use super::connection::{Store, Tx};
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::holds::count_up;
use super::jobs::{self, BlockedReason, Job, JobKind, NewJob, job_columns};
use super::marks;
use super::statement::{Row, Sql, args, count};
use crate::domain::{AskedRight, SystemName};

/// A restore to begin.
#[derive(Debug, Clone)]
pub struct NewRestore {
    /// Its identifier.
    pub id: Uuid,
    /// The system that was put back.
    pub system: SystemName,
    /// It holds the state of this moment.
    pub taken_at: Timestamp,
    /// The copy that it was restored from, where somebody said so: `store/identifier`.
    pub copy: Option<String>,
    /// Somebody said that it was restored; otherwise its canary did.
    pub announced: bool,
    /// The earliest moment at which what had gone may have been back.
    pub back_since: Timestamp,
    /// Who began it.
    pub begun_by: String,
    /// Why, without personal data.
    pub reason: String,
    /// The case that carries out what rules have made due.
    pub case: NewCase,
    /// What does again what was done for persons, each with the case that it belongs to.
    pub replays: Vec<(Uuid, NewJob)>,
    /// Cases of persons who are forgotten, so that they cannot be looked for.
    pub forgotten: u64,
    /// What has to be proven later.
    pub evidence: Vec<OutboxEntry>,
}

/// A restore on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restore {
    /// Its identifier.
    pub id: Uuid,
    /// The system.
    pub system: String,
    /// It holds the state of this moment.
    pub taken_at: Timestamp,
    /// The copy that it was restored from.
    pub copy: Option<String>,
    /// Somebody said that it was restored; otherwise its canary did.
    pub announced: bool,
    /// The earliest moment at which what had gone may have been back.
    pub back_since: Timestamp,
    /// Since when it is in quarantine.
    pub begun_at: Timestamp,
    /// Who began it.
    pub begun_by: String,
    /// Why.
    pub reason: String,
    /// The case that carries out what rules have made due.
    pub case_id: Uuid,
    /// Cases of persons who are forgotten, so that they cannot be looked for.
    pub forgotten: u64,
    /// What keeps the application out, as the connector wrote it down.
    pub kept_out: Option<Value>,
    /// Who opened it, and when.
    pub opened: Option<(String, Timestamp)>,
}

/// What became of the wish to put a system in quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreBegun {
    /// It is in quarantine.
    Yes,
    /// It was already.
    UnderWay,
    /// The person of one of the cases was forgotten meanwhile: ask anew what can be done again.
    SomebodyForgotten,
}

/// How far a restore has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RestoreCounts {
    /// Jobs of persons.
    pub replays: u64,
    /// Of those, carried out and verified.
    pub completed: u64,
    /// Of those, in need of a person.
    pub failed: u64,
}

/// What was done for a person on a system.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayable {
    /// The person's case.
    pub case_id: Uuid,
    /// What kind of work it was.
    pub kind: JobKind,
    /// What it was told to do.
    pub payload: Value,
    /// What the person asked for.
    pub asked: AskedRight,
    /// The person is forgotten.
    pub forgotten: bool,
    /// The case keeps a restriction up.
    pub keeps_up: bool,
}

/// What was last written into a system to see whether it is put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// Counts the writings.
    pub number: u64,
    /// When it was written.
    pub written_at: Timestamp,
    /// Under which name; `None` where a version wrote it that did not write that down.
    pub name: Option<String>,
}

macro_rules! restore_columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, system, taken_at, copy, announced, back_since, begun_at, begun_by, reason,
             case_id, forgotten, kept_out, opened_at, opened_by FROM restores ",
            $rest
        )
    };
}

const BEGIN: Sql = Sql::both(
    "INSERT INTO restores (id, system, taken_at, copy, announced, back_since, begun_at, begun_by,
         reason, case_id, forgotten)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
     ON CONFLICT (system) WHERE opened_at IS NULL DO NOTHING",
);
const ADD_JOB: Sql = Sql::both("INSERT INTO restore_jobs (job_id, restore_id) VALUES ($1, $2)");
const KEPT_OUT: Sql =
    Sql::both("UPDATE restores SET kept_out = $2 WHERE id = $1 AND opened_at IS NULL");
const SOMEBODY_FORGOTTEN: Sql = Sql::both(
    "SELECT 1 AS one FROM restore_jobs, jobs, requests
     WHERE restore_jobs.restore_id = $1 AND jobs.id = restore_jobs.job_id
       AND requests.case_id = jobs.case_id AND requests.forgotten_at IS NOT NULL LIMIT 1",
);
// Nothing of it may be left to do, whatever the caller has seen before.
const OPEN: Sql = Sql::both(
    "UPDATE restores SET opened_at = $2, opened_by = $3 WHERE id = $1 AND opened_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM restore_jobs, jobs WHERE restore_jobs.restore_id = $1
           AND jobs.id = restore_jobs.job_id AND jobs.state <> 'completed')
       AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.case_id = restores.case_id
           AND jobs.state NOT IN ('completed', 'cancelled'))",
);
const BY_ID: Sql = Sql::both(restore_columns!("WHERE id = $1"));
const OF_CASE: Sql = Sql::both(restore_columns!("WHERE case_id = $1"));
const UNDER_WAY: Sql = Sql::both(restore_columns!("WHERE opened_at IS NULL ORDER BY begun_at, id"));
const LATEST: Sql = Sql::both(restore_columns!("ORDER BY begun_at DESC, id DESC LIMIT $1"));
const OF_JOB: Sql = Sql::both(restore_columns!(
    "WHERE id IN (SELECT restore_id FROM restore_jobs WHERE job_id = $1)"
));
const COUNTS: Sql = Sql::both(
    "SELECT count(*) AS replays,
         CAST(COALESCE(sum(CASE WHEN state = 'completed' THEN 1 ELSE 0 END), 0) AS BIGINT)
             AS completed,
         CAST(COALESCE(sum(CASE WHEN state = 'failed' THEN 1 ELSE 0 END), 0) AS BIGINT) AS failed
     FROM restore_jobs, jobs WHERE restore_jobs.restore_id = $1 AND jobs.id = restore_jobs.job_id",
);
const JOBS: Sql = Sql::both(job_columns!(
    "WHERE id IN (SELECT job_id FROM restore_jobs WHERE restore_id = $1)
       AND (CAST($2 AS TEXT) IS NULL OR state = $2) AND id > $3 ORDER BY id LIMIT $4"
));
const REPLAYABLE: Sql = Sql::both(
    "SELECT jobs.case_id AS case_id, kind, payload, asked, forgotten_at,
         (SELECT count(*) FROM jobs AS kept WHERE kept.case_id = jobs.case_id
             AND kept.kind = 'upkeep' AND kept.state NOT IN ('completed', 'failed', 'cancelled'))
             AS keeps_up
     FROM jobs JOIN requests ON requests.case_id = jobs.case_id
     WHERE jobs.system = $1 AND kind IN ('request', 'retained', 'upkeep', 'replay')
       AND jobs.state = 'completed' AND settled_at >= $2
     ORDER BY settled_at, jobs.id",
);
const DONE_SOMETHING: Sql =
    Sql::both("SELECT 1 AS one FROM jobs WHERE system = $1 AND state = 'completed' LIMIT 1");
const CANARY: Sql = Sql::both("SELECT number, written_at, name FROM canaries WHERE system = $1");
const CANARIES_WRITTEN_BEFORE: Sql =
    Sql::both("SELECT system, written_at FROM canaries WHERE written_at < $1 ORDER BY system");
const REMEMBER_CANARY: Sql = Sql::both(
    "INSERT INTO canaries (system, number, written_at, name) VALUES ($1, $2, $3, $4)
     ON CONFLICT (system) DO UPDATE SET number = excluded.number,
         written_at = excluded.written_at, name = excluded.name
     WHERE canaries.number < excluded.number",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("restores::BEGIN", BEGIN),
    ("restores::ADD_JOB", ADD_JOB),
    ("restores::KEPT_OUT", KEPT_OUT),
    ("restores::SOMEBODY_FORGOTTEN", SOMEBODY_FORGOTTEN),
    ("restores::OPEN", OPEN),
    ("restores::BY_ID", BY_ID),
    ("restores::OF_CASE", OF_CASE),
    ("restores::UNDER_WAY", UNDER_WAY),
    ("restores::LATEST", LATEST),
    ("restores::OF_JOB", OF_JOB),
    ("restores::COUNTS", COUNTS),
    ("restores::JOBS", JOBS),
    ("restores::REPLAYABLE", REPLAYABLE),
    ("restores::DONE_SOMETHING", DONE_SOMETHING),
    ("restores::CANARY", CANARY),
    ("restores::CANARIES_WRITTEN_BEFORE", CANARIES_WRITTEN_BEFORE),
    ("restores::REMEMBER_CANARY", REMEMBER_CANARY),
];

fn from_row(row: &Row) -> Result<Restore, StoreError> {
    let opened_by: Option<String> = row.get("opened_by")?;
    Ok(Restore {
        id: row.get("id")?,
        system: row.get("system")?,
        taken_at: row.instant("taken_at")?,
        copy: row.get("copy")?,
        announced: row.whole("announced")? == 1,
        back_since: row.instant("back_since")?,
        begun_at: row.instant("begun_at")?,
        begun_by: row.get("begun_by")?,
        reason: row.get("reason")?,
        case_id: row.get("case_id")?,
        forgotten: row.whole("forgotten")?,
        kept_out: row.maybe_json("kept_out")?,
        opened: opened_by.zip(row.maybe_instant("opened_at")?),
    })
}

fn replayable(row: &Row) -> Result<Replayable, StoreError> {
    Ok(Replayable {
        case_id: row.get("case_id")?,
        kind: row.word("kind", JobKind::parse)?,
        payload: row.json("payload")?,
        asked: row.word("asked", AskedRight::parse)?,
        forgotten: row.maybe_instant("forgotten_at")?.is_some(),
        keeps_up: row.whole("keeps_up")? > 0,
    })
}

async fn insert(tx: &mut Tx, new: &NewRestore, now: Timestamp) -> Result<bool, StoreError> {
    if !cases::insert(tx, &new.case, now).await? {
        return Ok(false);
    }
    let values = args![
        new.id,
        new.system.as_str(),
        new.taken_at,
        new.copy.as_deref(),
        i64::from(new.announced),
        new.back_since,
        now,
        new.begun_by.as_str(),
        new.reason.as_str(),
        new.case.id,
        count(new.forgotten, "a count so large")?,
    ];
    Ok(tx.execute(BEGIN, values).await? == 1)
}

impl Store {
    /// Puts a system in quarantine, with all that has to be done again on it, in one transaction:
    /// jobs that run there stop at their next chunk. Where it does not come to that nothing is written.
    pub async fn begin_restore(
        &self,
        new: NewRestore,
        now: Timestamp,
    ) -> Result<RestoreBegun, StoreError> {
        let mut tx = self.begin().await?;
        count_up(&mut tx, "pauses").await?;
        if !insert(&mut tx, &new, now).await? {
            tx.rollback().await?;
            return Ok(RestoreBegun::UnderWay);
        }
        for job in new.case.jobs {
            jobs::insert(&mut tx, new.case.id, job, now).await?;
        }
        for mark in &new.case.marks {
            marks::record(&mut tx, &mark.rule, mark.at).await?;
        }
        for (case, job) in new.replays {
            let id = job.id;
            jobs::insert(&mut tx, case, job, now).await?;
            tx.execute(ADD_JOB, args![id, new.id]).await?;
            jobs::reopen_case(&mut tx, case).await?;
        }
        if tx.read_one(SOMEBODY_FORGOTTEN, args![new.id]).await?.is_some() {
            tx.rollback().await?;
            return Ok(RestoreBegun::SomebodyForgotten);
        }
        evidence::append(&mut tx, new.case.evidence, now).await?;
        evidence::append(&mut tx, new.evidence, now).await?;
        tx.commit().await?;
        Ok(RestoreBegun::Yes)
    }

    /// Writes down what keeps the application out of a system in quarantine, so that it can be
    /// undone; `false` where it is opened already.
    pub async fn keep_out(&self, restore: Uuid, what: &Value) -> Result<bool, StoreError> {
        Ok(self.write(KEPT_OUT, args![restore, super::statement::json(what)?]).await? == 1)
    }

    /// Ends a quarantine: what waited for it goes on. `false`, with nothing written, where something
    /// is left to do or it is opened already.
    pub async fn open_restore(
        &self,
        restore: Uuid,
        by: &str,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        count_up(&mut tx, "pauses").await?;
        if tx.execute(OPEN, args![restore, now, by]).await? == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        jobs::unblock(&mut tx, BlockedReason::Pause, now).await?;
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The restore with this identifier.
    pub async fn restore(&self, id: Uuid) -> Result<Option<Restore>, StoreError> {
        self.read_one(BY_ID, args![id]).await?.as_ref().map(from_row).transpose()
    }

    /// The restore whose case this is.
    pub async fn restore_of_case(&self, case: Uuid) -> Result<Option<Restore>, StoreError> {
        self.read_one(OF_CASE, args![case]).await?.as_ref().map(from_row).transpose()
    }

    /// The restore that a job is done for.
    pub async fn restore_of_job(&self, job: Uuid) -> Result<Option<Restore>, StoreError> {
        self.read_one(OF_JOB, args![job]).await?.as_ref().map(from_row).transpose()
    }

    /// Restores whose systems are in quarantine, oldest first.
    pub async fn restores_under_way(&self) -> Result<Vec<Restore>, StoreError> {
        self.read(UNDER_WAY, Vec::new()).await?.iter().map(from_row).collect()
    }

    /// The latest restores, newest first; at most 1000.
    pub async fn latest_restores(&self, limit: u32) -> Result<Vec<Restore>, StoreError> {
        self.read(LATEST, args![limit.min(1000)]).await?.iter().map(from_row).collect()
    }

    /// How far the jobs of persons have come.
    pub async fn restore_counts(&self, restore: Uuid) -> Result<RestoreCounts, StoreError> {
        let Some(row) = self.read_one(COUNTS, args![restore]).await? else {
            return Ok(RestoreCounts::default());
        };
        Ok(RestoreCounts {
            replays: row.whole("replays")?,
            completed: row.whole("completed")?,
            failed: row.whole("failed")?,
        })
    }

    /// Jobs of persons, in this state or in all, after this identifier; at most 1000.
    pub async fn restore_jobs(
        &self,
        restore: Uuid,
        state: Option<crate::domain::JobState>,
        after: Uuid,
        limit: u32,
    ) -> Result<Vec<Job>, StoreError> {
        let state = state.map(crate::domain::JobState::as_str);
        let values = args![restore, state, after, limit.min(1000)];
        self.read(JOBS, values).await?.iter().map(jobs::from_row).collect()
    }

    /// What was done for persons on a system from a moment on, in the order in which it was done.
    pub async fn replayable(
        &self,
        system: &str,
        since: Timestamp,
    ) -> Result<Vec<Replayable>, StoreError> {
        self.read(REPLAYABLE, args![system, since]).await?.iter().map(replayable).collect()
    }

    /// Whether a job was ever completed on a system.
    pub async fn has_done_something(&self, system: &str) -> Result<bool, StoreError> {
        Ok(self.read_one(DONE_SOMETHING, args![system]).await?.is_some())
    }

    /// What was last written into a system.
    pub async fn canary(&self, system: &str) -> Result<Option<Canary>, StoreError> {
        let Some(row) = self.read_one(CANARY, args![system]).await? else { return Ok(None) };
        Ok(Some(Canary {
            number: row.whole("number")?,
            written_at: row.instant("written_at")?,
            name: row.get("name")?,
        }))
    }

    /// Systems into which nothing was written since this moment, with when it was last.
    pub async fn canaries_written_before(
        &self,
        moment: Timestamp,
    ) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let rows = self.read(CANARIES_WRITTEN_BEFORE, args![moment]).await?;
        rows.iter().map(|row| Ok((row.get("system")?, row.instant("written_at")?))).collect()
    }

    /// Remembers what was written into a system; what is older is not taken.
    pub async fn remember_canary(&self, system: &str, canary: Canary) -> Result<(), StoreError> {
        let number = count(canary.number, "a canary so large")?;
        let values = args![system, number, canary.written_at, canary.name.as_deref()];
        self.write(REMEMBER_CANARY, values).await?;
        Ok(())
    }
}
