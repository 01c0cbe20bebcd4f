//! One copy in a backup store.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One copy, as the store lists it. None of its texts may name a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupCopy {
    /// The store's own identifier.
    pub id: String,
    /// What sort of copy it is.
    pub kind: CopyKind,
    /// Whatever was gone from the source before this moment is not in the copy: the moment at which
    /// it began to read, not the one at which it ended. `None` where nobody knows; then it can hold
    /// whatever was ever there.
    pub holds_from: Option<Timestamp>,
    /// The moment by which the store itself dates and keeps it: when it was finished, or, with
    /// tools that write down only the beginning (restic, borg), when it began.
    pub taken_at: Timestamp,
    /// Among which copies the store's retention counts this one: it counts each series by itself.
    /// Any text; empty where the store has one series only.
    #[serde(default)]
    pub series: String,
    /// Copies that it needs; while it stays, they stay.
    pub needs: Vec<String>,
    /// Something keeps the store from removing it, and until when.
    pub stay: Option<Stay>,
    /// When it ends by a date of its own (an object's life cycle); `None` where the store's
    /// retention decides.
    pub ends_at: Option<Timestamp>,
}

impl BackupCopy {
    /// It can hold what was gone from the source at this moment.
    pub fn can_hold(&self, gone_at: Timestamp) -> bool {
        self.holds_from.is_none_or(|from| from <= gone_at)
    }

    /// The store takes away from its beginning, rather than the whole of it.
    pub(super) fn is_shortened(&self) -> bool {
        self.kind == CopyKind::Log && self.ends_at.is_none()
    }
}

/// What sort of copy it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyKind {
    /// It can be restored by itself, or with what it needs.
    Whole,
    /// A log of changes, by which a whole copy is brought forward; it holds values as well.
    Log,
    /// An earlier version of an object, or a deleted one behind a marker.
    Version,
}

/// Why a store cannot remove a copy yet. An outcome with a date, not a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stay {
    /// Until when; `None` where it depends on something without a date, such as a legal hold or the
    /// least number of copies.
    pub until: Option<Timestamp>,
    /// Why, in words, with what to do.
    pub why: String,
}
