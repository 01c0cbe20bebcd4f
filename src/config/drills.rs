//! How often drills take place, how long they may take, and where.

use std::collections::BTreeSet;

use super::document::InstanceDocument;
use super::document::drills::DrillsDocument;
use super::map::SystemDraft;
use super::problem::{Problem, instead};
use super::read::items;
use crate::domain::{RetentionPeriod, SystemName};
use crate::schedule::{Calendar, CalendarError};

/// How drills take place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillSettings {
    /// Cron expression in the controller's zone; `None` is by hand alone.
    pub schedule: Option<String>,
    /// How long an erasure may take before it is an alarm.
    pub at_most: RetentionPeriod,
    /// The systems that are drilled; `None` is all whose files say what is planted.
    pub systems: Option<BTreeSet<SystemName>>,
}

/// How long an erasure may take where nobody says so: a day.
fn at_most() -> RetentionPeriod {
    #[expect(clippy::expect_used, reason = "it is a period")]
    RetentionPeriod::parse("P1D").expect("a period")
}

/// Settings of drills; what makes no sense is told with its place.
pub(super) fn compile(
    document: &InstanceDocument,
    zone: &str,
    problems: &mut Vec<Problem>,
) -> DrillSettings {
    let none = DrillsDocument::default();
    let given = document.drills.as_ref().map_or(&none, |it| &it.value);
    if let Some(schedule) = &given.schedule
        && let Err(error) = Calendar::parse(&schedule.value.0, zone)
    {
        let told = match error {
            CalendarError::Never(_) => Some((
                error.to_string(),
                "there is no such day in any year: write another day or month".to_owned(),
            )),
            CalendarError::Cron { cron, why } => Some((
                format!("`{cron}` is no cron expression"),
                format!("{why}; for example `0 4 * * 1` for every Monday at 04:00"),
            )),
            // The zone was reported where it stands.
            CalendarError::Zone(_) => None,
        };
        problems.extend(
            told.map(|(message, help)| Problem::error(&schedule.place, message).help(help)),
        );
    }
    if let Some(list) = given.systems.as_ref().filter(|list| list.value.0.is_empty()) {
        problems.push(
            Problem::error(&list.place, "nothing is drilled")
                .help("name at least one system, or leave `systems` out for all"),
        );
    }
    DrillSettings {
        schedule: given.schedule.as_ref().map(|it| it.value.0.clone()),
        at_most: given.at_most.as_ref().map_or_else(at_most, |it| it.value),
        systems: given
            .systems
            .as_ref()
            .map(|list| list.value.0.iter().map(|it| it.value.clone()).collect()),
    }
}

/// Reports systems that are not there or plant nothing.
pub(super) fn check(
    document: &InstanceDocument,
    drafts: &[SystemDraft<'_>],
    problems: &mut Vec<Problem>,
) {
    let Some(drills) = &document.drills else { return };
    let plants = |draft: &&SystemDraft<'_>| draft.document.gives("drill");
    for name in items(drills.value.systems.as_ref()) {
        let found = drafts.iter().find(|draft| draft.model.name == name.value);
        let told = match found {
            Some(draft) if plants(&draft) => continue,
            Some(draft) => (
                format!("`{}` does not say what a drill plants there", name.value),
                format!(
                    "add `drill: {{plant: […]}}` to {}, or leave it out here",
                    draft.place.file
                ),
            ),
            None => (
                format!("there is no system `{}`", name.value),
                instead(name.value.as_str(), drafts.iter().map(|draft| draft.model.name.as_str())),
            ),
        };
        problems.push(Problem::error(&name.place, told.0).help(told.1));
    }
    if !drafts.iter().any(|draft| plants(&draft)) && !drills.value.gives("systems") {
        problems.push(
            Problem::error(&drills.place, "no system says what a drill plants there")
                .help("add `drill: {plant: […]}` to the file of at least one database; docs/drills.md shows how"),
        );
    }
}
