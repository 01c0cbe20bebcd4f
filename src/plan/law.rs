//! A law over time: its versions, each in force from a day and until a day, and when they let go of
//! a record.
//!
//! A law that is known to change is looked ahead to: a record goes at the first moment at which no
//! version that is in force on that day keeps it. That is the same as to play every day through with
//! what decides today (`in_force`, and whether the period is over), which is a law by property test.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::input::PlanInput;
use crate::domain::{Digest, RuleName};
use crate::schedule::{Limit, LimitKind};

/// What a version of a law says of one record for which its condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    /// In force from the begin of this day; `None` is always.
    pub(super) from: Option<Date>,
    /// In force until the end of this day; `None` is for ever.
    pub(super) to: Option<Date>,
    /// When its period ends for the record; `None` while the starting point is not known, so that it
    /// keeps the record for as long as it is in force.
    pub(super) end: Option<Timestamp>,
}

impl Version {
    fn keeps(self, at: Timestamp, today: Date, zone: &TimeZone) -> bool {
        let day = zone.to_datetime(at).date();
        is_law_on((self.from, self.to), day, today) && self.end.is_none_or(|end| end > at)
    }

    /// When it lets go of a record that it keeps: its period has ended, or it is law no longer.
    fn lets_go_at(self, zone: &TimeZone) -> Option<Timestamp> {
        let lapses = self.to.and_then(|to| day_after(to, zone));
        self.end.into_iter().chain(lapses).min()
    }
}

/// The first moment of the day after another one; `None` where the calendar ends.
fn day_after(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    Some(day.tomorrow().ok()?.to_zoned(zone.clone()).ok()?.timestamp())
}

/// When a day begins; `None` where the calendar ends.
pub(super) fn begin_of(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    Some(day.to_zoned(zone.clone()).ok()?.timestamp())
}

/// Whether what is law from and until these days is law on a day, as it is seen `today`: a law that
/// is in force by then counts for an earlier day too.
fn is_law_on((from, to): (Option<Date>, Option<Date>), day: Date, today: Date) -> bool {
    from.is_none_or(|from| from <= day.max(today)) && to.is_none_or(|to| day <= to)
}

/// The first moment, not before `from`, at which none of these versions keeps the record; `None`
/// where one of them does so for ever.
pub(super) fn over_from(
    versions: &[Version],
    from: Timestamp,
    today: Date,
    zone: &TimeZone,
) -> Option<Timestamp> {
    let mut at = from;
    // What keeps a record does so without a gap until it lets go, so each round ends one of them.
    for _ in 0..=versions.len() {
        let keeping = versions.iter().filter(|one| one.keeps(at, today, zone));
        let ends: Vec<Option<Timestamp>> = keeping.map(|one| one.lets_go_at(zone)).collect();
        match ends.into_iter().reduce(|one, other| one.zip(other).map(|(a, b)| a.max(b))) {
            None => return Some(at),
            Some(end) => at = end?,
        }
    }
    None
}

/// Whether a limit is in force on the day of the plan, in the zone of the instance. A minimum that
/// is law today holds for a plan of an earlier day too: what is deleted is deleted today.
pub(super) fn in_force(limit: &Limit, input: &PlanInput<'_>) -> bool {
    let day = input.zone.to_datetime(input.moment).date();
    let today = match limit.kind {
        LimitKind::Minimum => input.today,
        LimitKind::Maximum => day,
    };
    is_law_on((limit.valid_from, limit.valid_to), day, today)
}

/// Whether a minimum is not in force yet and will be.
pub(super) fn is_coming(limit: &Limit, input: &PlanInput<'_>) -> bool {
    let day = input.zone.to_datetime(input.moment).date().max(input.today);
    let comes = limit.valid_from.is_some_and(|from| from > day);
    limit.kind == LimitKind::Minimum
        && comes
        && limit.valid_to.is_none_or(|to| limit.valid_from.is_none_or(|from| from <= to))
}

/// The limits of a job that was counted and agreed to under the rules of its case and is carried out
/// under those in force: what a minimum of either keeps is kept. Where both have a minimum of one
/// name that says something else, that of the case is called `<name>-as-planned`.
pub fn limits_of_both(of_case: &[Limit], in_force: &[Limit]) -> Vec<Limit> {
    let is_minimum = |one: &&Limit| one.kind == LimitKind::Minimum;
    let known = |one: &Limit| in_force.iter().any(|other| says_the_same(one, other));
    let mut all = of_case.to_vec();
    all.retain(|one| one.kind == LimitKind::Maximum || known(one));
    let mut add = |one: &Limit| {
        let name = free_name(&one.name, &all);
        all.push(Limit { name, ..one.clone() });
    };
    let same = |one: &Limit| of_case.iter().any(|other| says_the_same(one, other));
    in_force.iter().filter(is_minimum).filter(|one| !same(one)).for_each(&mut add);
    of_case.iter().filter(is_minimum).filter(|one| !known(one)).for_each(&mut add);
    all
}

/// Whether two limits are the same but for the version of the pack that they stand in.
pub fn says_the_same(one: &Limit, other: &Limit) -> bool {
    *one == Limit { version: one.version.clone(), ..other.clone() }
}

