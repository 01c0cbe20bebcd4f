//! `quietus mail`: whether letters and tasks go out by e-mail, and what has not gone out.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use uuid::Uuid;

use super::FINE;
use super::opening::{read_first_line, read_id, say, with_product};
use super::remark::actor;
use crate::app::{AppError, Quietus};
use crate::domain::Remark;
use crate::store::Mail;

/// Try the mail server, list what has not gone out, and send it again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus mail test --to address.txt
  quietus mail list
  quietus mail again 0198… --by \"Ben Example\"

The mail server stands under `mail` in `quietus.yaml`. Letters go to the address that the person
has given, notices to the `mail` of a third party in the data map, and tasks to whoever does or
confirms them. `quietus run` sends them as they become due; `quietus run --once` sends them once.")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with mails.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Send a test message by the settings of `quietus.yaml`.
    #[command(after_help = "Examples:
  quietus mail test --to address.txt
  quietus mail test --to -            the address comes from standard input")]
    Test {
        /// A file whose first line is the address; `-` reads standard input.
        #[arg(long, value_name = "ADDRESS-FILE")]
        to: PathBuf,
    },
    /// List mails that have not gone out, and why.
    #[command(after_help = "Example:
  quietus mail list")]
    List,
    /// Send a mail again whose outcome is unknown or that was to be given by hand.
    #[command(after_help = "Example:
  quietus mail again 0198… --by \"Ben Example\"

It goes out under the same Message-ID, by which most readers see it once. Look whether the person
has it before you send a letter again, or write down with `quietus letter delivered` that it is.")]
    Again {
        /// The mail; of a letter it has the letter's identifier.
        #[arg(value_parser = read_id)]
        mail: Uuid,
        /// Who decides so.
        #[arg(long, value_name = "NAME", env = "QUIETUS_BY")]
        by: Remark,
    },
}

/// Runs the command.
pub async fn run(arguments: &Arguments, folder: &Path) -> u8 {
    with_product(folder, async |product| {
        match &arguments.command {
            Command::Test { to } => {
                product.send_test_mail(&read_first_line(to)?).await?;
                say("the mail server has accepted it; look whether it arrives");
            }
            Command::List => list(product).await?,
            Command::Again { mail, by } => {
                product.mail_again(*mail, &actor(by)).await?;
                product.advance_log().await?;
                say("on record; it goes out with `quietus run`, or with `quietus run --once`");
            }
        }
        Ok(FINE)
    })
    .await
}

async fn list(product: &Quietus) -> Result<(), AppError> {
    let mails = product.open_mails().await?;
    if mails.is_empty() {
        say("no mail is waiting");
        return Ok(());
    }
    for mail in &mails {
        let standing = product.mail_facts(mail).words(|at| moment(product, at));
        let written = moment(product, mail.written_at);
        let Mail { id, about, recipient, .. } = mail;
        say(format!("{id}  {about} to {recipient}, written {written}: {standing}"));
    }
    Ok(())
}

/// A moment as people write it, on the clock of the instance.
pub fn moment(product: &Quietus, at: jiff::Timestamp) -> String {
    at.to_zoned(product.zone().clone()).strftime("%Y-%m-%d %H:%M").to_string()
}
