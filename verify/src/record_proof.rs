//! Proof that one record was among those that a bulk deletion took, for whoever has its reference.
//!
//! Two inclusion proofs: the record's salted hash is in the manifest of the run, whose root stands in
//! a detail, and the leaf that commits to this detail is in the log. Of other records nothing is said
//! but how many there were: without a salt of its own no hash tells which record it stands for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::statement::Count;
use crate::trust_folder::CheckedTrust;
use crate::trusted_root::{TrustedLog, TrustedRoot, fingerprint};
use crate::verify::{Finding, Source, Step, Steps, sentence};
use crate::{canonical, merkle, note};

/// Kind of the leaf whose detail holds the root of a manifest.
pub const LEAF_KIND: &str = "erasure.manifest";

/// What the root of a manifest is, as its detail says it.
pub const ALGORITHM: &str = "RFC 6962 with SHA-256 over SHA-256(salt || record)";

/// Bytes of a salt.
pub const SALT_BYTES: usize = 32;

/// Name of the file that names the record.
pub const RECORD_NAME: &str = "record.json";
/// Name of the file with the record's salt.
pub const SALT_NAME: &str = "record.salt";
/// Name of the file with places and paths, by which a folder is known as such a proof.
pub const PROOF_NAME: &str = "record-proof.json";
/// Name of the file with the detail that holds the root of the manifest.
pub const DETAIL_NAME: &str = "detail.json";
/// Name of the file with the leaf that commits to the detail.
pub const LEAF_NAME: &str = "leaf.json";
/// Name of the file with the signed head of the log.
pub const CHECKPOINT_NAME: &str = "checkpoint";

/// The reference of one record; its canonical JSON is what is hashed with the salt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordReference {
    api_version: String,
    /// Its collection, by its name in the data map.
    pub collection: String,
    /// Its key fields, each value as text.
    pub key: BTreeMap<String, String>,
    kind: String,
    /// Its system, by its name in the data map.
    pub system: String,
}

impl RecordReference {
    /// The reference of a record.
    pub fn new(system: &str, collection: &str, key: BTreeMap<String, String>) -> Self {
        Self {
            api_version: "1".to_owned(),
            collection: collection.to_owned(),
            key,
            kind: "record".to_owned(),
            system: system.to_owned(),
        }
    }

    /// Its canonical bytes (RFC 8785).
    pub fn to_bytes(&self) -> Vec<u8> {
        // Texts only: there is nothing that could not be written.
        canonical::to_bytes(self).unwrap_or_default()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let read: Self = serde_json::from_slice(bytes).ok()?;
        let known = read.api_version == "1" && read.kind == "record" && !read.key.is_empty();
        (known && read.to_bytes() == bytes).then_some(read)
    }
}

/// What a manifest lists for a record: `SHA-256(salt || reference)`.
pub fn entry(salt: &[u8; SALT_BYTES], reference: &[u8]) -> Digest {
    Digest::of(&[salt, reference].concat())
}

/// Hash of an entry as a leaf of the manifest's tree.
pub fn leaf_of(entry: &Digest) -> Digest {
    merkle::leaf_hash(&entry.0)
}

/// Places and paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordProof {
    api_version: String,
    kind: String,
    /// The entry in the manifest.
    pub manifest: Place,
    /// The leaf in the log, at the size of the signed head.
    pub log: Place,
}

/// A place in a tree, with the path from there to its root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Index, from 0.
    pub index: Count,
    /// Number of leaves of the tree.
    pub size: Count,
    /// Hashes from the leaf upwards.
    pub path: Vec<Digest>,
}

impl RecordProof {
    /// A proof of these two places.
    pub fn new(manifest: Place, log: Place) -> Self {
        Self { api_version: "1".to_owned(), kind: "record.proof".to_owned(), manifest, log }
    }

    /// The file, for people and for programs.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let read: Self = serde_json::from_slice(bytes).ok()?;
        (read.api_version == "1" && read.kind == "record.proof").then_some(read)
    }
}

