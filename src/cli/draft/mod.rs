//! `quietus datamap draft`: a first draft of a system's data map from its own catalogue.
//!
//! A draft is never applied by itself: every category says `TO-DECIDE`, which `check` refuses, and
//! every guess is a comment. It reads no record, only names and types.

mod guess;
mod links;

use std::collections::{BTreeMap, BTreeSet};

use quietus_connectors::{CollectionSchema, FieldSchema, FieldType, Schema};

use crate::config::document::system::type_name;
use crate::config::read::UNDECIDED;
use links::PlannedLink;

/// Writes a draft of the data map of one system.
///
/// `url_reference` is what stands under `connection.url`, such as `env:CRM_URL`.
pub fn draft(schema: &Schema, system_name: &str, kind: &str, url_reference: &str) -> String {
    let names = names(schema);
    let links = links::plan(schema, &names);
    let mut text = String::new();
    line(&mut text, 0, "# yaml-language-server: $schema=../schema/system.json");
    line(&mut text, 0, &format!("# Drafted from the catalogue of {}.", comment(&schema.product)));
    line(
        &mut text,
        0,
        &format!("# Look at every line: `check` refuses `{UNDECIDED}` until a person has decided."),
    );
    line(
        &mut text,
        0,
        "# A field belongs to a category, or is `exempt: \"why\"` and goes with its record.",
    );
    line(&mut text, 0, "");
    line(&mut text, 0, &format!("system: {}", scalar(system_name)));
    line(&mut text, 0, &format!("kind: {}", scalar(kind)));
    line(&mut text, 0, "role: database");
    line(&mut text, 0, &format!("owner: {UNDECIDED}"));
    line(&mut text, 0, "# region: where its data are");
    line(&mut text, 0, "connection:");
    line(&mut text, 1, &format!("url: {}", scalar(url_reference)));
    line(&mut text, 0, "");
    let mapped: Vec<&CollectionSchema> =
        schema.collections.iter().filter(|it| names.contains_key(&it.name)).collect();
    line(&mut text, 0, if mapped.is_empty() { "collections: {}" } else { "collections:" });
    for collection in mapped {
        let own = links.get(&collection.name).map_or(&[][..], Vec::as_slice);
        write_collection(&mut text, collection, &names, own, &links);
    }
    write_left_out(&mut text, schema, &names);
    text
}

/// Names in the data map, by name in the system, of the collections that can be mapped.
fn names(schema: &Schema) -> BTreeMap<String, String> {
    let mut taken = BTreeSet::new();
    let mut names = BTreeMap::new();
    for collection in schema.collections.iter().filter(|it| reason_left_out(it).is_none()) {
        let short = collection.name.rsplit('.').next().unwrap_or_default();
        let mut name = plain_name(short);
        if taken.contains(&name) {
            name = plain_name(&collection.name);
        }
        let base: String = name.chars().take(90).collect();
        let mut number = 2;
        while !taken.insert(name.clone()) {
            name = format!("{base}-{number}");
            number += 1;
        }
        names.insert(collection.name.clone(), name);
    }
    names
}

fn plain_name(text: &str) -> String {
    let fits = |one: char| one.is_ascii_alphanumeric() || matches!(one, '.' | '_' | '-');
    let name: String = text.chars().map(|one| if fits(one) { one } else { '-' }).take(90).collect();
    let name = name.trim_start_matches(['.', '_', '-']).to_owned();
    if name.is_empty() { "collection".to_owned() } else { name }
}

/// Why a collection is not mapped.
fn reason_left_out(collection: &CollectionSchema) -> Option<&'static str> {
    if is_progress(collection) {
        Some("how far quietus has come")
    } else if collection.view {
        Some("a view: it is never written to; map the tables under it")
    } else if collection.key.is_empty() {
        Some("no primary key: give it one, or empty it by other means and say so under `exempt`")
    } else if collection.fields.is_empty() {
        Some("no fields can be read")
    } else {
        None
    }
}

fn is_progress(collection: &CollectionSchema) -> bool {
    collection.name.rsplit('.').next() == Some("quietus_progress")
}

fn write_left_out(text: &mut String, schema: &Schema, names: &BTreeMap<String, String>) {
    let left: Vec<&CollectionSchema> =
        schema.collections.iter().filter(|it| !names.contains_key(&it.name)).collect();
    if left.is_empty() {
        return;
    }
    line(text, 0, "");
    line(text, 0, "# Not mapped:");
    for collection in &left {
        let reason = reason_left_out(collection).unwrap_or_default();
        line(text, 0, &format!("# - {}: {reason}", comment(&collection.name)));
    }
    let tables: Vec<&&CollectionSchema> = left.iter().filter(|it| !it.view).collect();
    if tables.is_empty() {
        return;
    }
    line(text, 0, "exempt:");
    for collection in tables {
        let reason =
            if is_progress(collection) { "\"how far quietus has come\"" } else { UNDECIDED };
        line(text, 1, &format!("- collection: {}", scalar(&collection.name)));
        line(text, 1, &format!("  reason: {reason}"));
    }
}

