//! Requests that begin together and whose orders have to go one by one: whoever's turn comes late
//! is held by what has come meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use quietus::app::hold::PlaceHold;
use quietus::app::{Actor, Quietus};
use quietus::domain::{CollectionName, HoldScope, SystemName};
use quietus_connectors::Value;

use super::many::{ask, case_of, certified, live};
use super::person::PACK;
use crate::company::database::Kind;
use crate::company::engine::{TurnedClock, work};
use crate::company::{Company, until};

/// What a customer rates stays without the customer; so orders for several go one by one.
const SHOP: &str = "collections:
  customers:
    key: id
    fields:
      id: {type: integer, identity: customer_id}
      email: {type: text, category: contact, identity: email}
      made_at: {type: timestamp}
    starting_points: {collection: made_at}
  ratings:
    key: id
    fields:
      id: {type: integer}
      customer_id: {type: integer}
      stars: {type: integer, exempt: a number of stars tells nothing of anybody}
    links:
      customer: {to: customers, fields: {customer_id: id}, kind: shallow}
";

const ASKING: i64 = 4;

async fn company() -> Company {
    let mut company = Company::new(Kind::Sqlite).await;
    company.write("schedules/rules.yaml", PACK);
    let shop = company.add_system("shop", Kind::Postgres, SHOP).await;
    shop.run(
        "CREATE TABLE customers (id BIGINT PRIMARY KEY, email TEXT, made_at TIMESTAMPTZ);
         CREATE TABLE ratings (id BIGINT PRIMARY KEY, customer_id BIGINT REFERENCES customers (id),
             stars BIGINT);
         CREATE INDEX ratings_customer ON ratings (customer_id);
         INSERT INTO customers SELECT n, 'p' || n || '@mail.example', '2024-01-01'
             FROM generate_series(1, 6) AS n;
         INSERT INTO ratings SELECT n, n, 5 FROM generate_series(1, 6) AS n",
    )
    .await;
    company
}

async fn hold_customer(product: &Quietus, customer: i64) {
    let scope = HoldScope {
        system: Some(SystemName::parse("shop").unwrap()),
        collection: Some(CollectionName::parse("customers").unwrap()),
        record: Some(BTreeMap::from([("id".to_owned(), Value::Integer(customer))])),
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

async fn customers(company: &Company) -> Vec<i64> {
    let rows = company.database("shop").rows("SELECT id::text FROM customers ORDER BY id").await;
    rows.iter().map(|id| id.parse().unwrap()).collect()
}

/// While the first of them waits for a row that somebody else has locked, a hold is placed on the
/// record of another, and the case of a third is called off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_that_comes_before_its_turn_is_kept() {
    let company = company().await;
    let clock = TurnedClock::at("2026-11-23T12:00:00Z");
    let product = company.replica(&clock).await;
    let mut requests = BTreeMap::new();
    for person in 1..=ASKING {
        requests.insert(person, ask(&product, person).await);
    }
    product.advance_requests().await.unwrap();
    product.advance_requests().await.unwrap();
    // Whoever goes first waits for their own row.
    let mut lock = company.database("shop").raw().await;
    lock.run("BEGIN; SELECT id FROM customers WHERE id <= 4 FOR UPDATE").await;
    let working = Arc::clone(&product);
    let worker = tokio::spawn(async move { work(&working).await });
    let waits = "SELECT count(*) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND datname = current_database()";
    let shop = company.database("shop");
    until("the first order waits", 60, async || (shop.number(waits).await > 0).then_some(())).await;
    let begun = company
        .store_rows("SELECT CAST(COUNT(*) AS TEXT) FROM attempts WHERE started_at IS NOT NULL")
        .await;
    assert_eq!(begun, [ASKING.to_string()], "all of them have begun");
    let waiting = company.database("shop").rows("SELECT left(order_key, 32) FROM quietus_progress");
    let first = waiting.await;
    assert_eq!(first.len(), 1, "one is under way: {first:?}");
    let mut later = Vec::new();
    for (&person, &request) in &requests {
        let case = case_of(&product, request).await.unwrap();
        let job = &product.store.jobs_of_case(case.id).await.unwrap()[0];
        if job.id.simple().to_string() != first[0] {
            later.push((person, case.id));
        }
    }
    let [(held, held_case), (off, off_case), (other, _)] = later[..] else { panic!("{later:?}") };
    hold_customer(&product, held).await;
    product.cancel(off_case, &Actor("Ada Example".to_owned()), "brought twice").await.unwrap();
    lock.run("ROLLBACK").await;
    worker.await.unwrap();
    live(&product, &clock).await;

    let mut left = vec![held, off, 5, 6];
    left.sort_unstable();
    assert_eq!(customers(&company).await, left, "{other} and the first are gone");
    let (overall, deleted) = certified(&product, held_case).await;
    assert_eq!((overall.as_str(), deleted["customers"]), ("complete-with-exceptions", 0));
    company.check_log().await;
}
