//! What orders say of records, read for one record at a time.

use quietus_connectors::{Comparison, Cutoff, FieldRef, KeyList, Predicate, Record, Value};

fn value<'a>(record: &'a Record, field: &FieldRef) -> &'a Value {
    assert!(field.via.is_empty(), "no collection of the simulation has links");
    record.get(&field.field).unwrap_or(&Value::Null)
}

fn is_at_or_before(value: &Value, cutoff: &Cutoff) -> bool {
    match (value, cutoff) {
        (Value::Timestamp(moment), Cutoff::Moment(cutoff)) => moment <= cutoff,
        _ => panic!("the simulation keeps moments, and no {}", value.type_name()),
    }
}

fn compare(left: &Value, comparison: Comparison, right: &Value) -> bool {
    match comparison {
        Comparison::Equal => left == right,
        Comparison::NotEqual => left != right,
        Comparison::Less => left < right,
        Comparison::LessOrEqual => left <= right,
        Comparison::Greater => left > right,
        Comparison::GreaterOrEqual => left >= right,
    }
}

/// Whether a condition holds for a record.
pub fn holds(condition: &Predicate, record: &Record, lists: &[KeyList]) -> bool {
    match condition {
        Predicate::Always => true,
        Predicate::Never => false,
        Predicate::All(parts) => parts.iter().all(|part| holds(part, record, lists)),
        Predicate::Any(parts) => parts.iter().any(|part| holds(part, record, lists)),
        Predicate::Not(inner) => !holds(inner, record, lists),
        Predicate::Compare { field, comparison, value: other } => {
            let found = value(record, field);
            *found != Value::Null && compare(found, *comparison, other)
        }
        Predicate::OneOf { field, values } => values.contains(value(record, field)),
        Predicate::Absent(field) => *value(record, field) == Value::Null,
        Predicate::LatestAtOrBefore(fields) => {
            let mut there =
                fields.iter().filter(|(field, _)| *value(record, field) != Value::Null).peekable();
            there.peek().is_some()
                && there.all(|(field, cutoff)| is_at_or_before(value(record, field), cutoff))
        }
        Predicate::Listed { fields, list } => lists[*list].entries.iter().any(|entry| {
            fields.iter().zip(entry).all(|(field, listed)| {
                let found = value(record, field);
                *found != Value::Null && found == listed
            })
        }),
        Predicate::Linked { .. } => panic!("no collection of the simulation has links"),
    }
}
