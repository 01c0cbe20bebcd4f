//! The arithmetic of `deadlines`, by vectors.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;

use super::*;
use crate::domain::RetentionPeriod;

fn regimes() -> Regimes {
    Regimes::built_in().unwrap()
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn noon(day: Date, zone: &TimeZone) -> Timestamp {
    day.at(12, 0, 0, 0).to_zoned(zone.clone()).unwrap().timestamp()
}

fn promise() -> Promise {
    Promise {
        answer: None,
        internal_target: RetentionPeriod::parse("P28D").unwrap(),
        slowest_answer: None,
    }
}

struct Vector {
    regime: &'static str,
    received: Date,
    stops: &'static [(Date, Option<Date>)],
    extended: Extended,
    legal_latest: Date,
}

const fn plain(regime: &'static str, received: Date, legal_latest: Date) -> Vector {
    Vector { regime, received, stops: &[], extended: Extended::No, legal_latest }
}

const fn prolonged(regime: &'static str, received: Date, legal_latest: Date) -> Vector {
    Vector { regime, received, stops: &[], extended: Extended::Once, legal_latest }
}

/// New Year, Good Friday, Easter Monday, Labour Day and Christmas of 2026 in Berlin, and the day
/// of unity, which is a Saturday that year.
fn berlin_holidays() -> WorkingCalendar {
    let days = [
        date(2026, 1, 1),
        date(2026, 4, 3),
        date(2026, 4, 6),
        date(2026, 5, 1),
        date(2026, 5, 14),
        date(2026, 5, 25),
        date(2026, 10, 3),
        date(2026, 12, 25),
        date(2026, 12, 26),
        date(2027, 1, 1),
    ];
    WorkingCalendar { holidays: days.into() }
}

const VECTORS: &[Vector] = &[
    // The same day of the next month.
    plain("gdpr", date(2026, 3, 5), date(2026, 4, 7)), // 5 April is a Sunday, 6 April Easter Monday
    plain("gdpr", date(2025, 3, 5), date(2025, 4, 7)), // 5 April is a Saturday
    plain("gdpr", date(2026, 9, 15), date(2026, 10, 15)),
    // No such day: the last day of the month.
    plain("gdpr", date(2026, 1, 31), date(2026, 3, 2)), // 28 February is a Saturday
    plain("gdpr", date(2026, 8, 31), date(2026, 9, 30)),
    plain("gdpr", date(2024, 1, 31), date(2024, 2, 29)), // leap year
    plain("gdpr", date(2024, 1, 29), date(2024, 2, 29)),
    plain("gdpr", date(2027, 1, 29), date(2027, 3, 1)), // 28 February is a Sunday
    plain("gdpr", date(2026, 1, 30), date(2026, 3, 2)),
    // Holidays.
    plain("gdpr", date(2026, 3, 3), date(2026, 4, 7)), // Good Friday to Tuesday after Easter
    plain("gdpr", date(2026, 4, 1), date(2026, 5, 4)), // Labour Day is a Friday
    plain("gdpr", date(2026, 11, 25), date(2026, 12, 28)), // Christmas and a weekend
    plain("gdpr", date(2026, 12, 1), date(2027, 1, 4)), // New Year is a Friday
    // Prolonged: three months from receipt.
    prolonged("gdpr", date(2026, 1, 31), date(2026, 4, 30)),
    prolonged("gdpr", date(2026, 11, 30), date(2027, 3, 1)), // 28 February 2027 is a Sunday
    // Without moving over weekends, and with days.
    plain("ccpa", date(2026, 1, 31), date(2026, 3, 17)),
    prolonged("ccpa", date(2026, 1, 31), date(2026, 5, 1)),
    plain("lgpd", date(2026, 2, 20), date(2026, 3, 7)), // a Saturday stays
    plain("controller", date(2026, 1, 31), date(2026, 3, 2)),
    plain("uk-gdpr", date(2026, 2, 28), date(2026, 3, 30)), // 28 March is a Saturday
    // The clock stands while identity is in doubt, where the law has it so.
    Vector {
        regime: "gdpr",
        received: date(2026, 9, 1),
        stops: &[(date(2026, 9, 3), Some(date(2026, 9, 10)))],
        extended: Extended::No,
        legal_latest: date(2026, 10, 8),
    },
    Vector {
        regime: "gdpr",
        received: date(2026, 9, 1),
        stops: &[
            (date(2026, 9, 3), Some(date(2026, 9, 10))),
            (date(2026, 9, 8), Some(date(2026, 9, 14))), // overlaps: counted once
        ],
        extended: Extended::No,
        legal_latest: date(2026, 10, 12),
    },
    Vector {
        regime: "ccpa",
        received: date(2026, 9, 1),
        stops: &[(date(2026, 9, 3), Some(date(2026, 9, 10)))],
        extended: Extended::No,
        legal_latest: date(2026, 10, 16),
    },
];

#[test]
fn the_laws_last_day_is_as_the_law_counts() {
    let (table, zone, calendar) = (regimes(), zone("Europe/Berlin"), berlin_holidays());
    for vector in VECTORS {
        let stops: Vec<ClockStop> = vector
            .stops
            .iter()
            .map(|(from, until)| ClockStop {
                from: noon(*from, &zone),
                until: until.map(|day| noon(day, &zone)),
                because: StopReason::Identity,
            })
            .collect();
        let received_at = noon(vector.received, &zone);
        let regime = table.get(vector.regime).unwrap();
        let dates = deadlines(
            regime,
            &promise(),
            &calendar,
            &zone,
            (received_at, received_at),
            &stops,
            vector.extended,
        );
        assert_eq!(
            dates.legal_latest, vector.legal_latest,
            "{} received {}",
            vector.regime, vector.received
        );
    }
}

fn of(regime: &str, promise: &Promise, zone: &TimeZone, received_at: Timestamp) -> Deadlines {
    let table = regimes();
    let both = (received_at, received_at);
    let none = WorkingCalendar::default();
    deadlines(table.get(regime).unwrap(), promise, &none, zone, both, &[], Extended::No)
}

#[test]
fn the_day_of_receipt_is_a_day_in_the_controllers_zone() {
    let late = "2026-06-30T22:30:00Z".parse().unwrap();
    let of_zone = |name| of("gdpr", &promise(), &zone(name), late).legal_latest;
    assert_eq!(of_zone("Europe/Berlin"), date(2026, 8, 3)); // 1 July, and 1 August is a Saturday
    assert_eq!(of_zone("UTC"), date(2026, 7, 30));
    assert_eq!(of_zone("Asia/Shanghai"), date(2026, 8, 3));
}

#[test]
fn the_promise_counts_where_it_is_earlier_than_the_law() {
    let berlin = zone("Europe/Berlin");
    let thirty = Promise { answer: RetentionPeriod::parse("P30D").ok(), ..promise() };
    let july = of("gdpr", &thirty, &berlin, noon(date(2026, 7, 1), &berlin));
    assert_eq!((july.legal_latest, july.answer_by), (date(2026, 8, 3), date(2026, 7, 31)));
    let january = of("gdpr", &thirty, &berlin, noon(date(2026, 1, 31), &berlin));
    assert_eq!((january.legal_latest, january.answer_by), (date(2026, 3, 2), date(2026, 3, 2)));
}

#[test]
fn three_dates_follow_from_one() {
    let berlin = zone("Europe/Berlin");
    let slow = Promise { slowest_answer: RetentionPeriod::parse("P21D").ok(), ..promise() };
    let dates = of("gdpr", &slow, &berlin, noon(date(2026, 9, 15), &berlin));
    assert_eq!(dates.legal_latest, date(2026, 10, 15));
    assert_eq!(dates.internal_target, date(2026, 10, 13));
    assert_eq!(dates.fan_out_by, date(2026, 9, 24));
    let hopeless = Promise { slowest_answer: RetentionPeriod::parse("P90D").ok(), ..promise() };
    let dates = of("gdpr", &hopeless, &berlin, noon(date(2026, 9, 15), &berlin));
    assert_eq!(dates.fan_out_by, date(2026, 9, 15));
}

#[test]
fn receipt_is_confirmed_within_working_days() {
    let pacific = zone("America/Los_Angeles");
    let dates = of("ccpa", &promise(), &pacific, noon(date(2026, 9, 18), &pacific));
    assert_eq!(dates.acknowledge_by, Some(date(2026, 10, 2)));
}

#[test]
fn while_the_clock_stands_the_dates_move_with_the_day() {
    let (table, berlin) = (regimes(), zone("Europe/Berlin"));
    let from = noon(date(2026, 9, 3), &berlin);
    let stop = [ClockStop { from, until: None, because: StopReason::Identity }];
    let on = |day: Date| {
        deadlines(
            table.get("gdpr").unwrap(),
            &promise(),
            &WorkingCalendar::default(),
            &berlin,
            (noon(date(2026, 9, 1), &berlin), noon(day, &berlin)),
            &stop,
            Extended::No,
        )
        .legal_latest
    };
    assert_eq!(on(date(2026, 9, 3)), date(2026, 10, 1));
    assert_eq!(on(date(2026, 9, 17)), date(2026, 10, 15));
}

#[test]
fn the_clock_stands_for_a_fee_only_where_the_law_has_it_so() {
    let (table, london) = (regimes(), zone("Europe/London"));
    let stop = |because| ClockStop {
        from: noon(date(2026, 9, 3), &london),
        until: Some(noon(date(2026, 9, 10), &london)),
        because,
    };
    let latest = |regime: &str, because| {
        let received_at = noon(date(2026, 9, 1), &london);
        let times = (received_at, received_at);
        let none = WorkingCalendar::default();
        let regime = table.get(regime).unwrap();
        deadlines(regime, &promise(), &none, &london, times, &[stop(because)], Extended::No)
            .legal_latest
    };
    assert_eq!(latest("uk-gdpr", StopReason::Fee), date(2026, 10, 8));
    assert_eq!(latest("uk-gdpr", StopReason::Identity), date(2026, 10, 8));
    assert_eq!(latest("gdpr", StopReason::Fee), date(2026, 10, 1));
    assert_eq!(latest("gdpr", StopReason::Identity), date(2026, 10, 8));
    assert_eq!(latest("ccpa", StopReason::Fee), date(2026, 10, 16));
}

#[test]
fn an_unknown_law_is_named_with_those_that_there_are() {
    let error = regimes().get("gpdr").unwrap_err().to_string();
    assert!(error.contains("`gpdr`") && error.contains("`gdpr`"), "{error}");
}

#[test]
fn a_table_with_a_wrong_key_is_refused() {
    let table = "regimes:\n  x:\n    title: x\n    answers: P1M\n";
    assert!(Regimes::parse(table).is_err());
}

proptest! {
    #[test]
    fn a_later_request_is_never_due_earlier(first in 0_i64..20_000, more in 0_i64..400) {
        let berlin = zone("Europe/Berlin");
        let day = |number: i64| noon(date(1990, 1, 1).saturating_add(number.days()), &berlin);
        let calendar = berlin_holidays();
        let table = regimes();
        for name in table.names() {
            let regime = table.get(name).unwrap();
            for extended in [Extended::No, Extended::Once] {
                let last = |received: Timestamp| {
                    deadlines(regime, &promise(), &calendar, &berlin, (received, received), &[], extended)
                };
                let (early, late) = (last(day(first)), last(day(first + more)));
                prop_assert!(early.legal_latest <= late.legal_latest);
                prop_assert!(early.answer_by <= early.legal_latest);
                prop_assert!(early.internal_target <= early.answer_by);
                prop_assert!(early.fan_out_by <= early.answer_by);
            }
        }
    }
}
