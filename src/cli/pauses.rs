//! `quietus pause` and `quietus resume`.

use std::path::Path;

use clap::Args;

use super::FINE;
use super::opening::{fail, open, say};
use crate::app::pause::words;
use crate::app::{Actor, AppError, Quietus};

/// Stop until somebody resumes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus pause everything --reason \"migration of the CRM\"
  quietus pause rule contact-after-contract --reason \"period under review\"
  quietus pause system billing --reason \"year-end closing\"
  quietus pause case 0198… --reason \"to look at it first\"")]
pub struct PauseArguments {
    /// `everything`, `rule`, `system` or `case`.
    pub what: String,
    /// Its name or identifier.
    pub name: Option<String>,
    /// Why.
    #[arg(long, value_name = "WHY")]
    pub reason: String,
    /// Who pauses it.
    #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
    pub by: String,
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
    pub by: String,
}

/// Runs `pause`.
pub async fn pause(arguments: &PauseArguments, folder: &Path) -> u8 {
    let product = match open(folder).await {
        Ok(product) => product,
        Err(code) => return code,
    };
    finish(try_pause(&product, arguments).await)
}

async fn try_pause(product: &Quietus, arguments: &PauseArguments) -> Result<String, AppError> {
    let scope = product.pause_scope(&arguments.what, arguments.name.as_deref())?;
    let what = words(&scope);
    let actor = Actor(arguments.by.clone());
    let new = product.pause(scope, &actor, &arguments.reason).await?;
    product.advance_log().await?;
    Ok(if new {
        format!("{what} is paused; running jobs stop at their next chunk")
    } else {
        format!("{what} was paused already")
    })
}

/// Runs `resume`.
pub async fn resume(arguments: &ResumeArguments, folder: &Path) -> u8 {
    let product = match open(folder).await {
        Ok(product) => product,
        Err(code) => return code,
    };
    finish(try_resume(&product, arguments).await)
}

async fn try_resume(product: &Quietus, arguments: &ResumeArguments) -> Result<String, AppError> {
    let scope = product.pause_scope(&arguments.what, arguments.name.as_deref())?;
    let what = words(&scope);
    let resumed = product.resume(&scope, &Actor(arguments.by.clone())).await?;
    product.advance_log().await?;
    if resumed {
        Ok(format!("{what} goes on"))
    } else {
        Err(AppError::Input(format!("{what} was not paused")))
    }
}

fn finish(result: Result<String, AppError>) -> u8 {
    match result {
        Ok(words) => {
            say(words);
            FINE
        }
        Err(error) => fail(&error),
    }
}
