//! Systems that only a person can reach: the order becomes a task, and the job waits until one
//! person says that it is done and another one has confirmed it.
//!
//! Nothing is looked at again: what is claimed is somebody's word, and it is graded so.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use quietus_connectors::{
    Capabilities, Connector, Counts, Direction, Fault, Grade, Health, Order, Outcome, Progress,
    Proof, Receipt, Schema, SubjectRequest, SubjectResult, Testimony, Verification,
};
use serde_json::json;
use uuid::Uuid;

use super::Quietus;
use super::recording::{About, Recorder};
use crate::datamap::third_party::MANUAL;
use crate::datamap::{ManualTask, System, ThirdParty};
use crate::domain::{Clock, Rounding};
use crate::evidence::EvidenceKind;
use crate::store::{Store, StoreError, Task, TaskResult, TaskState};

/// What a waiting job is asked after; the job itself names the task.
const REFERENCE: &str = "task";
/// A waiting job looks at its task at least so often, also when nobody wakes it.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(24);

/// A system that a person works on by hand.
pub(super) struct ByHand {
    system: String,
    task: ManualTask,
    identities: Vec<String>,
    zone: TimeZone,
    store: Store,
    clock: Arc<dyn Clock>,
    recorder: Recorder,
}

impl Quietus {
    /// The connector of a system that a person works on by hand.
    pub(super) fn by_hand(
        &self,
        system: &System,
        third_party: &ThirdParty,
        task: &ManualTask,
    ) -> ByHand {
        ByHand {
            system: system.name.to_string(),
            task: task.clone(),
            identities: third_party.identities.iter().cloned().collect(),
            zone: self.zone.clone(),
            store: self.store.clone(),
            clock: Arc::clone(&self.clock),
            recorder: self.recorder(),
        }
    }
}

impl ByHand {
    /// Opens the task of a job, unless that was done before.
    async fn open(&self, job: Uuid, persons: &SubjectRequest) -> Result<Task, Fault> {
        let now = self.clock.now();
        let agreed = self.task.due_in.due_at(now, Rounding::None, &self.zone);
        let due_at = persons.answer_by.map_or(agreed, |latest| latest.min(agreed));
        let stored = self.store.job(job).await.map_err(|error| fault_of_store(&error))?;
        let case_id = stored.ok_or_else(|| unknown_job(job))?.case_id;
        let task = Task {
            job_id: job,
            case_id,
            system: self.system.clone(),
            assignee: self.task.assignee.clone(),
            state: TaskState::Open,
            result: None,
            opened_at: now,
            due_at,
            reminded_at: None,
            done: None,
            evidence_sha256: None,
            note: None,
            confirmed: None,
        };
        let evidence = self
            .recorder
            .record(
                EvidenceKind::TaskChanged,
                About { case: Some(case_id), job: Some(job) },
                &json!({
                    "case": case_id,
                    "job": job,
                    "system": self.system,
                    "what": "opened",
                    "action": persons.action.as_str(),
                    "assignee": task.assignee,
                    "dueAt": due_at,
                }),
            )
            .map_err(|error| Fault::Misconfigured { message: error.to_string() })?;
        let opened = self.store.open_task(&task, now, vec![evidence]).await;
        if opened.map_err(|error| fault_of_store(&error))? {
            return Ok(task);
        }
        self.read(job).await
    }

    async fn read(&self, job: Uuid) -> Result<Task, Fault> {
        let task = self.store.task(job).await.map_err(|error| fault_of_store(&error))?;
        task.ok_or_else(|| unknown_job(job))
    }

    /// What the task says now.
    fn receipt(&self, task: &Task, persons: &SubjectRequest) -> Result<Receipt, Fault> {
        if task.state == TaskState::CalledOff {
            return Err(Fault::Rejected { message: "the task was called off".to_owned() });
        }
        let (Some((_, at)), Some(result)) = (&task.confirmed, task.result) else {
            let ask_at = next_look(task.due_at, self.clock.now());
            return Ok(Receipt::Pending { reference: REFERENCE.to_owned(), ask_at });
        };
        let testimony = |subject: &str| Testimony {
            subject: subject.to_owned(),
            result: result_of(result),
            grade: Grade::Told,
            at: *at,
            words: task.note.clone().unwrap_or_else(|| words_of(result).to_owned()),
            proof: task.evidence_sha256.map(|digest| Proof {
                format: "file".to_owned(),
                document_sha256: hex::encode(digest.0),
                signature: None,
                certificates: None,
            }),
        };
        let testimonies =
            persons.subjects.iter().map(|subject| testimony(&subject.reference)).collect();
        Ok(Receipt::Done(Outcome { testimonies, ..Outcome::default() }))
    }
}

