//! Laws of plans for persons, by property.

use std::collections::BTreeSet;

use proptest::prelude::*;
use quietus_connectors::{Record, SubjectAction, Value};

use super::super::{PersonScope, State, explain};
use super::fixture::*;
use super::laws::{any_order, any_world};
use super::persons::{fate, for_persons, scope};
use crate::domain::{HoldScope, LegalHold};

/// A world in which customers are known by their number.
fn known(mut world: World) -> World {
    let shop = world.map.systems.get_mut(&system_name()).unwrap();
    let customers = shop.collections.get_mut(&collection_name("customers")).unwrap();
    customers.fields.get_mut("id").unwrap().identity = Some("customer_id".to_owned());
    world
}

fn any_scope() -> impl Strategy<Value = PersonScope> {
    let email = proptest::collection::btree_set(
        prop_oneof![Just("grace@example.org"), Just("alan@example.org"), Just("%"), Just("")],
        0..3,
    );
    let number =
        proptest::collection::btree_set(prop_oneof![Just("1"), Just("2"), Just("x")], 0..3);
    let action = prop_oneof![
        4 => Just(SubjectAction::Erase), 1 => Just(SubjectAction::Restrict),
        1 => Just(SubjectAction::Lift)
    ];
    let keys = proptest::option::of(proptest::collection::btree_set(1i64..3, 0..2));
    let asked = proptest::option::weighted(0.2, Just(BTreeSet::from([category("delivery")])));
    (action, email, number, keys, asked).prop_map(|(action, email, number, keys, asked)| {
        let email: Vec<&str> = email.into_iter().collect();
        let number: Vec<&str> = number.into_iter().collect();
        let mut scope = scope(action, &[("email", &email), ("customer_id", &number)]);
        if let Some(keys) = keys {
            let keys = keys.into_iter().map(|key| vec![Value::Integer(key)]).collect();
            scope.records.insert((system_name(), collection_name("customers")), keys);
        }
        scope.categories = asked;
        scope
    })
}

prop_compose! {
    fn any_customers_order()(order in any_order(), number in proptest::option::of(1i64..3)) -> Record {
        let mut order = order;
        order.insert("customer.id".to_owned(), number.map_or(Value::Null, Value::Integer));
        order
    }
}

/// The order carries one of the identities, or its customer is one of the records.
fn carries(scope: &PersonScope, order: &Record) -> bool {
    let listed = |kind: &str, value: &str| {
        scope.identities.get(kind).is_some_and(|values| values.contains(value))
    };
    let email = match &order["customer.email"] {
        Value::Text(text) => listed("email", text),
        _ => false,
    };
    let number = match &order["customer.id"] {
        Value::Integer(number) => {
            let keys =
                scope.records.values().any(|keys| keys.contains(&vec![Value::Integer(*number)]));
            listed("customer_id", &number.to_string()) || keys
        }
        _ => false,
    };
    email || number
}

