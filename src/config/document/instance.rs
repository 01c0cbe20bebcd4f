//! The instance file `quietus.yaml`.

use std::borrow::Cow;
use std::net::SocketAddr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::config::instance::{LogFormat, TokenRole};
use crate::config::leaf::{Count, Reference, Words, Zone, leaf, words};
use crate::config::problem::instead;
use crate::config::read::{Entries, List, Read, Reader, document, plain_document};
use crate::config::yaml::Node;
use crate::domain::{Remark, RetentionPeriod};
use crate::evidence::print::Language;

use super::alarms::AlarmsDocument;
use super::anchors::AnchorsDocument;
use super::drills::DrillsDocument;
use super::later_looks::LaterLooksDocument;
use super::mail::MailDocument;
use super::object_store::ObjectStoreDocument;
use super::opendsr::OpendsrDocument;
use super::own_records::OwnRecordsDocument;
use super::requests::{IdentityDocument, RequestsDocument, YesNo};
use super::restore::RestoresDocument;
use super::signers::SignersDocument;

document! {
    /// An instance of Quietus: who runs it, where it keeps its own data, who may speak to it.
    pub struct InstanceDocument {
        /// Who decides why and how the data are processed.
        required controller: ControllerDocument,
        /// Quietus' own database: `sqlite:PATH`, `env:NAME` or `file:PATH`; `sqlite:quietus.db` if
        /// left out.
        optional store: Reference,
        /// The same database in PostgreSQL where `store` leads through a pooler in transaction mode
        /// (PgBouncer): directly, or in session mode. Over it our own records are disposed of.
        optional store_direct: Reference,
        /// Address of the HTTP interface; `127.0.0.1:8420` if left out.
        optional listen: Listen,
        /// Folder of the instance's keys; `keys` if left out.
        optional keys: Words,
        /// Folder of the data map; `systems` if left out.
        optional systems: Words,
        /// Folder of the rule packs; `schedules` if left out.
        optional schedules: Words,
        /// Who may use the HTTP interface.
        optional tokens: List<TokenDocument>,
        /// How the log is written.
        optional log: LogDocument,
        /// The evidence log.
        optional evidence: EvidenceDocument,
        /// Who vouches for the evidence log; nobody if left out.
        optional anchors: AnchorsDocument,
        /// Tokens and commands that sign with keys that this machine does not hold.
        optional signers: SignersDocument,
        /// Where buckets are that are written as `s3://bucket/prefix`; none can be if left out.
        optional object_store: ObjectStoreDocument,
        /// How systems are watched for restores that nobody told of.
        optional restores: RestoresDocument,
        /// How persons who were erased or restricted are looked for again.
        optional later_looks: LaterLooksDocument,
        /// How often an invented person is planted and erased, to see how long it takes; never if left
        /// out.
        optional drills: DrillsDocument,
        /// How long Quietus keeps its own records once what they are about is over.
        optional own_records: OwnRecordsDocument,
        /// Orders that are carried out side by side, at most 64; 4 if left out. So many of what rules
        /// make due, so many for persons in databases, and so many for persons at third parties.
        optional workers: Count,
        /// Names of the people who may approve; anybody with an approver's token if left out.
        optional people: List<Remark>,
        /// Identity types: how their values are brought into one form.
        optional identities: Entries<IdentityDocument>,
        /// How requests of persons are dealt with.
        optional requests: RequestsDocument,
        /// How letters and tasks go out by e-mail; they are given by hand if left out.
        optional mail: MailDocument,
        /// Who is told of what the doctor finds, and how; nobody if left out.
        optional alarms: AlarmsDocument,
        /// This instance as a processor that other controllers ask over OpenDSR; not at all if left
        /// out.
        optional opendsr: OpendsrDocument,
    }
}

document! {
    /// Who decides why and how the data are processed.
    pub struct ControllerDocument {
        /// Its name, as certificates show it.
        required name: Words,
        /// Time zone of its establishment, in which calendar periods are counted.
        required zone: Zone,
        /// Country of its establishment, two letters.
        required country: Country,
    }
}

document! {
    /// A token for the HTTP interface.
    pub struct TokenDocument {
        /// Who holds it: a role or a machine; evidence names this.
        required name: Remark,
        /// What its holder may do.
        required role: TokenRoleWord,
        /// Where the token is found: `env:NAME` or `file:PATH`.
        required secret: Reference,
    }
}

document! {
    /// How the log is written.
    pub struct LogDocument {
        /// `text` for people (if left out) or `json` for machines.
        optional format: LogWord,
    }
}

