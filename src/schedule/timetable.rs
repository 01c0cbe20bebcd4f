//! What a schedule asks for at a moment: which occurrences are due, and whether a job may start
//! (windows and blackout dates).
//!
//! Occurrences are enumerated forwards from a cursor, so that none is skipped or doubled by a
//! pause of the machine or a change of daylight-saving time.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};

use super::calendar::{Calendar, CalendarError};
use super::model::Schedule;

/// At most so many occurrences are listed at once: a year of one a minute.
pub const MOST_OCCURRENCES: usize = 530_000;

/// An occurrence that nobody has looked at for longer is overdue, however rare the schedule is.
const LONGEST_PATIENCE: SignedDuration = SignedDuration::from_hours(1);

/// The timetable of one schedule.
#[derive(Debug, Clone)]
pub struct Timetable {
    calendar: Calendar,
    zone: TimeZone,
    schedule: Schedule,
}

impl Timetable {
    /// Reads a schedule's expression and zone.
    ///
    /// # Errors
    /// Where one of them cannot be read.
    pub fn of(schedule: &Schedule) -> Result<Self, CalendarError> {
        let calendar = Calendar::parse(&schedule.cron, &schedule.zone)?;
        let zone = TimeZone::get(&schedule.zone)
            .map_err(|_| CalendarError::Zone(schedule.zone.clone()))?;
        Ok(Self { calendar, zone, schedule: schedule.clone() })
    }

    /// Occurrences after `cursor` up to and including `now`, in order, at most
    /// [`MOST_OCCURRENCES`].
    pub fn due(&self, cursor: Timestamp, now: Timestamp) -> Vec<Timestamp> {
        let mut found = Vec::new();
        let mut at = cursor;
        while let Some(next) = self.calendar.after(at).map(|next| next.timestamp()) {
            if next > now || next <= at || found.len() == MOST_OCCURRENCES {
                break;
            }
            found.push(next);
            at = next;
        }
        found
    }

    /// Of the occurrences after `cursor`, those that somebody should have looked at by now: they are
    /// over for longer than until the next one, or for an hour, whichever is less. Days on which
    /// nothing starts are left out.
    pub fn overdue(&self, cursor: Timestamp, now: Timestamp) -> Vec<Timestamp> {
        let patience = |at: Timestamp| {
            let next = self.calendar.after(at).map(|next| next.timestamp().duration_since(at));
            next.map_or(LONGEST_PATIENCE, |next| next.min(LONGEST_PATIENCE))
        };
        let mut overdue = self.due(cursor, now);
        overdue.retain(|at| !self.is_blacked_out(*at) && now.duration_since(*at) > patience(*at));
        overdue
    }

    /// `None` where a job may start now, otherwise the next moment at which one may.
    ///
    /// The search ends after two years, for schedules whose blackouts leave nothing.
    pub fn opens_at(&self, now: Timestamp) -> Option<Timestamp> {
        let here = now.to_zoned(self.zone.clone());
        if self.is_open(&here) {
            return None;
        }
        let mut days = std::iter::successors(Some(here.date()), |day| day.tomorrow().ok());
        for day in days.by_ref().take(732) {
            for candidate in self.openings_on(day) {
                if candidate > here && self.is_open(&candidate) {
                    return Some(candidate.timestamp());
                }
            }
        }
        Some(now.saturating_add(17_520.hours()).unwrap_or(Timestamp::MAX))
    }

    /// The day of this moment is one on which nothing starts.
    pub fn is_blacked_out(&self, moment: Timestamp) -> bool {
        let day = moment.to_zoned(self.zone.clone()).date();
        self.schedule.blackouts.iter().any(|(from, to)| *from <= day && day <= *to)
    }

    fn openings_on(&self, day: jiff::civil::Date) -> Vec<Zoned> {
        let mut times = vec![jiff::civil::Time::midnight()];
        times.extend(self.schedule.windows.iter().map(|(from, _)| *from));
        times.sort();
        times
            .into_iter()
            .filter_map(|time| day.to_datetime(time).to_zoned(self.zone.clone()).ok())
            .collect()
    }

