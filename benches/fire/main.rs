//! The product under fire: the real binary in processes of its own, on PostgreSQL for its own data and
//! for the systems, killed, stopped, cut off and upgraded while it works; and afterwards the laws, by the
//! target's own log. `docs/fire.md` says what each command shows.
//!
//! ```text
//! tests/run --servers          # prints exports, of which QUIETUS_TEST_POSTGRES_URL is needed
//! cargo bench --bench fire -- replicas --jobs 100000 --replicas 3 --kill-every 2s
//! cargo bench --bench fire -- beside-sweep --rows 10000000 --requests 200
//! cargo bench --bench fire -- soak --for 5m --to soak/
//! cargo bench --bench fire -- rolling --old target/old/release/quietus
//! ```

#![expect(clippy::print_stdout, reason = "what it shows is the product")]

mod beside_sweep;
mod company;
mod dice;
mod faults;
mod ground;
mod laws;
mod ledger;
mod memory;
mod persons;
mod plot;
mod post;
mod replica;
mod replicas;
mod rolling;
mod samples;
mod soak;
mod work;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use ground::Ground;
use laws::Laws;

/// A law was broken, or the run did not come to its end.
const BROKEN: u8 = 1;
/// The servers are not there.
const WRONG_INPUT: u8 = 2;

/// The product under fire: the real binary on PostgreSQL, disturbed while it works.
#[derive(Debug, Parser)]
#[command(
    name = "fire",
    bin_name = "cargo bench --bench fire --",
    after_help = "Examples:
  cargo bench --bench fire -- replicas --jobs 2000
  cargo bench --bench fire -- replicas --jobs 100000 --replicas 3 --kill-every 2s
  cargo bench --bench fire -- beside-sweep --rows 10000000 --requests 200
  cargo bench --bench fire -- soak --for 5m --to soak/
  cargo bench --bench fire -- rolling --old ../quietus-old/target/release/quietus

PostgreSQL comes from QUIETUS_TEST_POSTGRES_URL, which `tests/run --servers` prints: databases are made
there and taken away again. Exit code 0 where every law held, 1 where one was broken (it says which), 2
for wrong input."
)]
struct Arguments {
    /// Leave the databases and the folder with the processes' logs.
    #[arg(long, global = true)]
    keep: bool,
    /// What chance is drawn from; the same seed disturbs in the same way, as far as time allows.
    #[arg(long, global = true, value_name = "NUMBER")]
    seed: Option<u64>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Replicas carry out many jobs while one after the other is killed with signal 9.
    Replicas(replicas::Arguments),
    /// Requests come while a rule sweeps a large table: how soon each is begun.
    BesideSweep(beside_sweep::Arguments),
    /// Mixed work with a fault every few seconds, and what memory and backlog do meanwhile.
    Soak(soak::Arguments),
    /// An old and a new binary side by side on one store, and from one to the other.
    Rolling(rolling::Arguments),
}

/// Reads a time such as `2s`, `500ms` or `5m`.
///
/// # Errors
/// What to write instead.
pub fn read_time(text: &str) -> Result<Duration, &'static str> {
    let read: Option<jiff::SignedDuration> = text.parse().ok();
    read.and_then(|time| Duration::try_from(time).ok())
        .filter(|time| !time.is_zero())
        .ok_or("write a time such as `2s`, `500ms`, `5m` or `1h`")
}

async fn run(ground: &Ground, arguments: Arguments) -> anyhow::Result<Laws> {
    let seed = arguments.seed.unwrap_or_else(dice::any_seed);
    println!("seed {seed}");
    match arguments.command {
        Command::Replicas(what) => Box::pin(replicas::run(ground, &what, seed)).await,
        Command::BesideSweep(what) => Box::pin(beside_sweep::run(ground, &what, seed)).await,
        Command::Soak(what) => Box::pin(soak::run(ground, &what, seed)).await,
        Command::Rolling(what) => Box::pin(rolling::run(ground, &what, seed)).await,
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    // What `cargo bench` adds by itself.
    let words = std::env::args().filter(|word| word != "--bench");
    let arguments = Arguments::parse_from(words);
    let ground = match Ground::from_environment(arguments.keep) {
        Ok(ground) => ground,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::from(WRONG_INPUT);
        }
    };
    let ended = tokio::select! {
        ended = run(&ground, arguments) => ended,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("stopped from outside")),
    };
    ground.clear().await;
    match ended {
        Ok(laws) => {
            laws.print();
            if laws.all_held() { ExitCode::SUCCESS } else { ExitCode::from(BROKEN) }
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(BROKEN)
        }
    }
}
