//! `quietus pause` and `quietus resume`.

use std::path::Path;

use clap::Args;

use super::FINE;
use super::opening::{say, with_product};
use super::remark::actor;
use crate::app::AppError;
use crate::app::pause::words;
use crate::domain::Remark;

/// Stop until somebody resumes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus pause everything --reason \"migration of the CRM\"
  quietus pause rule contact-after-contract --reason \"period under review\"
  quietus pause system billing --reason \"year-end closing\"
  quietus pause case 0198… --reason \"to look at it first\"

What you write as the reason and the name is kept as evidence. Write no e-mail address,
telephone number or IBAN: they are refused.")]
pub struct PauseArguments {
    /// `everything`, `rule`, `system` or `case`.
    pub what: String,
    /// Its name or identifier.
    pub name: Option<String>,
    /// Why, in one line that names nobody, such as the number of a ticket.
    #[arg(long, value_name = "WHY")]
    pub reason: Remark,
    /// Who pauses it.
    #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
    pub by: Remark,
}

/// Let go on what was paused.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus resume everything
  quietus resume system billing")]
pub struct ResumeArguments {
    /// `everything`, `rule`, `system` or `case`.
    pub what: String,
    /// Its name or identifier.
    pub name: Option<String>,
    /// Who resumes it.
    #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
    pub by: Remark,
}

/// Runs `pause`.
pub async fn pause(arguments: &PauseArguments, folder: &Path) -> u8 {
    let PauseArguments { what, name, reason, by } = arguments;
    with_product(folder, async |product| {
        let scope = product.pause_scope(what, name.as_deref())?;
        let what = words(&scope);
        let new = product.pause(scope, &actor(by), reason.as_str()).await?;
        product.advance_log().await?;
        if new {
            say(format!("{what} is paused; running jobs stop at their next chunk"));
        } else {
            say(format!("{what} was paused already"));
        }
        Ok(FINE)
    })
    .await
}

/// Runs `resume`.
pub async fn resume(arguments: &ResumeArguments, folder: &Path) -> u8 {
    let ResumeArguments { what, name, by } = arguments;
    with_product(folder, async |product| {
        let scope = product.pause_scope(what, name.as_deref())?;
        let what = words(&scope);
        let resumed = product.resume(&scope, &actor(by)).await?;
        product.advance_log().await?;
        if !resumed {
            return Err(AppError::Input(format!("{what} was not paused: see `quietus status`")));
        }
        say(format!("{what} goes on"));
        Ok(FINE)
    })
    .await
}
