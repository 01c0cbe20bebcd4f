//! Mixed work for as long as one likes, with a fault every few seconds; afterwards nothing is lost,
//! nothing was done twice, the log verifies, and memory is flat.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::company::Company;
use crate::faults::Disturber;
use crate::ground::Ground;
use crate::laws::Laws;
use crate::post::Poster;
use crate::replica::Replicas;
use crate::samples::{Samples, Trend};
use crate::work::{self, Held, Work};
use crate::{ledger, plot, read_time, replicas};

/// How long everything may take to come to its end once nothing disturbs any more.
const QUIET: Duration = Duration::from_mins(10);
/// Time between two writings of what was seen so far.
const BETWEEN_FILES: Duration = Duration::from_mins(1);
/// A replica whose memory was followed for less says nothing of growth.
const SHORTEST_TREND: Duration = Duration::from_mins(3);

/// What to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo bench --bench fire -- soak --to soak/
  cargo bench --bench fire -- soak --for 1h --to soak/
  cargo bench --bench fire -- soak --for 24h --fault-every 10s --customers-a-second 20 --to soak/")]
pub struct Arguments {
    /// How long there is work.
    #[arg(long = "for", value_name = "TIME", default_value = "5m", value_parser = read_time)]
    time: Duration,
    /// Time between the end of a fault and the next one.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = read_time)]
    fault_every: Duration,
    /// Processes that share the work; the first one is never killed, so that its memory can be followed.
    #[arg(long, value_name = "NUMBER", default_value_t = 2)]
    replicas: usize,
    /// Customers who come in a second: a quarter of them asks to be erased, a quarter leaves.
    #[arg(long, value_name = "NUMBER", default_value_t = 8)]
    customers_a_second: u32,
    /// Notes that come in a second: two of three are due.
    #[arg(long, value_name = "NUMBER", default_value_t = 150)]
    notes_a_second: u32,
    /// How long a job of a dead process waits for another one (`QUIETUS_LEASE_MS`).
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = read_time)]
    lease: Duration,
    /// Folder for `soak.csv` and `soak.svg`: memory and backlog by the second; it is made.
    #[arg(long, value_name = "FOLDER", default_value = "soak")]
    to: PathBuf,
}

/// Runs it; the laws that were asked about.
pub async fn run(ground: &Ground, arguments: &Arguments, seed: u64) -> Result<Laws> {
    std::fs::create_dir_all(&arguments.to)
        .with_context(|| format!("the folder {} cannot be made", arguments.to.display()))?;
    let company = work::company(ground).await?;
    let many = arguments.replicas.max(1);
    let mut replicas = Replicas::of(&company);
    // The store has its schema once a replica is there.
    company.must(&["hold", "list"]).await?;
    let mut disturber = Disturber::new(&company, (many, arguments.lease), seed).await?;
    let manner = disturber.manner(None);
    for number in 0..many {
        replicas.start(number, &manner)?;
        replicas.at_work(number).await?;
    }
    let doors = replicas.doors.clone();
    let poster = Poster::to(&doors, seed)?;
    let amounts = (arguments.customers_a_second, arguments.notes_a_second);
    let work = Work::of(&company, &poster, amounts)?;
    let samples = Samples::new();
    println!("{many} replicas are at work for {:?}, and then it becomes quiet", arguments.time);
    let ended = tokio::select! {
        ended = disturbed(arguments, &work, (&mut disturber, &mut replicas), &samples) => ended,
        never = samples.take(&company, &doors) => match never? {},
        never = keep_written(arguments, &samples) => match never? {},
    };
    write_down(arguments, &samples)?;
    let held = ended?;
    replicas.stop_all().await?;

    let mut laws = Laws::default();
    laws.hold(
        "no replica ended but by our hand",
        replicas.ended_by_themselves.is_empty(),
        replicas.ended_by_themselves.join(", "),
    );
    let last = company.quietus(&["run", "--once"]).await?;
    laws.hold("a last run finds everything done", last.code == Some(0), &last.words);
    replicas::last_look(&company, &mut laws).await?;
    work.check(&held, &mut laws).await?;
    check(&company, &work, &mut laws).await?;
    check_memory(&samples, arguments, &mut laws);
    tell(&company, &samples, replicas.killed).await?;
    Ok(laws)
}

/// Writes down every so often what was seen so far, so that a run that is stopped leaves it behind.
async fn keep_written(arguments: &Arguments, samples: &Samples) -> Result<Infallible> {
    loop {
        tokio::time::sleep(BETWEEN_FILES).await;
        write_down(arguments, samples)?;
    }
}

