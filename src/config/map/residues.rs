//! What a system's file says of its files and logs, and what does not fit it.

use jiff::SignedDuration;
use quietus_connectors::{ResidueStage, residue_drives, residue_stages};

use super::backup::length_of_time;
use crate::config::document::SystemDocument;
use crate::config::leaf::Words;
use crate::config::problem::{At, Problem, instead};
use crate::config::read::{List, items};
use crate::datamap::Residues;
use crate::datamap::backup::plain;

/// Nobody is served by looks in shorter order than this.
const SHORTEST: SignedDuration = SignedDuration::from_mins(1);
/// The time between two looks where nothing is said.
const USUAL: SignedDuration = SignedDuration::from_hours(1);

/// How files and logs are looked at, reporting what does not fit the kind; `None` where nobody does.
pub(super) fn settings(document: &SystemDocument, problems: &mut Vec<Problem>) -> Option<Residues> {
    let written = document.residues.as_ref()?;
    let kind = document.kind.as_ref().map_or("", |kind| kind.value.0.as_str());
    let known = residue_stages(kind);
    if known.is_empty() {
        problems.push(
            Problem::error(
                &written.place,
                format!("nobody looks at files and logs of kind `{kind}`"),
            )
            .help("leave `residues` out; it is for databases"),
        );
        return None;
    }
    let document = &written.value;
    let mut stages = names(document.stages.as_ref(), &known.iter().map(|one| one.name), problems);
    if document.stages.is_none() {
        stages = known.iter().map(|one| one.name.to_owned()).collect();
    }
    if let Some(list) = document.stages.as_ref().filter(|list| list.value.0.is_empty()) {
        problems.push(
            Problem::error(&list.place, "`stages` is empty")
                .help("name at least one, or leave `residues` out"),
        );
    }
    check_order(document.stages.as_ref(), &stages, known, problems);
    let drives = residue_drives(kind);
    let drive = names(document.drive.as_ref(), &drives.iter().map(|one| one.name), problems);
    for one in items(document.drive.as_ref()) {
        let Some(drive) = drives.iter().find(|drive| drive.name == one.value.0) else { continue };
        if !stages.iter().any(|stage| stage == drive.stage) {
            let message =
                format!("`{}` makes `{}` go, at which nobody looks", drive.name, drive.stage);
            let help = format!("add `{}` to `stages`, or leave this out", drive.stage);
            problems.push(Problem::error(&one.place, message).help(help));
        }
    }
    // In the order in which they go.
    let stages = known.iter().map(|one| one.name.to_owned()).filter(|one| stages.contains(one));
    let length = document.look.as_ref().and_then(|it| plain(&length_of_time(it, problems)?));
    Some(Residues { look: length.unwrap_or(USUAL).max(SHORTEST), stages: stages.collect(), drive })
}

/// The names of a list, reporting those that are not known or stand there twice.
fn names<'known>(
    list: Option<&At<List<Words>>>,
    known: &(impl Iterator<Item = &'known str> + Clone),
    problems: &mut Vec<Problem>,
) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for one in items(list) {
        let name = &one.value.0;
        if !known.clone().any(|known| known == name) {
            let message = format!("this kind of system knows no `{name}`");
            problems.push(Problem::error(&one.place, message).help(instead(name, known.clone())));
        } else if found.contains(name) {
            let message = format!("`{name}` stands here twice");
            problems.push(Problem::error(&one.place, message).help("remove one of them"));
        } else {
            found.push(name.clone());
        }
    }
    found
}

/// Reports stages that count from when another one is gone, at which nobody looks.
fn check_order(
    list: Option<&At<List<Words>>>,
    stages: &[String],
    known: &[ResidueStage],
    problems: &mut Vec<Problem>,
) {
    for one in items(list) {
        let Some(stage) = known.iter().find(|stage| stage.name == one.value.0) else { continue };
        for before in stage.after.iter().filter(|it| !stages.iter().any(|one| one == *it)) {
            let message = format!("`{}` counts from when `{before}` is gone", stage.name);
            let help = format!("add `{before}` to `stages`");
            problems.push(Problem::error(&one.place, message).help(help));
        }
    }
}
