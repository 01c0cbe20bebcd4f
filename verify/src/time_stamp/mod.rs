//! Time stamps of other parties (RFC 3161): what they are asked, and whether an answer holds.
//!
//! A token holds where its signature is by a certificate that signs time stamps alone, which is one
//! that is trusted or leads to one, each in force at the moment that the token names (as `openssl ts
//! -verify -attime` has it), and where it speaks of the right bytes. The raw bytes are kept; nothing
//! is ever encoded again.

mod certificate;
mod der;
mod request;
mod signature;
mod token;

use jiff::{SignedDuration, Timestamp};

use self::certificate::Certificate;
use self::der::{OCTET_STRING, OID, SEQUENCE, SET, element, plain_integer};
use self::signature::{Algorithm, Hash, verifies};
use self::token::{CONTENT_TYPE, MESSAGE_DIGEST, Signer, TST_INFO, Token, Unread};
use crate::pem;

pub use self::request::{ANSWER_TYPE, Nonce, REQUEST_TYPE, request};
pub use self::token::ANSWER_BYTES;

/// Most certificates between a token and one that is trusted, both counted.
const LONGEST_CHAIN: usize = 8;

/// Most certificates of one authority.
const MOST_CERTIFICATES: usize = 16;

/// Why a time stamp is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeStampError {
    /// The bytes are no answer of an authority.
    #[error("this is no answer of a time-stamp authority (RFC 3161)")]
    Malformed,
    /// The authority gave none.
    #[error("the authority refused a time stamp (status {status}): {words}")]
    Refused {
        /// Its status.
        status: u8,
        /// Its words.
        words: String,
    },
    /// It is about other bytes.
    #[error("the time stamp is about something else")]
    OtherImprint,
    /// It answers another question.
    #[error("the time stamp does not repeat the number that was asked for")]
    OtherNonce,
    /// The signature is wrong, or of a kind that is not accepted.
    #[error("the signature of the time stamp does not hold")]
    BadSignature,
    /// Nobody who is trusted signed it.
    #[error(
        "the time stamp was signed with a certificate that does not lead to one of the authority"
    )]
    NotTrusted,
    /// The certificate was not in force, or is for something else.
    #[error("the certificate of the time stamp {0}")]
    Certificate(&'static str),
}

impl From<Unread> for TimeStampError {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Malformed => Self::Malformed,
            Unread::Refused(status, words) => Self::Refused { status, words },
        }
    }
}

/// Certificates of a time-stamp authority: of itself, of who issued them, or both. Each is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeStampAuthority {
    certificates: Vec<Vec<u8>>,
}

impl TimeStampAuthority {
    /// An authority by its certificates, DER; `None` where there is none or one cannot be read.
    pub fn new(certificates: Vec<Vec<u8>>) -> Option<Self> {
        let fine = (1..=MOST_CERTIFICATES).contains(&certificates.len())
            && certificates.iter().all(|one| Certificate::read(one).is_some());
        fine.then_some(Self { certificates })
    }

    /// Reads PEM: one certificate or more, one after the other, with remarks between them.
    pub fn from_pem(text: &str) -> Option<Self> {
        let mut certificates = Vec::new();
        let mut rest = text;
        while let Some(begin) = rest.find("-----BEGIN CERTIFICATE-----") {
            const END: &str = "-----END CERTIFICATE-----";
            let end = rest[begin..].find(END)? + begin + END.len();
            certificates.push(pem::decode("CERTIFICATE", &rest[begin..end])?);
            rest = &rest[end..];
        }
        Self::new(certificates)
    }

    /// Its certificates, DER.
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.certificates
    }

    /// Its certificates, PEM.
    pub fn to_pem(&self) -> String {
        self.certificates.iter().map(|one| pem::encode("CERTIFICATE", one)).collect()
    }

    /// What the first certificate calls itself.
    pub fn common_name(&self) -> Option<String> {
        self.certificates.first().and_then(|one| Certificate::read(one)?.common_name())
    }

    /// When the first certificate is in force.
    pub fn validity(&self) -> Option<(Timestamp, Timestamp)> {
        let first = Certificate::read(self.certificates.first()?)?;
        Some((first.from, first.until))
    }
}

