//! The account of one job: what was really ordered, what was counted and what was looked at.
//!
//! A plan says what was to be done when its case was opened; holds, pauses and limits of the moment
//! decide what the order became. A certificate speaks of the order, so the order's own steps are
//! kept with what it has done, and what stays is counted once more after the second look.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use quietus_connectors::{
    Counts, Instruction, Link, LinkKind, LookedAt, Predicate, ProbeCount, Verification,
    association_named,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::done::{Done, RESTRICTION};
use crate::domain::{CategoryName, CollectionName, Digest, LegalHold};
use crate::plan::{ProbeName, Step, SystemPlan};

/// What the latest order of a job really was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ordered {
    /// Steps of the order that were not as the case had planned them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// What the order asked for.
    pub asked: BTreeSet<LookedAt>,
    /// More is known of the persons than when their case was counted, so that the order is about
    /// records that were not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub knows_more: bool,
    /// What legal holds kept out of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldBy>,
    /// Of a third party: the matters whose holds kept it from being asked to erase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_back: Option<HeldBack>,
    /// The holds behind both.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub holds: BTreeSet<Uuid>,
    /// The rule set in force, where its minimums were applied and not those of the case alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits_from: Option<Digest>,
}

/// Holds that keep a third party from being asked to erase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBack {
    /// The matters.
    pub matters: BTreeSet<String>,
    /// When somebody looks at the first of the holds again.
    pub review_on: Option<Date>,
}

/// A part of a collection and the matters whose holds cover it, or some records of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBy {
    /// The collection.
    pub collection: CollectionName,
    /// Only this category; `None` is the record as a whole.
    pub category: Option<CategoryName>,
    /// The matters.
    pub matters: BTreeSet<String>,
    /// When somebody looks at the first of the holds again.
    pub review_on: Option<Date>,
}

/// What is on record about one job's second look.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct VerificationOnRecord {
    /// When.
    pub(crate) at: Timestamp,
    /// What it found.
    pub(crate) found: Verification,
    /// What the system counted after it, under the same order; `None` where it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) counted: Option<Counts>,
}

impl Ordered {
    /// What an order was, next to the plan of its case.
    pub(crate) fn of(
        planned: Option<&SystemPlan>,
        compiled: &SystemPlan,
        holds: &[LegalHold],
    ) -> Self {
        let counted_by = planned.and_then(|plan| plan.known_by);
        let as_planned = |step: &&Step| planned.is_some_and(|plan| plan.steps.contains(step));
        Self {
            steps: compiled.steps.iter().filter(|step| !as_planned(step)).cloned().collect(),
            asked: compiled
                .instructions
                .iter()
                .flat_map(|one| asked_of(one).into_iter().chain(associations_of(one, compiled)))
                .collect(),
            knows_more: counted_by.is_some() && counted_by != compiled.known_by,
            held: held_by(compiled, holds),
            held_back: held_back(compiled, holds),
            holds: holds_behind(compiled),
            limits_from: None,
        }
    }

    /// The order as its case planned it, for a job that never had one.
    pub(crate) fn as_planned(plan: &SystemPlan, holds: &[LegalHold]) -> Self {
        Self::of(Some(plan), plan, holds)
    }

    /// Steps of the order: those of the plan, but for those that became others.
    pub(crate) fn steps_of<'a>(&'a self, plan: &'a SystemPlan) -> Vec<&'a Step> {
        let same = |one: &Step, other: &Step| {
            let rule = |step: &Step| step.rule.as_ref().map(|rule| rule.name.clone());
            one.collection == other.collection
                && one.category == other.category
                && rule(one) == rule(other)
        };
        let unchanged =
            plan.steps.iter().filter(|step| !self.steps.iter().any(|other| same(step, other)));
        let mut steps: Vec<&Step> = unchanged.chain(&self.steps).collect();
        steps.sort_by(|one, other| {
            (&one.collection, &one.category).cmp(&(&other.collection, &other.category))
        });
        steps
    }

    /// Whether the order asked for something to be done to a category, to records as a whole
    /// (`None`), or for a restriction.
    pub(crate) fn asked(&self, collection: &CollectionName, category: Option<&str>) -> bool {
        self.asked.contains(&part(collection, category))
    }

    /// The names of a collection's associations with parents that the order deletes.
    pub(crate) fn associations(&self, collection: &CollectionName) -> Vec<&str> {
        let here = self.asked.iter().filter(|one| one.collection == collection.as_str());
        let named = here.filter_map(|one| one.category.as_deref());
        named.filter(|name| association_named(name).is_some()).collect()
    }

