//! Associations in what a certificate says: records that stay and lost what led to one that went.

use std::collections::BTreeMap;

use quietus_connectors::{CollectionOutcome, association_named};

/// How many records lost an association, by link.
pub(super) fn emptied(outcome: &CollectionOutcome) -> BTreeMap<&str, u64> {
    let treated = outcome.treated.iter().filter(|(_, count)| **count > 0);
    let named = treated.filter_map(|(name, count)| Some((association_named(name)?, *count)));
    named.collect()
}

/// What was done to them, as it follows the technique of a statement; empty where nothing was.
pub(super) fn in_words(emptied: &BTreeMap<&str, u64>) -> String {
    if emptied.is_empty() {
        return String::new();
    }
    let named: Vec<String> =
        emptied.iter().map(|(link, count)| format!("{link}: {count}")).collect();
    format!(
        "; of records that stay, the association with what went was emptied ({})",
        named.join(", ")
    )
}
