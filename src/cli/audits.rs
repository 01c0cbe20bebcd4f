//! `quietus audit`: count a whole log anew, draw a sample and open it, find certificates, prove that
//! a record was in a run.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use uuid::Uuid;

use super::certificates::write_files;
use super::opening::{BAD, GOOD, STRONG, WARN, fail, number, read_id, say, with_product};
use super::plan_text::new_table;
use super::remark::actor;
use super::request_input::{Given, read_identities, read_key_lines};
use super::{FINE, NOT_DONE};
use crate::app::audit::replay::replay_with_root;
use crate::app::audit::{
    Depth, Found, Opened, RecordFound, RecordSought, ReplayFrom, Replayed, Sample, Sought,
};
use crate::app::{AppError, Quietus};
use crate::config;
use crate::domain::{Digest, Remark};
use crate::evidence::TrustedRoot;

/// Count the log anew, draw a sample, find certificates.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus audit replay                            every leaf, tile and signed head of the store
  quietus audit replay --from backup/log --trusted-root trusted_root.json
                                                  exported files, without an instance
  quietus audit sample --token period.tsr --count 25
                                                  leaves drawn by a time stamp of after the period
  quietus audit find --opening subject-opening.json")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What an auditor does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Count whole logs anew: roots at every signed size, tiles, producers, kinds.
    #[command(after_help = "Examples:
  quietus audit replay
  quietus audit replay --details
  quietus audit replay --from backup/log
  quietus audit replay --from backup/log --trusted-root trusted_root.json

With `--from` and `--trusted-root` no instance is needed: an auditor counts on their own machine.
Exit code 0 where everything fits, 1 where something does not.")]
    Replay(ReplayArguments),
    /// Draw leaves by a seed that nobody could know before, and open each.
    #[command(after_help = "Examples:
  quietus audit sample --seed \"19-12 4 8 15 16 23 42\" --count 25
  quietus audit sample --token period.tsr --of 2026 --format json

The seed is what is drawn with: take something that came into being after the period ended, such
as a witness's signature or a time-stamp token. Anybody who has the seed draws the same leaves:
the SHA-256 of `quietus audit sample 1`, a line feed, the seed's SHA-256, and the lines of the
log's name, its size and the number of the draw, first eight bytes, modulo the size.")]
    Sample(SampleArguments),
    /// Find certificates by an opening, an identifier, or what a person is known by.
    #[command(after_help = "Examples:
  quietus audit find --opening subject-opening.json --by \"Ada Example\"
  quietus audit find --certificate 0198a2f3-0000-7000-8000-000000000000
  quietus audit find --identities-file person.txt

That somebody looked is put on record, and never for whom. By what a person is known they are
found only until they are forgotten; by their opening always. Others can read the command line of
a running process: rather use `--identities-file` (or `-`), one `type=value` a line.")]
    Find(FindArguments),
    /// Have a record proven to have been among those that a run deleted.
    #[command(after_help = "Examples:
  quietus audit record --case 0198… --system shop --collection customers --key-file key.txt --to proof
  quietus audit record --case 0198… --system shop --collection payments --key order_id=12 --key number=1 --to proof

For collections with `manifest: records` in the data map, and for runs of schedules. The folder holds
the record's reference and two inclusion proofs; `quietus verify` and `quietus-verify` check it
offline, and its VERIFY.txt says how to without either. A record that was not in the run gives exit
code 1, and nothing else is learned. Values are compared as the system holds them, letter by letter.
That somebody looked is put on record, and never for what. Others can read the command line of a
running process: rather use `--key-file` (or `-`), one `field=value` a line.")]
    Record(RecordArguments),
}

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Words and colours.
    Human,
    /// JSON.
    Json,
}

/// What to count.
#[derive(Debug, Args)]
pub struct ReplayArguments {
    /// A folder that `quietus log export` wrote, instead of the store.
    #[arg(long, value_name = "FOLDER")]
    pub from: Option<PathBuf>,
    /// Open each detail too: whether it is what its leaf names, and whether any number is missing.
    #[arg(long, conflicts_with = "from")]
    pub details: bool,
    /// The trusted root that you have from the issuer; without it the instance's own keys.
    #[arg(long, value_name = "FILE", requires = "from")]
    pub trusted_root: Option<PathBuf>,
}

