//! One collection of a plan: its instruction for the connector and its steps for the certificate.

use std::collections::BTreeSet;

use quietus_connectors::{
    FieldTreatment, Instruction, Link, LinkKind, MappedField, Predicate, Probe, Strategy,
    Treatment, TreatmentKind,
};
use uuid::Uuid;

use super::category::{Branch, CategoryReading, LimitReading};
use super::finding::{Finding, FindingKind};
use super::hold::{self, Cover};
use super::input::PlanInput;
use super::lists::ListBook;
use super::pause;
use super::probe;
use super::reach::Place;
use super::steering::Steering;
use super::step::{HeldPart, LimitCitation, RuleCitation, Step, StepStatus};
use crate::datamap::{Field, FieldClass, Manifest};
use crate::domain::CategoryName;
use crate::schedule::Action;

/// What a plan says of one collection.
pub(super) struct CollectionPlan {
    pub(super) instruction: Instruction,
    pub(super) steps: Vec<Step>,
    pub(super) covers: Vec<HeldPart>,
    pub(super) findings: Vec<Finding>,
}

/// Everything that was read of a collection.
pub(super) struct CollectionReading<'a> {
    pub(super) place: Place<'a>,
    pub(super) categories: Vec<CategoryReading<'a>>,
    pub(super) covers: Vec<Cover>,
    pub(super) findings: Vec<Finding>,
}

impl<'a> CollectionReading<'a> {
    /// Reads rules, limits and holds for a collection.
    pub(super) fn read(input: &PlanInput<'a>, place: Place<'a>, lists: &mut ListBook) -> Self {
        let categories: Vec<_> = place
            .collection
            .categories()
            .into_iter()
            .map(|category| CategoryReading::read(input, place, category, lists))
            .collect();
        let (covers, mut findings) = hold::covers(input, place, lists);
        findings.extend(pause::findings(input, place));
        findings.extend(categories.iter().flat_map(|one| one.findings.iter().cloned()));
        Self { place, categories, covers, findings }
    }

    /// Nothing is ever done to the collection: it has no category, or only exempt ones.
    pub(super) fn keep(&self) -> bool {
        self.categories.iter().all(|category| category.exempt.is_some())
    }

    /// Records that holds cover as a whole.
    pub(super) fn held(&self) -> Predicate {
        let whole = self.covers.iter().filter(|cover| cover.category.is_none());
        Predicate::any(whole.map(|cover| cover.records.clone()))
    }

    /// Records that the order has to know as held: those of a collection that is kept as a whole
    /// only where a link could lose its parent.
    pub(super) fn held_in(&self, keep: bool) -> Predicate {
        let loose = self.place.collection.links.iter().any(|link| link.kind != LinkKind::Deep);
        if keep && !loose { Predicate::Never } else { self.held() }
    }

    /// Records of which holds cover this category alone.
    pub(super) fn category_held(&self, category: &CategoryName) -> Predicate {
        let covers = self.covers.iter().filter(|cover| cover.category.as_ref() == Some(category));
        Predicate::any(covers.map(|cover| cover.records.clone()))
    }

    /// Records that go as a whole: every category is due by a rule that erases, one of these rules
    /// acts, and no category is held.
    pub(super) fn delete_when(&self) -> Predicate {
        if self.categories.is_empty() {
            return Predicate::Never;
        }
        let erases = |branch: &Branch<'_>| branch.rule.action == Action::Erase;
        let mut parts: Vec<Predicate> = self.categories.iter().map(|one| one.due(erases)).collect();
        parts.push(self.somebody_acts(erases));
        parts.extend(self.categories.iter().map(|one| self.category_held(one.category).negate()));
        Predicate::all(parts)
    }

