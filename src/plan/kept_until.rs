//! Until when minimums keep a person's records, from the records' own starting points.

use std::collections::BTreeMap;

use jiff::Timestamp;
use quietus_connectors::Record;

use super::explain::minimums;
use super::input::PlanInput;
use super::reach::Place;
use crate::domain::{CategoryName, CollectionName, RuleName, SystemName};

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
    /// When it has ended for the last of the records; `None` while the starting point of one of
    /// them is not known.
    pub until: Option<Timestamp>,
    /// How many records it keeps now.
    pub records: u64,
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
    for ((persons, _), limits) in records.iter().zip(minimums(input, place, &values)) {
        for (category, limit) in limits {
            let runs = limit.applies && limit.end.is_none_or(|end| end > input.moment);
            for person in persons.iter().filter(|_| runs) {
                let key = ((*person).to_owned(), category.clone(), limit.name.clone());
                let one = kept.entry(key).or_insert_with(|| KeptUntil {
                    person: (*person).to_owned(),
                    system: place.system.name.clone(),
                    collection: place.collection.name.clone(),
                    category: category.clone(),
                    limit: limit.name.clone(),
                    citation: limit.citation.clone(),
                    until: limit.end,
                    records: 0,
                });
                one.records += 1;
                one.until = one.until.zip(limit.end).map(|(known, end)| known.max(end));
            }
        }
    }
    kept.into_values().collect()
}
