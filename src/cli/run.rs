//! `quietus run` and `quietus work`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::alarms::watch_once;
use super::bars::Bars;
use super::cases::print_case;
use super::drills::carry_out_drill;
use super::opening::{GOOD, STRONG, WARN, complain, fail, number, open, read_moment, say};
use super::reappeared::tell;
use super::requested::{carry_out_requests, is_at_work};
use super::restores::tell_quarantines;
use super::spared::tell_what_waits;
use super::{FINE, NOT_DONE};
use crate::app::mail::MailTally;
use crate::app::open_case::{CaseOpened, Opening, words_for};
use crate::app::pause::words;
use crate::app::spared::Spared;
use crate::app::upgrade::waits_for_newer;
use crate::app::{Actor, AppError, Quietus};
use crate::datamap::house::HOUSE;
use crate::domain::JobState;
use crate::plan::Acting;
use crate::store::{CaseCause, Job, JobKind};
use crate::ticker::Bell;
use crate::{http, worker};

/// The name of the worker that looks at stores of copies in a run that ends.
const ONCE: &str = "once";

/// Carry out what is due.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus run                       API, workers and timer until it is stopped
  quietus run --once                carry out what is due now, wait, exit with the outcome
  quietus run --once --schedule nightly
  quietus run --once --as-of 2026-01-01   only what was due on that day already

