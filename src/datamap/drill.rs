//! What a drill plants in a system: records of a person who was invented, known by marks that nobody
//! else can have.
//!
//! The address ends in `.invalid`, which no name ever does (RFC 6761, 6.4); the telephone number has
//! the country code 999, which no country has (ITU-T E.164, reserved).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use quietus_connectors::{
    FieldType, Identity, Instruction, MappedField, Order, PlantedRecord, PlantedValue, Value,
};
use uuid::Uuid;

use super::model::{Collection, Field, System};
use crate::domain::CollectionName;

/// What is planted in a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planting {
    /// Records, parents before their children; at least one.
    pub records: Vec<PlantedTemplate>,
}

/// A record to plant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlantedTemplate {
    /// Its collection.
    pub collection: CollectionName,
    /// What its fields hold.
    pub values: BTreeMap<String, Template>,
}

/// What a field of a planted record holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Template {
    /// No value.
    Null,
    /// True or false.
    Boolean(bool),
    /// Text with places that are filled in; at least one piece.
    Text(Vec<Piece>),
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// As it is written.
    Words(String),
    /// Something that only this drill has.
    Mark(Mark),
    /// The moment of the drill, or its day.
    Now,
    /// What a field of an earlier record of the same system holds.
    Of {
        /// The earlier record's collection.
        collection: String,
        /// Its field.
        field: String,
    },
}

/// Something that only one drill has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// An e-mail address that leads nowhere.
    Email,
    /// A word.
    Tag,
    /// A UUID.
    Uuid,
    /// A whole number of 15 digits.
    Number,
    /// A telephone number that leads nowhere.
    Phone,
}

/// Names of the places of a template, for messages.
pub const PLACES: &[&str] = &["email", "tag", "uuid", "number", "phone", "now"];

impl Template {
    /// Reads a text with places in braces; the word of the first place that is none.
    ///
    /// # Errors
    /// The word. Braces around something else than a name are text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut words = String::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            words.push_str(&rest[..open]);
            let after = &rest[open + 1..];
            let name = after.find('}').map(|end| &after[..end]).filter(|name| is_place(name));
            let Some(name) = name else {
                words.push('{');
                rest = after;
                continue;
            };
            if !words.is_empty() {
                pieces.push(Piece::Words(std::mem::take(&mut words)));
            }
            pieces.push(Piece::of(name).ok_or_else(|| name.to_owned())?);
            rest = &after[name.len() + 1..];
        }
        words.push_str(rest);
        if !words.is_empty() || pieces.is_empty() {
            pieces.push(Piece::Words(words));
        }
        Ok(Self::Text(pieces))
    }

    /// Nobody else's record can hold this: there is a mark in it.
    pub fn has_mark(&self) -> bool {
        matches!(self, Self::Text(pieces) if pieces.iter().any(|one| matches!(one, Piece::Mark(_))))
    }

    /// The whole of it is what a field of an earlier record holds.
    pub fn reference(&self) -> Option<(&str, &str)> {
        match self {
            Self::Text(pieces) => match pieces.as_slice() {
                [Piece::Of { collection, field }] => Some((collection.as_str(), field.as_str())),
                _ => None,
            },
            Self::Null | Self::Boolean(_) => None,
        }
    }

    /// What stands there for an invented person, before it has a type; `None` for what an earlier
    /// record holds.
    fn text(&self, person: &Invented) -> Option<String> {
        let Self::Text(pieces) = self else { return None };
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Words(words) => text.push_str(words),
                Piece::Mark(mark) => text.push_str(&person.of(*mark)),
                Piece::Now => text.push_str(&person.at.to_string()),
                Piece::Of { .. } => return None,
            }
        }
        Some(text)
    }

    /// The value for a field; `None` where no field of its type can hold it, or an earlier record
    /// says it.
    pub fn value(&self, field: &Field, person: &Invented) -> Option<Value> {
        if let Self::Null = self {
            return Some(Value::Null);
        }
        if let Self::Boolean(truth) = self {
            let fits = field.field_type == FieldType::Boolean;
            return fits.then_some(Value::Boolean(*truth));
        }
        let text = self.text(person)?;
        let now = matches!(self, Self::Text(pieces) if pieces.as_slice() == [Piece::Now]);
        match field.field_type {
            FieldType::Text | FieldType::Json | FieldType::Address | FieldType::Other => {
                Some(Value::Text(text))
            }
            FieldType::Integer => text.parse().ok().map(Value::Integer),
            FieldType::Decimal | FieldType::Float => {
                text.parse::<f64>().ok().filter(|one| one.is_finite()).map(|_| Value::Decimal(text))
            }
            FieldType::Boolean => text.parse().ok().map(Value::Boolean),
            FieldType::Uuid => text.parse().ok().map(Value::Uuid),
            FieldType::Binary => Some(Value::Binary(text.into_bytes())),
            FieldType::Timestamp if now => Some(Value::Timestamp(person.at)),
            FieldType::Timestamp => moment(&text).map(Value::Timestamp),
            FieldType::Date if now => {
                Some(Value::Date(TimeZone::UTC.to_datetime(person.at).date()))
            }
            FieldType::Date => text.parse().ok().map(Value::Date),
        }
    }

    /// Whether a field of this type can be compared for certain, so that a mark in it counts.
    pub fn marks(&self, field: &Field) -> bool {
        let comparable =
            matches!(field.field_type, FieldType::Text | FieldType::Integer | FieldType::Uuid);
        comparable && self.has_mark()
    }
}

