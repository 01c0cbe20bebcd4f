//! Persons in a plan: whose records are meant, and how they are recognised.
//!
//! A record belongs to a person where a field of its own, or of a parent that `deep` links lead to,
//! has one of the person's identities. A record that has parents by `shared` links belongs to the
//! persons where each of these parents does: while somebody else shares it, it is kept for them, and
//! only the association goes with the person's own record. `shallow` links lead to nobody.
//!
//! A field that goes with its category cannot recognise a record for long: once it is cleared,
//! nobody could verify what was done, nor erase later what a minimum keeps. So an erasure reads
//! fields that stay, and the keys of the records that only a going field names. Where these keys
//! are not known, the going field is read and stays as long as its record.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use quietus_connectors::{FieldRef, FieldType, Link, LinkKind, Predicate, SubjectAction, Value};

use super::lists::{ListBook, ListSource};
use super::reach::Place;
use super::steering::Steering;
use crate::datamap::{Field, FieldClass};
use crate::domain::{CategoryName, CollectionName, SystemName};

/// Links that a path may follow from a record to the person.
const MOST_LINKS: usize = 3;

/// Links that the contract lets a field be read through.
const MOST_LINKS_READ: usize = 4;

/// Keys of records, by system and collection; each key in the order of the collection's key fields.
pub type RecordKeys = BTreeMap<(SystemName, CollectionName), BTreeSet<Vec<Value>>>;

/// Whom a plan is for and what is asked. What identifies them never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonScope {
    /// What is asked.
    pub action: SubjectAction,
    /// By identity type, every spelling that counts (`domain::candidates`). Without any, nothing
    /// acts.
    pub identities: BTreeMap<String, BTreeSet<String>>,
    /// They are one person: what belongs to them is that person's, and a hold that names the person
    /// covers all of it.
    pub of_one_person: bool,
    /// Only these categories; `None` is all.
    pub categories: Option<BTreeSet<CategoryName>>,
    /// Keys of the persons' records that no staying field names. A collection that was looked
    /// through has an entry, also an empty one; where there is none, fields that would go are read
    /// and stay.
    pub records: RecordKeys,
    /// Some system could not be asked yet what it knows: a system that nothing known leads to may
    /// still be reached, and is not left out.
    pub incomplete: bool,
    /// What keeps their records restricted beside the request whose restriction is lifted.
    pub stays_restricted: Vec<StaysRestricted>,
    /// Records with a starting point after this moment are counted by themselves: they are of later
    /// than what was done. `None` counts none.
    pub later_than: Option<Timestamp>,
}

/// What keeps records of the persons restricted when one of their requests is lifted; `None` stands
/// for all categories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StaysRestricted {
    /// An erasure of these categories has restricted what minimums and holds keep.
    ByErasure(Option<BTreeSet<CategoryName>>),
    /// Another request of the same persons restricts these categories.
    ByRequest(Option<BTreeSet<CategoryName>>),
}

/// Whether a category is among these, where `None` stands for all.
pub(super) fn is_among(categories: Option<&BTreeSet<CategoryName>>, one: &CategoryName) -> bool {
    categories.is_none_or(|categories| categories.contains(one))
}

impl fmt::Debug for PersonScope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let identities: BTreeMap<_, _> =
            self.identities.iter().map(|(kind, values)| (kind, values.len())).collect();
        formatter
            .debug_struct("PersonScope")
            .field("action", &self.action)
            .field("identities", &identities)
            .field("categories", &self.categories)
            .finish_non_exhaustive()
    }
}

impl PersonScope {
    /// Whether a category is asked for.
    pub(super) fn asks_for(&self, category: &CategoryName) -> bool {
        is_among(self.categories.as_ref(), category)
    }

