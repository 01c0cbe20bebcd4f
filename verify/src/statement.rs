//! What a certificate says about one category in one collection of one system.
//!
//! Everything that was due is accounted for: acted upon, kept for a named reason, or left. Counts
//! are texts in JSON, because doubles cannot carry them. None of the texts may name a person.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::digest::Digest;
use crate::files::StatedFiles;
use crate::name::{CategoryName, CollectionName, RuleName, SystemName};

/// A number of records, written as text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(pub u64);

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse::<u64>() {
            Ok(number) if number.to_string() == text => Ok(Self(number)),
            _ => Err(serde::de::Error::custom("expected a plain number as text")),
        }
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)* }

        impl $name {
            /// The word on the certificate.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    )*};
}

words! {
    /// What role the system has.
    SystemKind {
        /// A live database.
        Database = "database",
        /// Files.
        Files = "files",
        /// A message queue.
        Queue = "queue",
        /// Copies for recovery.
        Backup = "backup",
        /// A third party that processes for the controller.
        Processor = "processor",
    }

    /// What the rule wanted.
    CertifiedAction {
        /// Fields cleared, records deleted.
        Erase = "erase",
        /// Fields made anonymous.
        Anonymise = "anonymise",
        /// Records restricted.
        Restrict = "restrict",
        /// The key of the data destroyed.
        CryptoShred = "crypto-shred",
        /// Nothing.
        None = "none",
    }

    /// How it ended.
    StatementOutcome {
        /// Everything due was acted upon or is kept for a named reason.
        Completed = "completed",
        /// Nothing was due.
        NotFound = "not-found",
        /// Some of it was done.
        Partial = "partial",
        /// Everything due is kept for named reasons.
        Retained = "retained",
        /// Not done yet.
        Pending = "pending",
        /// Not tried: disabled, no key, called off.
        Skipped = "skipped",
        /// Tried and failed.
        Failed = "failed",
        /// A processor says that it was done.
        AttestedByProcessor = "attested-by-processor",
    }

    /// Grade of removal after NIST SP 800-88.
    RemovalGrade {
        /// Gone from what the system shows.
        Clear = "clear",
        /// Gone from the medium.
        Purge = "purge",
        /// The medium is gone.
        Destroy = "destroy",
        /// The scale does not apply.
        NotApplicable = "n/a",
    }

    /// How somebody looked again.
    VerificationType {
        /// A second query over everything due.
        PostQuery = "post-query",
        /// A second look at a sample; it never makes a statement verified.
        Sampling = "sampling",
        /// Nobody looked; somebody says so.
        Attestation = "attestation",
        /// Nobody looked.
        None = "none",
    }

    /// What the second look found.
    VerificationFinding {
        /// Nothing that should be gone.
        Absent = "absent",
        /// Records that should be gone.
        Survivors = "survivors",
        /// The look itself failed, or did not happen.
        Unknown = "unknown",
    }

    /// Why something due stays.
    KeptReason {
        /// A legal hold covers it.
        LegalHold = "legal-hold",
        /// A law wants it kept for longer.
        StatutoryMinimum = "statutory-minimum",
        /// Something that is kept refers to it.
        Referenced = "referenced",
        /// It stays restricted for a reason of its own, when a person's restriction is lifted.
        StillRestricted = "still-restricted",
    }
}

/// The system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatedSystem {
    /// Its name in the data map.
    pub id: SystemName,
    /// Its role.
    pub kind: SystemKind,
    /// Who runs it: `self` or the name of a processor.
    pub operator: String,
    /// Where it stands, as the data map says.
    pub region: Option<String>,
}

/// The retention rule that was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatedRule {
    /// Its name.
    pub id: RuleName,
    /// Version of its pack.
    pub version: String,
    /// Digest of its content.
    pub sha256: Digest,
    /// Why this period: law and article, contract, interest.
    pub basis: String,
}

