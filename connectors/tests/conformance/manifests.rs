//! Telling the engine which records go: every key, before its chunk commits, and with a mark that
//! commits together with it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use quietus_connectors::{
    Direction, Fault, FieldType, Going, Order, Outcome, Progress, ProgressReport, Receipt,
    RecordKey, Together, Value,
};
use uuid::Uuid;

use crate::drafting::{
    CUTOFF, Onward, attempt, deleted, done, draft, due, equal, list, listed, order,
};
use crate::fixture::{Fixture, Kind};
use crate::resume::{done_though_dropped, furnish};
use crate::together::together;

/// An engine that writes down what goes, and keeps it over all attempts.
#[derive(Default)]
struct Engine {
    written: Mutex<Vec<Written>>,
    /// Stops after each chunk.
    stops: bool,
    /// Fails to write down what would be the chunk of this number.
    fails_at: Option<usize>,
}

#[derive(Clone)]
struct Written {
    mark: Uuid,
    after: Option<Uuid>,
    collection: String,
    keys: Vec<RecordKey>,
}

impl Engine {
    /// Keys of chunks to which a mark leads back, by collection.
    fn gone(&self, last: Option<Uuid>) -> BTreeMap<String, Vec<RecordKey>> {
        let written = self.written.lock().expect("no panic before").clone();
        let mut gone: BTreeMap<String, Vec<RecordKey>> = BTreeMap::new();
        let mut next = last;
        while let Some(mark) = next {
            let chunk = written.iter().find(|one| one.mark == mark).expect("a known mark");
            gone.entry(chunk.collection.clone()).or_default().extend(chunk.keys.clone());
            next = chunk.after;
        }
        gone
    }

    /// The same as numbers in the field `id`, sorted.
    fn ids(&self, last: Option<Uuid>, collection: &str) -> Vec<i64> {
        let keys = self.gone(last).remove(collection).unwrap_or_default();
        let mut ids: Vec<i64> = keys.iter().map(|key| number(&key["id"])).collect();
        ids.sort_unstable();
        ids
    }

    fn number(&self) -> usize {
        self.written.lock().expect("no panic before").len()
    }
}

fn number(value: &Value) -> i64 {
    let Value::Integer(number) = value else { panic!("{value:?}") };
    *number
}

#[async_trait]
impl Progress for Engine {
    async fn committed(&self, _: ProgressReport<'_>) -> Direction {
        if self.stops { Direction::Stop } else { Direction::Continue }
    }

    async fn going(&self, going: Going<'_>) -> Result<Uuid, Fault> {
        let mut written = self.written.lock().expect("no panic before");
        assert!(!going.keys.is_empty(), "a chunk that takes nothing is not told");
        if self.fails_at == Some(written.len()) {
            let message = "the store is away".to_owned();
            return Err(Fault::Transient { message, retry_after_ms: None });
        }
        let mark = Uuid::from_u128(written.len() as u128 + 1);
        written.push(Written {
            mark,
            after: going.after,
            collection: going.collection.to_owned(),
            keys: going.keys.to_vec(),
        });
        Ok(mark)
    }
}

/// Fifty customers, of whom thirty are due as a whole, with two orders each.
async fn shop(fixture: &Fixture) -> Order {
    furnish(fixture).await;
    order(
        "listed",
        [
            draft(fixture, "customers: id integer, address text, left_at timestamp")
                .delete(due("left_at", CUTOFF))
                .manifest(),
            draft(fixture, "orders: id integer, customer_id integer")
                .link("customers", &[("customer_id", "id")])
                .delete(due("customers.left_at", CUTOFF))
                .needed()
                .manifest(),
        ],
    )
}

fn assert_listed(engine: &Engine, outcome: &Outcome) {
    assert_eq!((deleted(outcome, "customers"), deleted(outcome, "orders")), (30, 60));
    assert_eq!(engine.ids(outcome.listed, "customers"), (1..=30).collect::<Vec<_>>());
    assert_eq!(engine.ids(outcome.listed, "orders"), (1..=60).collect::<Vec<_>>());
}

pub async fn every_record_that_goes_is_told(fixture: &Fixture) {
    let order = shop(fixture).await;
    let engine = Engine::default();
    let receipt = fixture.connector().execute(&order, &engine).await;
    let Ok(Receipt::Done(outcome)) = receipt else { panic!("{receipt:?}") };
    assert!(engine.number() > 10, "chunk by chunk");
    assert_listed(&engine, &outcome);
}

pub async fn stopped_after_every_chunk_each_record_is_told_once(fixture: &Fixture) {
    let order = shop(fixture).await;
    let engine = Engine { stops: true, ..Engine::default() };
    for number in 1..=200 {
        let connector = fixture.connector();
        match connector.execute(&attempt(&order, number), &engine).await {
            Ok(Receipt::Stopped(outcome)) => {
                let told = engine.gone(outcome.listed).values().map(Vec::len).sum::<usize>();
                assert_eq!(told as u64, outcome.changed(), "after attempt {number}");
            }
            Ok(Receipt::Done(outcome)) => return assert_listed(&engine, &outcome),
            other => panic!("{other:?}"),
        }
    }
    panic!("not done after 200 attempts");
}

