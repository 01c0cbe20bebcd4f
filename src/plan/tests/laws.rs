//! Laws by property: the plan and the explanation agree, nothing goes early or from under a hold.

use proptest::prelude::*;
use quietus_connectors::{Comparison, Record, Value};

use super::super::{RecordState, State};
use super::fixture::*;
use crate::datamap::FieldClass;
use crate::domain::{HoldScope, RetentionPeriod, Rounding};
use crate::schedule::condition::Literal;
use crate::schedule::{Action, Condition, Limit, RetentionRule};

fn any_condition() -> impl Strategy<Value = Condition> {
    let leaf = prop_oneof![
        3 => Just(Condition::Always),
        3 => (prop_oneof![Just("DE"), Just("FR")], any::<bool>()).prop_map(|(code, equal)| {
            Condition::Compare {
                attribute: "country".to_owned(),
                comparison: if equal { Comparison::Equal } else { Comparison::NotEqual },
                literal: Literal::Text(code.to_owned()),
            }
        }),
        1 => Just(Condition::Absent("country".to_owned())),
        1 => Just(Condition::Absent("unknown".to_owned())),
    ];
    leaf.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| Condition::Not(Box::new(one))),
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Condition::And),
            proptest::collection::vec(inner, 0..3).prop_map(Condition::Or),
        ]
    })
}

fn any_period() -> impl Strategy<Value = RetentionPeriod> {
    prop_oneof![Just("P0D"), Just("P90D"), Just("P6M"), Just("P1Y"), Just("P3Y"), Just("PT36H")]
        .prop_map(|text| RetentionPeriod::parse(text).unwrap())
}

fn any_rounding() -> impl Strategy<Value = Rounding> {
    prop_oneof![Just(Rounding::None), Just(Rounding::EndOfMonth), Just(Rounding::EndOfCalendarYear)]
}

fn any_start() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just("order.completed"), 4 => Just("invoice.issued"), 1 => Just("unknown")]
        .prop_map(str::to_owned)
}

prop_compose! {
    fn any_rule(of: &'static str)(
        when in any_condition(), period in any_period(), rounding in any_rounding(),
        starting_point in any_start(), grace in proptest::option::weighted(0.2, Just("P14D")),
        action in prop_oneof![6 => Just(Action::Erase), 1 => Just(Action::Anonymise), 1 => Just(Action::Restrict)],
        number in 0u32..1000,
    ) -> RetentionRule {
        RetentionRule {
            when, period, rounding, starting_point, action,
            grace: grace.map(|text| RetentionPeriod::parse(text).unwrap()),
            ..rule(&format!("{of}-{number}"), of, "order.completed", "P1D")
        }
    }
}

prop_compose! {
    fn any_limit(of: &'static str)(
        when in any_condition(), period in any_period(), rounding in any_rounding(),
        starting_point in any_start(), number in 0u32..1000,
    ) -> Limit {
        Limit {
            starting_point, period, rounding, when,
            ..minimum(&format!("min-{of}-{number}"), of, "order.completed", "P1D")
        }
    }
}

fn any_scope() -> impl Strategy<Value = HoldScope> {
    prop_oneof![
        Just(HoldScope { category: Some(category("delivery")), ..HoldScope::default() }),
        Just(HoldScope { collection: Some(collection_name("lines")), ..HoldScope::default() }),
        Just(HoldScope {
            subject: Some(("email".to_owned(), text("grace@example.org"))),
            ..HoldScope::default()
        }),
        Just(HoldScope {
            collection: Some(collection_name("orders")),
            record: Some([("id".to_owned(), Value::Integer(1))].into()),
            ..HoldScope::default()
        }),
    ]
}

prop_compose! {
    pub(super) fn any_world()(
        delivery in proptest::collection::vec(any_rule("delivery"), 0..3),
        invoice in proptest::collection::vec(any_rule("invoice"), 0..3),
        limits in proptest::collection::vec(
            prop_oneof![any_limit("delivery"), any_limit("invoice")], 0..3),
        scopes in proptest::collection::vec(any_scope(), 0..2),
        paused in proptest::option::weighted(0.1, 0usize..4),
        mark in 0i64..40_000_000_000_000,
    ) -> World {
        let mut world = shop().at("2026-03-29T01:30:00Z");
        world.rules.rules = delivery.into_iter().chain(invoice).collect();
        world.rules.limits = limits;
        world.holds = scopes.into_iter().enumerate().map(|(i, one)| hold(i as u128, one)).collect();
        if let Some(rule) = paused.and_then(|index| world.rules.rules.get(index)) {
            world.paused.insert(rule.name.clone());
        }
        let at = world.moment.checked_sub(jiff::SignedDuration::from_micros(mark)).unwrap();
        world.marks = world.rules.rules.iter().map(|one| (one.name.clone(), vec![at])).collect();
        world
    }
}

