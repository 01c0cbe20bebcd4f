//! How long Quietus keeps its own records.

use std::fmt::Write as _;

use super::document::InstanceDocument;
use super::document::own_records::OwnRecordsDocument;
use super::later_looks::{length, written};
use super::problem::{At, Problem};
use crate::datamap::house::{self, HOUSE, Kept, Until};
use crate::domain::RetentionPeriod;

/// Name under which the built-in system and the built-in rules are kept on record.
pub const BUILT_IN: &str = "quietus.built-in.yaml";

/// Most records of our own that go in one run without a second person.
const MOST_RECORDS: u32 = 10_000;

/// How long records are kept once what they are about is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnRecords {
    /// Requests of persons.
    pub requests: RetentionPeriod,
    /// That letters went out; never longer than `requests`.
    pub letters: RetentionPeriod,
    /// What people did by hand.
    pub tasks: RetentionPeriod,
    /// By which number third parties call back.
    pub callbacks: RetentionPeriod,
    /// Legal holds, once they are released.
    pub holds: RetentionPeriod,
    /// Pauses, once they have ended.
    pub pauses: RetentionPeriod,
}

impl OwnRecords {
    /// The period of an entry of `own_records`.
    pub fn period(&self, entry: &str) -> Option<RetentionPeriod> {
        Some(match entry {
            "requests" => self.requests,
            "letters" => self.letters,
            "tasks" => self.tasks,
            "callbacks" => self.callbacks,
            "holds" => self.holds,
            "pauses" => self.pauses,
            _ => return None,
        })
    }
}

/// Periods of our own records; what makes no sense is told with its place.
pub(super) fn compile(document: &InstanceDocument, problems: &mut Vec<Problem>) -> OwnRecords {
    let none = OwnRecordsDocument::default();
    let given = document.own_records.as_ref().map_or(&none, |it| &it.value);
    let period = |entry: &Option<At<RetentionPeriod>>, default: &str| {
        entry.as_ref().map_or_else(|| written(default), |it| it.value)
    };
    let requests = period(&given.requests, "P3Y");
    let letters = given.letters.as_ref().map_or(requests, |it| it.value);
    if let Some(at) = given.letters.as_ref().filter(|it| length(it.value) > length(requests)) {
        problems.push(
            Problem::error(&at.place, format!("letters are kept for {letters}, longer than the requests that they answer ({requests})"))
                .help("a letter goes with its request at the latest: write at most as long, or keep `requests` longer"),
        );
    }
    OwnRecords {
        requests,
        letters,
        tasks: period(&given.tasks, "P3Y"),
        callbacks: period(&given.callbacks, "P90D"),
        holds: period(&given.holds, "P3Y"),
        pauses: period(&given.pauses, "P3Y"),
    }
}

/// The built-in system as people would write it: its tables with an end, and all others with the
/// reason for which they stay.
pub(super) fn system_text() -> String {
    let mut text = include_str!("house/system.yaml").to_owned();
    text.push_str("\nexempt:\n");
    for one in house::inventory().filter(|one| one.place == house::KeptIn::Store) {
        if let Some(reason) = why_exempt(one) {
            // Of a `String`, writing never fails.
            let _infallible =
                writeln!(text, "  - {{collection: {}, reason: {reason:?}}}", one.name);
        }
    }
    text
}

/// Why nothing in a table goes by a rule; `None` where it does.
fn why_exempt(kept: &Kept) -> Option<String> {
    match kept.until {
        Until::Rule { .. } => None,
        _ if kept.name == "request_persons" => None,
        Until::Shredded => Some("what it says is shredded with its case".to_owned()),
        Until::Served(until) => Some(until.to_owned()),
        Until::Stays(why) => Some(why.to_owned()),
    }
}

/// One rule of our own.
struct OwnRule {
    name: &'static str,
    category: &'static str,
    starting_point: &'static str,
    period: RetentionPeriod,
    when: Option<&'static str>,
}

/// The built-in rules as people would write them.
pub(super) fn pack_text(kept: &OwnRecords) -> String {
    let rule = |name, category, starting_point, period| OwnRule {
        name,
        category,
        starting_point,
        period,
        when: None,
    };
    let rules = [
        rule("quietus.requests", "quietus.requests", "request.over", kept.requests),
        rule("quietus.letters", "quietus.letters", "request.over", kept.letters),
        OwnRule {
            when: Some("about = \\\"letter\\\""),
            ..rule("quietus.mails-of-letters", "quietus.mails", "request.over", kept.letters)
        },
        rule("quietus.mails-of-tasks", "quietus.mails", "task.over", kept.tasks),
        rule("quietus.tasks", "quietus.tasks", "task.over", kept.tasks),
        rule("quietus.asked", "quietus.asked", "asked.over", kept.callbacks),
        rule("quietus.holds", "quietus.holds", "hold.released", kept.holds),
        rule("quietus.pauses", "quietus.pauses", "pause.ended", kept.pauses),
    ];
    let mut text = include_str!("house/rules.yaml").replace("{most}", &MOST_RECORDS.to_string());
    for one in rules {
        let OwnRule { name, category, starting_point, period, when } = one;
        let when = when.map_or_else(String::new, |when| format!("    when: \"{when}\"\n"));
        // Of a `String`, writing never fails.
        let _infallible = write!(
            text,
            "  - rule: {name}\n    category: {category}\n    systems: [{HOUSE}]\n{when}    starting_point: {starting_point}\n    period: {period}\n    action: erase\n    basis: {{citation: \"GDPR Art. 5(1)(e)\", note: own_records in quietus.yaml}}\n"
        );
    }
    text
}