/// What cannot be written down does not go, and what was rolled back is not led to.
pub async fn nothing_goes_that_is_not_written_down(fixture: &Fixture) {
    let order = shop(fixture).await;
    let fails = Engine { fails_at: Some(3), ..Engine::default() };
    let fault = fixture.connector().execute(&order, &fails).await;
    assert!(matches!(&fault, Err(Fault::Transient { message, .. }) if message.contains("away")));
    let left = fixture.ids("customers").await.len() + fixture.ids("orders").await.len();
    let told: usize =
        fails.written.lock().expect("no panic before").iter().map(|one| one.keys.len()).sum();
    assert_eq!(150 - left, told, "exactly what was written down");

    // Nothing is written down beyond a limit either.
    let limited = Order { most_records: Some(told as u64), ..attempt(&order, 2) };
    let engine = Engine {
        written: Mutex::new(fails.written.into_inner().expect("no panic")),
        ..Engine::default()
    };
    let refused = fixture.connector().execute(&limited, &engine).await;
    assert!(matches!(refused, Ok(Receipt::Refused { .. })), "{refused:?}");
    assert_eq!(fixture.ids("customers").await.len() + fixture.ids("orders").await.len(), left);

    let receipt = fixture.connector().execute(&attempt(&order, 3), &engine).await;
    let Ok(Receipt::Done(outcome)) = receipt else { panic!("{receipt:?}") };
    assert_listed(&engine, &outcome);
}

/// Also where a chunk is written down and not committed.
pub async fn dropped_anywhere_each_record_is_told_once(fixture: &Fixture) {
    let order = shop(fixture).await;
    let engine = Engine::default();
    let outcome = done_though_dropped(fixture, &order, &engine).await;
    assert_listed(&engine, &outcome);
}

pub async fn without_anybody_to_list_them_nothing_goes(fixture: &Fixture) {
    let order = shop(fixture).await;
    let fault = fixture.connector().execute(&order, &Onward).await;
    assert!(matches!(fault, Err(Fault::Rejected { .. })), "{fault:?}");
    assert_eq!(fixture.ids("orders").await.len(), 100);
}

pub async fn a_collection_that_does_not_ask_is_not_told(fixture: &Fixture) {
    let mut order = shop(fixture).await;
    order.instructions[1].manifest = false;
    let engine = Engine::default();
    let receipt = fixture.connector().execute(&order, &engine).await;
    let Ok(Receipt::Done(outcome)) = receipt else { panic!("{receipt:?}") };
    assert_eq!(deleted(&outcome, "orders"), 60);
    let gone = engine.gone(outcome.listed);
    assert_eq!(gone.keys().collect::<Vec<_>>(), ["customers"]);
    assert_eq!(gone["customers"].len(), 30);
}

/// Keys of several fields and types are told as the data map declares them.
pub async fn keys_are_told_in_their_types(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE visits (person {uuid} NOT NULL, at {moment} NOT NULL, place {text} NOT NULL,
                number {decimal} NOT NULL, PRIMARY KEY (person, at, place, number));
             INSERT INTO visits VALUES ('0198A2F3-0000-7000-8000-0000000000AB',
                {@2025-01-01T10:00:00.25Z}, 'Café, 2', 4.50)",
        )
        .await;
    let visits = draft(fixture, "visits: person uuid, at timestamp, place text, number decimal")
        .key(&["person", "at", "place", "number"])
        .delete(due("at", CUTOFF))
        .manifest();
    let engine = Engine::default();
    let receipt = fixture.connector().execute(&order("typed", [visits]), &engine).await;
    let Ok(Receipt::Done(outcome)) = receipt else { panic!("{receipt:?}") };
    let key = engine.gone(outcome.listed).remove("visits").expect("a record").remove(0);
    let person = "0198a2f3-0000-7000-8000-0000000000ab".parse().expect("a UUID");
    assert_eq!(key["person"], Value::Uuid(person));
    assert_eq!(key["at"], Value::Timestamp("2025-01-01T10:00:00.25Z".parse().expect("a moment")));
    assert_eq!(key["place"], Value::Text("Café, 2".to_owned()));
    let Value::Decimal(number) = &key["number"] else { panic!("{key:?}") };
    assert_eq!(number.trim_end_matches('0'), "4.5");
}

