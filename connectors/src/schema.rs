//! What a system says of itself: its collections, fields, keys and references.

use serde::{Deserialize, Serialize};

use crate::value::FieldType;

/// What a connector can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Name of the kind, as the data map writes it.
    pub kind: String,
    /// The kind of gone that it can promise, in the words of the glossary.
    pub erasure_grade: String,
    /// What is left after it, which the certificate names as not covered.
    pub residues: Vec<String>,
    /// It can look again by another query.
    pub can_verify: bool,
    /// Types of identities that it understands, for kinds that are asked by name; empty for those
    /// that are asked by predicates.
    pub identities: Vec<String>,
}

/// A system's own description.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// Product and version.
    pub product: String,
    /// Collections by name.
    pub collections: Vec<CollectionSchema>,
}

/// One collection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionSchema {
    /// Name with its schema where there is one.
    pub name: String,
    /// A view: it is described and never written to.
    pub view: bool,
    /// Fields in the system's order.
    pub fields: Vec<FieldSchema>,
    /// Key fields in key order; empty where there is no primary key.
    pub key: Vec<String>,
    /// Other unique constraints, each a list of fields.
    pub unique: Vec<Vec<String>>,
    /// References to other collections.
    pub foreign_keys: Vec<ForeignKey>,
    /// Partitions of this collection, if it is split.
    pub partitions: Vec<String>,
    /// The field that time-range partitions are split by.
    pub partitioned_by: Option<String>,
    /// About how many records, from the system's statistics.
    pub estimated_records: Option<u64>,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldSchema {
    /// Name.
    pub name: String,
    /// The type in the system's own words.
    pub native_type: String,
    /// The type in ours.
    pub field_type: FieldType,
    /// It may hold null.
    pub nullable: bool,
    /// The system computes it; it cannot be written.
    pub generated: bool,
}

/// A reference from one collection to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// Name of the constraint.
    pub name: String,
    /// Fields here.
    pub fields: Vec<String>,
    /// The collection referred to.
    pub to: String,
    /// Fields there.
    pub to_fields: Vec<String>,
    /// What the system does when the record referred to is deleted.
    pub on_delete: OnDelete,
}

/// What a foreign key does on deletion of its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDelete {
    /// Refuses (`NO ACTION`, `RESTRICT`).
    Refuse,
    /// Deletes the child.
    Cascade,
    /// Empties the child's reference (`SET NULL`, `SET DEFAULT`).
    SetNull,
}
