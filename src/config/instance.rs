//! The instance after validation.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::alarms::{self, AlarmSettings};
use super::anchors::{self, AnchorSettings};
use super::document::InstanceDocument;
use super::document::instance::{ControllerDocument, TokenDocument};
use super::drills::{self, DrillSettings};
use super::evidence::{self, EvidenceSettings};
use super::later_looks::{self, LaterLooks};
use super::leaf::Reference;
use super::mail::{self, MailSettings};
use super::object_store::{self, ExportPlace, ObjectStoreSettings};
use super::opendsr::{self, OpendsrSettings};
use super::own_records::OwnRecords;
use super::problem::{At, Problem};
use super::read::items;
use super::requests::{self, RequestSettings};
use super::signers::{self, SignersSettings};
use crate::datamap::SecretReference;
use crate::domain::IdentityTypes;
use crate::evidence::print::Language;

/// An instance of Quietus.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Its folder; relative paths start there.
    pub folder: PathBuf,
    /// Who decides why and how the data are processed.
    pub controller: Controller,
    /// Where the URL of its own database is found.
    pub store: SecretReference,
    /// Where the URL is found by which it is reached past a pooler; `None` where none is needed.
    pub store_direct: Option<SecretReference>,
    /// Address of the HTTP interface.
    pub listen: SocketAddr,
    /// Folder of its keys.
    pub keys: PathBuf,
    /// Folder of the data map.
    pub systems: PathBuf,
    /// Folder of the rule packs.
    pub schedules: PathBuf,
    /// Who may use the HTTP interface.
    pub tokens: Vec<Token>,
    /// How the log is written.
    pub log_format: LogFormat,
    /// Name of the evidence log.
    pub evidence_origin: String,
    /// Whether the file names the log, and not the controller's name.
    pub evidence_origin_given: bool,
    /// The log signs its heads a second time, in a way that a quantum computer does not break.
    pub post_quantum: bool,
    /// Who vouches for the evidence log.
    pub anchors: AnchorSettings,
    /// Where published heads are exported to; `None` where they are exported by hand.
    pub evidence_export: Option<ExportPlace>,
    /// Where the re-erasure list is kept; `None` where none is.
    pub re_erasure_list: Option<ExportPlace>,
    /// Where buckets are; `None` where there are none.
    pub object_store: Option<ObjectStoreSettings>,
    /// Whether the logs can be read over HTTP without a token.
    pub evidence_public: bool,
    /// Language of printed certificates that no request gives one.
    pub certificate_language: Language,
    /// Host of the link on printed certificates; `None` prints none, and serves nothing behind it.
    pub certificate_host: Option<String>,
    /// How long evidence can be read.
    pub evidence: EvidenceSettings,
    /// Who signs instead of files of the keys folder.
    pub signers: SignersSettings,
    /// How often systems are watched for restores that nobody told of; `None` is never.
    pub watch_restores: Option<jiff::SignedDuration>,
    /// How persons who were erased or restricted are looked for again.
    pub later_looks: LaterLooks,
    /// How often drills take place, and how long they may take.
    pub drills: DrillSettings,
    /// How long Quietus keeps its own records.
    pub own_records: OwnRecords,
    /// Orders that are carried out side by side, from 1 to 64.
    pub workers: u32,
    /// Who may approve; empty is anybody with an approver's token.
    pub people: Vec<String>,
    /// Identity types of the data map, and how their values are brought into one form.
    pub identities: IdentityTypes,
    /// How requests of persons are dealt with.
    pub requests: RequestSettings,
    /// How mail goes out; `None` where everything is given by hand.
    pub mail: Option<MailSettings>,
    /// Who is told of alarms, and how; `None` where nobody looks for any.
    pub alarms: Option<AlarmSettings>,
    /// This instance as an OpenDSR processor; `None` serves nothing of it.
    pub opendsr: Option<OpendsrSettings>,
}

/// Who decides why and how the data are processed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controller {
    /// Its name.
    pub name: String,
    /// IANA zone of its establishment.
    pub zone: String,
    /// Country of its establishment, two capital letters.
    pub country: String,
}

/// A token for the HTTP interface.
#[derive(Debug, Clone)]
pub struct Token {
    /// Who holds it.
    pub name: String,
    /// What its holder may do.
    pub role: TokenRole,
    /// Where it is found.
    pub secret: SecretReference,
}

/// What the holder of a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenRole {
    /// Reads and verifies.
    Auditor,
    /// Runs, pauses, places and releases holds.
    Operator,
    /// Agrees to what exceeds a cap.
    Approver,
    /// Writes rules.
    Author,
    /// Posts business events.
    EventSource,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

