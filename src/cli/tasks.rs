//! `quietus task`: what people do by hand, where no interface can.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use comfy_table::ColumnConstraint;
use uuid::Uuid;

use super::FINE;
use super::opening::{BAD, DIM, STRONG, WARN, read_id, say, with_product};
use super::plan_text::new_table;
use super::remark::actor;
use crate::app::task::{ListedTask, Onlooker, SaidOfTask, TaskSheet};
use crate::app::{AppError, Quietus};
use crate::domain::{Digest, Remark};
use crate::store::TaskResult;

/// List, do and confirm what people do by hand.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus task list
  quietus task show 0198… --by \"Ben Example\"
  quietus task done 0198… --result done --evidence letter.pdf --by \"Ben Example\"
  quietus task confirm 0198… --by \"Ada Example\"")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with tasks.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List tasks, those that are due first at the top.
    #[command(after_help = "Examples:
  quietus task list
  quietus task list --all           confirmed ones and those that were called off too")]
    List {
        /// Confirmed ones and those that were called off too.
        #[arg(long)]
        all: bool,
    },
    /// Show what to do and whom it is about, to whoever does it; every look is on record.
    #[command(after_help = "Example:
  quietus task show 0198… --by \"Ben Example\"")]
    Show {
        /// The task.
        #[arg(value_parser = read_id)]
        task: Uuid,
        /// Who looks: the one who does it.
        #[arg(long, value_name = "NAME", env = "QUIETUS_BY")]
        by: Remark,
    },
    /// Say what became of a task.
    Done(DoneArguments),
    /// Confirm, as a second person, what somebody said of a task.
    #[command(after_help = "Example:
  quietus task confirm 0198… --by \"Ada Example\"")]
    Confirm {
        /// The task.
        #[arg(value_parser = read_id)]
        task: Uuid,
        /// Who confirms it; not who said that it is done.
        #[arg(long, value_name = "NAME", env = "QUIETUS_BY")]
        by: Remark,
    },
}

/// What became of a task.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus task done 0198… --result done --evidence letter.pdf --by \"Ben Example\"
  quietus task done 0198… --result absent --note \"no file under this number, ARC-17\"

The file stays where it is: only its SHA-256 is kept. What you write as the note and the name is
kept as evidence. Write no e-mail address, telephone number or IBAN: they are refused.")]
pub struct DoneArguments {
    /// The task.
    #[arg(value_parser = read_id)]
    pub task: Uuid,
    /// What became of it.
    #[arg(long, value_enum)]
    pub result: ResultWord,
    /// A file that shows it, such as a letter or a screenshot.
    #[arg(long, value_name = "FILE")]
    pub evidence: Option<PathBuf>,
    /// In one line that names nobody.
    #[arg(long, value_name = "WORDS")]
    pub note: Option<Remark>,
    /// Who says so.
    #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
    pub by: Remark,
}

/// What became of a task, as it is typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ResultWord {
    /// What was asked is done.
    Done,
    /// The person is not known there.
    Absent,
    /// It was refused.
    Refused,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, folder: &Path) -> u8 {
    with_product(folder, async |product| {
        match &arguments.command {
            Command::List { all } => list(product, *all).await?,
            Command::Show { task, by } => {
                let sheet = product.task_sheet(*task, &Onlooker::Named(actor(by))).await?;
                product.advance_log().await?;
                print_sheet(product, &sheet);
            }
            Command::Done(done) => report(product, done).await?,
            Command::Confirm { task, by } => {
                product.confirm_task(*task, &actor(by)).await?;
                product.advance_log().await?;
                say("confirmed; its job goes on");
            }
        }
        Ok(FINE)
    })
    .await
}

async fn list(product: &Quietus, all: bool) -> Result<(), AppError> {
    let tasks = product.tasks(!all).await?;
    if tasks.is_empty() {
        say("nobody has anything to do by hand");
        return Ok(());
    }
    let mut table = new_table(&["task", "system", "who", "due", "standing", "result"]);
    // An identifier is to be copied, so it stays on one line.
    if let Some(column) = table.column_mut(0) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    for listed in &tasks {
        let task = &listed.task;
        table.add_row([
            task.job_id.to_string(),
            task.system.clone(),
            task.assignee.clone(),
            day(product, listed),
            listed.standing().replace('_', " "),
            task.result.map_or_else(String::new, |result| result.to_string()),
        ]);
    }
    say(table);
    Ok(())
}

fn day(product: &Quietus, listed: &ListedTask) -> String {
    let due = listed.task.due_at.to_zoned(product.zone().clone());
    due.strftime("%Y-%m-%d %H:%M").to_string()
}

fn print_sheet(product: &Quietus, sheet: &TaskSheet) {
    let task = &sheet.listed.task;
    say(format!("{STRONG}task {}{STRONG:#} for {}", task.job_id, task.assignee));
    say(format!("  where    {} ({})", sheet.operator, task.system));
    say(format!("  asked    {}, request {}", sheet.asked, sheet.request));
    let due = day(product, &sheet.listed);
    if sheet.listed.overdue {
        say(format!("  due      {BAD}{due}, overdue{BAD:#}"));
    } else {
        say(format!("  due      {due}"));
    }
    say(format!("  to do    {}", sheet.instructions));
    for identity in &sheet.identities {
        say(format!("  whom     {} {}", identity.kind, identity.value));
    }
    say(format!(
        "{WARN}Use this for the task only. Do not copy it into mails, tickets or notes.{WARN:#}"
    ));
    say(format!("{DIM}This look is on record, without what it showed.{DIM:#}"));
}

async fn report(product: &Quietus, done: &DoneArguments) -> Result<(), AppError> {
    let evidence_sha256 = done.evidence.as_deref().map(digest_of_file).transpose()?;
    let said = SaidOfTask {
        result: match done.result {
            ResultWord::Done => TaskResult::Done,
            ResultWord::Absent => TaskResult::Absent,
            ResultWord::Refused => TaskResult::Refused,
        },
        evidence_sha256,
        note: done.note.as_ref().map(ToString::to_string),
    };
    product.report_task(done.task, said, &actor(&done.by)).await?;
    product.advance_log().await?;
    say(format!(
        "on record; a second person confirms it with `quietus task confirm {} --by NAME`",
        done.task
    ));
    Ok(())
}

/// Only the digest of what shows it is kept.
fn digest_of_file(path: &Path) -> Result<Digest, AppError> {
    let bytes = std::fs::read(path).map_err(|error| {
        AppError::Input(format!(
            "`{}` cannot be read: {}; name the file that shows what became of the task",
            path.display(),
            crate::config::why(&error)
        ))
    })?;
    Ok(Digest::of(&bytes))
}
