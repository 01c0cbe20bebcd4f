//! Living with applications: locks, latency, chunks.

use std::time::{Duration, Instant};

use quietus_connectors::{Fault, Receipt};

use crate::drafting::{CUTOFF, Onward, attempt, deleted, done, draft, due, order};
use crate::fixture::{Fixture, Kind};
use crate::scope::{PEOPLE, twenty_people};

/// The connector waits so long for a lock.
const PATIENCE_MS: u64 = 400;

async fn locked_order(fixture: &Fixture, key: &str) -> quietus_connectors::Order {
    twenty_people(fixture).await;
    let mut order = order(key, [draft(fixture, PEOPLE).delete(due("left_at", CUTOFF))]);
    order.pace.lock_timeout_ms = PATIENCE_MS;
    order
}

/// An application holds a record: the connector gives way in time, and finishes later.
pub async fn gives_way_to_a_lock_and_finishes_later(fixture: &Fixture) {
    let order = locked_order(fixture, "locked").await;
    let application =
        fixture.hold_open("UPDATE people SET email = 'x@example.org' WHERE id = 3").await;
    let started = Instant::now();
    let answer = fixture.connector().execute(&order, &Onward).await;
    let waited = started.elapsed();
    assert!(matches!(answer, Err(Fault::Transient { .. })), "{answer:?}");
    assert!(waited < Duration::from_millis(PATIENCE_MS * 12), "gave way only after {waited:?}");
    application.roll_back().await;
    assert_eq!(fixture.count("SELECT COUNT(*) FROM people WHERE id = 3").await, 1);
    let outcome = done(&*fixture.connector(), &attempt(&order, 2)).await;
    assert_eq!(deleted(&outcome, "people"), 10);
    assert_eq!(fixture.ids("people").await, (11..=20).collect::<Vec<_>>());
}

