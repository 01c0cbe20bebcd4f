//! Conditions of rules become predicates on the fields of a collection.
//!
//! A condition that cannot be read here is an error, never a guess: the caller then keeps data.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil::Date};
use quietus_connectors::{Comparison, FieldRef, FieldType, Predicate, Value};

use super::reach::Place;
use crate::schedule::Condition;
use crate::schedule::condition::Literal;

/// The most constants that one predicate may list.
const MOST_CONSTANTS: usize = 1_000;

/// The condition as a predicate; the error says why it cannot be read in this collection.
pub(super) fn translate(
    condition: &Condition,
    place: Place<'_>,
    zone: &TimeZone,
) -> Result<Predicate, String> {
    let all = |parts: &[Condition]| {
        parts.iter().map(|part| translate(part, place, zone)).collect::<Result<Vec<_>, _>>()
    };
    match condition {
        Condition::Always => Ok(Predicate::Always),
        Condition::And(parts) => Ok(Predicate::all(all(parts)?)),
        Condition::Or(parts) => Ok(Predicate::any(all(parts)?)),
        Condition::Not(inner) => Ok(translate(inner, place, zone)?.negate()),
        Condition::Absent(name) => Ok(Predicate::Absent(attribute(name, place)?.0)),
        Condition::Compare { attribute: name, comparison, literal } => {
            let (field, field_type) = attribute(name, place)?;
            compare(name, field, field_type, *comparison, literal, zone)
        }
        Condition::OneOf { attribute: name, literals } => {
            let (field, field_type) = attribute(name, place)?;
            one_of(name, &field, field_type, literals, zone)
        }
    }
}

/// Every field that a condition reads here; unknown attributes are left out.
pub(super) fn fields_read(condition: &Condition, place: Place<'_>, into: &mut BTreeSet<FieldRef>) {
    match condition {
        Condition::Always => {}
        Condition::And(parts) | Condition::Or(parts) => {
            for part in parts {
                fields_read(part, place, into);
            }
        }
        Condition::Not(inner) => fields_read(inner, place, into),
        Condition::Compare { attribute, .. }
        | Condition::OneOf { attribute, .. }
        | Condition::Absent(attribute) => into.extend(place.attribute(attribute)),
    }
}

fn attribute(name: &str, place: Place<'_>) -> Result<(FieldRef, FieldType), String> {
    let collection = &place.collection.name;
    let reference = place.attribute(name).ok_or_else(|| {
        format!(
            "collection `{collection}` has no attribute `{name}`: declare it under `attributes`"
        )
    })?;
    let field_type = place.field_type(&reference).ok_or_else(|| {
        format!(
            "attribute `{name}` of collection `{collection}` leads to no field: correct its path"
        )
    })?;
    Ok((reference, field_type))
}

fn one_of(
    name: &str,
    field: &FieldRef,
    field_type: FieldType,
    literals: &[Literal],
    zone: &TimeZone,
) -> Result<Predicate, String> {
    if literals
        .iter()
        .any(|one| matches!((one, field_type), (Literal::Date(_), FieldType::Timestamp)))
    {
        let parts = literals.iter().map(|literal| {
            compare(name, field.clone(), field_type, Comparison::Equal, literal, zone)
        });
        return Ok(Predicate::any(parts.collect::<Result<Vec<_>, _>>()?));
    }
    let values = literals
        .iter()
        .map(|literal| constant(name, field_type, literal))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Predicate::any(
        values
            .chunks(MOST_CONSTANTS)
            .map(|chunk| Predicate::OneOf { field: field.clone(), values: chunk.to_vec() }),
    ))
}

fn compare(
    name: &str,
    field: FieldRef,
    field_type: FieldType,
    comparison: Comparison,
    literal: &Literal,
    zone: &TimeZone,
) -> Result<Predicate, String> {
    if let (Literal::Date(day), FieldType::Timestamp) = (literal, field_type) {
        return compare_moment_with_day(name, &field, comparison, *day, zone);
    }
    let value = constant(name, field_type, literal)?;
    Ok(Predicate::Compare { field, comparison, value })
}

/// A moment is compared with a day as a whole, in the zone of the instance.
fn compare_moment_with_day(
    name: &str,
    field: &FieldRef,
    comparison: Comparison,
    day: Date,
    zone: &TimeZone,
) -> Result<Predicate, String> {
    let start_of =
        |day: Date| -> Option<Timestamp> { Some(day.to_zoned(zone.clone()).ok()?.timestamp()) };
    let bounds = start_of(day).zip(day.tomorrow().ok().and_then(start_of));
    let (first, next) =
        bounds.ok_or_else(|| format!("the day that `{name}` is compared with is out of range"))?;
    let compare = |comparison, moment| Predicate::Compare {
        field: field.clone(),
        comparison,
        value: Value::Timestamp(moment),
    };
    let from = compare(Comparison::GreaterOrEqual, first);
    let before = compare(Comparison::Less, first);
    let until = compare(Comparison::Less, next);
    let after = compare(Comparison::GreaterOrEqual, next);
    Ok(match comparison {
        Comparison::Equal => Predicate::all([from, until]),
        Comparison::NotEqual => Predicate::any([before, after]),
        Comparison::Less => before,
        Comparison::LessOrEqual => until,
        Comparison::Greater => after,
        Comparison::GreaterOrEqual => from,
    })
}

fn constant(name: &str, field_type: FieldType, literal: &Literal) -> Result<Value, String> {
    let fitting = match (literal, field_type) {
        (Literal::Text(text), FieldType::Text | FieldType::Address) => {
            Some(Value::Text(text.clone()))
        }
        (Literal::Text(text), FieldType::Uuid) => text.parse().ok().map(Value::Uuid),
        (Literal::Integer(number), FieldType::Integer) => Some(Value::Integer(*number)),
        (Literal::Integer(number), FieldType::Decimal | FieldType::Float) => {
            Some(Value::Decimal(number.to_string()))
        }
        (Literal::Decimal(number), FieldType::Decimal | FieldType::Float) => {
            Some(Value::Decimal(number.clone()))
        }
        (Literal::Boolean(truth), FieldType::Boolean) => Some(Value::Boolean(*truth)),
        (Literal::Date(day), FieldType::Date) => Some(Value::Date(*day)),
        (Literal::Timestamp(moment), FieldType::Timestamp) => Some(Value::Timestamp(*moment)),
        _ => None,
    };
    fitting.ok_or_else(|| {
        format!("the constant compared with `{name}` does not fit a field of type `{field_type:?}`")
    })
}
