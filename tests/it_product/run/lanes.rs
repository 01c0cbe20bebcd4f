//! A sweep that takes its time makes no person wait, not even in the same database and with one worker;
//! and what one replica makes available another one hears of.

use std::time::Duration;

use jiff::ToSpan as _;
use quietus::domain::AskedRight;
use quietus::worker;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::company::database::Kind;
use crate::company::engine::opened;
use crate::company::{heap, until};
use crate::request::estate::clock;
use crate::request::person::bring;

const OLD: i64 = 5_000;
/// About six seconds for everything.
const PACE: &str = "{ chunk_records: 200, records_per_second: 800 }";

async fn a_sweep_makes_no_person_wait(store: Kind) {
    let company = heap::company(store, Kind::Postgres, OLD.unsigned_abs(), PACE).await;
    let instance = company.read("quietus.yaml");
    let identities = "identities: {email: {normalise: email}}\n";
    company.write("quietus.yaml", &format!("{instance}{identities}"));
    let clock = clock();
    let product = company.replica(&clock).await;
    let sweep = opened(&product).await;
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    worker::start(&product, 1, &stop, &tasks);
    until("the first chunk", 30, async || (heap::left(&company).await < OLD).then_some(())).await;

    let who = ("email", "person7@mail.example".to_owned());
    bring(&product, AskedRight::Erasure, who).await;
    for _ in 0..3 {
        clock.advance(2.seconds());
        product.advance_requests().await.unwrap();
    }
    let theirs = "SELECT CAST(COUNT(*) AS TEXT) FROM notes WHERE person = 'person7@mail.example'";
    until("the person is erased", 30, async || {
        (company.database("heap").number(theirs).await == 0).then_some(())
    })
    .await;
    let states =
        async || company.store_rows("SELECT kind || ' ' || state FROM jobs ORDER BY kind").await;
    until("the person's job is done", 30, async || {
        states().await.contains(&"request completed".to_owned()).then_some(())
    })
    .await;
    assert_eq!(states().await, ["request completed", "sweep running"]);
    until("the sweep is done", 60, async || {
        states().await.contains(&"sweep completed".to_owned()).then_some(())
    })
    .await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    product.certify_finished().await.unwrap();
    assert_eq!(heap::left(&company).await, 9, "ten of far ahead, and one of them was theirs");
    assert_eq!(company.certificate_of(&sweep.to_string()).await.overall(), "complete");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_makes_no_person_wait_on_sqlite() {
    a_sweep_makes_no_person_wait(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_makes_no_person_wait_on_postgresql() {
    a_sweep_makes_no_person_wait(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_hears_of_what_another_one_makes_available() {
    let company = heap::company(Kind::Postgres, Kind::Sqlite, 20, "{ chunk_records: 200 }").await;
    let clock = clock();
    let (one, other) = (company.replica(&clock).await, company.replica(&clock).await);
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    worker::start_hints(&one, &stop, &tasks);
    worker::start_hints(&other, &stop, &tasks);
    let listeners = "SELECT CAST(COUNT(*) AS TEXT) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    until("both listen", 30, async || (company.store_rows(listeners).await == ["2"]).then_some(()))
        .await;
    // Each looks once when it begins to listen.
    tokio::time::sleep(Duration::from_millis(300)).await;
    other.wait_for_hint(Duration::from_millis(300)).await;
    opened(&one).await;
    tokio::select! {
        () = other.wait_for_hint(Duration::from_mins(10)) => {}
        () = tokio::time::sleep(Duration::from_secs(30)) => panic!("nobody told the other one"),
    }
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    one.store.close().await;
    other.store.close().await;
}
