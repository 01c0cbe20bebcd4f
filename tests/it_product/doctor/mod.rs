//! The doctor: what is wrong is said with its place and its command, and the command, pasted into a
//! shell, mends it. Looking changes nothing.

mod ground;
mod overdue;
mod people;
mod promises;
mod read_only;
mod retried;
mod sick;
mod silent;

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::company::{Company, Ended, ended, until};

/// What the doctor says, as JSON, with this exit code.
pub async fn examined(company: &Company, code: i32) -> Value {
    company.quietus(&["doctor", "--json"]).await.expect(code).json()
}

/// The findings of an area.
pub fn findings(diagnosis: &Value, area: &str) -> Vec<Value> {
    let areas = diagnosis["areas"].as_array().unwrap();
    let found = areas.iter().find(|one| one["name"] == area);
    let found = found.unwrap_or_else(|| panic!("no area `{area}` in\n{diagnosis:#}"));
    let findings = found["findings"].as_array().unwrap().clone();
    for one in findings.iter().filter(|one| one["mark"] != "well") {
        assert!(one["kind"].is_string(), "say of what kind it is (`AlarmKind`): {one:#}");
    }
    findings
}

/// The one finding of an area, with this mark, of which these words are said.
pub fn finding(diagnosis: &Value, area: &str, mark: &str, words: &str) -> Value {
    let found = findings(diagnosis, area);
    let is_it = |one: &&Value| {
        let said = format!("{}: {}", one["place"].as_str().unwrap(), one["what"].as_str().unwrap());
        one["mark"] == mark && said.contains(words)
    };
    let said: Vec<&Value> = found.iter().filter(is_it).collect();
    assert_eq!(said.len(), 1, "`{mark}` `{words}` in\n{found:#?}");
    said[0].clone()
}

/// Whether nothing of an area is wrong, and nothing to look at.
pub fn is_well(diagnosis: &Value, area: &str) -> bool {
    findings(diagnosis, area).iter().all(|one| one["mark"] == "well")
}

/// The commands of a finding.
pub fn commands(finding: &Value) -> Vec<String> {
    let commands = finding["commands"].as_array().unwrap();
    commands.iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

/// A printed command as a shell carries it out, with what only people know put in.
fn shell(command: &str) -> tokio::process::Command {
    let folder = Path::new(env!("CARGO_BIN_EXE_quietus")).parent().unwrap();
    let known = command.replace("NAME", "'Grace Example'").replace("WHY", "'checked, OPS-7'");
    let mut shell = tokio::process::Command::new("sh");
    shell
        .env_clear()
        .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", folder.display()))
        .args(["-c", &format!("exec {known}")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    shell
}

/// Pastes a printed command into a shell.
pub async fn pasted(command: &str) -> Ended {
    ended(shell(command)).await
}

/// Pastes the command that goes on for ever, and stops it once these areas are well.
pub async fn pasted_until_well(company: &Company, command: &str, areas: &[&str]) {
    let mut running = shell(command).spawn().unwrap();
    until(&format!("{areas:?} are well"), 90, async || {
        let said = company.quietus(&["doctor", "--json", "--offline"]).await.json();
        areas.iter().all(|area| is_well(&said, area)).then_some(())
    })
    .await;
    running.kill().await.unwrap();
}

/// What people see, with identifiers, moments and folders that differ each time taken out.
pub fn masked(company: &Company, out: &str) -> String {
    let out = out.replace(&company.folder().display().to_string(), "FOLDER");
    let parts =
        out.split_inclusive(|one: char| !one.is_ascii_alphanumeric() && !"-:.".contains(one));
    let mask = |part: &str| {
        let end = part.len() - part.chars().last().map_or(0, char::len_utf8);
        let word = part[..end].trim_end_matches(['.', ':']);
        let rest = &part[word.len()..];
        if uuid::Uuid::try_parse(word).is_ok() && word.len() == 36 {
            format!("ID{rest}")
        } else if word.parse::<jiff::Timestamp>().is_ok() {
            format!("MOMENT{rest}")
        } else if word.len() == 12 && word.chars().all(|one| one.is_ascii_hexdigit()) {
            format!("DIGEST{rest}")
        } else {
            part.to_owned()
        }
    };
    let masked: String = parts.map(mask).collect();
    let lines = masked.lines().map(|line| match line.split_once(", schema ") {
        Some((before, _)) => format!("{before}, schema NUMBER"),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}
