//! The parts of a request's page: its systems with their jobs, what is kept, what is not covered,
//! and its letters.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use quietus_connectors::{CollectionOutcome, Counts, Grade, SubjectResult};
use serde::Serialize;
use uuid::Uuid;

use super::cases::FaultFacts;
use crate::app::account::VerificationOnRecord;
use crate::app::mail::list::MailFacts;
use crate::app::over_jobs::decided_as_of;
use crate::app::plan_on_record::PlanOnRecord;
use crate::app::progress::Done;
use crate::app::request::{KeptByLaw, RequestRecord};
use crate::app::{AppError, Quietus};
use crate::domain::{CollectionName, JobState, SystemName};
use crate::plan::{Kept, KeptWhy, forecast};
use crate::store::{Case, Job, JobKind, Letter, Task};

/// What becomes of a request in one system.
#[derive(Debug, Serialize)]
pub struct SystemFacts {
    /// The system.
    pub system: String,
    /// It is somebody else's, who is asked by the name of the person.
    pub third_party: bool,
    /// Its jobs.
    pub jobs: Vec<RequestJobFacts>,
}

/// A job of a request.
#[derive(Debug, Serialize)]
pub struct RequestJobFacts {
    /// Its identifier.
    pub id: Uuid,
    /// `request`, `retained` for what goes later, or `upkeep` for what stays restricted.
    pub kind: &'static str,
    /// Where it stands.
    pub state: JobState,
    /// Attempts so far.
    pub attempt: u32,
    /// When it is tried, asked after or carried out next.
    pub available_at: Timestamp,
    /// What was done, by collection.
    pub done: Vec<CollectionOutcome>,
    /// What a third party said.
    pub said: Vec<SaidFacts>,
    /// It was looked at once more and nothing was found.
    pub verified: bool,
    /// Matters of the holds that stop it.
    pub held_by_matters: Vec<String>,
    /// What went wrong last, where it is not completed.
    pub last_fault: Option<FaultFacts>,
    /// What a person has to do for it.
    pub task: Option<TaskFacts>,
    /// When it became final.
    pub settled_at: Option<Timestamp>,
}

/// A third party's word.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the words of `Testimony`")]
pub struct SaidFacts {
    pub result: SubjectResult,
    pub grade: Grade,
    pub words: String,
    pub at: Timestamp,
}

/// What a person has to do.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the words of `Task`")]
pub struct TaskFacts {
    pub assignee: String,
    pub state: &'static str,
    pub due_at: Timestamp,
    pub done_by: Option<String>,
    pub confirmed_by: Option<String>,
}

/// Records that stay.
#[derive(Debug, Serialize)]
pub struct KeptFacts {
    /// The system.
    pub system: SystemName,
    /// The collection.
    pub collection: CollectionName,
    /// What stays, why, and how many records.
    #[serde(flatten)]
    pub kept: Kept,
    /// They were counted after the rest was gone; before, the number is that of the plan.
    pub counted_afterwards: bool,
    /// When the next of them goes, where that is known.
    pub until: Option<Timestamp>,
    /// When the last of them goes, where that is known and later.
    pub last_until: Option<Timestamp>,
}

/// A system that is not covered.
#[derive(Debug, Serialize)]
pub struct NotCoveredFacts {
    /// The system.
    pub system: String,
    /// Why.
    pub why: String,
}

/// A letter.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the words of `Letter`")]
pub struct LetterFacts {
    pub id: Uuid,
    pub kind: &'static str,
    pub recipient: String,
    pub language: String,
    pub written_at: Timestamp,
    pub delivered_by: Option<String>,
    pub delivery: Option<&'static str>,
    pub delivered_at: Option<Timestamp>,
    pub reason: Option<String>,
    pub mail: Option<MailFacts>,
}

impl LetterFacts {
    /// A letter with the mail by which it goes, where it does.
    pub(super) fn of(letter: Letter, mail: Option<MailFacts>) -> Self {
        let (delivered_by, delivery, delivered_at) = match letter.delivered {
            Some((by, delivery, at)) => (Some(by), Some(delivery.as_str()), Some(at)),
            None => (None, None, None),
        };
        Self {
            id: letter.id,
            kind: letter.kind.as_str(),
            recipient: letter.recipient,
            language: letter.language,
            written_at: letter.written_at,
            delivered_by,
            delivery,
            delivered_at,
            reason: letter.reason,
            mail,
        }
    }
}

impl From<Task> for TaskFacts {
    fn from(task: Task) -> Self {
        Self {
            assignee: task.assignee,
            state: task.state.as_str(),
            due_at: task.due_at,
            done_by: task.done.map(|(by, _)| by),
            confirmed_by: task.confirmed.map(|(by, _)| by),
        }
    }
}

fn done_of(job: &Job) -> Done {
    let done = job.done.clone().and_then(|done| serde_json::from_value(done).ok());
    done.unwrap_or_default()
}

/// What a system counted after it had carried out its part; `None` before.
fn counted_afterwards(job: &Job) -> Option<Counts> {
    let found: VerificationOnRecord = serde_json::from_value(job.verification.clone()?).ok()?;
    found.counted
}

fn job_facts(job: Job, task: Option<Task>) -> RequestJobFacts {
    let total = done_of(&job).total();
    let said = total.testimonies.into_iter().map(|one| SaidFacts {
        result: one.result,
        grade: one.grade,
        words: one.words,
        at: one.at,
    });
    RequestJobFacts {
        id: job.id,
        kind: job.kind.as_str(),
        attempt: job.attempt,
        available_at: job.available_at,
        done: total.collections,
        said: said.collect(),
        // Somebody's word is not a second look.
        verified: job.state == JobState::Completed
            && job.verification.is_some_and(|look| look["found"]["relied_upon"] != true),
        held_by_matters: job.hold_matters,
        last_fault: job.last_fault.filter(|_| job.state != JobState::Completed).map(Into::into),
        task: task.map(Into::into),
        settled_at: job.settled_at,
        state: job.state,
    }
}

