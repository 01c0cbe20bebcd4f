//! Where a collection's words lead: fields of the record, of linked parents, and identities.

use quietus_connectors::{FieldRef, FieldType};

use crate::datamap::{Collection, Field, StartSource, System};
use crate::domain::CollectionName;

/// Links that a path may follow to find the identity of a person.
const MOST_IDENTITY_LINKS: usize = 3;

/// One collection in its system.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) system: &'a System,
    pub(super) collection: &'a Collection,
}

impl<'a> Place<'a> {
    /// Every collection of a system.
    pub(super) fn all(system: &'a System) -> impl Iterator<Item = Place<'a>> {
        system.collections.values().map(move |collection| Place { system, collection })
    }

    /// The collection to which a link leads.
    pub(super) fn parent(self, link: &str) -> Option<Place<'a>> {
        let link = self.collection.links.iter().find(|one| one.name == link)?;
        let name = CollectionName::parse(&link.to).ok()?;
        let collection = self.system.collections.get(&name)?;
        Some(Place { system: self.system, collection })
    }

    /// The field that a reference means.
    pub(super) fn field(self, reference: &FieldRef) -> Option<(Place<'a>, &'a Field)> {
        let mut place = self;
        for link in &reference.via {
            place = place.parent(link)?;
        }
        Some((place, place.collection.fields.get(&reference.field)?))
    }

    /// The type of the field that a reference means.
    pub(super) fn field_type(self, reference: &FieldRef) -> Option<FieldType> {
        self.field(reference).map(|(_, field)| field.field_type)
    }

    /// What the name of an attribute means here: what the collection declares, or else its own
    /// field of that name.
    pub(super) fn attribute(self, name: &str) -> Option<FieldRef> {
        if let Some(reference) = self.collection.attributes.get(name) {
            return Some(reference.clone());
        }
        self.collection.fields.contains_key(name).then(|| FieldRef::own(name))
    }

    /// Where a starting point is read.
    pub(super) fn start(self, name: &str) -> Option<&'a StartSource> {
        self.collection.starting_points.get(name)
    }

    /// Fields that identify a person by `identity`: of the record itself or of parents that up to
    /// three links lead to.
    pub(super) fn identities(self, identity: &str) -> Vec<(FieldRef, FieldType)> {
        let mut found = Vec::new();
        let mut level = vec![(Vec::new(), self)];
        for _ in 0..=MOST_IDENTITY_LINKS {
            let mut next = Vec::new();
            for (via, place) in level {
                for field in place.collection.fields.values() {
                    if field.identity.as_deref() == Some(identity) {
                        let reference = FieldRef { via: via.clone(), field: field.name.clone() };
                        found.push((reference, field.field_type));
                    }
                }
                for link in &place.collection.links {
                    if let Some(parent) = place.parent(&link.name) {
                        let mut path = via.clone();
                        path.push(link.name.clone());
                        next.push((path, parent));
                    }
                }
            }
            level = next;
        }
        found
    }
}

/// The fields that a starting point is read from.
pub(super) fn start_fields(source: &StartSource) -> Vec<FieldRef> {
    match source {
        StartSource::Field(field) | StartSource::Event { field, .. } => vec![field.clone()],
        StartSource::Latest(fields) => fields.clone(),
    }
}

/// The name under which `inspect` answers a field: `link.link.field`.
pub fn answer_name(reference: &FieldRef) -> String {
    let mut name = reference.via.join(".");
    if !name.is_empty() {
        name.push('.');
    }
    name.push_str(&reference.field);
    name
}
