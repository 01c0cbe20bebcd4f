//! How files and logs of a system are looked at for what was deleted there.

use jiff::SignedDuration;

/// How files and logs of a system are looked at; without it nobody does, and certificates name them
/// as not covered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Residues {
    /// Time between two looks.
    pub look: SignedDuration,
    /// Names of the stages that are looked at, in the order in which they go.
    pub stages: Vec<String>,
    /// Names of what may be driven.
    pub drive: Vec<String>,
}
