//! Tasks that people do by hand: listing them, showing to whoever does one whom it is about, saying
//! that it is done, confirming it as a second person, and reminding of what is overdue.
//!
//! The sheet is the one place where a task names the person; every look at it is on record.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use quietus_connectors::Identity;
use serde_json::{Value, json};
use uuid::Uuid;

use super::fire::SCHEDULER;
use super::recording::About;
use super::request::OpenRequest;
use super::{Actor, AppError, Quietus};
use crate::datamap::{System, ThirdParty};
use crate::domain::{AskedRight, Digest, JobState};
use crate::evidence::EvidenceKind;
use crate::store::{
    Delivery, OutboxEntry, Task, TaskConfirmation, TaskReport, TaskResult, TaskState,
};

/// Most tasks in a list.
const MOST_LISTED: u32 = 1000;
/// Somebody is reminded of an overdue task so often.
const REMINDED_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// What a person is known by, for doors that know no connector.
pub type TaskIdentity = Identity;

/// A task as it is listed: it names nobody whom it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTask {
    /// As the store has it.
    pub task: Task,
    /// The time to do it is over.
    pub overdue: bool,
}

impl ListedTask {
    /// The word for where it stands: `overdue` where it is open or unconfirmed beyond its date.
    pub fn standing(&self) -> &'static str {
        if self.overdue { "overdue" } else { self.task.state.as_str() }
    }
}

/// Everything that whoever does a task needs. It names the person, and does not print.
#[derive(Clone)]
pub struct TaskSheet {
    /// The task.
    pub listed: ListedTask,
    /// The third party, as the data map names it.
    pub operator: String,
    /// What to do, in words.
    pub instructions: String,
    /// What the person asked.
    pub asked: AskedRight,
    /// The request.
    pub request: Uuid,
    /// What the person is known by there.
    pub identities: Vec<Identity>,
}

/// How somebody who wants to see a task's sheet came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Onlooker {
    /// By name on the command line: has to be the one who does it.
    Named(Actor),
    /// With an operator's token.
    Operator(Actor),
}

impl Onlooker {
    fn actor(&self) -> &Actor {
        match self {
            Self::Named(actor) | Self::Operator(actor) => actor,
        }
    }
}

/// How whoever says or confirms something came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By name at the console, or with a token.
    Named,
    /// By the link of this mail.
    Link(Uuid),
}

impl Way {
    /// Adds it to what is put on record.
    fn onto(self, mut detail: Value) -> Value {
        if let Self::Link(mail) = self {
            detail["way"] = "link of a mail".into();
            detail["mail"] = mail.to_string().into();
        }
        detail
    }
}

/// What somebody says of a task.
#[derive(Debug, Clone)]
pub struct SaidOfTask {
    /// What became of it.
    pub result: TaskResult,
    /// Digest of what shows it.
    pub evidence_sha256: Option<Digest>,
    /// In words, without personal data.
    pub note: Option<String>,
}