    /// The matters that cover a place, and when somebody looks at them again.
    pub(crate) fn held(
        &self,
        collection: &CollectionName,
        category: Option<&CategoryName>,
    ) -> (BTreeSet<&str>, Option<Date>) {
        let covers = self.held.iter().filter(|one| {
            one.collection == *collection
                && (one.category.is_none() || one.category.as_ref() == category)
        });
        let mut matters = BTreeSet::new();
        let mut review_on: Option<Date> = None;
        for cover in covers {
            matters.extend(cover.matters.iter().map(String::as_str));
            review_on = review_on.into_iter().chain(cover.review_on).min();
        }
        (matters, review_on)
    }
}

/// The name of a part of an order.
pub(crate) fn part(collection: &CollectionName, category: Option<&str>) -> LookedAt {
    LookedAt { collection: collection.to_string(), category: category.map(str::to_owned) }
}

fn asked_of(instruction: &Instruction) -> Vec<LookedAt> {
    let mut asked = Vec::new();
    let mut add = |category: Option<&str>| {
        asked.push(LookedAt {
            collection: instruction.collection.clone(),
            category: category.map(str::to_owned),
        });
    };
    if instruction.keep {
        return asked;
    }
    if instruction.delete_when != Predicate::Never {
        add(None);
    }
    for treatment in instruction.treatments.iter().filter(|one| !one.fields.is_empty()) {
        add(Some(&treatment.category));
    }
    if instruction.restriction.is_some() && instruction.restrict_when != Predicate::Never {
        add(Some(RESTRICTION));
    }
    asked
}

/// Associations with parents that the order deletes.
fn associations_of(instruction: &Instruction, compiled: &SystemPlan) -> Vec<LookedAt> {
    let deletes = |to: &String| {
        let mut parents = compiled.instructions.iter().filter(|one| one.collection == *to);
        parents.any(|one| one.delete_when != Predicate::Never)
    };
    let links = instruction.links.iter().filter(|link| link.kind != LinkKind::Deep);
    let loose = links.filter(|link| !link.needed && deletes(&link.to));
    let part = |link: &Link| LookedAt {
        collection: instruction.collection.clone(),
        category: Some(link.association()),
    };
    loose.map(part).collect()
}

fn holds_behind(plan: &SystemPlan) -> BTreeSet<Uuid> {
    let parts = plan.held.iter().flat_map(|part| part.holds.iter().copied());
    parts.chain(plan.persons.iter().flat_map(|one| one.held.iter().copied())).collect()
}

fn held_back(plan: &SystemPlan, holds: &[LegalHold]) -> Option<HeldBack> {
    let persons = plan.persons.as_ref().filter(|one| !one.held.is_empty())?;
    let holds: Vec<&LegalHold> =
        holds.iter().filter(|hold| persons.held.contains(&hold.id)).collect();
    Some(HeldBack {
        matters: holds.iter().map(|hold| hold.matter.clone()).collect(),
        review_on: holds.iter().filter_map(|hold| hold.review_on).min(),
    })
}

fn held_by(plan: &SystemPlan, holds: &[LegalHold]) -> Vec<HeldBy> {
    let parts = plan.held.iter().map(|part| {
        let holds: Vec<&LegalHold> =
            part.holds.iter().filter_map(|id| holds.iter().find(|hold| hold.id == *id)).collect();
        HeldBy {
            collection: part.collection.clone(),
            category: part.category.clone(),
            matters: holds.iter().map(|hold| hold.matter.clone()).collect(),
            review_on: holds.iter().filter_map(|hold| hold.review_on).min(),
        }
    });
    parts.collect()
}

impl Done {
    /// The counts do not speak of all that is ordered: it has to be counted before it is sent.
    pub(crate) fn is_of_more(&self) -> bool {
        self.asked.is_some() || self.ordered.as_ref().is_some_and(|one| one.knows_more)
    }

    /// What is saved after every chunk: without the matters, which may be many and are written
    /// when the attempt ends.
    pub(crate) fn without_matters(mut self) -> Self {
        if let Some(ordered) = &mut self.ordered {
            ordered.held.clear();
            ordered.holds.clear();
        }
        self
    }
}

/// The counts of one collection.
pub(crate) fn counted_in<'a>(counts: &'a Counts, collection: &str) -> Option<&'a ProbeCount> {
    counts.collections.iter().find(|one| one.collection == collection)
}

/// What a probe counted.
pub(crate) fn probed(count: &ProbeCount, name: &ProbeName) -> u64 {
    count.probes.get(&name.to_string()).copied().unwrap_or(0)
}

/// Whether a count says anything: a system that differs from its data map counts nothing.
pub(crate) fn says_something(counts: &Counts) -> bool {
    use quietus_connectors::Drift;
    counts
        .drift
        .iter()
        .all(|one| matches!(one, Drift::FieldUnmapped { .. } | Drift::KeyChanged { .. }))
}
