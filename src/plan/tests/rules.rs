//! Inactivity, events, grace, pauses, exemptions, anonymity, schedules, maximums.

use std::collections::BTreeSet;

use quietus_connectors::{Predicate, Strategy, Value};

use super::super::{Acting, FindingKind, MarkToMake, RecordState, State, StepStatus};
use super::fixture::*;
use crate::domain::{RetentionPeriod, ScheduleName};
use crate::schedule::{Action, Limit, LimitKind};

fn customer(login: Value, ordered: Value) -> quietus_connectors::Record {
    record(&[
        ("id", Value::Integer(1)),
        ("email", text("grace@example.org")),
        ("last_login_at", login),
        ("last_order_on", ordered),
    ])
}

#[test]
fn inactivity_counts_from_the_latest_sign_of_life() {
    let world = shop().at("2026-06-01T00:00:00Z");
    let goes = |login, ordered| world.fate("customers", &customer(login, ordered)).goes;
    assert!(goes(at("2023-05-31T22:00:00Z"), Value::Null));
    assert!(goes(Value::Null, day("2023-05-31")));
    // 2026-06-01T00:00Z is 02:00 in Berlin: a login at 02:00 three years before is just over.
    assert!(goes(at("2023-06-01T00:00:00Z"), Value::Null));
    assert!(!goes(at("2023-06-01T00:00:00.000001Z"), Value::Null));
    assert!(!goes(Value::Null, day("2023-06-01")));
    assert!(!goes(at("2020-01-01T00:00:00Z"), day("2025-01-01")));
    assert!(!goes(Value::Null, Value::Null));
}

#[test]
fn a_relationship_ends_with_an_event_and_the_latest_counts() {
    let mut world = shop().at("2026-06-01T00:00:00Z");
    world.rules.rules[2].starting_point = "relationship.ended".to_owned();
    let one = customer(Value::Null, Value::Null);
    assert!(world.fate("customers", &one).untouched());
    let keys = vec![(text("1"), moment("2022-01-01T00:00:00Z"))];
    world.events.0.insert("contract.ended".to_owned(), keys);
    assert!(world.fate("customers", &one).goes);
    let keys = world.events.0.get_mut("contract.ended").unwrap();
    keys.push((Value::Integer(1), moment("2025-01-01T00:00:00Z")));
    assert!(world.fate("customers", &one).untouched());
    keys_do_not_leak(&world);
}

fn keys_do_not_leak(world: &World) {
    let mut world = shop().at(&world.moment.to_string());
    world.rules.rules[2].starting_point = "relationship.ended".to_owned();
    let keys = vec![(text("4711"), moment("2000-01-01T00:00:00Z"))];
    world.events.0.insert("contract.ended".to_owned(), keys);
    let plan = world.plan();
    let stored = serde_json::to_string(&plan).unwrap();
    assert!(stored.contains("contract.ended") && !stored.contains("4711"));
    assert!(!format!("{plan:?}{:?}", world.events).contains("4711"));
    let read: super::super::Plan = serde_json::from_str(&stored).unwrap();
    assert!(read.system(&system_name()).unwrap().order("key", 1).is_err());
    let order = world.compiled().order("key", 1).unwrap();
    assert_eq!(order.lists[0].entries, [[Value::Integer(4711)]]);
}

#[test]
fn keys_of_events_that_do_not_fit_are_found() {
    let mut world = shop();
    world.rules.rules[2].starting_point = "relationship.ended".to_owned();
    let keys = vec![(text("A-1"), moment("2000-01-01T00:00:00Z"))];
    world.events.0.insert("contract.ended".to_owned(), keys);
    let compiled = world.compiled();
    let found = compiled.findings.iter().find(|one| one.kind == FindingKind::EventKeyUnfit);
    assert!(!found.unwrap().message.contains("A-1"));
}

#[test]
fn grace_marks_first_and_acts_on_what_was_due_at_the_mark() {
    let mut world = shop().at("2026-06-01T00:00:00Z");
    world.rules.rules[2].grace = Some(RetentionPeriod::parse("P14D").unwrap());
    let idle = customer(at("2020-01-01T00:00:00Z"), Value::Null);
    assert!(world.fate("customers", &idle).untouched());
    assert_eq!(
        world.plan().marks_to_make,
        [MarkToMake { rule: rule_name("contact"), at: world.moment }]
    );
    assert_eq!(
        world.explain("customers", &idle).categories[0].state,
        State::InGrace { over_at: None }
    );
    let marked = world.moment;
    world.marks.insert(rule_name("contact"), vec![marked]);
    let mut world = world.at("2026-06-14T23:59:59.999999Z");
    assert!(world.fate("customers", &idle).untouched());
    assert_eq!(
        world.explain("customers", &idle).record,
        RecordState::DueOn { at: moment("2026-06-15T00:00:00Z") }
    );
    world = world.at("2026-06-15T00:00:00Z");
    assert!(world.fate("customers", &idle).goes);
    // Due now, but not when the mark was made.
    let late = customer(at("2023-06-10T00:00:00Z"), Value::Null);
    assert!(world.fate("customers", &late).untouched());
    assert_eq!(
        world.explain("customers", &late).categories[0].state,
        State::InGrace { over_at: None }
    );
}

