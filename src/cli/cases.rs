//! `quietus status`, `approve`, `cancel` and `retry`.

use std::path::Path;
use std::sync::Arc;

use clap::Args;

use uuid::Uuid;

use super::drills::tell_drills;
use super::inside::tell_inside;
use super::opening::{BAD, DIM, GOOD, STRONG, WARN, number, read_id, say, with_product};
use super::plan_text::new_table;
use super::reappeared::tell_reappeared;
use super::remark::actor;
use super::restores::tell_quarantines;
use super::spared::tell_what_waits;
use super::{FINE, NOT_DONE};
use crate::app::approve::question;
use crate::app::progress::Done;
use crate::app::{AppError, Quietus};
use crate::domain::{CaseState, JobState, Remark};
use crate::store::{Case, CaseFilter, Job, JobKind};

/// Show cases and their jobs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus status                 the latest cases
  quietus status CASE            one case with its jobs and attempts")]
pub struct StatusArguments {
    /// A case; without one, the latest are listed.
    #[arg(value_parser = read_id)]
    pub case: Option<Uuid>,
    /// How many to list.
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    pub limit: u32,
}

/// Agree to a case that exceeds a cap.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  quietus approve 0198… --by \"Grace Example\" --reason \"first run over ten years, FIN-1234\"

What you write as the reason and the name is kept as evidence. Write no e-mail address,
telephone number or IBAN: they are refused.")]
pub struct ApproveArguments {
    /// The case.
    #[arg(value_parser = read_id)]
    pub case: Uuid,
    /// Who agrees; not the author of a rule whose cap is exceeded.
    #[arg(long, value_name = "NAME", env = "QUIETUS_BY")]
    pub by: Remark,
    /// Why, in one line that names nobody, such as the number of a ticket.
    #[arg(long, value_name = "WHY")]
    pub reason: Remark,
    /// What the case asks, as `quietus status CASE` says: where it asks for something else by now,
    /// nothing is agreed to.
    #[arg(long, value_name = "DIGITS")]
    pub question: Option<String>,
}

/// Call off a case.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  quietus cancel 0198… --reason \"rule was widened by mistake, OPS-1234\"

What you write as the reason and the name is kept as evidence. Write no e-mail address,
telephone number or IBAN: they are refused.")]
pub struct CancelArguments {
    /// The case.
    #[arg(value_parser = read_id)]
    pub case: Uuid,
    /// Who calls it off.
    #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
    pub by: Remark,
    /// Why, in one line that names nobody, such as the number of a ticket.
    #[arg(long, value_name = "WHY")]
    pub reason: Remark,
}

/// Try failed jobs again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus retry --system crm     every failed job of a system, after its cause is mended; where its
                                 breaker is open, it is tried at once
  quietus retry --dry-run        how many there are, by system and reason; nothing is changed
  quietus retry --job 0198…      one job")]
pub struct RetryArguments {
    /// One job.
    #[arg(long, value_name = "JOB", conflicts_with = "system", value_parser = read_id)]
    pub job: Option<Uuid>,
    /// Every failed job of a system; without either, every failed job.
    #[arg(long, value_name = "NAME")]
    pub system: Option<String>,
    /// Only say how many there are, and change nothing; 1 where there is none.
    #[arg(long, conflicts_with = "job")]
    pub dry_run: bool,
    /// Who asks for it.
    #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
    pub by: Remark,
}

/// Runs `status`.
pub async fn status(arguments: &StatusArguments, folder: &Path) -> u8 {
    with_product(folder, async |product| show(product, arguments).await).await
}

/// Says that the store is an older copy, or that something is not in the re-erasure list yet.
async fn tell_what_is_lost(product: &Quietus) -> Result<(), AppError> {
    if let Some(why) = product.stands_still().await? {
        say(format!("{BAD}nothing is carried out{BAD:#}: {why}; see `quietus log status`"));
    }
    let standing = product.list_standing().await?;
    if let Some(waiting) = standing.map(|one| one.waiting).filter(|waiting| *waiting > 0) {
        say(format!(
            "{WARN}{} change(s) are not in the re-erasure list yet{WARN:#}: see `quietus list show`",
            number(waiting)
        ));
    }
    Ok(())
}

