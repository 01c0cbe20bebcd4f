//! What it costs to erase many persons at once, against set-based SQL written by hand.
//!
//! A shop of 100 000 users lies in one database: 3 000 000 rows in PostgreSQL, 600 000 in MariaDB.
//! One order names 1 000 of its users by their addresses. Their orders of the last years are kept,
//! without notes and restricted; the rest of theirs goes, and whoever has nothing left goes too.
//! Identical copies of the shop are worked on by (a) a handful of statements by hand in one
//! transaction and (b) this crate's connector, in processes of their own and in turns; what is
//! left in both is compared by number and content.
//!
//! ```text
//! tests/run --servers          # prints exports of QUIETUS_TEST_POSTGRES_URL and …_MARIADB_URL
//! cargo bench -p quietus-connectors --bench people -- postgresql
//! cargo bench -p quietus-connectors --bench people -- mariadb --rounds 5
//! ```
//!
//! Before either of them the connector carries out a first order for somebody whom the shop does not
//! know, because it makes its progress table once in a system's life, and previews the order; what
//! that takes is a line of its own.
//!
//! Memory is the peak of the working process as a whole (resident). Statements are counted as the
//! connector sends them, transactions and settings among them.

#![expect(clippy::print_stdout, reason = "the numbers are the product")]
#![expect(clippy::expect_used, reason = "a measurement that cannot go on stops loudly")]

mod by_connector;
mod by_hand;
mod shop;
mod statements;

use std::process::{Command, Stdio};
use std::time::Duration;

use shop::Shop;

/// What one undertaking took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    changed: u64,
    took: Duration,
    peak_kib: u64,
    statements: u64,
}

struct Plan {
    kind: String,
    users: u64,
    subjects: u64,
    rounds: u64,
}

const USAGE: &str = "usage: cargo bench -p quietus-connectors --bench people -- \
    postgresql|mariadb [--users 100000] [--subjects 1000] [--rounds 3]";

#[tokio::main]
async fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        // The child processes of a run.
        ["work", who, kind, url, users, subjects] => {
            let subjects = match who {
                "first" => vec!["somebody-else@example.org".to_owned()],
                _ => shop::addresses(number(users), number(subjects)),
            };
            let one = match who {
                "hand" => by_hand::erase(kind, url, &subjects).await,
                part => by_connector::work(part, kind, url, &subjects).await,
            };
            println!(
                "{} {} {} {}",
                one.changed,
                one.took.as_micros(),
                one.peak_kib,
                one.statements
            );
        }
        _ => match plan(&arguments) {
            Some(plan) => run(&plan).await,
            None => println!("{USAGE}"),
        },
    }
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

fn plan(arguments: &[String]) -> Option<Plan> {
    let (kind, options) = arguments.split_first()?;
    let kind = ["postgresql", "mariadb"].into_iter().find(|known| known == kind)?.to_owned();
    let mut plan = Plan { kind, users: 100_000, subjects: 1_000, rounds: 3 };
    for pair in options.chunks(2) {
        let [name, value] = pair else { return None };
        let value = value.parse().ok()?;
        match name.as_str() {
            "--users" => plan.users = value,
            "--subjects" => plan.subjects = value,
            "--rounds" => plan.rounds = value,
            _ => return None,
        }
    }
    Some(plan)
}

async fn run(plan: &Plan) {
    let shop = Shop::prepare(&plan.kind, plan.users).await;
    println!("{}", shop.product().await);
    println!(
        "{} users, {} rows in all, {} subjects in one order, {} rounds",
        plan.users,
        shop.rows().await,
        plan.subjects,
        plan.rounds
    );
    let mut ratios = Vec::new();
    for round in 1..=plan.rounds {
        let mut took = [Duration::ZERO; 2];
        let mut left = [Vec::new(), Vec::new()];
        for turn in 0..2 {
            // Each begins every other round.
            let at = usize::try_from((round + turn) % 2).expect("0 or 1");
            let url = shop.fresh_copy().await;
            let who = ["hand", "execute"][at];
            // Both find the system as after its first order ever, which makes the progress table,
            // and with what a look beforehand has brought into memory.
            let first = work(plan, "first", &url, 1);
            let look = work(plan, "preview", &url, plan.subjects);
            if who == "execute" {
                line(round, "first order", first);
                line(round, "preview", look);
            }
            let one = work(plan, who, &url, plan.subjects);
            line(round, who, one);
            took[at] = one.took;
            left[at] = shop.fingerprint().await;
            if who == "execute" {
                let verified = work(plan, "verify", &url, plan.subjects);
                assert_eq!(verified.changed, 0, "no survivors");
                line(round, "verify", verified);
            }
        }
        assert_eq!(left[0], left[1], "both left the same");
        let ratio = took[1].as_secs_f64() / took[0].as_secs_f64();
        println!("round {round}: connector / by hand = {ratio:.2}");
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    let (best, worst) = (ratios[0], ratios[ratios.len() - 1]);
    println!("median ratio {:.2} ({best:.2} to {worst:.2})", ratios[ratios.len() / 2]);
    let url = shop.fresh_copy().await;
    let alone = work(plan, "execute", &url, 1);
    line(0, "one subject", alone);
    shop.remove().await;
}

fn line(round: u64, who: &str, one: Measured) {
    println!(
        "round {round}, {who:<12} {:>8.3} s, {:>6} records, {:>4} statements, peak {:>6} KiB",
        one.took.as_secs_f64(),
        one.changed,
        one.statements,
        one.peak_kib
    );
}

fn work(plan: &Plan, who: &str, url: &str, subjects: u64) -> Measured {
    let program = std::env::current_exe().expect("a path");
    let (users, subjects) = (plan.users.to_string(), subjects.to_string());
    let output = Command::new(program)
        .args(["work", who, &plan.kind, url, &users, &subjects])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("the process starts");
    assert!(output.status.success(), "the work by {who} failed");
    let words = String::from_utf8(output.stdout).expect("text");
    let numbers: Vec<u64> = words.split_whitespace().map(number).collect();
    let [changed, took_us, peak_kib, statements] = numbers[..] else {
        panic!("four numbers, not {words}")
    };
    Measured { changed, took: Duration::from_micros(took_us), peak_kib, statements }
}

/// The most memory that the process has held, in KiB; zero elsewhere than on Linux.
pub(crate) fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let digits = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}
