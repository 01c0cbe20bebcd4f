//! Forgetting: in time, nobody needs to know any more who asked.

use jiff::Timestamp;
use serde_json::json;

use super::record::{Move, OpenRequest};
use crate::app::over_jobs::can_be_tried_again;
use crate::app::{AppError, Quietus};
use crate::domain::{CaseState, RetentionPeriod};
use crate::store::{Case, Request};

impl Quietus {
    /// When a person is forgotten whose request is answered and of whom nothing is left to do: the
    /// time in which the answer and its opening reach them.
    pub(super) fn forget_at(&self) -> Timestamp {
        let now = self.now();
        let period = RetentionPeriod::parse("P30D");
        period.map_or(now, |period| period.due_at(now, crate::domain::Rounding::None, &self.zone))
    }

    /// Forgets the person of a closed request of which nothing is left to do.
    pub(super) async fn forget_answered(&self, request: &OpenRequest) -> Result<(), AppError> {
        if self.stays_known(request).await? {
            let now = self.now();
            let tomorrow = now.checked_add(jiff::SignedDuration::from_hours(24)).unwrap_or(now);
            let next = Move { look_at: Some(tomorrow), ..Move::stay(&request.stored) };
            return self.keep_request(request, next, Vec::new()).await;
        }
        self.forget_stored(&request.stored).await
    }

    /// Whoever is forgotten cannot be looked for: not while something is to be done again or certified, a
    /// part that failed may be tried again, a copy may still hold them, a later look is promised, or a
    /// legal hold names them.
    async fn stays_known(&self, request: &OpenRequest) -> Result<bool, AppError> {
        if let Some(id) = request.stored.case_id {
            let jobs = self.store.jobs_of_case(id).await?;
            // What a lifting has ended is not tried again.
            let ended = request.record.restriction_ended_by.is_some();
            let has_more = |case: Case| {
                let may = case.cancelled.is_none() && !ended && can_be_tried_again(&jobs);
                may || case.state != CaseState::Closed
            };
            if self.store.case(id).await?.is_some_and(has_more) {
                return Ok(true);
            }
            if jobs.iter().any(|job| !job.state.is_final())
                || self.is_still_looked_for(request, (id, &jobs)).await?
            {
                return Ok(true);
            }
        }
        self.is_held_by_name(request).await
    }

    /// Forgets the person of a closed request.
    pub(crate) async fn forget_stored(&self, request: &Request) -> Result<(), AppError> {
        let evidence = self.record(
            crate::evidence::EvidenceKind::EvidenceShredded,
            crate::app::recording::About { case: request.case_id, job: None },
            &json!({ "request": request.id, "what": "the person's key, identities and letters" }),
        )?;
        self.store.forget_person(request.id, self.now(), vec![evidence]).await?;
        Ok(())
    }
}
