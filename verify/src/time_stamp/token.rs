//! An answer of a time-stamp authority, taken apart (RFC 3161, section 2.4.2; CMS, RFC 5652).

use jiff::{SignedDuration, Timestamp};

use super::der::{
    CONTEXT_0, Element, GENERALIZED_TIME, INTEGER, OCTET_STRING, OID, SEQUENCE, SET, element,
    plain_integer,
};
use super::signature::{Algorithm, Hash};

/// Largest answer that is read, in bytes.
pub const ANSWER_BYTES: usize = 64 * 1024;

/// `id-signedData`, 1.2.840.113549.1.7.2.
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// `id-ct-TSTInfo`, 1.2.840.113549.1.9.16.1.4.
pub(super) const TST_INFO: &[u8] =
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
/// `id-contentType`, 1.2.840.113549.1.9.3.
pub(super) const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
/// `id-messageDigest`, 1.2.840.113549.1.9.4.
pub(super) const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];

/// What the authority says: these bytes' digest, this moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Info<'a> {
    /// How the bytes were hashed.
    pub hash: Hash,
    /// Their digest.
    pub imprint: &'a [u8],
    /// The moment.
    pub moment: Timestamp,
    /// How far the moment may be off.
    pub accuracy: SignedDuration,
    /// The number that was asked to be repeated.
    pub nonce: Option<&'a [u8]>,
}

/// Who signed it, and how.
#[derive(Debug, Clone, Copy)]
pub(super) enum Signer<'a> {
    /// By issuer and serial number.
    Serial(&'a [u8], &'a [u8]),
    /// By the identifier of the key.
    KeyId(&'a [u8]),
}

/// A token, taken apart and not verified.
#[derive(Debug, Clone)]
pub(super) struct Token<'a> {
    /// The bytes of what it says.
    pub content: &'a [u8],
    /// What it says.
    pub info: Info<'a>,
    /// Certificates that came with it.
    pub certificates: Vec<&'a [u8]>,
    /// Whose certificate it was signed with.
    pub signer: Signer<'a>,
    /// How what it says was hashed.
    pub hash: Hash,
    /// The attributes that are signed: all bytes, still with their implicit tag.
    pub attributes: Element<'a>,
    /// How they are signed.
    pub algorithm: Algorithm,
    /// The signature.
    pub signature: &'a [u8],
}

/// Why an authority gave no time stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unread {
    /// The bytes are no answer.
    Malformed,
    /// The authority says no: status, and its words.
    Refused(u8, String),
}

/// Takes an answer apart.
pub(super) fn read(answer: &[u8]) -> Result<Token<'_>, Unread> {
    if answer.len() > ANSWER_BYTES {
        return Err(Unread::Malformed);
    }
    let parts =
        element(answer).and_then(|one| one.is(SEQUENCE)?.inside()).ok_or(Unread::Malformed)?;
    let status = parts.first().and_then(|one| status(*one)).ok_or(Unread::Malformed)?;
    // 0 is granted, 1 granted with changes.
    if status.0 > 1 {
        return Err(Unread::Refused(status.0, status.1));
    }
    match parts.as_slice() {
        [_, token] => token_of(*token).ok_or(Unread::Malformed),
        _ => Err(Unread::Malformed),
    }
}

fn status(info: Element<'_>) -> Option<(u8, String)> {
    let parts = info.is(SEQUENCE)?.inside()?;
    let [code] = parts.first()?.is(INTEGER)?.value else { return None };
    let words = parts
        .get(1)
        .filter(|one| one.tag == SEQUENCE)
        .and_then(|one| one.inside()?.first().map(|one| one.value))
        .map(|bytes| String::from_utf8_lossy(bytes).chars().take(200).collect())
        .unwrap_or_default();
    Some((*code, words))
}

