//! What a look at files and logs of a system is: drive what is allowed, and see what is left for each
//! who waits.

use jiff::SignedDuration;
use quietus_connectors::{ResidueLook, ResidueSight, ResidueWait, Verification};
use serde_json::{Value, json};

use super::files::FilesLook;
use super::seen::FilesSeen;
use crate::app::account::VerificationOnRecord;
use crate::app::crash::CrashPoint;
use crate::app::look::{Ended, Look};
use crate::app::{AppError, Quietus};
use crate::datamap::Residues;
use crate::domain::SystemName;
use crate::evidence::EvidenceKind;
use crate::plan::concerns_system;
use crate::store::{ClaimedJob, Job, JobKind, Settlement};

/// A system that could not be looked at is asked again after this time.
const AFTER_A_FAULT: SignedDuration = SignedDuration::from_hours(1);
/// Kinds of what a look says of a job that goes on: it goes by itself, something holds it back, or
/// nobody could look.
const LEFT: &str = "left";
const HELD: &str = "held";
const NOT_SEEN: &str = "not_seen";

impl Look for FilesLook {
    const JOBS: JobKind = JobKind::Residue;
    const ENTRIES: EvidenceKind = EvidenceKind::ResidueObserved;
    const ANSWERED: CrashPoint = CrashPoint::FilesLookedAt;
    /// What was seen for each who waits, or why nothing was.
    type Answer = Result<Vec<ResidueSight>, String>;

    fn planned(job: &Job) -> Result<Self, AppError> {
        Self::of(job)
    }

    async fn ask(
        product: &Quietus,
        place: &str,
        all: &[(ClaimedJob, Self)],
    ) -> Result<Self::Answer, AppError> {
        product.ask_for_residues(place, all).await
    }

    fn ended(
        &self,
        product: &Quietus,
        job: &Job,
        (number, answer): (usize, &Self::Answer),
    ) -> Ended {
        let sight = match answer {
            Ok(seen) => seen.get(number).ok_or("the system has answered for others"),
            Err(why) => Err(why.as_str()),
        };
        match sight {
            Ok(sight) => product.files_seen(job, self, sight),
            Err(why) => {
                tracing::warn!(system = %job.system, %why, "nobody could look at files and logs");
                let settlement = product.another_look(AFTER_A_FAULT, NOT_SEEN, why);
                Ended { settlement, seen: None, news: None, words: why.to_owned() }
            }
        }
    }
}

impl Quietus {
    /// Looks once at every system at whose files somebody is to look by now; how many there were.
    ///
    /// # Errors
    /// Where our own store is not there. That a system does not answer is settled.
    pub async fn look_at_due_files(&self, worker: &str) -> Result<usize, AppError> {
        let databases = self.map.systems.values().filter(|one| one.is_database());
        let places: Vec<&SystemName> = databases.map(|one| &one.name).collect();
        self.look_where_due::<FilesLook>(&places, worker).await
    }

    async fn ask_for_residues(
        &self,
        name: &str,
        all: &[(ClaimedJob, FilesLook)],
    ) -> Result<Result<Vec<ResidueSight>, String>, AppError> {
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
        let waits = all.iter().map(|(_, one)| ResidueWait {
            collections: one.collections.clone(),
            mark: one.mark.clone(),
        });
        let mut stages = residues.stages.clone();
        // A case goes on with the stages that its certificate names.
        for stage in all.iter().flat_map(|(_, one)| &one.seen.stages) {
            if !stages.contains(&stage.stage) {
                stages.push(stage.stage.clone());
            }
        }
        // Who could not be looked at while certified is, first of all, only looked at.
        let is_first = |(claimed, one): &(ClaimedJob, FilesLook)| {
            claimed.job.attempt == 1 && one.seen.looked_at.is_none()
        };
        let look = ResidueLook {
            stages,
            drive: residues.drive.clone(),
            acts: matter.is_none() && !all.iter().all(is_first),
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

    fn files_seen(&self, job: &Job, before: &FilesLook, sight: &ResidueSight) -> Ended {
        let now = self.now();
        let (seen, mark) = (before.seen.after(&sight.stages, now), Some(sight.mark.clone()));
        let gone = seen.gone();
        let done = json!({ "mark": mark, "seen": seen, "gone": gone });
        let changed = mark != before.mark || !seen.says_the_same(&before.seen);
        let news = gone || seen.says_more_than(&before.seen);
        let result = if gone { "gone" } else { LEFT };
        let news = news.then(|| json!({ "system": job.system, "result": result, "seen": seen }));
        let (settlement, words) = if gone {
            self.gone_from_files(before, &seen, done.clone())
        } else {
            self.left_in_files(job, &seen)
        };
        Ended { settlement, seen: (changed && !gone).then_some(done), news, words }
    }

    fn gone_from_files(
        &self,
        before: &FilesLook,
        seen: &FilesSeen,
        done: Value,
    ) -> (Settlement, String) {
        let stages: Vec<&str> = seen.stages.iter().map(|one| one.stage.as_str()).collect();
        let method = format!(
            "a look at the system's own account of its files and logs ({}): none can hold what was erased before {:.0}",
            stages.join(", "),
            before.at
        );
        let found = Verification { method: method.clone(), ..Verification::default() };
        let verification = VerificationOnRecord { at: self.now(), found, counted: None };
        let verification = serde_json::to_value(&verification).unwrap_or_default();
        (Settlement::Looked { done, verification }, method)
    }

    fn left_in_files(&self, job: &Job, seen: &FilesSeen) -> (Settlement, String) {
        let usual = self.system(&job.system).ok().and_then(|system| system.residues.as_ref());
        let pause = usual.map_or(AFTER_A_FAULT, |residues: &Residues| residues.look);
        // What holds a stage back for two looks does not go by itself.
        let held = seen.is_held(self.now(), pause);
        let left = seen.left().cloned();
        let why = left.map_or_else(String::new, |left| {
            format!("{}: {}", left.stage, left.why.unwrap_or_default())
        });
        if held {
            tracing::warn!(system = %job.system, %why, "something holds back what was erased; see `quietus residue list`");
        }
        (self.another_look(pause, if held { HELD } else { LEFT }, &why), why)
    }
}
