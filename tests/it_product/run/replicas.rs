//! MUST SHOW: replicas that are killed again and again lose nothing and do nothing twice, by the
//! target's own log; one at a time leads, and whoever dies in the lead is followed.

use std::process::Stdio;
use std::time::Duration;

use jiff::ToSpan as _;
use quietus::app::lead::{HOUSEKEEPING, REQUESTS};
use quietus::domain::AskedRight;
use quietus::worker;
use tokio::process::Child;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::upgrade::add_job_of_the_future;
use crate::company::database::Kind;
use crate::company::engine::{opened, work};
use crate::company::{Company, ONE_RULE, heap, until, wait};
use crate::request::estate::clock;
use crate::request::person::bring;

/// What the target writes down by itself; `benches/fire` asks the same of many more.
const LEDGER: &str = include_str!("../../../benches/fire/ledger.sql");

const MAP: &str = "collections:
  accounts:
    key: id
    fields:
      id: {type: integer, identity: customer_id}
      name: contact
      made_at: {type: timestamp}
    starting_points: {collection: made_at}
  entries:
    key: id
    fields:
      id: {type: integer}
      account_id: {type: integer}
      words: contact
      made_at: {type: timestamp}
    links:
      account: {to: accounts, fields: {account_id: id}, kind: deep}
    starting_points: {collection: made_at}
";

const SYSTEMS: [&str; 3] = ["crm", "desk", "shop"];
/// Records of a person in each system.
const RECORDS: i64 = 3;

/// Three databases with so many people, who all have an account and two entries in each.
pub async fn company(people: i64) -> Company {
    let mut company = Company::new(Kind::Postgres).await;
    company.write("schedules/rules.yaml", ONE_RULE);
    for name in SYSTEMS {
        let database = company.add_system(name, Kind::Postgres, MAP).await;
        database.run(LEDGER).await;
        database
            .run(&format!(
                "CREATE TABLE accounts (id BIGINT PRIMARY KEY, name TEXT, made_at TIMESTAMPTZ);
                 CREATE TABLE entries (id BIGINT PRIMARY KEY, words TEXT, made_at TIMESTAMPTZ,
                     account_id BIGINT REFERENCES accounts (id));
                 CREATE INDEX entries_account ON entries (account_id);
                 INSERT INTO accounts SELECT n, 'Name ' || n, '2024-01-01'
                     FROM generate_series(1, {people}) AS n;
                 INSERT INTO entries SELECT n * 10 + i, 'Words ' || n, '2024-01-01', n
                     FROM generate_series(1, {people}) AS n, generate_series(1, 2) AS i;
                 SELECT fire.watch('accounts'), fire.watch('entries')"
            ))
            .await;
    }
    company
}

pub fn replica(company: &Company) -> Child {
    let mut command = company.command(&["run"]);
    // Nobody reads what it says, and a pipe that is full would stop it.
    command.stdout(Stdio::null()).stderr(Stdio::null()).env("QUIETUS_LEASE_MS", "2000");
    command.spawn().unwrap()
}

async fn count(company: &Company, from: &str) -> i64 {
    let rows = company.store_rows(&format!("SELECT CAST(COUNT(*) AS TEXT) FROM {from}")).await;
    rows[0].parse().unwrap()
}

async fn the_targets_own_log_tells_the_same(company: &Company, asking: i64) {
    for name in SYSTEMS {
        let database = company.database(name);
        for law in ["gone_twice", "untold", "turned_back"] {
            let broken = database.rows(&format!("SELECT * FROM fire.{law}")).await;
            assert!(broken.is_empty(), "`{law}` in `{name}`: {broken:?}");
        }
        let carried_out =
            "SELECT order_key, records::text, transactions::text FROM fire.carried_out
             WHERE records <> 3 OR transactions > 2";
        let otherwise = database.rows(carried_out).await;
        assert!(otherwise.is_empty(), "once a collection and whole: {otherwise:?}");
        let keys = database.rows("SELECT order_key FROM fire.carried_out ORDER BY 1").await;
        let jobs =
            "SELECT replace(id::text, '-', '') || '-1' FROM jobs WHERE system = 'NAME' ORDER BY 1";
        assert_eq!(keys, company.store_rows(&jobs.replace("NAME", name)).await, "of `{name}`");
        let gone = "SELECT COUNT(*)::text FROM fire.effects WHERE what = 'DELETE'";
        assert_eq!(database.number(gone).await, asking * RECORDS);
        let kept = "SELECT order_key FROM quietus_progress WHERE order_key NOT LIKE 'canary-%'";
        assert!(database.rows(kept).await.is_empty(), "progress is left in `{name}`");
    }
}

