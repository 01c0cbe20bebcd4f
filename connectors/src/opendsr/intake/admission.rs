//! Whether a request is taken in: reading it, and what it means beside those that are known.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use url::{Host, Url};
use uuid::{Uuid, Variant, Version};

use super::complaint::{Complaint, Reason};
use crate::opendsr::protocol::{
    CreateRequest, Dialect, Document, Format, IdentityType, Regulation, RequestStatus, RequestType,
    SubjectIdentity, SupportedIdentity,
};
use crate::outbound::is_public;

/// Clocks differ; a moment is in the future if it is later than this from now.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(1);

/// Shorter identities stand in addresses by chance.
const SHORTEST_IDENTITY: usize = 4;

/// A request names no more identities than this.
const MOST_IDENTITIES: usize = 100;

/// What is taken in.
#[derive(Debug, Clone)]
pub struct IntakeRules {
    /// The domain under which we are a processor.
    pub domain: String,
    /// Types of requests that are taken.
    pub request_types: Vec<RequestType>,
    /// Identities that are taken. Others that are well formed are skipped.
    pub identities: Vec<SupportedIdentity>,
    /// Nobody asked before this.
    pub earliest_submission: Timestamp,
    /// Hosts that may be called back.
    pub callback_hosts: CallbackHosts,
    /// At most so many addresses to call back.
    pub most_callbacks: usize,
}

/// Hosts that a controller may want to be called at, over TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallbackHosts {
    /// Hosts at a public address, with the port where it is not 443.
    pub public: Vec<String>,
    /// Hosts with their port that may be called although their address is private.
    pub private: Vec<String>,
}

/// A request that is well formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The request, with the identities that are taken.
    pub request: CreateRequest,
    /// Types of identities that it named and that are not taken.
    pub skipped: Vec<IdentityType>,
    /// SHA-256 of the body as it came: the same request comes with the same bytes.
    pub sha256: [u8; 32],
}

/// Reads a request of a controller. Every fault is named, not only the first.
///
/// # Errors
/// A complaint of status 400.
pub fn read_submission(
    rules: &IntakeRules,
    dialect: Dialect,
    body: &[u8],
    now: Timestamp,
) -> Result<Submission, Complaint> {
    let Ok(document) = Document::read(body) else {
        return Err(Complaint::new(
            400,
            "the body is no JSON object whose names are all different",
        ));
    };
    let mut reading = Reading { rules, dialect, document: &document, reasons: Vec::new() };
    let id = reading.id();
    let kind = reading.word("subject_request_type", RequestType::read);
    if kind.is_some_and(|kind| !rules.request_types.contains(&kind)) {
        reading.wrong("subject_request_type", "unsupported", "requests of this type are not taken");
    }
    let regulation = match (dialect, document.get("regulation")) {
        (Dialect::V1, None) => None,
        _ => reading.word("regulation", Regulation::read),
    };
    let submitted_at = reading.submitted_at(now);
    let extension = reading.extension();
    let (identities, skipped) = reading.identities(extension);
    let callback_urls = reading.callback_urls(&identities);
    let group = reading.group();
    let skips_waiting = extension
        .and_then(|own| own.get("skip_waiting_period"))
        .is_some_and(|value| *value == Value::Bool(true));
    let reasons = reading.reasons;
    match (id, kind, submitted_at) {
        (Some(id), Some(kind), Some(submitted_at)) if reasons.is_empty() => Ok(Submission {
            request: CreateRequest {
                id,
                kind,
                regulation,
                submitted_at,
                identities,
                callback_urls,
                group,
                skips_waiting,
                further: Vec::new(),
            },
            skipped,
            sha256: sha256(body),
        }),
        _ => Err(Complaint { status: 400, message: "the request is refused".to_owned(), reasons }),
    }
}

fn sha256(body: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, body).as_ref());
    bytes
}

struct Reading<'a> {
    rules: &'a IntakeRules,
    dialect: Dialect,
    document: &'a Document,
    reasons: Vec<Reason>,
}

impl<'a> Reading<'a> {
    fn wrong(
        &mut self,
        field: impl Into<String>,
        reason: &'static str,
        message: impl Into<String>,
    ) {
        self.reasons.push(Reason { field: field.into(), reason, message: message.into() });
    }

