//! Retention periods: ISO 8601 durations with calendar arithmetic.
//!
//! A period is counted on the wall clock of a zone. Three decisions make the end of a period a
//! function that never falls when its start rises and that never lies before its start:
//!
//! - Where the day does not exist in the last month (31 January and one month, 29 February and one
//!   year), the period ends with the end of that month's last day, as in BGB § 188(3).
//! - Where the clock is put back, an hour of the night passes twice. A start in its second pass
//!   counts as its end; an end in it means its second pass.
//! - Where the clock is put forward, an end in the hour that is left out is the moment of the leap.
//!
//! A period with a rounding ends with the calendar month or year in which it ends; an end at the
//! first instant of a year lies in that year. For periods of whole years this is the same as to
//! begin with the end of the calendar year of the event, as AO § 147(4) says.

use std::fmt;
use std::hash::{Hash, Hasher};

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::temporal::SpanParser;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp, ToSpan};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How the end of a period is rounded up.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// Not at all.
    #[default]
    None,
    /// To the end of the calendar month in which the period ends.
    EndOfMonth,
    /// To the end of the calendar year in which the period ends (AO § 147(4), HGB § 257(5)).
    EndOfCalendarYear,
}

/// A period such as `P90D`, `P3M` or `P8Y`. Never negative; `P0D` is "at once".
#[derive(Debug, Clone, Copy)]
pub struct RetentionPeriod {
    span: Span,
}

/// Why a text is no period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no period: {why}")]
pub struct PeriodError {
    /// What was given.
    pub text: String,
    /// Why, and what to write instead.
    pub why: String,
}

static PARSER: SpanParser = SpanParser::new();

/// No period is longer than this many months of 365.25 / 12 days.
const MOST_MONTHS: i64 = 12_000;

/// Offsets of a zone differ by less than this, so no clock repeats what is longer ago.
const LONGEST_REPETITION: SignedDuration = SignedDuration::from_hours(53);

/// The earliest day that a cut-off can be, in days from 1970: in the year -9998, so that no zone
/// leads out of the calendar.
const LOWEST_DAY: i64 = -4_371_000;

/// The earliest moment that a cut-off can be, in microseconds from 1970.
const LOWEST_MICROSECOND: i64 = LOWEST_DAY * 86_400_000_000;

impl RetentionPeriod {
    /// Reads an ISO 8601 duration: `P90D`, `P3M`, `P8Y`, `P2W`, `PT36H`, `P1Y6M`.
    ///
    /// # Errors
    /// Where the text is none (`6m`, `6 months`), is negative, has fractions or is longer than
    /// 1000 years.
    pub fn parse(text: &str) -> Result<Self, PeriodError> {
        let refuse = |why: &str| PeriodError { text: text.to_owned(), why: why.to_owned() };
        if text.contains('-') {
            return Err(refuse("a period is never negative; write it without `-`"));
        }
        if !text.starts_with('P') || text.chars().any(|one| one.is_ascii_lowercase()) {
            return Err(refuse(
                "write an ISO 8601 duration in capital letters, such as `P90D` for 90 days, `P6M` for 6 months, `P8Y` for 8 years or `PT36H` for 36 hours",
            ));
        }
        if text.contains(['.', ',']) {
            return Err(refuse("fractions are not counted; write whole units, such as `P1Y6M`"));
        }
        let span = PARSER.parse_span(text).map_err(|_| {
            refuse(
                "write years, months, weeks and days in this order and hours after a `T`, such as `P1Y6M`, `P90D` or `PT36H`",
            )
        })?;
        let clock_hours = span_clock(&span).as_hours();
        let months = i64::from(span.get_years()) * 12 + i64::from(span.get_months());
        let days = i64::from(span.get_weeks()) * 7 + i64::from(span.get_days()) + clock_hours / 24;
        if months * 365_250 + days * 12_000 > MOST_MONTHS * 365_250 {
            return Err(refuse("it is longer than 1000 years; write a shorter one"));
        }
        Ok(Self { span })
    }

    /// The period as a span of the calendar.
    pub fn span(&self) -> Span {
        self.span
    }

