//! `quietus anchor`: who vouches for the evidence log, and asking them now.

use std::path::Path;

use clap::{Args, Subcommand};

use super::opening::{GOOD, WARN, say, with_product};
use super::plan_text::new_table;
use super::{FINE, NOT_DONE};
use crate::app::anchor::standing::AnchorReport;
use crate::app::{AppError, Quietus};

/// See who vouches for the evidence log, and ask them now.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus anchor list
  quietus anchor now
  quietus anchor key > log.key        the log's verifier key, for a witness")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do about anchors.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List time-stamp authorities and witnesses and how things stand with them; 1 where something
    /// has to be looked at.
    #[command(after_help = "Example:
  quietus anchor list")]
    List,
    /// Ask everybody who is due; 1 where somebody does not answer.
    #[command(after_help = "Example:
  quietus anchor now")]
    Now,
    /// Print the verifier keys of the log, the one for witnesses first.
    #[command(after_help = "Example:
  quietus anchor key > log.key")]
    Key,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, folder: &Path) -> u8 {
    with_product(folder, async |product| match arguments.command {
        Command::List => list(product).await,
        Command::Now => now(product).await,
        Command::Key => {
            for key in product.anchor_report().await?.keys {
                say(key);
            }
            Ok(FINE)
        }
    })
    .await
}

async fn list(product: &Quietus) -> Result<u8, AppError> {
    let report = product.anchor_report().await?;
    if report.all.is_empty() {
        say(format!(
            "{WARN}nobody vouches for the log{WARN:#}: name time-stamp authorities and witnesses under `anchors` in `quietus.yaml`"
        ));
        return Ok(FINE);
    }
    let mut table = new_table(&["name", "what", "entries", "at", "sound until"]);
    let moment = |at: Option<jiff::Timestamp>| {
        at.map_or("never".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
    };
    for one in &report.all {
        table.add_row([
            one.name.clone(),
            one.role.as_str().to_owned(),
            one.size.map_or("-".to_owned(), |size| format!("{size} of {}", report.size)),
            moment(one.at),
            one.sound_until.map_or("-".to_owned(), |at| at.strftime("%Y-%m-%d").to_string()),
        ]);
    }
    say(table);
    Ok(judge(&report))
}

/// Says what has to be looked at.
fn judge(report: &AnchorReport) -> u8 {
    let mut code = FINE;
    for one in report.all.iter().filter(|one| one.size.is_none()) {
        say(format!(
            "{WARN}`{}` has never vouched for the log{WARN:#}: `quietus anchor now` asks it and says why",
            one.name
        ));
        code = NOT_DONE;
    }
    for one in report.all.iter().filter(|one| one.ages) {
        say(format!(
            "{WARN}what `{}` stamped is not sound for much longer{WARN:#}: give it its authority's new certificate, or name another authority",
            one.name
        ));
        code = NOT_DONE;
    }
    if report.renewal_due {
        say(format!(
            "{WARN}no time stamp over the log is sound for long{WARN:#}: old certificates lose their proof of time then"
        ));
        code = NOT_DONE;
    }
    code
}

async fn now(product: &Quietus) -> Result<u8, AppError> {
    if !product.has_anchors() {
        return list(product).await;
    }
    let tally = Box::pin(product.advance_anchors()).await?;
    say(format!(
        "{GOOD}{} time stamp(s), {} witness(es), {} certificate(s) anchored{GOOD:#}",
        tally.stamped, tally.witnessed, tally.anchored
    ));
    for (name, fault) in &tally.faults {
        say(format!("{WARN}`{name}`{WARN:#}: {fault}"));
    }
    Ok(if tally.faults.is_empty() { FINE } else { NOT_DONE })
}
