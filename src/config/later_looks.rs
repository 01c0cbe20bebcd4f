//! How often, and for how long, persons who were erased or restricted are looked for again.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::document::InstanceDocument;
use super::document::later_looks::LaterLooksDocument;
use super::problem::{At, Problem};
use crate::domain::{RetentionPeriod, Rounding};

/// Time between two looks, at least.
const SHORTEST: SignedDuration = SignedDuration::from_hours(1);
/// The longest time for which somebody is kept known only to be looked for.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 366 * 10);
/// Persons of whom something is erased again at once, where nobody says so.
const AT_ONCE: u64 = 1000;
/// No more persons than so many are erased again at once.
const MOST_AT_ONCE: u64 = 1_000_000;

/// How persons are looked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaterLooks {
    /// How long after one look the next one follows; `None` is never.
    pub every: Option<RetentionPeriod>,
    /// For how long after an erasure its person is looked for, at least.
    pub lasting: RetentionPeriod,
    /// What is erased again without asking.
    pub erase_again: EraseAgain,
    /// Of how many persons at once, at most, from 1 to 1,000,000.
    pub at_once: u64,
}

/// What is erased again without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EraseAgain {
    /// What is back, unless the person has something with a starting point after the erasure: that
    /// may be of a new relationship.
    WhatIsOld,
    /// Everything that is back.
    Everything,
    /// Nothing: a person decides each time.
    Nothing,
}

/// A period that is written in a file of this room.
pub(super) fn written(text: &str) -> RetentionPeriod {
    #[expect(
        clippy::expect_used,
        reason = "the periods that the files of this room write are periods"
    )]
    RetentionPeriod::parse(text).expect("a period")
}

/// How long a period is, counted from an ordinary day.
pub(super) fn length(period: RetentionPeriod) -> SignedDuration {
    let start = Timestamp::UNIX_EPOCH;
    period.due_at(start, Rounding::None, &TimeZone::UTC).duration_since(start)
}

/// Settings of later looks; what makes no sense is told with its place.
pub(super) fn compile(document: &InstanceDocument, problems: &mut Vec<Problem>) -> LaterLooks {
    let none = LaterLooksDocument::default();
    let given = document.later_looks.as_ref().map_or(&none, |it| &it.value);
    let every = given.every.as_ref().map_or_else(|| Some(written("P7D")), |it| it.value.0);
    let lasting = given.lasting.as_ref().map_or_else(|| lasting_of(every), |it| it.value);
    if let (Some(place), Some(every)) = (given.every.as_ref().map(|it| &it.place), every)
        && length(every) < SHORTEST
    {
        problems.push(
            Problem::error(place, "looks follow on each other in less than an hour")
                .help("write `PT1H` or more; an import by night is found by `P1D`"),
        );
    }
    if let Some(at) = &given.lasting {
        check_lasting(at, every, problems);
    }
    if every.is_none() {
        for place in useless(given) {
            problems.push(
                Problem::error(place, "nobody is looked for, so this says nothing")
                    .help("leave it out, or write how often in `every`, such as `P7D`"),
            );
        }
    }
    let at_once = given.at_once.as_ref();
    if let Some(at) = at_once.filter(|it| it.value.0 > MOST_AT_ONCE) {
        problems.push(
            Problem::error(&at.place, format!("more than {MOST_AT_ONCE} persons at once"))
                .help("write a smaller number; `everything` in `erase_again` does not lift it"),
        );
    }
    LaterLooks {
        every,
        lasting,
        erase_again: given.erase_again.as_ref().map_or(EraseAgain::WhatIsOld, |it| it.value.0),
        at_once: at_once.map_or(AT_ONCE, |it| it.value.0.min(MOST_AT_ONCE)),
    }
}

/// For how long somebody is looked for where nobody says so: until the first look at least.
fn lasting_of(every: Option<RetentionPeriod>) -> RetentionPeriod {
    let month = written("P30D");
    every.filter(|every| length(*every) > length(month)).unwrap_or(month)
}

fn check_lasting(
    lasting: &At<RetentionPeriod>,
    every: Option<RetentionPeriod>,
    problems: &mut Vec<Problem>,
) {
    if length(lasting.value) > LONGEST {
        problems.push(
            Problem::error(&lasting.place, "persons are kept known for more than ten years").help(
                "write a shorter period: who is looked for is known to this instance so long",
            ),
        );
    }
    if every.is_some_and(|every| length(lasting.value) < length(every)) {
        problems.push(
            Problem::error(&lasting.place, "it ends before the first look")
                .help("write a period that is at least as long as `every` (`P7D` if left out)"),
        );
    }
}

/// Where things stand that mean nothing where nobody is looked for.
fn useless(given: &LaterLooksDocument) -> impl Iterator<Item = &super::problem::Place> {
    let lasting = given.lasting.as_ref().map(|it| &it.place);
    let again = given.erase_again.as_ref().map(|it| &it.place);
    let at_once = given.at_once.as_ref().map(|it| &it.place);
    [lasting, again, at_once].into_iter().flatten()
}
