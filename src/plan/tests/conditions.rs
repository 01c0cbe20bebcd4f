//! Conditions: absent values, branches in order, validity of limits, what cannot be read.

use quietus_connectors::{Comparison, Predicate, Value};

use super::super::{FindingKind, State};
use super::fixture::*;
use crate::schedule::condition::Literal;
use crate::schedule::{Action, Condition, Limit, RetentionRule};

fn country_is(code: &str) -> Condition {
    Condition::Compare {
        attribute: "country".to_owned(),
        comparison: Comparison::Equal,
        literal: Literal::Text(code.to_owned()),
    }
}

#[test]
fn a_record_takes_the_first_rule_whose_condition_holds() {
    let mut world = shop().at("2020-06-10T00:00:00Z");
    world.rules.rules = vec![
        RetentionRule {
            when: country_is("DE"),
            ..rule("de", "delivery", "order.completed", "P1Y")
        },
        rule("others", "delivery", "order.completed", "P90D"),
        rule("invoice", "invoice", "order.completed", "P6M"),
    ];
    let mut order = order_of_2020();
    assert!(world.fate("orders", &order).cleared.is_empty());
    assert_eq!(world.explain("orders", &order).categories[0].rule, Some(rule_name("de")));
    order.insert("customer.country".to_owned(), text("FR"));
    assert_eq!(world.fate("orders", &order).cleared, ["delivery"]);
    // Without a country the first condition is false, and the record takes the second rule.
    order.insert("customer.country".to_owned(), Value::Null);
    assert_eq!(world.fate("orders", &order).cleared, ["delivery"]);
    assert!(world.instruction("orders").links[0].needed);
}

#[test]
fn a_negated_condition_holds_for_absent_values() {
    let mut world = shop().at("2026-06-01T00:00:00Z");
    world.rules.limits[0].when = Condition::Not(Box::new(country_is("FR")));
    let mut order = order_of_2020();
    assert!(!world.fate("orders", &order).goes);
    order.insert("customer.country".to_owned(), text("FR"));
    assert!(world.fate("orders", &order).goes);
    order.remove("customer.country");
    assert!(!world.fate("orders", &order).goes);
}

#[test]
fn records_that_no_condition_covers_stay_and_are_counted() {
    let mut world = shop();
    world.rules.rules[0].when = country_is("DE");
    let mut order = order_of_2020();
    order.insert("customer.country".to_owned(), text("FR"));
    let fate = world.fate("orders", &order);
    assert!(!fate.goes && fate.cleared.is_empty());
    assert!(fate.probes.contains("no-rule:delivery"));
    assert_eq!(world.explain("orders", &order).categories[0].state, State::NoRule);
}

#[test]
fn a_condition_that_cannot_be_read_keeps_and_stops_later_branches() {
    let mut world = shop().at("2099-01-01T00:00:00Z");
    let unknown = Condition::Absent("no_such_attribute".to_owned());
    world.rules.rules.insert(
        0,
        RetentionRule {
            when: unknown.clone(),
            ..rule("odd", "delivery", "order.completed", "P1D")
        },
    );
    let fate = world.fate("orders", &order_of_2020());
    assert!(!fate.goes);
    assert_eq!(fate.cleared, ["invoice"]);
    let compiled = world.compiled();
    assert!(compiled.findings.iter().any(|one| one.kind == FindingKind::ConditionNotReadable));
    // A minimum whose condition cannot be read is taken to apply.
    let mut world = shop().at("2026-06-01T00:00:00Z");
    world.rules.limits[0].when = unknown;
    assert!(!world.fate("orders", &order_of_2020()).goes);
}

#[test]
fn limits_count_only_while_they_are_in_force() {
    let mut world = shop().at("2026-06-01T00:00:00Z");
    let ten = Limit {
        valid_to: Some("2024-12-31".parse().unwrap()),
        ..minimum("old", "invoice", "invoice.issued", "P10Y")
    };
    let eight = Limit {
        valid_from: Some("2025-01-01".parse().unwrap()),
        ..minimum("new", "invoice", "invoice.issued", "P6Y")
    };
    world.rules.limits = vec![ten, eight];
    assert!(world.fate("orders", &order_of_2020()).goes);
    // The day is judged in the zone of the instance: 23:00 UTC is the next year in Berlin.
    let world = world.at("2024-12-31T22:59:59Z");
    let names = |world: &World| {
        let invoice = world.explain("orders", &order_of_2020()).categories.remove(1);
        let (law, coming): (Vec<_>, Vec<_>) =
            invoice.minimums.into_iter().partition(|one| one.law_from.is_none());
        let coming: Vec<String> = coming.into_iter().map(|one| one.name.to_string()).collect();
        assert!(coming.is_empty() || coming == ["new"], "{coming:?}");
        law.into_iter().map(|one| one.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(&world), ["old"]);
    assert_eq!(names(&world.at("2024-12-31T23:00:00Z")), ["new"]);
}

#[test]
fn a_moment_is_compared_with_a_day_as_a_whole() {
    let mut world = shop();
    world.rules.rules[0].when = Condition::Compare {
        attribute: "completed_at".to_owned(),
        comparison: Comparison::LessOrEqual,
        literal: Literal::Date("2020-03-05".parse().unwrap()),
    };
    let mut order = order_of_2020();
    assert_eq!(world.fate("orders", &order).cleared, ["delivery"]);
    order.insert("completed_at".to_owned(), at("2020-03-05T22:59:59Z"));
    assert_eq!(world.fate("orders", &order).cleared, ["delivery"]);
    order.insert("completed_at".to_owned(), at("2020-03-05T23:00:00Z"));
    assert!(world.fate("orders", &order).cleared.is_empty());
}

#[test]
fn rules_for_other_systems_do_not_count() {
    let mut world = shop();
    let elsewhere = crate::domain::SystemName::parse("elsewhere").unwrap();
    for rule in &mut world.rules.rules {
        rule.systems = vec![elsewhere.clone()];
    }
    assert!(world.fate("orders", &order_of_2020()).untouched());
    let compiled = world.compiled();
    assert!(compiled.findings.iter().any(|one| one.kind == FindingKind::NoRule));
    assert!(compiled.instructions.iter().all(|one| one.delete_when == Predicate::Never));
}

#[test]
fn a_rule_that_restricts_makes_nothing_due() {
    let mut world = shop();
    world.rules.rules[0].action = Action::Restrict;
    world.rules.limits.clear();
    let fate = world.fate("orders", &order_of_2020());
    assert!(!fate.goes && fate.restricted);
    assert_eq!(fate.cleared, ["invoice"]);
    assert_eq!(world.explain("orders", &order_of_2020()).categories[0].state, State::Restricted);
}

#[test]
fn a_missing_starting_point_of_a_collection_is_found_and_keeps() {
    let mut world = shop().at("2099-01-01T00:00:00Z");
    world.rules.limits[0].starting_point = "books.closed".to_owned();
    assert!(!world.fate("orders", &order_of_2020()).goes);
    let compiled = world.compiled();
    let found = compiled.findings.iter().find(|one| one.kind == FindingKind::NoStartingPoint);
    assert!(found.unwrap().message.contains("`books.closed`"));
}
