//! Fields of a collection: what they belong to, what becomes of them, and starting points.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::system::SHORT_TYPE;
use crate::config::leaf::{CompareWord, Count, StoredWord, TypeWord, Words, Zone};
use crate::config::problem::{At, instead};
use crate::config::read::{List, Read, Reader, document};
use crate::config::yaml::{Content, Node};
use crate::domain::CategoryName;

document! {
    /// A field: its type, and the category it belongs to or why it is exempt. A key, a link field
    /// or a starting point needs neither: it goes with its record.
    pub struct FieldDocument {
        /// Its type.
        required field_type as "type": TypeWord,
        /// The data category that it belongs to.
        optional category: CategoryName,
        /// Why it is not erased before its record.
        optional exempt: Words,
        /// It identifies a person: `email`, `customer_id`, `msisdn`, …
        optional identity: Words,
        /// Whether capitals count where it is compared with what a person is known by: `exact`, or
        /// `ignore_case`, which wants an index on `lower(…)` or a collation that ends in `_ci`.
        optional compare: CompareWord,
        /// What becomes of it when its category is erased and the record stays; `null` if left
        /// out.
        optional clear: ClearDocument,
        /// What becomes of it when its category is anonymised.
        optional anonymise: AnonymiseDocument,
        /// How moments and days are kept; `native` if left out.
        optional stored: StoredWord,
        /// Time zone of moments without one; the system's if left out.
        optional zone: Zone,
    }
}

impl Read for FieldDocument {
    /// The short form is the category alone, of a text field.
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        if matches!(node.content, Content::Mapping(_)) {
            return Self::read_mapping(node, reader);
        }
        let place = reader.place(node);
        let category = CategoryName::read(node, reader);
        Some(Self {
            category: category.map(|value| At { value, place: place.clone() }),
            field_type: Some(At { value: SHORT_TYPE, place }),
            given: vec!["type".to_owned(), "category".to_owned()],
            ..Self::default()
        })
    }
}

impl JsonSchema for FieldDocument {
    fn schema_name() -> Cow<'static, str> {
        "FieldDocument".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut mapping = Self::mapping_schema(generator);
        let description = mapping.remove("description");
        let mut short = generator.subschema_for::<CategoryName>();
        short.insert("description".to_owned(), "The category of a text field.".into());
        json_schema!({ "description": description, "anyOf": [short, mapping] })
    }
}

/// What becomes of a field, as it is written.
#[derive(Debug, Clone)]
pub enum StrategyDocument {
    /// `null`
    Null,
    /// `{constant: …}`
    Constant(At<Content>),
    /// `{unique: prefix}`
    Unique(At<Words>),
    /// `{redact: marker}`
    Redact(At<Words>),
    /// `month`
    Month,
    /// `year`
    Year,
    /// `address`
    Address,
    /// `{generalise: 10}`
    Generalise(At<Count>),
    /// `{keep_prefix: 2}`
    KeepPrefix(At<Count>),
}

/// What `clear` may be.
#[derive(Debug, Clone)]
pub struct ClearDocument(pub StrategyDocument);

/// What `anonymise` may be.
#[derive(Debug, Clone)]
pub struct AnonymiseDocument(pub StrategyDocument);

/// The only entry of a mapping; anything else is reported.
fn only<'node>(
    node: &'node Node,
    reader: &mut Reader,
    known: &[&str],
) -> Option<(String, &'node Node, &'node Node)> {
    let keyed = reader.mapping(node, "one entry")?;
    reader.unknown_keys(&keyed, known);
    let mut fitting: Vec<_> =
        keyed.into_iter().filter(|(name, _, _)| known.contains(&name.as_str())).collect();
    if fitting.len() > 1 {
        let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
        reader.error(node, "only one thing can become of a field", one_of(&names));
        return None;
    }
    fitting.pop()
}

fn one_of(names: &[String]) -> String {
    format!("write one of {}", names.join(", "))
}

impl Read for ClearDocument {
    const TAKES_NULL: bool = true;

    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        match &node.content {
            Content::Null => return Some(Self(StrategyDocument::Null)),
            Content::Text(text) if text == "null" => return Some(Self(StrategyDocument::Null)),
            Content::Mapping(_) => {}
            _ => {
                let text = reader.text(node, "what becomes of the field")?;
                let help = "write `null`, `{constant: …}`, `{unique: …}` or `{redact: …}`";
                reader.error(node, format!("a field cannot be cleared by `{text}`"), help);
                return None;
            }
        }
        let (name, key, value) = only(node, reader, &["constant", "unique", "redact"])?;
        reader.under(&name, |reader| match name.as_str() {
            "constant" => match &value.content {
                Content::Text(_) | Content::Number(_) | Content::Boolean(_) => {
                    let place = reader.place(value);
                    let constant = At { value: value.content.clone(), place };
                    Some(Self(StrategyDocument::Constant(constant)))
                }
                other => {
                    let found = other.kind();
                    let message = format!("expected a constant, found {found}");
                    reader.error(key, message, "write a text, a number, `true` or `false`");
                    None
                }
            },
            "unique" => reader.value(key, value).map(|it| Self(StrategyDocument::Unique(it))),
            _ => reader.value(key, value).map(|it| Self(StrategyDocument::Redact(it))),
        })
    }
}

