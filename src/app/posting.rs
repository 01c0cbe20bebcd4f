//! What comes in as JSON: keys of events and scopes of holds, read with the types of the data
//! map. No message repeats a value, because values name people.

use std::collections::BTreeMap;

use jiff::Timestamp;
use quietus_connectors::{FieldType, Value};
use serde_json::Value as Json;
use uuid::Uuid;

use super::event::PostedEvent;
use super::explain::read_value;
use super::open_case::{CaseOpened, Opening};
use super::{Actor, AppError, Quietus};
use crate::domain::{CategoryName, CollectionName, HoldScope, NameError, SystemName};
use crate::store::{CaseCause, HoldKey, Recorded};

/// What a hold covers, as it comes in.
#[derive(Debug, Default)]
pub struct PostedScope {
    /// Only this system.
    pub system: Option<String>,
    /// Only this collection.
    pub collection: Option<String>,
    /// Only this category.
    pub category: Option<String>,
    /// Only the record with this key: values by field.
    pub record: Option<BTreeMap<String, Json>>,
    /// Only records of this person: an identity type and its value.
    pub subject: Option<(String, Json)>,
    /// Everything, in every system; then no other part may be given.
    pub everything: bool,
}

/// Reads the key of an event: a text, a whole number, or `{"type": …, "value": …}`.
///
/// # Errors
/// Where it is none of them.
pub fn event_key(json: &Json) -> Result<Value, AppError> {
    let wrong = || {
        AppError::Input(
            "the key of an event is a text, a whole number, or an object of exactly `type` (text, integer, decimal, date, timestamp or uuid) and `value`".to_owned(),
        )
    };
    match json {
        Json::String(text) => Ok(Value::Text(text.clone())),
        Json::Number(number) => number.as_i64().map(Value::Integer).ok_or_else(wrong),
        Json::Object(parts) if parts.len() == 2 => {
            let kind = parts.get("type").and_then(Json::as_str).and_then(key_type);
            let value = parts.get("value").and_then(scalar);
            let (Some(kind), Some(value)) = (kind, value) else { return Err(wrong()) };
            read_value(&value, kind).ok_or_else(wrong)
        }
        _ => Err(wrong()),
    }
}

fn key_type(word: &str) -> Option<FieldType> {
    match word {
        "text" => Some(FieldType::Text),
        "integer" => Some(FieldType::Integer),
        "decimal" => Some(FieldType::Decimal),
        "date" => Some(FieldType::Date),
        "timestamp" => Some(FieldType::Timestamp),
        "uuid" => Some(FieldType::Uuid),
        _ => None,
    }
}

