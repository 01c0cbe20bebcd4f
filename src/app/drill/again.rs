//! Bringing back, and erasing again: what was erased is planted once more under the keys that it had,
//! found by a later look, and erased by a replay.

use uuid::Uuid;

use super::DrillPace;
use crate::app::later_look::SeenIn;
use crate::app::{AppError, Quietus};
use crate::domain::JobState;
use crate::store::{Drill, DrillFinding, DrillStep, DrillSystem};

impl Quietus {
    /// Plants once more what was erased.
    pub(super) async fn bring_drill_back(
        &self,
        drill: &Drill,
        pace: DrillPace,
    ) -> Result<bool, AppError> {
        let mut moved = false;
        let mut waiting = false;
        let systems = self.drilled_systems(drill).await?;
        for system in systems.iter().filter(|one| one.back_at.is_none()) {
            let back = self.plant_in(drill, system, (pace, true)).await?;
            moved |= back;
            waiting |= !back;
        }
        if waiting {
            return Ok(moved);
        }
        Ok(self.store.drill_is_back(drill.id, self.now()).await? || moved)
    }

    /// Looks for what is back, notes what is erased again, and ends the drill once everything is.
    pub(super) async fn watch_second_erasure(
        &self,
        drill: &Drill,
        pace: DrillPace,
    ) -> Result<bool, AppError> {
        let Some(request) = drill.request_id else { return Ok(false) };
        let Some(case) = self.rights_request(request).await?.stored.case_id else {
            return Ok(false);
        };
        let systems = self.drilled_systems(drill).await?;
        let found = self.found_of(drill, case, &systems).await?;
        let missing = systems.iter().find(|one| !is_among(&found, one));
        if let Some(missing) = missing {
            return self.look_for_drill(drill, case, (missing, pace)).await;
        }
        if found.iter().any(|one| one.job_id.is_none()) {
            let why = "what was brought back was found, and somebody has to decide about it: see `quietus reappeared list`";
            self.end_drill(drill, Some(why)).await?;
            return Ok(true);
        }
        let mut moved = false;
        for system in &systems {
            let own = found.iter().filter(|one| one.system == system.system);
            let Some(job) = own.filter_map(|one| one.job_id).next_back() else { continue };
            let Some(job) = self.store.job(job).await? else { continue };
            match (job.state, job.settled_at) {
                (JobState::Completed, Some(at)) if system.again_at.is_none() => {
                    moved |= self.note_step(system, DrillStep::Again, at).await?;
                }
                (JobState::Failed | JobState::Cancelled, _) => {
                    let why = format!("what was back in `{}` was not erased again", system.system);
                    self.end_drill(drill, Some(&why)).await?;
                    return Ok(true);
                }
                _ => {}
            }
        }
        Ok(self.end_if_gone_again(drill, case, pace).await? || moved)
    }

    async fn end_if_gone_again(
        &self,
        drill: &Drill,
        case: Uuid,
        pace: DrillPace,
    ) -> Result<bool, AppError> {
        let systems = self.drilled_systems(drill).await?;
        let all: Option<Vec<_>> = systems.iter().map(|one| one.again_at).collect();
        let Some(last) = all.and_then(|all| all.into_iter().max()) else { return Ok(false) };
        if self.certified_as(case, Some(last)).await?.is_none() {
            return Ok(false);
        }
        let Ok(left) = self.insist_on_gone(drill, pace).await? else { return Ok(false) };
        self.end_drill(drill, left.as_deref()).await?;
        Ok(true)
    }

    /// What later looks have found of a drill since it was brought back.
    async fn found_of(
        &self,
        drill: &Drill,
        case: Uuid,
        systems: &[DrillSystem],
    ) -> Result<Vec<DrillFinding>, AppError> {
        // What is there in one system may be found before all of it is back.
        let first = systems.iter().filter_map(|one| one.back_at).min().or(drill.back_at);
        match first {
            Some(first) => Ok(self.store.drill_findings(case, first).await?),
            None => Ok(Vec::new()),
        }
    }

    /// Looks whether what was brought back is found.
    async fn look_for_drill(
        &self,
        drill: &Drill,
        case: Uuid,
        (missing, pace): (&DrillSystem, DrillPace),
    ) -> Result<bool, AppError> {
        let replaying = self
            .store
            .jobs_of_case(case)
            .await?
            .iter()
            .any(|job| job.kind == crate::store::JobKind::Replay && !job.state.is_final());
        // What another system has goes first, so that nothing is asked for twice.
        if replaying || !self.may_try(missing, pace) {
            return Ok(false);
        }
        let Some(seen) = Box::pin(self.look_for_case(case)).await? else { return Ok(false) };
        let own = |one: &&SeenIn| one.system == missing.system;
        match seen.iter().find(own) {
            Some(SeenIn { back: true, .. }) => Ok(true),
            Some(SeenIn { trouble: Some(why), .. }) => {
                self.note_trouble(missing, why).await?;
                Ok(false)
            }
            _ => {
                let why = format!(
                    "what was brought back in `{}` was not found by a later look",
                    missing.system
                );
                self.end_drill(drill, Some(&why)).await?;
                Ok(true)
            }
        }
    }
}

fn is_among(found: &[DrillFinding], system: &DrillSystem) -> bool {
    found.iter().any(|one| one.system == system.system)
}
