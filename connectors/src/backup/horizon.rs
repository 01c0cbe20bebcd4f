//! What the copies of a store mean for somebody who was erased.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::copy::BackupCopy;

/// Which copies can still hold what was gone from their source at a moment, and when the last of
/// them ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Horizon {
    /// Identifiers of the copies that can hold it, in the order of the list.
    pub holding: Vec<String>,
    /// The latest [`taken_at`](BackupCopy::taken_at) among them.
    pub newest_at: Option<Timestamp>,
    /// When the last of them ends; `None` with none of them, or where one has no end.
    pub gone_by: Option<Timestamp>,
    /// Copies that have no end, with the reason; with any, no day may be promised.
    pub without_end: Vec<(String, String)>,
}

impl Horizon {
    /// Reads a list of copies.
    ///
    /// `ends_by` says when the store's retention ends a copy, `None` where it never does. A copy
    /// stays for as long as another one needs it, and for as long as something keeps the store
    /// from removing it. A log without an end of its own is shortened, not removed: what it holds
    /// of a moment goes with the last whole copy that can hold that moment, because stores keep
    /// logs from the oldest whole copy on; `ends_by` is not asked about it.
    pub fn of(
        copies: &[BackupCopy],
        gone_at: Timestamp,
        ends_by: impl Fn(&BackupCopy) -> Option<Timestamp>,
    ) -> Self {
        let mut horizon = Self::default();
        let ends = ends_with_what_needs_them(copies, ends_by);
        for copy in copies {
            if !copy.can_hold(gone_at) {
                continue;
            }
            horizon.holding.push(copy.id.clone());
            horizon.newest_at = horizon.newest_at.max(Some(copy.taken_at));
            let end = if copy.is_shortened() {
                end_of_log(copies, gone_at, &ends)
            } else {
                ends[copy.id.as_str()].clone()
            };
            match end {
                Ok(end) => horizon.gone_by = horizon.gone_by.max(Some(end)),
                Err(why) => horizon.without_end.push((copy.id.clone(), why)),
            }
        }
        if !horizon.without_end.is_empty() {
            horizon.gone_by = None;
        }
        horizon
    }

    /// No copy can hold it any more.
    pub fn is_clear(&self) -> bool {
        self.holding.is_empty()
    }
}

/// When each copy ends, or why it has no end.
fn ends_with_what_needs_them(
    copies: &[BackupCopy],
    ends_by: impl Fn(&BackupCopy) -> Option<Timestamp>,
) -> BTreeMap<&str, Result<Timestamp, String>> {
    let own = |copy: &BackupCopy| -> Result<Timestamp, String> {
        let end = copy.ends_at.or_else(|| ends_by(copy));
        let end = end.ok_or_else(|| "the store keeps it for ever".to_owned())?;
        match &copy.stay {
            None => Ok(end),
            Some(stay) => {
                stay.until.map_or_else(|| Err(stay.why.clone()), |until| Ok(end.max(until)))
            }
        }
    };
    let mut ends: BTreeMap<&str, Result<Timestamp, String>> = copies
        .iter()
        .filter(|copy| !copy.is_shortened())
        .map(|copy| (copy.id.as_str(), own(copy)))
        .collect();
    let mut changed: BTreeSet<&str> = ends.keys().copied().collect();
    while !changed.is_empty() {
        let last = std::mem::take(&mut changed);
        for copy in copies.iter().filter(|copy| last.contains(copy.id.as_str())) {
            let end = ends[copy.id.as_str()].clone();
            for needed in &copy.needs {
                let Some((name, known)) = ends.get_key_value(needed.as_str()) else { continue };
                let later = match (known, &end) {
                    (Ok(known), Ok(end)) if known < end => Ok(*end),
                    (Ok(_), Err(_)) => Err(format!("copy `{}` needs it and has no end", copy.id)),
                    _ => continue,
                };
                let name: &str = name;
                ends.insert(name, later);
                changed.insert(name);
            }
        }
    }
    ends
}

