//! Legal holds as predicates: which records of a collection must not be touched.
//!
//! Where a hold cannot tell the records of a collection apart, it covers all of them: nothing is
//! deleted that might be held. Values that holds name travel in lists, never in predicates, so
//! that a stored plan does not know them.
//!
//! A hold names a person by one identity. A plan for that person knows them by all of theirs, so
//! there it covers whatever is theirs; a plan of a schedule knows only the one.

use std::collections::{BTreeMap, BTreeSet};

use quietus_connectors::{FieldRef, FieldType, Predicate, SubjectAction, Value};
use uuid::Uuid;

use super::finding::{Finding, FindingKind};
use super::hold_scope::ReadScope;
use super::input::PlanInput;
use super::lists::{ListBook, ListSource, fit};
use super::named_person::{NamedPerson, Naming};
use super::person::PersonScope;
use super::reach::Place;
use crate::datamap::{DataMap, FieldClass};
use crate::domain::{CategoryName, IdentityTypes, LegalHold, SystemName};

/// Records of a collection that some holds cover.
pub(super) struct Cover {
    /// Only this category of them; `None` is the record as a whole.
    pub(super) category: Option<CategoryName>,
    pub(super) holds: Vec<Uuid>,
    pub(super) records: Predicate,
}

/// Holds that keep what a third party has of persons. It can only be asked for a person as a whole,
/// so a hold on one category of theirs keeps all of it. Of a person whom the hold names, everything
/// that is known counts, whatever this third party is asked by; who is known by nothing of that type
/// once every system was asked is somebody else.
pub fn third_party_holds(
    (map, types): (&DataMap, &IdentityTypes),
    holds: &[LegalHold],
    system: &SystemName,
    persons: &PersonScope,
) -> Vec<Uuid> {
    let may_name = |hold: &LegalHold| match Naming::read((map, types), hold, persons) {
        Naming::Named | Naming::NotKnownYet => true,
        Naming::SomebodyElse => false,
    };
    let covers = |hold: &&LegalHold| {
        hold.released_at.is_none()
            && ReadScope::read(map, &hold.scope).covers_third_party(map, system)
            && (hold.scope.subject.is_none() || may_name(hold))
    };
    holds.iter().filter(covers).map(|hold| hold.id).collect()
}

/// Whether a hold in force that reaches this system may name a person of this scope, although nothing
/// is known of them by which it names somebody: not everybody could be asked yet.
pub fn may_be_named(input: &PlanInput<'_>, system: &SystemName, persons: &PersonScope) -> bool {
    let with = (input.map, input.identities);
    input.holds.iter().filter(|hold| hold.released_at.is_none()).any(|hold| {
        hold.scope.record.is_none()
            && hold.scope.system.as_ref().is_none_or(|name| name == system)
            && matches!(Naming::read(with, hold, persons), Naming::NotKnownYet)
    })
}

/// Whether a hold names the one person whom the plan erases. Among several nobody could tell whose
/// a record is.
fn names_its_person(input: &PlanInput<'_>, hold: &LegalHold) -> bool {
    let persons = input.persons.filter(|scope| scope.of_one_person && hold.scope.record.is_none());
    // A hold keeps from erasing, and neither from restricting nor from lifting.
    let erased = persons.filter(|scope| scope.action == SubjectAction::Erase);
    erased.is_some_and(|scope| {
        matches!(Naming::read((input.map, input.identities), hold, scope), Naming::Named)
    })
}

/// What tells the records of a hold apart.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Everything,
    Record(Vec<String>),
    Subject(String),
}

/// One hold and the values that it names.
type Member = (Uuid, Vec<Value>);

