//! A request of a person against a real database: found to a fixed point, erased but for what a
//! minimum and a hold keep, verified, and the rest when its date has come.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use quietus::config::{Loaded, load};
use quietus::domain::{HoldScope, LegalHold, SystemName};
use quietus::plan::{
    Acting, EventKeys, Lesson, Marks, Person, PersonScope, PlanInput, compile, learn, questions,
    scope_of,
};
use quietus_connectors::{
    Connector, Direction, Order, Progress, ProgressReport, Receipt, Settings, SubjectAction, Value,
};
use secrecy::SecretString;
use sqlx::{Connection as _, Executor as _, Row as _};
use uuid::Uuid;

const INSTANCE: &str = "controller: {name: Example Shop GmbH, zone: Europe/Berlin, country: DE}\n";

const SYSTEM: &str = r"system: shop
kind: sqlite
owner: Shop team
connection: {url: 'sqlite:shop.db'}
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
      email: {type: text, category: delivery, identity: email}
      address: delivery
      invoice_name: invoice
      invoiced_on: {type: date}
      restricted: {type: boolean}
    links:
      customer: {to: customers, fields: {customer_id: id}, kind: deep}
    starting_points: {collection: invoiced_on}
    restrict: {flag: restricted}
  tickets:
    key: id
    fields:
      id: {type: integer}
      email: {type: text, category: contact, identity: email}
      words: contact
      opened_at: {type: timestamp}
    starting_points: {collection: opened_at}
";

const PACK: &str = r"pack: rules
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
  - {rule: contact, category: contact, starting_point: collection, period: P9Y, action: erase, basis: {citation: contract}}
  - {rule: delivery, category: delivery, starting_point: collection, period: P9Y, action: erase, basis: {citation: contract}}
  - {rule: invoice, category: invoice, starting_point: collection, period: P9Y, action: erase, basis: {citation: contract}}
minimums:
  - {name: ao-147, category: invoice, starting_point: collection, period: P8Y, round: end_of_calendar_year, jurisdiction: DE, citation: AO 147}
";

const CONTENT: &str = "
CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT, created_at TEXT, restricted BOOLEAN);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers (id), email TEXT,
    address TEXT, invoice_name TEXT, invoiced_on TEXT, restricted BOOLEAN);
CREATE TABLE tickets (id INTEGER PRIMARY KEY, email TEXT, words TEXT, opened_at TEXT);
INSERT INTO customers VALUES (1, 'Grace@example.org', 'Grace Example', '2024-01-01T00:00:00Z', NULL),
    (2, 'alan@example.org', 'Alan Example', '2024-01-01T00:00:00Z', NULL);
INSERT INTO orders VALUES
    (11, 1, NULL, 'Example Street 1', 'Grace Example', '2025-05-01', NULL),
    (12, 1, NULL, 'Example Street 1', 'Grace Example', '2012-05-01', NULL),
    (13, NULL, 'grace@example.org', 'Example Street 1', 'Grace Example', '2025-05-01', NULL),
    (21, 2, 'alan@example.org', 'Example Street 2', 'Alan Example', '2012-05-01', NULL);
INSERT INTO tickets VALUES (31, 'grace@example.org', 'help', '2026-01-01T00:00:00Z'),
    (32, 'grace@example.org', 'court', '2026-01-01T00:00:00Z'), (33, 'alan@example.org', 'help', NULL);
";

struct Onwards;

#[async_trait]
impl Progress for Onwards {
    async fn committed(&self, _: ProgressReport<'_>) -> Direction {
        Direction::Continue
    }
}

/// What a plan is made from, beside rules and map.
struct Around {
    zone: TimeZone,
    holds: Vec<LegalHold>,
    events: EventKeys,
    marks: Marks,
    paused: BTreeSet<quietus::domain::RuleName>,
}

impl Around {
    fn new() -> Self {
        let scope = HoldScope {
            collection: Some(quietus::domain::CollectionName::parse("tickets").unwrap()),
            record: Some(BTreeMap::from([("id".to_owned(), Value::Integer(32))])),
            ..HoldScope::default()
        };
        let hold = LegalHold {
            id: Uuid::from_u128(1),
            matter: "matter-1".to_owned(),
            scope,
            reason: "dispute".to_owned(),
            placed_by: "Ada Example".to_owned(),
            placed_at: moment("2026-02-01T00:00:00Z"),
            review_on: None,
            released_at: None,
        };
        Self {
            zone: TimeZone::get("Europe/Berlin").unwrap(),
            holds: vec![hold],
            events: EventKeys::default(),
            marks: Marks::new(),
            paused: BTreeSet::new(),
        }
    }

