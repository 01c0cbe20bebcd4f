//! Caps: a run that would change more than a rule allows waits for a second person.

use std::collections::BTreeMap;

use quietus_connectors::{Counts, Instruction, ProbeCount};
use serde::{Deserialize, Serialize};

use super::probe::ProbeName;
use super::step::{Step, StepStatus};
use super::system_plan::{Plan, SystemPlan};
use crate::domain::{CollectionName, RuleName, SystemName};
use crate::schedule::{Action, Cap, RuleSet};

/// Collections with fewer records are not measured by share.
const FEWEST_FOR_SHARE: u64 = 100;

/// A rule would change more records of a collection than its cap allows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CapExceeded {
    /// The system.
    pub system: SystemName,
    /// The collection.
    pub collection: CollectionName,
    /// The rule.
    pub rule: RuleName,
    /// Who wrote the rule, and so may not approve.
    pub author: String,
    /// Records that it would change, an upper bound.
    pub would_change: u64,
    /// All records of the collection, as far as they were counted
    /// ([`ProbeCount::total`](quietus_connectors::ProbeCount::total)).
    pub total: u64,
    /// The cap.
    pub measure: CapMeasure,
}

/// The cap that is exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "measure")]
pub enum CapMeasure {
    /// A number of records.
    Records {
        /// The most that are allowed.
        most: u64,
    },
    /// A share of the collection.
    Share {
        /// The most that is allowed, in percent.
        most_percent: f64,
    },
}

/// Every cap that a plan would exceed, given what `preview` counted in each system.
///
/// Deleting a record counts for every rule that speaks for one of its categories. Where several
/// rules share a category the number for each is an upper bound.
pub fn check_caps(
    plan: &Plan,
    rules: &RuleSet,
    counts: &BTreeMap<SystemName, Counts>,
) -> Vec<CapExceeded> {
    let counted = plan.systems.iter().filter_map(|one| Some((one, counts.get(&one.system)?)));
    counted.flat_map(|(system, counts)| check_system_caps(system, rules, counts)).collect()
}

/// Every cap that the plan of one system would exceed.
pub fn check_system_caps(
    system: &SystemPlan,
    rules: &RuleSet,
    counts: &Counts,
) -> Vec<CapExceeded> {
    system.steps.iter().flat_map(|step| check_step(system, step, rules, counts)).collect()
}

fn check_step(
    system: &SystemPlan,
    step: &Step,
    rules: &RuleSet,
    counts: &Counts,
) -> Vec<CapExceeded> {
    let Some(citation) = &step.rule else { return Vec::new() };
    if !matches!(step.status, StepStatus::Acting | StepStatus::WaitingForSchedule) {
        return Vec::new();
    }
    let Some(rule) = rules.rules.iter().find(|one| one.name == citation.name) else {
        return Vec::new();
    };
    let collection = step.collection.as_str();
    let count = counts.collections.iter().find(|one| one.collection == collection);
    let instruction = system.instructions.iter().find(|one| one.collection == collection);
    let (Some(count), Some(instruction)) = (count, instruction) else { return Vec::new() };
    let would_change = would_change(step, rule.action, instruction, count);
    measures(rule.cap, would_change, count.total)
        .into_iter()
        .map(|measure| CapExceeded {
            system: system.system.clone(),
            collection: step.collection.clone(),
            rule: rule.name.clone(),
            author: rule.author.clone(),
            would_change,
            total: count.total,
            measure,
        })
        .collect()
}

/// How many records a rule would change, an upper bound.
pub fn would_change(
    step: &Step,
    action: Action,
    instruction: &Instruction,
    count: &ProbeCount,
) -> u64 {
    let category = step.category.as_str();
    let treated = if step.status == StepStatus::Acting {
        count.treat.get(category).copied().unwrap_or_default()
    } else {
        0
    };
    let changed = match action {
        Action::Restrict => return count.restrict,
        Action::Erase => treated.saturating_add(count.delete),
        Action::Anonymise => treated,
    };
    let Some(rule) = &step.rule else { return changed };
    let name = ProbeName::DueBy(rule.name.to_string()).to_string();
    let asked = instruction.probes.iter().any(|probe| probe.name == name);
    match count.probes.get(&name) {
        Some(due) => changed.min(*due),
        // The plan asks only for what can be due at all.
        None if !asked => 0,
        None => changed,
    }
}

fn measures(cap: Cap, would_change: u64, total: u64) -> Vec<CapMeasure> {
    let mut measures = Vec::new();
    if let Some(most) = cap.records
        && would_change > most
    {
        measures.push(CapMeasure::Records { most });
    }
    if let Some(most_percent) = cap.share_percent
        && total >= FEWEST_FOR_SHARE
        && exceeds_share(would_change, total, most_percent)
    {
        measures.push(CapMeasure::Share { most_percent });
    }
    measures
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
fn exceeds_share(would_change: u64, total: u64, most_percent: f64) -> bool {
    would_change as f64 * 100.0 > total as f64 * most_percent
}