    /// One of the branches by which the purpose is over belongs to an acting rule.
    fn somebody_acts(&self, chosen: impl Fn(&Branch<'_>) -> bool + Copy) -> Predicate {
        let all_act = |one: &CategoryReading<'_>| {
            one.branches.iter().filter(|branch| chosen(branch)).all(|b| b.acting || b.paused)
        };
        if self.categories.iter().any(all_act) {
            return Predicate::Always;
        }
        let acting = |branch: &Branch<'_>| branch.acting && chosen(branch);
        Predicate::any(self.categories.iter().map(|one| one.purpose_over(acting)))
    }

    /// Records that are restricted: every purpose is over and a minimum keeps at least one
    /// category, or a rule says so.
    pub(super) fn restrict_when(&self) -> Predicate {
        if self.place.collection.restriction.is_none() || self.categories.is_empty() {
            return Predicate::Never;
        }
        let any = |_: &Branch<'_>| true;
        let over = self.categories.iter().map(|one| one.purpose_over(any));
        let kept = self.categories.iter().map(CategoryReading::kept_by_minimum);
        let by_minimum =
            Predicate::all(over.chain([Predicate::any(kept), self.somebody_acts(any)]));
        let restricts =
            |branch: &Branch<'_>| branch.acting && branch.rule.action == Action::Restrict;
        let by_rule = self.categories.iter().map(|one| one.purpose_over(restricts));
        Predicate::any(std::iter::once(by_minimum).chain(by_rule))
    }

    /// What holds cover here, as the certificate names it.
    pub(super) fn held_parts(&self) -> Vec<HeldPart> {
        let covers = self.covers.iter().map(|cover| HeldPart {
            collection: self.place.collection.name.clone(),
            category: cover.category.clone(),
            holds: cover.holds.clone(),
        });
        covers.collect()
    }

    /// The instruction and the steps.
    pub(super) fn plan(self, steering: &Steering) -> CollectionPlan {
        let keep = self.keep();
        let mut findings = self.findings.clone();
        let mut treatments = Vec::new();
        let mut steps = Vec::new();
        for category in &self.categories {
            let fields = CategoryFields::of(category.category, self.place, steering);
            if !keep {
                findings.extend(fields.finding(category, self.place));
                findings.extend(no_restriction(category, self.place));
                treatments.extend(self.treatments(category, &fields));
            }
            steps.extend(self.steps(category, &fields));
        }
        let instruction = Instruction {
            treatments,
            delete_when: if keep { Predicate::Never } else { self.delete_when() },
            restrict_when: if keep { Predicate::Never } else { self.restrict_when() },
            held: self.held_in(keep),
            // Only of what a schedule deletes: what a person's request deletes is that person's.
            manifest: !keep && self.place.collection.manifest == Manifest::Records,
            probes: if keep { Vec::<Probe>::new() } else { probe::probes(&self) },
            keep,
            // A restriction may also stand for a person's objection, which no rule can see, so a
            // plan lifts none.
            ..bare_instruction(self.place, steering)
        };
        let covers = self.held_parts();
        CollectionPlan { instruction, steps, covers, findings }
    }

    fn treatments(
        &self,
        category: &CategoryReading<'a>,
        fields: &CategoryFields<'_>,
    ) -> Vec<Treatment> {
        let kinds =
            [(Action::Erase, TreatmentKind::Clear), (Action::Anonymise, TreatmentKind::Anonymise)];
        let mut treatments = Vec::new();
        for (action, kind) in kinds {
            let due = category.due(|branch| branch.acting && branch.rule.action == action);
            let due = Predicate::all([due, self.category_held(category.category).negate()]);
            let speaks = category.branches.iter().any(|branch| branch.rule.action == action);
            let fields = fields.treated(kind);
            if speaks && due != Predicate::Never && !fields.is_empty() {
                treatments.push(Treatment {
                    category: category.category.to_string(),
                    kind,
                    due,
                    fields,
                });
            }
        }
        treatments
    }

