//! Taking in: what somebody asks becomes a request with its dates, or is refused with the reason.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::drilled::Drilled;
use super::known_again::{content_digest, content_of};
use super::objection::is_direct_marketing;
use super::record::{IdentityCheck, OpenRequest, Person, RequestRecord, Requester, is_carried_out};
use crate::app::recording::About;
use crate::app::{Actor, AppError, Quietus};
use crate::config::AssuranceNeeded;
use crate::domain::{
    AskedRight, Assurance, CategoryName, Digest, RequestState, RetentionPeriod, Rounding, normalise,
};
use crate::evidence::EvidenceKind;
use crate::rights::{ClockStop, Deadlines, Extended, Promise, WorkingCalendar, deadlines};
use crate::store::{NewOpendsrRequest, NewRequest, OutboxEntry, TakenIn};

/// The controller's own door, in contrast to those of others who bring requests.
pub const OWN_DOOR: &str = "controller";
/// Most identities that one request may name.
const MOST_IDENTITIES: usize = 50;
/// Longest name that a source may give a request, in bytes.
const LONGEST_NAME: usize = 200;

/// What somebody asks.
pub struct TakeIn {
    /// What is asked.
    pub asked: AskedRight,
    /// What the person is known by: pairs of an identity type and a value, as they were given.
    pub identities: Vec<(String, String)>,
    /// When the person asked; `None` is now. It starts the law's clock.
    pub received_at: Option<Timestamp>,
    /// By which way it came.
    pub channel: String,
    /// Who asks.
    pub requester: Requester,
    /// On what ground.
    pub ground: Option<String>,
    /// Under which law; `None` is the instance's own.
    pub regime: Option<String>,
    /// Language of the letters; `None` is English.
    pub language: Option<String>,
    /// Only these categories.
    pub categories: Option<BTreeSet<CategoryName>>,
    /// Where letters go.
    pub contact: Option<String>,
    /// How somebody made sure who is asking, if that is known already.
    pub check: Option<(Assurance, String, Option<String>)>,
    /// Who brings it; `None` is the controller's own door.
    pub source: Option<String>,
    /// What the source calls it; bringing it again under this name is answered the same.
    pub external_id: Option<String>,
    /// Who types it in.
    pub actor: Actor,
}

/// What a request of another controller brings along.
pub(crate) struct OnBehalf {
    /// What is written with it; when it is expected to be over is counted as it is taken in.
    pub(crate) brought: NewOpendsrRequest,
    /// Keyed digest of what is asked and for which identities: the same under way is refused.
    pub(crate) mark: Digest,
    /// How long it can be cancelled; `None` is not at all.
    pub(crate) cooling_off: Option<RetentionPeriod>,
}

/// What became of it.
#[derive(Debug, Clone)]
pub enum Taken {
    /// It is on record.
    New(Box<OpenRequest>),
    /// It was on record already; this is how it stands.
    Same(Box<OpenRequest>),
    /// The same person asks the same and that is under way.
    UnderWay(Uuid),
}

impl Quietus {
    /// Takes a request in.
    ///
    /// # Errors
    /// Where it names nobody, an identity type that no system knows, an unknown law or category, a
    /// moment in the future, or another request under the same name.
    pub async fn take_in(&self, asked: TakeIn) -> Result<Taken, AppError> {
        self.take_in_through(asked, None).await
    }

    /// Takes a request in that the person, or another controller on behalf of a person, brings.
    pub(crate) async fn take_in_through(
        &self,
        asked: TakeIn,
        on_behalf: Option<OnBehalf>,
    ) -> Result<Taken, AppError> {
        self.take_in_as(asked, on_behalf, None).await
    }

    /// Takes the request of a drill in: nobody has to be asked who its person is, nor given time to
    /// take it back.
    pub(crate) async fn take_in_drill(
        &self,
        asked: TakeIn,
        drill: Drilled,
    ) -> Result<Taken, AppError> {
        self.take_in_as(asked, None, Some(drill)).await
    }

