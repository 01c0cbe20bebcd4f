//! Rule sets and data maps as they were when something was planned under them.
//!
//! Found by digest, never changed, never deleted.

use jiff::Timestamp;

use super::connection::{Store, Tx};
use super::error::StoreError;
use super::statement::{Sql, args, words};
use crate::domain::Digest;

words! {
    /// What a document is.
    DocumentKind {
        /// A rule set.
        Rules = "rules",
        /// A data map.
        Map = "map",
    }
}

/// A document on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Digest under which it is found; what it is the digest of is the writer's matter.
    pub digest: Digest,
    /// What it is.
    pub kind: DocumentKind,
    /// Its bytes.
    pub content: Vec<u8>,
}

const KEEP: Sql = Sql::both(
    "INSERT INTO documents (digest, kind, content, first_seen_at) VALUES ($1, $2, $3, $4)
     ON CONFLICT (digest) DO NOTHING",
);
const BY_DIGEST: Sql = Sql::both("SELECT digest, kind, content FROM documents WHERE digest = $1");

pub(super) const STATEMENTS: &[(&str, Sql)] =
    &[("documents::KEEP", KEEP), ("documents::BY_DIGEST", BY_DIGEST)];

pub(super) async fn keep(
    tx: &mut Tx,
    document: Document,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Document { digest, kind, content } = document;
    tx.execute(KEEP, args![digest, kind.as_str(), content, now]).await?;
    Ok(())
}

impl Store {
    /// Puts a document on record; does nothing where it already is.
    pub async fn keep_document(
        &self,
        document: Document,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        keep(&mut tx, document, now).await?;
        tx.commit().await
    }

    /// The document with this digest.
    pub async fn document(&self, digest: Digest) -> Result<Option<Document>, StoreError> {
        let Some(row) = self.read_one(BY_DIGEST, args![digest]).await? else { return Ok(None) };
        Ok(Some(Document {
            digest: row.digest("digest")?,
            kind: row.word("kind", DocumentKind::parse)?,
            content: row.get("content")?,
        }))
    }
}
