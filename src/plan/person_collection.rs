//! One collection of a plan for persons: what of their records goes, what is kept and restricted.
//!
//! The corridor is that of every plan: minimums, holds and exemptions keep what they keep. Instead
//! of a rule's clock, "the record belongs to the person" ends the purpose. What a rule makes
//! anonymous becomes anonymous; everything else with a category goes.

use std::collections::BTreeSet;

use quietus_connectors::{
    FieldTreatment, Instruction, Predicate, Probe, SubjectAction, Treatment, TreatmentKind,
};

use super::category::CategoryReading;
use super::collection::{CategoryFields, CollectionPlan, CollectionReading, bare_instruction};
use super::finding::{Finding, FindingKind};
use super::person::{Belonging, PersonScope, StaysRestricted, is_among};
use super::probe::{ProbeName, StaysGround};
use super::steering::Steering;
use super::step::{Step, StepStatus};
use crate::domain::CategoryName;
use crate::schedule::Action;

/// A collection of a plan for persons.
pub(super) struct PersonCollection<'a> {
    pub(super) scope: &'a PersonScope,
    pub(super) reading: CollectionReading<'a>,
    pub(super) belonging: Belonging,
}

impl<'a> PersonCollection<'a> {
    /// The instruction, the steps and what is to be said. `later` holds for records that are of later
    /// than what was done for the persons.
    pub(super) fn plan(self, steering: &Steering, later: Predicate) -> CollectionPlan {
        let mut instruction = bare_instruction(self.reading.place, steering);
        let mut steps = Vec::new();
        let mut findings = self.findings();
        for category in &self.reading.categories {
            let fields = CategoryFields::of(category.category, self.reading.place, steering);
            if self.erases(category) {
                instruction.treatments.extend(self.treatments(category, &fields));
                findings.extend(fields.finding(category, self.reading.place));
            }
            steps.push(self.step(category, &fields));
        }
        self.decide(&mut instruction);
        let later = Predicate::all([self.belonging.records.clone(), later]);
        if later != Predicate::Never {
            let name = ProbeName::Later(self.reading.place.collection.name.to_string());
            instruction.probes.push(Probe { name: name.to_string(), predicate: later });
        }
        // Neither minimums nor holds, which may come and go between two counts, decide whose it is.
        // The deletion reads the same fields, so that no treatment may take them away.
        instruction.of_persons = Some(self.belonging.records.clone());
        let covers = self.reading.held_parts();
        CollectionPlan { instruction, steps, covers, findings }
    }

    fn decide(&self, instruction: &mut Instruction) {
        let kept = match self.scope.action {
            SubjectAction::Erase => self.reading.keep(),
            SubjectAction::Restrict | SubjectAction::Lift => self.reading.categories.is_empty(),
        };
        instruction.keep = kept;
        instruction.held = self.reading.held_in(kept);
        if kept {
            return;
        }
        let can_be_restricted = instruction.restriction.is_some();
        match self.scope.action {
            SubjectAction::Erase => {
                instruction.delete_when = self.delete_when();
                instruction.probes = self.probes();
                if can_be_restricted {
                    instruction.restrict_when = self.restrict_what_is_kept();
                }
            }
            SubjectAction::Restrict if can_be_restricted => {
                instruction.restrict_when = self.asked_records();
            }
            SubjectAction::Lift if can_be_restricted => {
                instruction.lift_when = self.lift_when();
                instruction.probes = self.stays_restricted();
            }
            SubjectAction::Restrict | SubjectAction::Lift => {}
        }
    }

    /// The persons' records, if one of their categories is asked for.
    fn asked_records(&self) -> Predicate {
        let asked = self.reading.categories.iter().any(|one| self.scope.asks_for(one.category));
        if asked { self.belonging.records.clone() } else { Predicate::Never }
    }

    /// The persons' records whose restriction ends: not those that rules restrict by now, nor those
    /// that an erasure has left for a minimum or a hold, nor those of another request.
    fn lift_when(&self) -> Predicate {
        if self.reading.categories.iter().any(|one| self.scope.stays_by_request(one.category)) {
            return Predicate::Never;
        }
        let mut parts = vec![self.asked_records(), self.reading.restrict_when().negate()];
        for one in &self.scope.stays_restricted {
            if let StaysRestricted::ByErasure(categories) = one
                && self.goes_under(categories.as_ref())
            {
                parts.push(self.kept_by_law().negate());
            }
        }
        Predicate::all(parts)
    }

