//! The evidence outbox and the sealed details behind the leaves.
//!
//! An entry is written in the transaction of the transition that it speaks of: neither exists
//! without the other. The sequencer drains the outbox into the log later (`log`).

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::{Store, Tx};
use super::data_keys::{self, DataKey, DetailKey, Refused};
use super::error::StoreError;
use super::producers;
use super::rows::Rows;
use super::statement::{Row, Sql, args};
use crate::domain::Digest;

/// Something that has to be proven later.
#[derive(Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    /// Its identifier, unique for ever.
    pub entry_id: Uuid,
    /// The case, where there is one.
    pub case_id: Option<Uuid>,
    /// The job, where there is one.
    pub job_id: Option<Uuid>,
    /// Kind of the entry, such as `erasure.step`.
    pub kind: String,
    /// The exact bytes of the leaf; 1 to 65535.
    pub body: Vec<u8>,
    /// The detail behind it; a certificate's leaf has none.
    pub detail: Option<SealedDetail>,
    /// How leaf and detail are made once the entry has a number; they are empty until then.
    pub numbered: Option<Numbered>,
}

/// What makes leaf and detail of an entry from its producer and its number.
type Make = dyn Fn(&str, u64) -> Result<(Vec<u8>, SealedDetail), String> + Send + Sync;

/// How an entry is made once it has a number: numbers are given in the transaction that writes the
/// entry, so that a transaction that is undone leaves no gap.
#[derive(Clone)]
pub struct Numbered {
    /// Whose entry it is.
    pub family: String,
    make: Arc<Make>,
}

impl Numbered {
    /// An entry of this family, made like this. `make` gets the producer's name and the number.
    pub fn new(
        family: String,
        make: impl Fn(&str, u64) -> Result<(Vec<u8>, SealedDetail), String> + Send + Sync + 'static,
    ) -> Self {
        Self { family, make: Arc::new(make) }
    }
}

impl PartialEq for Numbered {
    fn eq(&self, other: &Self) -> bool {
        self.family == other.family && Arc::ptr_eq(&self.make, &other.make)
    }
}

impl Eq for Numbered {}

/// A detail, encrypted by the caller.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedDetail {
    /// Digest of the bytes before they were sealed.
    pub sha256: Digest,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
    /// The key under which they are sealed; written with the first detail that it seals. `None` is
    /// the vault's secret.
    pub key: Option<DataKey>,
}

impl OutboxEntry {
    /// Makes leaf and detail of an entry that waited for its number.
    pub(super) fn make(&mut self, producer: &str, number: u64) -> Result<(), StoreError> {
        let Some(numbered) = self.numbered.take() else { return Ok(()) };
        let (body, detail) = (numbered.make)(producer, number)
            .map_err(|why| StoreError::Refused { what: format!("an entry ({why})") })?;
        self.body = body;
        self.detail = Some(detail);
        Ok(())
    }
}

impl std::fmt::Debug for OutboxEntry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "OutboxEntry({}, {})", self.kind, self.entry_id)
    }
}

impl std::fmt::Debug for SealedDetail {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "SealedDetail({})", self.sha256)
    }
}

/// A detail on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// Digest of the bytes before they were sealed.
    pub sha256: Digest,
    /// The entry that it stands behind.
    pub entry_id: Uuid,
    /// The case.
    pub case_id: Option<Uuid>,
    /// The job.
    pub job_id: Option<Uuid>,
    /// Kind of the entry.
    pub kind: String,
    /// The sealed bytes; `None` once shredded.
    pub sealed: Option<Vec<u8>>,
    /// The key under which they are sealed; `None` is the vault's secret.
    pub key: Option<DetailKey>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was shredded.
    pub shredded_at: Option<Timestamp>,
}

macro_rules! detail_columns {
    ($rest:literal) => {
        concat!(
            "SELECT detail_sha256, entry_id, details.case_id, job_id, kind, sealed,
                 details.created_at, shredded_at, key_id, epoch, wrapped
             FROM evidence_details AS details LEFT JOIN data_keys ON data_keys.id = key_id ",
            $rest
        )
    };
}

// Each database takes many rows in its own way.
const DETAILS: Sql = Sql::fork(
    "INSERT INTO evidence_details (detail_sha256, entry_id, case_id, job_id, kind, sealed,
         created_at, key_id)
     SELECT unhex(value ->> 0), unhex(value ->> 1), unhex(value ->> 2), unhex(value ->> 3),
         value ->> 4, unhex(value ->> 5), $1, unhex(value ->> 6)
     FROM json_each($2) ORDER BY key",
    "INSERT INTO evidence_details (detail_sha256, entry_id, case_id, job_id, kind, sealed,
         created_at, key_id)
     SELECT sha256, entry_id, of_case, of_job, kind, sealed, $1, key_id
     FROM unnest($2::bytea[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::bytea[],
         $8::uuid[]) WITH ORDINALITY
         AS rows (sha256, entry_id, of_case, of_job, kind, sealed, key_id, place)
     ORDER BY place",
);
const ENTRIES: Sql = Sql::fork(
    "INSERT INTO evidence_outbox (entry_id, case_id, job_id, body, created_at)
     SELECT unhex(value ->> 0), unhex(value ->> 1), unhex(value ->> 2), unhex(value ->> 3), $1
     FROM json_each($2) ORDER BY key",
    "INSERT INTO evidence_outbox (entry_id, case_id, job_id, body, created_at)
     SELECT entry_id, of_case, of_job, body, $1
     FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::bytea[]) WITH ORDINALITY
         AS rows (entry_id, of_case, of_job, body, place)
     ORDER BY place",
);
const OF_CASE: Sql =
    Sql::both(detail_columns!("WHERE details.case_id = $1 ORDER BY details.created_at, entry_id"));

