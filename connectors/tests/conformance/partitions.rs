//! Partitions of PostgreSQL: one goes as a whole only if every record in it may go.

use quietus_connectors::{FieldType, Order, Predicate, Receipt, Together, Value};

use crate::drafting::{
    CUTOFF, Onward, deleted, done, done_as_previewed, draft, due, equal, list, listed, of, order,
};
use crate::fixture::Fixture;
use crate::together::together;

/// Events of some months, an empty partition of the future, and one for all the rest.
async fn events(fixture: &Fixture) {
    fixture
        .verbatim(
            "CREATE TABLE events (id bigint, at timestamptz NOT NULL, note text,
                PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
             CREATE TABLE events_2025_10 PARTITION OF events
                FOR VALUES FROM ('2025-10-01 00:00+00') TO ('2025-11-01 00:00+00');
             CREATE TABLE events_2025_11 PARTITION OF events
                FOR VALUES FROM ('2025-11-01 00:00+00') TO ('2025-12-01 00:00+00');
             CREATE TABLE events_2025_12 PARTITION OF events
                FOR VALUES FROM ('2025-12-01 00:00+00') TO ('2026-01-02 00:00+00');
             CREATE TABLE events_2026 PARTITION OF events
                FOR VALUES FROM ('2026-01-02 00:00+00') TO ('2027-01-01 00:00+00');
             CREATE TABLE events_2027 PARTITION OF events
                FOR VALUES FROM ('2027-01-01 00:00+00') TO ('2028-01-01 00:00+00');
             CREATE TABLE events_rest PARTITION OF events DEFAULT;
             INSERT INTO events SELECT n, '2025-10-05 00:00+00', 'x' FROM generate_series(1, 5) n;
             INSERT INTO events SELECT n, '2025-11-05 00:00+00', 'x' FROM generate_series(11, 15) n;
             INSERT INTO events SELECT n, '2025-12-05 00:00+00', 'x' FROM generate_series(21, 24) n;
             INSERT INTO events VALUES (25, '2026-01-01 12:00+00', 'x');
             INSERT INTO events SELECT n, '2026-03-05 00:00+00', 'x' FROM generate_series(31, 35) n;
             INSERT INTO events VALUES (41, '2019-01-01 00:00+00', 'x')",
        )
        .await;
}

fn sweep(fixture: &Fixture, key: &str) -> Order {
    let events = draft(fixture, "events: id integer, at timestamp, note text")
        .key(&["id", "at"])
        .delete(due("at", CUTOFF))
        .held(equal("id", 12))
        .drop_partitions();
    order(key, [events])
}

async fn partitions(fixture: &Fixture) -> Vec<String> {
    let query = "SELECT inhrelid::regclass::text FROM pg_inherits
        WHERE inhparent = 'events'::regclass ORDER BY 1";
    fixture.column(query).await
}

pub async fn only_a_partition_that_is_due_as_a_whole_is_dropped(fixture: &Fixture) {
    events(fixture).await;
    let outcome = done_as_previewed(&*fixture.connector(), &sweep(fixture, "drop")).await;
    assert_eq!(deleted(&outcome, "events"), 5 + 4 + 4 + 1);
    assert_eq!(of(&outcome, "events").partitions_dropped, 1);
    assert_eq!(of(&outcome, "events").held, 1);
    // November has a held record, December one that is not due, an empty one may be
    // needed tomorrow, and without the default one inserts would fail.
    assert_eq!(
        partitions(fixture).await,
        ["events_2025_11", "events_2025_12", "events_2026", "events_2027", "events_rest",]
    );
    assert_eq!(
        fixture.count("SELECT COUNT(*) FROM pg_tables WHERE tablename = 'events_2025_10'").await,
        0
    );
    assert_eq!(fixture.ids("events").await, [12, 25, 31, 32, 33, 34, 35]);
}

