//! Letters of a request: to the person what the law wants said, and to every third party the notice
//! of GDPR article 19.
//!
//! Which letters there must be follows from where a request stands, and each has an identifier of
//! its own that follows from what it is for: written twice, it is there once. The text is sealed
//! under the request's key. Requests that come over `OpenDSR` are answered by whoever brought them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use quietus_connectors::{Grade, SubjectAction};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::fan_out::action_of;
use super::objection::{Verdict, is_restricted_objection};
use super::record::OpenRequest;
use crate::app::fire::SCHEDULER;
use crate::app::recording::About;
use crate::app::{Actor, AppError, Quietus};
use crate::config::own_letter;
use crate::datamap::third_party::MANUAL;
use crate::domain::{AskedRight, Digest, RequestOutcome, RequestState, SystemName};
use crate::evidence::EvidenceKind;
use crate::plan::{RecordKeys, third_party_holds};
use crate::rights::{
    CopiesPart, Extended, Facts, FilesPart, KeptPart, LetterError, StopReason, ToldParty, Written,
    built_in, write,
};
use crate::store::{Delivery, Letter, LetterKind, NewLetter, OutboxEntry, Request};

/// Purpose under which a letter is sealed.
pub(super) const PURPOSE: &str = "letter";
/// Who a letter is to, where it is not the name of a system.
pub(super) const PERSON: &str = "person";
/// The way by which requests of other controllers come; they write to the person themselves.
const OPENDSR: &str = "opendsr";
/// Language of notices to third parties of which the data map does not say it.
const RECIPIENTS_LANGUAGE: &str = "en";

/// The sealed part of a letter.
#[derive(Serialize, Deserialize)]
pub(super) struct SealedLetter {
    pub(super) subject: String,
    pub(super) text: String,
}

/// A third party, as the answer tells the person of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldRecipient {
    /// Its system.
    pub system: SystemName,
    /// How strong its word is; `None` where it has not answered yet.
    pub grade: Option<Grade>,
}

/// What the answer to a request says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeFacts {
    /// How it ended.
    pub outcome: RequestOutcome,
    /// What stays, why and until when.
    pub kept: Vec<KeptPart>,
    /// Copies for recovery; `None` where there are none.
    pub copies: Option<CopiesPart>,
    /// Files and logs; `None` where nobody looks at them.
    pub files: Option<FilesPart>,
    /// Third parties that were told.
    pub third_parties: Vec<ToldRecipient>,
    /// The certificate that shows it. A later certificate gets a letter of its own.
    pub certificate: Option<Uuid>,
}

/// A letter that there must be.
struct Due {
    kind: LetterKind,
    recipient: String,
    /// Tells letters of one kind to the same recipient apart.
    occasion: String,
    facts: Facts,
}

impl Due {
    fn to_person(kind: LetterKind, occasion: impl Into<String>, facts: Facts) -> Self {
        Self { kind, recipient: PERSON.to_owned(), occasion: occasion.into(), facts }
    }

    /// The same for the same letter of the same request.
    fn id(&self, request: Uuid) -> Uuid {
        let name = format!("{request} {} {} {}", self.kind, self.recipient, self.occasion);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&Digest::of(name.as_bytes()).0[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }
}

impl Quietus {
    /// The answer to a request, which is written with its certificate; third parties that have
    /// answered are marked as told. `None` where nobody is written to, or the person is forgotten.
    ///
    /// # Errors
    /// Where the store is not there, or no template can be filled.
    pub async fn outcome_letter(
        &self,
        request: &OpenRequest,
        outcome: OutcomeFacts,
    ) -> Result<Option<NewLetter>, AppError> {
        let mut told = Vec::new();
        for party in &outcome.third_parties {
            let system = self.map.systems.get(&party.system);
            let third_party = system.and_then(|system| system.third_party.as_ref());
            let name = third_party.map_or(party.system.as_str(), |one| one.operator.as_str());
            let grade = party.grade.map_or("pending", Grade::as_str).to_owned();
            told.push(ToldParty { name: name.to_owned(), grade });
            // Who does it by hand tells a third party by hand.
            let by_interface = system.is_some_and(|system| system.kind != MANUAL);
            if let (Some(case), Some(_), true) = (request.stored.case_id, party.grade, by_interface)
            {
                let delivery = Delivery::Interface;
                self.recipient_told(case, party.system.as_str(), SCHEDULER, delivery).await?;
            }
        }
        // What a lifting has called off does not go on, and the lifting has letters of its own.
        let called_off = request.record.restriction_ended_by.is_some()
            && outcome.outcome == RequestOutcome::Failed;
        if called_off || !writes_to_person(request) {
            return Ok(None);
        }
        let certificate = outcome.certificate.map(|id| id.to_string());
        let facts = Facts {
            outcome: Some(outcome_word(request, outcome.outcome).to_owned()),
            kept: outcome.kept,
            copies: outcome.copies,
            files: outcome.files,
            third_parties: told,
            certificate: certificate.clone(),
            ..self.facts_of(request)
        };
        let occasion = certificate.unwrap_or_else(|| "outcome".to_owned());
        self.new_letter(request, &Due::to_person(LetterKind::Outcome, occasion, facts))
    }