    fn is_open(&self, here: &Zoned) -> bool {
        let time = here.time();
        let in_window = self.schedule.windows.is_empty()
            || self.schedule.windows.iter().any(|(from, to)| {
                if from <= to { *from <= time && time < *to } else { *from <= time || time < *to }
            });
        in_window && !self.is_blacked_out(here.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};

    use super::*;
    use crate::domain::ScheduleName;
    use crate::schedule::Missed;

    fn schedule(cron: &str) -> Schedule {
        Schedule {
            name: ScheduleName::parse("nightly").unwrap(),
            cron: cron.to_owned(),
            zone: "Europe/Berlin".to_owned(),
            windows: Vec::new(),
            blackouts: Vec::new(),
            missed: Missed::Latest,
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn spring_neither_skips_nor_doubles() {
        let timetable = Timetable::of(&schedule("30 2 * * *")).unwrap();
        let due = timetable.due(at("2026-03-27T12:00:00Z"), at("2026-03-30T12:00:00Z"));
        assert_eq!(
            due,
            [at("2026-03-28T01:30:00Z"), at("2026-03-29T01:00:00Z"), at("2026-03-30T00:30:00Z")]
        );
    }

    #[test]
    fn autumn_neither_skips_nor_doubles() {
        let timetable = Timetable::of(&schedule("30 2 * * *")).unwrap();
        let due = timetable.due(at("2026-10-24T12:00:00Z"), at("2026-10-26T12:00:00Z"));
        assert_eq!(due, [at("2026-10-25T00:30:00Z"), at("2026-10-26T01:30:00Z")]);
    }

    #[test]
    fn three_days_off_are_three_occurrences() {
        let timetable = Timetable::of(&schedule("0 4 * * *")).unwrap();
        assert_eq!(timetable.due(at("2026-06-01T03:00:00Z"), at("2026-06-04T03:00:00Z")).len(), 3);
        assert!(timetable.due(at("2026-06-04T02:00:00Z"), at("2026-06-04T02:00:00Z")).is_empty());
    }

    #[test]
    fn an_occurrence_is_overdue_after_an_hour_or_at_the_next_one() {
        let mut nightly = schedule("0 4 * * *");
        nightly.blackouts = vec![(date(2026, 6, 2), date(2026, 6, 2))];
        let nightly = Timetable::of(&nightly).unwrap();
        let cursor = at("2026-06-01T01:00:00Z");
        assert!(nightly.overdue(cursor, at("2026-06-01T03:00:00Z")).is_empty());
        let second = at("2026-06-01T03:00:01Z");
        assert_eq!(nightly.overdue(cursor, second), [at("2026-06-01T02:00:00Z")]);
        let later = nightly.overdue(cursor, at("2026-06-03T06:00:00Z"));
        assert_eq!(later, [at("2026-06-01T02:00:00Z"), at("2026-06-03T02:00:00Z")]);
        let often = Timetable::of(&schedule("*/5 * * * *")).unwrap();
        assert_eq!(often.overdue(cursor, at("2026-06-01T01:10:01Z")).len(), 1);
    }

    #[test]
    fn windows_may_pass_midnight_and_blackouts_close_the_day() {
        let mut with_window = schedule("0 4 * * *");
        with_window.windows = vec![(time(22, 0, 0, 0), time(5, 0, 0, 0))];
        with_window.blackouts = vec![(date(2026, 12, 24), date(2026, 12, 26))];
        let timetable = Timetable::of(&with_window).unwrap();
        assert_eq!(timetable.opens_at(at("2026-06-01T23:00:00Z")), None);
        assert_eq!(
            timetable.opens_at(at("2026-06-01T10:00:00Z")),
            Some(at("2026-06-01T20:00:00Z"))
        );
        assert_eq!(
            timetable.opens_at(at("2026-12-24T22:30:00Z")),
            Some(at("2026-12-26T23:00:00Z"))
        );
    }

    #[test]
    fn six_fields_and_nonsense_are_refused() {
        assert!(Timetable::of(&schedule("0 0 4 * * *")).is_err());
        assert!(Timetable::of(&schedule("every night")).is_err());
    }
}