/// What the detail of a manifest says; unknown words are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Detail {
    kind: String,
    detail: Manifest,
}

/// A manifest, as its detail says it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    algorithm: String,
    system: String,
    #[serde(rename = "manifestRoot")]
    root: Digest,
    entries: Count,
    deleted: Count,
}

#[derive(Debug, Deserialize)]
struct Leaf {
    kind: String,
    spec: LeafSpec,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeafSpec {
    detail_sha256: Digest,
    time: String,
}

/// The files of a proof.
#[derive(Debug, Clone, Copy, Default)]
pub struct RecordFiles<'a> {
    /// `record.json`.
    pub record: &'a [u8],
    /// `record.salt`.
    pub salt: &'a [u8],
    /// `record-proof.json`.
    pub proof: &'a [u8],
    /// `detail.json`.
    pub detail: &'a [u8],
    /// `leaf.json`.
    pub leaf: &'a [u8],
    /// `checkpoint`.
    pub checkpoint: &'a [u8],
    /// `trusted_root.json`.
    pub trusted_root: Option<(&'a [u8], Source)>,
    /// The signed trust folder that the trusted root is from.
    pub trust: Option<&'a CheckedTrust>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordVerdict {
    /// The steps in their order.
    pub steps: Vec<Step>,
    /// The log was compared with a trusted root that the verifying person has from the issuer.
    pub anchored: bool,
    /// The record, where no step failed.
    #[serde(skip)]
    pub record: Option<RecordReference>,
}

impl RecordVerdict {
    /// Whether no step failed.
    pub fn passed(&self) -> bool {
        self.steps.iter().all(|step| step.finding != Finding::Fail)
    }

