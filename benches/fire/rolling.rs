//! A rolling upgrade: two processes of an old binary are at work, one of a new binary comes to them and
//! brings the schema forward, an old one is started anew after that, and one by one the old ones are
//! replaced, while requests come all the time.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::company::{Company, QUIETUS};
use crate::ground::Ground;
use crate::laws::Laws;
use crate::persons::Crowd;
use crate::post::Poster;
use crate::read_time;
use crate::replica::Replicas;
use crate::replicas::{How, all_done, check, last_look};

/// How long each step may take until it is seen that a process works.
const PATIENCE: Duration = Duration::from_mins(2);

/// What to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  git worktree add ../quietus-old v0.1.0
  cargo build --release --manifest-path ../quietus-old/Cargo.toml
  cargo bench --bench fire -- rolling --old ../quietus-old/target/release/quietus")]
pub struct Arguments {
    /// The binary of the version before.
    #[arg(long, value_name = "FILE", value_parser = read_binary)]
    old: PathBuf,
    /// Requests that come a second, as long as it lasts.
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    requests_a_second: u32,
    /// How long requests come: the steps have to be over by then.
    #[arg(long = "for", value_name = "TIME", default_value = "90s", value_parser = read_time)]
    time: Duration,
    #[command(flatten)]
    how: How,
}

fn read_binary(text: &str) -> Result<PathBuf, &'static str> {
    let path = Path::new(text).canonicalize().ok().filter(|path| path.is_file());
    path.ok_or("there is no such file: build the version before, and name its `quietus`")
}

/// The processes, by the part of their workers' names that they share, in the order in which they were
/// first seen at work.
async fn seen_at_work(company: &Company) -> Result<Vec<String>> {
    company
        .store
        .texts(
            "SELECT split_part(worker, '-', 1) AS process FROM attempts
             WHERE result = 'completed' GROUP BY 1 ORDER BY min(claimed_at)",
        )
        .await
}

/// Attempts that one of these processes has completed since.
async fn completed_since(company: &Company, processes: &[String], since_us: i64) -> Result<i64> {
    let names: Vec<String> = processes.iter().map(|one| format!("'{one}'")).collect();
    let count = format!(
        "SELECT count(*) FROM attempts WHERE result = 'completed' AND claimed_at > {since_us}
             AND split_part(worker, '-', 1) IN ({})",
        names.join(", ")
    );
    company.store.number(&count).await
}

async fn now_us(company: &Company) -> Result<i64> {
    let now = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)";
    company.store.number(now).await
}

async fn schema(company: &Company) -> Result<i64> {
    company.store.number("SELECT max(version) FROM _sqlx_migrations").await
}

/// Waits until a process is at work that was not seen before; its name.
async fn newcomer(company: &Company, before: &[String], what: &str) -> Result<String> {
    let begun = Instant::now();
    loop {
        let seen = seen_at_work(company).await?;
        if let Some(new) = seen.into_iter().find(|one| !before.contains(one)) {
            return Ok(new);
        }
        if begun.elapsed() > PATIENCE {
            bail!("{what} does no work");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Runs it; the laws that were asked about.
pub async fn run(ground: &Ground, arguments: &Arguments, seed: u64) -> Result<Laws> {
    let (old, how) = (&arguments.old, &arguments.how);
    let asking = arguments.time.as_secs() * u64::from(arguments.requests_a_second);
    let crowd = Crowd { asking: i64::try_from(asking)?, others: 100, systems: how.systems };
    let company = crowd.company(ground, "rolling", how.workers).await?;
    let mut replicas = Replicas::of(&company);
    for number in 0..2 {
        replicas.start(number, &how.manner(old))?;
        replicas.at_work(number).await?;
    }
    let poster = Poster::to(&replicas.doors, seed)?;
    let pause = Duration::from_secs(1) / arguments.requests_a_second.max(1);
    let mut laws = Laws::default();
    let coming = async {
        let bringing = poster.erase_all(1..=crowd.asking, Some(pause));
        tokio::try_join!(bringing, all_done(&company, crowd, how.patience)).map(drop)
    };
    let rolling = roll(&company, &mut replicas, (how, old.as_path()), &mut laws);
    let ((), ()) = tokio::try_join!(coming, rolling)?;
    replicas.stop_all().await?;
    laws.hold(
        "no replica ended but by our hand",
        replicas.ended_by_themselves.is_empty(),
        replicas.ended_by_themselves.join(", "),
    );
    last_look(&company, &mut laws).await?;
    check(&company, crowd, &mut laws).await?;
    Ok(laws)
}

async fn roll(
    company: &Company,
    replicas: &mut Replicas<'_>,
    (how, old): (&How, &Path),
    laws: &mut Laws,
) -> Result<()> {
    let new = Path::new(QUIETUS);
    let first = newcomer(company, &[], "the old binary").await?;
    let second = newcomer(company, std::slice::from_ref(&first), "the second old one").await?;
    let old_ones = [first, second];
    let before = schema(company).await?;
    println!("two old processes are at work, schema {before}");

    replicas.start(2, &how.manner(new))?;
    replicas.at_work(2).await?;
    let (after, since) = (schema(company).await?, now_us(company).await?);
    let first_new = newcomer(company, &old_ones, "the new binary").await?;
    println!("a new one is at work beside them, schema {after}");
    let begun = Instant::now();
    let mut by_old = 0;
    while by_old == 0 && begun.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(200)).await;
        by_old = completed_since(company, &old_ones, since).await?;
    }
    laws.hold(
        format!("old processes go on after the schema went from {before} to {after}"),
        by_old > 0,
        "none of them has completed a job since",
    );

    replicas.kill(0).await?;
    replicas.start(0, &how.manner(old))?;
    let came_back = replicas.at_work(0).await;
    laws.hold(
        format!("an old binary that is started anew works with schema {after}"),
        came_back.is_ok(),
        came_back.as_ref().err().map_or_else(String::new, ToString::to_string),
    );
    if came_back.is_ok() {
        let known = [old_ones.as_slice(), &[first_new]].concat();
        let again = newcomer(company, &known, "the old binary that was started anew").await?;
        println!("an old one that was killed is back and at work ({again})");
    }

    let known = seen_at_work(company).await?;
    for number in [0, 1] {
        if came_back.is_ok() || number != 0 {
            replicas.stop(number).await?;
        }
        replicas.start(number, &how.manner(new))?;
        replicas.at_work(number).await?;
        println!("replica {} is a new one now", number + 1);
    }
    let since = now_us(company).await?;
    newcomer(company, &known, "a new binary in the place of an old one").await?;
    let by_old = completed_since(company, &old_ones, since).await?;
    laws.equal("nothing is done by the old ones once they are stopped", by_old, 0);
    Ok(())
}
