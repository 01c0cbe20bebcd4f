//! A system's file of the data map.

use crate::config::leaf::{
    Count, ExpireWord, LinkWord, ManifestWord, PartitionWord, Reference, RoleWord, TypeWord, Words,
    Zone,
};
use crate::config::read::{Entries, List, Read, Reader, document, plain_document};
use crate::config::yaml::{Content, Node};
use crate::domain::{RetentionPeriod, SystemName};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

use super::backup::{InsideDocument, KeepsDocument};
use super::drill::DrillDocument;
use super::field::{FieldDocument, StartDocument};
use super::residues::ResiduesDocument;
use super::restore::RestoreDocument;
use super::third_party::{
    AddressAt, DefinitionWord, HostWord, Language, Parameter, PersonsDocument, TaskDocument,
};

document! {
    /// One connected system: where it is and what it holds.
    pub struct SystemDocument {
        /// Its name in the data map.
        required system: SystemName,
        /// The kind of connector: `postgresql`, `mariadb`, `mysql` or `sqlite`; of a third party:
        /// `processor`, `opendsr`, `own` or `manual`; of a store of copies: `restic`, `borg` and the
        /// like.
        required kind: Kind,
        /// What it is for; `database` if left out.
        optional role: RoleWord,
        /// Who answers for it.
        required owner: Words,
        /// Where its data are, in the controller's own words.
        optional region: Words,
        /// How it is reached; a database always says so.
        optional connection: ConnectionDocument,
        /// Time zone of moments without one, and of a store of copies the one in which it counts
        /// days; the controller's if left out.
        optional zone: Zone,
        /// Table in which SQL connectors keep their progress; `quietus_progress` if left out.
        optional progress_table: Words,
        /// How gently to go within an order.
        optional pace: PaceDocument,
        /// How many jobs it is asked to carry out at most, by all processes together; as many as there
        /// are if left out. A store of copies has none.
        optional limits: LimitsDocument,
        /// Its collections (tables), by their name in the data map.
        optional collections: Entries<CollectionDocument>,
        /// Collections that hold no personal data or are deliberately not erased.
        optional exempt: List<ExemptDocument>,
        /// What is done once it was put back to an earlier state.
        optional restore: RestoreDocument,
        /// For a database: what a drill plants here, to see how long an erasure takes; it is not
        /// drilled if left out.
        optional drill: DrillDocument,
        /// For a database: how its files and logs are looked at for what was deleted there.
        optional residues: ResiduesDocument,
        /// For a third party: its name, as letters and certificates say it.
        optional operator: Words,
        /// For a `processor`: the definition of its interface, by name or as `./path.yaml`.
        optional definition: DefinitionWord,
        /// For a third party: parameters of its interface; for a store of copies: how it is opened;
        /// each a value, `env:NAME` or `file:PATH`.
        optional parameters: Entries<Parameter>,
        /// For a third party: what it holds of persons, and by what it is asked.
        optional persons: PersonsDocument,
        /// For `manual`: what a person does.
        optional task: TaskDocument,
        /// For a third party: where the address is found to which notices go by e-mail, `env:NAME`
        /// or `file:PATH`; they are given by hand if left out.
        optional mail: AddressAt,
        /// For a third party: language of notices to it; English if left out.
        optional language: Language,
        /// For a store of copies: where it is, a repository (`restic`, `borg`), a stanza
        /// (`pgbackrest`), a server (`barman`), a folder (`dumps`) or a bucket (`s3`), `env:NAME` or
        /// `file:PATH`.
        optional place: Parameter,
        /// For a store of copies: the systems that it copies.
        optional copies: List<SystemName>,
        /// For a store of copies: how long it keeps them, where it does not say so itself.
        optional keeps: KeepsDocument,
        /// For a store of copies: how often it takes one, in days and hours; `P1D` if left out.
        optional every: RetentionPeriod,
        /// For a store of copies: how often it removes those whose time is over, where it does not do
        /// so with each copy.
        optional prunes_every: RetentionPeriod,
        /// For a store of copies: the longest that taking one lasts; `P1D` if left out.
        optional longest_run: RetentionPeriod,
        /// For a store of copies: who removes those whose time is over; `by_store` if left out.
        optional expire: ExpireWord,
        /// For a store of copies (`s3`, `borg`) that keeps the files of each person by themselves:
        /// where, for each system, so that they can be erased inside of copies when two persons want
        /// it.
        optional inside: Entries<InsideDocument>,
        /// For a database of which no store keeps copies: why, in words.
        optional no_backups: Words,
    }
}

document! {
    /// How a system is reached.
    pub struct ConnectionDocument {
        /// Where the connection URL or the address is found: `env:NAME`, `file:PATH`, or a URL
        /// without credentials such as `sqlite:data/crm.db`.
        optional url: Reference,
        /// For a third party: certificates of authorities that are trusted beside those of the
        /// system, such as `file:certificates/processor.pem`.
        optional trust: Reference,
        /// For a third party: hosts with port that may be spoken to although they have a private
        /// address.
        optional private_hosts: List<HostWord>,
    }
}

