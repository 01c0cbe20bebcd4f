//! Until when minimums keep a person's records, from the records' own starting points.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use quietus_connectors::Record;

use super::explain::keeping;
use super::input::PlanInput;
use super::reach::Place;
use crate::domain::{CategoryName, CollectionName, RuleName, SystemName};

/// Ends that are noted of what one minimum keeps of a person in one collection.
const MOST_ENDS: usize = 100;
/// The nearest of them, which are noted one by one; those behind them may share one.
const NEAREST_ENDS: usize = 50;

/// What a minimum keeps of one person in one collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptUntil {
    /// The person, by reference.
    pub person: String,
    /// The system.
    pub system: SystemName,
    /// The collection.
    pub collection: CollectionName,
    /// The category.
    pub category: CategoryName,
    /// The minimum.
    pub limit: RuleName,
    /// Which law.
    pub citation: String,
    /// When it has ended for the last of the records, by this minimum and by those that are not law
    /// yet; `None` while the starting point of one of them is not known.
    pub until: Option<Timestamp>,
    /// When it ends for some of the records, so that these go: on each day once, when it has ended
    /// for the last of that day, and as few as `few_ends` leaves.
    pub ends: BTreeSet<Timestamp>,
    /// Minimums that are not law yet and have a say in these ends: the day from which they are, the
    /// name and the law.
    pub followed_by: BTreeSet<(Date, RuleName, String)>,
    /// How many records it keeps now.
    pub records: u64,
}

/// Leaves at most 100 of these ends: the nearest 50 as they are, and of those behind them every so
/// many. For each that is left out a later one stays, and so does the last: nothing is looked at too
/// early, and what is far away is noted anew, end by end, before it comes.
pub fn few_ends(ends: BTreeSet<Timestamp>) -> BTreeSet<Timestamp> {
    if ends.len() <= MOST_ENDS {
        return ends;
    }
    let (mut few, mut far) = (BTreeSet::new(), Vec::new());
    for (number, end) in ends.into_iter().enumerate() {
        if number < NEAREST_ENDS {
            few.insert(end);
        } else {
            far.push(end);
        }
    }
    let together = far.len().div_ceil(MOST_ENDS - NEAREST_ENDS);
    few.extend(far.chunks(together).filter_map(<[Timestamp]>::last));
    few
}

/// The last end of each day.
fn one_a_day(ends: BTreeSet<Timestamp>, zone: &TimeZone) -> BTreeSet<Timestamp> {
    let days = ends.into_iter().map(|end| (zone.to_datetime(end).date(), end));
    let last: BTreeMap<_, _> = days.collect();
    last.into_values().collect()
}

/// What minimums keep of each person's records now. `records` are the persons of each record, by
/// reference, and its values.
pub(super) fn kept_until(
    input: &PlanInput<'_>,
    place: Place<'_>,
    records: &[(Vec<&str>, &Record)],
) -> Vec<KeptUntil> {
    let mut kept: BTreeMap<(String, CategoryName, RuleName), KeptUntil> = BTreeMap::new();
    let values: Vec<&Record> = records.iter().map(|(_, record)| *record).collect();
    for ((persons, _), keeping) in records.iter().zip(keeping(input, place, &values)) {
        for by in keeping {
            for person in persons {
                let key = ((*person).to_owned(), by.category.clone(), by.limit.clone());
                let one = kept.entry(key).or_insert_with(|| KeptUntil {
                    person: (*person).to_owned(),
                    system: place.system.name.clone(),
                    collection: place.collection.name.clone(),
                    category: by.category.clone(),
                    limit: by.limit.clone(),
                    citation: by.citation.clone(),
                    until: by.until,
                    ends: BTreeSet::new(),
                    followed_by: BTreeSet::new(),
                    records: 0,
                });
                one.records += 1;
                one.ends.extend(by.at_latest);
                one.followed_by.extend(by.followed_by.iter().cloned());
                one.until = one.until.zip(by.until).map(|(known, end)| known.max(end));
            }
        }
    }
    let bounded =
        |one: KeptUntil| KeptUntil { ends: few_ends(one_a_day(one.ends, input.zone)), ..one };
    kept.into_values().map(bounded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(numbers: impl IntoIterator<Item = i64>) -> BTreeSet<Timestamp> {
        let begin: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let hour = |number| begin + jiff::SignedDuration::from_hours(number);
        numbers.into_iter().map(hour).collect()
    }

    #[test]
    fn of_a_day_the_last_end_counts_and_days_are_those_of_the_zone() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let ends = hours([1, 5, 22, 23, 30, 47, 100]);
        assert_eq!(one_a_day(ends.clone(), &TimeZone::UTC), hours([23, 47, 100]));
        assert_eq!(one_a_day(ends, &berlin), hours([22, 30, 47, 100]));
    }

    #[test]
    fn however_many_there_are_none_is_left_without_a_later_one() {
        for many in [0, 1, 50, 99, 100, 101, 149, 150, 151, 1_000, 36_500] {
            let all = hours((0..many).map(|day| day * 24));
            let few = few_ends(all.clone());
            assert!(few.len() <= MOST_ENDS && few.is_subset(&all), "{many}");
            assert!(many > 100 || few == all, "{many} are few enough");
            assert_eq!(few.last(), all.last(), "{many}");
            let nearest = |ends: &BTreeSet<Timestamp>| -> Vec<Timestamp> {
                ends.iter().take(NEAREST_ENDS).copied().collect()
            };
            assert_eq!(nearest(&few), nearest(&all), "{many}");
            // Those that are left out wait no longer than the others that share their end.
            let apart = few.iter().zip(few.iter().skip(1));
            let days = apart.map(|(one, next)| next.duration_since(*one).as_hours() / 24).max();
            let days = days.unwrap_or(0);
            assert!(days <= (many - 50).max(0) / 50 + 1, "{many}: {days} days apart");
            assert_eq!(few_ends(few.clone()), few, "{many}: it stays so");
        }
    }
}
