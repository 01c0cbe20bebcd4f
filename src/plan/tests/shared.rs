//! Records that several persons share, and associations that go while their records stay.

use std::collections::BTreeSet;

use quietus_connectors::{
    FieldTreatment, FieldType, Instruction, Link, LinkKind, Predicate, Record, Strategy,
    SubjectAction, Value,
};

use super::super::{FindingKind, PersonScope, StepStatus, compile};
use super::fixture::*;
use super::persons::{fate, for_persons, known_shop, scope};
use crate::domain::HoldScope;

/// The shop, where an order is shared by who bought and who pays.
fn sharing_shop() -> World {
    let mut world = known_shop();
    let shop = world.map.systems.get_mut(&system_name()).unwrap();
    let orders = shop.collections.get_mut(&collection_name("orders")).unwrap();
    orders.fields.insert("payer_id".to_owned(), field("payer_id", FieldType::Integer, ""));
    orders.links.push(link("payer", "customers", "payer_id"));
    for link in &mut orders.links {
        link.kind = LinkKind::Shared;
    }
    world
}

/// An order whose invoice is old, of a buyer and perhaps a payer.
fn shared_order(buyer: Option<i64>, payer: Option<i64>) -> Record {
    let mut order = order_of_2020();
    order.remove("customer.email");
    let number = |one: Option<i64>| one.map_or(Value::Null, Value::Integer);
    order.insert("customer.id".to_owned(), number(buyer));
    order.insert("payer.id".to_owned(), number(payer));
    order
}

fn persons(numbers: &[&str]) -> PersonScope {
    scope(SubjectAction::Erase, &[("customer_id", numbers)])
}

fn instruction(world: &World, scope: &PersonScope, collection: &str) -> Instruction {
    let compiled = compile(&for_persons(world, scope), &system_name()).unwrap();
    compiled.instructions.into_iter().find(|one| one.collection == collection).unwrap()
}

#[test]
fn what_somebody_else_shares_is_kept_for_them() {
    let world = sharing_shop().at("2029-01-01T00:00:00Z");
    let (one, both) = (persons(&["1"]), persons(&["1", "2"]));
    let goes = |scope: &PersonScope, order: &Record| fate(&world, scope, "orders", order).goes;
    for (buyer, payer) in [(1, 2), (2, 1)] {
        let order = shared_order(Some(buyer), Some(payer));
        assert!(fate(&world, &one, "orders", &order).untouched());
        assert!(goes(&both, &order));
    }
    // The last owner, and one who is both.
    assert!(goes(&one, &shared_order(Some(1), None)) && goes(&one, &shared_order(None, Some(1))));
    assert!(goes(&one, &shared_order(Some(1), Some(1))));
    // Somebody else's, and nobody's.
    assert!(fate(&world, &one, "orders", &shared_order(Some(2), Some(3))).untouched());
    assert!(fate(&world, &both, "orders", &shared_order(None, None)).untouched());
}

#[test]
fn what_hangs_on_a_shared_record_goes_with_it() {
    let world = sharing_shop().at("2029-01-01T00:00:00Z");
    let line = |buyer: i64, payer: i64| {
        record(&[
            ("order.customer.id", Value::Integer(buyer)),
            ("order.payer.id", Value::Integer(payer)),
        ])
    };
    assert!(fate(&world, &persons(&["1"]), "lines", &line(1, 2)).untouched());
    assert!(fate(&world, &persons(&["1", "2"]), "lines", &line(1, 2)).goes);
    assert!(fate(&world, &persons(&["1"]), "lines", &line(1, 1)).goes);
}

#[test]
fn a_minimum_of_the_shared_record_keeps_and_restricts_it() {
    let world = sharing_shop().at("2020-03-06T00:00:00Z");
    let both = persons(&["1", "2"]);
    let kept = fate(&world, &both, "orders", &shared_order(Some(1), Some(2)));
    assert!(!kept.goes && kept.restricted);
    assert_eq!(kept.cleared, ["delivery"]);
    // While somebody else shares it, it is not even restricted.
    let one = persons(&["1"]);
    assert!(fate(&world, &one, "orders", &shared_order(Some(1), Some(2))).untouched());
}

