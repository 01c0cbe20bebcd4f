//! Explaining one record: what keeps each of its fields and when each goes. Changes nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use quietus_connectors::{FieldType, Record, Value};

use super::circumstances::Basis;
use super::{AppError, Quietus};
use crate::datamap::Collection;
use crate::domain::CollectionName;
use crate::plan::{Acting, Explanation, compile, explain, fields_needed};

impl Quietus {
    /// Explains a record as of a moment; `None` where the system has no such record.
    ///
    /// # Errors
    /// Where names or key do not fit the data map, or the system does not answer.
    pub async fn explain_record(
        &self,
        system: &str,
        collection: &str,
        key: &Record,
        moment: Timestamp,
    ) -> Result<Option<Explanation>, AppError> {
        let system = self.system(system)?;
        let name = self.collection(&system.name, collection)?.name.clone();
        let basis = Basis {
            map: &self.map,
            rules: &self.rules,
            limits: &self.rules.limits,
            moment,
            zone: &self.zone,
            told_until: None,
            acting: &Acting::Everything,
        };
        let circumstances = self.circumstances(basis).await?;
        let input = circumstances.input(basis);
        let input_error = |error: crate::plan::PlanError| AppError::Input(error.to_string());
        let plan = compile(&input, &system.name).map_err(input_error)?;
        let order = plan.order("explain", 1).map_err(input_error)?;
        let fields = fields_needed(&input, &system.name, &name).map_err(input_error)?;
        let connector = self.connect(system)?;
        let record = connector
            .inspect(&order, name.as_str(), key, &fields)
            .await
            .map_err(|fault| AppError::System { system: system.name.to_string(), fault })?;
        let Some(record) = record else { return Ok(None) };
        explain(&input, &system.name, &name, &record).map(Some).map_err(input_error)
    }

    /// The collection of a system.
    ///
    /// # Errors
    /// Where there is none of this name.
    pub fn collection(
        &self,
        system: &crate::domain::SystemName,
        name: &str,
    ) -> Result<&Collection, AppError> {
        let collections = &self.map.systems[system].collections;
        let found = CollectionName::parse(name).ok().and_then(|name| collections.get(&name));
        found.ok_or_else(|| {
            let known: Vec<String> = collections.keys().map(|one| format!("`{one}`")).collect();
            AppError::Input(format!(
                "`{system}` has no collection `{name}`; it has {}",
                known.join(", ")
            ))
        })
    }

    /// Reads a record's key as people type it: one value, or `field=value,field=value`.
    ///
    /// # Errors
    /// Where fields or values do not fit the collection's key.
    pub fn read_key(&self, collection: &Collection, text: &str) -> Result<Record, AppError> {
        let shape = || {
            let example: Vec<String> =
                collection.key.iter().map(|field| format!("{field}=…")).collect();
            AppError::Input(format!(
                "the key of `{}` is ({}): write `{}`",
                collection.name,
                collection.key.join(", "),
                example.join(",")
            ))
        };
        let mut given: BTreeMap<&str, &str> = BTreeMap::new();
        match collection.key.as_slice() {
            [only] if !text.starts_with(&format!("{only}=")) => {
                given.insert(only.as_str(), text);
            }
            _ => {
                for part in text.split(',') {
                    let (field, value) = part.split_once('=').ok_or_else(shape)?;
                    given.insert(field.trim(), value.trim());
                }
            }
        }
        if given.len() != collection.key.len() {
            return Err(shape());
        }
        collection
            .key
            .iter()
            .map(|name| {
                let text = given.get(name.as_str()).ok_or_else(shape)?;
                let field = collection.fields.get(name).ok_or_else(shape)?;
                let value = read_value(text, field.field_type).ok_or_else(|| {
                    AppError::Input(format!("the value of `{name}` does not fit its type"))
                })?;
                Ok((name.clone(), value))
            })
            .collect()
    }
}

/// Reads a value of a type as people type it; `None` where it does not fit.
pub fn read_value(text: &str, field_type: FieldType) -> Option<Value> {
    match field_type {
        FieldType::Integer => text.parse().ok().map(Value::Integer),
        FieldType::Decimal | FieldType::Float => {
            text.parse::<f64>().ok().map(|_| Value::Decimal(text.to_owned()))
        }
        FieldType::Boolean => text.parse().ok().map(Value::Boolean),
        FieldType::Timestamp => text.parse().ok().map(Value::Timestamp),
        FieldType::Date => text.parse().ok().map(Value::Date),
        FieldType::Uuid => text.parse().ok().map(Value::Uuid),
        FieldType::Binary => hex::decode(text).ok().map(Value::Binary),
        FieldType::Text | FieldType::Address | FieldType::Json | FieldType::Other => {
            Some(Value::Text(text.to_owned()))
        }
    }
}
