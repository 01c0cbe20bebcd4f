//! `quietus log`: how the evidence log stands, static files of it, and the ways back after the
//! store was lost or put back to an earlier state.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::opening::{BAD, DIM, GOOD, STRONG, number, say, with_product};
use super::remark::actor;
use super::{FINE, NOT_DONE};
use crate::app::log_standing::{LogFacts, LogStatus, Standing};
use crate::app::{AppError, Quietus};
use crate::config::ExportPlace;
use crate::domain::Remark;

/// Look at the evidence log, export it, and go on after a fault.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus log status                what is published, and whether anything is wrong
  quietus log export backup/log     tiles and entries as files; only what is new is written
  quietus log export --to s3://evidence/log
                                    the same into a bucket
  quietus log fetch s3://evidence/log backup/log
                                    from a bucket into a folder
  quietus log refill backup/log     after an older copy of the database was put back
  quietus log succeed --reason \"ticket 4711\" --by \"Ada Example\"
                                    where what was lost cannot be put back")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with the log.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show all logs, what was signed last, what is wrong and how to go on.
    #[command(after_help = "Example:
  quietus log status

Exit code 0 where the log may be published, 1 where it may not.")]
    Status,
    /// Write the published logs as static files (C2SP tlog-tiles), each into a folder of its own.
    #[command(after_help = "Examples:
  quietus log export backup/log
  quietus log export --to s3://evidence/log

Any web server can serve the files to monitors. Keep a copy on another machine: what the database
loses can be put back from there. `evidence: {export: PLACE}` in `quietus.yaml` does it by itself.
Where buckets are, and with which credentials, says `object_store` in `quietus.yaml`. In a bucket
only the checkpoint is ever written over, and nothing is removed: it can be locked.")]
    Export {
        /// The folder; it is made if it is missing.
        #[arg(required_unless_present = "to")]
        folder: Option<PathBuf>,
        /// The place instead: `s3://bucket/prefix`, or a folder.
        #[arg(long, value_name = "PLACE", conflicts_with = "folder")]
        to: Option<String>,
    },
    /// Fetch exported logs from a bucket into a folder.
    #[command(after_help = "Examples:
  quietus log fetch s3://evidence/log backup/log
  quietus audit replay --from backup/log
  quietus log refill backup/log

Only what the folder does not have is fetched. What is fetched is believed by nobody: `audit replay`
and `log refill` check it against the log's key, and against the head that was signed last.")]
    Fetch {
        /// Where it is: `s3://bucket/prefix`.
        place: String,
        /// The folder; it is made if it is missing.
        folder: PathBuf,
    },
    /// Put back what the store has lost, from exported files.
    #[command(after_help = "Example:
  quietus log refill backup/log

Every entry is checked against the head that was signed last before anything is written. What
arrived in the meantime comes after. The details of entries that only the lost database had are
gone: their leaves say that something was recorded, and no longer what.")]
    Refill {
        /// The folder that `quietus log export` wrote.
        folder: PathBuf,
        /// Do it although a re-erasure list is kept, because it is lost as well.
        #[arg(long)]
        without_list: bool,
        /// Who does it.
        #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
        by: Remark,
    },
    /// Close a log that can never be published again, and open its successor.
    #[command(after_help = "Example:
  quietus log succeed --reason \"ticket 4711: disk lost, export too old\" --by \"Ada Example\"

The first entry of the successor names the break for ever: the head that was released last, what
is there instead, the reason and who declared it. Try `quietus log refill` first.

What you write as the reason and the name is kept as evidence. Write no e-mail address,
telephone number or IBAN: they are refused.")]
    Succeed {
        /// Why, in one line that names nobody, such as the number of a ticket.
        #[arg(long, value_name = "WHY")]
        reason: Remark,
        /// Who declares it.
        #[arg(long, value_name = "NAME")]
        by: Remark,
    },
}

/// Runs the command.
pub async fn run(arguments: &Arguments, folder: &Path) -> u8 {
    with_product(folder, async |product| match &arguments.command {
        Command::Status => status(product).await,
        Command::Export { folder, to } => export(product, folder.as_deref(), to.as_deref()).await,
        Command::Fetch { place, folder } => fetch(product, place, folder).await,
        Command::Refill { folder, without_list, by } => {
            if let Some(list) = product.instance.re_erasure_list.as_ref().filter(|_| !without_list) {
                return Err(AppError::Input(format!(
                    "the log alone brings back no hold, no pause and nobody whom a restored system has to erase again: write `quietus recover {list}`, or `--without-list` if that is lost as well; nothing was changed"
                )));
            }
            refill(product, folder, by).await
        }
        Command::Succeed { reason, by } => succeed(product, reason, by).await,
    })
    .await
}

