//! The trust folder: what an auditor has from the issuer and checks all certificates with, signed as a
//! whole by the issuer's root key, which signs nothing else.
//!
//! The folder proves nothing about itself. The fingerprint of the root key reaches the auditor on
//! another way, such as in a contract; with it every file of the folder is checked before any of them
//! is used. What signs it is an in-toto statement whose subjects are the files, in a DSSE envelope, so
//! that tools of others check it as they check certificates.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::certificate::STATEMENT_TYPE;
use crate::digest::Digest;
use crate::dsse::{Envelope, WireEnvelope, key_name};
use crate::keys::IssuerPublicKey;
use crate::verify::{Finding, Step, printable};

/// Name of the signed list of files.
pub const TRUST_MANIFEST_NAME: &str = "trust.dsse.json";

/// Name of the root key's public half.
pub const ROOT_KEY_NAME: &str = "root.pub.pem";

/// Type of the predicate.
pub const TRUST_PREDICATE_TYPE: &str = "https://quietus.dev/trust-folder/v1";

/// Most files of a trust folder.
pub const MOST_TRUST_FILES: usize = 1000;

/// Name of the step.
const NAME: &str = "trust-folder";

/// The statement that the root key signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustManifest {
    /// [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// All files of the folder but the manifest itself.
    pub subject: Vec<TrustedFile>,
    /// [`TRUST_PREDICATE_TYPE`].
    pub predicate_type: String,
    /// Whose folder it is, and since when each key counts.
    pub predicate: TrustPredicate,
}

/// A file of the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedFile {
    /// Its name, without any folder.
    pub name: String,
    /// What it holds.
    pub digest: FileDigest,
}

/// Digest of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileDigest {
    /// SHA-256.
    pub sha256: Digest,
}

/// What the folder says of its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustPredicate {
    /// Name of the organisation.
    pub issuer: String,
    /// When the folder was written. What became of keys afterwards it does not know.
    pub issued_at: Timestamp,
    /// The keys that sign certificates, the newest first.
    pub issuer_keys: Vec<TrustedIssuerKey>,
}

/// A key that signs certificates, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustedIssuerKey {
    /// SHA-256 of its `SubjectPublicKeyInfo`.
    pub sha256: Digest,
    /// First moment; `None` for the first key of an issuer.
    pub from: Option<Timestamp>,
    /// Last moment; `None` while it is in use.
    pub until: Option<Timestamp>,
    /// From when on it may have been in other hands.
    pub compromised_since: Option<Timestamp>,
}

/// A trust folder that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedTrust {
    /// What was found.
    pub step: Step,
    /// What the folder says of its keys; `None` where nothing of it may be used.
    pub predicate: Option<TrustPredicate>,
    /// The root key, where there is one.
    pub root: Option<Digest>,
}

/// How people write the fingerprint of a root key: the SHA-256 of its `SubjectPublicKeyInfo` in hex, in
/// groups of four.
pub fn grouped(fingerprint: &Digest) -> String {
    let text = fingerprint.to_string();
    let groups: Vec<&str> =
        (0..text.len()).step_by(4).filter_map(|at| text.get(at..at + 4)).collect();
    groups.join(" ")
}

/// Reads a fingerprint as people copy it: hex in either case, with blanks, colons or dashes between.
pub fn read_fingerprint(text: &str) -> Option<Digest> {
    let between = |one: &char| one.is_whitespace() || matches!(one, ':' | '-' | '\u{a0}');
    let plain: String = text.chars().filter(|one| !between(one)).collect();
    Some(Digest(hex::decode(plain).ok()?.try_into().ok()?))
}

