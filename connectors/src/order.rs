//! What a connector is asked to do: one order for one system, complete in itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::predicate::Predicate;
use crate::subject::SubjectRequest;
use crate::value::{FieldType, Record, Stored, Value};

/// One order for one system. It speaks for every record that its predicates describe.
///
/// Carrying out the same order twice is harmless: the second time finds nothing to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Idempotency key; the same for every attempt at the same job. ASCII, at most 64 bytes. Rounds
    /// of one undertaking, each begun because the one before left something, end in `-1`, `-2` and
    /// so on.
    pub key: String,
    /// Number of the attempt, from 1. A later attempt fences an earlier one: a chunk of attempt
    /// `n` must not commit once attempt `n + 1` has begun.
    pub attempt: u32,
    /// The moment of the plan. Connectors never read a clock to decide what is due.
    pub moment: Timestamp,
    /// What to do with each collection. The connector finds the order that its foreign keys need.
    pub instructions: Vec<Instruction>,
    /// Lists of keys that predicates refer to by index.
    pub lists: Vec<KeyList>,
    /// How gently to go.
    pub pace: Pace,
    /// The order stops with `Receipt::Refused` before it has touched more records than this.
    pub most_records: Option<u64>,
    /// Persons by name, for kinds that cannot be asked by predicates; `None` for databases and for
    /// sweeps.
    #[serde(default)]
    pub persons: Option<SubjectRequest>,
}

/// What to do with one collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instruction {
    /// Name of the collection in the data map.
    pub collection: String,
    /// Name of the collection in the system, with its schema where the system has them
    /// (`public.customers`).
    pub source: String,
    /// Names of the key fields, in key order; never empty.
    pub key: Vec<String>,
    /// Every field that the data map knows, key fields and link fields among them.
    pub fields: Vec<MappedField>,
    /// Links to parent collections in the same system.
    pub links: Vec<Link>,
    /// Categories whose fields are cleared or anonymised, each with its own condition.
    pub treatments: Vec<Treatment>,
    /// The record goes as a whole where this holds and nothing that stays still refers to it.
    /// Where it holds but something still refers to the record, `treatments` apply instead.
    pub delete_when: Predicate,
    /// The record is restricted where this holds (and `restriction` says how).
    pub restrict_when: Predicate,
    /// A restriction is lifted where this holds.
    pub lift_when: Predicate,
    /// How records of this collection are restricted, if they can be.
    pub restriction: Option<Restriction>,
    /// Records that must not be touched, whatever else holds: legal holds.
    pub held: Predicate,
    /// What may be done with partitions that are due as a whole.
    pub partitions: PartitionPolicy,
    /// The engine keeps a manifest of the records that go as a whole: before a chunk commits it is
    /// told their keys ([`Progress::going`](crate::Progress::going)). No partition is dropped then,
    /// because its records are not told, and several orders are not carried out as one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub manifest: bool,
    /// Of an order about persons: their records, whether or not anything may be done to them.
    /// Everything that the order does to a record presupposes that it is one of these. Nothing is
    /// decided by it: where it is given, `preview` and `verify` count these records
    /// ([`ProbeCount::own`](crate::ProbeCount::own)) instead of all that there are. `None` where the
    /// order is about all records, as a sweep is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_persons: Option<Predicate>,
    /// Extra counts wanted from `preview`; ignored by `execute`.
    pub probes: Vec<Probe>,
    /// The collection is listed so that others can refer to it or so that drift is seen, and
    /// nothing is done to it: it is kept, with a reason that the product knows. Only associations
    /// with parents that go are emptied.
    pub keep: bool,
}

impl Instruction {
    /// An instruction for a collection under which nothing is done: no condition ever holds, and
    /// there are no fields, links or treatments yet.
    pub fn idle(
        collection: impl Into<String>,
        source: impl Into<String>,
        key: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self {
            collection: collection.into(),
            source: source.into(),
            key: key.into_iter().map(Into::into).collect(),
            fields: Vec::new(),
            links: Vec::new(),
            treatments: Vec::new(),
            delete_when: Predicate::Never,
            restrict_when: Predicate::Never,
            lift_when: Predicate::Never,
            restriction: None,
            held: Predicate::Never,
            partitions: PartitionPolicy::Records,
            manifest: false,
            of_persons: None,
            probes: Vec::new(),
            keep: false,
        }
    }

    /// Everything that it does, as one condition after another.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = &Predicate> {
        [&self.delete_when, &self.restrict_when, &self.lift_when]
            .into_iter()
            .chain(self.treatments.iter().map(|treatment| &treatment.due))
    }

    /// Whether a record could be deleted, treated, restricted or released: some condition could hold.
    pub fn acts(&self) -> bool {
        !self.keep && self.conditions().any(|one| *one != Predicate::Never)
    }

    /// Of an order about persons: which records are counted as their own, none where nothing could
    /// happen to any. `None` where the order is about all records.
    pub fn records_of_persons(&self) -> Option<&Predicate> {
        const NONE: &Predicate = &Predicate::Never;
        let own = self.of_persons.as_ref()?;
        Some(if self.acts() { own } else { NONE })
    }
}

/// A field that the data map knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedField {
    /// Name of the field in the system.
    pub name: String,
    /// Declared type.
    pub field_type: FieldType,
    /// How moments and days are kept.
    pub stored: Stored,
    /// IANA zone in which a moment without a zone is read.
    pub zone: String,
    /// Texts on lists are found in this field whatever their capitals, also where the field's own
    /// equality tells them apart.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignores_case: bool,
}

