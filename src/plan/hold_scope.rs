//! Which collections a hold speaks of, read against the data map.
//!
//! A name that the data map does not have restricts nothing: it was renamed since, here or in the
//! files that a case was planned with, and nobody can tell what it is called now. The hold then
//! covers more, never less.

use quietus_connectors::LinkKind;

use super::reach::Place;
use crate::datamap::{Collection, DataMap, System, ThirdParty};
use crate::domain::{CategoryName, CollectionName, HoldScope, LegalHold, SystemName};

/// A hold's scope with the names that the data map has.
pub(super) struct ReadScope<'h> {
    system: Option<&'h SystemName>,
    collection: Option<&'h CollectionName>,
    /// A collection that its system does not have: one of that name elsewhere may be the one.
    moved: Option<&'h CollectionName>,
    /// Only this category.
    pub(super) category: Option<&'h CategoryName>,
    /// Names that the data map does not have, in words.
    pub(super) lost: Vec<String>,
}

impl<'h> ReadScope<'h> {
    pub(super) fn read(map: &DataMap, scope: &'h HoldScope) -> Self {
        let mut read =
            Self { system: None, collection: None, moved: None, category: None, lost: Vec::new() };
        if let Some(system) = &scope.system {
            if map.systems.contains_key(system) {
                read.system = Some(system);
            } else {
                read.lost.push(format!("system `{system}`"));
            }
        }
        if let Some(collection) = &scope.collection {
            if read.collections(map).any(|(_, one)| one.name == *collection) {
                read.collection = Some(collection);
            } else {
                read.moved = Some(collection);
                read.lost.push(format!("collection `{collection}`"));
            }
        }
        if let Some(category) = &scope.category {
            let mapped = read.collections(map).any(|(_, one)| one.categories().contains(category));
            if mapped || read.third_parties(map).any(|(_, one)| one.categories.contains(category)) {
                read.category = Some(category);
            } else {
                read.lost.push(format!("category `{category}`"));
            }
        }
        read
    }

    /// Collections that the names read so far speak of.
    fn collections<'m>(
        &self,
        map: &'m DataMap,
    ) -> impl Iterator<Item = (&'m System, &'m Collection)> {
        let all = map.systems.values().flat_map(|system| {
            system.collections.values().map(move |collection| (system, collection))
        });
        all.filter(|(system, collection)| self.names(system, collection))
    }

    /// Third parties that the names read so far speak of. They have no collections: one that is
    /// named and is somewhere else is not theirs, and neither is a record of it.
    fn third_parties<'m>(
        &self,
        map: &'m DataMap,
    ) -> impl Iterator<Item = (&'m System, &'m ThirdParty)> {
        let all = map.systems.values();
        let all = all.filter_map(|system| Some((system, system.third_party.as_ref()?)));
        all.filter(|(system, _)| {
            self.collection.is_none() && self.system.is_none_or(|name| *name == system.name)
        })
    }

    /// Whether the hold speaks of what this third party holds.
    pub(super) fn covers_third_party(&self, map: &DataMap, system: &SystemName) -> bool {
        self.third_parties(map).any(|(one, party)| {
            one.name == *system
                && self.category.is_none_or(|category| party.categories.contains(category))
        })
    }

    fn names(&self, system: &System, collection: &Collection) -> bool {
        let here = self.system.is_none_or(|name| *name == system.name)
            && self.collection.is_none_or(|name| *name == collection.name);
        here || self.moved == Some(&collection.name)
    }

    /// Whether the hold speaks of this collection: something of it could go, if only the association
    /// of its records with others.
    pub(super) fn covers(&self, place: Place<'_>) -> bool {
        let categories = place.collection.categories();
        let loose = place.collection.links.iter().any(|link| link.kind != LinkKind::Deep);
        (!categories.is_empty() || loose)
            && self.names(place.system, place.collection)
            && self.category.is_none_or(|category| categories.contains(category))
    }
}

/// Whether a hold in force speaks of anything in a system.
pub fn concerns_system(map: &DataMap, hold: &LegalHold, system: &SystemName) -> bool {
    let scope = ReadScope::read(map, &hold.scope);
    let mapped = map.systems.get(system);
    hold.released_at.is_none()
        && (scope.covers_third_party(map, system)
            || mapped.is_some_and(|system| Place::all(system).any(|place| scope.covers(place))))
}
