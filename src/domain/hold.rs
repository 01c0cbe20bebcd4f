//! Legal holds: what must not be disposed of until somebody releases it (GDPR article 17(3)(e)).

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use quietus_connectors::Value;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{CategoryName, CollectionName, SystemName};

/// One legal hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LegalHold {
    /// Identifier.
    pub id: Uuid,
    /// The matter it belongs to; a matter may have many holds and is released as one.
    pub matter: String,
    /// What it covers.
    pub scope: HoldScope,
    /// Why, without personal data.
    pub reason: String,
    /// Who placed it.
    pub placed_by: String,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When somebody must look at it again.
    pub review_on: Option<Date>,
    /// When it was released; `None` while it holds.
    pub released_at: Option<Timestamp>,
}

/// What a hold covers: everything that meets every part that is given.
///
/// A scope with no part given covers everything in every system.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HoldScope {
    /// Only this system.
    pub system: Option<SystemName>,
    /// Only this collection.
    pub collection: Option<CollectionName>,
    /// Only fields of this category (the record as a whole then stays too).
    pub category: Option<CategoryName>,
    /// Only the record with this key (needs `system` and `collection`).
    pub record: Option<BTreeMap<String, Value>>,
    /// Only records of this person: an identity type of the data map and its value as it was typed,
    /// or, in holds of earlier versions, in the type of a field. It covers every collection with a
    /// field of that identity type, its own or through links; in an erasure whatever is theirs.
    pub subject: Option<(String, Value)>,
}
