//! `quietus hold`: place, release, list.

use std::path::Path;

use clap::{Args, Subcommand};

use comfy_table::ColumnConstraint;
use quietus_connectors::Value;

use super::FINE;
use super::opening::{read_day, say, with_product};
use super::plan_text::new_table;
use super::remark::actor;
use crate::app::hold::PlaceHold;
use crate::app::{AppError, Quietus};
use crate::domain::{CategoryName, CollectionName, HoldScope, LegalHold, Remark, SystemName};

/// Place, release and list legal holds.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus hold place LIT-2026-7 --system billing --reason \"dispute over an invoice\"
  quietus hold place LIT-2026-7 --subject customer_id=4711 --reason \"lawsuit\" --review-on 2027-06-01
  quietus hold place LIT-2026-7 --system crm --collection customers --record 4711 --reason lawsuit
  quietus hold list
  quietus hold release LIT-2026-7")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with holds.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Place a hold: nothing in its scope is disposed of until it is released.
    Place(PlaceArguments),
    /// Release a hold by its identifier, or all of a matter.
    #[command(after_help = "Example:
  quietus hold release LIT-2026-7 --by \"Grace Example\"")]
    Release {
        /// Identifier of a hold, or a matter.
        hold: String,
        /// Who releases it.
        #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
        by: Remark,
    },
    /// List holds.
    #[command(after_help = "Examples:
  quietus hold list
  quietus hold list --all           released ones too")]
    List {
        /// Released ones too.
        #[arg(long)]
        all: bool,
    },
}

/// What a hold covers: everything that meets every part that is given.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus hold place LIT-2026-7 --system billing --reason \"dispute over an invoice\"
  quietus hold place LIT-2026-7 --category order.invoice --reason \"tax audit, TAX-123\"
  quietus hold place LIT-2026-7 --everything --reason \"court order 12 O 345/26\"

What you write as the matter, the reason and the name is kept as evidence. Write no e-mail
address, telephone number or IBAN: they are refused. Whom a hold is about is said by `--subject`
or `--record`, which are sealed.")]
pub struct PlaceArguments {
    /// The matter it belongs to: a file number, not a name.
    pub matter: Remark,
    /// Only this system.
    #[arg(long, value_name = "NAME")]
    pub system: Option<String>,
    /// Only this collection.
    #[arg(long, value_name = "NAME")]
    pub collection: Option<String>,
    /// Only this data category (records that hold it stay too).
    #[arg(long, value_name = "NAME")]
    pub category: Option<String>,
    /// Only the record with this key; needs `--system` and `--collection`.
    #[arg(long, value_name = "KEY", requires = "system", requires = "collection")]
    pub record: Option<String>,
    /// Only records of this person: an identity type of the data map and its value, in any spelling.
    /// Schedules find the person by this identity alone: place a hold for each that the person has.
    #[arg(long, value_name = "IDENTITY=VALUE")]
    pub subject: Option<String>,
    /// Everything, in every system.
    #[arg(long, conflicts_with_all = ["system", "collection", "category", "record", "subject"])]
    pub everything: bool,
    /// Why, in one line that names nobody, such as the number of a ticket.
    #[arg(long, value_name = "WHY")]
    pub reason: Remark,
    /// When somebody must look at it again.
    #[arg(long, value_name = "DAY", value_parser = read_day)]
    pub review_on: Option<jiff::civil::Date>,
    /// Who places it.
    #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
    pub by: Remark,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, folder: &Path) -> u8 {
    with_product(folder, async |product| {
        match &arguments.command {
            Command::Place(place) => place_hold(product, place).await?,
            Command::Release { hold, by } => release(product, hold, by).await?,
            Command::List { all } => list(product, *all).await?,
        }
        Ok(FINE)
    })
    .await
}

