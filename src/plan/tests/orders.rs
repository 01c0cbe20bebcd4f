//! The order that loses its delivery address after months and its invoice part after tax years.

use super::super::{FindingKind, RecordState, State, StepStatus};
use super::fixture::*;
use quietus_connectors::{Predicate, Value};

#[test]
fn an_order_loses_its_address_first_and_goes_after_the_eighth_calendar_year() {
    let order = order_of_2020();
    let before = shop().at("2020-06-03T08:59:59.999999Z").fate("orders", &order);
    assert!(before.untouched(), "{before:?}");
    // 90 days after 2020-03-05 11:00 in Berlin is 11:00 there, one hour earlier in UTC.
    let after = shop().at("2020-06-03T09:00:00Z").fate("orders", &order);
    assert_eq!(after.cleared, ["delivery"]);
    assert!(!after.goes && !after.restricted);
    let kept = shop().at("2021-01-01T00:00:00Z").fate("orders", &order);
    assert_eq!((kept.goes, kept.restricted), (false, true));
    assert!(kept.probes.contains("minimum:invoice:ao-147"), "{kept:?}");
    assert_eq!(kept.cleared, ["delivery"]);
    let last = shop().at("2028-12-31T22:59:59.999999Z").fate("orders", &order);
    assert_eq!((last.goes, last.restricted), (false, true));
    let gone = shop().at("2028-12-31T23:00:00Z").fate("orders", &order);
    assert_eq!((gone.goes, gone.restricted), (true, false));
    assert_eq!(gone.cleared, ["delivery", "invoice"]);
}

#[test]
fn the_explanation_names_start_purpose_minimum_and_both_dates() {
    let world = shop().at("2021-01-01T00:00:00Z");
    let explained = world.explain("orders", &order_of_2020());
    let delivery = &explained.categories[0];
    assert_eq!(delivery.state, State::Due);
    assert_eq!(delivery.purpose_end, Some(moment("2020-06-03T09:00:00Z")));
    let invoice = &explained.categories[1];
    assert_eq!(invoice.purpose_end, Some(moment("2020-09-05T09:00:00Z")));
    assert_eq!(invoice.erase_at, Some(moment("2028-12-31T23:00:00Z")));
    let State::KeptByMinimum { citation, until, .. } = &invoice.state else {
        panic!("{:?}", invoice.state)
    };
    assert_eq!(citation, "AO § 147(3)");
    assert_eq!(*until, Some(moment("2028-12-31T23:00:00Z")));
    assert_eq!(explained.record, RecordState::DueOn { at: moment("2028-12-31T23:00:00Z") });
    assert_eq!(world.fields_needed("orders"), ["completed_at", "invoiced_on"]);
}

#[test]
fn an_absent_start_of_a_minimum_keeps() {
    let mut order = order_of_2020();
    order.insert("invoiced_on".to_owned(), Value::Null);
    let fate = shop().at("2099-01-01T00:00:00Z").fate("orders", &order);
    assert_eq!((fate.goes, fate.restricted), (false, true));
    let explained = shop().at("2099-01-01T00:00:00Z").explain("orders", &order);
    assert!(matches!(explained.categories[1].state, State::KeptByMinimum { until: None, .. }));
    assert_eq!(explained.record, RecordState::Stays { categories: vec![category("invoice")] });
}

#[test]
fn an_absent_start_of_a_rule_keeps_and_is_counted() {
    let mut order = order_of_2020();
    order.remove("completed_at");
    let fate = shop().at("2099-01-01T00:00:00Z").fate("orders", &order);
    assert!(fate.untouched());
    assert!(fate.probes.contains("no-starting-point:delivery"));
    assert!(!fate.probes.contains("not-yet:delivery"));
}

