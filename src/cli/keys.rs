//! `quietus keys`: list keys, end epochs.

use std::path::Path;

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::opening::{GOOD, number, say, with_product};
use super::plan_text::new_table;
use super::remark::actor;
use super::{FINE, NOT_DONE};
use crate::app::key_care::EpochEnd;
use crate::app::{AppError, Quietus};
use crate::domain::{EpochName, Remark};
use crate::store::KeyEpoch;

/// List and end the keys of this instance.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus keys list
  quietus keys destroy-epoch 2026-10")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the keys of this instance and how long they last.
    #[command(after_help = "Example:
  quietus keys list")]
    List,
    /// Destroy the key of a month: what was shredded is then gone from every copy of the database.
    #[command(after_help = "Examples:
  quietus keys destroy-epoch 2026-10
  quietus keys destroy-epoch 2026-10 --early --by \"Ada Example\"

All that lives is wrapped anew with the newest key first. The key is destroyed once copies of the
database from before are gone (`evidence: {copies_for: P35D}`); `quietus run` does so by itself. With
`--early` such a copy can be restored, but nothing in it that was sealed in that month can be read.
Copies of the keys folder are yours to destroy.")]
    DestroyEpoch {
        /// The month, such as `2026-10`.
        #[arg(value_name = "MONTH", value_parser = read_epoch)]
        epoch: EpochName,
        /// Do not wait until copies of the database from before are gone.
        #[arg(long)]
        early: bool,
        /// Who does it, as it stands in evidence.
        #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
        by: Remark,
    },
}

fn read_epoch(text: &str) -> Result<EpochName, &'static str> {
    EpochName::parse(text).ok_or("write a month, such as `2026-10`")
}

/// Runs the command.
pub async fn run(arguments: &Arguments, folder: &Path) -> u8 {
    with_product(folder, async |product| match &arguments.command {
        Command::List => list(product).await,
        Command::DestroyEpoch { epoch, early, by } => {
            let ended = product.end_epoch(epoch, *early, &actor(by)).await?;
            product.advance_log().await?;
            Ok(tell_end(epoch, ended))
        }
    })
    .await
}

fn tell_end(epoch: &EpochName, ended: EpochEnd) -> u8 {
    match ended {
        EpochEnd::Destroyed => {
            say(format!("{GOOD}destroyed{GOOD:#}: the key of epoch {epoch}"));
            FINE
        }
        EpochEnd::Left { rewrapped, destroy_from } => {
            say(format!(
                "{} key(s) are wrapped anew, and nothing needs the key of epoch {epoch} but copies of the database from before: destroy it from {} on, or with `--early`",
                number(rewrapped),
                day(destroy_from)
            ));
            NOT_DONE
        }
    }
}

fn day(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d").to_string()
}

async fn list(product: &Quietus) -> Result<u8, AppError> {
    let mut table = new_table(&["epoch", "begun", "wraps", "state"]);
    for epoch in product.store.key_epochs().await? {
        let wraps = format!(
            "{} case key(s), {} request key(s)",
            number(epoch.data_keys),
            number(epoch.request_keys)
        );
        let state = state_of(product, &epoch);
        table.add_row([epoch.name.to_string(), day(epoch.begun_at), wraps, state]);
    }
    say(table);
    Ok(FINE)
}

fn state_of(product: &Quietus, epoch: &KeyEpoch) -> String {
    match (epoch.destroyed_at, epoch.left_at) {
        (Some(at), _) => format!("destroyed {}", day(at)),
        (None, Some(left_at)) => {
            format!("left, to be destroyed from {} on", day(product.copies_end(left_at)))
        }
        (None, None) => "in use".to_owned(),
    }
}
