//! One record's values, for the product's own eyes: reading only.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use crate::order::{MappedField, Order, RecordKey};
use crate::predicate::{Comparison, FieldRef, Predicate};
use crate::receipt::Fault;
use crate::sql::SqlConnector;
use crate::sql::catalogue::Catalogue;
use crate::sql::compile::{Compiler, Place};
use crate::sql::dialect::Dialect;
use crate::sql::faults::misconfigured;
use crate::sql::fragment::{Cell, Fragment};
use crate::sql::scene::Scene;
use crate::sql::unknown_moments::{BEFORE_ALL, NO_MOMENT};
use crate::value::{FieldType, Record, Stored, Value};

/// Reads one record.
pub(crate) async fn inspect(
    connector: &SqlConnector,
    order: &Order,
    collection: &str,
    key: &RecordKey,
    fields: &[FieldRef],
) -> Result<Option<Record>, Fault> {
    let mut session = connector.target.open(&order.pace).await?;
    let scene = Scene::new(session.dialect(), order, Catalogue::read(&mut session).await?);
    let (mapped, statement) = statement(&scene, collection, key, fields)?;
    let rows = session.fetch(&statement).await?;
    session.close().await;
    let Some(row) = rows.first() else { return Ok(None) };
    let mut record = Record::new();
    for ((name, mapped, bytes), cell) in mapped.iter().zip(row) {
        record.insert(name.clone(), value(mapped, *bytes, cell)?);
    }
    Ok(Some(record))
}

type Columns = Vec<(String, MappedField, bool)>;

fn statement(
    scene: &Scene<'_>,
    collection: &str,
    key: &RecordKey,
    fields: &[FieldRef],
) -> Result<(Columns, Fragment), Fault> {
    let position = scene
        .instruction_of(collection)
        .ok_or_else(|| misconfigured(format!("the order has no collection `{collection}`")))?;
    if key.is_empty() {
        return Err(misconfigured(format!("the key of `{collection}` is empty")));
    }
    let compiler = Compiler::new(scene);
    let (from, place) = compiler.main(scene.table_of(position)?, Some(position))?;
    let mut columns = Columns::new();
    let mut selected = Vec::new();
    for field in fields {
        let mut name = field.via.join(".");
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(&field.field);
        let (text, mapped, bytes) = read(&compiler, &place, &field.via, &field.field)?;
        selected.push(text);
        columns.push((name, mapped, bytes));
    }
    if selected.is_empty() {
        selected.push("1".to_owned());
    }
    let mut conditions = Vec::new();
    for (field, value) in key {
        let equal = Predicate::Compare {
            field: FieldRef::own(field.as_str()),
            comparison: Comparison::Equal,
            value: value.clone(),
        };
        conditions.push(compiler.holds(&place, &equal)?);
    }
    let statement = Fragment::all(conditions)
        .within(&format!("SELECT {} FROM {from} WHERE ", selected.join(", ")), " LIMIT 1");
    Ok((columns, statement))
}

/// A field, through links where there are any, as text or bytes.
pub(super) fn read(
    compiler: &Compiler<'_, '_>,
    place: &Place,
    via: &[String],
    field: &str,
) -> Result<(String, MappedField, bool), Fault> {
    let Some((first, rest)) = via.split_first() else {
        return compiler.operand(place, field, |operand| {
            let bytes = operand.column.class == FieldType::Binary;
            let text = match (operand.dialect, bytes) {
                (Dialect::Postgres, false) => format!("CAST({} AS text)", operand.name),
                (Dialect::MariaDb, false) => {
                    format!("CAST({} AS CHAR)", operand.readable())
                }
                _ => operand.name.clone(),
            };
            Ok((text, operand.mapped.clone(), bytes))
        });
    };
    let instruction = place
        .instruction
        .ok_or_else(|| misconfigured(format!("link `{first}` is not in the order")))?;
    let (link, to) = compiler.scene.link(instruction, first)?;
    let (from, parent) = compiler.inner(compiler.scene.table_of(to)?, Some(to))?;
    let mut conditions = Vec::new();
    for (own, other) in &link.fields {
        conditions.push(format!(
            "{} = {}",
            compiler.column(&parent, other)?,
            compiler.column(place, own)?
        ));
    }
    let (text, mapped, bytes) = read(compiler, &parent, rest, field)?;
    let text = format!("(SELECT {text} FROM {from} WHERE {} LIMIT 1)", conditions.join(" AND "));
    Ok((text, mapped, bytes))
}