#[test]
fn a_paused_rule_makes_nothing_due_and_is_shown() {
    let mut world = shop().at("2040-01-01T00:00:00Z");
    assert!(world.fate("orders", &order_of_2020()).goes);
    world.paused.insert(rule_name("delivery-90d"));
    let fate = world.fate("orders", &order_of_2020());
    assert!(!fate.goes);
    assert_eq!(fate.cleared, ["invoice"]);
    assert!(fate.probes.contains("paused:delivery-90d"));
    let compiled = world.compiled();
    assert!(compiled.steps.iter().any(|step| step.status == StepStatus::Paused));
    assert_eq!(world.explain("orders", &order_of_2020()).categories[0].state, State::Paused);
}

#[test]
fn an_exempt_category_stays_with_its_record() {
    let mut world = shop().at("2040-01-01T00:00:00Z");
    world.rules.exemptions.insert(category("invoice"), exemption("kept for the archive"));
    let fate = world.fate("orders", &order_of_2020());
    assert!(!fate.goes && !fate.restricted);
    assert_eq!(fate.cleared, ["delivery"]);
    let compiled = world.compiled();
    assert!(compiled.exempt.iter().any(|one| one.what == "invoice"));
    assert!(compiled.exempt.iter().any(|one| one.what == "customers.country"));
    world.rules.exemptions.insert(category("contact"), exemption("kept for the archive"));
    let customers = world.instruction("customers");
    assert!(customers.keep && customers.treatments.is_empty());
    assert_eq!(customers.delete_when, Predicate::Never);
    assert_eq!(
        world.explain("customers", &customer(Value::Null, Value::Null)).record,
        RecordState::Kept
    );
}

#[test]
fn anonymity_keeps_the_record() {
    let mut world = shop().at("2040-01-01T00:00:00Z");
    world.rules.rules[0].action = Action::Anonymise;
    let shop = world.map.systems.get_mut(&system_name()).unwrap();
    let orders = shop.collections.get_mut(&collection_name("orders")).unwrap();
    let address = orders.fields.get_mut("delivery_address").unwrap();
    address.anonymise = Some(Strategy::KeepPrefix { characters: 2 });
    let fate = world.fate("orders", &order_of_2020());
    assert!(!fate.goes);
    assert_eq!(
        (fate.anonymised, fate.cleared),
        (vec!["delivery".to_owned()], vec!["invoice".to_owned()])
    );
    let treatments = world.instruction("orders").treatments;
    assert_eq!(treatments[0].fields[0].strategy, Strategy::KeepPrefix { characters: 2 });
}

#[test]
fn only_the_schedule_whose_turn_it_is_acts() {
    let mut world = shop().at("2040-01-01T00:00:00Z");
    let yearly = ScheduleName::parse("yearly").unwrap();
    world.rules.rules[1].schedule = yearly.clone();
    let other = ScheduleName::parse("other").unwrap();
    world.acting = Acting::Schedules(BTreeSet::from([other]));
    assert!(world.fate("orders", &order_of_2020()).untouched());
    assert!(!world.compiled().acts());
    world.acting = Acting::Schedules(BTreeSet::from([yearly]));
    let fate = world.fate("orders", &order_of_2020());
    assert_eq!(fate.cleared, ["invoice"]);
    assert!(fate.goes, "the delivery part is due too, by a rule whose turn it is not");
    let world = world.at("2027-01-01T00:00:00Z");
    let fate = world.fate("orders", &order_of_2020());
    assert!(!fate.goes && fate.cleared.is_empty());
    let steps = world.compiled().steps;
    assert!(steps.iter().any(|step| step.status == StepStatus::WaitingForSchedule));
}