    fn steps(&self, category: &CategoryReading<'a>, fields: &CategoryFields<'_>) -> Vec<Step> {
        let step = |branch: Option<&Branch<'a>>, status| Step {
            collection: self.place.collection.name.clone(),
            category: category.category.clone(),
            rule: branch.map(|branch| cite_rule(branch.rule)),
            limits: category.cited_limits(),
            judged_at: branch.and_then(|branch| branch.judged_at),
            start: branch.map(|branch| branch.cutoffs.clone()).unwrap_or_default(),
            fields: fields.treated.iter().map(|field| field.name.clone()).collect(),
            staying_fields: fields.staying.iter().map(|field| field.name.clone()).collect(),
            status,
        };
        if let Some(exemption) = category.exempt {
            return vec![step(None, StepStatus::Exempt { reason: exemption.reason.clone() })];
        }
        if category.branches.is_empty() {
            return vec![step(None, StepStatus::NoRule)];
        }
        let branches = category.branches.iter();
        branches.map(|branch| step(Some(branch), self.status(category.category, branch))).collect()
    }

    fn status(&self, category: &CategoryName, branch: &Branch<'_>) -> StepStatus {
        let holds = self.whole_holds(category);
        let unreadable = branch.records.as_ref().err().or(branch.start.as_ref().err());
        if let Some(why) = unreadable {
            StepStatus::NotReadable { why: why.clone() }
        } else if branch.paused {
            StepStatus::Paused
        } else if !holds.is_empty() {
            StepStatus::Held { holds }
        } else if !branch.acting {
            StepStatus::WaitingForSchedule
        } else if branch.judged_at.is_none() {
            StepStatus::InGrace
        } else {
            StepStatus::Acting
        }
    }

    /// Holds that cover every record, as a whole or in this category.
    pub(super) fn whole_holds(&self, category: &CategoryName) -> Vec<Uuid> {
        let covers = self.covers.iter().filter(|cover| {
            cover.records == Predicate::Always
                && cover.category.as_ref().is_none_or(|one| one == category)
        });
        covers
            .flat_map(|cover| cover.holds.iter().copied())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }
}

/// The fields of one category: what a treatment touches and what stays until the record goes.
pub(super) struct CategoryFields<'a> {
    pub(super) treated: Vec<&'a Field>,
    pub(super) staying: Vec<&'a Field>,
}

impl<'a> CategoryFields<'a> {
    pub(super) fn of(category: &CategoryName, place: Place<'a>, steering: &Steering) -> Self {
        let fields =
            place.collection.fields.values().filter(
                |field| matches!(&field.class, FieldClass::Category(own) if own == category),
            );
        let (staying, treated) = fields.partition(|field| {
            place.collection.key.contains(&field.name)
                || steering.reads_field(&place.collection.name, &field.name)
        });
        Self { treated, staying }
    }

    pub(super) fn treated(&self, kind: TreatmentKind) -> Vec<FieldTreatment> {
        let strategy = |field: &Field| match (kind, &field.anonymise) {
            (TreatmentKind::Anonymise, Some(strategy)) => strategy.clone(),
            _ => field.clear.clone(),
        };
        self.treated
            .iter()
            .map(|field| FieldTreatment { field: field.name.clone(), strategy: strategy(field) })
            .collect()
    }

    pub(super) fn finding(
        &self,
        category: &CategoryReading<'_>,
        place: Place<'_>,
    ) -> Option<Finding> {
        let key = &place.collection.key;
        let steering: Vec<&str> = self
            .staying
            .iter()
            .filter(|field| !key.contains(&field.name))
            .map(|field| field.name.as_str())
            .collect();
        if steering.is_empty() || category.exempt.is_some() {
            return None;
        }
        Some(Finding {
            kind: FindingKind::FieldSteers,
            collection: place.collection.name.clone(),
            category: Some(category.category.clone()),
            rule: None,
            message: format!(
                "`{}` of category `{}` in collection `{}` stays until its record goes, because rules or links read it: give it an exemption with a reason, or let rules read another field",
                steering.join("`, `"),
                category.category,
                place.collection.name
            ),
        })
    }
}

