//! What is remembered of requests between asking and the end, without anything that identifies a
//! person: the name of an order's undertaking.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::opendsr::intake::Authenticated;
use crate::opendsr::protocol::{Downstream, OutcomeWord, RequestStatus, StatusAnswer};
use crate::receipt::{Outcome, Receipt};
use crate::subject::{Grade, Proof, SubjectResult, Testimony};

/// Nobody is asked again sooner than this, unless an answer is due then.
const SHORTEST_WAIT: SignedDuration = SignedDuration::from_secs(10);
/// Nobody is asked again later than this, unless they want it.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(24);
/// Between two questions when nobody said when it will be over.
const USUAL_WAIT: SignedDuration = SignedDuration::from_hours(6);

/// The text is no reference of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reference is not one of an OpenDSR processor")]
pub struct NotAReference;

/// A proof, with its chain of certificates kept once for all requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeptProof {
    document_sha256: String,
    signature: String,
    /// Place in [`Reference::certificates`].
    certificates: usize,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Ending {
    result: SubjectResult,
    at: Timestamp,
    words: String,
    /// The signed word on the end.
    proof: Option<KeptProof>,
}

/// One request, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undertaking {
    /// Which subject of the order.
    pub subject: String,
    /// The request; `None` where nothing could be asked.
    pub request: Option<Uuid>,
    /// Last known state.
    pub status: RequestStatus,
    /// When the processor expects to be done.
    pub expected_at: Option<Timestamp>,
    /// Names of identities that the processor does not take.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    skipped: Vec<String>,
    /// The signed word that the request was taken in.
    proof: Option<KeptProof>,
    ending: Option<Ending>,
}

impl Undertaking {
    /// It has ended.
    pub fn is_over(&self) -> bool {
        self.ending.is_some()
    }

    /// The processor expected to be done by now and is not: somebody should ask.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        !self.is_over() && self.expected_at.is_some_and(|expected| expected < now)
    }
}