fn token_of(token: Element<'_>) -> Option<Token<'_>> {
    let parts = token.is(SEQUENCE)?.inside()?;
    let [kind, content] = parts.as_slice() else { return None };
    if kind.is(OID)?.value != SIGNED_DATA {
        return None;
    }
    let signed = element(content.is(CONTEXT_0)?.value)?.is(SEQUENCE)?.inside()?;
    let [_version, _hashes, said, rest @ .., signers] = signed.as_slice() else { return None };
    let said = said.is(SEQUENCE)?.inside()?;
    let [said_kind, said] = said.as_slice() else { return None };
    if said_kind.is(OID)?.value != TST_INFO {
        return None;
    }
    let content = element(said.is(CONTEXT_0)?.value)?.is(OCTET_STRING)?.value;
    let certificates = match rest.first().filter(|one| one.tag == CONTEXT_0) {
        Some(set) => set
            .inside()?
            .into_iter()
            .filter(|one| one.tag == SEQUENCE)
            .map(|one| one.whole)
            .collect(),
        None => Vec::new(),
    };
    let signers = signers.is(SET)?.inside()?;
    let [only] = signers.as_slice() else { return None };
    signed_by(*only, content, certificates)
}

fn signed_by<'a>(
    signer: Element<'a>,
    content: &'a [u8],
    certificates: Vec<&'a [u8]>,
) -> Option<Token<'a>> {
    let parts = signer.is(SEQUENCE)?.inside()?;
    let [_version, who, hash, attributes, algorithm, signature, ..] = parts.as_slice() else {
        return None;
    };
    let who = if who.tag == SEQUENCE {
        let parts = who.inside()?;
        let [issuer, serial] = parts.as_slice() else { return None };
        Signer::Serial(issuer.whole, serial.is(INTEGER)?.value)
    } else {
        // `[0]` of an OCTET STRING, implicit and therefore primitive.
        Signer::KeyId(who.is(0x80)?.value)
    };
    let hash = Hash::read(*hash)?;
    Some(Token {
        content,
        info: info(content)?,
        certificates,
        signer: who,
        hash,
        attributes: attributes.is(CONTEXT_0)?,
        algorithm: Algorithm::read(*algorithm, Some(hash))?,
        signature: signature.is(OCTET_STRING)?.value,
    })
}

fn info(content: &[u8]) -> Option<Info<'_>> {
    let parts = element(content)?.is(SEQUENCE)?.inside()?;
    let [version, policy, imprint, _serial, moment, rest @ ..] = parts.as_slice() else {
        return None;
    };
    policy.is(OID)?;
    if version.is(INTEGER)?.value != [1] {
        return None;
    }
    let imprint = imprint.is(SEQUENCE)?.inside()?;
    let [hash, digest] = imprint.as_slice() else { return None };
    let accuracy = match rest.iter().find(|one| one.tag == SEQUENCE) {
        Some(one) => accuracy(*one)?,
        None => SignedDuration::ZERO,
    };
    let nonce = rest.iter().find(|one| one.tag == INTEGER).map(|one| plain_integer(one.value));
    Some(Info {
        hash: Hash::read(*hash)?,
        imprint: digest.is(OCTET_STRING)?.value,
        moment: moment.is(GENERALIZED_TIME)?.moment()?,
        accuracy,
        nonce,
    })
}

/// Seconds, milliseconds `[0]` and microseconds `[1]`, each of which may be left out.
fn accuracy(parts: Element<'_>) -> Option<SignedDuration> {
    let mut total = SignedDuration::ZERO;
    for part in parts.inside()? {
        let number =
            part.value.iter().take(5).fold(0_i64, |number, byte| number << 8 | i64::from(*byte));
        if part.value.len() > 4 {
            return None;
        }
        total += match part.tag {
            INTEGER => SignedDuration::from_secs(number),
            0x80 => SignedDuration::from_millis(number),
            0x81 => SignedDuration::from_micros(number),
            _ => return None,
        };
    }
    Some(total)
}