/// A moment, or the beginning of a day.
fn moment(text: &str) -> Option<Timestamp> {
    let day = || text.parse::<jiff::civil::Date>().ok()?.to_zoned(TimeZone::UTC).ok();
    text.parse().ok().or_else(|| day().map(|day| day.timestamp()))
}

/// What stands between braces names a place: `email`, `customers.id`.
fn is_place(name: &str) -> bool {
    let plain = |one: char| one.is_alphanumeric() || matches!(one, '_' | '-' | '.');
    name.starts_with(|one: char| one.is_alphabetic() || one == '_') && name.chars().all(plain)
}

impl Piece {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "email" => Self::Mark(Mark::Email),
            "tag" => Self::Mark(Mark::Tag),
            "uuid" => Self::Mark(Mark::Uuid),
            "number" => Self::Mark(Mark::Number),
            "phone" => Self::Mark(Mark::Phone),
            "now" => Self::Now,
            other => {
                let (collection, field) = other.rsplit_once('.')?;
                let written = !collection.is_empty() && !field.is_empty();
                written.then(|| Self::Of { collection: collection.into(), field: field.into() })?
            }
        })
    }
}

/// A person who was invented for one drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invented {
    /// The drill.
    pub drill: Uuid,
    /// The moment of the drill.
    pub at: Timestamp,
}

impl Invented {
    /// The part of the drill's identifier that is random.
    fn seed(&self) -> u64 {
        self.drill.as_u64_pair().1
    }

    fn of(&self, mark: Mark) -> String {
        match mark {
            Mark::Email => format!("drill-{:016x}@quietus.invalid", self.seed()),
            Mark::Tag => format!("drill-{:016x}", self.seed()),
            Mark::Uuid => self.drill.to_string(),
            // Below 2^53, so that no program that it passes rounds it.
            Mark::Number => (900_000_000_000_000 + self.seed() % 100_000_000_000_000).to_string(),
            Mark::Phone => format!("+999{:012}", self.seed() % 1_000_000_000_000),
        }
    }
}

impl System {
    /// The records that a drill plants here; none where it plants nothing.
    pub fn planted_records(&self, person: &Invented) -> Vec<PlantedRecord> {
        let Some(planting) = &self.drill else { return Vec::new() };
        let templates = planting.records.iter().enumerate();
        templates.filter_map(|(number, one)| self.planted_record(number, one, person)).collect()
    }

