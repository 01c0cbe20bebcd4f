//! Callbacks of vendors: what a definition says of how a vendor shows that it is the one who calls,
//! and where its name for what was under way stands.
//!
//! Anybody can call. A callback is looked at as bytes until it has proven where it comes from, and
//! even then it is believed in nothing but that there is something to ask.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::answers::text_at;
use super::definition::{Definition, Encoding, Flaw};
use super::parameters::Parameters;
use super::template::{self, Piece, Place};
use crate::kinds::ProcessorSettings;
use crate::receipt::Fault;

pub use super::following::names_under_way;

/// Largest callback that is looked at, in bytes.
pub const LARGEST_CALLBACK: usize = 64 * 1024;
/// Fewest bytes of a secret by which a vendor is known: anybody may try one after the other.
const FEWEST_SECRET_BYTES: usize = 16;
/// Longest name of an undertaking that is looked for, in bytes.
const LONGEST_REFERENCE: usize = 4_096;
/// How far a time stamp may be off at most, in seconds.
const MOST_TOLERANCE_SECONDS: u32 = 24 * 3_600;
/// For how long a callback without a time stamp is remembered, so that it counts once.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How a vendor calls back when something that was under way has moved.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Callback {
    /// How it shows that it is the vendor.
    pub authentication: CallbackProof,
    /// Where its name for what was under way stands in the body, as JSON pointer: the name that a
    /// step's `reference` gave.
    pub reference: String,
}

/// How a vendor shows that a callback is its own. Texts are templates of secret parameters.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CallbackProof {
    /// HMAC-SHA-256 (RFC 2104) over the bytes of the body.
    Hmac {
        /// The key.
        key: String,
        /// How the key is written; as text where nothing is said.
        key_encoding: Option<Encoding>,
        /// Header that has the signature.
        header: String,
        /// Text before the signature in its header.
        #[serde(default)]
        prefix: String,
        /// What is signed; may use `{timestamp}`, as its header has it, and `{body}`.
        #[serde(default = "the_body")]
        over: String,
        /// How the signature is written.
        encoding: Encoding,
        /// The moment at which it was signed; signed with the body.
        timestamp: Option<SignedAt>,
    },
    /// A secret in a header.
    Header {
        /// Name of the header.
        name: String,
        /// Its value.
        value: String,
    },
}

/// The moment at which a callback was signed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedAt {
    /// Header that has it.
    pub header: String,
    /// How it counts since 1970.
    #[serde(default)]
    pub unit: Unit,
    /// How far it may be from the present moment, in seconds; 1 to 86,400.
    pub tolerance_seconds: u32,
}

/// How a moment is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// In seconds.
    #[default]
    Seconds,
    /// In milliseconds.
    Milliseconds,
}

fn the_body() -> String {
    "{body}".to_owned()
}

impl Callback {
    /// In a few words, for people: how it is known.
    pub fn in_words(&self) -> String {
        match &self.authentication {
            CallbackProof::Hmac { header, timestamp, .. } => {
                let fresh = timestamp.as_ref().map(|at| {
                    format!(
                        ", signed at most {} seconds ago by `{}`",
                        at.tolerance_seconds, at.header
                    )
                });
                format!("known by a signature in `{header}`{}", fresh.unwrap_or_default())
            }
            CallbackProof::Header { name, .. } => format!("known by a secret in `{name}`"),
        }
    }

    /// Names of the parameters by which the vendor is known; empty where the text is no template.
    pub fn secrets(&self) -> Vec<String> {
        template::names(self.secret()).unwrap_or_default()
    }

    fn secret(&self) -> &str {
        match &self.authentication {
            CallbackProof::Hmac { key, .. } => key,
            CallbackProof::Header { value, .. } => value,
        }
    }
}

