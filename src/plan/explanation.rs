//! What `explain` answers: each category of one record, and the record as a whole.
//!
//! It holds moments, names of rules and names of fields, and no other value of the record.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::{CategoryName, CollectionName, RetentionPeriod, RuleName, SystemName};
use crate::schedule::{Action, LegalBasis};

/// Why one record is kept or goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The system.
    pub system: SystemName,
    /// The collection.
    pub collection: CollectionName,
    /// As of when.
    pub moment: Timestamp,
    /// The zone on whose wall clock periods are counted.
    pub zone: String,
    /// One entry for each category, in the order of their names.
    pub categories: Vec<CategoryExplanation>,
    /// Fields that are deliberately not erased and go with the record, each with its reason.
    pub exempt_fields: Vec<(String, String)>,
    /// What becomes of the record as a whole.
    pub record: RecordState,
}

/// What becomes of the record as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum RecordState {
    /// Every category is due: it goes with the next run that acts, unless what stays refers to it.
    Due,
    /// It goes at this moment, if nothing changes until then.
    DueOn {
        /// The first moment at which it may go.
        at: Timestamp,
    },
    /// Legal holds keep it.
    Held {
        /// The holds.
        holds: Vec<Uuid>,
    },
    /// No moment is known at which it goes: the categories that keep it.
    Stays {
        /// The categories.
        categories: Vec<CategoryName>,
    },
    /// Its collection has no category that is disposed of.
    Kept,
}

/// One category of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategoryExplanation {
    /// The category.
    pub category: CategoryName,
    /// Its fields.
    pub fields: Vec<String>,
    /// The rule that speaks for the record.
    pub rule: Option<RuleName>,
    /// What the rule does.
    pub action: Option<Action>,
    /// Why.
    pub basis: Option<LegalBasis>,
    /// The rule's period.
    pub period: Option<RetentionPeriod>,
    /// The starting point's name, where it is read and its value.
    pub start: Option<(String, StartValue)>,
    /// When the purpose ends.
    pub purpose_end: Option<Timestamp>,
    /// Minimums that speak of the category, those that are law now first.
    pub minimums: Vec<LimitExplanation>,
    /// Maximums that speak of the category.
    pub maximums: Vec<LimitExplanation>,
    /// The first moment at which the purpose and the rule's grace are over and no minimum that is law
    /// by then keeps it; `None` while one of these is not known.
    pub erase_at: Option<Timestamp>,
    /// The rule and the minimums make it due now, whatever is held.
    pub due: bool,
    /// What becomes of it.
    pub state: State,
}

/// The value of a starting point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartValue {
    /// Where it was read.
    pub read_from: String,
    /// The moment, where the field or event holds one.
    pub moment: Option<Timestamp>,
    /// The day, where the field holds one.
    pub day: Option<Date>,
}

/// A minimum or maximum for the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitExplanation {
    /// Its name.
    pub name: RuleName,
    /// Which law.
    pub citation: String,
    /// Its condition holds for the record.
    pub applies: bool,
    /// When its period ends; `None` while its starting point is not known.
    pub end: Option<Timestamp>,
    /// For a minimum that is not law yet: from which day on it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub law_from: Option<Date>,
    /// Until the end of which day it is law; `None` is for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub law_until: Option<Date>,
    /// For a maximum: it ends before the category may go, so a person has to decide.
    pub conflict: bool,
}

/// What becomes of a category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum State {
    /// It goes with the next run that acts.
    Due,
    /// It goes at this moment.
    DueOn {
        /// The first moment at which it may go.
        at: Timestamp,
    },
    /// The purpose is over and a minimum keeps it.
    KeptByMinimum {
        /// Of the minimums that are law now, the one that lasts longest.
        limit: RuleName,
        /// Which law.
        citation: String,
        /// Until when, by all that is law and will be; `None` while a starting point is not known.
        until: Option<Timestamp>,
    },
    /// Legal holds keep it.
    Held {
        /// The holds.
        holds: Vec<Uuid>,
    },
    /// It is deliberately not disposed of.
    Exempt {
        /// Why.
        reason: String,
    },
    /// No rule speaks for the record.
    NoRule,
    /// The record has no starting point, so the period has not begun.
    NoStartingPoint,
    /// Somebody paused the rule.
    Paused,
    /// The purpose is over, no minimum keeps it, and the rule's grace is not over.
    InGrace {
        /// When the grace is over, if a mark was made already.
        over_at: Option<Timestamp>,
    },
    /// The purpose is over and the rule restricts.
    Restricted,
    /// The condition or starting point cannot be read here, so it is kept.
    NotReadable {
        /// Why.
        why: String,
    },
}
