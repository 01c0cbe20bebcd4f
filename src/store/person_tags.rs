//! Keyed digests of what persons are known by, by which a later request of the same person is seen.
//!
//! Each is made with the key of an epoch, and made anew when that is left. So once an epoch's key is
//! destroyed, no copy of the store says any more whether somebody whose address one guesses has asked.

use uuid::Uuid;

use super::connection::{Store, Tx};
use super::error::StoreError;
use super::statement::{Row, Sql, args};
use crate::domain::EpochName;

/// A keyed digest of something that a person is known by.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonTag {
    /// The digest under the epoch's key, 32 bytes.
    pub tag: Vec<u8>,
    /// The epoch; `None` where the vault's secret alone made it, as for all before.
    pub epoch: Option<EpochName>,
    /// What is needed to make it anew, sealed under the request's own key.
    pub sealed: Option<Vec<u8>>,
}

/// A tag on record, with the key of its request.
#[derive(Clone, PartialEq, Eq)]
pub struct TagOnRecord {
    /// The request.
    pub request: Uuid,
    /// The tag.
    pub tag: PersonTag,
    /// The request's own key, wrapped.
    pub wrapped_key: Vec<u8>,
    /// With the key of this epoch; `None` is the vault's secret.
    pub key_epoch: Option<EpochName>,
}

impl std::fmt::Debug for PersonTag {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("PersonTag")
    }
}

impl std::fmt::Debug for TagOnRecord {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "TagOnRecord({})", self.request)
    }
}

macro_rules! on_record {
    ($rest:literal) => {
        concat!(
            "SELECT request_id, tag, epoch, request_persons.sealed AS sealed, wrapped_key, key_epoch
             FROM request_persons, requests
             WHERE requests.id = request_id AND wrapped_key IS NOT NULL ",
            $rest
        )
    };
}

const ADD: Sql = Sql::both(
    "INSERT INTO request_persons (request_id, tag, epoch, sealed) VALUES ($1, $2, $3, $4)
     ON CONFLICT (tag, request_id) DO NOTHING",
);
const REMOVE: Sql = Sql::both("DELETE FROM request_persons WHERE request_id = $1 AND tag = $2");
// Whoever forgets the person waits, so that nothing is added after that. SQLite has one writer.
const REMEMBERED: Sql = Sql::fork(
    "SELECT id FROM requests WHERE id = $1 AND forgotten_at IS NULL",
    "SELECT id FROM requests WHERE id = $1 AND forgotten_at IS NULL FOR SHARE",
);
const OF_EPOCH: Sql =
    Sql::both(on_record!("AND epoch = $1 ORDER BY request_persons.tag, request_id LIMIT $2"));
const OF_VAULT: Sql =
    Sql::both(on_record!("AND epoch IS NULL ORDER BY request_persons.tag, request_id LIMIT $1"));

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("person_tags::ADD", ADD),
    ("person_tags::REMOVE", REMOVE),
    ("person_tags::REMEMBERED", REMEMBERED),
    ("person_tags::OF_EPOCH", OF_EPOCH),
    ("person_tags::OF_VAULT", OF_VAULT),
];

/// Writes tags of a request in the transaction that has its row.
pub(super) async fn add(
    tx: &mut Tx,
    request: Uuid,
    tags: Vec<PersonTag>,
) -> Result<(), StoreError> {
    for PersonTag { tag, epoch, sealed } in tags {
        let epoch = epoch.as_ref().map(EpochName::as_str);
        tx.execute(ADD, args![request, tag, epoch, sealed]).await?;
    }
    Ok(())
}

fn from_row(row: &Row) -> Result<TagOnRecord, StoreError> {
    Ok(TagOnRecord {
        request: row.get("request_id")?,
        tag: PersonTag {
            tag: row.get("tag")?,
            epoch: row.maybe_word("epoch", EpochName::parse)?,
            sealed: row.get("sealed")?,
        },
        wrapped_key: row.get("wrapped_key")?,
        key_epoch: row.maybe_word("key_epoch", EpochName::parse)?,
    })
}

impl Store {
    /// Adds digests of what the person of a request was found to be known by, unless the person is
    /// forgotten.
    pub async fn add_request_tags(
        &self,
        request: Uuid,
        tags: Vec<PersonTag>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        if tx.read_one(REMEMBERED, args![request]).await?.is_some() {
            add(&mut tx, request, tags).await?;
        }
        tx.commit().await
    }

    /// Tags that were made with the key of an epoch, or with the vault's secret alone for `None`; at
    /// most 1000.
    pub async fn tags_of_epoch(
        &self,
        epoch: Option<&EpochName>,
        limit: u32,
    ) -> Result<Vec<TagOnRecord>, StoreError> {
        let limit = limit.min(1000);
        let rows = match epoch {
            Some(epoch) => self.read(OF_EPOCH, args![epoch.as_str(), limit]).await?,
            None => self.read(OF_VAULT, args![limit]).await?,
        };
        rows.iter().map(from_row).collect()
    }

    /// Puts tags that were made anew in the place of earlier ones; how many. What a person was
    /// forgotten by meanwhile does not come back.
    pub async fn replace_tags(
        &self,
        tags: Vec<(TagOnRecord, PersonTag)>,
    ) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let mut replaced = 0;
        for (earlier, anew) in tags {
            if tx.read_one(REMEMBERED, args![earlier.request]).await?.is_none() {
                continue;
            }
            replaced += tx.execute(REMOVE, args![earlier.request, earlier.tag.tag]).await?;
            add(&mut tx, earlier.request, vec![anew]).await?;
        }
        tx.commit().await?;
        Ok(replaced)
    }
}
