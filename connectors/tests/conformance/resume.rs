//! Stopping, crashing, resuming, fencing and limits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use quietus_connectors::{
    CanaryRow, CanarySight, Connector, Direction, Order, Outcome, Progress, ProgressReport, Receipt,
};

use crate::drafting::{
    CUTOFF, Onward, StopAfter, assert_same, attempt, deleted, done, draft, due, order, preview,
    renamed, treated,
};
use crate::fixture::Fixture;

/// Fifty customers with two orders each: 30 have left before 2026, and 15 in January.
pub async fn furnish(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE customers (id {bigint} PRIMARY KEY, address {text}, left_at {moment});
             CREATE TABLE orders (id {bigint} PRIMARY KEY, customer_id {bigint} NOT NULL,
                FOREIGN KEY (customer_id) REFERENCES customers (id))",
        )
        .await;
    for id in 1..=50 {
        let left_at = match id {
            1..=30 => "{@2025-01-01T00:00:00Z}",
            31..=45 => "{@2026-01-15T00:00:00Z}",
            _ => "{@2026-05-01T00:00:00Z}",
        };
        let (first, second) = (2 * id - 1, 2 * id);
        fixture
            .sql(&format!(
                "INSERT INTO customers VALUES ({id}, 'street {id}', {left_at});
                 INSERT INTO orders VALUES ({first}, {id}), ({second}, {id})"
            ))
            .await;
    }
}

/// Those customers, of whom 30 are due as a whole and 45 for their address.
async fn shop(fixture: &Fixture) -> Order {
    furnish(fixture).await;
    order(
        "sweep",
        [
            draft(fixture, "customers: id integer, address text, left_at timestamp")
                .delete(due("left_at", CUTOFF))
                .clear("contact", due("left_at", "2026-02-01T00:00:00Z"), &["address"]),
            draft(fixture, "orders: id integer, customer_id integer")
                .link("customers", &[("customer_id", "id")])
                .delete(due("customers.left_at", CUTOFF))
                .needed(),
        ],
    )
}

async fn assert_swept(fixture: &Fixture, outcome: &Outcome) {
    assert_eq!((deleted(outcome, "customers"), deleted(outcome, "orders")), (30, 60));
    assert_eq!(treated(outcome, "customers", "contact"), 15);
    assert_eq!(fixture.ids("customers").await, (31..=50).collect::<Vec<_>>());
    assert_eq!(fixture.ids("orders").await, (61..=100).collect::<Vec<_>>());
    let cleared = "SELECT COUNT(*) FROM customers WHERE address IS NULL";
    assert_eq!(fixture.count(cleared).await, 15);
}

pub async fn stopped_after_every_chunk_and_resumed_is_complete(fixture: &Fixture) {
    let order = shop(fixture).await;
    let connector = fixture.connector();
    let counts = preview(&*connector, &order).await;
    let mut before = 0;
    for number in 1..=200 {
        // Each attempt is a new process: nothing is remembered outside the system.
        let connector = fixture.connector();
        let progress = StopAfter::chunks(1);
        match connector.execute(&attempt(&order, number), &progress).await {
            Ok(Receipt::Stopped(outcome)) => {
                let changed = outcome.changed();
                assert!((before..=before + 7).contains(&changed), "{before} then {changed}");
                before = changed;
            }
            Ok(Receipt::Done(outcome)) => {
                assert!(number > 10, "chunks of seven need more attempts than {number}");
                assert_same(&counts, &outcome);
                return assert_swept(fixture, &outcome).await;
            }
            other => panic!("expected stopped or done, got {other:?}"),
        }
    }
    panic!("not done after 200 attempts");
}

pub async fn progress_reports_grow_and_end_with_the_receipt(fixture: &Fixture) {
    let order = shop(fixture).await;
    let progress = StopAfter::chunks(1_000);
    let receipt = fixture.connector().execute(&order, &progress).await;
    let Ok(Receipt::Done(outcome)) = receipt else { panic!("expected done, got {receipt:?}") };
    let seen = progress.seen.lock().expect("no panic before").clone();
    assert!(seen.len() > 10, "a report for each chunk");
    assert!(seen.is_sorted_by_key(Outcome::changed));
    assert_eq!(seen.last().map(Outcome::changed), Some(outcome.changed()));
    assert_swept(fixture, &outcome).await;
}