    /// The first instant at which a period that started at `start` is over, counted on the wall
    /// clock of `zone`.
    ///
    /// Never before `start`, and never falling when `start` rises. An end beyond the year 9999 is
    /// `Timestamp::MAX`.
    pub fn due_at(&self, start: Timestamp, rounding: Rounding, zone: &TimeZone) -> Timestamp {
        self.end_of(start, rounding, zone).unwrap_or(Timestamp::MAX)
    }

    /// The first instant at which a period is over that started at some time of `day`.
    ///
    /// The day of the event does not count (Regulation 1182/71, article 3), so the period ends
    /// with the end of its last day. An end beyond the year 9999 is `Timestamp::MAX`.
    pub fn due_at_day(&self, day: Date, rounding: Rounding, zone: &TimeZone) -> Timestamp {
        let end = CivilEnd { date: day, time: None };
        self.civil_end_of(end, rounding, zone).unwrap_or(Timestamp::MAX)
    }

    /// The latest start, in whole microseconds, whose period is over at `now`; `None` where there
    /// is none in the range of the calendar.
    pub fn cutoff(&self, now: Timestamp, rounding: Rounding, zone: &TimeZone) -> Option<Timestamp> {
        let over = |microsecond: i64| {
            Timestamp::from_microsecond(microsecond)
                .is_ok_and(|start| self.due_at(start, rounding, zone) <= now)
        };
        let found = latest_where(LOWEST_MICROSECOND, floor_microsecond(now), over)?;
        Timestamp::from_microsecond(found).ok()
    }

    /// The latest day for which a period that started on it is over at `now`; `None` where there
    /// is none in the range of the calendar.
    pub fn cutoff_day(&self, now: Timestamp, rounding: Rounding, zone: &TimeZone) -> Option<Date> {
        let epoch = Date::constant(1970, 1, 1);
        let day = |number: i64| epoch.checked_add(Span::new().try_days(number).ok()?).ok();
        let over = |number: i64| {
            day(number).is_some_and(|start| self.due_at_day(start, rounding, zone) <= now)
        };
        let today = now.as_second().div_euclid(86_400) + 2;
        day(latest_where(LOWEST_DAY, today, over)?)
    }

    fn end_of(&self, start: Timestamp, rounding: Rounding, zone: &TimeZone) -> Option<Timestamp> {
        if self.has_calendar_units() {
            let local = highest_local(start, zone);
            let end = CivilEnd { date: local.date(), time: Some(local.time()) };
            return self.civil_end_of(end, rounding, zone);
        }
        let end = start.checked_add(span_clock(&self.span)).ok()?;
        round_instant(end, rounding, zone)
    }

    fn civil_end_of(
        &self,
        start: CivilEnd,
        rounding: Rounding,
        zone: &TimeZone,
    ) -> Option<Timestamp> {
        let end = start.add_months(self.months())?.add_days(self.days())?;
        let clock = span_clock(&self.span);
        if clock.is_zero() {
            return match first_of_next(end.date, rounding)? {
                Some(first) => resolve(first, zone),
                None => resolve(end.instant()?, zone),
            };
        }
        let end = resolve(end.instant()?, zone)?.checked_add(clock).ok()?;
        round_instant(end, rounding, zone)
    }

    fn months(&self) -> i64 {
        i64::from(self.span.get_years()) * 12 + i64::from(self.span.get_months())
    }

    fn days(&self) -> i64 {
        i64::from(self.span.get_weeks()) * 7 + i64::from(self.span.get_days())
    }

    fn has_calendar_units(&self) -> bool {
        self.months() != 0 || self.days() != 0
    }
}

/// A place on the wall clock; without a time it is the end of the day (24:00).
#[derive(Clone, Copy)]
struct CivilEnd {
    date: Date,
    time: Option<Time>,
}

impl CivilEnd {
    fn add_months(self, months: i64) -> Option<Self> {
        let span = Span::new().try_months(months).ok()?;
        let first = self.date.first_of_month().checked_add(span).ok()?;
        if self.date.day() > first.days_in_month() {
            return Some(Self { date: first.last_of_month(), time: None });
        }
        let date = first.with().day(self.date.day()).build().ok()?;
        Some(Self { date, time: self.time })
    }

