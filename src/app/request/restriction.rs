//! What keeps data restricted beside the request whose restriction is lifted.
//!
//! A system has one flag and does not say who set it; the engine knows its own jobs. An erasure of
//! the same person whose case still has something to do has restricted what minimums and holds keep,
//! and a restriction that the person asked for outlives an objection that was rejected, and a lifting
//! that was asked for before it. A lifting ends what it covers as a whole, and nothing else.
//!
//! An objection that was upheld ends the use of what it covers for good (GDPR article 21(1)), and
//! what follows erases it. Where that erasure is taken back or refused, what it would have erased
//! stays restricted: no other ground allows to use it again, and erasing against the person's will
//! is not the way out either (article 18(1)(b)). The person ends it, by asking for a lifting.

use quietus_connectors::SubjectAction;

use super::fan_out::action_of;
use super::objection::{Verdict, is_restricted_objection};
use super::record::OpenRequest;
use crate::app::{AppError, Quietus};
use crate::domain::{AskedRight, RequestOutcome, RequestState};
use crate::plan::{Person as Sought, PersonScope, RecordKeys, StaysRestricted, scope_of};
use crate::store::{JobKind, Request};

impl Quietus {
    /// The scope of a plan for the person of a request.
    ///
    /// # Errors
    /// Where the store is not there.
    pub(super) async fn scope_for(
        &self,
        request: &OpenRequest,
        sought: &Sought,
        records: RecordKeys,
    ) -> Result<PersonScope, AppError> {
        let persons = std::slice::from_ref(sought);
        let categories = request.record.categories.clone();
        let mut scope = scope_of(action_of(request), persons, categories, records);
        scope.incomplete = !request.record.not_asked.is_empty();
        if scope.action == SubjectAction::Lift {
            scope.stays_restricted = self.stays_restricted(request, sought).await?;
        }
        Ok(scope)
    }

    /// Keeps digests of what the person was found to be known by, where a person has one of it: so
    /// that a later request is seen to be of the same person, whatever it names.
    pub(super) async fn keep_tags(
        &self,
        request: &OpenRequest,
        sought: &Sought,
    ) -> Result<(), AppError> {
        let Some(vault) = self.request_vault(&request.stored)? else { return Ok(()) };
        let tags = self.person_tags(&vault, &self.keyed_of_found(request, sought))?;
        Ok(self.store.add_request_tags(request.stored.id, tags).await?)
    }

    fn keyed_of_found(&self, request: &OpenRequest, sought: &Sought) -> Vec<Vec<u8>> {
        let given = request.person.as_ref().map(|person| &person.given);
        let known = sought.identities().filter(|one| {
            given.is_some_and(|given| given.contains(*one))
                || self.instance.identities.of(&one.kind).one_per_person
        });
        known.map(|one| self.keyed(one)).collect()
    }

