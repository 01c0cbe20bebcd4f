//! What minimums keep of a person, as a request remembers it: which law, and when it ends for some of
//! the records and for the last of them. It names nobody.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::find::Found;
use super::record::RequestRecord;
use crate::plan::{KeptUntil, few_ends};

/// What a minimum keeps of a person in one collection, without the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptByLaw {
    /// The system.
    pub system: String,
    /// The collection.
    pub collection: String,
    /// The category.
    pub category: String,
    /// The minimum.
    pub limit: String,
    /// Which law.
    pub citation: String,
    /// When it has ended for the last of the records; `None` while that is not known.
    pub until: Option<Timestamp>,
    /// When it ends for some of the records, so that these go; at most 100. Where an earlier version
    /// has written it, there are none, and only `until` is known.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ends: BTreeSet<Timestamp>,
    /// Minimums that are not law yet and have a say in these ends: the day from which they are, the
    /// name and the law.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub followed_by: BTreeSet<(Date, String, String)>,
}

impl KeptByLaw {
    fn of(found: &KeptUntil) -> Self {
        Self {
            system: found.system.to_string(),
            collection: found.collection.to_string(),
            category: found.category.to_string(),
            limit: found.limit.to_string(),
            citation: found.citation.clone(),
            until: found.until,
            ends: found.ends.clone(),
            followed_by: found
                .followed_by
                .iter()
                .map(|(day, name, citation)| (*day, name.to_string(), citation.clone()))
                .collect(),
        }
    }

    /// What it is about: where, of which category, and by which minimum.
    fn place(&self) -> [&str; 4] {
        [&self.system, &self.collection, &self.category, &self.limit]
    }

    /// When it ends for some of the records, later than at a moment.
    pub(crate) fn ends_after(&self, moment: Timestamp) -> BTreeSet<Timestamp> {
        self.ends.iter().chain(&self.until).copied().filter(|end| *end > moment).collect()
    }

    /// Adds what was found of other records of the same person by the same minimum.
    fn add(&mut self, other: Self) {
        self.ends.extend(other.ends);
        self.ends = few_ends(std::mem::take(&mut self.ends));
        self.followed_by.extend(other.followed_by);
        self.until = self.until.zip(other.until).map(|(one, other)| one.max(other));
    }

    /// Takes over ends of before that are later than a moment.
    fn take_over(&mut self, known: &Self, moment: Timestamp) {
        self.ends.extend(known.ends_after(moment));
        self.ends = few_ends(std::mem::take(&mut self.ends));
        let last = self.ends.last().copied();
        self.until = self.until.map(|until| last.map_or(until, |last| last.max(until)));
    }

    /// What is left of it after a moment where no record of it was found any more; `None` is nothing.
    fn left_after(self, moment: Timestamp) -> Option<Self> {
        let ends = self.ends_after(moment);
        Some(Self { until: Some(*ends.last()?), ends, ..self })
    }
}

impl RequestRecord {
    /// Writes down what was found to be kept. What is known of systems that did not answer stays.
    /// Records that only keys name, theirs or those of what they belong to, are not found anew:
    /// `by_key` says of a system whether there are any, so that their ends stay until they come.
    pub(super) fn note_kept(&mut self, found: &Found, by_key: impl Fn(&str) -> bool) {
        let answered = |law: &KeptByLaw| found.counts.keys().any(|one| one.as_str() == law.system);
        let (before, mut kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.kept).into_iter().partition(answered);
        let mut noted: Vec<KeptByLaw> = Vec::new();
        for one in found.kept.iter().map(KeptByLaw::of) {
            match noted.iter_mut().find(|known| known.place() == one.place()) {
                Some(known) => known.add(one),
                None => noted.push(one),
            }
        }
        self.note_law(found, &by_key);
        let anew =
            |system: &str| found.dated_anew.as_ref().is_some_and(|one| one.as_str() == system);
        let stays = |known: &KeptByLaw| by_key(&known.system) && !anew(&known.system);
        for known in before.into_iter().filter(stays) {
            match noted.iter_mut().find(|one| one.place() == known.place()) {
                Some(one) => one.take_over(&known, found.moment),
                None => kept.extend(known.left_after(found.moment)),
            }
        }
        kept.append(&mut noted);
        kept.sort_by(|one, other| one.place().cmp(&other.place()));
        self.kept = kept;
    }

