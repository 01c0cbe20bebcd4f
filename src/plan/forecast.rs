//! What a plan would do, in counts for people: what goes, what is cleared or restricted, what is
//! kept and why. It changes nothing and holds no personal data.

use std::collections::BTreeMap;

use jiff::Timestamp;
use quietus_connectors::{
    Counts, Cutoff, Instruction, ProbeCount, TreatmentKind, association_named,
};
use serde::{Deserialize, Serialize};

use super::cap::{CapExceeded, check_caps};
use super::finding::Finding;
use super::probe::ProbeName;
use super::step::{Step, StepStatus};
use super::system_plan::{ExemptPart, Plan, SystemPlan};
use crate::domain::{CategoryName, CollectionName, SystemName};
use crate::schedule::RuleSet;

/// What a plan would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// As of when.
    pub moment: Timestamp,
    /// The zone in which days are meant.
    pub zone: String,
    /// One entry for each system.
    pub systems: Vec<SystemForecast>,
    /// Caps that it would exceed; each needs a second person.
    pub caps_exceeded: Vec<CapExceeded>,
}

/// What a plan would do in one system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SystemForecast {
    /// The system.
    pub system: SystemName,
    /// It was counted; without counts nothing is known but the findings.
    pub counted: bool,
    /// One entry for each collection that is not kept as a whole or loses associations.
    pub collections: Vec<CollectionForecast>,
    /// Deviations of the system from the data map; any of them stops the order.
    pub drift: Vec<String>,
    /// Reasons for which the order would be refused.
    pub refusals: Vec<String>,
    /// What a person should know.
    pub findings: Vec<Finding>,
    /// What is deliberately not disposed of.
    pub exempt: Vec<ExemptPart>,
}

/// What a plan would do in one collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionForecast {
    /// The collection.
    pub collection: CollectionName,
    /// All records; of a plan for persons at least so many, because no table is read to its end for
    /// one person.
    pub total: u64,
    /// Records that go as a whole.
    pub delete: u64,
    /// The number that goes is an upper bound, because references run in a circle.
    pub at_most: bool,
    /// Records of which a category is cleared.
    pub clear: BTreeMap<CategoryName, u64>,
    /// Records of which a category is made anonymous.
    pub anonymise: BTreeMap<CategoryName, u64>,
    /// Records that lose the association with a parent that goes, by link.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub associations: BTreeMap<String, u64>,
    /// Records that are restricted.
    pub restrict: u64,
    /// What is kept and why; reasons may overlap.
    pub kept: Vec<Kept>,
}

/// Records that are kept for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The category; `None` for the record as a whole.
    pub category: Option<CategoryName>,
    /// Why.
    pub why: KeptWhy,
    /// How many; `None` where it was not counted.
    pub records: Option<u64>,
}

/// Why records are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum KeptWhy {
    /// Legal holds cover them.
    Held,
    /// The purpose is over and a minimum keeps them.
    Minimum {
        /// The minimum.
        limit: String,
        /// Which law.
        citation: String,
    },
    /// The period is not over: it began after these starts.
    NotYet {
        /// The latest starts that are due, with where each is read.
        started_after: Vec<(String, Cutoff)>,
    },
    /// They have no starting point.
    NoStartingPoint,
    /// No rule's condition holds for them.
    NoRule,
    /// Somebody paused the rule.
    Paused {
        /// The rule.
        rule: String,
    },
    /// Marked, or to be marked by this plan, and not yet over.
    InGrace {
        /// The rule.
        rule: String,
    },
    /// The category is deliberately not disposed of.
    Exempt {
        /// Why.
        why: String,
    },
    /// Condition or starting point cannot be read.
    NotReadable {
        /// Why.
        why: String,
    },
    /// They are due, and what stays refers to them.
    Referenced {
        /// The collection that refers.
        by: String,
    },
    /// Their maximum has passed while a minimum keeps them: a person decides.
    Conflict {
        /// The maximum.
        limit: String,
    },
    /// Their maximum has passed and no rule makes them due: the rule lasts too long.
    PastMaximum {
        /// The maximum.
        limit: String,
    },
}

/// What a plan would do, given what `preview` counted in each system.
pub fn forecast(plan: &Plan, rules: &RuleSet, counts: &BTreeMap<SystemName, Counts>) -> Forecast {
    let systems = plan.systems.iter().map(|one| system_forecast(one, counts.get(&one.system)));
    Forecast {
        moment: plan.moment,
        zone: plan.zone.clone(),
        systems: systems.collect(),
        caps_exceeded: check_caps(plan, rules, counts),
    }
}

fn system_forecast(plan: &SystemPlan, counts: Option<&Counts>) -> SystemForecast {
    let collections = plan.instructions.iter().filter_map(|instruction| {
        let counted = counts?.collections.iter();
        let count = counted.into_iter().find(|one| one.collection == instruction.collection)?;
        let associated = count.treat.keys().any(|name| association_named(name).is_some());
        if instruction.keep && !associated {
            return None;
        }
        collection_forecast(plan, instruction, count)
    });
    SystemForecast {
        system: plan.system.clone(),
        counted: counts.is_some(),
        collections: collections.collect(),
        drift: counts
            .map(|counts| counts.drift.iter().map(ToString::to_string).collect())
            .unwrap_or_default(),
        refusals: counts.map(|counts| counts.refusals.clone()).unwrap_or_default(),
        findings: plan.findings.clone(),
        exempt: plan.exempt.clone(),
    }
}

