//! An exported folder and its files: the only module here that reads anything, and what it is told to.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::anchor_folder::{AnchorFolder, POLICY_NAME};
use crate::bundle::BUNDLE_BYTES;
use crate::certificate::{MANIFEST_NAME, OPENING_NAME};
use crate::digest::Digest;
use crate::record_proof::{
    CHECKPOINT_NAME, DETAIL_NAME, LEAF_NAME, PROOF_NAME, RECORD_NAME, RecordFiles, RecordVerdict,
    SALT_NAME, verify_record,
};
use crate::status::{STATUS_LIST_NAME, SUCCESSOR_NAME, StatusFiles};
use crate::trust_folder::{self, CheckedTrust, MOST_TRUST_FILES, TRUST_MANIFEST_NAME};
use crate::verify::{Material, Source, Verdict, verify};

/// Name of the signed bundle.
pub const BUNDLE_NAME: &str = "certificate.sigstore.json";

/// Name of the trusted root.
pub const TRUSTED_ROOT_NAME: &str = "trusted_root.json";

/// Name of the issuer's public key.
pub const ISSUER_KEY_NAME: &str = "issuer.pub.pem";

/// A file that could not be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{}` cannot be read: {}; name an exported folder or its `certificate.sigstore.json`",
    .path.display(),
    why(source)
)]
pub struct Unreadable {
    path: PathBuf,
    source: io::Error,
}

/// A fault of the file system in words, without its number.
pub fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it is not there".to_owned(),
        io::ErrorKind::PermissionDenied => "permission is denied".to_owned(),
        io::ErrorKind::AlreadyExists => "something of this name is there".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        io::ErrorKind::NotADirectory => "it is a file, or lies below one".to_owned(),
        io::ErrorKind::InvalidInput => "it is a pipe or a device".to_owned(),
        io::ErrorKind::InvalidData => "it is not UTF-8".to_owned(),
        other => other.to_string(),
    }
}

/// Which files are checked. What is not named is looked for beside the certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// The bundle, or the folder that it lies in under its usual name.
    pub path: PathBuf,
    /// The trusted root that the verifying person has from the issuer.
    pub trusted_root: Option<PathBuf>,
    /// The issuer's key that the verifying person has from the issuer.
    pub issuer_key: Option<PathBuf>,
    /// A folder from the issuer with both under their usual names, where they are not named alone.
    /// One that is signed as a whole is checked as a whole, and nothing of it is used otherwise.
    pub trust: Option<PathBuf>,
    /// The fingerprint of the root key that signed the folder `trust`, from elsewhere; with it the
    /// folder has to be signed.
    pub fingerprint: Option<Digest>,
    /// The file that the certificate is about.
    pub subject: Option<PathBuf>,
    /// The policy that the verifying person has from the issuer: which witnesses have to have
    /// signed.
    pub policy: Option<PathBuf>,
    /// The newest status list that the verifying person has got; otherwise the one beside the
    /// certificate.
    pub status: Option<PathBuf>,
    /// What time it is; without it no status list is fresh.
    pub now: Option<Timestamp>,
}

impl Files {
    /// Everything as it lies in the folder of the certificate.
    pub fn beside(path: &Path) -> Self {
        Self { path: path.to_owned(), ..Self::default() }
    }

    /// Whether the folder is a proof that a record was in a run, and no certificate.
    pub fn is_record_proof(&self) -> bool {
        self.path.join(PROOF_NAME).is_file() && !self.path.join(BUNDLE_NAME).exists()
    }