    fn planted_record(
        &self,
        number: usize,
        template: &PlantedTemplate,
        person: &Invented,
    ) -> Option<PlantedRecord> {
        let collection = self.collections.get(&template.collection)?;
        let mut values = Vec::new();
        let mut marks = BTreeSet::new();
        for (name, written) in &template.values {
            let field = collection.fields.get(name)?;
            let value = match written.reference() {
                Some(reference) => {
                    let record = self.earlier(number, reference.0)?;
                    PlantedValue::Of { record, field: reference.1.to_owned() }
                }
                None => PlantedValue::Value(written.value(field, person)?),
            };
            if written.marks(field) {
                marks.insert(name.clone());
            }
            values.push((name.clone(), value));
        }
        let collection = template.collection.to_string();
        Some(PlantedRecord { collection, values, marks, key: None })
    }

    /// The position of the latest record of a collection that is planted before this one.
    pub fn earlier(&self, number: usize, collection: &str) -> Option<usize> {
        let records = &self.drill.as_ref()?.records;
        let before = records.iter().take(number);
        before
            .enumerate()
            .rev()
            .find(|(_, one)| one.collection.as_str() == collection)
            .map(|it| it.0)
    }

    /// What the invented person is known by here: values that only this drill has.
    pub fn planted_identities(&self, person: &Invented) -> BTreeSet<Identity> {
        let mut identities = BTreeSet::new();
        for template in self.drill.iter().flat_map(|planting| &planting.records) {
            let Some(collection) = self.collections.get(&template.collection) else { continue };
            for (name, written) in &template.values {
                let Some(field) = collection.fields.get(name) else { continue };
                if let (Some(kind), true) = (&field.identity, written.marks(field))
                    && let Some(value) = written.text(person)
                {
                    identities.insert(Identity { kind: kind.clone(), value });
                }
            }
        }
        identities
    }

    /// An order that does nothing and says how collections are read and written.
    pub fn bare_order(&self, moment: Timestamp) -> Order {
        let instruction = |one: &Collection| Instruction {
            fields: one.fields.values().map(mapped).collect(),
            ..Instruction::idle(one.name.as_str(), one.source.as_str(), one.key.clone())
        };
        Order {
            key: "drill".to_owned(),
            attempt: 1,
            moment,
            instructions: self.collections.values().map(instruction).collect(),
            lists: Vec::new(),
            pace: self.pace.clone(),
            most_records: None,
            persons: None,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn person() -> Invented {
        let drill = Uuid::from_u128(0x0198_0000_0000_7000_8123_4567_89ab_cdef);
        Invented { drill, at: "2026-11-30T04:00:00Z".parse().unwrap() }
    }

    #[test]
    fn places_are_filled_in_and_other_braces_are_text() {
        let text = |written: &str| Template::parse(written).unwrap().text(&person()).unwrap();
        assert_eq!(text("{email}"), "drill-8123456789abcdef@quietus.invalid");
        assert_eq!(text("Drill {tag}, {"), "Drill drill-8123456789abcdef, {");
        assert_eq!(text("{\"a\": 1}"), "{\"a\": 1}");
        assert_eq!(text("{uuid}"), person().drill.to_string());
        assert_eq!(text(""), "");
        assert_eq!(Template::parse("to {mail}"), Err("mail".to_owned()));
        let reference = Template::parse("{customers.id}").unwrap();
        assert_eq!(reference.reference(), Some(("customers", "id")));
        assert!(!reference.has_mark() && Template::parse("x{number}").unwrap().has_mark());
    }

    #[test]
    fn numbers_are_of_their_length_whoever_is_invented() {
        for seed in [0_u64, 1, 99_999_999_999_999, u64::MAX] {
            let drill = Uuid::from_u64_pair(7, seed);
            let person = Invented { drill, ..person() };
            let number: i64 = person.of(Mark::Number).parse().unwrap();
            assert!((900_000_000_000_000..1_000_000_000_000_000).contains(&number));
            let phone = person.of(Mark::Phone);
            assert!(phone.starts_with("+999") && phone.len() == 16, "{phone}");
        }
    }
}