/// While the connector waits for one record, the application works on the others.
pub async fn applications_do_not_queue_behind_the_connector(fixture: &Fixture) {
    let order = locked_order(fixture, "queue").await;
    let application =
        fixture.hold_open("UPDATE people SET email = 'x@example.org' WHERE id = 3").await;
    let connector = fixture.connector();
    let work = async {
        let mut slowest = Duration::ZERO;
        for turn in 0..40 {
            let started = Instant::now();
            let update = format!("UPDATE people SET email = '{turn}' WHERE id IN (15, 19)");
            fixture.verbatim(&update).await;
            fixture.count("SELECT COUNT(*) FROM people WHERE id = 3").await;
            slowest = slowest.max(started.elapsed());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        slowest
    };
    let (answer, slowest) = tokio::join!(connector.execute(&order, &Onward), work);
    assert!(matches!(answer, Err(Fault::Transient { .. })), "{answer:?}");
    let bound = Duration::from_millis(PATIENCE_MS / 2);
    assert!(slowest < bound, "an application waited {slowest:?}");
    application.roll_back().await;
}

/// A statement on the whole table is not blocked either, nor what queues behind it.
pub async fn a_long_reader_is_no_obstacle(fixture: &Fixture) {
    let order = locked_order(fixture, "reader").await;
    let reader = fixture.hold_open("SELECT COUNT(*) FROM people").await;
    let outcome = done(&*fixture.connector(), &order).await;
    assert_eq!(deleted(&outcome, "people"), 10);
    reader.roll_back().await;
}

/// Another writer holds the file: SQLite has one lock for everything.
pub async fn gives_way_to_another_writer(fixture: &Fixture) {
    let order = locked_order(fixture, "writer").await;
    let application = fixture.hold_open("UPDATE people SET email = 'x' WHERE id = 15").await;
    let started = Instant::now();
    let answer = fixture.connector().execute(&order, &Onward).await;
    assert!(matches!(answer, Err(Fault::Transient { .. })), "{answer:?}");
    assert!(started.elapsed() < Duration::from_millis(PATIENCE_MS * 12));
    application.roll_back().await;
    let outcome = done(&*fixture.connector(), &attempt(&order, 2)).await;
    assert_eq!(deleted(&outcome, "people"), 10);
}

/// A statement that takes too long is cancelled, on the server too.
pub async fn a_slow_statement_is_cancelled(fixture: &Fixture) {
    let mut order = locked_order(fixture, "slow").await;
    let trigger = match fixture.kind {
        Kind::Postgresql => {
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_sleep(0.5); RETURN OLD; END $$;
             CREATE TRIGGER slow BEFORE DELETE ON people FOR EACH ROW EXECUTE FUNCTION slow()"
        }
        _ => "CREATE TRIGGER slow BEFORE DELETE ON people FOR EACH ROW SET @slept = SLEEP(0.5)",
    };
    fixture.verbatim(trigger).await;
    order.pace.statement_timeout_ms = 700;
    let started = Instant::now();
    let answer = fixture.connector().execute(&order, &Onward).await;
    assert!(matches!(answer, Err(Fault::Transient { .. })), "{answer:?}");
    assert!(started.elapsed() < Duration::from_secs(3), "after {:?}", started.elapsed());
    fixture
        .verbatim(if fixture.kind == Kind::Postgresql {
            "DROP TRIGGER slow ON people"
        } else {
            "DROP TRIGGER slow"
        })
        .await;
    let outcome = done(&*fixture.connector(), &attempt(&order, 2)).await;
    assert_eq!(deleted(&outcome, "people"), 10);
}

/// What MariaDB answers from 11.6 on where an application changes a record that the transaction has
/// seen (`innodb_snapshot_isolation`); earlier versions are made to say it.
pub async fn a_record_that_is_changed_meanwhile_is_tried_again(fixture: &Fixture) {
    let order = locked_order(fixture, "changed").await;
    fixture
        .verbatim(
            "CREATE TRIGGER changed BEFORE DELETE ON people FOR EACH ROW
                SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1020, MESSAGE_TEXT = 'changed'",
        )
        .await;
    let answer = fixture.connector().execute(&order, &Onward).await;
    let Err(Fault::Transient { message, .. }) = &answer else {
        panic!("expected a transient fault, got {answer:?}");
    };
    assert!(message.contains("1020") && message.contains("changed by somebody else"), "{message}");
    assert_eq!(fixture.ids("people").await.len(), 20);
    fixture.verbatim("DROP TRIGGER changed").await;
    let outcome = done(&*fixture.connector(), &attempt(&order, 2)).await;
    assert_eq!(deleted(&outcome, "people"), 10);
}

/// Two workers with different orders on the same records: both end, nothing is counted twice.
pub async fn two_orders_at_once_share_the_work(fixture: &Fixture) {
    let order = locked_order(fixture, "left").await;
    let mut other = crate::drafting::renamed(&order, "right");
    other.pace.lock_timeout_ms = 5_000;
    let mut patient = order.clone();
    patient.pace.lock_timeout_ms = 5_000;
    let (first, second) = (fixture.connector(), fixture.connector());
    let (left, right) =
        tokio::join!(first.execute(&patient, &Onward), second.execute(&other, &Onward));
    let mut total = 0;
    for (receipt, order) in [(left, patient), (right, other)] {
        match receipt {
            Ok(Receipt::Done(outcome)) => total += deleted(&outcome, "people"),
            // A deadlock is broken by the system; the engine comes back.
            Err(Fault::Transient { .. }) => {
                let again = done(&*fixture.connector(), &attempt(&order, 2)).await;
                total += deleted(&again, "people");
            }
            other => panic!("expected done or transient, got {other:?}"),
        }
    }
    assert_eq!(total, 10);
}

/// The table of progress is not there yet, and each of eight orders wants to make it.
pub async fn many_orders_begin_at_once(fixture: &Fixture) {
    let mut order = locked_order(fixture, "begin").await;
    order.pace.lock_timeout_ms = 10_000;
    for round in 0..6 {
        let connectors: Vec<_> = (0..8).map(|_| fixture.connector()).collect();
        let orders: Vec<_> = (0..8)
            .map(|number| crate::drafting::renamed(&order, &format!("begin-{round}-{number}")))
            .collect();
        let begun = connectors.iter().zip(&orders).map(|(one, order)| one.execute(order, &Onward));
        for (receipt, order) in futures_util::future::join_all(begun).await.iter().zip(&orders) {
            match receipt {
                Ok(Receipt::Done(_)) => {}
                Err(Fault::Transient { .. }) => {
                    done(&*fixture.connector(), &attempt(order, 2)).await;
                }
                other => panic!("expected done or transient, got {other:?}"),
            }
        }
        fixture.sql("DROP TABLE quietus_progress").await;
    }
    assert_eq!(fixture.ids("people").await, (11..=20).collect::<Vec<_>>());
}

/// The pace holds: ten records at five a second take more than a second.
pub async fn records_per_second_are_bounded(fixture: &Fixture) {
    let mut order = locked_order(fixture, "pace").await;
    order.pace.chunk_records = 2;
    order.pace.records_per_second = Some(5);
    let started = Instant::now();
    let outcome = done(&*fixture.connector(), &order).await;
    assert_eq!(deleted(&outcome, "people"), 10);
    let took = started.elapsed();
    assert!(took > Duration::from_millis(1_100), "ten records at five a second took {took:?}");
}