const BY_DIGEST: Sql = Sql::both(detail_columns!("WHERE detail_sha256 = $1"));
// The index by case finds it without a sort.
const FIRST_OF_VAULT: Sql = Sql::both(detail_columns!(
    "WHERE details.case_id IS NULL AND sealed IS NOT NULL AND key_id IS NULL
     ORDER BY details.created_at LIMIT 1"
));

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("evidence::DETAILS", DETAILS),
    ("evidence::ENTRIES", ENTRIES),
    ("evidence::OF_CASE", OF_CASE),
    ("evidence::BY_DIGEST", BY_DIGEST),
    ("evidence::FIRST_OF_VAULT", FIRST_OF_VAULT),
];

/// Rows of several entries that wait to be written.
#[derive(Default)]
struct Batch {
    /// Keys of the details; they are written before what they seal.
    keys: BTreeMap<Uuid, DataKey>,
    details: Rows,
    entries: Rows,
}

impl Batch {
    /// Adds the detail of an entry, with its key.
    fn add_detail(&mut self, entry: OutboxEntry) -> Result<(), StoreError> {
        let OutboxEntry { entry_id, case_id, job_id, kind, detail, .. } = entry;
        let Some(SealedDetail { sha256, sealed, key }) = detail else { return Ok(()) };
        let key_id = key.as_ref().map(|key| key.id);
        self.keys.extend(key.map(|key| (key.id, key)));
        self.details.push(args![sha256, entry_id, case_id, job_id, kind, sealed, key_id])
    }

    fn is_full(&self) -> bool {
        self.details.is_full() || self.entries.is_full()
    }

    /// Writes what waits. A law of the schema that refuses it may be that of destroyed keys: whoever
    /// keeps a copy of these is told, and goes on with others.
    async fn write(&mut self, tx: &mut Tx, now: Timestamp) -> Result<(), StoreError> {
        let keys = std::mem::take(&mut self.keys);
        let told: Vec<Refused> = keys.values().map(|key| key.refused.clone()).collect();
        let written = self.write_under(tx, keys, now).await;
        if matches!(written, Err(StoreError::Conflict { .. })) {
            told.iter().for_each(Refused::tell);
        }
        written
    }

    async fn write_under(
        &mut self,
        tx: &mut Tx,
        keys: BTreeMap<Uuid, DataKey>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        data_keys::keep_all(tx, keys, now).await?;
        for (statement, rows) in [(DETAILS, &mut self.details), (ENTRIES, &mut self.entries)] {
            if let Some(rows) = rows.take() {
                tx.execute(statement, args![now, rows]).await?;
            }
        }
        Ok(())
    }
}

/// Writes entries within the transaction of what they speak of.
pub(super) async fn append(
    tx: &mut Tx,
    entries: Vec<OutboxEntry>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    for mut entry in producers::number(tx, entries).await? {
        let body = std::mem::take(&mut entry.body);
        batch.entries.push(args![entry.entry_id, entry.case_id, entry.job_id, body])?;
        batch.add_detail(entry)?;
        if batch.is_full() {
            batch.write(tx, now).await?;
        }
    }
    batch.write(tx, now).await
}

/// Writes the detail of an entry whose leaf is written in the same transaction.
pub(super) async fn keep_detail(
    tx: &mut Tx,
    entry: OutboxEntry,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    batch.add_detail(entry)?;
    batch.write(tx, now).await
}

fn from_row(row: &Row) -> Result<Detail, StoreError> {
    Ok(Detail {
        sha256: row.digest("detail_sha256")?,
        entry_id: row.get("entry_id")?,
        case_id: row.get("case_id")?,
        job_id: row.get("job_id")?,
        kind: row.get("kind")?,
        sealed: row.get("sealed")?,
        key: data_keys::of_detail(row)?,
        created_at: row.instant("created_at")?,
        shredded_at: row.maybe_instant("shredded_at")?,
    })
}

impl Store {
    /// Writes entries that belong to no transition of the store, such as a heartbeat.
    pub async fn record_evidence(
        &self,
        entries: Vec<OutboxEntry>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        append(&mut tx, entries, now).await?;
        tx.commit().await
    }

    /// The oldest detail that is sealed with the vault's secret, such as the opening of the log.
    pub async fn first_detail_of_vault(&self) -> Result<Option<Detail>, StoreError> {
        self.read_one(FIRST_OF_VAULT, Vec::new()).await?.as_ref().map(from_row).transpose()
    }

    /// The detail with this digest.
    pub async fn detail(&self, sha256: Digest) -> Result<Option<Detail>, StoreError> {
        self.read_one(BY_DIGEST, args![sha256]).await?.as_ref().map(from_row).transpose()
    }

    /// All details of a case, in the order in which they were written.
    pub async fn details_of_case(&self, case: Uuid) -> Result<Vec<Detail>, StoreError> {
        self.read(OF_CASE, args![case]).await?.iter().map(from_row).collect()
    }
}
