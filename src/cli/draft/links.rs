//! Links from foreign keys, without circles.

use std::collections::{BTreeMap, BTreeSet};

use quietus_connectors::{CollectionSchema, ForeignKey, OnDelete, Schema};

use super::{comment, scalar};

/// A link that the draft writes.
#[derive(Debug)]
pub struct PlannedLink {
    /// Its name.
    pub name: String,
    /// Name of the parent in the data map.
    pub to: String,
    /// Pairs of fields.
    pub fields: Vec<(String, String)>,
    /// Only the association goes.
    pub shallow: bool,
    /// Why it is so, for the comment.
    pub why: String,
}

impl PlannedLink {
    /// As the data map writes it.
    pub fn written(&self) -> String {
        let pairs: Vec<String> = self
            .fields
            .iter()
            .map(|(here, there)| format!("{}: {}", scalar(here), scalar(there)))
            .collect();
        format!(
            "{}: {{to: {}, fields: {{{}}}, kind: {}}}  # guess: {}",
            scalar(&self.name),
            scalar(&self.to),
            pairs.join(", "),
            if self.shallow { "shallow" } else { "deep" },
            self.why
        )
    }
}

/// Links of every mapped collection, by its name in the system. `names` are the names in the data
/// map of the collections that are mapped.
pub fn plan(
    schema: &Schema,
    names: &BTreeMap<String, String>,
) -> BTreeMap<String, Vec<PlannedLink>> {
    let mut deep: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut planned: BTreeMap<String, Vec<PlannedLink>> = BTreeMap::new();
    // What the system itself deletes with its parent is deep before anything else is.
    for wanted in [OnDelete::Cascade, OnDelete::Refuse, OnDelete::SetNull] {
        for collection in schema.collections.iter().filter(|it| names.contains_key(&it.name)) {
            let own = planned.entry(collection.name.clone()).or_default();
            let keys = collection.foreign_keys.iter().filter(|key| key.on_delete == wanted);
            for key in keys {
                let link = link(schema, names, collection, key, &mut deep, own);
                own.extend(link);
            }
        }
    }
    planned
}

fn link(
    schema: &Schema,
    names: &BTreeMap<String, String>,
    collection: &CollectionSchema,
    key: &ForeignKey,
    deep: &mut BTreeMap<String, BTreeSet<String>>,
    own: &[PlannedLink],
) -> Option<PlannedLink> {
    let to = names.get(&key.to)?;
    let parent = schema.collections.iter().find(|it| it.name == key.to);
    if parent.is_none_or(|parent| !joins(key, collection, parent)) {
        return None;
    }
    let itself = key.to == collection.name;
    let circle = !itself && reaches(deep, &key.to, &collection.name);
    let shallow = key.on_delete == OnDelete::SetNull || circle;
    if !shallow && !itself {
        deep.entry(collection.name.clone()).or_default().insert(key.to.clone());
    }
    let why = match (circle, key.on_delete) {
        (true, _) => "shallow, or the links would make a circle",
        (_, OnDelete::Cascade) => "the system deletes it with its parent",
        (_, OnDelete::SetNull) => "the system empties the reference",
        (_, OnDelete::Refuse) => "goes with its parent",
    };
    Some(PlannedLink {
        name: name(key, to, own),
        to: to.clone(),
        fields: key.fields.iter().cloned().zip(key.to_fields.iter().cloned()).collect(),
        shallow,
        why: format!("{why} ({})", comment(&key.name)),
    })
}

/// The key's fields are known on both sides and join the parent as a whole.
fn joins(key: &ForeignKey, child: &CollectionSchema, parent: &CollectionSchema) -> bool {
    let known = |fields: &[String], of: &CollectionSchema| {
        fields.iter().all(|name| of.fields.iter().any(|field| field.name == *name))
    };
    let of_key = key.to_fields.iter().filter(|field| parent.key.contains(field)).count();
    let part = of_key == key.to_fields.len() && of_key < parent.key.len();
    let same = key.fields.len() == key.to_fields.len() && !key.fields.is_empty();
    let once: BTreeSet<&String> = key.fields.iter().collect();
    same && once.len() == key.fields.len()
        && known(&key.fields, child)
        && known(&key.to_fields, parent)
        && !part
}

fn reaches(deep: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str) -> bool {
    let mut stack = vec![from];
    let mut seen = BTreeSet::new();
    while let Some(here) = stack.pop() {
        if here == to {
            return true;
        }
        if seen.insert(here) {
            stack.extend(deep.get(here).into_iter().flatten().map(String::as_str));
        }
    }
    false
}

/// `customer` for `customer_id`; the parent's name for several fields.
fn name(key: &ForeignKey, to: &str, taken: &[PlannedLink]) -> String {
    let base = match key.fields.as_slice() {
        [field] => field.strip_suffix("_id").or(field.strip_suffix("Id")).unwrap_or(to),
        _ => to,
    };
    let base: String = base.chars().map(|one| if one == '.' { '-' } else { one }).collect();
    let mut name = base.clone();
    let mut number = 2;
    while name.is_empty() || taken.iter().any(|link| link.name == name) {
        name = format!("{base}-{number}");
        number += 1;
    }
    name
}
