//! One spelling for the key that an event names, whatever way it was posted.
//!
//! A revocation finds its event by this spelling. Were `4711` and `04711` two keys where the field
//! holds a number, the revocation would be lost and the event would still make records due.

use quietus_connectors::{FieldType, Value};

use super::lists::fit;
use super::reach::Place;
use crate::datamap::{DataMap, StartSource};

/// Types in which two spellings may mean one value, in the order in which they are tried. Where
/// fields of several types wait for an event, the one that tells fewest keys apart is taken: a key
/// that is revoked by mistake keeps data.
const SPELT: [FieldType; 6] = [
    FieldType::Integer,
    FieldType::Decimal,
    FieldType::Float,
    FieldType::Uuid,
    FieldType::Timestamp,
    FieldType::Date,
];

/// The key in the one spelling of the fields that wait for the event; empty for a key that no
/// event has.
pub fn event_key_text(map: &DataMap, event: &str, key: &Value) -> String {
    let types = waiting_types(map, event);
    let mut spelt = SPELT.iter().filter(|one| types.contains(one));
    let fitting = spelt.find_map(|one| fit(key, *one));
    match fitting.as_ref().unwrap_or(key) {
        Value::Null | Value::Binary(_) | Value::Boolean(_) => String::new(),
        Value::Integer(number) => number.to_string(),
        Value::Decimal(text) => plain_decimal(text.trim()),
        Value::Text(text) => text.trim().to_owned(),
        Value::Timestamp(moment) => moment.to_string(),
        Value::Date(day) => day.to_string(),
        Value::Uuid(uuid) => uuid.to_string(),
    }
}

fn waiting_types(map: &DataMap, name: &str) -> Vec<FieldType> {
    let places = map.systems.values().flat_map(Place::all);
    let sources = places.flat_map(|place| {
        place.collection.starting_points.values().map(move |source| (place, source))
    });
    let waiting = sources.filter_map(|(place, source)| match source {
        StartSource::Event { event, field } if event == name => place.field_type(field),
        _ => None,
    });
    waiting.collect()
}

/// `04.70` as `4.7`; a number with an exponent stays as it is.
pub fn plain_decimal(text: &str) -> String {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || digits.chars().any(|one| !one.is_ascii_digit() && one != '.') {
        return text.to_owned();
    }
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let (whole, part) = (whole.trim_start_matches('0'), part.trim_end_matches('0'));
    let whole = if whole.is_empty() { "0" } else { whole };
    match (whole, part) {
        ("0", "") => "0".to_owned(),
        (whole, "") => format!("{sign}{whole}"),
        (whole, part) => format!("{sign}{whole}.{part}"),
    }
}
