//! What a system's file says of drills: what is planted there.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::config::problem::instead;
use crate::config::read::{Entries, List, Read, Reader, document, plain_document};
use crate::config::yaml::{Content, Node};
use crate::datamap::drill::{PLACES, Template};
use crate::domain::CollectionName;

document! {
    /// What a drill plants in this system: records of a person who was invented.
    pub struct DrillDocument {
        /// Records, parents before their children.
        required plant: List<PlantDocument>,
    }
}

document! {
    /// A record that a drill plants.
    pub struct PlantDocument {
        /// Its collection.
        required collection: CollectionName,
        /// What its fields hold: text with the places `{email}`, `{tag}`, `{uuid}`, `{number}`,
        /// `{phone}` (each of this drill alone), `{now}` and `{collection.field}` (of an earlier
        /// record), a number, true, false or null. What is left out is left to the system.
        required values: Entries<TemplateWord>,
    }
}

plain_document!(DrillDocument, PlantDocument);

/// What a field of a planted record holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateWord(pub Template);

impl Read for TemplateWord {
    const TAKES_NULL: bool = true;

    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = match &node.content {
            Content::Null => return Some(Self(Template::Null)),
            Content::Boolean(truth) => return Some(Self(Template::Boolean(*truth))),
            Content::Text(text) if text.is_empty() => String::new(),
            _ => reader.text(node, "a value")?,
        };
        match Template::parse(&text) {
            Ok(template) => Some(Self(template)),
            Err(word) => {
                let help = format!(
                    "{}; or `{{collection.field}}` for what an earlier record holds",
                    instead(&word, PLACES.iter().copied())
                );
                reader.error(node, format!("nothing is planted for `{{{word}}}`"), help);
                None
            }
        }
    }
}

impl JsonSchema for TemplateWord {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "number", "boolean", "null"],
            "examples": ["{email}", "Drill {tag}", "{now}", "{customers.id}"],
        })
    }
}
