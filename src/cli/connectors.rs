//! `quietus connector`: the definitions that come with quietus, and whether a connected system can
//! be worked with.

use std::path::{Path, PathBuf};

use anstyle::Style;
use clap::{Args, Subcommand};
use quietus_connectors::processor::testkit::{Ending, Step};
use quietus_connectors::processor::{Definition, library};
use serde_json::json;

use super::connector_text::{self, Described};
use super::opening::{BAD, GOOD, WARN, complain, say, with_product};
use super::remark::actor;
use super::request_input::read_identities;
use super::{FINE, NOT_DONE, WRONG_INPUT};
use crate::app::{AppError, Quietus};
use crate::config;
use crate::config::problem::instead;
use crate::domain::Remark;

/// Look at definitions of vendors, and try connected systems out.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus connector list
  quietus connector show stripe
  quietus connector show stripe --only example > systems/stripe.yaml
  quietus connector test stripe")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with connectors.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the definitions that come with quietus: by what each vendor can be asked, what its
    /// erasure leaves behind, and what has to be filled in.
    #[command(after_help = "Examples:
  quietus connector list
  quietus connector list --json")]
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show a definition, its parameters, and a system's file to start from.
    Show(ShowArguments),
    /// Try a system of the data map out, and tell each step as PASS, FAIL or NOT CHECKED.
    Test(TestArguments),
}

/// Which definition.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus connector show stripe
  quietus connector show stripe --only example > systems/stripe.yaml
  quietus connector show stripe --only definition > definitions/own-stripe.yaml
  quietus connector show ./definitions/own-stripe.yaml --json")]
pub struct ShowArguments {
    /// A definition that comes with quietus, or the path of your own.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Only one part, to be written into a file.
    #[arg(long, value_enum, value_name = "PART", conflicts_with = "json")]
    pub only: Option<OnlyPart>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// A part of what is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OnlyPart {
    /// A system's file to start from.
    Example,
    /// The definition itself.
    Definition,
}

/// Which system, and whether a test person is erased.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus connector test stripe
  quietus connector test shop --json            a database: reach, privileges, drift
  quietus connector test mailer-rehearsal --rehearse person.txt --really-erase --by \"Ada Example\"
                                                erases the test person of person.txt

A rehearsal belongs to a system of its own at the vendor, such as a test account, with a file of its
own in the data map: the person in the file is erased there. It is kept as evidence. The file has one
`type=value` a line; `-` is standard input.

Exit code 0: no step failed (some may be NOT CHECKED). 1: a step failed. 2: the input is wrong and
nothing was sent.")]
pub struct TestArguments {
    /// The system, by its name in the data map.
    #[arg(value_name = "SYSTEM")]
    pub system: String,
    /// A rehearsal as well: find, erase and look again for the test person of this file.
    #[arg(long, value_name = "FILE", requires = "really_erase")]
    pub rehearse: Option<PathBuf>,
    /// The test person may be erased.
    #[arg(long, requires = "rehearse")]
    pub really_erase: bool,
    /// Who rehearses.
    #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
    pub by: Remark,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, folder: &Path) -> u8 {
    match &arguments.command {
        Command::List { json } => list(*json),
        Command::Show(show) => match described(&show.name, folder) {
            Ok(described) => print(&described, show),
            Err(error) => {
                complain(&error);
                WRONG_INPUT
            }
        },
        Command::Test(test) => {
            with_product(folder, async |product| try_out(product, test).await).await
        }
    }
}

fn list(as_json: bool) -> u8 {
    let all: Result<Vec<Described>, String> =
        library::names().into_iter().map(|name| described(name, Path::new("."))).collect();
    let all = match all {
        Ok(all) => all,
        Err(error) => {
            complain(&error);
            return NOT_DONE;
        }
    };
    if as_json {
        let all: Vec<_> = all.iter().map(Described::json).collect();
        say(format!("{:#}", json!(all)));
        return FINE;
    }
    for one in &all {
        say(one.summary());
        say("");
    }
    say(format!("{} definitions; `quietus connector show NAME` shows one", all.len()));
    FINE
}

/// A definition that comes with quietus, or a file of one's own.
fn described(name: &str, folder: &Path) -> Result<Described, String> {
    let (reference, text) = if let Some(text) = library::definition(name) {
        (name.to_owned(), text.to_owned())
    } else if name.contains(['/', '\\', '.']) {
        let bytes = config::read_bounded(&folder.join(name))
            .map_err(|error| format!("`{name}` cannot be read: {}", config::why(&error)))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| format!("`{name}` is not UTF-8: save it as UTF-8"))?;
        (name.to_owned(), text)
    } else {
        return Err(format!(
            "no definition `{name}` comes with quietus; {}",
            instead(name, library::names())
        ));
    };
    let definition = Definition::read(&text).map_err(|why| format!("`{name}`: {why}"))?;
    Ok(Described { reference, definition, text })
}

fn print(described: &Described, arguments: &ShowArguments) -> u8 {
    match arguments.only {
        _ if arguments.json => say(format!("{:#}", described.json())),
        Some(OnlyPart::Example) => say(described.example().trim_end()),
        Some(OnlyPart::Definition) => say(described.text.trim_end()),
        None => say(described.page().trim_end()),
    }
    FINE
}

async fn try_out(product: &Quietus, arguments: &TestArguments) -> Result<u8, AppError> {
    let name = &arguments.system;
    let steps = match &arguments.rehearse {
        None => product.check_up(name).await?,
        Some(file) => {
            let identities = read_identities(&[], Some(file))?;
            let steps = product.rehearse(name, &identities, &actor(&arguments.by)).await?;
            product.advance_log().await?;
            steps
        }
    };
    let failed = steps.iter().any(|step| step.ending == Ending::Fail);
    if arguments.json {
        say(format!("{:#}", connector_text::steps_json(name, &steps)));
    } else {
        for step in &steps {
            let style = style(step.ending);
            let word = step.ending.to_string();
            say(format!("{style}{word:<11}{style:#}  {:<11}  {}", step.name, step.words));
        }
        say(format!("\n{}", counted(&steps)));
    }
    Ok(if failed { NOT_DONE } else { FINE })
}

fn style(ending: Ending) -> Style {
    match ending {
        Ending::Pass => GOOD,
        Ending::Fail => BAD,
        Ending::NotChecked => WARN,
    }
}

fn counted(steps: &[Step]) -> String {
    let count = |wanted| steps.iter().filter(|step| step.ending == wanted).count();
    format!(
        "{} passed, {} failed, {} not checked",
        count(Ending::Pass),
        count(Ending::Fail),
        count(Ending::NotChecked)
    )
}

#[cfg(test)]
#[path = "connectors_tests.rs"]
mod tests;