/// By which the law of a day is known again, as it is seen `today`: what two laws of the same digest
/// keep, they keep until the same moment. What is law by then no longer has no part in it, and it is
/// another one once a minimum that was coming is law.
pub fn digest_of_law(limits: &[Limit], day: Date, today: Date) -> Digest {
    let minimums = limits.iter().filter(|one| one.kind == LimitKind::Minimum);
    let lasting = minimums.filter(|one| one.valid_to.is_none_or(|to| day <= to));
    let said = lasting.map(|one| {
        let is_law = is_law_on((one.valid_from, one.valid_to), day, today);
        format!("{is_law} {:?}", Limit { version: String::new(), ..one.clone() })
    });
    let mut said: Vec<String> = said.collect();
    said.sort_unstable();
    Digest::of(said.join("\n").as_bytes())
}

/// The name, or one after it that no other limit has.
fn free_name(name: &RuleName, taken: &[Limit]) -> RuleName {
    let short: String = name.as_str().chars().take(80).collect();
    let numbered = (1_u32..).map(|number| match number {
        1 => format!("{short}-as-planned"),
        _ => format!("{short}-as-planned-{number}"),
    });
    let names = std::iter::once(name.to_string()).chain(numbered);
    let mut names = names.filter_map(|text| RuleName::parse(&text).ok());
    let free = names.find(|one| taken.iter().all(|limit| limit.name != *one));
    free.unwrap_or_else(|| name.clone())
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Span};
    use proptest::prelude::*;

    use super::*;

    const BEGIN: &str = "2026-01-01";

    fn day(number: i64) -> Date {
        BEGIN.parse::<Date>().unwrap().checked_add(Span::new().days(number)).unwrap()
    }

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    prop_compose! {
        fn any_version()(
            from in proptest::option::of(-40i64..120),
            length in proptest::option::of(0i64..100),
            // Ends are whole hours, at midnight more often than not.
            end in proptest::option::weighted(0.8, (-40i64..160, prop_oneof![3 => Just(0i64), 1 => 0i64..24])),
        ) -> Version {
            let to = length.map(|length| day(from.unwrap_or(-40) + length));
            let end = end.map(|(number, hour)| {
                begin_of(day(number), &berlin()).unwrap() + SignedDuration::from_hours(hour)
            });
            Version { from: from.map(day), to, end }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn looking_ahead_is_the_same_as_to_play_every_hour_through(
            versions in proptest::collection::vec(any_version(), 0..5),
            from in 0i64..3_000,
            today in -40i64..60,
        ) {
            let zone = berlin();
            let from = begin_of(day(0), &zone).unwrap() + SignedDuration::from_hours(from);
            let keeps = |at: Timestamp| {
                let on = zone.to_datetime(at).date();
                versions.iter().any(|one| {
                    one.from.is_none_or(|from| from <= on.max(day(today)))
                        && one.to.is_none_or(|to| on <= to)
                        && one.end.is_none_or(|end| end > at)
                })
            };
            let mut hours = (0..9_000).map(|hour| from + SignedDuration::from_hours(hour));
            let played = hours.find(|at| !keeps(*at));
            prop_assert_eq!(over_from(&versions, from, day(today), &zone), played);
        }
    }

    fn version(from: Option<&str>, to: Option<&str>, end: Option<&str>) -> Version {
        let day = |text: &str| text.parse().unwrap();
        Version { from: from.map(day), to: to.map(day), end: end.map(|text| text.parse().unwrap()) }
    }

    /// Invoices are kept for ten calendar years until the end of 2027, and for eight from then on.
    #[test]
    fn ten_years_become_eight() {
        let until = |ten: &str, eight: &str| {
            let versions = [
                version(None, Some("2027-12-31"), Some(ten)),
                version(Some("2028-01-01"), None, Some(eight)),
            ];
            let now = "2026-11-23T10:00:00Z".parse().unwrap();
            let over = over_from(&versions, now, "2026-11-23".parse().unwrap(), &berlin());
            over.unwrap().to_string()
        };
        // Of 2016: it is over before the law changes.
        assert_eq!(until("2026-12-31T23:00:00Z", "2024-12-31T23:00:00Z"), "2026-12-31T23:00:00Z");
        // Of 2019: eight years no longer keep it on the first day on which they are law.
        assert_eq!(until("2029-12-31T23:00:00Z", "2027-12-31T23:00:00Z"), "2027-12-31T23:00:00Z");
        // Of 2022: the later version keeps it for as long as it says itself.
        assert_eq!(until("2032-12-31T23:00:00Z", "2030-12-31T23:00:00Z"), "2030-12-31T23:00:00Z");
    }

    #[test]
    fn what_a_version_keeps_for_ever_has_no_end_unless_it_lapses() {
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let over = |versions: &[Version]| over_from(versions, now, day(0), &berlin());
        assert_eq!(over(&[]), Some(now));
        assert_eq!(over(&[version(None, None, None)]), None);
        let lapses = version(None, Some("2027-12-31"), None);
        assert_eq!(over(&[lapses]), Some("2027-12-31T23:00:00Z".parse().unwrap()));
        assert_eq!(over(&[lapses, version(Some("2027-06-01"), None, None)]), None);
        // What comes only after a gap keeps nobody from going in the gap.
        let late = version(Some("2028-01-02"), None, None);
        assert_eq!(over(&[lapses, late]), Some("2027-12-31T23:00:00Z".parse().unwrap()));
    }
}