impl Quietus {
    /// Tasks, those that are due first at the top; at most 1000.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn tasks(&self, open: bool) -> Result<Vec<ListedTask>, AppError> {
        let mut listed = Vec::new();
        for task in self.store.list_tasks(open, MOST_LISTED).await? {
            let task = self.still_wanted(task).await?;
            if !open || is_pending(&task) {
                listed.push(self.listed(task));
            }
        }
        Ok(listed)
    }

    /// Whether there is such a task.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn has_task(&self, job: Uuid) -> Result<bool, AppError> {
        Ok(self.store.task(job).await?.is_some())
    }

    /// The sheet of a task, with what the person is known by. The look is put on record first,
    /// without any value.
    ///
    /// # Errors
    /// Where there is no such task, it is over, somebody else has to do it, or the person is
    /// forgotten.
    pub async fn task_sheet(&self, job: Uuid, who: &Onlooker) -> Result<TaskSheet, AppError> {
        let task = self.pending_task(job).await?;
        if let Onlooker::Named(actor) = who
            && !same_person(&actor.0, &task.assignee)
        {
            return Err(AppError::Input(format!(
                "task `{job}` is for `{}`: only whoever does it is shown whom it is about",
                task.assignee
            )));
        }
        let (_, third_party) = self.third_party_of(&task.system)?;
        let manual = third_party.task.as_ref().ok_or_else(|| not_by_hand(&task.system))?;
        let (request, identities) = self.whom_on_record(&task, who.actor(), json!({})).await?;
        Ok(TaskSheet {
            operator: third_party.operator.clone(),
            instructions: manual.instructions.clone(),
            asked: request.stored.asked,
            request: request.stored.id,
            identities,
            listed: self.listed(task),
        })
    }

    /// What the person of a task is known by there; the look is put on record first, with how
    /// whoever looks came in, and without any value.
    pub(super) async fn whom_on_record(
        &self,
        task: &Task,
        actor: &Actor,
        way: Value,
    ) -> Result<(OpenRequest, Vec<Identity>), AppError> {
        let (_, third_party) = self.third_party_of(&task.system)?;
        let stored = self.store.request_of_case(task.case_id).await?;
        let request = self.open_request(stored.ok_or_else(|| AppError::Unreadable {
            what: "a task",
            why: "its request is missing".to_owned(),
        })?)?;
        let sought = self.sought(&request)?;
        let subject = sought.subject(&third_party.identities);
        let identities = subject.map(|subject| subject.identities).unwrap_or_default();
        let kinds: BTreeSet<&str> = identities.iter().map(|one| one.kind.as_str()).collect();
        let mut looked = way;
        looked["identityTypes"] = json!(kinds);
        let look = self.task_entry(task, "shown with whom it is about", actor, &looked)?;
        self.store.record_evidence(vec![look], self.now()).await?;
        Ok((request, identities))
    }

    /// Somebody says that a task is done, or why it cannot be.
    ///
    /// # Errors
    /// Where there is no such task, it is not open, or nothing shows what became of it.
    pub async fn report_task(
        &self,
        job: Uuid,
        said: SaidOfTask,
        actor: &Actor,
    ) -> Result<(), AppError> {
        self.report_task_by(job, said, actor, Way::Named).await
    }

    /// The same, with how whoever says it came in.
    pub(super) async fn report_task_by(
        &self,
        job: Uuid,
        said: SaidOfTask,
        actor: &Actor,
        way: Way,
    ) -> Result<(), AppError> {
        let task = self.pending_task(job).await?;
        if said.evidence_sha256.is_none() && said.note.is_none() {
            return Err(AppError::Input(
                "say what shows it: name a file, of which only the digest is kept, or write a note"
                    .to_owned(),
            ));
        }
        let detail = json!({
            "result": said.result.as_str(),
            "evidenceSha256": said.evidence_sha256,
            "note": said.note,
        });
        let detail = way.onto(detail);
        let evidence = self.task_entry(&task, "said to be done", actor, &detail)?;
        let report = TaskReport {
            job,
            result: said.result,
            by: actor.0.clone(),
            evidence_sha256: said.evidence_sha256,
            note: said.note,
        };
        if self.store.report_task(report, self.now(), vec![evidence]).await? {
            // Whoever confirms it is told.
            self.wake.up();
            return Ok(());
        }
        Err(AppError::Input(format!(
            "somebody has said before what became of task `{job}`: a second person confirms it with `quietus task confirm {job}`"
        )))
    }

    /// A second person confirms what somebody said; the job goes on at once.
    ///
    /// # Errors
    /// Where there is no such task, nobody has said that it is done, or the same person did.
    pub async fn confirm_task(&self, job: Uuid, actor: &Actor) -> Result<(), AppError> {
        self.confirm_task_by(job, actor, Way::Named).await
    }

    /// The same, with how whoever confirms it came in.
    pub(super) async fn confirm_task_by(
        &self,
        job: Uuid,
        actor: &Actor,
        way: Way,
    ) -> Result<(), AppError> {
        let task = self.pending_task(job).await?;
        let same = || {
            AppError::Input(format!(
                "`{}` said what became of task `{job}`: somebody else has to confirm it",
                actor.0
            ))
        };
        let said_by = task.done.as_ref().map(|(by, _)| by.clone());
        if said_by.as_ref().is_some_and(|by| same_person(by, &actor.0)) {
            return Err(same());
        }
        let detail = way.onto(json!({ "saidBy": said_by }));
        let evidence = self.task_entry(&task, "confirmed", actor, &detail)?;
        match self.store.confirm_task(job, &actor.0, self.now(), vec![evidence]).await? {
            TaskConfirmation::Confirmed => {}
            TaskConfirmation::SamePerson => return Err(same()),
            TaskConfirmation::NotDone => {
                return Err(AppError::Input(format!(
                    "nobody has said yet what became of task `{job}`: first `quietus task done {job}`"
                )));
            }
        }
        self.wake.up();
        self.told_by_hand(&task, said_by).await;
        Ok(())
    }

    /// Reminds once a day of every task that is overdue, in the log and in evidence; never names
    /// the person. Tasks of jobs that were called off are called off.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn remind_of_tasks(&self) -> Result<(), AppError> {
        let now = self.now();
        let last = now.checked_sub(REMINDED_EVERY).unwrap_or(Timestamp::MIN);
        for task in self.store.tasks_to_remind(now, last).await? {
            let task = self.still_wanted(task).await?;
            if !is_pending(&task) || !self.store.task_reminded(task.job_id, now).await? {
                continue;
            }
            tracing::warn!(
                job = %task.job_id, system = %task.system, assignee = %task.assignee,
                due_at = %task.due_at, state = %task.state,
                "a task is overdue: see `quietus task list`"
            );
            let engine = Actor(SCHEDULER.to_owned());
            let detail = json!({ "assignee": task.assignee, "dueAt": task.due_at });
            let evidence = self.task_entry(&task, "overdue, reminded", &engine, &detail)?;
            self.store.record_evidence(vec![evidence], now).await?;
        }
        Ok(())
    }

    /// A task that is still to be done or confirmed.
    async fn pending_task(&self, job: Uuid) -> Result<Task, AppError> {
        let Some(task) = self.store.task(job).await? else {
            return Err(AppError::Input(format!(
                "there is no task `{job}`: see `quietus task list`"
            )));
        };
        let task = self.still_wanted(task).await?;
        if is_pending(&task) {
            return Ok(task);
        }
        let state = task.state.as_str().replace('_', " ");
        Err(AppError::Input(format!("task `{job}` is {state}: nothing is left to do about it")))
    }

    /// A task as it is; called off where its job is.
    pub(super) async fn still_wanted(&self, task: Task) -> Result<Task, AppError> {
        if !is_pending(&task) {
            return Ok(task);
        }
        let job = self.store.job(task.job_id).await?;
        let called_off = job
            .is_some_and(|job| job.state == JobState::Cancelled || job.cancel_requested.is_some());
        if !called_off || !self.store.call_off_task(task.job_id).await? {
            return Ok(task);
        }
        // The job ends now, and not when it would have looked at the task again.
        self.store.wake_waiting(task.job_id, self.now()).await?;
        self.wake.up();
        let engine = Actor(SCHEDULER.to_owned());
        let evidence = self.task_entry(&task, "called off with its case", &engine, &Value::Null)?;
        self.store.record_evidence(vec![evidence], self.now()).await?;
        Ok(Task { state: TaskState::CalledOff, ..task })
    }

    fn listed(&self, task: Task) -> ListedTask {
        let overdue = is_pending(&task) && task.due_at <= self.now();
        ListedTask { task, overdue }
    }

    pub(super) fn third_party_of(&self, system: &str) -> Result<(&System, &ThirdParty), AppError> {
        let system = self.system(system)?;
        let third_party = system.third_party.as_ref();
        Ok((system, third_party.ok_or_else(|| not_by_hand(system.name.as_str()))?))
    }

    /// Whoever did the task has told the third party: its notice is delivered.
    async fn told_by_hand(&self, task: &Task, by: Option<String>) {
        let by = by.unwrap_or_else(|| task.assignee.clone());
        let told = self.recipient_told(task.case_id, &task.system, &by, Delivery::Hand).await;
        if let Err(error) = told {
            tracing::error!(job = %task.job_id, %error, "a notice could not be marked as delivered");
        }
    }

    pub(super) fn task_entry(
        &self,
        task: &Task,
        what: &str,
        actor: &Actor,
        detail: &Value,
    ) -> Result<OutboxEntry, AppError> {
        self.record(
            EvidenceKind::TaskChanged,
            About { case: Some(task.case_id), job: Some(task.job_id) },
            &json!({
                "case": task.case_id,
                "job": task.job_id,
                "system": task.system,
                "what": what,
                "by": actor.0,
                "detail": detail,
            }),
        )
    }
}

/// What became of a task, as the interfaces write it.
pub fn task_result(word: &str) -> Option<TaskResult> {
    TaskResult::parse(word)
}

/// Whether somebody still has to do or to confirm it.
pub(super) fn is_pending(task: &Task) -> bool {
    matches!(task.state, TaskState::Open | TaskState::Done)
}

/// Names are the same whatever their capitals and the space around them.
pub(super) fn same_person(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

fn not_by_hand(system: &str) -> AppError {
    AppError::Input(format!(
        "system `{system}` is not worked on by hand any more: write its `task` back into the data map, or call its case off"
    ))
}