    /// Writes what has to be said where a request stands now. That a letter could not be written
    /// does not undo what was decided: it is told in the log, and written the next time.
    pub(super) async fn write_due_letters(&self, request: Uuid) {
        if let Err(error) = self.try_due_letters(request).await {
            tracing::error!(%request, %error, "a letter could not be written");
        }
    }

    async fn try_due_letters(&self, request: Uuid) -> Result<(), AppError> {
        let request = self.rights_request(request).await?;
        let written = self.store.letters_of_request(request.stored.id).await?;
        let written: BTreeSet<Uuid> = written.iter().map(|letter| letter.id).collect();
        let mut all = self.due_letters(&request);
        let held = self.held_third_parties(&request).await?;
        all.retain(|due| due.kind != LetterKind::Recipient || !held.contains(&due.recipient));
        for due in all {
            if !written.contains(&due.id(request.stored.id)) {
                self.write_letter(&request, &due).await?;
            }
        }
        Ok(())
    }

    /// Letters that there must be where a request stands; the answer of a case is written with its
    /// certificate or not at all.
    fn due_letters(&self, request: &OpenRequest) -> Vec<Due> {
        let mut due = self.recipient_letters(request);
        if !writes_to_person(request) {
            return due;
        }
        let (stored, record) = (&request.stored, &request.record);
        let facts = || self.facts_of(request);
        let because = |reason: Option<&str>| Facts {
            reason: Some(reason.unwrap_or_default().to_owned()),
            ..facts()
        };
        if record.follows.is_none() {
            due.push(Due::to_person(LetterKind::Acknowledgement, "", facts()));
        }
        let asked = record.stops.iter().filter(|stop| stop.because == StopReason::Identity);
        for number in 0..asked.count() {
            due.push(Due::to_person(LetterKind::Identity, number.to_string(), facts()));
        }
        if let (Extended::Once, Some(decided)) = (record.extended, &record.extension) {
            let facts = because(Some(&decided.reason));
            due.push(Due::to_person(LetterKind::Extension, "", facts));
        }
        if let Some(fee) = record.fee.as_ref().filter(|fee| fee.is_owed()) {
            let amount = Some(fee.amount.clone());
            let facts = Facts { fee: amount, ..because(Some(&fee.proposed.reason)) };
            due.push(Due::to_person(LetterKind::Fee, "", facts));
        }
        let carried_out_soon =
            matches!(stored.state, RequestState::CoolingOff | RequestState::Ready);
        if stored.asked == AskedRight::Lifting && carried_out_soon {
            let reason = record.ground.as_deref().unwrap_or(lifted_because(&record.language));
            due.push(Due::to_person(LetterKind::BeforeLifting, "", because(Some(reason))));
        }
        if let (Some(Verdict::Upheld), Some(decided)) = (record.verdict, &record.ended) {
            let upheld =
                Facts { outcome: Some("upheld".to_owned()), ..because(Some(&decided.reason)) };
            due.push(Due::to_person(LetterKind::Outcome, "upheld", upheld));
        }
        match stored.outcome {
            Some(RequestOutcome::Refused) => {
                let decided = record.refusal.as_ref().or(record.ended.as_ref());
                let facts = because(decided.map(|decided| decided.reason.as_str()));
                due.push(Due::to_person(LetterKind::Refusal, "", facts));
            }
            Some(RequestOutcome::Cancelled) if stored.case_id.is_none() => {
                due.push(Due::to_person(LetterKind::Cancelled, "", facts()));
            }
            Some(outcome) if stored.case_id.is_none() => {
                let facts = Facts { outcome: Some(outcome.as_str().to_owned()), ..facts() };
                due.push(Due::to_person(LetterKind::Outcome, "outcome", facts));
            }
            _ => {}
        }
        due
    }

