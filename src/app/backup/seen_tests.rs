//! Listings and what they mean: when copies are gone, when a day may be promised, and when not.

use proptest::prelude::*;
use quietus_connectors::Stay;

use super::*;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

fn day(day: i64) -> Timestamp {
    // 2026-01-01.
    let first = Timestamp::from_second(1_767_225_600).expect("a moment");
    first.checked_add(SignedDuration::from_hours(24 * day)).expect("a moment")
}

fn copy(id: i64) -> BackupCopy {
    BackupCopy {
        id: id.to_string(),
        kind: CopyKind::Whole,
        holds_from: Some(later(day(id), HOUR)),
        taken_at: later(day(id), HOUR),
        series: String::new(),
        needs: Vec::new(),
        stay: None,
        ends_at: None,
    }
}

/// Seven copies of the last seven days, taken at one o'clock.
fn weekly() -> Keeping {
    Keeping {
        retention: StoreRetention { daily: Some(7), ..StoreRetention::default() },
        counting: Counting::Apart,
        zone: TimeZone::UTC,
        cadence: DAY,
        longest: HOUR,
        pruned_within: SignedDuration::ZERO,
    }
}

fn listing(at: Timestamp, copies: std::ops::RangeInclusive<i64>) -> Listing {
    Listing::new(at, copies.map(copy).collect(), weekly())
}

#[test]
fn the_day_is_that_of_the_last_copy_that_can_hold_it() {
    // Erased at noon of day 10; the copies of days 4 to 10 can hold it.
    let gone_at = later(day(10), HOUR * 12);
    let seen = listing(later(day(10), HOUR * 15), 4..=10).seen(gone_at);
    assert_eq!((seen.copies, seen.newest_at), (Some(7), Some(later(day(10), HOUR))));
    assert_eq!((seen.gone, seen.trouble), (false, None));
    // The copy of day 10 goes with that of day 17.
    assert_eq!(seen.gone_by, Some(later(day(17), HOUR)));
    let seen = listing(later(day(16), HOUR * 2), 10..=16).seen(gone_at);
    assert_eq!((seen.copies, seen.gone), (Some(1), false));
    let seen = listing(later(day(17), HOUR * 2), 11..=17).seen(gone_at);
    assert_eq!((seen.copies, seen.gone, seen.gone_by), (Some(0), true, None));
}

#[test]
fn a_copy_that_was_being_taken_is_waited_for() {
    let gone_at = later(day(10), HOUR * 12);
    let mut one = listing(later(gone_at, SignedDuration::from_mins(30)), 10..=10);
    one.copies.clear();
    // Nothing is listed that can hold it, and one that is being taken can.
    let seen = Listing::new(one.at, Vec::new(), weekly()).seen(gone_at);
    assert_eq!((seen.copies, seen.gone), (Some(0), false));
    let later_on = later(gone_at, HOUR + CLOCKS_DIFFER);
    let after = BackupCopy { holds_from: Some(later_on), taken_at: later_on, ..copy(10) };
    assert!(Listing::new(later_on, vec![after], weekly()).seen(gone_at).gone);
    // What is promised covers it as well: it would be the one of day 10.
    let promised = listing(one.at, 4..=9).seen(gone_at);
    assert!(promised.gone_by >= Some(day(17)), "{promised:?}");
}

#[test]
fn what_would_be_the_last_of_its_month_is_promised_for_as_long() {
    let keeping = Keeping {
        retention: StoreRetention {
            daily: Some(7),
            monthly: Some(12),
            ..StoreRetention::default()
        },
        longest: DAY,
        ..weekly()
    };
    // Erased at noon of the 31st: a copy that is taken before midnight stays for a year.
    let gone_at = later(day(30), HOUR * 12);
    let copies: Vec<BackupCopy> = (24..=30).map(copy).collect();
    let seen = Listing::new(later(gone_at, HOUR), copies, keeping).seen(gone_at);
    assert!(seen.gone_by >= Some(day(365)), "{seen:?}");
}

