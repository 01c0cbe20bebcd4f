//! What the bell asks for: read from the store which occurrences are due and open their cases.
//!
//! Each occurrence is written with what became of it (run, caught up, missed, blacked out), so
//! nothing disappears without a row. The primary key (schedule, moment) lets one replica win.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::mutation::Mutation;
use super::open_case::{CaseOpened, Occurrence, Opening};
use super::recording::About;
use super::{Actor, AppError, Quietus};
use crate::datamap::house::HOUSE;
use crate::domain::JobState;
use crate::evidence::EvidenceKind;
use crate::plan::Acting;
use crate::schedule::{Missed, Schedule, Timetable};
use crate::store::{
    BlockedReason, CaseCause, Decision, Disposition, FireBatch, Job, NewFire, PauseScope, Restore,
    ScheduleCursor,
};

/// Who acts when no person does.
pub const SCHEDULER: &str = "scheduler";

/// An occurrence that is looked at later than this was missed, for schedules that skip those.
pub(crate) const MISSED_AFTER: jiff::SignedDuration = jiff::SignedDuration::from_mins(15);

impl Quietus {
    /// Writes down the moment from which each schedule counts; later calls change nothing.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn seed_schedules(&self) -> Result<(), AppError> {
        for name in self.rules.schedules.keys() {
            self.store.seed_schedule(name, self.now()).await?;
        }
        Ok(())
    }

    /// Opens a case for every schedule with an occurrence since it was last looked at.
    ///
    /// # Errors
    /// Where the store is not there or a schedule cannot be read.
    pub async fn fire_due(&self) -> Result<Vec<CaseOpened>, AppError> {
        let everything_paused = self
            .store
            .active_pauses()
            .await?
            .iter()
            .any(|pause| pause.scope == PauseScope::Everything);
        if everything_paused {
            return Ok(Vec::new());
        }
        let mut opened = Vec::new();
        for schedule in self.rules.schedules.values() {
            let Some(cursor) = self.store.schedule_cursor(&schedule.name).await? else { continue };
            let timetable =
                Timetable::of(schedule).map_err(|error| AppError::Input(error.to_string()))?;
            let due = timetable.due(cursor.cursor, self.now());
            let Some(latest) = due.last().copied() else { continue };
            if schedule.name.as_str() == HOUSE && !self.own_records_are_due(latest).await? {
                self.pass_over(schedule, &cursor, latest).await?;
                continue;
            }
            opened.extend(self.fire(schedule, &timetable, &cursor, &due, latest).await?);
        }
        Ok(opened)
    }

    /// Moves the cursor of our own schedule beyond occurrences at which there was nothing to do. They
    /// leave no row: one a night that says nothing would be kept for ever.
    async fn pass_over(
        &self,
        schedule: &Schedule,
        cursor: &ScheduleCursor,
        latest: Timestamp,
    ) -> Result<(), AppError> {
        let batch = FireBatch {
            schedule: schedule.name.clone(),
            seen_version: cursor.version,
            cursor: latest,
            fires: Vec::new(),
        };
        self.store.record_fires(batch, self.now(), Vec::new()).await?;
        Ok(())
    }

    async fn fire(
        &self,
        schedule: &Schedule,
        timetable: &Timetable,
        cursor: &ScheduleCursor,
        due: &[Timestamp],
        latest: Timestamp,
    ) -> Result<Option<CaseOpened>, AppError> {
        let late = self.now().duration_since(latest) > MISSED_AFTER;
        let skip = late && schedule.missed == Missed::Skip;
        let last = if timetable.is_blacked_out(latest) {
            Disposition::BlackedOut
        } else if skip {
            Disposition::Missed
        } else {
            Disposition::Run
        };
        // Only a case of the latest does the work of the earlier ones.
        let caught_up = last == Disposition::Run && schedule.missed == Missed::Latest;
        let earlier = |due_at: Timestamp| {
            if timetable.is_blacked_out(due_at) {
                Disposition::BlackedOut
            } else if caught_up {
                Disposition::CaughtUp
            } else {
                Disposition::Missed
            }
        };
        let batch = |last: Disposition| FireBatch {
            schedule: schedule.name.clone(),
            seen_version: cursor.version,
            cursor: latest,
            fires: due
                .iter()
                .map(|due_at| NewFire {
                    due_at: *due_at,
                    disposition: if *due_at == latest { last } else { earlier(*due_at) },
                })
                .collect(),
        };
        if last != Disposition::Run {
            self.store.record_fires(batch(last), self.now(), Vec::new()).await?;
            return Ok(None);
        }
        self.end_earlier_case(schedule).await?;
        let acting = Acting::Schedules([schedule.name.clone()].into());
        let opened = self
            .open_case(Opening {
                cause: CaseCause::Schedule,
                actor: Actor(SCHEDULER.to_owned()),
                moment: latest,
                acting: &acting,
                occurrence: Some(Occurrence {
                    schedule: schedule.name.clone(),
                    due_at: latest,
                    fires: batch(Disposition::Run),
                }),
            })
            .await?;
        if let CaseOpened::Overlapping(other) = &opened {
            tracing::warn!(schedule = %schedule.name, case = %other, "the earlier case is still open; its successor will find what became due");
            // Nothing was opened for it, and no later occurrence answers for it by name.
            let mut missed = batch(Disposition::Missed);
            for fire in &mut missed.fires {
                if fire.disposition == Disposition::CaughtUp {
                    fire.disposition = Disposition::Missed;
                }
            }
            self.store.record_fires(missed, self.now(), Vec::new()).await?;
        }
        Ok(Some(opened))
    }

    /// An open case of which only held or paused jobs are left would keep its schedule from ever
    /// running again, in every other system as well. One that is finished and not certified yet, for
    /// instance after a standstill, would keep it from running this time.
    async fn end_earlier_case(&self, schedule: &Schedule) -> Result<(), AppError> {
        let Some(case) = self.store.active_case_for(&schedule.name).await? else { return Ok(()) };
        if self.suffers(Mutation::NightMissed) {
            self.take_over_if_held(case).await?;
            return Ok(());
        }
        match Box::pin(self.certify_case(case)).await {
            Err(error @ AppError::Store(_)) => return Err(error),
            // A log that cannot be signed must not keep what is due.
            Err(error) => tracing::error!(%error, %case, "the earlier case is not certified yet"),
            Ok(()) => {}
        }
        if self.store.active_case_for(&schedule.name).await? == Some(case) {
            self.take_over_if_held(case).await?;
        }
        Ok(())
    }

    /// Calls off a case of which only jobs are left that are held or whose system is paused: its
    /// certificate names the hold or the pause, and the next case takes over what is due. `false`
    /// where something else is left, or nothing.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn take_over_if_held(&self, case: Uuid) -> Result<bool, AppError> {
        let jobs = self.store.jobs_of_case(case).await?;
        let pauses = self.store.active_pauses().await?;
        let quarantined = self.store.restores_under_way().await?;
        let is_paused = |job: &Job| {
            let restored = |one: &Restore| one.system == job.system && one.case_id != case;
            quarantined.iter().any(restored)
                || pauses.iter().any(|pause| {
                    matches!(&pause.scope, PauseScope::System(name) if name.as_str() == job.system)
                })
        };
        let idle = [JobState::Scheduled, JobState::Available, JobState::Blocked];
        let waits = |job: &Job| {
            job.state == JobState::Held
                || idle.contains(&job.state)
                    && !matches!(job.blocked, Some(BlockedReason::Approval | BlockedReason::Cap))
                    && is_paused(job)
        };
        let open: Vec<&Job> = jobs.iter().filter(|job| !job.state.is_final()).collect();
        // Whoever paused this very case wants it to stay.
        let this_case = pauses.iter().any(|pause| pause.scope == PauseScope::Case(case));
        if open.is_empty() || this_case || !open.iter().all(|job| waits(job)) {
            return Ok(false);
        }
        let reason = format!("{}; the next run takes over what is due", why_it_waits(&open));
        self.call_off(case, SCHEDULER, &reason).await?;
        self.certify_case(case).await?;
        Ok(true)
    }

    pub(crate) async fn call_off(
        &self,
        case: Uuid,
        by: &str,
        reason: &str,
    ) -> Result<bool, AppError> {
        let evidence = self.record(
            EvidenceKind::CaseCancelled,
            About { case: Some(case), job: None },
            &json!({"case": case, "result": "called off", "by": by, "reason": reason}),
        )?;
        let decision = Decision { by: by.to_owned(), reason: reason.to_owned(), at: self.now() };
        Ok(self.store.cancel_case(case, decision, vec![evidence]).await?)
    }
}

/// The matters that hold jobs, and the systems of those that wait for the end of a pause.
fn why_it_waits(open: &[&Job]) -> String {
    let matters: BTreeSet<&str> =
        open.iter().flat_map(|job| &job.hold_matters).map(String::as_str).collect();
    let paused: BTreeSet<&str> = open
        .iter()
        .filter(|job| job.state != JobState::Held)
        .map(|job| job.system.as_str())
        .collect();
    let list = |names: BTreeSet<&str>| names.into_iter().collect::<Vec<_>>().join(", ");
    let mut words = Vec::new();
    if !matters.is_empty() {
        words.push(format!("held by matter {}", list(matters)));
    }
    if !paused.is_empty() {
        words.push(format!("system {} is paused or in quarantine", list(paused)));
    }
    words.join("; ")
}