/// A time stamp that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeStamp {
    /// The moment that the authority names.
    pub moment: Timestamp,
    /// How far it may be off.
    pub accuracy: SignedDuration,
    /// Certificates from the signer's to one that is trusted, DER.
    pub chain: Vec<Vec<u8>>,
    /// Until when the chain is in force and its keys are thought to be sound: a newer time stamp
    /// over a head that continues this one has to be there by then.
    pub sound_until: Timestamp,
}

impl TimeStamp {
    /// The bytes were there at this moment at the latest.
    pub fn latest(&self) -> Timestamp {
        self.moment.checked_add(self.accuracy).unwrap_or(Timestamp::MAX)
    }

    /// The stamp was not made before this moment.
    pub fn earliest(&self) -> Timestamp {
        self.moment.checked_sub(self.accuracy).unwrap_or(Timestamp::MIN)
    }
}

/// Whether a time stamp is signed with a key on an elliptic curve: `sigstore-verify` refuses a whole
/// bundle with any other in it.
pub fn is_on_a_curve(answer: &[u8]) -> bool {
    token::read(answer).is_ok_and(|token| matches!(token.algorithm, Algorithm::Ecdsa(_)))
}

/// The same answer with its certificates in the order that DER has for a set (X.690, section 11.6).
///
/// `openssl ts` writes them in another one, and strict readers refuse the whole then. No signature
/// covers their order, so that nothing else changes.
pub fn in_der_order(answer: &[u8]) -> Vec<u8> {
    let mut ordered = answer.to_vec();
    let Ok(token) = token::read(answer) else { return ordered };
    let mut certificates = token.certificates;
    let before = certificates.concat();
    certificates.sort_unstable();
    let place = answer.windows(before.len().max(1)).position(|part| part == before);
    if let Some(place) = place {
        ordered.splice(place..place + before.len(), certificates.concat());
    }
    ordered
}

/// Checks an answer of this authority about these bytes.
///
/// `nonce` is what was asked; an auditor, who did not ask, has none.
///
/// # Errors
/// Where anything does not hold.
pub fn verify(
    answer: &[u8],
    message: &[u8],
    nonce: Option<Nonce>,
    authority: &TimeStampAuthority,
) -> Result<TimeStamp, TimeStampError> {
    let token = token::read(answer)?;
    if token.info.hash.of(message) != token.info.imprint {
        return Err(TimeStampError::OtherImprint);
    }
    if let Some(nonce) = nonce
        && token.info.nonce != Some(plain_integer(&nonce.0))
    {
        return Err(TimeStampError::OtherNonce);
    }
    let moment = token.info.moment;
    let known: Vec<Certificate<'_>> =
        authority.certificates.iter().filter_map(|one| Certificate::read(one)).collect();
    let sent: Vec<Certificate<'_>> =
        token.certificates.iter().filter_map(|one| Certificate::read(one)).collect();
    let signer = signer(&token, &known, &sent).ok_or(TimeStampError::NotTrusted)?;
    check_signature(&token, &signer)?;
    if !signer.signs_time() {
        return Err(TimeStampError::Certificate("is not for time stamps alone"));
    }
    let chain = chain(signer, &known, &sent)?;
    if !chain.iter().all(|one| one.is_valid_at(moment)) {
        return Err(TimeStampError::Certificate("was not in force at the moment that it names"));
    }
    if !chain.iter().all(Certificate::is_understood) {
        return Err(TimeStampError::Certificate("has a condition that is not understood"));
    }
    let ends = chain
        .iter()
        .filter_map(|one| signature::sound_until(one.key).map(|sound| sound.min(one.until)));
    Ok(TimeStamp {
        moment,
        accuracy: token.info.accuracy,
        sound_until: ends.min().unwrap_or(moment),
        chain: chain.iter().map(|one| one.whole.to_vec()).collect(),
    })
}

/// The certificate that a token says it was signed with.
fn signer<'a>(
    token: &Token<'_>,
    known: &[Certificate<'a>],
    sent: &[Certificate<'a>],
) -> Option<Certificate<'a>> {
    known.iter().chain(sent).copied().find(|one| match token.signer {
        Signer::Serial(issuer, serial) => one.issuer == issuer && one.serial == serial,
        Signer::KeyId(id) => one.key_id() == Some(id),
    })
}

