//! Cases of commands: those that go on first, those that wait for a second person, and when a later
//! one may take an earlier one's place.
//!
//! Somebody may be looking at a waiting case at this very moment: it stays while it asks for what a
//! new one would ask for, so that the approval does not go to a case that is dead.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::carry_out::Payload;
use super::fire::SCHEDULER;
use super::forecast::CountedPlan;
use super::open_case::Opening;
use super::plan_on_record::PlanOnRecord;
use super::{AppError, Quietus};
use crate::domain::CaseState;
use crate::plan::{Acting, CapExceeded};
use crate::store::{Case, CaseCause, CaseFilter};

/// A waiting case that was called off, and why another took its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenOver {
    /// The case that was called off.
    pub case: Uuid,
    /// Why, as it stands on record.
    pub why: String,
}

impl Quietus {
    /// Cases opened by a command that still have something to do, oldest first; those that wait
    /// for a second person are not among them.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn unfinished_cases(&self) -> Result<Vec<Uuid>, AppError> {
        let mut unfinished = Vec::new();
        for state in [CaseState::Planned, CaseState::Executing, CaseState::Verifying] {
            unfinished.extend(self.command_cases(state).await?.iter().map(|case| case.id));
        }
        unfinished.sort_unstable();
        Ok(unfinished)
    }

    /// Cases opened by a command that wait for a second person.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn waiting_cases(&self) -> Result<Vec<Uuid>, AppError> {
        let waiting = self.command_cases(CaseState::AwaitingApproval).await?;
        Ok(waiting.into_iter().map(|case| case.id).collect())
    }

    /// Calls off earlier cases of commands that wait for a second person where the later one asks
    /// for all that they asked for: every one where it asks for everything that is due now, else
    /// those of the same schedules. Says which, and why.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn take_over_waiting_cases(
        &self,
        later: Uuid,
        for_everything: bool,
    ) -> Result<Vec<TakenOver>, AppError> {
        let Some(later) = self.store.case(later).await? else { return Ok(Vec::new()) };
        let asked = PlanOnRecord::of(&later)?.exceeded;
        let acting = self.acting_of(&later).await?;
        let mut taken = Vec::new();
        for earlier in self.command_cases(CaseState::AwaitingApproval).await? {
            let covers = for_everything
                || (earlier.moment <= later.moment && self.acting_of(&earlier).await? == acting);
            if earlier.id == later.id || !covers {
                continue;
            }
            let why = if asked.is_empty() {
                "it carried out everything that is due".to_owned()
            } else {
                self.outgrown(&earlier, &asked)?
                    .unwrap_or_else(|| "it asks for everything that is due".to_owned())
            };
            let why = format!("case {} took its place: {why}", later.id);
            if self.call_off(earlier.id, SCHEDULER, &why).await? {
                self.certify_case(earlier.id).await?;
                taken.push(TakenOver { case: earlier.id, why });
            }
        }
        Ok(taken)
    }

    /// The waiting case that asks for what this command would ask for, and what it asks for.
    pub(super) async fn waiting_case_for(
        &self,
        opening: &Opening<'_>,
        counted: &CountedPlan,
    ) -> Result<Option<(Uuid, Vec<CapExceeded>)>, AppError> {
        if opening.cause != CaseCause::Command || counted.exceeded.is_empty() {
            return Ok(None);
        }
        for case in self.command_cases(CaseState::AwaitingApproval).await? {
            let same = case.moment <= opening.moment
                && self.acting_of(&case).await?.as_ref() == Some(opening.acting);
            if same && self.outgrown(&case, &counted.exceeded)?.is_none() {
                return Ok(Some((case.id, PlanOnRecord::of(&case)?.exceeded)));
            }
        }
        Ok(None)
    }

    /// Why a waiting case no longer asks for what is to be asked now; `None` where it does.
    fn outgrown(&self, case: &Case, now: &[CapExceeded]) -> Result<Option<String>, AppError> {
        if case.rules_digest != self.rules.digest {
            return Ok(Some("the rules have changed since it was planned".to_owned()));
        }
        if case.map_digest != self.map.digest {
            return Ok(Some("the data map has changed since it was planned".to_owned()));
        }
        let asked = PlanOnRecord::of(case)?.exceeded;
        Ok(now.iter().find(|one| !is_asked(&asked, one)).map(|one| {
            format!(
                "rule `{}` would now change {} records of `{}.{}`, and it asked for {}",
                one.rule,
                one.would_change,
                one.system,
                one.collection,
                asked_of(&asked, one)
            )
        }))
    }

    /// Whose turn it is in a case; `None` where it has no job that says so.
    async fn acting_of(&self, case: &Case) -> Result<Option<Acting>, AppError> {
        let jobs = self.store.jobs_of_case(case.id).await?;
        let Some(job) = jobs.into_iter().next() else { return Ok(None) };
        let payload = serde_json::from_value(job.payload)
            .map_err(|error| AppError::Unreadable { what: "a job", why: error.to_string() })?;
        Ok(match payload {
            Payload::First { schedules, .. } => Some(acting_from(schedules)),
            Payload::Person { .. } | Payload::Backup { .. } | Payload::Residue { .. } => None,
        })
    }

    async fn command_cases(&self, state: CaseState) -> Result<Vec<Case>, AppError> {
        let filter = CaseFilter { state: Some(state), limit: 1000, ..CaseFilter::default() };
        let mut cases = self.store.list_cases(filter).await?;
        // The case of a restore goes on with its quarantine, whatever else is run.
        let restores = self.store.latest_restores(1000).await?;
        cases.retain(|case| {
            case.cause == CaseCause::Command && !restores.iter().any(|one| one.case_id == case.id)
        });
        Ok(cases)
    }
}

/// Whose turn it is, as a job carries it.
pub(super) fn acting_from(schedules: Option<Vec<crate::domain::ScheduleName>>) -> Acting {
    schedules.map_or(Acting::Everything, |names| {
        Acting::Schedules(names.into_iter().collect::<BTreeSet<_>>())
    })
}

/// Whether somebody was asked for this already.
pub(super) fn is_asked(asked: &[CapExceeded], one: &CapExceeded) -> bool {
    let before = asked_of(asked, one);
    before > 0 && one.would_change <= same_question(before)
}

/// How many records may be changed where somebody was asked for so many. A twentieth more is the same
/// question: life goes on while it waits, and the case itself never does more than was due at its
/// moment.
pub(super) fn same_question(asked: u64) -> u64 {
    asked.saturating_add(asked / 20)
}

/// How many records somebody was asked for, of the same rule in the same collection.
fn asked_of(asked: &[CapExceeded], one: &CapExceeded) -> u64 {
    let same = asked.iter().filter(|before| {
        before.system == one.system
            && before.collection == one.collection
            && before.rule == one.rule
    });
    same.map(|before| before.would_change).max().unwrap_or(0)
}
