//! When a schedule's runs begin: a cron expression of five fields on the wall clock of a zone.
//!
//! A time that the clock leaves out in spring moves to the first instant after the gap; a fixed
//! time that passes twice in autumn counts once. Always searched forward, never backward.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// A schedule's calendar.
#[derive(Debug, Clone)]
pub struct Calendar {
    cron: Cron,
    zone: TimeZone,
}

/// Why there is no such calendar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// Not five fields, or one of them is none.
    #[error("`{cron}` is no cron expression: {why}")]
    Cron {
        /// What was given.
        cron: String,
        /// Why.
        why: String,
    },
    /// The zone is not known.
    #[error("unknown time zone `{0}`")]
    Zone(String),
    /// There is no such day, ever.
    #[error("`{0}` never comes")]
    Never(String),
}

impl Calendar {
    /// Reads a cron expression in a zone and makes sure that it comes round at all.
    ///
    /// # Errors
    /// Where the expression is none, has seconds or years, or never comes; where the zone is not
    /// known.
    pub fn parse(cron: &str, zone: &str) -> Result<Self, CalendarError> {
        let refuse = |why: String| CalendarError::Cron { cron: cron.to_owned(), why };
        if cron.starts_with('@') || cron.split_whitespace().count() != 5 {
            return Err(refuse(
                "write five fields: minute, hour, day of month, month, day of week".to_owned(),
            ));
        }
        let parser =
            CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let parsed = parser.parse(cron).map_err(|error| {
            let text = error.to_string();
            let text = text.rsplit_once("error: ").map_or(text.as_str(), |(_, rest)| rest);
            let mut letters = text.trim_end_matches('.').chars();
            let first = letters.next().map(|first| first.to_lowercase().to_string());
            refuse(format!("{}{}", first.unwrap_or_default(), letters.as_str()))
        })?;
        let zone = TimeZone::get(zone).map_err(|_| CalendarError::Zone(zone.to_owned()))?;
        // Any start serves: a day that does not come in the four hundred years of the calendar
        // never does.
        let start = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
        if parsed.find_next_occurrence(&start, false).is_err() {
            return Err(CalendarError::Never(cron.to_owned()));
        }
        Ok(Self { cron: parsed, zone })
    }

    /// The first occurrence after a moment; `None` at the end of the calendar.
    pub fn after(&self, moment: Timestamp) -> Option<Zoned> {
        let start = moment.to_zoned(self.zone.clone());
        self.cron.find_next_occurrence(&start, false).ok()
    }

    /// The next occurrences after a moment, at most `count`.
    pub fn occurrences(&self, after: Timestamp, count: usize) -> Vec<Zoned> {
        let mut found: Vec<Zoned> = Vec::new();
        let mut moment = after;
        while found.len() < count {
            let Some(next) = self.after(moment).filter(|next| next.timestamp() > moment) else {
                break;
            };
            moment = next.timestamp();
            found.push(next);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(cron: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let calendar = Calendar::parse(cron, zone).unwrap();
        let found = calendar.occurrences(after.parse().unwrap(), count);
        found.iter().map(|one| one.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()).collect()
    }

    #[test]
    fn the_clock_change_keeps_the_local_time() {
        assert_eq!(
            next("30 1 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2),
            ["2026-03-29T01:30:00+01:00", "2026-03-30T01:30:00+02:00"]
        );
        assert_eq!(
            next("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2),
            ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]
        );
        assert_eq!(
            next("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]
        );
    }

    #[test]
    fn what_never_comes_is_refused() {
        let error = Calendar::parse("0 0 30 2 *", "UTC").unwrap_err();
        assert_eq!(error.to_string(), "`0 0 30 2 *` never comes");
        assert!(Calendar::parse("0 0 29 2 *", "UTC").is_ok());
    }

    #[test]
    fn other_dialects_are_refused() {
        for cron in ["0 0 0 1 1 *", "@daily", "", "0 25 * * *", "x * * * *"] {
            assert!(
                matches!(Calendar::parse(cron, "UTC"), Err(CalendarError::Cron { .. })),
                "{cron}"
            );
        }
        assert!(matches!(Calendar::parse("0 0 * * *", "Mars/X"), Err(CalendarError::Zone(_))));
    }
}
