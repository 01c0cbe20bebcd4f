//! Stores of copies in the data map: which systems they copy, how often, and how long copies live.
//!
//! No schedule and no request speaks to a store. What the map says of it decides until when copies can
//! hold what was erased in the systems they copy, and where somebody's files are erased inside of
//! copies when two persons want it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, SpanRelativeTo};
use quietus_connectors::{InsideFiles, StoreRetention};

use super::SecretReference;
use crate::domain::{RetentionPeriod, SystemName};

/// A store of copies of other systems.
#[derive(Debug, Clone)]
pub struct Backup {
    /// The systems that it copies.
    pub copies: BTreeSet<SystemName>,
    /// Where it is: a repository, a stanza, a server or a folder.
    pub place: SecretReference,
    /// How it is opened. A value that is no secret stands as `SecretReference::Plain`.
    pub parameters: BTreeMap<String, SecretReference>,
    /// How long it keeps copies; `None` where the store says so itself.
    pub keeps: Option<StoreRetention>,
    /// How often it takes a copy, in days and hours.
    pub every: RetentionPeriod,
    /// How often it removes copies whose time is over; `None` where it does so with each copy.
    pub prunes_every: Option<RetentionPeriod>,
    /// The longest that taking a copy lasts, in days and hours: one that was begun before may be
    /// listed so much later.
    pub longest_run: RetentionPeriod,
    /// Who removes copies whose time is over.
    pub expire: Expire,
    /// IANA zone in which it counts days, weeks, months and years.
    pub zone: String,
    /// Where copies keep the files of each person of a system, so that they can be erased there.
    pub inside: BTreeMap<SystemName, Inside>,
}

/// Where everything is that copies hold of a person of one system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside {
    /// The identity type whose values stand in the path.
    pub identity: String,
    /// The path.
    pub files: InsideFiles,
}

/// Who removes copies whose time is over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expire {
    /// The store, by its own jobs; quietus only looks.
    #[default]
    ByStore,
    /// Quietus, with the store's own commands.
    ByQuietus,
}

impl Backup {
    /// Time between two copies.
    pub fn cadence(&self) -> SignedDuration {
        plain(&self.every).unwrap_or(SignedDuration::from_hours(24))
    }

    /// How long a copy may stay once its time is over.
    pub fn pruned_within(&self) -> SignedDuration {
        self.prunes_every.as_ref().and_then(plain).unwrap_or(SignedDuration::ZERO)
    }

    /// The longest that taking a copy lasts.
    pub fn longest(&self) -> SignedDuration {
        plain(&self.longest_run).unwrap_or(SignedDuration::from_hours(24))
    }
}

/// A period of days and hours as a length of time, a day being 24 hours; `None` where it has months
/// or years, whose length depends on the calendar.
pub fn plain(period: &RetentionPeriod) -> Option<SignedDuration> {
    let relative = SpanRelativeTo::days_are_24_hours();
    period.span().to_duration(relative).ok()
}
