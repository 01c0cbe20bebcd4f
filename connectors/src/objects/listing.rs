//! All versions and delete markers below a prefix.

use jiff::Timestamp;

use crate::receipt::Fault;

use super::bucket::{Bucket, Wanted};
use super::xml::Element;

/// Entries of one page.
const PAGE: usize = 1_000;
/// Most entries of a list.
const MOST_ENTRIES: usize = 1_000_000;

/// What an entry of a list is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// Content.
    Version,
    /// What stands in front of versions where an object was deleted without naming a version.
    Marker,
}

/// One entry of a list of versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The object's key.
    pub key: String,
    /// The version's identifier; `null` for what was written without versions.
    pub version: String,
    /// What it is.
    pub kind: EntryKind,
    /// It is what a reader without a version gets.
    pub latest: bool,
    /// When it was written.
    pub modified: Timestamp,
    /// Its size, in bytes; 0 for a marker.
    pub bytes: u64,
}

impl Bucket {
    /// Every version and every marker of the keys that begin with this, in the store's own order.
    ///
    /// # Errors
    /// Where anything of the list is missing or cannot be read; a part of a list is none.
    pub async fn versions(&self, prefix: &str) -> Result<Vec<Entry>, Fault> {
        let mut entries = Vec::new();
        let mut after: Option<(String, String)> = None;
        loop {
            let document = self.page(prefix, after.as_ref(), PAGE).await?;
            let nonsense = || self.nonsense("its list of versions");
            let before = entries.len();
            self.read_page(&document, prefix, &mut entries).ok_or_else(nonsense)?;
            if entries.len() > MOST_ENTRIES {
                return Err(self.misconfigured(&format!(
                    "there are more than {MOST_ENTRIES} versions below the prefix: name a longer \
                     one"
                )));
            }
            if !truncated(&document).ok_or_else(nonsense)? {
                return Ok(entries);
            }
            let next = next(&document).ok_or_else(nonsense)?;
            // A store that gives the same page for ever would never come to an end.
            if entries.len() == before || after.as_ref().is_some_and(|after| next.0 < after.0) {
                return Err(nonsense());
            }
            if after.as_ref() == Some(&next) {
                return Err(nonsense());
            }
            after = Some(next);
        }
    }

    /// Looks whether the list can be read at all.
    pub(crate) async fn try_versions(&self) -> Result<(), Fault> {
        let prefix = self.address().prefix().to_owned();
        let document = self.page(&prefix, None, 1).await?;
        let read = self.read_page(&document, &prefix, &mut Vec::new());
        read.ok_or_else(|| self.nonsense("its list of versions"))
    }

    async fn page(
        &self,
        prefix: &str,
        after: Option<&(String, String)>,
        count: usize,
    ) -> Result<Element, Fault> {
        let count = count.to_string();
        let mut query = vec![("encoding-type", "url"), ("max-keys", &count), ("prefix", prefix)];
        if let Some((key, version)) = after {
            query.push(("key-marker", key));
            query.push(("version-id-marker", version));
        }
        query.push(("versions", ""));
        let wanted = Wanted::get("its list of versions", "s3:ListBucketVersions", &query);
        let page = self.document(&wanted, "ListVersionsResult", &[]).await?;
        page.ok_or_else(|| self.nonsense("its list of versions"))
    }

    fn read_page(&self, page: &Element, prefix: &str, into: &mut Vec<Entry>) -> Option<()> {
        // Something between may answer from elsewhere.
        if page.word("Name")? != self.address().bucket() {
            return None;
        }
        let encoded = page.word("EncodingType") == Some("url");
        if text(page.one("Prefix")?, encoded)? != prefix {
            return None;
        }
        // With a delimiter, keys would be rolled up; none was asked for.
        if page.all("CommonPrefixes").next().is_some() {
            return None;
        }
        for child in &page.children {
            let kind = match child.name.as_str() {
                "Version" => EntryKind::Version,
                "DeleteMarker" => EntryKind::Marker,
                _ => continue,
            };
            into.push(entry(child, kind, encoded).filter(|entry| entry.key.starts_with(prefix))?);
        }
        Some(())
    }
}

fn entry(element: &Element, kind: EntryKind, encoded: bool) -> Option<Entry> {
    let bytes = match kind {
        EntryKind::Version => element.word("Size")?.parse().ok()?,
        EntryKind::Marker => 0,
    };
    let version = element.word("VersionId")?;
    let sound = !version.is_empty() && version.bytes().all(|one| one.is_ascii_graphic());
    Some(Entry {
        key: text(element.one("Key")?, encoded).filter(|key| !key.is_empty())?,
        version: version.to_owned(),
        kind,
        latest: boolean(element.word("IsLatest")?)?,
        modified: element.word("LastModified")?.parse().ok()?,
        bytes,
    })
    .filter(|_| sound)
}

fn truncated(page: &Element) -> Option<bool> {
    boolean(page.word("IsTruncated")?)
}

fn next(page: &Element) -> Option<(String, String)> {
    let encoded = page.word("EncodingType") == Some("url");
    let key = text(page.one("NextKeyMarker")?, encoded).filter(|key| !key.is_empty())?;
    Some((key, page.word("NextVersionIdMarker").unwrap_or_default().to_owned()))
}

fn boolean(word: &str) -> Option<bool> {
    match word {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// A key: as it is, or percent-encoded, with `+` for a space, as forms have it.
pub(super) fn text(element: &Element, encoded: bool) -> Option<String> {
    if !encoded {
        return Some(element.text.clone());
    }
    let mut bytes = Vec::with_capacity(element.text.len());
    let mut rest = element.text.bytes();
    while let Some(one) = rest.next() {
        bytes.push(match one {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (char::from(rest.next()?), char::from(rest.next()?));
                u8::try_from(high.to_digit(16)? * 16 + low.to_digit(16)?).ok()?
            }
            one => one,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_decoded_as_they_were_encoded() {
        let decoded = |written: &str| {
            let text_of = Element { text: written.to_owned(), ..Element::default() };
            text(&text_of, true)
        };
        assert_eq!(decoded("a%2Bb+c%20d%c3%a4/e").unwrap(), "a+b c dä/e");
        for wrong in ["%", "%2", "%zz", "%ff"] {
            assert_eq!(decoded(wrong), None, "{wrong}");
        }
    }
}
