//! Schedules of packs: the calendar comes round, blackouts end after they begin.

use std::collections::BTreeMap;

use crate::config::document::PackDocument;
use crate::config::document::pack::ScheduleDocument;
use crate::config::problem::{At, Problem};
use crate::config::read::{Entry, entries, items};
use crate::domain::ScheduleName;
use crate::schedule::{Calendar, CalendarError, Missed, Schedule};

/// The schedules of all packs.
#[derive(Debug, Default)]
pub struct Schedules {
    /// What could be made.
    pub found: BTreeMap<ScheduleName, Schedule>,
    /// Every name that was written, so that a broken schedule is not also unknown.
    pub names: Vec<String>,
}

/// Makes schedules and reports what does not fit.
pub fn compile(packs: &[At<PackDocument>], zone: &str, problems: &mut Vec<Problem>) -> Schedules {
    let mut schedules = Schedules::default();
    for pack in packs {
        for entry in entries(pack.value.schedules.as_ref()) {
            let name = &entry.name.value;
            if schedules.names.contains(name) {
                problems.push(
                    Problem::error(&entry.name.place, format!("there are two schedules `{name}`"))
                        .help("declare it in one pack; every pack may use it"),
                );
                continue;
            }
            schedules.names.push(name.clone());
            if let Some(schedule) = compile_one(entry, zone, problems) {
                schedules.found.insert(schedule.name.clone(), schedule);
            }
        }
        let broken = pack.value.schedules.as_ref().map(|it| it.value.broken.clone());
        schedules.names.extend(broken.unwrap_or_default());
    }
    schedules
}

fn compile_one(
    entry: &Entry<ScheduleDocument>,
    zone: &str,
    problems: &mut Vec<Problem>,
) -> Option<Schedule> {
    let document = &entry.value.value;
    let name = ScheduleName::parse(&entry.name.value).ok();
    if name.is_none() {
        problems.push(
            Problem::error(&entry.name.place, format!("`{}` is no name", entry.name.value))
                .help("write 1 to 100 letters, digits, `.`, `_` or `-`, a letter or digit first"),
        );
    }
    for blackout in items(document.blackouts.as_ref()) {
        if let (Some(from), Some(to)) = (&blackout.value.from, &blackout.value.to)
            && from.value.0 > to.value.0
        {
            problems.push(
                Problem::error(&to.place, "this blackout ends before it begins")
                    .help("`to` is the last day of the blackout, on or after `from`"),
            );
        }
    }
    let zone = document.zone.as_ref().map_or(zone, |zone| &zone.value.0);
    let cron = document.cron.as_ref()?;
    if let Err(error) = Calendar::parse(&cron.value.0, zone) {
        let (message, help) = match error {
            CalendarError::Never(_) => (
                error.to_string(),
                "there is no such day in any year: write another day or month".to_owned(),
            ),
            CalendarError::Cron { cron, why } => (
                format!("`{cron}` is no cron expression"),
                format!("{why}; for example `0 2 * * *` for every day at 02:00"),
            ),
            // The zone was reported where it stands.
            CalendarError::Zone(_) => return None,
        };
        problems.push(Problem::error(&cron.place, message).help(help));
        return None;
    }
    Some(Schedule {
        name: name?,
        cron: cron.value.0.clone(),
        zone: zone.to_owned(),
        windows: items(document.windows.as_ref())
            .iter()
            .map(|it| (it.value.0, it.value.1))
            .collect(),
        blackouts: items(document.blackouts.as_ref())
            .iter()
            .filter_map(|it| Some((it.value.from.as_ref()?.value.0, it.value.to.as_ref()?.value.0)))
            .collect(),
        missed: document.missed.as_ref().map_or_else(Missed::default, |missed| missed.value.0),
    })
}
