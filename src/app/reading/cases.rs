//! Cases with their plans, jobs and attempts, and the evidence behind them.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::plans::{self, PlanFacts};
use super::{cut, page_size};
use crate::app::approve::question;
use crate::app::{AppError, Quietus};
use crate::domain::{CaseOutcome, CaseState, Digest, ScheduleName};
use crate::store::{
    Attempt, AttemptResult, BlockedReason, Case, CaseFilter, Decision, Job, JobFault,
};

/// Which cases to list; newest first.
#[derive(Debug, Clone, Default)]
pub struct CaseQuery {
    /// Only in this state.
    pub state: Option<String>,
    /// Only of this schedule.
    pub schedule: Option<String>,
    /// Only those that follow after this one.
    pub before: Option<Uuid>,
    /// How many; 100 if not said.
    pub limit: Option<u32>,
}

/// A page of cases.
#[derive(Debug, Serialize)]
pub struct CaseList {
    /// Newest first.
    pub cases: Vec<CaseFacts>,
    /// Give this as `before` to read on; absent at the end.
    pub next: Option<Uuid>,
}

/// A case.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the words of `Case`")]
pub struct CaseFacts {
    pub id: Uuid,
    pub cause: &'static str,
    pub schedule: Option<String>,
    pub due_at: Option<Timestamp>,
    pub moment: Timestamp,
    pub state: CaseState,
    pub outcome: Option<&'static str>,
    pub rules_digest: Digest,
    pub map_digest: Digest,
    pub plan_digest: Digest,
    pub opened_by: String,
    pub opened_at: Timestamp,
    pub waits_because: Option<String>,
    pub approved: Option<DecisionFacts>,
    pub cancelled: Option<DecisionFacts>,
    pub closed_at: Option<Timestamp>,
}

/// What a person decided.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the words of `Decision`")]
pub struct DecisionFacts {
    pub by: String,
    pub reason: String,
    pub at: Timestamp,
}

/// A case with all that belongs to it.
#[derive(Debug, Serialize)]
pub struct CaseRecord {
    /// As in lists.
    #[serde(flatten)]
    pub facts: CaseFacts,
    /// The plan when it was opened.
    pub plan: PlanFacts,
    /// What it asks a second person; absent where it asks nothing. Whoever agrees may name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// Its jobs.
    pub jobs: Vec<JobFacts>,
    /// Its certificate in force.
    pub certificate: Option<Uuid>,
}

/// A job.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the words of `Job`")]
pub struct JobFacts {
    pub id: Uuid,
    pub system: String,
    pub kind: &'static str,
    pub state: &'static str,
    pub attempt: u32,
    pub attempts_allowed: u32,
    pub available_at: Timestamp,
    pub expected_records: Option<u64>,
    pub blocked_by: Option<&'static str>,
    pub held_by_matters: Vec<String>,
    pub done: Option<Value>,
    pub verification: Option<Value>,
    pub last_fault: Option<FaultFacts>,
    pub created_at: Timestamp,
    pub settled_at: Option<Timestamp>,
    pub attempts: Vec<AttemptFacts>,
}

/// What went wrong.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the words of `JobFault`")]
pub struct FaultFacts {
    pub kind: String,
    pub message: String,
}

/// One run of a job.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the words of `Attempt`")]
pub struct AttemptFacts {
    pub attempt: u32,
    pub worker: String,
    pub claimed_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub result: Option<&'static str>,
    pub fault: Option<FaultFacts>,
}

/// A page of the evidence of a case.
#[derive(Debug, Serialize)]
pub struct EvidenceList {
    /// The log that is in use.
    pub log: String,
    /// In the order in which they were written.
    pub entries: Vec<EvidenceFacts>,
    /// Give this as `from` to read on; absent at the end.
    pub next: Option<u64>,
}

/// One entry of evidence, opened.
#[derive(Debug, Serialize)]
pub struct EvidenceFacts {
    /// The log that holds its leaf; `None` while it waits.
    pub log: Option<String>,
    /// Kind of the entry.
    pub kind: String,
    /// The job, where there is one.
    pub job_id: Option<Uuid>,
    /// When it was written.
    pub written_at: Timestamp,
    /// Index of its leaf; `None` while it waits.
    pub leaf_index: Option<u64>,
    /// Digest of the detail, as it stands in the leaf.
    pub detail_sha256: Digest,
    /// The exact text whose SHA-256 that is; `None` once it was destroyed.
    pub detail: Option<String>,
}

impl From<Decision> for DecisionFacts {
    fn from(decision: Decision) -> Self {
        Self { by: decision.by, reason: decision.reason, at: decision.at }
    }
}

impl From<JobFault> for FaultFacts {
    fn from(fault: JobFault) -> Self {
        Self { kind: fault.kind, message: fault.message }
    }
}

impl From<Attempt> for AttemptFacts {
    fn from(attempt: Attempt) -> Self {
        Self {
            attempt: attempt.attempt,
            worker: attempt.worker,
            claimed_at: attempt.claimed_at,
            started_at: attempt.started_at,
            ended_at: attempt.ended_at,
            result: attempt.result.map(AttemptResult::as_str),
            fault: attempt.fault.map(Into::into),
        }
    }
}

