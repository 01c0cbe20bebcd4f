//! Numbers about schedules, rules and work, for Prometheus: what should have run and has not, which
//! rules are silent, what has failed, and what waits for somebody.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::app::doctor::WorkGauges;
use crate::app::occurrences::ScheduleStanding;
use crate::app::silence::RuleStanding;

/// A metric of a schedule: its name, what it says, and where its value comes from.
type OfSchedule = (&'static str, &'static str, fn(&ScheduleStanding, Timestamp) -> u64);
/// A metric of a rule: its name, what it says, and where its value comes from, if there is one.
type OfRule = (&'static str, &'static str, fn(&RuleStanding, Timestamp) -> Option<u64>);

const SCHEDULES: [OfSchedule; 3] = [
    (
        "quietus_schedule_overdue_occurrences",
        "Occurrences that somebody should have looked at and has not, for longer than until the next one, or for an hour.",
        |one, _| one.overdue,
    ),
    (
        "quietus_schedule_overdue_seconds",
        "Time since the first of them was due; 0 where none is overdue.",
        |one, now| age(one.overdue_since, now),
    ),
    (
        "quietus_schedule_missed_occurrences",
        "How many of the latest occurrences, one after the other, were missed: nobody was there, or an earlier case was still open.",
        |one, _| one.missed,
    ),
];

const RULES: [OfRule; 5] = [
    (
        "quietus_rule_last_run_age_seconds",
        "Time since the latest run began that is over and in which a rule acted.",
        |one, now| one.last_run.map(|(_, at)| age(Some(at), now)),
    ),
    (
        "quietus_rule_last_deletion_age_seconds",
        "Time since the latest run began in which something went, or was restricted, by a rule.",
        |one, now| one.last_gone.map(|at| age(Some(at), now)),
    ),
    (
        "quietus_rule_runs_without_deletions",
        "How many of its latest runs, one after the other, saw nothing go by a rule.",
        |one, _| Some(one.runs_without),
    ),
    (
        "quietus_rule_stayed_records",
        "Records that were due by a rule in its latest run, where none of them went.",
        |one, _| Some(one.stayed),
    ),
    (
        "quietus_rule_silent",
        "Whether a rule is silent: what was due in its latest run stayed, or nothing was due for more than twice as many runs as ever before; 1 or 0.",
        |one, _| Some(u64::from(one.silence.is_some())),
    ),
];

fn age(since: Option<Timestamp>, now: Timestamp) -> u64 {
    let seconds = since.map_or(0, |since| now.duration_since(since).as_secs());
    u64::try_from(seconds).unwrap_or(0)
}

fn head(text: &mut String, name: &str, help: &str) {
    // Writing into a text cannot fail.
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge").unwrap_or_default();
}

/// The numbers in the text form.
pub(super) fn exposition(
    schedules: &[ScheduleStanding],
    rules: &[RuleStanding],
    work: &WorkGauges,
    now: Timestamp,
) -> String {
    let mut text = String::new();
    for (name, help, value) in SCHEDULES {
        head(&mut text, name, help);
        for one in schedules {
            let (schedule, value) = (&one.schedule, value(one, now));
            writeln!(text, "{name}{{schedule=\"{schedule}\"}} {value}").unwrap_or_default();
        }
    }
    for (name, help, value) in RULES {
        head(&mut text, name, help);
        for one in rules {
            let Some(value) = value(one, now) else { continue };
            let rule = &one.rule;
            writeln!(text, "{name}{{rule=\"{rule}\"}} {value}").unwrap_or_default();
        }
    }
    let name = "quietus_jobs_failed";
    head(
        &mut text,
        name,
        "Failed jobs of a system that somebody has to try again, of the oldest 1000.",
    );
    for (system, jobs) in &work.failed {
        writeln!(text, "{name}{{system=\"{system}\"}} {jobs}").unwrap_or_default();
    }
    let numbers = [
        (
            "quietus_jobs_waiting_age_seconds",
            "For how long the oldest job waits that a worker could claim; 0 where none does.",
            age(work.claimable_since, now),
        ),
        ("quietus_cases_awaiting_approval", "Cases that wait for a second person.", work.awaiting),
        (
            "quietus_cases_awaiting_approval_oldest_age_seconds",
            "For how long the oldest of them waits; 0 where none does.",
            age(work.awaiting_since, now),
        ),
        (
            "quietus_log_waiting_age_seconds",
            "For how long the oldest entry waits to be published in the log; 0 where none does.",
            age(work.unpublished_since, now),
        ),
    ];
    for (name, help, value) in numbers {
        head(&mut text, name, help);
        writeln!(text, "{name} {value}").unwrap_or_default();
    }
    text
}
