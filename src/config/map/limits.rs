//! Limits of a system: how many jobs it is asked to carry out at most.

use crate::config::document::SystemDocument;
use crate::config::leaf::Count;
use crate::config::problem::{At, Problem};
use crate::domain::SystemLimits;

/// The most that may be written; more is none.
const MOST_AT_ONCE: u32 = 10_000;
const MOST_IN_A_MINUTE: u32 = 1_000_000;
const MOST_IN_A_DAY: u32 = 100_000_000;

/// Reads the limits of a system; none where none are written. Reports those that are too high, and
/// those of which one can never be reached because of another.
pub(super) fn limits(document: &SystemDocument, problems: &mut Vec<Problem>) -> SystemLimits {
    let Some(at) = &document.limits else { return SystemLimits::default() };
    let written = &at.value;
    let limits = SystemLimits {
        at_once: number(written.at_once.as_ref(), MOST_AT_ONCE, problems),
        jobs_per_minute: number(written.jobs_per_minute.as_ref(), MOST_IN_A_MINUTE, problems),
        jobs_per_day: number(written.jobs_per_day.as_ref(), MOST_IN_A_DAY, problems),
    };
    if written.given.is_empty() {
        let help = "write `at_once`, `jobs_per_minute` or `jobs_per_day`, or leave `limits` out";
        problems.push(Problem::error(&at.place, "there is no limit here").help(help));
    }
    if let (Some(minute), Some(day)) = (limits.jobs_per_minute, limits.jobs_per_day)
        && minute > day
        && let Some(place) = written.jobs_per_minute.as_ref().map(|it| &it.place)
    {
        let message = format!("{minute} a minute are never begun where {day} are in a day");
        let help = format!("write at most {day}, or leave `jobs_per_minute` out");
        problems.push(Problem::error(place, message).help(help));
    }
    limits
}

fn number(entry: Option<&At<Count>>, most: u32, problems: &mut Vec<Problem>) -> Option<u32> {
    let entry = entry?;
    let number = u32::try_from(entry.value.0).ok().filter(|number| *number <= most);
    if number.is_none() {
        problems.push(
            Problem::error(&entry.place, format!("`{}` is too much", entry.value.0))
                .help(format!("write at most {most}, or leave it out for no limit")),
        );
    }
    number
}