    async fn take_in_as(
        &self,
        asked: TakeIn,
        on_behalf: Option<OnBehalf>,
        drill: Option<Drilled>,
    ) -> Result<Taken, AppError> {
        let now = self.now();
        let received_at = asked.received_at.unwrap_or(now);
        if received_at > now {
            return Err(AppError::Input(
                "the request arrived in the future: write when the person asked".to_owned(),
            ));
        }
        let given = self.identities_of(&asked.identities)?;
        self.check_categories(asked.categories.as_ref())?;
        let regime = asked.regime.clone().unwrap_or_else(|| self.instance.requests.regime.clone());
        let record = self.first_record(&asked, &given, regime, received_at)?;
        let record = self.with_cooling_off_of((on_behalf.as_ref(), drill), record);
        if is_direct_marketing(asked.asked, &record) && record.categories.is_none() {
            return Err(AppError::Input(
                "an objection to direct marketing erases what serves it: name the categories, such as `marketing.contact`".to_owned(),
            ));
        }
        let (state, id) = (self.first_state(asked.asked, &record), self.ids.new_id());
        let source = asked.source.unwrap_or_else(|| OWN_DOOR.to_owned());
        let external_id = asked.external_id.unwrap_or_else(|| id.to_string());
        if external_id.is_empty() || external_id.len() > LONGEST_NAME {
            return Err(AppError::Input(format!(
                "the name that its source gives a request has 1 to {LONGEST_NAME} bytes"
            )));
        }
        let typed = typed(&asked.identities);
        let person = Person { given, typed, contact: asked.contact, ..Person::default() };
        let content = content_of(asked.asked, &person, &record);
        let (vault, own_key) = self.new_request_key()?;
        let (tags, compared) = self.marked(&vault, &person, on_behalf.as_ref()).await?;
        let evidence = self.record_request(id, asked.asked, &record, &asked.actor, received_at)?;
        let new_request = NewRequest {
            id,
            source: source.clone(),
            external_id: external_id.clone(),
            content_digest: content_digest(&vault, &content)?,
            asked: asked.asked,
            state,
            received_at,
            look_at: first_look(state, &record, now),
            body: record.stored()?,
            sealed: self.seal_person(&vault, &person)?,
            wrapped_key: own_key.wrapped,
            key_epoch: Some(own_key.epoch),
            tags,
            compared,
        };
        let brought = on_behalf.map(|other| NewOpendsrRequest {
            expected_at: self.expected_at(&record.deadlines),
            ..other.brought
        });
        match self.put_on_record(new_request, brought, evidence).await? {
            TakenIn::New => {
                self.wake.up();
                self.write_due_letters(id).await;
                Ok(Taken::New(Box::new(self.rights_request(id).await?)))
            }
            TakenIn::Same(earlier) => {
                self.write_due_letters(earlier.id).await;
                Ok(Taken::Same(Box::new(self.open_request(*earlier)?)))
            }
            TakenIn::UnderWay(earlier) => Ok(Taken::UnderWay(earlier)),
            TakenIn::Differs => {
                let earlier = self.the_same(&source, &external_id, &content).await?;
                self.write_due_letters(earlier.stored.id).await;
                Ok(Taken::Same(Box::new(earlier)))
            }
        }
    }

    async fn put_on_record(
        &self,
        request: NewRequest,
        brought: Option<NewOpendsrRequest>,
        evidence: OutboxEntry,
    ) -> Result<TakenIn, AppError> {
        let (now, evidence) = (self.now(), vec![evidence]);
        Ok(match brought {
            None => self.store.take_in_request(request, now, evidence).await?,
            Some(brought) => {
                self.store.take_in_opendsr_request(request, brought, now, evidence).await?
            }
        })
    }

    /// What another controller brings cools off as the desk has it, and a drill's not at all.
    fn with_cooling_off_of(
        &self,
        (on_behalf, drill): (Option<&OnBehalf>, Option<Drilled>),
        mut record: RequestRecord,
    ) -> RequestRecord {
        if drill.is_some() {
            record.cooling_off_until = None;
            record.drill = drill;
        }
        if let (Some(other), Some(check)) = (on_behalf, &record.check) {
            let until =
                |period: RetentionPeriod| period.due_at(check.at, Rounding::None, &self.zone);
            record.cooling_off_until = other.cooling_off.map(until);
        }
        record
    }

