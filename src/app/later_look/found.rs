//! Writing looks down: what is well, what could not be looked at, and what becomes of what is back.

use std::collections::BTreeMap;

use quietus_connectors::SubjectAction;
use serde_json::json;
use uuid::Uuid;

use super::counting::{CaseSeen, SystemSeen};
use super::{LookTally, TOGETHER};
use crate::app::fire::SCHEDULER;
use crate::app::recording::About;
use crate::app::request::Drilled;
use crate::app::{AppError, Quietus};
use crate::config::EraseAgain;
use crate::evidence::EvidenceKind;
use crate::store::{FoundAgain, KeptLook, LookResult, NewJob, OutboxEntry};

/// What becomes of what is back of one person.
enum Verdict {
    Again,
    /// Somebody decides, for this reason.
    Asks(String),
}

impl Quietus {
    /// Writes down looks that have found nothing.
    pub(super) async fn keep_without_findings(&self, seen: &[CaseSeen]) -> Result<(), AppError> {
        let looks: Vec<KeptLook> = seen.iter().flat_map(without_findings).collect();
        for look in &looks {
            if let LookResult::Trouble { why, .. } = &look.result {
                tracing::warn!(case = %look.case_id, system = %look.system, %why, "nobody can see whether data are back");
            }
        }
        for some in looks.chunks(TOGETHER) {
            self.store.keep_looks(some.to_vec(), self.now()).await?;
        }
        Ok(())
    }

    /// Decides what becomes of what is back, and writes it down, each person by themselves.
    pub(super) async fn keep_findings(
        &self,
        back: Vec<CaseSeen>,
        tally: &mut LookTally,
    ) -> Result<(), AppError> {
        let by_itself = back.iter().filter(|one| one.action == SubjectAction::Erase);
        // Whoever was invented for a drill is nobody of whom an import could go wrong.
        let by_itself = by_itself.filter(|one| one.drill.is_none());
        let by_itself = by_itself.filter(|one| matches!(self.verdict(one), Verdict::Again));
        let many = super::count(by_itself.count());
        let most = self.instance.later_looks.at_once;
        for one in back {
            let verdict = match self.verdict(&one) {
                Verdict::Again
                    if many > most && one.action == SubjectAction::Erase && one.drill.is_none() =>
                {
                    Verdict::Asks(format!(
                        "{many} persons are back at once, more than the {most} of `at_once` in `later_looks`: an import may have gone wrong"
                    ))
                }
                verdict => verdict,
            };
            if !self.keep_finding(one, &verdict).await? {
                continue;
            }
            match &verdict {
                Verdict::Again => tally.again += 1,
                Verdict::Asks(_) => tally.asks += 1,
            }
        }
        Ok(())
    }

    fn verdict(&self, seen: &CaseSeen) -> Verdict {
        // What is restricted once more is not lost.
        if seen.action != SubjectAction::Erase {
            return Verdict::Again;
        }
        if let Some(drill) = &seen.drill {
            return verdict_on_a_drill(drill, &seen.systems);
        }
        let policy = self.instance.later_looks.erase_again;
        if policy == EraseAgain::Nothing {
            return Verdict::Asks(
                "`erase_again: nothing` in `later_looks` has somebody decide each time".to_owned(),
            );
        }
        if let Some(one) = seen.systems.iter().find(|one| one.kept_now) {
            return Verdict::Asks(format!(
                "the rules of now keep something in `{}` that those of the case would erase",
                one.name
            ));
        }
        if policy == EraseAgain::Everything {
            return Verdict::Again;
        }
        let later: Vec<&SystemSeen> = seen.systems.iter().filter(|one| one.later > 0).collect();
        if let Some(first) = later.first() {
            let records: u64 = later.iter().map(|one| one.later).sum();
            return Verdict::Asks(format!(
                "{records} record(s) are of after the erasure, such as in `{}`: the person may be a customer again",
                first.name
            ));
        }
        match seen.systems.iter().find(|one| one.trouble.is_some()) {
            None => Verdict::Again,
            Some(one) => Verdict::Asks(format!(
                "`{}` could not be asked whether something there is of after the erasure; it is asked again by itself",
                one.name
            )),
        }
    }

