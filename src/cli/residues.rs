//! `quietus residue`: which files and logs can still hold what was erased, and why they do.

use std::path::Path;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::opening::{BAD, DIM, GOOD, STRONG, WARN, say, with_product};
use super::plan_text::new_table;
use super::{FINE, NOT_DONE};
use crate::app::residue::reading::ResidueFacts;
use crate::app::residue::{FilesSeen, StageSeen};
use crate::app::{AppError, Quietus};

/// See what files and logs of the systems can still hold.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus residue list
  quietus residue list crm
  quietus residue look              look now, for everybody whose time has come")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do about files and logs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the cases that wait for files and logs, since when, and why; 1 where something holds one
    /// back that does not go by itself, or nobody could look.
    #[command(after_help = "Examples:
  quietus residue list
  quietus residue list crm --json")]
    List {
        /// Only this system.
        system: Option<String>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Look at the files and logs of every system for whom it is time, drive what the data map allows,
    /// and certify what is over; 1 where something is left.
    #[command(after_help = "Example:
  quietus residue look              as `quietus run` does by itself")]
    Look,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, folder: &Path) -> u8 {
    with_product(folder, async |product| match &arguments.command {
        Command::List { system, json } => list(product, system.as_deref(), *json).await,
        Command::Look => look(product).await,
    })
    .await
}

async fn look(product: &Quietus) -> Result<u8, AppError> {
    let looked_at = product.look_at_due_files("residue-look").await?;
    product.certify_finished().await?;
    let left = product.residues_left(None).await?.len();
    say(format!("{looked_at} system(s) looked at; {left} case(s) wait for files and logs"));
    Ok(if left == 0 { FINE } else { NOT_DONE })
}

async fn list(product: &Quietus, system: Option<&str>, as_json: bool) -> Result<u8, AppError> {
    let left = product.residues_left(system).await?;
    let alarmed = left.iter().any(|one| one.alarm.is_some());
    if as_json {
        let all: Vec<Value> = left.iter().map(facts_json).collect();
        say(format!("{:#}", json!(all)));
        return Ok(if alarmed { NOT_DONE } else { FINE });
    }
    if left.is_empty() && !product.looks_at_residues() {
        say(format!(
            "{WARN}nobody looks at files and logs{WARN:#}: add `residues` to a database of the data map; see docs/residues.md"
        ));
    } else if left.is_empty() {
        say(format!("{GOOD}no case waits for files and logs{GOOD:#}"));
    } else {
        print(&left, product.zone());
    }
    Ok(if alarmed { NOT_DONE } else { FINE })
}

fn print(left: &[ResidueFacts], zone: &TimeZone) {
    let mut table = new_table(&["system", "case", "erased", "stages", "next look"]);
    for one in left {
        table.add_row([
            one.system.clone(),
            one.case.to_string(),
            moment(one.erased_at, zone),
            stages(&one.seen, zone),
            moment(one.next_at, zone),
        ]);
    }
    say(table);
    let mut told: Vec<(&str, &str)> = Vec::new();
    for one in left {
        let why = one.alarm.as_deref();
        let Some(why) = why.filter(|why| !told.contains(&(one.system.as_str(), why))) else {
            continue;
        };
        told.push((&one.system, why));
        say(format!("{STRONG}{}{STRONG:#}: {BAD}{why}{BAD:#}", one.system));
    }
    if told.is_empty() {
        say(format!("{DIM}all of it goes by itself{DIM:#}"));
    }
}

fn stages(seen: &FilesSeen, zone: &TimeZone) -> String {
    let words = |one: &StageSeen| match (one.gone_at, one.gone_by) {
        (Some(at), _) => format!("{}: gone, seen {}", one.stage, moment(at, zone)),
        (None, Some(by)) => format!("{}: gone by {}", one.stage, moment(by, zone)),
        (None, None) => format!("{}: {}", one.stage, one.why.as_deref().unwrap_or("not known")),
    };
    seen.stages.iter().map(words).collect::<Vec<_>>().join("\n")
}

fn moment(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

fn facts_json(one: &ResidueFacts) -> Value {
    let stages = one.seen.stages.iter().map(|stage| {
        json!({
            "stage": stage.stage,
            "gone_at": stage.gone_at,
            "gone_by": stage.gone_by,
            "why": stage.why,
            "held_since": stage.held_since,
        })
    });
    json!({
        "system": one.system,
        "case": one.case,
        "erased_at": one.erased_at,
        "looked_at": one.seen.looked_at,
        "next_at": one.next_at,
        "alarm": one.alarm,
        "stages": stages.collect::<Vec<_>>(),
    })
}
