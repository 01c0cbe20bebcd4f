//! A company whose three databases hold a crowd of people: customers with orders in PostgreSQL,
//! tickets in MariaDB, subscriptions in SQLite.

use std::collections::BTreeMap;

use super::person::PACK;
use crate::company::Company;
use crate::company::database::Kind;

const SHOP: &str = "pace: {chunk_records: CHUNK}
collections:
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
      address: delivery
      invoice_name: invoice
      invoiced_on: {type: date}
      restricted: {type: boolean}
    links:
      customer: {to: customers, fields: {customer_id: id}, kind: deep}
    starting_points: {collection: invoiced_on}
    restrict: {flag: restricted}
";

const DESK: &str = "pace: {chunk_records: CHUNK}
collections:
  tickets:
    key: id
    fields:
      id: {type: integer}
      customer: {type: integer, identity: customer_id, exempt: the key that connects it}
      words: contact
      opened_at: {type: timestamp}
    starting_points: {collection: opened_at}
";

const NEWS: &str = "pace: {chunk_records: CHUNK}
collections:
  subscriptions:
    key: id
    fields:
      id: {type: integer}
      email: {type: text, category: contact, identity: email}
      opened_at: {type: timestamp}
    starting_points: {collection: opened_at}
";

/// Has an invoice that a law keeps.
pub const KEPT: i64 = 7;
/// Shares an address with somebody who does not ask.
pub const AMBIGUOUS: i64 = 11;
/// One of the tickets is held while everything is under way.
pub const HELD: i64 = 13;
/// Called off while everything is under way.
pub const CALLED_OFF: i64 = 17;

fn values(rows: impl Iterator<Item = String>) -> String {
    rows.collect::<Vec<_>>().join(", ")
}

/// Three databases with so many people; a third more than ask.
pub async fn company(store: Kind, asking: i64, chunk: u32) -> Company {
    let mut company = Company::new(store).await;
    company.write("schedules/rules.yaml", PACK);
    let people = asking + asking / 3 + 1;
    let map = |map: &str| map.replace("CHUNK", &chunk.to_string());
    let shop = company.add_system("shop", Kind::Postgres, &map(SHOP)).await;
    shop.run(
        "CREATE TABLE customers (id BIGINT PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT,
             created_at TIMESTAMPTZ, restricted BOOLEAN);
         CREATE TABLE orders (id BIGINT PRIMARY KEY, customer_id BIGINT REFERENCES customers (id),
             address TEXT, invoice_name TEXT, invoiced_on DATE, restricted BOOLEAN);
         CREATE INDEX orders_customer ON orders (customer_id)",
    )
    .await;
    let customers = values((1..=people).map(|n| {
        let email = if n == people {
            format!("P{AMBIGUOUS}@MAIL.EXAMPLE")
        } else {
            format!("p{n}@mail.example")
        };
        format!("({n}, '{email}', 'Name {n}', '2024-01-01', NULL)")
    }));
    shop.run(&format!("INSERT INTO customers VALUES {customers}")).await;
    // Everybody has orders of long ago, and one has one of last year.
    let orders = values((1..=people).flat_map(|n| {
        (0..=n % 3).map(move |order| {
            let day = if n == KEPT && order == 0 { "2025-05-01" } else { "2012-05-01" };
            format!("({}, {n}, 'Street {n}', 'Name {n}', '{day}', NULL)", n * 10 + order)
        })
    }));
    shop.run(&format!("INSERT INTO orders VALUES {orders}")).await;
    let desk = company.add_system("desk", Kind::MariaDb, &map(DESK)).await;
    desk.run(
        "CREATE TABLE tickets (id BIGINT PRIMARY KEY, customer BIGINT, words VARCHAR(200),
             opened_at DATETIME(6), INDEX (customer))",
    )
    .await;
    let tickets = values((1..=people).flat_map(|n| {
        (0..=n % 4)
            .map(move |ticket| format!("({}, {n}, 'Words {n}', '2026-01-01')", n * 10 + ticket))
    }));
    desk.run(&format!("INSERT INTO tickets VALUES {tickets}")).await;
    let news = company.add_system("news", Kind::Sqlite, &map(NEWS)).await;
    news.run("CREATE TABLE subscriptions (id INTEGER PRIMARY KEY, email TEXT, opened_at TEXT)")
        .await;
    let subscriptions = values((1..=people).flat_map(|n| {
        (0..=n % 2).map(move |one| {
            format!("({}, 'p{n}@mail.example', '2026-01-01T00:00:00Z')", n * 10 + one)
        })
    }));
    news.run(&format!("INSERT INTO subscriptions VALUES {subscriptions}")).await;
    company
}

pub type Rows = BTreeMap<i64, i64>;

/// How many rows each person has, by plain SQL.
async fn rows_of(company: &Company, system: &str, text: &str) -> Rows {
    let rows = company.database(system).rows(text).await;
    let pairs = rows.iter().map(|row| {
        let (person, count) = row.split_once('|').unwrap();
        (person.parse().unwrap(), count.parse().unwrap())
    });
    pairs.collect()
}

/// Rows of each person by system and collection.
pub struct Belongings {
    pub customers: Rows,
    pub orders: Rows,
    pub tickets: Rows,
    pub subscriptions: Rows,
}

pub async fn belongings(company: &Company) -> Belongings {
    let by_address = "SELECT CAST(CAST(substr(email, 2, instr(email, '@') - 2) AS INTEGER) AS TEXT), CAST(count(*) AS TEXT) FROM subscriptions GROUP BY 1";
    Belongings {
        customers: rows_of(
            company,
            "shop",
            "SELECT id::text, '1' FROM customers WHERE email NOT LIKE 'erased-%'",
        )
        .await,
        orders: rows_of(
            company,
            "shop",
            "SELECT customer_id::text, count(*)::text FROM orders GROUP BY customer_id",
        )
        .await,
        tickets: rows_of(
            company,
            "desk",
            "SELECT CAST(customer AS CHAR), CAST(count(*) AS CHAR) FROM tickets WHERE words IS NOT NULL GROUP BY customer",
        )
        .await,
        subscriptions: rows_of(company, "news", by_address).await,
    }
}
