//! Predicates evaluated in this process, with the two truth values of the contract. `explain` and
//! tests use it; a sweep never does.

use std::cmp::Ordering;

use quietus_connectors::{Comparison, Cutoff, FieldRef, KeyList, Predicate, Value};

/// Whether a predicate holds for the record whose values `value_of` gives.
///
/// A list that does not exist has no entries. A parent that is not there has no values, so what is
/// asked of one must ask for a value of its key too.
pub fn evaluate(
    predicate: &Predicate,
    value_of: &dyn Fn(&FieldRef) -> Value,
    lists: &[KeyList],
) -> bool {
    match predicate {
        Predicate::Always => true,
        Predicate::Never => false,
        Predicate::All(parts) => parts.iter().all(|part| evaluate(part, value_of, lists)),
        Predicate::Any(parts) => parts.iter().any(|part| evaluate(part, value_of, lists)),
        Predicate::Not(inner) => !evaluate(inner, value_of, lists),
        Predicate::Compare { field, comparison, value } => {
            compares(&value_of(field), *comparison, value)
        }
        Predicate::OneOf { field, values } => {
            let found = value_of(field);
            values.iter().any(|value| order(&found, value) == Some(Ordering::Equal))
        }
        Predicate::Absent(field) => value_of(field) == Value::Null,
        Predicate::LatestAtOrBefore(pairs) => latest_at_or_before(pairs, value_of),
        Predicate::Linked { link, holds } => {
            let of_parent = |field: &FieldRef| {
                let via = std::iter::once(link).chain(&field.via).cloned().collect();
                value_of(&FieldRef { via, field: field.field.clone() })
            };
            evaluate(holds, &of_parent, lists)
        }
        Predicate::Listed { fields, list } => {
            let found: Vec<Value> = fields.iter().map(value_of).collect();
            let entries = lists.get(*list).map(|list| list.entries.as_slice()).unwrap_or_default();
            entries.iter().any(|entry| {
                entry.len() == found.len()
                    && entry.iter().zip(&found).all(|(a, b)| order(a, b) == Some(Ordering::Equal))
            })
        }
    }
}

/// Whether a hold covers the record whose values `value_of` gives. Systems compare what holds list
/// by the field's own equality, so that a hold never covers less; where `folds` says that capitals
/// do not count there, they do not count here.
pub(super) fn is_held(
    hold: &Predicate,
    value_of: &dyn Fn(&FieldRef) -> Value,
    folds: &dyn Fn(&FieldRef) -> bool,
    lists: &[KeyList],
) -> bool {
    match hold {
        Predicate::Any(parts) => parts.iter().any(|part| is_held(part, value_of, folds, lists)),
        Predicate::Listed { fields, list } => {
            let entries = lists.get(*list).map(|list| list.entries.as_slice()).unwrap_or_default();
            let equal = |field: &FieldRef, entry: &Value| match (value_of(field), entry) {
                (Value::Text(found), Value::Text(listed)) if folds(field) => {
                    found.to_lowercase() == listed.to_lowercase()
                }
                (found, listed) => same(&found, listed),
            };
            entries.iter().any(|entry| {
                entry.len() == fields.len()
                    && fields.iter().zip(entry).all(|(field, entry)| equal(field, entry))
            })
        }
        other => evaluate(other, value_of, lists),
    }
}

fn latest_at_or_before(
    pairs: &[(FieldRef, Cutoff)],
    value_of: &dyn Fn(&FieldRef) -> Value,
) -> bool {
    let mut any = false;
    for (field, cutoff) in pairs {
        match (value_of(field), cutoff) {
            (Value::Null, _) => {}
            (Value::Timestamp(start), Cutoff::Moment(cutoff)) if start <= *cutoff => any = true,
            (Value::Date(day), Cutoff::Day(cutoff)) if day <= *cutoff => any = true,
            _ => return false,
        }
    }
    any
}

fn compares(found: &Value, comparison: Comparison, constant: &Value) -> bool {
    let Some(order) = order(found, constant) else { return false };
    match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }
}

/// Two values that are there and equal.
pub(super) fn same(left: &Value, right: &Value) -> bool {
    order(left, right) == Some(Ordering::Equal)
}

