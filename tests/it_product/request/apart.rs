//! Requests that begin together and of which some have to go by themselves: whoever's turn comes
//! late is held by what has come meanwhile.

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

/// A message is that of whoever sent it and of whoever got it.
const SHOP: &str = "collections:
  customers:
    key: id
    fields:
      id: {type: integer, identity: customer_id}
      email: {type: text, category: contact, identity: email}
      made_at: {type: timestamp}
    starting_points: {collection: made_at}
  messages:
    key: id
    fields:
      id: {type: integer}
      sender_id: {type: integer}
      receiver_id: {type: integer}
      words: {type: text, category: contact}
      made_at: {type: timestamp}
    links:
      sender: {to: customers, fields: {sender_id: id}, kind: deep}
      receiver: {to: customers, fields: {receiver_id: id}, kind: deep}
    starting_points: {collection: made_at}
";

const ASKING: i64 = 4;
/// They have a message in common, so each of them goes alone, after the others.
const HELD: i64 = 1;
const CALLED_OFF: i64 = 2;

async fn company() -> Company {
    let mut company = Company::new(Kind::Sqlite).await;
    company.write("schedules/rules.yaml", PACK);
    let shop = company.add_system("shop", Kind::Postgres, SHOP).await;
    shop.run(
        "CREATE TABLE customers (id BIGINT PRIMARY KEY, email TEXT, made_at TIMESTAMPTZ);
         CREATE TABLE messages (id BIGINT PRIMARY KEY, sender_id BIGINT REFERENCES customers (id),
             receiver_id BIGINT REFERENCES customers (id), words TEXT, made_at TIMESTAMPTZ);
         CREATE INDEX messages_sender ON messages (sender_id);
         CREATE INDEX messages_receiver ON messages (receiver_id);
         INSERT INTO customers SELECT n, 'p' || n || '@mail.example', '2024-01-01'
             FROM generate_series(1, 6) AS n;
         INSERT INTO messages SELECT n, n, n, 'to herself', '2024-01-01'
             FROM generate_series(3, 6) AS n;
         INSERT INTO messages VALUES (1, 1, 2, 'to another', '2024-01-01')",
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

/// While those who go together wait for a row that somebody else has locked, a hold is placed on
/// the record of one who goes alone, and the case of another one is called off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_before_its_turn_is_kept() {
    let company = company().await;
    let clock = TurnedClock::at_present();
    let product = company.replica(&clock).await;
    let mut cases = BTreeMap::new();
    let mut requests = BTreeMap::new();
    for person in 1..=ASKING {
        requests.insert(person, ask(&product, person).await);
    }
    product.advance_requests().await.unwrap();
    product.advance_requests().await.unwrap();
    for (&person, &request) in &requests {
        cases.insert(person, case_of(&product, request).await.unwrap().id);
    }
    let shop = company.database("shop");
    let mut lock = shop.raw().await;
    lock.run("BEGIN; SELECT id FROM customers WHERE id IN (3, 4) FOR UPDATE").await;
    let working = Arc::clone(&product);
    let worker = tokio::spawn(async move { work(&working).await });
    let waits = "SELECT count(*) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND datname = current_database()";
    until("they wait", 60, async || (shop.number(waits).await > 0).then_some(())).await;
    let begun = "SELECT CAST(COUNT(*) AS TEXT) FROM attempts WHERE started_at IS NOT NULL";
    assert_eq!(company.store_rows(begun).await, [ASKING.to_string()], "all of them have begun");
    assert_eq!(customers(&company).await, [1, 2, 3, 4, 5, 6], "nobody is gone yet");
    hold_customer(&product, HELD).await;
    let actor = Actor("Ada Example".to_owned());
    product.cancel(cases[&CALLED_OFF], &actor, "brought twice").await.unwrap();
    lock.run("ROLLBACK").await;
    worker.await.unwrap();
    live(&product, &clock).await;

    assert_eq!(customers(&company).await, [HELD, CALLED_OFF, 5, 6]);
    let (overall, deleted) = certified(&product, cases[&HELD]).await;
    assert_eq!((overall.as_str(), deleted["customers"]), ("complete-with-exceptions", 0));
    for person in 3..=ASKING {
        let (overall, deleted) = certified(&product, cases[&person]).await;
        let deleted = (deleted["customers"], deleted["messages"]);
        assert_eq!((overall.as_str(), deleted), ("complete", (1, 1)), "person {person}");
    }
    company.check_log().await;
}