/// So many persons ask in so many rounds, and in each round a replica is killed.
pub async fn nothing_is_lost_and_nothing_done_twice(company: &Company, asking: i64, rounds: i64) {
    let clock = clock();
    let product = company.replica(&clock).await;
    let mut replicas = [replica(company), replica(company), replica(company)];
    for round in 0..rounds {
        for person in 1..=asking / rounds {
            let person = round * (asking / rounds) + person;
            bring(&product, AskedRight::Erasure, ("customer_id", person.to_string())).await;
        }
        tokio::time::sleep(Duration::from_millis(900)).await;
        let one = &mut replicas[usize::try_from(round % 3).unwrap()];
        one.kill().await.unwrap();
        *one = replica(company);
    }
    until("every request is answered", 180, async || {
        (count(company, "requests WHERE state <> 'closed'").await == 0).then_some(())
    })
    .await;
    for one in replicas {
        let id = one.id().unwrap().to_string();
        std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap();
        wait(one).await.expect(0);
    }

    // What they left behind in the systems is dropped by whoever looks at those after them.
    company.quietus(&["restore", "watch"]).await.expect(0);

    assert_eq!(count(company, "requests WHERE outcome = 'fulfilled'").await, asking);
    assert_eq!(count(company, "jobs").await, asking * 3);
    assert_eq!(count(company, "jobs WHERE state = 'completed'").await, asking * 3);
    assert_eq!(count(company, "attempts WHERE result = 'completed'").await, asking * 3);
    let twice = "(SELECT job_id FROM attempts WHERE result = 'completed' GROUP BY job_id
        HAVING COUNT(*) > 1) AS twice";
    assert_eq!(count(company, twice).await, 0, "one settled outcome a job");
    let certified = "certificates WHERE overall = 'complete' AND state = 'logged'";
    assert_eq!(count(company, certified).await, asking, "one certificate a case");
    assert_eq!(count(company, "certificates").await, asking);
    the_targets_own_log_tells_the_same(company, asking).await;
    company.check_log().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_are_killed_lose_nothing_and_do_nothing_twice() {
    let company = company(106).await;
    nothing_is_lost_and_nothing_done_twice(&company, 96, 8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_at_a_time_leads_and_whoever_dies_is_followed() {
    let company = heap::company(Kind::Postgres, Kind::Sqlite, 5, "{}").await;
    let clock = clock();
    let (one, other) = (company.replica(&clock).await, company.replica(&clock).await);
    let (mine, theirs) = (one.lead_in(HOUSEKEEPING), other.lead_in(HOUSEKEEPING));
    let within = one
        .in_the_lead(&mine, async {
            let another = other.in_the_lead(&theirs, async { "two at once" }).await.unwrap();
            let matter = other.lead_in(REQUESTS);
            let beside = other.in_the_lead(&matter, async { "in another matter" }).await.unwrap();
            (another, beside)
        })
        .await
        .unwrap();
    assert_eq!(within, Some((None, Some("in another matter"))));
    let afterwards = other.in_the_lead(&theirs, async { "its turn" }).await.unwrap();
    assert_eq!(afterwards, Some("its turn"));

    // It dies in the middle.
    let endless = one.in_the_lead(&mine, std::future::pending::<()>());
    assert!(tokio::time::timeout(Duration::from_millis(500), endless).await.is_err());
    let at_once = other.in_the_lead(&theirs, async {}).await.unwrap();
    assert_eq!(at_once, None, "nobody knows yet that it is dead");
    clock.advance(5.seconds());
    assert_eq!(other.in_the_lead(&theirs, async {}).await.unwrap(), Some(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_nobody_asks_who_leads() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 5, "{}").await;
    let product = company.replica(&clock()).await;
    let lead = product.lead_in(HOUSEKEEPING);
    let written =
        product.in_the_lead(&lead, async { company.count_of("leases").await }).await.unwrap();
    assert_eq!(written, Some(0), "an idle process writes nothing");
}

async fn requests_do_not_wait_for_the_bell(store: Kind) {
    let company = heap::company(store, Kind::Postgres, 100, "{}").await;
    let clock = clock();
    let (one, other) = (company.replica(&clock).await, company.replica(&clock).await);
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    for product in [&one, &other] {
        worker::start(product, 1, &stop, &tasks);
        worker::start_hints(product, &stop, &tasks);
        worker::start_requests(product, &stop, &tasks);
    }
    for person in [7, 8] {
        let who = ("email", format!("person{person}@mail.example"));
        bring(&one, AskedRight::Erasure, who).await;
    }
    let theirs = "SELECT CAST(COUNT(*) AS TEXT) FROM notes
        WHERE person IN ('person7@mail.example', 'person8@mail.example')";
    until("they are erased", 30, async || {
        (company.database("heap").number(theirs).await == 0).then_some(())
    })
    .await;
    until("their jobs are settled", 30, async || {
        let states = company.store_rows("SELECT state FROM jobs").await;
        (states == ["completed", "completed"]).then_some(())
    })
    .await;
    assert_eq!(company.count_of("cases").await, 2, "one case a request");
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    one.store.close().await;
    other.store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_do_not_wait_for_the_bell_on_sqlite() {
    requests_do_not_wait_for_the_bell(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_do_not_wait_for_the_bell_on_postgresql() {
    requests_do_not_wait_for_the_bell(Kind::Postgres).await;
}

/// Whoever dies between settling a job and dropping what it kept to resume it leaves that behind.
async fn what_dead_processes_left_of_completed_jobs_is_dropped(target: Kind) {
    let company = heap::company(Kind::Sqlite, target, 100, "{ chunk_records: 50 }").await;
    let product = company.replica(&clock()).await;
    opened(&product).await;
    add_job_of_the_future(&company).await;
    work(&product).await;
    let states = "SELECT state || ' ' || lower(hex(id)) FROM jobs ORDER BY 1";
    let jobs = company.store_rows(states).await;
    let [open, completed] = jobs.as_slice() else { panic!("{jobs:?}") };
    let (open, completed) =
        (open.strip_prefix("available ").unwrap(), completed.strip_prefix("completed ").unwrap());
    let stranger = "0".repeat(32);
    let heap = company.database("heap");
    let row = async |key: String| {
        heap.run(&format!(
            "INSERT INTO quietus_progress VALUES ('{key}', 1, '{{}}', '{{}}', '2024-01-01T00:00:00Z')"
        ))
        .await;
        key
    };
    let mut others = vec![
        row(format!("{open}-1")).await,
        row(format!("{stranger}-1")).await,
        row(format!("{completed}-x")).await,
        row("of somebody else".to_owned()).await,
    ];
    row(format!("{completed}-1")).await;
    row(format!("{completed}-2")).await;
    product.watch_restores().await.unwrap();
    let mut left = heap.rows("SELECT order_key FROM quietus_progress").await;
    left.retain(|key| !key.starts_with("canary-"));
    left.sort();
    others.sort();
    assert_eq!(left, others, "only what completed jobs of ours have left goes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_dead_processes_left_of_completed_jobs_is_dropped_on_sqlite() {
    what_dead_processes_left_of_completed_jobs_is_dropped(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_dead_processes_left_of_completed_jobs_is_dropped_on_postgresql() {
    what_dead_processes_left_of_completed_jobs_is_dropped(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_dead_processes_left_of_completed_jobs_is_dropped_on_mariadb() {
    what_dead_processes_left_of_completed_jobs_is_dropped(Kind::MariaDb).await;
}
