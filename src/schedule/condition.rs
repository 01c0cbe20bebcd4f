//! Conditions on fields as people write them in rules: `country = "DE" and not (status in ["open"])`.

use jiff::Timestamp;
use jiff::civil::Date;
use quietus_connectors::Comparison;

/// A condition over named attributes. What an attribute is, each collection says.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// No condition.
    Always,
    /// All of these.
    And(Vec<Condition>),
    /// Any of these.
    Or(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
    /// `country = "DE"`
    Compare {
        /// The attribute.
        attribute: String,
        /// The comparison.
        comparison: Comparison,
        /// The constant.
        literal: Literal,
    },
    /// `status in ["open", "new"]`
    OneOf {
        /// The attribute.
        attribute: String,
        /// The constants.
        literals: Vec<Literal>,
    },
    /// `attribute is null`
    Absent(String),
}

/// A constant in a condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `"DE"`
    Text(String),
    /// `7`
    Integer(i64),
    /// `7.5`
    Decimal(String),
    /// `true`
    Boolean(bool),
    /// `2024-02-29`
    Date(Date),
    /// `2024-02-29T12:00:00Z`
    Timestamp(Timestamp),
}