/// A single value as people would type it.
fn scalar(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(truth) => Some(truth.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

impl Quietus {
    /// Records a posted event; `false` where it was on record already.
    ///
    /// # Errors
    /// As [`Quietus::post_event`].
    pub async fn record_posted(&self, event: PostedEvent) -> Result<bool, AppError> {
        Ok(self.post_event(event).await? == Recorded::New)
    }

    /// Releases a hold by its identifier, or all of a matter; how many.
    ///
    /// # Errors
    /// Where none is in force under that name.
    pub async fn release_named(&self, name: &str, actor: &Actor) -> Result<u64, AppError> {
        let key =
            Uuid::try_parse(name).map_or_else(|_| HoldKey::Matter(name.to_owned()), HoldKey::Id);
        self.release_hold(key, actor).await
    }

    /// Opens a case on a person's command, for what is due now or was due at an earlier moment.
    ///
    /// # Errors
    /// Where a schedule does not exist or the moment lies in the future.
    pub async fn open_case_now(
        &self,
        schedules: &[String],
        as_of: Option<Timestamp>,
        actor: Actor,
    ) -> Result<CaseOpened, AppError> {
        let acting = self.acting(schedules)?;
        self.open_case(Opening {
            cause: CaseCause::Command,
            actor,
            moment: as_of.unwrap_or_else(|| self.now()),
            acting: &acting,
            occurrence: None,
        })
        .await
    }

    /// Reads the scope of a hold.
    ///
    /// # Errors
    /// Where a name is not in the data map, a value does not fit its field, or nothing is given.
    pub fn hold_scope(&self, posted: &PostedScope) -> Result<HoldScope, AppError> {
        let scope = HoldScope {
            system: name(posted.system.as_deref(), SystemName::parse)?,
            collection: name(posted.collection.as_deref(), CollectionName::parse)?,
            category: name(posted.category.as_deref(), CategoryName::parse)?,
            record: posted.record.as_ref().map(|key| self.record_key(posted, key)).transpose()?,
            subject: posted
                .subject
                .as_ref()
                .map(|(identity, value)| {
                    Ok::<_, AppError>((identity.clone(), self.identity_value(identity, value)?))
                })
                .transpose()?,
        };
        match (scope == HoldScope::default(), posted.everything) {
            (true, true) | (false, false) => Ok(scope),
            (true, false) => Err(AppError::Input(
                "say what the hold covers, or `\"everything\": true` for all data of every system"
                    .to_owned(),
            )),
            (false, true) => Err(AppError::Input(
                "`everything` covers every system: leave the other parts of the scope out"
                    .to_owned(),
            )),
        }
    }

    fn record_key(
        &self,
        posted: &PostedScope,
        key: &BTreeMap<String, Json>,
    ) -> Result<BTreeMap<String, Value>, AppError> {
        let (Some(system), Some(collection)) = (&posted.system, &posted.collection) else {
            return Err(AppError::Input(
                "a hold on one record needs its system and its collection".to_owned(),
            ));
        };
        let system = self.system(system)?.name.clone();
        let mapped = self.collection(&system, collection)?;
        if key.len() != mapped.key.len() || !mapped.key.iter().all(|name| key.contains_key(name)) {
            return Err(AppError::Input(format!(
                "the key of `{system}.{}` is ({})",
                mapped.name,
                mapped.key.join(", ")
            )));
        }
        let mut record = BTreeMap::new();
        for name in &mapped.key {
            let unfit = || AppError::Input(format!("the value of `{name}` does not fit its type"));
            let field = mapped.fields.get(name).ok_or_else(unfit)?;
            let text = key.get(name).and_then(scalar).ok_or_else(unfit)?;
            let value = read_value(&text, field.field_type).ok_or_else(unfit)?;
            record.insert(name.clone(), value);
        }
        Ok(record)
    }

    /// Whom a hold names, as it was typed: the types of fields differ from system to system, and
    /// which spellings stand for the person is found when the hold is read.
    fn identity_value(&self, identity: &str, value: &Json) -> Result<Value, AppError> {
        if self.types_of_identity(identity).is_empty() {
            return Err(AppError::Input(
                "no field of the data map has the identity type of the subject".to_owned(),
            ));
        }
        scalar(value).map(Value::Text).ok_or_else(|| {
            AppError::Input("the value of the subject is a text or a whole number".to_owned())
        })
    }
}

fn name<T>(
    text: Option<&str>,
    parse: impl Fn(&str) -> Result<T, NameError>,
) -> Result<Option<T>, AppError> {
    text.map(parse).transpose().map_err(|_| {
        AppError::Input("a name of the scope has letters that names do not have".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_of_events_come_in_three_spellings() {
        let read = |json: Json| event_key(&json).ok();
        assert_eq!(read(json!("4711")), Some(Value::Text("4711".to_owned())));
        assert_eq!(read(json!(4711)), Some(Value::Integer(4711)));
        assert_eq!(read(json!({"type": "integer", "value": "4711"})), Some(Value::Integer(4711)));
        assert_eq!(
            read(json!({"type": "date", "value": "2026-01-31"})),
            "2026-01-31".parse().ok().map(Value::Date)
        );
    }

    #[test]
    fn other_keys_are_refused_without_repeating_them() {
        for wrong in [
            json!(null),
            json!(true),
            json!(1.5),
            json!(["anna@example.org"]),
            json!({"type": "text"}),
            json!({"type": "secret", "value": "anna@example.org"}),
            json!({"type": "integer", "value": "anna@example.org"}),
            json!({"type": "text", "value": "a", "more": 1}),
            json!({"type": "text", "value": {"a": 1}}),
        ] {
            let error = event_key(&wrong).unwrap_err().to_string();
            assert!(!error.contains("anna"), "{error}");
        }
    }
}
