//! `quietus house`: what Quietus itself keeps, what of it is about people, and when it goes.

use std::path::Path;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::opening::{BAD, GOOD, STRONG, WARN, say, with_product};
use super::plan_text::new_table;
use super::{FINE, NOT_DONE};
use crate::app::own_records::KeptNow;
use crate::app::{AppError, Quietus};
use crate::config::folder_of_both;
use crate::datamap::house::{KeptIn, Personal, Until};

/// See what Quietus itself keeps, and when it goes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus house list
  quietus plan --schedule quietus         what of it would go now
  quietus run --once --schedule quietus   let it go now, with a certificate")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do about our own house.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List every table, file and key that Quietus keeps: what it holds, what of it is about people,
    /// how many there are and when they go; 1 where something should have gone and has not.
    #[command(after_help = "Examples:
  quietus house list
  quietus house list --personal           only what is about people
  quietus house list --json               everything, with why and by what proof")]
    List {
        /// Only what is about people.
        #[arg(long)]
        personal: bool,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub async fn run(arguments: &Arguments, folder: &Path) -> u8 {
    with_product(folder, async |product| match &arguments.command {
        Command::List { personal, json } => list(product, *personal, *json).await,
    })
    .await
}

async fn list(product: &Quietus, personal: bool, as_json: bool) -> Result<u8, AppError> {
    let mut all = product.own_house().await?;
    all.retain(|one| !personal || one.kept.personal != Personal::None);
    let code = if all.iter().any(|one| one.overdue) { NOT_DONE } else { FINE };
    if as_json {
        let all: Vec<Value> = all.iter().map(facts_json).collect();
        say(format!("{:#}", json!(all)));
        return Ok(code);
    }
    for place in [KeptIn::Store, KeptIn::Keys, KeptIn::Files, KeptIn::Process, KeptIn::Systems] {
        let there: Vec<&KeptNow> = all.iter().filter(|one| one.kept.place == place).collect();
        if !there.is_empty() {
            print(place, &there, product.zone());
        }
    }
    for one in all.iter().filter(|one| one.overdue) {
        let since = one.goes_from.map(|at| day(at, product.zone())).unwrap_or_default();
        say(format!(
            "{BAD}{} should have gone since {since}{BAD:#}: see `quietus status`, `quietus hold list` and whether the schedule `quietus` is paused",
            one.kept.name
        ));
    }
    if code == FINE {
        say(format!("{GOOD}nothing of it is overdue{GOOD:#}"));
    }
    if let Some(folder) = folder_of_both(&product.instance) {
        say(format!(
            "{WARN}a copy of `{}` holds the database and the keys{WARN:#}, and with both what was shredded can be read: leave the keys folder out of copies, or move it (`keys: …`)",
            folder.display()
        ));
    }
    Ok(code)
}

fn print(place: KeptIn, there: &[&KeptNow], zone: &TimeZone) {
    let title = match place {
        KeptIn::Store => "Tables of the database",
        KeptIn::Keys => "Keys, outside of the database",
        KeptIn::Files => "Files",
        KeptIn::Process => "What the process writes and shows",
        KeptIn::Systems => "In connected systems",
    };
    say(format!("{STRONG}{title}{STRONG:#}"));
    let mut table = new_table(&["name", "what it holds", "about people", "rows", "oldest", "goes"]);
    for one in there {
        table.add_row([
            one.kept.name.to_owned(),
            one.kept.holds.to_owned(),
            about(one.kept.personal).to_owned(),
            one.rows.map_or_else(|| "-".to_owned(), |rows| rows.to_string()),
            one.oldest.map_or_else(|| "-".to_owned(), |at| day(at, zone)),
            goes(one, zone),
        ]);
    }
    say(table);
}

fn about(personal: Personal) -> &'static str {
    match personal {
        Personal::None => "nothing",
        Personal::Staff => "who acted for the controller",
        Personal::Tokens => "keyed digests",
        Personal::Sealed => "sealed",
    }
}

fn goes(one: &KeptNow, zone: &TimeZone) -> String {
    let period = one.period.map(|period| period.to_string()).unwrap_or_default();
    match one.kept.until {
        Until::Rule { from, .. } => {
            let first = one.goes_from.map(|at| format!("; the first on {}", day(at, zone)));
            format!("{period} after {from}{}", first.unwrap_or_default())
        }
        Until::Shredded => format!("what it says is shredded {period} after the end of its case"),
        Until::Served(until) => until.to_owned(),
        Until::Stays(why) => format!("stays: {why}"),
    }
}

fn day(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d").to_string()
}

fn facts_json(one: &KeptNow) -> Value {
    let (until, words) = match one.kept.until {
        Until::Rule { from, .. } => ("rule", from),
        Until::Shredded => ("shredded", "the end of its case"),
        Until::Served(words) => ("served", words),
        Until::Stays(words) => ("stays", words),
    };
    json!({
        "name": one.kept.name,
        "place": one.kept.place.as_str(),
        "holds": one.kept.holds,
        "personal": one.kept.personal.as_str(),
        "why": one.kept.why,
        "proof": one.kept.proof,
        "until": until,
        "until_words": words,
        "period": one.period.map(|period| period.to_string()),
        "rows": one.rows,
        "oldest": one.oldest,
        "goes_from": one.goes_from,
        "overdue": one.overdue,
    })
}
