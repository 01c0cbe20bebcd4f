//! The command line: reads words, calls a use case, prints what came of it.
//!
//! Exit codes: 0 all is well, 1 something is not done or not verified, 2 the input is wrong and
//! nothing was changed.

pub mod alarms;
pub mod anchors;
pub mod audits;
pub mod backups;
mod bars;
pub mod cases;
pub mod certificates;
pub mod check;
pub mod connector_text;
pub mod connectors;
pub mod datamap;
pub mod demo;
pub mod doctor;
pub mod draft;
pub mod drills;
pub mod events;
pub mod evidence;
pub mod explain_text;
pub mod holds;
pub mod house;
pub mod init;
mod inside;
pub mod keys;
pub mod letters;
pub mod lists;
pub mod logs;
pub mod mail;
pub mod opening;
pub mod pauses;
pub mod plan_text;
pub mod planning;
pub mod reappeared;
pub mod remark;
pub mod request_decisions;
mod request_input;
pub mod request_text;
pub mod requested;
pub mod requests;
pub mod residues;
pub mod restores;
pub mod run;
pub mod schema;
mod spared;
pub mod tasks;
pub mod verify;
pub mod witness;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::config::{self, Collector};
use crate::domain::Remark;
use crate::telemetry::{LogFormat, SystemClock, Traces, start_logging};

/// All went well.
pub const FINE: u8 = 0;
/// Something is not done or not verified.
pub const NOT_DONE: u8 = 1;
/// The input is wrong; nothing was changed.
pub const WRONG_INPUT: u8 = 2;