    /// Reads the files of such a proof and verifies it.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub fn verify_record(&self) -> Result<RecordVerdict, Unreadable> {
        let folder = self.path.as_path();
        let file = |name: &str| read(&folder.join(name));
        let trust = self.trust()?;
        let trusted_root = match (&self.trusted_root, &trust) {
            (None, Some(trust)) if trust.may_be_used() => Some(trust.file(TRUSTED_ROOT_NAME)?),
            (given, _) => given_or_beside(given.as_ref(), folder, TRUSTED_ROOT_NAME)?,
        };
        let (record, salt, proof) = (file(RECORD_NAME)?, file(SALT_NAME)?, file(PROOF_NAME)?);
        let (detail, leaf, checkpoint) =
            (file(DETAIL_NAME)?, file(LEAF_NAME)?, file(CHECKPOINT_NAME)?);
        Ok(verify_record(&RecordFiles {
            record: &record,
            salt: &salt,
            proof: &proof,
            detail: &detail,
            leaf: &leaf,
            checkpoint: &checkpoint,
            trusted_root: trusted_root.as_ref().map(|(bytes, source)| (bytes.as_slice(), *source)),
            trust: trust.as_ref().and_then(|trust| trust.checked.as_ref()),
        }))
    }

    /// Reads the files and verifies the certificate.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub fn verify(&self) -> Result<Verdict, Unreadable> {
        if self.path.is_dir() {
            return self.verify_bundle(&self.path, &self.path.join(BUNDLE_NAME));
        }
        self.verify_bundle(self.path.parent().unwrap_or(Path::new("")), &self.path)
    }

    /// Verifies this bundle beside the files of a folder.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub fn verify_bundle(&self, folder: &Path, bundle: &Path) -> Result<Verdict, Unreadable> {
        let bundle = read(bundle)?;
        let trust = self.trust()?;
        let trusted = |given: &Option<PathBuf>, name: &str| match (given, &trust) {
            (None, Some(trust)) if trust.may_be_used() => trust.file(name).map(Some),
            (given, _) => given_or_beside(given.as_ref(), folder, name),
        };
        let trusted_root = trusted(&self.trusted_root, TRUSTED_ROOT_NAME)?;
        let issuer_key = trusted(&self.issuer_key, ISSUER_KEY_NAME)?;
        let subject = match given_or_beside(self.subject.as_ref(), folder, MANIFEST_NAME)? {
            Some(counts) => Some(counts),
            None => given_or_beside(None, folder, OPENING_NAME)?,
        };
        let mut anchors = anchors_beside(folder)?;
        let from_trust = trust.as_ref().filter(|trust| trust.may_be_used());
        let given = match &self.policy {
            Some(path) => Some(read(path)?),
            None => from_trust.and_then(|trust| trust.files.get(POLICY_NAME).cloned()),
        };
        let policy = if given.is_some() { Source::Given } else { Source::Beside };
        anchors.policy = given.or(anchors.policy);
        let list = given_or_beside(self.status.as_ref(), folder, STATUS_LIST_NAME)?;
        let successor = given_or_beside(None, folder, SUCCESSOR_NAME)?;
        Ok(verify(&Material {
            bundle: &bundle,
            trusted_root: trusted_root.as_ref().map(|(bytes, source)| (bytes.as_slice(), *source)),
            issuer_key: issuer_key.as_ref().map(|(bytes, source)| (bytes.as_slice(), *source)),
            manifest: subject.as_ref().map(|(bytes, _)| bytes.as_slice()),
            anchors: anchors.files(policy),
            status: StatusFiles {
                list: list.as_ref().map(|(bytes, _)| bytes.as_slice()),
                successor: successor.as_ref().map(|(bytes, _)| bytes.as_slice()),
                now: self.now,
            },
            trust: trust.as_ref().and_then(|trust| trust.checked.as_ref()),
        }))
    }

    /// Checks the trust folder alone.
    ///
    /// # Errors
    /// Where none is named or it cannot be read.
    pub fn check_trust(&self) -> Result<CheckedTrust, Unreadable> {
        let files = match &self.trust {
            Some(path) => all_files(path)?,
            None => BTreeMap::new(),
        };
        Ok(trust_folder::check(&files, self.fingerprint.as_ref()))
    }

    /// The trust folder, where one is named.
    fn trust(&self) -> Result<Option<Trust>, Unreadable> {
        let Some(path) = &self.trust else { return Ok(None) };
        let signed = self.fingerprint.is_some() || path.join(TRUST_MANIFEST_NAME).exists();
        let files = if signed { all_files(path)? } else { trusted_files(path)? };
        let checked = signed.then(|| trust_folder::check(&files, self.fingerprint.as_ref()));
        Ok(Some(Trust { path: path.clone(), files, checked }))
    }
}

/// A trust folder as it was read.
struct Trust {
    path: PathBuf,
    files: BTreeMap<String, Vec<u8>>,
    /// What was found, where it is one that was signed.
    checked: Option<CheckedTrust>,
}

impl Trust {
    /// Whether nothing is wrong with it.
    fn may_be_used(&self) -> bool {
        self.checked.as_ref().is_none_or(|checked| checked.predicate.is_some())
    }

    fn file(&self, name: &str) -> Result<(Vec<u8>, Source), Unreadable> {
        let bytes = self.files.get(name).cloned();
        let bytes = bytes.ok_or_else(|| Unreadable {
            path: self.path.join(name),
            source: io::ErrorKind::NotFound.into(),
        })?;
        Ok((bytes, Source::Given))
    }
}

/// The files of a folder that trust is about, where they are there.
fn trusted_files(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, Unreadable> {
    let mut files = BTreeMap::new();
    for name in [TRUSTED_ROOT_NAME, ISSUER_KEY_NAME, POLICY_NAME] {
        match read(&folder.join(name)) {
            Ok(bytes) => drop(files.insert(name.to_owned(), bytes)),
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(files)
}

/// All files of a folder by name. What is no file is there with nothing in it, so that it is seen.
fn all_files(path: &Path) -> Result<BTreeMap<String, Vec<u8>>, Unreadable> {
    let unreadable = |source| Unreadable { path: path.to_path_buf(), source };
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = if path.is_file() { read(&path)? } else { Vec::new() };
        files.insert(name, bytes);
        if files.len() > MOST_TRUST_FILES + 1 {
            return Err(unreadable(io::Error::other("it has too many files")));
        }
    }
    Ok(files)
}

/// Most files about anchors that are read from one folder.
const MOST_ANCHOR_FILES: usize = 200;

/// Time stamps and cosignatures that lie beside a certificate.
fn anchors_beside(folder: &Path) -> Result<AnchorFolder, Unreadable> {
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let unreadable = |source| Unreadable { path: here.to_path_buf(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(here).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if AnchorFolder::has_name(&name) && files.len() < MOST_ANCHOR_FILES {
            files.push((name, read(&entry.path())?));
        }
    }
    Ok(AnchorFolder::from_files(files))
}

fn given_or_beside(
    given: Option<&PathBuf>,
    folder: &Path,
    name: &str,
) -> Result<Option<(Vec<u8>, Source)>, Unreadable> {
    if let Some(path) = given {
        return Ok(Some((read(path)?, Source::Given)));
    }
    match read(&folder.join(name)) {
        Ok(bytes) => Ok(Some((bytes, Source::Beside))),
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads a file, but never more than a bundle may have.
fn read(path: &Path) -> Result<Vec<u8>, Unreadable> {
    let unreadable = |source| Unreadable { path: path.to_path_buf(), source };
    let limit = u64::try_from(BUNDLE_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    Ok(bytes)
}
