//! A company with a shop and a help desk, and persons in both under several spellings.

use std::process::Stdio;

use quietus::app::request::{Requester, TakeIn, Taken};
use quietus::app::{Actor, Quietus};
use quietus::domain::{AskedRight, Assurance};
use tokio::io::AsyncWriteExt as _;
use uuid::Uuid;

use crate::company::database::Kind;
use crate::company::{Company, Ended, identifier_in, wait};

const SHOP: &str = "collections:
  customers:
    key: id
    fields:
      id: {type: integer, identity: customer_id}
      email: {type: text, category: contact, identity: email, clear: {unique: erased-}}
      name: contact
      created_at: {type: timestamp}
      restricted: {type: boolean}
    starting_points: {collection: created_at}
    restrict: {flag: restricted}
  orders:
    key: id
    fields:
      id: {type: integer}
      customer_id: {type: integer}
      email: {type: text, category: delivery, identity: email}
      address: delivery
      invoice_name: invoice
      invoiced_on: {type: date}
      restricted: {type: boolean}
    links:
      customer: {to: customers, fields: {customer_id: id}, kind: deep}
    starting_points: {collection: invoiced_on}
    restrict: {flag: restricted}
";

const DESK: &str = "collections:
  tickets:
    key: id
    fields:
      id: {type: integer}
      customer: {type: integer, identity: customer_id, exempt: the key that connects it}
      words: contact
      opened_at: {type: timestamp}
    starting_points: {collection: opened_at}
";

pub const PACK: &str = "pack: rules
version: '1'
owner: Ada Example
categories:
  contact: {purpose: talk to people}
  delivery: {purpose: deliver}
  invoice: {purpose: bill}
schedules:
  nightly: {cron: '0 2 * * *'}
schedule: nightly
rules:
  - {rule: contact, category: contact, starting_point: collection, period: P90Y, action: erase, basis: {citation: contract}}
  - {rule: delivery, category: delivery, starting_point: collection, period: P90Y, action: erase, basis: {citation: contract}}
  - {rule: invoice, category: invoice, starting_point: collection, period: P90Y, action: erase, basis: {citation: contract}}
minimums:
  - {name: ao-147, category: invoice, starting_point: collection, period: P8Y, round: end_of_calendar_year, jurisdiction: DE, citation: AO 147}
";

const SHOP_ROWS: &str = "
CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT, created_at TEXT, restricted BOOLEAN);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers (id), email TEXT,
    address TEXT, invoice_name TEXT, invoiced_on TEXT, restricted BOOLEAN);
INSERT INTO customers VALUES (1, 'GRACE@MAIL.EXAMPLE', 'Grace Example', '2024-01-01T00:00:00Z', NULL),
    (2, 'alan@mail.example', 'Alan Example', '2024-01-01T00:00:00Z', NULL),
    (3, 'shared@mail.example', 'Sally Shared', '2024-01-01T00:00:00Z', NULL),
    (4, 'SHARED@MAIL.EXAMPLE', 'Simon Shared', '2024-01-01T00:00:00Z', NULL);
INSERT INTO orders VALUES
    (11, 1, NULL, 'Example Street 1', 'Grace Example', '2025-05-01', NULL),
    (12, 1, NULL, 'Example Street 1', 'Grace Example', '2012-05-01', NULL),
    (13, NULL, 'grace@mail.example', 'Example Street 1', 'Grace Example', '2025-05-01', NULL),
    (21, 2, 'alan@mail.example', 'Example Street 2', 'Alan Example', '2012-05-01', NULL);
";

const DESK_ROWS: &str = "
CREATE TABLE tickets (id INTEGER PRIMARY KEY, customer INTEGER, words TEXT, opened_at TEXT);
INSERT INTO tickets VALUES (31, 1, 'help', '2026-01-01T00:00:00Z'),
    (32, 1, 'court', '2026-01-01T00:00:00Z'), (33, 2, 'help', NULL), (34, 3, 'Sally asks', NULL);
