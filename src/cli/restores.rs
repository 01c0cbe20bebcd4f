//! `quietus restore`: keep a restored system in quarantine until everything that was done since is
//! done again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::opening::{GOOD, STRONG, WARN, number, read_moment, say, with_product};
use super::plan_text::new_table;
use super::remark::actor;
use super::requested::is_at_work;
use super::run::stop_on_signal;
use super::spared::tell_what_waits;
use super::{FINE, NOT_DONE};
use crate::app::restore::{BeginRestore, RestoreFacts, Sighting};
use crate::app::{AppError, Quietus};
use crate::domain::{JobState, Remark};
use crate::store::Job;
use crate::worker;

/// Keep a restored system in quarantine until what was erased since is erased again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus restore begin crm --taken-at 2026-11-28T03:00:00Z --reason \"disk lost, OPS-1234\"
  quietus restore carry-out crm     do again what is to be done, with progress
  quietus restore show crm          how far it is, and what is missing
  quietus restore open crm          let the system go on, with a certificate
  quietus restore list")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with restores.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Put a system that was restored in quarantine, and plan again all that was done since.
    Begin(BeginArguments),
    /// Do again what is to be done, here and now; a running `quietus run` does it by itself.
    #[command(after_help = "Example:
  quietus restore carry-out crm")]
    CarryOut {
        /// The system.
        system: String,
    },
    /// Show how far a restore is, what is missing, and who came back.
    #[command(after_help = "Examples:
  quietus restore show crm          the latest of a system
  quietus restore show crm --json")]
    Show {
        /// The system.
        system: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Open a system: what waited for it goes on. Refused while something is missing.
    #[command(after_help = "Example:
  quietus restore open crm --by \"Grace Example\"")]
    Open {
        /// The system.
        system: String,
        /// Who opens it.
        #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
        by: Remark,
    },
    /// Look now whether a system was restored and nobody said so; `quietus run` does it by itself.
    #[command(after_help = "Example:
  quietus restore watch

Each database in which something was done holds a row that only counts up. One that shows an older
number was put back: it is in quarantine then, and this ends with the exit code 1.")]
    Watch,
    /// List restores, the latest first.
    #[command(after_help = "Examples:
  quietus restore list
  quietus restore list --json")]
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// How many.
        #[arg(long, value_name = "NUMBER", default_value_t = 20)]
        limit: u32,
    },
}

/// What was restored.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus restore begin crm --taken-at 2026-11-28T03:00:00Z --reason \"disk lost, OPS-1234\"
  quietus restore begin crm --taken-at 2026-11-28 --copy nightly/20261128-030002F --reason OPS-1234

Call it once the system is restored and before the application is let in again. The moment is the
one whose state the system holds now: that to which it was recovered, or that at which its copy
was begun. Where you are not sure, name an earlier one: what is done twice does no harm.

What you write as the reason and the name is kept as evidence. Write no e-mail address,
telephone number or IBAN: they are refused.")]
pub struct BeginArguments {
    /// The system.
    pub system: String,
    /// The moment whose state it holds now: an instant, or a day for its beginning.
    #[arg(long, value_name = "TIME")]
    pub taken_at: String,
    /// The copy that it was restored from.
    #[arg(long, value_name = "STORE/ID")]
    pub copy: Option<String>,
    /// Why, in one line that names nobody, such as the number of a ticket.
    #[arg(long, value_name = "WHY")]
    pub reason: Remark,
    /// Who says so.
    #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
    pub by: Remark,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, folder: &Path) -> u8 {
    with_product(folder, async |product| match &arguments.command {
        Command::Begin(begin) => begin_restore(product, begin).await,
        Command::CarryOut { system } => carry_out(product, system).await,
        Command::Show { system, json } => show(product, system, *json).await,
        Command::Open { system, by } => open(product, system, by).await,
        Command::Watch => watch(product).await,
        Command::List { json, limit } => list(product, *json, *limit).await,
    })
    .await
}

/// Says which systems are in quarantine.
///
/// # Errors
/// Where the store is not there.
pub async fn tell_quarantines(product: &Quietus) -> Result<(), AppError> {
    for restore in product.store.restores_under_way().await? {
        say(format!(
            "{WARN}in quarantine{WARN:#}: {}, restored to its state of {:.0}, by {}: {}",
            restore.system, restore.taken_at, restore.begun_by, restore.reason
        ));
    }
    Ok(())
}

