//! How sure we are that a person is who they say (the words of eIDAS article 8).

use serde::{Deserialize, Serialize};

/// How sure, in rising order.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Assurance {
    /// They said so, or answered from an address that we know.
    #[default]
    Low,
    /// Something that only they have or know was checked.
    Substantial,
    /// A document or an electronic identity was checked.
    High,
}
