//! Numbers about systems that are spared or have limits, for Prometheus: breakers that are open, what
//! waits, by when it is done, and what of it is too late. The alarms are `quietus_breaker_open` and
//! `quietus_backlog_late_jobs`.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::app::spared::Waits;

/// A metric of what waits for a system: its name, what it says, and where its value comes from, if there
/// is one.
type OfBacklog = (&'static str, &'static str, fn(&Waits, Timestamp) -> Option<i64>);

const BACKLOGS: [OfBacklog; 3] = [
    (
        "quietus_backlog_jobs",
        "Jobs that wait for a system that is spared or has limits.",
        |one, _| i64::try_from(one.jobs).ok(),
    ),
    (
        "quietus_backlog_seconds",
        "Time until the last of them will have been begun under the limits of the system.",
        |one, now| one.done_at.map(|at| at.duration_since(now).as_secs().max(0)),
    ),
    (
        "quietus_backlog_late_jobs",
        "How many of the first 10,000 will be begun after the last day by law of whom they are for, or wait though it is over.",
        |one, _| i64::try_from(one.late).ok(),
    ),
];

/// The numbers in the text form; of breakers for each of these systems, so that nothing has to be guessed
/// from silence.
pub(super) fn exposition(systems: &[String], waits: &[Waits], now: Timestamp) -> String {
    let mut text = String::new();
    let name = "quietus_breaker_open";
    let help =
        "Whether a system has failed time after time, so that one job at a time tries it: 1 or 0.";
    // Writing into a text cannot fail.
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge").unwrap_or_default();
    for system in systems {
        let open = waits.iter().any(|one| one.system == *system && one.breaker_is_open());
        writeln!(text, "{name}{{system=\"{system}\"}} {}", u8::from(open)).unwrap_or_default();
    }
    for (name, help, value) in BACKLOGS {
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge").unwrap_or_default();
        for one in waits {
            let Some(value) = value(one, now) else { continue };
            writeln!(text, "{name}{{system=\"{}\"}} {value}", one.system).unwrap_or_default();
        }
    }
    text
}
