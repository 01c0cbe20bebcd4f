//! What people decide: take a request back, refuse it with a second person, prolong its time, and
//! close what a person carried out.

use uuid::Uuid;

use super::fee::owes;
use super::gate::expect_state;
use super::objection::{Judgement, is_restricted_objection};
use super::record::{Decided, Move, OpenRequest, Refuses, is_carried_out};
use crate::app::{Actor, AppError, Quietus};
use crate::domain::{RequestOutcome, RequestState};
use crate::rights::Extended;

/// What became of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It waits for a second person.
    WaitsForSecond,
    /// Two persons agree: the request is closed.
    Closed,
}

/// States in which nothing has been carried out yet.
pub(super) const BEFORE: &[RequestState] = &[
    RequestState::IdentityPending,
    RequestState::CoolingOff,
    RequestState::Ready,
    RequestState::Ambiguous,
    RequestState::WithAPerson,
];

impl Quietus {
    /// The person takes the request back.
    ///
    /// # Errors
    /// Where it is being carried out or closed.
    pub async fn cancel_request(
        &self,
        id: Uuid,
        actor: &Actor,
        reason: &str,
    ) -> Result<OpenRequest, AppError> {
        let mut request = self.rights_request(id).await?;
        if request.stored.state == RequestState::Executing {
            return Err(AppError::Input(format!(
                "request `{id}` is being carried out: what is erased cannot be brought back; call off what is left with `quietus cancel {}`",
                request.stored.case_id.map_or_else(String::new, |case| case.to_string())
            )));
        }
        expect_state(&request, BEFORE)?;
        request.record.ended = Some(self.decided(actor, reason)?);
        if is_restricted_objection(&request) {
            // What it has restricted is lifted again, after a notice.
            self.follow(&mut request, Judgement::taken_back(), actor, reason).await?;
            return self.rights_request(id).await;
        }
        let evidence = self.record_change(&request, "taken back", actor, Some(reason))?;
        let next = Move::closed(&request.stored, RequestOutcome::Cancelled);
        self.keep_request(&request, next, vec![evidence]).await?;
        self.rights_request(id).await
    }

    /// One person proposes to refuse, another one agrees.
    ///
    /// # Errors
    /// Where it is being carried out or closed, or the same person proposes and agrees.
    pub async fn refuse_request(
        &self,
        id: Uuid,
        actor: &Actor,
        reason: &str,
    ) -> Result<Refused, AppError> {
        let mut request = self.rights_request(id).await?;
        expect_state(&request, BEFORE)?;
        not_restricted(&request)?;
        if !self.second_agrees(&mut request, Refuses::Request, (actor, reason)).await? {
            return Ok(Refused::WaitsForSecond);
        }
        let evidence = self.record_change(&request, "refused", actor, Some(reason))?;
        let next = Move::closed(&request.stored, RequestOutcome::Refused);
        self.keep_request(&request, next, vec![evidence]).await?;
        Ok(Refused::Closed)
    }

    /// Whether a second person agrees to refuse just what the first one proposed. The first one's
    /// proposal is written down, in the place of one to refuse something else.
    pub(super) async fn second_agrees(
        &self,
        request: &mut OpenRequest,
        refuses: Refuses,
        (actor, reason): (&Actor, &str),
    ) -> Result<bool, AppError> {
        let equal = request.record.refuses == Some(refuses);
        let Some(proposal) = request.record.refusal.clone().filter(|_| equal) else {
            request.record.refusal = Some(self.decided(actor, reason)?);
            request.record.refuses = Some(refuses);
            let evidence = self.record_change(request, "refusal proposed", actor, Some(reason))?;
            self.keep_request(request, Move::stay(&request.stored), vec![evidence]).await?;
            return Ok(false);
        };
        if proposal.by.eq_ignore_ascii_case(&actor.0) {
            return Err(AppError::Input(format!(
                "`{}` proposed to refuse request `{}`: somebody else has to agree",
                actor.0, request.stored.id
            )));
        }
        request.record.second_person = Some(actor.0.clone());
        request.record.ended = Some(self.decided(actor, reason)?);
        Ok(true)
    }

    /// Prolongs the time once, within the first period (GDPR article 12(3)). The person has to be
    /// told, with the reason.
    ///
    /// # Errors
    /// Where the law knows no prolongation, the time is over, or it was prolonged before.
    pub async fn extend_request(
        &self,
        id: Uuid,
        actor: &Actor,
        reason: &str,
    ) -> Result<OpenRequest, AppError> {
        let mut request = self.rights_request(id).await?;
        if request.stored.state == RequestState::Closed {
            return Err(AppError::Input(format!("request `{id}` is closed")));
        }
        let regime = self
            .regimes
            .get(&request.record.regime)
            .map_err(|error| AppError::Input(error.to_string()))?;
        if regime.extension.is_none() {
            return Err(AppError::Input(format!(
                "{} knows no longer time to answer",
                regime.title
            )));
        }
        if request.record.extended == Extended::Once {
            return Err(AppError::Input(format!(
                "the time of request `{id}` was prolonged before"
            )));
        }
        let today = self.zone.to_datetime(self.now()).date();
        if today > request.record.deadlines.legal_latest {
            return Err(AppError::Input(format!(
                "the time of request `{id}` ended on {}: it can only be prolonged before",
                request.record.deadlines.legal_latest
            )));
        }
        request.record.extended = Extended::Once;
        request.record.extension = Some(self.decided(actor, reason)?);
        self.count_again(&mut request)?;
        let evidence = self.record_change(&request, "prolonged", actor, Some(reason))?;
        self.keep_request(&request, Move::stay(&request.stored), vec![evidence]).await?;
        self.rights_request(id).await
    }

    /// A person has carried out what only a person can (access, rectification, portability).
    ///
    /// # Errors
    /// Where the request is not with a person.
    pub async fn close_request(
        &self,
        id: Uuid,
        actor: &Actor,
        note: &str,
    ) -> Result<OpenRequest, AppError> {
        let mut request = self.rights_request(id).await?;
        expect_state(&request, &[RequestState::WithAPerson])?;
        not_restricted(&request)?;
        if owes(&request) {
            return Err(AppError::Input(format!(
                "the fee of request `{id}` is neither paid nor waived: see `quietus request fee {id}`"
            )));
        }
        request.record.ended = Some(self.decided(actor, note)?);
        let outcome = if is_carried_out(request.stored.asked) {
            RequestOutcome::Fulfilled
        } else {
            RequestOutcome::Handled
        };
        let evidence = self.record_change(&request, "closed by a person", actor, Some(note))?;
        self.keep_request(&request, Move::closed(&request.stored, outcome), vec![evidence]).await?;
        self.rights_request(id).await
    }

    pub(super) fn decided(&self, actor: &Actor, reason: &str) -> Result<Decided, AppError> {
        if reason.trim().is_empty() {
            return Err(AppError::Input("a decision needs a reason".to_owned()));
        }
        Ok(Decided { by: actor.0.clone(), reason: reason.to_owned(), at: self.now() })
    }
}

/// An objection that has restricted data is decided, so that they do not stay restricted for ever.
pub(super) fn not_restricted(request: &OpenRequest) -> Result<(), AppError> {
    if is_restricted_objection(request) {
        let id = request.stored.id;
        return Err(AppError::Input(format!(
            "what request `{id}` objects to is restricted: decide it with `quietus request decide {id} --uphold` or `--reject`"
        )));
    }
    Ok(())
}
