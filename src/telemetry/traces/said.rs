//! What the fields of a span say: what may be shown of it, and what is said to whoever shows it.

use std::fmt;
use std::time::{Duration, SystemTime};

use opentelemetry::{KeyValue, StringValue, Value};
use tracing::field::{Field, Visit};
use uuid::Uuid;

use super::ATTRIBUTES;
use super::place::Place;

/// Longest text of a span, in characters; names and identifiers of ours are shorter.
const LONGEST: usize = 128;
/// What stands for a text that is no name and no identifier of ours.
const WITHHELD: &str = "withheld";

/// What was said so far.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) place: Option<Place>,
    pub(super) attributes: Vec<KeyValue>,
    /// Why it did not go well, in a word.
    pub(super) fault: Option<String>,
    /// When it began, where that is not when it was made.
    pub(super) since: Option<SystemTime>,
    /// It ends now.
    pub(super) over: bool,
    /// It came to something.
    pub(super) something: bool,
    /// It is the case itself.
    pub(super) whole: bool,
}

impl Said {
    fn show(&mut self, field: &Field, value: Value) {
        let known = ATTRIBUTES.iter().find(|(name, _)| *name == field.name());
        let Some((_, shown)) = known else { return };
        match self.attributes.iter_mut().find(|one| one.key.as_str() == *shown) {
            Some(earlier) => earlier.value = value,
            None => self.attributes.push(KeyValue::new(*shown, value)),
        }
    }

    fn text(&mut self, field: &Field, text: &str) {
        match field.name() {
            "case" => self.place = Uuid::try_parse(text).ok().map(Place::Case),
            "traceparent" => self.place = Place::of_caller(text),
            "fault" => self.fault = Some(plain(text).to_owned()),
            _ => {}
        }
        self.show(field, Value::String(StringValue::from(plain(text).to_owned())));
    }
}

impl Visit for Said {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.show(field, Value::F64(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        if field.name() == "since_us" {
            let since = u64::try_from(value).unwrap_or_default();
            self.since = Some(SystemTime::UNIX_EPOCH + Duration::from_micros(since));
        }
        self.show(field, Value::I64(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.show(field, Value::I64(i64::try_from(value).unwrap_or(i64::MAX)));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        match field.name() {
            "over" => self.over = value,
            "said" => self.something = value,
            "whole" => self.whole = value,
            _ => self.show(field, Value::Bool(value)),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, &format!("{value:?}"));
    }
}

/// A text that has the letters of names and identifiers of ours; no other leaves the process. Nobody
/// writes one into a span: this is for the day on which somebody does.
fn plain(text: &str) -> &str {
    let fits = |one: char| one.is_ascii_alphanumeric() || " -_./:{}*".contains(one);
    if text.len() <= LONGEST && text.chars().all(fits) { text } else { WITHHELD }
}
