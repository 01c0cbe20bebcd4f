//! A restriction lasts: records of the person that appear later are restricted too.
//!
//! Each database of the case gets a job that looks again and again, under the same case, until the
//! restriction is lifted. A look that finds nothing new is put off to the next; one that has
//! restricted something is certified, and the next look is a new job.
//!
//! The end of a restriction is written down with its request, in the transaction that opens the case
//! of the lifting. From then on nothing is restricted under it: late certificates bring no upkeep, and
//! what has failed is not tried again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use quietus_connectors::SubjectAction;
use serde_json::json;
use uuid::Uuid;

use super::answer::Asked;
use super::fan_out::action_of;
use super::record::{Move, OpenRequest};
use super::restriction::{covers, outlives};
use crate::app::recording::About;
use crate::app::{AppError, Quietus};
use crate::domain::{AskedRight, JobState, RequestState, Rounding, SystemName};
use crate::evidence::EvidenceKind;
use crate::evidence::statement::SystemStatement;
use crate::plan::Person as Sought;
use crate::store::{EndedRestriction, Job, JobKind, NewJob, OutboxEntry};

impl Quietus {
    /// When somebody's restriction is looked after next.
    pub(crate) fn next_upkeep(&self) -> Timestamp {
        let period = self.instance.requests.restriction_upkeep;
        period.due_at(self.now(), Rounding::None, &self.zone)
    }

    /// A job for each database that keeps the person's restriction up; none where one waits, or the
    /// restriction has ended.
    pub(super) fn upkeep_jobs(
        &self,
        asked: &Asked,
        statements: &[SystemStatement],
        jobs: &[Job],
    ) -> Result<Vec<NewJob>, AppError> {
        let restricts =
            matches!(asked.request.stored.asked, AskedRight::Restriction | AskedRight::Objection);
        let lasts = restricts && !asked.restriction_ended;
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

    /// The restrictions that end as the case of this request is opened, because they are lifted or
    /// what an objection covered is erased: what is not final of them is called off, and nobody keeps
    /// them up any more. One that covers categories that stay restricted goes on. `None` while
    /// somebody is at work on one, who would restrict again what is lifted meanwhile.
    pub(super) async fn restrictions_ended_by(
        &self,
        lifting: &OpenRequest,
        sought: &Sought,
    ) -> Result<Option<Vec<EndedRestriction>>, AppError> {
        let keyed: Vec<Vec<u8>> = sought.identities().map(|one| self.keyed(one)).collect();
        let tags = self.tags_on_record(&keyed).await?;
        let mut ended = Vec::new();
        for stored in self.store.requests_of_person(tags).await? {
            let Some(case) = stored.case_id else { continue };
            let request = self.open_request(stored)?;
            if action_of(&request) != SubjectAction::Restrict
                || self.is_somebody_else(&request, sought)
                || !covers(lifting, &request)
                || outlives(lifting, &request)
            {
                continue;
            }
            let mut jobs = self.store.jobs_of_case(case).await?;
            // What a restore brought back goes again, and is lifted once the system is open.
            jobs.retain(|job| matches!(job.kind, JobKind::Request | JobKind::Upkeep));
            jobs.retain(|job| !job.state.is_final());
            if jobs.iter().any(|job| job.state == JobState::Running) {
                return Ok(None);
            }
            ended.extend(self.ended(request, &jobs, lifting.stored.id)?);
        }
        Ok(Some(ended))
    }

    /// How a restriction ends of which these jobs are not final; `None` where it had ended before, and
    /// nothing is left to do about it.
    fn ended(
        &self,
        mut request: OpenRequest,
        open: &[Job],
        by: Uuid,
    ) -> Result<Option<EndedRestriction>, AppError> {
        let stored = &request.stored;
        let Some(case_id) = stored.case_id else { return Ok(None) };
        // Whoever is answered is forgotten in time; an open request gets its date with its answer.
        let dateless = stored.state == RequestState::Closed && stored.look_at.is_none();
        if request.record.restriction_ended_by.is_some() && !dateless && open.is_empty() {
            return Ok(None);
        }
        let look_at = if dateless { Some(self.forget_at()) } else { stored.look_at };
        let next = Move { look_at, ..Move::stay(stored) };
        request.record.restriction_ended_by.get_or_insert(by);
        let jobs = open.iter().map(|job| Ok((job.id, self.called_off(job, by)?)));
        let jobs = jobs.collect::<Result<Vec<_>, AppError>>()?;
        Ok(Some(EndedRestriction { case_id, request: self.change_of(&request, next)?, jobs }))
    }

    fn called_off(&self, job: &Job, lifting: Uuid) -> Result<OutboxEntry, AppError> {
        self.record(
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
        )
    }

    /// Both are known by something of which a person has one, and it is not the same.
    pub(super) fn is_somebody_else(&self, request: &OpenRequest, sought: &Sought) -> bool {
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
