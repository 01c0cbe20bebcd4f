//! Numbers about stores of copies, for Prometheus: how many copies, how old the newest is, and what is
//! wrong. The alarms are `quietus_backup_alarm`.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::app::backup::Trouble;
use crate::app::backup::watch::StoreStanding;

/// A metric: its name, what it says, and where its value comes from, if there is one.
type Metric = (&'static str, &'static str, fn(&StoreStanding, Timestamp) -> Option<i64>);

const METRICS: [Metric; 4] = [
    ("quietus_backup_copies", "Copies in a store, as it was listed last.", |one, _| {
        i64::try_from(one.copies?).ok()
    }),
    ("quietus_backup_newest_age_seconds", "Time since the newest copy was taken.", |one, now| {
        Some(now.duration_since(one.newest_at?).as_secs())
    }),
    (
        "quietus_backup_listed_age_seconds",
        "Time since the store was last listed by this process.",
        |one, now| Some(now.duration_since(one.listed_at?).as_secs()),
    ),
    (
        "quietus_backup_overstaying_copies",
        "Copies that the store should have removed by its own retention and has not.",
        |one, _| i64::try_from(one.overstaying).ok().filter(|_| one.copies.is_some()),
    ),
];

/// What a store can be in trouble with as a whole.
const ALARMS: [Trouble; 3] = [Trouble::Unlisted, Trouble::Stuck, Trouble::Stale];

/// The numbers in the text form; nothing where there is no store.
pub(super) fn exposition(stores: &[StoreStanding], now: Timestamp) -> String {
    let mut text = String::new();
    if stores.is_empty() {
        return text;
    }
    for (name, help, value) in METRICS {
        // Writing into a text cannot fail.
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge").unwrap_or_default();
        for one in stores {
            if let Some(value) = value(one, now) {
                writeln!(text, "{name}{{store=\"{}\"}} {value}", one.store).unwrap_or_default();
            }
        }
    }
    let name = "quietus_backup_alarm";
    let help = "Whether a store cannot be listed (unlisted), its old copies do not go (stuck), or it takes no new ones (stale): 1 or 0.";
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge").unwrap_or_default();
    for one in stores {
        for alarm in ALARMS {
            let (store, what) = (&one.store, alarm.as_str());
            let value = u8::from(one.alarm == Some(alarm));
            writeln!(text, "{name}{{store=\"{store}\",what=\"{what}\"}} {value}")
                .unwrap_or_default();
        }
    }
    text
}