/// All requests of one order. It is written into `Receipt::Pending` as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The processor's domain.
    pub domain: String,
    /// Chains of certificates as PEM.
    certificates: Vec<String>,
    /// The requests, in the order of the subjects.
    pub requests: Vec<Undertaking>,
    /// Place of the request that is asked after first, so that a processor that bears few
    /// questions at a time does not hear the same few every time.
    #[serde(default)]
    begin: usize,
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Text, numbers and lists can always be written.
        formatter.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl Reference {
    pub(super) fn new(domain: &str) -> Self {
        Self { domain: domain.to_owned(), certificates: Vec::new(), requests: Vec::new(), begin: 0 }
    }

    /// Reads a reference.
    ///
    /// # Errors
    /// Where it is none.
    pub fn read(text: &str) -> Result<Self, NotAReference> {
        serde_json::from_str(text).map_err(|_| NotAReference)
    }

    /// Ids of the requests that have not ended, in the order in which to ask after them.
    pub fn open(&self) -> Vec<Uuid> {
        let (after, first) = self.requests.split_at(self.begin.min(self.requests.len()));
        let open = first.iter().chain(after).filter(|one| !one.is_over());
        open.filter_map(|one| one.request).collect()
    }

    /// Next time this request is asked after first.
    pub(super) fn begin_with(&mut self, request: Uuid) {
        let place = self.requests.iter().position(|one| one.request == Some(request));
        self.begin = place.unwrap_or(0);
    }

    /// When the processor expects to have ended the first of those that are open.
    pub fn expected_at(&self) -> Option<Timestamp> {
        let open = self.requests.iter().filter(|one| !one.is_over());
        open.filter_map(|one| one.expected_at).min()
    }

    /// Requests that the processor should have ended by now.
    pub fn overdue(&self, now: Timestamp) -> impl Iterator<Item = &Undertaking> {
        self.requests.iter().filter(move |one| one.is_overdue(now))
    }

    /// Adds a request that was taken in.
    pub(super) fn taken(
        &mut self,
        subject: &str,
        request: Uuid,
        skipped: &[String],
        expected_at: Option<Timestamp>,
        proof: Option<Proof>,
    ) {
        let proof = proof.and_then(|proof| self.keep(proof));
        self.requests.push(Undertaking {
            subject: subject.to_owned(),
            request: Some(request),
            status: RequestStatus::Pending,
            expected_at,
            skipped: skipped.to_vec(),
            proof,
            ending: None,
        });
    }

    /// Adds what is over before it began.
    pub(super) fn refused(
        &mut self,
        subject: &str,
        request: Option<Uuid>,
        now: Timestamp,
        words: String,
    ) {
        let ending = Ending { result: SubjectResult::Refused, at: now, words, proof: None };
        self.requests.push(Undertaking {
            subject: subject.to_owned(),
            request,
            status: RequestStatus::Cancelled,
            expected_at: None,
            skipped: Vec::new(),
            proof: None,
            ending: Some(ending),
        });
    }

    /// The processor does not know the request any more.
    pub(super) fn lost(&mut self, request: Uuid, now: Timestamp, words: &str) {
        if let Some(one) = self.open_one(request) {
            let words = words.to_owned();
            one.ending =
                Some(Ending { result: SubjectResult::Refused, at: now, words, proof: None });
        }
    }

    /// Writes down what a callback said that was believed. `false` where it is not about an open
    /// request of this order.
    pub fn record_callback(&mut self, callback: &Authenticated, now: Timestamp) -> bool {
        let ours = callback.domain.eq_ignore_ascii_case(&self.domain)
            && self.open_one(callback.id).is_some();
        if ours {
            self.record(callback.id, &callback.says, Some(callback.proof.clone()), now);
        }
        ours
    }

    /// Writes down how a request stands. A state that is behind the known one changes nothing.
    pub(super) fn record(
        &mut self,
        request: Uuid,
        says: &StatusAnswer,
        proof: Option<Proof>,
        now: Timestamp,
    ) {
        let proof = proof.and_then(|proof| self.keep(proof));
        let domain = self.domain.clone();
        let Some(one) = self.open_one(request) else { return };
        if says.status.is_some_and(|status| status < one.status) {
            return;
        }
        if let Some(status) = says.status {
            one.status = status;
        }
        one.expected_at = says.expected_at.or(one.expected_at);
        if let Some((result, words)) = ending(&domain, says) {
            one.ending = Some(Ending { result, at: now, words, proof });
        }
    }

    fn open_one(&mut self, request: Uuid) -> Option<&mut Undertaking> {
        self.requests.iter_mut().find(|one| one.request == Some(request) && !one.is_over())
    }

    fn keep(&mut self, proof: Proof) -> Option<KeptProof> {
        let certificates = proof.certificates?;
        let place = self.certificates.iter().position(|known| *known == certificates);
        let place = place.unwrap_or_else(|| {
            self.certificates.push(certificates);
            self.certificates.len() - 1
        });
        let document_sha256 = proof.document_sha256;
        Some(KeptProof { document_sha256, signature: proof.signature?, certificates: place })
    }

    fn give(&self, kept: &KeptProof) -> Proof {
        Proof {
            format: "opendsr".to_owned(),
            document_sha256: kept.document_sha256.clone(),
            signature: Some(kept.signature.clone()),
            certificates: self.certificates.get(kept.certificates).cloned(),
        }
    }

    /// Why requests ended, without repetition.
    pub(super) fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        for ending in self.requests.iter().filter_map(|one| one.ending.as_ref()) {
            if !reasons.contains(&ending.words) {
                reasons.push(ending.words.clone());
            }
        }
        reasons
    }

    /// What the order's receipt is now: done when every request has ended, else pending.
    /// `pause` is what the processor wants to be left alone for, `answer_by` the latest moment at
    /// which an answer is of use.
    pub fn receipt(
        &self,
        now: Timestamp,
        pause: Option<SignedDuration>,
        answer_by: Option<Timestamp>,
    ) -> Receipt {
        if self.requests.iter().all(Undertaking::is_over) {
            let testimonies = self.testimonies();
            return Receipt::Done(Outcome { testimonies, ..Outcome::default() });
        }
        let mut wait = wait(now, self.expected_at());
        if let Some(left) =
            answer_by.map(|at| at.duration_since(now)).filter(SignedDuration::is_positive)
        {
            wait = wait.min(left.max(SHORTEST_WAIT));
        }
        let wait = pause.map_or(wait, |pause| wait.max(pause));
        let ask_at = now.saturating_add(wait).unwrap_or(now);
        Receipt::Pending { reference: self.to_string(), ask_at }
    }

    /// One word for each person, in the order of the subjects.
    fn testimonies(&self) -> Vec<Testimony> {
        let mut subjects: Vec<&str> = Vec::new();
        for one in &self.requests {
            if !subjects.contains(&one.subject.as_str()) {
                subjects.push(&one.subject);
            }
        }
        subjects.into_iter().filter_map(|subject| self.testimony(subject)).collect()
    }

    /// The word on one person: a refusal of one request is a refusal, and the weakest grade counts.
    fn testimony(&self, subject: &str) -> Option<Testimony> {
        let all = || self.requests.iter().filter(|one| one.subject == subject);
        let endings: Vec<&Ending> = all().filter_map(|one| one.ending.as_ref()).collect();
        let has = |result| endings.iter().any(|ending| ending.result == result);
        let result = if has(SubjectResult::Refused) {
            SubjectResult::Refused
        } else if has(SubjectResult::Done) {
            SubjectResult::Done
        } else {
            SubjectResult::Absent
        };
        let signed = endings.iter().all(|ending| ending.proof.is_some());
        let mut words: Vec<String> = Vec::new();
        for ending in &endings {
            if !words.contains(&ending.words) {
                words.push(ending.words.clone());
            }
        }
        let on_the_end = endings.iter().find_map(|ending| ending.proof.as_ref());
        let on_the_beginning = all().find_map(|one| one.proof.as_ref());
        if !signed && on_the_beginning.is_some() {
            words.push("signed is only that the request was taken in".to_owned());
        }
        let mut skipped: Vec<String> =
            all().flat_map(|one| &one.skipped).map(|name| format!("`{name}`")).collect();
        skipped.sort();
        skipped.dedup();
        if !skipped.is_empty() {
            words.push(format!("not told, because it is not taken: {}", skipped.join(", ")));
        }
        let kept = if signed { on_the_end } else { on_the_beginning.or(on_the_end) };
        Some(Testimony {
            subject: subject.to_owned(),
            result,
            grade: if signed { Grade::Signed } else { Grade::Reported },
            at: endings.iter().map(|ending| ending.at).max()?,
            words: words.join("; "),
            proof: kept.map(|kept| self.give(kept)),
        })
    }
}

