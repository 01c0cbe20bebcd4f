//! The row by which the restore guard sees that a system was put back to an earlier state.

use jiff::Timestamp;

/// The row of a system that only counts up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CanaryRow {
    /// Counts the writings.
    pub number: u64,
    /// When it was written.
    pub written_at: Timestamp,
}

/// What a look at the row has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CanarySight {
    /// This kind of system keeps none.
    NotKept,
    /// It is not there.
    Missing,
    /// It is there.
    Seen(CanaryRow),
}