    /// Third parties that a legal hold keeps from being told to erase: they are told once it is
    /// released.
    async fn held_third_parties(
        &self,
        request: &OpenRequest,
    ) -> Result<BTreeSet<String>, AppError> {
        let erases = action_of(request) == SubjectAction::Erase && request.person.is_some();
        let (_, holds) = self.store.holds_in_force().await?;
        if !erases || holds.is_empty() {
            return Ok(BTreeSet::new());
        }
        let holds: Vec<_> =
            holds.iter().map(|hold| self.unseal_hold(hold)).collect::<Result<_, _>>()?;
        let sought = self.sought(request)?;
        let scope = self.scope_for(request, &sought, RecordKeys::new()).await?;
        let third_parties = self.map.systems.values().filter(|one| one.third_party.is_some());
        let with = (&self.map, &self.instance.identities);
        let held = third_parties
            .filter(|one| !third_party_holds(with, &holds, &one.name, &scope).is_empty());
        Ok(held.map(|one| one.name.to_string()).collect())
    }

    /// Notices to the third parties that hold what was asked for, once it is carried out.
    fn recipient_letters(&self, request: &OpenRequest) -> Vec<Due> {
        if request.stored.case_id.is_none() || request.record.drill.is_some() {
            return Vec::new();
        }
        let wanted = request.record.categories.as_ref();
        let mut due = Vec::new();
        for system in self.map.systems.values() {
            let Some(third_party) = &system.third_party else { continue };
            let asked_for = third_party.categories.iter();
            let categories: Vec<String> = asked_for
                .filter(|one| wanted.is_none_or(|wanted| wanted.contains(*one)))
                .map(ToString::to_string)
                .collect();
            if !categories.is_empty() {
                due.push(Due {
                    kind: LetterKind::Recipient,
                    recipient: system.name.to_string(),
                    occasion: String::new(),
                    facts: Facts { categories, ..self.facts_of(request) },
                });
            }
        }
        due
    }

    fn facts_of(&self, request: &OpenRequest) -> Facts {
        let regime = self.regimes.get(&request.record.regime).ok();
        Facts {
            controller: self.instance.controller.name.clone(),
            request: request.stored.id.to_string(),
            asked: request.stored.asked.to_string(),
            received_on: Some(self.day_of(request.stored.received_at)),
            answer_by: Some(request.record.deadlines.answer_by),
            complaint: regime.map(|one| one.complaint.clone()).unwrap_or_default(),
            law: regime.map(|one| format!("{}: {}", one.title, one.citation)).unwrap_or_default(),
            ..Facts::default()
        }
    }

    fn day_of(&self, at: Timestamp) -> Date {
        at.to_zoned(self.zone.clone()).date()
    }

    /// Writes one letter, unless it is there or the person is forgotten.
    async fn write_letter(&self, request: &OpenRequest, due: &Due) -> Result<(), AppError> {
        if let Some(NewLetter { letter, mail, evidence }) = self.new_letter(request, due)? {
            self.store.write_letter_to_mail(letter, mail, evidence).await?;
        }
        Ok(())
    }