impl Read for AnonymiseDocument {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        if !matches!(node.content, Content::Mapping(_)) {
            let text = reader.text(node, "what becomes of the field")?;
            let strategy = match text.as_str() {
                "month" => StrategyDocument::Month,
                "year" => StrategyDocument::Year,
                "address" => StrategyDocument::Address,
                _ => {
                    let help = format!(
                        "{}; or write `{{generalise: 10}}`, `{{keep_prefix: 2}}` or `{{redact: …}}`",
                        instead(&text, ["month", "year", "address"])
                    );
                    reader.error(
                        node,
                        format!("a field cannot be made anonymous by `{text}`"),
                        help,
                    );
                    return None;
                }
            };
            return Some(Self(strategy));
        }
        let (name, key, value) = only(node, reader, &["generalise", "keep_prefix", "redact"])?;
        reader.under(&name, |reader| match name.as_str() {
            "generalise" => {
                reader.value(key, value).map(|it| Self(StrategyDocument::Generalise(it)))
            }
            "keep_prefix" => {
                reader.value(key, value).map(|it| Self(StrategyDocument::KeepPrefix(it)))
            }
            _ => reader.value(key, value).map(|it| Self(StrategyDocument::Redact(it))),
        })
    }
}

macro_rules! strategy_schema {
    ($name:ident, $schema:tt) => {
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

strategy_schema!(ClearDocument, {
    "anyOf": [
        { "enum": ["null", null] },
        {
            "type": "object", "additionalProperties": false, "required": ["constant"],
            "properties": { "constant": { "type": ["string", "number", "boolean"] } },
        },
        {
            "type": "object", "additionalProperties": false, "required": ["unique"],
            "properties": { "unique": { "type": "string", "pattern": "^[A-Za-z0-9.-]{3,}$" } },
        },
        {
            "type": "object", "additionalProperties": false, "required": ["redact"],
            "properties": { "redact": { "type": "string", "minLength": 1 } },
        },
    ]
});

strategy_schema!(AnonymiseDocument, {
    "anyOf": [
        { "enum": ["month", "year", "address"] },
        {
            "type": "object", "additionalProperties": false, "required": ["generalise"],
            "properties": { "generalise": { "type": "integer", "minimum": 2 } },
        },
        {
            "type": "object", "additionalProperties": false, "required": ["keep_prefix"],
            "properties": { "keep_prefix": { "type": "integer", "minimum": 1, "maximum": 32 } },
        },
        {
            "type": "object", "additionalProperties": false, "required": ["redact"],
            "properties": { "redact": { "type": "string", "minLength": 1 } },
        },
    ]
});

/// A field of the record or of a linked parent, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldPath {
    /// `created_at` or `customer.ended_at`.
    Dotted(String),
    /// `{link: customer, field: ended_at}`: the links and the field.
    Through(Vec<String>, String),
}

/// Where a starting point is read, as it is written.
#[derive(Debug, Clone)]
pub enum StartDocument {
    /// A field.
    Field(At<FieldPath>),
    /// The latest of several fields.
    Latest(Vec<At<FieldPath>>),
    /// A business event.
    Event {
        /// Its name.
        event: At<Words>,
        /// The field whose value it names.
        field: At<FieldPath>,
    },
}

document! {
    /// Where a starting point is read, in its long form.
    pub struct StartMapping {
        /// The field.
        optional field: Words,
        /// The link that leads to the parent whose field it is.
        optional link: Words,
        /// Several fields, of which the latest counts.
        optional latest: List<Words>,
        /// Name of the business event that somebody posts; `field` holds the key that it names.
        optional event: Words,
    }
}

fn dotted(words: &At<Words>) -> At<FieldPath> {
    At { value: FieldPath::Dotted(words.value.0.clone()), place: words.place.clone() }
}

impl Read for StartDocument {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        if !matches!(node.content, Content::Mapping(_)) {
            return reader.value(node, node).map(|words| Self::Field(dotted(&words)));
        }
        let mapping = StartMapping::read_mapping(node, reader)?;
        let field = mapping.field.as_ref().map(|field| match &mapping.link {
            Some(link) => {
                let via = link.value.0.split('.').map(str::to_owned).collect();
                let path = FieldPath::Through(via, field.value.0.clone());
                At { value: path, place: field.place.clone() }
            }
            None => dotted(field),
        });
        match (&mapping.latest, &mapping.event, field) {
            (Some(latest), None, None) if !mapping.gives("link") => {
                if latest.value.0.is_empty() {
                    reader.error(
                        node,
                        "the latest of no fields is no moment",
                        "name two fields or more",
                    );
                    return None;
                }
                Some(Self::Latest(latest.value.0.iter().map(dotted).collect()))
            }
            (None, Some(event), Some(field)) => Some(Self::Event { event: event.clone(), field }),
            (None, None, Some(field)) if !mapping.gives("event") => Some(Self::Field(field)),
            _ => {
                reader.error(
                    node,
                    "this names no starting point",
                    "write a field, `{link: …, field: …}`, `{latest: [a, b]}` or `{event: …, field: …}`",
                );
                None
            }
        }
    }
}

impl JsonSchema for StartDocument {
    fn schema_name() -> Cow<'static, str> {
        "StartDocument".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mapping = StartMapping::mapping_schema(generator);
        json_schema!({ "anyOf": [{ "type": "string" }, mapping] })
    }
}
