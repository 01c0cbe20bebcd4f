//! Whom a legal hold names: every spelling under which a system may have the person.
//!
//! A hold keeps what was typed, and spellings are found anew whenever it is read, as those of a
//! request are. Holds of earlier versions were read as a number where some field holds one. Where
//! it is not sure what was typed, more spellings count: more is kept, never less.

use std::collections::BTreeSet;

use quietus_connectors::{FieldType, Value};
use uuid::Uuid;

use super::lists::fit;
use super::person::PersonScope;
use crate::datamap::DataMap;
use crate::domain::{IdentityType, IdentityTypes, LegalHold, Normalisation, candidates, normalise};

/// Digits of the longest number that a field can hold.
const MOST_DIGITS: usize = 19;

/// The person whom a hold names, in every spelling that counts. It never prints.
pub struct NamedPerson {
    of: IdentityType,
    named: Value,
    spellings: BTreeSet<String>,
}

impl NamedPerson {
    /// Reads whom a hold names: an identity type, and the value as it was typed or, in older holds,
    /// in the type of a field.
    pub fn read(map: &DataMap, types: &IdentityTypes, kind: &str, named: &Value) -> Self {
        let of = types.of(kind);
        let mut spellings = BTreeSet::new();
        for typed in typed_forms(map, &of, named) {
            if let Ok(identity) = normalise(&of, &typed) {
                spellings.extend(candidates(&of, &identity.value, Some(&typed)));
            }
            spellings.insert(typed.trim().to_owned());
            spellings.insert(typed);
        }
        Self { of, named: named.clone(), spellings }
    }

    /// What a field of this type has of the person; nothing where it can have nothing.
    pub fn values(&self, field_type: FieldType) -> BTreeSet<Value> {
        let spelt = self.spellings.iter().map(|one| Value::Text(one.clone()));
        let all = std::iter::once(self.named.clone()).chain(spelt);
        all.filter_map(|value| fit(&value, field_type)).collect()
    }

    /// Whether one of these, of the same identity type and in whatever spelling, is the person.
    pub fn is_among<'k>(&self, known: impl IntoIterator<Item = &'k str>) -> bool {
        let form = |text: &str| {
            let normalised = normalise(&self.of, text);
            normalised.map_or_else(|_| text.trim().to_owned(), |identity| identity.value)
        };
        let named: BTreeSet<String> = self.spellings.iter().map(|one| form(one)).collect();
        known.into_iter().any(|one| named.contains(&form(one)))
    }
}

/// Whether a hold names a person of this scope, by anything that is known of them. While not
/// everybody could be asked, who is known by nothing of that type, or may have more of it, may still be
/// the one.
pub(super) enum Naming {
    /// One of them is named.
    Named,
    /// Nobody could say yet.
    NotKnownYet,
    /// Somebody else is named, or nobody.
    SomebodyElse,
}

impl Naming {
    pub(super) fn read(
        (map, types): (&DataMap, &IdentityTypes),
        hold: &LegalHold,
        persons: &PersonScope,
    ) -> Self {
        let Some((kind, named)) = &hold.scope.subject else { return Self::SomebodyElse };
        let known = persons.identities.get(kind).filter(|known| !known.is_empty());
        let Some(known) = known else {
            return if persons.incomplete { Self::NotKnownYet } else { Self::SomebodyElse };
        };
        let person = NamedPerson::read(map, types, kind, named);
        if person.is_among(known.iter().map(String::as_str)) {
            Self::Named
        } else if persons.incomplete && !types.of(kind).one_per_person {
            // They may have another address, of which only a system knows that could not be asked.
            Self::NotKnownYet
        } else {
            Self::SomebodyElse
        }
    }
}

/// Every form in which the value may have been typed.
fn typed_forms(map: &DataMap, of: &IdentityType, named: &Value) -> BTreeSet<String> {
    match named {
        Value::Text(text) => {
            let mut forms = BTreeSet::from([text.clone()]);
            // What a field holds as a number has lost the zeros in front of it, so they do not
            // count. A telephone number is another one without them.
            let phone = matches!(of.normalise, Normalisation::Phone { .. });
            if !phone
                && is_number_somewhere(map, &of.name)
                && let Ok(number) = text.trim().parse()
            {
                forms.extend(with_zeros(number));
            }
            if let Ok(uuid) = Uuid::try_parse(text.trim()) {
                forms.extend(uuid_forms(uuid));
            }
            forms
        }
        Value::Integer(number) => with_zeros(*number),
        Value::Uuid(uuid) => uuid_forms(*uuid),
        Value::Decimal(text) => BTreeSet::from([text.clone()]),
        Value::Boolean(truth) => BTreeSet::from([truth.to_string()]),
        Value::Timestamp(moment) => BTreeSet::from([moment.to_string()]),
        Value::Date(day) => BTreeSet::from([day.to_string()]),
        Value::Null | Value::Binary(_) => BTreeSet::new(),
    }
}

fn is_number_somewhere(map: &DataMap, kind: &str) -> bool {
    let collections = map.systems.values().flat_map(|system| system.collections.values());
    collections.flat_map(|collection| collection.fields.values()).any(|field| {
        field.identity.as_deref() == Some(kind) && field.field_type == FieldType::Integer
    })
}

/// The number, also with zeros in front of it.
fn with_zeros(number: i64) -> BTreeSet<String> {
    let plain = number.to_string();
    if number < 0 {
        return BTreeSet::from([plain]);
    }
    (plain.len()..=MOST_DIGITS).map(|width| format!("{plain:0>width$}")).collect()
}

fn uuid_forms(uuid: Uuid) -> BTreeSet<String> {
    let small = [uuid.hyphenated().to_string(), uuid.simple().to_string()];
    small.iter().flat_map(|one| [one.clone(), one.to_uppercase()]).collect()
}
