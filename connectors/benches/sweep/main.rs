//! How fast a sweep is, against the best loop that one would write by hand.
//!
//! Identical copies of a table (half of it due) are swept by (a) a hand-written keyset-window
//! `DELETE` loop, (b) on PostgreSQL the same loop as a procedure inside the server, and (c) this
//! crate's connector, with the same window, in processes of their own and in turns. On MariaDB, `pt-archiver` (Debian package percona-toolkit) sweeps
//! smaller samples of the same table.
//!
//! ```text
//! tests/run --servers          # prints exports of QUIETUS_TEST_POSTGRES_URL and …_MARIADB_URL
//! cargo bench -p quietus-connectors --bench sweep -- postgresql --rows 10000000
//! cargo bench -p quietus-connectors --bench sweep -- mariadb --rows 1000000 --sample 20000
//! cargo bench -p quietus-connectors --bench sweep -- sqlite --window 10000 --rounds 3
//! ```
//!
//! Memory is the peak of the sweeping process above what it held when it was connected and idle.
//!
//! Measured on a busy machine with two cores (`docs/benchmarks.md` has the table): on PostgreSQL
//! (`--rows 10000000 --rounds 3`, fsync on) the connector took 1.02 to 1.21 times the better loop
//! by hand of the same round, deleted 565 000 to 888 000 rows a second and held at most 0.5 MiB
//! above idle; on MariaDB (`--rows 1000000 --rounds 2`) it was 0.49 and 1.61 times the loop, and at least 1.4
//! times as fast as the fastest mode of `pt-archiver`.

#![expect(clippy::print_stdout, reason = "the numbers are the product")]
#![expect(clippy::expect_used, reason = "a measurement that cannot go on stops loudly")]

mod archiver;
mod ground;
mod sweepers;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ground::Ground;

/// What is measured and how much of it.
#[derive(Debug, Clone)]
struct Plan {
    kind: String,
    rows: u64,
    window: u32,
    rounds: u32,
    sample: u64,
}

/// What one sweep took.
#[derive(Debug, Clone, Copy)]
struct Measured {
    deleted: u64,
    took: Duration,
    peak_kib: u64,
}

impl Measured {
    fn rows_per_second(self) -> f64 {
        as_float(self.deleted) / self.took.as_secs_f64()
    }
}

/// Exact up to 2^53, and there are never so many rows.
#[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
fn as_float(count: u64) -> f64 {
    count as f64
}

const USAGE: &str = "usage: cargo bench -p quietus-connectors --bench sweep -- \
    postgresql|mariadb|sqlite [--rows 1000000] [--window 50000] [--rounds 2] [--sample 20000]";

#[tokio::main]
async fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        // The child processes of a run.
        ["sweep", who, kind, url, window] => {
            let window = window.parse().expect("a window");
            print_measured(sweepers::sweep(who, kind, url, window).await);
        }
        _ => match plan(&arguments) {
            Some(plan) => run(&plan).await,
            None => println!("{USAGE}"),
        },
    }
}

fn plan(arguments: &[String]) -> Option<Plan> {
    let (kind, options) = arguments.split_first()?;
    let kind = ["postgresql", "mariadb", "sqlite"].iter().find(|known| *known == kind)?;
    let mut plan = Plan {
        kind: (*kind).to_owned(),
        rows: 1_000_000,
        window: 50_000,
        rounds: 2,
        sample: 20_000,
    };
    for pair in options.chunks(2) {
        let [name, value] = pair else { return None };
        match name.as_str() {
            "--rows" => plan.rows = value.parse().ok()?,
            "--window" => plan.window = value.parse().ok()?,
            "--rounds" => plan.rounds = value.parse().ok()?,
            "--sample" => plan.sample = value.parse().ok()?,
            _ => return None,
        }
    }
    Some(plan)
}

