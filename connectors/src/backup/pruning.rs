//! When a store's own pruning removes each of its copies: the rules played through over the list
//! of copies and over those that are still to come.
//!
//! A single copy says too little: whether the one of today stays for a year depends on whether it
//! is the last one of its month. What is played through begins with the oldest copy of the list, so
//! that a copy that should have gone long ago gets the day on which it should have.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp, Zoned};
use serde::{Deserialize, Serialize};

use super::copy::{BackupCopy, CopyKind};
use super::retention::StoreRetention;

/// How a store reads the rules of a [`StoreRetention`] together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counting {
    /// Each rule by itself, as restic does. While there are fewer copies than a rule could keep,
    /// the oldest one stays (restic from 0.16 on; earlier ones give it up sooner).
    #[default]
    Apart,
    /// A rule counts only what no earlier one keeps, and has the oldest copy stay while it has too
    /// few: borg.
    Beyond,
    /// Copies that stand by themselves are counted, and what needs one goes with it. A period has
    /// to stay restorable from its beginning on, so that the newest copy that is older than it
    /// stays too: pgBackRest, barman.
    Reach,
}

/// Looks at a copy in one step, at most; beyond, an upper bound is told.
const MOST_WORK: usize = 10_000_000;
/// What a step costs by itself, in looks at a copy.
const STEP: usize = 20;
/// Shortest time between two copies that is counted with.
const SHORTEST_CADENCE: SignedDuration = SignedDuration::from_mins(1);
/// Rules that keep the last copy of each of so many parts of the calendar.
const CALENDAR_RULES: usize = 5;

impl StoreRetention {
    /// When each copy goes, if the store takes one in each `cadence` after the last one of the list
    /// and removes what it no longer keeps each time; days begin and end in `zone`.
    ///
    /// Copies that are not named never go, or their end is not the retention's matter: logs go with
    /// the copies from which they lead on ([`Horizon`](super::Horizon)).
    pub fn ends(
        &self,
        copies: &[BackupCopy],
        counting: Counting,
        zone: &TimeZone,
        cadence: SignedDuration,
    ) -> BTreeMap<String, Timestamp> {
        let Some(rules) = Rules::of(self) else { return BTreeMap::new() };
        let cadence = cadence.max(SHORTEST_CADENCE);
        let listed: BTreeSet<&str> = copies.iter().map(|copy| copy.id.as_str()).collect();
        let leans = |copy: &BackupCopy| {
            counting == Counting::Reach && copy.needs.iter().any(|id| listed.contains(id.as_str()))
        };
        let mut series: BTreeMap<&str, Vec<&BackupCopy>> = BTreeMap::new();
        for copy in copies.iter().filter(|copy| copy.kind != CopyKind::Log && !leans(copy)) {
            series.entry(&copy.series).or_default().push(copy);
        }
        let mut ends = BTreeMap::new();
        for mut copies in series.into_values() {
            copies.sort_by_key(|copy| copy.taken_at);
            rules.play(&copies, counting, zone, cadence, &mut ends);
        }
        with_what_they_lean_on(copies, &mut ends);
        ends
    }
}

/// What needs a copy goes with it.
fn with_what_they_lean_on(copies: &[BackupCopy], ends: &mut BTreeMap<String, Timestamp>) {
    // A chain is as long as the list at most.
    for _ in 0..copies.len() {
        let mut changed = false;
        for copy in copies {
            if ends.contains_key(&copy.id) {
                continue;
            }
            let end = copy.needs.iter().filter_map(|needed| ends.get(needed)).min().copied();
            if let Some(end) = end {
                ends.insert(copy.id.clone(), end);
                changed = true;
            }
        }
        if !changed {
            return;
        }
    }
}

/// A retention whose rules keep anything at all.
struct Rules {
    within: Option<Span>,
    last: u32,
    /// Hours, days, weeks, months, years.
    calendar: [u32; CALENDAR_RULES],
}

/// A copy that is there at a step.
struct Standing<'a> {
    at: Timestamp,
    /// In which hour, day, week, month and year it was taken.
    parts: [i64; CALENDAR_RULES],
    /// Its identifier; `None` for one that is still to come.
    id: Option<&'a str>,
}

impl<'a> Standing<'a> {
    fn of(at: Timestamp, zone: &TimeZone, id: Option<&'a str>) -> Self {
        let zoned = at.to_zoned(zone.clone());
        let (year, month) = (i64::from(zoned.year()), i64::from(zoned.month()));
        let day = year * 366 + i64::from(zoned.day_of_year());
        let week = zoned.date().iso_week_date();
        let parts = [
            day * 24 + i64::from(zoned.hour()),
            day,
            i64::from(week.year()) * 54 + i64::from(week.week()),
            year * 12 + month,
            year,
        ];
        Self { at, parts, id }
    }
}

/// The moments at which copies will be taken.
struct Coming {
    first: Zoned,
    cadence: SignedDuration,
    days: Option<i64>,
}

impl Coming {
    fn after(last: Timestamp, zone: &TimeZone, cadence: SignedDuration) -> Self {
        let day = SignedDuration::from_hours(24);
        let whole = cadence.as_secs() % day.as_secs() == 0;
        // Whoever copies at two o'clock goes on to do so where clocks are changed.
        let days = whole.then(|| cadence.as_secs() / day.as_secs());
        Self { first: last.to_zoned(zone.clone()), cadence, days }
    }

