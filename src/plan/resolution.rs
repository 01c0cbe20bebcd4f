//! From what a person gave to all that is held: which collections are asked, and what the answers
//! teach, to a fixed point.
//!
//! Pure and deterministic: the caller asks the systems. The same persons and the same answers teach
//! the same, in whatever order systems answer. What is learned only ever grows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use quietus_connectors::{
    Answer, FieldRef, Identity, Order, Question, Record, Subject, SubjectAction, Value,
};

use super::collection::bare_instruction;
use super::explain::minimum_fields;
use super::input::PlanInput;
use super::kept_until::{KeptUntil, kept_until};
use super::law::in_force;
use super::lists::ListBook;
use super::person::{
    PersonScope, ReachField, RecordKeys, belonging, fit_identity, reach, shared_reach, stays,
};
use super::reach::{Place, answer_name};
use super::steering::Steering;
use super::system_plan::PlanError;
use crate::datamap::Field;
use crate::domain::{
    CategoryName, CollectionName, IdentityError, IdentityType, IdentityTypes, SystemName,
    candidates, normalise,
};
use crate::schedule::LimitKind;

/// Records that one question reads at most.
const MOST_RECORDS: u32 = 100_000;

/// One person and everything they are known by. What identifies them never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// A name for the person that means nothing elsewhere, such as `p1`.
    pub reference: String,
    /// Identities, each with every spelling that counts.
    known: BTreeMap<Identity, BTreeSet<String>>,
}

impl fmt::Debug for Person {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<{}: {} identities>", self.reference, self.known.len())
    }
}

impl Person {
    /// A person of whom nothing is known yet.
    pub fn new(reference: impl Into<String>) -> Self {
        Self { reference: reference.into(), known: BTreeMap::new() }
    }

    /// Adds what the person is known by, as it was written; whether it was news.
    ///
    /// # Errors
    /// Where the value identifies nobody.
    pub fn add(&mut self, of: &IdentityType, raw: &str) -> Result<bool, IdentityError> {
        let identity = normalise(of, raw)?;
        let spellings = candidates(of, &identity.value, Some(raw));
        let known = self.known.entry(identity).or_default();
        let before = known.len();
        known.extend(spellings);
        Ok(known.len() > before)
    }

    /// What the person is known by, normalised.
    pub fn identities(&self) -> impl Iterator<Item = &Identity> {
        self.known.keys()
    }

    /// Forgets identities.
    pub fn retain(&mut self, mut keeps: impl FnMut(&Identity) -> bool) {
        self.known.retain(|identity, _| keeps(identity));
    }

    /// What the person is known by, each with every spelling that counts.
    pub fn known(&self) -> impl Iterator<Item = (&Identity, &BTreeSet<String>)> {
        self.known.iter()
    }

    /// The person as a third party is told, by the identity types that it understands; `None`
    /// where none of them is known.
    pub fn subject(&self, understood: &BTreeSet<String>) -> Option<Subject> {
        let identities: Vec<Identity> =
            self.identities().filter(|one| understood.contains(&one.kind)).cloned().collect();
        let reference = self.reference.clone();
        (!identities.is_empty()).then_some(Subject { reference, identities })
    }
}

/// The scope of a plan for these persons, of whom every system was asked.
pub fn scope_of(
    action: SubjectAction,
    persons: &[Person],
    categories: Option<BTreeSet<CategoryName>>,
    records: RecordKeys,
) -> PersonScope {
    let mut identities: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (identity, spellings) in persons.iter().flat_map(|person| &person.known) {
        identities.entry(identity.kind.clone()).or_default().extend(spellings.iter().cloned());
    }
    PersonScope {
        action,
        identities,
        of_one_person: persons.len() == 1,
        categories,
        records,
        incomplete: false,
        stays_restricted: Vec::new(),
        later_than: None,
    }
}

