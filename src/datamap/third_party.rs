//! Third parties in the data map: who holds what of a person, and how they are asked.
//!
//! They are asked by the name of a person and have no collections, so no schedule speaks to them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::SecretReference;
use crate::domain::{CategoryName, RetentionPeriod};

/// A kind of system that nobody but a person can ask.
pub const MANUAL: &str = "manual";

/// A third party, or a system that only a connector of the user's own or a person can reach.
#[derive(Debug, Clone)]
pub struct ThirdParty {
    /// Its name, as letters and certificates say it.
    pub operator: String,
    /// Where the address of its interface is found; `None` where the definition has it, and for
    /// what a person does.
    pub address: Option<SecretReference>,
    /// Certificates of authorities that are trusted beside those of the system, as PEM.
    pub trust: Option<PathBuf>,
    /// Hosts with port that may be spoken to although they have a private address.
    pub private_hosts: Vec<String>,
    /// How it is spoken to; only for the kind `processor`.
    pub definition: Option<Definition>,
    /// Text of the definition, as it was when the data map was read; `None` where it was not kept.
    pub definition_text: Option<Arc<str>>,
    /// Parameters of the definition, and credentials. A value that is no secret stands as
    /// `SecretReference::Plain`.
    pub parameters: BTreeMap<String, SecretReference>,
    /// What it holds.
    pub categories: BTreeSet<CategoryName>,
    /// Identity types by which it can be asked.
    pub identities: BTreeSet<String>,
    /// How long it has to answer; `None` where nothing was agreed.
    pub answers_within: Option<RetentionPeriod>,
    /// What a person does; only for the kind `manual`, and always there.
    pub task: Option<ManualTask>,
    /// Where the address is found to which notices go by e-mail; they are given by hand without.
    pub mail: Option<SecretReference>,
    /// Language of notices to it, such as `de`; English where it is not said.
    pub language: Option<String>,
}

/// Where the description of an interface is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Definition {
    /// One that comes with Quietus, by its name.
    Named(String),
    /// A file of the user's own, relative to the instance's folder.
    File(PathBuf),
}

/// What a person is asked to do.
#[derive(Debug, Clone)]
pub struct ManualTask {
    /// What to do, in words.
    pub instructions: String,
    /// How long the person has.
    pub due_in: RetentionPeriod,
    /// Who does it.
    pub assignee: String,
    /// Where the assignee's address is found, where the instance file does not say so.
    pub mail: Option<SecretReference>,
    /// Language in which whoever works on it is written to, such as `de`; English where it is not
    /// said.
    pub language: Option<String>,
    /// Who confirms it, where that is settled.
    pub confirmer: Option<String>,
}
