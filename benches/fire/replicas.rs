//! Replicas that share many jobs, once undisturbed and once with one of them killed every few seconds:
//! each job has one settled outcome, and the target's own log says that each order took effect once.

use std::convert::Infallible;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;

use crate::company::{Company, QUIETUS};
use crate::dice::Dice;
use crate::ground::Ground;
use crate::laws::Laws;
use crate::persons::{Crowd, RECORDS};
use crate::post::Poster;
use crate::replica::{Manner, Replicas};
use crate::{ledger, read_time};

/// How often it is looked how far the work has come.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
/// How often that is told.
const BETWEEN_WORDS: Duration = Duration::from_secs(15);
/// Certificates that are exported and verified as an auditor does.
const SAMPLE: usize = 10;

/// What to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo bench --bench fire -- replicas --jobs 2000
  cargo bench --bench fire -- replicas --jobs 100000 --replicas 3 --kill-every 2s
  cargo bench --bench fire -- replicas --jobs 20000 --systems 40 --lease 60s")]
pub struct Arguments {
    /// Jobs: one for each person who asks, in each system.
    #[arg(long, value_name = "NUMBER", default_value_t = 2_000)]
    jobs: u32,
    #[command(flatten)]
    how: How,
    /// Only the run with kills; nothing to compare its time with.
    #[arg(long)]
    only_killed: bool,
    /// Time between two kills.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = read_time)]
    kill_every: Duration,
}

/// How the work is shared.
#[derive(Debug, Clone, Args)]
pub struct How {
    /// Systems, each a database of its own.
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    pub systems: usize,
    /// Processes that share the work.
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    pub replicas: usize,
    /// Orders that a process carries out side by side, in each lane.
    #[arg(long, value_name = "NUMBER", default_value_t = 4)]
    pub workers: u32,
    /// How long a job of a dead process waits for another one (`QUIETUS_LEASE_MS`; the product's own is
    /// a minute).
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = read_time)]
    pub lease: Duration,
    /// After this time the run is given up.
    #[arg(long, value_name = "TIME", default_value = "2h", value_parser = read_time)]
    pub patience: Duration,
}

impl How {
    /// How a replica of this binary is started.
    pub fn manner(&self, binary: &Path) -> Manner {
        Manner { binary: binary.to_owned(), lease: Some(self.lease), ..Manner::default() }
    }
}

/// What one run took.
struct Taken {
    time: Duration,
    killed: u32,
    lost: i64,
    peak_kib: u64,
}

/// Runs it; the laws that were asked about.
pub async fn run(ground: &Ground, arguments: &Arguments, seed: u64) -> Result<Laws> {
    let crowd = Crowd::of_jobs(arguments.jobs, arguments.how.systems);
    println!(
        "{} persons in {} systems, {} jobs, {} replicas with {} workers a lane, lease {:?}",
        crowd.asking,
        crowd.systems,
        crowd.jobs(),
        arguments.how.replicas,
        arguments.how.workers,
        arguments.how.lease
    );
    let (mut laws, mut columns) = (Laws::default(), Vec::new());
    if !arguments.only_killed {
        let (taken, held) = once(ground, arguments, (crowd, seed), None).await?;
        laws.take("undisturbed", held);
        columns.push(("undisturbed".to_owned(), taken));
    }
    let every = arguments.kill_every;
    let (taken, held) = once(ground, arguments, (crowd, seed), Some(every)).await?;
    let name = format!("kill -9 every {every:?}");
    laws.take(&name, held);
    columns.push((name, taken));
    print_table(crowd, &columns);
    Ok(laws)
}

