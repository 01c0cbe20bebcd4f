//! `quietus backup`: what the stores of copies have, and until when copies can hold what was erased.

use std::path::Path;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use quietus_connectors::CopyKind;
use serde_json::{Value, json};

use super::opening::{BAD, DIM, GOOD, STRONG, WARN, read_moment, say, with_product};
use super::plan_text::new_table;
use super::{FINE, NOT_DONE, inside};
use crate::app::backup::Seen;
use crate::app::backup::reading::{CopyFacts, StoreHorizon, StoreReport};
use crate::app::{AppError, Quietus};

/// See copies for recovery, and erase somebody's files inside of them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus backup list
  quietus backup list vault
  quietus backup horizon crm --at 2026-11-29T14:00
  quietus backup inside attic --request 0198…
  quietus connector test vault      reach, credentials, and whether old copies go")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do about copies.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the copies of every store, or of one: when each was taken, when it ends, and what keeps
    /// it; 1 where a store cannot be listed, its old copies do not go, or it takes no new ones.
    #[command(after_help = "Examples:
  quietus backup list
  quietus backup list vault --json")]
    List {
        /// Only this store.
        store: Option<String>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say for something that was erased in a system which copies can hold it and by when the last
    /// of them is gone; 1 where no day can be promised.
    #[command(after_help = "Examples:
  quietus backup horizon crm
  quietus backup horizon crm --at 2026-11-29T14:00 --json")]
    Horizon {
        /// The system in which it was erased.
        system: String,
        /// When it was erased: a moment or a day; now if left out.
        #[arg(long, value_name = "MOMENT")]
        at: Option<String>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Erase the files of a person who was erased in the live systems inside of copies too, where the
    /// data map says that a store keeps them by themselves; a second person has to agree.
    Inside(inside::InsideArguments),
}

/// Runs the command.
pub async fn run(arguments: &Arguments, folder: &Path) -> u8 {
    with_product(folder, async |product| match &arguments.command {
        Command::List { store, json } => list(product, store.as_deref(), *json).await,
        Command::Horizon { system, at, json } => {
            let at = at.as_deref().map(|at| read_moment(at, product.zone())).transpose()?;
            let at = at.unwrap_or_else(|| product.now());
            horizon(product, (system, at), *json).await
        }
        Command::Inside(arguments) => inside::run(product, arguments).await,
    })
    .await
}

async fn list(product: &Quietus, store: Option<&str>, as_json: bool) -> Result<u8, AppError> {
    let reports = product.store_reports(store).await?;
    let alarmed = reports.iter().any(|report| report.standing.alarm.is_some());
    if as_json {
        let all: Vec<Value> = reports.iter().map(report_json).collect();
        say(format!("{:#}", json!(all)));
    } else if reports.is_empty() {
        say(format!(
            "{WARN}the data map has no store of copies{WARN:#}: nobody can say how long copies hold what was erased; see docs/backups.md"
        ));
    } else {
        for report in &reports {
            print_report(report, product.zone());
        }
    }
    Ok(if alarmed { NOT_DONE } else { FINE })
}

fn print_report(report: &StoreReport, zone: &TimeZone) {
    let standing = &report.standing;
    say(format!(
        "{STRONG}{}{STRONG:#} ({}) copies {}",
        standing.store,
        report.kind,
        report.of.join(", ")
    ));
    if let Some(alarm) = standing.alarm {
        let fault = standing.fault.as_ref().or(standing.remains.as_ref());
        let fault = fault.map(|fault| format!(": {fault}"));
        say(format!("  {BAD}{}{BAD:#}{}", alarm.words(), fault.unwrap_or_default()));
    }
    if standing.fault.is_some() {
        return;
    }
    if report.copies.is_empty() {
        say(format!("  {DIM}no copies{DIM:#}"));
        return;
    }
    let mut table = new_table(&["copy", "what", "begun", "taken", "ends by", "kept by"]);
    for copy in &report.copies {
        let ends = copy.ends_by.map_or("no end".to_owned(), |at| moment(at, zone));
        table.add_row([
            copy.id.clone(),
            word(copy.kind).to_owned(),
            copy.holds_from.map_or("not known".to_owned(), |at| moment(at, zone)),
            moment(copy.taken_at, zone),
            if copy.overstays { format!("{ends}, and is there") } else { ends },
            copy.kept_by.join("; "),
        ]);
    }
    say(table);
}

async fn horizon(
    product: &Quietus,
    (system, at): (&str, Timestamp),
    as_json: bool,
) -> Result<u8, AppError> {
    let horizons = product.horizons(system, at).await?;
    let fine = horizons.iter().all(|one| one.seen.gone || one.seen.gone_by.is_some());
    if as_json {
        let stores: Vec<Value> = horizons.iter().map(horizon_json).collect();
        say(format!("{:#}", json!({ "system": system, "erased_at": at, "stores": stores })));
        return Ok(if fine { FINE } else { NOT_DONE });
    }
    say(format!("what was erased in `{system}` at {}", moment(at, product.zone())));
    for one in &horizons {
        let (style, words) = words_of(one, product.zone());
        say(format!("  {STRONG}{}{STRONG:#}: {style}{words}{style:#}", one.store));
    }
    Ok(if fine { FINE } else { NOT_DONE })
}

fn words_of(one: &StoreHorizon, zone: &TimeZone) -> (anstyle::Style, String) {
    let Seen { copies, newest_at, gone_by, trouble, gone, .. } = &one.seen;
    if *gone {
        return (GOOD, "no copy is left that can hold it".to_owned());
    }
    let held = match (copies, newest_at) {
        (Some(copies), Some(newest)) => {
            format!("{copies} copies can hold it, the newest of {}", moment(*newest, zone))
        }
        (Some(_), None) if one.seen.remains.is_some() => "no copy is listed".to_owned(),
        (Some(_), None) => "one that is being taken can hold it".to_owned(),
        (None, _) => "not known".to_owned(),
    };
    match (gone_by, trouble) {
        (Some(at), _) => (WARN, format!("{held}; gone by {}", moment(*at, zone))),
        (None, trouble) => {
            let why = trouble.map_or("", |trouble| trouble.words());
            let fault = one.fault.as_ref().map(|fault| format!(" ({fault})")).unwrap_or_default();
            (BAD, format!("{held}; no day can be promised: {why}{fault}"))
        }
    }
}

fn moment(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

fn word(kind: CopyKind) -> &'static str {
    match kind {
        CopyKind::Whole => "whole",
        CopyKind::Log => "log",
        CopyKind::Version => "version",
    }
}

fn report_json(report: &StoreReport) -> Value {
    let standing = &report.standing;
    json!({
        "store": standing.store,
        "kind": report.kind,
        "copies_of": report.of,
        "listed_at": standing.listed_at,
        "alarm": standing.alarm.map(crate::app::backup::Trouble::as_str),
        "fault": standing.fault,
        "remains": standing.remains,
        "copies": report.copies.iter().map(copy_json).collect::<Vec<_>>(),
    })
}

fn copy_json(copy: &CopyFacts) -> Value {
    json!({
        "id": copy.id,
        "kind": word(copy.kind),
        "holds_from": copy.holds_from,
        "taken_at": copy.taken_at,
        "ends_by": copy.ends_by,
        "kept_by": copy.kept_by,
        "overstays": copy.overstays,
    })
}

fn horizon_json(one: &StoreHorizon) -> Value {
    json!({
        "store": one.store,
        "listed_at": one.seen.listed_at,
        "copies": one.seen.copies,
        "newest_at": one.seen.newest_at,
        "gone_by": one.seen.gone_by,
        "gone": one.seen.gone,
        "trouble": one.seen.trouble,
        "fault": one.fault,
    })
}
