//! Laws of retention periods: never early, never falling, cut-offs exact to the microsecond.

use jiff::civil::{Date, date};
use proptest::prelude::*;

use super::*;

fn period(text: &str) -> RetentionPeriod {
    RetentionPeriod::parse(text).unwrap()
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn due(start: &str, text: &str, rounding: Rounding, name: &str) -> String {
    let at = period(text).due_at(moment(start), rounding, &zone(name));
    at.to_zoned(zone(name)).datetime().to_string()
}

#[test]
fn iso_texts_are_read_and_others_refused_with_what_to_write() {
    for text in ["P90D", "P3M", "P8Y", "P2W", "PT36H", "P1Y6M", "PT30M", "P0D", "P1000Y"] {
        assert_eq!(period(text).to_string(), text);
    }
    assert_eq!(period("P0Y").to_string(), "P0D");
    for text in ["6m", "6 mo", "", "P", "90", "p90d", "P90d", "-P1D", "P-1D", "P1.5Y", "PT0.5H"] {
        assert!(RetentionPeriod::parse(text).is_err(), "{text}");
    }
    for text in ["P1001Y", "P12001M", "P1000Y1D", "P400000D", "PT9000000H"] {
        let error = RetentionPeriod::parse(text).unwrap_err();
        assert!(error.to_string().contains("1000 years"), "{error}");
    }
    let message = RetentionPeriod::parse("6m").unwrap_err().to_string();
    assert!(message.contains("`6m`") && message.contains("`P6M` for 6 months"), "{message}");
}

#[test]
fn periods_are_equal_by_text_and_survive_serde() {
    assert_ne!(period("P12M"), period("P1Y"));
    assert_eq!(period("P0Y"), period("P0D"));
    let written = serde_json::to_string(&period("P1Y6M")).unwrap();
    assert_eq!(written, "\"P1Y6M\"");
    assert_eq!(serde_json::from_str::<RetentionPeriod>(&written).unwrap(), period("P1Y6M"));
    assert!(serde_json::from_str::<RetentionPeriod>("\"6m\"").is_err());
}

#[test]
fn a_day_that_does_not_exist_ends_with_the_last_day_of_the_month() {
    let none = Rounding::None;
    assert_eq!(due("2023-01-31T10:00:00Z", "P1M", none, "UTC"), "2023-03-01T00:00:00");
    assert_eq!(due("2024-01-31T10:00:00Z", "P1M", none, "UTC"), "2024-03-01T00:00:00");
    assert_eq!(due("2024-02-29T10:00:00Z", "P1Y", none, "UTC"), "2025-03-01T00:00:00");
    assert_eq!(due("2024-02-29T10:00:00Z", "P4Y", none, "UTC"), "2028-02-29T10:00:00");
    assert_eq!(due("2023-01-28T10:00:00Z", "P1M", none, "UTC"), "2023-02-28T10:00:00");
    let month = Rounding::EndOfMonth;
    assert_eq!(due("2023-01-31T10:00:00Z", "P1M", month, "UTC"), "2023-03-01T00:00:00");
    assert_eq!(due("2023-02-01T00:00:00Z", "P1M", month, "UTC"), "2023-04-01T00:00:00");
}

#[test]
fn eight_years_to_the_end_of_the_calendar_year() {
    let year = Rounding::EndOfCalendarYear;
    for start in ["2024-01-01T00:00:00Z", "2024-05-03T12:00:00Z", "2024-12-31T23:59:59.999999Z"] {
        assert_eq!(due(start, "P8Y", year, "UTC"), "2033-01-01T00:00:00", "{start}");
    }
    // 2024-12-31T23:30Z is already 2025 in Berlin.
    assert_eq!(due("2024-12-31T23:30:00Z", "P8Y", year, "Europe/Berlin"), "2034-01-01T00:00:00");
    assert_eq!(due("2024-12-31T22:30:00Z", "P8Y", year, "Europe/Berlin"), "2033-01-01T00:00:00");
    let day = |day| period("P8Y").due_at_day(day, year, &TimeZone::UTC).to_string();
    assert_eq!(day(date(2024, 1, 1)), "2033-01-01T00:00:00Z");
    assert_eq!(day(date(2024, 12, 31)), "2033-01-01T00:00:00Z");
    assert_eq!(day(date(2025, 1, 1)), "2034-01-01T00:00:00Z");
    let cutoff = period("P8Y").cutoff_day(moment("2033-01-01T00:00:00Z"), year, &TimeZone::UTC);
    assert_eq!(cutoff, Some(date(2024, 12, 31)));
    let before = moment("2032-12-31T23:59:59.999999Z");
    assert_eq!(period("P8Y").cutoff_day(before, year, &TimeZone::UTC), Some(date(2023, 12, 31)));
}

#[test]
fn the_day_of_the_event_does_not_count() {
    let day = |text, day| {
        let at = period(text).due_at_day(day, Rounding::None, &zone("Europe/Berlin"));
        at.to_zoned(zone("Europe/Berlin")).datetime().to_string()
    };
    assert_eq!(day("P90D", date(2026, 1, 1)), "2026-04-02T00:00:00");
    assert_eq!(day("P0D", date(2026, 1, 1)), "2026-01-02T00:00:00");
    assert_eq!(day("P1M", date(2026, 1, 31)), "2026-03-01T00:00:00");
}

#[test]
fn clocks_that_are_put_back_or_forward_delay_and_never_hasten() {
    let none = Rounding::None;
    // The hour from 02:00 to 03:00 on 2026-03-29 does not exist in Berlin.
    assert_eq!(due("2026-03-28T01:30:00Z", "P1D", none, "Europe/Berlin"), "2026-03-29T03:00:00");
    // The hour from 02:00 to 03:00 on 2026-10-25 passes twice: the second pass is meant.
    let at = period("P1D").due_at(moment("2026-10-24T00:30:00Z"), none, &zone("Europe/Berlin"));
    assert_eq!(at, moment("2026-10-25T01:30:00Z"));
    // 2011-12-30 does not exist in Apia.
    assert_eq!(due("2011-12-29T20:00:00Z", "P1D", none, "Pacific/Apia"), "2011-12-31T00:00:00");
    // Without calendar units, time is elapsed time.
    let start = moment("2026-10-25T01:10:00Z");
    assert_eq!(period("P0D").due_at(start, none, &zone("Europe/Berlin")), start);
}

#[test]
fn an_end_beyond_the_calendar_is_never_reached() {
    let far =
        period("P1000Y").due_at(moment("9500-01-01T00:00:00Z"), Rounding::None, &TimeZone::UTC);
    assert_eq!(far, Timestamp::MAX);
    assert_eq!(period("P1000Y").cutoff_day(Timestamp::MIN, Rounding::None, &TimeZone::UTC), None);
    assert_eq!(period("P1Y").cutoff(Timestamp::MIN, Rounding::None, &TimeZone::UTC), None);
}

const ZONES: [&str; 9] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Pacific/Apia",
    "Africa/Casablanca",
    "America/Asuncion",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
];