";

/// The company before anybody has asked for anything; `settings` of requests.
pub async fn company(settings: &str) -> Company {
    company_on(Kind::Sqlite, settings).await
}

/// The same company, which keeps its own data on `store`.
pub async fn company_on(store: Kind, settings: &str) -> Company {
    let mut company = Company::new(store).await;
    let instance = company.read("quietus.yaml");
    company.write("quietus.yaml", &format!("{instance}{settings}"));
    company.write("schedules/rules.yaml", PACK);
    company.add_system("shop", Kind::Sqlite, SHOP).await.run(SHOP_ROWS).await;
    company.add_system("desk", Kind::Sqlite, DESK).await.run(DESK_ROWS).await;
    company
}

/// Runs a command that reads what a person is known by from standard input.
pub async fn told(company: &Company, arguments: &[&str], identities: &str) -> Ended {
    let mut command = company.command(arguments);
    command.stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(identities.as_bytes()).await.unwrap();
    drop(input);
    wait(child).await
}

/// Brings a request of somebody who was called back; its identifier.
pub async fn brought(company: &Company, right: &str, identities: &str) -> String {
    let arguments = [
        "request",
        "new",
        "--right",
        right,
        "--identities-file",
        "-",
        "--channel",
        "phone",
        "--check",
        "substantial",
        "--method",
        "call-back",
        "--reference",
        "T-123",
    ];
    identifier_in(&told(company, &arguments, identities).await.expect(0).out)
}

pub async fn customers(company: &Company) -> Vec<String> {
    let text = "SELECT id || '|' || CASE WHEN email LIKE 'erased-%' THEN 'erased' ELSE email END || '|' || coalesce(name, '~') || '|' || coalesce(restricted, 0) FROM customers ORDER BY id";
    company.database("shop").rows(text).await
}

pub async fn orders(company: &Company) -> Vec<String> {
    let text = "SELECT id || '|' || coalesce(email, '~') || '|' || coalesce(address, '~') || '|' || invoice_name || '|' || coalesce(restricted, 0) FROM orders ORDER BY id";
    company.database("shop").rows(text).await
}

pub async fn tickets(company: &Company) -> Vec<String> {
    let text = "SELECT id || '|' || coalesce(words, '~') FROM tickets ORDER BY id";
    company.database("desk").rows(text).await
}

/// Everything that both systems hold.
pub async fn everything(company: &Company) -> Vec<String> {
    [customers(company).await, orders(company).await, tickets(company).await].concat()
}

/// What the store's own files and its certificates hold of these words, in whatever capitals.
pub async fn in_the_store(company: &Company, words: &[&str]) -> Vec<String> {
    let mut places = company.certificates().await;
    for file in ["quietus.db", "quietus.db-wal"] {
        places.extend(std::fs::read(company.path(file)).map(|bytes| (file.to_owned(), bytes)));
    }
    let mut found = Vec::new();
    for (place, bytes) in places {
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        let hits = words.iter().filter(|word| text.contains(&word.to_lowercase()));
        found.extend(hits.map(|word| format!("{place}: {word}")));
    }
    found
}

/// Somebody asks by telephone, is called back, and nobody has to look any further.
pub async fn bring(product: &Quietus, asked: AskedRight, (kind, value): (&str, String)) -> Uuid {
    let taken = product
        .take_in(TakeIn {
            asked,
            identities: vec![(kind.to_owned(), value)],
            received_at: None,
            channel: "phone".to_owned(),
            requester: Requester::Person,
            ground: None,
            regime: None,
            language: None,
            categories: None,
            contact: None,
            check: Some((Assurance::Substantial, "call-back".to_owned(), Some("T-123".to_owned()))),
            source: None,
            external_id: None,
            actor: Actor("Ada Example".to_owned()),
        })
        .await
        .unwrap();
    match taken {
        Taken::New(request) => request.stored.id,
        other => panic!("{other:?}"),
    }
}
