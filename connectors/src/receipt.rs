//! What a connector answers, and why it could not.
//!
//! No text in here holds personal data: messages of a database are mapped to their code and to
//! names of collections, fields and constraints, never passed on as they came.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::subject::Testimony;

/// What became of one attempt at an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "answer")]
pub enum Receipt {
    /// Carried out as a whole.
    Done(Outcome),
    /// `Progress` asked to stop; everything up to here is committed and the next attempt goes on.
    Stopped(Outcome),
    /// The system carries it out later.
    Pending {
        /// The system's own name for the undertaking.
        reference: String,
        /// When to ask again.
        ask_at: Timestamp,
    },
    /// The system cannot comply before a moment.
    Deferred {
        /// When it can.
        until: Timestamp,
        /// Why it cannot now.
        why: String,
    },
    /// What was asked together with other orders has come to a no that says nothing of this one: it
    /// has to be asked anew, by itself.
    Again {
        /// What was said, without personal data.
        why: String,
    },
    /// The order must not be carried out as it is; nothing was changed beyond `done`.
    Refused {
        /// What a caller can do about it.
        kind: RefusalKind,
        /// Why, with names of collections and fields and what to do.
        reasons: Vec<String>,
        /// What had been done before it was refused, usually nothing.
        done: Outcome,
    },
}

/// Which sort of refusal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// It would touch more records than `Order::most_records`; with a higher limit it goes on.
    OverLimit,
    /// It would do harm as it is; the order, the data map or the system has to change.
    Unsafe,
}

/// Counts by collection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// In the order in which collections were carried out.
    pub collections: Vec<CollectionOutcome>,
    /// What a third party said of each person, if it was asked by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub testimonies: Vec<Testimony>,
    /// The engine's mark of what it listed last of the records that went, where the order asks for a
    /// manifest. It commits in the system together with the chunk that it stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<Uuid>,
}

impl Outcome {
    /// The counts of a collection.
    pub(crate) fn entry(&mut self, collection: &str) -> &mut CollectionOutcome {
        let found = self.collections.iter().position(|one| one.collection == collection);
        let index = found.unwrap_or_else(|| {
            let collection = collection.to_owned();
            self.collections.push(CollectionOutcome { collection, ..CollectionOutcome::default() });
            self.collections.len() - 1
        });
        &mut self.collections[index]
    }

    /// Records deleted, cleared, anonymised, restricted or lifted, all collections together.
    pub fn changed(&self) -> u64 {
        self.collections
            .iter()
            .map(|one| {
                one.deleted
                    + one.restricted
                    + one.lifted
                    + one.treated.values().copied().sum::<u64>()
            })
            .sum()
    }
}

/// What was done to one collection, over all attempts at the order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionOutcome {
    /// Name in the data map.
    pub collection: String,
    /// Records deleted as a whole, in partitions too.
    pub deleted: u64,
    /// Records of which fields were cleared or anonymised, by category; also those that lost the
    /// association with a parent that went, by [`Link::association`](crate::Link::association).
    pub treated: BTreeMap<String, u64>,
    /// Records restricted.
    pub restricted: u64,
    /// Records whose restriction was lifted.
    pub lifted: u64,
    /// Partitions dropped as a whole.
    pub partitions_dropped: u64,
    /// Records that are due as a whole and stay because something that is kept refers to them;
    /// by the name of the collection that refers.
    pub referenced: BTreeMap<String, u64>,
    /// Records that would be due and were left alone because they are held.
    pub held: u64,
}

/// Counts that `preview` read; nothing was changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// One entry for each instruction, in the order's own order.
    pub collections: Vec<ProbeCount>,
    /// Deviations of the system from the data map.
    pub drift: Vec<Drift>,
    /// Reasons for which `execute` would refuse the order.
    pub refusals: Vec<String>,
}

/// Counts of one collection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeCount {
    /// Name in the data map.
    pub collection: String,
    /// All records. Of an order about persons (`own` is given) a lower bound: they are counted no
    /// further than to ten thousand times `own`, or ten thousand where that is 0, so that no table is
    /// read to its end for one person. Below that the number is exact, and what it shows is enough
    /// for a share: whatever is done to these records is done to no more than one in ten thousand.
    /// A share smaller than that is overstated. 0 where nothing could happen to any record.
    pub total: u64,
    /// Of an order about persons: records that are theirs
    /// ([`Instruction::of_persons`](crate::Instruction::of_persons)), whether due, held or neither; 0
    /// where nothing could happen to any. The same for an order alone and for several together, and
    /// by the same condition as [`Verification::left`]. `None` where the order is about all records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<u64>,
    /// Records that would be deleted.
    pub delete: u64,
    /// Records of which fields would be cleared or anonymised and are not yet, by category, and
    /// those that would lose an association.
    pub treat: BTreeMap<String, u64>,
    /// Records that would be restricted and are not yet.
    pub restrict: u64,
    /// Records whose restriction would be lifted.
    pub lift: u64,
    /// Records due as a whole that stay because others refer to them, by the collection that
    /// refers.
    pub referenced: BTreeMap<String, u64>,
    /// Records that would be due for anything and are held.
    pub held: u64,
    /// Counts of the instruction's probes.
    pub probes: BTreeMap<String, u64>,
    /// The deletion count is an upper bound, because references run in a circle.
    pub at_most: bool,
}

