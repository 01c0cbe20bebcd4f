//! Trying failed jobs again after a person has mended the cause: one, those of a system, or all.

use std::collections::BTreeMap;

use serde_json::json;
use uuid::Uuid;

use super::recording::About;
use super::{Actor, AppError, Quietus};
use crate::domain::JobState;
use crate::evidence::EvidenceKind;
use crate::store::{Job, JobKind, StoreError};

/// Further attempts that a job gets.
const ATTEMPTS: u32 = 8;
/// Jobs that are read at once.
const PAGE: u32 = 1000;
/// Jobs that one command has tried again; the next one goes on.
const MOST: usize = 100_000;

impl Quietus {
    /// Makes one failed job available again.
    ///
    /// # Errors
    /// Where there is no such job, it has not failed, its restriction was lifted, or the schedule's next
    /// case is open already.
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
        if !self.restrictions_ended_of(std::slice::from_ref(&found)).await?.is_empty() {
            return Err(AppError::Input(format!(
                "the restriction of job `{job}` was lifted since: ask for a new one with `quietus request new --right restriction`"
            )));
        }
        if self.not_superseded(vec![found.clone()]).await?.is_empty() {
            return Err(AppError::Input(format!(
                "a later run has done the work of job `{job}`: see `quietus status`"
            )));
        }
        if self.try_again(job, found.case_id, actor).await? {
            return Ok(());
        }
        Err(AppError::Input(format!("job `{job}` has not failed; see `quietus status`")))
    }

    /// Makes all failed jobs available again, of one system or of all, and has it tried at once where
    /// its breaker is open. Those of cases that were called off, those whose work a later run has done, and
    /// those whose restriction was lifted are left alone.
    ///
    /// # Errors
    /// Where there is no such system or the store is not there.
    pub async fn retry_failed(
        &self,
        system: Option<&str>,
        actor: &Actor,
    ) -> Result<Retried, AppError> {
        let mut retried = Retried::default();
        // The latest first: where two cases of a schedule have failed, that one does the work of both.
        for failed in self.jobs_to_retry(system).await?.into_iter().rev() {
            match self.try_again(failed.job, failed.case_id, actor).await {
                Ok(true) => retried.tried += 1,
                // Somebody else has had it tried again.
                Ok(false) => {}
                // The schedule's next case is open: it will do the same work.
                Err(AppError::Store(StoreError::Conflict { .. })) => retried.left.push(failed.job),
                Err(other) => return Err(other),
            }
        }
        retried.to_be_tried = self.try_at_once(system).await?;
        Ok(retried)
    }

    /// How many failed jobs there are to be tried again, by system and by kind of fault; nothing is
    /// changed.
    ///
    /// # Errors
    /// As [`Self::retry_failed`].
    pub async fn count_to_retry(
        &self,
        system: Option<&str>,
    ) -> Result<BTreeMap<(String, String), u64>, AppError> {
        let mut counted = BTreeMap::new();
        for failed in self.jobs_to_retry(system).await? {
            *counted.entry((failed.system, failed.fault)).or_default() += 1;
        }
        Ok(counted)
    }

    /// Failed jobs that somebody may have tried again, of one system or of all, the oldest first; at
    /// most 100,000.
    async fn jobs_to_retry(&self, system: Option<&str>) -> Result<Vec<FailedJob>, AppError> {
        if let Some(system) = system {
            self.system(system)?;
        }
        let (mut found, mut after) = (Vec::new(), Uuid::nil());
        loop {
            let page = self.store.failed_jobs(system, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            let retryable = self.not_superseded(page).await?.into_iter();
            found.extend(retryable.filter(|job| job.kind != JobKind::Replay).map(FailedJob::from));
            if found.len() >= MOST {
                break;
            }
        }
        found.extend(self.replays_to_retry(system).await?);
        found.truncate(MOST);
        Ok(found)
    }

    /// What a restore under way does again for persons. Where the system is open already, nobody waits
    /// for it.
    async fn replays_to_retry(&self, system: Option<&str>) -> Result<Vec<FailedJob>, AppError> {
        let mut found = Vec::new();
        for restore in self.store.restores_under_way().await? {
            if system.is_some_and(|system| system != restore.system) {
                continue;
            }
            let (failed, mut after) = (Some(JobState::Failed), Uuid::nil());
            loop {
                let jobs = self.store.restore_jobs(restore.id, failed, after, PAGE).await?;
                let Some(last) = jobs.last() else { break };
                after = last.id;
                found.extend(jobs.into_iter().map(FailedJob::from));
            }
        }
        Ok(found)
    }

    /// `false` where the job has not failed any more.
    async fn try_again(&self, job: Uuid, case: Uuid, actor: &Actor) -> Result<bool, AppError> {
        let evidence = self.record(
            EvidenceKind::StepRetried,
            About { case: Some(case), job: Some(job) },
            &json!({"job": job, "result": "to be tried again", "by": actor.0}),
        )?;
        let again = self.store.retry_job(job, ATTEMPTS, self.now(), vec![evidence]).await?;
        if again {
            self.wake.up();
        }
        Ok(again)
    }
}

/// A failed job, without what it had to do.
struct FailedJob {
    job: Uuid,
    case_id: Uuid,
    system: String,
    fault: String,
}

impl From<Job> for FailedJob {
    fn from(job: Job) -> Self {
        let fault = job.last_fault.map_or_else(|| "unknown".to_owned(), |fault| fault.kind);
        Self { job: job.id, case_id: job.case_id, system: job.system, fault }
    }
}

/// What came of trying everything again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retried {
    /// Jobs that are tried again.
    pub tried: u64,
    /// Jobs that are not, because the next case of their schedule is open already.
    pub left: Vec<Uuid>,
    /// Systems with an open breaker that are tried at once and not only after their pause.
    pub to_be_tried: u64,
}