/// What holds cover in a collection, whole collections first, and what is to be said of it.
pub(super) fn covers(
    input: &PlanInput<'_>,
    place: Place<'_>,
    lists: &mut ListBook,
) -> (Vec<Cover>, Vec<Finding>) {
    let mut findings = Vec::new();
    let mut groups: BTreeMap<(Option<CategoryName>, Mark), Vec<Member>> = BTreeMap::new();
    for hold in input.holds.iter().filter(|hold| hold.released_at.is_none()) {
        let scope = ReadScope::read(input.map, &hold.scope);
        if !scope.covers(place) {
            if let Some((identity, value)) = named_for_others(hold, &scope, place) {
                let group = groups.entry((None, Mark::Subject(identity.clone()))).or_default();
                group.push((hold.id, vec![value.clone()]));
            }
            continue;
        }
        findings.extend(renamed(hold, &scope, place));
        let is_theirs = names_its_person(input, hold);
        let (mut mark, mut values) = match read_mark(input, hold, place) {
            Ok(read) => read,
            Err(why) => {
                findings.extend((!is_theirs).then(|| unreadable(hold, place, &why)));
                (Mark::Everything, Vec::new())
            }
        };
        let category = scope.category.filter(|held| !loses_name(place, &mark, held)).cloned();
        // Nothing here goes but what belongs to the person, by whatever they are known.
        if is_theirs {
            (mark, values) = (Mark::Everything, Vec::new());
        }
        let group = groups.entry((category, mark)).or_default();
        group.push((hold.id, values));
    }
    let covers = groups.into_iter().map(|((category, mark), mut members)| {
        members.sort();
        let holds: Vec<Uuid> = members.iter().map(|(id, _)| *id).collect();
        let values: Vec<Vec<Value>> = members.into_iter().map(|(_, values)| values).collect();
        let records = match mark {
            Mark::Everything => Predicate::Always,
            Mark::Record(fields) => records_listed(place, &fields, values, &holds, lists),
            Mark::Subject(identity) => {
                let named = values.iter().flatten();
                let persons = named
                    .map(|named| NamedPerson::read(input.map, input.identities, &identity, named));
                subjects_listed(place, &identity, &persons.collect::<Vec<_>>(), &holds, lists)
            }
        };
        Cover { category, holds, records }
    });
    (covers.collect(), findings)
}

/// Whether the person whom a hold on one category names is known here by a field of another
/// category: were that one cleared, nobody could tell whom the hold names, so the whole record of
/// that person stays.
fn loses_name(place: Place<'_>, mark: &Mark, held: &CategoryName) -> bool {
    let Mark::Subject(identity) = mark else { return false };
    place.collection.fields.values().any(|field| {
        let of_another = match &field.class {
            FieldClass::Category(category) => category != held,
            FieldClass::Exempt(_) | FieldClass::Structure => false,
        };
        of_another && field.identity.as_ref() == Some(identity)
    })
}

/// The person whom a hold names, where the hold does not speak of this collection but tells its
/// own records apart by an identity that is kept here, in a field of some category: were that one
/// cleared, nobody could tell any more which records the hold covers. So the whole record of that
/// person stays here too.
fn named_for_others<'h>(
    hold: &'h LegalHold,
    scope: &ReadScope<'_>,
    place: Place<'_>,
) -> Option<(&'h String, &'h Value)> {
    let (identity, value) = hold.scope.subject.as_ref().filter(|_| hold.scope.record.is_none())?;
    let reads_here = |other: Place<'_>| {
        other.identities(identity).iter().any(|(reference, _)| {
            other.field(reference).is_some_and(|(owner, field)| {
                owner.collection.name == place.collection.name
                    && matches!(field.class, FieldClass::Category(_))
            })
        })
    };
    let others = || Place::all(place.system).filter(|other| scope.covers(*other));
    others().any(reads_here).then_some((identity, value))
}

/// Fields that tell held records apart here: `explain` has to read them.
pub(super) fn fields_read(input: &PlanInput<'_>, place: Place<'_>, into: &mut BTreeSet<FieldRef>) {
    for hold in input.holds.iter().filter(|hold| hold.released_at.is_none()) {
        let scope = ReadScope::read(input.map, &hold.scope);
        if !scope.covers(place) && named_for_others(hold, &scope, place).is_none() {
            continue;
        }
        match read_mark(input, hold, place) {
            Ok((Mark::Record(fields), _)) => into.extend(fields.into_iter().map(FieldRef::own)),
            Ok((Mark::Subject(identity), _)) => {
                into.extend(place.identities(&identity).into_iter().map(|(field, _)| field));
            }
            Ok((Mark::Everything, _)) | Err(_) => {}
        }
    }
}