#[test]
fn clocks_that_differ_hide_no_copy() {
    let gone_at = later(day(10), HOUR - SignedDuration::from_mins(2));
    let seen = listing(later(day(12), HOUR * 2), 6..=12).seen(gone_at);
    assert_eq!(seen.copies, Some(5), "that of day 10 began two minutes after it was erased");
}

#[test]
fn a_store_whose_copies_do_not_go_gets_no_day() {
    let gone_at = later(day(10), HOUR * 12);
    let stuck = listing(later(day(12), HOUR * 2), 1..=12);
    assert_eq!(stuck.trouble(), Some(Trouble::Stuck));
    // Those of days 5 and 6 may still be removed with today's or yesterday's run.
    let over: Vec<&str> = stuck.overstaying().iter().map(|(copy, _)| copy.id.as_str()).collect();
    assert_eq!(over, ["1", "2", "3", "4"]);
    let seen = stuck.seen(gone_at);
    assert_eq!((seen.gone_by, seen.trouble), (None, Some(Trouble::Stuck)));
    // Once nothing is left, what is wrong with the rest is another matter.
    let mut copies: Vec<BackupCopy> = (11..=40).map(copy).collect();
    assert!(Listing::new(later(day(40), HOUR * 2), copies.clone(), weekly()).seen(gone_at).gone);
    // What something keeps is not overdue.
    for copy in &mut copies {
        copy.stay = Some(Stay { until: Some(day(400)), why: "locked".to_owned() });
    }
    let locked = Listing::new(later(day(40), HOUR * 2), copies, weekly());
    assert_eq!(locked.trouble(), None);
    assert_eq!(locked.seen(day(30)).gone_by, Some(day(400)));
}

#[test]
fn a_store_that_is_pruned_once_a_week_is_given_that_week() {
    let keeping = Keeping { pruned_within: DAY * 7, ..weekly() };
    let copies: Vec<BackupCopy> = (1..=12).map(copy).collect();
    let listing = Listing::new(later(day(12), HOUR * 2), copies, keeping);
    assert_eq!(listing.trouble(), None);
    let seen = listing.seen(later(day(10), HOUR * 12));
    assert_eq!(seen.gone_by, Some(later(day(24), HOUR)));
}

#[test]
fn a_store_that_takes_no_copies_keeps_those_that_it_has() {
    let gone_at = later(day(10), HOUR * 12);
    let stale = listing(later(day(13), HOUR * 2), 4..=10);
    assert_eq!(stale.trouble(), Some(Trouble::Stale));
    assert_eq!(stale.seen(gone_at).gone_by, None);
    assert_eq!(listing(later(day(12), HOUR), 4..=10).trouble(), None, "one was missed");
    assert_eq!(Listing::new(day(1), Vec::new(), weekly()).trouble(), Some(Trouble::Stale));
}

#[test]
fn without_an_end_there_is_no_day() {
    let keeping = Keeping { retention: StoreRetention::default(), ..weekly() };
    let copies: Vec<BackupCopy> = (4..=10).map(copy).collect();
    let seen = Listing::new(later(day(10), HOUR * 15), copies, keeping).seen(day(10));
    assert_eq!((seen.gone_by, seen.trouble), (None, Some(Trouble::Endless)));
}

#[test]
fn only_what_later_copies_have_taken_the_place_of_is_removed() {
    let at = later(day(12), HOUR * 2);
    assert_eq!(listing(at, 1..=12).expired(), ["1", "2", "3", "4", "5"]);
    // Nobody has taken a copy since day 7: none of the seven is too many, however old they are.
    assert!(listing(later(day(90), HOUR), 1..=7).expired().is_empty());
    let mut copies: Vec<BackupCopy> = (1..=12).map(copy).collect();
    copies[9].needs = vec!["4".to_owned()];
    copies[3].needs = vec!["3".to_owned()];
    assert_eq!(Listing::new(at, copies, weekly()).expired(), ["1", "2", "5"]);
}

