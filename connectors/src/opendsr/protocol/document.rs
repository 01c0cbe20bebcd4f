//! Reading JSON so that there is one reading of it: no name twice, and `null` is the same as
//! absent.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The bytes are no JSON object, or one that names a field twice. What they hold is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the document is no JSON object whose names are all different")]
pub struct Unreadable;

/// A JSON object. It does not print.
#[derive(Clone, PartialEq)]
pub struct Document(Map<String, Value>);

impl fmt::Debug for Document {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<document of {} fields>", self.0.len())
    }
}

impl Document {
    /// Reads a JSON object.
    ///
    /// # Errors
    /// Where it is none, or a name comes twice at any depth.
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        match serde_json::from_slice::<Once>(bytes) {
            Ok(Once(Value::Object(fields))) => Ok(Self(fields)),
            _ => Err(Unreadable),
        }
    }

    /// A field that is there and not null.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A field that holds text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// A field that holds text or a number, as text: identifiers come as either.
    pub fn name(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A field that holds a moment, if it can be read.
    pub fn moment(&self, name: &str) -> Option<Timestamp> {
        read_moment(self.text(name)?)
    }
}

/// Reads a moment as RFC 3339 writes it. A processor is known that leaves out the zone and means
/// UTC, so that is read too.
pub fn read_moment(text: &str) -> Option<Timestamp> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    let local = text.parse::<DateTime>().ok()?;
    TimeZone::UTC.to_timestamp(local).ok()
}

/// Words that somebody else wrote, if they can be repeated without fear of naming a person: at
/// most 80 letters, digits and a few signs, no address and no long number.
pub fn plain_words(text: &str) -> Option<&str> {
    let text = text.trim();
    let allowed = |sign: char| sign.is_alphanumeric() || " _-.,:;/()§".contains(sign);
    let mut longest = 0;
    let mut digits = 0;
    for sign in text.chars() {
        digits = match sign {
            _ if sign.is_numeric() => digits + 1,
            // What people put between the groups of a number.
            ' ' | '-' | '.' | '/' | '(' | ')' => digits,
            _ => 0,
        };
        longest = longest.max(digits);
    }
    let fits = !text.is_empty() && text.chars().count() <= 80 && longest <= 8;
    (fits && text.chars().all(allowed)).then_some(text)
}

/// A JSON value in which no object names a field twice.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OnceVisitor).map(Self)
    }
}

struct OnceVisitor;

impl<'de> Visitor<'de> for OnceVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("no number"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Once(value)) = sequence.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some((name, Once(value))) = map.next_entry::<String, Once>()? {
            if fields.insert(name, value).is_some() {
                return Err(A::Error::custom("a name comes twice"));
            }
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_an_object_without_a_name_twice() {
        let read = Document::read(br#"{"a":null,"b":"c","d":[1,{"e":2.5}],"f":7}"#).unwrap();
        assert_eq!(read.get("a"), None);
        assert_eq!(read.text("b"), Some("c"));
        assert_eq!(read.name("f").as_deref(), Some("7"));
        assert_eq!(format!("{read:?}"), "<document of 4 fields>");
        for wrong in [
            &br#"{"a":1,"a":1}"#[..],
            br#"{"a":{"b":1,"b":2}}"#,
            br#"[{"a":1}]"#,
            br#""a""#,
            br#"{"a":1} x"#,
            b"",
            b"\xff",
            br#"{"a":"\xff"}"#,
        ] {
            assert_eq!(Document::read(wrong), Err(Unreadable));
        }
        let deep = "[".repeat(100_000);
        assert_eq!(Document::read(deep.as_bytes()), Err(Unreadable));
    }

    #[test]
    fn moments_are_read_with_and_without_a_zone() {
        let read = |text| read_moment(text).map(|moment| moment.to_string());
        assert_eq!(read("2025-06-09T00:00:00Z").as_deref(), Some("2025-06-09T00:00:00Z"));
        assert_eq!(read("2025-06-09T02:00:00+02:00").as_deref(), Some("2025-06-09T00:00:00Z"));
        assert_eq!(
            read("2018-05-31T16:27:28.679094").as_deref(),
            Some("2018-05-31T16:27:28.679094Z")
        );
        assert_eq!(read("soon"), None);
    }

    #[test]
    fn foreign_words_are_repeated_only_if_they_can_name_nobody() {
        assert_eq!(plain_words(" invoices "), Some("invoices"));
        assert_eq!(plain_words("until (2031-12-31)"), Some("until (2031-12-31)"));
        assert_eq!(plain_words("§ 147 AO, HGB 257"), Some("§ 147 AO, HGB 257"));
        for wrong in ["", "mara@example.com", "4915112345678", "+49 151 1234 5678", "a\nb"] {
            assert_eq!(plain_words(wrong), None);
        }
        assert_eq!(plain_words(&"a".repeat(81)), None);
    }
}
