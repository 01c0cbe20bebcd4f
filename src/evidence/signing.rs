//! Signing certificates: only sound ones are, and what is signed is canonical JSON.
//!
//! Reading and checking them is the verifier's part, which knows no private key.

use super::certificate::{
    Certificate, MANIFEST_NAME, OPENING_NAME, PREDICATE_TYPE, Predicate, STATEMENT_TYPE, Subject,
    SubjectDigest, nonce,
};
use super::dsse::{Envelope, PAYLOAD_TYPE, key_name, pre_authentication_encoding};
use super::keys::{IssuerKey, KeyError};
use super::status_list::StatusList;
use super::{canonical, hashedrekord, manifest, summary};
use crate::domain::Digest;

/// Why a certificate is not issued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It claims what it may not.
    #[error("the certificate is not sound: {}", .0.join("; "))]
    Unsound(Vec<String>),
    /// It cannot be written canonically.
    #[error("the certificate cannot be written as canonical JSON")]
    Unwritable,
    /// The key could not sign.
    #[error("the certificate could not be signed")]
    Unsigned(#[source] KeyError),
}

/// Signs an in-toto statement as it stands, sound or not.
///
/// # Errors
/// Where the cryptographic library refuses.
pub fn seal(payload: Vec<u8>, key: &IssuerKey) -> Result<Envelope, KeyError> {
    let signature = key.sign(&pre_authentication_encoding(PAYLOAD_TYPE, &payload))?;
    Ok(Envelope { payload, signature, key_id: key_name(&key.public()) })
}

/// A signed certificate and the log entry that makes it count. It is handed out only with the
/// proof that the entry is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCertificate {
    /// The envelope.
    pub envelope: Envelope,
    /// The leaf to be appended to the log.
    pub leaf: Vec<u8>,
    /// The manifest, exported beside it.
    pub manifest: Vec<u8>,
}

/// What a certificate is about.
#[derive(Debug, Clone, Copy)]
pub enum SubjectFile<'a> {
    /// Its own counts: a scheduled disposal.
    Counts,
    /// A person, by the bytes of their opening.
    Opening(&'a [u8]),
}

/// Signs a certificate.
///
/// # Errors
/// Where it claims what it may not, its subject does not fit its class, or it cannot be written or
/// signed.
pub fn sign(
    predicate: Predicate,
    about: SubjectFile<'_>,
    key: &IssuerKey,
) -> Result<SignedCertificate, CertificateError> {
    let mut problems = summary::violations(&predicate);
    let of_counts = matches!(about, SubjectFile::Counts);
    if of_counts != predicate.is_of_counts() {
        problems
            .push(format!("its subject is not that of the class `{}`", predicate.about().as_str()));
    }
    if !problems.is_empty() {
        return Err(CertificateError::Unsound(problems));
    }
    let manifest = manifest::manifest(&predicate).ok_or(CertificateError::Unwritable)?;
    let (name, digest) = match about {
        SubjectFile::Counts => (MANIFEST_NAME, Digest::of(&manifest)),
        SubjectFile::Opening(opening) => (OPENING_NAME, Digest::of(opening)),
    };
    let certificate = Certificate {
        statement_type: STATEMENT_TYPE.to_owned(),
        subject: vec![Subject { name: name.to_owned(), digest: SubjectDigest { sha256: digest } }],
        predicate_type: PREDICATE_TYPE.to_owned(),
        predicate,
    };
    let payload = canonical::to_bytes(&certificate).ok_or(CertificateError::Unwritable)?;
    let envelope = seal(payload, key).map_err(CertificateError::Unsigned)?;
    let leaf = hashedrekord::leaf(&envelope, &key.public());
    Ok(SignedCertificate { envelope, leaf, manifest })
}

/// Signs a status list; the answer is the envelope, and the leaf that makes it count.
///
/// # Errors
/// Where it cannot be written or signed.
pub fn sign_status_list(
    list: &StatusList,
    key: &IssuerKey,
) -> Result<(Envelope, Vec<u8>), CertificateError> {
    let payload = list.to_statement().ok_or(CertificateError::Unwritable)?;
    let envelope = seal(payload, key).map_err(CertificateError::Unsigned)?;
    let leaf = hashedrekord::leaf(&envelope, &key.public());
    Ok((envelope, leaf))
}

/// The opening of a certificate about a person: who holds it can show whom the certificate is
/// about, and nobody else can guess it, because of the 256 random bits in it.
///
/// `sha256sum` of these bytes is the certificate's subject.
///
/// # Errors
/// Where it cannot be written canonically.
pub fn opening(
    identifiers: &std::collections::BTreeSet<(String, String)>,
    random: [u8; 32],
) -> Result<Vec<u8>, CertificateError> {
    let identifiers: Vec<_> = identifiers
        .iter()
        .map(|(kind, value)| serde_json::json!({ "type": kind, "value": value }))
        .collect();
    let opening = serde_json::json!({
        "v": 1,
        "nonce": nonce(random),
        "identifiers": identifiers,
    });
    canonical::to_bytes(&opening).ok_or(CertificateError::Unwritable)
}
