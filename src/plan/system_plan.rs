//! The plan as a whole and for each system, and the order that a system plan becomes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use quietus_connectors::{Instruction, Order, Pace, Predicate, SubjectAction};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::collection::CollectionReading;
use super::finding::Finding;
use super::hold::third_party_holds;
use super::input::PlanInput;
use super::lists::{FilledLists, ListBook, ListSource};
use super::pause;
use super::person::{self, PersonScope};
use super::person_collection::PersonCollection;
use super::reach::Place;
use super::start::Start;
use super::steering::Steering;
use super::step::{HeldPart, Step, StepStatus};
use crate::datamap::{FieldClass, System};
use crate::domain::{CategoryName, Digest, RuleName, SystemName};

/// What is to be done in every system as of one moment.
///
/// Its serialised form holds no personal data: of lists of keys it names the source only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The moment that decided what is due.
    pub moment: Timestamp,
    /// The zone on whose wall clock periods were counted.
    pub zone: String,
    /// Digest of the data map.
    pub map_digest: Digest,
    /// Digest of the rules.
    pub rules_digest: Digest,
    /// One part for each system, in the order of their names.
    pub systems: Vec<SystemPlan>,
    /// Marks that are to be recorded with this plan, for rules with grace.
    pub marks_to_make: Vec<MarkToMake>,
    /// Systems that have no part in it, each with the reason.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
}

/// A system that has no part in a plan, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The system.
    pub system: SystemName,
    /// Why.
    pub why: String,
}

/// What a third party is asked about persons: it has no collections that could be instructed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonsPart {
    /// What it holds of what is asked for.
    pub categories: BTreeSet<CategoryName>,
    /// Identity types that it understands and of which some are known; none where a system that
    /// could not be asked yet may know one.
    pub identities: BTreeSet<String>,
    /// Holds that keep it from being asked to erase.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Uuid>,
}

impl Plan {
    /// The part of one system.
    pub fn system(&self, name: &SystemName) -> Option<&SystemPlan> {
        self.systems.iter().find(|one| one.system == *name)
    }
}

/// A mark to be recorded: what is due at its moment may go when the rule's grace is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkToMake {
    /// The rule.
    pub rule: RuleName,
    /// The moment of the mark.
    pub at: Timestamp,
}

/// What is to be done in one system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SystemPlan {
    /// The system.
    pub system: SystemName,
    /// The moment of the plan.
    pub moment: Timestamp,
    /// One instruction for each collection, in the order of their names.
    pub instructions: Vec<Instruction>,
    /// Where the entries of each list come from, by the index that predicates use.
    pub list_sources: Vec<ListSource>,
    /// Entries of the lists. They are personal data and are never serialised; a plan that was
    /// read back has none and must be compiled again.
    #[serde(skip)]
    pub lists: FilledLists,
    /// In a plan for persons: how many identities, spellings and keys of records tell which records
    /// are theirs. `None` in other plans, and in those that were stored before it was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_by: Option<u64>,
    /// How gently to go.
    pub pace: Pace,
    /// What each rule does to each category of each collection.
    pub steps: Vec<Step>,
    /// What legal holds cover.
    #[serde(default)]
    pub held: Vec<HeldPart>,
    /// What a person should know before it runs.
    pub findings: Vec<Finding>,
    /// What is deliberately not disposed of.
    pub exempt: Vec<ExemptPart>,
    /// For a third party that is asked by the name of a person; `None` for databases.
    #[serde(default)]
    pub persons: Option<PersonsPart>,
}

/// Something that is deliberately not disposed of, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExemptPart {
    /// A collection by its name in the system, a field (`orders.total`) or a category.
    pub what: String,
    /// Why.
    pub reason: String,
}

/// Why no order or plan could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The plan was read from the store, where lists of keys are not kept.
    #[error("the plan of system `{system}` was read without its lists of keys: compile it again")]
    ListsNotFilled {
        /// The system.
        system: SystemName,
    },
    /// The data map has no such system.
    #[error("the data map has no system `{system}`: it was renamed or removed since the plan")]
    UnknownSystem {
        /// The system.
        system: SystemName,
    },
    /// The data map has no such collection.
    #[error("system `{system}` has no collection `{collection}` in the data map")]
    UnknownCollection {
        /// The system.
        system: SystemName,
        /// The collection.
        collection: crate::domain::CollectionName,
    },
}

