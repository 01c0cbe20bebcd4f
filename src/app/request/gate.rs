//! The gate: who is asking. The clock stands while that is in doubt, where the law has it so.

use serde_json::json;
use uuid::Uuid;

use super::intake::{first_look, typed};
use super::record::{IdentityCheck, Move, OpenRequest};
use crate::app::recording::About;
use crate::app::{Actor, AppError, Quietus};
use crate::domain::{Assurance, RequestState};
use crate::evidence::EvidenceKind;
use crate::rights::{ClockStop, StopReason};
use crate::store::OutboxEntry;

impl Quietus {
    /// Somebody asked the person to show who they are: the clock stands from now on, where the law
    /// has it so.
    ///
    /// # Errors
    /// Where the request does not wait for that, or the person was asked already.
    pub async fn ask_identity(&self, id: Uuid, actor: &Actor) -> Result<OpenRequest, AppError> {
        let mut request = self.rights_request(id).await?;
        expect_state(&request, &[RequestState::IdentityPending])?;
        let of_identity = |stop: &&ClockStop| stop.because == StopReason::Identity;
        if request.record.stops.iter().filter(of_identity).any(|stop| stop.until.is_none()) {
            return Err(AppError::Input(format!(
                "the person of request `{id}` was asked already and has not answered"
            )));
        }
        request.record.stops.push(ClockStop {
            from: self.now(),
            until: None,
            because: StopReason::Identity,
        });
        self.count_again(&mut request)?;
        let evidence = self.record_change(&request, "identity asked for", actor, None)?;
        self.keep_request(&request, Move::stay(&request.stored), vec![evidence]).await?;
        self.rights_request(id).await
    }

    /// Somebody has made sure who is asking.
    ///
    /// # Errors
    /// Where the request does not wait for that.
    pub async fn confirm_identity(
        &self,
        id: Uuid,
        (assurance, method, reference): (Assurance, String, Option<String>),
        actor: &Actor,
    ) -> Result<OpenRequest, AppError> {
        let mut request = self.rights_request(id).await?;
        expect_state(&request, &[RequestState::IdentityPending])?;
        let now = self.now();
        let stops = request.record.stops.iter_mut();
        for stop in stops.filter(|stop| stop.because == StopReason::Identity) {
            stop.until.get_or_insert(now);
        }
        request.record.check =
            Some(IdentityCheck { assurance, method, reference, by: actor.0.clone(), at: now });
        request.record = self.with_cooling_off(request.record);
        self.count_again(&mut request)?;
        let state = self.first_state(request.stored.asked, &request.record);
        let mut next = Move::to(&request.stored, state);
        next.look_at = first_look(state, &request.record, now);
        let words = if state == RequestState::IdentityPending {
            "identity confirmed, but not surely enough"
        } else {
            "identity confirmed"
        };
        let evidence = self.record_change(&request, words, actor, None)?;
        self.keep_request(&request, next, vec![evidence]).await?;
        self.rights_request(id).await
    }

    /// Somebody says which of several persons is meant, by further identities.
    ///
    /// # Errors
    /// Where the request does not wait for that, or an identity is of no use.
    pub async fn tell_apart(
        &self,
        id: Uuid,
        identities: &[(String, String)],
        actor: &Actor,
    ) -> Result<OpenRequest, AppError> {
        let mut request = self.rights_request(id).await?;
        expect_state(&request, &[RequestState::Ambiguous])?;
        let further = self.identities_of(identities)?;
        let types = &self.instance.identities;
        if !further.iter().any(|one| types.of(&one.kind).one_per_person) {
            return Err(AppError::Input(
                "name an identity of which a person has one, such as a customer number: what was \
                 given belongs to several persons"
                    .to_owned(),
            ));
        }
        request.person()?;
        if let Some(person) = &mut request.person {
            person.given = further;
            person.typed = typed(identities);
            person.learned.clear();
            person.records.clear();
        }
        request.record.identity_types =
            request.person()?.given.iter().map(|identity| identity.kind.clone()).collect();
        request.record.needs = None;
        request.record.told_apart = true;
        let mut next = Move::to(&request.stored, RequestState::Ready);
        next.look_at = Some(self.now());
        let evidence = self.record_change(&request, "told apart", actor, None)?;
        self.keep_request(&request, next, vec![evidence]).await?;
        self.rights_request(id).await
    }

    /// Counts the dates of a request again.
    pub(super) fn count_again(&self, request: &mut OpenRequest) -> Result<(), AppError> {
        request.record.deadlines = self.count_deadlines(
            &request.record.regime,
            request.stored.received_at,
            &request.record.stops,
            request.record.extended,
        )?;
        Ok(())
    }

    /// Evidence of a change; `reason` names nobody.
    pub(super) fn record_change(
        &self,
        request: &OpenRequest,
        what: &str,
        actor: &Actor,
        reason: Option<&str>,
    ) -> Result<OutboxEntry, AppError> {
        self.record(
            EvidenceKind::RequestChanged,
            About { case: request.stored.case_id, job: None },
            &json!({
                "request": request.stored.id,
                "what": what,
                "by": actor.0,
                "reason": reason,
                "identityCheck": request.record.check,
                "deadlines": request.record.deadlines,
            }),
        )
    }
}

/// Refuses what does not fit where the request stands.
pub(super) fn expect_state(
    request: &OpenRequest,
    fitting: &[RequestState],
) -> Result<(), AppError> {
    let state = request.stored.state;
    if fitting.contains(&state) {
        return Ok(());
    }
    let fitting: Vec<String> = fitting.iter().map(|one| format!("`{one}`")).collect();
    Err(AppError::Input(format!(
        "request `{}` is `{state}`, and this is for requests that are {}",
        request.stored.id,
        fitting.join(" or ")
    )))
}
