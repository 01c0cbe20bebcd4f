//! Numbers about those who vouch for the log, for Prometheus: how long ago, how far behind, for how
//! much longer. The alarm in time is `quietus_anchors_renewal_due`.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::app::anchor::standing::{AnchorReport, AnchorStanding};

/// A metric: its name, what it says, and where its value comes from, if there is one.
type Metric =
    (&'static str, &'static str, fn(&AnchorStanding, &AnchorReport, Timestamp) -> Option<i64>);

const METRICS: [Metric; 4] = [
    (
        "quietus_anchor_age_seconds",
        "Time since somebody last vouched for the evidence log.",
        |one, _, now| Some(now.duration_since(one.at?).as_secs()),
    ),
    (
        "quietus_anchor_behind_entries",
        "Entries in the log's newest signed head for which somebody does not vouch yet.",
        |one, report, _| i64::try_from(report.size.saturating_sub(one.size.unwrap_or(0))).ok(),
    ),
    (
        "quietus_anchor_sound_seconds",
        "Time for which the newest time stamp of an authority is thought to be sound.",
        |one, _, now| Some(one.sound_until?.duration_since(now).as_secs()),
    ),
    (
        "quietus_anchor_faulty",
        "Whether somebody did not vouch when asked last: 1 or 0.",
        |one, _, _| Some(i64::from(one.fault.is_some())),
    ),
];

/// The numbers in the text form; nothing where nobody vouches.
pub(super) fn exposition(report: &AnchorReport, now: Timestamp) -> String {
    let mut text = String::new();
    if report.all.is_empty() {
        return text;
    }
    for (name, help, value) in METRICS {
        // Writing into a text cannot fail.
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge").unwrap_or_default();
        for one in &report.all {
            if let Some(value) = value(one, report, now) {
                let (who, role) = (&one.name, one.role.as_str());
                writeln!(text, "{name}{{name=\"{who}\",role=\"{role}\"}} {value}")
                    .unwrap_or_default();
            }
        }
    }
    writeln!(
        text,
        "# HELP quietus_anchors_renewal_due Whether no time stamp over a log is sound for long: 1 or 0.\n# TYPE quietus_anchors_renewal_due gauge\nquietus_anchors_renewal_due {}",
        u8::from(report.renewal_due)
    )
    .unwrap_or_default();
    text
}
