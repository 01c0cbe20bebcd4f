//! `quietus datamap draft`: a data map from a system's own catalogue, to be read and finished by a
//! person.

use std::path::Path;

use clap::{Args, Subcommand};
use quietus_connectors::{Settings, kinds, open};

use super::draft::draft;
use super::opening::{complain, say};
use super::{FINE, NOT_DONE, WRONG_INPUT};
use crate::config::leaf::parse_reference;
use crate::domain::SystemName;

const EXAMPLES: &str = "Examples:
  export CRM_URL='postgres://quietus:secret@db.example/crm'
  quietus datamap draft crm --kind postgresql --url env:CRM_URL > systems/crm.yaml
  quietus datamap draft till --kind sqlite --url sqlite:data/till.db > systems/till.yaml";

/// Work on the data map.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with the data map.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Describe a system from its catalogue. Guesses are marked; `check` refuses what is undecided.
    #[command(after_help = EXAMPLES)]
    Draft {
        /// Name that the system gets in the data map.
        system: String,
        /// Kind of the system: `postgresql`, `mariadb`, `mysql` or `sqlite`.
        #[arg(long, value_name = "KIND")]
        kind: String,
        /// Where its URL is found: `env:NAME`, `file:PATH` or `sqlite:PATH`.
        #[arg(long, value_name = "REFERENCE")]
        url: String,
    },
}

/// Runs the command.
pub async fn run(arguments: &Arguments, folder: &Path) -> u8 {
    let Command::Draft { system, kind, url } = &arguments.command;
    let name = match SystemName::parse(system) {
        Ok(name) => name,
        Err(error) => {
            complain(&error);
            return WRONG_INPUT;
        }
    };
    if !kinds().contains(&kind.as_str()) {
        complain(&format!("kind `{kind}` is not known: write one of {}", kinds().join(", ")));
        return WRONG_INPUT;
    }
    let reference = match parse_reference(url) {
        Ok(reference) => reference,
        Err((what, instead)) => {
            complain(&format!("{what}: {instead}"));
            return WRONG_INPUT;
        }
    };
    let secret = match reference.resolve(folder) {
        Ok(secret) => secret,
        Err(error) => {
            complain(&error);
            return WRONG_INPUT;
        }
    };
    let settings = Settings {
        system: name.to_string(),
        url: secret,
        progress_table: "quietus_progress".to_owned(),
    };
    let described = match open(kind, settings) {
        Ok(connector) => connector.describe().await,
        Err(fault) => Err(fault),
    };
    match described {
        Ok(schema) => {
            say(draft(&schema, name.as_str(), kind, url).trim_end());
            FINE
        }
        Err(fault) => {
            complain(&format!("system `{name}`: {fault}; `--url` says where it is"));
            NOT_DONE
        }
    }
}