    /// Counts of what stays restricted although it is asked for, each record under one ground.
    fn stays_restricted(&self) -> Vec<Probe> {
        let belongs = Predicate::all([self.asked_records(), self.reading.held().negate()]);
        let mut grounds: Vec<(StaysGround, Predicate)> = Vec::new();
        if self.reading.categories.iter().any(|one| self.scope.stays_by_request(one.category)) {
            grounds.push((StaysGround::Request, Predicate::Always));
        } else {
            let left_by_erasure = self.scope.stays_restricted.iter().any(|one| match one {
                StaysRestricted::ByErasure(categories) => self.goes_under(categories.as_ref()),
                StaysRestricted::ByRequest(_) => false,
            });
            if left_by_erasure {
                grounds.extend(self.grounds_of_law());
            }
            grounds.push((StaysGround::Rule, self.reading.restrict_when()));
        }
        let mut probes = Vec::new();
        let mut before = Predicate::Never;
        for (ground, keeps) in grounds {
            let predicate =
                Predicate::all([belongs.clone(), keeps.clone(), before.clone().negate()]);
            before = Predicate::any([before, keeps]);
            if predicate == Predicate::Never {
                continue;
            }
            let asked = self.reading.categories.iter().map(|one| one.category);
            for category in asked.filter(|one| self.scope.asks_for(one)) {
                let category = category.to_string();
                let name = ProbeName::StaysRestricted { category, ground: ground.clone() };
                probes.push(Probe { name: name.to_string(), predicate: predicate.clone() });
            }
        }
        probes
    }

    /// Each minimum, and then holds on a category, with the records that it keeps.
    fn grounds_of_law(&self) -> Vec<(StaysGround, Predicate)> {
        let categories = || self.reading.categories.iter();
        let minimums = categories().flat_map(|one| &one.minimums).map(|minimum| {
            let name = minimum.limit.name.to_string();
            (StaysGround::Minimum(name), minimum.over().negate())
        });
        let held = categories().map(|one| self.reading.category_held(one.category));
        minimums.chain([(StaysGround::Hold, Predicate::any(held))]).collect()
    }

    /// An erasure of these categories means the record as a whole.
    fn goes_under(&self, categories: Option<&BTreeSet<CategoryName>>) -> bool {
        let mut all = self.reading.categories.iter();
        all.all(|one| one.exempt.is_none() && is_among(categories, one.category))
    }

    /// Records of which a minimum or a hold keeps a category.
    fn kept_by_law(&self) -> Predicate {
        let kept = self.reading.categories.iter().flat_map(|one| {
            [one.minimums_over().negate(), self.reading.category_held(one.category)]
        });
        Predicate::any(kept)
    }

    /// The category is asked for and not exempt.
    fn erases(&self, category: &CategoryReading<'_>) -> bool {
        self.scope.action == SubjectAction::Erase
            && category.exempt.is_none()
            && self.scope.asks_for(category.category)
    }

    /// Every category is to go, so that the record is of no more use to anybody.
    fn erases_all(&self) -> bool {
        let mut categories = self.reading.categories.iter();
        !self.reading.categories.is_empty() && categories.all(|one| self.erases(one))
    }

    /// The record goes as a whole: every category may go and nothing holds one of them.
    fn delete_when(&self) -> Predicate {
        if !self.erases_all() {
            return Predicate::Never;
        }
        let mut parts = vec![self.belonging.records.clone()];
        for one in &self.reading.categories {
            parts.push(anonymised(one).negate());
            parts.push(one.minimums_over());
            parts.push(self.reading.category_held(one.category).negate());
        }
        Predicate::all(parts)
    }

    /// The record is of no more use and a minimum or a hold on a category keeps it. Records that
    /// are held as a whole are never touched.
    fn restrict_what_is_kept(&self) -> Predicate {
        if !self.erases_all() {
            return Predicate::Never;
        }
        Predicate::all([self.belonging.records.clone(), self.kept_by_law()])
    }

    fn treatments(
        &self,
        category: &CategoryReading<'a>,
        fields: &CategoryFields<'_>,
    ) -> Vec<Treatment> {
        let anonymised = anonymised(category);
        let kinds = [
            (TreatmentKind::Clear, anonymised.clone().negate()),
            (TreatmentKind::Anonymise, anonymised),
        ];
        let mut treatments = Vec::new();
        for (kind, records) in kinds {
            let due = Predicate::all([
                self.belonging.records.clone(),
                records,
                category.minimums_over(),
                self.reading.category_held(category.category).negate(),
            ]);
            let fields: Vec<FieldTreatment> = fields.treated(kind);
            if due != Predicate::Never && !fields.is_empty() {
                let category = category.category.to_string();
                treatments.push(Treatment { category, kind, due, fields });
            }
        }
        treatments
    }