#[test]
fn a_line_counts_from_its_order_which_goes_after_it() {
    let world = shop().at("2026-06-01T00:00:00Z");
    let line =
        record(&[("id", Value::Integer(1)), ("order.completed_at", at("2020-03-05T10:00:00Z"))]);
    assert!(world.fate("lines", &line).goes);
    let young =
        record(&[("id", Value::Integer(1)), ("order.completed_at", at("2026-05-05T10:00:00Z"))]);
    let fate = world.fate("lines", &young);
    assert!(fate.untouched() && fate.probes.contains("not-yet:delivery"));
    assert!(world.instruction("lines").links[0].needed);
    assert!(!world.instruction("orders").links[0].needed);
    assert_eq!(world.fields_needed("lines"), ["order.completed_at"]);
}

#[test]
fn without_a_way_to_restrict_the_plan_says_so() {
    let mut world = shop();
    let shop = world.map.systems.get_mut(&system_name()).unwrap();
    shop.collections.get_mut(&collection_name("orders")).unwrap().restriction = None;
    let compiled = world.compiled();
    let found = |kind| compiled.findings.iter().filter(|one| one.kind == kind).count();
    assert_eq!(found(FindingKind::NoRestriction), 1);
    assert_eq!(world.instruction("orders").restrict_when, Predicate::Never);
    assert!(!world.fate("orders", &order_of_2020()).restricted);
}

#[test]
fn steps_cite_rule_limits_starts_and_cutoffs() {
    let compiled = shop().at("2026-06-01T00:00:00Z").compiled();
    let step = compiled
        .steps
        .iter()
        .find(|one| one.collection.as_str() == "orders" && one.category.as_str() == "invoice")
        .unwrap();
    assert_eq!(step.status, StepStatus::Acting);
    assert_eq!(step.rule.as_ref().unwrap().version, "2026.1");
    assert_eq!(step.start[0].read_from, "field `completed_at`");
    assert_eq!(step.limits[0].citation, "AO § 147(3)");
    let json = serde_json::to_string(&step.limits[0].start).unwrap();
    assert_eq!(json, r#"[{"read_from":"field `invoiced_on`","cutoff":{"day":"2017-12-31"}}]"#);
    assert_eq!(step.fields, ["invoice_name"]);
}

#[test]
fn a_field_that_rules_read_stays_until_its_record_goes() {
    let mut world = shop();
    let shop = world.map.systems.get_mut(&system_name()).unwrap();
    let orders = shop.collections.get_mut(&collection_name("orders")).unwrap();
    let completed = orders.fields.get_mut("completed_at").unwrap();
    completed.class = crate::datamap::FieldClass::Category(category("delivery"));
    let instruction = world.instruction("orders");
    let delivery = instruction.treatments.iter().find(|one| one.category == "delivery").unwrap();
    let fields: Vec<&str> = delivery.fields.iter().map(|one| one.field.as_str()).collect();
    assert_eq!(fields, ["delivery_address"]);
    let compiled = world.compiled();
    let finding = compiled.findings.iter().find(|one| one.kind == FindingKind::FieldSteers);
    assert!(finding.unwrap().message.contains("`completed_at`"));
}

#[test]
fn what_children_read_of_a_parent_is_not_cleared_before_them() {
    let mut world = shop().at("2026-06-01T00:00:00Z");
    let shop = world.map.systems.get_mut(&system_name()).unwrap();
    let customers = shop.collections.get_mut(&collection_name("customers")).unwrap();
    let country = customers.fields.get_mut("country").unwrap();
    country.class = crate::datamap::FieldClass::Category(category("contact"));
    let treated = |world: &World| {
        let contact = world.instruction("customers").treatments.remove(0);
        contact.fields.into_iter().map(|one| one.field).collect::<Vec<_>>()
    };
    assert_eq!(treated(&world), ["country", "email"]);
    // A minimum on orders in Germany needs the customer's country as long as an order stays.
    world.rules.limits[0].when = crate::schedule::Condition::Compare {
        attribute: "country".to_owned(),
        comparison: quietus_connectors::Comparison::Equal,
        literal: crate::schedule::condition::Literal::Text("DE".to_owned()),
    };
    assert_eq!(treated(&world), ["email"]);
    assert!(world.instruction("orders").links[0].needed);
}