impl Definition {
    /// Whether a parameter has a use for nothing but callbacks: whoever cannot be called leaves it
    /// out, and is not called back.
    pub fn only_for_callbacks(&self, parameter: &str) -> bool {
        let mentions = |text: &str| {
            template::names(text).is_ok_and(|names| names.iter().any(|name| name == parameter))
        };
        self.callback.as_ref().is_some_and(|one| mentions(one.secret()))
            && !super::validation::texts(self).iter().any(|text| mentions(text))
    }
}

/// What is wrong with the part of a definition about callbacks.
pub(super) fn validate(definition: &Definition) -> Result<(), Flaw> {
    let Some(callback) = &definition.callback else { return Ok(()) };
    let actions = &definition.actions;
    let all = [&actions.erase, &actions.restrict, &actions.lift];
    if !all.into_iter().flatten().any(|one| one.follow.is_some()) {
        let why =
            "would wake nobody, because nothing is ever under way: write `follow`, or leave it out";
        return Err(Flaw::of("callback", why));
    }
    if !callback.reference.starts_with('/') {
        let why = "is no JSON pointer: write where the vendor's name for the undertaking stands, such as `/job/id`";
        return Err(Flaw::of("callback.reference", why));
    }
    let place = "callback.authentication";
    match &callback.authentication {
        CallbackProof::Hmac { header, over, timestamp, .. } => {
            secret(&format!("{place}.hmac.key"), callback.secret(), definition)?;
            header_name(&format!("{place}.hmac.header"), header)?;
            signed(&format!("{place}.hmac"), over, header, timestamp.as_ref())
        }
        CallbackProof::Header { name, .. } => {
            secret(&format!("{place}.header.value"), callback.secret(), definition)?;
            header_name(&format!("{place}.header.name"), name)
        }
    }
}

/// A secret is made of parameters that are declared as secrets, and of nothing that is not.
fn secret(place: &str, text: &str, definition: &Definition) -> Result<(), Flaw> {
    let names = template::names(text).map_err(|why| Flaw::of(place, why))?;
    if names.is_empty() {
        let why = "holds no secret: write `{name}` of a parameter with `secret: true`";
        return Err(Flaw::of(place, why));
    }
    for name in names {
        if !definition.parameters.get(&name).is_some_and(|one| one.secret) {
            let why = format!(
                "uses `{{{name}}}`, which is no secret: declare it under `parameters` with `secret: true`"
            );
            return Err(Flaw::of(place, why));
        }
    }
    Ok(())
}

fn header_name(place: &str, text: &str) -> Result<(), Flaw> {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if text.is_empty() || !text.bytes().all(fine) {
        let why = format!("has `{text}`, which is no header's name: write letters, digits and `-`");
        return Err(Flaw::of(place, why));
    }
    Ok(())
}

fn signed(place: &str, over: &str, header: &str, at: Option<&SignedAt>) -> Result<(), Flaw> {
    let here = format!("{place}.over");
    let pieces = template::parse(over).map_err(|why| Flaw::of(&here, why))?;
    let slots = |wanted: &str| {
        let is_it = |piece: &&Piece| matches!(piece, Piece::Slot { name, .. } if name == wanted);
        pieces.iter().filter(is_it).count()
    };
    let known = slots("body") + slots("timestamp");
    let all = pieces.iter().filter(|piece| matches!(piece, Piece::Slot { .. })).count();
    let filtered =
        |piece: &Piece| matches!(piece, Piece::Slot { filters, .. } if !filters.is_empty());
    if known != all || pieces.iter().any(filtered) {
        return Err(Flaw::of(
            here,
            "can use nothing but the bytes as they came: write `{timestamp}` and `{body}`",
        ));
    }
    if slots("body") != 1 {
        return Err(Flaw::of(here, "does not cover the body: write `{body}` once"));
    }
    let Some(at) = at else {
        if slots("timestamp") > 0 {
            let why = "uses `{timestamp}` and nothing says where it stands: write `timestamp`";
            return Err(Flaw::of(here, why));
        }
        return Ok(());
    };
    if slots("timestamp") == 0 {
        let why = "does not cover the time stamp, which anybody could then write anew: write `{timestamp}`";
        return Err(Flaw::of(here, why));
    }
    let here = format!("{place}.timestamp");
    header_name(&format!("{here}.header"), &at.header)?;
    if at.header.eq_ignore_ascii_case(header) {
        return Err(Flaw::of(here, "has the header of the signature: name another one"));
    }
    if !(1..=MOST_TOLERANCE_SECONDS).contains(&at.tolerance_seconds) {
        let here = format!("{here}.tolerance_seconds");
        return Err(Flaw::of(
            here,
            "is not between 1 and 86400: write how long a callback may take",
        ));
    }
    Ok(())
}

