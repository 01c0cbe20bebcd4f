//! Stores of copies in the data map: what a file of each kind has to say, and what it may not.

use std::collections::{BTreeMap, BTreeSet};

use quietus_connectors::{StoreRetention, backup_kinds, backup_parameters};

use super::SystemDraft;
use super::third_party::{is_secret_by_name, is_secret_by_value, secret_in_plain};
use crate::config::document::SystemDocument;
use crate::config::document::backup::KeepsDocument;
use crate::config::leaf::Count;
use crate::config::problem::{At, Place, Problem, instead};
use crate::config::read::{entries, items};
use crate::datamap::backup::plain;
use crate::datamap::{Backup, Expire, Role, SecretReference};
use crate::domain::{RetentionPeriod, SystemName};

/// Entries of a file that only stores of copies have.
pub(super) const OF_STORES: [&str; 8] =
    ["place", "copies", "keeps", "every", "prunes_every", "longest_run", "expire", "inside"];

/// Entries of a file that stores of copies have no use for.
const NOT_OF_STORES: [&str; 13] = [
    "collections",
    "exempt",
    "progress_table",
    "pace",
    "limits",
    "connection",
    "no_backups",
    "operator",
    "definition",
    "persons",
    "task",
    "mail",
    "language",
];

/// Kinds that say themselves how long they keep copies.
const SAY_IT_THEMSELVES: [&str; 3] = ["pgbackrest", "barman", "s3"];

/// Whether systems of this kind are stores of copies.
pub(super) fn is_kind(kind: &str) -> bool {
    backup_kinds().contains(&kind)
}

/// Reads the part of a store of copies; `None` for other kinds. Reports what does not belong to it
/// and what it lacks.
pub(super) fn compile(
    at: &At<SystemDocument>,
    zone: &str,
    problems: &mut Vec<Problem>,
) -> Option<Backup> {
    let document = &at.value;
    let kind = document.kind.as_ref()?.value.0.as_str();
    if !is_kind(kind) {
        if let Some(role) = document.role.as_ref().filter(|role| role.value.0 == Role::Backup) {
            let message = format!("a system of kind `{kind}` is no store of copies");
            let help = format!("leave `role` out, or write a kind: {}", backup_kinds().join(", "));
            problems.push(Problem::error(&role.place, message).help(help));
        }
        return None;
    }
    for entry in NOT_OF_STORES.iter().filter(|entry| document.gives(entry)) {
        let message = format!("a store of copies has no `{entry}`");
        let help = "say under `place` and `parameters` where it is and how it is opened, and under `copies` what it copies; leave this out";
        problems.push(Problem::error(&at.place, message).help(help));
    }
    if let Some(role) = document.role.as_ref().filter(|role| role.value.0 != Role::Backup) {
        let message = format!("a system of kind `{kind}` is a store of copies");
        problems.push(Problem::error(&role.place, message).help("write `role: backup`"));
    }
    check_missing(at, kind, problems);
    check_parameters(at, kind, problems);
    let span = |entry: &Option<At<RetentionPeriod>>, problems: &mut Vec<Problem>| match entry {
        None => RetentionPeriod::parse("P1D").ok(),
        Some(entry) => length_of_time(entry, problems),
    };
    let parameters = entries(document.parameters.as_ref())
        .iter()
        .map(|one| (one.name.value.clone(), one.value.value.0.clone()))
        .collect();
    Some(Backup {
        copies: items(document.copies.as_ref()).iter().map(|it| it.value.clone()).collect(),
        place: place(document, problems),
        parameters,
        keeps: document.keeps.as_ref().map(|it| keeps(&it.value, problems)),
        every: span(&document.every, problems)?,
        prunes_every: match &document.prunes_every {
            None => None,
            Some(entry) => length_of_time(entry, problems),
        },
        longest_run: span(&document.longest_run, problems)?,
        expire: document.expire.as_ref().map_or(Expire::ByStore, |it| it.value.0),
        zone: zone.to_owned(),
        inside: super::inside::compile(document, kind, problems),
    })
}

/// Reports what a store cannot be looked at without.
fn check_missing(at: &At<SystemDocument>, kind: &str, problems: &mut Vec<Problem>) {
    let document = &at.value;
    let mut missing = |entry: &str, help: &str| {
        if !document.gives(entry) {
            let message = format!("`{entry}` is missing");
            problems.push(Problem::error(&at.place, message).help(help));
        }
    };
    missing(
        "place",
        "add `place: …`: the repository, stanza, server, folder or bucket of the copies",
    );
    missing("copies", "add `copies: […]` with the names of the systems that it copies");
    if !SAY_IT_THEMSELVES.contains(&kind) {
        let help = "add `keeps: {daily: 7, weekly: 5, monthly: 12}`, as its own jobs prune it; nobody can say otherwise when the last copy of somebody is gone";
        missing("keeps", help);
    }
    if let Some(copies) = document.copies.as_ref().filter(|it| it.value.0.is_empty()) {
        problems.push(
            Problem::error(&copies.place, "`copies` is empty")
                .help("name at least one system; a store that copies none needs no file"),
        );
    }
}

