//! Jobs that nobody goes on with: those that were called off, failed ones whose work a later run has
//! done, and completed ones. What their systems kept to resume them, keys of records among it, is
//! dropped.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use quietus_connectors::{Connector, Fault};
use serde_json::Value;
use uuid::Uuid;

use super::request::RequestRecord;
use super::settle::job_of_key;
use super::{AppError, Quietus};
use crate::domain::JobState;
use crate::store::{Case, CaseFilter, Job, JobKind};

/// How many of the latest cases are looked at.
const LATEST_CASES: u32 = 20;
/// Orders of one system that are looked at to drop what is left of completed ones.
const MOST_REMEMBERED: u32 = 10_000;
/// Completed runs in one system among which one is sought that has done a failed one's work.
const MOST_SWEPT: u32 = 1000;

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

    /// Of these failed jobs, those whose work no later run has done, and which restrict nobody whose
    /// restriction has ended.
    ///
    /// # Errors
    /// Where the store is not there.
    pub(super) async fn not_superseded(&self, failed: Vec<Job>) -> Result<Vec<Job>, AppError> {
        let mut oldest: BTreeMap<&str, Timestamp> = BTreeMap::new();
        for job in failed.iter().filter(|job| job.kind == JobKind::Sweep) {
            let since = oldest.entry(&job.system).or_insert(job.created_at);
            *since = job.created_at.min(*since);
        }
        let mut later = Vec::new();
        for (system, since) in oldest {
            later.extend(self.store.swept_since(system, since, MOST_SWEPT).await?);
        }
        let is_done = |job: &Job| {
            later.iter().any(|one| {
                one.case_id != job.case_id
                    && one.created_at >= job.created_at
                    && does_the_work_of(one, job)
            })
        };
        let ended = self.restrictions_ended_of(&failed).await?;
        let mut left = failed;
        left.retain(|job| !(is_done(job) || restricts(job) && ended.contains(&job.case_id)));
        Ok(left)
    }

    /// Cases of these jobs under which nothing is restricted any more: to try one again would restrict
    /// what was lifted.
    ///
    /// # Errors
    /// Where the store is not there, or a request cannot be read.
    pub(super) async fn restrictions_ended_of(
        &self,
        jobs: &[Job],
    ) -> Result<BTreeSet<Uuid>, AppError> {
        let cases = jobs.iter().filter(|job| restricts(job)).map(|job| job.case_id).collect();
        let mut ended = BTreeSet::new();
        for (case, request) in self.store.requests_of_cases(&cases).await? {
            if RequestRecord::of(&request)?.restriction_ended_by.is_some() {
                ended.insert(case);
            }
        }
        Ok(ended)
    }

    /// Drops what a system still keeps of jobs that are over: whoever ended one may have died
    /// before it could drop that, or the system was put back to a moment before. Canaries and the orders
    /// of other instances are none of ours. That it could not be done is no fault of anybody.
    ///
    /// # Errors
    /// Where the store is not there.
    pub(super) async fn forget_what_was_left(
        &self,
        system: &str,
        connector: &dyn Connector,
    ) -> Result<(), AppError> {
        let could_not = |fault: &Fault| {
            tracing::warn!(%fault, system, "what the system keeps of jobs that are over could not be dropped");
        };
        let remembered = match connector.remembered(MOST_REMEMBERED).await {
            Ok(remembered) => remembered,
            Err(fault) => {
                could_not(&fault);
                return Ok(());
            }
        };
        let mut left = Vec::new();
        for key in remembered {
            let Some(id) = job_of_key(&key) else { continue };
            let job = self.store.job(id).await?;
            let is_over = |state| matches!(state, JobState::Completed | JobState::Cancelled);
            if job.is_some_and(|job| is_over(job.state) && job.system == system) {
                left.push(key);
            }
        }
        if left.is_empty() {
            return Ok(());
        }
        if let Err(fault) = connector.forget_all(&left).await {
            could_not(&fault);
        }
        Ok(())
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

/// It would restrict, where its request is one for a restriction. What a restore brought back goes
/// again in any case.
fn restricts(job: &Job) -> bool {
    matches!(job.kind, JobKind::Request | JobKind::Upkeep)
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
