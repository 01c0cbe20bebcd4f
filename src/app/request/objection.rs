//! Objections (GDPR article 21): what they cover is restricted until somebody has decided, and the
//! decision opens what follows.
//!
//! Upheld, it is erased (article 17(1)(c)); rejected by two persons, or taken back, the restriction
//! is lifted, after a notice (article 18(3)). Either is a further request that names the objection,
//! written in one transaction with the decision. An objection to direct marketing is not weighed:
//! what serves it is erased at once.

use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::known_again::{content_digest, content_of};
use super::record::{Move, OpenRequest, Person, Refuses, RequestRecord};
use crate::app::recording::About;
use crate::app::{Actor, AppError, Quietus};
use crate::domain::{AskedRight, RequestOutcome, RequestState};
use crate::evidence::EvidenceKind;
use crate::rights::concerns_direct_marketing;
use crate::store::NewRequest;

/// Who brings a request that carries out a decision.
const DECISION: &str = "decision";
/// Ground of the erasure that follows an objection.
const UPHELD: &str = "Art. 17(1)(c)";
/// Why a restriction ends whose objection was taken back.
const TAKEN_BACK: &str = "the objection was taken back";

/// How an objection was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The person's reasons weigh more: what it covers goes.
    Upheld,
    /// The controller's grounds are compelling: what it covers is used again.
    Rejected,
    /// The person no longer objects.
    TakenBack,
}

/// What became of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// A rejection waits for a second person.
    WaitsForSecond,
    /// It is decided; this request carries it out.
    Decided {
        /// The request that follows.
        by: Uuid,
    },
}

/// A decision that is about to be written.
pub(super) struct Judgement {
    pub(super) verdict: Verdict,
    pub(super) outcome: RequestOutcome,
    /// The right whose request follows, and its ground.
    pub(super) follows: (AskedRight, String),
}

impl Judgement {
    fn upheld() -> Self {
        Self {
            verdict: Verdict::Upheld,
            outcome: RequestOutcome::Fulfilled,
            follows: (AskedRight::Erasure, UPHELD.to_owned()),
        }
    }

    fn rejected(reason: &str) -> Self {
        Self {
            verdict: Verdict::Rejected,
            outcome: RequestOutcome::Refused,
            follows: (AskedRight::Lifting, reason.to_owned()),
        }
    }

    pub(super) fn taken_back() -> Self {
        Self {
            verdict: Verdict::TakenBack,
            outcome: RequestOutcome::Cancelled,
            follows: (AskedRight::Lifting, TAKEN_BACK.to_owned()),
        }
    }
}

impl Quietus {
    /// Decides an objection whose data are restricted. One person upholds it; to reject it, one
    /// proposes and another one agrees.
    ///
    /// # Errors
    /// Where it is no objection that waits for a decision, or the same person proposes and agrees.
    pub async fn decide_objection(
        &self,
        id: Uuid,
        upheld: bool,
        actor: &Actor,
        reason: &str,
    ) -> Result<Judged, AppError> {
        let mut request = self.rights_request(id).await?;
        if !is_restricted_objection(&request) {
            return Err(AppError::Input(format!(
                "request `{id}` is no objection that waits for a decision: see `quietus request show {id}`"
            )));
        }
        if upheld {
            request.record.ended = Some(self.decided(actor, reason)?);
            let by = self.follow(&mut request, Judgement::upheld(), actor, reason).await?;
            return Ok(Judged::Decided { by });
        }
        if !self.second_agrees(&mut request, Refuses::Objection, (actor, reason)).await? {
            return Ok(Judged::WaitsForSecond);
        }
        let by = self.follow(&mut request, Judgement::rejected(reason), actor, reason).await?;
        Ok(Judged::Decided { by })
    }