async fn show(product: &Arc<Quietus>, arguments: &StatusArguments) -> Result<u8, AppError> {
    if let Some(case) = arguments.case {
        print_case(product, case).await?;
        return Ok(FINE);
    }
    tell_what_is_lost(product).await?;
    let filter = CaseFilter { limit: arguments.limit, ..CaseFilter::default() };
    let cases = product.store.list_cases(filter).await?;
    if cases.is_empty() {
        say("no case yet: `quietus run --once` carries out what is due now");
    } else {
        say(table_of(&cases));
    }
    for pause in product.store.active_pauses().await? {
        let scope = crate::app::pause::words(&pause.scope);
        say(format!("{WARN}paused{WARN:#}: {scope}, by {}: {}", pause.paused_by, pause.reason));
    }
    tell_quarantines(product).await?;
    tell_what_waits(product).await?;
    tell_reappeared(product).await?;
    tell_inside(product).await?;
    tell_drills(product).await?;
    Ok(FINE)
}

fn table_of(cases: &[Case]) -> comfy_table::Table {
    let mut table = new_table(&["case", "opened", "by", "state", "outcome"]);
    for case in cases {
        table.add_row([
            case.id.to_string(),
            case.created_at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
            case.schedule.clone().unwrap_or_else(|| case.opened_by.clone()),
            case.state.to_string(),
            case.outcome.map_or_else(String::new, |outcome| outcome.to_string()),
        ]);
    }
    table
}

/// Prints a case with its jobs.
///
/// # Errors
/// Where there is no such case.
pub async fn print_case(product: &Arc<Quietus>, id: Uuid) -> Result<(), AppError> {
    let case = product.store.case(id).await?;
    let case = case
        .ok_or_else(|| AppError::Input(format!("there is no case `{id}`: see `quietus status`")))?;
    print_head(product, &case);
    let jobs = product.store.jobs_of_case(id).await?;
    if let Some(question) = question(&jobs) {
        say(format!("  quietus approve {id} --question {question} --by NAME --reason WHY"));
    }
    for job in jobs {
        print_job(&job);
        for attempt in product.store.attempts_of(job.id).await? {
            if let Some(fault) = &attempt.fault {
                let result = attempt.result.map_or("running", |result| result.as_str());
                say(format!(
                    "      {DIM}attempt {}: {result}: {} ({}){DIM:#}",
                    attempt.attempt, fault.message, fault.kind
                ));
            } else if attempt.result.is_some_and(|result| result.as_str() == "lost") {
                say(format!("      {DIM}attempt {}: lost without a word{DIM:#}", attempt.attempt));
            }
        }
    }
    Ok(())
}

fn print_head(product: &Quietus, case: &Case) {
    let moment = case.moment.to_zoned(product.zone().clone());
    say(format!(
        "{STRONG}case {}{STRONG:#} as of {}: {}{}",
        case.id,
        moment.strftime("%Y-%m-%d %H:%M:%S %Z"),
        case.state,
        case.outcome.map_or_else(String::new, |outcome| format!(", {outcome}"))
    ));
    if case.state == CaseState::AwaitingApproval
        && let Some(reason) = &case.blocked_reason
    {
        say(format!("  {WARN}waits for a second person:{WARN:#} {reason}"));
    }
    if let Some(lag) = case.lag_us.filter(|lag| *lag > 60_000_000) {
        say(format!("  begun {} minutes after it was due", lag / 60_000_000));
    }
}