/// Checks a trust folder: the root key against a fingerprint, the manifest against the root key, and
/// each file against the manifest. Without a fingerprint the first is not checked, and said to be so.
pub fn check(files: &BTreeMap<String, Vec<u8>>, fingerprint: Option<&Digest>) -> CheckedTrust {
    let key = files.get(ROOT_KEY_NAME).and_then(|pem| std::str::from_utf8(pem).ok());
    let key = key.and_then(IssuerPublicKey::from_pem);
    let root = key.as_ref().map(IssuerPublicKey::id);
    let (finding, sentence, predicate) = match found(files, key.as_ref(), fingerprint) {
        Ok(manifest) => {
            let (finding, sentence) = praise(&manifest, root.as_ref(), fingerprint);
            (finding, sentence, Some(manifest.predicate))
        }
        Err(why) => (Finding::Fail, format!("{why} Nothing of the folder is used."), None),
    };
    let step = Step { name: NAME, finding, sentence: printable(&sentence) };
    CheckedTrust { step, predicate, root }
}

fn praise(
    manifest: &TrustManifest,
    root: Option<&Digest>,
    fingerprint: Option<&Digest>,
) -> (Finding, String) {
    let said = format!(
        "The {} files of the folder of {}, written {}, are as its root key signed them",
        manifest.subject.len(),
        manifest.predicate.issuer,
        manifest.predicate.issued_at.strftime("%Y-%m-%d"),
    );
    match (root, fingerprint) {
        (Some(root), None) => (
            Finding::NotChecked,
            format!(
                "{said}; whose that key is was not checked. Compare its fingerprint, `{}`, with the \
                 one in your contract, or give that one with `--fingerprint`.",
                grouped(root)
            ),
        ),
        _ => (Finding::Pass, format!("{said}, and that is the key of the fingerprint given.")),
    }
}

/// The manifest, where everything holds; otherwise why not, as sentences.
fn found(
    files: &BTreeMap<String, Vec<u8>>,
    key: Option<&IssuerPublicKey>,
    fingerprint: Option<&Digest>,
) -> Result<TrustManifest, String> {
    let Some(key) = key else {
        return Err(if files.contains_key(ROOT_KEY_NAME) {
            format!("`{ROOT_KEY_NAME}` is no P-256 public key in PEM.")
        } else {
            format!("`{ROOT_KEY_NAME}` is missing.")
        });
    };
    if fingerprint.is_some_and(|given| *given != key.id()) {
        return Err(format!(
            "`{ROOT_KEY_NAME}` is another key than the one of the fingerprint given: its own is `{}`.",
            grouped(&key.id())
        ));
    }
    let bytes = files.get(TRUST_MANIFEST_NAME);
    let bytes = bytes.ok_or_else(|| format!("`{TRUST_MANIFEST_NAME}` is missing."))?;
    let manifest = read_manifest(bytes, key)
        .map_err(|why| format!("`{TRUST_MANIFEST_NAME}` does not hold: {why}."))?;
    let faults = faults(files, &manifest);
    if faults.is_empty() { Ok(manifest) } else { Err(format!("{}.", faults.join("; "))) }
}

/// The manifest, where this key signed it.
fn read_manifest(bytes: &[u8], key: &IssuerPublicKey) -> Result<TrustManifest, String> {
    let wire: WireEnvelope = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let envelope = Envelope::try_from(wire)?;
    if envelope.key_id != key_name(key) {
        return Err("it names another key".to_owned());
    }
    if !key.verifies(&envelope.signed_bytes(), &envelope.signature) {
        return Err("the root key did not sign it so".to_owned());
    }
    let manifest: TrustManifest =
        serde_json::from_slice(&envelope.payload).map_err(|error| error.to_string())?;
    if manifest.statement_type != STATEMENT_TYPE || manifest.predicate_type != TRUST_PREDICATE_TYPE
    {
        return Err("what is signed is another kind of statement".to_owned());
    }
    if manifest.subject.len() > MOST_TRUST_FILES {
        return Err("it names too many files".to_owned());
    }
    Ok(manifest)
}

