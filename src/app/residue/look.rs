//! One look at files and logs of a system for everybody who waits: drive what is allowed, see what is
//! left, and settle each look by itself.

use std::time::Duration;

use jiff::SignedDuration;
use quietus_connectors::{ResidueLook, ResidueSight, ResidueWait, Verification};
use serde_json::{Value, json};

use super::files::Waiting;
use super::seen::FilesSeen;
use crate::app::account::VerificationOnRecord;
use crate::app::backup::later;
use crate::app::crash::CrashPoint;
use crate::app::recording::About;
use crate::app::{AppError, Quietus};
use crate::datamap::Residues;
use crate::evidence::EvidenceKind;
use crate::plan::concerns_system;
use crate::store::{
    Claim, ClaimedJob, Job, JobFault, JobKind, JointStep, OutboxEntry, Progress as Saved, Settle,
    Settlement, Tenure,
};

/// Looks at one system that one look serves.
const MOST_LOOKS: u32 = 1000;
/// A system that could not be looked at is asked again after this time.
const AFTER_A_FAULT: SignedDuration = SignedDuration::from_hours(1);
/// Kinds of what a look says of a job that goes on: it goes by itself, something holds it back, or
/// nobody could look.
const LEFT: &str = "left";
const HELD: &str = "held";
const NOT_SEEN: &str = "not_seen";

/// What a system answered: what was seen for each who waits, or why nothing was.
type Answer = Result<Vec<ResidueSight>, String>;

impl Quietus {
    /// Looks at the system of a look that was just claimed, for all others as well whose time has come.
    ///
    /// # Errors
    /// Where our own store is not there. That the system does not answer is settled.
    pub(crate) async fn look_at_files(
        &self,
        claimed: ClaimedJob,
        worker: &str,
    ) -> Result<(), AppError> {
        let system = claimed.job.system.clone();
        let claim = Claim {
            worker: worker.to_owned(),
            now: self.now(),
            lease_until: self.lease_until(),
            limit: MOST_LOOKS - 1,
        };
        let others = self.store.claim_looks(claim, JobKind::Residue, &system).await?;
        let all: Vec<ClaimedJob> = std::iter::once(claimed).chain(others).collect();
        self.crash.reach(CrashPoint::Claimed);
        let mut waiting = Vec::with_capacity(all.len());
        for one in &all {
            waiting.push(Waiting::of(&one.job)?);
        }
        let answer = tokio::select! {
            answer = self.ask_for_residues(&system, &waiting) => answer?,
            () = self.lose_leases(&all, worker) => return Ok(()),
        };
        self.crash.reach(CrashPoint::FilesLookedAt);
        for (number, (claimed, waiting)) in all.iter().zip(&waiting).enumerate() {
            let sight = match &answer {
                Ok(seen) => seen.get(number).ok_or("the system has answered for others"),
                Err(why) => Err(why.as_str()),
            };
            self.settle_files(claimed, worker, waiting, sight).await?;
        }
        self.crash.reach(CrashPoint::Settled);
        self.wake.up();
        Ok(())
    }

    /// Looks once at every system at whose files somebody is to look by now; how many there were.
    ///
    /// # Errors
    /// As [`Self::look_at_files`].
    pub async fn look_at_due_files(&self, worker: &str) -> Result<usize, AppError> {
        let mut looked_at = 0;
        for system in self.map.systems.values().filter(|one| one.is_database()) {
            let claim = Claim {
                worker: worker.to_owned(),
                now: self.now(),
                lease_until: self.lease_until(),
                limit: 1,
            };
            let name = system.name.as_str();
            for claimed in self.store.claim_looks(claim, JobKind::Residue, name).await? {
                Box::pin(self.look_at_files(claimed, worker)).await?;
                looked_at += 1;
            }
        }
        Ok(looked_at)
    }

    async fn ask_for_residues(&self, name: &str, waiting: &[Waiting]) -> Result<Answer, AppError> {
        let system = self.system(name).ok();
        let Some((system, residues)) = system.and_then(|one| Some((one, one.residues.as_ref()?)))
        else {
            let why = "the data map no longer has `residues` at this system; write it back until nothing is left";
            return Ok(Err(why.to_owned()));
        };
        let matter = self.matter_on_files(name).await?;
        if let Some(matter) = &matter {
            // What a hold may want as it is stays as it is; one still looks.
            tracing::info!(system = name, %matter, "a legal hold speaks of the system: nothing is driven");
        }
        let waits = waiting.iter().map(|one| ResidueWait {
            collections: one.collections.clone(),
            mark: one.mark.clone(),
        });
        let mut stages = residues.stages.clone();
        // A case goes on with the stages that its certificate names.
        for stage in waiting.iter().flat_map(|one| &one.seen.stages) {
            if !stages.contains(&stage.stage) {
                stages.push(stage.stage.clone());
            }
        }
        let look = ResidueLook {
            stages,
            drive: residues.drive.clone(),
            acts: matter.is_none(),
            waits: waits.collect(),
        };
        let connector = match self.connect(system) {
            Ok(connector) => connector,
            Err(error) => return Ok(Err(error.to_string())),
        };
        Ok(connector.look_at_residues(&look).await.map_err(|fault| fault.to_string()))
    }