    /// Remembers by which law the ends of a system were found. Ends of before that stay are still
    /// those of the law of before.
    fn note_law(&mut self, found: &Found, by_key: &impl Fn(&str) -> bool) {
        let Some(law) = found.law else { return };
        for (system, records) in &found.counts {
            let name = system.as_str();
            let all = !by_key(name) || found.dated_anew.as_ref() == Some(system);
            if all && (*records > 0 || self.kept_under.contains_key(name) || by_key(name)) {
                self.kept_under.insert(name.to_owned(), law);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments<const N: usize>(texts: [&str; N]) -> BTreeSet<Timestamp> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn law(until: Option<&str>, ends: BTreeSet<Timestamp>) -> KeptByLaw {
        let word = |text: &str| text.to_owned();
        KeptByLaw {
            system: word("shop"),
            collection: word("orders"),
            category: word("invoice"),
            limit: word("ao-147"),
            citation: word("AO 147"),
            until: until.map(|text| text.parse().unwrap()),
            ends,
            followed_by: BTreeSet::new(),
        }
    }

    const FIRST: &str = "2028-12-31T23:00:00Z";
    const LAST: &str = "2034-12-31T23:00:00Z";

    #[test]
    fn what_an_earlier_version_wrote_has_its_one_end() {
        let written = serde_json::json!({
            "system": "shop", "collection": "orders", "category": "invoice", "limit": "ao-147",
            "citation": "AO 147", "until": LAST,
        });
        let read: KeptByLaw = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(read, law(Some(LAST), BTreeSet::new()));
        assert_eq!(read.ends_after(FIRST.parse().unwrap()), moments([LAST]));
        assert_eq!(read.ends_after(LAST.parse().unwrap()), BTreeSet::new());
        assert_eq!(serde_json::to_value(&read).unwrap(), written, "an earlier version reads it");
        let now = law(Some(LAST), moments([FIRST, LAST]));
        let again: KeptByLaw = serde_json::from_value(serde_json::to_value(&now).unwrap()).unwrap();
        assert_eq!(again, now);
    }

    #[test]
    fn ends_of_records_that_are_not_found_anew_stay_until_they_come() {
        let moment = |text: &str| -> Timestamp { text.parse().unwrap() };
        let (before, later) = ("2026-11-23T10:00:00Z", "2031-12-31T23:00:00Z");
        let known = law(Some(LAST), moments([FIRST, LAST]));
        let taken_over = |until, ends, at| {
            let mut found = law(until, ends);
            found.take_over(&known, moment(at));
            found
        };
        let both = taken_over(Some(later), moments([later]), FIRST);
        assert_eq!(both, law(Some(LAST), moments([later, LAST])));
        let all = taken_over(Some(later), moments([later]), before);
        assert_eq!(all, law(Some(LAST), moments([FIRST, later, LAST])));
        // Where the end of one of them is not known now, the last end is not.
        let open = taken_over(None, BTreeSet::new(), FIRST);
        assert_eq!(open, law(None, moments([LAST])));
        let over = taken_over(None, BTreeSet::new(), LAST);
        assert_eq!(over, law(None, BTreeSet::new()));

        let left = known.clone().left_after(moment(FIRST));
        assert_eq!(left, Some(law(Some(LAST), moments([LAST]))));
        assert_eq!(known.left_after(moment(LAST)), None);
        let open = law(None, moments([FIRST])).left_after(moment(before));
        assert_eq!(open, Some(law(Some(FIRST), moments([FIRST]))));
        let by_an_earlier_version = law(Some(LAST), BTreeSet::new()).left_after(moment(before));
        assert_eq!(by_an_earlier_version, Some(law(Some(LAST), moments([LAST]))));
    }
}
