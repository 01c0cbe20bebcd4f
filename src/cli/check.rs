//! `quietus check`: what is wrong with a folder, all at once; or what was understood of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use comfy_table::Table;
use jiff::Timestamp;
use quietus_connectors::residue_drives;
use serde_json::json;

use crate::config::{Loaded, Problems, folder_of_both, load, report};
use crate::datamap::house::HOUSE;
use crate::datamap::{FieldClass, Residues, System};
use crate::domain::{CategoryName, Clock, Rounding, SystemName};
use crate::schedule::{Calendar, RetentionRule, Schedule};

/// Tell everything that is wrong with a folder, at once; never touches a system or a secret
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  quietus check
  quietus check --dir my-company
  quietus check --format short      one line a mistake, as editors and build servers read them")]
pub struct CheckArgs {
    /// How to tell it
    #[arg(long, value_enum, default_value_t = CheckFormat::Human)]
    pub format: CheckFormat,
}

/// How problems are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum CheckFormat {
    /// The place underlined, and a summary where all is well
    Human,
    /// One line a problem, with file, line and column first
    Short,
    /// JSON
    Json,
}

/// Checks a folder; ends with 0 where all is well (warnings allowed), else with 2.
///
/// # Errors
/// Where `out` cannot be written to.
pub fn run(
    args: &CheckArgs,
    folder: &Path,
    clock: &dyn Clock,
    out: &mut dyn Write,
) -> std::io::Result<u8> {
    let (loaded, problems) = match load(folder) {
        Ok(loaded) => {
            let warnings = loaded.warnings.clone();
            (Some(loaded), warnings)
        }
        Err(problems) => (None, problems),
    };
    match args.format {
        CheckFormat::Json => {
            let answer = json!({
                "fine": loaded.is_some(),
                "problems": report::json(&problems),
                "summary": loaded.as_ref().map(|it| summary_json(it, clock.now())),
            });
            writeln!(out, "{answer:#}")?;
        }
        CheckFormat::Short => write!(out, "{}", report::short(&problems))?,
        CheckFormat::Human => {
            if !problems.found.is_empty() {
                write!(out, "{}", told(&problems))?;
            }
            if let Some(loaded) = &loaded {
                write_summary(loaded, clock.now(), out)?;
            }
        }
    }
    Ok(if loaded.is_some() { 0 } else { 2 })
}

fn told(problems: &Problems) -> String {
    let choice = anstream::AutoStream::choice(&std::io::stdout());
    report::human(problems, choice != anstream::ColorChoice::Never)
}

