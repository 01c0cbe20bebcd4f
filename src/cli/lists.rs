//! `quietus list` and `quietus recover`: the re-erasure list, and the way back of a store that was
//! put back to an earlier state or lost.

use std::path::Path;

use clap::{Args, Subcommand};

use super::opening::{BAD, GOOD, WARN, number, say, with_product};
use super::remark::actor;
use super::{FINE, NOT_DONE};
use crate::app::re_erasure::{ListStanding, RecoverOptions, Recovered};
use crate::app::{AppError, Quietus};
use crate::config::ExportPlace;
use crate::domain::Remark;

/// Look at the re-erasure list, and bring it up to date.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus list show                 where it is, and what is not in it yet
  quietus list export               bring it up to date now")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with the list.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show where the list is, how many entries it has, and what is not in it yet.
    #[command(after_help = "Example:
  quietus list show

Exit code 0 where everything is in the list, 1 where something is not or no list is kept.")]
    Show,
    /// Bring the list and the log beside it up to date, and remove files that no index names.
    #[command(after_help = "Example:
  quietus list export

`evidence: {re_erasure_list: PLACE}` in `quietus.yaml` says where it is: a folder, or
`s3://bucket/prefix`. `quietus run` keeps it up to date by itself.")]
    Export,
}

/// Bring the database forward from the re-erasure list, after an older copy was put back or it was
/// lost.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus recover /mnt/elsewhere/quietus-list --dry-run
                                    check every file, change nothing
  quietus recover /mnt/elsewhere/quietus-list --by \"Ada Example\"
  quietus recover s3://evidence/list --by \"Ada Example\"

Everything is checked against the head of the log that was signed last before anything is written. A
file that is missing, older or of another instance is named, and nothing is changed. A call that was
interrupted is begun anew. Business events are not in the list: where some are missing, post them once
more first.")]
pub struct RecoverArguments {
    /// Where the list is: a folder, or `s3://bucket/prefix`.
    pub place: String,
    /// Only check; change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Go on although business events that were on record are missing.
    #[arg(long)]
    pub without_events: bool,
    /// Who does it.
    #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
    pub by: Remark,
}

/// Runs `quietus list`.
pub async fn run(arguments: &Arguments, folder: &Path) -> u8 {
    with_product(folder, async |product| match &arguments.command {
        Command::Show => show(product).await,
        Command::Export => export(product).await,
    })
    .await
}

async fn show(product: &Quietus) -> Result<u8, AppError> {
    let Some(standing) = product.list_standing().await? else {
        say(
            "no re-erasure list is kept: write `evidence: {re_erasure_list: FOLDER}` (or `s3://bucket/prefix`) into `quietus.yaml`",
        );
        return Ok(NOT_DONE);
    };
    let ListStanding { place, number: index, entries, waiting, leftovers, written_at } = standing;
    say(format!("place      {place}"));
    let at = written_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
    say(format!("written    {at}, index {}", number(index)));
    say(format!("entries    {}", number(entries)));
    if leftovers > 0 {
        say(format!("to remove  {} file(s) that the index no longer names", number(leftovers)));
    }
    if waiting > 0 || index == 0 {
        say(format!(
            "state      {WARN}{} change(s) are not in it yet{WARN:#}: `quietus list export` brings it up to date",
            number(waiting)
        ));
        return Ok(NOT_DONE);
    }
    say(format!("state      {GOOD}up to date{GOOD:#}"));
    Ok(FINE)
}

async fn export(product: &Quietus) -> Result<u8, AppError> {
    let written = product.export_list().await?;
    say(format!("{} entries written", number(written)));
    show(product).await
}

/// Runs `quietus recover`.
pub async fn recover(arguments: &RecoverArguments, folder: &Path) -> u8 {
    with_product(folder, async |product| {
        // What is typed starts where one stands, as with any command.
        let place = ExportPlace::parse(&arguments.place, Path::new(""));
        let options =
            RecoverOptions { dry_run: arguments.dry_run, without_events: arguments.without_events };
        let done = Box::pin(product.recover(&place, options, &actor(&arguments.by))).await?;
        Ok(tell(&done))
    })
    .await
}

fn tell(done: &Recovered) -> u8 {
    if done.missing_events > 0 {
        say(format!(
            "{BAD}{} business event(s) are missing{BAD:#} that were on record",
            number(done.missing_events)
        ));
    }
    let Some(refilled) = &done.refilled else {
        say(format!(
            "index {} with {} entries is whole, and the log commits to it; nothing was changed",
            number(done.number),
            number(done.entries)
        ));
        return FINE;
    };
    say(format!(
        "{} of {} entries of index {} were missing or older here and are back",
        number(done.brought),
        number(done.entries),
        number(done.number)
    ));
    say(format!(
        "{} entries of the log are back; `{}` goes on with {} entries",
        number(refilled.leaves),
        refilled.origin,
        number(refilled.size)
    ));
    say(format!(
        "state      {GOOD}sound{GOOD:#}: holds, pauses, requests and certificates are those of then"
    ));
    FINE
}
