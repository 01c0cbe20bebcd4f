//! What the instance file says of later looks.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::config::later_looks::EraseAgain;
use crate::config::leaf::{Count, leaf, words};
use crate::config::problem::instead;
use crate::config::read::{Read, Reader, document, plain_document};
use crate::config::yaml::Node;
use crate::domain::RetentionPeriod;

document! {
    /// Later looks: whether data of persons who were erased or restricted are back, because an import
    /// has brought them for example.
    pub struct LaterLooksDocument {
        /// How long after one look at a person the next one follows, at least an hour; a week (`P7D`)
        /// if left out. `never` looks for nobody.
        optional every: Pace,
        /// How long after an erasure its person is looked for at least, and therefore known to this
        /// instance; `P30D` if left out, or as long as `every` where that is longer.
        optional lasting as "for": RetentionPeriod,
        /// What is erased again without asking: `what_is_old` (if left out) unless the person has
        /// something there with a starting point after the erasure, `everything`, or `nothing`.
        optional erase_again: EraseAgainWord,
        /// Of more persons than so many, found at once, nothing is erased again before somebody has
        /// decided; 1000 if left out.
        optional at_once: Count,
    }
}

plain_document!(LaterLooksDocument);

words! {
    /// What is erased again without asking.
    EraseAgainWord(EraseAgain) {
        "what_is_old" => EraseAgain::WhatIsOld, "everything" => EraseAgain::Everything,
        "nothing" => EraseAgain::Nothing,
    }
}

/// Time between two looks; `None` is never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace(pub Option<RetentionPeriod>);

leaf!(Pace, "Pace", { "type": "string", "examples": ["P7D", "PT12H", "never"] });

impl Read for Pace {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "a period such as `P7D`")?;
        if text == "never" {
            return Some(Self(None));
        }
        match RetentionPeriod::parse(&text) {
            Ok(period) => Some(Self(Some(period))),
            Err(error) => {
                let help = format!("{}; or write `never`", error.why);
                reader.error(node, format!("`{text}` is no time between two looks"), help);
                None
            }
        }
    }
}