    /// Closes an objection with the request that carries its decision out, in one transaction.
    pub(super) async fn follow(
        &self,
        request: &mut OpenRequest,
        judgement: Judgement,
        actor: &Actor,
        reason: &str,
    ) -> Result<Uuid, AppError> {
        let Judgement { verdict, outcome, follows: (right, ground) } = judgement;
        let (further, record) = self.following(request, right, ground)?;
        let by = further.id;
        request.record.verdict = Some(verdict);
        request.record.followed_by = Some(by);
        let received_at = request.stored.received_at;
        let decided = self.record(
            EvidenceKind::RequestChanged,
            About { case: request.stored.case_id, job: None },
            &json!({
                "request": request.stored.id,
                "what": "objection decided",
                "verdict": verdict,
                "followedBy": by,
                "by": actor.0,
                "reason": reason,
                "secondPerson": request.record.second_person,
            }),
        )?;
        let brought = self.record_request(by, right, &record, actor, received_at)?;
        // The person is remembered until the request that follows has ended the restriction, which a
        // lifting may have done before.
        let ended = request.record.restriction_ended_by.is_some();
        let look_at = ended.then(|| self.forget_at());
        let next = Move { look_at, ..Move::closed(&request.stored, outcome) };
        let change = self.change_of(request, next)?;
        let evidence = vec![decided, brought];
        if !self.store.decide_request(change, further, self.now(), evidence).await? {
            return Err(AppError::Input(format!(
                "somebody else has just changed request `{}`: look at it and try again",
                request.stored.id
            )));
        }
        self.wake.up();
        self.write_due_letters(request.stored.id).await;
        self.write_due_letters(by).await;
        Ok(by)
    }

    /// The request that carries out what was decided about another one: the same person, the same
    /// law and dates, the same categories. An erasure passes the gate as every other; the
    /// controller lifts by its own decision.
    fn following(
        &self,
        request: &OpenRequest,
        right: AskedRight,
        ground: String,
    ) -> Result<(NewRequest, RequestRecord), AppError> {
        let person = request.person()?;
        let record = RequestRecord {
            ground: Some(ground),
            cooling_off_until: None,
            refusal: None,
            refuses: None,
            ended: None,
            second_person: None,
            needs: None,
            not_covered: std::collections::BTreeSet::new(),
            not_asked: std::collections::BTreeSet::new(),
            incomplete: false,
            found: 0,
            kept: Vec::new(),
            fee: None,
            alarmed_on: None,
            verdict: None,
            follows: Some(request.stored.id),
            followed_by: None,
            restriction_ended_by: None,
            ..request.record.clone()
        };
        let person = Person {
            given: person.given.clone(),
            typed: person.typed.clone(),
            learned: person.learned.clone(),
            contact: person.contact.clone(),
            ..Person::default()
        };
        let state = match right {
            AskedRight::Lifting => RequestState::Ready,
            _ => self.first_state(right, &record),
        };
        let (vault, own_key) = self.new_request_key()?;
        let further = NewRequest {
            id: self.ids.new_id(),
            source: DECISION.to_owned(),
            external_id: request.stored.id.to_string(),
            content_digest: content_digest(&vault, &content_of(right, &person, &record))?,
            asked: right,
            state,
            received_at: request.stored.received_at,
            look_at: (state == RequestState::Ready).then(|| self.now()),
            body: record.stored()?,
            sealed: self.seal_person(&vault, &person)?,
            wrapped_key: own_key.wrapped,
            key_epoch: Some(own_key.epoch),
            tags: self.person_tags(&vault, &self.keyed_of(&person))?,
            compared: Vec::new(),
        };
        Ok((further, record))
    }
}

/// An objection whose data are restricted and of which nobody has decided yet.
pub(super) fn is_restricted_objection(request: &OpenRequest) -> bool {
    request.stored.asked == AskedRight::Objection
        && request.stored.state == RequestState::WithAPerson
        && request.stored.case_id.is_some()
}

/// Whether a request is an objection to direct marketing, by the ground that it names.
pub(crate) fn is_direct_marketing(asked: AskedRight, record: &RequestRecord) -> bool {
    asked == AskedRight::Objection
        && record.ground.as_deref().is_some_and(concerns_direct_marketing)
}