/// Records that refer to themselves, to each other, or stand on a list.
pub async fn records_in_circles_and_on_lists_are_told(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE accounts (id {bigint} PRIMARY KEY, chief_id {bigint}, left_at {moment},
                FOREIGN KEY (chief_id) REFERENCES accounts (id));
             CREATE TABLE notes (id {bigint} PRIMARY KEY, person {bigint});
             INSERT INTO accounts VALUES (1, NULL, {@2025-01-01T00:00:00Z}),
                (2, 1, {@2025-01-01T00:00:00Z}), (3, 2, {@2025-01-01T00:00:00Z}),
                (4, NULL, {@2025-01-01T00:00:00Z}), (5, 4, {@2025-01-01T00:00:00Z}),
                (6, NULL, {@2026-05-01T00:00:00Z});
             UPDATE accounts SET chief_id = 5 WHERE id = 4;
             INSERT INTO notes VALUES (1, 7), (2, 8), (3, 7), (4, 9)",
        )
        .await;
    let accounts = draft(fixture, "accounts: id integer, chief_id integer, left_at timestamp")
        .delete(due("left_at", CUTOFF))
        .manifest();
    let notes = draft(fixture, "notes: id integer, person integer")
        .delete(listed(&["person"], 0))
        .manifest();
    let mut order = order("circles", [accounts, notes]);
    order.lists =
        vec![list(&[FieldType::Integer], vec![vec![Value::Integer(7)], vec![Value::Integer(9)]])];
    let engine = Engine::default();
    let receipt = fixture.connector().execute(&order, &engine).await;
    let Ok(Receipt::Done(outcome)) = receipt else { panic!("{receipt:?}") };
    // MariaDB cannot take a circle apart where the reference is not part of a plain key.
    let left = fixture.ids("accounts").await;
    let gone: Vec<i64> = (1..=6).filter(|one| !left.contains(one)).collect();
    assert!(gone.contains(&1) && gone.contains(&3) && left.contains(&6), "{left:?}");
    assert_eq!(engine.ids(outcome.listed, "accounts"), gone);
    assert_eq!(engine.ids(outcome.listed, "notes"), [1, 3, 4]);
    assert_eq!(deleted(&outcome, "accounts"), gone.len() as u64);
}

pub async fn several_orders_with_a_manifest_go_one_by_one(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE notes (id {bigint} PRIMARY KEY, person {bigint});
             INSERT INTO notes VALUES (1, 7), (2, 8)",
        )
        .await;
    let of = |key: &str, person: i64| {
        let notes = draft(fixture, "notes: id integer, person integer")
            .delete(listed(&["person"], 0))
            .manifest();
        let mut order = order(key, [notes]);
        order.lists = vec![list(&[FieldType::Integer], vec![vec![Value::Integer(person)]])];
        order
    };
    let orders = [of("one", 7), of("two", 8)];
    let answer = together(&*fixture.connector(), &orders).await;
    let Together::Apart { which, why } = answer else { panic!("{answer:?}") };
    assert!(which.is_empty() && why.contains("manifest"), "{why}");
    assert_eq!(fixture.ids("notes").await, [1, 2]);
}

/// PostgreSQL only: the records of a partition that is dropped are not told, so none is.
pub async fn no_partition_is_dropped(fixture: &Fixture) {
    assert_eq!(fixture.kind, Kind::Postgresql);
    fixture
        .verbatim(
            "CREATE TABLE events (id bigint, at timestamptz NOT NULL, PRIMARY KEY (id, at))
                PARTITION BY RANGE (at);
             CREATE TABLE events_2025 PARTITION OF events
                FOR VALUES FROM ('2025-01-01 00:00+00') TO ('2026-01-01 00:00+00');
             INSERT INTO events SELECT n, '2025-10-05 00:00+00' FROM generate_series(1, 20) n",
        )
        .await;
    let events = || {
        draft(fixture, "events: id integer, at timestamp")
            .key(&["id", "at"])
            .delete(due("at", CUTOFF))
            .held(equal("id", 12))
            .drop_partitions()
            .manifest()
    };
    let engine = Engine::default();
    let receipt = fixture.connector().execute(&order("events", [events()]), &engine).await;
    let Ok(Receipt::Done(outcome)) = receipt else { panic!("{receipt:?}") };
    let mut told = engine.ids(outcome.listed, "events");
    told.push(12);
    told.sort_unstable();
    assert_eq!(told, (1..=20).collect::<Vec<_>>());
    let unheld = done_without_holds(fixture, &engine).await;
    assert_eq!(unheld.collections[0].partitions_dropped, 0);
    assert_eq!(engine.ids(unheld.listed, "events"), [12]);
}

async fn done_without_holds(fixture: &Fixture, engine: &Engine) -> Outcome {
    let events = draft(fixture, "events: id integer, at timestamp")
        .key(&["id", "at"])
        .delete(due("at", CUTOFF))
        .drop_partitions()
        .manifest();
    let receipt = fixture.connector().execute(&order("unheld", [events]), engine).await;
    let Ok(Receipt::Done(outcome)) = receipt else { panic!("{receipt:?}") };
    outcome
}

/// An order that asks for nothing leaves no trace of all this.
pub async fn without_a_manifest_nothing_is_marked(fixture: &Fixture) {
    let mut order = shop(fixture).await;
    for instruction in &mut order.instructions {
        instruction.manifest = false;
    }
    let outcome = done(&*fixture.connector(), &order).await;
    assert_eq!(outcome.listed, None);
    assert!(!serde_json::to_string(&outcome).expect("JSON").contains("listed"));
}