/// A callback as it came.
pub struct Incoming<'a> {
    /// Gives a header by name, if it came exactly once; capitals do not count in names.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
    /// The bytes of the body.
    pub body: &'a [u8],
}

/// A callback that has proven where it comes from.
#[derive(Clone, PartialEq, Eq)]
pub struct Heard {
    /// SHA-256 of what was proven; the same again is a replay.
    pub message: [u8; 32],
    /// The vendor's name for what was under way; `None` where the body has none. It does not print.
    pub reference: Option<String>,
    /// Until when it could be believed once more, and has to be remembered.
    pub remember_until: Timestamp,
}

impl fmt::Debug for Heard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Heard")
            .field("remember_until", &self.remember_until)
            .finish_non_exhaustive()
    }
}

/// Why a callback is not heard. No form repeats anything of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unheard {
    /// It has not proven that it comes from the vendor, or its time stamp is too far off.
    NotProven,
    /// It comes from the vendor and is no JSON.
    NoJson,
}

/// Listens for the callbacks of one system.
pub struct Listener {
    proof: Proof,
    reference: String,
}

enum Proof {
    Hmac {
        key: hmac::Key,
        header: String,
        prefix: String,
        over: Vec<Piece>,
        encoding: Encoding,
        timestamp: Option<SignedAt>,
    },
    Header {
        name: String,
        value: Vec<u8>,
    },
}

impl Listener {
    /// Reads definition and parameters. `None` where the vendor does not call back, or where the
    /// secret by which it would be known is left out.
    ///
    /// # Errors
    /// `Misconfigured` where one of them does not fit.
    pub fn open(settings: &ProcessorSettings) -> Result<Option<Self>, Fault> {
        let definition = super::definition_of(settings)?;
        Self::of(settings, &definition)
    }

    pub(super) fn of(
        settings: &ProcessorSettings,
        definition: &Definition,
    ) -> Result<Option<Self>, Fault> {
        let system = settings.system.as_str();
        let Some(callback) = &definition.callback else { return Ok(None) };
        if callback.secrets().iter().any(|name| !settings.parameters.contains_key(name)) {
            return Ok(None);
        }
        let parameters = Parameters::new(system, definition, &settings.parameters)?;
        let text = parameters.fill(system, callback.secret(), Place::Plain)?;
        let wrong =
            |why: String| Fault::Misconfigured { message: format!("system `{system}`: {why}") };
        let proof = match &callback.authentication {
            CallbackProof::Hmac {
                key_encoding, header, prefix, over, encoding, timestamp, ..
            } => {
                let key = match key_encoding {
                    None => Some(text.into_bytes()),
                    Some(encoding) => decoded(&text, *encoding),
                };
                let key = key.ok_or_else(|| {
                    wrong("the key of callbacks is not written as its definition says: correct the parameter".to_owned())
                })?;
                long_enough(&key).map_err(wrong)?;
                Proof::Hmac {
                    key: hmac::Key::new(hmac::HMAC_SHA256, &key),
                    header: header.clone(),
                    prefix: prefix.clone(),
                    over: template::parse(over).map_err(wrong)?,
                    encoding: *encoding,
                    timestamp: timestamp.clone(),
                }
            }
            CallbackProof::Header { name, .. } => {
                long_enough(text.as_bytes()).map_err(wrong)?;
                Proof::Header { name: name.clone(), value: text.into_bytes() }
            }
        };
        Ok(Some(Self { proof, reference: callback.reference.clone() }))
    }

