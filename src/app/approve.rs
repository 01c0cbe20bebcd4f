//! A second person's decisions about a case: agree to what exceeds a cap, or call it off.

use serde_json::json;
use uuid::Uuid;

use super::plan_on_record::PlanOnRecord;
use super::recording::About;
use super::{Actor, AppError, Quietus, spans};
use crate::domain::{CaseOutcome, CaseState};
use crate::evidence::EvidenceKind;
use crate::store::{Approval, BlockedReason, Decision};

impl Quietus {
    /// Agrees to a case that exceeds a cap.
    ///
    /// # Errors
    /// Where the case does not wait, no reason is given, the person wrote one of the rules, or
    /// the instance names people who may approve and this is none of them.
    pub async fn approve(&self, case: Uuid, actor: &Actor, reason: &str) -> Result<(), AppError> {
        if reason.trim().is_empty() {
            return Err(AppError::Input("an approval needs a reason".to_owned()));
        }
        self.is_among_approvers(actor)?;
        let wrote = self.authors_of_waiting_jobs(case).await?;
        if wrote.iter().any(|author| author.eq_ignore_ascii_case(&actor.0)) {
            return Err(same_person(actor));
        }
        let evidence = self.record(
            EvidenceKind::CaseApproved,
            About { case: Some(case), job: None },
            &json!({"case": case, "by": actor.0, "reason": reason}),
        )?;
        let decision = Decision { by: actor.0.clone(), reason: reason.to_owned(), at: self.now() };
        match self.store.approve_case(case, decision, vec![evidence]).await? {
            Approval::Approved => {
                spans::approved(case);
                self.wake.up();
                Ok(())
            }
            Approval::NotAwaiting => Err(AppError::Input(format!(
                "case `{case}` does not wait for an approval: see `quietus status`"
            ))),
            Approval::SamePerson => Err(same_person(actor)),
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
    async fn authors_of_waiting_jobs(&self, case: Uuid) -> Result<Vec<String>, AppError> {
        let jobs = self.store.jobs_of_case(case).await?;
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

fn same_person(actor: &Actor) -> AppError {
    AppError::Input(format!(
        "`{}` wrote a rule whose cap is exceeded, or opened the case: somebody else has to approve",
        actor.0
    ))
}