/// Questions to one system, with the order that knows its collections and the lists.
#[derive(Debug, Clone, PartialEq)]
pub struct Asking {
    /// Does nothing; it is what `resolve` reads collections and lists from.
    pub order: Order,
    /// One question for each collection that a known identity reaches.
    pub questions: Vec<Question>,
}

/// What to ask a system about these persons: for each collection that a known identity reaches,
/// who each record belongs to, what else it knows them by, its key, and where minimums start.
///
/// # Errors
/// Where the data map has no such system.
pub fn questions(
    input: &PlanInput<'_>,
    system: &SystemName,
    persons: &[Person],
) -> Result<Asking, PlanError> {
    // Nothing goes by a question, so every field may be read.
    let scope = scope_of(SubjectAction::Restrict, persons, None, RecordKeys::new());
    asking(input, system, &scope)
}

/// What to ask a system about the records that these keys of one person name, theirs and those that
/// belong to them: where minimums start, so that `kept_by_keys` can tell until when they are kept.
///
/// # Errors
/// Where the data map has no such system.
pub fn questions_by_keys(
    input: &PlanInput<'_>,
    system: &SystemName,
    keys: RecordKeys,
) -> Result<Asking, PlanError> {
    asking(input, system, &scope_of(SubjectAction::Restrict, &[], None, keys))
}

/// What minimums keep of the records of one person that only keys name, and until when.
///
/// # Errors
/// Where the data map has no such system.
pub fn kept_by_keys(
    input: &PlanInput<'_>,
    system: &SystemName,
    answers: &[Answer],
    reference: &str,
) -> Result<Vec<KeptUntil>, PlanError> {
    let unknown = || PlanError::UnknownSystem { system: system.clone() };
    let system = input.map.systems.get(system).ok_or_else(unknown)?;
    let mut kept = Vec::new();
    for place in Place::all(system).filter(|place| has_minimums(input, *place)) {
        let name = place.collection.name.as_str();
        let own = answers.iter().filter(|one| one.collection == name);
        let records: Vec<(Vec<&str>, &Record)> = own
            .flat_map(|answer| &answer.records)
            .map(|record| (vec![reference], record))
            .collect();
        kept.extend(kept_until(input, place, &records));
    }
    Ok(kept)
}

fn asking(
    input: &PlanInput<'_>,
    system: &SystemName,
    scope: &PersonScope,
) -> Result<Asking, PlanError> {
    let unknown = || PlanError::UnknownSystem { system: system.clone() };
    let system = input.map.systems.get(system).ok_or_else(unknown)?;
    let steering = Steering::default();
    let mut lists = ListBook::default();
    let mut questions = Vec::new();
    let mut instructions = Vec::new();
    for place in Place::all(system) {
        instructions.push(bare_instruction(place, &steering));
        let predicate = belonging(scope, place, &steering, &mut lists).records;
        if predicate != quietus_connectors::Predicate::Never {
            questions.push(Question {
                collection: place.collection.name.to_string(),
                predicate,
                fields: fields_asked(input, place),
                most: MOST_RECORDS,
            });
        }
    }
    let (_, lists) = lists.close();
    let order = Order {
        key: format!("resolve-{}", input.moment.as_microsecond()),
        attempt: 1,
        moment: input.moment,
        instructions,
        lists: lists.0,
        pace: system.pace.clone(),
        most_records: None,
        persons: None,
    };
    Ok(Asking { order, questions })
}

fn fields_asked(input: &PlanInput<'_>, place: Place<'_>) -> Vec<FieldRef> {
    let reached = reach(place).into_iter().chain(shared_reach(place));
    let mut fields: BTreeSet<FieldRef> = reached.map(|one| one.reference).collect();
    fields.extend(place.collection.key.iter().map(|name| FieldRef::own(name.as_str())));
    if has_minimums(input, place) {
        fields.extend(minimum_fields(input, place));
    }
    fields.retain(|field| place.field(field).is_some());
    fields.into_iter().collect()
}

