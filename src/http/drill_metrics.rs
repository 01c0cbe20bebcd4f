//! Numbers about drills, for Prometheus. The alarms are `quietus_drill_alarm` and an age of the last
//! one that was done that grows beyond the schedule.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::app::drill::DrillStanding;

/// The numbers in the text form; nothing where there was no drill yet.
pub(super) fn exposition(standing: &DrillStanding, now: Timestamp) -> String {
    let mut text = String::new();
    let Some(latest) = &standing.latest else { return text };
    let head = |text: &mut String, name: &str, kind: &str, help: &str| {
        // Writing into a text cannot fail.
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}").unwrap_or_default();
    };
    let name = "quietus_drill_seconds";
    let help = "How long the latest drill took in a system, from the request (erasure) or from when all was back (again) to the verified end.";
    head(&mut text, name, "gauge", help);
    for one in &latest.systems {
        let parts = [("erasure", one.seconds_to_erasure), ("again", one.seconds_to_second_erasure)];
        for (part, seconds) in parts {
            if let Some(seconds) = seconds {
                let system = &one.system;
                writeln!(text, "{name}{{system=\"{system}\",part=\"{part}\"}} {seconds}")
                    .unwrap_or_default();
            }
        }
    }
    let name = "quietus_drill_alarm";
    let help = "Whether the latest drill was not done (not_done), took or takes too long (late), or something of an ended one may be left (left): 1 or 0.";
    head(&mut text, name, "gauge", help);
    let alarms = [
        ("not_done", latest.is_not_done()),
        ("late", latest.late),
        ("left", standing.to_clean > 0),
    ];
    for (what, holds) in alarms {
        writeln!(text, "{name}{{what=\"{what}\"}} {}", u8::from(holds)).unwrap_or_default();
    }
    let name = "quietus_drills_not_done_total";
    head(&mut text, name, "counter", "Drills that ended before they were done.");
    writeln!(text, "{name} {}", standing.not_done).unwrap_or_default();
    if let Some(last) = standing.last_done {
        let name = "quietus_drill_last_done_age_seconds";
        head(&mut text, name, "gauge", "Time since the last drill that was done ended.");
        let age = now.duration_since(last).as_secs().max(0);
        writeln!(text, "{name} {age}").unwrap_or_default();
    }
    text
}
