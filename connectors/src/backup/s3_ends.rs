//! When a bucket's life cycle removes each version.
//!
//! Days are counted from when a version was written, or replaced, and then rounded up to the next
//! midnight in UTC: that is when AWS and Ceph begin with it. Where a version first has a marker set
//! in front of it, the second period begins in the course of the day that begins then. Rules by tag
//! are not counted on: they may leave an object out.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use crate::objects::{Entry, EntryKind, LifeCycleRule, Versioning};

/// A version among those of its key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing<'a> {
    /// The version.
    pub entry: &'a Entry,
    /// When it was replaced; `None` for what is current.
    pub replaced: Option<Timestamp>,
    /// How many newer versions are not current either.
    pub newer_noncurrent: u32,
}

/// The versions of one key, newest first, each with when it was replaced; markers left out. Where
/// what replaced one is not in the list, it was replaced `now` at the latest.
pub(super) fn standing<'a>(entries: &[&'a Entry], now: Timestamp) -> Vec<Standing<'a>> {
    let mut sorted = entries.to_vec();
    // The store's own order tells apart what was written in one second; what it calls the latest is.
    sorted.sort_by_key(|entry| (!entry.latest, std::cmp::Reverse(entry.modified)));
    let mut standing = Vec::new();
    let (mut replaced, mut newer_noncurrent) = (None, 0);
    for entry in sorted {
        let by_now = replaced.or_else(|| (!entry.latest).then_some(now));
        if entry.kind == EntryKind::Version {
            standing.push(Standing { entry, replaced: by_now, newer_noncurrent });
            newer_noncurrent += u32::from(by_now.is_some());
        }
        replaced = Some(entry.modified);
    }
    standing
}

/// When the life cycle removes a version; `None` where it never does by itself.
pub(super) fn ends_at(
    standing: &Standing<'_>,
    rules: &[LifeCycleRule],
    versioning: Versioning,
) -> Option<Timestamp> {
    let Standing { entry, replaced, newer_noncurrent } = *standing;
    let rules: Vec<&LifeCycleRule> =
        rules.iter().filter(|rule| rule.covers(&entry.key, entry.bytes)).collect();
    let noncurrent = |since: Timestamp| {
        let counting = rules.iter().filter(|rule| rule.newer_noncurrent <= newer_noncurrent);
        counting.filter_map(|rule| midnight_after(since, rule.days_noncurrent?)).min()
    };
    if let Some(replaced) = replaced {
        return noncurrent(replaced);
    }
    let by_day = |rule: &&LifeCycleRule| {
        let at = rule.at.and_then(|at| midnight_after(at.max(entry.modified), 0));
        let days = rule.days.and_then(|days| midnight_after(entry.modified, days));
        at.into_iter().chain(days).min()
    };
    let ends = rules.iter().filter_map(by_day).min()?;
    // Without versions the content itself goes; so does what was written while there were none,
    // because the marker of a suspended bucket takes its place.
    let removed = match versioning {
        Versioning::Never => true,
        Versioning::Suspended => entry.version == "null",
        Versioning::Enabled => false,
    };
    if removed {
        return Some(ends);
    }
    // The marker is set in the course of that day.
    noncurrent(ends.checked_add(SignedDuration::from_secs(1)).ok()?)
}

/// For how many days a version stays at most that is written at any time of a day; `None` where it
/// can stay for ever. [`ends_at`] says more of one that is there.
///
/// Rounding up to midnight takes up to a day more, and with versions it is done twice: until the
/// marker is set, and until the version goes.
pub(super) fn longest_days(
    current: Option<u32>,
    noncurrent: Option<u32>,
    versioning: Versioning,
) -> Option<u32> {
    match versioning {
        Versioning::Never => current?.checked_add(1),
        _ => current?.checked_add(noncurrent?)?.checked_add(2),
    }
}

