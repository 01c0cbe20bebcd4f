//! Values and types that cross the boundary between the product and a connected system.
//!
//! A value may be personal data: its `Debug` prints the type and never the content.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a field holds, as the data map declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// Characters.
    Text,
    /// A whole number of at most 64 bits.
    Integer,
    /// An exact number with decimals.
    Decimal,
    /// A floating-point number.
    Float,
    /// True or false.
    Boolean,
    /// A moment. Without a zone in the system, it is read in the zone the data map names.
    Timestamp,
    /// A day without a time.
    Date,
    /// A UUID, also where the system keeps it as text or bytes.
    Uuid,
    /// Bytes.
    Binary,
    /// A JSON document.
    Json,
    /// A network address (IPv4 or IPv6).
    Address,
    /// Anything else: it can be cleared to null and nothing more.
    Other,
}

/// How a system without native moments keeps a [`FieldType::Timestamp`] or [`FieldType::Date`].
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Stored {
    /// The system's own type (or ISO 8601 text in SQLite).
    #[default]
    Native,
    /// Whole seconds since 1970-01-01T00:00:00Z.
    EpochSeconds,
    /// Whole milliseconds since 1970-01-01T00:00:00Z.
    EpochMilliseconds,
    /// Whole microseconds since 1970-01-01T00:00:00Z.
    EpochMicroseconds,
}

/// One value, typed.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type", content = "value")]
pub enum Value {
    /// No value.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// An exact or floating-point number in its decimal notation.
    Decimal(String),
    /// Characters.
    Text(String),
    /// A moment.
    Timestamp(Timestamp),
    /// A day.
    Date(Date),
    /// A UUID.
    Uuid(Uuid),
    /// Bytes.
    Binary(Vec<u8>),
}

impl Value {
    /// The name of the value's type, fit for logs and messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "boolean",
            Self::Integer(_) => "integer",
            Self::Decimal(_) => "decimal",
            Self::Text(_) => "text",
            Self::Timestamp(_) => "timestamp",
            Self::Date(_) => "date",
            Self::Uuid(_) => "uuid",
            Self::Binary(_) => "binary",
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<{}>", self.type_name())
    }
}

/// Some fields of one record, by field name.
pub type Record = BTreeMap<String, Value>;