impl From<&Case> for CaseFacts {
    fn from(case: &Case) -> Self {
        Self {
            id: case.id,
            cause: case.cause.as_str(),
            schedule: case.schedule.clone(),
            due_at: case.due_at,
            moment: case.moment,
            state: case.state,
            outcome: case.outcome.map(CaseOutcome::as_str),
            rules_digest: case.rules_digest,
            map_digest: case.map_digest,
            plan_digest: case.plan.digest,
            opened_by: case.opened_by.clone(),
            opened_at: case.created_at,
            waits_because: case.blocked_reason.clone(),
            approved: case.approved.clone().map(Into::into),
            cancelled: case.cancelled.clone().map(Into::into),
            closed_at: case.closed_at,
        }
    }
}

fn job_facts(job: Job, attempts: Vec<Attempt>) -> JobFacts {
    JobFacts {
        id: job.id,
        system: job.system,
        kind: job.kind.as_str(),
        state: job.state.as_str(),
        attempt: job.attempt,
        attempts_allowed: job.attempts_allowed,
        available_at: job.available_at,
        expected_records: job.total_estimate,
        blocked_by: job.blocked.map(BlockedReason::as_str),
        held_by_matters: job.hold_matters,
        done: job.done,
        verification: job.verification,
        last_fault: job.last_fault.map(Into::into),
        created_at: job.created_at,
        settled_at: job.settled_at,
        attempts: attempts.into_iter().map(Into::into).collect(),
    }
}

impl Quietus {
    /// Cases, newest first.
    ///
    /// # Errors
    /// Where a part of the query is not known or the store is not there.
    pub async fn read_cases(&self, query: CaseQuery) -> Result<CaseList, AppError> {
        let state = query.state.as_deref().map(|word| {
            CaseState::parse(word).ok_or_else(|| {
                AppError::Input("`state` is `planned`, `awaiting_approval`, `executing`, `verifying` or `closed`".to_owned())
            })
        });
        let schedule = query.schedule.as_deref().map(|name| {
            ScheduleName::parse(name)
                .map_err(|_| AppError::Input("`schedule` is no name of a schedule".to_owned()))
        });
        let before = match query.before {
            Some(id) => {
                let known = self.store.case(id).await?.ok_or_else(|| {
                    AppError::Input("`before` is no case: take it from `next`".to_owned())
                })?;
                Some((known.created_at, id))
            }
            None => None,
        };
        let size = page_size(query.limit);
        let filter = CaseFilter {
            state: state.transpose()?,
            schedule: schedule.transpose()?,
            before,
            limit: size + 1,
        };
        let mut found = self.store.list_cases(filter).await?;
        let next = cut(&mut found, size, |one| one.id);
        Ok(CaseList { cases: found.iter().map(Into::into).collect(), next })
    }

    /// One case with its plan, jobs and attempts; `None` where there is none of this identifier.
    ///
    /// # Errors
    /// Where the store is not there or holds something unreadable.
    pub async fn read_case(&self, id: Uuid) -> Result<Option<CaseRecord>, AppError> {
        let Some(case) = self.store.case(id).await? else { return Ok(None) };
        let on_record = serde_json::from_str(&case.plan.text)
            .map_err(|error| AppError::Unreadable { what: "a plan", why: error.to_string() })?;
        let (mut jobs, of_case) = (Vec::new(), self.store.jobs_of_case(id).await?);
        let question = question(&of_case);
        for job in of_case {
            let attempts = self.store.attempts_of(job.id).await?;
            jobs.push(job_facts(job, attempts));
        }
        let certificate = self.store.certificate_of_case(id).await?;
        Ok(Some(CaseRecord {
            facts: (&case).into(),
            plan: plans::of_case(on_record),
            question,
            jobs,
            certificate: certificate.map(|certificate| certificate.summary.id),
        }))
    }

    /// Whether there is such a case.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn has_case(&self, id: Uuid) -> Result<bool, AppError> {
        Ok(self.store.case(id).await?.is_some())
    }

    /// Whether there is such a job.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn has_job(&self, id: Uuid) -> Result<bool, AppError> {
        Ok(self.store.job(id).await?.is_some())
    }

    /// The evidence of a case from this place in its order on, opened; `None` where there is no
    /// such case.
    ///
    /// # Errors
    /// Where the store is not there or a detail does not open.
    pub async fn read_evidence(
        &self,
        case: Uuid,
        from: u64,
        limit: Option<u32>,
    ) -> Result<Option<EvidenceList>, AppError> {
        let details = self.store.details_of_case(case).await?;
        if details.is_empty() && !self.has_case(case).await? {
            return Ok(None);
        }
        let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let end = from.saturating_add(u64::from(page_size(limit)));
        let next = (place(end) < details.len()).then_some(end);
        let mut entries = Vec::new();
        for detail in details.iter().take(place(end)).skip(place(from)) {
            let leaf = self.store.leaf_of(detail.entry_id).await?;
            entries.push(EvidenceFacts {
                kind: detail.kind.clone(),
                job_id: detail.job_id,
                written_at: detail.created_at,
                leaf_index: leaf.as_ref().map(|leaf| leaf.index),
                log: leaf.map(|leaf| leaf.log_id),
                detail_sha256: detail.sha256,
                detail: self.open_detail(detail)?,
            });
        }
        Ok(Some(EvidenceList { log: self.log_name().await?, entries, next }))
    }
}
