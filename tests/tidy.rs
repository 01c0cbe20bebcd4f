//! The house keeps itself tidy: import table, size caps, bans and module docs, checked as text.
//!
//! Counterpart of the table in `docs/architecture.md`; change both together.

#![expect(clippy::unwrap_used, reason = "a test may stop where the repository cannot be read")]

use std::fs;
use std::path::{Path, PathBuf};

/// Lines in a file of ours.
const MOST_LINES_IN_A_FILE: usize = 500;

/// Which rooms a room may name. `connectors` is the contract's crate, `verify` the one that checks
/// evidence. A room may always name itself.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &["connectors", "verify"]),
    ("schedule", &["domain", "connectors"]),
    ("datamap", &["domain", "connectors"]),
    ("plan", &["domain", "schedule", "datamap", "connectors"]),
    ("rights", &["domain"]),
    ("evidence", &["domain", "verify"]),
    ("store", &["domain", "evidence"]),
    // A room of its own, because connectors speak to systems that hold data, by an order; this
    // speaks to whoever is told of it, and knows no order.
    ("mail", &["domain"]),
    ("pkcs11", &["domain"]),
    (
        "app",
        &[
            "domain",
            "schedule",
            "datamap",
            "plan",
            "rights",
            "evidence",
            "store",
            "mail",
            "pkcs11",
            "connectors",
            "config",
        ],
    ),
    ("worker", &["app", "domain"]),
    ("ticker", &["app", "domain"]),
    ("http", &["app", "domain"]),
    // A process of its own on somebody else's machine: it knows no instance. Of `http` it has the
    // bounded connections.
    ("witness", &["domain", "evidence", "config", "http"]),
];

/// Words that only some rooms may use: what a word gives access to, and who has it.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("sqlx::", &["src/store/", "connectors/", "tests/"]),
    ("reqwest::", &["connectors/", "tests/"]),
    ("lettre::", &["src/mail/"]),
    ("cryptoki::", &["src/pkcs11/"]),
    ("opentelemetry", &["src/telemetry/"]),
    ("tokio_cron_scheduler", &["src/ticker/"]),
    (
        "std::env::var",
        &[
            "src/config/",
            "verify/src/main.rs",
            "tests/",
            "connectors/tests/",
            "connectors/benches/",
        ],
    ),
    ("SystemTime::now", &["src/telemetry/", "verify/src/main.rs"]),
    // A store of objects refuses what was not signed by its own clock.
    ("Timestamp::now", &["src/telemetry/", "connectors/tests/objects/"]),
    ("Uuid::now_v7", &["src/telemetry/"]),
];

const BANNED: &[&str] = &["todo!(", "unimplemented!(", "dbg!(", "#[ignore", "#![allow", "FIXME"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                rust_files(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Path below the root, with `/`, and the text, of each Rust file of the repository.
fn sources() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for folder in ["src", "connectors", "verify", "tests"] {
        rust_files(&root().join(folder), &mut files);
    }
    files.sort();
    assert!(files.len() > 20, "the tidy test found only {} files", files.len());
    files
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(root()).unwrap();
            let text = fs::read_to_string(&path).unwrap();
            (name.to_string_lossy().replace('\\', "/"), text)
        })
        .collect()
}

/// The lines of a file before its own unit tests, without comments.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number + 1, line))
}

fn complain(problems: &[String]) {
    assert!(problems.is_empty(), "{} problem(s):\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn rooms_use_only_what_the_import_table_allows() {
    let rooms: Vec<&str> = MAY_USE.iter().map(|(room, _)| *room).collect();
    let mut problems = Vec::new();
    for (name, text) in sources() {
        let Some(room) = name.strip_prefix("src/").and_then(|rest| rest.split('/').next()) else {
            continue;
        };
        let Some((_, allowed)) = MAY_USE.iter().find(|(one, _)| *one == room) else { continue };
        for (number, line) in code_lines(&text) {
            for other in rooms.iter().chain(&["config", "telemetry", "cli"]) {
                let names_it = line.contains(&format!("crate::{other}::"))
                    || line.contains(&format!("crate::{other};"));
                if names_it && *other != room && !allowed.contains(other) {
                    problems.push(format!("{name}:{number}: `{room}` may not use `{other}`"));
                }
            }
            if line.contains("quietus_connectors") && !allowed.contains(&"connectors") {
                problems.push(format!("{name}:{number}: `{room}` may not use the connectors"));
            }
            // The other rooms see its words through `domain` and `evidence`.
            if line.contains("quietus_verify") && !allowed.contains(&"verify") {
                problems.push(format!("{name}:{number}: `{room}` may not use the verifier"));
            }
        }
    }
    complain(&problems);
}

#[test]
fn connectors_and_the_verifier_do_not_know_the_product() {
    for member in ["connectors", "verify"] {
        let manifest = root().join(member).join("Cargo.toml");
        let manifest = fs::read_to_string(manifest).expect("readable manifest");
        assert!(!manifest.contains("quietus = "), "`{member}` must not depend on quietus");
    }
}

#[test]
fn words_stay_in_their_rooms() {
    let mut problems = Vec::new();
    for (name, text) in sources() {
        if name.starts_with("tests/") {
            continue;
        }
        for (number, line) in code_lines(&text) {
            for (word, places) in ONLY_IN {
                if line.contains(word) && !places.iter().any(|place| name.starts_with(place)) {
                    problems.push(format!("{name}:{number}: `{word}` belongs to {places:?}"));
                }
            }
        }
    }
    complain(&problems);
}

#[test]
fn files_stay_short_documented_and_finished() {
    let mut problems = Vec::new();
    for (name, text) in sources() {
        let lines = text.lines().count();
        if lines > MOST_LINES_IN_A_FILE {
            problems.push(format!("{name}: {lines} lines; split it by noun"));
        }
        if !text.starts_with("//!") {
            problems.push(format!("{name}: begin with `//!` and say what the file is for"));
        }
        if name != "tests/tidy.rs" {
            for banned in BANNED {
                if text.contains(banned) {
                    problems.push(format!("{name}: `{banned}` is banned"));
                }
            }
        }
    }
    complain(&problems);
}

#[test]
fn no_room_is_called_by_an_empty_word() {
    let mut problems = Vec::new();
    for (name, _) in sources() {
        for empty in ["util", "common", "helper", "types", "models", "manager", "misc"] {
            let stem = name.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
            if stem.contains(empty) {
                problems.push(format!("{name}: `{empty}` says nothing"));
            }
        }
    }
    complain(&problems);
}

#[test]
fn migrations_come_in_pairs() {
    let names = |database: &str| {
        let mut names: Vec<String> = fs::read_dir(root().join("migrations").join(database))
            .expect("a folder of migrations")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("sqlite"), names("postgres"));
    assert!(!names("sqlite").is_empty());
}

/// A threat that no test tries any more would still be thought to be tried.
#[test]
fn tests_that_the_threats_name_are_there() {
    let page = fs::read_to_string(root().join("docs/threats.md")).expect("readable page");
    let all = sources();
    let mut problems = Vec::new();
    let mut named = 0;
    for row in page.lines().filter(|line| line.starts_with("| T")) {
        let words = row.split('`').skip(1).step_by(2).filter(|word| word.contains("::"));
        for word in words {
            named += 1;
            let function = word.rsplit("::").next().unwrap_or_default();
            let there = |text: &str| text.contains(&format!("fn {function}("));
            if !all.iter().any(|(_, text)| there(text)) {
                problems.push(format!("docs/threats.md: there is no test `{word}`"));
            }
        }
    }
    assert!(named >= 30, "only {named} tests are named");
    complain(&problems);
}
