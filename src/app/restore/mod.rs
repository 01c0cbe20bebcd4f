//! A connected system that was put back to an earlier state must not bring anybody back: it is in
//! quarantine until everything that was erased or restricted since is done again and verified.
//!
//! What was done for a person is done again by a job of the kind `replay` in the person's own case,
//! as the same order under a new key; what rules have made due is found by a case of its own.
//! Nothing else is carried out on the system meanwhile.

mod begin;
mod canary;
mod door;
mod open;
mod standing;
mod watch;

pub use begin::{BeginRestore, Begun};
pub use open::OpenedRestore;
pub use standing::{RestoreFacts, RestoredPersonsFacts};
pub use watch::{GUARD, Sighting};

use crate::domain::JobState;
use crate::evidence::certificate::{CertificateClass, Predicate, RestoredPersons, StatedRestore};
use crate::evidence::statement::Count;
use crate::store::{Case, CaseCause, Job, JobKind, Restore};
use uuid::Uuid;

use super::over_jobs::done_of;
use super::{AppError, Quietus};
use crate::domain::SystemName;

/// Jobs read in one go.
const PAGE: u32 = 1000;

/// Who came back with a restore.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CameBack {
    /// Persons of whom something was there again.
    pub(crate) persons: u64,
    /// Records of theirs that were erased or restricted again.
    pub(crate) records: u64,
}

impl Quietus {
    /// Those cases that may be certified now: that of a restore is with the opening of the system.
    ///
    /// # Errors
    /// Where the store is not there.
    pub(crate) async fn outside_of_quarantine(
        &self,
        mut cases: Vec<Case>,
    ) -> Result<Vec<Case>, AppError> {
        if !cases.is_empty() {
            let quarantined = self.store.restores_under_way().await?;
            cases.retain(|case| !quarantined.iter().any(|one| one.case_id == case.id));
        }
        Ok(cases)
    }

    /// Who came back, by what their jobs have found to do.
    ///
    /// # Errors
    /// Where the store is not there.
    pub(crate) async fn came_back(&self, restore: &Restore) -> Result<CameBack, AppError> {
        let mut back = CameBack::default();
        let mut after = Uuid::nil();
        loop {
            let jobs = self.store.restore_jobs(restore.id, None, after, PAGE).await?;
            let Some(last) = jobs.last() else { return Ok(back) };
            after = last.id;
            for changed in jobs.iter().map(changed_by).filter(|changed| *changed > 0) {
                back.persons += 1;
                back.records += changed;
            }
        }
    }

    /// What the certificate of a restore's own case says of it.
    ///
    /// # Errors
    /// Where the store is not there.
    async fn stated_restore(&self, restore: &Restore) -> Result<StatedRestore, AppError> {
        let counts = self.store.restore_counts(restore.id).await?;
        let back = self.came_back(restore).await?;
        Ok(StatedRestore {
            system: system_of(restore)?,
            state_of: restore.taken_at,
            announced: restore.announced,
            back_from: restore.back_since,
            gone_again_at: restore.opened.as_ref().map_or_else(|| self.now(), |(_, at)| *at),
            records: Count(back.records),
            persons: Some(RestoredPersons {
                done_again: Count(counts.replays),
                came_back: Count(back.persons),
                forgotten: Count(restore.forgotten),
            }),
        })
    }

    /// What was back for a time, because a system was put back to an earlier state.
    ///
    /// # Errors
    /// Where the store is not there.
    pub(crate) async fn tell_of_restores(
        &self,
        predicate: &mut Predicate,
        case: &Case,
        jobs: &[Job],
    ) -> Result<(), AppError> {
        predicate.restores = if case.cause == CaseCause::Command {
            match self.store.restore_of_case(case.id).await? {
                Some(restore) => {
                    predicate.class = CertificateClass::Restore;
                    vec![self.stated_restore(&restore).await?]
                }
                None => Vec::new(),
            }
        } else {
            self.restores_in(jobs).await?
        };
        // Where the machine's clock was set back meanwhile, moments are no later than the issue.
        for one in &mut predicate.restores {
            one.gone_again_at = one.gone_again_at.min(predicate.issued_at);
            one.back_from = one.back_from.min(one.gone_again_at);
            one.state_of = one.state_of.min(one.gone_again_at);
        }
        predicate.limits.extend(predicate.restores.iter().map(in_words));
        self.tell_of_reappearances(predicate, jobs).await?;
        if let (Some(earlier), Some(old)) =
            (&mut predicate.supersedes, self.store.certificate_of_case(case.id).await?)
        {
            let since = old.summary.issued_at;
            let newly = |job: &Job| job.settled_at.is_some_and(|at| at > since);
            if jobs.iter().any(|job| has_brought_back(job) && newly(job))
                || predicate.reappearances.iter().any(|one| one.found_at > since)
            {
                "reappeared".clone_into(&mut earlier.reason);
            }
        }
        Ok(())
    }

    /// The restores that brought something of a person back, by the jobs of the person's case.
    ///
    /// # Errors
    /// Where the store is not there.
    async fn restores_in(&self, jobs: &[Job]) -> Result<Vec<StatedRestore>, AppError> {
        let mut stated = Vec::new();
        for job in jobs {
            let Some(at) = job.settled_at.filter(|_| has_brought_back(job)) else { continue };
            let Some(restore) = self.store.restore_of_job(job.id).await? else { continue };
            stated.push(StatedRestore {
                system: system_of(&restore)?,
                state_of: restore.taken_at,
                announced: restore.announced,
                back_from: restore.back_since,
                gone_again_at: at,
                records: Count(changed_by(job)),
                persons: None,
            });
        }
        stated.sort_by_key(|one| (one.gone_again_at, one.system.clone()));
        Ok(stated)
    }
}

/// Something was there again and is gone again.
fn has_brought_back(job: &Job) -> bool {
    job.kind == JobKind::Replay && job.state == JobState::Completed && changed_by(job) > 0
}

fn changed_by(job: &Job) -> u64 {
    done_of(Some(job)).total().changed()
}

fn system_of(restore: &Restore) -> Result<SystemName, AppError> {
    SystemName::parse(&restore.system)
        .map_err(|error| AppError::Unreadable { what: "a restore", why: error.to_string() })
}

/// What a certificate says of a restore among its limits, in words.
fn in_words(stated: &StatedRestore) -> String {
    let StatedRestore { system, state_of, back_from, gone_again_at, records, .. } = stated;
    let head = format!(
        "System `{system}` was put back to its state of {state_of:.0}: from {back_from:.0} until {gone_again_at:.0}"
    );
    let records = match records.0 {
        1 => "1 record".to_owned(),
        many => format!("{many} records"),
    };
    match &stated.persons {
        None => format!(
            "{head} it held again what had been erased or restricted there ({records}); it was done again."
        ),
        Some(persons) => format!(
            "{head} it could hold again what had been erased or restricted since; that was done again for {} cases of persons, of whom {} were back with {records}, and {} are of persons who are forgotten and could not be looked for.",
            persons.done_again.0, persons.came_back.0, persons.forgotten.0
        ),
    }
}
