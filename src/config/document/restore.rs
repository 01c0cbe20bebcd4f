//! What a system's file and the instance file say of restores.

use std::borrow::Cow;

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::config::leaf::{Words, leaf, words};
use crate::config::problem::instead;
use crate::config::read::{List, Read, Reader, document, plain_document};
use crate::config::yaml::Node;
use crate::datamap::RestoredOpens;

document! {
    /// What is done once the system was put back to an earlier state, from a backup for example.
    pub struct RestoreDocument {
        /// Accounts of applications, which are kept out of the database until it is opened: roles
        /// in PostgreSQL, `name` or `name@host` in MariaDB and MySQL.
        optional keep_out: List<Words>,
        /// A program with its arguments, started in the instance's folder with two more: `begin` or
        /// `open`, and the name of the system.
        optional hook: List<Words>,
        /// Who opens it once everything is done again: `by_a_person` (if left out), or
        /// `by_itself`.
        optional open: OpensWord,
    }
}

document! {
    /// How systems are watched for restores that nobody told of.
    pub struct RestoresDocument {
        /// How often each system is looked at, such as `PT5M` (if left out); `never` writes no row
        /// into any system.
        optional watch: Watch,
    }
}

plain_document!(RestoreDocument, RestoresDocument);

words! {
    /// Who opens a restored system.
    OpensWord(RestoredOpens) {
        "by_a_person" => RestoredOpens::ByAPerson, "by_itself" => RestoredOpens::ByItself,
    }
}

/// How often systems are watched; `None` is never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch(pub Option<SignedDuration>);

leaf!(Watch, "Watch", { "type": "string", "examples": ["PT5M", "never"] });

impl Read for Watch {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "a time such as `PT5M`")?;
        if text == "never" {
            return Some(Self(None));
        }
        let time = text.parse::<SignedDuration>().ok().filter(|time| {
            (SignedDuration::from_secs(1)..=SignedDuration::from_hours(24)).contains(time)
        });
        if time.is_none() {
            let help =
                "write minutes or hours, such as `PT5M` or `PT1H`, at most a day; or `never`";
            reader.error(node, format!("`{text}` is no time to look again after"), help);
        }
        time.map(|time| Self(Some(time)))
    }
}