/// A cell as the data map declares its field.
pub(super) fn value(mapped: &MappedField, bytes: bool, cell: &Cell) -> Result<Value, Fault> {
    if *cell == Cell::Null {
        return Ok(Value::Null);
    }
    if let (true, Cell::Bytes(content)) = (bytes, cell) {
        if mapped.field_type == FieldType::Uuid
            && let Ok(uuid) = uuid::Uuid::from_slice(content)
        {
            return Ok(Value::Uuid(uuid));
        }
        return Ok(Value::Binary(content.clone()));
    }
    let text = cell.text();
    let unreadable = || {
        misconfigured(format!(
            "a value of field `{}` cannot be read as what the data map declares: mend its type, `stored` or zone",
            mapped.name
        ))
    };
    if says_none(mapped, &text) {
        return Ok(Value::Null);
    }
    match mapped.field_type {
        FieldType::Integer => text.parse().map(Value::Integer).map_err(|_| unreadable()),
        FieldType::Decimal | FieldType::Float => Ok(Value::Decimal(text)),
        FieldType::Boolean => match text.as_str() {
            "true" | "t" | "1" => Ok(Value::Boolean(true)),
            "false" | "f" | "0" => Ok(Value::Boolean(false)),
            _ => Err(unreadable()),
        },
        FieldType::Timestamp => moment(mapped, &text).map(Value::Timestamp).ok_or_else(unreadable),
        FieldType::Date => day(mapped, &text).map(Value::Date).ok_or_else(unreadable),
        FieldType::Uuid => text.parse().map(Value::Uuid).map_err(|_| unreadable()),
        _ => Ok(Value::Text(text)),
    }
}

/// What is written for "no moment", as in statements.
fn says_none(mapped: &MappedField, text: &str) -> bool {
    if !matches!(mapped.field_type, FieldType::Timestamp | FieldType::Date) {
        return false;
    }
    if mapped.stored == Stored::Native {
        return text == BEFORE_ALL;
    }
    let whole = text.split_once('.').map_or(text, |(whole, rest)| {
        if rest.bytes().all(|digit| digit == b'0') { whole } else { text }
    });
    NO_MOMENT.iter().any(|none| none.to_string() == whole)
}

fn moment(mapped: &MappedField, text: &str) -> Option<Timestamp> {
    match mapped.stored {
        Stored::EpochSeconds => {
            Timestamp::from_second(text.parse::<f64>().ok()?.floor().to_string().parse().ok()?).ok()
        }
        Stored::EpochMilliseconds => {
            Timestamp::from_millisecond(text.parse::<f64>().ok()?.floor().to_string().parse().ok()?)
                .ok()
        }
        Stored::EpochMicroseconds => {
            Timestamp::from_microsecond(text.parse::<f64>().ok()?.floor().to_string().parse().ok()?)
                .ok()
        }
        Stored::Native => {
            if let Ok(moment) = text.replacen(' ', "T", 1).parse::<Timestamp>() {
                return Some(moment);
            }
            let local: DateTime = text.replacen(' ', "T", 1).parse().ok()?;
            let zone = TimeZone::get(&mapped.zone).ok()?;
            // Of an hour that comes twice the later reading, so that nothing seems older than it is.
            zone.to_ambiguous_timestamp(local).later().ok()
        }
    }
}

fn day(mapped: &MappedField, text: &str) -> Option<Date> {
    if mapped.stored == Stored::Native {
        return text.get(..10)?.parse().ok();
    }
    // A day that does not begin at midnight in UTC counts as the next one, as it does where a number is
    // compared with the beginning of a day: nothing seems older than it is.
    let local = TimeZone::UTC.to_datetime(moment(mapped, text)?);
    if local.time() == Time::midnight() { Some(local.date()) } else { local.date().tomorrow().ok() }
}