async fn once(
    ground: &Ground,
    arguments: &Arguments,
    (crowd, seed): (Crowd, u64),
    kill_every: Option<Duration>,
) -> Result<(Taken, Laws)> {
    let name = if kill_every.is_some() { "killed" } else { "undisturbed" };
    let how = &arguments.how;
    let company = crowd.company(ground, name, how.workers).await?;
    let manner = how.manner(Path::new(QUIETUS));
    let mut replicas = Replicas::of(&company);
    for number in 0..how.replicas {
        replicas.start(number, &manner)?;
        // One after the other, so that one of them makes the schema and the keys.
        replicas.at_work(number).await?;
    }
    let poster = Poster::to(&replicas.doors, seed)?;
    println!("\n{name}: {} replicas are at work", how.replicas);
    let begun = Instant::now();
    let working = async {
        let bringing = poster.erase_all(1..=crowd.asking, None);
        tokio::try_join!(bringing, all_done(&company, crowd, how.patience))
    };
    tokio::select! {
        done = working => {
            done?;
        }
        never = keep_killing(&mut replicas, (how, &manner), kill_every, seed) => match never? {},
    }
    let time = begun.elapsed();
    println!("  done after {:.1} s", time.as_secs_f64());
    replicas.stop_all().await?;
    let lost = "SELECT count(*) FROM attempts WHERE result = 'lost'";
    let taken = Taken {
        time,
        killed: replicas.killed,
        lost: company.store.number(lost).await?,
        peak_kib: replicas.peak_kib,
    };
    let mut laws = Laws::default();
    laws.hold(
        "no replica ended but by our hand",
        replicas.ended_by_themselves.is_empty(),
        replicas.ended_by_themselves.join(", "),
    );
    last_look(&company, &mut laws).await?;
    check(&company, crowd, &mut laws).await?;
    Ok((taken, laws))
}

/// Whoever looks at the systems last finds that none was put back, and drops what killed processes left
/// behind there.
pub async fn last_look(company: &Company, laws: &mut Laws) -> Result<()> {
    let last = company.quietus(&["restore", "watch"]).await?;
    laws.hold("a last look finds every system well", last.code == Some(0), &last.words);
    Ok(())
}

/// Kills one of the replicas every so often, and starts it again at once.
async fn keep_killing(
    replicas: &mut Replicas<'_>,
    (how, manner): (&How, &Manner),
    every: Option<Duration>,
    seed: u64,
) -> Result<Infallible> {
    let Some(every) = every else { return std::future::pending().await };
    let mut dice = Dice::of(seed, 2);
    loop {
        tokio::time::sleep(every).await;
        let number = dice.place(how.replicas);
        replicas.kill(number).await?;
        replicas.start(number, manner)?;
    }
}

