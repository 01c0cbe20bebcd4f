//! Entries of the log: hash-only leaves of one length, and the salted details that they commit to.
//!
//! A leaf says that something was recorded, when and by which producer; what it means stands in
//! the detail, which is kept outside of the log and can be destroyed. The 256-bit salt makes the
//! digest useless for guessing. Leaves never hold names of systems, counts or identifiers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::canonical;
use crate::domain::Digest;

/// Length of every leaf of an evidence kind, in bytes, so that the length says nothing.
pub const LEAF_BYTES: usize = 256;

/// Longest name of a producer, in bytes.
pub const PRODUCER_BYTES: usize = 32;

/// Why an entry cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The producer's name does not fit.
    #[error("`{0}` is no producer name: write 1 to 32 letters, digits, `.`, `_` or `-`")]
    Producer(String),
    /// The detail cannot be written canonically.
    #[error("the detail cannot be written as canonical JSON; write numbers beyond 2^53 as text")]
    Detail,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// What an entry is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum EvidenceKind { $($(#[$doc])* #[serde(rename = $text)] $variant,)* }

        impl EvidenceKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word in the leaf.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Reads the word.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

kinds! {
    /// The first entry of a log.
    LogOpened = "log.opened",
    /// The last entry of a log.
    LogClosed = "log.closed",
    /// Leaves that the store had lost were put back.
    LogRefilled = "log.refilled",
    /// A set of rules came into force.
    RulesPublished = "rules.published",
    /// A data map came into force.
    MapPublished = "map.published",
    /// A case was opened with its plan.
    CaseOpened = "case.opened",
    /// Somebody agreed to a case or a plan beyond its limits.
    CaseApproved = "case.approved",
    /// A case was called off.
    CaseCancelled = "case.cancelled",
    /// A case was closed.
    CaseClosed = "case.closed",
    /// A case goes on once more: what it had erased or restricted is back.
    CaseReopened = "case.reopened",
    /// Something of a person is back, by a later look.
    ReappearanceFound = "reappearance.found",
    /// Somebody decided what becomes of something that is back.
    ReappearanceDecided = "reappearance.decided",
    /// An attempt begins: recorded before the effect.
    StepStarted = "step.started",
    /// An erasure or anonymisation was carried out.
    ErasureStep = "erasure.step",
    /// Which records went as a whole in a job: the root of a manifest.
    RecordManifest = "erasure.manifest",
    /// A restriction was carried out or lifted.
    RestrictionStep = "restriction.step",
    /// An attempt did not lead to a receipt.
    StepFailed = "step.failed",
    /// An attempt was given back before it had an effect, or between two chunks.
    StepReleased = "step.released",
    /// A job was called off.
    StepCancelled = "step.cancelled",
    /// A failed job is to be tried again.
    StepRetried = "step.retried",
    /// A second look after erasure.
    VerificationResult = "verification.result",
    /// A processor answered.
    ProcessorReceipt = "processor.receipt",
    /// A person's request was taken in.
    RequestReceived = "request.received",
    /// A request went another step, or somebody decided about it.
    RequestChanged = "request.changed",
    /// Somebody was given a task, said that it is done, or confirmed it.
    TaskChanged = "task.changed",
    /// A test person was erased from a rehearsal system.
    Rehearsed = "connector.rehearsed",
    /// A drill began: what is planted where, of nobody.
    DrillBegun = "drill.begun",
    /// A drill ended, with the time that each erasure took.
    DrillEnded = "drill.ended",
    /// What a drill had left in a system was taken away.
    DrillCleaned = "drill.cleaned",
    /// A letter was written or delivered.
    LetterWritten = "letter.written",
    /// Everything, a rule, a system or a case was paused.
    Paused = "pause.begun",
    /// A pause ended.
    Resumed = "pause.ended",
    /// A system that was put back to an earlier state is in quarantine.
    RestoreBegun = "restore.begun",
    /// Everything that was done since is done again, and the system is open.
    RestoreOpened = "restore.opened",
    /// A legal hold was placed.
    HoldPlaced = "hold.placed",
    /// A legal hold was released.
    HoldReleased = "hold.released",
    /// A key came into use.
    KeyAdded = "key.added",
    /// A key went out of use.
    KeyRetired = "key.retired",
    /// A key may be in other hands.
    KeyCompromised = "key.compromised",
    /// The status of a certificate changed.
    CertificateStatus = "certificate.status",
    /// How many entries a producer has written.
    ProducerHeartbeat = "producer.heartbeat",
    /// A detail was destroyed.
    EvidenceShredded = "evidence.shredded",
    /// An auditor looked for the certificates of somebody; never of whom.
    AuditLookup = "audit.lookup",
    /// A time-stamp token over a checkpoint was received.
    AnchorTsa = "anchor.tsa",
    /// A store of copies was listed: what it still has of what a case has erased.
    BackupObserved = "backup.observed",
    /// Copies whose time is over were removed by the store's own commands.
    BackupExpired = "backup.expired",
    /// Somebody asked for, decided about or carried out an erasure of a person's files inside copies.
    BackupErasedInside = "backup.erased_inside",
    /// The re-erasure list was written: the digest of its index.
    ListWritten = "re-erasure.listed",
    /// A store that had lost something was brought forward from the re-erasure list.
    StoreRecovered = "store.recovered",
    /// Files and logs of a system were looked at: what can still hold what a case has erased there.
    ResidueObserved = "residue.observed",
}