impl SystemPlan {
    /// The order for one attempt. It has no `most_records`: the engine sets it where caps were
    /// checked against counts.
    ///
    /// # Errors
    /// Where the plan was read back from the store, without its lists.
    pub fn order(&self, key: impl Into<String>, attempt: u32) -> Result<Order, PlanError> {
        if self.lists.0.len() != self.list_sources.len() {
            return Err(PlanError::ListsNotFilled { system: self.system.clone() });
        }
        Ok(Order {
            key: key.into(),
            attempt,
            moment: self.moment,
            instructions: self.instructions.clone(),
            lists: self.lists.0.clone(),
            pace: self.pace.clone(),
            most_records: None,
            persons: None,
        })
    }

    /// Whether any record could be deleted, treated, restricted or released by this plan, or a
    /// third party is asked.
    pub fn acts(&self) -> bool {
        use Predicate::Never;
        self.instructions.iter().any(|one| {
            one.delete_when != Never
                || one.restrict_when != Never
                || one.lift_when != Never
                || !one.treatments.is_empty()
        }) || self.persons.is_some()
    }
}

/// Plans every system.
pub fn plan(input: &PlanInput<'_>) -> Plan {
    let mut systems = Vec::new();
    let mut left_out = Vec::new();
    // Nobody can ask a store of copies to erase anything.
    let has_a_part = |one: &&System| one.backup.is_none() && input.acting.reaches(one);
    for system in input.map.systems.values().filter(has_a_part) {
        let planned = plan_system(input, system);
        match left_out_because(input, system, &planned) {
            Some(why) => left_out.push(LeftOut { system: system.name.clone(), why }),
            None => systems.push(planned),
        }
    }
    Plan {
        moment: input.moment,
        zone: input.zone.iana_name().unwrap_or("UTC").to_owned(),
        map_digest: input.map.digest,
        rules_digest: input.rules.digest,
        systems,
        marks_to_make: if input.persons.is_some() { Vec::new() } else { marks_to_make(input) },
        left_out,
    }
}

/// Why a system has no part in the plan; `None` where it has.
fn left_out_because(
    input: &PlanInput<'_>,
    system: &System,
    planned: &SystemPlan,
) -> Option<String> {
    let Some(scope) = input.persons else {
        return system
            .third_party
            .as_ref()
            .map(|_| "it is asked only on a person's request".to_owned());
    };
    if let Some(third_party) = &system.third_party {
        if planned.persons.is_some() {
            return None;
        }
        let asked = third_party.categories.iter().any(|one| scope.asks_for(one));
        let stays = third_party.categories.iter().any(|one| scope.stays_by_request(one));
        return Some(if stays {
            "another request of the person keeps it restricted".to_owned()
        } else if asked {
            let kinds: Vec<&str> = third_party.identities.iter().map(String::as_str).collect();
            format!(
                "no known identity reaches it: it is asked by `{}`, of which none is known",
                kinds.join("`, `")
            )
        } else {
            "it holds none of the categories that are asked for".to_owned()
        });
    }
    if scope.incomplete {
        return None;
    }
    let mut steps = planned.steps.iter();
    let unreached = |step: &Step| matches!(step.status, StepStatus::NotCovered { .. });
    let nothing = planned.steps.iter().any(unreached)
        && steps.all(|step| !matches!(step.status, StepStatus::Acting | StepStatus::Held { .. }));
    (nothing && !planned.acts()).then(|| {
        let first = planned.steps.iter().find_map(|step| match &step.status {
            StepStatus::NotCovered { why } => Some(why.clone()),
            _ => None,
        });
        first.unwrap_or_else(|| "no known identity reaches it".to_owned())
    })
}

/// Plans one system: at the beginning of each attempt, with the pinned moment, rules and data map
/// of its plan and with the holds, pauses and revoked events of now.
///
/// # Errors
/// Where the data map has no such system.
pub fn compile(input: &PlanInput<'_>, system: &SystemName) -> Result<SystemPlan, PlanError> {
    let unknown = || PlanError::UnknownSystem { system: system.clone() };
    Ok(plan_system(input, input.map.systems.get(system).ok_or_else(unknown)?))
}