/// How often systems are watched where nobody says so.
const WATCH_RESTORES: jiff::SignedDuration = jiff::SignedDuration::from_mins(5);

/// No more orders than this are carried out side by side.
pub const MOST_WORKERS: u64 = 64;

/// Makes an instance of its document, still without identity types, which need the data map; `None` where the controller is not known.
pub fn compile(
    document: &InstanceDocument,
    folder: PathBuf,
    own_records: OwnRecords,
    problems: &mut Vec<Problem>,
) -> Option<Instance> {
    let words = |entry: &Option<At<super::leaf::Words>>, default: &str| {
        entry.as_ref().map_or(default, |words| words.value.0.as_str()).to_owned()
    };
    check_store(document, problems);
    let loopback = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8420);
    let tokens = compile_tokens(items(document.tokens.as_ref()), problems);
    let workers = workers_of(document, problems);
    let controller = compile_controller(&document.controller.as_ref()?.value)?;
    let evidence = document.evidence.as_ref().map(|it| &it.value);
    let origin = evidence.and_then(|it| it.origin.as_ref());
    let twice = evidence.and_then(|it| it.post_quantum.as_ref());
    let export = evidence.and_then(|it| it.export.as_ref());
    let list = evidence.and_then(|it| it.re_erasure_list.as_ref());
    let readers = evidence.and_then(|it| it.readers.as_ref());
    let host = evidence.and_then(|it| it.host.as_ref()).map(|host| host.value.0.clone());
    let language = evidence.and_then(|it| it.language.as_ref()).map(|word| word.value.0);
    let log = document.log.as_ref().and_then(|log| log.value.format.as_ref());
    let requests = requests::settings(document, &controller.country);
    let mail = mail::settings(document, problems);
    let signers = signers::compile(document, &folder, problems);
    let opendsr = opendsr::compile(document, &folder, problems);
    let object_store = object_store::compile(document, problems);
    let anchors = anchors::compile(document, &folder, problems);
    let later_looks = later_looks::compile(document, problems);
    let alarms = alarms::compile(document, problems);
    let drills = drills::compile(document, &controller.zone, problems);
    Some(Instance {
        evidence_origin: origin
            .map_or_else(|| origin_of(&controller), |origin| origin.value.0.clone()),
        evidence_origin_given: origin.is_some(),
        evidence_export: export.map(|export| ExportPlace::parse(&export.value.0, &folder)),
        re_erasure_list: list.map(|list| ExportPlace::parse(&list.value.0, &folder)),
        object_store,
        evidence_public: readers.is_some_and(|readers| readers.value.0),
        post_quantum: twice.is_none_or(|it| it.value.0),
        anchors,
        certificate_language: language.unwrap_or(Language::English),
        certificate_host: host,
        evidence: evidence::settings(document),
        controller,
        store: document.store.as_ref().map_or_else(
            || SecretReference::Plain("sqlite:quietus.db".to_owned()),
            |store| store.value.0.clone(),
        ),
        store_direct: document.store_direct.as_ref().map(|store| store.value.0.clone()),
        listen: document.listen.as_ref().map_or(loopback, |listen| listen.value.0),
        keys: folder.join(words(&document.keys, "keys")),
        systems: folder.join(words(&document.systems, "systems")),
        schedules: folder.join(words(&document.schedules, "schedules")),
        folder,
        tokens,
        log_format: log.map_or_else(LogFormat::default, |format| format.value.0),
        signers,
        watch_restores: watch_of(document),
        later_looks,
        drills,
        own_records,
        workers,
        people: items(document.people.as_ref()).iter().map(|it| it.value.to_string()).collect(),
        identities: IdentityTypes::default(),
        requests,
        mail,
        alarms,
        opendsr,
    })
}

fn check_store(document: &InstanceDocument, problems: &mut Vec<Problem>) {
    let is_file = |store: &At<Reference>| match &store.value.0 {
        SecretReference::Plain(url) => url.starts_with("sqlite:"),
        _ => false,
    };
    if let Some(direct) = &document.store_direct
        && (document.store.as_ref().is_none_or(is_file) || is_file(direct))
    {
        problems.push(
            Problem::error(&direct.place, "before a store in SQLite there is no pooler")
                .help("leave `store_direct` out, or write the URL of `store` past its pooler"),
        );
    }
    let Some(store) = &document.store else { return };
    let SecretReference::Plain(url) = &store.value.0 else { return };
    let kind = url.split(':').next().unwrap_or_default();
    if !["sqlite", "postgres", "postgresql"].contains(&kind) {
        problems.push(
            Problem::error(&store.place, "quietus keeps its own data in SQLite or PostgreSQL")
                .help("write `sqlite:quietus.db`, or `env:NAME` for a `postgres://` URL"),
        );
    }
}