#[test]
fn a_maximum_that_a_minimum_outlasts_is_a_conflict_and_the_minimum_wins() {
    let mut world = shop().at("2026-06-01T00:00:00Z");
    world.rules.limits.push(Limit {
        kind: LimitKind::Maximum,
        ..minimum("tdddg-10", "invoice", "invoice.issued", "P6M")
    });
    let fate = world.fate("orders", &order_of_2020());
    assert!(!fate.goes && fate.probes.contains("conflict:tdddg-10"));
    let compiled = world.compiled();
    let found: Vec<_> =
        compiled.findings.iter().filter(|one| one.kind == FindingKind::Conflict).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    let explained = world.explain("orders", &order_of_2020());
    assert!(explained.categories[1].maximums[0].conflict);
    world.rules.limits.remove(0);
    world.rules.rules[1].starting_point = "invoice.issued".to_owned();
    world.rules.rules[1].period = RetentionPeriod::parse("P30Y").unwrap();
    let fate = world.fate("orders", &order_of_2020());
    assert!(fate.probes.contains("past-maximum:tdddg-10"));
    let compiled = world.compiled();
    let found = compiled.findings.iter().find(|one| one.kind == FindingKind::Conflict);
    assert!(found.unwrap().message.contains("lasts longer than the maximum"));
}

#[test]
fn a_collection_without_categories_is_kept() {
    let bare = collection("codes", vec![field("id", quietus_connectors::FieldType::Integer, "")]);
    let world = world_of(system(vec![bare]), Vec::new(), Vec::new());
    let codes = world.instruction("codes");
    assert!(codes.keep && codes.probes.is_empty());
    assert_eq!(codes.delete_when, Predicate::Never);
}

#[test]
fn more_keys_than_one_list_holds_make_several_lists() {
    let mut world = shop().at("2026-06-01T00:00:00Z");
    world.rules.rules[2].starting_point = "relationship.ended".to_owned();
    let ended = moment("2000-01-01T00:00:00Z");
    let keys = (0..100_001).map(|number| (Value::Integer(number), ended)).collect();
    world.events.0.insert("contract.ended".to_owned(), keys);
    let order = world.compiled().order("key", 1).unwrap();
    let sizes: Vec<usize> = order.lists.iter().map(|list| list.entries.len()).collect();
    assert_eq!(sizes, [100_000, 1]);
    assert_eq!(order.lists[1].entries, [[Value::Integer(100_000)]]);
    let customers = order.instructions.iter().find(|one| one.collection == "customers").unwrap();
    let Predicate::Any(parts) = &customers.delete_when else { panic!("{customers:?}") };
    let lists = parts.iter().map(|part| match part {
        Predicate::Listed { list, .. } => *list,
        other => panic!("{other:?}"),
    });
    assert_eq!(lists.collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn compiling_again_keeps_the_moment_and_takes_the_holds_of_now() {
    let mut world = shop().at("2040-01-01T00:00:00Z");
    let first = world.compiled().order("key", 1).unwrap();
    world.holds.push(hold(1, crate::domain::HoldScope::default()));
    let second = world.compiled().order("key", 2).unwrap();
    assert_eq!(first.moment, second.moment);
    let orders = |order: &quietus_connectors::Order| {
        order.instructions.iter().find(|one| one.collection == "orders").unwrap().held.clone()
    };
    assert_eq!((orders(&first), orders(&second)), (Predicate::Never, Predicate::Always));
}

#[test]
fn a_minimum_that_is_law_today_holds_for_an_earlier_moment_too() {
    let mut world = shop().at("2026-01-01T00:00:00Z");
    world.rules.limits = vec![Limit {
        valid_from: Some("2026-06-01".parse().unwrap()),
        ..minimum("new-law", "invoice", "order.completed", "P10Y")
    }];
    assert!(world.fate("orders", &order_of_2020()).goes, "no law yet");
    world.today = Some("2026-05-31".parse().unwrap());
    assert!(world.fate("orders", &order_of_2020()).goes, "not yet in force");
    world.today = Some("2026-06-01".parse().unwrap());
    let fate = world.fate("orders", &order_of_2020());
    assert!(!fate.goes && fate.cleared == ["delivery"], "{fate:?}");
    assert!(fate.probes.contains("minimum:invoice:new-law"));
    // One that was in force on the day of the plan holds although it has ended since.
    world.rules.limits[0].valid_from = None;
    world.rules.limits[0].valid_to = Some("2026-01-01".parse().unwrap());
    assert!(!world.fate("orders", &order_of_2020()).goes);
    world.rules.limits[0].valid_to = Some("2025-12-31".parse().unwrap());
    assert!(world.fate("orders", &order_of_2020()).goes);
}
