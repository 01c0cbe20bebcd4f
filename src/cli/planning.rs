//! `quietus plan` and `quietus explain`. Both change nothing anywhere.

use std::path::Path;

use clap::{Args, ValueEnum};

use super::explain_text::{explanation_json, explanation_text};
use super::opening::{WARN, complain, read_first_line, read_moment, say, with_product};
use super::plan_text::{forecast_json, forecast_text};
use super::{FINE, NOT_DONE};
use crate::app::{AppError, Quietus};
use crate::domain::SystemName;
use crate::plan::forecast;

/// Show what would go.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus plan                          what is due now
  quietus plan --at 2027-01-01          what would be due on that day
  quietus plan --system billing --format json")]
pub struct PlanArguments {
    /// A day or an instant; now if nothing is said.
    #[arg(long, value_name = "DAY OR INSTANT")]
    pub at: Option<String>,
    /// Only this system.
    #[arg(long, value_name = "NAME")]
    pub system: Option<String>,
    /// Only the rules of this schedule act; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub schedule: Vec<String>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Look::Table)]
    pub format: Look,
}

/// Explain one record.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus explain crm customers 4711
  quietus explain billing payments order_number=A-0000004,payment_number=1
  quietus explain crm customers 4711 --at 2030-01-01")]
pub struct ExplainArguments {
    /// The system.
    pub system: String,
    /// The collection.
    pub collection: String,
    /// The record's key: a value, or `field=value,field=value`. On shared machines use
    /// `--key-file`: other users see what is typed here.
    #[arg(required_unless_present = "key_file")]
    pub key: Option<String>,
    /// Read the key from the first line of this file; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    pub key_file: Option<std::path::PathBuf>,
    /// A day or an instant; now if nothing is said.
    #[arg(long, value_name = "DAY OR INSTANT")]
    pub at: Option<String>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Look::Table)]
    pub format: Look,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Look {
    /// Tables for people.
    Table,
    /// JSON for machines.
    Json,
}

/// Runs `plan`.
pub async fn plan(arguments: &PlanArguments, folder: &Path) -> u8 {
    with_product(folder, async |product| try_plan(product, arguments).await).await
}

/// What `--at` says; now if it says nothing.
fn moment(product: &Quietus, at: Option<&str>) -> Result<jiff::Timestamp, AppError> {
    at.map_or_else(|| Ok(product.this_second()), |text| read_moment(text, product.zone()))
}

async fn try_plan(product: &Quietus, arguments: &PlanArguments) -> Result<u8, AppError> {
    let moment = moment(product, arguments.at.as_deref())?;
    let only: Option<SystemName> = match &arguments.system {
        Some(name) => Some(product.system(name)?.name.clone()),
        None => None,
    };
    let acting = product.acting(&arguments.schedule)?;
    let counted = product.counted_plan(moment, &acting, only.as_ref()).await?;
    let forecast = forecast(&counted.plan, &product.rules, &counted.counts);
    let unreadable =
        |error: serde_json::Error| AppError::Unreadable { what: "a plan", why: error.to_string() };
    match arguments.format {
        Look::Table => say(forecast_text(&forecast).trim_end()),
        Look::Json => say(forecast_json(&forecast).map_err(unreadable)?),
    }
    for (system, fault) in &counted.faults {
        complain(&format!(
            "system `{system}` was not counted: {fault}; `connection` in its file says where it is"
        ));
    }
    let stopped =
        counted.counts.values().any(|one| !one.drift.is_empty() || !one.refusals.is_empty());
    if stopped && arguments.format == Look::Table {
        say(format!("{WARN}as it stands, the systems named above would refuse to run{WARN:#}"));
    }
    Ok(if counted.faults.is_empty() && !stopped { FINE } else { NOT_DONE })
}

/// Runs `explain`.
pub async fn explain(arguments: &ExplainArguments, folder: &Path) -> u8 {
    with_product(folder, async |product| try_explain(product, arguments).await).await
}

async fn try_explain(product: &Quietus, arguments: &ExplainArguments) -> Result<u8, AppError> {
    let moment = moment(product, arguments.at.as_deref())?;
    let text = match (&arguments.key, &arguments.key_file) {
        (Some(key), _) => key.clone(),
        (None, Some(path)) => read_first_line(path)?,
        (None, None) => String::new(),
    };
    let system = product.system(&arguments.system)?;
    let collection = product.collection(&system.name, &arguments.collection)?;
    let key = product.read_key(collection, &text)?;
    let explained =
        product.explain_record(&arguments.system, &arguments.collection, &key, moment).await?;
    let Some(explanation) = explained else {
        return Err(AppError::Input(format!(
            "`{}.{}` has no record with this key",
            arguments.system, arguments.collection
        )));
    };
    let unreadable = |error: serde_json::Error| AppError::Unreadable {
        what: "an explanation",
        why: error.to_string(),
    };
    match arguments.format {
        Look::Table => say(explanation_text(&explanation).trim_end()),
        Look::Json => say(explanation_json(&explanation).map_err(unreadable)?),
    }
    Ok(FINE)
}