    fn add_days(self, days: i64) -> Option<Self> {
        let date = self.date.checked_add(Span::new().try_days(days).ok()?).ok()?;
        Some(Self { date, time: self.time })
    }

    fn instant(self) -> Option<DateTime> {
        match self.time {
            Some(time) => Some(self.date.to_datetime(time)),
            None => Some(self.date.tomorrow().ok()?.to_datetime(Time::midnight())),
        }
    }
}

/// Hours, minutes and seconds of a span: elapsed time, whatever the wall clock does.
fn span_clock(span: &Span) -> SignedDuration {
    SignedDuration::from_hours(i64::from(span.get_hours()))
        + SignedDuration::from_mins(span.get_minutes())
        + SignedDuration::from_secs(span.get_seconds())
}

/// The first midnight after the month or year of `date`; `Some(None)` where nothing is rounded,
/// `None` beyond the calendar.
#[expect(clippy::option_option, reason = "outer: beyond the calendar; inner: not rounded")]
fn first_of_next(date: Date, rounding: Rounding) -> Option<Option<DateTime>> {
    let last = match rounding {
        Rounding::None => return Some(None),
        Rounding::EndOfMonth => date.last_of_month(),
        Rounding::EndOfCalendarYear => date.last_of_year(),
    };
    Some(Some(last.tomorrow().ok()?.to_datetime(Time::midnight())))
}

fn round_instant(end: Timestamp, rounding: Rounding, zone: &TimeZone) -> Option<Timestamp> {
    match first_of_next(highest_local(end, zone).date(), rounding)? {
        Some(first) => resolve(first, zone),
        None => Some(end),
    }
}

/// The highest that the wall clock of `zone` has shown up to `instant`, so that it never falls
/// when `instant` rises.
fn highest_local(instant: Timestamp, zone: &TimeZone) -> DateTime {
    let mut highest = zone.to_datetime(instant);
    let Ok(next) = instant.checked_add(1.nanosecond()) else { return highest };
    for transition in zone.preceding(next) {
        let moment = transition.timestamp();
        if instant.duration_since(moment) > LONGEST_REPETITION {
            break;
        }
        if let Ok(before) = moment.checked_sub(1.nanosecond()) {
            highest = highest.max(zone.to_offset(before).to_datetime(moment));
        }
    }
    highest
}

/// The first instant from which on the wall clock of `zone` shows `local` or more.
fn resolve(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok(),
        AmbiguousOffset::Fold { after, .. } => after.to_timestamp(local).ok(),
        AmbiguousOffset::Gap { after, .. } => {
            let earlier = after.to_timestamp(local).ok()?;
            zone.following(earlier).next().map(|transition| transition.timestamp())
        }
    }
}

/// The greatest number from `lowest` to `highest` for which `over` holds, where it holds for all
/// numbers below one for which it holds.
fn latest_where(lowest: i64, highest: i64, over: impl Fn(i64) -> bool) -> Option<i64> {
    if highest < lowest || !over(lowest) {
        return None;
    }
    let (mut low, mut high) = (lowest, highest);
    while low < high {
        let middle = high - (high - low) / 2;
        if over(middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    Some(low)
}

fn floor_microsecond(moment: Timestamp) -> i64 {
    let floored = moment.as_nanosecond().div_euclid(1_000);
    i64::try_from(floored).unwrap_or(i64::MIN)
}

impl fmt::Display for RetentionPeriod {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.span.is_zero() {
            return formatter.write_str("P0D");
        }
        write!(formatter, "{}", self.span)
    }
}

/// Two periods are equal where their texts are: `P12M` is not `P1Y`.
impl PartialEq for RetentionPeriod {
    fn eq(&self, other: &Self) -> bool {
        self.span.fieldwise() == other.span.fieldwise()
    }
}

impl Eq for RetentionPeriod {}

impl Hash for RetentionPeriod {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.span.fieldwise().hash(state);
    }
}

impl Serialize for RetentionPeriod {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RetentionPeriod {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
