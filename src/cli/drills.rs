//! `quietus drill`: plant a person who was invented, erase them, bring them back and erase them
//! again, and see how long it takes.

use std::path::Path;
use std::sync::Arc;

use clap::{Args, Subcommand};
use uuid::Uuid;

use super::opening::{BAD, DIM, GOOD, STRONG, WARN, number, read_id, say, with_product};
use super::plan_text::new_table;
use super::remark::actor;
use super::requested::work_on;
use super::{FINE, NOT_DONE};
use crate::app::drill::{DrillFacts, DrillPace, DrillStanding, DrillSystemFacts};
use crate::app::{AppError, Quietus};
use crate::domain::Remark;
use crate::store::DrillState;

/// Rounds in which nothing came of it, after which a drill is left to a later run.
const PATIENCE: u32 = 3;

/// Plant an invented person, erase them, bring them back, erase them again, and see how long it took.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus drill run                 begin one now and carry it out
  quietus drill list                the latest ones, with the time of each
  quietus drill show 0198…          each system, and what is not drilled

What is planted stands in the files of the systems (`drill: {plant: […]}`), when in `drills` of
quietus.yaml.")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with drills.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List drills, the latest first, with how long each took.
    #[command(after_help = "Examples:
  quietus drill list
  quietus drill list --json")]
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// How many.
        #[arg(long, value_name = "NUMBER", default_value_t = 20)]
        limit: u32,
    },
    /// Begin a drill now and carry it out; one that is under way is carried on.
    #[command(after_help = "Examples:
  quietus drill run
  quietus drill run --by \"Ada Example\"

Ends with the exit code 1 where it is not done. What could not be reached is tried again by
`quietus run`, and the drill ends by itself.")]
    Run {
        /// Who asks for it.
        #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
        by: Remark,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show a drill, system by system.
    #[command(after_help = "Examples:
  quietus drill show                the latest one
  quietus drill show 0198… --json")]
    Show {
        /// The drill; the latest if left out.
        #[arg(value_parser = read_id)]
        drill: Option<Uuid>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub async fn run(arguments: &Arguments, folder: &Path) -> u8 {
    with_product(folder, async |product| match &arguments.command {
        Command::List { json, limit } => list(product, *json, *limit).await,
        Command::Run { by, json } => run_now(product, by, *json).await,
        Command::Show { drill, json } => show(product, *drill, *json).await,
    })
    .await
}

/// Carries the drill that is under way on as far as it goes now, after beginning one that is due;
/// says how it stands.
///
/// # Errors
/// Where the store is not there.
pub async fn carry_out_drill(product: &Arc<Quietus>) -> Result<u8, AppError> {
    product.advance_drills(DrillPace::AtOnce).await?;
    let Some(drill) = product.store.open_drill().await? else { return Ok(FINE) };
    let facts = carry_on(product, drill.id).await?;
    tell(&facts);
    Ok(if facts.state == DrillState::Done { FINE } else { NOT_DONE })
}

/// A drill that somebody named.
async fn found(product: &Quietus, id: Uuid) -> Result<DrillFacts, AppError> {
    product.read_drill(id).await?.ok_or_else(|| {
        AppError::Input(format!("there is no drill `{id}`: see `quietus drill list`"))
    })
}

/// Carries a drill on until it has ended, or nothing comes of it for some time.
async fn carry_on(product: &Arc<Quietus>, id: Uuid) -> Result<DrillFacts, AppError> {
    let mut in_vain = 0;
    loop {
        let mut moved = product.advance_drills(DrillPace::AtOnce).await?;
        let facts = found(product, id).await?;
        if facts.ended_at.is_some() || in_vain == PATIENCE {
            product.advance_log().await?;
            return Ok(facts);
        }
        moved |= if let Some(case) = facts.case {
            work_on(product, vec![case]).await?;
            !product.certify_finished().await?.is_empty()
        } else {
            if let Some(request) = facts.request {
                product.advance_one_request(request).await?;
            }
            found(product, id).await?.case.is_some()
        };
        in_vain = if moved { 0 } else { in_vain + 1 };
    }
}

async fn run_now(product: &Arc<Quietus>, by: &Remark, json: bool) -> Result<u8, AppError> {
    product.refuse_to_stand_behind().await?;
    product.signer_is_there()?;
    let drill = match product.store.open_drill().await? {
        Some(open) => open.id,
        None => product.begin_drill(&actor(by)).await?,
    };
    let facts = carry_on(product, drill).await?;
    if json {
        print_json(&facts)?;
    } else {
        print_drill(&facts);
    }
    Ok(if facts.state == DrillState::Done && !facts.late { FINE } else { NOT_DONE })
}

async fn show(product: &Arc<Quietus>, drill: Option<Uuid>, json: bool) -> Result<u8, AppError> {
    let facts = match drill {
        Some(id) => found(product, id).await?,
        None => product.read_drills(1).await?.pop().ok_or_else(|| {
            AppError::Input("there was no drill yet: `quietus drill run` begins one".to_owned())
        })?,
    };
    if json {
        print_json(&facts)?;
    } else {
        print_drill(&facts);
    }
    Ok(FINE)
}

/// The list as JSON.
#[derive(serde::Serialize)]
struct Listed {
    standing: DrillStanding,
    drills: Vec<DrillFacts>,
}

async fn list(product: &Arc<Quietus>, json: bool, limit: u32) -> Result<u8, AppError> {
    let standing = product.read_drill_standing().await?;
    let drills = product.read_drills(limit).await?;
    if json {
        print_json(&Listed { standing, drills })?;
        return Ok(FINE);
    }
    match &standing.schedule {
        Some(cron) => say(format!(
            "{STRONG}drills{STRONG:#} at `{cron}`, each erasure within {} at most",
            standing.at_most
        )),
        None => say(format!(
            "{STRONG}drills{STRONG:#} by hand alone: `drills: {{schedule: …}}` in quietus.yaml says when"
        )),
    }
    if drills.is_empty() {
        say("there was no drill yet: `quietus drill run` begins one");
        return Ok(FINE);
    }
    let mut table = new_table(&["drill", "began", "state", "slowest erasure", "slowest again"]);
    for one in &drills {
        let slowest = |time: fn(&DrillSystemFacts) -> Option<f64>| {
            let all = one.systems.iter().filter_map(time);
            all.max_by(f64::total_cmp).map_or_else(String::new, |time| format!("{time} s"))
        };
        table.add_row([
            one.drill.to_string(),
            format!("{:.0}", one.began_at),
            state(one),
            slowest(|one| one.seconds_to_erasure),
            slowest(|one| one.seconds_to_second_erasure),
        ]);
    }
    say(table);
    tell_alarms(&standing);
    Ok(FINE)
}

fn print_json<T: serde::Serialize>(value: &T) -> Result<(), AppError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| AppError::Unreadable { what: "a drill", why: error.to_string() })?;
    say(text);
    Ok(())
}