/// Some hold covers records of this collection as a whole, told apart by the field that
/// `reference` leads to from somewhere else.
pub(super) fn speaks_of(input: &PlanInput<'_>, place: Place<'_>, reference: &FieldRef) -> bool {
    input.holds.iter().filter(|hold| hold.released_at.is_none()).any(|hold| {
        let scope = ReadScope::read(input.map, &hold.scope);
        let told_apart = match read_mark(input, hold, place) {
            Ok((Mark::Subject(identity), _)) => place
                .identities(&identity)
                .iter()
                .any(|(own, _)| own.field == reference.field && reference.via.ends_with(&own.via)),
            Ok((Mark::Everything, _)) => true,
            Ok((Mark::Record(_), _)) | Err(_) => false,
        };
        scope.covers(place) && scope.category.is_none() && told_apart
    })
}

/// What tells the held records apart, with the values. A hold on a record of a person is read as
/// one on the record, which covers at least as much.
fn read_mark(
    input: &PlanInput<'_>,
    hold: &LegalHold,
    place: Place<'_>,
) -> Result<(Mark, Vec<Value>), String> {
    if let Some(record) = &hold.scope.record {
        let mut values = Vec::new();
        for (name, value) in record {
            let field = place.collection.fields.get(name);
            let field = field.ok_or_else(|| format!("it has no field `{name}`"))?;
            let value = fit(value, field.field_type);
            values.push(value.ok_or_else(|| format!("the value does not fit field `{name}`"))?);
        }
        if values.is_empty() {
            return Err("the hold names a record without a key".to_owned());
        }
        return Ok((Mark::Record(record.keys().cloned().collect()), values));
    }
    let Some((identity, value)) = &hold.scope.subject else {
        return Ok((Mark::Everything, Vec::new()));
    };
    let fields = place.identities(identity);
    if fields.is_empty() {
        return Err(format!("no field of identity type `{identity}` can be reached from it"));
    }
    // Every value can be written, so only fields of other types have to be looked at closely.
    let mut typed = fields.iter().map(|(_, field_type)| *field_type).filter(|one| !is_text(*one));
    let person = || NamedPerson::read(input.map, input.identities, identity, value);
    if typed.any(|field_type| person().values(field_type).is_empty()) {
        return Err(format!("the value does not fit its field of identity type `{identity}`"));
    }
    Ok((Mark::Subject(identity.clone()), vec![value.clone()]))
}

fn is_text(field_type: FieldType) -> bool {
    matches!(field_type, FieldType::Text | FieldType::Address)
}

fn records_listed(
    place: Place<'_>,
    names: &[String],
    values: Vec<Vec<Value>>,
    holds: &[Uuid],
    lists: &mut ListBook,
) -> Predicate {
    let fields: Vec<(FieldRef, FieldType)> = names
        .iter()
        .filter_map(|name| place.collection.fields.get(name))
        .map(|field| (FieldRef::own(field.name.clone()), field.field_type))
        .collect();
    let source = ListSource::HeldRecords { holds: holds.to_vec() };
    lists.listed(source, &fields, values.into_iter().collect())
}

fn subjects_listed(
    place: Place<'_>,
    identity: &str,
    persons: &[NamedPerson],
    holds: &[Uuid],
    lists: &mut ListBook,
) -> Predicate {
    let source = ListSource::HeldSubjects { identity: identity.to_owned(), holds: holds.to_vec() };
    Predicate::any(place.identities(identity).into_iter().map(|field| {
        let entries = persons.iter().flat_map(|person| person.values(field.1));
        let entries = entries.map(|value| vec![value]).collect();
        lists.listed(source.clone(), &[field], entries)
    }))
}

fn unreadable(hold: &LegalHold, place: Place<'_>, why: &str) -> Finding {
    Finding {
        kind: FindingKind::HoldNotReadable,
        collection: place.collection.name.clone(),
        category: hold.scope.category.clone(),
        rule: None,
        message: format!(
            "hold `{}` cannot be told apart in collection `{}`, because {why}; all of it is left alone: narrow the hold or map the identity",
            hold.id, place.collection.name
        ),
    }
}

/// A hold whose names the data map does not have covers more than it says.
fn renamed(hold: &LegalHold, scope: &ReadScope<'_>, place: Place<'_>) -> Option<Finding> {
    (!scope.lost.is_empty()).then(|| Finding {
        kind: FindingKind::HoldNotReadable,
        collection: place.collection.name.clone(),
        category: None,
        rule: None,
        message: format!(
            "hold `{}` names {}, which the data map does not have: it covers whatever might be meant, collection `{}` too: place it again under the present names and release this one",
            hold.id,
            scope.lost.join(" and "),
            place.collection.name
        ),
    })
}