    fn input<'a>(
        &'a self,
        loaded: &'a Loaded,
        at: &str,
        persons: Option<&'a PersonScope>,
    ) -> PlanInput<'a> {
        PlanInput {
            map: &loaded.data_map,
            identities: &loaded.instance.identities,
            rules: &loaded.rules,
            limits: &loaded.rules.limits,
            zone: &self.zone,
            moment: moment(at),
            today: self.zone.to_datetime(moment(at)).date(),
            holds: &self.holds,
            events: &self.events,
            marks: &self.marks,
            paused: &self.paused,
            acting: &Acting::Everything,
            persons,
        }
    }
}

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn shop() -> SystemName {
    SystemName::parse("shop").unwrap()
}

fn write(folder: &Path) {
    for (name, text) in
        [("quietus.yaml", INSTANCE), ("systems/shop.yaml", SYSTEM), ("schedules/rules.yaml", PACK)]
    {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

async fn rows(url: &str, statement: &'static str) -> Vec<String> {
    let mut connection = sqlx::SqliteConnection::connect(url).await.unwrap();
    let rows = connection.fetch_all(statement).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0)).collect()
}

/// Asks until nothing is new.
async fn resolve(
    connector: &dyn Connector,
    input: &PlanInput<'_>,
    loaded: &Loaded,
    persons: &mut [Person],
) -> Lesson {
    for _ in 0..5 {
        let asking = questions(input, &shop(), persons).unwrap();
        let answers = connector.resolve(&asking.order, &asking.questions).await.unwrap();
        let lesson = learn(input, &loaded.instance.identities, &shop(), &answers, persons).unwrap();
        if !lesson.news {
            return lesson;
        }
    }
    panic!("no end");
}

async fn carry_out(connector: &dyn Connector, order: &Order) {
    let counts = connector.preview(order).await.unwrap();
    assert_eq!((counts.drift.len(), counts.refusals), (0, Vec::new()));
    let receipt = connector.execute(order, &Onwards).await.unwrap();
    assert!(matches!(receipt, Receipt::Done(_)), "{receipt:?}");
    let verification = connector.verify(order).await.unwrap();
    assert_eq!(verification.survivors, []);
}

#[tokio::test]
async fn a_person_goes_but_for_what_is_kept_and_that_goes_on_its_date() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("shop.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    connection.execute(CONTENT).await.unwrap();
    connection.close().await.unwrap();
    let loaded = load(folder.path()).map_err(|problems| problems.to_string()).unwrap();
    let settings = Settings {
        system: "shop".to_owned(),
        url: SecretString::from(url.clone()),
        progress_table: "quietus_progress".to_owned(),
    };
    let connector = quietus_connectors::open("sqlite", settings).unwrap();
    let around = Around::new();

    let now = "2026-11-23T10:00:00Z";
    let mut persons = [Person::new("p1")];
    let types = &loaded.instance.identities;
    // As it was typed. The system has it in two other spellings.
    persons[0].add(&types.of("email"), " Grace@example.org").unwrap();
    let lesson =
        resolve(&*connector, &around.input(&loaded, now, None), &loaded, &mut persons).await;
    assert!(lesson.ambiguities.is_empty() && lesson.too_many.is_empty());
    let found: u64 = lesson.found.values().sum();
    assert_eq!(found, 6);
    assert_eq!(lesson.kept.len(), 1);
    assert_eq!(
        (lesson.kept[0].records, lesson.kept[0].until),
        (2, Some(moment("2033-12-31T23:00:00Z")))
    );

    let scope = scope_of(SubjectAction::Erase, &persons, None, lesson.records);
    let input = around.input(&loaded, now, Some(&scope));
    let order = compile(&input, &shop()).unwrap().order("request-1", 1).unwrap();
    carry_out(&*connector, &order).await;
    let customers = "SELECT id || ' ' || coalesce(name, '-') || ' ' || (email LIKE '%@%') FROM customers ORDER BY id";
    assert_eq!(rows(&url, customers).await, ["1 - 0", "2 Alan Example 1"]);
    let orders = "SELECT id || ' ' || coalesce(email, '-') || ' ' || coalesce(address, '-') || ' ' || invoice_name || ' ' || coalesce(restricted, 0) FROM orders ORDER BY id";
    assert_eq!(
        rows(&url, orders).await,
        [
            "11 - - Grace Example 1",
            "13 - - Grace Example 1",
            "21 alan@example.org Example Street 2 Alan Example 0",
        ]
    );
    let tickets = "SELECT id || ' ' || words FROM tickets ORDER BY id";
    assert_eq!(rows(&url, tickets).await, ["32 court", "33 help"]);

    // The date comes and the hold is released: what was kept goes by the same scope.
    let mut around = around;
    around.holds.clear();
    let input = around.input(&loaded, "2034-01-01T00:00:00Z", Some(&scope));
    let order = compile(&input, &shop()).unwrap().order("request-1-kept", 1).unwrap();
    carry_out(&*connector, &order).await;
    assert_eq!(rows(&url, customers).await, ["2 Alan Example 1"]);
    assert_eq!(rows(&url, orders).await.len(), 1);
    assert_eq!(rows(&url, tickets).await, ["33 help"]);
}
