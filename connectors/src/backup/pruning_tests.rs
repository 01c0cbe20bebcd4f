//! The rules played through, by hand and against a slow reading of them.

use super::super::copy::CopyKind;
use super::*;

fn utc(text: &str) -> Timestamp {
    format!("{text}[UTC]").parse::<Zoned>().unwrap().timestamp()
}

fn copy(id: &str, at: &str) -> BackupCopy {
    BackupCopy {
        id: id.to_owned(),
        kind: CopyKind::Whole,
        holds_from: None,
        taken_at: utc(at),
        series: String::new(),
        needs: Vec::new(),
        stay: None,
        ends_at: None,
    }
}

/// One copy at two o'clock on each day of a month.
fn daily(month: &str, days: std::ops::RangeInclusive<u8>) -> Vec<BackupCopy> {
    days.map(|day| copy(&format!("{month}-{day:02}"), &format!("{month}-{day:02}T02:00"))).collect()
}

fn ends(
    retention: &StoreRetention,
    counting: Counting,
    copies: &[BackupCopy],
) -> BTreeMap<String, String> {
    let ends = retention.ends(copies, counting, &TimeZone::UTC, SignedDuration::from_hours(24));
    ends.into_iter().map(|(id, end)| (id, end.strftime("%F").to_string())).collect()
}

#[test]
fn the_last_of_a_month_stays_and_the_others_do_not() {
    let copies = daily("2026-02", 1..=28);
    let retention =
        StoreRetention { daily: Some(7), monthly: Some(12), ..StoreRetention::default() };
    let ends = ends(&retention, Counting::Apart, &copies);
    assert_eq!(ends["2026-02-27"], "2026-03-06");
    // The first copy of the twelfth month after its own.
    assert_eq!(ends["2026-02-28"], "2027-02-01");
    // What should have gone long ago gets the day on which it should have.
    assert_eq!(ends["2026-02-10"], "2026-02-17");
    assert_eq!(ends.len(), copies.len());
}

#[test]
fn beyond_what_another_rule_keeps() {
    let copies = daily("2026-03", 1..=31);
    let retention = StoreRetention { daily: Some(7), weekly: Some(2), ..StoreRetention::default() };
    // The 22nd is a Sunday. Apart: gone with the first copy of the second week after it.
    assert_eq!(ends(&retention, Counting::Apart, &copies)["2026-03-22"], "2026-03-30");
    // Beyond: two Sundays more than those among the last seven days.
    assert_eq!(ends(&retention, Counting::Beyond, &copies)["2026-03-22"], "2026-04-12");
}

#[test]
fn a_period_that_stays_restorable() {
    let mut copies = vec![
        copy("F1", "2026-03-01T02:00"),
        copy("F2", "2026-03-08T02:00"),
        copy("F3", "2026-03-15T02:00"),
        copy("D", "2026-03-10T02:00"),
    ];
    copies[3].needs = vec!["F2".to_owned()];
    let week = SignedDuration::from_hours(24 * 7);
    let retention = StoreRetention { within: Some("P14D".into()), ..StoreRetention::default() };
    let day = |ends: &BTreeMap<String, Timestamp>, id: &str| ends[id].strftime("%F").to_string();
    let reach = retention.ends(&copies, Counting::Reach, &TimeZone::UTC, week);
    // Gone when the next one is fourteen days old, and what needs it with it.
    assert_eq!(day(&reach, "F1"), "2026-03-22");
    assert_eq!(day(&reach, "F2"), "2026-03-29");
    assert_eq!(day(&reach, "D"), "2026-03-29");
    let count = StoreRetention { last: Some(2), ..StoreRetention::default() };
    let count = count.ends(&copies, Counting::Reach, &TimeZone::UTC, week);
    assert_eq!(day(&count, "F2"), "2026-03-22");
    assert_eq!(day(&count, "F1"), "2026-03-15");
}

#[test]
fn series_are_counted_apart_and_logs_not_at_all() {
    let mut copies = daily("2026-03", 1..=4);
    copies[0].series = "other".to_owned();
    copies[1].kind = CopyKind::Log;
    let retention = StoreRetention { last: Some(2), ..StoreRetention::default() };
    let ends = ends(&retention, Counting::Apart, &copies);
    assert_eq!(ends["2026-03-01"], "2026-03-03");
    assert_eq!(ends["2026-03-03"], "2026-03-05");
    assert!(!ends.contains_key("2026-03-02"));
}

#[test]
fn without_a_rule_that_can_be_read_nothing_goes() {
    let copies = daily("2026-03", 1..=4);
    assert!(ends(&StoreRetention::default(), Counting::Apart, &copies).is_empty());
    let retention = StoreRetention { within: Some("a year".into()), ..StoreRetention::default() };
    assert!(ends(&retention, Counting::Apart, &copies).is_empty());
}

#[test]
fn years_of_hours_end_in_a_bound() {
    let copies = daily("2026-03", 1..=4);
    let retention = StoreRetention { yearly: Some(500), ..StoreRetention::default() };
    let ends = retention.ends(&copies, Counting::Apart, &TimeZone::UTC, SHORTEST_CADENCE);
    // The oldest one stays while a rule has too few; the others give way to the next of their year.
    assert!(ends["2026-03-01"] > utc("2500-01-01T00:00"));
    assert_eq!(ends["2026-03-04"], utc("2026-03-04T02:01"));
}

#[test]
fn no_copy_of_a_rule_by_itself_ends_after_its_bound() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let copies = daily("2026-03", 1..=31);
    for rule in 0..5 {
        let mut retention = StoreRetention::default();
        let count = [
            &mut retention.last,
            &mut retention.hourly,
            &mut retention.daily,
            &mut retention.weekly,
            &mut retention.monthly,
        ];
        *count.into_iter().nth(rule).unwrap() = Some(3);
        for hours in [6, 24, 48] {
            let cadence = SignedDuration::from_hours(hours);
            let ends = retention.ends(&copies, Counting::Apart, &zone, cadence);
            let last = copies.last().unwrap();
            let bound = retention.ends_by(&last.taken_at.to_zoned(zone.clone()), cadence).unwrap();
            let slack = bound.checked_add(SignedDuration::from_hours(1)).unwrap();
            assert!(ends[&last.id] <= slack, "rule {rule}, cadence {hours} h");
            assert!(ends[&last.id] > last.taken_at);
        }
    }
}