fn has_minimums(input: &PlanInput<'_>, place: Place<'_>) -> bool {
    let categories = place.collection.categories();
    input.limits.iter().any(|limit| {
        limit.kind == LimitKind::Minimum
            && in_force(limit, input)
            && categories.contains(&limit.category)
    })
}

/// Several values of an identity type of which a person has one: more than one person may be
/// meant, and somebody has to ask.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ambiguity {
    /// The person, by reference.
    pub person: String,
    /// The identity type.
    pub identity: String,
    /// How many values were found.
    pub values: usize,
}

/// What the answers of one system taught.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lesson {
    /// Something about a person is new, so every system has to be asked again.
    pub news: bool,
    /// Where more than one person may be meant: nothing may be erased before somebody decides.
    pub ambiguities: Vec<Ambiguity>,
    /// Collections with more records than one question reads: not everything was seen.
    pub too_many: Vec<CollectionName>,
    /// Records of each person that were found, by reference and collection.
    pub found: BTreeMap<(String, CollectionName), u64>,
    /// Keys of records that no staying field names, for `PersonScope::records`. Every collection
    /// that was seen as a whole has an entry.
    pub records: RecordKeys,
    /// What minimums keep, and until when.
    pub kept: Vec<KeptUntil>,
}

/// Learns from the answers of one system and says what they mean. Persons know more afterwards;
/// while there is news, all systems are asked again, at most as often as there are links between
/// identity types. Answers that belong to no question are ignored.
///
/// # Errors
/// Where the data map has no such system.
pub fn learn(
    input: &PlanInput<'_>,
    types: &IdentityTypes,
    system: &SystemName,
    answers: &[Answer],
    persons: &mut [Person],
) -> Result<Lesson, PlanError> {
    let unknown = || PlanError::UnknownSystem { system: system.clone() };
    let system = input.map.systems.get(system).ok_or_else(unknown)?;
    let steering = Steering::read(&PlanInput { persons: None, ..*input }, system);
    let mut lesson = Lesson::default();
    for place in Place::all(system) {
        let mut own = answers.iter().filter(|one| one.collection == place.collection.name.as_str());
        let Some(answer) = own.next() else { continue };
        let (owners, sharing) =
            (Owners::read(reach(place), persons), Owners::read(shared_reach(place), persons));
        // What a shared record says of itself teaches nothing about who shares it.
        for record in &answer.records {
            for owner in owners.of(record) {
                lesson.news |= teach(place, types, record, &mut persons[owner]);
            }
        }
        let all = |record| {
            let both: BTreeSet<usize> =
                owners.of(record).into_iter().chain(sharing.of(record)).collect();
            both.into_iter().collect()
        };
        let records: Vec<(Vec<usize>, &Record)> =
            answer.records.iter().map(|record| (all(record), record)).collect();
        for (owners, _) in &records {
            for &owner in owners {
                let name = (persons[owner].reference.clone(), place.collection.name.clone());
                *lesson.found.entry(name).or_default() += 1;
            }
        }
        if answer.more {
            lesson.too_many.push(place.collection.name.clone());
        } else {
            let keys = unnamed(place, &steering, &records, persons);
            lesson.records.insert((system.name.clone(), place.collection.name.clone()), keys);
        }
        if has_minimums(input, place) {
            let named = |owners: &Vec<usize>| {
                owners.iter().map(|&one| persons[one].reference.as_str()).collect()
            };
            let records: Vec<(Vec<&str>, &Record)> =
                records.iter().map(|(owners, record)| (named(owners), *record)).collect();
            lesson.kept.extend(kept_until(input, place, &records));
        }
    }
    lesson.ambiguities = ambiguities(types, persons);
    Ok(lesson)
}

/// Persons, by their place in the list, for each value of a field.
type PersonsByValue = BTreeMap<Value, BTreeSet<usize>>;

/// Whose a record is, by the values of the fields that reach it.
pub(super) struct Owners<'a> {
    /// Each reaching field with the name of its answer and the persons of each value.
    fields: Vec<(&'a Field, String, PersonsByValue)>,
}

