//! An entry of the list: rows of the store, sealed under a key of their own, which a month's key
//! wraps. The key is nowhere but in the file: where the file is gone, so is the key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::app::vault::Vault;
use crate::app::{AppError, Quietus};
use crate::domain::{Digest, EpochName};
use crate::store::{ListEntry, ListMatter, ListRows};

/// What a file of an entry says it is.
const FORMAT: &str = "quietus re-erasure entry 2";
/// What is read. Certificates of the first are as they are, those of the second may be compressed, which
/// a version that knows the first alone must not bring into a store.
const READ: [&str; 2] = ["quietus re-erasure entry 1", FORMAT];
/// Purpose under which the key of an entry is wrapped.
const KEY: &str = "re-erasure entry key";
/// Sealed bytes are a multiple of this, so that their number tells little.
const ROUND: usize = 4096;

/// A file of the list.
#[derive(Serialize, Deserialize)]
struct EntryFile {
    format: String,
    matter: Uuid,
    version: u64,
    epoch: String,
    wrapped: String,
    sealed: String,
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Content {
    matter: ListMatter,
    version: u64,
    rows: ListRows,
    pad: String,
}

/// An entry that is ready to be written.
pub(super) struct SealedEntry {
    /// What is noted of it.
    pub(super) entry: ListEntry,
    /// Its file.
    pub(super) bytes: Vec<u8>,
}

/// The word for a kind of matter.
fn kind_of(matter: ListMatter) -> &'static str {
    match matter {
        ListMatter::Document { .. } => "document",
        ListMatter::House => "house",
        ListMatter::Case { .. } => "case",
        ListMatter::Request { .. } => "request",
    }
}

/// What an entry's content is sealed for: it opens in no other place.
fn purpose(matter: Uuid, version: u64) -> String {
    format!("re-erasure entry {matter} {version}")
}

/// Name of the file of an entry: by its digest, so that no version is written over another one.
pub(super) fn name_of(matter: Uuid, sha256: Digest) -> String {
    let digits = sha256.to_string();
    format!("entries/{:02x}/{matter}.{}.entry", matter.as_bytes()[15], &digits[..16])
}

/// The digest of what is sealed, by which a change that changes nothing is seen.
///
/// # Errors
/// Where the rows are no JSON.
pub(super) fn digest_of(matter: ListMatter, rows: &ListRows) -> Result<Digest, AppError> {
    serde_json::to_vec(&(matter, rows))
        .map(|bytes| Digest::of(&bytes))
        .map_err(|error| AppError::Evidence(error.to_string()))
}

impl Quietus {
    /// Seals an entry under a new key.
    ///
    /// # Errors
    /// Where no month's key is open.
    pub(super) fn seal_entry(
        &self,
        matter: ListMatter,
        version: u64,
        rows: ListRows,
    ) -> Result<SealedEntry, AppError> {
        let unwritable = |error: serde_json::Error| AppError::Evidence(error.to_string());
        let content = digest_of(matter, &rows)?;
        let mut whole = Content { matter, version, rows, pad: String::new() };
        let length = serde_json::to_vec(&whole).map_err(unwritable)?.len();
        whole.pad = "0".repeat(length.next_multiple_of(ROUND) - length);
        let key = Zeroizing::new(self.ids.random());
        let (epoch, wrapped) = self.epochs.wrap(KEY, &key, self.ids.random())?;
        let purpose = purpose(matter.id(), version);
        let sealed = Vault::new(&key)?.seal(&purpose, &whole, self.ids.random())?;
        let file = EntryFile {
            format: FORMAT.to_owned(),
            matter: matter.id(),
            version,
            epoch: epoch.as_str().to_owned(),
            wrapped: STANDARD.encode(wrapped),
            sealed: STANDARD.encode(sealed),
        };
        let bytes = serde_json::to_vec(&file).map_err(unwritable)?;
        let entry = ListEntry {
            matter: matter.id(),
            kind: kind_of(matter).to_owned(),
            version,
            sha256: Digest::of(&bytes),
            content,
            epoch,
        };
        Ok(SealedEntry { entry, bytes })
    }

    /// Opens the file of an entry.
    ///
    /// # Errors
    /// Why it does not open, for people.
    pub(super) fn open_entry(
        &self,
        matter: Uuid,
        bytes: &[u8],
    ) -> Result<(ListMatter, ListRows), String> {
        let file: EntryFile =
            serde_json::from_slice(bytes).map_err(|_| "is no entry of a list".to_owned())?;
        if !READ.contains(&file.format.as_str()) {
            return Err(format!(
                "is of the format `{}`, which this version cannot read",
                file.format
            ));
        }
        if file.matter != matter {
            return Err("is the file of another entry".to_owned());
        }
        let epoch = EpochName::parse(&file.epoch).ok_or("names no month")?;
        if !self.epochs.is_here(&epoch) {
            return Err(format!(
                "was sealed in the month {epoch}, whose key is not in the keys folder"
            ));
        }
        let closed = |_| "does not open with the month's key of this instance".to_owned();
        let decode = |text: &str| STANDARD.decode(text).map_err(|_| "is damaged".to_owned());
        let key = self.epochs.unwrap(KEY, &epoch, &decode(&file.wrapped)?).map_err(closed)?;
        let vault = Vault::new(&key).map_err(|error| error.to_string())?;
        let content: Content = vault
            .open(&purpose(matter, file.version), &decode(&file.sealed)?)
            .map_err(|_| "does not open with its own key".to_owned())?;
        if content.matter.id() != matter {
            return Err("speaks of another entry".to_owned());
        }
        Ok((content.matter, content.rows))
    }
}