async fn place_hold(product: &Quietus, place: &PlaceArguments) -> Result<(), AppError> {
    let scope = scope_of(product, place)?;
    if scope == HoldScope::default() && !place.everything {
        return Err(AppError::Input(
            "the hold covers nothing: name a `--system`, `--collection`, `--category`, `--record` or `--subject`, or `--everything` for all data of every system".to_owned(),
        ));
    }
    let id = product
        .place_hold(PlaceHold {
            matter: place.matter.to_string(),
            scope,
            reason: place.reason.to_string(),
            review_on: place.review_on,
            actor: actor(&place.by),
        })
        .await?;
    product.advance_log().await?;
    say(format!(
        "hold {id} of matter {} is in force; running jobs stop at their next chunk",
        place.matter
    ));
    Ok(())
}

fn scope_of(product: &Quietus, place: &PlaceArguments) -> Result<HoldScope, AppError> {
    let wrong = |error: crate::domain::NameError| AppError::Input(error.to_string());
    let mut scope = HoldScope {
        system: place.system.as_deref().map(SystemName::parse).transpose().map_err(wrong)?,
        collection: place
            .collection
            .as_deref()
            .map(CollectionName::parse)
            .transpose()
            .map_err(wrong)?,
        category: place.category.as_deref().map(CategoryName::parse).transpose().map_err(wrong)?,
        record: None,
        subject: None,
    };
    if let (Some(record), Some(system), Some(collection)) =
        (&place.record, &scope.system, &scope.collection)
    {
        product.system(system.as_str())?;
        let mapped = product.collection(system, collection.as_str())?;
        scope.record = Some(product.read_key(mapped, record)?);
    }
    if let Some(subject) = &place.subject {
        let (identity, value) = subject.split_once('=').ok_or_else(|| {
            AppError::Input(
                "write the person as `identity=value`, such as `customer_id=4711`".to_owned(),
            )
        })?;
        // As it was typed: how each system has it is found when the hold is read.
        scope.subject = Some((identity.to_owned(), Value::Text(value.to_owned())));
    }
    Ok(scope)
}

async fn release(product: &Quietus, hold: &str, by: &Remark) -> Result<(), AppError> {
    let count = product.release_named(hold, &actor(by)).await?;
    product.advance_log().await?;
    say(format!("{count} hold(s) released; held jobs go on"));
    Ok(())
}

async fn list(product: &Quietus, all: bool) -> Result<(), AppError> {
    let holds = product.holds().await?;
    let mut table =
        new_table(&["hold", "matter", "covers", "reason", "by", "review on", "released"]);
    // An identifier is to be copied, so it stays on one line.
    if let Some(column) = table.column_mut(0) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    let mut shown = 0;
    for hold in holds.iter().filter(|hold| all || hold.released_at.is_none()) {
        shown += 1;
        table.add_row([
            hold.id.to_string(),
            hold.matter.clone(),
            covers(hold),
            hold.reason.clone(),
            hold.placed_by.clone(),
            hold.review_on.map_or_else(String::new, |day| day.to_string()),
            hold.released_at.map_or_else(String::new, |at| at.strftime("%Y-%m-%d").to_string()),
        ]);
    }
    if shown == 0 {
        say("no legal hold is in force");
    } else {
        say(table);
    }
    Ok(())
}

/// What a hold covers, without the values that name a person.
pub fn covers(hold: &LegalHold) -> String {
    let scope = &hold.scope;
    let mut parts = Vec::new();
    if let Some(system) = &scope.system {
        parts.push(format!("system {system}"));
    }
    if let Some(collection) = &scope.collection {
        parts.push(format!("collection {collection}"));
    }
    if let Some(category) = &scope.category {
        parts.push(format!("category {category}"));
    }
    if scope.record.is_some() {
        parts.push("one record".to_owned());
    }
    if let Some((identity, _)) = &scope.subject {
        parts.push(format!("one person, by {identity}"));
    }
    if parts.is_empty() { "everything".to_owned() } else { parts.join(", ") }
}
