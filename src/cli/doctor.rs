//! `quietus doctor`: what is wrong, since when, and what to do about it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anstyle::Style;
use clap::Args;
use serde_json::json;

use super::opening::{BAD, DIM, GOOD, STRONG, WARN, complain, load, number, say};
use super::{FINE, NOT_DONE, WRONG_INPUT};
use crate::app::Opening;
use crate::app::doctor::{
    Area, Diagnosis, Finding, MOST_FINDINGS, Manner, Mark, examine, examine_files,
};
use crate::config::{self, INSTANCE_FILE, Process};
use crate::telemetry::{SystemClock, SystemIds};

/// Say what is wrong with the instance, since when, and what to do about it. Changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus doctor                 everything, with the commands that mend it
  quietus doctor --offline       without asking connected systems and stores of copies
  quietus doctor --overdue       also count in each database what should have gone
  quietus doctor --json          for machines

Exit code 0 where nothing is wrong (somebody may still have to look at something), 1 where something
is. Nothing is changed: not even a database that is missing is created. Capital letters in a command,
such as NAME and WHY, stand for what only you know.")]
pub struct DoctorArguments {
    /// Ask no connected system and no store of copies.
    #[arg(long)]
    pub offline: bool,
    /// Count in each database what should have gone by the latest run, and for how long it has been
    /// overdue; that is as much work for a database as several plans.
    #[arg(long, conflicts_with = "offline")]
    pub overdue: bool,
    /// How long to wait for one system, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=600))]
    pub within: u64,
    /// How many findings of an area to show.
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=MOST_FINDINGS as u64))]
    pub limit: u64,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub async fn run(arguments: &DoctorArguments, folder: &Path) -> u8 {
    let manner = Manner {
        offline: arguments.offline,
        overdue: arguments.overdue,
        patience: Duration::from_secs(arguments.within),
        most: usize::try_from(arguments.limit).unwrap_or(MOST_FINDINGS),
    };
    let file = if folder.is_dir() { folder.join(INSTANCE_FILE) } else { folder.to_owned() };
    if !file.is_file() {
        // There is no instance to look at: what is wrong is the folder that was named.
        return load(folder).map_or_else(|code| code, |_| WRONG_INPUT);
    }
    let process = match Process::from_environment() {
        Ok(process) => process,
        Err(problem) => {
            complain(&problem);
            return WRONG_INPUT;
        }
    };
    let clock = Arc::new(SystemClock);
    let diagnosis = match config::load(folder) {
        Ok(loaded) => {
            let opening = Opening { loaded, process, clock, ids: Arc::new(SystemIds) };
            Box::pin(examine(opening, manner)).await
        }
        Err(problems) => examine_files(&problems, &*clock, manner),
    };
    let place = Place::of(folder);
    if arguments.json {
        say(format!("{:#}", as_json(&diagnosis, &place)));
    } else {
        print(&diagnosis, &place);
    }
    if diagnosis.wrong > 0 { NOT_DONE } else { FINE }
}

/// Where commands have to be run, so that they can be pasted anywhere.
struct Place(Option<String>);

impl Place {
    fn of(folder: &Path) -> Self {
        let named = folder != Path::new(".");
        let folder = folder.display().to_string();
        let plain = |one: char| one.is_ascii_alphanumeric() || "/._-".contains(one);
        let quoted = if folder.chars().all(plain) {
            folder
        } else {
            format!("'{}'", folder.replace('\'', r"'\''"))
        };
        Self(named.then_some(quoted))
    }

    /// A command of ours with its folder; others as they are.
    fn command(&self, command: &str) -> String {
        match (&self.0, command.strip_prefix("quietus ")) {
            (Some(folder), Some(rest)) => format!("quietus --dir {folder} {rest}"),
            _ => command.to_owned(),
        }
    }
}

fn as_json(diagnosis: &Diagnosis, place: &Place) -> serde_json::Value {
    let mut whole = json!(diagnosis);
    let areas = whole["areas"].as_array_mut().into_iter().flatten();
    let findings = areas.filter_map(|area| area["findings"].as_array_mut()).flatten();
    let commands = findings.filter_map(|finding| finding["commands"].as_array_mut()).flatten();
    for command in commands {
        *command = json!(place.command(command.as_str().unwrap_or_default()));
    }
    whole
}

fn style_of(mark: Mark) -> Style {
    match mark {
        Mark::Wrong => BAD,
        Mark::Look => WARN,
        Mark::Well => GOOD,
    }
}

fn print(diagnosis: &Diagnosis, place: &Place) {
    for area in &diagnosis.areas {
        print_area(area, place);
    }
    let (wrong, look) = (number(diagnosis.wrong), number(diagnosis.look));
    match (diagnosis.wrong, diagnosis.look) {
        (0, 0) => say(format!("{GOOD}all is well{GOOD:#}")),
        (0, _) => say(format!("{GOOD}nothing is wrong{GOOD:#}; {WARN}{look} to look at{WARN:#}")),
        (_, 0) => say(format!("{BAD}{wrong} wrong{BAD:#}")),
        _ => say(format!("{BAD}{wrong} wrong{BAD:#}, {WARN}{look} to look at{WARN:#}")),
    }
}

fn print_area(area: &Area, place: &Place) {
    for finding in &area.findings {
        print_finding(area.name, finding, place);
    }
    if area.more > 0 {
        say(format!("       {DIM}{}: and {} more{DIM:#}", area.name, number(area.more)));
    }
}

fn print_finding(area: &str, finding: &Finding, place: &Place) {
    let style = style_of(finding.mark);
    let since = finding.since.map(|at| format!(" {DIM}(since {at:.0}){DIM:#}")).unwrap_or_default();
    // Where a matter is the area itself, its name stands once.
    let area = if finding.place == area { String::new() } else { format!("{area}: ") };
    say(format!(
        "{style}{:<5}{style:#}  {area}{STRONG}{}{STRONG:#}: {}{since}",
        finding.mark.as_str(),
        finding.place,
        finding.what
    ));
    if let Some(advice) = &finding.advice {
        say(format!("         {advice}"));
    }
    for command in &finding.commands {
        say(format!("           {}", place.command(command)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_pasted_from_anywhere() {
        let here = Place::of(Path::new("."));
        assert_eq!(here.command("quietus status"), "quietus status");
        let there = Place::of(Path::new("/srv/my company"));
        assert_eq!(there.command("quietus status"), "quietus --dir '/srv/my company' status");
        assert_eq!(there.command("chmod 600 key"), "chmod 600 key");
    }
}
