//! Caps and forecasts from what `preview` counted.

use std::collections::BTreeMap;

use quietus_connectors::{Counts, ProbeCount};

use super::super::{CapMeasure, KeptWhy, check_caps, forecast};
use super::fixture::*;
use crate::domain::SystemName;
use crate::schedule::Cap;

fn counted(count: ProbeCount) -> BTreeMap<SystemName, Counts> {
    let counts = Counts { collections: vec![count], ..Counts::default() };
    BTreeMap::from([(system_name(), counts)])
}

fn orders(total: u64, delete: u64, treated: u64, due_by: u64) -> ProbeCount {
    ProbeCount {
        collection: "orders".to_owned(),
        total,
        delete,
        treat: BTreeMap::from([("delivery".to_owned(), treated)]),
        probes: BTreeMap::from([("due-by:delivery-90d".to_owned(), due_by)]),
        ..ProbeCount::default()
    }
}

fn exceeded(world: &World, count: ProbeCount) -> Vec<(String, u64, CapMeasure)> {
    check_caps(&world.plan(), &world.rules, &counted(count))
        .into_iter()
        .map(|one| (one.rule.to_string(), one.would_change, one.measure))
        .collect()
}

#[test]
fn deletion_and_treatment_count_against_the_cap_of_the_rule() {
    let mut world = shop();
    world.rules.rules[0].cap = Cap { records: Some(10), share_percent: None };
    assert_eq!(exceeded(&world, orders(50, 0, 10, 10)), []);
    let over = exceeded(&world, orders(50, 4, 7, 20));
    assert_eq!(over, [("delivery-90d".to_owned(), 11, CapMeasure::Records { most: 10 })]);
    // What is due by the rule bounds what it changes.
    assert_eq!(exceeded(&world, orders(50, 4, 7, 10)), []);
}

#[test]
fn share_is_measured_from_a_hundred_records() {
    let world = shop();
    assert_eq!(exceeded(&world, orders(99, 0, 99, 99)), []);
    assert_eq!(exceeded(&world, orders(100, 0, 10, 10)), []);
    let over = exceeded(&world, orders(100, 0, 11, 11));
    assert_eq!(over, [("delivery-90d".to_owned(), 11, CapMeasure::Share { most_percent: 10.0 })]);
    let mut world = shop();
    world.rules.rules[0].cap = Cap { records: None, share_percent: None };
    assert_eq!(exceeded(&world, orders(1_000_000, 0, 1_000_000, 1_000_000)), []);
    let mut world = shop();
    world.paused.insert(rule_name("delivery-90d"));
    assert_eq!(exceeded(&world, orders(100, 0, 100, 100)), []);
}

/// Of an order about persons the records of a collection are counted no further than to ten thousand
/// for each of theirs: who matches half of a table is asked about, and who has five records is not.
#[test]
fn what_was_counted_for_a_person_is_enough_for_a_share() {
    let world = shop();
    let counted = |own: u64, there: u64| {
        let total = there.min(own.max(1) * 10_000);
        exceeded(&world, ProbeCount { own: Some(own), ..orders(total, 0, own, own) })
    };
    let over = counted(500_000, 1_000_000);
    let share = CapMeasure::Share { most_percent: 10.0 };
    assert!(over.contains(&("delivery-90d".to_owned(), 500_000, share)), "{over:?}");
    assert_eq!(counted(60, 120).len(), 1);
    assert_eq!(counted(60, 599).len(), 1);
    assert_eq!(counted(60, 600), []);
    assert_eq!(counted(5, 10_000_000), []);
    assert_eq!(counted(0, 10_000_000), []);
}

#[test]
fn a_forecast_says_what_is_kept_and_why() {
    let world = shop().at("2026-06-01T00:00:00Z");
    let mut count = orders(500, 3, 20, 23);
    count.restrict = 5;
    count.held = 2;
    count.referenced.insert("lines".to_owned(), 4);
    count.probes.insert("minimum:invoice:ao-147".to_owned(), 9);
    count.probes.insert("not-yet:delivery".to_owned(), 60);
    count.probes.insert("no-starting-point:delivery".to_owned(), 0);
    let forecast = forecast(&world.plan(), &world.rules, &counted(count));
    let system = &forecast.systems[0];
    let orders = &system.collections[0];
    assert_eq!((orders.total, orders.delete, orders.restrict), (500, 3, 5));
    assert_eq!(orders.clear[&category("delivery")], 20);
    let records = |why: &dyn Fn(&KeptWhy) -> bool| {
        orders.kept.iter().find(|one| why(&one.why)).and_then(|one| one.records)
    };
    assert_eq!(records(&|why| *why == KeptWhy::Held), Some(2));
    assert_eq!(records(&|why| matches!(why, KeptWhy::Referenced { by } if by == "lines")), Some(4));
    let cited = |why: &KeptWhy| matches!(why, KeptWhy::Minimum { citation, .. } if citation == "AO § 147(3)");
    assert_eq!(records(&cited), Some(9));
    let begun = |why: &KeptWhy| matches!(why, KeptWhy::NotYet { started_after } if started_after[0].0 == "field `completed_at`");
    assert_eq!(records(&begun), Some(60));
    assert_eq!(records(&|why| *why == KeptWhy::NoStartingPoint), None);
    let json = serde_json::to_string(&forecast).unwrap();
    assert_eq!(serde_json::from_str::<super::super::Forecast>(&json).unwrap(), forecast);
}
