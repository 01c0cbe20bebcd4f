//! The last look before a folder counts as understood: everything that was written is in the
//! models. Whatever were lost on the way without a word would never be deleted, or too early.

use super::document::{PackDocument, SystemDocument};
use super::map::SystemDraft;
use super::problem::{At, Place, Problem};
use super::read::{entries, items};
use crate::schedule::RuleSet;

/// Reports whatever is in the documents and not in the models. Called where nothing else is wrong.
pub fn check(
    (documents, drafts): (&[At<SystemDocument>], &[SystemDraft<'_>]),
    (packs, rules): (&[At<PackDocument>], &RuleSet),
    problems: &mut Vec<Problem>,
) {
    let mut compare =
        |place: &Place, what: &str, written: usize, understood: usize| {
            if written != understood {
                let message = format!("{written} {what} are written and {understood} understood");
                problems.push(Problem::error(place, message).help(
                    "this is a fault of quietus: report it with this file, and start nothing",
                ));
            }
        };
    let start = Place::start_of(super::INSTANCE_FILE);
    compare(&start, "systems", documents.len(), drafts.len());
    for draft in drafts {
        let (document, model) = (draft.document, &draft.model);
        let written = entries(document.collections.as_ref());
        compare(&draft.place, "collections", written.len(), model.collections.len());
        let exempt = items(document.exempt.as_ref()).len();
        compare(&draft.place, "exempt collections", exempt, model.exempt.len());
        if let Some(third_party) = &model.third_party {
            let written = entries(document.parameters.as_ref()).len();
            compare(&draft.place, "parameters", written, third_party.parameters.len());
            let tasks = usize::from(document.gives("task"));
            compare(&draft.place, "tasks", tasks, usize::from(third_party.task.is_some()));
        }
        if let Some(backup) = &model.backup {
            let written = entries(document.parameters.as_ref()).len();
            compare(&draft.place, "parameters", written, backup.parameters.len());
            let written = items(document.copies.as_ref()).len();
            compare(&draft.place, "copied systems", written, backup.copies.len());
        }
        let planted = document.drill.as_ref().map_or(0, |it| items(it.value.plant.as_ref()).len());
        let understood = model.drill.as_ref().map_or(0, |it| it.records.len());
        compare(&draft.place, "planted records", planted, understood);
        for (entry, name) in draft.written() {
            let Some(collection) = model.collections.get(&name) else { continue };
            let (document, place) = (&entry.value.value, &entry.name.place);
            let keys = document.key.as_ref().map_or(0, |key| key.value.0.len());
            compare(place, "key fields", keys.max(1), collection.key.len());
            let fields = entries(document.fields.as_ref()).len();
            compare(place, "fields", fields, collection.fields.len());
            compare(place, "links", entries(document.links.as_ref()).len(), collection.links.len());
            let starts = entries(document.starting_points.as_ref()).len();
            compare(place, "starting points", starts, collection.starting_points.len());
            let attributes = entries(document.attributes.as_ref()).len();
            compare(place, "attributes", attributes, collection.attributes.len());
            let restricted = usize::from(collection.restriction.is_some());
            compare(place, "restrictions", usize::from(document.gives("restrict")), restricted);
        }
    }
    let sum = |count: fn(&PackDocument) -> usize| packs.iter().map(|it| count(&it.value)).sum();
    let written = sum(|pack| items(pack.rules.as_ref()).len());
    compare(&start, "rules", written, rules.rules.len());
    let written =
        sum(|pack| items(pack.minimums.as_ref()).len() + items(pack.maximums.as_ref()).len());
    compare(&start, "minimums and maximums", written, rules.limits.len());
    let written = sum(|pack| items(pack.exemptions.as_ref()).len());
    compare(&start, "exemptions", written, rules.exemptions.len());
    let written = sum(|pack| entries(pack.schedules.as_ref()).len());
    compare(&start, "schedules", written, rules.schedules.len());
    let written = sum(|pack| entries(pack.categories.as_ref()).len());
    compare(&start, "categories", written, rules.categories.len());
}
