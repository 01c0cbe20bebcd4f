//! What a deletion leaves below of what a system shows: dead rows, logs, free space. Each such place
//! is a stage that a connector declares as data, drives where it may, and looks at.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One place below of what a system shows that can still hold what was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResidueStage {
    /// Its name, as the data map and certificates write it.
    pub name: &'static str,
    /// What it is, in words that certificates print.
    pub what: &'static str,
    /// The sentence of [`Capabilities::residues`](crate::Capabilities::residues) that is no longer
    /// needed once every stage that names it is looked at; empty for none.
    pub covers: &'static str,
    /// Stages that have to be looked at with it, because it counts from when they are gone.
    pub after: &'static [&'static str],
}

/// Something that makes a stage go, and that is only done where somebody declared it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResidueDrive {
    /// Its name, as the data map writes it.
    pub name: &'static str,
    /// The stage that it makes go.
    pub stage: &'static str,
    /// What is done, and what it costs.
    pub what: &'static str,
}

/// Stages of a kind of system, in the order in which they go; empty for kinds that declare none.
pub fn residue_stages(kind: &str) -> &'static [ResidueStage] {
    crate::sql::residues::stages(kind)
}

/// What may be driven at a kind of system.
pub fn residue_drives(kind: &str) -> &'static [ResidueDrive] {
    crate::sql::residues::drives(kind)
}

/// What no stage of a kind looks at, in the words of
/// [`Capabilities::residues`](crate::Capabilities::residues).
pub fn residues_beyond(kind: &str) -> &'static [&'static str] {
    crate::sql::residues::beyond(kind)
}

/// One look at the files and logs of a system, for all that wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResidueLook {
    /// Names of the stages that are looked at.
    pub stages: Vec<String>,
    /// Names of what may be driven.
    pub drive: Vec<String>,
    /// Whether it is driven by this look; otherwise the look has no effect.
    pub acts: bool,
    /// Who waits.
    pub waits: Vec<ResidueWait>,
}

impl ResidueLook {
    /// Whether a stage is looked at.
    pub fn looks_at(&self, stage: &str) -> bool {
        self.stages.iter().any(|one| one == stage)
    }

    /// Whether something is driven by this look.
    pub fn drives(&self, drive: &str) -> bool {
        self.acts && self.drive.iter().any(|one| one == drive)
    }
}

/// What was deleted before the look, by somebody who waits for it to be gone from files and logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResidueWait {
    /// Collections of which something was deleted or cleared, by their names in the system.
    pub collections: Vec<String>,
    /// What the look before has answered; `None` for the first one, which has to come after the
    /// deletion.
    pub mark: Option<Value>,
}

/// What a look has seen for one who waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResidueSight {
    /// Where the logs stood and what was seen so far; only the connector understands it. It holds no
    /// personal data.
    pub mark: Value,
    /// The stages that were looked at, in their order.
    pub stages: Vec<StageSight>,
}

/// What a look has seen of one stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageSight {
    /// Its name.
    pub stage: String,
    /// It holds nothing any more of what was deleted.
    pub gone: bool,
    /// When the system itself lets it go, where it says so.
    pub gone_by: Option<jiff::Timestamp>,
    /// Why it is not gone, and what somebody can do about it.
    pub why: Option<String>,
    /// Something holds it back that does not go by itself.
    pub held: bool,
}

impl StageSight {
    /// A stage that is gone.
    pub fn gone(stage: &str) -> Self {
        Self { stage: stage.to_owned(), gone: true, gone_by: None, why: None, held: false }
    }

    /// A stage that goes by itself in time, and how.
    pub fn left(stage: &str, why: impl Into<String>) -> Self {
        Self { gone: false, why: Some(why.into()), ..Self::gone(stage) }
    }

    /// A stage that something holds back, and what.
    pub fn held(stage: &str, why: impl Into<String>) -> Self {
        Self { held: true, ..Self::left(stage, why) }
    }
}
