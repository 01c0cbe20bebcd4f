//! The certificate: an in-toto statement about one case, signed by the issuer and logged.
//!
//! It holds no personal data. It is signed only when it is sound: its summary is the one that its
//! statements amount to, and every system in scope is stated. A certificate is never changed; a
//! later one supersedes it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::dsse::Envelope;
use super::keys::{IssuerKey, KeyError};
use super::statement::{Count, SystemStatement};
use super::summary::{self, Summary};
use super::{canonical, hashedrekord, manifest};
use crate::domain::{CategoryName, CollectionName, Digest, ScheduleName, SystemName};

/// Type of the in-toto statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// Type of the predicate.
pub const PREDICATE_TYPE: &str = "https://quietus.dev/erasure-certificate/v1";

/// Name of the subject of a scheduled disposal: the manifest of its counts.
pub const MANIFEST_NAME: &str = "manifest.json";

/// Name of the subject of a person's request: the opening, which only the person is given.
pub const OPENING_NAME: &str = "subject-opening.json";

/// Sentences about the limits of every certificate; a caller adds those of its case.
pub const STANDING_LIMITS: &[&str] = &[
    "Counts are those that the named systems reported to the named verification.",
    "Systems, collections and copies outside the stated data map are not covered.",
    "Backups, caches, search indexes and exports are covered only where a statement names them.",
    "The log proves what was claimed and in which order; it cannot prove that a record is gone.",
];

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

/// What the certificate is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateClass {
    /// A schedule found records due.
    ScheduledDisposal,
    /// A person asked.
    RightsRequest,
    /// Records were restricted.
    Restriction,
    /// Nothing is held.
    NotHeld,
    /// An earlier certificate is corrected.
    Correction,
}

impl CertificateClass {
    /// The word on the certificate.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ScheduledDisposal => "scheduled-disposal",
            Self::RightsRequest => "rights-request",
            Self::Restriction => "restriction",
            Self::NotHeld => "not-held",
            Self::Correction => "correction",
        }
    }
}

/// Who issues it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Issuer {
    /// Name of the organisation.
    pub name: String,
    /// Its role.
    pub role: IssuerRole,
    /// Origin of the log that it is logged in.
    pub log: String,
}

/// Role of the issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssuerRole {
    /// Decides why and how data are processed.
    Controller,
    /// Processes for a controller.
    Processor,
}

/// What made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tool {
    /// Name of the product.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What began the case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trigger {
    /// The case.
    pub case_id: Uuid,
    /// The schedule, for a scheduled disposal.
    pub schedule: Option<ScheduleName>,
    /// The occurrence of the schedule that the run belongs to.
    pub occurrence: Option<Timestamp>,
    /// The moment that decided what was due.
    pub planned_at: Timestamp,
    /// The role of the second person who agreed, where one had to; never a name.
    pub approved_by: Option<String>,
}

/// What was planned, so that completeness can be checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scope {
    /// Digest of the plan.
    pub plan_sha256: Digest,
    /// Digest of the data map.
    pub data_map_sha256: Digest,
    /// Index of the log entry that published it.
    pub data_map_log_index: Option<Count>,
    /// Digest of the rule set.
    pub rule_set_sha256: Digest,
    /// Systems of the plan.
    pub systems_in_scope: u32,
    /// Systems that the statements speak for; equal to the number in scope.
    pub systems_stated: u32,
    /// What was left out on purpose.
    pub not_covered: Vec<NotCovered>,
}

/// Something left out on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotCovered {
    /// In this system; `None` means in all.
    pub system: Option<SystemName>,
    /// In this collection; `None` means in all.
    pub collection: Option<CollectionName>,
    /// This category; `None` means all.
    pub category: Option<CategoryName>,
    /// Why.
    pub reason: String,
}

/// What comes next, where something is pending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// When somebody looks next.
    pub next_review_at: Option<Timestamp>,
    /// By when a final certificate follows.
    pub final_certificate_by: Option<Timestamp>,
}

/// The certificate that this one takes the place of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Supersedes {
    /// Its identifier.
    pub certificate_id: Uuid,
    /// SHA-256 of its payload.
    pub statement_sha256: Digest,
    /// Why: `final`, `tried-again` where this one is not final either, `reappeared`, `error` or
    /// `backup-expired`.
    pub reason: String,
}

/// The predicate: everything that is certified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Predicate {
    /// Identifier of the certificate.
    pub certificate_id: Uuid,
    /// Base64 of 32 random bytes, so that nobody can guess the payload from its digest.
    pub nonce: String,
    /// What it is about.
    pub class: CertificateClass,
    /// Who issues it.
    pub issuer: Issuer,
    /// What made it.
    pub tool: Tool,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// The moment that it speaks for: that of the earliest of the second looks behind what it says
    /// is done. What came later is not covered.
    pub as_of: Timestamp,
    /// What began the case.
    pub trigger: Trigger,
    /// A person's request, without the person: when it was received, under which law, what was
    /// asked, how somebody made sure who asks, and by when an answer is due.
    pub request: Option<serde_json::Value>,
    /// What was planned.
    pub scope: Scope,
    /// One for each system, collection and category.
    pub statements: Vec<SystemStatement>,
    /// What they amount to.
    pub summary: Summary,
    /// What comes next.
    pub pending: Option<Pending>,
    /// Which certificate this one takes the place of.
    pub supersedes: Option<Supersedes>,
    /// Where its present status is published; there is no status list yet.
    pub status: Option<serde_json::Value>,
    /// What it does not cover, in words.
    pub limits: Vec<String>,
}

/// Base64 of a nonce, as the predicate carries it.
pub fn nonce(random: [u8; 32]) -> String {
    STANDARD.encode(random)
}

/// The in-toto statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Certificate {
    /// Always [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// Exactly one subject.
    pub subject: Vec<Subject>,
    /// Always [`PREDICATE_TYPE`].
    pub predicate_type: String,
    /// What is certified.
    pub predicate: Predicate,
}

/// What an in-toto statement is about: a file, by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Name of the file.
    pub name: String,
    /// Its digest.
    pub digest: SubjectDigest,
}

/// Digest of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectDigest {
    /// SHA-256 of the file.
    pub sha256: Digest,
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
    if of_counts != (predicate.class == CertificateClass::ScheduledDisposal) {
        problems
            .push(format!("its subject is not that of the class `{}`", predicate.class.as_str()));
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
    let envelope = Envelope::sign(payload, key).map_err(CertificateError::Unsigned)?;
    let leaf = hashedrekord::leaf(&envelope, &key.public());
    Ok(SignedCertificate { envelope, leaf, manifest })
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