/// A deviation of the system from the data map. Any of these stops the order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "drift")]
pub enum Drift {
    /// The collection is gone.
    CollectionMissing {
        /// Its name.
        collection: String,
    },
    /// A mapped field is gone.
    FieldMissing {
        /// Its collection.
        collection: String,
        /// Its name.
        field: String,
    },
    /// The system has a field that the data map does not know.
    FieldUnmapped {
        /// Its collection.
        collection: String,
        /// Its name.
        field: String,
    },
    /// The key is not what the data map says.
    KeyChanged {
        /// The collection.
        collection: String,
        /// What the data map says.
        mapped: Vec<String>,
        /// What the system says.
        found: Vec<String>,
    },
    /// The type of a field does not fit what the data map declares.
    TypeChanged {
        /// The collection.
        collection: String,
        /// The field.
        field: String,
        /// What the data map declares.
        mapped: String,
        /// What the system says.
        found: String,
    },
}

impl std::fmt::Display for Drift {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::CollectionMissing { collection } => {
                write!(formatter, "collection `{collection}` is mapped but not in the system")
            }
            Self::FieldMissing { collection, field } => {
                write!(formatter, "field `{collection}.{field}` is mapped but not in the system")
            }
            Self::FieldUnmapped { collection, field } => write!(
                formatter,
                "field `{collection}.{field}` is in the system but not in the data map: give it a category or an exemption"
            ),
            Self::KeyChanged { collection, mapped, found } => write!(
                formatter,
                "the key of `{collection}` is mapped as ({}) but the system says ({})",
                mapped.join(", "),
                found.join(", ")
            ),
            Self::TypeChanged { collection, field, mapped, found } => write!(
                formatter,
                "field `{collection}.{field}` is mapped as {mapped} but the system says {found}"
            ),
        }
    }
}

/// What `verify` found by its own query.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// Records that should be gone, cleared or restricted and are not.
    pub survivors: Vec<Survivor>,
    /// Records that are there, by collection: all of them; of an order about persons those that are
    /// theirs, as [`ProbeCount::own`] counts them. The two must not be taken for each other.
    pub left: BTreeMap<String, u64>,
    /// What it looked for. A part of the order that is not listed here was not looked for, and
    /// nobody may call it verified.
    #[serde(default)]
    pub looked_at: Vec<LookedAt>,
    /// How it looked, in words that an auditor understands.
    pub method: String,
    /// Nobody looked: somebody's word is relied upon, and `method` says whose.
    #[serde(default)]
    pub relied_upon: bool,
}

/// One part of an order that a verification looked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LookedAt {
    /// The collection.
    pub collection: String,
    /// The category, `restriction`, an association, or `None` for records as a whole.
    pub category: Option<String>,
}

/// Records that should be gone and are not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survivor {
    /// The collection.
    pub collection: String,
    /// The category, `restriction` or an association, or `None` where the record should be gone as
    /// a whole.
    pub category: Option<String>,
    /// How many.
    pub records: u64,
}

/// Whether a system can be worked with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// What the system calls itself, with its version.
    pub product: String,
    /// Deviations from the data map.
    pub drift: Vec<Drift>,
    /// Privileges that are missing, each with what to grant.
    pub missing_privileges: Vec<String>,
    /// What the system does not show to the account and what nobody can therefore say, each with what
    /// to grant; an order is carried out all the same.
    #[serde(default)]
    pub not_shown: Vec<String>,
    /// Fields by which persons are looked for and that no index serves, each with what to create.
    #[serde(default)]
    pub read_throughout: Vec<String>,
}

/// Why no receipt came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fault")]
pub enum Fault {
    /// Try again later: unreachable, locked, too busy, rolled back by the system.
    #[error("{message}")]
    Transient {
        /// What happened, without personal data.
        message: String,
        /// The system asked for this pause, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// A person has to change a setting: wrong credentials, missing privilege, drift.
    #[error("{message}")]
    Misconfigured {
        /// What is wrong and what to do.
        message: String,
    },
    /// The system understood and said no for good.
    #[error("{message}")]
    Rejected {
        /// What it said.
        message: String,
    },
    /// The connection broke while a change was under way: it may or may not have happened.
    #[error("{message}")]
    Unknown {
        /// What was under way.
        message: String,
    },
}
