//! The requests that the processor was brought, how far they are, and what it does for them with
//! its own contacts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use quietus_connectors::opendsr::intake::{
    Admission, CallbackHosts, Complaint, IntakeRules, Standing, admit, expected_completion,
    mark_of, read_submission,
};
use quietus_connectors::opendsr::protocol::{
    Format, IdentityType, OutcomeReport, OutcomeWord, RequestStatus, RequestType, SupportedIdentity,
};
use quietus_connectors::{Fault, sample};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{DIALECT, DOMAIN};

/// How long it takes for a request.
const TAKES: SignedDuration = SignedDuration::from_hours(24);
/// The law's month, as far as this processor counts it.
const MONTH: SignedDuration = SignedDuration::from_hours(30 * 24);
const ERASE: &str = "DELETE FROM contacts WHERE lower(email) = lower(?1)";

/// A request that was taken in.
#[derive(Clone)]
pub(super) struct Taken {
    pub(super) id: Uuid,
    pub(super) received_at: Timestamp,
    pub(super) expected_at: Timestamp,
    sha256: [u8; 32],
    mark: [u8; 32],
    /// Whom it is about; nobody any more once it is over.
    addresses: Vec<String>,
    status: RequestStatus,
    outcome: Option<OutcomeReport>,
}

/// All requests.
pub(super) struct Requests {
    contacts: PathBuf,
    key: [u8; 32],
    taken: Mutex<BTreeMap<Uuid, Taken>>,
    /// Every state that was told, in the order of the questions.
    told: Mutex<Vec<&'static str>>,
}

/// What it takes: erasure by an address of mail.
pub(super) fn rules() -> IntakeRules {
    let kind = IdentityType::read_known("email");
    IntakeRules {
        domain: DOMAIN.to_owned(),
        request_types: vec![RequestType::Erasure],
        identities: kind
            .map(|kind| SupportedIdentity { kind, format: Format::Raw })
            .into_iter()
            .collect(),
        earliest_submission: Timestamp::UNIX_EPOCH,
        callback_hosts: CallbackHosts::default(),
        most_callbacks: 0,
    }
}

impl Requests {
    /// None yet. `key` keeps the marks of requests from being guessed.
    pub(super) fn new(contacts: PathBuf, key: [u8; 32]) -> Self {
        Self { contacts, key, taken: Mutex::default(), told: Mutex::default() }
    }

    /// Takes a request in, or says what is wrong with it.
    pub(super) async fn take_in(&self, body: &[u8], now: Timestamp) -> Result<Taken, Complaint> {
        let submission = read_submission(&rules(), DIALECT, body, now)?;
        let request = &submission.request;
        let mark = mark_of(request, &self.key);
        let mut all = self.taken.lock().await;
        let known = all.get(&request.id);
        let under_way = all.values().any(|one| one.mark == mark && !one.status.is_final());
        match (admit(submission.sha256, known.map(|one| one.sha256), under_way), known) {
            (Admission::Again, Some(known)) => return Ok(known.clone()),
            (Admission::UnderWay, _) => return Err(Complaint::under_way()),
            (Admission::New, _) => {}
            (Admission::Again | Admission::Duplicate, _) => return Err(Complaint::duplicate()),
        }
        let legal_latest = request.submitted_at.checked_add(MONTH).unwrap_or(now);
        let planned = now.checked_add(TAKES).ok();
        let taken = Taken {
            id: request.id,
            received_at: now,
            expected_at: expected_completion(legal_latest, planned),
            sha256: submission.sha256,
            mark,
            addresses: request.identities.iter().map(|one| one.value.clone()).collect(),
            status: RequestStatus::Pending,
            outcome: None,
        };
        all.insert(taken.id, taken.clone());
        Ok(taken)
    }

    /// Begins with what came in, and erases whose day is over.
    pub(super) async fn work(&self, now: Timestamp) -> Result<(), Fault> {
        let mut all = self.taken.lock().await;
        for one in all.values_mut().filter(|one| !one.status.is_final()) {
            one.status = RequestStatus::InProgress;
            if now < one.expected_at {
                continue;
            }
            let mut erased = 0;
            for address in &one.addresses {
                erased += sample::change(&self.contacts, ERASE, address).await?;
            }
            let outcome = if erased > 0 { OutcomeWord::Fulfilled } else { OutcomeWord::NotFound };
            one.outcome =
                Some(OutcomeReport { outcome, retained: Vec::new(), certificate_url: None });
            one.status = RequestStatus::Completed;
            one.addresses.clear();
        }
        Ok(())
    }

    /// How a request stands; `None` where there is none of this identifier.
    pub(super) async fn standing(&self, id: Uuid) -> Option<Standing> {
        let one = self.taken.lock().await.get(&id).cloned()?;
        self.told.lock().await.push(one.status.as_str());
        Some(Standing {
            id,
            status: one.status,
            expected_at: one.expected_at,
            outcome: one.outcome,
        })
    }

    /// Every state that was told so far.
    pub(super) async fn told(&self) -> Vec<&'static str> {
        self.told.lock().await.clone()
    }
}
