//! `quietus alarm`: what somebody has to see to, and whether those who are told have heard.

use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::json;

use super::opening::{BAD, DIM, GOOD, STRONG, WARN, number, say, with_product};
use super::{FINE, NOT_DONE};
use crate::app::alarm::list::AlarmFacts;
use crate::app::alarm::{AlarmTally, RecipientFacts, TellTally};
use crate::app::{AppError, Quietus};

/// See what somebody has to see to, who is told, and whether they hear.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus alarm list                what is open, and who is told
  quietus alarm test                send a test to everybody who is told
  quietus alarm again pager         tell again what was given up

`alarms` in `quietus.yaml` says who is told of what `quietus doctor` finds.
`quietus run` looks every few minutes and tells; `quietus run --once` does both
once, at its end.")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with alarms.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List open alarms, and how it stands with those who are told.
    #[command(after_help = "Examples:
  quietus alarm list
  quietus alarm list --cleared --limit 20
  quietus alarm list --json

Exit code 0 where nothing is open and everybody has heard, 1 where something is or somebody has not.")]
    List {
        /// What was cleared instead, the latest first.
        #[arg(long)]
        cleared: bool,
        /// How many.
        #[arg(long, value_name = "NUMBER", default_value_t = 100)]
        #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Send a test to everybody who is told, and show what each answers.
    #[command(after_help = "Examples:
  quietus alarm test
  quietus alarm test pager          one webhook
  quietus alarm test mail           all addresses

Exit code 0 where everybody has heard, 1 where somebody has not.")]
    Test {
        /// The name of a webhook, or `mail`; everybody if left out.
        name: Option<String>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Tell again what was given up, and a webhook that wanted nothing any more.
    #[command(after_help = "Examples:
  quietus alarm again pager
  quietus alarm again mail")]
    Again {
        /// The name of a webhook, or `mail`.
        name: String,
    },
}

/// Runs the command.
pub async fn run(arguments: &Arguments, folder: &Path) -> u8 {
    with_product(folder, async |product| match &arguments.command {
        Command::List { cleared, limit, json } => list(product, (*cleared, *limit), *json).await,
        Command::Test { name, json } => test(product, name.as_deref(), *json).await,
        Command::Again { name } => {
            let messages = product.tell_alarms_again(name).await?;
            say(match messages {
                0 => format!("nothing of `{name}` was given up"),
                many => format!(
                    "{} message(s) are told again by `quietus run`, or by `quietus run --once`",
                    number(many)
                ),
            });
            Ok(FINE)
        }
    })
    .await
}

/// Looks once, tells once, and says what came of it; nothing where nobody looks for alarms.
///
/// # Errors
/// Where the store is not there.
pub async fn watch_once(product: &Quietus) -> Result<u8, AppError> {
    if !product.has_alarms() {
        return Ok(FINE);
    }
    let AlarmTally { raised, again: _, cleared } = product.look_for_alarms().await?;
    let TellTally { told, later, given_up } = product.tell_alarms().await?;
    if raised + cleared > 0 {
        say(format!("{raised} alarm(s) raised, {cleared} cleared; {told} message(s) heard"));
    }
    if later + given_up > 0 {
        say(format!(
            "{WARN}{} message(s) not heard{WARN:#}: see `quietus alarm list`",
            number(later + given_up)
        ));
        return Ok(NOT_DONE);
    }
    Ok(FINE)
}

async fn list(
    product: &Quietus,
    (cleared, limit): (bool, u32),
    as_json: bool,
) -> Result<u8, AppError> {
    let list = product.read_alarms(cleared, limit).await?;
    let well = list.recipients.iter().all(|one| trouble_of(one).is_none());
    let code = if well && (cleared || list.alarms.is_empty()) { FINE } else { NOT_DONE };
    if as_json {
        say(format!("{:#}", json!(list)));
        return Ok(code);
    }
    if !list.is_looked_for {
        say("nobody looks for alarms: write `alarms` into `quietus.yaml`, then `quietus check`");
        return Ok(code);
    }
    for alarm in &list.alarms {
        print_alarm(alarm);
    }
    if list.alarms.is_empty() {
        say(if cleared { "none was cleared" } else { "no alarm is open" });
    }
    say(match list.looked_at {
        Some(at) => format!("{DIM}looked last {at:.0}{DIM:#}"),
        None => format!("{WARN}nobody has looked yet{WARN:#}: `quietus run` does"),
    });
    for recipient in &list.recipients {
        print_recipient(recipient);
    }
    Ok(code)
}

fn print_alarm(alarm: &AlarmFacts) {
    let style = if alarm.mark.as_str() == "wrong" { BAD } else { WARN };
    let style = if alarm.cleared_at.is_some() { GOOD } else { style };
    let word = if alarm.cleared_at.is_some() { "over" } else { alarm.mark.as_str() };
    let AlarmFacts { area, place, kind, text, raised_at, .. } = alarm;
    let until = alarm.cleared_at.map(|at| format!(" until {at:.0}")).unwrap_or_default();
    say(format!(
        "{style}{word:<5}{style:#}  {area}: {STRONG}{place}{STRONG:#}: {text} {DIM}({kind}, raised {raised_at:.0}{until}){DIM:#}"
    ));
    if alarm.cleared_at.is_some() {
        return;
    }
    if let Some(advice) = &alarm.advice {
        say(format!("         {advice}"));
    }
    for command in &alarm.commands {
        say(format!("           {command}"));
    }
}

/// What is the matter with one of those who are told, if anything is.
fn trouble_of(one: &RecipientFacts) -> Option<String> {
    let why = one.last_fault.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    if let Some(at) = one.gone_at {
        return Some(format!("wants nothing any more since {at:.0}{why}"));
    }
    if one.is_given_up() {
        return Some(format!("{} message(s) given up{why}", number(one.unheard)));
    }
    (one.waiting > 0).then(|| format!("{} message(s) wait{why}", number(one.waiting)))
}

fn print_recipient(one: &RecipientFacts) {
    let (place, trouble) = (one.place(), trouble_of(one));
    say(match (trouble, one.told_at) {
        (Some(trouble), _) => format!("{place}: {WARN}{trouble}{WARN:#}"),
        (None, Some(at)) => format!("{place}: {GOOD}heard{GOOD:#} {DIM}(last {at:.0}){DIM:#}"),
        (None, None) => format!("{place}: {DIM}nothing was told yet{DIM:#}"),
    });
}

async fn test(product: &Quietus, name: Option<&str>, as_json: bool) -> Result<u8, AppError> {
    let tried = product.try_alarms(name).await?;
    let code = if tried.iter().all(|one| one.is_heard) { FINE } else { NOT_DONE };
    if as_json {
        say(format!("{:#}", json!(tried)));
        return Ok(code);
    }
    for one in &tried {
        let (style, word) = if one.is_heard { (GOOD, "heard") } else { (BAD, "not heard") };
        say(format!("{style}{word}{style:#}  {} {}: {}", one.way, one.recipient, one.answer));
    }
    Ok(code)
}
