//! Numbers about later looks, for Prometheus. The alarms are `quietus_reappeared_asking` and an age
//! that grows beyond the pace of the instance.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::app::later_look::LaterLookCounts;

/// The numbers in the text form. The age is missing where nobody is looked for.
pub(super) fn exposition(counts: &LaterLookCounts, now: Timestamp) -> String {
    let age = counts.oldest_seen.map(|at| now.duration_since(at).as_secs().max(0));
    let metrics = [
        (
            "quietus_later_looks",
            "gauge",
            "Persons and systems that are looked after; one person in two systems counts twice.",
            i64::try_from(counts.living).ok(),
        ),
        (
            "quietus_later_looks_troubled",
            "gauge",
            "Of those, how many could not be looked at when it was tried last.",
            i64::try_from(counts.troubled).ok(),
        ),
        (
            "quietus_later_look_oldest_age_seconds",
            "gauge",
            "Time since the one was looked at that has waited longest.",
            age,
        ),
        (
            "quietus_reappeared_total",
            "counter",
            "How often data of somebody who was erased or restricted were found again.",
            i64::try_from(counts.reappeared).ok(),
        ),
        (
            "quietus_reappeared_asking",
            "gauge",
            "Of those, how many wait for somebody to decide.",
            i64::try_from(counts.asking).ok(),
        ),
    ];
    let mut text = String::new();
    for (name, kind, help, value) in metrics {
        let Some(value) = value else { continue };
        // Writing into a text cannot fail.
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}")
            .unwrap_or_default();
    }
    text
}