    /// The matter of a legal hold that speaks of a system, if there is one.
    async fn matter_on_files(&self, name: &str) -> Result<Option<String>, AppError> {
        let Ok(system) = self.system(name) else { return Ok(None) };
        let mut holds = self.holds().await?.into_iter();
        let keeps = holds.find(|hold| concerns_system(&self.map, hold, &system.name));
        Ok(keeps.map(|hold| hold.matter))
    }

    /// Keeps the leases while the system is looked at; ends once somebody else has taken over.
    async fn lose_leases(&self, claimed: &[ClaimedJob], worker: &str) {
        let pause = (self.lease / 3).max(Duration::from_millis(50));
        loop {
            tokio::time::sleep(pause).await;
            let steps = claimed.iter();
            let steps =
                steps.map(|one| JointStep { tenure: tenure_of(one, worker), done: None }).collect();
            match self.store.save_joint_progress(steps, self.lease_until()).await {
                Ok(mine) if mine.iter().any(Option::is_some) => {}
                Ok(_) => return,
                Err(error) => tracing::warn!(%error, "the leases could not be renewed"),
            }
        }
    }

    async fn settle_files(
        &self,
        claimed: &ClaimedJob,
        worker: &str,
        before: &Waiting,
        sight: Result<&ResidueSight, &str>,
    ) -> Result<(), AppError> {
        let job = &claimed.job;
        let tenure = tenure_of(claimed, worker);
        let (settlement, seen, mark) = if job.cancel_requested.is_some() {
            (Settlement::Cancelled, before.seen.clone(), before.mark.clone())
        } else {
            match sight {
                Ok(sight) => self.files_seen(job, before, sight),
                Err(why) => {
                    tracing::warn!(system = %job.system, %why, "nobody could look at files and logs");
                    let settlement = self.again(AFTER_A_FAULT, NOT_SEEN, why);
                    (settlement, before.seen.clone(), before.mark.clone())
                }
            }
        };
        let over = matches!(settlement, Settlement::Looked { .. });
        let changed = mark != before.mark || !seen.says_the_same(&before.seen);
        if !over && sight.is_ok() && changed {
            let done = on_record(&seen, mark.as_ref());
            let saved = Saved { tenure: tenure.clone(), done, lease_until: self.lease_until() };
            if self.store.save_progress(saved).await?.is_none() {
                return Ok(());
            }
        }
        let news = over || seen.says_more_than(&before.seen);
        let evidence = if news { vec![self.files_observed(job, &seen)?] } else { Vec::new() };
        let now = self.now();
        let settled = self.store.settle(Settle { tenure, settlement, now, evidence }).await?;
        tracing::info!(
            job = %job.id, system = %job.system, attempt = job.attempt, settled, over,
            "files and logs of a system were looked at"
        );
        Ok(())
    }

    fn files_seen(
        &self,
        job: &Job,
        before: &Waiting,
        sight: &ResidueSight,
    ) -> (Settlement, FilesSeen, Option<Value>) {
        let now = self.now();
        let (seen, mark) = (before.seen.after(&sight.stages, now), Some(sight.mark.clone()));
        if seen.gone() {
            let stages: Vec<&str> = seen.stages.iter().map(|one| one.stage.as_str()).collect();
            let method = format!(
                "a look at the system's own account of its files and logs ({}): none can hold what was erased before {:.0}",
                stages.join(", "),
                before.at
            );
            let found = Verification { method, ..Verification::default() };
            let verification = VerificationOnRecord { at: now, found, counted: None };
            let settlement = Settlement::Looked {
                done: on_record(&seen, mark.as_ref()),
                verification: serde_json::to_value(&verification).unwrap_or_default(),
            };
            return (settlement, seen, mark);
        }
        let usual = self.system(&job.system).ok().and_then(|system| system.residues.as_ref());
        let pause = usual.map_or(AFTER_A_FAULT, |residues: &Residues| residues.look);
        // What holds a stage back for two looks does not go by itself.
        let held = seen.is_held(now, pause);
        let left = seen.left().cloned();
        let why = left.map_or_else(String::new, |left| {
            format!("{}: {}", left.stage, left.why.unwrap_or_default())
        });
        if held {
            tracing::warn!(system = %job.system, %why, "something holds back what was erased; see `quietus residue list`");
        }
        let settlement = self.again(pause, if held { HELD } else { LEFT }, &why);
        (settlement, seen, mark)
    }

    fn again(&self, pause: SignedDuration, kind: &str, why: &str) -> Settlement {
        let fault = JobFault { kind: kind.to_owned(), message: why.to_owned() };
        Settlement::Retry { available_at: later(self.now(), pause), fault, free: true }
    }

    fn files_observed(&self, job: &Job, seen: &FilesSeen) -> Result<OutboxEntry, AppError> {
        self.record(
            EvidenceKind::ResidueObserved,
            About { case: Some(job.case_id), job: Some(job.id) },
            &json!({
                "case": job.case_id,
                "job": job.id,
                "system": job.system,
                "attempt": job.attempt,
                "result": if seen.gone() { "gone" } else { "left" },
                "seen": seen,
            }),
        )
    }
}

fn tenure_of(claimed: &ClaimedJob, worker: &str) -> Tenure {
    Tenure { job: claimed.job.id, worker: worker.to_owned(), attempt: claimed.job.attempt }
}

fn on_record(seen: &FilesSeen, mark: Option<&Value>) -> Value {
    json!({ "mark": mark, "seen": seen, "gone": seen.gone() })
}
