//! Every type of key: chunks by key order, lists of keys, and inspection by key.

use quietus_connectors::{FieldType, Record, Value};
use uuid::Uuid;

use crate::drafting::{
    CUTOFF, Draft, day, deleted, done_as_previewed, draft, due, field, forget, list, listed,
    moment, order, text,
};
use crate::fixture::{Fixture, Kind};

/// One field of a key: its column, how the map declares it, and the value of record `n`.
struct Part {
    column: &'static str,
    mapped: &'static str,
    value: fn(u32) -> Value,
}

const fn part(column: &'static str, mapped: &'static str, value: fn(u32) -> Value) -> Part {
    Part { column, mapped, value }
}

fn integer(number: u32) -> Value {
    // Negative ones too, and some beyond 32 bits where the sign allows it.
    Value::Integer((i64::from(number) - 20) * 10_000_000_000)
}

fn small_integer(number: u32) -> Value {
    Value::Integer(i64::from(number) * 3)
}

fn uuid(number: u32) -> Value {
    let mixed = u128::from(number.wrapping_mul(2_654_435_761)) << 96;
    Value::Uuid(Uuid::from_u128(mixed | 0x4000_8000_0000_0000_0000_u128 | u128::from(number)))
}

/// Awkward text: cases, accents, quotes, blanks in the middle, all of them different.
fn words(number: u32) -> Value {
    let forms = ["a", "b c", "Zed", "änne", "o'neil", "x\"y", "ß", "日本", "back\\slash", "%_"];
    text(&format!("{}{number}", forms[number as usize % forms.len()]))
}

fn bytes(number: u32) -> Value {
    let [first, second, third, fourth] = number.wrapping_mul(2_654_435_761).to_be_bytes();
    Value::Binary(vec![first, 0, second, 255, third, b'\'', fourth, b'\\'])
}

fn decimal(number: u32) -> Value {
    Value::Decimal(format!("{}.{:02}", number / 3, number % 100))
}

fn calendar_day(number: u32) -> Value {
    let first = day("2020-02-20");
    Value::Date(first.checked_add(jiff::Span::new().days(number)).expect("within the calendar"))
}

fn instant(number: u32) -> Value {
    let first = moment("2020-02-20T20:20:20.000001Z");
    let later = jiff::SignedDuration::from_micros(i64::from(number) * 1_234_567);
    Value::Timestamp(first.checked_add(later).expect("within the calendar"))
}

fn literal(kind: Kind, column: &str, value: &Value) -> String {
    let digits = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>();
    let hex = |bytes: &[u8]| digits(bytes).concat();
    let in_bytes = ["binary(16)", "blob", "bytea"].contains(&column);
    match value {
        Value::Integer(one) => one.to_string(),
        Value::Decimal(one) => one.clone(),
        Value::Text(one) if kind == Kind::Mariadb => {
            format!("'{}'", one.replace('\\', "\\\\").replace('\'', "''"))
        }
        Value::Text(one) => format!("'{}'", one.replace('\'', "''")),
        Value::Uuid(one) if in_bytes => format!("x'{}'", hex(one.as_bytes())),
        Value::Uuid(one) => format!("'{one}'"),
        Value::Binary(one) if kind == Kind::Postgresql => format!("'\\x{}'", hex(one)),
        Value::Binary(one) => format!("x'{}'", hex(one)),
        Value::Date(one) => format!("'{one}'"),
        Value::Timestamp(one) => kind.moment(&one.to_string()),
        other => panic!("no literal for {other:?}"),
    }
}

/// Forty records; the even ones are due, two of them held by key, in chunks of seven.
async fn sweep(fixture: &Fixture, parts: &[Part]) {
    let names: Vec<String> = (0..parts.len()).map(|at| format!("k{at}")).collect();
    let columns: Vec<String> = names
        .iter()
        .zip(parts)
        .map(|(name, part)| format!("{name} {} NOT NULL", part.column))
        .collect();
    let (columns, key) = (columns.join(", "), names.join(", "));
    fixture
        .sql(&format!(
            "CREATE TABLE things ({columns}, number {{bigint}}, left_at {{moment}},
                PRIMARY KEY ({key}))"
        ))
        .await;
    for number in 1..=40_u32 {
        let values: Vec<String> = parts
            .iter()
            .map(|part| literal(fixture.kind, part.column, &(part.value)(number)))
            .collect();
        let at = if number % 2 == 0 { "2025-06-01T00:00:00Z" } else { "2026-06-01T00:00:00Z" };
        let (values, at) = (values.join(", "), fixture.kind.moment(at));
        fixture.verbatim(&format!("INSERT INTO things VALUES ({values}, {number}, {at})")).await;
    }
    let order = things_order(fixture, parts, &names);
    let connector = fixture.connector();
    let outcome = done_as_previewed(&*connector, &order).await;
    assert_eq!(deleted(&outcome, "things"), 18, "key {key} of {columns}");
    let left = fixture.column("SELECT number FROM things ORDER BY number").await;
    let expected = (1..=40).filter(|number| number % 2 == 1 || [10, 12].contains(number));
    assert_eq!(left, expected.map(|number: u32| number.to_string()).collect::<Vec<_>>());

    for (number, there) in [(10, true), (11, true), (14, false)] {
        let key: Record =
            names.iter().cloned().zip(parts.iter().map(|part| (part.value)(number))).collect();
        let fields = [field("number"), field("k0")];
        let found = connector.inspect(&order, "things", &key, &fields).await.expect("an answer");
        assert_eq!(found.is_some(), there, "record {number} by its key ({columns})");
        if let Some(record) = found {
            assert_eq!(record["number"], Value::Integer(i64::from(number)));
            assert!(record["k0"] == (parts[0].value)(number), "the key comes back ({columns})");
        }
    }
    forget(&*connector, &order).await;
    fixture.sql("DROP TABLE things").await;
}

