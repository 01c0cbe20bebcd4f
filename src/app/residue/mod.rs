//! Files and logs of the live systems: what can still hold what a case has erased, and that they hold
//! it no more.
//!
//! When a case is certified, each system that is to be looked at tells where its logs stand ([`files`]),
//! and the certificate names the stages that are not gone. A job that does not keep the case open looks
//! again and again, and drives what the data map allows, until nothing is left ([`look`]); then the case
//! is certified once more. What waits is told to people in [`reading`].

mod files;
mod look;
pub mod reading;
mod seen;

use quietus_connectors::{residue_stages, residues_beyond};

use crate::datamap::System;

pub(crate) use self::files::{FilesLook, FilesOfCase, Marks};
pub use self::seen::{FilesSeen, StageSeen};

/// What a connector says is left behind, less that at which somebody looks.
pub(crate) fn not_looked_at(system: Option<&System>, residues: Vec<String>) -> Vec<String> {
    let Some((system, looked_at)) = system.and_then(|one| Some((one, one.residues.as_ref()?)))
    else {
        return residues;
    };
    let stages = residue_stages(&system.kind);
    let is_covered = |sentence: &String| {
        let mut naming = stages.iter().filter(|stage| stage.covers == sentence).peekable();
        naming.peek().is_some()
            && naming.all(|stage| looked_at.stages.iter().any(|one| one == stage.name))
    };
    let left = residues.into_iter().filter(|sentence| !is_covered(sentence));
    left.chain(residues_beyond(&system.kind).iter().map(|one| (*one).to_owned())).collect()
}