/// So many days after a moment, rounded up to midnight in UTC.
fn midnight_after(moment: Timestamp, days: u32) -> Option<Timestamp> {
    let later = moment.checked_add(SignedDuration::from_hours(24 * i64::from(days))).ok()?;
    let zoned = later.to_zoned(TimeZone::UTC);
    let midnight = zoned.start_of_day().ok()?;
    if midnight.timestamp() == later {
        return Some(later);
    }
    Some(midnight.checked_add(1.day()).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn entry(version: &str, kind: EntryKind, latest: bool, modified: &str) -> Entry {
        let (key, version) = ("daily/shop.sql".to_owned(), version.to_owned());
        Entry { key, version, kind, latest, modified: at(modified), bytes: 100 }
    }

    fn rule(days: Option<u32>, days_noncurrent: Option<u32>) -> LifeCycleRule {
        let prefix = "daily/".to_owned();
        LifeCycleRule { enabled: true, prefix, days, days_noncurrent, ..LifeCycleRule::default() }
    }

    fn ends(
        entries: &[Entry],
        rules: &[LifeCycleRule],
        versioning: Versioning,
    ) -> Vec<Option<Timestamp>> {
        let entries: Vec<&Entry> = entries.iter().collect();
        let all = standing(&entries, at("2026-03-20T00:00:00Z"));
        all.iter().map(|one| ends_at(one, rules, versioning)).collect()
    }

    #[test]
    fn without_versions_days_lead_to_the_next_midnight() {
        let one = [entry("null", EntryKind::Version, true, "2026-03-01T02:00:00Z")];
        let expected = [Some(at("2026-04-01T00:00:00Z"))];
        assert_eq!(ends(&one, &[rule(Some(30), None)], Versioning::Never), expected);
        // The rule that ends it first decides, and one that is switched off ends nothing.
        let off = LifeCycleRule { enabled: false, ..rule(Some(1), None) };
        let rules = [rule(Some(30), None), rule(Some(60), None), off.clone()];
        assert_eq!(ends(&one, &rules, Versioning::Never), expected);
        assert_eq!(ends(&one, &[off], Versioning::Never), [None]);
        let elsewhere = LifeCycleRule { prefix: "weekly/".to_owned(), ..rule(Some(1), None) };
        assert_eq!(ends(&one, &[elsewhere], Versioning::Never), [None]);
        let dated = LifeCycleRule { at: Some(at("2026-05-01T00:00:00Z")), ..rule(None, None) };
        let day = [Some(at("2026-05-01T00:00:00Z"))];
        assert_eq!(ends(&one, &[dated], Versioning::Never), day);
    }

    #[test]
    fn with_versions_a_second_period_follows() {
        let one = [entry("v1", EntryKind::Version, true, "2026-03-01T02:00:00Z")];
        let both = [rule(Some(30), Some(7))];
        let expected = [Some(at("2026-04-09T00:00:00Z"))];
        assert_eq!(ends(&one, &both, Versioning::Enabled), expected);
        assert_eq!(ends(&one, &[rule(Some(30), None)], Versioning::Enabled), [None]);
        assert_eq!(ends(&one, &[rule(None, Some(7))], Versioning::Enabled), [None]);
        // What was written while there were no versions is replaced by the marker.
        let null = [entry("null", EntryKind::Version, true, "2026-03-01T02:00:00Z")];
        let day = [Some(at("2026-04-01T00:00:00Z"))];
        assert_eq!(ends(&null, &[rule(Some(30), None)], Versioning::Suspended), day);
        assert_eq!(ends(&one, &[rule(Some(30), None)], Versioning::Suspended), [None]);
    }

    #[test]
    fn what_is_still_to_be_written_goes_on_the_day_of_the_bound_at_the_latest() {
        let day = |moment: Timestamp| moment.to_zoned(TimeZone::UTC).date();
        for (versioning, noncurrent) in [(Versioning::Never, None), (Versioning::Enabled, Some(7))]
        {
            let rules = [rule(Some(30), noncurrent)];
            let bound = longest_days(Some(30), noncurrent, versioning).unwrap();
            for minute in 1..24 * 60 {
                let written = at("2026-03-01T00:00:00Z");
                let written = written.checked_add(SignedDuration::from_mins(minute)).unwrap();
                let one = [entry("v1", EntryKind::Version, true, &written.to_string())];
                let end = ends(&one, &rules, versioning)[0].unwrap();
                let bound = SignedDuration::from_hours(24 * i64::from(bound));
                let bound = written.checked_add(bound).unwrap();
                assert!(end <= bound && day(end) == day(bound), "{written}: {end}, {bound}");
            }
        }
        assert_eq!(longest_days(None, Some(7), Versioning::Enabled), None);
        assert_eq!(longest_days(Some(30), None, Versioning::Enabled), None);
        assert_eq!(longest_days(Some(30), None, Versioning::Suspended), None);
    }

    #[test]
    fn a_replaced_version_counts_from_what_replaced_it() {
        let entries = [
            entry("m", EntryKind::Marker, true, "2026-03-10T05:00:00Z"),
            entry("v2", EntryKind::Version, false, "2026-03-02T02:00:00Z"),
            entry("v1", EntryKind::Version, false, "2026-03-01T02:00:00Z"),
        ];
        let expected = [Some(at("2026-03-18T00:00:00Z")), Some(at("2026-03-10T00:00:00Z"))];
        assert_eq!(ends(&entries, &[rule(Some(30), Some(7))], Versioning::Enabled), expected);
        // The newest one that is not current stays as long as nothing newer comes.
        let kept = LifeCycleRule { newer_noncurrent: 1, ..rule(None, Some(7)) };
        let second = [None, Some(at("2026-03-10T00:00:00Z"))];
        assert_eq!(ends(&entries, &[kept], Versioning::Enabled), second);
    }
}
