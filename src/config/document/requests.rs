//! What the instance file says of identities and of persons' requests.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::instance::Country;
use crate::config::leaf::{Day, leaf, words};
use crate::config::problem::instead;
use crate::config::read::{Entries, List, Read, Reader, document, plain_document};
use crate::config::yaml::{Content, Node};
use crate::domain::{Assurance, RetentionPeriod};

document! {
    /// An identity type: how its values are brought into one form.
    pub struct IdentityDocument {
        /// `trim`, `lower`, `email`, `phone` or `digits`; `email` for the type `email` and `trim`
        /// for every other if left out.
        optional normalise: NormaliseWord,
        /// For `phone`: where a number without a country is from; the controller's country if left
        /// out.
        optional country: Country,
        /// A person has one value of it: several mean that several persons are meant, and somebody
        /// has to ask. Yes for the key of a collection, no for every other if left out.
        optional one_per_person: YesNo,
    }
}

document! {
    /// How requests of persons are dealt with.
    pub struct RequestsDocument {
        /// The law whose deadlines count, such as `gdpr`, `uk`, `ccpa`; `gdpr` if left out.
        optional regime: Regime,
        /// How long a request can be cancelled before anything is done; not at all if left out.
        optional cooling_off: RetentionPeriod,
        /// When a request should be answered; after `P28D` if left out.
        optional internal_target: RetentionPeriod,
        /// When the controller promises to answer; `P30D` if left out. The earlier of promise and
        /// law counts.
        optional answers_within: RetentionPeriod,
        /// How often somebody's restriction is kept up: records of theirs that have appeared since
        /// are restricted too, until it is lifted; every day (`P1D`) if left out.
        optional restriction_upkeep: RetentionPeriod,
        /// How sure one has to be of who asks.
        optional assurance: AssuranceDocument,
        /// Days on which nobody works, beside Saturdays and Sundays: a list, or one list a country.
        optional holidays: Holidays,
    }
}

document! {
    /// How sure one has to be of who asks, for each right: `low`, `substantial` or `high`.
    pub struct AssuranceDocument {
        /// Erasure; `substantial` if left out.
        optional erase: AssuranceWord,
        /// Restriction; `low` if left out.
        optional restrict: AssuranceWord,
        /// The end of a restriction; `substantial` if left out.
        optional lift: AssuranceWord,
        /// Objection; `low` if left out.
        optional object: AssuranceWord,
        /// Access; `substantial` if left out.
        optional access: AssuranceWord,
        /// Rectification; `substantial` if left out.
        optional rectify: AssuranceWord,
        /// Portability; `substantial` if left out.
        optional portability: AssuranceWord,
    }
}

plain_document!(IdentityDocument, RequestsDocument, AssuranceDocument);

/// How values are brought into one form, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrittenForm {
    /// White space around goes.
    Trim,
    /// And capitals.
    Lower,
    /// E-mail addresses.
    Email,
    /// Telephone numbers.
    Phone,
    /// Digits alone.
    Digits,
}

words! {
    /// How values are brought into one form.
    NormaliseWord(WrittenForm) {
        "trim" => WrittenForm::Trim, "lower" => WrittenForm::Lower,
        "email" => WrittenForm::Email, "phone" => WrittenForm::Phone,
        "digits" => WrittenForm::Digits,
    }
    /// How sure one has to be.
    AssuranceWord(Assurance) {
        "low" => Assurance::Low, "substantial" => Assurance::Substantial,
        "high" => Assurance::High,
    }
}

/// `true` or `false`.
#[derive(Debug, Clone, Copy)]
pub struct YesNo(pub bool);

leaf!(YesNo, "YesNo", { "type": "boolean" });

impl Read for YesNo {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        if let Content::Boolean(value) = node.content {
            return Some(Self(value));
        }
        let found = node.content.kind();
        reader.error(node, format!("expected a boolean, found {found}"), "write `true` or `false`");
        None
    }
}

/// The law whose deadlines count.
#[derive(Debug, Clone)]
pub struct Regime(pub String);

leaf!(Regime, "Regime", {
    "type": "string",
    "pattern": "^[a-z][a-z0-9-]{0,39}$",
    "examples": ["gdpr", "uk", "ccpa", "pipl", "lgpd"],
});

impl Read for Regime {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "a law such as `gdpr`")?;
        let first = text.chars().next().is_some_and(|one| one.is_ascii_lowercase());
        let fits = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-';
        if first && text.chars().all(fits) && text.len() <= 40 {
            return Some(Self(text));
        }
        let help = "write its short name in small letters, such as `gdpr`, `uk` or `ccpa`";
        reader.error(node, format!("`{text}` is no law"), help);
        None
    }
}

/// Days on which nobody works, by country; the empty country is the controller's.
#[derive(Debug, Clone)]
pub struct Holidays(pub BTreeMap<String, BTreeSet<Date>>);

impl Read for Holidays {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let days = |list: List<Day>| list.0.into_iter().map(|day| day.value.0).collect();
        if let Content::List(_) = node.content {
            let list = List::<Day>::read(node, reader)?;
            return Some(Self(BTreeMap::from([(String::new(), days(list))])));
        }
        let entries = Entries::<List<Day>>::read(node, reader)?;
        let mut found = BTreeMap::new();
        for entry in entries.list {
            let name = entry.name.value;
            if name.len() == 2 && name.bytes().all(|one| one.is_ascii_uppercase()) {
                found.insert(name, days(entry.value.value));
            } else {
                reader.problems.push(
                    crate::config::problem::Problem::error(
                        &entry.name.place,
                        format!("`{name}` is no country"),
                    )
                    .help("write the two capital letters of ISO 3166, such as `DE`"),
                );
            }
        }
        Some(Self(found))
    }
}

impl JsonSchema for Holidays {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Holidays".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let days = generator.subschema_for::<List<Day>>();
        json_schema!({
            "anyOf": [days, { "type": "object", "additionalProperties": days }]
        })
    }
}
