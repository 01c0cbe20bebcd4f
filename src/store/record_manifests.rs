//! Manifests of records: salted hashes of what went as a whole in a job, chunk by chunk.
//!
//! A chunk is written before it commits in the connected system and names the one before it, so that
//! those which have gone are found backwards from the last one that the system has committed. No key
//! of a record is ever here. Shredding a case takes the hashes, and the key that makes the salts.

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::{Store, Tx};
use super::data_keys::{self, DataKey, DetailKey};
use super::error::StoreError;
use super::statement::{Row, Sql, args, count};
use crate::domain::Digest;

/// Bytes of a hash.
const HASH_BYTES: usize = 32;

/// The manifest of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordManifest {
    /// The job.
    pub job_id: Uuid,
    /// Its case.
    pub case_id: Uuid,
    /// The key with which salts are made.
    pub key: DetailKey,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When it was shredded.
    pub shredded_at: Option<Timestamp>,
}

/// A chunk of a manifest, without its hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestChunk {
    /// Its identifier.
    pub id: Uuid,
    /// The one before, under the same order.
    pub previous: Option<Uuid>,
    /// The collection whose records it lists.
    pub collection: String,
    /// How many.
    pub records: u64,
}

/// A chunk that is about to commit in the connected system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewManifestChunk {
    /// The job.
    pub job_id: Uuid,
    /// The rest of it; its number of records is that of the hashes.
    pub chunk: ManifestChunk,
    /// One hash a record.
    pub hashes: Vec<Digest>,
}

const OF_JOB: Sql = Sql::both(
    "SELECT job_id, manifests.case_id, key_id, epoch, wrapped, manifests.created_at, shredded_at
     FROM record_manifests AS manifests JOIN data_keys ON data_keys.id = key_id
     WHERE job_id = $1",
);
const BEGIN: Sql = Sql::both(
    "INSERT INTO record_manifests (job_id, case_id, key_id, created_at) VALUES ($1, $2, $3, $4)",
);
// A chunk before it that is not here was lost with an older copy of the store that was put back.
const ADD: Sql = Sql::both(
    "INSERT INTO record_manifest_chunks (id, job_id, previous, collection, records, hashes,
         created_at)
     VALUES ($1, $2, (SELECT id FROM record_manifest_chunks WHERE id = $3 AND job_id = $2),
         $4, $5, $6, $7)",
);
const CHUNKS: Sql = Sql::both(
    "SELECT id, previous, collection, records FROM record_manifest_chunks
     WHERE job_id = $1 ORDER BY created_at, id",
);
const HASHES: Sql = Sql::both("SELECT hashes FROM record_manifest_chunks WHERE id = $1");
const SHRED: Sql = Sql::both(
    "UPDATE record_manifests SET shredded_at = $2 WHERE case_id = $1 AND shredded_at IS NULL",
);
const SHRED_CHUNKS: Sql = Sql::both(
    "UPDATE record_manifest_chunks SET hashes = NULL
     WHERE hashes IS NOT NULL
       AND job_id IN (SELECT job_id FROM record_manifests WHERE case_id = $1)",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("record_manifests::OF_JOB", OF_JOB),
    ("record_manifests::BEGIN", BEGIN),
    ("record_manifests::ADD", ADD),
    ("record_manifests::CHUNKS", CHUNKS),
    ("record_manifests::HASHES", HASHES),
    ("record_manifests::SHRED", SHRED),
    ("record_manifests::SHRED_CHUNKS", SHRED_CHUNKS),
];

fn manifest(row: &Row) -> Result<RecordManifest, StoreError> {
    Ok(RecordManifest {
        job_id: row.get("job_id")?,
        case_id: row.get("case_id")?,
        key: data_keys::of_detail(row)?.ok_or(StoreError::Corrupt { column: "key_id" })?,
        created_at: row.instant("created_at")?,
        shredded_at: row.maybe_instant("shredded_at")?,
    })
}

/// Destroys the hashes of a case; how many manifests that were.
pub(super) async fn shred(tx: &mut Tx, case: Uuid, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SHRED_CHUNKS, args![case]).await?;
    tx.execute(SHRED, args![case, now]).await
}

impl Store {
    /// The manifest of a job, if it keeps one.
    pub async fn record_manifest(&self, job: Uuid) -> Result<Option<RecordManifest>, StoreError> {
        self.read_one(OF_JOB, args![job]).await?.as_ref().map(manifest).transpose()
    }

    /// Begins the manifest of a job under a key of its case, or reads the one that was begun before.
    ///
    /// # Errors
    /// `Conflict` where the job is of another case, or another worker begins it at this moment.
    pub async fn begin_record_manifest(
        &self,
        job: Uuid,
        key: DataKey,
        now: Timestamp,
    ) -> Result<RecordManifest, StoreError> {
        let case = key.case_id;
        let mut tx = self.begin().await?;
        let mut row = tx.read_one(OF_JOB, args![job]).await?;
        if row.is_none() {
            let id = key.id;
            data_keys::keep(&mut tx, key, now).await?;
            tx.execute(BEGIN, args![job, case, id, now]).await?;
            row = tx.read_one(OF_JOB, args![job]).await?;
        }
        let found = manifest(&row.ok_or(StoreError::Corrupt { column: "job_id" })?)?;
        tx.commit().await?;
        Ok(found)
    }

    /// Writes down a chunk that is about to commit in the connected system. A chunk before it that is
    /// not on record, or another job's, is left out.
    ///
    /// # Errors
    /// `Conflict` where the manifest is shredded.
    pub async fn add_manifest_chunk(
        &self,
        new: NewManifestChunk,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let NewManifestChunk { job_id, chunk, hashes } = new;
        let records = count(hashes.len() as u64, "so many records")?;
        let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
        let ManifestChunk { id, previous, collection, .. } = chunk;
        self.write(ADD, args![id, job_id, previous, collection, records, bytes, now]).await?;
        Ok(())
    }

    /// All chunks that were written down for a job, committed in its system or not, as they came.
    pub async fn manifest_chunks(&self, job: Uuid) -> Result<Vec<ManifestChunk>, StoreError> {
        let read = |row: &Row| {
            Ok(ManifestChunk {
                id: row.get("id")?,
                previous: row.get("previous")?,
                collection: row.get("collection")?,
                records: row.whole("records")?,
            })
        };
        self.read(CHUNKS, args![job]).await?.iter().map(read).collect()
    }

    /// The hashes of a chunk; `None` once shredded.
    pub async fn manifest_hashes(&self, chunk: Uuid) -> Result<Option<Vec<Digest>>, StoreError> {
        let Some(row) = self.read_one(HASHES, args![chunk]).await? else { return Ok(None) };
        let bytes: Option<Vec<u8>> = row.get("hashes")?;
        let Some(bytes) = bytes else { return Ok(None) };
        let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
        if !rest.is_empty() {
            return Err(StoreError::Corrupt { column: "hashes" });
        }
        Ok(Some(hashes.iter().map(|hash| Digest(*hash)).collect()))
    }
}
