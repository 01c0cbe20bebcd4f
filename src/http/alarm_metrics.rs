//! Numbers about alarms, for Prometheus: what is open, whether somebody looks, and who has not heard.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::app::alarm::{AlarmGauges, RecipientFacts};

/// A metric of one of those who are told: its name, what it says, and where its value comes from.
type OfRecipient = (&'static str, &'static str, fn(&RecipientFacts, Timestamp) -> u64);

const RECIPIENTS: [OfRecipient; 3] = [
    ("quietus_alarm_messages_waiting", "Messages about alarms that wait to be heard.", |one, _| {
        one.waiting
    }),
    (
        "quietus_alarm_messages_waiting_age_seconds",
        "For how long the oldest of them waits; 0 where none does.",
        |one, now| age(one.waiting_since, now),
    ),
    (
        "quietus_alarm_messages_unheard",
        "Messages about alarms that were not heard and are not told any more.",
        |one, _| one.unheard,
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

/// The numbers in the text form; nothing where nobody looks for alarms.
pub(super) fn exposition(gauges: Option<&AlarmGauges>, now: Timestamp) -> String {
    let mut text = String::new();
    let Some(gauges) = gauges else { return text };
    let name = "quietus_alarm_open";
    head(&mut text, name, "Alarms of an area of the doctor that are raised and not cleared.");
    for (area, open) in &gauges.open {
        writeln!(text, "{name}{{area=\"{area}\"}} {open}").unwrap_or_default();
    }
    if let Some(looked_at) = gauges.looked_at {
        let name = "quietus_alarm_look_age_seconds";
        head(&mut text, name, "Time since somebody looked last whether there is anything to tell.");
        writeln!(text, "{name} {}", age(Some(looked_at), now)).unwrap_or_default();
    }
    for (name, help, value) in RECIPIENTS {
        head(&mut text, name, help);
        for one in &gauges.recipients {
            let (way, recipient, value) = (one.way, &one.recipient, value(one, now));
            writeln!(text, "{name}{{way=\"{way}\",recipient=\"{recipient}\"}} {value}")
                .unwrap_or_default();
        }
    }
    text
}