async fn begin_restore(product: &Arc<Quietus>, wanted: &BeginArguments) -> Result<u8, AppError> {
    let BeginArguments { system, taken_at, copy, reason, by } = wanted;
    let begun = Box::pin(product.begin_restore(BeginRestore {
        system: system.clone(),
        taken_at: read_moment(taken_at, product.zone())?,
        copy: copy.clone(),
        announced: true,
        back_since: None,
        reason: reason.to_string(),
        actor: actor(by),
    }))
    .await?;
    product.advance_log().await?;
    say(format!(
        "{STRONG}{system}{STRONG:#} is in quarantine: running jobs stop at their next chunk, and nothing goes on there but what was done since"
    ));
    say(format!(
        "  {} case(s) of persons are done again, and case {} finds what rules have made due",
        number(begun.replays),
        begun.case
    ));
    if begun.forgotten > 0 {
        say(format!(
            "  {WARN}{} case(s) are of persons who are forgotten{WARN:#}: nobody can look for them, and the certificate says so",
            number(begun.forgotten)
        ));
    }
    for why in &begun.not_kept_out {
        say(format!("  {WARN}the application is not kept out{WARN:#}: {why}"));
    }
    if begun.waits_for_approval {
        say(format!(
            "  {WARN}it exceeds a cap{WARN:#}: quietus approve {} --by NAME --reason WHY",
            begun.case
        ));
    }
    say(format!(
        "  a running `quietus run` carries it out, or: quietus restore carry-out {system}\n  then: quietus restore open {system}"
    ));
    Ok(FINE)
}

/// Works until nothing of the restore goes on without a person.
///
/// # Errors
/// Where the system is not in quarantine, or the store is not there.
pub async fn carry_out(product: &Arc<Quietus>, system: &str) -> Result<u8, AppError> {
    let restore = product.quarantine_of(system).await?.id;
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    worker::start(product, product.instance.workers, &stop, &tasks);
    worker::start_schema_watch(product, &stop, &tasks);
    let signal = tokio::spawn(stop_on_signal(stop.clone()));
    let mut result = Ok(());
    let mut told = 0;
    while !stop.is_cancelled() {
        match goes_on(product, restore, &mut told).await {
            Ok(true) => tokio::time::sleep(Duration::from_millis(100)).await,
            Ok(false) => break,
            Err(error) => {
                result = Err(error);
                break;
            }
        }
    }
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    signal.abort();
    result?;
    product.certify_finished().await?;
    let facts = read(product, restore).await?;
    print(&facts);
    tell_what_waits(product).await?;
    Ok(if facts.missing.is_empty() { FINE } else { NOT_DONE })
}