fn check_signature(token: &Token<'_>, signer: &Certificate<'_>) -> Result<(), TimeStampError> {
    let wrong = TimeStampError::BadSignature;
    let attributes = attributes(token).ok_or(wrong.clone())?;
    let one = |id: &[u8]| {
        let mut found = attributes.iter().filter(|(one, _)| *one == id);
        // One of each kind and no more: two would leave open which one counts.
        match (found.next(), found.next()) {
            (Some((_, value)), None) => element(value),
            _ => None,
        }
    };
    let about = one(CONTENT_TYPE).and_then(|one| one.is(OID)).map(|one| one.value);
    let digest = one(MESSAGE_DIGEST).and_then(|one| one.is(OCTET_STRING)).map(|one| one.value);
    if about != Some(TST_INFO) || digest != Some(token.hash.of(token.content).as_slice()) {
        return Err(wrong);
    }
    if !names_certificate(&attributes, signer) {
        return Err(TimeStampError::Certificate("is not the one that the signature names"));
    }
    // What is signed is the SET, not the implicit tag that stands in its place.
    let mut message = token.attributes.whole.to_vec();
    if let Some(first) = message.first_mut() {
        *first = SET;
    }
    if verifies(token.algorithm, signer.key, &message, token.signature) {
        Ok(())
    } else {
        Err(wrong)
    }
}

/// Identifier and value of each signed attribute that has exactly one value.
fn attributes<'a>(token: &Token<'a>) -> Option<Vec<(&'a [u8], &'a [u8])>> {
    let mut found = Vec::new();
    for attribute in token.attributes.inside()? {
        let parts = attribute.is(SEQUENCE)?.inside()?;
        let [id, values] = parts.as_slice() else { return None };
        if let [value] = values.is(SET)?.inside()?.as_slice() {
            found.push((id.is(OID)?.value, value.whole));
        }
    }
    Some(found)
}

/// `signingCertificateV2` (RFC 5035) or `signingCertificate` (RFC 2634): the first digest is that of
/// the signer's certificate.
fn names_certificate(attributes: &[(&[u8], &[u8])], signer: &Certificate<'_>) -> bool {
    use sha1::Digest as _;
    const BY_SHA_1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x0c];
    const BY_ANY: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x2f];
    let named = |id: &[u8]| {
        let (_, value) = attributes.iter().find(|(one, _)| *one == id)?;
        let all = element(value)?.is(SEQUENCE)?.inside()?.first()?.is(SEQUENCE)?.inside()?;
        all.first()?.is(SEQUENCE)?.inside()
    };
    let newer = || {
        let parts = named(BY_ANY)?;
        let (hash, digest) = match parts.as_slice() {
            [hash, digest, ..] if hash.tag == SEQUENCE => (Hash::read(*hash)?, digest),
            [digest, ..] => (Hash::Sha256, digest),
            [] => return None,
        };
        Some(digest.is(OCTET_STRING)?.value == hash.of(signer.whole))
    };
    let older = || {
        let parts = named(BY_SHA_1)?;
        let digest = parts.first()?.is(OCTET_STRING)?.value;
        Some(digest == sha1::Sha1::digest(signer.whole).as_slice())
    };
    newer().or_else(older).unwrap_or(false)
}

/// The certificates from the signer's to one of the authority.
fn chain<'a>(
    signer: Certificate<'a>,
    known: &[Certificate<'a>],
    sent: &[Certificate<'a>],
) -> Result<Vec<Certificate<'a>>, TimeStampError> {
    let is_known = |one: &Certificate<'_>| known.iter().any(|other| other.whole == one.whole);
    let mut chain = vec![signer];
    while chain.len() < LONGEST_CHAIN {
        let Some(last) = chain.last().copied() else { break };
        let self_issued = last.issuer == last.subject;
        let issuer = known
            .iter()
            .chain(sent)
            .filter(|one| !self_issued && one.is_authority())
            .find(|one| last.is_issued_by(one));
        match issuer {
            Some(issuer) => chain.push(*issuer),
            None => break,
        }
    }
    // What lies behind the last one that is trusted vouches for nothing.
    match chain.iter().rposition(is_known) {
        Some(last) => {
            chain.truncate(last + 1);
            Ok(chain)
        }
        None => Err(TimeStampError::NotTrusted),
    }
}

#[cfg(test)]
mod tests;
