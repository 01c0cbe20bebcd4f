//! Links: they stay within their system, lead to declared fields, make no circle, and join every
//! collection to a person.

use std::collections::BTreeSet;

use quietus_connectors::{Link, LinkKind};

use super::{MOST_LINKS, Resolution, SystemDraft};
use crate::config::document::CollectionDocument;
use crate::config::document::system::{LinkDocument, type_name};
use crate::config::problem::{Problem, instead};
use crate::config::read::{Entry, entries};
use crate::datamap::Collection;

/// Fills in the links of every collection. `elsewhere` lists every system and its collections.
pub fn compile(
    draft: &mut SystemDraft<'_>,
    elsewhere: &[(String, Vec<String>)],
    problems: &mut Vec<Problem>,
) {
    for (entry, name) in draft.written() {
        let Some(collection) = draft.model.collections.get(&name) else { continue };
        let links: Vec<Link> = entries(entry.value.value.links.as_ref())
            .iter()
            .filter_map(|link| compile_link(draft, collection, link, elsewhere, problems))
            .collect();
        if let Some(collection) = draft.model.collections.get_mut(&name) {
            collection.links = links;
        }
    }
}

fn compile_link(
    draft: &SystemDraft<'_>,
    collection: &Collection,
    entry: &Entry<LinkDocument>,
    elsewhere: &[(String, Vec<String>)],
    problems: &mut Vec<Problem>,
) -> Option<Link> {
    let document = &entry.value.value;
    let to = document.to.as_ref()?;
    let target = &to.value.0;
    let Some(parent) = draft.collection(target) else {
        problems.push(unknown_target(draft, target, elsewhere, &to.place)?);
        return None;
    };
    let mut fields = Vec::new();
    let mut fits = true;
    for pair in entries(document.fields.as_ref()) {
        let here = draft.own_field(collection, &pair.name.value);
        let there = draft.own_field(parent, &pair.value.value.0);
        for (side, place) in [(&here, &pair.name.place), (&there, &pair.value.place)] {
            if let Err(Resolution::Unknown(message, help)) = side {
                problems.push(Problem::error(place, message.clone()).help(help.clone()));
            }
            fits &= side.is_ok();
        }
        if let (Ok(here), Ok(there)) = (here, there) {
            if here.field_type != there.field_type {
                let (one, other) = (type_name(here.field_type), type_name(there.field_type));
                problems.push(
                    Problem::warning(
                        &pair.value.place,
                        format!("this link compares `{one}` with `{other}`"),
                    )
                    .help("declare both fields with the type that the system compares"),
                );
            }
            fields.push((here.name.clone(), there.name.clone()));
        }
    }
    if document.fields.as_ref().is_some_and(|fields| fields.value.list.is_empty()) {
        problems.push(Problem::error(&entry.name.place, "this link has no fields").help(
            "write pairs of a field here and the parent's field: `fields: {customer_id: id}`",
        ));
        fits = false;
    }
    let of_key = fields.iter().filter(|(_, there)| parent.key.contains(there)).count();
    // A shared record may belong to each of several that join it, by a part of their key.
    let shared = document.kind.as_ref().is_some_and(|kind| kind.value.0 == LinkKind::Shared);
    if fits && !shared && of_key == fields.len() && of_key < parent.key.len() {
        problems.push(
            Problem::error(
                &entry.name.place,
                format!(
                    "this link joins {of_key} of the {} key fields of `{target}`",
                    parent.key.len()
                ),
            )
            .help(format!("join all of them: {}", parent.key.join(", "))),
        );
    }
    fits.then(|| Link {
        name: entry.name.value.clone(),
        to: target.clone(),
        fields,
        kind: document.kind.as_ref().map_or(LinkKind::Deep, |kind| kind.value.0),
        needed: false,
        clear: Vec::new(),
    })
}

