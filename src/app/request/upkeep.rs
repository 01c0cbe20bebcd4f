//! A restriction lasts: records of the person that appear later are restricted too.
//!
//! Each database of the case gets a job that looks again and again, under the same case, until the
//! restriction is lifted. A look that finds nothing new is put off to the next; one that has
//! restricted something is certified, and the next look is a new job.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::answer::Asked;
use super::record::{Move, OpenRequest};
use super::restriction::outlives;
use crate::app::fire::SCHEDULER;
use crate::app::recording::About;
use crate::app::{AppError, Quietus};
use crate::domain::{AskedRight, RequestState, Rounding, SystemName};
use crate::evidence::EvidenceKind;
use crate::evidence::statement::SystemStatement;
use crate::plan::Person as Sought;
use crate::store::{Job, JobKind, NewJob};

impl Quietus {
    /// When somebody's restriction is looked after next.
    pub(crate) fn next_upkeep(&self) -> Timestamp {
        let period = self.instance.requests.restriction_upkeep;
        period.due_at(self.now(), Rounding::None, &self.zone)
    }

    /// A job for each database that keeps the person's restriction up; none where one waits.
    pub(super) fn upkeep_jobs(
        &self,
        asked: &Asked,
        statements: &[SystemStatement],
        jobs: &[Job],
    ) -> Result<Vec<NewJob>, AppError> {
        let lasts =
            matches!(asked.request.stored.asked, AskedRight::Restriction | AskedRight::Objection);
        let databases = statements.iter().filter(|one| lasts && one.recipient.is_none());
        let databases: BTreeSet<&SystemName> = databases.map(|one| &one.system.id).collect();
        let waits = |system: &SystemName| {
            let mut own = jobs.iter().filter(|job| job.system == system.as_str());
            own.any(|job| job.kind == JobKind::Upkeep && !job.state.is_final())
        };
        let at = self.next_upkeep();
        let missing = databases.into_iter().filter(|system| !waits(system));
        missing.map(|system| self.later_job(JobKind::Upkeep, system, at, None)).collect()
    }

    /// The person's restrictions are lifted, or what an objection covered is erased: nobody keeps
    /// them up any more. One that covers categories that stay restricted goes on.
    pub(super) async fn end_upkeep(
        &self,
        lifting: &OpenRequest,
        sought: &Sought,
    ) -> Result<(), AppError> {
        let keyed: Vec<Vec<u8>> = sought.identities().map(|one| self.keyed(one)).collect();
        let tags = self.tags_on_record(&keyed).await?;
        for stored in self.store.requests_of_person(tags).await? {
            let restricts = matches!(stored.asked, AskedRight::Restriction | AskedRight::Objection);
            let Some(case) = stored.case_id.filter(|_| restricts) else { continue };
            let request = self.open_request(stored)?;
            if self.is_somebody_else(&request, sought)
                || !covers(lifting, &request)
                || outlives(lifting, &request)
            {
                continue;
            }
            let mut ended = false;
            for job in self.store.jobs_of_case(case).await? {
                if job.kind == JobKind::Upkeep && !job.state.is_final() {
                    ended |= self.end_upkeep_job(&job, lifting.stored.id).await?;
                }
            }
            let followed = lifting.record.follows == Some(request.stored.id);
            if (ended || followed) && request.stored.state == RequestState::Closed {
                let next = Move { look_at: Some(self.forget_at()), ..Move::stay(&request.stored) };
                self.keep_request(&request, next, Vec::new()).await?;
            }
        }
        Ok(())
    }

    async fn end_upkeep_job(&self, job: &Job, lifting: Uuid) -> Result<bool, AppError> {
        let evidence = self.record(
            EvidenceKind::StepCancelled,
            About { case: Some(job.case_id), job: Some(job.id) },
            &json!({
                "case": job.case_id,
                "job": job.id,
                "system": job.system,
                "result": "cancelled",
                "words": "the restriction is lifted",
                "request": lifting,
            }),
        )?;
        Ok(self.store.cancel_job(job.id, SCHEDULER, self.now(), vec![evidence]).await?)
    }

    /// Both are known by something of which a person has one, and it is not the same.
    fn is_somebody_else(&self, request: &OpenRequest, sought: &Sought) -> bool {
        let Some(person) = &request.person else { return true };
        let mut mine: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for one in sought.identities() {
            mine.entry(one.kind.as_str()).or_default().insert(one.value.as_str());
        }
        person.known().iter().any(|(kind, values)| {
            let one_per_person = self.instance.identities.of(kind).one_per_person;
            let mine = mine.get(kind.as_str()).filter(|_| one_per_person);
            mine.is_some_and(|mine| values.iter().all(|value| !mine.contains(value.as_str())))
        })
    }
}

/// Whether a lifting speaks of everything that a restriction covers.
fn covers(lifting: &OpenRequest, restriction: &OpenRequest) -> bool {
    match (&lifting.record.categories, &restriction.record.categories) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(lifted), Some(restricted)) => restricted.is_subset(lifted),
    }
}