fn write_summary(loaded: &Loaded, now: Timestamp, out: &mut dyn Write) -> std::io::Result<()> {
    let controller = &loaded.instance.controller;
    writeln!(out, "{} ({}, {})\n", controller.name, controller.country, controller.zone)?;
    let headings = ["system", "kind", "role", "collections", "exempt", "categories", "copied by"];
    let mut systems = table(&headings);
    for system in loaded.data_map.systems.values().filter(|one| !one.is_house()) {
        let categories: BTreeSet<_> =
            system.collections.values().flat_map(crate::datamap::Collection::categories).collect();
        systems.add_row([
            system.name.to_string(),
            system.kind.clone(),
            word(&system.role),
            system.collections.len().to_string(),
            system.exempt.len().to_string(),
            categories.len().to_string(),
            copied_by(loaded, system),
        ]);
    }
    writeln!(out, "{systems}\n")?;
    write_beyond(loaded, out)?;
    let mut categories = table(&["category", "fields", "rules", "minimums, maximums"]);
    let ours = |name: &&CategoryName| {
        loaded.rules.rules.iter().any(|rule| rule.category == **name && is_own(rule))
    };
    for name in loaded.rules.categories.keys().filter(|name| !ours(name)) {
        let class = FieldClass::Category(name.clone());
        let fields = loaded
            .data_map
            .systems
            .values()
            .flat_map(|system| system.collections.values())
            .flat_map(|collection| collection.fields.values())
            .filter(|field| field.class == class)
            .count();
        let rules: Vec<&str> = loaded
            .rules
            .rules
            .iter()
            .filter(|rule| rule.category == *name)
            .map(|rule| rule.name.as_str())
            .collect();
        let limits: Vec<&str> = loaded
            .rules
            .limits
            .iter()
            .filter(|limit| limit.category == *name)
            .map(|limit| limit.name.as_str())
            .collect();
        let exempt = loaded.rules.exemptions.contains_key(name);
        let rules = if exempt { "exempt".to_owned() } else { rules.join(", ") };
        categories.add_row([name.to_string(), fields.to_string(), rules, limits.join(", ")]);
    }
    writeln!(out, "{categories}\n")?;
    writeln!(out, "Deletion classes:\n{}\n", classes_table(loaded))?;
    writeln!(out, "Next runs:")?;
    for schedule in loaded.rules.schedules.values().filter(|one| one.name.as_str() != HOUSE) {
        writeln!(out, "  {}: {}", schedule.name, next_runs(schedule, now).join(", "))?;
    }
    writeln!(
        out,
        "\nall is well: {}, {}, {}; data map {}, rules {}",
        counted(loaded.data_map.systems.values().filter(|one| !one.is_house()).count(), "system"),
        counted(loaded.rules.rules.iter().filter(|rule| !is_own(rule)).count(), "rule"),
        counted(loaded.rules.limits.len(), "statutory limit"),
        loaded.data_map.digest.short(),
        loaded.rules.digest.short(),
    )
}

/// A rule for our own records, which `write_beyond` sums up.
fn is_own(rule: &RetentionRule) -> bool {
    rule.schedule.as_str() == HOUSE
}

/// What is said of our own records, of copies, and of files and logs.
fn write_beyond(loaded: &Loaded, out: &mut dyn Write) -> std::io::Result<()> {
    let own = &loaded.instance.own_records;
    writeln!(
        out,
        "Quietus' own records are kept so long once they are over: requests {}, letters {}, tasks {}, callbacks {}, holds {}, pauses {} (`own_records`; `quietus house list` says more).\n",
        own.requests, own.letters, own.tasks, own.callbacks, own.holds, own.pauses
    )?;
    let unsaid = nobody_said(loaded);
    if !unsaid.is_empty() {
        writeln!(
            out,
            "Nobody said how long copies of `{}` live: map the stores that copy them, or write `no_backups` and why.\n",
            unsaid.join("`, `")
        )?;
    }
    if folder_of_both(&loaded.instance).is_some() {
        writeln!(
            out,
            "Quietus' own database and its keys are in one folder, and with a copy of both what was shredded can be read: leave the keys folder out of copies, or move it (`keys: …`).\n"
        )?;
    }
    for sentence in looks_at_files(loaded) {
        writeln!(out, "{sentence}\n")?;
    }
    Ok(())
}

/// The stores that copy a system, or why none does.
fn copied_by(loaded: &Loaded, system: &System) -> String {
    if let Some(backup) = &system.backup {
        let copies: Vec<&str> = backup.copies.iter().map(SystemName::as_str).collect();
        return format!("copies {}", copies.join(", "));
    }
    let stores = loaded.data_map.stores_of(&system.name);
    let stores: Vec<&str> = stores.map(|(store, _)| store.name.as_str()).collect();
    match &system.no_backups {
        _ if !system.is_database() => "-".to_owned(),
        Some(_) => "none".to_owned(),
        // `copies_for` says how long they live.
        None if stores.is_empty() && system.is_house() => "own copies".to_owned(),
        None if stores.is_empty() => "nobody said".to_owned(),
        None => stores.join(", "),
    }
}

