//! Callbacks of vendors: each counts once, wakes only who waits for it, and is forgotten in time.

use jiff::Timestamp;
use quietus::store::{HeardVendor, Settle, Settlement, VendorCallback};
use uuid::Uuid;

use crate::stage::{Stage, at, tenure};

on_both! {
    a_callback_wakes_whoever_waits_under_its_name_and_counts_once,
    one_that_came_too_early_is_not_lost,
    what_is_of_no_more_use_goes,
    one_heard_at_the_same_time_counts_once,
}

fn callback(system: &str, message: u8, name: Option<u8>, until: Timestamp) -> VendorCallback {
    VendorCallback {
        system: system.to_owned(),
        message: [message; 32],
        name_tag: name.map(|name| vec![name; 32]),
        remember_until: until,
    }
}

/// A job that waits until second 1000.
async fn waiting(stage: &Stage) -> Uuid {
    let (_, jobs) = stage.case_with_jobs(1).await;
    wait(stage, 1000).await;
    jobs[0]
}

async fn wait(stage: &Stage, until: i64) {
    wait_from(stage, 1, until).await;
}

/// The job asks at this second and goes on waiting until second 1000.
async fn wait_again(stage: &Stage, second: i64) {
    wait_from(stage, second, 1000).await;
}

async fn wait_from(stage: &Stage, second: i64, until: i64) {
    let claimed = stage.claim_one("w", second).await;
    let settlement =
        Settlement::Waiting { ask_at: at(until), reference: "r".to_owned(), overdue: None };
    let settle =
        Settle { tenure: tenure(&claimed), settlement, now: at(second + 1), evidence: Vec::new() };
    assert!(stage.store.settle(settle).await.unwrap());
}

async fn asks_at(stage: &Stage, job: Uuid) -> Timestamp {
    stage.store.job(job).await.unwrap().unwrap().available_at
}

async fn a_callback_wakes_whoever_waits_under_its_name_and_counts_once(stage: Stage) {
    let store = &stage.store;
    let job = waiting(&stage).await;
    store.await_vendor("mailer", job, vec![vec![1; 32], vec![2; 32]], at(2)).await.unwrap();
    let hear = async |one| store.hear_vendor(one, at(10)).await.unwrap();
    // Another system, another name, none at all.
    for other in [
        callback("shop", 1, Some(1), at(99)),
        callback("mailer", 1, Some(3), at(99)),
        callback("mailer", 2, None, at(99)),
    ] {
        assert_eq!(hear(other).await, HeardVendor::New { woken: 0 });
    }
    assert_eq!(asks_at(&stage, job).await, at(1000));
    let right = callback("mailer", 3, Some(2), at(99));
    assert_eq!(hear(right.clone()).await, HeardVendor::New { woken: 1 });
    assert_eq!(asks_at(&stage, job).await, at(10));
    // It asks and goes on waiting: the same callback is no reason to ask again, another one is.
    let claimed = stage.claim_one("w", 11).await;
    let settlement =
        Settlement::Waiting { ask_at: at(1000), reference: "r".to_owned(), overdue: None };
    let settle = Settle { tenure: tenure(&claimed), settlement, now: at(12), evidence: Vec::new() };
    assert!(store.settle(settle).await.unwrap());
    assert_eq!(hear(right).await, HeardVendor::Again);
    assert_eq!(asks_at(&stage, job).await, at(1000));
    assert_eq!(hear(callback("mailer", 4, Some(1), at(99))).await, HeardVendor::New { woken: 1 });
    assert_eq!(hear(callback("mailer", 5, Some(1), at(99))).await, HeardVendor::New { woken: 0 });
    // Names are replaced as a whole.
    store.await_vendor("mailer", job, vec![vec![4; 32]], at(12)).await.unwrap();
    assert_eq!(stage.rows("vendor_names").await, 1);
}

async fn one_that_came_too_early_is_not_lost(stage: Stage) {
    let store = &stage.store;
    let job = waiting(&stage).await;
    let early = callback("mailer", 1, Some(1), at(99));
    assert_eq!(store.hear_vendor(early, at(5)).await.unwrap(), HeardVendor::New { woken: 0 });
    store.await_vendor("mailer", job, vec![vec![1; 32]], at(6)).await.unwrap();
    assert!(!store.wake_heard(job, at(6), at(7)).await.unwrap(), "it came before the attempt");
    assert_eq!(asks_at(&stage, job).await, at(1000));
    assert!(store.wake_heard(job, at(5), at(7)).await.unwrap());
    assert_eq!(asks_at(&stage, job).await, at(7));
    // It has woken the job and is no reason to ask once more.
    wait_again(&stage, 8).await;
    assert!(!store.wake_heard(job, at(5), at(8)).await.unwrap());
    // Nor is one that woke it when it came.
    let next = callback("mailer", 2, Some(1), at(99));
    assert_eq!(store.hear_vendor(next, at(9)).await.unwrap(), HeardVendor::New { woken: 1 });
    wait_again(&stage, 10).await;
    assert!(!store.wake_heard(job, at(9), at(10)).await.unwrap());
    assert_eq!(asks_at(&stage, job).await, at(1000));
}

async fn what_is_of_no_more_use_goes(stage: Stage) {
    let store = &stage.store;
    let job = waiting(&stage).await;
    store.await_vendor("mailer", job, vec![vec![1; 32]], at(2)).await.unwrap();
    for message in 1..=3 {
        let one = callback("mailer", message, None, at(10 * i64::from(message)));
        store.hear_vendor(one, at(3)).await.unwrap();
    }
    assert_eq!(stage.rows("vendor_callbacks").await, 3);
    store.hear_vendor(callback("shop", 9, None, at(99)), at(20)).await.unwrap();
    assert_eq!(stage.rows("vendor_callbacks").await, 2, "those until second 10 and 20 are gone");
    assert_eq!(stage.rows("vendor_names").await, 1, "the job still waits");
    let claimed = stage.claim_one("w", 1000).await;
    let fault = quietus::store::JobFault { kind: "k".to_owned(), message: "m".to_owned() };
    let settlement = Settlement::Failed { fault };
    let settle =
        Settle { tenure: tenure(&claimed), settlement, now: at(1001), evidence: Vec::new() };
    assert!(store.settle(settle).await.unwrap());
    store.hear_vendor(callback("mailer", 10, None, at(2000)), at(1002)).await.unwrap();
    assert_eq!(stage.rows("vendor_names").await, 0);
    assert_eq!(stage.rows("vendor_callbacks").await, 1);
}

async fn one_heard_at_the_same_time_counts_once(stage: Stage) {
    let store = &stage.store;
    let job = waiting(&stage).await;
    store.await_vendor("mailer", job, vec![vec![1; 32]], at(2)).await.unwrap();
    let hear = || store.hear_vendor(callback("mailer", 1, Some(1), at(99)), at(10));
    let (a, b, c) = tokio::join!(hear(), hear(), hear());
    let mut all = [a.unwrap(), b.unwrap(), c.unwrap()];
    all.sort_by_key(|one| *one == HeardVendor::Again);
    assert_eq!(all, [HeardVendor::New { woken: 1 }, HeardVendor::Again, HeardVendor::Again]);
}
