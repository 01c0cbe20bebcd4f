//! A thousand persons are looked for with the statements that a few cost, in several kinds of
//! databases, and exactly those go again who are back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quietus::domain::AskedRight;

use crate::company::database::Kind;
use crate::company::engine::TurnedClock;
use crate::request::crowd::company;
use crate::request::many::{Ear, ask as ask_crowd, case_of, certified, live as live_on};
use crate::restore::house::{ask, house, rows};

/// Statements that one look costs that finds nobody of so many back.
async fn cost_of(persons: i64) -> u64 {
    let company = house(Kind::Sqlite, persons + 1).await;
    let clock = TurnedClock::at("2026-11-01T12:00:00Z");
    let product = company.replica(&clock).await;
    for number in 1..=persons {
        ask(&product, AskedRight::Erasure, number).await;
    }
    for _ in 0..6 {
        live_on(&product, &clock).await;
    }
    assert_eq!(rows(&company).await.len(), 6, "one member and five visits are left");
    clock.advance(jiff::Span::new().hours(24 * 7));
    let sent = Arc::new(AtomicU64::new(0));
    // With one subscriber in the process, a statement that another test sends first is heard nowhere
    // from then on.
    let second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let guard = tracing::subscriber::set_default(Ear(Arc::clone(&sent)));
    let tally = product.look_for_due().await.unwrap();
    drop(guard);
    drop(second);
    assert_eq!(tally.persons, u64::try_from(persons).unwrap());
    assert_eq!((tally.again, tally.asks, tally.troubled), (0, 0, 0));
    sent.load(Ordering::Relaxed)
}

#[tokio::test]
async fn statements_grow_with_companies_and_not_with_persons() {
    let few = cost_of(10).await;
    let many = cost_of(1000).await;
    assert!(few > 2, "they are counted: {few}");
    // Four companies of at most 250.
    assert!(many <= few * 5, "10 persons cost {few} statements, 1000 persons cost {many}");
}

/// Customers in PostgreSQL, tickets in MariaDB, subscriptions in SQLite: an import brings some of
/// the tickets back.
async fn exactly_those_who_are_back(store: Kind) {
    let asking = 30;
    let company = company(store, asking, 50_000).await;
    let clock = TurnedClock::at("2026-11-01T12:00:00Z");
    let product = company.replica(&clock).await;
    let mut requests = Vec::new();
    for person in 1..=asking {
        requests.push(ask_crowd(&product, person).await);
    }
    live_on(&product, &clock).await;
    let left = "SELECT CAST(id AS CHAR) FROM tickets ORDER BY id";
    let others = company.database("desk").rows(left).await;
    let back = [2, 3, 5, 20];
    for person in back {
        let row = format!(
            "INSERT INTO tickets VALUES ({}, {person}, 'Words', '2026-01-01')",
            100_000 + person
        );
        company.database("desk").run(&row).await;
    }
    clock.advance(jiff::Span::new().hours(24 * 7));
    let tally = product.look_for_due().await.unwrap();
    assert_eq!((tally.again, tally.asks, tally.troubled), (4, 0, 0), "{tally:?}");
    live_on(&product, &clock).await;
    assert_eq!(company.database("desk").rows(left).await, others, "theirs, and nobody else's");
    for person in 1..=asking {
        let request = requests[usize::try_from(person - 1).unwrap()];
        let Some(case) = case_of(&product, request).await else { continue };
        let (_, deleted) = certified(&product, case.id).await;
        assert_eq!(deleted["tickets"], person % 4 + 1, "person {person} is counted once");
        let found = product.store.certificate_of_case(case.id).await.unwrap().unwrap();
        let text = String::from_utf8(found.statement).unwrap();
        assert_eq!(text.contains("\"reappeared\""), back.contains(&person), "person {person}");
    }
    company.check_log().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_those_who_are_back_with_the_store_in_sqlite() {
    Box::pin(exactly_those_who_are_back(Kind::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_those_who_are_back_with_the_store_in_postgresql() {
    Box::pin(exactly_those_who_are_back(Kind::Postgres)).await;
}

/// The shop's import gives a customer who was erased a new number, under which there are tickets in
/// another system; the number of before names nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_with_a_new_number_is_the_same_person() {
    let company = company(Kind::Sqlite, 6, 50_000).await;
    let clock = TurnedClock::at("2026-11-01T12:00:00Z");
    let product = company.replica(&clock).await;
    let request = ask_crowd(&product, 1).await;
    live_on(&product, &clock).await;
    for round in 1..=2 {
        let number = 900 + round;
        let customer = format!(
            "INSERT INTO customers VALUES ({number}, 'p1@mail.example', 'Name', '2024-01-01', NULL)"
        );
        company.database("shop").run(&customer).await;
        let ticket =
            format!("INSERT INTO tickets VALUES ({number}, {number}, 'Words', '2026-01-01')");
        company.database("desk").run(&ticket).await;
        clock.advance(jiff::Span::new().hours(24 * 7));
        let tally = product.look_for_due().await.unwrap();
        assert_eq!((tally.persons, tally.again, tally.troubled), (1, 1, 0), "round {round}");
        live_on(&product, &clock).await;
        let left = format!("SELECT id FROM customers WHERE id = {number}");
        assert!(company.database("shop").rows(&left).await.is_empty(), "round {round}");
        let left = format!("SELECT id FROM tickets WHERE id = {number}");
        assert!(company.database("desk").rows(&left).await.is_empty(), "round {round}");
    }
    let case = case_of(&product, request).await.unwrap();
    let found = product.store.certificate_of_case(case.id).await.unwrap().unwrap();
    assert!(String::from_utf8(found.statement).unwrap().contains("\"reappeared\""));
    company.check_log().await;
}
