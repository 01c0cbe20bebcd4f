//! Tasks: what a person does by hand for one job. One person says that it is done, another one
//! confirms; then the job wakes up.

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::Store;
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::statement::{Row, Sql, args, words};
use crate::domain::Digest;

words! {
    /// Where a task stands.
    TaskState {
        /// Somebody has to do it.
        Open = "open",
        /// Somebody says that it is done; another person has to confirm.
        Done = "done",
        /// A second person has confirmed.
        Confirmed = "confirmed",
        /// The case was called off.
        CalledOff = "called_off",
    }

    /// What somebody says became of it.
    TaskResult {
        /// What was asked is done.
        Done = "done",
        /// The person is not known there.
        Absent = "absent",
        /// It was refused.
        Refused = "refused",
    }
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The job that it belongs to.
    pub job_id: Uuid,
    /// The case.
    pub case_id: Uuid,
    /// The system.
    pub system: String,
    /// Who has to do it.
    pub assignee: String,
    /// Where it stands.
    pub state: TaskState,
    /// What somebody says became of it.
    pub result: Option<TaskResult>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// By when it has to be done.
    pub due_at: Timestamp,
    /// When somebody was last reminded.
    pub reminded_at: Option<Timestamp>,
    /// Who says that it is done, and when.
    pub done: Option<(String, Timestamp)>,
    /// Digest of what shows it, such as a letter or a screenshot that stays with them.
    pub evidence_sha256: Option<Digest>,
    /// In words, without personal data.
    pub note: Option<String>,
    /// Who confirmed it, and when.
    pub confirmed: Option<(String, Timestamp)>,
}

/// Somebody says that a task is done.
#[derive(Debug, Clone)]
pub struct TaskReport {
    /// The job.
    pub job: Uuid,
    /// What became of it.
    pub result: TaskResult,
    /// Who says so.
    pub by: String,
    /// Digest of what shows it.
    pub evidence_sha256: Option<Digest>,
    /// In words, without personal data.
    pub note: Option<String>,
}

/// What became of a confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskConfirmation {
    /// It is confirmed and the job goes on.
    Confirmed,
    /// There is no such task, or nobody has said that it is done.
    NotDone,
    /// The same person said that it is done; a second person is needed.
    SamePerson,
}

macro_rules! task_columns {
    ($rest:literal) => {
        concat!(
            "SELECT job_id, case_id, system, assignee, state, result, opened_at, due_at,
             reminded_at, done_at, done_by, evidence_sha256, note, confirmed_at, confirmed_by
             FROM tasks ",
            $rest
        )
    };
}

const OPEN: Sql = Sql::both(
    "INSERT INTO tasks (job_id, case_id, system, assignee, state, opened_at, due_at)
     VALUES ($1, $2, $3, $4, 'open', $5, $6) ON CONFLICT (job_id) DO NOTHING",
);
const BY_JOB: Sql = Sql::both(task_columns!("WHERE job_id = $1"));
const LIST: Sql = Sql::both(task_columns!(
    "WHERE state IN ('open', 'done') OR NOT $1 ORDER BY due_at, job_id LIMIT $2"
));
const TO_REMIND: Sql = Sql::both(task_columns!(
    "WHERE state IN ('open', 'done') AND due_at <= $1
       AND (reminded_at IS NULL OR reminded_at <= $2) ORDER BY due_at, job_id LIMIT 1000"
));
const REMINDED: Sql = Sql::both(
    "UPDATE tasks SET reminded_at = $2 WHERE job_id = $1 AND state IN ('open', 'done')
       AND (reminded_at IS NULL OR reminded_at < $2)",
);
const DONE: Sql = Sql::both(
    "UPDATE tasks SET state = 'done', result = $2, done_at = $3, done_by = $4,
         evidence_sha256 = $5, note = $6
     WHERE job_id = $1 AND state = 'open'",
);
const CONFIRM: Sql = Sql::both(
    "UPDATE tasks SET state = 'confirmed', confirmed_at = $2, confirmed_by = $3
     WHERE job_id = $1 AND state = 'done' AND lower(done_by) <> lower($3)",
);
const WAKE_JOB: Sql =
    Sql::both("UPDATE jobs SET available_at = $2 WHERE id = $1 AND state = 'waiting'");