async fn run(plan: &Plan) {
    println!(
        "{}: {} rows, half of them due, window {}, {} rounds",
        plan.kind, plan.rows, plan.window, plan.rounds
    );
    let ground = Ground::prepare(&plan.kind, plan.rows).await;
    println!("{}", ground.product().await);
    preview_against_count(&ground, plan).await;
    let contenders = sweepers::contenders(&plan.kind);
    let mut measured: Vec<Vec<Measured>> = vec![Vec::new(); contenders.len()];
    for round in 1..=plan.rounds {
        for turn in 0..contenders.len() {
            // Each begins a round once: what lies warm or dirty from the one before is shared out.
            let at = (turn + usize::try_from(round).expect("few rounds")) % contenders.len();
            let who = contenders[at];
            let url = ground.fresh_copy().await;
            let one = in_own_process(who, &plan.kind, &url, plan.window);
            assert_eq!(one.deleted, ground.due().await, "{who} deleted what was due");
            assert_eq!(ground.left_and_due().await, (plan.rows - one.deleted, 0));
            print_line(&format!("round {round}, {who}"), one);
            measured[at].push(one);
        }
    }
    for (who, all) in contenders.iter().zip(&measured) {
        print_line(&format!("best, {who}"), best(all));
    }
    let (connector, others) = measured.split_last().expect("the connector is the last one");
    for (index, one) in connector.iter().enumerate() {
        let by_hand = others.iter().map(|all| all[index].took).min().expect("somebody by hand");
        let ratio = one.took.as_secs_f64() / by_hand.as_secs_f64();
        println!("round {}: connector / best by hand = {ratio:.2}", index + 1);
    }
    let connector = best(connector);
    let by_hand = others.iter().map(|all| best(all).took).min().expect("somebody by hand");
    let ratio = connector.took.as_secs_f64() / by_hand.as_secs_f64();
    println!("best connector / best by hand = {ratio:.2} (below 1: the connector is faster)");
    if plan.kind == "mariadb" {
        archiver::compare(&ground, plan.sample, connector).await;
    }
    ground.remove().await;
}

/// Each twice, and the second time counts.
async fn preview_against_count(ground: &Ground, plan: &Plan) {
    let mut took = [Duration::ZERO; 2];
    for _ in 0..2 {
        let started = Instant::now();
        let due = ground.due().await;
        took[0] = started.elapsed();
        let started = Instant::now();
        let counted = sweepers::preview(&plan.kind, &ground.source_url(), plan.window).await;
        took[1] = started.elapsed();
        assert_eq!(counted, due, "the preview counts what is due");
    }
    let [count, preview] = took.map(|one| one.as_secs_f64());
    println!("preview {preview:.2} s, SELECT COUNT(*) {count:.2} s: {:.1} times", preview / count);
}

fn best(measured: &[Measured]) -> Measured {
    *measured.iter().min_by_key(|one| one.took).expect("at least one round")
}

fn print_line(name: &str, measured: Measured) {
    println!(
        "{name:<28} {:>9.2} s {:>12.0} rows/s {:>8.1} MiB above idle",
        measured.took.as_secs_f64(),
        measured.rows_per_second(),
        as_float(measured.peak_kib) / 1024.0
    );
}

fn in_own_process(who: &str, kind: &str, url: &str, window: u32) -> Measured {
    let program = std::env::current_exe().expect("a path");
    let output = Command::new(program)
        .args(["sweep", who, kind, url, &window.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("the process starts");
    assert!(output.status.success(), "the sweep by {who} failed");
    let words = String::from_utf8(output.stdout).expect("text");
    let numbers: Vec<u64> =
        words.split_whitespace().map(|word| word.parse().expect("a number")).collect();
    let [deleted, took_us, peak_kib] = numbers[..] else { panic!("three numbers, not {words}") };
    Measured { deleted, took: Duration::from_micros(took_us), peak_kib }
}

fn print_measured(measured: Measured) {
    println!("{} {} {}", measured.deleted, measured.took.as_micros(), measured.peak_kib);
}
