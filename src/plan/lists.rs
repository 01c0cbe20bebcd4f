//! Lists of keys that predicates refer to: keys of events that are due, and what holds name.
//!
//! Entries are personal data. They live only in memory and in orders; a stored plan names the
//! source of each list and never its entries.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use quietus_connectors::{FieldRef, FieldType, KeyList, Predicate, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::CollectionName;

/// The most entries that one list of an order may have; more make several lists.
const MOST_ENTRIES: usize = 100_000;

/// Where the entries of a list come from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "source")]
pub enum ListSource {
    /// Keys whose event happened at or before the cut-off.
    Event {
        /// Name of the event.
        event: String,
        /// The cut-off; inclusive.
        cutoff: Timestamp,
    },
    /// Keys whose event happened after a moment.
    LaterEvent {
        /// Name of the event.
        event: String,
        /// The moment; exclusive.
        after: Timestamp,
    },
    /// Identities of persons that holds name.
    HeldSubjects {
        /// The identity type.
        identity: String,
        /// The holds.
        holds: Vec<Uuid>,
    },
    /// Keys of records that holds name.
    HeldRecords {
        /// The holds.
        holds: Vec<Uuid>,
    },
    /// Identities of the persons whom the plan is for.
    Persons {
        /// The identity type.
        identity: String,
    },
    /// Keys of records of the persons whom the plan is for.
    PersonRecords {
        /// The collection whose records they are.
        collection: CollectionName,
    },
}

/// The entries of all lists of an order; they do not print.
#[derive(Clone, PartialEq, Default)]
pub struct FilledLists(pub(super) Vec<KeyList>);

impl fmt::Debug for FilledLists {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<{} lists>", self.0.len())
    }
}

/// Collects the lists of one order; the same source in the same types is listed once.
#[derive(Default)]
pub(super) struct ListBook {
    sources: Vec<ListSource>,
    lists: Vec<KeyList>,
    known: BTreeMap<(ListSource, Vec<FieldType>), Vec<usize>>,
}

impl ListBook {
    /// "The values of `fields` are one of `entries`."
    pub(super) fn listed(
        &mut self,
        source: ListSource,
        fields: &[(FieldRef, FieldType)],
        entries: BTreeSet<Vec<Value>>,
    ) -> Predicate {
        let types: Vec<FieldType> = fields.iter().map(|(_, field_type)| *field_type).collect();
        let identity = (source, types);
        if !self.known.contains_key(&identity) {
            let indexes = self.write(&identity, entries);
            self.known.insert(identity.clone(), indexes);
        }
        let names: Vec<FieldRef> = fields.iter().map(|(field, _)| field.clone()).collect();
        let indexes = self.known.get(&identity).map(Vec::as_slice).unwrap_or_default();
        Predicate::any(
            indexes.iter().map(|&list| Predicate::Listed { fields: names.clone(), list }),
        )
    }

    fn write(
        &mut self,
        (source, types): &(ListSource, Vec<FieldType>),
        entries: BTreeSet<Vec<Value>>,
    ) -> Vec<usize> {
        let entries: Vec<Vec<Value>> = entries.into_iter().collect();
        let mut indexes = Vec::new();
        for chunk in entries.chunks(MOST_ENTRIES) {
            indexes.push(self.lists.len());
            self.sources.push(source.clone());
            self.lists.push(KeyList { types: types.clone(), entries: chunk.to_vec() });
        }
        indexes
    }

    /// The sources and, in the same order, the lists.
    pub(super) fn close(self) -> (Vec<ListSource>, FilledLists) {
        (self.sources, FilledLists(self.lists))
    }
}

/// The value as a field of this type holds it; `None` where it cannot hold it.
pub(super) fn fit(value: &Value, field_type: FieldType) -> Option<Value> {
    use FieldType as Type;
    match (value, field_type) {
        (Value::Text(_), Type::Text | Type::Address)
        | (Value::Integer(_), Type::Integer)
        | (Value::Decimal(_), Type::Decimal | Type::Float)
        | (Value::Boolean(_), Type::Boolean)
        | (Value::Timestamp(_), Type::Timestamp)
        | (Value::Date(_), Type::Date)
        | (Value::Uuid(_), Type::Uuid) => Some(value.clone()),
        (Value::Integer(number), Type::Text) => Some(Value::Text(number.to_string())),
        (Value::Integer(number), Type::Decimal | Type::Float) => {
            Some(Value::Decimal(number.to_string()))
        }
        (Value::Uuid(uuid), Type::Text) => Some(Value::Text(uuid.to_string())),
        (Value::Text(text), Type::Integer) => text.trim().parse().ok().map(Value::Integer),
        (Value::Text(text), Type::Uuid) => text.trim().parse().ok().map(Value::Uuid),
        (Value::Text(text), Type::Date) => text.parse().ok().map(Value::Date),
        (Value::Text(text), Type::Timestamp) => text.parse().ok().map(Value::Timestamp),
        (Value::Text(text), Type::Boolean) => text.parse().ok().map(Value::Boolean),
        _ => None,
    }
}
