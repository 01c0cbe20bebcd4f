//! What becomes of a field: each strategy fits some types only.

use quietus_connectors::{FieldType, Strategy, Value};
use uuid::Uuid;

use crate::config::document::StrategyDocument;
use crate::config::document::system::type_name;
use crate::config::problem::{At, Place, Problem};
use crate::config::yaml::Content;

/// Makes a strategy for a field of this type, or reports why it does not fit.
pub fn compile(
    written: &At<StrategyDocument>,
    field_type: FieldType,
    problems: &mut Vec<Problem>,
) -> Option<Strategy> {
    let mut refuse = |place: &Place, message: String, help: &str| {
        problems.push(Problem::error(place, message).help(help));
    };
    let kind = type_name(field_type);
    let (name, fits, needs) = fitting(&written.value, field_type);
    if !fits {
        let message = format!("`{name}` does not fit a field of type `{kind}`");
        refuse(&written.place, message, needs);
        return None;
    }
    match &written.value {
        StrategyDocument::Null => Some(Strategy::Null),
        StrategyDocument::Month => Some(Strategy::TruncateToMonth),
        StrategyDocument::Year => Some(Strategy::TruncateToYear),
        StrategyDocument::Address => Some(Strategy::TruncateAddress),
        StrategyDocument::Redact(marker) => {
            Some(Strategy::Redact { marker: marker.value.0.clone() })
        }
        StrategyDocument::Unique(prefix) => {
            let text = &prefix.value.0;
            let plain = |one: char| one.is_ascii_alphanumeric() || matches!(one, '-' | '.');
            if text.len() >= 3 && text.len() <= 100 && text.chars().all(plain) {
                return Some(Strategy::Unique { prefix: text.clone() });
            }
            let message = format!("`{text}` is no prefix of a unique value");
            let help = "write 3 to 100 ASCII letters, digits, `-` or `.`, such as `erased-`";
            refuse(&prefix.place, message, help);
            None
        }
        StrategyDocument::Generalise(width) => {
            let number = i64::try_from(width.value.0).unwrap_or(i64::MAX);
            if number >= 2 {
                return Some(Strategy::Generalise { width: number });
            }
            let help = "write at least 2";
            refuse(&width.place, "a band of width 1 hides nothing".to_owned(), help);
            None
        }
        StrategyDocument::KeepPrefix(characters) => {
            let number = u32::try_from(characters.value.0).unwrap_or(u32::MAX);
            if number <= 32 {
                return Some(Strategy::KeepPrefix { characters: number });
            }
            let message = format!("{number} characters hide nothing");
            refuse(&characters.place, message, "write 1 to 32");
            None
        }
        StrategyDocument::Constant(constant) => {
            let value = value_of(&constant.value, field_type);
            if value.is_none() {
                let message = format!("this is no value of type `{kind}`");
                refuse(&constant.place, message, example(field_type));
            }
            value.map(Strategy::Constant)
        }
    }
}

/// The strategy's name, whether it fits the type, and what it needs.
fn fitting(strategy: &StrategyDocument, kind: FieldType) -> (&'static str, bool, &'static str) {
    let number = matches!(kind, FieldType::Integer | FieldType::Decimal | FieldType::Float);
    let moment = matches!(kind, FieldType::Timestamp | FieldType::Date);
    let text = kind == FieldType::Text;
    let moments = "it is for `date` and `timestamp` fields";
    let texts = "it is for `text` fields";
    match strategy {
        StrategyDocument::Null => ("null", true, ""),
        StrategyDocument::Constant(_) => (
            "constant",
            number || moment || text || matches!(kind, FieldType::Boolean | FieldType::Uuid),
            "such a field can only be cleared by `null`",
        ),
        StrategyDocument::Unique(_) => ("unique", text, texts),
        StrategyDocument::Redact(_) => ("redact", text, texts),
        StrategyDocument::KeepPrefix(_) => ("keep_prefix", text, texts),
        StrategyDocument::Month => ("month", moment, moments),
        StrategyDocument::Year => ("year", moment, moments),
        StrategyDocument::Address => {
            ("address", kind == FieldType::Address, "it is for `address` fields")
        }
        StrategyDocument::Generalise(_) => {
            ("generalise", number, "it is for `integer`, `decimal` and `float` fields")
        }
    }
}

/// A written constant as a value of the type.
pub fn value_of(content: &Content, field_type: FieldType) -> Option<Value> {
    match (content, field_type) {
        (Content::Boolean(value), FieldType::Boolean) => Some(Value::Boolean(*value)),
        (Content::Text(text) | Content::Number(text), FieldType::Text) => {
            Some(Value::Text(text.clone()))
        }
        (Content::Number(text), FieldType::Integer) => text.parse().ok().map(Value::Integer),
        (Content::Number(text), FieldType::Decimal | FieldType::Float) => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let plain = digits.bytes().all(|one| one.is_ascii_digit() || one == b'.');
            let number = plain && digits.parse::<f64>().is_ok();
            number.then(|| Value::Decimal(text.clone()))
        }
        (Content::Text(text), FieldType::Timestamp) => text.parse().ok().map(Value::Timestamp),
        (Content::Text(text), FieldType::Date) if text.len() == 10 => {
            text.parse().ok().map(Value::Date)
        }
        (Content::Text(text), FieldType::Uuid) => Uuid::try_parse(text).ok().map(Value::Uuid),
        _ => None,
    }
}

fn example(field_type: FieldType) -> &'static str {
    match field_type {
        FieldType::Boolean => "write `true` or `false`",
        FieldType::Integer => "write a whole number such as `0`",
        FieldType::Decimal | FieldType::Float => "write a number such as `0.00`",
        FieldType::Timestamp => "write a moment such as `1970-01-01T00:00:00Z`",
        FieldType::Date => "write a day such as `1970-01-01`",
        FieldType::Uuid => "write `00000000-0000-0000-0000-000000000000`",
        _ => "write a text",
    }
}