    /// Whether another request of the persons keeps a category restricted.
    pub(super) fn stays_by_request(&self, category: &CategoryName) -> bool {
        self.stays_restricted.iter().any(|one| match one {
            StaysRestricted::ByRequest(categories) => is_among(categories.as_ref(), category),
            StaysRestricted::ByErasure(_) => false,
        })
    }

    /// Spellings of an identity type; none where the type is not known of anybody.
    fn spellings(&self, identity: &str) -> Option<&BTreeSet<String>> {
        self.identities.get(identity).filter(|values| !values.is_empty())
    }

    fn keys(&self, place: Place<'_>) -> Option<&BTreeSet<Vec<Value>>> {
        self.records.get(&(place.system.name.clone(), place.collection.name.clone()))
    }

    /// The collection's going fields are not read, because the keys of its records are known.
    fn spares_going_fields(&self, place: Place<'_>) -> bool {
        self.action == SubjectAction::Erase && self.keys(place).is_some()
    }
}

/// A field that identifies the person of a record.
pub(super) struct ReachField<'a> {
    /// From the record.
    pub(super) reference: FieldRef,
    pub(super) field: &'a Field,
    pub(super) identity: &'a str,
    /// Where the field itself is.
    pub(super) owner: Place<'a>,
}

/// The collection itself and every parent that `deep` links lead to, each with the way there.
pub(super) fn deep_places(place: Place<'_>) -> Vec<(Vec<String>, Place<'_>)> {
    let mut found = vec![(Vec::new(), place)];
    let mut level = found.clone();
    for _ in 0..MOST_LINKS {
        let mut next = Vec::new();
        for (via, here) in level {
            for link in here.collection.links.iter().filter(|link| link.kind == LinkKind::Deep) {
                if let Some(parent) = here.parent(&link.name) {
                    let path: Vec<String> = via.iter().chain([&link.name]).cloned().collect();
                    next.push((path, parent));
                }
            }
        }
        found.extend(next.iter().cloned());
        level = next;
    }
    found
}

/// A parent by a shared link, of the record itself or of a parent that `deep` links lead to.
struct SharedParent<'a> {
    /// Names of the deep links to the record that is shared.
    via: Vec<String>,
    link: &'a Link,
    parent: Place<'a>,
}

impl SharedParent<'_> {
    /// The way from the record to the parent.
    fn path(&self) -> Vec<String> {
        self.via.iter().chain([&self.link.name]).cloned().collect()
    }

    /// The parent meets a condition.
    fn meets(&self, condition: Predicate) -> Predicate {
        self.path()
            .into_iter()
            .rev()
            .fold(condition, |holds, link| Predicate::Linked { link, holds: Box::new(holds) })
    }
}

