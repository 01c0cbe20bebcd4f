//! The index of a list: which entries there are, by the digests of their files, in 256 parts; and
//! the detail by which a leaf of the log commits to it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::app::AppError;
use crate::domain::Digest;
use crate::evidence::{EvidenceKind, canonical};
use crate::store::ListEntry;

/// What the files say they are.
const INDEX: &str = "quietus re-erasure list 1";
const PART: &str = "quietus re-erasure list part 1";
/// How names of indices end.
const ENDING: &str = ".index.json";

/// The index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Index {
    /// What it is.
    pub(super) format: String,
    /// Its number, from 1; as text, as all that may pass 2^53.
    pub(super) number: String,
    /// How many entries there are.
    pub(super) entries: String,
    /// How many business events were on record; they are not in the list.
    pub(super) events: String,
    /// Digests of the indices before it as the log has them, the latest first.
    pub(super) earlier: Vec<Digest>,
    /// Its parts, by number as two hexadecimal digits.
    pub(super) parts: BTreeMap<String, PartName>,
}

/// Which file a part is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PartName {
    /// The index for which it was written.
    pub(super) number: String,
    /// Digest of its file.
    pub(super) sha256: Digest,
}

/// A part of the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    /// What it is.
    pub(super) format: String,
    /// Which of the 256.
    #[serde(rename = "part")]
    pub(super) number: String,
    /// Its entries.
    pub(super) entries: Vec<Named>,
}

/// An entry as a part names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Named {
    /// Its identifier.
    pub(super) id: Uuid,
    /// Digest of its file.
    pub(super) sha256: Digest,
}

/// The file of an index.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct IndexFile {
    /// The index, as canonical JSON.
    pub(super) index: String,
    /// The detail of the leaf that commits to it, byte for byte.
    pub(super) detail: String,
}

impl IndexFile {
    /// Reads the file of an index; the digest by which the log has it, and the index.
    ///
    /// # Errors
    /// Why it is none, for people.
    pub(super) fn read(bytes: &[u8]) -> Result<(Digest, Index), String> {
        let file: Self =
            serde_json::from_slice(bytes).map_err(|_| "is no index of a list".to_owned())?;
        let index: Index = serde_json::from_str(&file.index)
            .map_err(|_| "is no index that this version can read".to_owned())?;
        let detail: Value =
            serde_json::from_str(&file.detail).map_err(|_| "has no detail".to_owned())?;
        let said = detail.pointer("/detail/index").and_then(Value::as_str);
        let is_of_list =
            detail.get("kind").and_then(Value::as_str) == Some(EvidenceKind::ListWritten.as_str());
        let sha256 = Digest::of(file.index.as_bytes());
        if index.format != INDEX || !is_of_list || said != Some(sha256.to_string().as_str()) {
            return Err("is not what its detail commits to".to_owned());
        }
        Ok((Digest::of(file.detail.as_bytes()), index))
    }
}

impl Index {
    /// An index.
    pub(super) fn new(
        number: u64,
        (entries, events): (u64, u64),
        earlier: Vec<Digest>,
        parts: BTreeMap<String, PartName>,
    ) -> Self {
        Self {
            format: INDEX.to_owned(),
            number: number.to_string(),
            entries: entries.to_string(),
            events: events.to_string(),
            earlier,
            parts,
        }
    }

    /// As canonical JSON.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn text(&self) -> Result<String, AppError> {
        text(self)
    }

    /// Its number.
    pub(super) fn number(&self) -> u64 {
        self.number.parse().unwrap_or(0)
    }

    /// How many business events were on record.
    pub(super) fn events(&self) -> u64 {
        self.events.parse().unwrap_or(0)
    }
}

impl Part {
    /// A part of these entries.
    pub(super) fn new(part: u8, entries: &[ListEntry]) -> Self {
        let named = entries.iter().map(|one| Named { id: one.matter, sha256: one.sha256 });
        Self { format: PART.to_owned(), number: format!("{part:02x}"), entries: named.collect() }
    }

    /// As canonical JSON.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn text(&self) -> Result<String, AppError> {
        text(self)
    }

    /// Whether it is a part of this name.
    pub(super) fn is(&self, part: &str) -> bool {
        self.format == PART && self.number == part
    }
}

fn text(value: &impl Serialize) -> Result<String, AppError> {
    let unwritable = || AppError::Evidence("the re-erasure list cannot be written".to_owned());
    let bytes = canonical::to_bytes(value).ok_or_else(unwritable)?;
    String::from_utf8(bytes).map_err(|_| unwritable())
}

/// Name of the file of an index.
pub(super) fn index_name(number: u64) -> String {
    format!("{number:010}{ENDING}")
}

/// The number of an index, by the name of its file.
pub(super) fn number_of(name: &str) -> Option<u64> {
    name.strip_suffix(ENDING)?.parse().ok()
}

/// Name of the file of a part.
pub(super) fn part_name(part: &str, number: &str) -> String {
    format!("index/{part}.{number}.json")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file(index: &Index, said: &str) -> Vec<u8> {
        let detail = json!({
            "detail": {"index": said},
            "kind": "re-erasure.listed",
            "salt": "00",
        });
        let file = IndexFile { index: index.text().unwrap(), detail: detail.to_string() };
        serde_json::to_vec(&file).unwrap()
    }

    #[test]
    fn an_index_is_what_its_detail_commits_to() {
        let part = PartName { number: "3".to_owned(), sha256: Digest([7; 32]) };
        let parts = BTreeMap::from([("0a".to_owned(), part)]);
        let index = Index::new(3, (12, 0), vec![Digest([1; 32])], parts);
        let said = Digest::of(index.text().unwrap().as_bytes()).to_string();
        let (_, read) = IndexFile::read(&file(&index, &said)).unwrap();
        assert_eq!((read.number(), read.events()), (3, 0));
        assert_eq!(read, index);
        let other = Index { entries: "11".to_owned(), ..index };
        assert!(IndexFile::read(&file(&other, &said)).is_err());
        assert!(IndexFile::read(b"{}").is_err());
    }

    #[test]
    fn names_say_the_number() {
        assert_eq!(index_name(12), "0000000012.index.json");
        assert_eq!(number_of("0000000012.index.json"), Some(12));
        assert_eq!(number_of("index/0a.12.json"), None);
    }
}
