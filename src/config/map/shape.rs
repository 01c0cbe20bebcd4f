//! Whether every field is accounted for, and whether what a clock reads stays readable.

use std::collections::BTreeSet;

use quietus_connectors::{FieldRef, LinkKind, PartitionPolicy, Restriction};

use super::SystemDraft;
use crate::config::document::CollectionDocument;
use crate::config::problem::Problem;
use crate::config::read::{Entry, entries};
use crate::datamap::{Collection, Manifest, StartSource};

/// Fields by collection and name.
type Fields = BTreeSet<(String, String)>;

/// Reports fields that nobody accounts for and clocks that would be erased.
pub fn check(draft: &SystemDraft<'_>, problems: &mut Vec<Problem>) {
    let clocks = clocks(draft);
    let mut structure = clocks.clone();
    for collection in draft.model.collections.values() {
        structure.extend(structural(collection));
    }
    for (entry, name) in draft.written() {
        let Some(collection) = draft.model.collections.get(&name) else { continue };
        check_fields(entry, collection, &clocks, &structure, problems);
        check_content(draft, entry, collection, problems);
        check_manifest(entry, collection, problems);
    }
}

/// What starting points read: the moments themselves and the fields that lead to them.
fn clocks(draft: &SystemDraft<'_>) -> Fields {
    let mut clocks = Fields::new();
    for collection in draft.model.collections.values() {
        for source in collection.starting_points.values() {
            let references: Vec<&FieldRef> = match source {
                StartSource::Field(field) | StartSource::Event { field, .. } => vec![field],
                StartSource::Latest(fields) => fields.iter().collect(),
            };
            for reference in references {
                clocks.extend(draft.touched(collection, reference));
            }
        }
    }
    clocks
}

/// Fields that need no category: keys, both sides of links, and flags of restriction.
fn structural(collection: &Collection) -> Fields {
    let name = collection.name.to_string();
    let own = |field: &String| (name.clone(), field.clone());
    let mut fields: Fields = collection.key.iter().map(own).collect();
    for link in &collection.links {
        for (here, there) in &link.fields {
            fields.insert(own(here));
            fields.insert((link.to.clone(), there.clone()));
        }
    }
    if let Some(Restriction::Flag { field }) = &collection.restriction {
        fields.insert(own(field));
    }
    fields
}

/// A partition that is dropped as a whole does not say which records it held.
fn check_manifest(
    entry: &Entry<CollectionDocument>,
    collection: &Collection,
    problems: &mut Vec<Problem>,
) {
    let Some(manifest) = &entry.value.value.manifest else { return };
    if collection.manifest == Manifest::Records && collection.partitions == PartitionPolicy::Drop {
        problems.push(
            Problem::error(
                &manifest.place,
                "a manifest lists records, and a partition that is dropped lists none",
            )
            .help("write `partitions: records`, or leave `manifest` out"),
        );
    }
}

fn check_fields(
    entry: &Entry<CollectionDocument>,
    collection: &Collection,
    clocks: &Fields,
    structure: &Fields,
    problems: &mut Vec<Problem>,
) {
    let has_other = entries(entry.value.value.fields.as_ref()).iter().any(|written| {
        written.value.value.category.is_some() && !collection.key.contains(&written.name.value)
    });
    for written in entries(entry.value.value.fields.as_ref()) {
        let name = &written.name.value;
        let address = (collection.name.to_string(), name.clone());
        let document = &written.value.value;
        if let Some(category) = &document.category {
            let is_key = collection.key.contains(name);
            let why = if is_key && has_other {
                "it is a key field and goes with its record"
            } else if is_key {
                // A record of nothing but keys, such as one that joins two others, goes as a whole.
                continue;
            } else if clocks.contains(&address) {
                "a starting point is read from it, and without it nothing that is left would ever be due"
            } else if matches!(&collection.restriction, Some(Restriction::Flag { field }) if field == name)
            {
                "it says whether the record is restricted"
            } else {
                continue;
            };
            problems.push(
                Problem::error(&category.place, format!("`{name}` may have no category: {why}"))
                    .help(format!("leave `category` out: `{name}` goes with its record")),
            );
            continue;
        }
        let accounted = document.gives("category")
            || document.gives("exempt")
            || structure.contains(&address)
            || waits_for_others(&entry.value.value, collection);
        if !accounted {
            problems.push(
                Problem::error(
                    &written.name.place,
                    format!("nobody says what `{name}` belongs to"),
                )
                .help("add `category: …`, or `exempt: \"why it stays with its record\"`"),
            );
        }
    }
}

/// A link or starting point could not be read, so its fields are not known to be structure.
fn waits_for_others(document: &CollectionDocument, collection: &Collection) -> bool {
    let links = entries(document.links.as_ref()).len();
    let starts = entries(document.starting_points.as_ref()).len();
    let broken = |broken: usize| broken > 0;
    links != collection.links.len()
        || starts != collection.starting_points.len()
        || broken(document.links.as_ref().map_or(0, |it| it.value.broken.len()))
        || broken(document.starting_points.as_ref().map_or(0, |it| it.value.broken.len()))
        || (document.gives("restrict") && collection.restriction.is_none())
        || (document.gives("key") && collection.key.is_empty())
}

fn check_content(
    draft: &SystemDraft<'_>,
    entry: &Entry<CollectionDocument>,
    collection: &Collection,
    problems: &mut Vec<Problem>,
) {
    let document = &entry.value.value;
    let title = draft.title(collection);
    let Some(fields) = &document.fields else { return };
    if fields.value.list.is_empty() && fields.value.broken.is_empty() {
        problems.push(
            Problem::error(&entry.name.place, format!("`{title}` has no fields"))
                .help("list its fields, or name the collection under `exempt` with a reason"),
        );
        return;
    }
    let undecided = fields.value.list.iter().any(|field| field.value.value.gives("category"));
    let reasoned = fields.value.list.iter().any(|field| field.value.value.gives("exempt"));
    let follows = collection.links.iter().any(|link| link.kind != LinkKind::Shallow);
    let broken = !fields.value.broken.is_empty() || document.gives("links") && !follows;
    check_followers(
        entry,
        collection,
        &title,
        undecided || !fields.value.broken.is_empty(),
        problems,
    );
    if !undecided && !reasoned && !follows && !broken {
        problems.push(
            Problem::error(&entry.name.place, format!("nothing in `{title}` has a category"))
                .help("give its fields categories, or name it under `exempt` with a reason"),
        );
    }
}

/// A record goes by the rules of its categories. One without any would outlive its parent, and
/// where a foreign key stands between them it would keep its parent for ever.
fn check_followers(
    entry: &Entry<CollectionDocument>,
    collection: &Collection,
    title: &str,
    decided: bool,
    problems: &mut Vec<Problem>,
) {
    let follows = |link: &&quietus_connectors::Link| {
        link.kind != LinkKind::Shallow && link.to != collection.name.as_str()
    };
    let Some(link) = collection.links.iter().find(follows).filter(|_| !decided) else { return };
    problems.push(
        Problem::error(
            &entry.name.place,
            format!(
                "nothing in `{title}` has a category, so no rule deletes its records when those of `{}` go",
                link.to
            ),
        )
        .help(format!(
            "give a field that is no clock (a key field, where there is no other) the category with which it goes and read its starting point through the link `{}`; where the records are to stay for good, write `kind: shallow`",
            link.name
        )),
    );
}