fn write_collection(
    text: &mut String,
    collection: &CollectionSchema,
    names: &BTreeMap<String, String>,
    own: &[PlannedLink],
    links: &BTreeMap<String, Vec<PlannedLink>>,
) {
    let Some(name) = names.get(&collection.name) else { return };
    let starts = guess::starting_points(collection, name);
    let mut structure: BTreeSet<&str> = collection.key.iter().map(String::as_str).collect();
    structure.extend(own.iter().flat_map(|link| link.fields.iter().map(|(here, _)| here.as_str())));
    structure.extend(starts.iter().flat_map(|start| start.fields.iter().map(String::as_str)));
    for link in links.values().flatten().filter(|link| link.to == *name) {
        structure.extend(link.fields.iter().map(|(_, there)| there.as_str()));
    }
    line(text, 0, "");
    if let Some(records) = collection.estimated_records {
        line(text, 1, &format!("# about {records} records"));
    }
    line(text, 1, &format!("{}:", scalar(name)));
    if collection.name != *name {
        line(text, 2, &format!("source: {}", scalar(&collection.name)));
    }
    let key: Vec<String> = collection.key.iter().map(|field| scalar(field)).collect();
    line(text, 2, &format!("key: [{}]", key.join(", ")));
    if !collection.partitions.is_empty() {
        let by = collection.partitioned_by.as_deref().unwrap_or("several fields");
        let count = collection.partitions.len();
        line(
            text,
            2,
            &format!(
                "# {count} partitions, split by {}; `drop` drops those that are due as a whole",
                comment(by)
            ),
        );
        line(text, 2, "# partitions: drop");
    }
    line(text, 2, "fields:");
    let follows = own.iter().any(|link| !link.shallow);
    let only_structure =
        collection.fields.iter().all(|field| structure.contains(field.name.as_str()));
    for (index, field) in collection.fields.iter().enumerate() {
        // Somebody has to say why a collection of nothing but keys stays.
        let reason = only_structure && !follows && index == 0;
        write_field(text, field, structure.contains(field.name.as_str()), reason);
    }
    if !own.is_empty() {
        line(text, 2, "links:");
        for link in own {
            line(text, 3, &link.written());
        }
    }
    if !starts.is_empty() {
        line(text, 2, "starting_points:");
        for start in &starts {
            let entry =
                format!("{}: {}  # guess: {}", scalar(&start.name), start.written(), start.why);
            line(text, 3, &entry);
        }
    }
}

fn write_field(text: &mut String, field: &FieldSchema, structure: bool, reason: bool) {
    let guess = guess::field(field);
    let field_type = match (field.field_type, &guess) {
        (FieldType::Text, Some(guess)) if guess.address => FieldType::Address,
        (other, _) => other,
    };
    let mut parts = vec![format!("type: {}", type_name(field_type))];
    let mut notes = Vec::new();
    if structure {
        if reason {
            parts.push(format!("exempt: {UNDECIDED}"));
            notes.push("nothing else is here: who does it belong to?".to_owned());
        }
    } else if field.generated {
        parts.push("exempt: \"computed by the system\"".to_owned());
        notes.push("follows the fields that it is made of".to_owned());
    } else {
        parts.push(format!("category: {UNDECIDED}"));
        if let Some(guess) = &guess {
            notes.push(guess.category.to_owned());
        }
    }
    let identifies = matches!(
        field_type,
        FieldType::Text | FieldType::Integer | FieldType::Uuid | FieldType::Address
    );
    if let Some(identity) = guess.as_ref().and_then(|guess| guess.identity).filter(|_| identifies) {
        parts.push(format!("identity: {identity}"));
        if identity == "email" && field_type == FieldType::Text {
            parts.push("compare: ignore_case".to_owned());
        }
        notes.push(format!("identifies a person as `{identity}`"));
    }
    if !field.nullable && !structure && !field.generated {
        notes.push("may not be null: say how it is cleared".to_owned());
    }
    let guessed =
        if notes.is_empty() { String::new() } else { format!("  # guess: {}", notes.join("; ")) };
    line(text, 3, &format!("{}: {{{}}}{guessed}", scalar(&field.name), parts.join(", ")));
}

fn line(text: &mut String, level: usize, content: &str) {
    text.push_str(&"  ".repeat(level));
    text.push_str(content);
    text.push('\n');
}

/// A text as one YAML scalar that is read as text again.
fn scalar(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().is_some_and(|one| one.is_ascii_alphabetic() || one == '_');
    let rest = characters.all(|one| one.is_ascii_alphanumeric() || matches!(one, '_' | '.' | '-'));
    let lower = text.to_lowercase();
    let reference = text
        .strip_prefix("env:")
        .is_some_and(|name| name.chars().all(|one| one.is_ascii_alphanumeric() || one == '_'));
    let special = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    if (first && rest && !special.contains(&lower.as_str()) && text != UNDECIDED) || reference {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}

/// A text as part of a comment.
fn comment(text: &str) -> String {
    text.chars().map(|one| if one.is_control() { ' ' } else { one }).take(200).collect()
}

#[cfg(test)]
mod tests;
