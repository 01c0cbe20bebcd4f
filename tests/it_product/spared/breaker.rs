//! A vendor that fails is tried gently, by one job at a time, and everything goes on by itself when it is
//! back.

use jiff::ToSpan as _;
use quietus::app::spared::SparedBy;
use quietus::domain::breaker::OPENS_AFTER;
use quietus::worker;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::vendor::Vendor;
use super::{asked, company, in_the_crm, waits_for_post};
use crate::company::database::Kind;
use crate::company::engine::{TurnedClock, carry_out, opened, work};
use crate::company::{heap, until};
use crate::doctor::{commands, finding};

const MANY: usize = 40;
const OPENS: usize = OPENS_AFTER as usize;

async fn few_calls_while_it_fails_and_nothing_is_lost(store: Kind) {
    let vendor = Vendor::open(MANY).await;
    let company = company(store, &vendor, "").await;
    let clock = TurnedClock::at("2026-06-01T12:00:00Z");
    let product = company.replica(&clock).await;
    asked(&product, &vendor).await;
    vendor.fails(30);
    carry_out(&product).await;
    assert_eq!(vendor.calls(), OPENS, "nobody calls in vain after that");
    assert_eq!(in_the_crm(&company).await, 0, "the others are done at once");
    let waits = waits_for_post(&product).await.unwrap();
    assert!(waits.breaker_is_open());
    // Those that failed wait for a second of their own.
    assert_eq!(waits.jobs, (MANY - OPENS) as u64);

    // An hour, looked at every ten seconds: pauses of 10, 20, 40, 80 and 160 seconds, then of five
    // minutes.
    for _ in 0..360 {
        clock.advance(10.seconds());
        carry_out(&product).await;
    }
    assert_eq!(vendor.calls(), OPENS + 5 + 10);
    let status = company.quietus(&["status"]).await.expect(0).out;
    assert!(status.contains("breaker open: post: it has failed 20 times in a row"), "{status}");
    assert!(status.contains("40 job(s) wait at post"), "{status}");
    let said = company.quietus(&["doctor", "--json", "--offline"]).await.expect(1).json();
    let open = finding(&said, "breakers", "wrong", "system post: it has failed 20 times in a row");
    assert!(open["since"].as_str().unwrap().starts_with("2026-06-01T12:00:00"), "{open:#}");
    assert!(open["what"].as_str().unwrap().contains("answered 503"), "{open:#}");
    assert!(commands(&open).iter().any(|one| one.contains("connector test post")), "{open:#}");
    let gauges = product.work_gauges().await.unwrap();
    assert_eq!(gauges.claimable_since, None, "that they wait is no fault of workers");

    // Ten more, and it is back: everybody goes at once.
    for _ in 0..11 {
        clock.advance(5.minutes());
        work(&product).await;
    }
    assert_eq!((vendor.failures_left(), vendor.left()), (0, 0));
    assert_eq!(vendor.erased(), [1; MANY], "each once");
    assert!(waits_for_post(&product).await.is_none());
    let count = async |text: &str| company.store_rows(text).await[0].clone();
    let retried = "SELECT CAST(COUNT(*) AS TEXT) FROM attempts WHERE result = 'retry'";
    assert_eq!(count(retried).await, "30", "who waits loses no attempt");
    let certified =
        "SELECT CAST(COUNT(*) AS TEXT) FROM certificates WHERE overall LIKE 'complete%'";
    assert_eq!(count(certified).await, MANY.to_string());
    company.check_log().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn few_calls_while_it_fails_and_nothing_is_lost_on_sqlite() {
    Box::pin(few_calls_while_it_fails_and_nothing_is_lost(Kind::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn few_calls_while_it_fails_and_nothing_is_lost_on_postgresql() {
    Box::pin(few_calls_while_it_fails_and_nothing_is_lost(Kind::Postgres)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_that_it_asks_for_is_kept_by_all() {
    let vendor = Vendor::open(8).await;
    let company = company(Kind::Sqlite, &vendor, "").await;
    let clock = TurnedClock::at("2026-06-01T12:00:00Z");
    let product = company.replica(&clock).await;
    let other = company.replica(&clock).await;
    asked(&product, &vendor).await;
    vendor.asks_for_a_pause(120);
    carry_out(&product).await;
    assert_eq!((vendor.calls(), vendor.left()), (1, 8));
    let spared = waits_for_post(&product).await.unwrap().spared.unwrap();
    assert_eq!(
        (spared.by, spared.until),
        (SparedBy::Itself, "2026-06-01T12:02:00Z".parse().unwrap())
    );
    clock.advance(119.seconds());
    carry_out(&other).await;
    // Whoever wants it tried at once does not override what it asked for.
    assert_eq!(product.try_at_once(None).await.unwrap(), 0);
    carry_out(&product).await;
    assert_eq!(vendor.calls(), 1);
    clock.advance(1.seconds());
    work(&other).await;
    assert_eq!((vendor.left(), vendor.erased()), (0, vec![1; 8]));
}

/// Nobody tries it, so nobody else would say that the day is over, and the answer would wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_beyond_its_day_is_overdue_and_answered_without_it() {
    let vendor = Vendor::open(12).await;
    let company = company(Kind::Sqlite, &vendor, "").await;
    let clock = TurnedClock::at("2026-06-01T12:00:00Z");
    let product = company.replica(&clock).await;
    asked(&product, &vendor).await;
    vendor.fails(usize::MAX);
    work(&product).await;
    let calls = vendor.calls();
    assert_eq!(company.count_of("certificates").await, 0);
    clock.advance((24 * 50).hours());
    let waits = waits_for_post(&product).await.unwrap();
    assert_eq!(waits.late, 12, "{waits:?}");
    product.warn_of_deadlines().await.unwrap();
    Box::pin(product.certify_finished()).await.unwrap();
    assert_eq!(vendor.calls(), calls, "nobody was asked for it");
    let overdue = "SELECT CAST(COUNT(*) AS TEXT) FROM jobs WHERE last_fault_kind = 'overdue'";
    assert_eq!(company.store_rows(overdue).await, ["12"]);
    let why = company.store_rows("SELECT last_fault FROM jobs WHERE last_fault_kind = 'overdue'");
    for why in why.await {
        assert!(why.contains("it had to be done by") && why.contains("times in a row"), "{why}");
    }
    assert_eq!(company.count_of("certificates").await, 12, "each says what is pending");

    vendor.fails(0);
    work(&product).await;
    assert_eq!((vendor.left(), vendor.erased()), (0, vec![1; 12]));
    assert_eq!(company.count_of("certificates").await, 24, "and the last word is another one");
    let complete = "SELECT CAST(COUNT(*) AS TEXT) FROM certificates WHERE overall LIKE 'complete%'";
    assert_eq!(company.store_rows(complete).await, ["12"]);
}

/// Whoever begins a run by hand wants to see now whether the cause is mended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_by_hand_tries_at_once_and_ends_where_it_fails() {
    let vendor = Vendor::open(9).await;
    let company = company(Kind::Sqlite, &vendor, "").await;
    let product = company.replica(&TurnedClock::at("2026-06-01T12:00:00Z")).await;
    asked(&product, &vendor).await;
    product.store.close().await;
    vendor.fails(usize::MAX);
    let run = async |code: i32| {
        let ended = company.quietus(&["run", "--once"]).await.expect(code);
        format!("{}{}", ended.out, ended.err)
    };
    let said = run(1).await;
    assert!(said.contains("breaker open: post: it has failed"), "{said}");
    assert!(said.contains("one job tries it again at"), "{said}");
    let calls = vendor.calls();
    // Three workers may be under way when it opens.
    assert!((OPENS..OPENS + 3).contains(&calls), "{calls} calls");
    assert_eq!(in_the_crm(&company).await, 0, "the others are done");
    assert!(run(1).await.contains("breaker open: post"));
    assert_eq!(vendor.calls(), calls + 1, "one try, and no more");
    vendor.fails(0);
    let said = run(0).await;
    assert!(!said.contains("breaker open"), "{said}");
    assert_eq!((vendor.left(), vendor.erased()), (0, vec![1; 9]));
}

/// The first chunk shows that the system is there: nobody waits until all is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_job_that_tries_closes_the_breaker_with_its_first_chunk() {
    let pace = "{ chunk_records: 200, records_per_second: 800 }";
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 5_000, pace).await;
    let clock = TurnedClock::at("2026-06-01T12:00:00Z");
    let product = company.replica(&clock).await;
    opened(&product).await;
    let open = "INSERT INTO breakers (system, failures, failed_job, failed_at, opened_at, trials,
            trial_at)
        SELECT system, 9, id, 1, 1, 3, 2 FROM jobs RETURNING system";
    assert_eq!(company.store_rows(open).await, ["heap"]);
    assert!(product.what_waits().await.unwrap()[0].breaker_is_open());
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    worker::start(&product, 1, &stop, &tasks);
    until("the breaker is closed", 30, async || {
        product.what_waits().await.unwrap().is_empty().then_some(())
    })
    .await;
    assert_eq!(company.store_rows("SELECT state FROM jobs").await, ["running"]);
    assert!(heap::left(&company).await > 1_000, "it has hardly begun");
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}