/// restic counts each group by itself: one that gets no new snapshots keeps those that it has.
#[test]
fn what_is_taken_of_something_else_takes_no_copys_place() {
    let at = later(day(40), HOUR * 2);
    let old = |id: i64| BackupCopy { series: "archive".to_owned(), ..copy(id) };
    let mut copies: Vec<BackupCopy> = (1..=9).map(old).collect();
    copies.extend((33..=40).map(copy));
    let listing = Listing::new(at, copies.clone(), weekly());
    // Two have had copies of their own group after them, and one of the other.
    assert_eq!(listing.expired(), ["1", "2", "33"]);
    // Borg's unfinished archives are no group: finished ones take their place.
    let keeping = Keeping { counting: Counting::Beyond, ..weekly() };
    for copy in copies.iter_mut().filter(|copy| copy.series == "archive") {
        copy.series = "checkpoints".to_owned();
    }
    assert!(Listing::new(at, copies, keeping).expired().len() > 3);
}

#[test]
fn news_is_what_differs_in_more_than_the_moment() {
    let gone_at = later(day(10), HOUR * 12);
    let one = listing(later(day(12), HOUR * 2), 6..=12).seen(gone_at);
    let again = listing(later(day(12), HOUR * 3), 6..=12).seen(gone_at);
    assert!(!again.says_more_than(&one));
    let next = listing(later(day(13), HOUR * 2), 7..=13).seen(gone_at);
    assert!(next.says_more_than(&one));
}

/// A disk that is not there shows as little as one from which every copy is gone.
#[test]
fn nothing_is_called_gone_from_a_store_that_shows_no_copy() {
    let gone_at = later(day(10), HOUR * 12);
    for at in [later(day(11), HOUR), day(400)] {
        let seen = Listing::new(at, Vec::new(), weekly()).seen(gone_at);
        assert_eq!((seen.gone, seen.copies), (false, Some(0)));
        assert_eq!((seen.gone_by, seen.trouble), (None, Some(Trouble::Stale)));
    }
    let logs = BackupCopy { kind: CopyKind::Log, ..copy(300) };
    assert!(!Listing::new(day(301), vec![logs], weekly()).seen(gone_at).gone);
}

#[test]
fn what_was_erased_inside_of_copies_is_gone_once_none_can_be_under_way() {
    let gone_at = later(day(10), HOUR * 12);
    let erased_at = later(gone_at, HOUR);
    let clear = Some(InsideSeen::Clear(erased_at));
    let soon = listing(later(gone_at, HOUR / 2), 4..=10).seen_inside(gone_at, clear);
    assert_eq!((soon.gone, soon.copies, soon.erased_inside_at), (false, Some(0), Some(erased_at)));
    assert!(soon.gone_by.is_some(), "one may be under way: {soon:?}");
    let settled = settled_at(gone_at, weekly().longest);
    let then = listing(settled, 4..=10).seen_inside(gone_at, clear);
    assert_eq!((then.gone, then.trouble, then.gone_by), (true, None, None));
    let by_expiry = listing(settled, 4..=10).seen(gone_at);
    assert!(!by_expiry.gone);
    assert_eq!(listing(settled, 4..=10).seen_inside(gone_at, None), by_expiry);
}

#[test]
fn nothing_is_called_gone_while_a_copy_holds_what_was_to_be_erased_inside_of_it() {
    let gone_at = later(day(10), HOUR * 12);
    for trouble in [Trouble::Held, Trouble::Unlisted] {
        let left = Some(InsideSeen::NotClear(trouble));
        let soon = listing(later(day(11), HOUR * 2), 5..=11);
        assert_eq!(soon.seen_inside(gone_at, left), soon.seen(gone_at), "the day by expiry stands");
        let late = listing(later(day(20), HOUR * 2), 14..=20);
        assert!(late.seen(gone_at).gone);
        let seen = late.seen_inside(gone_at, left);
        assert_eq!((seen.gone, seen.gone_by, seen.trouble), (false, None, Some(trouble)));
    }
}