prop_compose! {
    pub(super) fn any_order()(
        id in 1i64..3,
        completed in proptest::option::weighted(0.9, -5_000_000i64..100_000_000),
        invoiced in proptest::option::weighted(0.9, -60i64..1_200),
        country in prop_oneof![Just(Value::Null), Just(text("DE")), Just(text("FR"))],
        email in prop_oneof![Just("grace@example.org"), Just("alan@example.org")],
    ) -> Record {
        let now = moment("2026-03-29T01:30:00Z");
        let completed = completed.map_or(Value::Null, |seconds| {
            Value::Timestamp(now.checked_sub(jiff::SignedDuration::from_secs(seconds)).unwrap())
        });
        let today: jiff::civil::Date = "2026-03-29".parse().unwrap();
        let invoiced = invoiced.map_or(Value::Null, |days| {
            Value::Date(today.checked_sub(jiff::Span::new().days(days)).unwrap())
        });
        record(&[
            ("id", Value::Integer(id)), ("completed_at", completed), ("invoiced_on", invoiced),
            ("customer.country", country), ("customer.email", text(email)),
        ])
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn plan_and_explanation_agree(world in any_world(), order in any_order()) {
        let fate = world.fate("orders", &order);
        let explained = world.explain("orders", &order);
        prop_assert_eq!(fate.goes, explained.record == RecordState::Due);
        for one in &explained.categories {
            let name = one.category.to_string();
            let held = matches!(one.state, State::Held { .. });
            let treated = fate.cleared.contains(&name) || fate.anonymised.contains(&name);
            prop_assert_eq!(treated, one.due && !held, "{:#?}", one);
            prop_assert_eq!(one.state == State::Due, one.due && !held);
            prop_assert_eq!(fate.probes.contains(&format!("due:{name}")), one.due);
            // With grace the plan judges the purpose as of a mark, earlier than the explanation.
            let rule = world.rules.rules.iter().find(|rule| Some(&rule.name) == one.rule.as_ref());
            let graceless = rule.is_some_and(|rule| rule.grace.is_none());
            let kept = graceless
                && one.purpose_end.is_some_and(|end| end <= world.moment)
                && matches!(one.state, State::KeptByMinimum { .. });
            let counted = fate.probes.iter().any(|probe| probe.starts_with(&format!("minimum:{name}:")));
            prop_assert!(!kept || counted, "{:#?} {:?}", one, fate);
            prop_assert!(!one.due || one.erase_at.is_some_and(|at| at <= world.moment));
            if one.due {
                prop_assert!(one.erase_at.unwrap() <= world.moment);
                for minimum in one.minimums.iter().filter(|one| one.applies) {
                    prop_assert!(minimum.end.unwrap() <= world.moment);
                }
            }
            if let State::DueOn { at } = one.state {
                prop_assert!(at > world.moment);
            }
        }
        if fate.goes {
            prop_assert!(explained.categories.iter().all(|one| one.due));
            prop_assert!(!fate.restricted);
        }
        if matches!(explained.record, RecordState::Held { .. }) {
            prop_assert!(!fate.goes);
        }
    }

    #[test]
    fn nothing_is_treated_that_a_hold_covers(world in any_world(), order in any_order()) {
        let fate = world.fate("orders", &order);
        for hold in &world.holds {
            let scope = &hold.scope;
            let elsewhere = scope.collection.as_ref().is_some_and(|one| one.as_str() != "orders");
            let other_record = scope.record.as_ref().is_some_and(|key| key["id"] != order["id"]);
            let other_person =
                scope.subject.as_ref().is_some_and(|(_, value)| *value != order["customer.email"]);
            if elsewhere || other_record || other_person {
                continue;
            }
            prop_assert!(!fate.goes);
            match &scope.category {
                Some(category) => {
                    prop_assert!(!fate.cleared.contains(&category.to_string()));
                    prop_assert!(!fate.anonymised.contains(&category.to_string()));
                }
                None => prop_assert!(fate.untouched()),
            }
        }
    }

    #[test]
    fn a_record_that_goes_now_goes_later_too(world in any_world(), order in any_order(), days in 1i64..900) {
        let now = world.fate("orders", &order);
        if now.goes {
            let later = world.moment.checked_add(jiff::SignedDuration::from_hours(24 * days)).unwrap();
            let world = World { moment: later, ..world };
            prop_assert!(world.fate("orders", &order).goes);
        }
    }

    #[test]
    fn clearing_what_is_due_changes_nothing_of_what_is_due(
        mut world in any_world(), mut order in any_order(),
    ) {
        let shop = world.map.systems.get_mut(&system_name()).unwrap();
        let fields = &mut shop.collections.get_mut(&collection_name("orders")).unwrap().fields;
        for (name, of) in [("completed_at", "delivery"), ("invoiced_on", "invoice")] {
            fields.get_mut(name).unwrap().class = FieldClass::Category(category(of));
        }
        let before = world.fate("orders", &order);
        for treatment in world.instruction("orders").treatments {
            if before.cleared.contains(&treatment.category) {
                for field in treatment.fields {
                    order.insert(field.field, Value::Null);
                }
            }
        }
        prop_assert_eq!(before, world.fate("orders", &order));
    }

    #[test]
    fn the_same_input_gives_the_same_bytes(world in any_world()) {
        let first = serde_json::to_vec(&world.plan()).unwrap();
        prop_assert_eq!(&first, &serde_json::to_vec(&world.plan()).unwrap());
        let read: super::super::Plan = serde_json::from_slice(&first).unwrap();
        prop_assert_eq!(first, serde_json::to_vec(&read).unwrap());
        let compiled = world.compiled();
        let plan = world.plan();
        prop_assert_eq!(Some(&compiled), plan.system(&system_name()));
    }
}