/// What to draw.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("drawn").required(true)))]
pub struct SampleArguments {
    /// Any text.
    #[arg(long, value_name = "TEXT", group = "drawn")]
    pub seed: Option<String>,
    /// A file, such as a time-stamp token or a cosigned checkpoint.
    #[arg(long, value_name = "FILE", group = "drawn")]
    pub token: Option<PathBuf>,
    /// How many leaves, at most 10000.
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    pub count: u64,
    /// The log, such as `2026`; the one in use if left out.
    // `--log` is what every command logs.
    #[arg(long, value_name = "NAME")]
    pub of: Option<String>,
    /// For people or for programs.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
}

/// What to find.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("sought").required(true)))]
pub struct FindArguments {
    /// The opening that the person was given.
    #[arg(long, value_name = "FILE", group = "sought")]
    pub opening: Option<PathBuf>,
    /// A certificate.
    #[arg(long, value_name = "IDENTIFIER", group = "sought")]
    pub certificate: Option<Uuid>,
    /// What the person is known by, as `type=value`.
    #[arg(long, value_name = "TYPE=VALUE", group = "sought")]
    pub identity: Option<Given>,
    /// The same from a file, or `-` for standard input.
    #[arg(long, value_name = "FILE", group = "sought")]
    pub identities_file: Option<PathBuf>,
    /// Who looks.
    #[arg(long, value_name = "NAME", default_value = "auditor", env = "QUIETUS_BY")]
    pub by: Remark,
    /// For people or for programs.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
}

/// Which record, in which run.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("keyed").required(true)))]
pub struct RecordArguments {
    /// The case of the run.
    #[arg(long, value_name = "CASE", value_parser = read_id)]
    pub case: Uuid,
    /// The system.
    #[arg(long, value_name = "NAME")]
    pub system: String,
    /// The collection.
    #[arg(long, value_name = "NAME")]
    pub collection: String,
    /// A key field with its value, once for each field of the key.
    #[arg(long, value_name = "FIELD=VALUE", group = "keyed")]
    pub key: Vec<Given>,
    /// The same from a file, or `-` for standard input.
    #[arg(long, value_name = "FILE", group = "keyed")]
    pub key_file: Option<PathBuf>,
    /// The folder for the proof.
    #[arg(long, value_name = "FOLDER")]
    pub to: PathBuf,
    /// Who looks.
    #[arg(long, value_name = "NAME", default_value = "auditor", env = "QUIETUS_BY")]
    pub by: Remark,
    /// For people or for programs.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, folder: &Path) -> u8 {
    match &arguments.command {
        Command::Replay(ReplayArguments { from: Some(from), trusted_root: Some(root), .. }) => {
            let mut bar = Bar::new();
            let replayed = read_root(root).and_then(|root| {
                replay_with_root(from, &root, &mut |name, at, size| bar.show(name, at, size))
            });
            bar.end();
            replayed.map_or_else(|error| fail(&error), |replayed| print_replayed(&replayed))
        }
        Command::Replay(replay) => {
            with_product(folder, async |product| {
                let from = replay.from.as_deref().map_or(ReplayFrom::Store, ReplayFrom::Files);
                let depth = if replay.details { Depth::Details } else { Depth::Leaves };
                let mut bar = Bar::new();
                let replayed = product
                    .replay_logs(from, depth, &mut |name, at, size| bar.show(name, at, size))
                    .await;
                bar.end();
                Ok(print_replayed(&replayed?))
            })
            .await
        }
        Command::Sample(sample) => {
            with_product(folder, async |product| draw(product, sample).await).await
        }
        Command::Find(find) => {
            with_product(folder, async |product| look(product, find).await).await
        }
        Command::Record(record) => {
            with_product(folder, async |product| prove(product, record).await).await
        }
    }
}

/// A progress bar where somebody watches a terminal.
struct Bar(Option<ProgressBar>);

