//! What is remembered of a request: an open part that names nobody, and a sealed part that does.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use quietus_connectors::{Identity, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::drilled::Drilled;
use super::fee::Fee;
use super::kept_by_law::KeptByLaw;
use super::objection::Verdict;
use crate::app::epochs::{OpenKey, open_key};
use crate::app::vault::Vault;
use crate::app::{AppError, Quietus};
use crate::domain::{
    AskedRight, Assurance, CategoryName, Digest, EpochName, RequestOutcome, RequestState,
};
use crate::rights::{ClockStop, Deadlines, Extended};
use crate::store::{OutboxEntry, Request, RequestChange, RequestKey};

/// Purpose under which a request's own key is wrapped.
const KEY_PURPOSE: &str = "request key";
/// Purpose under which the part that names the person is sealed.
const PERSON_PURPOSE: &str = "person";

/// Who asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Requester {
    /// The person.
    #[default]
    Person,
    /// Whoever has parental responsibility or guardianship.
    Guardian,
    /// A close relative of somebody who died (PIPL article 49).
    Relative,
    /// An authorised agent.
    Agent,
}

/// How somebody made sure who is asking. Never a copy of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityCheck {
    /// How sure.
    pub assurance: Assurance,
    /// How, in a word (`login`, `call-back`, `eid`).
    pub method: String,
    /// Where it is on record, such as the number of a ticket.
    pub reference: Option<String>,
    /// Who made sure.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What somebody decided about a request, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// Who.
    pub by: String,
    /// Why, without personal data.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// What two persons refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refuses {
    /// The request, of which nothing has been carried out.
    Request,
    /// An objection whose data are restricted; they are used again then.
    Objection,
}

/// The open part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// It is a drill's: its person was invented.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<Drilled>,
    /// Under which law.
    pub regime: String,
    /// By which way it came (`web`, `mail`, `phone`, `opendsr`, …).
    pub channel: String,
    /// Who asks.
    pub requester: Requester,
    /// On what ground, such as `Art. 17(1)(b)`.
    pub ground: Option<String>,
    /// Language of the letters.
    pub language: String,
    /// Only these categories; `None` is all.
    pub categories: Option<BTreeSet<CategoryName>>,
    /// Types of the identities that were given.
    pub identity_types: BTreeSet<String>,
    /// How somebody made sure who is asking.
    pub check: Option<IdentityCheck>,
    /// Until when it can be taken back.
    pub cooling_off_until: Option<Timestamp>,
    /// Times during which the clock stood.
    #[serde(default)]
    pub stops: Vec<ClockStop>,
    /// Whether the time was prolonged.
    #[serde(default)]
    pub extended: Extended,
    /// Why it was prolonged.
    #[serde(default)]
    pub extension: Option<Decided>,
    /// The dates as they were last counted.
    pub deadlines: Deadlines,
    /// A refusal that waits for a second person, or was agreed to.
    #[serde(default)]
    pub refusal: Option<Decided>,
    /// What is refused by it: whoever agrees to one thing agrees to nothing else. `None` where there
    /// is none, or where an earlier version wrote it down; then nobody can say what was proposed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuses: Option<Refuses>,
    /// How it ended, and by whom.
    #[serde(default)]
    pub ended: Option<Decided>,
    /// The second person behind a refusal.
    #[serde(default)]
    pub second_person: Option<String>,
    /// Why a person has to look at it, without personal data.
    #[serde(default)]
    pub needs: Option<String>,
    /// Somebody has said which of several persons is meant: from then on only identities count of
    /// which a person has one.
    #[serde(default)]
    pub told_apart: bool,
    /// A fee that it costs, or was proposed for it.
    #[serde(default)]
    pub fee: Option<Fee>,
    /// The day on which the log was told last that it presses.
    #[serde(default)]
    pub alarmed_on: Option<jiff::civil::Date>,
    /// How an objection was decided.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// The request whose decision this one carries out.
    #[serde(default)]
    pub follows: Option<Uuid>,
    /// The request that carries out what was decided about this one.
    #[serde(default)]
    pub followed_by: Option<Uuid>,
    /// The request whose case ended its restriction: a lifting, or the erasure after an objection.
    /// Nothing is restricted under this one any more. Versions of before did not write it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restriction_ended_by: Option<Uuid>,
    /// Systems that no known identity reaches, by name: they are not covered.
    #[serde(default)]
    pub not_covered: BTreeSet<String>,
    /// Systems that could not be asked yet what they know.
    #[serde(default)]
    pub not_asked: BTreeSet<String>,
    /// When the case was opened, some system could not be asked what it knows: before the case is
    /// certified, every system is asked again by all that is known by then.
    #[serde(default)]
    pub incomplete: bool,
    /// How many records of the person were found when the case was opened.
    #[serde(default)]
    pub found: u64,
    /// What minimums keep of the person, and until when, as it was found.
    #[serde(default)]
    pub kept: Vec<KeptByLaw>,
    /// By which law that was found, by system (`digest_of_law`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kept_under: BTreeMap<String, Digest>,
}

