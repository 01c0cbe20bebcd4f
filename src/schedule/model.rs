//! The rule set after validation. Whoever holds one may rely on every name and period in it.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::condition::Condition;
use crate::domain::{
    CategoryName, Digest, RetentionPeriod, Rounding, RuleName, ScheduleName, SystemName,
};

/// All rules of all packs.
#[derive(Debug, Clone)]
pub struct RuleSet {
    /// Retention rules in the order of files and lines: of several rules for one category, a
    /// record takes the first whose condition holds.
    pub rules: Vec<RetentionRule>,
    /// Statutory minimums and maximums; all whose condition holds apply.
    pub limits: Vec<Limit>,
    /// Categories that are deliberately not disposed of.
    pub exemptions: BTreeMap<CategoryName, Exemption>,
    /// When runs begin.
    pub schedules: BTreeMap<ScheduleName, Schedule>,
    /// Declared categories, each with what it is for.
    pub categories: BTreeMap<CategoryName, String>,
    /// Digest of the bytes of all files, in the order of their names.
    pub digest: Digest,
}

/// One retention rule.
#[derive(Debug, Clone)]
pub struct RetentionRule {
    /// Its name.
    pub name: RuleName,
    /// Version of the pack that it stands in.
    pub version: String,
    /// Digest of the rule's own content in canonical form.
    pub digest: Digest,
    /// Who wrote it, as the pack says; may not approve runs that exceed its cap.
    pub author: String,
    /// The category that it disposes of.
    pub category: CategoryName,
    /// Only in these systems; empty means in all.
    pub systems: Vec<SystemName>,
    /// Name of the starting point.
    pub starting_point: String,
    /// How long from there.
    pub period: RetentionPeriod,
    /// How its end is rounded.
    pub rounding: Rounding,
    /// What happens then.
    pub action: Action,
    /// For which records.
    pub when: Condition,
    /// Why this period.
    pub basis: LegalBasis,
    /// When it is looked at.
    pub schedule: ScheduleName,
    /// The most that one run may do.
    pub cap: Cap,
    /// Mark first, act so much later.
    pub grace: Option<RetentionPeriod>,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Fields are cleared; the record goes when all its categories are due.
    Erase,
    /// Fields are made anonymous; the record stays.
    Anonymise,
    /// The record is restricted; nothing goes.
    Restrict,
}

/// Why a period is what it is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LegalBasis {
    /// Law and article, contract or interest.
    pub citation: String,
    /// Further words.
    pub note: Option<String>,
}

/// A limit that one run may not exceed without a second person.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cap {
    /// Records in one run; `None` only where somebody wrote `unlimited`.
    pub records: Option<u64>,
    /// Share of a collection, in percent from 0 to 100; `None` only where somebody wrote
    /// `unlimited`. Collections of fewer than 100 records are not measured by share.
    pub share_percent: Option<f64>,
}

impl Default for Cap {
    fn default() -> Self {
        Self { records: Some(100_000), share_percent: Some(10.0) }
    }
}

/// Whether a limit is a minimum or a maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// Data must be kept at least so long.
    Minimum,
    /// Data may be kept at most so long.
    Maximum,
}

/// A statutory minimum or maximum.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// Its name.
    pub name: RuleName,
    /// Version of the pack that it stands in.
    pub version: String,
    /// Minimum or maximum.
    pub kind: LimitKind,
    /// The category that it applies to.
    pub category: CategoryName,
    /// Name of the starting point.
    pub starting_point: String,
    /// How long from there.
    pub period: RetentionPeriod,
    /// How its end is rounded.
    pub rounding: Rounding,
    /// For which records.
    pub when: Condition,
    /// Whose law.
    pub jurisdiction: String,
    /// Which law; never empty.
    pub citation: String,
    /// In force from this day; `None` is always.
    pub valid_from: Option<Date>,
    /// In force until the end of this day; `None` is for ever.
    pub valid_to: Option<Date>,
}

/// A category that stays, and why.
#[derive(Debug, Clone)]
pub struct Exemption {
    /// Why; never empty.
    pub reason: String,
    /// Who decided.
    pub owner: String,
}

/// When runs begin.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Its name.
    pub name: ScheduleName,
    /// Cron expression of five fields.
    pub cron: String,
    /// IANA zone in which it is read.
    pub zone: String,
    /// Jobs start only between these times of day, in that zone; empty is always. A window may
    /// pass midnight (`22:00-05:00`).
    pub windows: Vec<(jiff::civil::Time, jiff::civil::Time)>,
    /// No job starts on these days: from the first to the last, both included.
    pub blackouts: Vec<(Date, Date)>,
    /// What happens to occurrences that were missed.
    pub missed: Missed,
}

/// What happens to occurrences that were missed while no machine was on.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// One run catches up for all of them; the others are recorded as caught up.
    #[default]
    Latest,
    /// None is run; they are recorded as missed.
    Skip,
}
