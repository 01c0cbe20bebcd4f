//! What can be asked for on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Measures Quietus on this machine and prints a table; each figure stands beside something that is
/// measured in the same run.
#[derive(Debug, Parser)]
#[command(
    name = "figures",
    bin_name = "cargo bench --bench figures --",
    after_help = "Servers: `tests/run --servers` starts some that wait for their disks, and prints what to export.

Examples:
  cargo bench --bench figures -- queue                 figure a, beside graphile-worker and pg-boss
  cargo bench --bench figures -- queue --database sqlite --jobs 2000 --without-peers
  cargo bench --bench figures -- evidence --entries 200000
  cargo bench --bench figures -- planning --systems 100,1000
  cargo bench --bench figures -- crowd --subjects 300,1000,3000
  cargo bench --bench figures -- crowd --whole         300 000 subjects: hours
  cargo bench --bench figures -- process
  cargo bench --bench figures -- all --json figures.json --plots docs"
)]
pub struct Arguments {
    /// What to measure.
    #[command(subcommand)]
    pub what: What,

    /// Also writes all samples as JSON.
    #[arg(long, global = true, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Also draws figures a and c as SVG into this folder.
    #[arg(long, global = true, value_name = "FOLDER")]
    pub plots: Option<PathBuf>,

    /// A server on which databases may be made; `QUIETUS_TEST_POSTGRES_URL` where it is not given.
    #[arg(long, global = true, value_name = "URL")]
    pub postgres: Option<String>,
}

/// The figures.
#[derive(Debug, Subcommand)]
pub enum What {
    /// a: empty jobs a second, from claimed to settled with their evidence.
    Queue(QueueArguments),
    /// b: entries of evidence a second, and how long a certificate takes after the last job.
    Evidence(EvidenceArguments),
    /// c: reading, checking and compiling a large data map.
    Planning(PlanningArguments),
    /// c: requests of many persons, from the first to the last certificate.
    Crowd(CrowdArguments),
    /// e: memory, start and size of the binary.
    Process(ProcessArguments),
    /// All of them with what they take by default.
    All,
    /// A process of figure a, which is told when to begin.
    #[command(hide = true)]
    Replica(ReplicaArguments),
    /// A process that reads and plans a folder.
    #[command(hide = true)]
    Plan(FolderArguments),
    /// A process that carries a crowd's requests out.
    #[command(hide = true)]
    Carry(CarryArguments),
}

/// Where Quietus keeps its own data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Database {
    /// One file.
    Sqlite,
    /// A server.
    Postgres,
}

impl Database {
    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// Figure a.
#[derive(Debug, Clone, Args)]
pub struct QueueArguments {
    /// Only on this database; both where it is not given.
    #[arg(long)]
    pub database: Option<Database>,

    /// Jobs that go together with others; a multiple of 20, because each person has one in each of
    /// 20 systems.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(20..))]
    pub jobs: u64,

    /// Jobs of which each goes by itself, for a system whose orders cannot be joined.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(20..))]
    pub jobs_alone: u64,

    /// Jobs of graphile-worker and pg-boss.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub peer_jobs: u64,

    /// Processes that share the work.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 4])]
    pub replicas: Vec<u32>,

    /// Jobs side by side in each process, of each contender.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub workers: u32,

    /// Every contender has its turn in each round.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,

    /// Leaves graphile-worker and pg-boss out, which are fetched from npm.
    #[arg(long)]
    pub without_peers: bool,
}

/// Figure b.
#[derive(Debug, Clone, Args)]
pub struct EvidenceArguments {
    /// Only on this database; both where it is not given.
    #[arg(long)]
    pub database: Option<Database>,

    /// Entries that are written and sequenced in each round.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    pub entries: u64,

    /// Producers that write side by side.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=8))]
    pub producers: u32,

    /// Entries in one transaction.
    #[arg(long, value_delimiter = ',', default_values_t = [2, 500])]
    pub together: Vec<u32>,

    /// Cases that are certified at once.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    pub cases: u32,

    /// Requests that come one by one to a process that has nothing else to do.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub calm: u32,

    /// Rounds.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
}

/// Figure c, the plan.
#[derive(Debug, Clone, Args)]
pub struct PlanningArguments {
    /// Systems.
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100, 1_000])]
    pub systems: Vec<u32>,

    /// Collections of each.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub collections: u32,

    /// Rules, each for a category of its own.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub rules: u32,

    /// Rounds.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
}

/// Figure c, the persons.
#[derive(Debug, Clone, Args)]
pub struct CrowdArguments {
    /// Only on this database; SQLite where it is not given.
    #[arg(long)]
    pub database: Option<Database>,

    /// How many persons ask, one size after the other; what 300 000 would take follows from them.
    #[arg(long, value_delimiter = ',', default_values_t = [300, 1_000, 3_000])]
    pub subjects: Vec<u64>,

    /// Systems in memory, in each of which each of them has a record.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub systems: u32,

    /// Jobs side by side.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub workers: u32,

    /// Rounds of each size.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,

    /// Carries 30 000 and 300 000 subjects out as well.
    #[arg(long)]
    pub whole: bool,
}

/// Figure e.
#[derive(Debug, Clone, Args)]
pub struct ProcessArguments {
    /// Rounds.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,

    /// Seconds of idleness before its memory is read.
    #[arg(long, default_value_t = 7)]
    pub idle_seconds: u64,
}

/// A process of figure a.
#[derive(Debug, Clone, Args)]
pub struct ReplicaArguments {
    /// The instance's folder.
    pub folder: PathBuf,
    /// Jobs side by side.
    #[arg(long)]
    pub workers: u32,
}

/// A process that works on a folder.
#[derive(Debug, Clone, Args)]
pub struct FolderArguments {
    /// The instance's folder.
    pub folder: PathBuf,
}

/// A process that carries a crowd's requests out.
#[derive(Debug, Clone, Args)]
pub struct CarryArguments {
    /// The instance's folder.
    pub folder: PathBuf,
    /// How many persons ask.
    #[arg(long)]
    pub subjects: u64,
    /// Jobs side by side.
    #[arg(long)]
    pub workers: u32,
}

impl What {
    /// The settings of a figure where nothing else is said.
    pub fn by_default(name: &str) -> Self {
        Arguments::parse_from(["figures", name]).what
    }
}

/// Reads the command line; what `cargo bench` adds by itself is passed over. Wrong input ends the
/// process with exit code 2.
pub fn read() -> Arguments {
    Arguments::parse_from(std::env::args().filter(|word| word != "--bench"))
}