fn workers_of(document: &InstanceDocument, problems: &mut Vec<Problem>) -> u32 {
    let Some(workers) = &document.workers else { return 4 };
    if workers.value.0 > MOST_WORKERS {
        problems.push(
            Problem::error(&workers.place, format!("more than {MOST_WORKERS} workers"))
                .help("write a smaller number; a system is spared, not stormed"),
        );
    }
    u32::try_from(workers.value.0.min(MOST_WORKERS)).unwrap_or(u32::MAX)
}

/// How often systems are watched for restores that nobody told of; `None` is never.
fn watch_of(document: &InstanceDocument) -> Option<jiff::SignedDuration> {
    let watch = document.restores.as_ref().and_then(|it| it.value.watch.as_ref());
    watch.map_or(Some(WATCH_RESTORES), |watch| watch.value.0)
}

fn compile_controller(document: &ControllerDocument) -> Option<Controller> {
    Some(Controller {
        name: document.name.as_ref()?.value.0.clone(),
        zone: document.zone.as_ref()?.value.0.clone(),
        country: document.country.as_ref()?.value.0.clone(),
    })
}

/// Letters that the name of a log may have instead of their own.
const SPELT: &[(char, &str)] = &[
    ('ä', "ae"),
    ('ö', "oe"),
    ('ü', "ue"),
    ('ß', "ss"),
    ('æ', "ae"),
    ('ø', "oe"),
    ('å', "aa"),
    ('é', "e"),
    ('è', "e"),
    ('ç', "c"),
    ('ł', "l"),
    ('ñ', "n"),
];

/// No part of an origin that is made of a name is longer, in bytes.
const LONGEST_SLUG: usize = 100;

/// The controller's name as part of a URL, with the kind of log: ASCII only, as logs are named.
fn origin_of(controller: &Controller) -> String {
    let mut slug = String::new();
    for character in controller.name.to_lowercase().chars() {
        let spelt = SPELT.iter().find(|(letter, _)| *letter == character).map(|(_, spelt)| *spelt);
        if let Some(spelt) = spelt {
            slug.push_str(spelt);
        } else if character.is_ascii_alphanumeric() {
            slug.push(character);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() > LONGEST_SLUG {
            break;
        }
    }
    match slug.trim_matches('-') {
        "" => "evidence".to_owned(),
        slug => format!("{slug}/evidence"),
    }
}

fn compile_tokens(documents: &[At<TokenDocument>], problems: &mut Vec<Problem>) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    for document in documents {
        let document = &document.value;
        let (Some(name), Some(role), Some(secret)) =
            (&document.name, &document.role, &document.secret)
        else {
            continue;
        };
        if let SecretReference::Plain(_) = secret.value.0 {
            problems.push(
                Problem::error(&secret.place, "a token never stands in this file")
                    .help("write `env:NAME` or `file:PATH`")
                    .secret(),
            );
        }
        if tokens.iter().any(|token| token.name == name.value.as_str()) {
            problems.push(
                Problem::error(&name.place, format!("`{}` has two tokens", name.value))
                    .help("evidence names who acted: give each token its own name"),
            );
        }
        tokens.push(Token {
            name: name.value.to_string(),
            role: role.value.0,
            secret: secret.value.0.clone(),
        });
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{LogIdentity, LogKey};

    #[test]
    fn every_name_makes_an_origin_that_a_log_can_have() {
        let origin = |name: &str| {
            let name = name.to_owned();
            origin_of(&Controller { name, zone: "UTC".to_owned(), country: "DE".to_owned() })
        };
        assert_eq!(origin("Example Shop GmbH"), "example-shop-gmbh/evidence");
        assert_eq!(origin("Müller & Söhne GmbH"), "mueller-soehne-gmbh/evidence");
        assert_eq!(origin("株式会社"), "evidence");
        let key = LogKey::generate().unwrap().public();
        for name in ["Müller GmbH", "株式会社", "-", "Ειρήνη 3", &"ß".repeat(300)] {
            let origin = origin(name);
            assert!(LogIdentity::new(&origin, key).is_ok(), "{name}: {origin}");
        }
    }
}