fn no_restriction(category: &CategoryReading<'_>, place: Place<'_>) -> Option<Finding> {
    let disposed = category.branches.iter().any(|one| one.rule.action != Action::Restrict);
    let minimum = category.minimums.first().filter(|_| disposed && category.exempt.is_none())?;
    if place.collection.restriction.is_some() {
        return None;
    }
    Some(Finding {
        kind: FindingKind::NoRestriction,
        collection: place.collection.name.clone(),
        category: Some(category.category.clone()),
        rule: Some(minimum.limit.name.clone()),
        message: format!(
            "what `{}` ({}) keeps in collection `{}` cannot be restricted meanwhile: map a `restriction`",
            minimum.limit.name, minimum.limit.citation, place.collection.name
        ),
    })
}

/// An instruction that does nothing to its collection.
pub(super) fn bare_instruction(place: Place<'_>, steering: &Steering) -> Instruction {
    let collection = place.collection;
    Instruction {
        collection: collection.name.to_string(),
        source: collection.source.clone(),
        key: collection.key.clone(),
        fields: collection.fields.values().map(mapped).collect(),
        links: links(place, steering),
        treatments: Vec::new(),
        delete_when: Predicate::Never,
        restrict_when: Predicate::Never,
        lift_when: Predicate::Never,
        restriction: collection.restriction.clone(),
        held: Predicate::Never,
        partitions: collection.partitions,
        manifest: false,
        of_persons: None,
        probes: Vec::new(),
        keep: true,
    }
}

fn mapped(field: &Field) -> MappedField {
    MappedField {
        name: field.name.clone(),
        field_type: field.field_type,
        stored: field.stored,
        zone: field.zone.clone(),
        ignores_case: field.ignores_case,
    }
}

/// Links to collections of the order; the contract knows no other.
fn links(place: Place<'_>, steering: &Steering) -> Vec<Link> {
    let own = &place.collection.name;
    let known = place.collection.links.iter().filter(|link| place.parent(&link.name).is_some());
    let links = known.cloned();
    let link = |link: Link| Link {
        needed: steering.needs_link(own, &link.name),
        clear: substitutes(place, &link),
        ..link
    };
    links.map(link).collect()
}

/// What takes the place of a link's fields when only the association goes, where it is not null.
fn substitutes(place: Place<'_>, link: &Link) -> Vec<FieldTreatment> {
    if link.kind == LinkKind::Deep {
        return Vec::new();
    }
    let own = link.fields.iter().filter_map(|pair| place.collection.fields.get(&pair.0));
    let declared = own.filter(|field| field.clear != Strategy::Null);
    declared
        .map(|field| FieldTreatment { field: field.name.clone(), strategy: field.clear.clone() })
        .collect()
}

impl CategoryReading<'_> {
    /// Minimums and maximums that speak of the category, as certificates cite them.
    pub(super) fn cited_limits(&self) -> Vec<LimitCitation> {
        self.minimums.iter().chain(&self.maximums).map(cite_limit).collect()
    }
}

fn cite_rule(rule: &crate::schedule::RetentionRule) -> RuleCitation {
    RuleCitation {
        name: rule.name.clone(),
        version: rule.version.clone(),
        digest: rule.digest,
        action: rule.action,
        starting_point: rule.starting_point.clone(),
        period: rule.period,
        rounding: rule.rounding,
        basis: rule.basis.clone(),
    }
}

fn cite_limit(reading: &LimitReading<'_>) -> LimitCitation {
    let limit = reading.limit;
    LimitCitation {
        name: limit.name.clone(),
        version: limit.version.clone(),
        kind: limit.kind,
        jurisdiction: limit.jurisdiction.clone(),
        citation: limit.citation.clone(),
        starting_point: limit.starting_point.clone(),
        period: limit.period,
        rounding: limit.rounding,
        start: reading.cutoffs.clone(),
    }
}