/// The problem with a target that is no collection of the system; `None` where it was reported.
fn unknown_target(
    draft: &SystemDraft<'_>,
    target: &str,
    elsewhere: &[(String, Vec<String>)],
    place: &crate::config::problem::Place,
) -> Option<Problem> {
    let written = draft.document.collections.as_ref();
    if written.is_some_and(|it| it.value.is_broken(target)) {
        return None;
    }
    let other = elsewhere.iter().find(|(system, collections)| {
        let collection = target.strip_prefix(&format!("{system}.")).unwrap_or(target);
        system != draft.model.name.as_str() && collections.iter().any(|it| it == collection)
    });
    if let Some((system, _)) = other {
        return Some(
            Problem::error(place, format!("a link cannot lead to another system (`{system}`)"))
                .help("let the application post a business event when something happens there, and read it here with `{event: …, field: …}` under `starting_points`"),
        );
    }
    let names: Vec<&str> =
        draft.model.collections.keys().map(crate::domain::CollectionName::as_str).collect();
    Some(
        Problem::error(place, format!("`{}` has no collection `{target}`", draft.model.name))
            .help(instead(target, names)),
    )
}

/// Circles, and collections that no person can be found in.
pub fn check(draft: &SystemDraft<'_>, problems: &mut Vec<Problem>) {
    for (entry, name) in draft.written() {
        let Some(collection) = draft.model.collections.get(&name) else { continue };
        if let Some(circle) = circle_from(draft, collection) {
            // Told once: at its first collection in the order of names.
            if circle.iter().min().is_some_and(|first| first == name.as_str()) {
                problems.push(
                    Problem::error(
                        &entry.name.place,
                        format!("these links make a circle: {}", circle.join(" → ")),
                    )
                    .help(
                        "make one of them `kind: shallow`, so that it is clear who goes with whom",
                    ),
                );
            }
        }
        check_reach(draft, entry, collection, problems);
    }
}

/// A circle of links that begins and ends here, of more than one collection. A link of a
/// collection to itself is ordinary.
fn circle_from(draft: &SystemDraft<'_>, start: &Collection) -> Option<Vec<String>> {
    let mut stack = vec![vec![start.name.to_string()]];
    let mut seen = BTreeSet::new();
    while let Some(path) = stack.pop() {
        let here = draft.collection(path.last()?)?;
        for link in here.links.iter().filter(|link| link.kind != LinkKind::Shallow) {
            let itself = link.to == here.name.as_str();
            if link.to == start.name.as_str() && !itself {
                let mut circle = path;
                circle.push(link.to.clone());
                return Some(circle);
            }
            if !itself && seen.insert(link.to.clone()) {
                let mut longer = path.clone();
                longer.push(link.to.clone());
                stack.push(longer);
            }
        }
    }
    None
}

fn check_reach(
    draft: &SystemDraft<'_>,
    entry: &Entry<CollectionDocument>,
    collection: &Collection,
    problems: &mut Vec<Problem>,
) {
    // In our own store nobody is found but by the key of their request.
    if draft.model.is_house() {
        return;
    }
    let document = &entry.value.value;
    let broken = document.fields.as_ref().is_none_or(|fields| !fields.value.broken.is_empty())
        || entries(document.links.as_ref()).len() != collection.links.len();
    if collection.categories().is_empty() || broken || reaches_identity(draft, collection) {
        return;
    }
    problems.push(
        Problem::error(
            &entry.name.place,
            format!("no person can be found in `{}`", draft.title(collection)),
        )
        .help("mark the field that identifies the person with `identity: email` (or another type), link it to a collection that has one, or say with `exempt` why its fields are nobody's"),
    );
}

fn reaches_identity(draft: &SystemDraft<'_>, start: &Collection) -> bool {
    let mut level = vec![start];
    for _ in 0..=MOST_LINKS {
        if level.iter().any(|it| it.fields.values().any(|field| field.identity.is_some())) {
            return true;
        }
        level = level
            .iter()
            .flat_map(|it| it.links.iter())
            .filter_map(|link| draft.collection(&link.to))
            .collect();
        level.sort_by_key(|it| it.name.clone());
        level.dedup_by_key(|it| it.name.clone());
    }
    false
}