impl Bar {
    fn new() -> Self {
        Self(std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(1);
            let style = ProgressStyle::with_template(
                "  {prefix} {bar:28.green} {human_pos:>11} of {human_len} entries  {per_sec:>14}",
            );
            if let Ok(style) = style {
                bar.set_style(style.progress_chars("━╸ "));
            }
            bar
        }))
    }

    fn show(&mut self, log: &str, at: u64, size: u64) {
        if let Some(bar) = &self.0 {
            if bar.prefix() != log {
                bar.set_prefix(log.to_owned());
            }
            bar.set_length(size);
            bar.set_position(at);
        }
    }

    fn end(&mut self) {
        if let Some(bar) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> AppError {
    AppError::Input(format!("`{}` cannot be read: {}", path.display(), config::why(error)))
}

fn read_root(path: &Path) -> Result<TrustedRoot, AppError> {
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    TrustedRoot::from_json(&bytes)
        .map_err(|error| AppError::Input(format!("`{}`: {error}", path.display())))
}

fn print_replayed(replayed: &[Replayed]) -> u8 {
    let mut fine = true;
    for log in replayed {
        let counted = &log.counted;
        say(format!("{STRONG}{}{STRONG:#}  {} entries", log.origin, number(counted.size)));
        say(format!("  signed heads  {} have the root of their entries", number(counted.heads)));
        say(format!("  tiles         {} compared", number(log.tiles)));
        let believed = match counted.believed {
            0 => String::new(),
            some => format!(", {} more had nothing to be compared with", number(some)),
        };
        say(format!(
            "  heartbeats    {} have the number that was counted{believed}",
            number(counted.heartbeats)
        ));
        for (kind, count) in &counted.kinds {
            say(format!("  {:>11}   {kind}", number(*count)));
        }
        for (producer, count) in &counted.producers {
            say(format!("  {:>11}   by {producer}", number(*count)));
        }
        if let Some(count) = log.without_detail.filter(|count| *count > 0) {
            say(format!(
                "  {WARN}no detail{WARN:#}     {} entries: their leaves were put back and the details are lost, or somebody took them",
                number(count)
            ));
        }
        if let Some(count) = log.without_certificate.filter(|count| *count > 0) {
            say(format!(
                "  {WARN}unknown{WARN:#}       {} entries of certificates that the store does not have",
                number(count)
            ));
        }
        for fault in &counted.faults {
            say(format!("  {BAD}does not fit{BAD:#}  {fault}"));
        }
        fine &= counted.faults.is_empty();
    }
    if fine {
        say(format!("{GOOD}everything fits{GOOD:#}"));
        FINE
    } else {
        say(format!("{BAD}not everything fits{BAD:#}"));
        NOT_DONE
    }
}

async fn draw(product: &Quietus, arguments: &SampleArguments) -> Result<u8, AppError> {
    let seed = match (&arguments.seed, &arguments.token) {
        (Some(text), _) => Digest::of(text.as_bytes()),
        (None, Some(path)) => {
            Digest::of(&std::fs::read(path).map_err(|error| unreadable(path, &error))?)
        }
        (None, None) => return Err(AppError::Input("give `--seed` or `--token`".to_owned())),
    };
    let sample = product.sample_log(arguments.of.as_deref(), seed, arguments.count).await?;
    let fine = sample.leaves.iter().all(|leaf| leaf.proven && leaf.opened.is_fine());
    if arguments.format == Format::Json {
        say(to_json(&sample)?);
    } else {
        print_sample(&sample);
    }
    Ok(if fine { FINE } else { NOT_DONE })
}

fn to_json(value: &impl serde::Serialize) -> Result<String, AppError> {
    serde_json::to_string_pretty(value)
        .map_err(|error| AppError::Unreadable { what: "an answer", why: error.to_string() })
}

fn print_sample(sample: &Sample) {
    say(format!(
        "{STRONG}{}{STRONG:#}  {} entries, root {}, drawn with {}",
        sample.log,
        number(sample.size),
        sample.root.short(),
        sample.seed
    ));
    let mut table = new_table(&["entry", "kind", "in the log", "behind it"]);
    for leaf in &sample.leaves {
        let behind = match &leaf.opened {
            Opened::Opened { detail } => detail.clone(),
            Opened::Shredded { at } => format!("destroyed at {at}"),
            Opened::Certificate { id } => format!("certificate {id}"),
            Opened::StatusList { name } => format!("status list {name}"),
            Opened::Closed => "CLOSED: the key of its month is gone".to_owned(),
            Opened::Missing => "MISSING".to_owned(),
            Opened::Other => "SOMETHING ELSE".to_owned(),
        };
        let proven = if leaf.proven { "proven" } else { "NOT PROVEN" };
        table.add_row([number(leaf.index), leaf.kind.clone(), proven.to_owned(), behind]);
    }
    say(table);
}

async fn look(product: &Quietus, arguments: &FindArguments) -> Result<u8, AppError> {
    let by = actor(&arguments.by);
    let typed: Vec<Given> = arguments.identity.iter().cloned().collect();
    let found = if let Some(path) = &arguments.opening {
        let opening = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
        product.find_evidence(Sought::Opening(&opening), &by).await?
    } else if let Some(id) = arguments.certificate {
        product.find_evidence(Sought::Certificate(id), &by).await?
    } else {
        let mut found: Vec<Found> = Vec::new();
        for (kind, value) in read_identities(&typed, arguments.identities_file.as_deref())? {
            found.extend(product.find_evidence(Sought::Identity(&kind, &value), &by).await?);
        }
        found.sort_by_key(|one| std::cmp::Reverse((one.issued_at, one.certificate)));
        found.dedup();
        found
    };
    product.advance_log().await?;
    if arguments.format == Format::Json {
        say(to_json(&found)?);
        return Ok(FINE);
    }
    if found.is_empty() {
        say("no certificate was found");
        return Ok(FINE);
    }
    let mut table = new_table(&["certificate", "issued", "says", "log", "entry", "in the log"]);
    for one in found {
        let says = match one.superseded_by {
            None => one.overall,
            Some(by) => format!("superseded by {by}"),
        };
        table.add_row([
            one.certificate.to_string(),
            one.issued_at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
            says,
            one.log.unwrap_or_else(|| "waits".to_owned()),
            one.index.map(number).unwrap_or_default(),
            if one.proven { "proven" } else { "not yet" }.to_owned(),
        ]);
    }
    say(table);
    Ok(FINE)
}

async fn prove(product: &Quietus, arguments: &RecordArguments) -> Result<u8, AppError> {
    let key = match &arguments.key_file {
        Some(path) => read_key_lines(path)?,
        None => arguments.key.iter().map(|given| given.text().to_owned()).collect(),
    };
    let sought = RecordSought {
        case: arguments.case,
        system: &arguments.system,
        collection: &arguments.collection,
        key: &key,
    };
    let found = product.find_record(&sought, &actor(&arguments.by)).await?;
    product.advance_log().await?;
    let (state, words) = match &found {
        RecordFound::Proven(_) => ("proven", format!("{GOOD}it was in this run{GOOD:#}")),
        RecordFound::NotInRun => ("not-in-run", "it was not in this run".to_owned()),
        RecordFound::NotListed { deleted, entries } => (
            "not-listed",
            format!(
                "it is not among the {} records that this run lists, and {} deletions were reported: it may have been one of the others",
                number(*entries),
                number(*deleted)
            ),
        ),
        RecordFound::NoManifest => (
            "no-manifest",
            "this run kept no manifest of that collection: `manifest: records` in the data map has later runs keep one".to_owned(),
        ),
        RecordFound::Unfinished => (
            "unfinished",
            "this run is not over, or its entry is not in the log yet: try again later".to_owned(),
        ),
        RecordFound::Shredded { at } => {
            ("shredded", format!("the manifest of this run was shredded at {at}"))
        }
        RecordFound::Closed => (
            "closed",
            "the manifest of this run cannot be read any more: the key of its month is gone"
                .to_owned(),
        ),
    };
    let at = match &found {
        RecordFound::Shredded { at } => Some(*at),
        _ => None,
    };
    let (files, code) = match found {
        RecordFound::Proven(files) => (write_files(files, &arguments.to)?, FINE),
        _ => (Vec::new(), NOT_DONE),
    };
    if arguments.format == Format::Json {
        say(to_json(&json!({ "state": state, "shreddedAt": at, "files": files }))?);
        return Ok(code);
    }
    say(words);
    if code == FINE {
        let to = arguments.to.display();
        say(format!(
            "  {} files are in `{to}`; check them with `quietus verify {to}`",
            files.len()
        ));
    }
    Ok(code)
}
