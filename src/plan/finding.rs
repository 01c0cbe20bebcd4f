//! What a person should know about a plan before it runs.

use serde::{Deserialize, Serialize};

use crate::domain::{CategoryName, CollectionName, RuleName};

/// One finding. It never holds personal data.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// What kind of finding.
    pub kind: FindingKind,
    /// Where.
    pub collection: CollectionName,
    /// About which category, if about one.
    pub category: Option<CategoryName>,
    /// About which rule, minimum or maximum, if about one.
    pub rule: Option<RuleName>,
    /// What it is and what to do, for people.
    pub message: String,
}

/// Kinds of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A maximum cannot be kept, because a minimum or the rule itself lasts longer.
    Conflict,
    /// A hold cannot be told apart in this collection, or names what the data map does not have,
    /// so it covers more than it says.
    HoldNotReadable,
    /// A paused rule has another name now, so every rule is taken to be paused.
    PauseNotReadable,
    /// Nothing disposes of this category here.
    NoRule,
    /// The collection does not say where the starting point is read, so nothing is due by it.
    NoStartingPoint,
    /// A condition cannot be read in this collection, so data are kept.
    ConditionNotReadable,
    /// A minimum keeps records that cannot be restricted.
    NoRestriction,
    /// A field stays until its record goes, because rules read it.
    FieldSteers,
    /// Keys of events do not fit the field that they name.
    EventKeyUnfit,
    /// Nothing that is known of a person leads to records here.
    NotCovered,
    /// Records that a hold covers are not restricted either.
    HeldNotRestricted,
}
