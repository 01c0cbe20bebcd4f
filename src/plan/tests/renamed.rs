//! Names that the data map or the rules do not have (any more): more is kept, never less.

use std::collections::BTreeMap;

use quietus_connectors::{Predicate, Value};

use super::super::{FindingKind, StepStatus, concerns_system};
use super::fixture::*;
use crate::domain::{HoldScope, SystemName};

/// The shop of 2040, where everything is due, and a second system of the same make.
fn two_systems(scope: HoldScope) -> World {
    let mut world = shop().at("2040-01-01T00:00:00Z");
    let mut other = world.map.systems[&system_name()].clone();
    other.name = SystemName::parse("archive").unwrap();
    world.map.systems.insert(other.name.clone(), other);
    world.holds = vec![hold(1, scope)];
    world
}

fn told(world: &World, kind: FindingKind) -> bool {
    world.compiled().findings.iter().any(|one| one.kind == kind)
}

#[test]
fn a_hold_on_names_that_are_there_covers_them_alone() {
    let archive = SystemName::parse("archive").unwrap();
    let world = two_systems(HoldScope { system: Some(archive.clone()), ..HoldScope::default() });
    assert!(world.fate("orders", &order_of_2020()).goes);
    assert!(!told(&world, FindingKind::HoldNotReadable));
    assert!(!concerns_system(&world.map, &world.holds[0], &system_name()));
    assert!(concerns_system(&world.map, &world.holds[0], &archive));
}

#[test]
fn a_hold_on_a_system_of_another_name_covers_every_system() {
    let gone = SystemName::parse("store").unwrap();
    let world = two_systems(HoldScope { system: Some(gone), ..HoldScope::default() });
    assert!(world.fate("orders", &order_of_2020()).untouched());
    assert!(told(&world, FindingKind::HoldNotReadable));
    assert!(concerns_system(&world.map, &world.holds[0], &system_name()));
}

#[test]
fn a_hold_on_a_collection_of_another_name_covers_its_system() {
    let scope = HoldScope {
        system: Some(system_name()),
        collection: Some(collection_name("purchases")),
        ..HoldScope::default()
    };
    let mut world = two_systems(scope.clone());
    for collection in ["orders", "customers", "lines"] {
        assert_eq!(world.instruction(collection).held, Predicate::Always);
    }
    assert!(told(&world, FindingKind::HoldNotReadable));
    // One of that name in another system may be the one that is meant.
    let archive = SystemName::parse("archive").unwrap();
    let other = world.map.systems.get_mut(&archive).unwrap();
    let mut moved = other.collections[&collection_name("orders")].clone();
    moved.name = collection_name("purchases");
    other.collections.insert(moved.name.clone(), moved);
    assert!(concerns_system(&world.map, &world.holds[0], &archive));
    // Of the record that it names, the record is covered, wherever it may be now.
    let key = BTreeMap::from([("id".to_owned(), Value::Integer(7))]);
    world.holds = vec![hold(1, HoldScope { record: Some(key), ..scope })];
    let mut order = order_of_2020();
    assert!(world.fate("orders", &order).untouched());
    order.insert("id".to_owned(), Value::Integer(8));
    assert!(world.fate("orders", &order).goes);
}

#[test]
fn a_hold_on_a_category_of_another_name_covers_the_records_as_a_whole() {
    let scope = HoldScope { category: Some(category("shipping")), ..HoldScope::default() };
    let world = two_systems(scope);
    assert!(world.fate("orders", &order_of_2020()).untouched());
    assert!(told(&world, FindingKind::HoldNotReadable));
}

#[test]
fn a_pause_of_a_rule_of_another_name_pauses_every_rule() {
    let mut world = two_systems(HoldScope::default());
    world.holds.clear();
    assert!(world.fate("orders", &order_of_2020()).goes);
    world.paused.insert(rule_name("delivery-after-90-days"));
    assert!(world.fate("orders", &order_of_2020()).untouched());
    let compiled = world.compiled();
    assert!(compiled.steps.iter().all(|step| step.status == StepStatus::Paused));
    let found = compiled.findings.iter().find(|one| one.kind == FindingKind::PauseNotReadable);
    assert!(found.unwrap().message.contains("quietus resume rule delivery-after-90-days"));
}
