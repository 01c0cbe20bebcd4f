//! Laws that are known to change: what is explained now is what comes when it is played through.

use jiff::{SignedDuration, Span};
use proptest::prelude::*;

use super::super::{RecordState, State, limits_of_both};
use super::fixture::*;
use super::laws::any_order;
use crate::domain::{RetentionPeriod, Rounding};
use crate::schedule::Limit;

const NOW: &str = "2026-03-29T01:30:00Z";

prop_compose! {
    fn any_dated_limit()(
        period in prop_oneof![Just("P90D"), Just("P1Y"), Just("P3Y"), Just("P8Y")],
        round in any::<bool>(), from in proptest::option::of(-900i64..1_500),
        length in proptest::option::of(0i64..1_500), number in 0u32..1_000_000,
        start in prop_oneof![9 => Just("order.completed"), 9 => Just("invoice.issued"), 1 => Just("unknown")],
    ) -> Limit {
        let day = |days: i64| "2026-03-29".parse::<jiff::civil::Date>().unwrap() + Span::new().days(days);
        Limit {
            period: RetentionPeriod::parse(period).unwrap(),
            rounding: if round { Rounding::EndOfCalendarYear } else { Rounding::None },
            starting_point: start.to_owned(),
            valid_from: from.map(day),
            valid_to: length.map(|length| day(from.unwrap_or(-900) + length)),
            ..minimum(&format!("min-{number}"), "invoice", "order.completed", "P1D")
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_record_goes_at_the_moment_that_was_explained_and_not_before(
        limits in proptest::collection::vec(any_dated_limit(), 0..5), order in any_order(),
    ) {
        let mut world = shop().at(NOW);
        world.rules.rules = vec![
            rule("delivery", "delivery", "order.completed", "P0D"),
            rule("invoice", "invoice", "order.completed", "P0D"),
        ];
        world.rules.limits = limits;
        let explained = world.explain("orders", &order);
        let now = world.moment;
        match explained.record {
            RecordState::Due => prop_assert!(world.fate("orders", &order).goes),
            RecordState::DueOn { at } => {
                prop_assert!(at > now);
                let mut later = world;
                later.moment = at;
                prop_assert!(later.fate("orders", &order).goes);
                for before in [1, 3_600_000_000, 86_400_000_000, 40 * 86_400_000_000_i64] {
                    let before = at - SignedDuration::from_micros(before);
                    later.moment = before;
                    prop_assert!(before < now || !later.fate("orders", &order).goes, "{}", before);
                }
            }
            _ => {
                for days in (0..4_000).step_by(50) {
                    let mut later = World { moment: now + SignedDuration::from_hours(24 * days), ..world };
                    prop_assert!(!later.fate("orders", &order).goes);
                    later.moment = now;
                    world = later;
                }
            }
        }
    }
}

/// Ten years until the end of 2027, eight from then on.
fn cut() -> World {
    let mut world = shop().at("2026-11-23T10:00:00Z");
    let years = |name: &str, period: &str| Limit {
        rounding: Rounding::EndOfCalendarYear,
        ..minimum(name, "invoice", "invoice.issued", period)
    };
    let ten = Limit { valid_to: Some("2027-12-31".parse().unwrap()), ..years("ten", "P10Y") };
    let eight = Limit { valid_from: Some("2028-01-01".parse().unwrap()), ..years("eight", "P8Y") };
    world.rules.limits = vec![ten, eight];
    world
}

#[test]
fn a_record_that_ten_years_keep_now_goes_by_eight_on_the_first_day_on_which_they_are_law() {
    let mut order = order_of_2020();
    order.insert("invoiced_on".to_owned(), day("2019-03-01"));
    let explained = cut().explain("orders", &order);
    let invoice = explained.categories.iter().find(|one| one.category == category("invoice"));
    let invoice = invoice.unwrap();
    let until = Some(moment("2027-12-31T23:00:00Z"));
    let State::KeptByMinimum { limit, until: kept, .. } = &invoice.state else {
        panic!("{:#?}", invoice.state)
    };
    assert_eq!((limit.as_str(), *kept), ("ten", until));
    assert_eq!(invoice.erase_at, until);
    let law: Vec<_> =
        invoice.minimums.iter().map(|one| (one.name.as_str(), one.law_from)).collect();
    assert_eq!(law, [("ten", None), ("eight", Some("2028-01-01".parse().unwrap()))]);
    assert!(!cut().at("2027-12-31T22:59:59Z").fate("orders", &order).goes);
    assert!(cut().at("2027-12-31T23:00:00Z").fate("orders", &order).goes);
}

#[test]
fn what_either_law_keeps_is_kept_by_both_together() {
    let of_case = vec![
        minimum("same", "invoice", "invoice.issued", "P1Y"),
        minimum("long", "invoice", "invoice.issued", "P3Y"),
    ];
    let in_force = vec![
        Limit { version: "2027.1".to_owned(), ..of_case[0].clone() },
        minimum("long", "invoice", "invoice.issued", "P2Y"),
        minimum("new", "invoice", "invoice.issued", "P4Y"),
    ];
    let both = limits_of_both(&of_case, &in_force);
    let named: Vec<String> =
        both.iter().map(|one| format!("{} {}", one.name, one.period)).collect();
    assert_eq!(named, ["same P1Y", "long P2Y", "new P4Y", "long-as-planned P3Y"]);
    assert_eq!(limits_of_both(&of_case, &of_case), of_case);
    assert_eq!(limits_of_both(&[], &in_force), in_force);
}
