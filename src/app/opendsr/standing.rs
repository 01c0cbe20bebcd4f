//! How a request stands in the four words of `OpenDSR`, and when it is expected to be over.
//!
//! There is no word for a failure. A request of which a part failed stays `in_progress` until
//! somebody has seen to it: `completed` is only said where the case is whole.

use jiff::Timestamp;
use jiff::civil::Date;
use quietus_connectors::opendsr::intake::{Answer, Complaint, Standing, expected_completion};
use quietus_connectors::opendsr::protocol::{Dialect, RequestStatus};
use quietus_connectors::opendsr::signature::SignatureFault;
use uuid::Uuid;

use super::complaint;
use super::desk::{Asking, Desk};
use crate::app::request::OpenRequest;
use crate::app::{Actor, AppError, Quietus};
use crate::domain::{Digest, RequestOutcome, RequestState};
use crate::rights::Deadlines;
use crate::store::{OpendsrDialect, OpendsrRequest, OpendsrStatus, Request};

/// What stands in the record of a request that its controller cancels.
const CANCELLED: &str = "cancelled by the controller over OpenDSR";

/// The source of requests that a controller brings.
pub(super) fn source_of(controller: &str) -> String {
    format!("opendsr:{controller}")
}

/// What a request's own state means.
fn means(state: RequestState, outcome: Option<RequestOutcome>) -> OpendsrStatus {
    match (state, outcome) {
        (RequestState::Closed, Some(RequestOutcome::Cancelled)) => OpendsrStatus::Cancelled,
        (RequestState::Closed, Some(RequestOutcome::Failed) | None)
        | (RequestState::Executing | RequestState::WithAPerson, _) => OpendsrStatus::InProgress,
        (RequestState::Closed, Some(_)) => OpendsrStatus::Completed,
        (
            RequestState::IdentityPending
            | RequestState::CoolingOff
            | RequestState::Ready
            | RequestState::Ambiguous,
            _,
        ) => OpendsrStatus::Pending,
    }
}

/// How a request stands: as it was last seen, or further.
pub(super) fn status_of(request: &Request, seen: OpendsrStatus) -> OpendsrStatus {
    let now = means(request.state, request.outcome);
    if now.step() > seen.step() { now } else { seen }
}

/// The protocol's word.
pub(super) fn word(status: OpendsrStatus) -> RequestStatus {
    match status {
        OpendsrStatus::Pending => RequestStatus::Pending,
        OpendsrStatus::InProgress => RequestStatus::InProgress,
        OpendsrStatus::Completed => RequestStatus::Completed,
        OpendsrStatus::Cancelled => RequestStatus::Cancelled,
    }
}

/// The store's word.
pub(super) fn kept(status: RequestStatus) -> OpendsrStatus {
    match status {
        RequestStatus::Pending => OpendsrStatus::Pending,
        RequestStatus::InProgress => OpendsrStatus::InProgress,
        RequestStatus::Completed => OpendsrStatus::Completed,
        RequestStatus::Cancelled => OpendsrStatus::Cancelled,
    }
}

/// The store's word for a spelling.
pub(super) fn kept_dialect(dialect: Dialect) -> OpendsrDialect {
    match dialect {
        Dialect::V1 => OpendsrDialect::V1,
        Dialect::V2 => OpendsrDialect::V2,
        Dialect::V3 => OpendsrDialect::V3,
    }
}

/// The protocol's word for a spelling.
pub(super) fn dialect_of(dialect: OpendsrDialect) -> Dialect {
    match dialect {
        OpendsrDialect::V1 => Dialect::V1,
        OpendsrDialect::V2 => Dialect::V2,
        OpendsrDialect::V3 => Dialect::V3,
    }
}

/// Our own key failed.
pub(super) fn unsigned(fault: SignatureFault) -> Complaint {
    tracing::error!(%fault, "an answer could not be signed");
    Complaint::new(500, "the answer could not be signed: tell whoever runs this")
}

impl Quietus {
    /// When a request is expected to be over: on the day aimed at, then on the day promised, and in
    /// any case by the law's last day.
    pub(crate) fn expected_at(&self, deadlines: &Deadlines) -> Timestamp {
        let now = self.now();
        let end = |day: Date| {
            let zoned = day.at(23, 59, 59, 0).to_zoned(self.zone.clone());
            zoned.map_or(now, |zoned| zoned.timestamp())
        };
        let aims = [deadlines.internal_target, deadlines.answer_by];
        let planned = aims.into_iter().map(end).find(|moment| *moment > now);
        expected_completion(end(deadlines.legal_latest), planned)
    }

    /// A request that a controller calls so; of those of others it learns nothing.
    pub(super) async fn brought_by(
        &self,
        controller: &str,
        id: Uuid,
    ) -> Result<Option<(Request, OpendsrRequest)>, AppError> {
        let named = self.store.request_named(&source_of(controller), &id.to_string()).await?;
        let Some(request) = named else { return Ok(None) };
        let brought = self.store.opendsr_request(request.id).await?;
        Ok(brought.map(|brought| (request, brought)))
    }

    async fn must_have_brought(
        &self,
        asking: &Asking,
        id: &str,
    ) -> Result<(Uuid, Request, OpendsrRequest), Complaint> {
        let id: Uuid = id.parse().map_err(|_| Complaint::not_found())?;
        let found = self.brought_by(&asking.controller, id).await.map_err(complaint)?;
        let (request, brought) = found.ok_or_else(Complaint::not_found)?;
        Ok((id, request, brought))
    }

