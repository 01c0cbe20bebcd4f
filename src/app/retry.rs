//! Trying failed jobs again after a person has mended the cause.

use serde_json::json;
use uuid::Uuid;

use super::recording::About;
use super::{Actor, AppError, Quietus};
use crate::domain::JobState;
use crate::evidence::EvidenceKind;
use crate::store::{CaseFilter, JobKind, StoreError};

/// Further attempts that a job gets.
const ATTEMPTS: u32 = 8;
/// How many of the latest cases are searched for failed jobs.
const LATEST_CASES: u32 = 20;

impl Quietus {
    /// Makes one failed job available again.
    ///
    /// # Errors
    /// Where there is no such job, it has not failed, or the schedule's next case is open already.
    pub async fn retry_job(&self, job: Uuid, actor: &Actor) -> Result<(), AppError> {
        let found = self.store.job(job).await?;
        let Some(found) = found else {
            return Err(AppError::Input(format!("there is no job `{job}`")));
        };
        let case = self.store.case(found.case_id).await?;
        if case.is_some_and(|case| case.cancelled.is_some()) {
            return Err(AppError::Input(format!(
                "the case of job `{job}` was called off: open a new one with `quietus run --once`"
            )));
        }
        if self.is_superseded(&found).await? {
            return Err(AppError::Input(format!(
                "a later run has done the work of job `{job}`: see `quietus status`"
            )));
        }
        let evidence = self.record(
            EvidenceKind::StepRetried,
            About { case: Some(found.case_id), job: Some(job) },
            &json!({"job": job, "result": "to be tried again", "by": actor.0}),
        )?;
        if self.store.retry_job(job, ATTEMPTS, self.now(), vec![evidence]).await? {
            self.wake.up();
            return Ok(());
        }
        Err(AppError::Input(format!("job `{job}` has not failed; see `quietus status`")))
    }

    /// Makes all failed jobs of the latest cases available again, of one system or of all. Those of
    /// cases that were called off, and those whose work a later run has done, are left alone.
    ///
    /// # Errors
    /// Where there is no such system or the store is not there.
    pub async fn retry_failed(
        &self,
        system: Option<&str>,
        actor: &Actor,
    ) -> Result<Retried, AppError> {
        if let Some(system) = system {
            self.system(system)?;
        }
        let mut retried = Retried::default();
        let filter = CaseFilter { limit: LATEST_CASES, ..CaseFilter::default() };
        for case in self.store.list_cases(filter).await? {
            if case.cancelled.is_some() {
                continue;
            }
            for job in self.store.jobs_of_case(case.id).await? {
                let wanted = system.is_none_or(|system| system == job.system);
                let replay = job.kind == JobKind::Replay;
                if replay
                    || job.state != JobState::Failed
                    || !wanted
                    || self.is_superseded(&job).await?
                {
                    continue;
                }
                match self.retry_job(job.id, actor).await {
                    Ok(()) => retried.tried += 1,
                    // The schedule's next case is open: it will do the same work.
                    Err(AppError::Store(StoreError::Conflict { .. })) => retried.left.push(job.id),
                    Err(other) => return Err(other),
                }
            }
        }
        retried.tried += self.retry_replays(system, actor).await?;
        Ok(retried)
    }

    /// What a restore under way does again for persons, in however old a case.
    async fn retry_replays(&self, system: Option<&str>, actor: &Actor) -> Result<u64, AppError> {
        let mut tried = 0;
        for restore in self.store.restores_under_way().await? {
            if system.is_some_and(|system| system != restore.system) {
                continue;
            }
            let failed = Some(JobState::Failed);
            let mut after = Uuid::nil();
            loop {
                let jobs = self.store.restore_jobs(restore.id, failed, after, 1000).await?;
                let Some(last) = jobs.last() else { break };
                after = last.id;
                for job in &jobs {
                    self.retry_job(job.id, actor).await?;
                    tried += 1;
                }
            }
        }
        Ok(tried)
    }
}

/// What came of trying everything again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retried {
    /// Jobs that are tried again.
    pub tried: u64,
    /// Jobs that are not, because the next case of their schedule is open already.
    pub left: Vec<Uuid>,
}
