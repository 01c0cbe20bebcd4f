//! Numbers about files and logs of systems, for Prometheus: how many cases wait for them, since when,
//! and where something holds them back. The alarm is `quietus_residue_held`.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::app::residue::reading::ResidueGauge;

/// A metric: its name, what it says, and where its value comes from.
type Metric = (&'static str, &'static str, fn(&ResidueGauge, Timestamp) -> i64);

const METRICS: [Metric; 3] = [
    (
        "quietus_residue_waiting",
        "Cases that wait until files and logs of a system hold nothing any more of what was erased.",
        |one, _| i64::try_from(one.waiting).unwrap_or(i64::MAX),
    ),
    (
        "quietus_residue_held",
        "Of these, those where something holds a file or a log back that does not go by itself, or nobody could look.",
        |one, _| i64::try_from(one.held).unwrap_or(i64::MAX),
    ),
    (
        "quietus_residue_oldest_age_seconds",
        "Time since the oldest of them began to wait.",
        |one, now| now.duration_since(one.oldest).as_secs(),
    ),
];

/// The numbers in the text form; nothing where nobody waits.
pub(super) fn exposition(systems: &[ResidueGauge], now: Timestamp) -> String {
    let mut text = String::new();
    if systems.is_empty() {
        return text;
    }
    for (name, help, value) in METRICS {
        // Writing into a text cannot fail.
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge").unwrap_or_default();
        for one in systems {
            writeln!(text, "{name}{{system=\"{}\"}} {}", one.system, value(one, now))
                .unwrap_or_default();
        }
    }
    text
}
