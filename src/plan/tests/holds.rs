//! Legal holds of every kind: what might be held is never touched.

use std::collections::BTreeMap;

use quietus_connectors::{FieldType, Predicate, Value};

use super::super::{FindingKind, RecordState, StepStatus};
use super::fixture::*;
use crate::domain::HoldScope;

fn held_shop(scope: HoldScope) -> World {
    let mut world = shop().at("2040-01-01T00:00:00Z");
    world.holds = vec![hold(1, scope)];
    world
}

fn subject(identity: &str, value: Value) -> HoldScope {
    HoldScope { subject: Some((identity.to_owned(), value)), ..HoldScope::default() }
}

#[test]
fn a_hold_without_parts_covers_everything() {
    let world = held_shop(HoldScope::default());
    assert!(world.fate("orders", &order_of_2020()).untouched());
    assert!(world.compiled().steps.iter().all(|one| matches!(one.status, StepStatus::Held { .. })));
}

#[test]
fn a_hold_on_a_system_or_collection_covers_it_alone() {
    let scope = HoldScope { collection: Some(collection_name("orders")), ..HoldScope::default() };
    let world = held_shop(scope);
    assert_eq!(world.instruction("orders").held, Predicate::Always);
    assert_eq!(world.instruction("lines").held, Predicate::Never);
    let world = held_shop(HoldScope { system: Some(system_name()), ..HoldScope::default() });
    assert!(world.fate("orders", &order_of_2020()).untouched());
}

#[test]
fn a_hold_on_a_category_keeps_it_and_the_record_but_not_the_other_fields() {
    let world =
        held_shop(HoldScope { category: Some(category("delivery")), ..HoldScope::default() });
    let fate = world.fate("orders", &order_of_2020());
    assert!(!fate.goes);
    assert_eq!(fate.cleared, ["invoice"]);
    assert!(fate.probes.contains("held:delivery"));
    assert!(matches!(world.explain("orders", &order_of_2020()).record, RecordState::Held { .. }));
    let customer = record(&[("last_login_at", at("2000-01-01T00:00:00Z"))]);
    assert!(world.fate("customers", &customer).goes);
}

#[test]
fn a_hold_on_a_record_covers_that_record_alone() {
    let key = BTreeMap::from([("id".to_owned(), Value::Integer(7))]);
    let scope = HoldScope {
        system: Some(system_name()),
        collection: Some(collection_name("orders")),
        record: Some(key),
        ..HoldScope::default()
    };
    let world = held_shop(scope.clone());
    let mut order = order_of_2020();
    assert!(world.fate("orders", &order).untouched());
    order.insert("id".to_owned(), Value::Integer(8));
    assert!(world.fate("orders", &order).goes);
    // A key that does not fit leaves everything alone.
    let odd = BTreeMap::from([("number".to_owned(), Value::Integer(7))]);
    let world = held_shop(HoldScope { record: Some(odd), ..scope });
    assert!(world.fate("orders", &order).untouched());
    let compiled = world.compiled();
    assert!(compiled.findings.iter().any(|one| one.kind == FindingKind::HoldNotReadable));
}

#[test]
fn a_hold_on_a_person_reaches_records_through_links() {
    let mut world = held_shop(subject("email", text("grace@example.org")));
    world.holds.push(hold(2, subject("email", text("alan@example.org"))));
    let mut order = order_of_2020();
    assert!(world.fate("orders", &order).untouched());
    assert!(world.fields_needed("orders").contains(&"customer.email".to_owned()));
    order.insert("customer.email".to_owned(), text("edsger@example.org"));
    assert!(world.fate("orders", &order).goes);
    let mut line = record(&[
        ("order.completed_at", at("2020-03-05T10:00:00Z")),
        ("order.customer.email", text("alan@example.org")),
    ]);
    assert!(world.fate("lines", &line).untouched());
    line.remove("order.customer.email");
    assert!(world.fate("lines", &line).goes);
    assert!(world.instruction("orders").links[0].needed);
    assert!(world.instruction("lines").links[0].needed);
    let plan = world.plan();
    let stored = serde_json::to_string(&plan).unwrap();
    assert!(!stored.contains("example.org") && !format!("{plan:?}").contains("example.org"));
}