document! {
    /// How gently an order is carried out.
    pub struct PaceDocument {
        /// Records looked at in one transaction, at most 1000000.
        optional chunk_records: Count,
        /// At most so many records changed in a second.
        optional records_per_second: Count,
        /// Wait while a replica lags by more than this, in milliseconds.
        optional most_replication_lag_ms: Count,
        /// Shrink chunks so that one transaction takes about this long, in milliseconds.
        optional target_chunk_ms: Count,
        /// A statement that runs longer is cancelled, in milliseconds.
        optional statement_timeout_ms: Count,
        /// A statement that waits longer for a lock gives way, in milliseconds.
        optional lock_timeout_ms: Count,
    }
}

document! {
    /// How many jobs a system is asked to carry out at most, by all processes together. A job is one
    /// case's part in this system: all that a schedule makes due, or what is done for one person.
    pub struct LimitsDocument {
        /// Jobs that run at the same time, at most 10000.
        optional at_once: Count,
        /// Jobs that are begun in any sixty seconds, at most 1000000.
        optional jobs_per_minute: Count,
        /// Jobs that are begun in any twenty-four hours, at most 100000000; what asks after something
        /// that is under way counts neither here nor in a minute.
        optional jobs_per_day: Count,
    }
}

document! {
    /// A collection that is not swept, and why.
    pub struct ExemptDocument {
        /// Its name in the system.
        required collection: Words,
        /// Why.
        required reason: Words,
    }
}

document! {
    /// A collection (a table): its records, what they hold and when their periods start.
    pub struct CollectionDocument {
        /// Its name in the system, with its schema where there is one (`public.customers`); the
        /// name of the collection if left out.
        optional source: Words,
        /// Key field, or key fields in key order.
        required key: KeyFields,
        /// Fields: a category, or a mapping with type and category or `exempt`.
        required fields: Entries<FieldDocument>,
        /// Links to parents in the same system.
        optional links: Entries<LinkDocument>,
        /// Where each starting point is read.
        optional starting_points: Entries<StartDocument>,
        /// Names that conditions use, and the field that each stands for (`customer.country`).
        optional attributes: Entries<Words>,
        /// How records are restricted.
        optional restrict: RestrictDocument,
        /// What may be done with partitions that are due as a whole; `records` if left out.
        optional partitions: PartitionWord,
        /// `records`: of what schedules delete as a whole a manifest is kept, by which a record can
        /// be proven to have been in a run; `none` if left out.
        optional manifest: ManifestWord,
    }
}

document! {
    /// A link to a parent collection of the same system.
    pub struct LinkDocument {
        /// The parent collection.
        required to: Words,
        /// Fields here, each with the field of the parent that it equals.
        required fields: Entries<Words>,
        /// `deep`: goes with its parent; `shallow`: only the association goes; `shared`: goes with
        /// its last parent. `deep` if left out. When only the association goes its fields become
        /// null, or what `clear` of the field says.
        optional kind: LinkWord,
    }
}

document! {
    /// How records are restricted: one of the two.
    pub struct RestrictDocument {
        /// A boolean, date or timestamp field that says so.
        optional flag: Words,
        /// The collection that restricted records move to; it has the same fields, and rules by which
        /// they go from there.
        optional move_to as "move": Words,
    }
}

plain_document!(
    SystemDocument,
    ConnectionDocument,
    PaceDocument,
    LimitsDocument,
    ExemptDocument,
    CollectionDocument,
    LinkDocument,
    RestrictDocument
);

/// The kind of a system.
#[derive(Debug, Clone)]
pub struct Kind(pub String);

impl Read for Kind {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "a kind of system")?;
        let known = known_kinds();
        if known.contains(&text.as_str()) || text == crate::datamap::house::HOUSE_KIND {
            return Some(Self(text));
        }
        let help = crate::config::problem::instead(&text, known.iter().copied());
        reader.error(node, format!("unknown kind of system `{text}`"), help);
        None
    }
}

/// Databases first, then third parties, what a person does, and stores of copies.
fn known_kinds() -> Vec<&'static str> {
    let kinds = quietus_connectors::kinds().iter();
    let third_parties = quietus_connectors::processor_kinds().iter();
    let stores = quietus_connectors::backup_kinds().iter();
    let manual = std::iter::once(&crate::datamap::third_party::MANUAL);
    kinds.chain(third_parties).chain(manual).chain(stores).copied().collect()
}

impl JsonSchema for Kind {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Kind".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": known_kinds() })
    }
}

/// Names of key fields: one, or a list.
#[derive(Debug, Clone)]
pub struct KeyFields(pub Vec<crate::config::problem::At<Words>>);

impl Read for KeyFields {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        if let Content::List(items) = &node.content {
            if items.is_empty() {
                let help = "name the fields that tell one record from another";
                reader.error(node, "a key has at least one field", help);
                return None;
            }
            return List::read(node, reader).map(|list| Self(list.0));
        }
        reader.value(node, node).map(|name| Self(vec![name]))
    }
}

impl JsonSchema for KeyFields {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "KeyFields".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "string" },
                { "type": "array", "items": { "type": "string" }, "minItems": 1 },
            ]
        })
    }
}

/// The types of fields, for messages.
pub fn type_name(field_type: quietus_connectors::FieldType) -> String {
    serde_json::to_value(field_type)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// The type `text`, for the short form of fields.
pub const SHORT_TYPE: TypeWord = TypeWord(quietus_connectors::FieldType::Text);