    /// Whether the person of a lifting was restricted once more since, so that it must not be
    /// carried out again.
    ///
    /// # Errors
    /// Where the store is not there.
    pub(crate) async fn is_restricted_again(&self, case: uuid::Uuid) -> Result<bool, AppError> {
        let Some(stored) = self.store.request_of_case(case).await? else { return Ok(false) };
        let lifting = self.open_request(stored)?;
        let sought = self.sought(&lifting)?;
        let tags = self.tags_on_record(&self.keyed_of_found(&lifting, &sought)).await?;
        for other in self.store.requests_of_person(tags).await? {
            let restricts = matches!(other.asked, AskedRight::Restriction | AskedRight::Objection);
            let later = is_recorded_after(&other, &lifting.stored);
            let Some(case) = other.case_id.filter(|_| restricts && later) else { continue };
            let jobs = self.store.jobs_of_case(case).await?;
            if jobs.iter().any(|job| job.kind == JobKind::Upkeep && !job.state.is_final()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What keeps records of the person restricted beside this request.
    async fn stays_restricted(
        &self,
        request: &OpenRequest,
        sought: &Sought,
    ) -> Result<Vec<StaysRestricted>, AppError> {
        let others = self.others_of_person(request, sought).await?;
        let mut stays = Vec::new();
        for other in &others {
            let categories = other.record.categories.clone();
            if action_of(other) == SubjectAction::Erase {
                if self.has_left_something(other).await? {
                    stays.push(StaysRestricted::ByErasure(categories));
                }
            } else if outlives(request, other)
                && (is_in_force(other, &others)
                    || !is_ended(other, &others) && self.is_upheld_and_not_erased(other).await?)
            {
                stays.push(StaysRestricted::ByRequest(categories));
            }
        }
        Ok(stays)
    }

    /// Other requests that may be of the same person.
    async fn others_of_person(
        &self,
        request: &OpenRequest,
        sought: &Sought,
    ) -> Result<Vec<OpenRequest>, AppError> {
        let tags = self.tags_on_record(&self.keyed_of_found(request, sought)).await?;
        let all = self.store.requests_of_person(tags).await?.into_iter();
        let others = all.filter(|other| other.id != request.stored.id);
        others.map(|other| self.open_request(other)).collect()
    }

    /// Whether the restriction of a request has ended, so that nothing is restricted under it any more.
    ///
    /// # Errors
    /// Where the store is not there.
    pub(crate) async fn has_restriction_ended(
        &self,
        restriction: &OpenRequest,
    ) -> Result<bool, AppError> {
        let is_on_record = restriction.record.restriction_ended_by.is_some();
        if is_on_record || restriction.person.is_none() {
            return Ok(is_on_record);
        }
        let sought = self.sought(restriction)?;
        let mut others = self.others_of_person(restriction, &sought).await?;
        others.retain(|other| !self.is_somebody_else(other, &sought));
        Ok(is_ended(restriction, &others))
    }

    /// Whether a case restricts under a request whose restriction has ended.
    ///
    /// # Errors
    /// Where the store is not there.
    pub(crate) async fn restricts_no_more(&self, case: uuid::Uuid) -> Result<bool, AppError> {
        let Some(stored) = self.store.request_of_case(case).await? else { return Ok(false) };
        let request = self.open_request(stored)?;
        Ok(action_of(&request) == SubjectAction::Restrict
            && self.has_restriction_ended(&request).await?)
    }

    /// Whether an objection was upheld and what it covers was not erased: the request that should do
    /// so was taken back or refused, or has not begun.
    async fn is_upheld_and_not_erased(&self, objection: &OpenRequest) -> Result<bool, AppError> {
        let by = objection.record.followed_by;
        let Some(by) = by.filter(|_| objection.record.verdict == Some(Verdict::Upheld)) else {
            return Ok(false);
        };
        Ok(self.store.request(by).await?.is_some_and(|erasure| erasure.case_id.is_none()))
    }

    /// Whether something of an erasure is still to be done: what it left is restricted until then.
    async fn has_left_something(&self, erasure: &OpenRequest) -> Result<bool, AppError> {
        let Some(case) = erasure.stored.case_id else { return Ok(false) };
        let jobs = self.store.jobs_of_case(case).await?;
        Ok(jobs.iter().any(|job| !job.state.is_final()))
    }
}

/// Whether a restriction stays when this one is lifted. A person who asks for the lifting means all
/// that they have asked for until then; a decision about an objection means that objection.
pub(super) fn outlives(lifting: &OpenRequest, other: &OpenRequest) -> bool {
    match lifting.record.follows {
        Some(objection) => objection != other.stored.id,
        None => is_recorded_after(&other.stored, &lifting.stored),
    }
}

/// Of two that were recorded in one moment, their identifiers say which came first.
fn is_recorded_after(one: &Request, other: &Request) -> bool {
    (one.recorded_at, one.id) > (other.recorded_at, other.id)
}

/// Whether a lifting speaks of everything that a restriction covers.
pub(super) fn covers(lifting: &OpenRequest, restriction: &OpenRequest) -> bool {
    match (&lifting.record.categories, &restriction.record.categories) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(lifted), Some(restricted)) => restricted.is_subset(lifted),
    }
}

/// Whether a request's own restriction is in force.
fn is_in_force(other: &OpenRequest, all: &[OpenRequest]) -> bool {
    let stored = &other.stored;
    let imposed = match (stored.asked, stored.state) {
        (AskedRight::Restriction | AskedRight::Objection, RequestState::Executing) => true,
        (AskedRight::Restriction, RequestState::Closed) => {
            !matches!(stored.outcome, Some(RequestOutcome::Cancelled | RequestOutcome::Refused))
        }
        _ => is_restricted_objection(other),
    };
    imposed && stored.case_id.is_some() && !is_ended(other, all)
}

/// Whether the case of another request has ended a restriction.
fn is_ended(restriction: &OpenRequest, all: &[OpenRequest]) -> bool {
    restriction.record.restriction_ended_by.is_some()
        || all.iter().any(|other| has_ended(other, restriction))
}

/// Whether it was this one's case, by what is on record of both: versions of before did not write it
/// down.
fn has_ended(other: &OpenRequest, restriction: &OpenRequest) -> bool {
    let lifts = other.stored.asked == AskedRight::Lifting || other.record.follows.is_some();
    // A case only ends what was under way as it was opened; identifiers of cases follow that order.
    let (ending, begun) = (other.stored.case_id, restriction.stored.case_id);
    let was_under_way = ending.zip(begun).is_some_and(|(ending, begun)| ending > begun);
    lifts && was_under_way && !outlives(other, restriction) && covers(other, restriction)
}