document! {
    /// The evidence log.
    pub struct EvidenceDocument {
        /// Name of the logs in their checkpoints, such as `erasure.example.com/evidence`; made of
        /// the controller's name if left out. Each year's log adds the year to it. It must not
        /// change while the store lives.
        optional origin: Origin,
        /// The log signs its heads a second time with ML-DSA-44, which a quantum computer does not
        /// break; it does if left out.
        optional post_quantum: YesNo,
        /// Folder, or `s3://bucket/prefix`, into which each published head is exported with its tiles
        /// and entries, as `quietus log export` does; what a store loses can be put back from there.
        /// Not at all if left out.
        optional export: Words,
        /// Folder, or `s3://bucket/prefix`, in which the re-erasure list is kept with the logs: what
        /// was erased and restricted, sealed, from which `quietus recover` brings a database forward
        /// that was put back or lost. Not at all if left out.
        optional re_erasure_list: Words,
        /// Who reads the logs over HTTP: `tokens` (if left out) or `anybody`.
        optional readers: ReadersWord,
        /// Language of printed certificates that no person's request gives one, and of those for
        /// auditors: `en`, `de` or `zh`; `en` if left out.
        optional language: LanguageWord,
        /// Host of the link on printed certificates, such as `erasure.example.com`. Behind it
        /// `/c/ID` shows the certificate to whoever has its identifier, without a token. No link
        /// is printed, and nothing served, if left out.
        optional host: Host,
        /// How long after the end of a case it can be read what its evidence means; `P5Y` if left
        /// out. Then its keys are destroyed; certificates and proofs go on verifying.
        optional details_for: RetentionPeriod,
        /// How long copies of the database are kept; `P35D` if left out. The key of a month is
        /// destroyed so long after nothing needs it any more.
        optional copies_for: RetentionPeriod,
    }
}

plain_document!(InstanceDocument, ControllerDocument, TokenDocument, LogDocument, EvidenceDocument);

words! {
    /// What the holder of a token may do.
    TokenRoleWord(TokenRole) {
        "auditor" => TokenRole::Auditor, "operator" => TokenRole::Operator,
        "approver" => TokenRole::Approver, "author" => TokenRole::Author,
        "event-source" => TokenRole::EventSource,
    }
    /// Who reads the evidence logs over HTTP.
    ReadersWord(bool) { "tokens" => false, "anybody" => true, }
    /// Language of printed certificates.
    LanguageWord(Language) {
        "en" => Language::English, "de" => Language::German, "zh" => Language::Chinese,
    }
    /// How the log is written.
    LogWord(LogFormat) { "text" => LogFormat::Text, "json" => LogFormat::Json, }
}

/// An address to listen on.
#[derive(Debug, Clone, Copy)]
pub struct Listen(pub SocketAddr);

leaf!(Listen, "Listen", { "type": "string", "examples": ["127.0.0.1:8420"] });

impl Read for Listen {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "an address and a port")?;
        let parsed = text.parse().ok().map(Self);
        if parsed.is_none() {
            let help = "write an IP address and a port, such as `127.0.0.1:8420` or `[::1]:8420`";
            reader.error(node, format!("`{text}` is no address with a port"), help);
        }
        parsed
    }
}

/// A country, ISO 3166-1 alpha-2.
#[derive(Debug, Clone)]
pub struct Country(pub String);

leaf!(Country, "Country", { "type": "string", "pattern": "^[A-Z]{2}$", "examples": ["DE"] });

impl Read for Country {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "a country such as `DE`")?;
        if text.len() == 2 && text.bytes().all(|one| one.is_ascii_uppercase()) {
            return Some(Self(text));
        }
        let help = "write the two capital letters of ISO 3166, such as `DE`, `CN` or `US`";
        reader.error(node, format!("`{text}` is no country"), help);
        None
    }
}

/// Name of an evidence log.
#[derive(Debug, Clone)]
pub struct Origin(pub String);

leaf!(Origin, "Origin", {
    "type": "string",
    "pattern": "^[^\\s+]+$",
    "examples": ["erasure.example.com/evidence/2026"],
});

impl Read for Origin {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "the name of a log")?;
        let fits =
            !text.contains(|one: char| one.is_whitespace() || one == '+' || one.is_control());
        if fits && !text.contains("://") && text.len() <= 200 {
            return Some(Self(text));
        }
        let help =
            "write a name like a URL without its scheme: `erasure.example.com/evidence/2026`";
        reader.error(node, "this is no name of a log", help);
        None
    }
}

/// Name of a host, with a port where it has one.
#[derive(Debug, Clone)]
pub struct Host(pub String);

leaf!(Host, "Host", {
    "type": "string",
    "pattern": "^[A-Za-z0-9.-]+(:[0-9]+)?$",
    "examples": ["erasure.example.com"],
});

impl Host {
    /// A host of a name as it stands in addresses; `None` where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, port) =
            text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
        let fits = |one: char| one.is_ascii_alphanumeric() || matches!(one, '.' | '-');
        let named =
            name.contains(|one: char| one.is_ascii_alphanumeric()) && name.chars().all(fits);
        let reachable = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        (named && reachable && name.len() <= 253).then(|| Self(text.to_owned()))
    }
}

impl Read for Host {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "the name of a host")?;
        let host = Self::parse(&text);
        if host.is_none() {
            let help = "write a host without scheme and path, such as `erasure.example.com`";
            reader.error(node, "this is no name of a host", help);
        }
        host
    }
}
