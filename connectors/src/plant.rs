//! Records of an invented person, which are planted to see how long an erasure takes.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::order::RecordKey;
use crate::value::Value;

/// A record to plant. It is known for certain by its marks: values that nobody else can have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlantedRecord {
    /// Name of the collection in the data map.
    pub collection: String,
    /// What it holds, by field; a field that is not here is left to the system.
    pub values: Vec<(String, PlantedValue)>,
    /// Fields of `values` that hold a mark; never empty, and never of another record.
    pub marks: BTreeSet<String>,
    /// The key that it had before, to which it is put back where that is free; `None` leaves the key
    /// to `values` and the system.
    pub key: Option<RecordKey>,
}

/// What a field of a planted record holds.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlantedValue {
    /// This.
    Value(Value),
    /// What a field of an earlier record of the same list holds, such as the key that the system
    /// gave it.
    Of {
        /// Position of the record in the list.
        record: usize,
        /// Its field: one of its key or of its values.
        field: String,
    },
}

impl fmt::Debug for PlantedValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => value.fmt(formatter),
            Self::Of { record, field } => write!(formatter, "record {record}, `{field}`"),
        }
    }
}