/// How a link behaves when its parent goes.
///
/// Only a link to fields that identify one parent can be emptied; another one is no association
/// that the record itself holds, and neither is one of nothing but key fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    /// The record goes with its parent.
    Deep,
    /// Only the association goes: the fields here are emptied together with the parent's deletion,
    /// also where the instruction keeps the collection. A held record keeps its parent.
    Shallow,
    /// The record goes with its last parent. While another parent stays, by any of the record's
    /// shared links, only the association goes; a record that stays keeps its last parents.
    Shared,
}

/// A link from this collection to a parent collection of the same system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Name of the link in the data map.
    pub name: String,
    /// Name of the parent collection in the data map. It is always among the order's
    /// instructions.
    pub to: String,
    /// Pairs of (field here, field of the parent).
    pub fields: Vec<(String, String)>,
    /// How the link behaves.
    pub kind: LinkKind,
    /// The collection's own clock or conditions read the parent through this link, so the parent
    /// must not go before the record does, whatever the foreign key says.
    pub needed: bool,
    /// What takes the place of the fields here when only the association goes; a field that is not
    /// listed becomes null. Not for `Deep`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clear: Vec<FieldTreatment>,
}

/// What the names of associations begin with. No category has a blank in its name.
const ASSOCIATION: &str = "association ";

impl Link {
    /// The name under which associations by this link are counted next to categories.
    pub fn association(&self) -> String {
        format!("{ASSOCIATION}{}", self.name)
    }
}

/// The link whose associations are counted under a name; `None` for a category.
pub fn association_named(name: &str) -> Option<&str> {
    name.strip_prefix(ASSOCIATION)
}

/// What happens to the fields of one category.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Treatment {
    /// The data category.
    pub category: String,
    /// Clear or anonymise; only for the counts.
    pub kind: TreatmentKind,
    /// Records whose fields of this category are due.
    pub due: Predicate,
    /// The fields and what becomes of each.
    pub fields: Vec<FieldTreatment>,
}

/// Whether a treatment empties fields or makes them anonymous.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TreatmentKind {
    /// Nothing of the content stays.
    Clear,
    /// What stays cannot be tied to a person.
    Anonymise,
}

/// What becomes of one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldTreatment {
    /// Name of the field.
    pub field: String,
    /// What becomes of it.
    pub strategy: Strategy,
}

/// What becomes of a field. Every strategy is idempotent: applied to its own result it changes
/// nothing, which is how a connector knows what is already done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Null.
    Null,
    /// A typed constant, where the field may not be null.
    Constant(Value),
    /// A random value that cannot collide, recognisable by its prefix, for unique text fields that
    /// may not be null: `prefix` followed by 32 hexadecimal digits.
    Unique {
        /// At least three ASCII characters, letters, digits, `-` or `.` only.
        prefix: String,
    },
    /// A date or moment becomes the first of its month (in UTC for moments).
    TruncateToMonth,
    /// A date or moment becomes the first of January of its year (in UTC for moments).
    TruncateToYear,
    /// A network address loses its last octet (IPv4) or everything after 48 bits (IPv6).
    TruncateAddress,
    /// A number becomes the lower bound of its band of this width, which is at least 2.
    Generalise {
        /// Width of a band.
        width: i64,
    },
    /// Text keeps its first characters and loses the rest: `10115` becomes `10`.
    KeepPrefix {
        /// How many characters stay, from 1 to 32.
        characters: u32,
    },
    /// Text is replaced by this marker as a whole.
    Redact {
        /// What takes its place; at least one character.
        marker: String,
    },
}

/// How a record is restricted (GDPR article 18, recital 67).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restriction {
    /// A field says so: a boolean becomes true, a moment or day becomes the order's moment.
    Flag {
        /// Name of the field.
        field: String,
    },
    /// The record moves to another collection with the same fields, and back when lifted.
    Move {
        /// Name of that collection in the system.
        to: String,
    },
}

/// What may be done with partitions all of whose records are due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartitionPolicy {
    /// Records go in chunks like anywhere else.
    #[default]
    Records,
    /// A partition whose every record is due, and none held or referred to, is dropped.
    Drop,
}

/// A named count that the product wants from `preview`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The name under which the count comes back; unique in its instruction.
    pub name: String,
    /// What is counted.
    pub predicate: Predicate,
}

/// A list of keys that predicates refer to. Bounded by the product (at most 100 000 entries).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyList {
    /// Types of the columns.
    pub types: Vec<FieldType>,
    /// Entries; each as long as `types`.
    pub entries: Vec<Vec<Value>>,
}

/// How gently an order is carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// Records looked at in one transaction, from 1 to 1 000 000.
    pub chunk_records: u32,
    /// At most so many records changed in a second; `None` is no limit.
    pub records_per_second: Option<u32>,
    /// Wait while a replica lags by more than this, in milliseconds; `None` does not look.
    pub most_replication_lag_ms: Option<u64>,
    /// Shrink chunks so that one transaction takes about this long, in milliseconds.
    pub target_chunk_ms: u64,
    /// A statement that runs longer is cancelled and the fault is transient, in milliseconds.
    pub statement_timeout_ms: u64,
    /// A statement that waits longer for a lock gives way, in milliseconds.
    pub lock_timeout_ms: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            chunk_records: 50_000,
            records_per_second: None,
            most_replication_lag_ms: None,
            target_chunk_ms: 1_000,
            statement_timeout_ms: 300_000,
            lock_timeout_ms: 2_000,
        }
    }
}

/// The key of one record, by field name.
pub type RecordKey = Record;