    /// One letter, as it is to be written; `None` once the person is forgotten.
    fn new_letter(&self, request: &OpenRequest, due: &Due) -> Result<Option<NewLetter>, AppError> {
        let Some(vault) = self.request_vault(&request.stored)? else { return Ok(None) };
        let language = match due.kind {
            LetterKind::Recipient => self.language_of(&due.recipient),
            _ => request.record.language.as_str(),
        };
        let Written { subject, text, language, template } = self.compose(due, language)?;
        let sealed = SealedLetter { subject, text };
        let letter = Letter {
            id: due.id(request.stored.id),
            request_id: request.stored.id,
            kind: due.kind,
            recipient: due.recipient.clone(),
            language,
            template_digest: template,
            sealed: Some(vault.seal(PURPOSE, &sealed, self.ids.random())?),
            written_at: self.now(),
            delivered: None,
            reason: None,
        };
        let detail = json!({ "language": letter.language, "templateSha256": template });
        let by = Actor(SCHEDULER.to_owned());
        let evidence = self.letter_entry(&request.stored, &letter, "written", &by, &detail)?;
        let contact = request.person.as_ref().and_then(|person| person.contact.as_deref());
        let mail = self.mail_of_letter(&letter, contact);
        Ok(Some(NewLetter { letter, mail, evidence: vec![evidence] }))
    }

    /// The language in which the operator of a system is written to.
    fn language_of(&self, system: &str) -> &str {
        let system = self.map.systems.values().find(|one| one.name.as_str() == system);
        let third_party = system.and_then(|system| system.third_party.as_ref());
        third_party.and_then(|one| one.language.as_deref()).unwrap_or(RECIPIENTS_LANGUAGE)
    }

    /// Fills the controller's own template, else the one that this version brings along.
    fn compose(&self, due: &Due, language: &str) -> Result<Written, AppError> {
        let kind = due.kind.as_str();
        let short = language.split(['-', '_']).next().unwrap_or(language);
        let fallback = built_in(kind, language).map_or("en", |(language, _)| language);
        let mut tried = Vec::new();
        for language in [language, short, fallback] {
            if tried.contains(&language) {
                continue;
            }
            tried.push(language);
            let own = match own_letter(&self.instance.folder, language, kind) {
                Ok(None) => continue,
                Ok(Some(template)) => write(kind, language, Some(&template), &due.facts),
                Err(error) => {
                    tracing::error!(kind, language, %error, "a template of yours cannot be read");
                    continue;
                }
            };
            match own {
                Ok(written) => return Ok(written),
                // The person is told all the same.
                Err(error) => tracing::error!(
                    kind, language, %error,
                    "a template of yours is broken and another one is used: see `quietus check`"
                ),
            }
        }
        write(kind, language, None, &due.facts).map_err(|error: LetterError| AppError::Unreadable {
            what: "a template",
            why: error.to_string(),
        })
    }

    pub(crate) fn letter_entry(
        &self,
        request: &Request,
        letter: &Letter,
        what: &str,
        actor: &Actor,
        detail: &serde_json::Value,
    ) -> Result<OutboxEntry, AppError> {
        self.record(
            EvidenceKind::LetterWritten,
            About { case: request.case_id, job: None },
            &json!({
                "request": request.id,
                "letter": letter.id,
                "kind": letter.kind.as_str(),
                "recipient": letter.recipient,
                "what": what,
                "by": actor.0,
                "detail": detail,
            }),
        )
    }
}

/// Whether we write to the person: another controller that brings a request does so itself, and
/// whoever was invented for a drill gets no letters.
pub(super) fn writes_to_person(request: &OpenRequest) -> bool {
    request.record.channel != OPENDSR && request.record.drill.is_none()
}

/// The word by which the answer says how it stands: an objection that is not decided yet is not
/// fulfilled, and a lifting ends no more than what the person's request has imposed.
fn outcome_word(request: &OpenRequest, outcome: RequestOutcome) -> &'static str {
    if is_restricted_objection(request) {
        "restricted"
    } else if request.stored.asked == AskedRight::Lifting
        && matches!(outcome, RequestOutcome::Fulfilled | RequestOutcome::PartiallyRetained)
    {
        "lifted"
    } else {
        outcome.as_str()
    }
}

/// Why a restriction ends, where nobody has said so, in the languages of the built-in templates.
fn lifted_because(language: &str) -> &'static str {
    match language.split(['-', '_']).next().unwrap_or_default() {
        "de" => "Es wurde verlangt, die Sperre aufzuheben.",
        "zh" => "已收到解除限制的请求。",
        _ => "Somebody has asked for the lock to be lifted.",
    }
}
