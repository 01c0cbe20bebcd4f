//! The certificate: an in-toto statement about one case, signed by the issuer and logged.
//!
//! It holds no personal data. It is sound only when its summary is the one that its statements
//! amount to, and every system in scope is stated. A certificate is never changed; a later one
//! supersedes it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::digest::Digest;
use crate::name::{CategoryName, CollectionName, ScheduleName, SystemName};
use crate::statement::{Count, SystemStatement};
use crate::status_list::StatusEntry;
use crate::summary::Summary;

/// Type of the in-toto statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// Type of the predicate.
pub const PREDICATE_TYPE: &str = "https://quietus.dev/erasure-certificate/v1";

/// Name of the subject of a scheduled disposal: the manifest of its counts.
pub const MANIFEST_NAME: &str = "manifest.json";

/// The reason for which a correction takes the place of a certificate.
pub const ERROR: &str = "error";

/// Name of the subject of a person's request: the opening, which only the person is given.
pub const OPENING_NAME: &str = "subject-opening.json";

/// Sentences about the limits of every certificate; a caller adds those of its case.
pub const STANDING_LIMITS: &[&str] = &[
    "Counts are those that the named systems reported to the named verification.",
    "Systems, collections and copies outside the stated data map are not covered.",
    "Backups, caches, search indexes and exports are covered only where a statement names them.",
    "The log proves what was claimed and in which order; it cannot prove that a record is gone.",
];

/// What the certificate of a drill says before all other limits.
pub const OF_A_DRILL: &str = "This certificate is of a drill: its subject was invented to see how long an erasure takes, and is no person.";

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
    /// A system was put back to an earlier state, and what was erased since was erased again.
    Restore,
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
            Self::Restore => "restore",
        }
    }

    /// Whether its subject is the manifest of its own counts, and nobody's opening. Of a correction
    /// the class of what it corrects says so.
    fn is_of_counts(self) -> bool {
        matches!(self, Self::ScheduledDisposal | Self::Restore)
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
    /// Why: `final`, `tried-again` where this one is not final either, `reappeared`, `error`,
    /// `backup-expired`, `residues-gone`, `looked-again` where a day became known or is over, or
    /// `kept-looked-at` where what was kept went in part, or was to go and stays.
    pub reason: String,
}

/// What was wrong with a certificate that was withdrawn, and how its case was stated anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Correction {
    /// The class of the certificate that it corrects, and never `correction`.
    pub corrects: CertificateClass,
    /// What was wrong, in the words of whoever withdrew it.
    pub what_was_wrong: String,
    /// Systems that were searched again for it; the statements about them speak for that look.
    pub looked_again_in: Vec<SystemName>,
    /// Systems about which it repeats what was on record, without another look.
    pub on_record_only: Vec<SystemName>,
}

/// A system that was put back to an earlier state, so that what had gone was back for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatedRestore {
    /// The system.
    pub system: SystemName,
    /// It held the state of this moment.
    pub state_of: Timestamp,
    /// Somebody told of it; otherwise it was noticed.
    pub announced: bool,
    /// The earliest moment at which what had gone may have been back.
    pub back_from: Timestamp,
    /// When it was gone again, verified.
    pub gone_again_at: Timestamp,
    /// Records that were there again.
    pub records: Count,
    /// Who came back, on the certificate of a restore; `None` on that of a person.
    pub persons: Option<RestoredPersons>,
}

/// Who came back with a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoredPersons {
    /// Cases of persons in which what was done since was done again.
    pub done_again: Count,
    /// Of those, cases in which something was there again.
    pub came_back: Count,
    /// Cases of persons who are forgotten, so that they could not be looked for.
    pub forgotten: Count,
}

/// Something of a person that was there again, by a later look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatedReappearance {
    /// The system.
    pub system: SystemName,
    /// When it was last seen that nothing was back.
    pub last_well_at: Timestamp,
    /// When it was found.
    pub found_at: Timestamp,
    /// When what was done was done again, verified; `None` where something keeps all of it.
    pub done_again_at: Option<Timestamp>,
    /// Records that were there again.
    pub records: Count,
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
    /// What was wrong with the certificate that it takes the place of; only on a correction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correction: Option<Correction>,
    /// Where its present status is published; `None` on certificates from before there were lists.
    pub status: Option<StatusEntry>,
    /// Restores that had brought back what it is about; not written where there were none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restores: Vec<StatedRestore>,
    /// What was back without a restore, such as by an import; not written where nothing was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reappearances: Vec<StatedReappearance>,
    /// What it does not cover, in words.
    pub limits: Vec<String>,
}

impl Predicate {
    /// What it is about: its class, and for a correction that of what it corrects.
    pub fn about(&self) -> CertificateClass {
        self.correction.as_ref().map_or(self.class, |correction| correction.corrects)
    }

    /// Whether its subject was invented for a drill, so that it is about no person.
    pub fn is_of_a_drill(&self) -> bool {
        self.request.as_ref().is_some_and(|request| request.get("drill").is_some())
    }

    /// Whether its subject is the manifest of its own counts, and nobody's opening.
    pub fn is_of_counts(&self) -> bool {
        self.about().is_of_counts()
    }
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