/// Where the copies are; credentials do not stand here in plain.
fn place(document: &SystemDocument, problems: &mut Vec<Problem>) -> SecretReference {
    let Some(place) = &document.place else { return SecretReference::Plain(String::new()) };
    if let SecretReference::Plain(text) = &place.value.0 {
        let authority = text.split_once("://").map(|(_, rest)| rest.split('/').next());
        let user = authority.flatten().and_then(|one| one.rsplit_once('@'));
        if user.is_some_and(|(user, _)| user.contains(':')) {
            problems.push(secret_in_plain(&place.place, "place"));
        }
    }
    place.value.0.clone()
}

/// Reports parameters that the kind does not know or that stand in plain, and those that it lacks.
fn check_parameters(at: &At<SystemDocument>, kind: &str, problems: &mut Vec<Problem>) {
    let known = backup_parameters(kind);
    let given = entries(at.value.parameters.as_ref());
    for entry in given {
        let name = entry.name.value.as_str();
        let declared = known.iter().find(|one| one.name == name);
        if declared.is_none() && !is_variable(name) {
            let message = format!("a store of kind `{kind}` has no parameter `{name}`");
            let help = instead(name, known.iter().map(|one| one.name));
            problems.push(Problem::error(&entry.name.place, message).help(help));
        }
        let SecretReference::Plain(value) = &entry.value.value.0 else { continue };
        // What a kind declares is known for sure.
        let secret = declared
            .map_or_else(|| is_secret_by_name(name) || is_secret_by_value(value), |one| one.secret);
        if secret {
            problems.push(secret_in_plain(&entry.value.place, name));
        }
    }
    let is_there = |name: &str| given.iter().any(|entry| entry.name.value == name);
    for one in known.iter().filter(|one| one.required && !is_there(one.name)) {
        let place: &Place = at.value.parameters.as_ref().map_or(&at.place, |it| &it.place);
        let message = format!("parameter `{}` is missing: {}", one.name, one.about);
        let value = if one.secret { "env:NAME" } else { "…" };
        let help = format!("add `parameters: {{{}: {value}}}`", one.name);
        problems.push(Problem::error(place, message).help(help));
    }
}

/// A name that goes to the store's tool as a variable of its environment.
fn is_variable(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.chars().all(|one| one.is_ascii_uppercase() || one.is_ascii_digit() || one == '_')
}

/// A length of time that does not depend on the calendar and is more than nothing.
pub(super) fn length_of_time(
    entry: &At<RetentionPeriod>,
    problems: &mut Vec<Problem>,
) -> Option<RetentionPeriod> {
    let length = plain(&entry.value);
    if length.is_some_and(|length| length.is_positive()) {
        return Some(entry.value);
    }
    problems.push(
        Problem::error(&entry.place, "this is no length of time").help(
            "write days or hours, such as `P1D` or `PT6H`: months and years differ in length",
        ),
    );
    RetentionPeriod::parse("P1D").ok()
}

fn keeps(document: &KeepsDocument, problems: &mut Vec<Problem>) -> StoreRetention {
    let mut number = |entry: &Option<At<Count>>| {
        let entry = entry.as_ref()?;
        let number = u32::try_from(entry.value.0).ok().filter(|number| *number <= 100_000);
        if number.is_none() {
            problems.push(
                Problem::error(&entry.place, format!("`{}` is too much", entry.value.0))
                    .help("write at most 100000"),
            );
        }
        number
    };
    StoreRetention {
        last: number(&document.last),
        hourly: number(&document.hourly),
        daily: number(&document.daily),
        weekly: number(&document.weekly),
        monthly: number(&document.monthly),
        yearly: number(&document.yearly),
        within: document.within.as_ref().map(|it| it.value.to_string()),
    }
}

/// Reports systems that a store copies and that are not there or hold nothing to copy, and those of
/// which it is said that nobody copies them although a store does. Called once all systems are read.
pub(in crate::config) fn check_copies(drafts: &[SystemDraft<'_>], problems: &mut Vec<Problem>) {
    let mut copied: BTreeMap<&SystemName, &SystemName> = BTreeMap::new();
    for draft in drafts.iter().filter(|draft| draft.model.backup.is_some()) {
        let mut named: BTreeSet<&SystemName> = BTreeSet::new();
        for copy in items(draft.document.copies.as_ref()) {
            if !named.insert(&copy.value) {
                problems.push(
                    Problem::error(&copy.place, format!("`{}` stands here twice", copy.value))
                        .help("remove one of them"),
                );
            }
            copied.insert(&copy.value, &draft.model.name);
            let Some(other) = drafts.iter().find(|one| one.model.name == copy.value) else {
                let databases = drafts.iter().filter(|one| one.model.holds_persons());
                let help =
                    instead(copy.value.as_str(), databases.map(|one| one.model.name.as_str()));
                let message = format!("there is no system `{}`", copy.value);
                problems.push(Problem::error(&copy.place, message).help(help));
                continue;
            };
            if !other.model.is_database() {
                let kind = &other.model.kind;
                let message = format!("`{}` is of kind `{kind}`, which is not copied", copy.value);
                let help = "name databases; what a third party keeps in copies it says itself";
                problems.push(Problem::error(&copy.place, message).help(help));
            }
        }
    }
    for draft in drafts {
        let Some(said) = &draft.document.no_backups else { continue };
        if let Some(store) = copied.get(&draft.model.name) {
            let message = format!("`{store}` copies `{}`", draft.model.name);
            let help = "leave `no_backups` out, or the system out of the store's `copies`";
            problems.push(Problem::error(&said.place, message).help(help));
        }
    }
}