    /// How a request stands, for whoever brought it.
    pub(super) async fn standing(
        &self,
        desk: &Desk,
        (request, status): (Request, OpendsrStatus),
    ) -> Result<Standing, AppError> {
        let id = request.external_id.parse().map_err(|_| AppError::Unreadable {
            what: "a request",
            why: "its name is none of OpenDSR".to_owned(),
        })?;
        let request: OpenRequest = self.open_request(request)?;
        let is_over = word(status).is_final();
        let closed_at = request.stored.closed_at.filter(|_| is_over);
        let expected_at = closed_at.unwrap_or_else(|| self.expected_at(&request.record.deadlines));
        let outcome = match status {
            OpendsrStatus::Completed => Some(self.outcome_report(desk, &request).await?),
            _ => None,
        };
        Ok(Standing { id, status: word(status), expected_at, outcome })
    }

    /// `GET /requests/{id}`.
    ///
    /// # Errors
    /// Where the controller has no such request.
    pub async fn opendsr_status(
        &self,
        desk: &Desk,
        asking: &Asking,
        id: &str,
    ) -> Result<Answer, Complaint> {
        let (_, request, brought) = self.must_have_brought(asking, id).await?;
        let status = status_of(&request, brought.status);
        let standing = self.standing(desk, (request, status)).await.map_err(complaint)?;
        desk.answers(asking).status(&standing).map_err(unsigned)
    }

    /// `GET /requests?group_id=`: all requests of a group, as far as the controller brought them.
    ///
    /// # Errors
    /// Where no group is named.
    pub async fn opendsr_group(
        &self,
        desk: &Desk,
        asking: &Asking,
        group: Option<&str>,
    ) -> Result<Answer, Complaint> {
        let group = group.filter(|name| !name.is_empty());
        let group = group.ok_or_else(|| {
            Complaint::new(400, "name a group: `/requests?group_id=…`, or one request by its id")
        })?;
        let tag = self.group_tag(&asking.controller, group).map_err(complaint)?;
        let found = self.store.opendsr_group(&asking.controller, tag).await;
        let mut standings = Vec::new();
        for brought in found.map_err(|error| complaint(error.into()))? {
            let request = self.store.request(brought.request_id).await;
            let Some(request) = request.map_err(|error| complaint(error.into()))? else { continue };
            let status = status_of(&request, brought.status);
            standings.push(self.standing(desk, (request, status)).await.map_err(complaint)?);
        }
        desk.answers(asking).group(&standings).map_err(unsigned)
    }

    /// `DELETE /requests/{id}`: the request is called off while nothing has been done.
    ///
    /// # Errors
    /// Where the controller has no such request, or it is no longer pending.
    pub async fn opendsr_cancel(
        &self,
        desk: &Desk,
        asking: &Asking,
        id: &str,
    ) -> Result<Answer, Complaint> {
        let (id, request, brought) = self.must_have_brought(asking, id).await?;
        quietus_connectors::opendsr::intake::may_cancel(word(status_of(&request, brought.status)))?;
        let actor = Actor(source_of(&asking.controller));
        match self.cancel_request(request.id, &actor, CANCELLED).await {
            Ok(_) => {}
            // It went on at this very moment.
            Err(AppError::Input(_)) => {
                let (_, request, brought) = self.must_have_brought(asking, &id.to_string()).await?;
                let status = word(status_of(&request, brought.status));
                quietus_connectors::opendsr::intake::may_cancel(status)?;
                return Err(Complaint::new(503, "the request is being changed: try again"));
            }
            Err(error) => return Err(complaint(error)),
        }
        desk.answers(asking).cancelled(id, self.now()).map_err(unsigned)
    }

    /// A keyed digest of a group's name, which may say anything.
    pub(super) fn group_tag(&self, controller: &str, group: &str) -> Result<Digest, AppError> {
        self.desk_tag("group", controller, group)
    }

    /// A keyed digest of something that a controller sent.
    pub(super) fn desk_tag(
        &self,
        what: &str,
        controller: &str,
        text: &str,
    ) -> Result<Digest, AppError> {
        let tag = self.vault.tag(&format!("opendsr {what} {controller}"), text);
        let bytes = tag.try_into().map_err(|_| crate::app::vault::VaultError::Sealing)?;
        Ok(Digest(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completed_is_only_said_of_what_is_whole() {
        let closed = |outcome| means(RequestState::Closed, Some(outcome));
        for whole in [
            RequestOutcome::Fulfilled,
            RequestOutcome::PartiallyRetained,
            RequestOutcome::NotFound,
            RequestOutcome::Refused,
            RequestOutcome::Handled,
        ] {
            assert_eq!(closed(whole), OpendsrStatus::Completed, "{whole}");
        }
        assert_eq!(closed(RequestOutcome::Failed), OpendsrStatus::InProgress);
        assert_eq!(closed(RequestOutcome::Cancelled), OpendsrStatus::Cancelled);
        for before in [
            RequestState::IdentityPending,
            RequestState::CoolingOff,
            RequestState::Ready,
            RequestState::Ambiguous,
        ] {
            assert_eq!(means(before, None), OpendsrStatus::Pending, "{before}");
        }
        assert_eq!(means(RequestState::Executing, None), OpendsrStatus::InProgress);
        assert_eq!(means(RequestState::WithAPerson, None), OpendsrStatus::InProgress);
    }

    #[test]
    fn words_are_the_same_on_both_sides() {
        for status in [
            OpendsrStatus::Pending,
            OpendsrStatus::InProgress,
            OpendsrStatus::Completed,
            OpendsrStatus::Cancelled,
        ] {
            assert_eq!(word(status).as_str(), status.as_str());
            assert_eq!(kept(word(status)), status);
            assert_eq!(word(status).is_final(), status.step() == 2);
        }
        for dialect in [OpendsrDialect::V1, OpendsrDialect::V2, OpendsrDialect::V3] {
            assert_eq!(kept_dialect(dialect_of(dialect)), dialect);
        }
    }
}
