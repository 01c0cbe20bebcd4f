//! Conditions on fields as people write them in rules: `country = "DE" and not (status in ["open"])`.

use std::fmt;

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

/// One use of an attribute in a condition.
#[derive(Debug, Clone, PartialEq)]
pub struct AttributeUse<'condition> {
    /// The attribute.
    pub attribute: &'condition str,
    /// How it is compared; `Equal` for `in`, `None` for `is null`.
    pub comparison: Option<Comparison>,
    /// What it is compared with.
    pub literals: Vec<&'condition Literal>,
}

impl Condition {
    /// Every use of an attribute, from left to right.
    pub fn uses(&self) -> Vec<AttributeUse<'_>> {
        match self {
            Self::Always => Vec::new(),
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::uses).collect(),
            Self::Not(inner) => inner.uses(),
            Self::Compare { attribute, comparison, literal } => vec![AttributeUse {
                attribute,
                comparison: Some(*comparison),
                literals: vec![literal],
            }],
            Self::OneOf { attribute, literals } => vec![AttributeUse {
                attribute,
                comparison: Some(Comparison::Equal),
                literals: literals.iter().collect(),
            }],
            Self::Absent(attribute) => {
                vec![AttributeUse { attribute, comparison: None, literals: Vec::new() }]
            }
        }
    }

    /// The condition as part of a longer one: in brackets where it needs them.
    fn write_part(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(_) | Self::Or(_) => write!(formatter, "({self})"),
            _ => write!(formatter, "{self}"),
        }
    }
}

/// The text from which the same condition can be read again; `always` for no condition.
impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => formatter.write_str("always"),
            Self::And(parts) => write_joined(formatter, parts, " and "),
            Self::Or(parts) => write_joined(formatter, parts, " or "),
            Self::Not(inner) => match inner.as_ref() {
                Self::Absent(attribute) => write!(formatter, "{attribute} is not null"),
                Self::OneOf { attribute, literals } => {
                    write!(formatter, "{attribute} not in ")?;
                    write_list(formatter, literals)
                }
                other => {
                    formatter.write_str("not ")?;
                    other.write_part(formatter)
                }
            },
            Self::Compare { attribute, comparison, literal } => {
                let sign = match comparison {
                    Comparison::Equal => "=",
                    Comparison::NotEqual => "!=",
                    Comparison::Less => "<",
                    Comparison::LessOrEqual => "<=",
                    Comparison::Greater => ">",
                    Comparison::GreaterOrEqual => ">=",
                };
                write!(formatter, "{attribute} {sign} {literal}")
            }
            Self::OneOf { attribute, literals } => {
                write!(formatter, "{attribute} in ")?;
                write_list(formatter, literals)
            }
            Self::Absent(attribute) => write!(formatter, "{attribute} is null"),
        }
    }
}

fn write_joined(
    formatter: &mut fmt::Formatter<'_>,
    parts: &[Condition],
    word: &str,
) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            formatter.write_str(word)?;
        }
        part.write_part(formatter)?;
    }
    Ok(())
}

fn write_list(formatter: &mut fmt::Formatter<'_>, literals: &[Literal]) -> fmt::Result {
    formatter.write_str("[")?;
    for (index, literal) in literals.iter().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        write!(formatter, "{comma}{literal}")?;
    }
    formatter.write_str("]")
}

impl fmt::Display for Literal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => {
                let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
                write!(formatter, "\"{escaped}\"")
            }
            Self::Integer(number) => write!(formatter, "{number}"),
            Self::Decimal(number) => formatter.write_str(number),
            Self::Boolean(value) => write!(formatter, "{value}"),
            Self::Date(day) => write!(formatter, "{day}"),
            Self::Timestamp(moment) => write!(formatter, "{moment}"),
        }
    }
}
