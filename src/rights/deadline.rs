//! Until when an answer is due: the law's own arithmetic.
//!
//! Regulation 1182/71: the day of the event does not count; a period of months ends with the same
//! day of the last month, or with its last day where it has no such day; an end on a day on which
//! offices do not work moves to the next working day. Dates are days in the controller's zone and
//! never instants, so that no change of an offset moves them.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::calendar::WorkingCalendar;
use super::regime::Regime;
use crate::domain::RetentionPeriod;

/// Why the clock stands still.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The person's identity is in doubt.
    #[default]
    Identity,
    /// A fee is not paid.
    Fee,
}

/// A time during which the clock stood still, where the law has it so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockStop {
    /// When somebody asked the person, or two persons had agreed to a fee.
    pub from: Timestamp,
    /// When the person answered or the fee ended; `None` while the clock still stands.
    pub until: Option<Timestamp>,
    /// Why.
    #[serde(default)]
    pub because: StopReason,
}

/// What the controller itself promises and aims at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Promise {
    /// The controller's published promise.
    pub answer: Option<RetentionPeriod>,
    /// What it aims at, counted without moving over weekends.
    pub internal_target: RetentionPeriod,
    /// The longest time that a third party may take.
    pub slowest_answer: Option<RetentionPeriod>,
}

/// Whether the time was prolonged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extended {
    /// No.
    #[default]
    No,
    /// Once, with notice to the person.
    Once,
}

/// The dates of a request. Each ends with the last hour of its day in the controller's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadlines {
    /// By when receipt must be confirmed, if it must.
    pub acknowledge_by: Option<Date>,
    /// The last day that the law allows.
    pub legal_latest: Date,
    /// The earlier of the law's last day and the controller's own promise.
    pub answer_by: Date,
    /// The day aimed at.
    pub internal_target: Date,
    /// The last day to ask the slowest third party so that its answer still comes in time; never
    /// before the day of receipt.
    pub fan_out_by: Date,
}

/// The dates of a request that arrived at `received_at`.
///
/// While the clock stands (a stop without an end) the dates are those as if it went on at `now`.
pub fn deadlines(
    regime: &Regime,
    promise: &Promise,
    calendar: &WorkingCalendar,
    zone: &TimeZone,
    (received_at, now): (Timestamp, Timestamp),
    stops: &[ClockStop],
    extended: Extended,
) -> Deadlines {
    let received_on = zone.to_datetime(received_at).date();
    let stops: Vec<ClockStop> = stops.iter().copied().filter(|one| regime.stops_for(one)).collect();
    let stopped = stopped_days(&stops, zone, now);
    let mut end = plus(received_on, regime.answer);
    if extended == Extended::Once
        && let Some(extension) = regime.extension
    {
        // Counted from the start and not from the end of the first period: 31 January and three
        // months is 30 April, and not 28 February and two months.
        end = plus_both(received_on, regime.answer, extension);
    }
    let end = later(end, stopped);
    let legal_latest = if regime.rolls_over { calendar.next_working_day(end) } else { end };
    // The promise is kept where the law's time was prolonged with notice: the notice says so.
    let promised = promise.answer.filter(|_| extended == Extended::No);
    let promised = promised.map(|period| later(plus(received_on, period), stopped));
    let answer_by = promised.map_or(legal_latest, |day| day.min(legal_latest));
    let internal_target = later(plus(received_on, promise.internal_target), stopped).min(answer_by);
    let fan_out_by = promise
        .slowest_answer
        .map_or(answer_by, |period| minus(answer_by, period).max(received_on));
    Deadlines {
        acknowledge_by: regime
            .acknowledge_business_days
            .map(|days| calendar.after_working_days(received_on, days)),
        legal_latest,
        answer_by,
        internal_target,
        fan_out_by,
    }
}

/// Whole days during which the clock stood; stops that overlap count once.
fn stopped_days(stops: &[ClockStop], zone: &TimeZone, now: Timestamp) -> i64 {
    let day = |moment: Timestamp| zone.to_datetime(moment).date();
    let mut spans: Vec<(Date, Date)> = stops
        .iter()
        .map(|stop| (day(stop.from), day(stop.until.unwrap_or(now).max(stop.from))))
        .collect();
    spans.sort_unstable();
    let mut total = 0;
    let mut counted_until: Option<Date> = None;
    for (from, until) in spans {
        let from = counted_until.map_or(from, |seen| seen.max(from));
        if until > from {
            total += i64::from((until - from).get_days());
            counted_until = Some(until);
        }
    }
    total
}

fn plus(day: Date, period: RetentionPeriod) -> Date {
    day.saturating_add(period.span())
}

fn plus_both(day: Date, first: RetentionPeriod, second: RetentionPeriod) -> Date {
    let (first, second) = (first.span(), second.span());
    let months = i64::from(first.get_years() + second.get_years()) * 12
        + i64::from(first.get_months() + second.get_months());
    let days = i64::from(first.get_weeks() + second.get_weeks()) * 7
        + i64::from(first.get_days() + second.get_days());
    day.saturating_add(months.months()).saturating_add(days.days())
}

fn minus(day: Date, period: RetentionPeriod) -> Date {
    day.saturating_sub(period.span())
}

fn later(day: Date, days: i64) -> Date {
    day.saturating_add(days.days())
}
