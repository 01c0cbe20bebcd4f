//! The same as one order to the connector, and the looks before and after it.

use std::sync::atomic::Ordering;
use std::time::Instant;

use async_trait::async_trait;
use quietus_connectors::{
    Connector, Cutoff, Direction, FieldRef, FieldTreatment, FieldType, Instruction, KeyList, Link,
    LinkKind, MappedField, Order, Pace, Predicate, Progress, ProgressReport, Receipt, Restriction,
    Settings, Stored, Strategy, Treatment, TreatmentKind, Value, open,
};

use crate::{Measured, peak_kib, statements};

struct Onward;

#[async_trait]
impl Progress for Onward {
    async fn committed(&self, _report: ProgressReport<'_>) -> Direction {
        Direction::Continue
    }
}

/// Previews, executes or verifies. What is changed by a verification is what it found.
pub(crate) async fn work(part: &str, kind: &str, url: &str, subjects: &[String]) -> Measured {
    let settings = Settings {
        system: "shop".to_owned(),
        url: url.to_owned().into(),
        progress_table: "quietus_progress".to_owned(),
    };
    let connector: Box<dyn Connector> = open(kind, settings).expect("good settings");
    let mut order = order(kind, subjects);
    if part == "first" {
        "first".clone_into(&mut order.key);
    }
    let sent = statements::count();
    let started = Instant::now();
    let changed = match part {
        "preview" => {
            let counts = connector.preview(&order).await.expect("a preview");
            assert!(counts.refusals.is_empty() && counts.drift.is_empty(), "{counts:?}");
            counts.collections.iter().map(|one| one.delete).sum()
        }
        "verify" => {
            let found = connector.verify(&order).await.expect("a verification");
            found.survivors.iter().map(|one| one.records).sum()
        }
        _ => {
            let receipt = connector.execute(&order, &Onward).await;
            let Ok(Receipt::Done(outcome)) = receipt else { panic!("not done: {receipt:?}") };
            outcome.changed()
        }
    };
    let took = started.elapsed();
    Measured { changed, took, peak_kib: peak_kib(), statements: sent.load(Ordering::Relaxed) }
}

/// The record belongs to one of the persons to whom these links lead.
fn belongs(via: &[&str]) -> Predicate {
    let via = via.iter().map(|&name| name.to_owned()).collect();
    Predicate::Listed { fields: vec![FieldRef { via, field: "email".to_owned() }], list: 0 }
}

/// The years for which the law wants the order are over.
fn over(via: &[&str]) -> Predicate {
    let via = via.iter().map(|&name| name.to_owned()).collect();
    let cutoff = Cutoff::Day("2016-01-01".parse().expect("a day"));
    Predicate::LatestAtOrBefore(vec![(FieldRef { via, field: "paid_on".to_owned() }, cutoff)])
}

fn collection(
    kind: &str,
    name: &str,
    key: &[&str],
    fields: &[(&str, FieldType)],
    links: &[(&str, &str)],
) -> Instruction {
    let source = if kind == "postgresql" { format!("public.{name}") } else { name.to_owned() };
    let mapped = |&(name, field_type): &(&str, FieldType)| MappedField {
        name: name.to_owned(),
        field_type,
        stored: Stored::Native,
        zone: "UTC".to_owned(),
        ignores_case: false,
    };
    let link = |&(to, own): &(&str, &str)| Link {
        name: to.to_owned(),
        to: to.to_owned(),
        fields: vec![(own.to_owned(), "id".to_owned())],
        kind: LinkKind::Deep,
        needed: false,
        clear: Vec::new(),
    };
    Instruction {
        fields: fields.iter().map(mapped).collect(),
        links: links.iter().map(link).collect(),
        ..Instruction::idle(name, source, key.iter().copied())
    }
}

fn cleared(category: &str, due: Predicate, fields: &[&str]) -> Treatment {
    let emptied =
        |field: &&str| FieldTreatment { field: (*field).to_owned(), strategy: Strategy::Null };
    Treatment {
        category: category.to_owned(),
        kind: TreatmentKind::Clear,
        due,
        fields: fields.iter().map(emptied).collect(),
    }
}

fn order(kind: &str, subjects: &[String]) -> Order {
    use FieldType::{Boolean, Date, Integer, Text};
    let users = [("id", Integer), ("email", Text), ("name", Text), ("street", Text)];
    let mut users = collection(kind, "users", &["id"], &users, &[]);
    users.delete_when = belongs(&[]);
    users.treatments = vec![cleared("contact", belongs(&[]), &["name", "street"])];
    let orders = [
        ("id", Integer),
        ("user_id", Integer),
        ("paid_on", Date),
        ("note", Text),
        ("restricted", Boolean),
    ];
    let mut orders = collection(kind, "orders", &["id"], &orders, &[("users", "user_id")]);
    orders.delete_when = Predicate::all([belongs(&["users"]), over(&[])]);
    orders.treatments = vec![cleared("notes", belongs(&["users"]), &["note"])];
    orders.restriction = Some(Restriction::Flag { field: "restricted".to_owned() });
    orders.restrict_when = Predicate::all([belongs(&["users"]), over(&[]).negate()]);
    let lines = [("order_id", Integer), ("line", Integer), ("article", Text)];
    let mut lines =
        collection(kind, "order_lines", &["order_id", "line"], &lines, &[("orders", "order_id")]);
    lines.delete_when = Predicate::all([belongs(&["orders", "users"]), over(&["orders"])]);
    let tickets = [("id", Integer), ("user_id", Integer), ("body", Text)];
    let mut tickets = collection(kind, "tickets", &["id"], &tickets, &[("users", "user_id")]);
    tickets.delete_when = belongs(&["users"]);
    let events = [("id", Integer), ("user_id", Integer), ("kind", Text)];
    let mut events = collection(kind, "events", &["id"], &events, &[("users", "user_id")]);
    events.delete_when = belongs(&["users"]);
    Order {
        key: "bench".to_owned(),
        attempt: 1,
        moment: "2026-06-01T00:00:00Z".parse().expect("a moment"),
        instructions: vec![users, orders, lines, tickets, events],
        lists: vec![KeyList {
            types: vec![Text],
            entries: subjects.iter().map(|one| vec![Value::Text(one.clone())]).collect(),
        }],
        pace: Pace::default(),
        most_records: None,
        persons: None,
    }
}
