//! Hundreds of people at once, in three databases, by one worker: exactly theirs goes, each
//! certificate states what became of its own person, and the statements that are sent do not grow
//! with the people.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quietus::app::hold::PlaceHold;
use quietus::app::{Actor, Quietus};
use quietus::domain::{AskedRight, CollectionName, HoldScope, SystemName};
use quietus::store::Case;
use quietus_connectors::Value;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use uuid::Uuid;

use super::crowd::{AMBIGUOUS, Belongings, CALLED_OFF, HELD, KEPT, Rows, belongings, company};
use super::person::bring;
use crate::company::database::Kind;
use crate::company::engine::{TurnedClock, work};
use crate::company::{ended, until};

/// Counts the statements that connectors send.
pub struct Ear(pub Arc<AtomicU64>);

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "quietus_connectors::statement"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

pub async fn ask(product: &Quietus, person: i64) -> Uuid {
    // Half of them are known by their address, the others by their number.
    let identity = if person % 2 == 1 {
        ("email".to_owned(), format!("P{person}@mail.example"))
    } else {
        ("customer_id".to_owned(), person.to_string())
    };
    ask_by(product, (&identity.0, identity.1)).await
}

/// Somebody who is known by one thing asks to be erased.
pub async fn ask_by(product: &Quietus, (kind, value): (&str, String)) -> Uuid {
    bring(product, AskedRight::Erasure, (kind, value)).await
}

/// What the certificate in force of a case says is deleted, by collection.
pub async fn certified(product: &Quietus, case: Uuid) -> (String, BTreeMap<String, i64>) {
    let found = product.store.certificate_of_case(case).await.unwrap();
    let found = found.unwrap_or_else(|| panic!("case {case} has no certificate"));
    let statement: serde_json::Value = serde_json::from_slice(&found.statement).unwrap();
    let mut deleted = BTreeMap::new();
    for one in statement["predicate"]["statements"].as_array().unwrap() {
        let Some(collection) = one["collection"].as_str() else { continue };
        let count: i64 = one["records"]["deleted"].as_str().unwrap().parse().unwrap();
        deleted.insert(collection.to_owned(), count);
    }
    (found.summary.overall, deleted)
}

pub async fn case_of(product: &Quietus, request: Uuid) -> Option<Case> {
    let id = product.rights_request(request).await.unwrap().stored.case_id?;
    product.store.case(id).await.unwrap()
}

/// Lives on until nothing is left to do now.
pub async fn live(product: &Quietus, clock: &TurnedClock) {
    for _ in 0..4 {
        product.advance_requests().await.unwrap();
        work(product).await;
        // Those that a fault sent back are tried again.
        clock.advance(jiff::Span::new().minutes(6));
    }
}

/// Statements that so many people cost from the first question to the last certificate.
async fn cost_of(asking: i64) -> u64 {
    let sent = Arc::new(AtomicU64::new(0));
    let company = company(Kind::Sqlite, asking, 50_000).await;
    let clock = TurnedClock::at_present();
    let product = company.replica(&clock).await;
    // With one subscriber in the process, a statement that another test sends first is asked of that
    // test's thread alone, where nobody listens, and is heard nowhere from then on.
    let second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let guard = tracing::subscriber::set_default(Ear(Arc::clone(&sent)));
    for person in 1..=asking {
        ask(&product, person).await;
    }
    live(&product, &clock).await;
    drop(guard);
    drop(second);
    let left = belongings(&company).await;
    assert!(!left.customers.contains_key(&asking) && left.customers.contains_key(&(asking + 1)));
    sent.load(Ordering::Relaxed)
}

#[tokio::test]
async fn statements_do_not_grow_with_the_people() {
    let few = cost_of(12).await;
    let many = cost_of(200).await;
    assert!(few > 50, "they are counted: {few}");
    assert!(many <= few * 2, "12 people cost {few} statements, 200 people cost {many}");
}

/// What is left of everybody, as it has to be.
fn expected_rows(before: &Rows, asking: i64, keeps: impl Fn(i64) -> Option<i64>) -> Rows {
    let mut expected = before.clone();
    expected.retain(|&person, left| {
        if person > asking || person == AMBIGUOUS {
            return true;
        }
        match keeps(person) {
            Some(rows) => {
                *left = rows;
                rows > 0
            }
            None => false,
        }
    });
    expected
}

/// Each certificate states what its own person had, and nobody else's.
async fn everybody_is_told_their_own(
    product: &Quietus,
    requests: &BTreeMap<i64, Uuid>,
    before: &Belongings,
) {
    for (&person, &request) in requests {
        let Some(case) = case_of(product, request).await else {
            assert_eq!(person, AMBIGUOUS);
            continue;
        };
        if person == CALLED_OFF {
            continue;
        }
        let (overall, deleted) = certified(product, case.id).await;
        let of = |rows: &Rows| rows.get(&person).copied().unwrap_or(0);
        let minus = |rows: &Rows, who: i64| of(rows) - i64::from(person == who);
        let expected = BTreeMap::from([
            ("customers".to_owned(), minus(&before.customers, KEPT)),
            ("orders".to_owned(), minus(&before.orders, KEPT)),
            ("subscriptions".to_owned(), of(&before.subscriptions)),
            ("tickets".to_owned(), minus(&before.tickets, HELD)),
        ]);
        assert_eq!(deleted, expected, "person {person}");
        let exceptional = person == KEPT || person == HELD;
        let word = if exceptional { "complete-with-exceptions" } else { "complete" };
        assert_eq!(overall, word, "person {person}");
    }
}

