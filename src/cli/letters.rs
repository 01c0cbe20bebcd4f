//! `quietus letter`: what is written to persons and to third parties, and how it was delivered.

use std::path::Path;

use clap::{Args, Subcommand, ValueEnum};
use comfy_table::ColumnConstraint;
use uuid::Uuid;

use super::FINE;
use super::mail::moment;
use super::opening::{read_id, say, with_product};
use super::plan_text::new_table;
use super::remark::actor;
use crate::app::{AppError, Quietus};
use crate::domain::Remark;
use crate::store::{Delivery, Letter};

/// List and show letters, and write down how they were delivered.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus letter list 0198…
  quietus letter show 0198… > letter.txt
  quietus letter delivered 0198… --how mail --by \"Ben Example\"

Templates of your own are `letters/<language>/<kind>.txt` in the folder of the instance, in the
manner of Jinja; the first line is the subject. They may use `controller`, `request`, `asked`,
`received_on`, `answer_by`, `outcome`, `reason`, `fee`, `kept` (with `what`, `because`, `until`
and `restricted`), `copies` (with `until` and `gone_on`), `third_parties` (with `name` and
`grade`), `certificate`, `complaint`, `law` and `categories`.")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with letters.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the letters of a request.
    #[command(after_help = "Example:
  quietus letter list 0198…")]
    List {
        /// The request.
        #[arg(value_parser = read_id)]
        request: Uuid,
    },
    /// Print a letter to standard output, to be sent; that somebody has read it is on record.
    #[command(after_help = "Example:
  quietus letter show 0198… > letter.txt")]
    Show {
        /// The letter.
        #[arg(value_parser = read_id)]
        letter: Uuid,
        /// Who reads it.
        #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
        by: Remark,
    },
    /// Write down how a letter was delivered, or why it was not.
    Delivered(DeliveredArguments),
}

/// How a letter was delivered.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus letter delivered 0198… --how mail --by \"Ben Example\"
  quietus letter delivered 0198… --how disproportionate --reason \"10 000 readers of a paper\" --by \"Ben Example\"

What you write as the reason and the name is kept as evidence. Write no e-mail address,
telephone number or IBAN: they are refused.")]
pub struct DeliveredArguments {
    /// The letter.
    #[arg(value_parser = read_id)]
    pub letter: Uuid,
    /// How, or why not; the last two are for notices to recipients only (GDPR article 19).
    #[arg(long, value_enum)]
    pub how: HowWord,
    /// Why it is impossible or disproportionate, in one line that names nobody.
    #[arg(long, value_name = "WHY")]
    pub reason: Option<Remark>,
    /// Who delivered it, or says that it cannot be.
    #[arg(long, value_name = "NAME", env = "QUIETUS_BY")]
    pub by: Remark,
}

/// How a letter was delivered, as it is typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum HowWord {
    /// By e-mail.
    Mail,
    /// By hand: somebody sent or gave it.
    Hand,
    /// It proved impossible.
    Impossible,
    /// It would be a disproportionate effort.
    Disproportionate,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, folder: &Path) -> u8 {
    with_product(folder, async |product| {
        match &arguments.command {
            Command::List { request } => list(product, *request).await?,
            Command::Show { letter, by } => show(product, *letter, by).await?,
            Command::Delivered(delivered) => note_delivery(product, delivered).await?,
        }
        Ok(FINE)
    })
    .await
}

async fn list(product: &Quietus, request: Uuid) -> Result<(), AppError> {
    let letters = product.letters_of(request).await?;
    let mails = product.mails_of(request).await?;
    product.advance_log().await?;
    if letters.is_empty() {
        say("no letter was written: whoever brought the request writes to the person");
        return Ok(());
    }
    let mut table = new_table(&["letter", "kind", "to", "language", "written", "delivered"]);
    // An identifier is to be copied, so it stays on one line.
    if let Some(column) = table.column_mut(0) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    for letter in &letters {
        table.add_row([
            letter.id.to_string(),
            letter.kind.as_str().replace('_', " "),
            letter.recipient.clone(),
            letter.language.clone(),
            letter.written_at.strftime("%Y-%m-%d").to_string(),
            delivery(letter),
        ]);
    }
    say(table);
    for letter in letters.iter().filter(|letter| letter.delivered.is_none()) {
        match mails.get(&letter.id) {
            Some(mail) => say(format!("{}: {}", letter.id, mail.words(|at| moment(product, at)))),
            None => say(format!("{}: give it by hand", letter.id)),
        }
    }
    Ok(())
}

fn delivery(letter: &Letter) -> String {
    let Some((by, delivery, at)) = &letter.delivered else { return "not yet".to_owned() };
    let day = at.strftime("%Y-%m-%d");
    match &letter.reason {
        Some(reason) => format!("{delivery}, {day}, {by}: {reason}"),
        None => format!("{delivery}, {day}, {by}"),
    }
}

async fn show(product: &Quietus, letter: Uuid, by: &Remark) -> Result<(), AppError> {
    let opened = product.open_letter(letter, &actor(by)).await?;
    product.advance_log().await?;
    if let Some(to) = &opened.to {
        say(format!("To: {to}"));
    }
    say(format!("Subject: {}\n\n{}", opened.subject, opened.text.trim_end()));
    Ok(())
}

async fn note_delivery(product: &Quietus, given: &DeliveredArguments) -> Result<(), AppError> {
    let how = match given.how {
        HowWord::Mail => Delivery::Mail,
        HowWord::Hand => Delivery::Hand,
        HowWord::Impossible => Delivery::Impossible,
        HowWord::Disproportionate => Delivery::Disproportionate,
    };
    let reason = given.reason.as_ref().map(ToString::to_string);
    product.letter_delivered(given.letter, (how, reason), &actor(&given.by)).await?;
    product.advance_log().await?;
    say(format!("on record: {how}"));
    Ok(())
}