fn state(drill: &DrillFacts) -> String {
    let late = if drill.late { ", late" } else { "" };
    format!("{}{late}", drill.state.to_string().replace('_', " "))
}

fn print_drill(drill: &DrillFacts) {
    let style = match drill.state {
        DrillState::Done if !drill.late => GOOD,
        DrillState::NotDone => BAD,
        _ => WARN,
    };
    say(format!(
        "{STRONG}drill {}{STRONG:#} of {:.0}, begun by {}: {style}{}{style:#}",
        drill.drill,
        drill.began_at,
        drill.by,
        state(drill)
    ));
    if let Some(why) = &drill.why {
        say(format!("  {why}"));
    }
    for one in &drill.systems {
        print_system(one);
    }
    if let (Some(certificate), Some(overall)) = (drill.certificate, &drill.overall) {
        say(format!("  certificate {certificate} of the invented person says: {overall}"));
    }
}

fn print_system(one: &DrillSystemFacts) {
    let name = &one.system;
    if let Some(why) = &one.left_out {
        return say(format!("  {DIM}{name}: not drilled: {why}{DIM:#}"));
    }
    let time = |seconds: Option<f64>, begun: bool| match (seconds, begun) {
        (Some(seconds), _) => format!("in {seconds} s"),
        (None, true) => "not yet".to_owned(),
        (None, false) => "not tried".to_owned(),
    };
    say(format!(
        "  {STRONG}{name}{STRONG:#}: {}; erased {}; brought back and erased again {}",
        if one.planted_at.is_some() { "planted" } else { "not planted" },
        time(one.seconds_to_erasure, one.planted_at.is_some()),
        time(one.seconds_to_second_erasure, one.back_at.is_some()),
    ));
    if let Some(why) = &one.trouble {
        say(format!("    {WARN}it cannot go on there{WARN:#}: {why}"));
    }
}

fn tell(drill: &DrillFacts) {
    match (&drill.state, &drill.why) {
        (DrillState::Done, _) => say(format!("drill {}: {}", drill.drill, state(drill))),
        (_, Some(why)) => say(format!("{WARN}drill {} is not done{WARN:#}: {why}", drill.drill)),
        _ => {
            say(format!("{WARN}drill {} is under way{WARN:#}: quietus drill show", drill.drill));
            drill.systems.iter().filter(|one| one.trouble.is_some()).for_each(print_system);
        }
    }
}

fn tell_alarms(standing: &DrillStanding) {
    if let Some(latest) = &standing.latest {
        if latest.state == DrillState::NotDone {
            let why = latest.why.as_deref().unwrap_or_default();
            say(format!(
                "{WARN}the latest drill is not done{WARN:#}: {why}: quietus drill show {}",
                latest.drill
            ));
        } else if latest.late {
            say(format!(
                "{WARN}the latest drill took longer than {}{WARN:#}: quietus drill show {}",
                standing.at_most, latest.drill
            ));
        }
    }
    if standing.to_clean > 0 {
        say(format!(
            "{WARN}in {} system(s) something of an ended drill may be left{WARN:#}: it is taken away once they can be reached",
            number(standing.to_clean)
        ));
    }
}

/// Says where the latest drill was not done or took too long, and where something may be left.
///
/// # Errors
/// Where the store is not there.
pub async fn tell_drills(product: &Quietus) -> Result<(), AppError> {
    tell_alarms(&product.read_drill_standing().await?);
    Ok(())
}
