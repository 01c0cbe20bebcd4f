//! A club with its members in one database, which is copied and put back past the product.

use quietus::app::Quietus;
use quietus::domain::AskedRight;
use uuid::Uuid;

use crate::company::Company;
use crate::company::database::{Kind, take_away};
use crate::request::person::bring;

const DESK: &str = "collections:
  members:
    key: id
    fields:
      id: {type: integer}
      email: {type: text, category: contact, identity: email}
      name: contact
      opened_at: {type: timestamp}
      restricted: {type: boolean}
    starting_points: {collection: opened_at}
    restrict: {flag: restricted}
  visits:
    key: id
    fields:
      id: {type: integer}
      address: trace
      email: {type: text, category: trace, identity: email}
      seen_at: {type: timestamp}
    starting_points: {collection: seen_at}
";

const PACK: &str = "pack: rules
version: '1'
owner: Ada Example
categories:
  contact: {purpose: talk to people}
  trace: {purpose: keep the house safe}
schedules:
  nightly: {cron: '0 2 * * *'}
schedule: nightly
rules:
  - {rule: contact, category: contact, starting_point: collection, period: P90Y, action: erase, basis: {citation: contract}}
  - {rule: trace, category: trace, starting_point: collection, period: P30D, action: erase, basis: {citation: house rules}, cap: {records: 100, share: 100%}}
";

/// A company with the rules of the club.
async fn with_rules(store: Kind) -> Company {
    let company = Company::new(store).await;
    let instance = company.read("quietus.yaml");
    company
        .write("quietus.yaml", &format!("{instance}identities: {{email: {{normalise: email}}}}\n"));
    company.write("schedules/rules.yaml", PACK);
    company
}

/// Another instance of the same controller, which works on the same database.
pub async fn neighbour(of: &Company) -> Company {
    let mut company = with_rules(Kind::Sqlite).await;
    let url = format!("sqlite:{}", of.path("data/desk.db").display());
    company.connect_system("desk", (Kind::Sqlite, url), DESK);
    company
}

/// The database with so many members, and three visits of long ago beside two of far ahead.
pub async fn house(store: Kind, members: i64) -> Company {
    let mut company = with_rules(store).await;
    let desk = company.add_system("desk", Kind::Sqlite, DESK).await;
    let values: Vec<String> = (1..=members)
        .map(|n| format!("({n}, 'p{n}@mail.example', 'Name {n}', '2026-01-01T00:00:00Z', NULL)"))
        .collect();
    desk.run(&format!(
        "CREATE TABLE members (id INTEGER PRIMARY KEY, email TEXT, name TEXT, opened_at TEXT,
             restricted BOOLEAN);
         CREATE TABLE visits (id INTEGER PRIMARY KEY, address TEXT, email TEXT, seen_at TEXT);
         INSERT INTO members VALUES {};
         INSERT INTO visits VALUES (1, '192.0.2.1', NULL, '2020-01-01T00:00:00Z'),
             (2, '192.0.2.2', NULL, '2020-01-01T00:00:00Z'),
             (3, '192.0.2.3', NULL, '2020-01-01T00:00:00Z'),
             (4, '192.0.2.4', NULL, '2090-01-01T00:00:00Z'),
             (5, '192.0.2.5', NULL, '2090-01-01T00:00:00Z')",
        values.join(", ")
    ))
    .await;
    company
}

/// A copy of the database as it is now.
pub async fn copy(company: &Company, name: &str) {
    let to = company.path(name);
    company.database("desk").run(&format!("VACUUM INTO '{}'", to.display())).await;
}

/// Puts the copy in the place of the database.
pub fn put_back(company: &Company, name: &str) {
    let file = company.path("data/desk.db");
    take_away(&file);
    std::fs::copy(company.path(name), file).unwrap();
}

/// Members, as `number` and whether they are restricted; visits as `visit number`.
pub async fn rows(company: &Company) -> Vec<String> {
    let text = "SELECT id || CASE WHEN restricted THEN ' restricted' ELSE '' END FROM members
         UNION ALL SELECT 'visit ' || id FROM visits";
    let mut rows = company.database("desk").rows(text).await;
    rows.sort();
    rows
}

/// Somebody of the club asks for something.
pub async fn ask(product: &Quietus, asked: AskedRight, number: i64) -> Uuid {
    bring(product, asked, ("email", format!("p{number}@mail.example"))).await
}