/// An entry ready to be queued: the leaf and the detail that it commits to.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The leaf: exactly [`LEAF_BYTES`] bytes of ASCII.
    pub body: Vec<u8>,
    /// The detail, kept outside of the log.
    pub detail_bytes: Vec<u8>,
    /// SHA-256 of the detail, as it stands in the leaf.
    pub detail_sha256: Digest,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Entry(detail {})", self.detail_sha256.short())
    }
}

/// What a leaf of an evidence kind says; nobody else's bytes are read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EvidenceLeaf {
    /// What it is about.
    pub kind: EvidenceKind,
    /// The rest.
    pub spec: LeafSpec,
}

/// The rest of what a leaf says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeafSpec {
    /// Digest of the detail.
    pub detail_sha256: Digest,
    /// Who wrote it.
    pub producer: String,
    /// When it was written, in whole seconds.
    pub time: Timestamp,
    /// Of a heartbeat: how many entries the producer has written, with this one.
    #[serde(default, deserialize_with = "count_as_text")]
    pub entries: Option<u64>,
}

/// A count, written as text as all that may pass 2^53 is.
fn count_as_text<'de, D: serde::Deserializer<'de>>(reader: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(reader)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

/// The beginning of every heartbeat's leaf, by which it is known without reading it.
const HEARTBEAT: &[u8] = br#"{"apiVersion":"1","kind":"producer.heartbeat","#;

/// Whether a leaf is a heartbeat. Everything that its producer wrote before stands before it.
pub fn is_heartbeat(body: &[u8]) -> bool {
    body.starts_with(HEARTBEAT)
}

/// Reads a leaf; `None` for a certificate's and for bytes that are none of ours.
pub fn read_leaf(body: &[u8]) -> Option<EvidenceLeaf> {
    serde_json::from_slice(body).ok()
}

/// What a detail says, in its canonical form (RFC 8785): found to be one that can be written, and made
/// an entry of once it has a number.
#[derive(Clone)]
pub struct CanonicalDetail(String);

impl CanonicalDetail {
    /// The canonical form of what is to be said.
    ///
    /// # Errors
    /// Where it holds a number that JSON cannot carry.
    pub fn of(detail: &Value) -> Result<Self, EntryError> {
        let bytes = canonical::to_bytes(detail).ok_or(EntryError::Detail)?;
        String::from_utf8(bytes).map(Self).map_err(|_| EntryError::Detail)
    }

    /// Builds an entry that is the producer's `number`th, from 1. The number stands in the salted
    /// detail, and of a heartbeat in the leaf too, where anybody can count whether it is true. `time`
    /// is written in whole seconds, cut, never rounded up.
    ///
    /// # Errors
    /// Where the producer's name does not fit.
    pub fn numbered(
        &self,
        kind: EvidenceKind,
        salt: [u8; 32],
        (producer, number): (&str, u64),
        time: Timestamp,
    ) -> Result<Entry, EntryError> {
        let beats = kind == EvidenceKind::ProducerHeartbeat;
        self.build(kind, (salt, Some(number)), (producer, beats.then_some(number)), time)
    }

    // Members in the order of RFC 8785. Every value beside the detail is ASCII without a quotation mark
    // or a backslash, so that it is its own canonical form.
    fn build(
        &self,
        kind: EvidenceKind,
        (salt, number): ([u8; 32], Option<u64>),
        (producer, entries): (&str, Option<u64>),
        time: Timestamp,
    ) -> Result<Entry, EntryError> {
        fits_a_producer(producer)?;
        let (kind, salt) = (kind.as_str(), STANDARD.encode(salt));
        let number = number.map(|number| format!(r#""number":"{number}","#)).unwrap_or_default();
        let detail_bytes = format!(
            r#"{{"apiVersion":"1","detail":{},"kind":"{kind}",{number}"salt":"{salt}"}}"#,
            self.0
        );
        let detail_sha256 = Digest::of(detail_bytes.as_bytes());
        let entries = entries.map(|many| format!(r#""entries":"{many}","#)).unwrap_or_default();
        let time = time.strftime("%Y-%m-%dT%H:%M:%SZ");
        let head = format!(r#"{{"apiVersion":"1","kind":"{kind}","pad":""#);
        let spec = format!(
            r#"","spec":{{"detailSha256":"{detail_sha256}",{entries}"producer":"{producer}","time":"{time}"}}}}"#
        );
        let pad = LEAF_BYTES.saturating_sub(head.len() + spec.len());
        let body = [head, "0".repeat(pad), spec].concat().into_bytes();
        Ok(Entry { body, detail_bytes: detail_bytes.into_bytes(), detail_sha256 })
    }
}

/// Whether this can be the name of a producer.
///
/// # Errors
/// Where it cannot.
pub fn fits_a_producer(name: &str) -> Result<(), EntryError> {
    let fits = |one: char| one.is_ascii_alphanumeric() || matches!(one, '.' | '_' | '-');
    if name.is_empty() || name.len() > PRODUCER_BYTES || !name.chars().all(fits) {
        return Err(EntryError::Producer(name.to_owned()));
    }
    Ok(())
}

/// Builds an entry without a number. `time` is written in whole seconds, cut, never rounded up.
///
/// # Errors
/// Where the producer's name does not fit or the detail holds a number that JSON cannot carry.
pub fn evidence_entry(
    kind: EvidenceKind,
    detail: &Value,
    salt: [u8; 32],
    producer: &str,
    time: Timestamp,
) -> Result<Entry, EntryError> {
    CanonicalDetail::of(detail)?.build(kind, (salt, None), (producer, None), time)
}

/// Builds an entry that is the producer's `number`th: [`CanonicalDetail::numbered`].
///
/// # Errors
/// As [`evidence_entry`].
pub fn numbered_entry(
    kind: EvidenceKind,
    detail: &Value,
    salt: [u8; 32],
    from: (&str, u64),
    time: Timestamp,
) -> Result<Entry, EntryError> {
    CanonicalDetail::of(detail)?.numbered(kind, salt, from, time)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn noon() -> Timestamp {
        "2026-11-23T12:00:00.999Z".parse().expect("a moment")
    }

    #[test]
    fn every_kind_and_producer_makes_a_leaf_of_one_length() {
        for kind in EvidenceKind::ALL {
            assert_eq!(EvidenceKind::parse(kind.as_str()), Some(*kind));
            for producer in ["n", &"x".repeat(PRODUCER_BYTES)] {
                let entry = evidence_entry(*kind, &json!({"a": 1}), [7; 32], producer, noon())
                    .expect("an entry");
                assert_eq!(entry.body.len(), LEAF_BYTES, "{}", kind.as_str());
                assert!(entry.body.is_ascii());
                for number in [1, 9_999_999_999] {
                    let from = (producer, number);
                    let entry = numbered_entry(*kind, &json!({"a": 1}), [7; 32], from, noon())
                        .expect("an entry");
                    assert_eq!(entry.body.len(), LEAF_BYTES, "{}", kind.as_str());
                    let beats = *kind == EvidenceKind::ProducerHeartbeat;
                    assert_eq!(is_heartbeat(&entry.body), beats);
                    let read = read_leaf(&entry.body).expect("a leaf of ours");
                    assert_eq!(read.spec.entries, beats.then_some(number));
                    let detail = String::from_utf8(entry.detail_bytes).expect("text");
                    assert!(detail.contains(&format!("\"number\":\"{number}\"")), "{detail}");
                }
            }
        }
    }

    #[test]
    fn the_leaf_commits_to_the_detail_and_says_nothing_of_it() {
        let detail = json!({"system": "shop", "deleted": "5231"});
        let entry = evidence_entry(EvidenceKind::ErasureStep, &detail, [7; 32], "n1", noon())
            .expect("an entry");
        let leaf = String::from_utf8(entry.body).expect("text");
        assert!(leaf.contains(&Digest::of(&entry.detail_bytes).to_string()));
        assert!(leaf.contains("2026-11-23T12:00:00Z"));
        assert!(!leaf.contains("shop") && !leaf.contains("5231"));
        let read = read_leaf(leaf.as_bytes()).expect("a leaf of ours");
        assert_eq!(read.kind, EvidenceKind::ErasureStep);
        assert_eq!(
            (read.spec.detail_sha256, read.spec.producer.as_str()),
            (entry.detail_sha256, "n1")
        );
        assert_eq!(read_leaf(b"{}"), None);
        let other = evidence_entry(EvidenceKind::ErasureStep, &detail, [8; 32], "n1", noon());
        assert_ne!(other.expect("an entry").detail_sha256, entry.detail_sha256);
    }

    #[test]
    fn leaf_and_detail_are_in_their_canonical_form() {
        let details = [
            Value::Null,
            json!({"z": 1, "a": [1.5, -0.0, 1e21], "ä\u{1f600}": "\"\\\n\u{1}\u{7f}é", "": {}}),
            json!("\"},\"kind\":\"x"),
        ];
        for kind in EvidenceKind::ALL {
            for detail in &details {
                let with =
                    |number| numbered_entry(*kind, detail, [251; 32], ("n1.2", number), noon());
                let entries =
                    [evidence_entry(*kind, detail, [0; 32], "n1", noon()), with(1), with(u64::MAX)];
                for entry in entries {
                    let entry = entry.expect("an entry");
                    for bytes in [&entry.body, &entry.detail_bytes] {
                        let read: Value = serde_json::from_slice(bytes).expect("JSON");
                        assert_eq!(canonical::to_bytes(&read).as_ref(), Some(bytes));
                    }
                    let document: Value =
                        serde_json::from_slice(&entry.detail_bytes).expect("JSON");
                    assert_eq!(
                        canonical::to_bytes(&document["detail"]),
                        canonical::to_bytes(detail)
                    );
                    assert_eq!(document["kind"], kind.as_str());
                    assert_eq!(document["apiVersion"], "1");
                }
            }
        }
    }

    #[test]
    fn a_producer_that_would_break_the_length_is_refused() {
        for producer in ["", "with space", &"x".repeat(PRODUCER_BYTES + 1), "ä"] {
            let built =
                evidence_entry(EvidenceKind::LogOpened, &Value::Null, [0; 32], producer, noon());
            assert_eq!(built, Err(EntryError::Producer(producer.to_owned())));
        }
    }
}