/// The order of two values; `None` where one is absent or their types do not compare.
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Boolean(a), Value::Boolean(b)) => Some(a.cmp(b)),
        (Value::Integer(a), Value::Integer(b)) => Some(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Timestamp(a), Value::Timestamp(b)) => Some(a.cmp(b)),
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Value::Uuid(a), Value::Uuid(b)) => Some(a.cmp(b)),
        (Value::Binary(a), Value::Binary(b)) => Some(a.cmp(b)),
        (Value::Integer(_) | Value::Decimal(_), Value::Integer(_) | Value::Decimal(_)) => {
            Some(Number::read(left)?.order(&Number::read(right)?))
        }
        _ => None,
    }
}

/// A decimal number: sign, digits before and after the point without superfluous zeros.
struct Number {
    negative: bool,
    whole: String,
    fraction: String,
}

impl Number {
    fn read(value: &Value) -> Option<Self> {
        let text = match value {
            Value::Integer(number) => number.to_string(),
            Value::Decimal(text) => text.trim().to_owned(),
            _ => return None,
        };
        let negative = text.starts_with('-');
        let digits = text.trim_start_matches(['-', '+']);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !plain(whole) || !plain(fraction) || digits.is_empty() {
            return None;
        }
        let whole = whole.trim_start_matches('0').to_owned();
        let fraction = fraction.trim_end_matches('0').to_owned();
        let zero = whole.is_empty() && fraction.is_empty();
        Some(Self { negative: negative && !zero, whole, fraction })
    }

    fn order(&self, other: &Self) -> Ordering {
        let size = self
            .whole
            .len()
            .cmp(&other.whole.len())
            .then_with(|| self.whole.cmp(&other.whole))
            .then_with(|| self.fraction.cmp(&other.fraction));
        match (self.negative, other.negative) {
            (false, false) => size,
            (true, true) => size.reverse(),
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(found: &Value, comparison: Comparison, value: Value) -> bool {
        let predicate = Predicate::Compare { field: FieldRef::own("n"), comparison, value };
        evaluate(&predicate, &|_| found.clone(), &[])
    }

    #[test]
    fn numbers_compare_by_value_and_not_by_text() {
        let decimal = |text: &str| Value::Decimal(text.to_owned());
        assert!(holds(&decimal("7.50"), Comparison::Equal, decimal("07.5")));
        assert!(holds(&Value::Integer(10), Comparison::Greater, decimal("9.99")));
        assert!(holds(&decimal("-0.0"), Comparison::Equal, Value::Integer(0)));
        assert!(holds(&decimal("-10"), Comparison::Less, decimal("-9.5")));
        assert!(holds(&decimal("-1"), Comparison::Less, decimal("1")));
        assert!(!holds(&decimal("x"), Comparison::NotEqual, decimal("1")));
    }

    #[test]
    fn every_comparison_with_an_absent_value_is_false() {
        for comparison in [
            Comparison::Equal,
            Comparison::NotEqual,
            Comparison::Less,
            Comparison::LessOrEqual,
            Comparison::Greater,
            Comparison::GreaterOrEqual,
        ] {
            assert!(!holds(&Value::Null, comparison, Value::Integer(1)), "{comparison:?}");
        }
        let one_of =
            Predicate::OneOf { field: FieldRef::own("n"), values: vec![Value::Integer(1)] };
        assert!(evaluate(&one_of.negate(), &|_| Value::Null, &[]));
    }

    #[test]
    fn the_latest_counts_and_an_unknown_list_is_empty() {
        let early: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let late: jiff::Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
        let pairs = vec![
            (FieldRef::own("a"), Cutoff::Moment(early)),
            (FieldRef::own("b"), Cutoff::Moment(early)),
        ];
        let latest = Predicate::LatestAtOrBefore(pairs);
        let with = |a: Value, b: Value| {
            let value_of =
                |field: &FieldRef| if field.field == "a" { a.clone() } else { b.clone() };
            evaluate(&latest, &value_of, &[])
        };
        assert!(with(Value::Timestamp(early), Value::Null));
        assert!(!with(Value::Timestamp(early), Value::Timestamp(late)));
        assert!(!with(Value::Null, Value::Null));
        let listed = Predicate::Listed { fields: vec![FieldRef::own("a")], list: 3 };
        assert!(!evaluate(&listed, &|_| Value::Integer(1), &[]));
    }
}
