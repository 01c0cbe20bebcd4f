//! `quietus witness`: to run on somebody else's machine, for the logs of others.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;

use super::opening::{STRONG, complain, say};
use super::run::stop_on_signal;
use super::{FINE, NOT_DONE, WRONG_INPUT};
use crate::telemetry::SystemClock;
use crate::witness::{self, Witness, WitnessError};

/// Sign heads of other people's logs that continue what was signed before.
#[derive(Debug, Args)]
#[command(after_help = "Examples, on a machine of somebody who does not run the instance:
  quietus witness init --name witness.example.com/w1 --keys witness/
  quietus witness keys --keys witness/ > witness.keys       for the operator of the log, and auditors
  quietus witness trust --keys witness/ log.key             what `quietus anchor key` printed there
  quietus witness run --keys witness/ --listen 127.0.0.1:8430

The folder remembers what was signed last. It must never be put back to an earlier state.")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with a witness.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the folder of a new witness with its keys, and print them.
    #[command(after_help = "Example:
  quietus witness init --name witness.example.com/w1 --keys witness/")]
    Init {
        /// Name of the witness, like a URL without its scheme.
        #[arg(long, value_name = "NAME")]
        name: String,
        /// Its folder.
        #[arg(long, value_name = "FOLDER")]
        keys: PathBuf,
    },
    /// Print the verifier keys of a witness.
    #[command(after_help = "Example:
  quietus witness keys --keys witness/ > witness.keys")]
    Keys {
        /// Its folder.
        #[arg(long, value_name = "FOLDER")]
        keys: PathBuf,
    },
    /// Make a witness know a log.
    #[command(after_help = "Example:
  quietus witness trust --keys witness/ log.key")]
    Trust {
        /// Its folder.
        #[arg(long, value_name = "FOLDER")]
        keys: PathBuf,
        /// A file whose first line is the log's verifier key, or `-` for standard input.
        #[arg(value_name = "FILE")]
        key: PathBuf,
    },
    /// Serve logs until it is stopped.
    #[command(after_help = "Example:
  quietus witness run --keys witness/ --listen 127.0.0.1:8430")]
    Run {
        /// Its folder.
        #[arg(long, value_name = "FOLDER")]
        keys: PathBuf,
        /// Where it listens; a proxy in front of it gives it TLS.
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8430")]
        listen: SocketAddr,
    },
}

/// Runs the command.
pub async fn run(arguments: &Arguments) -> u8 {
    let done = match &arguments.command {
        Command::Init { name, keys } => witness::init(keys, name).map(|made| {
            for key in made {
                say(key);
            }
            FINE
        }),
        Command::Keys { keys } => witness::verifier_keys(keys).map(|all| {
            for key in all {
                say(key);
            }
            FINE
        }),
        Command::Trust { keys, key } => match super::opening::read_first_line(key) {
            Ok(line) => witness::trust(keys, &line).map(|new| {
                say(if new { "the log is known now" } else { "the log was known already" });
                FINE
            }),
            Err(error) => Err(WitnessError::Input(error.to_string())),
        },
        Command::Run { keys, listen } => serve(keys.clone(), *listen).await,
    };
    done.unwrap_or_else(|error| {
        complain(&error);
        match error {
            WitnessError::Input(_) | WitnessError::Key(_) => WRONG_INPUT,
            WitnessError::Folder { .. } | WitnessError::Seen(_) => NOT_DONE,
        }
    })
}

async fn serve(keys: PathBuf, listen: SocketAddr) -> Result<u8, WitnessError> {
    let witness = Arc::new(Witness::open(&keys, Arc::new(SystemClock))?);
    let server = match witness::server::Server::bind(listen, witness).await {
        Ok(server) => server,
        Err(error) => {
            return Err(WitnessError::Input(format!(
                "nothing can listen at `{listen}` ({}); `--listen` names another address",
                error.kind()
            )));
        }
    };
    say(format!(
        "{STRONG}quietus witness{STRONG:#} serves {}; stop it with Ctrl-C",
        server.address()
    ));
    let stop = CancellationToken::new();
    let signal = tokio::spawn(stop_on_signal(stop.clone()));
    server.serve(stop).await;
    signal.abort();
    Ok(FINE)
}