const CALL_OFF: Sql = Sql::both(
    "UPDATE tasks SET state = 'called_off' WHERE job_id = $1 AND state IN ('open', 'done')",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("tasks::OPEN", OPEN),
    ("tasks::BY_JOB", BY_JOB),
    ("tasks::LIST", LIST),
    ("tasks::TO_REMIND", TO_REMIND),
    ("tasks::REMINDED", REMINDED),
    ("tasks::DONE", DONE),
    ("tasks::CONFIRM", CONFIRM),
    ("tasks::WAKE_JOB", WAKE_JOB),
    ("tasks::CALL_OFF", CALL_OFF),
];

fn from_row(row: &Row) -> Result<Task, StoreError> {
    let done_by: Option<String> = row.get("done_by")?;
    let confirmed_by: Option<String> = row.get("confirmed_by")?;
    let evidence: Option<Vec<u8>> = row.get("evidence_sha256")?;
    let corrupt = StoreError::Corrupt { column: "evidence_sha256" };
    Ok(Task {
        job_id: row.get("job_id")?,
        case_id: row.get("case_id")?,
        system: row.get("system")?,
        assignee: row.get("assignee")?,
        state: row.word("state", TaskState::parse)?,
        result: row.maybe_word("result", TaskResult::parse)?,
        opened_at: row.instant("opened_at")?,
        due_at: row.instant("due_at")?,
        reminded_at: row.maybe_instant("reminded_at")?,
        done: done_by.zip(row.maybe_instant("done_at")?),
        evidence_sha256: evidence
            .map(|bytes| bytes.try_into().map(Digest))
            .transpose()
            .map_err(|_| corrupt)?,
        note: row.get("note")?,
        confirmed: confirmed_by.zip(row.maybe_instant("confirmed_at")?),
    })
}

impl Store {
    /// Opens the task of a job; `false` where it is open already.
    pub async fn open_task(
        &self,
        task: &Task,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let values = args![
            task.job_id,
            task.case_id,
            task.system.as_str(),
            task.assignee.as_str(),
            now,
            task.due_at,
        ];
        if tx.execute(OPEN, values).await? == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The task of a job.
    pub async fn task(&self, job: Uuid) -> Result<Option<Task>, StoreError> {
        self.read_one(BY_JOB, args![job]).await?.as_ref().map(from_row).transpose()
    }

    /// Tasks, those that are due first at the top; at most 1000.
    pub async fn list_tasks(&self, open: bool, limit: u32) -> Result<Vec<Task>, StoreError> {
        self.read(LIST, args![open, limit.min(1000)]).await?.iter().map(from_row).collect()
    }

    /// Tasks that are overdue at `now` and of which nobody was reminded after `last`.
    pub async fn tasks_to_remind(
        &self,
        now: Timestamp,
        last: Timestamp,
    ) -> Result<Vec<Task>, StoreError> {
        self.read(TO_REMIND, args![now, last]).await?.iter().map(from_row).collect()
    }

    /// Somebody was reminded of a task; `false` where another replica has done so.
    pub async fn task_reminded(&self, job: Uuid, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.write(REMINDED, args![job, now]).await? == 1)
    }

    /// Somebody says that a task is done; `false` where there is none that is open.
    pub async fn report_task(
        &self,
        report: TaskReport,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let values = args![
            report.job,
            report.result.as_str(),
            now,
            report.by,
            report.evidence_sha256.map(|digest| digest.0.to_vec()),
            report.note,
        ];
        if tx.execute(DONE, values).await? == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// A second person confirms a task, and its job wakes up.
    pub async fn confirm_task(
        &self,
        job: Uuid,
        by: &str,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<TaskConfirmation, StoreError> {
        let mut tx = self.begin().await?;
        if tx.execute(CONFIRM, args![job, now, by]).await? == 0 {
            let task = tx.read_one(BY_JOB, args![job]).await?.as_ref().map(from_row).transpose()?;
            tx.rollback().await?;
            let done = task.is_some_and(|task| task.state == TaskState::Done);
            return Ok(if done { TaskConfirmation::SamePerson } else { TaskConfirmation::NotDone });
        }
        tx.execute(WAKE_JOB, args![job, now]).await?;
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(TaskConfirmation::Confirmed)
    }

    /// A task is not wanted any more; `false` where it was confirmed or called off already.
    pub async fn call_off_task(&self, job: Uuid) -> Result<bool, StoreError> {
        Ok(self.write(CALL_OFF, args![job]).await? == 1)
    }

    /// Makes a waiting job look at once, because somebody has reported; `false` where it does not
    /// wait.
    pub async fn wake_waiting(&self, job: Uuid, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.write(WAKE_JOB, args![job, now]).await? == 1)
    }
}
