//! Third parties of the data map: what a file of each kind has to say, and what it may not.

use std::collections::{BTreeMap, BTreeSet};

use super::backup;
use crate::config::document::SystemDocument;
use crate::config::document::third_party::TaskDocument;
use crate::config::problem::{At, Place, Problem};
use crate::config::read::{entries, items};
use crate::datamap::third_party::MANUAL;
use crate::datamap::{ManualTask, SecretReference, ThirdParty};

/// Entries of a file that only third parties have.
const OF_THIRD_PARTIES: [&str; 7] =
    ["operator", "definition", "parameters", "persons", "task", "mail", "language"];

/// Entries of a file that only databases have.
const OF_DATABASES: [&str; 6] =
    ["collections", "exempt", "zone", "progress_table", "pace", "no_backups"];

/// Whether systems of this kind are asked by the name of a person.
pub(super) fn is_kind(kind: &str) -> bool {
    kind == MANUAL || quietus_connectors::processor_kinds().contains(&kind)
}

/// Reads the part of a third party; `None` for databases. Reports what does not belong to the
/// kind and what it lacks.
pub(super) fn compile(at: &At<SystemDocument>, problems: &mut Vec<Problem>) -> Option<ThirdParty> {
    let document = &at.value;
    let kind = document.kind.as_ref()?.value.0.as_str();
    if backup::is_kind(kind) {
        return None;
    }
    let foreign: &[&str] = if is_kind(kind) { &OF_DATABASES } else { &OF_THIRD_PARTIES };
    let foreign = foreign.iter().chain(&backup::OF_STORES);
    for entry in foreign.filter(|entry| document.gives(entry)) {
        let help = if is_kind(kind) {
            "say under `persons` what it holds and by what it is asked, and leave this out"
        } else {
            "leave this out, or correct the kind"
        };
        let message = format!("a system of kind `{kind}` has no `{entry}`");
        problems.push(Problem::error(&at.place, message).help(help));
    }
    if !is_kind(kind) {
        return None;
    }
    check_entries(at, kind, problems);
    check_callback_url(at, kind, problems);
    let connection = document.connection.as_ref().map(|it| &it.value);
    let text = |entry: &Option<At<crate::config::leaf::Words>>| {
        entry.as_ref().map(|it| it.value.0.clone()).unwrap_or_default()
    };
    let persons = document.persons.as_ref().map(|it| &it.value);
    let task = document.task.as_ref().and_then(|it| {
        Some(ManualTask {
            instructions: it.value.instructions.as_ref()?.value.0.clone(),
            due_in: it.value.due_in.as_ref()?.value,
            assignee: it.value.assignee.as_ref()?.value.0.clone(),
            mail: it.value.mail.as_ref().map(|it| it.value.0.clone()),
            language: it.value.language.as_ref().map(|it| it.value.0.clone()),
            confirmer: confirmer(&it.value, problems),
        })
    });
    let trust = connection.and_then(|it| it.trust.as_ref()).and_then(|it| match &it.value.0 {
        SecretReference::File(path) => Some(path.clone()),
        SecretReference::Environment(_) | SecretReference::Plain(_) => {
            problems.push(
                Problem::error(&it.place, "certificates are read from a file")
                    .help("write `file:` and a path, such as `file:certificates/processor.pem`"),
            );
            None
        }
    });
    Some(ThirdParty {
        operator: text(&document.operator),
        address: connection.and_then(|it| it.url.as_ref()).map(|it| it.value.0.clone()),
        trust,
        private_hosts: items(connection.and_then(|it| it.private_hosts.as_ref()))
            .iter()
            .map(|it| it.value.0.clone())
            .collect(),
        definition: document.definition.as_ref().map(|it| it.value.0.clone()),
        // Definitions are read after all systems.
        definition_text: None,
        parameters: parameters(document, kind, problems),
        categories: items(persons.and_then(|it| it.categories.as_ref()))
            .iter()
            .map(|it| it.value.clone())
            .collect(),
        identities: items(persons.and_then(|it| it.identities.as_ref()))
            .iter()
            .map(|it| it.value.0.clone())
            .collect::<BTreeSet<_>>(),
        answers_within: persons.and_then(|it| it.answers_within.as_ref()).map(|it| it.value),
        task,
        mail: document.mail.as_ref().map(|it| it.value.0.clone()),
        language: document.language.as_ref().map(|it| it.value.0.clone()),
    })
}

/// Who confirms a task, who is not who does it.
fn confirmer(task: &TaskDocument, problems: &mut Vec<Problem>) -> Option<String> {
    let confirmer = task.confirmer.as_ref()?;
    let plain = |text: &str| text.trim().to_lowercase();
    let does_it = task.assignee.as_ref().map(|it| plain(&it.value.0));
    if does_it == Some(plain(&confirmer.value.0)) {
        problems.push(
            Problem::error(&confirmer.place, "who does a task cannot confirm it")
                .help("name a second person, or leave `confirmer` out"),
        );
    }
    Some(confirmer.value.0.clone())
}

