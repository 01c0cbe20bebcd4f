//! `quietus evidence`: shred what evidence means.

use std::path::Path;

use clap::{ArgGroup, Args, Subcommand};
use uuid::Uuid;

use super::opening::{GOOD, number, read_id, say, with_product};
use super::remark::actor;
use super::{FINE, NOT_DONE};
use crate::app::shred::{ShredTally, Shredding};
use crate::app::{Actor, AppError, Quietus};
use crate::domain::{Remark, RetentionPeriod};

/// Shred what evidence means.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  quietus evidence shred --due --dry-run")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with evidence.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Destroy the keys and details of cases that are over; certificates and proofs go on verifying.
    #[command(after_help = "Examples:
  quietus evidence shred --due                       what is due by `evidence: {details_for: …}`
  quietus evidence shred --older-than P3Y --dry-run  what would go
  quietus evidence shred --rule contact --older-than P3Y --reason \"audit of 2026 is closed\"
  quietus evidence shred --case 0198a2f3-5c1e-7d0a-b1c2-000000000001 --reason \"asked for\"

Nobody can read afterwards what was behind the leaves of such a case, and the person of its request is
forgotten. That it was shredded, why and by whom is on record. Copies of the database from before can
still be read with the month's key: `quietus keys list` says until when it lasts.")]
    Shred(ShredArguments),
}

/// What to shred.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).args(["case", "due", "older_than"])))]
pub struct ShredArguments {
    /// This case; may be given several times.
    #[arg(long, value_name = "CASE", value_parser = read_id)]
    pub case: Vec<Uuid>,
    /// All that is over for longer than the instance file says.
    #[arg(long)]
    pub due: bool,
    /// All that is over for longer than this.
    #[arg(long, value_name = "PERIOD", value_parser = read_period)]
    pub older_than: Option<RetentionPeriod>,
    /// Only cases whose certificates speak of this rule.
    #[arg(long, value_name = "NAME", conflicts_with = "case")]
    pub rule: Option<String>,
    /// Say what would be shredded, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Why, as it stands in evidence.
    #[arg(long, value_name = "WHY", default_value = "its time is over")]
    pub reason: Remark,
    /// Who does it, as it stands in evidence.
    #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
    pub by: Remark,
}

fn read_period(text: &str) -> Result<RetentionPeriod, &'static str> {
    RetentionPeriod::parse(text).map_err(|_| "write a period, such as `P3Y`")
}

/// Runs the command.
pub async fn run(arguments: &Arguments, folder: &Path) -> u8 {
    let Command::Shred(inner) = &arguments.command;
    with_product(folder, async |product| shred(product, inner, &actor(&inner.by)).await).await
}

async fn shred(
    product: &Quietus,
    arguments: &ShredArguments,
    actor: &Actor,
) -> Result<u8, AppError> {
    let wanted = if arguments.case.is_empty() {
        Shredding::OverFor { period: arguments.older_than, rule: arguments.rule.clone() }
    } else {
        Shredding::Cases(arguments.case.clone())
    };
    let (cases, tally) = product.to_shred(&wanted).await?;
    if tally == ShredTally::default() {
        say("there is nothing to shred");
        return Ok(FINE);
    }
    if arguments.dry_run {
        say(format!("would be shredded: {}", words(&tally)));
        for case in cases {
            say(format!("  case {case}"));
        }
        return Ok(FINE);
    }
    let done = product.shred(&wanted, arguments.reason.as_str(), actor).await?;
    product.advance_log().await?;
    say(format!("{GOOD}shredded{GOOD:#}: {}", words(&done)));
    Ok(if done == ShredTally::default() { NOT_DONE } else { FINE })
}

fn words(tally: &ShredTally) -> String {
    let manifests = match tally.manifests {
        0 => String::new(),
        some => format!(", {} manifest(s) of records", number(some)),
    };
    format!(
        "{} case(s), {} key(s), {} detail(s){manifests}, {} person(s) forgotten",
        number(tally.cases),
        number(tally.keys),
        number(tally.details),
        number(tally.persons)
    )
}