impl<'a> Owners<'a> {
    pub(super) fn read(reached: Vec<ReachField<'a>>, persons: &[Person]) -> Self {
        let fields = reached.into_iter().map(|one| {
            let values = values_of(persons, one.identity, one.field);
            (one.field, answer_name(&one.reference), values)
        });
        Self { fields: fields.collect() }
    }

    pub(super) fn of(&self, record: &Record) -> Vec<usize> {
        let mut owners = BTreeSet::new();
        for (field, name, values) in &self.fields {
            let found = record.get(name).and_then(|value| values.get(&compared(value, field)));
            owners.extend(found.into_iter().flatten().copied());
        }
        owners.into_iter().collect()
    }
}

/// A value as it is compared in a field: in small letters where capitals do not count.
fn compared(value: &Value, field: &Field) -> Value {
    match value {
        Value::Text(text) if field.ignores_case => Value::Text(text.to_lowercase()),
        other => other.clone(),
    }
}

fn values_of(persons: &[Person], identity: &str, field: &Field) -> PersonsByValue {
    let mut values: PersonsByValue = BTreeMap::new();
    for (index, person) in persons.iter().enumerate() {
        let known = person.known.iter().filter(|(one, _)| one.kind == identity);
        for spelling in known.flat_map(|(_, spellings)| spellings) {
            if let Some(value) = fit_identity(spelling, field.field_type) {
                values.entry(compared(&value, field)).or_default().insert(index);
            }
        }
    }
    values
}

/// What the record itself knows its person by; a value that identifies nobody is passed over.
fn teach(place: Place<'_>, types: &IdentityTypes, record: &Record, person: &mut Person) -> bool {
    let mut news = false;
    for field in place.collection.fields.values() {
        let Some(kind) = &field.identity else { continue };
        if let Some(raw) = record.get(&field.name).and_then(in_words) {
            news |= person.add(&types.of(kind), &raw).unwrap_or(false);
        }
    }
    news
}

/// The value as an identity.
fn in_words(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Uuid(uuid) => Some(uuid.to_string()),
        _ => None,
    }
}

/// Fields of a collection, each with whether it stays.
type Named<'a> = Vec<(bool, (&'a Field, PersonsByValue))>;

/// Keys of records that only a field of their own names that goes with its category.
fn unnamed(
    place: Place<'_>,
    steering: &Steering,
    records: &[(Vec<usize>, &Record)],
    persons: &[Person],
) -> BTreeSet<Vec<Value>> {
    let own = reach(place).into_iter().filter(|one| one.reference.via.is_empty());
    let (staying, going): (Named<'_>, Named<'_>) = own
        .map(|one| {
            let values = values_of(persons, one.identity, one.field);
            (stays(one.owner, one.field, steering), (one.field, values))
        })
        .partition(|(stays, _)| *stays);
    let named_by = |fields: &Named<'_>, record: &Record| {
        fields.iter().any(|(_, (field, values))| {
            let value = record.get(&field.name);
            value.is_some_and(|value| values.contains_key(&compared(value, field)))
        })
    };
    let key = |record: &Record| -> Vec<Value> {
        let own = place.collection.key.iter();
        own.map(|name| record.get(name).cloned().unwrap_or(Value::Null)).collect()
    };
    records
        .iter()
        .filter(|(_, record)| named_by(&going, record) && !named_by(&staying, record))
        .map(|(_, record)| key(record))
        .collect()
}

fn ambiguities(types: &IdentityTypes, persons: &[Person]) -> Vec<Ambiguity> {
    let mut found = BTreeSet::new();
    for person in persons {
        let mut values: BTreeMap<&str, usize> = BTreeMap::new();
        for identity in person.known.keys() {
            *values.entry(identity.kind.as_str()).or_default() += 1;
        }
        for (kind, values) in values {
            if values > 1 && types.of(kind).one_per_person {
                let person = person.reference.clone();
                found.insert(Ambiguity { person, identity: kind.to_owned(), values });
            }
        }
    }
    found.into_iter().collect()
}
