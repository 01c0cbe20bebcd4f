//! What the clocks, conditions and holds of a system's collections read.
//!
//! A field that they read must stay readable as long as a record depends on it. Were it cleared
//! with its category, a starting point would be lost, or a minimum whose condition reads it would
//! no longer speak for the record. So such a field goes with its record, and a parent that is read
//! through a link goes after its children.

use std::collections::BTreeSet;

use quietus_connectors::{FieldRef, LinkKind};

use super::category::rules_for;
use super::hold;
use super::input::PlanInput;
use super::person;
use super::reach::{Place, start_fields};
use super::translate;
use crate::datamap::System;
use crate::domain::CollectionName;
use crate::schedule::Condition;

/// What is read in one system.
#[derive(Default)]
pub(super) struct Steering {
    fields: BTreeSet<(CollectionName, String)>,
    links: BTreeSet<(CollectionName, String)>,
}

impl Steering {
    /// Looks at every collection of a system.
    pub(super) fn read(input: &PlanInput<'_>, system: &System) -> Self {
        let mut steering = Self::default();
        for place in Place::all(system) {
            for reference in rule_fields(input, place) {
                steering.follow(place, &reference);
            }
            for hold in input.holds {
                let alone = PlanInput { holds: std::slice::from_ref(hold), ..*input };
                let mut held = BTreeSet::new();
                hold::fields_read(&alone, place, &mut held);
                for reference in held {
                    steering.follow_links_of_hold(place, &reference, &alone);
                }
            }
        }
        if let Some(scope) = input.persons {
            for place in Place::all(system) {
                person::steer(scope, place, &mut steering);
            }
        }
        steering
    }

    /// Rules read this field, so it stays until its record goes.
    pub(super) fn reads_field(&self, collection: &CollectionName, field: &str) -> bool {
        self.fields.contains(&(collection.clone(), field.to_owned()))
    }

    /// The parent is read through this link, so it goes after its children.
    pub(super) fn needs_link(&self, collection: &CollectionName, link: &str) -> bool {
        self.links.contains(&(collection.clone(), link.to_owned()))
    }

    /// A field and the links on the way to it have to stay.
    pub(super) fn follow(&mut self, place: Place<'_>, reference: &FieldRef) {
        self.follow_links(place, reference);
        if let Some((owner, field)) = place.field(reference) {
            self.fields.insert((owner.collection.name.clone(), field.name.clone()));
        }
    }

    /// The links on the way to a field have to stay.
    pub(super) fn follow_links(&mut self, place: Place<'_>, reference: &FieldRef) {
        self.follow_links_unless(place, reference, &|_, _| false);
    }

    /// As [`Self::follow_links`] for the one hold of this input. A held record keeps its own parents
    /// by itself, so an association that the hold does not cover may go.
    fn follow_links_of_hold(
        &mut self,
        place: Place<'_>,
        reference: &FieldRef,
        alone: &PlanInput<'_>,
    ) {
        let loose = |here: Place<'_>, kind| {
            kind != LinkKind::Deep && hold::speaks_of(alone, here, reference)
        };
        self.follow_links_unless(place, reference, &loose);
    }

    /// As [`Self::follow_links`], but a shared record keeps only the last of its parents.
    pub(super) fn follow_shared(&mut self, place: Place<'_>, reference: &FieldRef) {
        let shared = |_: Place<'_>, kind| kind == LinkKind::Shared;
        self.follow_links_unless(place, reference, &shared);
    }

    fn follow_links_unless(
        &mut self,
        place: Place<'_>,
        reference: &FieldRef,
        loose: &dyn Fn(Place<'_>, LinkKind) -> bool,
    ) {
        let mut here = place;
        for name in &reference.via {
            let Some(parent) = here.parent(name) else { return };
            let mut named = here.collection.links.iter().filter(|link| link.name == *name);
            if !named.any(|link| loose(here, link.kind)) {
                self.links.insert((here.collection.name.clone(), name.clone()));
            }
            for link in here.collection.links.iter().filter(|link| link.name == *name) {
                for (own, theirs) in &link.fields {
                    self.fields.insert((here.collection.name.clone(), own.clone()));
                    self.fields.insert((parent.collection.name.clone(), theirs.clone()));
                }
            }
            here = parent;
        }
    }
}

/// Fields that rules, minimums and maximums read for records of a collection. Limits that are not
/// yet in force count too: they may come into force while the record stays.
pub(super) fn rule_fields(input: &PlanInput<'_>, place: Place<'_>) -> BTreeSet<FieldRef> {
    let today = input.zone.to_datetime(input.moment).date();
    let mut fields = BTreeSet::new();
    for category in place.collection.categories() {
        let rules = rules_for(input, place, category)
            .map(|rule| (&rule.when, rule.starting_point.as_str()));
        let limits = input.limits.iter().filter(|limit| {
            limit.category == *category && limit.valid_to.is_none_or(|to| today <= to)
        });
        let limits = limits.map(|limit| (&limit.when, limit.starting_point.as_str()));
        let read: Vec<(&Condition, &str)> = rules.chain(limits).collect();
        for (condition, start) in read {
            translate::fields_read(condition, place, &mut fields);
            fields.extend(place.start(start).map(start_fields).into_iter().flatten());
        }
    }
    fields
}