/// Deletes what is due in every connected system, and proves it.
#[derive(Debug, Parser)]
#[command(name = "quietus", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Arguments {
    /// Folder of the instance, with `quietus.yaml`.
    #[arg(long, global = true, default_value = ".", env = "QUIETUS_DIR", value_name = "FOLDER")]
    #[arg(help_heading = EVERYWHERE)]
    pub dir: PathBuf,

    /// What to log, such as `info` or `quietus=debug`.
    #[arg(long, global = true, default_value = "warn", env = "QUIETUS_LOG", value_name = "FILTER")]
    #[arg(help_heading = EVERYWHERE)]
    pub log: String,

    /// How log lines look; the instance file says so by default.
    #[arg(long, global = true, value_enum, value_name = "LOOK", help_heading = EVERYWHERE)]
    pub log_format: Option<LogLook>,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Arguments {
    /// The folder, where somebody named one.
    fn explicit_dir(&self) -> Option<&std::path::Path> {
        (self.dir.as_os_str() != ".").then_some(self.dir.as_path())
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum LogLook {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where the help shows what every command takes.
const EVERYWHERE: &str = "Options of every command";

const EXAMPLES: &str = "Examples:
  quietus demo                          see everything once, on invented data
  quietus init my-company               write a commented starting folder
  quietus datamap draft crm --kind sqlite --url sqlite:crm.db > systems/crm.yaml
                                        describe a database, guesses marked as guesses
  quietus check                         validate all files without touching a system
  quietus connector test crm            try a connected system out without changing anything
  quietus plan --at 2027-01-01          what would go on that day, and what stays and why
  quietus explain crm customers 4711    what keeps each field of one record
  quietus request new --right erasure --identities-file -
                                        bring a person's request
  quietus run --once                    carry out what is due now and wait for it
  quietus run                           API, workers and timer in one process
  quietus doctor                        what is wrong, and the commands that mend it
  quietus verify certificate/           check a certificate offline";

/// One command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// See everything once: an invented company, its plan, its run and its certificate.
    Demo(demo::Arguments),
    /// Write a commented starting folder.
    Init(init::InitArgs),
    /// Print the JSON Schemas of the files that people write.
    Schema(schema::SchemaArgs),
    /// Validate every file without touching any system.
    Check(check::CheckArgs),
    /// Work on the data map.
    Datamap(datamap::Arguments),
    /// Look at definitions of vendors, and try connected systems out.
    Connector(connectors::Arguments),
    /// Show what would be deleted, cleared and restricted, and what is kept and why.
    Plan(planning::PlanArguments),
    /// Show for one record what keeps each field and when each goes.
    Explain(planning::ExplainArguments),
    /// Run API, workers and timer; with `--once`, carry out what is due now and wait for it.
    Run(run::RunArguments),
    /// Run a worker only.
    Work(run::WorkArguments),
    /// Post a business event that starts or revokes a period.
    Event(events::Arguments),
    /// Place, release and list legal holds.
    Hold(holds::Arguments),
    /// Stop everything, a rule, a system or one case until somebody resumes it.
    Pause(pauses::PauseArguments),
    /// Let go on what was paused.
    Resume(pauses::ResumeArguments),
    /// Keep a restored system in quarantine until what was erased since is erased again.
    Restore(restores::Arguments),
    /// See whether data of persons who were erased are back, and decide about them.
    Reappeared(reappeared::Arguments),
    /// Plant an invented person, erase them twice, and see how long it takes.
    Drill(drills::Arguments),
    /// Bring and handle requests of persons: erasure, restriction, access and the like.
    Request(requests::Arguments),
    /// Say what is wrong, since when, and what to do about it; changes nothing.
    Doctor(doctor::DoctorArguments),
    /// See what somebody has to see to, who is told, and whether they hear.
    Alarm(alarms::Arguments),
    /// Show cases and their jobs.
    Status(cases::StatusArguments),
    /// Agree to a case that exceeds a cap; not by the author of the rule.
    Approve(cases::ApproveArguments),
    /// Call off a case.
    Cancel(cases::CancelArguments),
    /// Try failed jobs again after their cause is mended.
    Retry(cases::RetryArguments),
    /// List, show and export certificates.
    Certificate(certificates::Arguments),
    /// List, do and confirm what people do by hand.
    Task(tasks::Arguments),
    /// List and show letters, and write down how they were delivered.
    Letter(letters::Arguments),
    /// Try the mail server, list what has not gone out, and send it again.
    Mail(mail::Arguments),
    /// Look at the evidence log, export it, and go on after a fault.
    #[command(name = "log")]
    Log(logs::Arguments),
    /// Look at the re-erasure list, and bring it up to date.
    List(lists::Arguments),
    /// Bring the database forward from the re-erasure list, after a copy was put back or it was lost.
    Recover(lists::RecoverArguments),
    /// Count the evidence log anew, draw a sample of it, find certificates.
    Audit(audits::Arguments),
    /// Shred what evidence means, once its time is over.
    Evidence(evidence::Arguments),
    /// List the keys of this instance, and destroy those of earlier months.
    Keys(keys::Arguments),
    /// Check a certificate offline, step by step.
    Verify(verify::VerifyArguments),
    /// See who vouches for the evidence log, and ask them now.
    Anchor(anchors::Arguments),
    /// See copies for recovery: what each store has, and until when it can hold what was erased.
    Backup(backups::Arguments),
    /// See which files and logs of the systems can still hold what was erased, and why.
    Residue(residues::Arguments),
    /// See what Quietus itself keeps, what of it is about people, and when it goes.
    House(house::Arguments),
    /// Sign heads of other people's logs that continue what was signed before.
    Witness(witness::Arguments),
}

/// Carries out one command line and says how it ended.
pub fn main(arguments: &Arguments) -> u8 {
    let traces = match traces_of(arguments) {
        Ok(traces) => traces,
        Err(problem) => {
            opening::complain(&problem);
            return WRONG_INPUT;
        }
    };
    if let Err(problem) = start_logging(&arguments.log, log_format(arguments), traces.as_ref()) {
        opening::complain(&problem);
        return WRONG_INPUT;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            opening::complain(&format!("the runtime does not start: {error}"));
            return NOT_DONE;
        }
    };
    let code = runtime.block_on(dispatch(arguments));
    // What goes on in the background ends its spans first.
    drop(runtime);
    if let Some(traces) = traces {
        traces.finish();
    }
    code
}

/// Where spans go, if anywhere: only commands that work on cases have any.
fn traces_of(arguments: &Arguments) -> Result<Option<Traces>, String> {
    match &arguments.command {
        Command::Init(_)
        | Command::Schema(_)
        | Command::Check(_)
        | Command::Verify(_)
        | Command::Witness(_) => Ok(None),
        _ => Collector::from_environment()?.as_ref().map(Traces::to).transpose(),
    }
}

/// What the command line says, else what the instance file says of commands that go on for long.
fn log_format(arguments: &Arguments) -> LogFormat {
    match (arguments.log_format, &arguments.command) {
        (Some(LogLook::Json), _) => LogFormat::Json,
        (None, Command::Run(_) | Command::Work(_)) => {
            // What is wrong with the files is told when they are read for good.
            config::load(&arguments.dir).map_or(LogFormat::Text, |loaded| {
                match loaded.instance.log_format {
                    config::LogFormat::Text => LogFormat::Text,
                    config::LogFormat::Json => LogFormat::Json,
                }
            })
        }
        (Some(LogLook::Text) | None, _) => LogFormat::Text,
    }
}

async fn dispatch(arguments: &Arguments) -> u8 {
    let folder = arguments.dir.as_path();
    let mut out = anstream::stdout();
    match &arguments.command {
        Command::Demo(inner) => Box::pin(demo::run(inner, arguments.explicit_dir())).await,
        Command::Init(inner) => written(init::run(inner, &mut out)),
        Command::Schema(inner) => written(schema::run(inner, &mut out)),
        Command::Check(inner) => written(check::run(inner, folder, &SystemClock, &mut out)),
        Command::Datamap(inner) => datamap::run(inner, folder).await,
        Command::Connector(inner) => connectors::run(inner, folder).await,
        Command::Plan(inner) => planning::plan(inner, folder).await,
        Command::Explain(inner) => planning::explain(inner, folder).await,
        Command::Run(inner) => match Remark::parse(&inner.by) {
            Ok(_) => run::run(inner, folder).await,
            Err(error) => {
                opening::complain(&format!("`--by` (or `QUIETUS_BY`) {error}"));
                WRONG_INPUT
            }
        },
        Command::Work(inner) => run::work(inner, folder).await,
        Command::Event(inner) => events::run(inner, folder).await,
        Command::Hold(inner) => holds::run(inner, folder).await,
        Command::Pause(inner) => pauses::pause(inner, folder).await,
        Command::Resume(inner) => pauses::resume(inner, folder).await,
        Command::Restore(inner) => restores::run(inner, folder).await,
        Command::Reappeared(inner) => reappeared::run(inner, folder).await,
        Command::Drill(inner) => drills::run(inner, folder).await,
        Command::Request(inner) => requests::run(inner, folder).await,
        Command::Doctor(inner) => doctor::run(inner, folder).await,
        Command::Alarm(inner) => alarms::run(inner, folder).await,
        Command::Status(inner) => cases::status(inner, folder).await,
        Command::Approve(inner) => cases::approve(inner, folder).await,
        Command::Cancel(inner) => cases::cancel(inner, folder).await,
        Command::Retry(inner) => cases::retry(inner, folder).await,
        Command::Certificate(inner) => certificates::run(inner, folder).await,
        Command::Task(inner) => tasks::run(inner, folder).await,
        Command::Letter(inner) => letters::run(inner, folder).await,
        Command::Mail(inner) => mail::run(inner, folder).await,
        Command::Log(inner) => logs::run(inner, folder).await,
        Command::List(inner) => lists::run(inner, folder).await,
        Command::Recover(inner) => lists::recover(inner, folder).await,
        Command::Audit(inner) => audits::run(inner, folder).await,
        Command::Evidence(inner) => evidence::run(inner, folder).await,
        Command::Keys(inner) => keys::run(inner, folder).await,
        Command::Verify(inner) => verify::run(inner, &mut out),
        Command::Anchor(inner) => anchors::run(inner, folder).await,
        Command::Backup(inner) => backups::run(inner, folder).await,
        Command::Residue(inner) => residues::run(inner, folder).await,
        Command::House(inner) => house::run(inner, folder).await,
        Command::Witness(inner) => witness::run(inner).await,
    }
}

/// The exit code of a command that only writes. A reader that went away is no fault of ours.
fn written(result: std::io::Result<u8>) -> u8 {
    match result {
        Ok(code) => code,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => FINE,
        Err(error) => {
            opening::complain(&format!("it could not be written: {error}"));
            NOT_DONE
        }
    }
}

#[cfg(test)]
#[path = "help_tests.rs"]
mod help_tests;