fn print_job(job: &Job) {
    let style = match job.state {
        JobState::Completed => GOOD,
        JobState::Failed => BAD,
        _ => WARN,
    };
    say(format!("  {STRONG}{}{STRONG:#}: {style}{}{style:#}", job.system, job.state));
    if job.kind == JobKind::Backup && !job.state.is_final() {
        let next = job.available_at.strftime("%Y-%m-%d %H:%M:%SZ");
        say(format!("    its copies may hold what was erased; looked at on {next}"));
    }
    if job.kind == JobKind::Residue && !job.state.is_final() {
        let next = job.available_at.strftime("%Y-%m-%d %H:%M:%SZ");
        say(format!("    its files and logs may hold what was erased; looked at on {next}"));
    }
    if !job.hold_matters.is_empty() {
        say(format!("    held by matter {}", job.hold_matters.join(", ")));
    }
    if let Some(fault) = job.last_fault.as_ref().filter(|_| job.state != JobState::Completed) {
        say(format!("    {}: {}", fault.kind, fault.message));
    }
    let done: Option<Done> = job.done.clone().and_then(|done| serde_json::from_value(done).ok());
    for part in done.map(|done| done.total()).unwrap_or_default().collections {
        let mut words = Vec::new();
        let mut add = |count: u64, what: &str| {
            if count > 0 {
                words.push(format!("{} {what}", number(count)));
            }
        };
        add(part.deleted, "deleted");
        for (category, count) in &part.treated {
            add(*count, &format!("lost {category}"));
        }
        add(part.restricted, "restricted");
        add(part.lifted, "lifted");
        add(part.held, "held");
        for (by, count) in &part.referenced {
            add(*count, &format!("kept because {by} refers to them"));
        }
        if !words.is_empty() {
            say(format!("    {:<24} {}", part.collection, words.join(", ")));
        }
    }
}

/// Runs `approve`.
pub async fn approve(arguments: &ApproveArguments, folder: &Path) -> u8 {
    let ApproveArguments { case, by, reason, question } = arguments;
    with_product(folder, async |product| {
        let seen = (*case, question.as_deref());
        product.approve(seen, &actor(by), reason.as_str()).await?;
        product.advance_log().await?;
        say(format!("approved by {by}; `quietus run --once` or a running worker carries it out"));
        Ok(FINE)
    })
    .await
}

/// Runs `cancel`.
pub async fn cancel(arguments: &CancelArguments, folder: &Path) -> u8 {
    let CancelArguments { case, by, reason } = arguments;
    with_product(folder, async |product| {
        product.cancel(*case, &actor(by), reason.as_str()).await?;
        product.certify_finished().await?;
        say(format!("case {case} is called off; running jobs stop at their next chunk"));
        Ok(FINE)
    })
    .await
}

/// Runs `retry`.
pub async fn retry(arguments: &RetryArguments, folder: &Path) -> u8 {
    let RetryArguments { job, system, dry_run, by } = arguments;
    with_product(folder, async |product| {
        if *dry_run {
            return tell_what_failed(product, system.as_deref()).await;
        }
        let count = if let Some(job) = job {
            product.retry_job(*job, &actor(by)).await?;
            1
        } else {
            let retried = product.retry_failed(system.as_deref(), &actor(by)).await?;
            for job in &retried.left {
                say(format!(
                    "job {job} is left: the next case of its schedule is open and does its work"
                ));
            }
            if retried.to_be_tried > 0 {
                say(format!(
                    "{} system(s) whose breaker is open are tried at once",
                    number(retried.to_be_tried)
                ));
            }
            if retried.tried == 0 && retried.to_be_tried > 0 {
                return Ok(FINE);
            }
            retried.tried
        };
        if count == 0 {
            say("no failed job waits");
            return Ok(NOT_DONE);
        }
        say(format!("{count} job(s) are tried again"));
        Ok(FINE)
    })
    .await
}

/// Says how many failed jobs could be tried again.
async fn tell_what_failed(product: &Quietus, system: Option<&str>) -> Result<u8, AppError> {
    let counted = product.count_to_retry(system).await?;
    for ((system, fault), jobs) in &counted {
        say(format!("{STRONG}{system}{STRONG:#}: {} job(s) failed ({fault})", number(*jobs)));
    }
    let all: u64 = counted.values().sum();
    if all == 0 {
        say("no failed job waits");
        return Ok(NOT_DONE);
    }
    say(format!("{} job(s) would be tried again; nothing was changed", number(all)));
    Ok(FINE)
}