/// Names of the files of a manifest that nobody has checked, so that what an earlier one has left can be
/// told from what is somebody else's. None where it cannot be read.
pub fn names_of(manifest: &[u8]) -> BTreeSet<String> {
    let read = || {
        let wire: WireEnvelope = serde_json::from_slice(manifest).ok()?;
        let envelope = Envelope::try_from(wire).ok()?;
        serde_json::from_slice::<TrustManifest>(&envelope.payload).ok()
    };
    let named = read().map(|manifest| manifest.subject).unwrap_or_default();
    named.into_iter().map(|file| file.name).filter(|name| is_plain(name)).collect()
}

/// A name leads to no other folder.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}

/// What is not as it was signed, with names.
fn faults(files: &BTreeMap<String, Vec<u8>>, manifest: &TrustManifest) -> Vec<String> {
    let mut faults = Vec::new();
    let mut named = BTreeSet::from([TRUST_MANIFEST_NAME]);
    for TrustedFile { name, digest } in &manifest.subject {
        if !is_plain(name) || !named.insert(name) {
            faults.push(format!("`{name}` is no name of one file"));
            continue;
        }
        match files.get(name) {
            None => faults.push(format!("`{name}` is missing")),
            Some(bytes) if Digest::of(bytes) != digest.sha256 => {
                faults.push(format!("`{name}` was changed"));
            }
            Some(_) => {}
        }
    }
    let extra = files.keys().filter(|name| !named.contains(name.as_str()));
    faults.extend(extra.map(|name| format!("`{name}` is not part of it")));
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical;
    use crate::test_keys::IssuerKey;

    const FILES: [(&str, &[u8]); 2] =
        [("trusted_root.json", b"{}"), ("policy.tlog", b"quorum none\n")];

    fn statement(files: &[(&str, &[u8])]) -> TrustManifest {
        let file = |(name, bytes): &(&str, &[u8])| TrustedFile {
            name: (*name).to_owned(),
            digest: FileDigest { sha256: Digest::of(bytes) },
        };
        TrustManifest {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject: files.iter().map(file).collect(),
            predicate_type: TRUST_PREDICATE_TYPE.to_owned(),
            predicate: TrustPredicate {
                issuer: "Example Shop".to_owned(),
                issued_at: "2026-11-29T00:00:00Z".parse().expect("a moment"),
                issuer_keys: Vec::new(),
            },
        }
    }

    fn folder(manifest: &TrustManifest, key: &IssuerKey) -> BTreeMap<String, Vec<u8>> {
        let envelope = key.seal(&canonical::to_bytes(manifest).expect("json"));
        let wire = serde_json::to_vec(&WireEnvelope::from(&envelope)).expect("json");
        let mut files: BTreeMap<String, Vec<u8>> =
            FILES.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
        files.insert(TRUST_MANIFEST_NAME.to_owned(), wire);
        files.insert(ROOT_KEY_NAME.to_owned(), key.public().to_pem().into_bytes());
        files
    }

    fn signed(key: &IssuerKey) -> BTreeMap<String, Vec<u8>> {
        let pem = key.public().to_pem();
        let files = [FILES.as_slice(), &[(ROOT_KEY_NAME, pem.as_bytes())]].concat();
        folder(&statement(&files), key)
    }

    #[test]
    fn a_fingerprint_is_read_as_people_copy_it() {
        let digest = Digest::of(b"key");
        let text = grouped(&digest);
        assert_eq!(text.split(' ').count(), 16);
        let spellings =
            [text.clone(), text.to_uppercase(), text.replace(' ', "-"), text.replace(' ', ":\n")];
        for spelling in spellings {
            assert_eq!(read_fingerprint(&spelling), Some(digest), "{spelling}");
        }
        for wrong in ["", "3f9a", &text[1..], &format!("{text} 00"), &text.replace('0', "g")] {
            assert!(wrong == text || read_fingerprint(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_folder_passes_only_with_the_fingerprint_of_its_root_key() {
        let key = IssuerKey::new(1);
        let files = signed(&key);
        let checked = check(&files, Some(&key.public().id()));
        assert_eq!(checked.step.finding, Finding::Pass, "{}", checked.step.sentence);
        assert_eq!(checked.predicate.map(|one| one.issuer).as_deref(), Some("Example Shop"));
        let checked = check(&files, None);
        assert_eq!(checked.step.finding, Finding::NotChecked);
        assert!(checked.step.sentence.contains(&grouped(&key.public().id())));
        let checked = check(&files, Some(&IssuerKey::new(2).public().id()));
        assert_eq!(checked.step.finding, Finding::Fail);
        assert!(checked.predicate.is_none() && checked.step.sentence.contains("root.pub.pem"));
    }

    type Files = BTreeMap<String, Vec<u8>>;

    #[test]
    fn what_was_changed_taken_away_or_added_is_named() {
        let key = IssuerKey::new(1);
        let id = key.public().id();
        let good = signed(&key);
        let told = |change: &dyn Fn(&mut Files), said: &str| {
            let mut files = good.clone();
            change(&mut files);
            for fingerprint in [Some(&id), None] {
                let checked = check(&files, fingerprint);
                assert_eq!(checked.step.finding, Finding::Fail, "{said}");
                assert!(checked.step.sentence.contains(said), "{}", checked.step.sentence);
                assert_eq!(checked.predicate, None);
            }
        };
        for name in [FILES[0].0, FILES[1].0] {
            told(
                &|files| files.get_mut(name).expect("a file").push(0),
                &format!("`{name}` was changed"),
            );
            told(&|files| drop(files.remove(name)), &format!("`{name}` is missing"));
        }
        told(
            &|files| drop(files.insert("evil.pem".to_owned(), Vec::new())),
            "`evil.pem` is not part of it",
        );
        for name in [TRUST_MANIFEST_NAME, ROOT_KEY_NAME] {
            told(&|files| drop(files.remove(name)), &format!("`{name}` is missing"));
        }
        let other = signed(&IssuerKey::new(2));
        let manifest = other[TRUST_MANIFEST_NAME].clone();
        told(
            &|files| drop(files.insert(TRUST_MANIFEST_NAME.to_owned(), manifest.clone())),
            "it names another key",
        );
    }

    #[test]
    fn every_byte_of_the_manifest_counts() {
        let key = IssuerKey::new(1);
        let (good, id) = (signed(&key), key.public().id());
        let length = good[TRUST_MANIFEST_NAME].len();
        for place in 0..length {
            let mut files = good.clone();
            files.get_mut(TRUST_MANIFEST_NAME).expect("a file")[place] ^= 1;
            let checked = check(&files, Some(&id));
            assert_eq!(checked.step.finding, Finding::Fail, "byte {place}");
        }
    }

    #[test]
    fn what_the_root_key_signed_may_still_be_no_folder() {
        let key = IssuerKey::new(1);
        let change = |change: &dyn Fn(&mut TrustManifest)| {
            let mut manifest = statement(&FILES);
            change(&mut manifest);
            check(&folder(&manifest, &key), Some(&key.public().id())).step.sentence
        };
        for (said, wanted) in [
            (change(&|one| one.predicate_type.push('x')), "another kind of statement"),
            (change(&|one| one.subject.push(one.subject[0].clone())), "no name of one file"),
            (change(&|one| one.subject[0].name = "../x".to_owned()), "no name of one file"),
            (change(&|_| {}), "`root.pub.pem` is not part of it"),
        ] {
            assert!(said.contains(wanted), "{said}");
        }
        let names = names_of(&signed(&key)[TRUST_MANIFEST_NAME]);
        assert!(names.contains("policy.tlog") && names.len() == 3, "{names:?}");
        assert!(names_of(b"nothing").is_empty());
    }
}