    /// `false` where all that is back is the finding of another process, which has looked at once.
    async fn keep_finding(&self, seen: CaseSeen, verdict: &Verdict) -> Result<bool, AppError> {
        let asking = self.store.asking_of_case(seen.case.id).await?;
        let known: BTreeMap<String, Uuid> =
            asking.into_iter().map(|one| (one.system, one.id)).collect();
        let mut looks = without_findings(&seen);
        for one in seen.systems.iter().filter(|one| one.is_back()) {
            let known = known.get(&one.look.system).copied();
            let found = FoundAgain {
                id: known.unwrap_or_else(|| self.ids.new_id()),
                done_at: one.look.done_at,
                seen_at: one.look.seen_at,
                well_at: one.look.well_at,
                records: one.records(),
            };
            let (result, evidence) = match verdict {
                Verdict::Again => {
                    let job = self.job_again(&seen, one)?;
                    let evidence = self.found_and_reopened(&seen, one, (&found, &job))?;
                    (LookResult::Again(found, job), evidence)
                }
                Verdict::Asks(why) => {
                    let evidence = match known {
                        Some(_) => Vec::new(),
                        None => vec![self.found_entry(&seen, one, (&found, Some(why)))?],
                    };
                    (LookResult::Asks(found, why.clone()), evidence)
                }
            };
            let (case_id, system) = (seen.case.id, one.look.system.clone());
            looks.push(KeptLook { case_id, system, result, evidence });
        }
        if self.store.keep_looks(looks, self.now()).await? == 0 {
            return Ok(false);
        }
        seen.systems.iter().filter(|one| one.is_back()).for_each(|one| tell(&seen, one, verdict));
        Ok(true)
    }

    /// What does again what had been done: the same order under a new key.
    fn job_again(&self, seen: &CaseSeen, one: &SystemSeen) -> Result<NewJob, AppError> {
        match &seen.drill {
            None => self.replay_job(&one.name, one.moment),
            Some(drill) => {
                let most = drill.planted_in(&one.name);
                self.replay_job_within(&one.name, one.moment, most)
            }
        }
    }

    fn found_and_reopened(
        &self,
        seen: &CaseSeen,
        one: &SystemSeen,
        (found, job): (&FoundAgain, &NewJob),
    ) -> Result<Vec<OutboxEntry>, AppError> {
        Ok(vec![
            self.found_entry(seen, one, (found, None))?,
            self.case_reopened(seen.case.id, (found.id, job), SCHEDULER)?,
        ])
    }

    /// A case goes on once more because of what was found.
    pub(super) fn case_reopened(
        &self,
        case: Uuid,
        (reappearance, job): (Uuid, &NewJob),
        by: &str,
    ) -> Result<OutboxEntry, AppError> {
        self.record(
            EvidenceKind::CaseReopened,
            About { case: Some(case), job: None },
            &json!({
                "case": case,
                "reappearance": reappearance,
                "job": job.id,
                "system": job.system,
                "by": by,
            }),
        )
    }

    fn found_entry(
        &self,
        seen: &CaseSeen,
        one: &SystemSeen,
        (found, asks): (&FoundAgain, Option<&String>),
    ) -> Result<OutboxEntry, AppError> {
        self.record(
            EvidenceKind::ReappearanceFound,
            About { case: Some(seen.case.id), job: None },
            &json!({
                "reappearance": found.id,
                "case": seen.case.id,
                "system": one.look.system,
                "lastWellAt": one.look.well_at,
                "records": one.due.to_string(),
                "held": one.held.to_string(),
                "later": one.later.to_string(),
                "result": if asks.is_some() { "somebody decides" } else { "done again" },
                "why": asks,
            }),
        )
    }
}

/// What a drill has planted goes again without asking, and nothing beside it.
fn verdict_on_a_drill(drill: &Drilled, systems: &[SystemSeen]) -> Verdict {
    let more = |one: &&SystemSeen| one.records() > drill.planted_in(&one.name);
    match systems.iter().filter(|one| one.is_back()).find(more) {
        None => Verdict::Again,
        Some(one) => Verdict::Asks(format!(
            "more is found in `{}` than the drill has planted there: somebody's may be among it",
            one.name
        )),
    }
}

/// The systems of a person in which nothing is back.
fn without_findings(seen: &CaseSeen) -> Vec<KeptLook> {
    let others = seen.systems.iter().filter(|one| !one.is_back());
    let look = |one: &SystemSeen| KeptLook {
        case_id: seen.case.id,
        system: one.look.system.clone(),
        result: match &one.trouble {
            None => LookResult::Well,
            Some((why, again_at)) => LookResult::Trouble { why: why.clone(), again_at: *again_at },
        },
        evidence: Vec::new(),
    };
    others.map(look).collect()
}

/// The alarm.
fn tell(seen: &CaseSeen, one: &SystemSeen, verdict: &Verdict) {
    let (case, system, records) = (seen.case.id, &one.look.system, one.records());
    let well_at = one.look.well_at;
    match verdict {
        Verdict::Again => {
            tracing::error!(%case, %system, records, %well_at, "data of somebody are back: what was done is done again");
        }
        Verdict::Asks(why) => {
            tracing::error!(%case, %system, records, %well_at, %why, "data of somebody are back, and a person has to decide: see `quietus reappeared list`");
        }
    }
}