    /// Identities in the one form of their types; refuses types that no system knows.
    pub(super) fn identities_of(
        &self,
        given: &[(String, String)],
    ) -> Result<BTreeSet<quietus_connectors::Identity>, AppError> {
        if given.is_empty() {
            return Err(AppError::Input(
                "a request names at least one identity, such as `email=…`".to_owned(),
            ));
        }
        if given.len() > MOST_IDENTITIES {
            return Err(AppError::Input(format!(
                "a request names at most {MOST_IDENTITIES} identities of one person"
            )));
        }
        let known = self.identity_types();
        let mut identities = BTreeSet::new();
        for (kind, raw) in given {
            if !known.contains(kind) {
                let known: Vec<String> = known.iter().map(|one| format!("`{one}`")).collect();
                return Err(AppError::Input(format!(
                    "no system knows the identity type `{kind}`; they know {}",
                    known.join(", ")
                )));
            }
            let identity = normalise(&self.instance.identities.of(kind), raw)
                .map_err(|error| AppError::Input(error.to_string()))?;
            identities.insert(identity);
        }
        Ok(identities)
    }

    /// Identity types that a field of the data map or a third party knows.
    pub fn identity_types(&self) -> BTreeSet<String> {
        let systems = || self.map.systems.values();
        let fields = systems()
            .flat_map(|system| system.collections.values())
            .flat_map(|collection| collection.fields.values())
            .filter_map(|field| field.identity.clone());
        let third_parties = systems()
            .filter_map(|system| system.third_party.as_ref())
            .flat_map(|third_party| third_party.identities.iter().cloned());
        fields.chain(third_parties).collect()
    }

    fn check_categories(&self, wanted: Option<&BTreeSet<CategoryName>>) -> Result<(), AppError> {
        for category in wanted.into_iter().flatten() {
            if !self.rules.categories.contains_key(category) {
                return Err(AppError::Input(format!(
                    "no rule pack declares category `{category}`"
                )));
            }
        }
        Ok(())
    }

    fn first_record(
        &self,
        asked: &TakeIn,
        given: &BTreeSet<quietus_connectors::Identity>,
        regime: String,
        received_at: Timestamp,
    ) -> Result<RequestRecord, AppError> {
        let now = self.now();
        let check = asked.check.clone().map(|(assurance, method, reference)| IdentityCheck {
            assurance,
            method,
            reference,
            by: asked.actor.0.clone(),
            at: now,
        });
        let deadlines = self.count_deadlines(&regime, received_at, &[], Extended::No)?;
        Ok(RequestRecord {
            drill: None,
            regime,
            channel: asked.channel.clone(),
            requester: asked.requester,
            ground: asked.ground.clone(),
            language: asked.language.clone().unwrap_or_else(|| "en".to_owned()),
            categories: asked.categories.clone(),
            identity_types: given.iter().map(|identity| identity.kind.clone()).collect(),
            check,
            cooling_off_until: None,
            stops: Vec::new(),
            extended: Extended::No,
            extension: None,
            deadlines,
            refusal: None,
            refuses: None,
            ended: None,
            second_person: None,
            needs: None,
            told_apart: false,
            fee: None,
            alarmed_on: None,
            verdict: None,
            follows: None,
            followed_by: None,
            restriction_ended_by: None,
            not_covered: BTreeSet::new(),
            not_asked: BTreeSet::new(),
            incomplete: false,
            found: 0,
            kept: Vec::new(),
            kept_under: BTreeMap::new(),
        })
        .map(|record| self.with_cooling_off(record))
    }