/// When a log begins only after a moment.
fn end_of_log(
    copies: &[BackupCopy],
    gone_at: Timestamp,
    ends: &BTreeMap<&str, Result<Timestamp, String>>,
) -> Result<Timestamp, String> {
    let whole = || copies.iter().filter(|copy| !copy.is_shortened());
    let mut holding: Vec<&BackupCopy> = whole().filter(|copy| copy.can_hold(gone_at)).collect();
    if holding.is_empty() {
        // The log should have been shortened by now. At the latest it is when the oldest copy goes.
        holding.extend(whole().min_by_key(|copy| copy.taken_at));
    }
    let ends = holding.iter().map(|copy| match &ends[copy.id.as_str()] {
        Ok(end) => Ok(Some(*end)),
        Err(_) => Err(format!("copy `{}` needs it and has no end", copy.id)),
    });
    let last = ends.reduce(|one, other| Ok(one?.max(other?)));
    last.unwrap_or(Ok(None))?.ok_or_else(|| "it leads on from no whole copy".to_owned())
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::super::copy::{CopyKind, Stay};
    use super::*;

    fn day(day: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH.checked_add(SignedDuration::from_hours(24 * day)).unwrap()
    }

    fn copy(id: &str, taken: i64) -> BackupCopy {
        BackupCopy {
            id: id.to_owned(),
            kind: CopyKind::Whole,
            holds_from: Some(day(taken)),
            taken_at: day(taken).checked_add(SignedDuration::from_hours(1)).unwrap(),
            series: String::new(),
            needs: Vec::new(),
            stay: None,
            ends_at: None,
        }
    }

    fn week(copy: &BackupCopy) -> Option<Timestamp> {
        copy.taken_at.checked_add(SignedDuration::from_hours(7 * 24)).ok()
    }

    #[test]
    fn what_began_before_can_hold_it() {
        let copies = [copy("a", 1), copy("b", 2), copy("c", 3)];
        let horizon = Horizon::of(&copies, day(2), week);
        assert_eq!(horizon.holding, ["a", "b"]);
        assert_eq!(horizon.newest_at, Some(copies[1].taken_at));
        assert_eq!(horizon.gone_by, week(&copies[1]));
        assert!(Horizon::of(&copies, day(0), week).is_clear());
        let unknown = BackupCopy { holds_from: None, ..copy("d", 9) };
        assert_eq!(Horizon::of(&[unknown], day(0), week).holding, ["d"]);
    }

    #[test]
    fn what_is_needed_stays_with_what_needs_it() {
        let needs = |id: &str, taken, needs: &str| BackupCopy {
            needs: vec![needs.to_owned()],
            ..copy(id, taken)
        };
        let copies = [copy("full", 1), needs("one", 4, "full"), needs("two", 6, "one")];
        let horizon = Horizon::of(&copies, day(2), week);
        assert_eq!(horizon.holding, ["full"]);
        assert_eq!(horizon.gone_by, week(&copies[2]));
    }

    #[test]
    fn a_log_ends_with_the_last_copy_that_can_hold_it() {
        let log = |from| BackupCopy {
            kind: CopyKind::Log,
            holds_from: Some(day(from)),
            ..copy("log", 30)
        };
        let copies = [copy("a", 1), copy("b", 8), copy("c", 15), log(1)];
        let horizon = Horizon::of(&copies, day(9), week);
        assert_eq!(horizon.holding, ["a", "b", "log"]);
        assert_eq!(horizon.gone_by, week(&copies[1]));
        // Whatever keeps the copies keeps the log as well.
        let mut kept = copies.clone();
        kept[0].stay = Some(Stay { until: None, why: "legal hold".to_owned() });
        let names = |horizon: Horizon| -> Vec<String> {
            horizon.without_end.into_iter().map(|(id, _)| id).collect()
        };
        assert_eq!(names(Horizon::of(&kept, day(9), week)), ["a", "log"]);
        // It has not been shortened: at the latest it is with the oldest copy that is left.
        let horizon = Horizon::of(&copies[2..], day(9), week);
        assert_eq!((horizon.holding.len(), horizon.gone_by), (1, week(&copies[2])));
        assert_eq!(names(Horizon::of(&copies[3..], day(9), week)), ["log"]);
        assert!(Horizon::of(&[log(10)], day(9), week).is_clear());
    }

    #[test]
    fn what_has_no_end_gives_no_day() {
        let mut copies = [copy("a", 1), copy("b", 2)];
        copies[0].stay = Some(Stay { until: Some(day(90)), why: "locked".to_owned() });
        assert_eq!(Horizon::of(&copies, day(2), week).gone_by, Some(day(90)));
        copies[1].stay = Some(Stay { until: None, why: "legal hold".to_owned() });
        let horizon = Horizon::of(&copies, day(2), week);
        assert_eq!(horizon.gone_by, None);
        assert_eq!(horizon.without_end, [("b".to_owned(), "legal hold".to_owned())]);
        let for_ever = Horizon::of(&copies[..1], day(2), |_| None);
        assert_eq!(for_ever.gone_by, None);
        assert_eq!(for_ever.without_end.len(), 1);
    }

    proptest! {
        #[test]
        fn no_copy_that_can_hold_it_ends_after_the_day(
            taken in proptest::collection::vec((0_i64..40, any::<Option<prop::sample::Index>>()), 1..12),
            gone in 0_i64..40,
        ) {
            let count = taken.len();
            let copies: Vec<BackupCopy> = taken.iter().enumerate().map(|(place, (taken, needs))| {
                let needs = needs.map(|needs| needs.index(count).to_string());
                BackupCopy { needs: needs.into_iter().collect(), ..copy(&place.to_string(), *taken) }
            }).collect();
            let horizon = Horizon::of(&copies, day(gone), week);
            for copy in &copies {
                prop_assert_eq!(horizon.holding.contains(&copy.id), copy.holds_from.unwrap() <= day(gone));
                if horizon.holding.contains(&copy.id) {
                    prop_assert!(horizon.gone_by >= week(copy));
                    for by in copies.iter().filter(|by| by.needs.contains(&copy.id)) {
                        prop_assert!(horizon.gone_by >= week(by));
                    }
                }
            }
        }
    }
}
