//! A second person's decisions about a case: agree to what exceeds a cap, or call it off.

use serde_json::json;
use uuid::Uuid;

use super::over_jobs::done_of;
use super::plan_on_record::PlanOnRecord;
use super::recording::About;
use super::{Actor, AppError, Quietus, spans};
use crate::domain::{CaseOutcome, CaseState, Digest};
use crate::evidence::EvidenceKind;
use crate::store::{Approval, BlockedReason, Decision, Job, Waits};

impl Quietus {
    /// Agrees to a case that exceeds a cap: to the jobs that wait at this moment, each with what it
    /// asks for. One that finds more to do afterwards asks anew. `question` is what the person has
    /// seen of it ([`question`]), where they say so.
    ///
    /// # Errors
    /// Where the case does not wait, no reason is given, the person wrote one of the rules, the
    /// instance names people who may approve and this is none of them, or something else is asked than
    /// was seen.
    pub async fn approve(
        &self,
        (case, seen): (Uuid, Option<&str>),
        actor: &Actor,
        reason: &str,
    ) -> Result<(), AppError> {
        if reason.trim().is_empty() {
            return Err(AppError::Input("an approval needs a reason".to_owned()));
        }
        self.is_among_approvers(actor)?;
        let mut waiting = self.store.jobs_of_case(case).await?;
        waiting.retain(waits_for_a_second_person);
        if seen.is_some() && question(&waiting).as_deref() != seen {
            return Err(asks_something_else(case));
        }
        let wrote = self.authors_of_waiting_jobs(case, &waiting).await?;
        if wrote.iter().any(|author| author.eq_ignore_ascii_case(&actor.0)) {
            return Err(same_person(actor));
        }
        let evidence = self.record(
            EvidenceKind::CaseApproved,
            About { case: Some(case), job: None },
            &json!({"case": case, "by": actor.0, "reason": reason, "agreedTo": agreed_to(&waiting)}),
        )?;
        let decision = Decision { by: actor.0.clone(), reason: reason.to_owned(), at: self.now() };
        let seen = |job: &Job| Waits { job: job.id, attempt: job.attempt };
        let seen = waiting.iter().map(seen).collect();
        match self.store.approve_case(case, decision, &seen, vec![evidence]).await? {
            Approval::Approved => {
                spans::approved(case);
                self.wake.up();
                Ok(())
            }
            Approval::NotAwaiting => Err(AppError::Input(format!(
                "case `{case}` does not wait for an approval: see `quietus status`"
            ))),
            Approval::SamePerson => Err(same_person(actor)),
            Approval::AsksMore => Err(asks_something_else(case)),
        }
    }

    /// The instance names nobody who may approve, or this person among others.
    pub(crate) fn is_among_approvers(&self, actor: &Actor) -> Result<(), AppError> {
        let people = &self.instance.people;
        if people.is_empty() || people.contains(&actor.0) {
            return Ok(());
        }
        Err(AppError::Input(format!(
            "`{}` is not among the people of `quietus.yaml` who may approve: {}",
            actor.0,
            people.join(", ")
        )))
    }

    /// Who wrote rules of systems whose jobs found more to do while they were under way. Those that
    /// wait from the start are the case's own matter: it names their authors.
    async fn authors_of_waiting_jobs(
        &self,
        case: Uuid,
        jobs: &[Job],
    ) -> Result<Vec<String>, AppError> {
        let waiting: Vec<&str> = jobs
            .iter()
            .filter(|job| job.attempt > 0 && job.blocked == Some(BlockedReason::Cap))
            .map(|job| job.system.as_str())
            .collect();
        let Some(case) = self.store.case(case).await?.filter(|_| !waiting.is_empty()) else {
            return Ok(Vec::new());
        };
        let on_record = PlanOnRecord::of(&case)?;
        let pinned = self.pinned(&case).await?;
        let plans =
            on_record.plan.systems.iter().filter(|one| waiting.contains(&one.system.as_str()));
        let cited = plans.flat_map(|one| &one.steps).filter_map(|step| step.rule.as_ref());
        let rules =
            cited.filter_map(|rule| pinned.rules().rules.iter().find(|one| one.name == rule.name));
        Ok(rules.map(|rule| rule.author.clone()).collect())
    }

    /// Calls a case off. Running jobs stop at their next chunk.
    ///
    /// # Errors
    /// Where there is no such case or it is over.
    pub async fn cancel(&self, case: Uuid, actor: &Actor, reason: &str) -> Result<(), AppError> {
        if self.call_off(case, &actor.0, reason).await? {
            self.wake.up();
            return Ok(());
        }
        // All of it is done, and what has been done cannot be certified: a person closes it.
        self.certify_case(case).await?;
        let waits = self.store.case(case).await?;
        if waits.is_some_and(|case| case.state == CaseState::Verifying) {
            let closed = self.record(
                EvidenceKind::CaseClosed,
                About { case: Some(case), job: None },
                &json!({"case": case, "certificate": null, "by": actor.0, "reason": reason}),
            )?;
            let outcome = CaseOutcome::Cancelled;
            if self.store.finish_case(case, outcome, self.now(), vec![closed]).await? {
                return Ok(());
            }
        }
        Err(AppError::Input(format!("case `{case}` is not open: see `quietus status`")))
    }
}

/// What a case asks a second person, in twelve hexadecimal digits: they are others once another of its
/// `jobs` waits, or one has found more to do. `None` where none of them waits.
pub fn question(jobs: &[Job]) -> Option<String> {
    let mut waiting: Vec<String> = jobs
        .iter()
        .filter(|job| waits_for_a_second_person(job))
        .map(|job| format!("{} {}\n", job.id, job.attempt))
        .collect();
    waiting.sort_unstable();
    (!waiting.is_empty()).then(|| Digest::of(waiting.concat().as_bytes()).short())
}

fn asks_something_else(case: Uuid) -> AppError {
    AppError::Input(format!(
        "case `{case}` asks for something else by now, and nobody has agreed to anything: look at it with `quietus status {case}`, then approve it"
    ))
}

fn waits_for_a_second_person(job: &Job) -> bool {
    matches!(job.blocked, Some(BlockedReason::Approval | BlockedReason::Cap))
}

/// What somebody who agrees has seen, as it stands on record: jobs, and how many records those would
/// change in all that were counted once more because of it.
fn agreed_to(waiting: &[Job]) -> serde_json::Value {
    let one = |job: &Job| {
        let records = done_of(Some(job)).asked;
        json!({"job": job.id, "system": job.system, "attempt": job.attempt, "records": records})
    };
    waiting.iter().map(one).collect()
}

fn same_person(actor: &Actor) -> AppError {
    AppError::Input(format!(
        "`{}` wrote a rule whose cap is exceeded, or opened the case: somebody else has to approve",
        actor.0
    ))
}
