//! The case of a request: like that of a schedule, with the same jobs in the same transaction, and
//! in it the request goes on to be carried out.

use quietus_connectors::Counts;
use serde_json::json;
use uuid::Uuid;

use super::drilled::Drilled;
use crate::app::carry_out::Payload;
use crate::app::forecast::CountedPlan;
use crate::app::open_case::planned_records;
use crate::app::plan_on_record::PlanOnRecord;
use crate::app::recording::About;
use crate::app::{Actor, AppError, Quietus};
use crate::domain::CaseState;
use crate::evidence::EvidenceKind;
use crate::plan::SystemPlan;
use crate::store::{CaseCause, JobKind, NewCase, NewJob, RequestChange};

/// Attempts that a part gets before a person is asked. Waiting for a third party that answers late
/// costs none: its own date ends that.
const ATTEMPTS: u32 = 8;
/// Records of one person that a system may change without having counted them.
const UNCOUNTED_RECORDS: u64 = 10_000;

/// The opening of a request's case.
pub(super) struct PersonOpening {
    pub(super) case: Uuid,
    pub(super) request_id: Uuid,
    pub(super) request: RequestChange,
    pub(super) drill: Option<Drilled>,
    pub(super) actor: Actor,
}

impl Quietus {
    /// The case of a request with a job for each system, all available at once: none waits for
    /// another.
    pub(super) fn new_person_case(
        &self,
        opening: PersonOpening,
        counted: CountedPlan,
    ) -> Result<NewCase, AppError> {
        let (moment, holds_version) = (counted.plan.moment, counted.holds_version);
        let on_record = PlanOnRecord::from(counted);
        let plan = on_record.document()?;
        let jobs = on_record
            .plan
            .systems
            .iter()
            .filter(|system| {
                system.persons.is_some() || system.instructions.iter().any(|one| !one.keep)
            })
            .map(|system| {
                let counts = on_record.counts.get(&system.system);
                self.new_person_job(system, counts, (holds_version, opening.drill.as_ref()))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let named: Vec<_> =
            jobs.iter().map(|job| json!({ "id": job.id, "system": job.system })).collect();
        let opened = self.record(
            EvidenceKind::CaseOpened,
            About { case: Some(opening.case), job: None },
            &json!({
                "case": opening.case,
                "cause": CaseCause::Request.as_str(),
                "request": opening.request_id,
                "by": opening.actor.0,
                "moment": moment,
                "planSha256": plan.digest,
                "rulesSha256": self.rules.digest,
                "mapSha256": self.map.digest,
                "jobs": named,
                "notCovered": on_record.plan.left_out,
            }),
        )?;
        Ok(NewCase {
            id: opening.case,
            cause: CaseCause::Request,
            schedule: None,
            due_at: None,
            moment,
            state: CaseState::Executing,
            rules: self.rules_document.clone(),
            map: self.map_document.clone(),
            authors: vec![opening.actor.0.clone()],
            opened_by: opening.actor.0,
            lag_us: None,
            blocked_reason: None,
            marks: Vec::new(),
            plan,
            jobs,
            fires: None,
            request: Some(opening.request),
            ends: Vec::new(),
            evidence: vec![opened],
        })
    }

    /// One system's part of a request.
    pub(super) fn new_person_job(
        &self,
        system: &SystemPlan,
        counts: Option<&Counts>,
        (holds_version, drill): (u64, Option<&Drilled>),
    ) -> Result<NewJob, AppError> {
        let planned = counts.map(planned_records);
        let uncounted = drill.map_or(UNCOUNTED_RECORDS, |drill| drill.planted_in(&system.system));
        let payload = Payload::Person {
            most_records: Some(planned.unwrap_or_default().saturating_add(uncounted)),
            holds_version,
            moment: None,
            anew: false,
        };
        Ok(NewJob {
            id: self.ids.new_id(),
            system: system.system.clone(),
            kind: JobKind::Request,
            blocked: None,
            held_by: None,
            available_at: self.now(),
            attempts_allowed: ATTEMPTS,
            payload: serde_json::to_value(payload)
                .map_err(|error| AppError::Unreadable { what: "a job", why: error.to_string() })?,
            total_estimate: planned,
        })
    }
}