impl RequestRecord {
    /// The open part of a stored request.
    pub(crate) fn of(stored: &Request) -> Result<Self, AppError> {
        serde_json::from_value(stored.body.clone()).map_err(|error| unreadable(&error))
    }

    /// As the store keeps it.
    pub(super) fn stored(&self) -> Result<serde_json::Value, AppError> {
        serde_json::to_value(self).map_err(|error| unreadable(&error))
    }
}

/// The sealed part: it names the person, and does not print.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// What the person gave.
    pub given: BTreeSet<Identity>,
    /// The same as it was typed: a system may hold just that spelling.
    #[serde(default)]
    pub typed: BTreeSet<Identity>,
    /// What systems knew beside.
    #[serde(default)]
    pub learned: BTreeSet<Identity>,
    /// By what a later look has found them, where that was not what is known.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub found_by: BTreeSet<Identity>,
    /// Keys of the person's records that nothing else names, by system and collection.
    #[serde(default)]
    pub records: BTreeMap<String, BTreeMap<String, BTreeSet<Vec<Value>>>>,
    /// By what each system was asked last; only of a request that is incomplete.
    #[serde(default)]
    pub asked_by: BTreeMap<String, BTreeSet<Identity>>,
    /// Where letters go.
    #[serde(default)]
    pub contact: Option<String>,
    /// The opening file of each certificate, by which it is shown whom it is about.
    #[serde(default)]
    pub openings: BTreeMap<Uuid, String>,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Person({} identities)", self.given.len() + self.learned.len())
    }
}

impl Person {
    /// Whether there are records in a system that only their keys name.
    pub(crate) fn has_keys(&self, system: &str) -> bool {
        let collections = self.records.get(system);
        collections.is_some_and(|all| all.values().any(|keys| !keys.is_empty()))
    }

    /// Everything that is known, by identity type.
    pub fn known(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for identity in self.given.iter().chain(&self.learned) {
            known.entry(identity.kind.clone()).or_default().insert(identity.value.clone());
        }
        known
    }
}

/// A request's own key, wrapped with the key of an epoch.
pub(super) struct WrappedKey {
    pub(super) epoch: EpochName,
    pub(super) wrapped: Vec<u8>,
}

/// A request with its two parts opened.
#[derive(Debug, Clone)]
pub struct OpenRequest {
    /// As the store has it.
    pub stored: Request,
    /// The open part.
    pub record: RequestRecord,
    /// The sealed part; `None` once the person is forgotten.
    pub person: Option<Person>,
}

impl OpenRequest {
    /// The sealed part, or why there is none.
    ///
    /// # Errors
    /// Where the person is forgotten.
    pub fn person(&self) -> Result<&Person, AppError> {
        self.person.as_ref().ok_or_else(|| {
            AppError::Input(format!(
                "the person of request `{}` is forgotten: nothing more can be done under it",
                self.stored.id
            ))
        })
    }
}

/// Where a request goes from here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move {
    pub(super) state: RequestState,
    pub(super) outcome: Option<RequestOutcome>,
    pub(super) look_at: Option<Timestamp>,
    pub(super) case_id: Option<Uuid>,
}

impl Move {
    /// It stays where it is.
    pub(super) fn stay(request: &Request) -> Self {
        Self {
            state: request.state,
            outcome: request.outcome,
            look_at: request.look_at,
            case_id: request.case_id,
        }
    }

    pub(super) fn to(request: &Request, state: RequestState) -> Self {
        Self { state, outcome: None, look_at: None, case_id: request.case_id }
    }

    pub(super) fn closed(request: &Request, outcome: RequestOutcome) -> Self {
        let state = RequestState::Closed;
        Self { state, outcome: Some(outcome), look_at: None, case_id: request.case_id }
    }
}

impl Quietus {
    /// A new key for a request: the vault that it opens, and the key wrapped with that of an epoch.
    pub(super) fn new_request_key(&self) -> Result<(Vault, WrappedKey), AppError> {
        let key = OpenKey::new(self.ids.random());
        let (epoch, wrapped) = self.epochs.wrap(KEY_PURPOSE, &key, self.ids.random())?;
        Ok((Vault::new(&key)?, WrappedKey { epoch, wrapped }))
    }

