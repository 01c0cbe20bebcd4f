//! What a plan is made from: everything that decides, handed in as values.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use quietus_connectors::Value;

use super::person::PersonScope;
use crate::datamap::house::HOUSE;
use crate::datamap::{DataMap, System};
use crate::domain::{IdentityTypes, LegalHold, RuleName, ScheduleName};
use crate::schedule::{Limit, RuleSet};

/// Everything that a plan, a compiled order or an explanation depends on.
#[derive(Debug, Clone, Copy)]
pub struct PlanInput<'a> {
    /// The data map.
    pub map: &'a DataMap,
    /// How identities of persons are brought into one form: whom a hold names is compared by it.
    pub identities: &'a IdentityTypes,
    /// The rules; for a pinned plan the rule set of the pinned digest.
    pub rules: &'a RuleSet,
    /// Statutory minimums and maximums: those of the rules, and for a job those in force when it is
    /// carried out.
    pub limits: &'a [Limit],
    /// The zone of the instance: periods are counted on its wall clock, and the days of validity
    /// of minimums and maximums are its days.
    pub zone: &'a TimeZone,
    /// The moment that decides what is due; pinned with the plan and never later for its jobs.
    pub moment: Timestamp,
    /// The day on which this is planned or carried out, in `zone`: a minimum that is in force by
    /// then holds, also for a moment before it came into force.
    pub today: Date,
    /// Legal holds; those with `released_at` are ignored, all others hold, whenever placed.
    pub holds: &'a [LegalHold],
    /// Business events in force. For a pinned plan: those told by the time it was made, without
    /// those revoked since, so that a later attempt never does more than the plan.
    pub events: &'a EventKeys,
    /// Marks that were made for rules with grace.
    pub marks: &'a Marks,
    /// Rules that somebody paused.
    pub paused: &'a BTreeSet<RuleName>,
    /// Whose turn it is.
    pub acting: &'a Acting,
    /// Whom the plan is for; `None` for schedules. Every rule acts for persons, and no rule's
    /// pause or grace counts.
    pub persons: Option<&'a PersonScope>,
}

/// Moments at which rules with grace marked what was due, in any order. Only marks of what is said
/// at present belong here: what a changed rule, limit or data map makes due was never marked.
///
/// A mark remembers a moment, not records. Starting points are judged as of that moment; conditions
/// are read from the record as it is now. So a record whose condition came to hold only after the
/// mark goes without a grace of its own, and so does one whose event was posted late.
pub type Marks = BTreeMap<RuleName, Vec<Timestamp>>;

/// Whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acting {
    /// Every rule acts.
    Everything,
    /// Only the rules of these schedules act; others decide only whether a record may go.
    Schedules(BTreeSet<ScheduleName>),
}

impl Acting {
    /// Whether rules of this schedule act now.
    pub fn includes(&self, schedule: &ScheduleName) -> bool {
        match self {
            Self::Everything => true,
            Self::Schedules(names) => names.contains(schedule),
        }
    }

    /// Whether rules for our own records act.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Schedules(names) if names.iter().any(|name| name.as_str() == HOUSE))
    }

    /// Whether a system has a part in it. Our own store has one only where its own schedule acts, and
    /// where that acts alone nothing else has.
    pub(super) fn reaches(&self, system: &System) -> bool {
        match self {
            Self::Everything => !system.is_house(),
            Self::Schedules(names) => {
                let own = |name: &ScheduleName| name.as_str() == HOUSE;
                names.iter().any(|name| own(name) == system.is_house())
                    || names.is_empty() && !system.is_house()
            }
        }
    }
}

/// Business events in force, by the name of the event: the key that each names and when it
/// happened. Keys are personal data and are never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct EventKeys(pub BTreeMap<String, Vec<(Value, Timestamp)>>);

impl EventKeys {
    /// The keys of an event, each with the latest moment at which it happened.
    pub(super) fn latest(&self, event: &str) -> BTreeMap<&Value, Timestamp> {
        let mut latest = BTreeMap::new();
        for (key, occurred_at) in self.0.get(event).into_iter().flatten() {
            let moment = latest.entry(key).or_insert(*occurred_at);
            *moment = (*moment).max(*occurred_at);
        }
        latest
    }
}

impl fmt::Debug for EventKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.0.iter().map(|(name, keys)| (name, keys.len()))).finish()
    }
}