#[test]
fn a_hold_on_one_owner_holds_what_is_shared() {
    let mut world = sharing_shop().at("2029-01-01T00:00:00Z");
    world.holds = vec![hold(
        1,
        HoldScope {
            subject: Some(("customer_id".to_owned(), Value::Integer(2))),
            ..HoldScope::default()
        },
    )];
    let both = persons(&["1", "2"]);
    assert!(fate(&world, &both, "orders", &shared_order(Some(1), Some(2))).untouched());
    assert!(fate(&world, &both, "orders", &shared_order(Some(1), None)).goes);
    // The connector leaves a held record's own parents alone, so no link has to stay for it.
    let orders = instruction(&world, &both, "orders");
    assert!(orders.links.iter().all(|link| !link.needed && link.kind == LinkKind::Shared));
    assert_ne!(orders.held, Predicate::Never);
}

#[test]
fn restriction_speaks_of_what_is_theirs_alone() {
    let world = sharing_shop();
    let restrict = scope(SubjectAction::Restrict, &[("customer_id", &["1"])]);
    let restricted = |buyer, payer| {
        fate(&world, &restrict, "orders", &shared_order(Some(buyer), Some(payer))).restricted
    };
    assert!(restricted(1, 1) && !restricted(1, 2) && !restricted(2, 1));
}

#[test]
fn a_clock_that_is_read_through_the_link_keeps_it() {
    let mut world = sharing_shop();
    let shop = world.map.systems.get_mut(&system_name()).unwrap();
    let orders = shop.collections.get_mut(&collection_name("orders")).unwrap();
    let start = crate::datamap::StartSource::Field(via("customer", "last_login_at"));
    orders.starting_points.insert("order.completed".to_owned(), start);
    let needed = |link: &str| {
        let orders = instruction(&world, &persons(&["1"]), "orders");
        orders.links.iter().find(|one| one.name == link).unwrap().needed
    };
    assert!(needed("customer") && !needed("payer"));
}

/// The shop with tickets that are about a customer and stay without one.
fn helpdesk(clear: Strategy) -> World {
    let mut world = known_shop();
    let mut about = field("customer_id", FieldType::Integer, "");
    about.clear = clear;
    let mut tickets = collection(
        "tickets",
        vec![
            field("id", FieldType::Integer, ""),
            about,
            field("problem", FieldType::Text, "!a list of faults of the product"),
        ],
    );
    tickets.links =
        vec![Link { kind: LinkKind::Shallow, ..link("customer", "customers", "customer_id") }];
    let shop = world.map.systems.get_mut(&system_name()).unwrap();
    shop.collections.insert(tickets.name.clone(), tickets);
    world
}

#[test]
fn a_shallow_link_tells_the_connector_what_takes_its_place() {
    let world = helpdesk(Strategy::Constant(Value::Integer(0)));
    let tickets = instruction(&world, &persons(&["1"]), "tickets");
    let link = &tickets.links[0];
    assert!(tickets.keep && !link.needed && link.kind == LinkKind::Shallow);
    let clear = FieldTreatment {
        field: "customer_id".to_owned(),
        strategy: Strategy::Constant(Value::Integer(0)),
    };
    assert_eq!(link.clear, [clear]);
    assert!(helpdesk(Strategy::Null).instruction("tickets").links[0].clear.is_empty());
}

#[test]
fn holds_of_a_kept_collection_are_told_where_it_could_lose_its_parent() {
    let mut world = helpdesk(Strategy::Null);
    world.holds = vec![hold(
        1,
        HoldScope {
            subject: Some(("customer_id".to_owned(), Value::Integer(1))),
            ..HoldScope::default()
        },
    )];
    let tickets = instruction(&world, &persons(&["1"]), "tickets");
    assert!(tickets.keep && tickets.held != Predicate::Never && !tickets.links[0].needed);
    let swept = world.instruction("tickets");
    assert!(swept.keep && swept.held != Predicate::Never && !swept.links[0].needed);
}

#[test]
fn a_shallow_link_makes_no_record_a_persons() {
    let mut world = known_shop();
    let shop = world.map.systems.get_mut(&system_name()).unwrap();
    shop.collections.get_mut(&collection_name("orders")).unwrap().links[0].kind = LinkKind::Shallow;
    let grace = persons(&["1"]);
    assert!(fate(&world, &grace, "orders", &shared_order(Some(1), None)).untouched());
    let compiled = compile(&for_persons(&world, &grace), &system_name()).unwrap();
    let uncovered = compiled.findings.iter().filter(|one| one.kind == FindingKind::NotCovered);
    let names: BTreeSet<&str> = uncovered.clone().map(|one| one.collection.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["lines", "orders"]));
    assert!(uncovered.clone().any(|one| one.message.contains("only the association goes")));
    assert!(compiled.steps.iter().any(|one| matches!(one.status, StepStatus::NotCovered { .. })));
}
