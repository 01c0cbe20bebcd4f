//! The typed condition that a connector translates into its system's own language.
//!
//! Truth has two values here. A comparison with an absent value is false, and `Not` of it is
//! true; a connector whose system has a third truth value must push negations to the leaves and
//! write them out (`NOT (a = 1)` is `a <> 1 OR a IS NULL`).

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::value::Value;

/// A field of the record itself (`via` is empty) or of a parent record that links lead to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FieldRef {
    /// Names of links of the instruction's collection, followed in order; at most four.
    pub via: Vec<String>,
    /// Name of the field in the collection that the links lead to.
    pub field: String,
}

impl FieldRef {
    /// A field of the record itself.
    pub fn own(field: impl Into<String>) -> Self {
        Self { via: Vec::new(), field: field.into() }
    }
}

/// The latest starting point that is due: a record is due when its own is at or before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cutoff {
    /// For fields that hold moments; inclusive.
    Moment(Timestamp),
    /// For fields that hold days; inclusive.
    Day(Date),
}

/// How two values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=` (false for an absent value)
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A condition on one record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Predicate {
    /// Holds for every record.
    Always,
    /// Holds for no record.
    Never,
    /// Every one of these holds; true when there is none.
    All(Vec<Predicate>),
    /// At least one of these holds; false when there is none.
    Any(Vec<Predicate>),
    /// The inner one does not hold.
    Not(Box<Predicate>),
    /// The field has a value and it compares so.
    Compare {
        /// The field on the left.
        field: FieldRef,
        /// The comparison.
        comparison: Comparison,
        /// The constant on the right; never `Null`.
        value: Value,
    },
    /// The field has a value and it is one of these.
    OneOf {
        /// The field.
        field: FieldRef,
        /// The constants; at most 1000, none of them `Null`.
        values: Vec<Value>,
    },
    /// The field has no value.
    Absent(FieldRef),
    /// At least one of the fields has a value, and every value is at or before the field's cutoff:
    /// "the latest of them is at or before the cutoff".
    LatestAtOrBefore(Vec<(FieldRef, Cutoff)>),
    /// The values of `fields`, in this order, are an entry of the order's list `list`.
    Listed {
        /// The fields of the record that are compared with the columns of the list.
        fields: Vec<FieldRef>,
        /// Index into `Order::lists`.
        list: usize,
    },
    /// The link leads to a parent for which this holds. Where it leads to several, one is enough;
    /// fields are read from the same parent.
    Linked {
        /// Name of a link of the instruction's collection.
        link: String,
        /// About the parent.
        holds: Box<Predicate>,
    },
}

impl Predicate {
    /// All of `parts`, simplified: nothing is nested, `Always` vanishes, `Never` wins.
    pub fn all(parts: impl IntoIterator<Item = Predicate>) -> Self {
        let mut kept = Vec::new();
        for part in parts {
            match part {
                Self::Always => {}
                Self::Never => return Self::Never,
                Self::All(inner) => kept.extend(inner),
                other => kept.push(other),
            }
        }
        if kept.len() == 1 {
            kept.remove(0)
        } else if kept.is_empty() {
            Self::Always
        } else {
            Self::All(kept)
        }
    }

    /// Any of `parts`, simplified: nothing is nested, `Never` vanishes, `Always` wins.
    pub fn any(parts: impl IntoIterator<Item = Predicate>) -> Self {
        let mut kept = Vec::new();
        for part in parts {
            match part {
                Self::Never => {}
                Self::Always => return Self::Always,
                Self::Any(inner) => kept.extend(inner),
                other => kept.push(other),
            }
        }
        if kept.len() == 1 {
            kept.remove(0)
        } else if kept.is_empty() {
            Self::Never
        } else {
            Self::Any(kept)
        }
    }

    /// The negation, simplified.
    #[must_use]
    pub fn negate(self) -> Self {
        match self {
            Self::Always => Self::Never,
            Self::Never => Self::Always,
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }
}