    /// The dates of a request under a law, as of now.
    pub(crate) fn count_deadlines(
        &self,
        regime: &str,
        received_at: Timestamp,
        stops: &[ClockStop],
        extended: Extended,
    ) -> Result<Deadlines, AppError> {
        let regime =
            self.regimes.get(regime).map_err(|error| AppError::Input(error.to_string()))?;
        let settings = &self.instance.requests;
        let slowest = self
            .map
            .systems
            .values()
            .filter_map(|system| system.third_party.as_ref()?.answers_within)
            .max_by_key(|period| day_after(*period));
        let promise = Promise {
            answer: Some(settings.answers_within),
            internal_target: settings.internal_target,
            slowest_answer: slowest,
        };
        let holidays = settings.holidays.get(&self.instance.controller.country);
        let calendar = WorkingCalendar { holidays: holidays.cloned().unwrap_or_default() };
        let times = (received_at, self.now());
        Ok(deadlines(regime, &promise, &calendar, &self.zone, times, stops, extended))
    }

    /// Whether it is sure enough who asks.
    pub(super) fn is_assured(&self, asked: AskedRight, record: &RequestRecord) -> bool {
        let wanted = assurance_for(asked, self.instance.requests.assurance);
        record.check.as_ref().is_some_and(|check| check.assurance >= wanted)
    }

    /// Once it is sure who asks, the time begins in which it can be taken back.
    pub(super) fn with_cooling_off(&self, mut record: RequestRecord) -> RequestRecord {
        if let Some(check) = &record.check {
            let period = self.instance.requests.cooling_off;
            let until = period.due_at(check.at, crate::domain::Rounding::None, &self.zone);
            record.cooling_off_until = Some(until);
        }
        record
    }

    /// Where a request stands once it is known, or not, who asks.
    pub(super) fn first_state(&self, asked: AskedRight, record: &RequestRecord) -> RequestState {
        if !self.is_assured(asked, record) {
            RequestState::IdentityPending
        } else if !is_carried_out(asked) {
            RequestState::WithAPerson
        } else if record.cooling_off_until.is_some_and(|until| until > self.now())
            && !is_direct_marketing(asked, record)
        {
            RequestState::CoolingOff
        } else {
            RequestState::Ready
        }
    }

    pub(super) fn record_request(
        &self,
        id: Uuid,
        asked: AskedRight,
        record: &RequestRecord,
        actor: &Actor,
        received_at: Timestamp,
    ) -> Result<crate::store::OutboxEntry, AppError> {
        self.record(
            EvidenceKind::RequestReceived,
            About::default(),
            &json!({
                "request": id,
                "asked": asked,
                "regime": record.regime,
                "channel": record.channel,
                "requester": record.requester,
                "ground": record.ground,
                "receivedAt": received_at,
                "identityTypes": record.identity_types,
                "identityCheck": record.check,
                "deadlines": record.deadlines,
                "by": actor.0,
            }),
        )
    }
}

/// The end of a period that begins on some day: only for comparing lengths.
fn day_after(period: crate::domain::RetentionPeriod) -> jiff::civil::Date {
    jiff::civil::date(2026, 1, 1).saturating_add(period.span())
}

/// How sure one has to be of who asks for a right.
fn assurance_for(asked: AskedRight, needed: AssuranceNeeded) -> Assurance {
    match asked {
        AskedRight::Erasure => needed.erase,
        AskedRight::Restriction => needed.restrict,
        AskedRight::Lifting => needed.lift,
        AskedRight::Objection => needed.object,
        AskedRight::Access => needed.access,
        AskedRight::Rectification => needed.rectify,
        AskedRight::Portability => needed.portability,
    }
}

/// Identities as they were typed, but for white space around them.
pub(super) fn typed(identities: &[(String, String)]) -> BTreeSet<quietus_connectors::Identity> {
    identities
        .iter()
        .map(|(kind, raw)| quietus_connectors::Identity {
            kind: kind.clone(),
            value: raw.trim().to_owned(),
        })
        .collect()
}

/// When the engine has to look at a request for the first time.
pub(super) fn first_look(
    state: RequestState,
    record: &RequestRecord,
    now: Timestamp,
) -> Option<Timestamp> {
    match state {
        RequestState::CoolingOff => record.cooling_off_until,
        RequestState::Ready => Some(now),
        _ => None,
    }
}