impl Quietus {
    /// Jobs by system, in the order of the systems' names.
    pub(super) async fn system_facts(&self, jobs: Vec<Job>) -> Result<Vec<SystemFacts>, AppError> {
        let mut by_system: BTreeMap<String, Vec<RequestJobFacts>> = BTreeMap::new();
        for job in jobs {
            let task = self.store.task(job.id).await?;
            by_system.entry(job.system.clone()).or_default().push(job_facts(job, task));
        }
        let third_party = |name: &str| {
            let known = self.map.systems.values().find(|system| system.name.as_str() == name);
            known.is_some_and(|system| system.third_party.is_some())
        };
        let facts = by_system.into_iter().map(|(system, jobs)| SystemFacts {
            third_party: third_party(&system),
            system,
            jobs,
        });
        Ok(facts.collect())
    }

    /// What minimums, holds and exemptions keep of a person: as it was counted after the rest was
    /// gone, or before that as the plan counted it.
    pub(super) fn kept_facts(
        &self,
        case: &Case,
        jobs: &[Job],
        laws: &[KeptByLaw],
    ) -> Result<Vec<KeptFacts>, AppError> {
        let on_record = PlanOnRecord::of(case)?;
        let mut plan = on_record.plan.clone();
        let mut counts = on_record.counts.clone();
        let mut afterwards = BTreeSet::new();
        for job in jobs {
            let name = SystemName::parse(&job.system);
            if let (Ok(name), Some(counted)) = (name, counted_afterwards(job)) {
                // What was carried out was counted with the law of that day.
                let ordered = done_of(job).ordered.unwrap_or_default();
                for (system, planned) in plan.systems.iter_mut().zip(&on_record.plan.systems) {
                    if system.system == name {
                        system.steps = ordered.steps_of(planned).into_iter().cloned().collect();
                    }
                }
                afterwards.insert(name.clone());
                counts.insert(name, counted);
            }
        }
        let mut facts = Vec::new();
        for system in forecast(&plan, &self.rules, &counts).systems {
            let next = next_to_go(jobs, &system.system);
            let since = decided_as_of(case, jobs, system.system.as_str());
            for collection in system.collections {
                for kept in collection.kept.into_iter().filter(|kept| stays(&kept.why)) {
                    let place = (&system.system, &collection.collection);
                    let law = laws.iter().find(|law| is_of(law, place, &kept));
                    let (until, last_until) = next_and_last(next, law, since);
                    let by_law = matches!(kept.why, KeptWhy::Minimum { .. });
                    facts.push(KeptFacts {
                        system: system.system.clone(),
                        collection: collection.collection.clone(),
                        until: until.filter(|_| by_law),
                        last_until: last_until.filter(|_| by_law),
                        kept,
                        counted_afterwards: afterwards.contains(&system.system),
                    });
                }
            }
        }
        Ok(facts)
    }
}

/// Whether that is a reason for a person's records to stay.
fn stays(why: &KeptWhy) -> bool {
    matches!(
        why,
        KeptWhy::Held
            | KeptWhy::Minimum { .. }
            | KeptWhy::Exempt { .. }
            | KeptWhy::Referenced { .. }
            | KeptWhy::NotReadable { .. }
    )
}

/// Whether a law is the one that keeps this.
fn is_of(law: &KeptByLaw, place: (&SystemName, &CollectionName), kept: &Kept) -> bool {
    let KeptWhy::Minimum { limit, .. } = &kept.why else { return false };
    (law.system.as_str(), law.collection.as_str()) == (place.0.as_str(), place.1.as_str())
        && law.limit == *limit
        && kept.category.as_ref().is_some_and(|category| law.category == category.as_str())
}

/// When the next and the last go of what a law keeps, once a job waits for the next of its system.
fn next_and_last(
    next: Option<Timestamp>,
    law: Option<&KeptByLaw>,
    since: Timestamp,
) -> (Option<Timestamp>, Option<Timestamp>) {
    let Some(next) = next else { return (None, None) };
    let own = law.and_then(|law| law.ends_after(since).first().copied()).unwrap_or(next);
    let last = law.and_then(|law| law.until).filter(|last| *last > own);
    (Some(own), last)
}

/// When the first job begins that erases what a minimum has kept in a system.
fn next_to_go(jobs: &[Job], system: &SystemName) -> Option<Timestamp> {
    let retained = jobs.iter().filter(|job| {
        job.kind == JobKind::Retained
            && job.state == JobState::Scheduled
            && job.system == system.as_str()
    });
    retained.map(|job| job.available_at).min()
}

/// Systems that are not covered: those that the plan has left out, before that those that were
/// found to be out of reach.
pub(super) fn not_covered(
    record: &RequestRecord,
    case: Option<&Case>,
) -> Result<Vec<NotCoveredFacts>, AppError> {
    if let Some(case) = case {
        let left_out = PlanOnRecord::of(case)?.plan.left_out.into_iter();
        let facts =
            left_out.map(|one| NotCoveredFacts { system: one.system.to_string(), why: one.why });
        return Ok(facts.collect());
    }
    let facts = record.not_covered.iter().map(|system| NotCoveredFacts {
        system: system.clone(),
        why: "no known identity reaches it".to_owned(),
    });
    Ok(facts.collect())
}