fn collection_forecast(
    plan: &SystemPlan,
    instruction: &Instruction,
    count: &ProbeCount,
) -> Option<CollectionForecast> {
    let collection = CollectionName::parse(&instruction.collection).ok()?;
    let steps: Vec<&Step> = plan.steps.iter().filter(|one| one.collection == collection).collect();
    let by_kind = |kind: TreatmentKind| {
        let treatments = instruction.treatments.iter().filter(move |one| one.kind == kind);
        let counted = treatments.filter_map(|one| {
            let category = CategoryName::parse(&one.category).ok()?;
            let records = *count.treat.get(&one.category)?;
            (records > 0).then_some((category, records))
        });
        counted.collect::<BTreeMap<_, _>>()
    };
    let clear = by_kind(TreatmentKind::Clear);
    let mut anonymise = by_kind(TreatmentKind::Anonymise);
    // Where a category is cleared by one rule and made anonymous by another, the system counts
    // both together and the number stands once.
    anonymise.retain(|category, _| !clear.contains_key(category));
    Some(CollectionForecast {
        total: count.total,
        delete: count.delete,
        at_most: count.at_most,
        clear,
        anonymise,
        associations: associations(count),
        restrict: count.restrict,
        kept: kept(&steps, count),
        collection,
    })
}

fn associations(count: &ProbeCount) -> BTreeMap<String, u64> {
    let counted = count.treat.iter().filter(|(_, records)| **records > 0);
    let named = counted.filter_map(|(name, records)| {
        association_named(name).map(|link| (link.to_owned(), *records))
    });
    named.collect()
}

fn kept(steps: &[&Step], count: &ProbeCount) -> Vec<Kept> {
    let mut kept = Vec::new();
    if count.held > 0 {
        kept.push(Kept { category: None, why: KeptWhy::Held, records: Some(count.held) });
    }
    for (by, records) in count.referenced.iter().filter(|(_, records)| **records > 0) {
        let why = KeptWhy::Referenced { by: by.clone() };
        kept.push(Kept { category: None, why, records: Some(*records) });
    }
    let counted = count.probes.iter().filter(|(_, records)| **records > 0);
    for (name, records) in counted {
        let read = ProbeName::parse(name).and_then(|name| reason(&name, steps));
        if let Some((category, why)) = read {
            kept.push(Kept { category: Some(category), why, records: Some(*records) });
        }
    }
    for step in steps {
        let rule = || step.rule.as_ref().map(|rule| rule.name.to_string()).unwrap_or_default();
        let why = match &step.status {
            StepStatus::Exempt { reason } => KeptWhy::Exempt { why: reason.clone() },
            StepStatus::NotReadable { why } => KeptWhy::NotReadable { why: why.clone() },
            StepStatus::InGrace => KeptWhy::InGrace { rule: rule() },
            _ => continue,
        };
        kept.push(Kept { category: Some(step.category.clone()), why, records: None });
    }
    kept
}

/// The reason that a probe counts, and its category.
fn reason(name: &ProbeName, steps: &[&Step]) -> Option<(CategoryName, KeptWhy)> {
    let of_limit = |limit: &str| {
        steps.iter().find_map(|step| {
            let found = step.limits.iter().find(|one| one.name.as_str() == limit)?;
            Some((step.category.clone(), found.citation.clone()))
        })
    };
    let plain = |category: &str, why| Some((CategoryName::parse(category).ok()?, why));
    match name {
        // Whole records that are held are counted by the system itself.
        ProbeName::Due(_)
        | ProbeName::DueBy(_)
        | ProbeName::HeldWhole(_)
        | ProbeName::StaysRestricted { .. }
        | ProbeName::Later(_)
        | ProbeName::Restricted { .. } => None,
        ProbeName::NotYet(category) => {
            let started_after = started_after(category, steps);
            plain(category, KeptWhy::NotYet { started_after })
        }
        ProbeName::NoRule(category) => plain(category, KeptWhy::NoRule),
        ProbeName::NoStartingPoint(category) => plain(category, KeptWhy::NoStartingPoint),
        ProbeName::Held(category) => plain(category, KeptWhy::Held),
        ProbeName::Minimum { category, limit } => {
            let citation = of_limit(limit).map(|(_, citation)| citation).unwrap_or_default();
            plain(category, KeptWhy::Minimum { limit: limit.clone(), citation })
        }
        ProbeName::Paused(rule) => {
            let step = steps
                .iter()
                .find(|step| step.rule.as_ref().is_some_and(|cited| cited.name.as_str() == rule))?;
            Some((step.category.clone(), KeptWhy::Paused { rule: rule.clone() }))
        }
        ProbeName::Conflict(limit) => {
            Some((of_limit(limit)?.0, KeptWhy::Conflict { limit: limit.clone() }))
        }
        ProbeName::PastMaximum(limit) => {
            Some((of_limit(limit)?.0, KeptWhy::PastMaximum { limit: limit.clone() }))
        }
    }
}

fn started_after(category: &str, steps: &[&Step]) -> Vec<(String, Cutoff)> {
    let own = steps.iter().filter(|step| step.category.as_str() == category);
    let starts = own.flat_map(|step| step.start.iter());
    let mut found: Vec<(String, Cutoff)> =
        starts.filter_map(|start| Some((start.read_from.clone(), start.cutoff?))).collect();
    found.sort();
    found.dedup();
    found
}