async fn status(product: &Quietus) -> Result<u8, AppError> {
    let LogStatus { logs, signed, standing, waiting, unproven } = product.log_status().await?;
    for log in &logs {
        say_log(log);
    }
    match signed {
        None => say("signed last   nothing yet"),
        Some(head) => say(format!(
            "signed last   {} entries of `{}`, root {}",
            number(head.size),
            head.origin,
            head.root
        )),
    }
    say(format!("waiting       {} entries", number(waiting)));
    if unproven > 0 {
        say(format!(
            "unproven      {} certificate(s) wait for their place in the log",
            number(unproven)
        ));
    }
    let Some(why) = standing.why() else {
        say(format!("state         {GOOD}sound{GOOD:#}: it continues what was signed"));
        return Ok(FINE);
    };
    say(format!("state         {BAD}stopped{BAD:#}: {why}"));
    say(format!("{STRONG}how to go on{STRONG:#}"));
    say(
        "  1. Is there a newer copy of the database? Put that one back; nothing else is lost less.",
    );
    if standing.can_be_refilled() {
        say(
            "  2. Is there a re-erasure list? Everything that was done since comes back from it:\n       quietus recover PLACE",
        );
        say(
            "     Is there only an export of the log? Put the missing entries back; what they mean, and whom a restored system has to erase again, stays lost:\n       quietus log refill FOLDER",
        );
    } else if standing == Standing::Damaged {
        say("  2. Tiles or head were changed past quietus: find out by whom before you go on.");
    } else {
        say(
            "  2. Entries were appended that were never signed: nothing can be put back behind them.",
        );
    }
    say(
        "  3. Neither? Close the log and open its successor, whose first entry names the break:\n       quietus log succeed --reason WHY --by NAME",
    );
    say(
        "Until then evidence is kept in the store and waits; no head is signed, no certificate is issued, and nothing is carried out.",
    );
    Ok(NOT_DONE)
}

fn say_log(log: &LogFacts) {
    let state = if log.open { "open" } else { "closed" };
    say(format!("{STRONG}{}{STRONG:#}  {state}", log.origin));
    say(format!("  in the store  {} entries, root {}", number(log.size), log.root));
    match log.released {
        None => say("  released      nothing yet"),
        Some((size, root)) => say(format!("  released      {} entries, root {root}", number(size))),
    }
    if let Some(previous) = &log.follows {
        say(format!(
            "  {DIM}follows       {} entries of `{}`, root {}{DIM:#}",
            number(previous.size),
            previous.origin,
            previous.root
        ));
    }
}

async fn export(
    product: &Quietus,
    folder: Option<&Path>,
    to: Option<&str>,
) -> Result<u8, AppError> {
    // What is typed starts where one stands, as with any command.
    let place = match (to, folder) {
        (Some(to), _) => ExportPlace::parse(to, Path::new("")),
        (None, folder) => ExportPlace::Folder(folder.unwrap_or(Path::new("")).to_owned()),
    };
    let exported = product.export_logs(&place).await?;
    if exported.is_empty() {
        say("no log is published yet: nothing was written");
    }
    for log in exported {
        say(format!(
            "{}: {} entries, {} of them new, in {}",
            log.origin,
            number(log.size),
            number(log.size - log.before),
            log.place
        ));
    }
    Ok(FINE)
}

async fn fetch(product: &Quietus, place: &str, folder: &Path) -> Result<u8, AppError> {
    let fetched = product.fetch_logs(place, folder).await?;
    say(format!(
        "{} log(s) in {}: {} files fetched, {} were there",
        fetched.logs,
        folder.display(),
        fetched.files,
        fetched.there
    ));
    Ok(FINE)
}

async fn refill(product: &Quietus, folder: &Path, by: &Remark) -> Result<u8, AppError> {
    let done = product.refill_log(folder, &actor(by)).await?;
    say(format!(
        "{} entries are back ({} of them had still waited in this copy); the log `{}` goes on with {} entries",
        number(done.leaves),
        number(done.waited),
        done.origin,
        number(done.size)
    ));
    Ok(FINE)
}

async fn succeed(product: &Quietus, reason: &Remark, by: &Remark) -> Result<u8, AppError> {
    let done = product.succeed_log(reason.as_str(), &actor(by)).await?;
    say(format!(
        "`{}` is closed; `{}` follows it, and its first entry names the break after {} released entries",
        done.closed,
        done.origin,
        number(done.released.size)
    ));
    if product.has_witnesses() {
        say(
            "witnesses do not know the new log: tell those who run them why, and give them what `quietus anchor key` prints",
        );
    }
    let unproven = product.log_status().await?.unproven;
    if unproven > 0 {
        say(format!(
            "{} certificate(s) have no place in a released log and stay without proof",
            number(unproven)
        ));
    }
    Ok(FINE)
}
