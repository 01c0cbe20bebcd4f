//! Steps: what each rule does to each category of each collection, as a certificate cites it.

use jiff::Timestamp;
use quietus_connectors::Cutoff;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::{CategoryName, CollectionName, Digest, RetentionPeriod, Rounding, RuleName};
use crate::schedule::{Action, LegalBasis, LimitKind};

/// What one rule does to one category of one collection. A category without a rule has one step
/// without a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The collection.
    pub collection: CollectionName,
    /// The category.
    pub category: CategoryName,
    /// The rule; `None` where none disposes of the category.
    pub rule: Option<RuleCitation>,
    /// Minimums and maximums in force that speak of the category.
    pub limits: Vec<LimitCitation>,
    /// The moment as of which the purpose is judged: the plan's, or with grace that of a mark.
    pub judged_at: Option<Timestamp>,
    /// Where the starting point is read, and up to when it is due.
    pub start: Vec<StartCutoff>,
    /// Fields that the step empties or makes anonymous.
    pub fields: Vec<String>,
    /// Fields of the category that stay until the record goes, because rules read them or the
    /// key needs them.
    pub staying_fields: Vec<String>,
    /// What becomes of the step in this plan.
    pub status: StepStatus,
}

/// What becomes of a step in a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum StepStatus {
    /// It acts.
    Acting,
    /// Its schedule's turn has not come; it decides only whether records may go.
    WaitingForSchedule,
    /// Somebody paused the rule.
    Paused,
    /// Marked, or to be marked; it acts when the grace is over.
    InGrace,
    /// Legal holds cover the whole collection or this category of all its records.
    Held {
        /// The holds.
        holds: Vec<Uuid>,
    },
    /// The category is deliberately not disposed of.
    Exempt {
        /// Why.
        reason: String,
    },
    /// No rule disposes of the category here.
    NoRule,
    /// Its condition or starting point cannot be read here; nothing is due by it.
    NotReadable {
        /// Why.
        why: String,
    },
}

/// A part of a collection that legal holds cover, or some records of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldPart {
    /// The collection.
    pub collection: CollectionName,
    /// Only this category; `None` is the record as a whole.
    pub category: Option<CategoryName>,
    /// The holds.
    pub holds: Vec<Uuid>,
}

/// A retention rule as it is cited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleCitation {
    /// Its name.
    pub name: RuleName,
    /// Version of its pack.
    pub version: String,
    /// Digest of its content.
    pub digest: Digest,
    /// What it does.
    pub action: Action,
    /// Name of its starting point.
    pub starting_point: String,
    /// Its period.
    pub period: RetentionPeriod,
    /// How the end is rounded.
    pub rounding: Rounding,
    /// Why.
    pub basis: LegalBasis,
}

/// A minimum or maximum as it is cited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitCitation {
    /// Its name.
    pub name: RuleName,
    /// Version of its pack.
    pub version: String,
    /// Minimum or maximum.
    pub kind: LimitKind,
    /// Whose law.
    pub jurisdiction: String,
    /// Which law.
    pub citation: String,
    /// Name of its starting point.
    pub starting_point: String,
    /// Its period.
    pub period: RetentionPeriod,
    /// How the end is rounded.
    pub rounding: Rounding,
    /// Where the starting point is read, and up to when the period is over.
    pub start: Vec<StartCutoff>,
}

/// Where a starting point is read, in words, and the latest start that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartCutoff {
    /// Where, such as "field `order.completed_at`" or "event `contract.ended` for `customer_id`".
    pub read_from: String,
    /// The latest start that is over; `None` where none is.
    pub cutoff: Option<Cutoff>,
}