async fn everybody_gets_their_own(store: Kind, asking: i64) {
    let company = company(store, asking, 50_000).await;
    let clock = TurnedClock::at_present();
    let product = company.replica(&clock).await;
    let before = belongings(&company).await;
    let mut requests = BTreeMap::new();
    for person in 1..=asking {
        requests.insert(person, ask(&product, person).await);
    }
    product.advance_requests().await.unwrap();
    product.advance_requests().await.unwrap();
    hold_one_ticket(&product).await;
    let called_off = case_of(&product, requests[&CALLED_OFF]).await.unwrap();
    product.cancel(called_off.id, &Actor("Ada Example".to_owned()), "brought twice").await.unwrap();
    live(&product, &clock).await;

    let after = belongings(&company).await;
    let whole = |rows: &Rows, person| rows.get(&person).copied();
    let off = |rows: &Rows, person| (person == CALLED_OFF).then(|| whole(rows, person)).flatten();
    let kept_order = |person| (person == KEPT).then_some(1);
    assert_eq!(
        after.orders,
        expected_rows(&before.orders, asking, |one| off(&before.orders, one).or(kept_order(one)))
    );
    assert_eq!(
        after.customers,
        expected_rows(&before.customers, asking, |one| off(&before.customers, one))
    );
    let held_ticket = |person| (person == HELD).then_some(1);
    assert_eq!(
        after.tickets,
        expected_rows(&before.tickets, asking, |one| off(&before.tickets, one)
            .or(held_ticket(one)))
    );
    assert_eq!(
        after.subscriptions,
        expected_rows(&before.subscriptions, asking, |one| off(&before.subscriptions, one))
    );

    everybody_is_told_their_own(&product, &requests, &before).await;
    let case = case_of(&product, requests[&HELD]).await.unwrap();
    company.certificate_of(&case.id.to_string()).await;
    company.check_log().await;
    for system in &company.systems {
        let rest = system.database.rows("SELECT order_key FROM quietus_progress").await;
        assert!(rest.is_empty(), "progress is left in `{}`: {rest:?}", system.name);
    }
}

