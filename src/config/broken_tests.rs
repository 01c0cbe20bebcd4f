//! A folder with many mistakes: all of them are told at once.

use super::*;

const INSTANCE: &str = r#"controler:
  name: Typo
controller:
  name: ""
  zone: Europe/Berln
  country: Germany
listen: localhost
workers: 500
tokens:
  - {name: audit, role: auditer, secret: env:AUDIT}
  - {name: op, role: operator, secret: "postgres:plain"}
log: {format: xml}
evidence: {origin: "https://example.com/log"}
"#;

const SYSTEM: &str = r#"system: crm
kind: postgres
owner: CRM team
connection: {url: "postgres://crm:hunter2@db/crm"}
pace: {chunk_records: 5000000}
collections:
  customers:
    key: [id, nr]
    fields:
      id: {type: integer, category: account.contact}
      email: {type: text, category: acount.contact, identity: email, clear: {unique: "x"}}
      name: {type: text, category: account.contact, clear: {redact: ""}}
      zip: {type: txt, category: account.contact}
      score: {type: decimal, category: account.contact, anonymise: month}
      born_on: {type: date, category: account.contact, exempt: both, clear: {constant: soon}}
      note: {type: text}
      created_at: {type: timestamp, category: account.contact}
      active: yes
      country: {type: text, category: account.address}
    starting_points:
      collection: created_at
      relationship.ended: emial
      left: {event: customer.left}
    restrict: {flag: email, move: nowhere}
  orders:
    key: id
    fields:
      id: {type: integer}
      customer_id: {type: integer}
      amount: {type: decimal, category: order.invoice}
      amount: {type: decimal, category: order.invoice}
      completed_at: {type: timestamp}
    links:
      customer: {to: customer, fields: {customer_id: id}}
      bill: {to: billing.bills, fields: {id: id}}
    starting_points:
      order.completed: completed_at
      shipped: customr.created_at
  visits:
    key: id
    fields:
      id: {type: integer}
      page: {type: text, category: web.visits}
    starting_points: {collection: page}
exempt:
  - {collection: orders, reason: " "}
"#;

const PACK: &str = r#"pack: base
version: 1
owner: Ada Example
categories:
  account.contact: {purpose: Reach the customer}
  account.address: {purpose: Deliver}
  order.invoice: {purpose: Taxes}
  web.visits: {purpose: Statistics}
  unused: {purpose: Nothing}
schedules:
  nightly: {cron: "0 0 30 2 *", windows: ["22:00-22:00", "25:00-26:00"], blackouts: [{from: 2026-12-31, to: 2026-12-01}]}
  hourly: {cron: "@hourly", zone: CET+1}
schedule: nightli
cap: {records: 0, share: 110%}
rules:
  - rule: contact
    category: account.contact
    systems: [crn]
    starting_point: order.completed
    period: 6m
    action: delete
    when: country = DE
  - rule: invoice
    category: order.invoice
    starting_point: order.completd
    period: P20Y
    action: restrict
    grace: P2Y
    when: amount = "ten" and colour is null
    basis: {citation: "AO § 147"}
  - rule: invoice
    category: unused
    period: P1Y
    starting_point: collection
    action: erase
    basis: {note: no citation}
minimums:
  - {name: min, category: order.invoice, starting_point: order.completed, period: P10Y, round: end_of_calendar_year, jurisdiction: DE, citation: HGB § 257, valid_from: 2025-02-30}
maximums:
  - {name: max, category: order.invoice, starting_point: order.completed, period: P5Y, jurisdiction: XX, citation: Law 1, valid_from: 2026-01-01, valid_to: 2025-01-01}
exemptions:
  - {category: web.visits, reason: "", owner: TO-DECIDE}
"#;

fn broken() -> Problems {
    let folder = folder(&[
        ("quietus.yaml", INSTANCE),
        ("systems/crm.yaml", SYSTEM),
        ("systems/torn.yaml", "system: torn\n  kind: [sqlite\n"),
        ("systems/empty.yaml", "# nothing yet\n"),
        ("schedules/base.yaml", PACK),
    ]);
    load(folder.path()).unwrap_err()
}

#[test]
fn all_mistakes_are_told_at_once() {
    insta::assert_snapshot!(report::short(&broken()));
}

#[test]
fn the_place_is_underlined_and_secrets_are_not_shown() {
    let text = report::human(&broken(), false);
    assert!(!text.contains("hunter2"), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn machines_read_the_same() {
    let problems = broken();
    let answer = report::json(&problems);
    assert_eq!(answer.as_array().map(Vec::len), Some(problems.found.len()));
    assert!(!answer.to_string().contains("hunter2"));
    let period = answer.as_array().unwrap().iter().find(|it| it["path"] == "rules[0].period");
    assert_eq!(period.unwrap()["message"], "`6m` is no period");
    assert_eq!(period.unwrap()["line"], 20);
}