/// Whether something of a restore still goes on; tells each tenth of the way.
async fn goes_on(product: &Quietus, restore: Uuid, told: &mut u64) -> Result<bool, AppError> {
    let counts = product.store.restore_counts(restore).await?;
    let tenth = (counts.completed * 10).checked_div(counts.replays).unwrap_or(0);
    if tenth > *told {
        *told = tenth;
        say(format!("  {}/{} done again", number(counts.completed), number(counts.replays)));
    }
    let (spared, now) = (product.spared().await?, product.now());
    let put_off = |job: &Job| spared.get(&job.system).is_some_and(|one| one.puts_off(job, now));
    for state in [JobState::Running, JobState::Available, JobState::Scheduled] {
        if let Some(job) =
            product.store.restore_jobs(restore, Some(state), Uuid::nil(), 1).await?.first()
            && (is_at_work(job, now) || (!put_off(job) && !product.is_paused(job).await?))
        {
            return Ok(true);
        }
    }
    let Some(restore) = product.store.restore(restore).await? else { return Ok(false) };
    for job in product.store.jobs_of_case(restore.case_id).await? {
        let waits = matches!(job.state, JobState::Held | JobState::Blocked);
        if !job.state.is_final() && !waits && !put_off(&job) && !product.is_paused(&job).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn read(product: &Quietus, restore: Uuid) -> Result<RestoreFacts, AppError> {
    let facts = product.read_restore(restore).await?;
    facts.ok_or_else(|| AppError::Input(format!("there is no restore `{restore}`")))
}

async fn show(product: &Quietus, system: &str, json: bool) -> Result<u8, AppError> {
    let restore = product.latest_restore_of(system).await?;
    let facts = read(product, restore).await?;
    if json {
        say(to_json(&facts)?);
    } else {
        print(&facts);
    }
    Ok(FINE)
}

fn to_json<T: serde::Serialize>(facts: &T) -> Result<String, AppError> {
    serde_json::to_string_pretty(facts)
        .map_err(|error| AppError::Unreadable { what: "a restore", why: error.to_string() })
}

fn print(facts: &RestoreFacts) {
    let style = if facts.opened_at.is_some() { GOOD } else { WARN };
    say(format!(
        "{STRONG}{}{STRONG:#}: {style}{}{style:#}, restored to its state of {:.0}",
        facts.system, facts.state, facts.taken_at
    ));
    let how = if facts.announced { "announced" } else { "noticed" };
    say(format!("  {how} at {:.0} by {}: {}", facts.begun_at, facts.begun_by, facts.reason));
    let persons = &facts.persons;
    let left = match persons.seconds_left {
        Some(0) | None => String::new(),
        Some(seconds) => format!(", about {} s left", number(seconds)),
    };
    say(format!(
        "  {}/{} case(s) of persons done again ({:.1} a second{left})",
        number(persons.done),
        number(persons.all),
        persons.per_second
    ));
    if let (Some(back), Some(records)) = (persons.came_back, persons.records) {
        say(format!("  {} were back, with {} record(s)", number(back), number(records)));
    }
    if persons.forgotten > 0 {
        say(format!(
            "  {WARN}{} case(s) of persons who are forgotten{WARN:#} could not be looked for",
            number(persons.forgotten)
        ));
    }
    for missing in &facts.missing {
        say(format!("  {WARN}missing{WARN:#}: {missing}"));
    }
    match (&facts.opened_at, &facts.opened_by) {
        (Some(at), Some(by)) => say(format!("  opened at {at:.0} by {by}")),
        _ if facts.missing.is_empty() => say(format!(
            "  everything is done again and verified: quietus restore open {}",
            facts.system
        )),
        _ => {}
    }
    if let Some(certificate) = facts.certificate {
        say(format!("  quietus certificate show {certificate}"));
    }
}

async fn open(product: &Quietus, system: &str, by: &Remark) -> Result<u8, AppError> {
    let opened = Box::pin(product.open_restored(system, &actor(by))).await?;
    say(format!(
        "{STRONG}{system}{STRONG:#} is open: {} person(s) were back, with {} record(s), and are gone again",
        number(opened.came_back),
        number(opened.records)
    ));
    let Some(certificate) = opened.certificate else {
        say(format!("{WARN}its certificate is not there yet{WARN:#}: `quietus run` makes it"));
        return Ok(NOT_DONE);
    };
    say(format!("  quietus certificate show {certificate}"));
    Ok(FINE)
}

async fn watch(product: &Quietus) -> Result<u8, AppError> {
    let mut code = FINE;
    for (system, sighting) in Box::pin(product.watch_restores()).await? {
        let words = match &sighting {
            Sighting::Fine => "holds what was last written there".to_owned(),
            Sighting::NotWatched => "is not watched: nothing was done there yet".to_owned(),
            Sighting::InQuarantine => "is in quarantine".to_owned(),
            Sighting::Unreachable(why) => format!("could not be looked at: {why}"),
            Sighting::PutBack { taken_at, begun } => format!(
                "was put back to its state of about {taken_at:.0} and nobody said so: it is in quarantine, and {} case(s) of persons are done again",
                number(begun.replays)
            ),
        };
        let fine = matches!(sighting, Sighting::Fine | Sighting::NotWatched);
        let style = if fine { GOOD } else { WARN };
        say(format!("{style}{system}{style:#} {words}"));
        code = code.max(if fine { FINE } else { NOT_DONE });
    }
    product.advance_log().await?;
    Ok(code)
}

async fn list(product: &Quietus, json: bool, limit: u32) -> Result<u8, AppError> {
    let restores = product.read_restores(limit).await?;
    if json {
        say(to_json(&restores)?);
        return Ok(FINE);
    }
    if restores.is_empty() {
        say("no restore is on record");
        return Ok(FINE);
    }
    let mut table = new_table(&["system", "state", "restored to", "begun", "done again", "opened"]);
    for one in &restores {
        table.add_row([
            one.system.clone(),
            one.state.to_owned(),
            format!("{:.0}", one.taken_at),
            format!("{:.0}", one.begun_at),
            format!("{}/{}", one.persons.done, one.persons.all),
            one.opened_at.map_or_else(String::new, |at| format!("{at:.0}")),
        ]);
    }
    say(table);
    Ok(FINE)
}