/// When a job looks at a task that is not confirmed: when it is due, and then once a day.
fn next_look(due_at: Timestamp, now: Timestamp) -> Timestamp {
    let latest = now.checked_add(LONGEST_WAIT).unwrap_or(Timestamp::MAX);
    if due_at > now { due_at.min(latest) } else { latest }
}

fn result_of(result: TaskResult) -> SubjectResult {
    match result {
        TaskResult::Done => SubjectResult::Done,
        TaskResult::Absent => SubjectResult::Absent,
        TaskResult::Refused => SubjectResult::Refused,
    }
}

fn words_of(result: TaskResult) -> &'static str {
    match result {
        TaskResult::Done => "a person says that it is done",
        TaskResult::Absent => "a person says that nothing is held there",
        TaskResult::Refused => "a person says that it was refused",
    }
}

/// The job that an order belongs to: its key begins with it.
fn job_of(order: &Order) -> Result<Uuid, Fault> {
    let job = order.key.get(..32).and_then(|digits| Uuid::try_parse(digits).ok());
    job.ok_or_else(|| Fault::Misconfigured {
        message: "only the order of a job becomes a task".to_owned(),
    })
}

fn persons_of(order: &Order) -> Result<&SubjectRequest, Fault> {
    order.persons.as_ref().ok_or_else(|| Fault::Misconfigured {
        message: "a person does something only on a person's request".to_owned(),
    })
}

fn unknown_job(job: Uuid) -> Fault {
    Fault::Misconfigured { message: format!("job `{job}` has no task") }
}

fn fault_of_store(error: &StoreError) -> Fault {
    Fault::Transient { message: error.to_string(), retry_after_ms: None }
}

#[async_trait]
impl Connector for ByHand {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            kind: MANUAL.to_owned(),
            erasure_grade: "told".to_owned(),
            residues: vec!["what the person who did it has not seen".to_owned()],
            can_verify: false,
            identities: self.identities.clone(),
        }
    }

    async fn check(&self, _order: &Order) -> Result<Health, Fault> {
        Ok(Health { product: format!("by hand: {}", self.task.assignee), ..Health::default() })
    }

    async fn describe(&self) -> Result<Schema, Fault> {
        Ok(Schema { product: "by hand".to_owned(), ..Schema::default() })
    }

    /// Nobody can count what only a person sees.
    async fn preview(&self, _order: &Order) -> Result<Counts, Fault> {
        Ok(Counts::default())
    }

    async fn execute(&self, order: &Order, progress: &dyn Progress) -> Result<Receipt, Fault> {
        let (job, persons) = (job_of(order)?, persons_of(order)?);
        // What somebody has been told to do cannot be called back.
        if progress.before_sending().await == Direction::Stop {
            return Ok(Receipt::Stopped(Outcome::default()));
        }
        let task = self.open(job, persons).await?;
        self.receipt(&task, persons)
    }

    async fn follow(&self, order: &Order, _reference: &str) -> Result<Receipt, Fault> {
        let (job, persons) = (job_of(order)?, persons_of(order)?);
        self.receipt(&self.read(job).await?, persons)
    }

    async fn verify(&self, _order: &Order) -> Result<Verification, Fault> {
        Ok(Verification {
            method: "a person said so and a second person confirmed".to_owned(),
            relied_upon: true,
            ..Verification::default()
        })
    }

    async fn forget(&self, _order_key: &str) -> Result<(), Fault> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_task_is_looked_at_when_it_is_due_and_at_least_once_a_day() {
        let now = at("2026-11-23T12:00:00Z");
        let cases = [
            ("2026-11-23T18:00:00Z", "2026-11-23T18:00:00Z"),
            ("2026-12-03T12:00:00Z", "2026-11-24T12:00:00Z"),
            ("2026-11-23T12:00:00Z", "2026-11-24T12:00:00Z"),
            ("2026-11-01T12:00:00Z", "2026-11-24T12:00:00Z"),
        ];
        for (due_at, expected) in cases {
            assert_eq!(next_look(at(due_at), now), at(expected), "due {due_at}");
        }
    }

    #[test]
    fn the_key_of_an_order_names_its_job() {
        let order = |key: &str| Order {
            key: key.to_owned(),
            attempt: 1,
            moment: Timestamp::UNIX_EPOCH,
            instructions: Vec::new(),
            lists: Vec::new(),
            pace: quietus_connectors::Pace::default(),
            most_records: None,
            persons: None,
        };
        let job = Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0001);
        assert_eq!(job_of(&order(&format!("{}-2", job.simple()))), Ok(job));
        for wrong in ["preview", "", "0198-2", "ä198000000007000800000000000001-1"] {
            assert!(job_of(&order(wrong)).is_err(), "{wrong}");
        }
        assert!(persons_of(&order("preview")).is_err());
    }
}
