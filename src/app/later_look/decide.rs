//! What a person decides about data that are back: they go again, or they stay because they are of a
//! new relationship.

use serde_json::json;
use uuid::Uuid;

use super::counting::moment_of;
use crate::app::recording::About;
use crate::app::{Actor, AppError, Quietus};
use crate::domain::SystemName;
use crate::evidence::EvidenceKind;
use crate::store::{Decides, Job, NewJob, OutboxEntry, Reappearance};

/// What becomes of data that are back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// What was done for the person is done again.
    Again,
    /// They stay, and the person is not looked for any more: rules and a further request of theirs
    /// decide about them.
    Leave,
}

impl Decision {
    /// The word in evidence.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Again => "again",
            Self::Leave => "leave",
        }
    }
}

/// Cases that are read in one go.
const PAGE: u32 = 1000;

impl Quietus {
    /// Decides about everything of a case that is back and waits for somebody; how many systems it
    /// was in.
    ///
    /// # Errors
    /// Where nothing of the case waits, or its person is forgotten; nothing is changed then.
    pub async fn decide_about_reappeared(
        &self,
        case: Uuid,
        decision: Decision,
        (actor, reason): (&Actor, &str),
    ) -> Result<u64, AppError> {
        let asking = self.store.asking_of_case(case).await?;
        if asking.is_empty() {
            return Err(AppError::Input(format!(
                "nothing of case `{case}` waits for a decision: see `quietus reappeared list`"
            )));
        }
        if decision == Decision::Again {
            self.insist_on_known(case).await?;
        }
        let jobs = self.store.jobs_of_case(case).await?;
        let mut decided = 0;
        for one in asking {
            let job = match decision {
                Decision::Again => Some(self.job_for(&one, &jobs)?),
                Decision::Leave => None,
            };
            let mut evidence = vec![self.decided_entry(&one, decision, (actor, reason))?];
            if let Some(job) = &job {
                evidence.push(self.case_reopened(case, (one.id, job), &actor.0)?);
            }
            let what = Decides { by: &actor.0, reason, job, evidence };
            decided += u64::from(self.store.decide_reappearance(one.id, what, self.now()).await?);
        }
        self.wake.up();
        Ok(decided)
    }

    /// Decides that everything goes again that is back and waits for somebody; of how many persons.
    ///
    /// # Errors
    /// Where the store is not there. Whoever is forgotten by now is passed over.
    pub async fn decide_all_again(&self, actor: &Actor, reason: &str) -> Result<u64, AppError> {
        let mut cases = std::collections::BTreeSet::new();
        let mut after = Uuid::nil();
        loop {
            let some = self.store.asking_reappearances(after, PAGE).await?;
            let Some(last) = some.last() else { break };
            after = last.id;
            cases.extend(some.iter().map(|one| one.case_id));
        }
        let mut persons = 0;
        for case in cases {
            let decided =
                self.decide_about_reappeared(case, Decision::Again, (actor, reason)).await;
            match decided {
                Ok(_) => persons += 1,
                Err(error @ AppError::Store(_)) => return Err(error),
                Err(error) => tracing::warn!(%case, %error, "nothing can be done again"),
            }
        }
        Ok(persons)
    }

    async fn insist_on_known(&self, case: Uuid) -> Result<(), AppError> {
        let stored = self.store.request_of_case(case).await?;
        if stored.is_some_and(|one| one.forgotten_at.is_none()) {
            return Ok(());
        }
        Err(AppError::Input(format!(
            "the person of case `{case}` is forgotten: nothing can be done for them again"
        )))
    }

    fn job_for(&self, one: &Reappearance, jobs: &[Job]) -> Result<NewJob, AppError> {
        let name = SystemName::parse(&one.system)
            .map_err(|error| AppError::Unreadable { what: "a look", why: error.to_string() })?;
        self.replay_job(&name, moment_of(jobs, &one.system))
    }

    fn decided_entry(
        &self,
        one: &Reappearance,
        decision: Decision,
        (actor, reason): (&Actor, &str),
    ) -> Result<OutboxEntry, AppError> {
        self.record(
            EvidenceKind::ReappearanceDecided,
            About { case: Some(one.case_id), job: None },
            &json!({
                "reappearance": one.id,
                "case": one.case_id,
                "system": one.system,
                "decision": decision.as_str(),
                "by": actor.0,
                "reason": reason,
            }),
        )
    }
}