    /// The key of a request, wrapped anew with that of the current epoch; `from` wraps it so far,
    /// or the vault's secret.
    pub(crate) fn rewrap_request_key(
        &self,
        from: Option<&EpochName>,
        key: &RequestKey,
    ) -> Result<RequestKey, AppError> {
        let opened = self.unwrap_request_key(from, &key.wrapped)?;
        let (_, wrapped) = self.epochs.wrap(KEY_PURPOSE, &opened, self.ids.random())?;
        Ok(RequestKey { wrapped, ..key.clone() })
    }

    pub(crate) fn unwrap_request_key(
        &self,
        epoch: Option<&EpochName>,
        wrapped: &[u8],
    ) -> Result<OpenKey, AppError> {
        match epoch {
            Some(epoch) => self.epochs.unwrap(KEY_PURPOSE, epoch, wrapped),
            None => open_key(&self.vault, KEY_PURPOSE, wrapped),
        }
    }

    /// The vault of a request's own key; `None` once it is destroyed.
    pub(crate) fn request_vault(&self, request: &Request) -> Result<Option<Vault>, AppError> {
        let Some(wrapped) = &request.wrapped_key else { return Ok(None) };
        let key = self.unwrap_request_key(request.key_epoch.as_ref(), wrapped)?;
        Ok(Some(Vault::new(&key)?))
    }

    pub(super) fn seal_person(&self, vault: &Vault, person: &Person) -> Result<Vec<u8>, AppError> {
        Ok(vault.seal(PERSON_PURPOSE, person, self.ids.random())?)
    }

    /// Opens both parts of a request.
    ///
    /// # Errors
    /// Where one of them does not open.
    pub fn open_request(&self, stored: Request) -> Result<OpenRequest, AppError> {
        let record = RequestRecord::of(&stored)?;
        let person = match (self.request_vault(&stored)?, &stored.sealed) {
            (Some(vault), Some(sealed)) => Some(vault.open(PERSON_PURPOSE, sealed)?),
            _ => None,
        };
        Ok(OpenRequest { stored, record, person })
    }

    /// The request with this identifier.
    ///
    /// # Errors
    /// Where there is none.
    pub async fn rights_request(&self, id: Uuid) -> Result<OpenRequest, AppError> {
        let stored = self.store.request(id).await?;
        self.open_request(stored.ok_or_else(|| {
            AppError::Input(format!("there is no request `{id}`: see `quietus request list`"))
        })?)
    }

    /// The change that brings a request from what was read to what it is now.
    pub(super) fn change_of(
        &self,
        request: &OpenRequest,
        next: Move,
    ) -> Result<RequestChange, AppError> {
        let sealed = match (&request.person, self.request_vault(&request.stored)?) {
            (Some(person), Some(vault)) => Some(self.seal_person(&vault, person)?),
            _ => None,
        };
        Ok(RequestChange {
            id: request.stored.id,
            version: request.stored.version,
            state: next.state,
            outcome: next.outcome,
            look_at: next.look_at,
            case_id: next.case_id,
            body: request.record.stored()?,
            sealed,
        })
    }

    /// A request that people close without a case has nothing left to do: its person is forgotten in
    /// time. What a case closes is decided with its certificate.
    fn forgetting(&self, request: &OpenRequest, next: Move) -> Move {
        let closes = next.state == RequestState::Closed
            && request.stored.state != RequestState::Closed
            && next.case_id.is_none();
        if closes { Move { look_at: Some(self.forget_at()), ..next } } else { next }
    }

    /// Writes a change with its evidence.
    pub(super) async fn keep_request(
        &self,
        request: &OpenRequest,
        next: Move,
        evidence: Vec<OutboxEntry>,
    ) -> Result<(), AppError> {
        let change = self.change_of(request, self.forgetting(request, next))?;
        if self.store.change_request(change, self.now(), evidence).await? {
            self.wake.up();
            self.write_due_letters(request.stored.id).await;
            return Ok(());
        }
        Err(AppError::Input(format!(
            "somebody else has just changed request `{}`: look at it and try again",
            request.stored.id
        )))
    }
}

fn unreadable(error: &serde_json::Error) -> AppError {
    AppError::Unreadable { what: "a request", why: error.to_string() }
}

/// Whether the engine carries a right out by itself; the others are handed to a person.
pub fn is_carried_out(asked: AskedRight) -> bool {
    matches!(
        asked,
        AskedRight::Erasure | AskedRight::Restriction | AskedRight::Lifting | AskedRight::Objection
    )
}