Traces of cases are sent where OTEL_EXPORTER_OTLP_ENDPOINT says, by every command that works on them
(OTLP over HTTP, such as http://collector.example:4318); without it, nobody is told.")]
pub struct RunArguments {
    /// Carry out what is due now, wait for it, and exit: 0 all done, 1 something is not done.
    #[arg(long)]
    pub once: bool,

    /// With `--once`: only the rules of this schedule act; may be given several times.
    #[arg(long, value_name = "NAME", requires = "once")]
    pub schedule: Vec<String>,

    /// With `--once`: only what was due at this moment already; never in the future.
    #[arg(long, value_name = "DAY OR INSTANT", requires = "once")]
    pub as_of: Option<String>,

    /// Who asks for it, as it stands in evidence.
    #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
    pub by: String,
}

/// Run workers only.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  quietus work --workers 2          carry out jobs that other processes open")]
pub struct WorkArguments {
    /// Orders carried out side by side; the instance file says how many by default.
    #[arg(long, value_name = "NUMBER")]
    pub workers: Option<u32>,
}

/// Runs the command.
pub async fn run(arguments: &RunArguments, folder: &Path) -> u8 {
    let product = match open(folder).await {
        Ok(product) => product,
        Err(code) => return code,
    };
    if let Err(error) = product.signer_is_there() {
        return fail(&error);
    }
    if arguments.once {
        match once(&product, arguments).await {
            Ok(code) => code,
            Err(error) => fail(&error),
        }
    } else {
        serve(&product).await
    }
}

/// Carries out what earlier runs left unfinished and what persons asked for, then opens a case for
/// what is due now, carries it out and waits for its certificate.
async fn once(product: &Arc<Quietus>, arguments: &RunArguments) -> Result<u8, AppError> {
    product.refuse_to_stand_behind().await?;
    // Whoever calls this wants to see now whether a cause is mended.
    product.try_at_once(None).await?;
    let moment = match &arguments.as_of {
        Some(text) => read_moment(text, product.zone())?,
        None => product.this_second(),
    };
    let acting = product.acting(&arguments.schedule)?;
    // Only a run for everything that is due now asks for all that earlier ones asked for, and does
    // what persons asked for.
    let takes_over = arguments.schedule.is_empty() && arguments.as_of.is_none();
    let mut worst = FINE;
    for case in product.unfinished_cases().await? {
        say(format!("case {case} of an earlier run is not finished; it goes on first"));
        worst = worst.max(carry_out(product, case).await?);
        if takes_over && product.take_over_if_held(case).await? {
            say(format!("case {case} is called off: this run takes over what is held"));
        }
    }
    if takes_over {
        worst = worst.max(look_again(product).await?);
        worst = worst.max(carry_out_requests(product).await?);
        worst = worst.max(Box::pin(carry_out_drill(product)).await?);
        Box::pin(product.carry_out_approved_inside()).await?;
        let looked_at = product.look_at_due_stores(ONCE).await?;
        if looked_at + product.look_at_due_files(ONCE).await? > 0 {
            product.certify_finished().await?;
        }
        // Whoever brought a request is told; if that is not possible now, it is with the next run.
        if let Err(error) = product.tell_controllers().await {
            complain(&error);
            worst = worst.max(NOT_DONE);
        }
    }
    let code = run_rules(product, arguments, moment, &acting, takes_over).await?;
    let mailed = send_mails(product).await?;
    anchor(product).await?;
    product.keep_house().await?;
    let own = if takes_over { own_records(product, arguments).await? } else { FINE };
    let heard = Box::pin(watch_once(product)).await?;
    Ok(worst.max(code).max(mailed).max(own).max(heard))
}

/// Disposes of our own records whose time is over, in a case of its own.
async fn own_records(product: &Arc<Quietus>, arguments: &RunArguments) -> Result<u8, AppError> {
    let moment = product.this_second();
    if !product.own_records_are_due(moment).await? {
        return Ok(FINE);
    }
    let acting = product.acting(&[HOUSE.to_owned()])?;
    run_rules(product, arguments, moment, &acting, false).await
}

/// Looks whether data of persons are back whose time has come. What is to be done again goes on with
/// what persons asked for.
async fn look_again(product: &Quietus) -> Result<u8, AppError> {
    let tally = Box::pin(product.look_for_due()).await?;
    tell(&tally);
    Ok(if tally.asks + tally.troubled > 0 { NOT_DONE } else { FINE })
}

/// Has others vouch for what was done. Whoever does not answer is named; nothing is undone by it,
/// and the next run asks again.
async fn anchor(product: &Quietus) -> Result<(), AppError> {
    let tally = Box::pin(product.advance_anchors()).await?;
    for (name, fault) in &tally.faults {
        say(format!("{WARN}`{name}` does not vouch for the log{WARN:#}: {fault}"));
    }
    if tally.anchored > 0 {
        say(format!("{} certificate(s) anchored", tally.anchored));
    }
    Ok(())
}

/// Sends what is due by e-mail, and says what came of it.
async fn send_mails(product: &Quietus) -> Result<u8, AppError> {
    let tally = match product.send_mails().await {
        Ok(tally) => tally,
        // What was carried out is carried out; the mails wait.
        Err(error @ AppError::Secret(_)) => {
            complain(&error);
            return Ok(NOT_DONE);
        }
        Err(error) => return Err(error),
    };
    product.advance_log().await?;
    let MailTally { sent, later, unknown, by_hand } = tally;
    if sent > 0 {
        say(format!("{sent} mail(s) sent"));
    }
    if later + unknown + by_hand > 0 {
        say(format!(
            "{WARN}{} mail(s) not sent{WARN:#}: see `quietus mail list`",
            later + unknown + by_hand
        ));
        return Ok(NOT_DONE);
    }
    Ok(FINE)
}

/// Opens a case for what is due and carries it out.
async fn run_rules(
    product: &Arc<Quietus>,
    arguments: &RunArguments,
    moment: jiff::Timestamp,
    acting: &Acting,
    takes_over: bool,
) -> Result<u8, AppError> {
    let waiting = product.waiting_cases().await?;
    let opened = product
        .open_case(Opening {
            cause: CaseCause::Command,
            actor: Actor(arguments.by.clone()),
            moment,
            acting,
            occurrence: None,
        })
        .await?;
    let code = match opened {
        CaseOpened::Open { case } => {
            let code = carry_out(product, case).await?;
            if code == FINE && takes_over {
                take_over(product, case, takes_over).await?;
            }
            code
        }
        CaseOpened::AwaitingApproval { case, exceeded } => {
            say(format!("{WARN}nothing was deleted:{WARN:#} {}", words_for(&exceeded)));
            if waiting.contains(&case) {
                say(format!(
                    "case {case} of an earlier run asks for that already: nothing new is opened"
                ));
            } else {
                take_over(product, case, takes_over).await?;
            }
            product.advance_log().await?;
            say(format!(
                "case {case} waits for a second person, who is not the author of the rule:\n  quietus approve {case} --by NAME --reason WHY\n  quietus run --once      carries it out afterwards\n  quietus cancel {case} --reason WHY"
            ));
            NOT_DONE
        }
        CaseOpened::Lost | CaseOpened::Overlapping(_) => {
            complain(&"another process opened a case at the same moment; try again");
            NOT_DONE
        }
    };
    Ok(code)
}

/// Calls off waiting cases that a later one makes superfluous, and says so.
async fn take_over(product: &Quietus, later: Uuid, for_everything: bool) -> Result<(), AppError> {
    for taken in product.take_over_waiting_cases(later, for_everything).await? {
        say(format!("case {} no longer waits: {}", taken.case, taken.why));
    }
    Ok(())
}

/// Carries out a case in this process, showing progress, until its certificate is there or
/// nothing more can be done without a person.
///
/// # Errors
/// Where the store is not there.
pub async fn carry_out(product: &Arc<Quietus>, case: Uuid) -> Result<u8, AppError> {
    product.refuse_to_stand_behind().await?;
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    worker::start(product, product.instance.workers, &stop, &tasks);
    worker::start_schema_watch(product, &stop, &tasks);
    let bars = Bars::new();
    let signal = tokio::spawn(stop_on_signal(stop.clone()));
    while !stop.is_cancelled() {
        let jobs = product.store.jobs_of_case(case).await?;
        bars.show(&jobs);
        let spared = product.spared().await?;
        let mut open = false;
        for job in &jobs {
            open |= may_go_on(product, job, &spared).await?;
        }
        if !open {
            break;
        }
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    bars.finish();
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    signal.abort();
    product.certify_finished().await?;
    print_outcome(product, case).await
}

/// Whether a job can still come to an end without a person, and without waiting for its system.
async fn may_go_on(
    product: &Quietus,
    job: &Job,
    spared: &BTreeMap<String, Spared>,
) -> Result<bool, AppError> {
    let waits = matches!(job.state, JobState::Held | JobState::Blocked);
    // Copies go when their time comes; nobody waits here for that.
    if job.state.is_final() || waits || matches!(job.kind, JobKind::Backup | JobKind::Residue) {
        return Ok(false);
    }
    let now = product.now();
    if is_at_work(job, now) {
        return Ok(true);
    }
    let put_off = spared.get(&job.system).is_some_and(|one| one.puts_off(job, now));
    Ok(!put_off && !waits_for_newer(job) && !product.is_paused(job).await?)
}

async fn print_outcome(product: &Arc<Quietus>, case: Uuid) -> Result<u8, AppError> {
    print_case(product, case).await?;
    let certificate = product.store.certificate_of_case(case).await?;
    let fine = certificate.as_ref().is_some_and(|one| one.summary.overall.starts_with("complete"));
    if !fine {
        for pause in product.store.active_pauses().await? {
            say(format!("{WARN}paused{WARN:#}: {}: {}", words(&pause.scope), pause.reason));
        }
        tell_quarantines(product).await?;
        tell_what_waits(product).await?;
    }
    let Some(certificate) = certificate else {
        say(format!(
            "{WARN}not finished{WARN:#}: what is held, paused or blocked goes on once it is released; `quietus run --once` goes on where this one stopped"
        ));
        return Ok(NOT_DONE);
    };
    let overall = certificate.summary.overall.as_str();
    let style = if fine { GOOD } else { WARN };
    say(format!("certificate {} says: {style}{overall}{style:#}", certificate.summary.id));
    say(format!(
        "  quietus certificate show {}    or export, to hand it to an auditor",
        certificate.summary.id
    ));
    Ok(if fine { FINE } else { NOT_DONE })
}

/// API, workers and timer until a signal.
async fn serve(product: &Arc<Quietus>) -> u8 {
    if let Err(error) = product.seed_schedules().await {
        return fail(&error);
    }
    let stop = CancellationToken::new();
    let server = match http::Server::bind(product).await {
        Ok(server) => server,
        Err(error) => {
            complain(&error);
            return super::WRONG_INPUT;
        }
    };
    let mut bell = match Bell::start().await {
        Ok(bell) => bell,
        Err(error) => {
            complain(&error);
            return NOT_DONE;
        }
    };
    let tasks = TaskTracker::new();
    worker::start(product, product.instance.workers, &stop, &tasks);
    worker::start_hints(product, &stop, &tasks);
    worker::start_requests(product, &stop, &tasks);
    worker::start_schema_watch(product, &stop, &tasks);
    worker::start_telling(product, &stop, &tasks);
    worker::start_mail(product, &stop, &tasks);
    worker::start_anchors(product, &stop, &tasks);
    worker::start_backups(product, &stop, &tasks);
    worker::start_inside_erasures(product, &stop, &tasks);
    worker::start_later_looks(product, &stop, &tasks);
    worker::start_drills(product, &stop, &tasks);
    worker::start_alarms(product, &stop, &tasks);
    say(format!(
        "{STRONG}quietus{STRONG:#} serves {} with {} worker(s); stop it with Ctrl-C",
        server.address(),
        number(u64::from(product.instance.workers))
    ));
    tasks.spawn(server.serve(stop.clone()));
    let signal = tokio::spawn(stop_on_signal(stop.clone()));
    let lead = worker::housekeeping(product);
    worker::look_after_in_the_lead(product, &lead, &stop).await;
    while bell.next(&stop).await.is_some() {
        worker::look_after_in_the_lead(product, &lead, &stop).await;
    }
    bell.stop().await;
    tasks.close();
    tasks.wait().await;
    signal.abort();
    let code = code_of_stop(product).await;
    if code == FINE
        && let Err(error) = product.advance_log().await
    {
        return fail(&error);
    }
    product.store.close().await;
    code
}

/// The exit code of a process that has stopped: it was told to, or a newer version has overtaken it.
async fn code_of_stop(product: &Quietus) -> u8 {
    let Some(why) = product.is_overtaken().await.ok().flatten() else { return FINE };
    complain(&why);
    NOT_DONE
}

/// Runs workers until a signal.
pub async fn work(arguments: &WorkArguments, folder: &Path) -> u8 {
    let product = match open(folder).await {
        Ok(product) => product,
        Err(code) => return code,
    };
    if let Err(error) = product.signer_is_there() {
        return fail(&error);
    }
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    let count = arguments.workers.unwrap_or(product.instance.workers).max(1);
    worker::start(&product, count, &stop, &tasks);
    worker::start_hints(&product, &stop, &tasks);
    worker::start_schema_watch(&product, &stop, &tasks);
    say(format!("{count} worker(s); stop them with Ctrl-C"));
    let signal = tokio::spawn(stop_on_signal(stop.clone()));
    stop.cancelled().await;
    tasks.close();
    tasks.wait().await;
    signal.abort();
    let code = code_of_stop(&product).await;
    product.store.close().await;
    code
}

/// The first signal asks everybody to stop at the next chunk; the second ends the process.
pub(super) async fn stop_on_signal(stop: CancellationToken) {
    wait_for_signal().await;
    say("stopping at the next chunk; once more ends at once (nothing is lost in either case)");
    stop.cancel();
    tokio::spawn(async {
        wait_for_signal().await;
        std::process::exit(130);
    });
}

async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
