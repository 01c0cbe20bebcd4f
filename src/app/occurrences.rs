//! How schedules stand: which occurrences somebody should have looked at and has not, and which were
//! missed. Nothing is asked but the store.

use jiff::Timestamp;

use super::{AppError, Quietus};
use crate::domain::ScheduleName;
use crate::schedule::Timetable;
use crate::store::Disposition;

/// Due moments of a schedule that are looked back upon.
const LOOKED_BACK: u32 = 100;

/// How a schedule stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleStanding {
    /// The schedule.
    pub schedule: ScheduleName,
    /// Every due moment up to and with this one was looked at; `None` where no process has begun to
    /// count them.
    pub looked_at_until: Option<Timestamp>,
    /// How many occurrences somebody should have looked at by now.
    pub overdue: u64,
    /// When the first of them was due.
    pub overdue_since: Option<Timestamp>,
    /// How many of the latest occurrences, one after the other, were missed; at most 100.
    pub missed: u64,
    /// When the first of those was due.
    pub missed_since: Option<Timestamp>,
}

impl Quietus {
    /// How each schedule stands, that of our own records with them.
    ///
    /// # Errors
    /// Where the store is not there or a schedule cannot be read.
    pub async fn schedule_standings(&self) -> Result<Vec<ScheduleStanding>, AppError> {
        let mut standings = Vec::with_capacity(self.rules.schedules.len());
        for schedule in self.rules.schedules.values() {
            let cursor = self.store.schedule_cursor(&schedule.name).await?;
            let cursor = cursor.map(|cursor| cursor.cursor);
            let timetable =
                Timetable::of(schedule).map_err(|error| AppError::Input(error.to_string()))?;
            let overdue =
                cursor.map_or_else(Vec::new, |cursor| timetable.overdue(cursor, self.now()));
            let fires = self.store.fires_of(&schedule.name, LOOKED_BACK).await?;
            let missed: Vec<Timestamp> = fires
                .iter()
                .filter(|fire| fire.disposition != Disposition::BlackedOut)
                .take_while(|fire| fire.disposition == Disposition::Missed)
                .map(|fire| fire.due_at)
                .collect();
            standings.push(ScheduleStanding {
                schedule: schedule.name.clone(),
                looked_at_until: cursor,
                overdue: overdue.len() as u64,
                overdue_since: overdue.first().copied(),
                missed: missed.len() as u64,
                missed_since: missed.last().copied(),
            });
        }
        Ok(standings)
    }
}
