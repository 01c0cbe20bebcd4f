//! Requests beside a sweep: a rule deletes millions of due rows, and meanwhile persons ask to be erased
//! from the same table. From the acceptance of a request to the start of its database part it must not
//! take longer than two seconds.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use jiff::{ToSpan as _, tz::TimeZone};
use quietus::domain::Clock as _;
use quietus::telemetry::SystemClock;

use crate::company::{Company, QUIETUS};
use crate::ground::{Database, Ground};
use crate::laws::Laws;
use crate::post::Poster;
use crate::read_time;
use crate::replica::{Manner, Replicas};

/// How long the sweep may take to begin, and everything to come to its end.
const PATIENCE: Duration = Duration::from_mins(30);
/// Rows of each person who asks.
const ROWS_EACH: i64 = 5;

/// What to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo bench --bench fire -- beside-sweep --rows 1000000 --pace 100000
  cargo bench --bench fire -- beside-sweep --rows 10000000 --requests 200")]
pub struct Arguments {
    /// Rows that are due.
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000_000)]
    rows: u32,
    /// Persons who ask meanwhile.
    #[arg(long, value_name = "NUMBER", default_value_t = 200)]
    requests: u32,
    /// Over which time their requests come.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = read_time)]
    over: Duration,
    /// Records a second that the sweep may delete; as fast as it can if left out.
    #[arg(long, value_name = "NUMBER")]
    pace: Option<u32>,
    /// Processes that share the work.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    replicas: usize,
    /// In which each request has to be begun.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = read_time)]
    within: Duration,
}

/// Runs it; the laws that were asked about.
pub async fn run(ground: &Ground, arguments: &Arguments, seed: u64) -> Result<Laws> {
    let mut company = Company::new(ground, "beside-sweep", 4).await?;
    let pace = arguments.pace.map(|pace| format!("pace: {{ records_per_second: {pace} }}\n"));
    let map = format!("{}{MAP}", pace.unwrap_or_default());
    let heap = company.add_system(ground, "heap", &map).await?;
    println!("{} rows that are due are made", arguments.rows);
    furnish(&heap, arguments).await?;
    company.write("schedules/notes.yaml", &rules(&next_minute()?))?;
    company.must(&["check"]).await?;

    let manner = Manner { binary: Path::new(QUIETUS).to_owned(), ..Manner::default() };
    let mut replicas = Replicas::of(&company);
    for number in 0..arguments.replicas.max(1) {
        replicas.start(number, &manner)?;
        replicas.at_work(number).await?;
    }
    let under_way = "SELECT count(*) FROM jobs WHERE system = 'heap' AND kind = 'sweep'
         AND state = 'running' AND done IS NOT NULL";
    until(&company.store, "the sweep begins", under_way, 1).await?;
    println!(
        "the sweep is under way; {} requests come over {:?}",
        arguments.requests, arguments.over
    );
    let poster = Poster::to(&replicas.doors, seed)?;
    let asking = i64::from(arguments.requests);
    let pause = arguments.over / arguments.requests.max(1);
    poster.erase_all(1..=asking, Some(pause)).await?;
    let begun = "SELECT count(DISTINCT jobs.id) FROM jobs JOIN attempts ON job_id = id
         WHERE kind = 'request' AND started_at IS NOT NULL";
    until(&company.store, "each request is begun", begun, asking).await?;
    let swept = "SELECT count(*) FROM jobs WHERE system = 'heap' AND kind = 'sweep'
         AND state = 'completed'";
    until(&company.store, "the sweep ends", swept, 1).await?;
    let answered = "SELECT count(*) FROM requests WHERE state = 'closed'";
    until(&company.store, "each request is answered", answered, asking).await?;
    replicas.stop_all().await?;
    let mut laws = Laws::default();
    laws.hold(
        "no replica ended but by our hand",
        replicas.ended_by_themselves.is_empty(),
        replicas.ended_by_themselves.join(", "),
    );
    measure(&company, arguments, &mut laws).await?;
    let left = heap.number("SELECT count(*) FROM notes").await?;
    laws.equal("what is due is gone, and what persons had", left, 0);
    Ok(laws)
}

const MAP: &str = "collections:
  notes:
    key: id
    fields:
      id: { type: integer }
      person: { type: integer, identity: customer_id, exempt: the notes go as a whole }
      body: { type: text, category: note.body }
      made_at: { type: timestamp }
    starting_points: { collection: made_at }
";

