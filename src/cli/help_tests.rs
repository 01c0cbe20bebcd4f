//! Every page of help has examples, and every example can be typed as it stands.

use clap::CommandFactory as _;

use super::*;

/// Stands in for identifiers that examples shorten.
const IDENTIFIER: &str = "01934f5e-8a3b-7c4d-9e2f-0123456789ab";

fn pages(command: &clap::Command, found: &mut Vec<(String, String)>) {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    found.push((command.get_name().to_owned(), help));
    for inner in command.get_subcommands() {
        pages(inner, found);
    }
}

/// The words of an example: up to a comment (two spaces or more), a redirection or a bracket.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for one in line.trim().chars() {
        match one {
            '"' => quoted = !quoted,
            ' ' if !quoted && words.last().is_some_and(String::is_empty) => break,
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().unwrap().push(one),
        }
    }
    let end = words.iter().position(|word| word == ">").unwrap_or(words.len());
    words.truncate(end);
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn every_page_has_examples_that_can_be_typed() {
    Arguments::command().debug_assert();
    let mut found = Vec::new();
    pages(&Arguments::command(), &mut found);
    assert!(found.len() > 20, "{} pages", found.len());
    let mut typed = 0;
    for (name, help) in found {
        assert!(help.starts_with("Example"), "`{name} --help` has no example");
        for line in help.lines().filter(|line| line.trim_start().starts_with("quietus ")) {
            let line =
                line.replace("0198…", IDENTIFIER).replace(" CASE", &format!(" {IDENTIFIER}"));
            let read = Arguments::try_parse_from(words(&line));
            assert!(read.is_ok(), "`{name} --help`: `{line}`: {}", read.unwrap_err());
            typed += 1;
        }
    }
    assert!(typed > 40, "{typed} examples");
}

/// A folder as `init` writes it, with another store.
fn folder_with_store(store: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_owned();
    assert_eq!(init::run(&init::InitArgs { dir }, &mut Vec::new()).unwrap(), FINE);
    let file = folder.path().join("quietus.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("store: sqlite:quietus.db"), "{text}");
    std::fs::write(&file, text.replace("store: sqlite:quietus.db", &format!("store: {store}")))
        .unwrap();
    folder
}

#[tokio::test]
async fn a_store_that_is_not_named_right_is_wrong_input_and_one_that_is_not_there_is_not_done() {
    for (store, code) in [
        ("env:QUIETUS_TEST_NO_SUCH_VARIABLE", WRONG_INPUT),
        ("file:secrets/nothing", WRONG_INPUT),
        ("sqlite:no/such/folder/quietus.db", NOT_DONE),
        ("sqlite:quietus.db", FINE),
    ] {
        let folder = folder_with_store(store);
        let dir = folder.path().to_string_lossy().into_owned();
        let read = Arguments::try_parse_from(["quietus", "--dir", &dir, "status"]).unwrap();
        assert_eq!(Box::pin(dispatch(&read)).await, code, "{store}");
    }
}

/// What a refusal says, with its exit code.
fn refusal(arguments: &[&str]) -> String {
    let error = Arguments::try_parse_from(arguments).unwrap_err();
    assert_eq!(error.exit_code(), i32::from(WRONG_INPUT));
    error.to_string()
}

#[test]
fn remarks_that_identify_a_person_are_refused_and_not_repeated() {
    let hold = ["quietus", "hold", "place"];
    let everything = ["--everything", "--reason", "lawsuit"];
    let person = "anna@mail.example";
    let matter = refusal(&[&hold[..], &[person], &everything].concat());
    assert!(matter.starts_with("error: the matter holds"), "{matter}");
    let by = refusal(&[&hold[..], &["LIT-7"], &everything, &["--by", person]].concat());
    assert!(by.starts_with("error: `--by` (or `QUIETUS_BY`) holds"), "{by}");
    for told in [matter, by] {
        assert!(told.contains("ticket or file number") && !told.contains("anna"), "{told}");
    }
    for command in ["approve", "cancel"] {
        let told =
            refusal(&["quietus", command, IDENTIFIER, "--by", "x", "--reason", "+49 170 1234567"]);
        assert!(told.contains("`--reason` holds") && !told.contains("170"), "{told}");
    }
    refusal(&["quietus", "pause", "everything", "--reason", "DE89370400440532013000"]);
    for command in [
        &["pause", "everything", "--reason", "x"][..],
        &["resume", "everything"],
        &["retry"],
        &["hold", "release", "LIT-7"],
        &["event", "customer.left", "4711"],
    ] {
        let told = refusal(&[&["quietus"], command, &["--by", person]].concat());
        assert!(told.contains("`--by`") && !told.contains("anna"), "{told}");
    }
}

#[tokio::test]
async fn a_run_is_refused_under_the_address_of_a_person() {
    let folder = folder_with_store("sqlite:quietus.db");
    let dir = folder.path();
    let read = Arguments::try_parse_from([
        "quietus",
        "--dir",
        &dir.to_string_lossy(),
        "run",
        "--once",
        "--by",
        "anna@mail.example",
    ]);
    assert_eq!(Box::pin(dispatch(&read.unwrap())).await, WRONG_INPUT);
    assert!(!dir.join("quietus.db").exists(), "nothing was opened");
}