    /// Looks whether a callback is the vendor's, and only then at what it says.
    ///
    /// # Errors
    /// Where it is not, or says nothing that can be read.
    pub fn hear(&self, incoming: &Incoming<'_>, now: Timestamp) -> Result<Heard, Unheard> {
        let (message, remember_until) =
            self.proof.proven(incoming, now).ok_or(Unheard::NotProven)?;
        let body: Value = serde_json::from_slice(incoming.body).map_err(|_| Unheard::NoJson)?;
        let reference = text_at(&body, &self.reference);
        let reference = reference.filter(|one| one.len() <= LONGEST_REFERENCE);
        Ok(Heard { message, reference, remember_until })
    }
}

impl Proof {
    /// What was proven, and until when it has to be remembered; `None` where nothing was.
    fn proven(&self, incoming: &Incoming<'_>, now: Timestamp) -> Option<([u8; 32], Timestamp)> {
        if incoming.body.len() > LARGEST_CALLBACK {
            return None;
        }
        let for_long = now.checked_add(REMEMBERED).unwrap_or(Timestamp::MAX);
        match self {
            Self::Header { name, value } => {
                let given = (incoming.header)(name)?.as_bytes();
                verify_slices_are_equal(given, value).ok()?;
                Some((Sha256::digest(incoming.body).into(), for_long))
            }
            Self::Hmac { key, header, prefix, over, encoding, timestamp } => {
                let given = (incoming.header)(header)?.strip_prefix(prefix.as_str())?;
                let signature = decoded(given, *encoding)?;
                let signed_at = match timestamp {
                    Some(at) => (incoming.header)(&at.header)?,
                    None => "",
                };
                let mut signed = Vec::with_capacity(incoming.body.len() + 64);
                for piece in over {
                    match piece {
                        Piece::Literal(text) => signed.extend_from_slice(text.as_bytes()),
                        Piece::Slot { name, .. } if name == "body" => {
                            signed.extend_from_slice(incoming.body);
                        }
                        Piece::Slot { .. } => signed.extend_from_slice(signed_at.as_bytes()),
                    }
                }
                hmac::verify(key, &signed, &signature).ok()?;
                let until = match timestamp {
                    Some(at) => at.fresh_until(signed_at, now)?,
                    None => for_long,
                };
                Some((Sha256::digest(&signed).into(), until))
            }
        }
    }
}

impl SignedAt {
    /// Until when a time stamp is near enough; `None` where it is not even now.
    fn fresh_until(&self, text: &str, now: Timestamp) -> Option<Timestamp> {
        let count = text.parse::<i64>().ok()?;
        let at = match self.unit {
            Unit::Seconds => Timestamp::from_second(count),
            Unit::Milliseconds => Timestamp::from_millisecond(count),
        };
        let at = at.ok()?;
        let tolerance = SignedDuration::from_secs(i64::from(self.tolerance_seconds));
        if now.duration_since(at).abs() > tolerance {
            return None;
        }
        // The very moment at which the tolerance ends is still within it.
        at.checked_add(tolerance).ok()?.checked_add(SignedDuration::from_secs(1)).ok()
    }
}

fn long_enough(secret: &[u8]) -> Result<(), String> {
    if secret.len() >= FEWEST_SECRET_BYTES {
        return Ok(());
    }
    Err(format!(
        "the secret of callbacks has fewer than {FEWEST_SECRET_BYTES} bytes, so anybody could find it by trying: agree on a longer one"
    ))
}

fn decoded(text: &str, encoding: Encoding) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Hex => hex::decode(text).ok(),
        Encoding::Base64 => STANDARD.decode(text).ok(),
    }
}
