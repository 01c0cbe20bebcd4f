//! How long a store keeps its copies.

use jiff::{Span, Timestamp, Zoned};
use serde::{Deserialize, Serialize};

/// How long a store keeps copies, in the words that backup tools share: a copy stays while any of
/// these keeps it. Without any, copies stay for ever. How rules are counted together differs:
/// [`Counting`](super::Counting).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreRetention {
    /// Copies that are younger than this stay, as an ISO 8601 period such as `P35D`.
    pub within: Option<String>,
    /// So many of the latest stay.
    pub last: Option<u32>,
    /// The last one of so many hours that have one stays.
    pub hourly: Option<u32>,
    /// The last one of so many days that have one stays.
    pub daily: Option<u32>,
    /// The last one of so many weeks that have one stays.
    pub weekly: Option<u32>,
    /// The last one of so many months that have one stays.
    pub monthly: Option<u32>,
    /// The last one of so many years that have one stays.
    pub yearly: Option<u32>,
}

impl StoreRetention {
    /// An upper bound for one copy by itself, where nothing is known of the others; with the whole
    /// list, [`ends`](Self::ends) tells the day. It holds for [`Counting::Apart`](super::Counting).
    ///
    /// The latest moment at which a copy ends if the store takes one in each `cadence` and removes
    /// what it no longer keeps each time; `None` where it never does, or where a period cannot be
    /// read.
    ///
    /// A rule that counts days, weeks, months or years counts those that have a copy, so a store
    /// that takes copies more rarely keeps them for longer.
    pub fn ends_by(&self, taken_at: &Zoned, cadence: jiff::SignedDuration) -> Option<Timestamp> {
        let mut ends = Vec::new();
        if let Some(within) = &self.within {
            // Compared with the latest copy, so the first one after the period removes it.
            let period: Span = within.parse().ok()?;
            ends.push(taken_at.checked_add(period).ok()?.timestamp().checked_add(cadence).ok()?);
        }
        let rules = [
            (self.last, Span::new()),
            (self.hourly, Span::new().hours(1)),
            (self.daily, Span::new().days(1)),
            (self.weekly, Span::new().weeks(1)),
            (self.monthly, Span::new().months(1)),
            (self.yearly, Span::new().years(1)),
        ];
        for (count, unit) in rules {
            let Some(count) = count.filter(|&count| count > 0) else { continue };
            let by_calendar =
                taken_at.checked_add(unit.checked_mul(i64::from(count)).ok()?).ok()?;
            let by_cadence = taken_at
                .timestamp()
                .checked_add(cadence.checked_mul(i32::try_from(count).ok()?)?)
                .ok()?;
            ends.push(by_calendar.timestamp().max(by_cadence));
        }
        ends.into_iter().max()
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn ends(retention: &StoreRetention, taken_at: &str, hours: i64) -> Option<String> {
        let taken_at: Zoned = taken_at.parse().unwrap();
        let cadence = SignedDuration::from_hours(hours);
        let ends = retention.ends_by(&taken_at, cadence)?;
        Some(ends.to_zoned(taken_at.time_zone().clone()).strftime("%F %H:%M").to_string())
    }

    #[test]
    fn the_rule_that_keeps_longest_decides() {
        let taken_at = "2026-03-27T02:00[Europe/Berlin]";
        let mut retention = StoreRetention { last: Some(3), ..StoreRetention::default() };
        assert_eq!(ends(&retention, taken_at, 6).unwrap(), "2026-03-27 20:00");
        retention.daily = Some(7);
        // A day is a day, also where clocks are put forward.
        assert_eq!(ends(&retention, taken_at, 6).unwrap(), "2026-04-03 02:00");
        retention.monthly = Some(12);
        assert_eq!(ends(&retention, taken_at, 6).unwrap(), "2027-03-27 02:00");
    }

    #[test]
    fn copies_that_are_taken_rarely_stay_for_longer() {
        let retention = StoreRetention { daily: Some(7), ..StoreRetention::default() };
        assert_eq!(ends(&retention, "2026-01-01T00:00[UTC]", 48).unwrap(), "2026-01-15 00:00");
    }

    #[test]
    fn a_period_ends_with_the_first_copy_after_it() {
        let within = Some("P1M".to_owned());
        let retention = StoreRetention { within, ..StoreRetention::default() };
        assert_eq!(ends(&retention, "2026-01-31T00:00[UTC]", 24).unwrap(), "2026-03-01 00:00");
    }

    #[test]
    fn without_a_rule_it_never_ends() {
        assert_eq!(ends(&StoreRetention::default(), "2026-01-01T00:00[UTC]", 24), None);
        let within = Some("five weeks".to_owned());
        let retention = StoreRetention { within, daily: Some(1), ..StoreRetention::default() };
        assert_eq!(ends(&retention, "2026-01-01T00:00[UTC]", 24), None);
    }
}