/// How an answer ends a request, if it does.
fn ending(domain: &str, says: &StatusAnswer) -> Option<(SubjectResult, String)> {
    let with_partners = |words: String| match says.downstream.map(Downstream::words) {
        Some(partners) if !partners.is_empty() => format!("{words}; its own partners: {partners}"),
        _ => words,
    };
    match says.status {
        Some(RequestStatus::Pending | RequestStatus::InProgress) => None,
        Some(RequestStatus::Cancelled) => Some((
            SubjectResult::Refused,
            format!("the request was cancelled at `{domain}`: nothing may have been erased"),
        )),
        Some(RequestStatus::Completed) => {
            let Some(report) = &says.outcome else {
                return Some((
                    SubjectResult::Done,
                    with_partners(format!("completed by `{domain}`")),
                ));
            };
            let (result, words) = match report.outcome {
                OutcomeWord::Fulfilled => {
                    (SubjectResult::Done, format!("everything was erased by `{domain}`"))
                }
                OutcomeWord::PartiallyRetained => (
                    SubjectResult::Refused,
                    format!(
                        "erased in part by `{domain}`, which keeps {}",
                        report.retained_words()
                    ),
                ),
                OutcomeWord::Refused => {
                    (SubjectResult::Refused, format!("`{domain}` refuses and erased nothing"))
                }
                OutcomeWord::NotFound => {
                    (SubjectResult::Absent, format!("`{domain}` knows nobody of this name"))
                }
            };
            Some((result, with_partners(words)))
        }
        None => {
            let word = says.unknown_status.as_deref().unwrap_or("none that can be repeated");
            let words = format!(
                "`{domain}` answers with a state that OpenDSR does not have (`{word}`): ask what \
                 became of it"
            );
            Some((SubjectResult::Refused, words))
        }
    }
}

/// A quarter of the time that is left, so that questions come closer together towards the end;
/// when the time is over, half of what it is over.
fn wait(now: Timestamp, expected: Option<Timestamp>) -> SignedDuration {
    let Some(expected) = expected else { return USUAL_WAIT };
    let left = expected.duration_since(now);
    if left.is_positive() {
        (left / 4).clamp(SHORTEST_WAIT, LONGEST_WAIT)
    } else {
        (left.abs() / 2).clamp(SHORTEST_WAIT, USUAL_WAIT)
    }
}
