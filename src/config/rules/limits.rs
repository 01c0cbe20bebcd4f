//! Minimums, maximums and rules that contradict each other: what must be kept longer than it may
//! be kept is for a person to settle, never for the product.

use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

use super::{Landscape, LimitDraft};
use crate::config::problem::{Place, Problem, Severity};
use crate::domain::{RetentionPeriod, Rounding};
use crate::schedule::{Condition, LimitKind};

/// Starts from which periods are compared: days around the ends of months and years, leap years
/// and changes of the clock.
const STARTS: [Date; 10] = [
    date(2023, 1, 1),
    date(2023, 2, 28),
    date(2023, 12, 31),
    date(2024, 1, 31),
    date(2024, 2, 29),
    date(2024, 3, 31),
    date(2024, 6, 30),
    date(2024, 10, 27),
    date(2025, 7, 15),
    date(2025, 12, 30),
];

/// Reports contradictions.
pub fn check(landscape: &Landscape<'_>, problems: &mut Vec<Problem>) {
    let Ok(zone) = TimeZone::get(&landscape.zone) else { return };
    let maximums =
        || landscape.limits.iter().filter(|limit| limit.model.kind == LimitKind::Maximum);
    for maximum in maximums() {
        for minimum in &landscape.limits {
            let same = minimum.model.kind == LimitKind::Minimum && overlap(minimum, maximum);
            if same {
                check_minimum(minimum, maximum, &zone, problems);
            }
        }
        for rule in &landscape.rules {
            let same = rule.model.category == maximum.model.category
                && rule.model.starting_point == maximum.model.starting_point;
            let length = Length {
                period: rule.model.period,
                rounding: rule.model.rounding,
                grace: rule.model.grace,
            };
            if same && longer(length, maximum, &zone) {
                let place = rule.document.period.as_ref().map_or(rule.place, |it| &it.place);
                let message = format!(
                    "`{}` keeps `{}` longer than `{}` allows ({})",
                    rule.model.name,
                    rule.model.category,
                    maximum.model.name,
                    maximum.model.citation
                );
                let help =
                    format!("write a period (and grace) of at most `{}`", maximum.model.period);
                report(&rule.model.when, maximum, place, message, help, problems);
            }
        }
    }
}

fn check_minimum(
    minimum: &LimitDraft<'_>,
    maximum: &LimitDraft<'_>,
    zone: &TimeZone,
    problems: &mut Vec<Problem>,
) {
    let length =
        Length { period: minimum.model.period, rounding: minimum.model.rounding, grace: None };
    if !longer(length, maximum, zone) {
        return;
    }
    let Some(period) = &minimum.document.period else { return };
    let message = format!(
        "`{}` must be kept longer (`{}`, {}) than it may be kept (`{}`, {})",
        minimum.model.category,
        minimum.model.name,
        minimum.model.citation,
        maximum.model.name,
        maximum.model.citation
    );
    let help = "a person decides which law applies: give each a condition `when`, or correct one"
        .to_owned();
    report(&minimum.model.when, maximum, &period.place, message, help, problems);
}

/// An error where both always apply to the same records, a warning where they may: under another
/// condition, or while a law that ends is in force (nobody here knows what day it is).
fn report(
    when: &Condition,
    maximum: &LimitDraft<'_>,
    place: &Place,
    message: String,
    help: String,
    problems: &mut Vec<Problem>,
) {
    let same = maximum.model.when == Condition::Always || maximum.model.when == *when;
    let always = same && maximum.model.valid_to.is_none();
    let problem = Problem::error(place, message).help(help);
    let severity = if always { Severity::Error } else { Severity::Warning };
    problems.push(Problem { severity, ..problem });
}

/// Same category and starting point, and days on which both are in force.
fn overlap(one: &LimitDraft<'_>, other: &LimitDraft<'_>) -> bool {
    let (one, other) = (&one.model, &other.model);
    let from = one.valid_from.max(other.valid_from);
    let to = match (one.valid_to, other.valid_to) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    let together = from.zip(to).is_none_or(|(from, to)| from <= to);
    one.category == other.category && one.starting_point == other.starting_point && together
}

/// Whether something is kept longer than the maximum allows, from any of the starts: for a period
/// and, if any, for a grace after it.
fn longer(length: Length, maximum: &LimitDraft<'_>, zone: &TimeZone) -> bool {
    let most = &maximum.model;
    starts(zone).any(|start| {
        let mut end = length.period.due_at(start, length.rounding, zone);
        if let Some(grace) = length.grace {
            end = grace.due_at(end, Rounding::None, zone);
        }
        end > most.period.due_at(start, most.rounding, zone)
    })
}

/// How long something is kept.
#[derive(Debug, Clone, Copy)]
struct Length {
    period: RetentionPeriod,
    rounding: Rounding,
    grace: Option<RetentionPeriod>,
}

fn starts(zone: &TimeZone) -> impl Iterator<Item = Timestamp> + '_ {
    STARTS
        .iter()
        .flat_map(|day| [0, 12, 23].map(|hour| day.at(hour, 30, 0, 0)))
        .filter_map(|start| start.to_zoned(zone.clone()).ok())
        .map(|start| start.timestamp())
}