/// Carries an order out though its future is dropped again and again, in the middle of whatever it
/// does, as when the process dies.
pub async fn done_though_dropped(
    fixture: &Fixture,
    order: &Order,
    progress: &dyn Progress,
) -> Outcome {
    for number in 1..=60_u32 {
        let connector = fixture.connector();
        let patience = Duration::from_millis(u64::from(2 + number * 7 % 40 + number));
        let attempt = attempt(order, number);
        let running = connector.execute(&attempt, progress);
        if let Ok(receipt) = tokio::time::timeout(patience, running).await {
            let Ok(Receipt::Done(outcome)) = receipt else {
                panic!("expected done, got {receipt:?}");
            };
            return outcome;
        }
    }
    let receipt = fixture.connector().execute(&attempt(order, 1_000), progress).await;
    let Ok(Receipt::Done(outcome)) = receipt else { panic!("expected done, got {receipt:?}") };
    outcome
}

pub async fn dropped_anywhere_and_resumed_is_complete(fixture: &Fixture) {
    let order = shop(fixture).await;
    let counts = preview(&*fixture.connector(), &order).await;
    let outcome = done_though_dropped(fixture, &order, &Onward).await;
    assert_same(&counts, &outcome);
    assert_swept(fixture, &outcome).await;
}

/// After its first chunk, a newer attempt begins, does one chunk and stops.
struct Overtaken<'a> {
    newer: Box<dyn Connector>,
    order: &'a Order,
    begun: AtomicBool,
}

#[async_trait]
impl Progress for Overtaken<'_> {
    async fn committed(&self, _report: ProgressReport<'_>) -> Direction {
        if !self.begun.swap(true, Ordering::Relaxed) {
            let progress = StopAfter::chunks(1);
            let receipt = self.newer.execute(&attempt(self.order, 2), &progress).await;
            assert!(matches!(receipt, Ok(Receipt::Stopped(_))), "{receipt:?}");
        }
        Direction::Continue
    }
}

pub async fn an_overtaken_attempt_commits_nothing_more(fixture: &Fixture) {
    let order = shop(fixture).await;
    let counts = preview(&*fixture.connector(), &order).await;
    let progress =
        Overtaken { newer: fixture.connector(), order: &order, begun: AtomicBool::new(false) };
    let late = fixture.connector().execute(&order, &progress).await;
    assert!(!matches!(late, Ok(Receipt::Done(_))), "the old attempt must not claim to be done");
    let gone = 150
        - fixture.count("SELECT COUNT(*) FROM customers").await
        - fixture.count("SELECT COUNT(*) FROM orders").await;
    let cleared = fixture.count("SELECT COUNT(*) FROM customers WHERE address IS NULL").await;
    assert!(gone + cleared <= 14, "two chunks of seven, but {gone} are gone, {cleared} cleared");
    let outcome = done(&*fixture.connector(), &attempt(&order, 3)).await;
    assert_same(&counts, &outcome);
    assert_swept(fixture, &outcome).await;
}

pub async fn an_older_attempt_cannot_begin(fixture: &Fixture) {
    let order = shop(fixture).await;
    let progress = StopAfter::chunks(1);
    let newer = fixture.connector().execute(&attempt(&order, 5), &progress).await;
    assert!(matches!(newer, Ok(Receipt::Stopped(_))), "{newer:?}");
    let customers = fixture.content("customers").await;
    let orders = fixture.content("orders").await;
    let late = fixture.connector().execute(&attempt(&order, 4), &Onward).await;
    assert!(!matches!(late, Ok(Receipt::Done(_))), "the old attempt must not claim to be done");
    assert_eq!(fixture.content("customers").await, customers);
    assert_eq!(fixture.content("orders").await, orders);
}