/// At which files and logs somebody looks, and what is driven there with what it costs.
fn looks_at_files(loaded: &Loaded) -> Vec<String> {
    let systems = loaded.data_map.systems.values();
    let asked = systems.filter_map(|system| Some((system, system.residues.as_ref()?)));
    let words = |(system, residues): (&System, &Residues)| {
        let mut lines = vec![format!(
            "Files and logs of `{}` are looked at each {:#}: {}.",
            system.name,
            residues.look,
            residues.stages.join(", ")
        )];
        let known = residue_drives(&system.kind).iter();
        let drives = known.filter(|one| residues.drive.iter().any(|name| name == one.name));
        lines.extend(drives.map(|one| format!("  {}: {}", one.name, one.what)));
        if residues.drive.is_empty() {
            lines.push("  nothing is driven there; `drive` says what may be".to_owned());
        }
        lines.join("\n")
    };
    asked.map(words).collect()
}

/// Databases of which nobody said whether they are copied.
fn nobody_said(loaded: &Loaded) -> Vec<&str> {
    let databases = loaded.data_map.systems.values().filter(|system| system.holds_persons());
    let unsaid = databases.filter(|system| {
        system.no_backups.is_none() && loaded.data_map.stores_of(&system.name).next().is_none()
    });
    unsaid.map(|system| system.name.as_str()).collect()
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header(header.to_vec());
    table
}

fn word(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).ok();
    value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Categories by period and starting point.
fn classes(loaded: &Loaded) -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut classes: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for rule in loaded.rules.rules.iter().filter(|rule| !is_own(rule)) {
        let rounding = match rule.rounding {
            Rounding::None => "",
            Rounding::EndOfMonth => ", end of month",
            Rounding::EndOfCalendarYear => ", end of year",
        };
        let period = format!("{}{rounding}", rule.period);
        classes
            .entry((period, rule.starting_point.clone()))
            .or_default()
            .insert(rule.category.to_string());
    }
    classes
}

fn classes_table(loaded: &Loaded) -> Table {
    let classes = classes(loaded);
    let starts: BTreeSet<&str> = classes.keys().map(|(_, start)| start.as_str()).collect();
    let periods: BTreeSet<&str> = classes.keys().map(|(period, _)| period.as_str()).collect();
    let mut header = vec!["period"];
    header.extend(&starts);
    let mut table = table(&header);
    for period in periods {
        let mut row = vec![period.to_owned()];
        for start in &starts {
            let key = (period.to_owned(), (*start).to_owned());
            let categories = classes.get(&key).cloned().unwrap_or_default();
            row.push(categories.into_iter().collect::<Vec<_>>().join(", "));
        }
        table.add_row(row);
    }
    table
}

/// The next three runs with their offsets, so that a change of the clock is seen.
fn next_runs(schedule: &Schedule, now: Timestamp) -> Vec<String> {
    let Ok(calendar) = Calendar::parse(&schedule.cron, &schedule.zone) else { return Vec::new() };
    let runs = calendar.occurrences(now, 3);
    runs.iter().map(|run| run.strftime("%a %Y-%m-%d %H:%M %:z").to_string()).collect()
}

fn summary_json(loaded: &Loaded, now: Timestamp) -> serde_json::Value {
    let classes: Vec<serde_json::Value> = classes(loaded)
        .into_iter()
        .map(|((period, starting_point), categories)| {
            json!({ "period": period, "starting_point": starting_point, "categories": categories })
        })
        .collect();
    let runs: BTreeMap<String, Vec<String>> = loaded
        .rules
        .schedules
        .values()
        .map(|schedule| (schedule.name.to_string(), next_runs(schedule, now)))
        .collect();
    json!({
        "systems": loaded.data_map.systems.keys().collect::<Vec<_>>(),
        "nobody_said_how_long_copies_live": nobody_said(loaded),
        "categories": loaded.rules.categories,
        "rules": loaded.rules.rules.iter().map(|rule| &rule.name).collect::<Vec<_>>(),
        "limits": loaded.rules.limits.iter().map(|limit| &limit.name).collect::<Vec<_>>(),
        "deletion_classes": classes,
        "next_runs": runs,
        "data_map_digest": loaded.data_map.digest,
        "rules_digest": loaded.rules.digest,
    })
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
