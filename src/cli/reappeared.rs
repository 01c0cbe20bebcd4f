//! `quietus reappeared`: whether data of persons who were erased or restricted are back, and what
//! becomes of them.

use std::path::Path;
use std::sync::Arc;

use clap::{ArgGroup, Args, Subcommand};
use uuid::Uuid;

use super::opening::{GOOD, STRONG, WARN, number, read_id, say, with_product};
use super::plan_text::new_table;
use super::remark::actor;
use super::{FINE, NOT_DONE};
use crate::app::later_look::{Decision, LaterLookFacts, LookTally, ReappearanceFacts};
use crate::app::{AppError, Quietus};
use crate::domain::Remark;
use crate::store::ReappearanceState;

/// See whether data of persons who were erased or restricted are back, and decide about them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus reappeared list           what was found again, and how looks stand
  quietus reappeared look           look now, instead of when it is time
  quietus reappeared again 0198… --reason \"old export was loaded, OPS-77\"
  quietus reappeared leave 0198… --reason \"customer again since May, CRM-12\"")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do about data that are back.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List what was found again, the latest first, and when it was looked last.
    #[command(after_help = "Examples:
  quietus reappeared list
  quietus reappeared list --json")]
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// How many.
        #[arg(long, value_name = "NUMBER", default_value_t = 20)]
        limit: u32,
    },
    /// Look now for everybody who is looked for; `quietus run` does it by itself when it is time.
    #[command(after_help = "Examples:
  quietus reappeared look
  quietus reappeared look --due     only those whose time has come

What is old goes again with the next run. Ends with the exit code 1 where something is back or
could not be looked at.")]
    Look {
        /// Only those whose time has come.
        #[arg(long)]
        due: bool,
    },
    /// Decide that what was done for a person is done again.
    #[command(group(ArgGroup::new("whom").required(true).args(["case", "all"])))]
    #[command(after_help = "Examples:
  quietus reappeared again 0198… --reason \"old export was loaded, OPS-77\"
  quietus reappeared again --all --reason \"old export was loaded, OPS-77\"")]
    Again {
        /// The case.
        #[arg(value_parser = read_id)]
        case: Option<Uuid>,
        /// Everybody about whom somebody has to decide.
        #[arg(long)]
        all: bool,
        /// Why, in one line that names nobody, such as the number of a ticket.
        #[arg(long, value_name = "WHY")]
        reason: Remark,
        /// Who decides.
        #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
        by: Remark,
    },
    /// Decide that the data stay, because they are of a new relationship; nobody looks for the
    /// person by this case any more.
    #[command(after_help = "Example:
  quietus reappeared leave 0198… --reason \"customer again since May, CRM-12\"")]
    Leave {
        /// The case.
        #[arg(value_parser = read_id)]
        case: Uuid,
        /// Why, in one line that names nobody, such as the number of a ticket.
        #[arg(long, value_name = "WHY")]
        reason: Remark,
        /// Who decides.
        #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
        by: Remark,
    },
}

/// Runs the command.
pub async fn run(arguments: &Arguments, folder: &Path) -> u8 {
    with_product(folder, async |product| match &arguments.command {
        Command::List { json, limit } => list(product, *json, *limit).await,
        Command::Look { due } => look(product, *due).await,
        Command::Again { case, reason, by, .. } => again(product, *case, (reason, by)).await,
        Command::Leave { case, reason, by } => leave(product, *case, (reason, by)).await,
    })
    .await
}

/// Says how many persons somebody has to decide about because data of theirs are back.
///
/// # Errors
/// Where the store is not there.
pub async fn tell_reappeared(product: &Quietus) -> Result<(), AppError> {
    let counts = product.later_look_counts().await?;
    if counts.asking > 0 {
        say(format!(
            "{WARN}data are back{WARN:#}: in {} place(s) somebody has to decide: quietus reappeared list",
            number(counts.asking)
        ));
    }
    Ok(())
}

/// Says what came of looking.
pub fn tell(tally: &LookTally) {
    if tally.elsewhere {
        say("another process is looking at this moment");
    }
    if tally.persons > 0 {
        say(format!("{} person(s) looked for again", number(tally.persons)));
    }
    if tally.again > 0 {
        say(format!(
            "  {WARN}data of {} person(s) are back{WARN:#}: what was done is done again",
            number(tally.again)
        ));
    }
    if tally.asks > 0 {
        say(format!(
            "  {WARN}data of {} person(s) are back, and somebody has to decide{WARN:#}: quietus reappeared list",
            number(tally.asks)
        ));
    }
    if tally.troubled > 0 {
        say(format!(
            "  {WARN}{} person(s) could not be looked for everywhere{WARN:#}: quietus reappeared list",
            number(tally.troubled)
        ));
    }
}