pub async fn two_orders_do_not_mix_their_counts(fixture: &Fixture) {
    let order = shop(fixture).await;
    let connector = fixture.connector();
    let stopped = connector.execute(&order, &StopAfter::chunks(2)).await;
    assert!(matches!(stopped, Ok(Receipt::Stopped(_))), "{stopped:?}");
    let Ok(Receipt::Stopped(first)) = stopped else { return };
    let second = done(&*connector, &renamed(&order, "other")).await;
    let rest = done(&*connector, &attempt(&order, 2)).await;
    assert_eq!(rest.changed(), first.changed(), "nothing was left for the first order");
    assert_eq!(first.changed() + second.changed(), 105);
}

pub async fn forget_removes_what_was_kept_to_resume(fixture: &Fixture) {
    let order = shop(fixture).await;
    let connector = fixture.connector();
    done(&*connector, &order).await;
    connector.forget(&order.key).await.expect("forgotten");
    connector.forget(&order.key).await.expect("forgotten twice");
    connector.forget("never-heard-of").await.expect("nothing to forget");
    let left = fixture.count("SELECT COUNT(*) FROM quietus_progress").await;
    assert_eq!(left, 0);
}

/// The account's statements look in another schema first.
pub async fn what_is_kept_outside_of_public_is_found_again(fixture: &Fixture) {
    let order = shop(fixture).await;
    let database = &fixture.database;
    let path = "SET search_path = ops, public";
    fixture.verbatim(&format!("CREATE SCHEMA ops; ALTER DATABASE {database} {path}")).await;
    let connector = fixture.connector();
    done(&*connector, &order).await;
    let kept = "SELECT order_key FROM ops.quietus_progress ORDER BY order_key";
    assert_eq!(fixture.column(kept).await, [order.key.as_str()]);
    assert_eq!(connector.remembered(10).await.expect("keys"), [order.key.as_str()]);
    let schema = connector.describe().await.expect("a description");
    assert!(schema.collections.iter().all(|one| !one.name.contains("quietus_progress")));
    let at = crate::drafting::moment("2026-06-01T00:00:00Z");
    connector.set_canary("canary", 7, at).await.expect("written");
    let sight = connector.canary("canary").await.expect("looked at");
    assert_eq!(sight, CanarySight::Seen(CanaryRow { number: 7, written_at: at }));
    connector.forget(&order.key).await.expect("forgotten");
    assert_eq!(fixture.column(kept).await, ["canary"]);
    // A table that was made in `public` before is still the one, as the server finds it.
    fixture.verbatim("ALTER TABLE ops.quietus_progress SET SCHEMA public").await;
    assert_eq!(connector.remembered(10).await.expect("keys"), ["canary"]);
}

pub async fn the_limit_of_records_is_never_passed(fixture: &Fixture) {
    let whole = shop(fixture).await;
    for most in [0, 10, 104] {
        let mut order = renamed(&whole, &format!("at-most-{most}"));
        order.most_records = Some(most);
        let before = fixture.count("SELECT COUNT(*) FROM orders").await
            + fixture.count("SELECT COUNT(*) FROM customers").await;
        let receipt = fixture.connector().execute(&order, &Onward).await;
        let Ok(Receipt::Refused { reasons, done, .. }) = receipt else {
            panic!("expected a refusal beyond {most}, got {receipt:?}");
        };
        assert!(!reasons.is_empty());
        assert!(done.changed() <= most, "{} changed", done.changed());
        let after = fixture.count("SELECT COUNT(*) FROM orders").await
            + fixture.count("SELECT COUNT(*) FROM customers").await;
        assert!(before - after <= most);
        if before != after {
            return; // Some were done, and the rest would fit under the next limit.
        }
    }
    let mut enough = renamed(&whole, "enough");
    enough.most_records = Some(105);
    let outcome = done(&*fixture.connector(), &enough).await;
    assert_swept(fixture, &outcome).await;
}
