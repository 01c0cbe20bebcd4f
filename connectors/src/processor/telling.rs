//! What is said of each person: testimonies, and an outcome that adds them up.

use jiff::Timestamp;

use super::answers::Said;
use crate::receipt::{CollectionOutcome, Outcome};
use crate::subject::{Grade, SubjectAction, SubjectResult, Testimony};

/// A no, in words.
pub(super) fn refusal(said: &Said) -> String {
    said.words.clone().unwrap_or_else(|| format!("it said no with {}", said.status))
}

/// Not now, in words.
pub(super) fn busy(said: &Said) -> String {
    said.words.clone().unwrap_or_else(|| format!("it is busy, with {}", said.status))
}

/// What became of one person, before it is dated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub result: SubjectResult,
    pub grade: Grade,
    pub words: String,
    /// Records changed for the person.
    pub records: u64,
}

impl Verdict {
    /// The vendor says no, or we do not ask; the words say which and why.
    pub fn refused(words: impl Into<String>) -> Self {
        let words = words.into();
        Self { result: SubjectResult::Refused, grade: Grade::Reported, words, records: 0 }
    }
}

/// Adds up what is said while an order is carried out.
pub(super) struct Tally {
    action: SubjectAction,
    /// What has been said and counted so far.
    pub outcome: Outcome,
}

impl Tally {
    /// Records are counted under `collection`, where the data map has one.
    pub fn new(action: SubjectAction, collection: Option<String>) -> Self {
        let collections = collection
            .map(|collection| CollectionOutcome { collection, ..CollectionOutcome::default() })
            .into_iter()
            .collect();
        Self { action, outcome: Outcome { collections, ..Outcome::default() } }
    }

    /// Goes on with what has been said so far.
    pub fn resume(action: SubjectAction, outcome: Outcome) -> Self {
        Self { action, outcome }
    }

    /// Adds one person.
    pub fn add(&mut self, subject: &str, verdict: Verdict, at: Timestamp) {
        if let Some(collection) = self.outcome.collections.first_mut() {
            let count = match self.action {
                SubjectAction::Erase => &mut collection.deleted,
                SubjectAction::Restrict => &mut collection.restricted,
                SubjectAction::Lift => &mut collection.lifted,
            };
            *count += verdict.records;
        }
        self.outcome.testimonies.push(Testimony {
            subject: subject.to_owned(),
            result: verdict.result,
            grade: verdict.grade,
            at,
            words: verdict.words,
            proof: None,
        });
    }
}