async fn hold_one_ticket(product: &Quietus) {
    let scope = HoldScope {
        system: Some(SystemName::parse("desk").unwrap()),
        collection: Some(CollectionName::parse("tickets").unwrap()),
        record: Some(BTreeMap::from([("id".to_owned(), Value::Integer(HELD * 10))])),
        ..HoldScope::default()
    };
    let hold = PlaceHold {
        matter: "LIT-9".to_owned(),
        scope,
        reason: "a lawsuit".to_owned(),
        review_on: None,
        actor: Actor("Ada Example".to_owned()),
    };
    product.place_hold(hold).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_gets_their_own_with_the_store_in_sqlite() {
    Box::pin(everybody_gets_their_own(Kind::Sqlite, 200)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_gets_their_own_with_the_store_in_postgresql() {
    Box::pin(everybody_gets_their_own(Kind::Postgres, 60)).await;
}

/// While a batch waits in the middle for a row that somebody else has locked, a hold is placed on
/// what is not gone yet, and one of the cases is called off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_and_a_cancellation_in_the_middle_stop_what_is_left() {
    let asking = 40;
    let company = company(Kind::Sqlite, asking, 10).await;
    // In the order of keys, one in the middle and the last one.
    let (middle, last) = (asking / 2 * 10, asking * 10);
    let clock = TurnedClock::at_present();
    let product = company.replica(&clock).await;
    let before = belongings(&company).await;
    let mut requests = BTreeMap::new();
    for person in 1..=asking {
        requests.insert(person, ask(&product, person).await);
    }
    product.advance_requests().await.unwrap();
    product.advance_requests().await.unwrap();
    let mut lock = company.database("desk").raw().await;
    lock.run(&format!("START TRANSACTION; SELECT 1 FROM tickets WHERE id = {middle} FOR UPDATE"))
        .await;
    let working = Arc::clone(&product);
    let worker = tokio::spawn(async move { work(&working).await });
    let tickets = "SELECT count(*) FROM tickets";
    let all = company.database("desk").number(tickets).await;
    until("the first tickets go", 60, async || {
        (company.database("desk").number(tickets).await < all).then_some(())
    })
    .await;
    let scope = HoldScope {
        system: Some(SystemName::parse("desk").unwrap()),
        collection: Some(CollectionName::parse("tickets").unwrap()),
        record: Some(BTreeMap::from([("id".to_owned(), Value::Integer(last))])),
        ..HoldScope::default()
    };
    let (matter, reason) = ("LIT-9".to_owned(), "a lawsuit".to_owned());
    let actor = || Actor("Ada Example".to_owned());
    let hold = PlaceHold { matter, scope, reason, review_on: None, actor: actor() };
    product.place_hold(hold).await.unwrap();
    let off = case_of(&product, requests[&(asking - 1)]).await.unwrap();
    product.cancel(off.id, &actor(), "brought twice").await.unwrap();
    lock.run("ROLLBACK").await;
    worker.await.unwrap();
    live(&product, &clock).await;

    let left =
        company.database("desk").rows("SELECT CAST(id AS CHAR) FROM tickets ORDER BY id").await;
    assert!(left.contains(&last.to_string()), "what is held stays: {left:?}");
    assert!(left.contains(&(last - 10).to_string()), "what was called off stays: {left:?}");
    let after = belongings(&company).await;
    for person in (1..=asking).filter(|one| *one != AMBIGUOUS && *one != asking - 1) {
        let kept = i64::from(person == asking);
        assert_eq!(after.tickets.get(&person).copied().unwrap_or(0), kept, "person {person}");
        let case = case_of(&product, requests[&person]).await.unwrap();
        let (_, deleted) = certified(&product, case.id).await;
        assert_eq!(deleted["tickets"], before.tickets[&person] - kept, "person {person}");
        assert_eq!(
            deleted["orders"] + after.orders.get(&person).copied().unwrap_or(0),
            before.orders[&person]
        );
    }
    company.check_log().await;
}

/// Killed with signal 9 at every point on the way and begun again, everything ends as if nothing
/// had been.
async fn killed_and_begun_again(store: Kind, points: &[u8]) {
    for &point in points {
        let asking = 24;
        let company = company(store, asking, 10).await;
        let clock = TurnedClock::at_present();
        let product = company.replica(&clock).await;
        let before = belongings(&company).await;
        let mut requests = BTreeMap::new();
        for person in 1..=asking {
            requests.insert(person, ask(&product, person).await);
        }
        for _ in 0..2 {
            let mut command = company.command(&["run", "--once"]);
            command.env("QUIETUS_LEASE_MS", "300").env("QUIETUS_CRASH_POINT", point.to_string());
            let killed = ended(command).await;
            assert_eq!(killed.code, -1, "point {point}:\n{}\n{}", killed.out, killed.err);
        }
        let mut command = company.command(&["run", "--once"]);
        command.env("QUIETUS_LEASE_MS", "5000");
        let ran = ended(command).await;
        let after = belongings(&company).await;
        for person in (1..=asking).filter(|one| *one != AMBIGUOUS) {
            let left = [&after.customers, &after.orders, &after.tickets, &after.subscriptions]
                .map(|rows| rows.get(&person).copied().unwrap_or(0));
            let kept = i64::from(person == KEPT);
            assert_eq!(left, [0, kept, 0, 0], "point {point}, person {person}\n{}", ran.out);
            let case = case_of(&product, requests[&person]).await.unwrap();
            let (_, deleted) = certified(&product, case.id).await;
            let of = |rows: &Rows| rows.get(&person).copied().unwrap_or(0);
            let expected = BTreeMap::from([
                ("customers".to_owned(), of(&before.customers) - kept),
                ("orders".to_owned(), of(&before.orders) - kept),
                ("subscriptions".to_owned(), of(&before.subscriptions)),
                ("tickets".to_owned(), of(&before.tickets)),
            ]);
            assert_eq!(deleted, expected, "point {point}, person {person}");
        }
        let others =
            after.customers.keys().filter(|&&person| person > asking || person == AMBIGUOUS);
        assert_eq!(others.count(), after.customers.len(), "and nobody else");
        assert!(after.customers.contains_key(&(asking + 1)), "others are left");
        company.check_log().await;
        for system in &company.systems {
            // At the last point another worker may just have settled and not yet dropped what its
            // system kept: counts, and nobody's keys.
            let kept = "SELECT order_key FROM quietus_progress WHERE order_key NOT LIKE 'canary-%'";
            let kept = if point == 7 {
                format!("{kept} AND \"cursor\" NOT LIKE '%\"after\":null%'")
            } else {
                kept.to_owned()
            };
            let kept = if system.database.kind == Kind::MariaDb {
                kept.replace("\"cursor\"", "`cursor`")
            } else {
                kept
            };
            let rest = system.database.rows(&kept).await;
            assert!(rest.is_empty(), "point {point}: progress is left in `{}`", system.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_begun_again_with_the_store_in_sqlite() {
    Box::pin(killed_and_begun_again(Kind::Sqlite, &[1, 2, 3, 4, 5, 6, 7])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_begun_again_with_the_store_in_postgresql() {
    Box::pin(killed_and_begun_again(Kind::Postgres, &[3, 6])).await;
}
