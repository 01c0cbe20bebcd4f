//! What a vendor carries out later: its names for it, kept in a reference without identities, and
//! asking after it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Processor;
use super::answers::read;
use super::definition::{Action, Meaning};
use super::exchange::{Filling, Trouble};
use super::looking::Sight;
use super::preparing::context;
use super::telling::{Tally, Verdict, refusal};
use super::template::Values;
use crate::order::Order;
use crate::outbound::Effect;
use crate::receipt::{Fault, Outcome, Receipt};
use crate::subject::{Grade, Subject, SubjectAction, SubjectResult};

/// Where a definition says nothing, it is asked again after an hour.
const ASK_AFTER_SECONDS: u32 = 3_600;

/// A pause that a vendor asks for is not longer than a week.
const LONGEST_PAUSE_SECONDS: i64 = 7 * 24 * 3_600;

/// What is under way, and what has been said already.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Undertaking {
    /// The vendor's names for what is under way, each with the persons it is about.
    jobs: BTreeMap<String, BTreeSet<String>>,
    /// Persons for some of whose records the vendor has said no.
    #[serde(default)]
    refused: BTreeMap<String, String>,
    /// What has been said of the others.
    told: Outcome,
    /// Records asked for so far.
    #[serde(default)]
    pub records: u64,
    /// Something is under way that persons of other orders are in as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_company: bool,
    /// A pause that the vendor asked for, in milliseconds.
    #[serde(skip)]
    pub pause_ms: u64,
}

impl Undertaking {
    /// Nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// From now on something is under way for a person.
    pub fn begin(&mut self, references: &[String], subject: &str) {
        for reference in references {
            self.jobs.entry(reference.clone()).or_default().insert(subject.to_owned());
        }
    }

    /// The vendor has said no to some of a person's records while others are under way.
    pub fn refuse(&mut self, subject: &str, words: &str) {
        self.refused.insert(subject.to_owned(), words.to_owned());
    }

    /// Something is under way for a person.
    pub fn waits_for(&self, subject: &str) -> bool {
        self.jobs.values().any(|people| people.contains(subject))
    }

    /// The reference that finds it again, with all that has been said so far.
    pub fn reference(mut self, told: &Outcome) -> String {
        self.told = told.clone();
        serde_json::to_string(&self).unwrap_or_default()
    }

    fn read(reference: &str) -> Option<Self> {
        serde_json::from_str(reference).ok()
    }

    /// Persons for whom something is still under way.
    fn waiting(&self) -> BTreeSet<&String> {
        self.jobs.values().flatten().collect()
    }
}

/// The vendor's names for what is under way, from the reference that a receipt gave; empty where it
/// is none of ours.
pub fn names_under_way(reference: &str) -> Vec<String> {
    Undertaking::read(reference).map(|one| one.jobs.into_keys().collect()).unwrap_or_default()
}

/// What a job has come to.
enum Come {
    /// With the definition's words, perhaps none.
    Done(String),
    Absent,
    Refused(String),
    Pending(u64),
}

impl Processor {
    /// When to ask again.
    pub(super) fn ask_at(&self, action: &Action, pause_ms: u64) -> Timestamp {
        let of_steps = action.steps.iter().filter_map(|step| step.ask_after_seconds).max();
        let of_follow = action.follow.as_ref().and_then(|follow| follow.ask_after_seconds);
        let seconds = i64::from(of_follow.or(of_steps).unwrap_or(ASK_AFTER_SECONDS));
        let pause = i64::try_from(pause_ms / 1_000).unwrap_or(LONGEST_PAUSE_SECONDS);
        let seconds = seconds.max(pause).min(LONGEST_PAUSE_SECONDS);
        let now = (self.now)();
        now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(now)
    }