async fn look(product: &Arc<Quietus>, due: bool) -> Result<u8, AppError> {
    let tally = if due {
        Box::pin(product.look_for_due()).await?
    } else {
        Box::pin(product.look_for_everybody()).await?
    };
    product.advance_log().await?;
    tell(&tally);
    if tally.persons == 0 && !tally.elsewhere {
        say("nobody is to be looked for now");
    }
    if tally.again > 0 {
        say("  a running `quietus run` carries it out, or: quietus run --once");
    }
    let fine = tally.again + tally.asks + tally.troubled == 0 && !tally.elsewhere;
    Ok(if fine { FINE } else { NOT_DONE })
}

async fn again(
    product: &Arc<Quietus>,
    case: Option<Uuid>,
    (reason, by): (&Remark, &Remark),
) -> Result<u8, AppError> {
    let why = (&actor(by), reason.as_str());
    let persons = match case {
        Some(case) => {
            product.decide_about_reappeared(case, Decision::Again, why).await?;
            1
        }
        None => product.decide_all_again(why.0, why.1).await?,
    };
    product.advance_log().await?;
    say(format!("what was done for {} person(s) is done again", number(persons)));
    say("  a running `quietus run` carries it out, or: quietus run --once");
    Ok(FINE)
}

async fn leave(
    product: &Arc<Quietus>,
    case: Uuid,
    (reason, by): (&Remark, &Remark),
) -> Result<u8, AppError> {
    let why = (&actor(by), reason.as_str());
    product.decide_about_reappeared(case, Decision::Leave, why).await?;
    product.advance_log().await?;
    say(format!("what is back stays, and nobody looks for the person of case {case} any more"));
    Ok(FINE)
}

/// The list as JSON.
#[derive(serde::Serialize)]
struct Listed {
    looks: LaterLookFacts,
    reappearances: Vec<ReappearanceFacts>,
}

async fn list(product: &Arc<Quietus>, json: bool, limit: u32) -> Result<u8, AppError> {
    let looks = product.read_later_looks().await?;
    let reappearances = product.read_reappearances(limit).await?;
    if json {
        let listed = serde_json::to_string_pretty(&Listed { looks, reappearances });
        say(listed
            .map_err(|error| AppError::Unreadable { what: "a look", why: error.to_string() })?);
        return Ok(FINE);
    }
    print_looks(&looks);
    if reappearances.is_empty() {
        say("nothing was ever found again");
        return Ok(FINE);
    }
    let mut table =
        new_table(&["case", "system", "last well", "found", "records", "state", "done again"]);
    for one in &reappearances {
        let state = match (one.state, &one.job) {
            (ReappearanceState::Again, Some(job)) => format!("again: {job}"),
            (state, _) => state.to_string(),
        };
        table.add_row([
            one.case.to_string(),
            one.system.clone(),
            format!("{:.0}", one.last_well_at),
            format!("{:.0}", one.found_at),
            number(one.records),
            state,
            one.done_again_at.map_or_else(String::new, |at| format!("{at:.0}")),
        ]);
    }
    say(table);
    for one in reappearances.iter().filter(|one| one.state == ReappearanceState::Asks) {
        let why = one.why.as_deref().unwrap_or_default();
        say(format!("{WARN}case {}{WARN:#} in {}: {why}", one.case, one.system));
        say(format!(
            "  quietus reappeared again {0} --reason WHY    or: quietus reappeared leave {0} --reason WHY",
            one.case
        ));
    }
    Ok(FINE)
}

fn print_looks(looks: &LaterLookFacts) {
    let Some(every) = &looks.every else {
        say(format!("{WARN}nobody is looked for{WARN:#}: `later_looks: {{every: never}}`"));
        return;
    };
    let oldest = looks.oldest_seen.map_or_else(
        || "nobody is looked for yet".to_owned(),
        |at| format!("the longest unseen was looked at {at:.0}"),
    );
    say(format!(
        "{STRONG}later looks{STRONG:#} every {every}, for {} at least, in {} place(s); {oldest}",
        looks.lasting,
        number(looks.living)
    ));
    if looks.troubled == 0 {
        say(format!("{GOOD}everywhere that was to be looked at was looked at{GOOD:#}"));
    }
    for one in &looks.troubles {
        say(format!(
            "{WARN}not looked at{WARN:#}: {} for case {}: {}",
            one.system, one.case, one.why
        ));
    }
    let more = looks.troubled.saturating_sub(u64::try_from(looks.troubles.len()).unwrap_or(0));
    if more > 0 {
        say(format!("{WARN}and {} more{WARN:#}", number(more)));
    }
}