    /// What a step found.
    pub fn finding(&self, name: &str) -> Option<Finding> {
        self.steps.iter().find(|step| step.name == name).map(|step| step.finding)
    }
}

/// Verifies that a record was in a run.
pub fn verify_record(files: &RecordFiles<'_>) -> RecordVerdict {
    let mut steps = Steps::after(files.trust.map(|trust| trust.step.clone()));
    let record = read_record(&mut steps, files.record);
    let proof = RecordProof::read(files.proof);
    if proof.is_none() {
        steps.fail("proof", format!("The file `{PROOF_NAME}` is no proof of a record."));
    }
    let detail: Option<Detail> = serde_json::from_slice(files.detail).ok();
    let leaf: Option<Leaf> = serde_json::from_slice(files.leaf).ok();
    let manifest = read_manifest(&mut steps, detail, record.as_ref());
    in_manifest(&mut steps, files, proof.as_ref(), manifest.as_ref());
    if let Some(manifest) = &manifest {
        listed(&mut steps, manifest);
    }
    committed(&mut steps, files, leaf.as_ref());
    let log = trusted_log(&mut steps, files);
    in_log(&mut steps, files, proof.as_ref(), log.as_ref());
    let told = leaf.as_ref().map_or("nothing", |leaf| leaf.spec.time.as_str());
    steps.skip(
        "time",
        format!(
            "The entry says `{told}`, which is the word of whoever wrote it; time stamps over heads \
             of the log, such as those beside a certificate, bound it."
        ),
    );
    let anchored = matches!(files.trusted_root, Some((_, Source::Given)));
    let mut verdict = RecordVerdict { steps: steps.into_steps(), anchored, record: None };
    verdict.record = record.filter(|_| verdict.passed());
    verdict
}

fn read_record(steps: &mut Steps, bytes: &[u8]) -> Option<RecordReference> {
    let record = RecordReference::read(bytes);
    match &record {
        Some(record) => steps.pass(
            "record",
            format!(
                "The file names one record of `{}` in system `{}`.",
                record.collection, record.system
            ),
        ),
        None => steps.fail(
            "record",
            format!("The file `{RECORD_NAME}` is no reference of a record in canonical JSON."),
        ),
    }
    record
}

fn read_manifest(
    steps: &mut Steps,
    detail: Option<Detail>,
    record: Option<&RecordReference>,
) -> Option<Manifest> {
    const NAME: &str = "run";
    let Some(Detail { kind, detail: manifest }) = detail else {
        steps
            .fail(NAME, format!("The file `{DETAIL_NAME}` cannot be read as a manifest's detail."));
        return None;
    };
    if kind != LEAF_KIND || manifest.algorithm != ALGORITHM {
        steps.fail(NAME, "The detail is not that of a manifest of records.");
        return None;
    }
    if record.is_some_and(|record| record.system != manifest.system) {
        steps.fail(NAME, "The manifest is that of another system than the record's.");
        return None;
    }
    steps.pass(
        NAME,
        format!(
            "The run in system `{}` deleted {} record(s) that it lists.",
            manifest.system, manifest.entries.0
        ),
    );
    Some(manifest)
}

fn in_manifest(
    steps: &mut Steps,
    files: &RecordFiles<'_>,
    proof: Option<&RecordProof>,
    manifest: Option<&Manifest>,
) {
    const NAME: &str = "manifest";
    let (Some(proof), Some(manifest)) = (proof, manifest) else {
        steps.skip(NAME, "There is no manifest or no path to check.");
        return;
    };
    let Ok(salt) = <[u8; SALT_BYTES]>::try_from(files.salt) else {
        steps.fail(NAME, format!("The salt does not have {SALT_BYTES} bytes."));
        return;
    };
    let Place { index: Count(index), size: Count(size), path } = &proof.manifest;
    if *size != manifest.entries.0 {
        steps.fail(NAME, "The path is that of a manifest with another number of records.");
        return;
    }
    let leaf = leaf_of(&entry(&salt, files.record));
    match merkle::check_inclusion(&leaf, *index, *size, path, &manifest.root) {
        Ok(()) => steps.pass(
            NAME,
            format!("The record is entry {index} of the {size} in the manifest of that run."),
        ),
        Err(error) => steps.fail(NAME, sentence(&error.to_string())),
    }
}

fn listed(steps: &mut Steps, manifest: &Manifest) {
    let (entries, deleted) = (manifest.entries.0, manifest.deleted.0);
    if entries == deleted {
        steps.pass("listed", format!("All {deleted} deletions that were reported are listed."));
    } else {
        steps.skip(
            "listed",
            format!("{deleted} deletions were reported and {entries} are listed: ask why."),
        );
    }
}

fn committed(steps: &mut Steps, files: &RecordFiles<'_>, leaf: Option<&Leaf>) {
    match leaf {
        Some(leaf)
            if leaf.kind == LEAF_KIND && leaf.spec.detail_sha256 == Digest::of(files.detail) =>
        {
            steps.pass("leaf", "The entry of the log commits to exactly this detail.");
        }
        _ => steps.fail("leaf", "The entry of the log does not commit to this detail."),
    }
}

fn trusted_log(steps: &mut Steps, files: &RecordFiles<'_>) -> Option<TrustedLog> {
    const NAME: &str = "trusted-root";
    let Some((bytes, source)) = files.trusted_root else {
        steps.fail(NAME, "There is no trusted root: give the issuer's with `--trusted-root`.");
        return None;
    };
    let root = match TrustedRoot::from_json(bytes) {
        Ok(root) => root,
        Err(error) => {
            steps.fail(NAME, sentence(&error.to_string()));
            return None;
        }
    };
    let text = String::from_utf8_lossy(files.checkpoint);
    let origin = text.lines().next().unwrap_or_default();
    let known = root.logs.iter().find(|one| one.log.origin() == origin).cloned();
    let Some(log) = known.or_else(|| root.continued_by(origin)) else {
        steps.fail(NAME, "The trusted root does not know the log of this entry.");
        return None;
    };
    match source {
        Source::Given => steps.pass(NAME, "The trusted root that was given knows the log."),
        Source::Beside => steps.skip(
            NAME,
            format!(
                "The trusted root came with the proof. Compare the SHA-256 of the file, `{}`, with \
                 one from the issuer.",
                fingerprint(bytes)
            ),
        ),
    }
    Some(log)
}

fn in_log(
    steps: &mut Steps,
    files: &RecordFiles<'_>,
    proof: Option<&RecordProof>,
    log: Option<&TrustedLog>,
) {
    let Some(log) = log else {
        steps.skip("checkpoint", "The signature of the log is not checked: no key is trusted.");
        steps.skip("inclusion", "The head that the proof leads to is not one that is trusted.");
        return;
    };
    let text = String::from_utf8_lossy(files.checkpoint);
    let head = match note::verify_checkpoint(&text, &log.log) {
        Ok(head) => head,
        Err(error) => {
            steps.fail("checkpoint", sentence(&error.to_string()));
            steps.skip("inclusion", "The head that the proof leads to is not one that is trusted.");
            return;
        }
    };
    steps.pass(
        "checkpoint",
        format!(
            "The log `{}` signed its head: {} entries, root {}.",
            log.log.origin(),
            head.size,
            head.root.short()
        ),
    );
    let Some(Place { index: Count(index), size: Count(size), path }) =
        proof.map(|proof| &proof.log)
    else {
        steps.skip("inclusion", "There is no path to check.");
        return;
    };
    if *size != head.size {
        steps.fail("inclusion", "The path is that of a log with another number of entries.");
        return;
    }
    match merkle::check_inclusion(&merkle::leaf_hash(files.leaf), *index, *size, path, &head.root) {
        Ok(()) => {
            steps.pass("inclusion", format!("The entry is number {index} of {size} in that log."));
        }
        Err(error) => steps.fail("inclusion", sentence(&error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference() -> RecordReference {
        let key = [("id", "4711"), ("a", "\u{e9}")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        RecordReference::new("shop", "orders", key.into())
    }

    #[test]
    fn a_reference_has_one_spelling() {
        let bytes = reference().to_bytes();
        assert_eq!(
            String::from_utf8_lossy(&bytes),
            r#"{"apiVersion":"1","collection":"orders","key":{"a":"é","id":"4711"},"kind":"record","system":"shop"}"#
        );
        assert_eq!(RecordReference::read(&bytes), Some(reference()));
        let spaced = String::from_utf8(bytes).unwrap().replace("\":\"", "\": \"");
        assert_eq!(RecordReference::read(spaced.as_bytes()), None);
        assert_eq!(RecordReference::read(b"{}"), None);
        let nobody = RecordReference::new("shop", "orders", BTreeMap::new());
        assert_eq!(RecordReference::read(&nobody.to_bytes()), None);
    }

    #[test]
    fn an_entry_is_the_hash_of_salt_and_reference() {
        let bytes = reference().to_bytes();
        let one = entry(&[7; 32], &bytes);
        let mut joined = vec![7; 32];
        joined.extend(&bytes);
        assert_eq!(one, Digest::of(&joined));
        assert_ne!(one, entry(&[8; 32], &bytes));
    }

    #[test]
    fn a_proof_survives_its_file_and_nothing_else_is_one() {
        let place =
            Place { index: Count(1 << 60), size: Count(u64::MAX), path: vec![Digest([3; 32])] };
        let proof = RecordProof::new(place.clone(), place);
        assert_eq!(RecordProof::read(&proof.to_bytes()), Some(proof));
        assert_eq!(RecordProof::read(b"{}"), None);
        let nothing = verify_record(&RecordFiles::default());
        assert!(!nothing.passed() && nothing.record.is_none());
        for name in ["record", "proof", "run", "leaf", "trusted-root"] {
            assert_eq!(nothing.finding(name), Some(Finding::Fail), "{name}");
        }
    }
}