/// Reports entries that a kind needs or has no use for.
fn check_entries(at: &At<SystemDocument>, kind: &str, problems: &mut Vec<Problem>) {
    let document = &at.value;
    let mut missing = |entry: &str, help: &str| {
        if !document.gives(entry) {
            let message = format!("`{entry}` is missing");
            problems.push(Problem::error(&at.place, message).help(help));
        }
    };
    missing("operator", "add `operator: …`, the third party's name as letters say it");
    missing("persons", "add `persons: {categories: […], identities: […]}`");
    match kind {
        MANUAL => missing("task", "add `task: {instructions: …, due_in: P10D, assignee: …}`"),
        "processor" => missing("definition", "add `definition:` and a name or `./path.yaml`"),
        _ => {}
    }
    let address = document.connection.as_ref().is_some_and(|it| it.value.gives("url"));
    if matches!(kind, "opendsr" | "own") && !address {
        problems.push(
            Problem::error(&at.place, format!("a system of kind `{kind}` has an address"))
                .help("add `connection: {url: https://…}`, `env:NAME` or `file:PATH`"),
        );
    }
    let useless: &[&str] = match kind {
        MANUAL => &["connection", "definition", "parameters"],
        "processor" => &["task"],
        _ => &["task", "definition"],
    };
    for entry in useless.iter().filter(|entry| document.gives(entry)) {
        let message = format!("a system of kind `{kind}` has no `{entry}`");
        problems.push(Problem::error(&at.place, message).help("leave this out"));
    }
    if let Some(persons) = &document.persons {
        let empty = [
            (
                "categories",
                persons.value.categories.as_ref().is_some_and(|it| it.value.0.is_empty()),
            ),
            (
                "identities",
                persons.value.identities.as_ref().is_some_and(|it| it.value.0.is_empty()),
            ),
        ];
        for (entry, _) in empty.iter().filter(|(_, empty)| *empty) {
            problems.push(
                Problem::error(&persons.place, format!("`{entry}` is empty"))
                    .help("name at least one; a system that holds nobody's data needs no file"),
            );
        }
    }
}

fn parameters(
    document: &SystemDocument,
    kind: &str,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, SecretReference> {
    let mut found = BTreeMap::new();
    for entry in entries(document.parameters.as_ref()) {
        let (name, reference) = (&entry.name.value, &entry.value.value.0);
        // What a definition declares is known for sure, and looked at with the definition.
        if let SecretReference::Plain(value) = reference
            && kind != "processor"
            && (is_secret_by_name(name) || is_secret_by_value(value))
        {
            problems.push(secret_in_plain(&entry.value.place, name));
        }
        found.insert(name.clone(), reference.clone());
    }
    found
}

/// Where a system that speaks OpenDSR calls us back, after scheme and host.
const CALLBACKS: &str = "/opendsr/callbacks/";

/// Reports an address to call back at which nobody would hear.
fn check_callback_url(at: &At<SystemDocument>, kind: &str, problems: &mut Vec<Problem>) {
    let system = at.value.system.as_ref().map(|it| it.value.as_str()).unwrap_or_default();
    let given = entries(at.value.parameters.as_ref());
    let Some(entry) = given.iter().find(|it| kind == "opendsr" && it.name.value == "callback_url")
    else {
        return;
    };
    let SecretReference::Plain(url) = &entry.value.value.0 else { return };
    let host = url.strip_prefix("https://").and_then(|rest| rest.split_once('/'));
    let heard = host.is_some_and(|(host, _)| {
        !host.is_empty() && url.as_str() == format!("https://{host}{CALLBACKS}{system}")
    });
    if !heard {
        problems.push(
            Problem::error(&entry.value.place, "nobody would hear a callback at this address")
                .help(format!("callbacks of this system are heard at `https://HOST{CALLBACKS}{system}`, HOST being where this instance is reached")),
        );
    }
}

/// A secret that stands in a file that everybody reads.
pub(in crate::config) fn secret_in_plain(place: &Place, name: &str) -> Problem {
    Problem::error(place, format!("the secret `{name}` stands here in plain"))
        .help("write `env:NAME`, or `file:PATH` of a file that only its owner may read; then change the secret, it has been in this file")
        .secret()
}

/// Whether a parameter sounds like a secret.
pub(in crate::config) fn is_secret_by_name(name: &str) -> bool {
    let name = name.to_lowercase();
    let words = ["secret", "token", "password", "passphrase", "credential", "private", "signature"];
    let parts: Vec<&str> = name.split(['_', '-', '.']).collect();
    words.iter().any(|word| name.contains(word))
        || parts.contains(&"key")
        || name.ends_with("apikey")
}

/// Whether a value begins as secrets do.
pub(in crate::config) fn is_secret_by_value(value: &str) -> bool {
    let begins = ["bearer ", "basic ", "sk_", "rk_", "pat-", "xoxb-", "-----begin"];
    begins.iter().any(|begin| value.to_lowercase().starts_with(begin))
}

/// Whether an address fits a third party.
pub(super) fn check_address(place: &Place, url: &SecretReference, problems: &mut Vec<Problem>) {
    let SecretReference::Plain(url) = url else { return };
    if !url.starts_with("https://") && !url.starts_with("http://") {
        problems.push(
            Problem::error(place, "this is no address of a third party")
                .help("it begins with `https://`"),
        );
    }
}
