//! What a certificate says of data that were back.

use crate::app::over_jobs::done_of;
use crate::app::{AppError, Quietus};
use crate::domain::{JobState, SystemName};
use crate::evidence::certificate::{Predicate, StatedReappearance};
use crate::evidence::statement::Count;
use crate::store::{Job, JobKind};

impl Quietus {
    /// What was back for a time without a restore, such as by an import.
    ///
    /// # Errors
    /// Where the store is not there.
    pub(crate) async fn tell_of_reappearances(
        &self,
        predicate: &mut Predicate,
        jobs: &[Job],
    ) -> Result<(), AppError> {
        predicate.reappearances = self.reappearances_in(jobs).await?;
        // Where the machine's clock was set back meanwhile, moments are no later than the issue.
        for one in &mut predicate.reappearances {
            one.done_again_at = one.done_again_at.map(|at| at.min(predicate.issued_at));
            one.found_at = one.found_at.min(one.done_again_at.unwrap_or(predicate.issued_at));
            one.last_well_at = one.last_well_at.min(one.found_at);
        }
        predicate.limits.extend(predicate.reappearances.iter().map(in_words));
        Ok(())
    }

    async fn reappearances_in(&self, jobs: &[Job]) -> Result<Vec<StatedReappearance>, AppError> {
        let mut stated = Vec::new();
        let done = |job: &&Job| job.kind == JobKind::Replay && job.state == JobState::Completed;
        for job in jobs.iter().filter(done) {
            let Some(found) = self.store.reappearance_of_job(job.id).await? else { continue };
            let system = SystemName::parse(&found.system)
                .map_err(|error| AppError::Unreadable { what: "a look", why: error.to_string() })?;
            let changed = done_of(Some(job)).total().changed();
            stated.push(StatedReappearance {
                system,
                last_well_at: found.well_at,
                found_at: found.found_at,
                done_again_at: job.settled_at.filter(|_| changed > 0),
                records: Count(found.records),
            });
        }
        stated.sort_by_key(|one| (one.found_at, one.system.clone()));
        Ok(stated)
    }
}

/// What a certificate says of it among its limits, in words.
fn in_words(stated: &StatedReappearance) -> String {
    let StatedReappearance { system, last_well_at, found_at, done_again_at, records } = stated;
    let head = format!(
        "In system `{system}`, {} record(s) of what had been erased or restricted were found again at {found_at:.0}; at {last_well_at:.0} it was last seen that nothing was back.",
        records.0
    );
    match done_again_at {
        Some(at) => format!("{head} What was done was done again by {at:.0}."),
        None => format!("{head} Nothing could be done about them: what keeps them is named."),
    }
}