    fn id(&mut self) -> Option<Uuid> {
        const FIELD: &str = "subject_request_id";
        let Some(text) = self.document.text(FIELD) else {
            self.wrong(FIELD, "missing", "a UUID of version 4 is needed");
            return None;
        };
        let id = text.parse::<Uuid>().ok().filter(|id| {
            let random = id.get_version() == Some(Version::Random);
            random && id.get_variant() == Variant::RFC4122 && id.hyphenated().to_string() == text
        });
        if id.is_none() {
            self.wrong(FIELD, "invalid", "a UUID of version 4 in small letters is needed");
        }
        id
    }

    fn word<T>(&mut self, field: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        match self.document.get(field) {
            None => {
                self.wrong(field, "missing", "it is needed");
                None
            }
            Some(value) => {
                let word = value.as_str().and_then(read);
                if word.is_none() {
                    self.wrong(field, "unknown", "it is none of the words of the specification");
                }
                word
            }
        }
    }

    fn submitted_at(&mut self, now: Timestamp) -> Option<Timestamp> {
        const FIELD: &str = "submitted_time";
        let Some(text) = self.document.text(FIELD) else {
            self.wrong(FIELD, "missing", "the moment at which the person asked is needed");
            return None;
        };
        let Ok(moment) = text.parse::<Timestamp>() else {
            self.wrong(
                FIELD,
                "invalid",
                "a moment with its zone, as RFC 3339 writes it, is needed",
            );
            return None;
        };
        if moment.duration_since(now) > CLOCKS_DIFFER {
            self.wrong(FIELD, "in_the_future", "the moment has not come yet");
        }
        if moment < self.rules.earliest_submission {
            self.wrong(FIELD, "too_early", "the moment is too long ago");
        }
        Some(moment)
    }