/// Records whose starting point lies at or before this moment were due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatedCutOff {
    /// The rule that it follows from.
    pub rule: RuleName,
    /// Name of the starting point.
    pub starting_point: String,
    /// The period as the rule writes it, such as `P90D`.
    pub period: String,
    /// The latest starting point that was due, that moment included.
    pub at_or_before: Timestamp,
}

/// How it was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatedMethod {
    /// Grade after NIST SP 800-88.
    pub nist80088: RemovalGrade,
    /// What was done technically.
    pub technique: String,
    /// Connector and version.
    pub tool: String,
}

/// Records by what became of them. `matched` is the sum of all others and of what is kept.
///
/// A record that went as a whole is counted in the statement of each of its categories: counts of
/// several categories of one collection must not be added up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatedRecords {
    /// Records for which the category was due.
    pub matched: Count,
    /// Deleted as a whole.
    pub deleted: Count,
    /// Fields of the category cleared, the record stays.
    pub cleared: Count,
    /// Fields of the category made anonymous, the record stays.
    pub anonymised: Count,
    /// Restricted.
    pub restricted: Count,
    /// Due, not kept for any reason below, and still there (or nobody knows).
    pub left: Count,
}

/// Records that were due and stay, for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatedKept {
    /// Why.
    pub reason: KeptReason,
    /// How many records, more than none.
    pub records: Count,
    /// Which hold, law or collection; never a person.
    pub because: String,
    /// Until when, where that is known; the last of them where they go at different times.
    pub until: Option<Date>,
    /// Until when the first of them, where they go at different times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_until: Option<Date>,
    /// When somebody looks at it again.
    pub review_on: Option<Date>,
    /// Whether the records are restricted meanwhile.
    pub restricted: bool,
}

/// The second look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatedVerification {
    /// How.
    #[serde(rename = "type")]
    pub kind: VerificationType,
    /// When; `None` where nobody looked.
    pub at: Option<Timestamp>,
    /// What it found.
    pub result: VerificationFinding,
    /// How it looked, in words.
    pub method: String,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatedFailure {
    /// Why, without personal data.
    pub reason: String,
    /// Attempts so far.
    pub attempts: u32,
    /// Who has to act.
    pub owner: Option<String>,
    /// When it is tried again.
    pub next_attempt_at: Option<Timestamp>,
}

/// An exception that a person decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatedException {
    /// Which regime, such as `GDPR`.
    pub regime: String,
    /// Which provision of it.
    pub provision: String,
    /// Which law wants it.
    pub law: String,
    /// Until when.
    pub until: Option<Date>,
    /// Whether the data are restricted meanwhile.
    pub restricted: bool,
    /// When somebody looks at it again.
    pub review_on: Option<Date>,
}

/// Copies of a system in a store, of which nobody can erase one record: until when they can hold
/// what was erased, and what was seen of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatedBackup {
    /// Name of the store in the data map.
    pub store: String,
    /// When the newest copy that can hold it was finished, as the store was listed last.
    #[serde(default)]
    pub newest_copy_containing: Option<Timestamp>,
    /// How many copies can hold it, as the store was listed last; `None` where it was not.
    #[serde(default)]
    pub copies: Option<Count>,
    /// The day by which the last of them is gone, under the store's own retention; `None` where no
    /// day may be promised, or once they were seen to be gone.
    #[serde(default)]
    pub gone_by: Option<Date>,
    /// Why no day may be promised.
    #[serde(default)]
    pub without_day: Option<String>,
    /// When a listing showed that none of them is left.
    #[serde(default)]
    pub seen_gone_at: Option<Timestamp>,
    /// When the store was listed last; `None` where it could not be.
    #[serde(default)]
    pub listed_at: Option<Timestamp>,
    /// How copies end there.
    pub mechanism: String,
    /// Whether what was erased is erased again before a restored copy is used. `false` where nobody
    /// has seen to it.
    #[serde(default)]
    pub re_delete_on_restore: bool,
}