fn rules(cron: &str) -> String {
    format!(
        "pack: notes
version: '1'
owner: Ada Example
categories:
  note.body: {{ purpose: to remember }}
schedules:
  once: {{ cron: '{cron}', zone: UTC }}
schedule: once
cap: {{ records: unlimited, share: unlimited }}
rules:
  - rule: notes-after-a-month
    category: note.body
    starting_point: collection
    period: P1M
    action: erase
    basis: {{ citation: 'GDPR Art. 6(1)(f)' }}
"
    )
}

/// The next minute that does not begin too soon, as a daily schedule says it.
fn next_minute() -> Result<String> {
    let then = SystemClock.now().checked_add(75.seconds())?.to_zoned(TimeZone::UTC);
    Ok(format!("{} {} * * *", then.minute(), then.hour()))
}

/// Rows that are due, of many persons, and some of those who will ask, which are not.
async fn furnish(heap: &Database, arguments: &Arguments) -> Result<()> {
    let (due, asking) = (arguments.rows, arguments.requests);
    heap.run(&format!(
        "CREATE TABLE notes (id BIGINT NOT NULL PRIMARY KEY, person BIGINT NOT NULL, body TEXT,
             made_at TIMESTAMPTZ NOT NULL);
         INSERT INTO notes SELECT n, 1000000 + n % 500000, 'a note', '2020-01-01'
             FROM generate_series(1, {due}) AS n;
         INSERT INTO notes SELECT {due} + n * {ROWS_EACH} + i, n, 'a note', '2090-01-01'
             FROM generate_series(1, {asking}) AS n, generate_series(1, {ROWS_EACH}) AS i;
         CREATE INDEX notes_person ON notes (person)"
    ))
    .await?;
    heap.run("VACUUM ANALYZE notes").await
}

/// Waits until a count is reached.
async fn until(store: &Database, what: &str, count: &str, wanted: i64) -> Result<()> {
    let begun = Instant::now();
    while store.number(count).await? < wanted {
        if begun.elapsed() > PATIENCE {
            bail!("after {PATIENCE:?} it is not so that {what}");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// From the acceptance of each request to the start of its database part, by the store.
async fn measure(company: &Company, arguments: &Arguments, laws: &mut Laws) -> Result<()> {
    let waits = "SELECT min(started_at) - received_at AS waited, min(started_at) AS begun_at
         FROM requests JOIN jobs ON jobs.case_id = requests.case_id AND jobs.kind = 'request'
             JOIN attempts ON attempts.job_id = jobs.id
         WHERE started_at IS NOT NULL GROUP BY requests.id, received_at ORDER BY 1";
    let waits = company.store.rows(waits).await?;
    let sweep = "SELECT min(claimed_at), max(ended_at) FROM jobs JOIN attempts ON job_id = id
         WHERE system = 'heap' AND kind = 'sweep'";
    let sweep = company.store.rows(sweep).await?;
    let number = |row: &[String], at: usize| row.get(at).and_then(|text| text.parse::<i64>().ok());
    let (swept_from, swept_until) =
        sweep.first().and_then(|row| Some((number(row, 0)?, number(row, 1)?))).unwrap_or_default();
    let times: Vec<i64> = waits.iter().filter_map(|row| number(row, 0)).collect();
    let beside = waits.iter().filter_map(|row| number(row, 1)).filter(|at| *at <= swept_until);
    let beside = i64::try_from(beside.count())?;
    let asking = i64::from(arguments.requests);
    laws.equal("each request was begun", i64::try_from(times.len())?, asking);
    laws.hold(
        "each was begun while the sweep was under way",
        beside == asking,
        format!("{beside} of {asking}: use more `--rows`, a shorter `--over`, or a `--pace`"),
    );
    let within = i64::try_from(arguments.within.as_micros())?;
    let worst = times.last().copied().unwrap_or(i64::MAX);
    laws.hold(
        format!("each was begun within {:?} of its acceptance", arguments.within),
        worst <= within,
        format!("the last one after {} ms", worst / 1000),
    );
    let at = |permille: usize| {
        let place = (times.len() * permille / 1000).min(times.len().saturating_sub(1));
        times.get(place).copied().unwrap_or_default() / 1000
    };
    let seconds = (swept_until - swept_from).max(1);
    let rate = i64::from(arguments.rows) * 1_000_000 / seconds;
    println!("\n| {asking} requests beside a sweep of {} rows | |", arguments.rows);
    println!("|---|---|");
    println!("| acceptance to start: median | {} ms |", at(500));
    println!("| 99 % | {} ms |", at(990));
    println!("| worst | {} ms |", at(1000));
    println!("| the sweep | {} ms, {rate} rows a second |", seconds / 1000);
    Ok(())
}