#[test]
fn a_hold_on_a_person_who_cannot_be_told_covers_all() {
    let world = held_shop(subject("msisdn", text("+490000000")));
    for collection in ["orders", "customers", "lines"] {
        assert_eq!(world.instruction(collection).held, Predicate::Always);
    }
    let compiled = world.compiled();
    let found: Vec<_> =
        compiled.findings.iter().filter(|one| one.kind == FindingKind::HoldNotReadable).collect();
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|one| !one.message.contains("+49")));
}

#[test]
fn a_hold_on_a_category_of_a_person_keeps_that_category_of_her_records() {
    let scope = HoldScope {
        category: Some(category("delivery")),
        ..subject("email", text("grace@example.org"))
    };
    let world = held_shop(scope);
    let mut order = order_of_2020();
    let fate = world.fate("orders", &order);
    assert!(!fate.goes);
    assert_eq!(fate.cleared, ["invoice"]);
    order.insert("customer.email".to_owned(), text("alan@example.org"));
    assert!(world.fate("orders", &order).goes);
}

#[test]
fn a_released_hold_holds_nothing_and_a_later_one_does() {
    let mut world = held_shop(HoldScope::default());
    world.holds[0].released_at = Some(moment("2026-02-01T00:00:00Z"));
    assert!(world.fate("orders", &order_of_2020()).goes);
    // Placed after the plan's moment: a job that is compiled later must still respect it.
    world.holds[0].released_at = None;
    world.holds[0].placed_at = moment("2041-01-01T00:00:00Z");
    assert!(world.fate("orders", &order_of_2020()).untouched());
}

#[test]
fn a_person_known_by_a_field_of_another_category_keeps_the_whole_record() {
    let scope = HoldScope {
        category: Some(category("delivery")),
        ..subject("email", text("grace@example.org"))
    };
    let mut world = held_shop(scope);
    let system = world.map.systems.get_mut(&system_name()).unwrap();
    let orders = system.collections.get_mut(&collection_name("orders")).unwrap();
    let known_by = identity("email", field("contact_email", FieldType::Text, "invoice"));
    orders.fields.insert(known_by.name.clone(), known_by);
    let mut order = order_of_2020();
    order.insert("customer.email".to_owned(), text("alan@example.org"));
    order.insert("contact_email".to_owned(), text("grace@example.org"));
    assert!(world.fate("orders", &order).untouched());
    order.insert("contact_email".to_owned(), text("alan@example.org"));
    assert!(world.fate("orders", &order).goes);
}

/// A customer whose contact data are due, so that without a hold the email is lost.
fn customer(email: &str) -> quietus_connectors::Record {
    record(&[
        ("id", Value::Integer(1)),
        ("email", text(email)),
        ("last_login_at", at("2000-01-01T00:00:00Z")),
    ])
}

#[test]
fn a_person_whom_a_hold_on_other_records_names_keeps_her_name() {
    for scope in [
        HoldScope {
            collection: Some(collection_name("orders")),
            ..subject("email", text("grace@example.org"))
        },
        HoldScope {
            category: Some(category("invoice")),
            ..subject("email", text("grace@example.org"))
        },
        HoldScope {
            collection: Some(collection_name("lines")),
            ..subject("email", text("grace@example.org"))
        },
    ] {
        let mut world = held_shop(scope);
        assert!(world.fate("customers", &customer("grace@example.org")).untouched());
        assert!(world.fate("customers", &customer("alan@example.org")).goes);
        assert!(world.fields_needed("customers").contains(&"email".to_owned()));
        // Where the email goes with its record alone, no order can lose it first.
        let shop = world.map.systems.get_mut(&system_name()).unwrap();
        let customers = shop.collections.get_mut(&collection_name("customers")).unwrap();
        let kept = identity("email", field("email", FieldType::Text, "!a login name"));
        customers.fields.insert(kept.name.clone(), kept);
        let other = field("nickname", FieldType::Text, "contact");
        customers.fields.insert(other.name.clone(), other);
        assert!(world.fate("customers", &customer("grace@example.org")).goes);
        assert!(world.instruction("lines").links[0].needed);
    }
}