/// Work and faults for as long as it was asked for, and then quiet until everything has come to its end.
async fn disturbed(
    arguments: &Arguments,
    work: &Work<'_>,
    (disturber, replicas): (&mut Disturber<'_>, &mut Replicas<'_>),
    samples: &Samples,
) -> Result<Vec<Held>> {
    let working = async {
        let held = work.go(arguments.time).await?;
        samples.note("the work is done");
        Ok::<_, anyhow::Error>(held)
    };
    let striking = async {
        let begun = Instant::now();
        while begun.elapsed() < arguments.time {
            tokio::time::sleep(arguments.fault_every).await;
            let what = disturber.strike(replicas).await?;
            println!("  {:>6.0} s  {what}", samples.seconds());
            samples.note(what);
        }
        work.end();
        Ok::<_, anyhow::Error>(())
    };
    let (held, ()) = tokio::try_join!(working, striking)?;
    println!("  {:>6.0} s  nothing disturbs any more", samples.seconds());
    let begun = Instant::now();
    loop {
        let last = samples.samples().last().map_or(1, |one| one.jobs + one.requests);
        if last == 0 && work.left().await? == 0 {
            return Ok(held);
        }
        if begun.elapsed() > QUIET {
            bail!(
                "{QUIET:?} after the last fault {} records are left that should be gone, and {last} jobs and requests are open",
                work.left().await?
            );
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn write_down(arguments: &Arguments, samples: &Samples) -> Result<()> {
    let (csv, svg) = (arguments.to.join("soak.csv"), arguments.to.join("soak.svg"));
    let title =
        format!("{} replicas, {:?}, a fault every few seconds", arguments.replicas, arguments.time);
    write(&csv, &samples.as_csv())?;
    write(&svg, &plot::draw(&title, &samples.samples(), &samples.events()))?;
    println!("{} and {}", csv.display(), svg.display());
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| path.display().to_string())
}

async fn check(company: &Company, work: &Work<'_>, laws: &mut Laws) -> Result<()> {
    let count =
        async |from: &str| company.store.number(&format!("SELECT count(*) FROM {from}")).await;
    laws.equal("each request was taken in once", count("requests").await?, work.asked());
    let fulfilled = count("requests WHERE outcome = 'fulfilled'").await?;
    laws.equal("each request is fulfilled", fulfilled, work.asked());
    let failed = count("jobs WHERE state = 'failed' AND kind = 'request'").await?;
    laws.equal("no part of a request has failed", failed, 0);
    laws.equal("every job has come to its end", count("jobs WHERE settled_at IS NULL").await?, 0);
    let twice = "(SELECT job_id FROM attempts WHERE result = 'completed' GROUP BY job_id
         HAVING count(*) > 1) AS twice";
    laws.equal("no job was completed twice", count(twice).await?, 0);
    let without = "jobs WHERE state = 'completed' AND NOT EXISTS (SELECT 1 FROM attempts
         WHERE job_id = jobs.id AND result = 'completed')";
    laws.equal("no job is completed without an attempt that was", count(without).await?, 0);
    laws.equal("every case is closed", count("cases WHERE state <> 'closed'").await?, 0);
    let uncertified = "cases WHERE NOT EXISTS (SELECT 1 FROM certificates
         WHERE case_id = cases.id AND state = 'logged')";
    laws.equal("every case is certified, and proven by the log", count(uncertified).await?, 0);
    ledger::check(company, laws).await?;
    replicas::check_proof(company, laws).await
}

/// Only of replicas that were never killed, and followed for long enough.
fn check_memory(samples: &Samples, arguments: &Arguments, laws: &mut Laws) {
    let samples = samples.samples();
    let Some(trend) = Trend::of(&samples, 0) else { return };
    let words = format!(
        "memory of replica 1: {:+.0} KiB a minute, {} MiB early on and {} MiB at the end",
        trend.kib_a_minute,
        trend.early_kib / 1024,
        trend.late_kib / 1024
    );
    println!("{words}");
    if arguments.time >= SHORTEST_TREND {
        laws.hold("memory is flat", trend.is_flat(), words);
    }
}

async fn tell(company: &Company, samples: &Samples, killed: u32) -> Result<()> {
    let count =
        async |from: &str| company.store.number(&format!("SELECT count(*) FROM {from}")).await;
    println!("\n| soak | |\n|---|---|");
    println!("| faults | {} |", samples.events().len().saturating_sub(1));
    println!("| processes killed | {killed} |");
    println!("| cases | {} |", count("cases").await?);
    println!("| jobs | {} |", count("jobs").await?);
    println!(
        "| jobs that failed and were done by a later run | {} |",
        count("jobs WHERE state = 'failed'").await?
    );
    println!("| attempts | {} |", count("attempts").await?);
    println!("| attempts lost | {} |", count("attempts WHERE result = 'lost'").await?);
    println!("| entries of the log | {} |", count("log_leaves").await?);
    Ok(())
}