    /// Our own extension. Those of other domains are none of our business.
    fn extension(&mut self) -> Option<&'a Map<String, Value>> {
        let all = self.document.get("extensions")?;
        let Some(all) = all.as_object() else {
            self.wrong("extensions", "invalid", "an object by domain is needed");
            return None;
        };
        let own = all.iter().find(|(key, _)| key.eq_ignore_ascii_case(&self.rules.domain))?.1;
        own.as_object()
    }

    fn identities(
        &mut self,
        extension: Option<&Map<String, Value>>,
    ) -> (Vec<SubjectIdentity>, Vec<IdentityType>) {
        const FIELD: &str = "subject_identities";
        let mut found = Vec::new();
        if let Some(value) = self.document.get(FIELD) {
            self.list(FIELD, value, &mut found);
        }
        let own = extension.and_then(|own| own.get(FIELD));
        if let Some(value) = own.filter(|value| !value.is_null()) {
            let field = format!("extensions.{}.{FIELD}", self.rules.domain);
            self.list(&field, value, &mut found);
        }
        if found.len() > MOST_IDENTITIES {
            self.wrong(FIELD, "too_many", format!("at most {MOST_IDENTITIES} are taken"));
            return (Vec::new(), Vec::new());
        }
        let taken = |identity: &SubjectIdentity| {
            let SubjectIdentity { kind, format, .. } = identity;
            self.rules.identities.iter().any(|one| one.kind == *kind && one.format == *format)
        };
        let given = !found.is_empty();
        let (mut identities, others): (Vec<_>, Vec<_>) = found.into_iter().partition(taken);
        identities.sort();
        identities.dedup();
        let mut skipped: Vec<_> = others.into_iter().map(|identity| identity.kind).collect();
        skipped.sort();
        skipped.dedup();
        if identities.is_empty() && !self.reasons.iter().any(|one| one.field.contains(FIELD)) {
            let reason = if given { "unsupported" } else { "missing" };
            let message =
                "no identity of a type and format that is taken is given: see `discovery`";
            self.wrong(FIELD, reason, message);
        }
        (identities, skipped)
    }

    fn list(&mut self, field: &str, value: &Value, found: &mut Vec<SubjectIdentity>) {
        let text =
            |entry: &Value, name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
        match value {
            Value::Array(entries) if !self.dialect.has_dictionary() => {
                for (index, entry) in entries.iter().enumerate().take(MOST_IDENTITIES + 1) {
                    let at = format!("{field}[{index}]");
                    let kind = text(entry, "identity_type");
                    let format = text(entry, "identity_format");
                    let value = text(entry, "identity_value");
                    self.identity(&at, kind.as_deref(), format.as_deref(), value, found);
                }
            }
            Value::Object(entries) if self.dialect.has_dictionary() => {
                for (index, (kind, entry)) in entries.iter().enumerate().take(MOST_IDENTITIES + 1) {
                    // A type that is not known may be anything, so it is named by its place.
                    let known = IdentityType::read_known(kind).is_some();
                    let at =
                        if known { format!("{field}.{kind}") } else { format!("{field}[{index}]") };
                    let format = text(entry, "encoding");
                    self.identity(&at, Some(kind), format.as_deref(), text(entry, "value"), found);
                }
            }
            _ if self.dialect.has_dictionary() => {
                self.wrong(field, "invalid", "an object by type is needed");
            }
            _ => self.wrong(field, "invalid", "a list is needed"),
        }
    }

    fn identity(
        &mut self,
        at: &str,
        kind: Option<&str>,
        format: Option<&str>,
        value: Option<String>,
        found: &mut Vec<SubjectIdentity>,
    ) {
        let kind = kind.and_then(IdentityType::read_known);
        let format = format.and_then(Format::read);
        if kind.is_none() {
            self.wrong(at, "unknown", "its type is missing or not known");
        }
        if format.is_none() {
            self.wrong(at, "unknown", "its format is missing or not known");
        }
        if value.is_none() {
            self.wrong(at, "missing", "its value is missing or no text");
        }
        let (Some(kind), Some(format), Some(value)) = (kind, format, value) else { return };
        // Digests are compared in small letters.
        let value = if format == Format::Raw { value } else { value.to_ascii_lowercase() };
        let identity = SubjectIdentity { kind, format, value };
        match identity.check() {
            Ok(()) => found.push(identity),
            Err(unusable) => self.wrong(at, "invalid", unusable.to_string()),
        }
    }

    fn callback_urls(&mut self, identities: &[SubjectIdentity]) -> Vec<String> {
        const FIELD: &str = "status_callback_urls";
        let Some(value) = self.document.get(FIELD) else { return Vec::new() };
        let Some(entries) = value.as_array() else {
            self.wrong(FIELD, "invalid", "a list is needed");
            return Vec::new();
        };
        let most = self.rules.most_callbacks;
        if entries.len() > most {
            self.wrong(FIELD, "too_many", format!("at most {most} are called"));
            return Vec::new();
        }
        let mut urls = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let checked = entry
                .as_str()
                .ok_or("it is no text")
                .and_then(|text| check_callback_url(text, &self.rules.callback_hosts));
            match checked {
                Ok(url) if names_somebody(&url, identities) => {
                    let why = "it holds what looks like an identity: call a request by its id";
                    self.wrong(format!("{FIELD}[{index}]"), "names_a_person", why);
                }
                Ok(url) => urls.push(url),
                Err(why) => self.wrong(format!("{FIELD}[{index}]"), "invalid", why),
            }
        }
        urls
    }

    fn group(&mut self) -> Option<String> {
        const FIELD: &str = "group_id";
        let value = self.document.get(FIELD).filter(|_| self.dialect == Dialect::V3)?;
        let fits = |text: &&str| {
            (1..=150).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let group = value.as_str().filter(fits);
        if group.is_none() {
            self.wrong(FIELD, "invalid", "1 to 150 visible ASCII characters are needed");
        }
        group.map(str::to_owned)
    }
}