fn shared_parents(place: Place<'_>) -> Vec<SharedParent<'_>> {
    let mut found = Vec::new();
    for (via, here) in deep_places(place) {
        for link in here.collection.links.iter().filter(|link| link.kind == LinkKind::Shared) {
            if let Some(parent) = here.parent(&link.name) {
                found.push(SharedParent { via: via.clone(), link, parent });
            }
        }
    }
    found
}

/// Every field that identifies one of the persons who share a record here.
pub(super) fn shared_reach(place: Place<'_>) -> Vec<ReachField<'_>> {
    let mut found = Vec::new();
    for shared in shared_parents(place) {
        let path = shared.path();
        let within = |one: &ReachField<'_>| path.len() + one.reference.via.len() <= MOST_LINKS_READ;
        found.extend(
            reach(shared.parent)
                .into_iter()
                .filter(within)
                .map(|one| ReachField { reference: beyond(&path, &one.reference), ..one }),
        );
    }
    found
}

/// What is read of a parent, read from the record that the path begins at.
fn beyond(path: &[String], reference: &FieldRef) -> FieldRef {
    let via = path.iter().chain(&reference.via).cloned().collect();
    FieldRef { via, field: reference.field.clone() }
}

/// Every field that identifies the person of a record here.
pub(super) fn reach(place: Place<'_>) -> Vec<ReachField<'_>> {
    let mut found = Vec::new();
    for (via, owner) in deep_places(place) {
        for field in owner.collection.fields.values() {
            if let Some(identity) = field.identity.as_deref() {
                let reference = FieldRef { via: via.clone(), field: field.name.clone() };
                found.push(ReachField { reference, field, identity, owner });
            }
        }
    }
    found
}

/// The record stays recognisable by the field as long as it exists.
pub(super) fn stays(owner: Place<'_>, field: &Field, steering: &Steering) -> bool {
    !matches!(field.class, FieldClass::Category(_))
        || owner.collection.key.contains(&field.name)
        || steering.reads_field(&owner.collection.name, &field.name)
}

/// Fields that have to stay because nothing else recognises records, and links on the way.
pub(super) fn steer(scope: &PersonScope, place: Place<'_>, steering: &mut Steering) {
    for one in reach(place) {
        if scope.spellings(one.identity).is_none() {
            continue;
        }
        if scope.action != SubjectAction::Erase || stays(one.owner, one.field, steering) {
            steering.follow_links(place, &one.reference);
        } else if !scope.spares_going_fields(one.owner) {
            steering.follow(place, &one.reference);
        }
    }
    for (via, owner) in deep_places(place) {
        let keys = scope.keys(owner).is_some_and(|keys| !keys.is_empty());
        if let Some(key) = owner.collection.key.first().filter(|_| keys) {
            steering.follow_links(place, &FieldRef { via, field: key.clone() });
        }
    }
    // Which fields of the parents have to stay is said where the parents themselves are.
    for shared in shared_parents(place) {
        for (via, owner) in deep_places(shared.parent) {
            if let Some(key) = owner.collection.key.first() {
                let field = FieldRef { via, field: key.clone() };
                steering.follow_shared(place, &beyond(&shared.path(), &field));
            }
        }
    }
}

/// Records of one collection that belong to the persons.
pub(super) struct Belonging {
    pub(super) records: Predicate,
    /// Why nobody's records can be told here; `None` where they can.
    pub(super) not_covered: Option<String>,
}

/// "The record belongs to one of the persons."
pub(super) fn belonging(
    scope: &PersonScope,
    place: Place<'_>,
    steering: &Steering,
    lists: &mut ListBook,
) -> Belonging {
    let mut known = false;
    let mut parts = named(scope, (place, &[]), steering, lists, &mut known);
    parts.extend(shared(scope, place, steering, lists, &mut known));
    let fields = reach(place).into_iter().chain(shared_reach(place)).collect::<Vec<_>>();
    let not_covered = (!known && parts.is_empty()).then(|| uncovered(place, &fields));
    Belonging { records: Predicate::any(parts), not_covered }
}

/// Records of which every parent by a shared link is one of the persons'. What is left after the
/// last one but these is theirs alone.
fn shared(
    scope: &PersonScope,
    place: Place<'_>,
    steering: &Steering,
    lists: &mut ListBook,
    known: &mut bool,
) -> Vec<Predicate> {
    let mut by_record: BTreeMap<Vec<String>, (Vec<Predicate>, Vec<Predicate>)> = BTreeMap::new();
    for one in shared_parents(place) {
        let path = one.path();
        let theirs = Predicate::any(named(scope, (one.parent, &path), steering, lists, known));
        let own = Predicate::any(named(scope, (one.parent, &[]), steering, lists, known));
        let there = one.parent.collection.key.first();
        let there = there.map(|key| Predicate::Absent(FieldRef::own(key.as_str())).negate());
        let other = Predicate::all(there.into_iter().chain([own.negate()]));
        let (all_theirs, others) = by_record.entry(one.via.clone()).or_default();
        all_theirs.push(theirs);
        others.push(one.meets(other));
    }
    let of_record = |(theirs, others): (Vec<Predicate>, Vec<Predicate>)| {
        let nobody_elses = others.into_iter().map(Predicate::negate);
        Predicate::all(std::iter::once(Predicate::any(theirs)).chain(nobody_elses))
    };
    let parts = by_record.into_values().map(of_record);
    parts.filter(|part| *part != Predicate::Never).collect()
}

/// Conditions of which one holds for a record of a person, read from a record that `path` leads
/// from.
fn named(
    scope: &PersonScope,
    (place, path): (Place<'_>, &[String]),
    steering: &Steering,
    lists: &mut ListBook,
    known: &mut bool,
) -> Vec<Predicate> {
    let mut parts = Vec::new();
    let within = |via: &[String]| path.len() + via.len() <= MOST_LINKS_READ;
    for one in reach(place).iter().filter(|one| within(&one.reference.via)) {
        let Some(spellings) = scope.spellings(one.identity) else { continue };
        *known = true;
        if scope.spares_going_fields(one.owner) && !stays(one.owner, one.field, steering) {
            continue;
        }
        let field = (beyond(path, &one.reference), one.field.field_type);
        let entries = spellings.iter().filter_map(|value| fit_identity(value, field.1));
        let entries: BTreeSet<Vec<Value>> = entries.map(|value| vec![value]).collect();
        if !entries.is_empty() {
            let source = ListSource::Persons { identity: one.identity.to_owned() };
            parts.push(lists.listed(source, &[field], entries));
        }
    }
    for (via, owner) in deep_places(place).into_iter().filter(|(via, _)| within(via)) {
        let Some(keys) = scope.keys(owner).filter(|keys| !keys.is_empty()) else { continue };
        let fields: Vec<(FieldRef, FieldType)> = owner
            .collection
            .key
            .iter()
            .filter_map(|name| owner.collection.fields.get(name))
            .map(|field| {
                let reference = FieldRef { via: via.clone(), field: field.name.clone() };
                (beyond(path, &reference), field.field_type)
            })
            .collect();
        let whole = |key: &&Vec<Value>| key.len() == fields.len() && !key.contains(&Value::Null);
        let entries: BTreeSet<Vec<Value>> = keys.iter().filter(whole).cloned().collect();
        if fields.len() == owner.collection.key.len() && !entries.is_empty() {
            let source = ListSource::PersonRecords { collection: owner.collection.name.clone() };
            parts.push(lists.listed(source, &fields, entries));
        }
    }
    parts
}

/// Why nothing that is known of the persons leads to records of this collection.
fn uncovered(place: Place<'_>, fields: &[ReachField<'_>]) -> String {
    let name = &place.collection.name;
    let shallow = place.collection.links.iter().find(|link| link.kind == LinkKind::Shallow);
    if let Some(link) = shallow.filter(|_| fields.is_empty()) {
        return format!(
            "the records of collection `{name}` are nobody's: link `{}` is `shallow`, so only the association goes, with the record that it leads to",
            link.name
        );
    }
    let mut kinds: Vec<&str> = fields.iter().map(|one| one.identity).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.is_empty() {
        format!(
            "no known identity reaches collection `{name}`: mark the field that identifies the person, or link it with `deep` or `shared` to a collection that has one"
        )
    } else {
        format!(
            "no known identity reaches collection `{name}`: it is asked by `{}`, of which none is known",
            kinds.join("`, `")
        )
    }
}

/// The identity as a field of this type holds it; `None` where no record can hold it, so that a
/// number in another spelling or a word for a number never meets somebody else's.
pub(super) fn fit_identity(value: &str, field_type: FieldType) -> Option<Value> {
    match field_type {
        FieldType::Text | FieldType::Address => Some(Value::Text(value.to_owned())),
        FieldType::Integer => {
            let number: i64 = value.parse().ok()?;
            (number.to_string() == value).then_some(Value::Integer(number))
        }
        FieldType::Uuid => value.parse().ok().map(Value::Uuid),
        _ => None,
    }
}