    fn probes(&self) -> Vec<Probe> {
        let mut probes = Vec::new();
        let belongs = || self.belonging.records.clone();
        for one in self.reading.categories.iter().filter(|one| self.erases(one)) {
            let category = one.category.to_string();
            let mut add = |name: ProbeName, predicate: Predicate| {
                if predicate != Predicate::Never {
                    probes.push(Probe { name: name.to_string(), predicate });
                }
            };
            let due = Predicate::all([belongs(), one.minimums_over()]);
            let held = self.reading.category_held(one.category);
            add(ProbeName::Held(category.clone()), Predicate::all([due.clone(), held]));
            add(ProbeName::Due(category.clone()), due);
            for minimum in &one.minimums {
                let limit = minimum.limit.name.to_string();
                let keeps = Predicate::all([belongs(), minimum.over().negate()]);
                if self.reading.place.collection.restriction.is_some() {
                    let meanwhile = Predicate::all([
                        keeps.clone(),
                        self.restrict_what_is_kept(),
                        self.reading.held().negate(),
                    ]);
                    let limit = limit.clone();
                    add(ProbeName::Restricted { category: category.clone(), limit }, meanwhile);
                }
                add(ProbeName::Minimum { category: category.clone(), limit }, keeps);
            }
        }
        probes
    }

    fn step(&self, category: &CategoryReading<'a>, fields: &CategoryFields<'_>) -> Step {
        let erases = self.erases(category);
        let names = |fields: &[&crate::datamap::Field]| -> Vec<String> {
            fields.iter().filter(|_| erases).map(|field| field.name.clone()).collect()
        };
        Step {
            collection: self.reading.place.collection.name.clone(),
            category: category.category.clone(),
            rule: None,
            limits: category.cited_limits(),
            judged_at: None,
            start: Vec::new(),
            fields: names(&fields.treated),
            staying_fields: names(&fields.staying),
            status: self.status(category),
        }
    }

    fn status(&self, category: &CategoryReading<'_>) -> StepStatus {
        let holds = self.reading.whole_holds(category.category);
        let erase = self.scope.action == SubjectAction::Erase;
        if let Some(exemption) = category.exempt.filter(|_| erase) {
            StepStatus::Exempt { reason: exemption.reason.clone() }
        } else if !self.scope.asks_for(category.category) {
            StepStatus::NotAsked
        } else if let Some(why) = &self.belonging.not_covered {
            StepStatus::NotCovered { why: why.clone() }
        } else if !holds.is_empty() {
            StepStatus::Held { holds }
        } else if !erase && self.reading.place.collection.restriction.is_none() {
            StepStatus::NotCovered { why: self.cannot_be_restricted() }
        } else {
            StepStatus::Acting
        }
    }

    fn cannot_be_restricted(&self) -> String {
        let name = &self.reading.place.collection.name;
        format!("records of collection `{name}` cannot be restricted: map `restrict`")
    }

    fn findings(&self) -> Vec<Finding> {
        let name = &self.reading.place.collection.name;
        let asked = self.reading.categories.iter().filter(|one| self.scope.asks_for(one.category));
        let asked: Vec<&CategoryReading<'_>> = asked.collect();
        // What rules say of clocks plays no part; what limits and holds cannot read does.
        let limits: Vec<_> = asked
            .iter()
            .flat_map(|one| one.minimums.iter().chain(&one.maximums))
            .map(|one| &one.limit.name)
            .collect();
        let erase = self.scope.action == SubjectAction::Erase;
        let mut findings: Vec<Finding> = self.reading.findings.clone();
        findings.retain(|one| {
            let of_limit = erase && one.rule.as_ref().is_some_and(|rule| limits.contains(&rule));
            one.kind == FindingKind::HoldNotReadable
                || (of_limit && one.kind != FindingKind::Conflict)
        });
        let mut note = |kind, message: String| {
            findings.push(Finding {
                kind,
                collection: name.clone(),
                category: None,
                rule: None,
                message,
            });
        };
        if asked.is_empty() || (erase && self.reading.keep()) {
            return findings;
        }
        if let Some(why) = &self.belonging.not_covered {
            note(FindingKind::NotCovered, why.clone());
            return findings;
        }
        let minimum = asked.iter().any(|one| !one.minimums.is_empty() && one.exempt.is_none());
        if self.reading.place.collection.restriction.is_none() && (minimum || !erase) {
            note(FindingKind::NoRestriction, self.cannot_be_restricted());
        } else if self.reading.held() != Predicate::Never {
            note(
                FindingKind::HeldNotRestricted,
                format!(
                    "records of collection `{name}` that a legal hold covers are left as they are, also unrestricted: release the hold or restrict them by hand"
                ),
            );
        }
        findings
    }
}

/// Records of which a rule makes the category anonymous instead of clearing it.
fn anonymised(category: &CategoryReading<'_>) -> Predicate {
    let branches = category.branches.iter().filter(|one| one.rule.action == Action::Anonymise);
    Predicate::any(branches.filter_map(|one| one.records.as_ref().ok().cloned()))
}