    /// Asks after everything that is under way.
    ///
    /// # Errors
    /// Where the vendor cannot be asked, or the reference is none of ours.
    pub(super) async fn ask_after(&self, order: &Order, reference: &str) -> Result<Receipt, Fault> {
        let persons = self.persons(order)?;
        let wrong = |why: &str| Fault::Rejected {
            message: format!("system `{}`: {why}: open the order again", self.system),
        };
        let mut undertaking =
            Undertaking::read(reference).ok_or_else(|| wrong("the reference cannot be read"))?;
        let action = self.definition.action(persons.action);
        let Some(action) = action.filter(|action| action.follow.is_some()) else {
            return Err(wrong("nothing of this kind is carried out later"));
        };
        let context = context(order, persons);
        let before: BTreeSet<String> = undertaking.waiting().into_iter().cloned().collect();
        let mut done: BTreeMap<String, String> = BTreeMap::new();
        for (job, people) in undertaking.jobs.clone() {
            match self.come(action, &job, &context).await? {
                Come::Pending(pause_ms) => {
                    undertaking.pause_ms = undertaking.pause_ms.max(pause_ms);
                    continue;
                }
                Come::Done(said) => done.extend(people.into_iter().map(|one| (one, said.clone()))),
                Come::Absent => {}
                // A no to many says nothing of any one of them.
                Come::Refused(said) if undertaking.in_company => {
                    return Ok(Receipt::Again { why: format!("{said}: it is asked by itself") });
                }
                Come::Refused(said) => {
                    let refused = people.into_iter().map(|one| (one, said.clone()));
                    undertaking.refused.extend(refused);
                }
            }
            undertaking.jobs.remove(&job);
        }
        let still: BTreeSet<String> = undertaking.waiting().into_iter().cloned().collect();
        let mut tally = Tally::resume(persons.action, std::mem::take(&mut undertaking.told));
        for name in before.difference(&still) {
            let Some(subject) = persons.subjects.iter().find(|one| one.reference == *name) else {
                return Err(wrong("the reference names a person that the order does not"));
            };
            let verdict = if let Some(words) = undertaking.refused.remove(name) {
                Verdict::refused(words)
            } else {
                let said = done.get(name).map(String::as_str);
                self.ended(persons.action, action, subject, &context, said).await
            };
            tally.add(name, verdict, (self.now)());
        }
        if undertaking.is_empty() {
            return Ok(Receipt::Done(tally.outcome));
        }
        let ask_at = self.ask_at(action, undertaking.pause_ms);
        Ok(Receipt::Pending { reference: undertaking.reference(&tally.outcome), ask_at })
    }

    /// Asks after one job.
    async fn come(&self, action: &Action, job: &str, context: &Values) -> Result<Come, Fault> {
        let Some(follow) = &action.follow else { return Ok(Come::Pending(0)) };
        let mut filling = Filling { values: context.clone(), ..Filling::default() };
        filling.values.insert("reference".to_owned(), job.to_owned());
        let reply = match self.exchange.ask(follow, &filling, Effect::Reads).await {
            Ok(reply) => reply,
            Err(Trouble::Fault(fault)) => return Err(fault),
            Err(Trouble::Unfit(unfit)) => return Ok(Come::Refused(unfit.0)),
        };
        let said = match read(&reply, &follow.answers) {
            Ok(said) => said,
            Err(Fault::Rejected { message }) => {
                return Ok(Come::Refused(format!("{message} when asked after the undertaking")));
            }
            Err(other) => return Err(other),
        };
        Ok(match said.meaning {
            Meaning::Done => Come::Done(said.words.unwrap_or_default()),
            Meaning::Absent => Come::Absent,
            Meaning::Refused => Come::Refused(refusal(&said)),
            Meaning::Pending | Meaning::Present | Meaning::Later => {
                Come::Pending(reply.retry_after_ms().unwrap_or(0))
            }
        })
    }

    /// All jobs of a person have ended, and none with a no. `said` are the words of one that was
    /// done; `None` where each found nothing.
    async fn ended(
        &self,
        kind: SubjectAction,
        action: &Action,
        subject: &Subject,
        context: &Values,
        said: Option<&str>,
    ) -> Verdict {
        let vendor = &self.definition.vendor;
        let (grade, seen) = match self.look_for(kind, action, subject, context).await {
            Ok(Sight::Settled) => (Grade::Verified, ", and it was so when asked again"),
            Ok(Sight::Open(_)) => (Grade::Reported, "; it was not yet so when asked at once"),
            Ok(Sight::Blind) => (Grade::Reported, ""),
            Err(_) => (Grade::Reported, "; it could not be asked again at once"),
        };
        let (result, words) = match said {
            None => (SubjectResult::Absent, format!("{vendor} has no such record")),
            Some("") => (SubjectResult::Done, format!("{vendor} reported the job as done")),
            Some(said) => {
                (SubjectResult::Done, format!("{vendor} reported the job as done: {said}"))
            }
        };
        let records = u64::from(result == SubjectResult::Done);
        Verdict { result, grade, words: format!("{words}{seen}"), records }
    }
}