/// Checks an address that a controller wants to be called at: HTTPS, a declared host, no user, and
/// no address that is not public unless it is declared as such. That its name leads to no private
/// address is checked when it is called.
///
/// # Errors
/// Why it is not called, without the address.
pub fn check_callback_url(text: &str, hosts: &CallbackHosts) -> Result<String, &'static str> {
    let url = Url::parse(text).map_err(|_| "it is no address")?;
    if url.scheme() != "https" {
        return Err("only https is called");
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("it holds a user or a fragment");
    }
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    let with_port = format!("{host}:{port}");
    let among = |list: &[String], shown: &str| {
        list.iter().any(|allowed| allowed.eq_ignore_ascii_case(shown))
    };
    if among(&hosts.private, &with_port) {
        return Ok(url.into());
    }
    let number = match url.host() {
        Some(Host::Ipv4(address)) => Some(address.into()),
        Some(Host::Ipv6(address)) => Some(address.into()),
        _ => None,
    };
    if number.is_some_and(|address| !is_public(address)) {
        return Err("its address is not public");
    }
    let without_port = url.port().is_none() && among(&hosts.public, host);
    if without_port || among(&hosts.public, &with_port) {
        Ok(url.into())
    } else {
        Err("its host is not among those that may be called")
    }
}

/// Whether an address holds an identity of the request, or a mail address: addresses are written
/// down by every server on the way.
fn names_somebody(url: &str, identities: &[SubjectIdentity]) -> bool {
    // Encoded once more, it would still be there for whoever decodes it.
    let plain = decoded(&decoded(&decoded(url))).to_lowercase();
    let holds = |value: &str| value.len() >= SHORTEST_IDENTITY && plain.contains(value);
    plain.contains('@') || identities.iter().any(|one| holds(&one.value.to_lowercase()))
}

/// An address with its `%` escapes undone.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut next = 0;
    while next < bytes.len() {
        let digits = bytes.get(next + 1..next + 3).and_then(|two| std::str::from_utf8(two).ok());
        let code = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        if let Some(code) = code.filter(|_| bytes[next] == b'%') {
            plain.push(code);
            next += 3;
        } else {
            plain.push(bytes[next]);
            next += 1;
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// What a request means beside those of the same controller that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is new.
    New,
    /// It came before, with the same bytes: the first answer is given again.
    Again,
    /// Its id was used for another request: 400.
    Duplicate,
    /// The same is under way under another id: 409.
    UnderWay,
}

/// Decides about a request by the digest of its body: plain, or keyed where digests are kept for
/// longer than bodies. `known` is the digest of the body that came under its id before,
/// `same_under_way` that another open request has the same mark ([`mark_of`]).
pub fn admit(digest: [u8; 32], known: Option<[u8; 32]>, same_under_way: bool) -> Admission {
    match known {
        Some(known) if known == digest => Admission::Again,
        Some(_) => Admission::Duplicate,
        None if same_under_way => Admission::UnderWay,
        None => Admission::New,
    }
}

/// A mark that two requests share if they ask the same for the same identities, in any order and
/// through any dialect. Keyed, because a mere digest of an address can be guessed.
pub fn mark_of(request: &CreateRequest, key: &[u8]) -> [u8; 32] {
    let mut identities: Vec<&SubjectIdentity> = request.identities.iter().collect();
    identities.sort();
    identities.dedup();
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    let mut put = |text: &str| {
        // With its length, so that no two lists of parts look the same.
        context.update(&(text.len() as u64).to_be_bytes());
        context.update(text.as_bytes());
    };
    put(request.kind.as_str());
    for identity in identities {
        put(identity.kind.as_str());
        put(identity.format.as_str());
        put(&identity.value);
    }
    let mut mark = [0; 32];
    mark.copy_from_slice(context.sign().as_ref());
    mark
}

/// Whether a request in a state may still be cancelled.
///
/// # Errors
/// A complaint of status 400.
pub fn may_cancel(status: RequestStatus) -> Result<(), Complaint> {
    if status == RequestStatus::Pending {
        return Ok(());
    }
    Err(Complaint {
        status: 400,
        message: "the request cannot be cancelled".to_owned(),
        reasons: vec![Reason {
            field: "request_status".to_owned(),
            reason: "not_pending",
            message: format!("it is `{}`; only `pending` can be cancelled", status.as_str()),
        }],
    })
}

/// When a controller may expect the end: by our own plan, and never later than the law wants.
pub fn expected_completion(legal_latest: Timestamp, planned: Option<Timestamp>) -> Timestamp {
    planned.map_or(legal_latest, |planned| planned.min(legal_latest))
}