#[test]
fn nothing_is_called_gone_while_data_of_unlisted_copies_remains() {
    let gone_at = later(day(10), HOUR * 12);
    let late = listing(later(day(20), HOUR * 2), 14..=20);
    let clear = Some(InsideSeen::Clear(later(gone_at, HOUR)));
    for seen in [late.seen(gone_at), late.seen_inside(gone_at, clear)] {
        assert!(seen.gone);
        assert_eq!(seen.clone().unless(&Ok(None)), seen);
        let remains = Ok(Some("run this".to_owned()));
        let kept = seen.clone().unless(&remains);
        assert_eq!((kept.gone, kept.gone_by, kept.trouble), (false, None, Some(Trouble::Stuck)));
        assert_eq!((kept.remains.as_deref(), kept.erased_inside_at), (Some("run this"), None));
        assert_eq!(kept.why_without_day(), DATA_REMAINS);
        let unknown = seen.unless(&Err("it is locked".to_owned()));
        assert_eq!((unknown.gone, unknown.trouble), (false, Some(Trouble::Unlisted)));
        assert_eq!(unknown.why_without_day(), DATA_REMAINS);
    }
    // Whoever has a day keeps it: the store was asked for others.
    let waits = late.seen(later(day(19), HOUR * 12));
    assert_eq!(waits.clone().unless(&Ok(Some("run this".to_owned()))), waits);
    assert_eq!(waits.why_without_day(), Trouble::Unlisted.words());
    // What was written by an earlier version is read, and the other way round.
    let text = serde_json::to_value(&waits).unwrap();
    assert!(text.get("remains").is_none(), "{text}");
    assert_eq!(serde_json::from_value::<Seen>(text).unwrap(), waits);
}

proptest! {
    /// A store that prunes as it says: nobody is called gone while a copy is there that began
    /// before, and everybody is by the day that was promised.
    #[test]
    fn what_is_promised_comes_true_and_never_earlier_than_it_is_true(
        daily in 1_u32..10,
        weekly_kept in 0_u32..5,
        monthly in 0_u32..3,
        erased_hour in 0_i64..24 * 40,
        asked_after in 0_i64..48,
    ) {
        let keeping = Keeping {
            retention: StoreRetention {
                daily: Some(daily),
                weekly: Some(weekly_kept),
                monthly: Some(monthly),
                ..StoreRetention::default()
            },
            ..weekly()
        };
        let gone_at = later(day(60), HOUR * i32::try_from(erased_hour).unwrap());
        let asked_at = later(gone_at, HOUR * i32::try_from(asked_after).unwrap());
        // The store takes a copy each day and prunes right after it.
        let at = |moment: Timestamp, from: Vec<BackupCopy>| -> Vec<BackupCopy> {
            let mut copies = from;
            loop {
                let next = copies.last().map_or(0, |copy| copy.id.parse::<i64>().unwrap() + 1);
                if copy(next).taken_at > moment {
                    return copies;
                }
                copies.push(copy(next));
                let newest = copies.last().unwrap().taken_at;
                let ends = ends_of(&copies, &keeping);
                copies.retain(|copy| ends.get(&copy.id).is_none_or(|end| *end > newest));
            }
        };
        let copies = at(asked_at, Vec::new());
        let seen = Listing::new(asked_at, copies.clone(), keeping.clone()).seen(gone_at);
        let holds = |copies: &[BackupCopy]| copies.iter().any(|copy| copy.holds_from.unwrap() <= gone_at);
        prop_assert_eq!(seen.trouble, None);
        prop_assert!(!(seen.gone && holds(&copies)));
        if let Some(gone_by) = seen.gone_by {
            let left = at(gone_by, copies);
            prop_assert!(!holds(&left), "by {gone_by} of {gone_at}");
            let settled = gone_by.max(settled_at(gone_at, keeping.longest));
            prop_assert!(Listing::new(settled, at(settled, left), keeping.clone()).seen(gone_at).gone);
        } else {
            prop_assert!(seen.gone);
        }
    }
}