    fn number(&self, number: i32) -> Option<Timestamp> {
        let at = match self.days {
            Some(days) => {
                let days = Span::new().try_days(days.checked_mul(i64::from(number))?).ok()?;
                self.first.checked_add(days).ok()?.timestamp()
            }
            None => self.first.timestamp().checked_add(self.cadence.checked_mul(number)?).ok()?,
        };
        Some(at)
    }
}

impl Rules {
    /// `None` where nothing would ever go: without a rule, or with a period that cannot be read.
    fn of(retention: &StoreRetention) -> Option<Self> {
        let within = match &retention.within {
            None => None,
            Some(period) => Some(period.parse().ok()?),
        };
        let count = Option::<u32>::unwrap_or_default;
        let rules = Self {
            within,
            last: count(retention.last),
            calendar: [
                count(retention.hourly),
                count(retention.daily),
                count(retention.weekly),
                count(retention.monthly),
                count(retention.yearly),
            ],
        };
        let any = within.is_some() || rules.last > 0 || rules.calendar.iter().any(|&n| n > 0);
        any.then_some(rules)
    }

    /// Plays through one series, oldest first.
    fn play(
        &self,
        copies: &[&BackupCopy],
        counting: Counting,
        zone: &TimeZone,
        cadence: SignedDuration,
        ends: &mut BTreeMap<String, Timestamp>,
    ) {
        let Some(last) = copies.last() else { return };
        let coming = Coming::after(last.taken_at, zone, cadence);
        let known = copies.iter().map(|copy| (copy.taken_at, Some(copy.id.as_str())));
        let to_come = (1..).map_while(|number| Some((coming.number(number)?, None)));
        let mut standing: Vec<Standing<'_>> = Vec::new();
        let (mut work, mut left, mut seen) = (0, copies.len(), 0);
        for (at, id) in known.chain(to_come) {
            seen += usize::from(id.is_some());
            standing.push(Standing::of(at, zone, id));
            let keeps = self.keeps(&standing, counting, zone);
            let mut keeps = keeps.into_iter();
            standing.retain(|one| {
                let keep = keeps.next().unwrap_or(true);
                if let (false, Some(id)) = (keep, one.id) {
                    ends.insert(id.to_owned(), at);
                    left -= 1;
                }
                keep
            });
            work += standing.len() + STEP;
            if (left == 0 && seen == copies.len()) || work > MOST_WORK {
                break;
            }
        }
        for one in &standing {
            let bound = one.id.and_then(|id| Some((id, self.bound(one.at, zone, cadence)?)));
            if let Some((id, bound)) = bound {
                ends.insert(id.to_owned(), bound);
            }
        }
    }

    /// Which of the copies stay, oldest first, at the moment of the newest.
    fn keeps(&self, standing: &[Standing<'_>], counting: Counting, zone: &TimeZone) -> Vec<bool> {
        let mut keep = vec![false; standing.len()];
        let Some(newest) = standing.last() else { return keep };
        if let Some(within) = self.within {
            let since = newest.at.to_zoned(zone.clone()).checked_sub(within);
            let since = since.map_or(Timestamp::MIN, |since| since.timestamp());
            let older = standing.partition_point(|one| one.at <= since);
            let reach = usize::from(counting == Counting::Reach);
            keep[older.saturating_sub(reach)..].fill(true);
        }
        // Each copy is a part of its own to the rule that keeps the last ones.
        let each = |place: usize, _: &Standing<'_>| i64::try_from(place).unwrap_or(i64::MAX);
        keep_last_of_each(self.last, standing, counting, &mut keep, each);
        for (rule, &count) in self.calendar.iter().enumerate() {
            let part = |_: usize, one: &Standing<'_>| one.parts[rule];
            keep_last_of_each(count, standing, counting, &mut keep, part);
        }
        keep
    }

    /// No rule keeps a copy for longer than all of them one after the other would.
    fn bound(&self, at: Timestamp, zone: &TimeZone, cadence: SignedDuration) -> Option<Timestamp> {
        let at = at.to_zoned(zone.clone());
        let slack = cadence.checked_mul(2)?;
        let mut end = at.checked_add(self.within.unwrap_or_default()).ok()?;
        end = end.checked_add(cadence.checked_mul(i32::try_from(self.last).ok()?)?).ok()?;
        let units = [
            Span::new().hours(1),
            Span::new().days(1),
            Span::new().weeks(1),
            Span::new().months(1),
            Span::new().years(1),
        ];
        for (&count, unit) in self.calendar.iter().zip(units).filter(|(count, _)| **count > 0) {
            let by_calendar = end.checked_add(unit.checked_mul(i64::from(count) + 1).ok()?).ok()?;
            let by_cadence =
                end.checked_add(cadence.checked_mul(i32::try_from(count).ok()?)?).ok()?;
            end = by_calendar.max(by_cadence);
        }
        Some(end.checked_add(slack).ok()?.timestamp())
    }
}

/// Keeps the last copy in each of so many parts that have one, newest first.
fn keep_last_of_each(
    count: u32,
    standing: &[Standing<'_>],
    counting: Counting,
    keep: &mut [bool],
    part: impl Fn(usize, &Standing<'_>) -> i64,
) {
    let mut left = count;
    let mut last = None;
    for (place, one) in standing.iter().enumerate().rev() {
        if left == 0 {
            return;
        }
        let this = part(place, one);
        if last == Some(this) {
            continue;
        }
        last = Some(this);
        let counts = counting != Counting::Beyond || !keep[place];
        keep[place] = true;
        left -= u32::from(counts);
    }
    if let (true, Some(oldest)) = (left > 0 && counting != Counting::Reach, keep.first_mut()) {
        *oldest = true;
    }
}

#[cfg(test)]
#[path = "pruning_tests.rs"]
mod tests;