fn things_order(fixture: &Fixture, parts: &[Part], names: &[String]) -> quietus_connectors::Order {
    let fields: Vec<String> =
        names.iter().zip(parts).map(|(name, part)| format!("{name} {}", part.mapped)).collect();
    let text = format!("things: {}, number integer, left_at timestamp", fields.join(", "));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let things: Draft =
        draft(fixture, &text).key(&names).delete(due("left_at", CUTOFF)).held(listed(&names, 0));
    let mut order = order("keys", [things]);
    let types: Vec<FieldType> = parts
        .iter()
        .map(|part| serde_json::from_value(part.mapped.into()).expect("a type"))
        .collect();
    let entries =
        [10, 12, 13].map(|number| parts.iter().map(|part| (part.value)(number)).collect());
    order.lists = vec![list(&types, entries.into())];
    order
}

pub async fn keys_of_whole_numbers(fixture: &Fixture) {
    sweep(fixture, &[part("{bigint}", "integer", integer)]).await;
    sweep(fixture, &[part("integer", "integer", small_integer)]).await;
    sweep(fixture, &[part("smallint", "integer", small_integer)]).await;
    if fixture.kind == Kind::Mariadb {
        sweep(fixture, &[part("bigint unsigned", "integer", small_integer)]).await;
        sweep(fixture, &[part("int unsigned", "integer", small_integer)]).await;
    }
}

pub async fn keys_of_text(fixture: &Fixture) {
    sweep(fixture, &[part("{text}", "text", words)]).await;
    match fixture.kind {
        Kind::Postgresql => {
            sweep(fixture, &[part("varchar(40) COLLATE \"C\"", "text", words)]).await;
            sweep(fixture, &[part("text COLLATE \"de-x-icu\"", "text", words)]).await;
        }
        Kind::Mariadb => {
            sweep(fixture, &[part("varchar(40) COLLATE utf8mb4_bin", "text", words)]).await;
            sweep(fixture, &[part("varchar(40) COLLATE utf8mb4_unicode_ci", "text", words)]).await;
        }
        Kind::Sqlite => {
            sweep(fixture, &[part("varchar(40) COLLATE NOCASE", "text", words)]).await;
        }
    }
}

pub async fn keys_of_uuids(fixture: &Fixture) {
    sweep(fixture, &[part("{uuid}", "uuid", uuid)]).await;
    match fixture.kind {
        Kind::Postgresql => sweep(fixture, &[part("text", "uuid", uuid)]).await,
        Kind::Mariadb => {
            sweep(fixture, &[part("char(36)", "uuid", uuid)]).await;
            sweep(fixture, &[part("binary(16)", "uuid", uuid)]).await;
        }
        Kind::Sqlite => sweep(fixture, &[part("blob", "uuid", uuid)]).await,
    }
}

pub async fn keys_of_bytes(fixture: &Fixture) {
    sweep(fixture, &[part("{bytes}", "binary", bytes)]).await;
}

pub async fn keys_of_days_moments_and_decimals(fixture: &Fixture) {
    sweep(fixture, &[part("{day}", "date", calendar_day)]).await;
    sweep(fixture, &[part("{moment}", "timestamp", instant)]).await;
    if fixture.kind != Kind::Sqlite {
        sweep(fixture, &[part("{decimal}", "decimal", decimal)]).await;
    }
}

pub async fn keys_of_several_fields(fixture: &Fixture) {
    // The first field has few values, so that chunks end in the middle of one.
    let few = part("{bigint}", "integer", |number| Value::Integer(i64::from(number % 3)));
    sweep(fixture, &[few, part("{text}", "text", words)]).await;
    let few = part("{text}", "text", |number| text(["x", "y", "Z"][number as usize % 3]));
    sweep(fixture, &[few, part("{uuid}", "uuid", uuid)]).await;
    let few = part("{day}", "date", |number| calendar_day(number % 2));
    let other = part("{bytes}", "binary", |number| bytes(number % 4));
    sweep(fixture, &[few, other, part("{bigint}", "integer", integer)]).await;
    sweep(fixture, &[part("{uuid}", "uuid", uuid), part("{moment}", "timestamp", instant)]).await;
}