prop_compose! {
    fn any_period()(
        years in 0i64..12, months in 0i64..20, days in 0i64..70, hours in 0i64..50, mask in 1u8..16,
    ) -> RetentionPeriod {
        let pick = |bit: u8, value: i64| if mask & bit == 0 { 0 } else { value };
        let span = Span::new()
            .years(pick(1, years)).months(pick(2, months)).days(pick(4, days)).hours(pick(8, hours));
        RetentionPeriod { span }
    }
}

fn any_rounding() -> impl Strategy<Value = Rounding> {
    prop_oneof![Just(Rounding::None), Just(Rounding::EndOfMonth), Just(Rounding::EndOfCalendarYear)]
}

/// Microseconds from 1900 to 2100, often close to a transition of the zone or a month's end.
fn start_in(zone_name: &str, seed: i64, offset: i64, near: u8) -> Timestamp {
    let around = Timestamp::from_microsecond(seed).unwrap();
    let base = match near {
        0 => around,
        1 => zone(zone_name).following(around).next().map_or(around, |one| one.timestamp()),
        _ => {
            let local = zone(zone_name).to_datetime(around).date().first_of_month();
            local.to_zoned(zone(zone_name)).unwrap().timestamp()
        }
    };
    base.checked_add(SignedDuration::from_micros(offset)).unwrap()
}

prop_compose! {
    fn any_start()(
        zone_index in 0..ZONES.len(),
        seed in -2_208_988_800_000_000i64..4_102_444_800_000_000,
        offset in -100_000_000_000i64..100_000_000_000,
        near in 0u8..3,
    ) -> (&'static str, Timestamp) {
        (ZONES[zone_index], start_in(ZONES[zone_index], seed, offset, near))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn never_early_and_never_falling(
        (name, start) in any_start(), later in 0i64..8_000_000_000, text in any_period(),
        rounding in any_rounding(),
    ) {
        let zone = zone(name);
        let next = start.checked_add(SignedDuration::from_micros(later)).unwrap();
        let (first, second) = (text.due_at(start, rounding, &zone), text.due_at(next, rounding, &zone));
        prop_assert!(first >= start);
        prop_assert!(second >= first, "{name} {text} {rounding:?}: {start} -> {first}, {next} -> {second}");
        if rounding != Rounding::None {
            prop_assert!(first >= text.due_at(start, Rounding::None, &zone));
        }
    }

    #[test]
    fn days_never_fall_and_outlast_every_moment_of_the_day(
        (name, start) in any_start(), text in any_period(), rounding in any_rounding(),
    ) {
        let zone = zone(name);
        let day: Date = zone.to_datetime(start).date();
        let due = text.due_at_day(day, rounding, &zone);
        prop_assert!(due >= start);
        prop_assert!(text.due_at_day(day.tomorrow().unwrap(), rounding, &zone) >= due);
        if text.span.get_hours() == 0 && highest_local(start, &zone).date() == day {
            prop_assert!(due >= text.due_at(start, rounding, &zone));
        }
    }

    #[test]
    fn cutoffs_are_exact((name, now) in any_start(), text in any_period(), rounding in any_rounding()) {
        let zone = zone(name);
        let cutoff = text.cutoff(now, rounding, &zone).unwrap();
        let next = cutoff.checked_add(SignedDuration::from_micros(1)).unwrap();
        prop_assert!(text.due_at(cutoff, rounding, &zone) <= now);
        prop_assert!(text.due_at(next, rounding, &zone) > now);
        let day = text.cutoff_day(now, rounding, &zone).unwrap();
        prop_assert!(text.due_at_day(day, rounding, &zone) <= now);
        prop_assert!(text.due_at_day(day.tomorrow().unwrap(), rounding, &zone) > now);
    }
}