fn plan_system(input: &PlanInput<'_>, system: &System) -> SystemPlan {
    let mut lists = ListBook::default();
    let steering = Steering::read(input, system);
    let mut instructions = Vec::new();
    let mut steps = Vec::new();
    let mut held = Vec::new();
    let mut findings = Vec::new();
    for place in Place::all(system) {
        let reading = CollectionReading::read(input, place, &mut lists);
        let part = match input.persons {
            None => reading.plan(&steering),
            Some(scope) => {
                let belonging = person::belonging(scope, place, &steering, &mut lists);
                let later = later_than(input, scope, place, &mut lists);
                PersonCollection { scope, reading, belonging }.plan(&steering, later)
            }
        };
        instructions.push(part.instruction);
        steps.extend(part.steps);
        held.extend(part.covers);
        findings.extend(part.findings);
    }
    findings.sort();
    findings.dedup();
    let (list_sources, lists) = lists.close();
    let known_by = input.persons.map(|_| known_by(&list_sources, &lists));
    SystemPlan {
        system: system.name.clone(),
        moment: input.moment,
        instructions,
        list_sources,
        lists,
        known_by,
        pace: system.pace.clone(),
        steps,
        held,
        findings,
        exempt: exempt_parts(input, system),
        persons: persons_part(input, system),
    }
}

/// How many entries of lists tell whose a record is.
fn known_by(sources: &[ListSource], lists: &FilledLists) -> u64 {
    let of_persons = |source: &ListSource| {
        matches!(source, ListSource::Persons { .. } | ListSource::PersonRecords { .. })
    };
    let lists = sources.iter().zip(&lists.0).filter(|(source, _)| of_persons(source));
    lists.map(|(_, list)| list.entries.len() as u64).sum()
}

/// "One of the record's starting points is of later than what was done for the persons", whatever it
/// is that the starting point is of.
fn later_than(
    input: &PlanInput<'_>,
    scope: &PersonScope,
    place: Place<'_>,
    lists: &mut ListBook,
) -> Predicate {
    let Some(moment) = scope.later_than else { return Predicate::Never };
    let starts = place.collection.starting_points.keys();
    let starts = starts.filter_map(|name| Start::read(name, place).ok());
    Predicate::any(starts.map(|start| start.after(input, lists, moment)).collect::<Vec<_>>())
}

fn persons_part(input: &PlanInput<'_>, system: &System) -> Option<PersonsPart> {
    let (scope, third_party) = (input.persons?, system.third_party.as_ref()?);
    let asked = third_party.categories.iter().filter(|one| scope.asks_for(one));
    let held = asked.filter(|one| !scope.stays_by_request(one));
    let known = |kind: &&String| scope.identities.get(*kind).is_some_and(|one| !one.is_empty());
    let part = PersonsPart {
        categories: held.cloned().collect(),
        identities: third_party.identities.iter().filter(known).cloned().collect(),
        held: match scope.action {
            SubjectAction::Erase => {
                let with = (input.map, input.identities);
                third_party_holds(with, input.holds, &system.name, scope)
            }
            SubjectAction::Restrict | SubjectAction::Lift => Vec::new(),
        },
    };
    let reached = !part.identities.is_empty() || scope.incomplete;
    (!part.categories.is_empty() && reached).then_some(part)
}

fn exempt_parts(input: &PlanInput<'_>, system: &System) -> Vec<ExemptPart> {
    let part = |what: String, reason: &str| ExemptPart { what, reason: reason.to_owned() };
    let mut parts: Vec<ExemptPart> =
        system.exempt.iter().map(|one| part(one.source.clone(), &one.reason)).collect();
    let mut categories = BTreeMap::new();
    for collection in system.collections.values() {
        // What goes with its record needs no line for each field of our own.
        for field in collection.fields.values().filter(|_| !system.is_house()) {
            if let FieldClass::Exempt(reason) = &field.class {
                parts.push(part(format!("{}.{}", collection.name, field.name), reason));
            }
        }
        for category in collection.categories() {
            if let Some(exemption) = input.rules.exemptions.get(category) {
                categories.insert(category, exemption.reason.as_str());
            }
        }
    }
    parts.extend(categories.into_iter().map(|(name, reason)| part(name.to_string(), reason)));
    parts
}

fn marks_to_make(input: &PlanInput<'_>) -> Vec<MarkToMake> {
    let marking = input.rules.rules.iter().filter(|rule| {
        rule.grace.is_some()
            && input.acting.includes(&rule.schedule)
            && !pause::is_paused(input, &rule.name)
    });
    marking.map(|rule| MarkToMake { rule: rule.name.clone(), at: input.moment }).collect()
}