impl StatedBackup {
    /// Whether a copy can still hold what was erased, as far as the statement knows.
    pub fn is_pending(&self) -> bool {
        self.seen_gone_at.is_none()
    }
}

/// Stores in a statement: `null`, one, or a list. Certificates from before there were several have
/// `null`, and so has whoever has none.
mod backups {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::StatedBackup;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        One(Box<StatedBackup>),
        Several(Vec<StatedBackup>),
    }

    pub(super) fn serialize<S: Serializer>(
        stores: &[StatedBackup],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        if stores.is_empty() { serializer.serialize_none() } else { stores.serialize(serializer) }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<StatedBackup>, D::Error> {
        Ok(match Option::<Written>::deserialize(deserializer)? {
            None => Vec::new(),
            Some(Written::One(store)) => vec![*store],
            Some(Written::Several(stores)) => stores,
        })
    }
}

/// A recipient who was told, and what came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatedRecipient {
    /// Name of the recipient.
    pub name: String,
    /// When it was told (GDPR article 19).
    pub notified_at: Option<Timestamp>,
    /// How strong its word is: `verified`, `signed`, `reported` or `told`; `None` while nothing came
    /// back.
    pub grade: Option<String>,
    /// What it said, in words.
    pub words: Option<String>,
    /// Digest of its receipt.
    pub receipt_sha256: Option<Digest>,
    /// Its signature over the receipt, base64; it can be checked from the digest alone.
    pub signature: Option<String>,
    /// The certificates that the signature was checked with, leaf first, as PEM.
    pub certificates: Option<String>,
}

/// An entry of the log that this statement rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceReference {
    /// Origin of the log.
    pub log: String,
    /// Index of the leaf.
    pub index: Count,
    /// RFC 6962 hash of the leaf.
    pub leaf_hash: Digest,
    /// SHA-256 of the detail behind it.
    pub detail_sha256: Digest,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemStatement {
    /// Short name within the certificate, such as `s1`.
    pub id: String,
    /// The job behind it, where there is one.
    pub job_id: Option<Uuid>,
    /// The system.
    pub system: StatedSystem,
    /// The collection; `None` where the statement speaks for the whole system.
    pub collection: Option<CollectionName>,
    /// The data category; `None` where the statement speaks for the whole collection or system.
    pub category: Option<CategoryName>,
    /// The rules that were applied, each to the records that its condition holds for; empty where
    /// none was.
    pub rules: Vec<StatedRule>,
    /// What was due.
    pub cut_offs: Vec<StatedCutOff>,
    /// Digest of the rule set whose minimums and maximums counted, where it is not the one of the
    /// certificate's scope alone: what was law when it was carried out. Absent where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits_rule_set_sha256: Option<Digest>,
    /// What the rule wanted.
    pub action: CertifiedAction,
    /// How it ended.
    pub outcome: StatementOutcome,
    /// How it was carried out.
    pub method: StatedMethod,
    /// Records by what became of them.
    pub records: StatedRecords,
    /// What stays, by reason.
    pub kept: Vec<StatedKept>,
    /// Fields of the category that stay in records which stay, until those go as a whole: rules,
    /// links or the key need them. With any, the statement is at best retained.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub staying_fields: Vec<String>,
    /// The second look.
    pub verification: StatedVerification,
    /// When the first attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// Why it was not done, or not yet.
    pub failure: Option<StatedFailure>,
    /// An exception that a person decided.
    pub exception: Option<StatedException>,
    /// Stores that copy the system, where something of it was erased.
    #[serde(default, with = "backups")]
    pub backup: Vec<StatedBackup>,
    /// Files and logs of the system, where something of it was erased and somebody looks at them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<StatedFiles>,
    /// A third party that was told, and what came back.
    pub recipient: Option<StatedRecipient>,
    /// Log entries that it rests on.
    pub evidence: Vec<EvidenceReference>,
}