/// Waits until every request is answered and every certificate is proven by the log.
pub async fn all_done(company: &Company, crowd: Crowd, patience: Duration) -> Result<()> {
    let (begun, mut told) = (Instant::now(), Instant::now());
    loop {
        let answered = "SELECT count(*) FROM requests WHERE state = 'closed'";
        let answered = company.store.number(answered).await?;
        let proven = "SELECT count(*) FROM certificates WHERE state = 'logged'";
        let proven = company.store.number(proven).await?;
        if answered >= crowd.asking && proven >= crowd.asking {
            return Ok(());
        }
        if begun.elapsed() > patience {
            bail!(
                "given up after {patience:?}: {answered} of {} requests are answered, {proven} certificates are proven",
                crowd.asking
            );
        }
        if told.elapsed() > BETWEEN_WORDS {
            told = Instant::now();
            let settled = "SELECT count(*) FROM jobs WHERE settled_at IS NOT NULL";
            let settled = company.store.number(settled).await?;
            println!(
                "  {:.0} s: {settled} jobs settled, {answered} requests answered, {proven} certificates proven",
                begun.elapsed().as_secs_f64()
            );
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// The laws of a company in which everybody's request was carried out.
pub async fn check(company: &Company, crowd: Crowd, laws: &mut Laws) -> Result<()> {
    let count =
        async |from: &str| company.store.number(&format!("SELECT count(*) FROM {from}")).await;
    laws.equal("each request was taken in once", count("requests").await?, crowd.asking);
    let fulfilled = count("requests WHERE outcome = 'fulfilled'").await?;
    laws.equal("each request is fulfilled", fulfilled, crowd.asking);
    laws.equal("a job for each person and system", count("jobs").await?, crowd.jobs());
    let completed = count("jobs WHERE state = 'completed'").await?;
    laws.equal("each job has come to its end", completed, crowd.jobs());
    let settled = "(SELECT job_id FROM attempts
          WHERE result IN ('completed', 'failed', 'cancelled')
          GROUP BY job_id HAVING count(*) = 1) AS settled";
    laws.equal("each job has one settled outcome", count(settled).await?, crowd.jobs());
    let entries = "(SELECT job_id FROM evidence_details WHERE kind = 'erasure.step'
          GROUP BY job_id HAVING count(*) = 1) AS entries";
    laws.equal("each outcome is on record once", count(entries).await?, crowd.jobs());
    let complete = "certificates WHERE overall = 'complete' AND superseded_by IS NULL";
    laws.equal("each case has a complete certificate", count(complete).await?, crowd.asking);
    laws.equal("and no other one", count("certificates").await?, crowd.asking);
    ledger::check(company, laws).await?;
    ledger::check_orders(company, RECORDS, laws).await?;
    ledger::check_people(company, (crowd.asking, crowd.others), laws).await?;
    check_proof(company, laws).await
}

/// The log is counted anew, and some certificates are verified as an auditor does.
pub async fn check_proof(company: &Company, laws: &mut Laws) -> Result<()> {
    let waiting = company.store.number("SELECT count(*) FROM evidence_outbox").await?;
    laws.equal("everything that was said is in the log", waiting, 0);
    let replayed = company.quietus(&["audit", "replay"]).await?;
    laws.hold("the log verifies, counted anew", replayed.code == Some(0), &replayed.words);
    let certificates = "SELECT id::text FROM certificates WHERE superseded_by IS NULL
         ORDER BY md5(id::text) LIMIT ";
    let certificates = company.store.texts(&format!("{certificates}{SAMPLE}")).await?;
    let mut unproven = Vec::new();
    for id in &certificates {
        let folder = company.folder().join(format!("certificate-{id}"));
        let folder = folder.display().to_string();
        company.must(&["certificate", "export", id, "--to", &folder]).await?;
        let verified = company.quietus(&["verify", &folder]).await?;
        if verified.code != Some(0) {
            unproven.push(format!("{id}: {}", verified.words));
        }
    }
    laws.hold(
        format!("{} certificates verify as an auditor does it", certificates.len()),
        unproven.is_empty() && !certificates.is_empty(),
        unproven.join("; "),
    );
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "numbers for people")]
fn print_table(crowd: Crowd, columns: &[(String, Taken)]) {
    let row = |name: &str, value: &dyn Fn(&Taken) -> String| {
        let values = columns.iter().map(|(_, taken)| value(taken));
        println!("| {name} | {} |", values.collect::<Vec<_>>().join(" | "));
    };
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    println!("\n| {} jobs | {} |", crowd.jobs(), names.join(" | "));
    println!("|---|{}", "---|".repeat(columns.len()));
    row("time", &|one| format!("{:.1} s", one.time.as_secs_f64()));
    row("jobs a second", &|one| format!("{:.0}", crowd.jobs() as f64 / one.time.as_secs_f64()));
    if let [(_, undisturbed), _] = columns {
        let whole = undisturbed.time.as_secs_f64();
        row("beside undisturbed", &|one| format!("{:.2}", one.time.as_secs_f64() / whole));
    }
    row("processes killed", &|one| one.killed.to_string());
    row("attempts lost", &|one| one.lost.to_string());
    row("peak memory of a process", &|one| format!("{:.0} MiB", one.peak_kib as f64 / 1024.0));
}