/// Whose the records of a partition are is not told.
pub async fn of_several_orders_records_go_and_partitions_stay(fixture: &Fixture) {
    events(fixture).await;
    let orders = [("several-a", 1..=3), ("several-b", 4..=5)].map(|(key, ids)| {
        let mut order = sweep(fixture, key);
        let due = order.instructions[0].delete_when.clone();
        order.instructions[0].delete_when = Predicate::all([due, listed(&["id"], 0)]);
        let ids = ids.map(|id| vec![Value::Integer(id)]).collect();
        order.lists = vec![list(&[FieldType::Integer], ids)];
        order
    });
    let answer = together(&*fixture.connector(), &orders).await;
    let Together::Receipts(receipts) = &answer else { panic!("{answer:?}") };
    let told = receipts.iter().map(|receipt| match receipt {
        Receipt::Done(outcome) => {
            let dropped = of(outcome, "events").partitions_dropped;
            (deleted(outcome, "events"), dropped)
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(told.collect::<Vec<_>>(), [(3, 0), (2, 0)]);
    assert_eq!(partitions(fixture).await.len(), 6);
    assert_eq!(fixture.ids("events").await.first(), Some(&11));
}

pub async fn without_leave_no_partition_is_dropped(fixture: &Fixture) {
    events(fixture).await;
    let mut order = sweep(fixture, "chunks");
    order.instructions[0].partitions = quietus_connectors::PartitionPolicy::Records;
    let outcome = done_as_previewed(&*fixture.connector(), &order).await;
    assert_eq!(deleted(&outcome, "events"), 14);
    assert_eq!(of(&outcome, "events").partitions_dropped, 0);
    assert_eq!(partitions(fixture).await.len(), 6);
}

/// A record that something refers to keeps its whole partition.
pub async fn a_reference_keeps_the_partition(fixture: &Fixture) {
    events(fixture).await;
    fixture
        .verbatim(
            "CREATE TABLE comments (id bigint PRIMARY KEY, event_id bigint, event_at timestamptz,
                FOREIGN KEY (event_id, event_at) REFERENCES events (id, at));
             INSERT INTO comments VALUES (1, 3, '2025-10-05 00:00+00')",
        )
        .await;
    let mut order = sweep(fixture, "referenced");
    order
        .instructions
        .push(draft(fixture, "comments: id integer, event_id integer, event_at timestamp").0);
    let outcome = done_as_previewed(&*fixture.connector(), &order).await;
    assert_eq!(of(&outcome, "events").partitions_dropped, 0);
    assert_eq!(deleted(&outcome, "events"), 13);
    assert_eq!(crate::drafting::referenced(&outcome, "events", "comments"), 1);
    assert!(fixture.ids("events").await.contains(&3));
}

pub async fn the_limit_of_records_holds_for_partitions(fixture: &Fixture) {
    events(fixture).await;
    let mut order = sweep(fixture, "limited");
    order.most_records = Some(3);
    let receipt = fixture.connector().execute(&order, &Onward).await;
    let Ok(Receipt::Refused { done, .. }) = &receipt else {
        panic!("expected a refusal, got {receipt:?}");
    };
    assert!(done.changed() <= 3);
    let left = fixture.count("SELECT COUNT(*) FROM events").await;
    assert!(left >= 21 - 3, "{left} are left");
}

/// An application that reads must not wait behind the drop, nor the drop wait for ever.
pub async fn dropping_gives_way_to_a_reader(fixture: &Fixture) {
    events(fixture).await;
    let reader = fixture.hold_open("SELECT COUNT(*) FROM events").await;
    let mut order = sweep(fixture, "gives-way");
    order.pace.lock_timeout_ms = 300;
    let connector = fixture.connector();
    let work = async {
        let started = std::time::Instant::now();
        for _ in 0..30 {
            fixture.count("SELECT COUNT(*) FROM events").await;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        started.elapsed()
    };
    let (receipt, elapsed) = tokio::join!(connector.execute(&order, &Onward), work);
    assert!(elapsed < std::time::Duration::from_secs(4), "readers took {elapsed:?}");
    reader.roll_back().await;
    if let Err(fault) = &receipt {
        assert!(matches!(fault, quietus_connectors::Fault::Transient { .. }), "{fault:?}");
    }
    let again = crate::drafting::attempt(&order, 2);
    let outcome = done(&*connector, &again).await;
    assert_eq!(deleted(&outcome, "events"), 14);
    assert_eq!(fixture.ids("events").await, [12, 25, 31, 32, 33, 34, 35]);
}
