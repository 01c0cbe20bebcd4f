//! Jobs that nobody goes on with: those that were called off, and failed ones whose work a later run
//! has done. What their systems kept to resume them, keys of records among it, is dropped.

use serde_json::Value;

use super::{AppError, Quietus};
use crate::domain::JobState;
use crate::store::{Case, CaseFilter, Job, JobKind};

/// How many of the latest cases are looked at.
const LATEST_CASES: u32 = 20;

impl Quietus {
    /// Drops what systems keep of jobs that are over once this case is certified.
    pub(super) async fn forget_what_is_over(
        &self,
        case: &Case,
        jobs: &[Job],
    ) -> Result<(), AppError> {
        for job in jobs.iter().filter(|job| job.state == JobState::Cancelled) {
            self.forget_job(job).await;
        }
        let does_others_work =
            |job: &&Job| job.state == JobState::Completed && job.kind == JobKind::Sweep;
        let completed: Vec<&Job> = jobs.iter().filter(does_others_work).collect();
        if completed.is_empty() {
            return Ok(());
        }
        let filter = CaseFilter {
            before: Some((case.created_at, case.id)),
            limit: LATEST_CASES,
            ..CaseFilter::default()
        };
        for earlier in self.store.list_cases(filter).await? {
            for job in self.store.jobs_of_case(earlier.id).await? {
                let did = completed.iter().any(|later| does_the_work_of(later, &job));
                if job.state == JobState::Failed && did {
                    self.forget_job(&job).await;
                }
            }
        }
        Ok(())
    }

    /// Whether a later run has done the work of a failed job, so that trying it again is pointless.
    pub(super) async fn is_superseded(&self, job: &Job) -> Result<bool, AppError> {
        let filter = CaseFilter { limit: LATEST_CASES, ..CaseFilter::default() };
        for case in self.store.list_cases(filter).await? {
            if case.id == job.case_id || case.created_at < job.created_at {
                continue;
            }
            let later = self.store.jobs_of_case(case.id).await?;
            let done = |one: &Job| one.state == JobState::Completed && does_the_work_of(one, job);
            if later.iter().any(done) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn forget_job(&self, job: &Job) {
        if job.attempt == 0 {
            return;
        }
        let rounds = job.done.as_ref().and_then(|done| done.get("rounds"));
        let rounds = rounds.and_then(Value::as_array).map_or(0, Vec::len);
        self.forget(&job.system, job.id, rounds + 1).await;
    }
}

/// A later job of the same system for the same schedules, or for all. What a person asked for is
/// done by no other job, and does no other's work.
fn does_the_work_of(later: &Job, earlier: &Job) -> bool {
    if [later, earlier].iter().any(|job| job.kind != JobKind::Sweep) {
        return false;
    }
    let schedules = |job: &Job| job.payload.get("schedules").cloned().unwrap_or(Value::Null);
    let turn = schedules(later);
    later.system == earlier.system && (turn.is_null() || turn == schedules(earlier))
}