fn covers(hold: &LegalHold, order: &Record) -> bool {
    let HoldScope { collection, record, subject, .. } = &hold.scope;
    collection.as_ref().is_none_or(|one| one.as_str() == "orders")
        && record.as_ref().is_none_or(|key| key["id"] == order["id"])
        && subject.as_ref().is_none_or(|(_, value)| *value == order["customer.email"])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn nobody_else_is_touched(
        world in any_world(), scope in any_scope(), order in any_customers_order(),
    ) {
        let world = known(world);
        let fate = fate(&world, &scope, "orders", &order);
        prop_assert!(carries(&scope, &order) || fate.untouched(), "{:?}", fate);
    }

    #[test]
    fn no_hold_is_crossed(
        world in any_world(), scope in any_scope(), order in any_customers_order(),
    ) {
        let world = known(world);
        let fate = fate(&world, &scope, "orders", &order);
        for hold in world.holds.iter().filter(|hold| covers(hold, &order)) {
            prop_assert!(!fate.goes);
            match &hold.scope.category {
                Some(held) => {
                    prop_assert!(!fate.cleared.contains(&held.to_string()));
                    prop_assert!(!fate.anonymised.contains(&held.to_string()));
                }
                None => prop_assert!(fate.untouched()),
            }
        }
    }

    /// A hold names a person by one thing, and what is theirs by another is held like the rest.
    #[test]
    fn whatever_is_theirs_whom_a_hold_names_is_held(
        world in any_world(), order in any_customers_order(), is_by_number in any::<bool>(),
        category in proptest::option::of(Just(category("delivery"))),
    ) {
        let mut world = known(world);
        let scope = scope(
            SubjectAction::Erase, &[("email", &["grace@example.org"]), ("customer_id", &["1"])],
        );
        let (named, other, theirs) = if is_by_number {
            (("customer_id", "01"), "customer.id", ("customer.email", text("grace@example.org")))
        } else {
            (("email", "GRACE@Example.org"), "customer.email", ("customer.id", Value::Integer(1)))
        };
        let subject = Some((named.0.to_owned(), text(named.1)));
        let held = HoldScope { subject, category: category.clone(), ..HoldScope::default() };
        world.holds = vec![hold(1, held)];
        let mut order = order;
        order.insert(other.to_owned(), Value::Null);
        order.insert(theirs.0.to_owned(), theirs.1);
        let fate = fate(&world, &scope, "orders", &order);
        prop_assert!(!fate.goes);
        match category {
            Some(held) => {
                prop_assert!(!fate.cleared.contains(&held.to_string()));
                prop_assert!(!fate.anonymised.contains(&held.to_string()));
            }
            None => prop_assert!(fate.untouched()),
        }
    }

    #[test]
    fn no_minimum_is_cut_short(
        world in any_world(), scope in any_scope(), order in any_customers_order(),
    ) {
        let world = known(world);
        let fate = fate(&world, &scope, "orders", &order);
        let explained =
            explain(&world.input(), &system_name(), &collection_name("orders"), &order).unwrap();
        for one in &explained.categories {
            let runs = one.minimums.iter().any(|minimum| {
                minimum.applies && minimum.end.is_none_or(|end| end > world.moment)
            });
            let name = one.category.to_string();
            let treated = fate.cleared.contains(&name) || fate.anonymised.contains(&name);
            prop_assert!(!runs || (!fate.goes && !treated), "{:#?}", one);
            let erased = fate.goes || treated;
            prop_assert!(!erased || scope.action == SubjectAction::Erase);
            prop_assert!(!erased || scope.categories.as_ref().is_none_or(|asked| asked.contains(&one.category)));
        }
        prop_assert!(!(fate.goes && fate.restricted));
    }

    #[test]
    fn everything_of_a_person_goes_that_nothing_keeps(
        world in any_world(), order in any_customers_order(),
    ) {
        let mut world = known(world);
        world.rules.limits.clear();
        world.holds.clear();
        for rule in &mut world.rules.rules {
            rule.action = crate::schedule::Action::Erase;
        }
        let mut order = order;
        order.insert("customer.id".to_owned(), Value::Integer(1));
        let scope = scope(SubjectAction::Erase, &[("customer_id", &["1"])]);
        prop_assert!(fate(&world, &scope, "orders", &order).goes);
    }

    #[test]
    fn the_same_scope_gives_the_same_bytes(world in any_world(), scope in any_scope()) {
        let world = known(world);
        let bytes = || serde_json::to_vec(&super::super::plan(&for_persons(&world, &scope))).unwrap();
        prop_assert_eq!(bytes(), bytes());
    }

    #[test]
    fn a_person_in_the_plan_changes_no_explanation(
        world in any_world(), scope in any_scope(), order in any_customers_order(),
    ) {
        let world = known(world);
        let name = collection_name("orders");
        let without = explain(&world.input(), &system_name(), &name, &order).unwrap();
        let with = explain(&for_persons(&world, &scope), &system_name(), &name, &order).unwrap();
        prop_assert!(without.categories.iter().all(|one| one.state != State::Restricted || !one.due));
        prop_assert_eq!(without, with);
    }
}
