//! Keys of cases, wrapped, and shredding: what evidence means goes, that it was recorded stays.
//!
//! A data key is written with the first detail that it seals. Shredding destroys the keys of a case
//! and the sealed bytes of its details in one transaction with the entry that says so. What says
//! that something was shredded is never shredded itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::{Store, Tx};
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::record_manifests;
use super::rows::Rows;
use super::statement::{Row, Sql, args};
use crate::domain::EpochName;

/// A key that seals details, wrapped with the key of an epoch.
#[derive(Clone, PartialEq, Eq)]
pub struct DataKey {
    /// Its identifier.
    pub id: Uuid,
    /// The case whose details it seals; `None` for what belongs to no case.
    pub case_id: Option<Uuid>,
    /// The epoch whose key wraps it.
    pub epoch: EpochName,
    /// The wrapped key.
    pub wrapped: Vec<u8>,
    /// Whether the store refused what it sealed.
    pub refused: Refused,
}

/// Whether the store refused what was sealed under a key, because another process has destroyed it.
/// All copies of a key share it, so that whoever keeps one learns of it. It says nothing of which key
/// it is: two keys do not differ by it.
#[derive(Debug, Clone, Default)]
pub struct Refused(Arc<AtomicBool>);

impl Refused {
    /// Tells all who have a copy of the key.
    pub(crate) fn tell(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody was refused.
    pub fn is_told(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl PartialEq for Refused {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Refused {}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "DataKey({}, {})", self.id, self.epoch)
    }
}

/// The key of a detail on record.
#[derive(Clone, PartialEq, Eq)]
pub struct DetailKey {
    /// Its identifier.
    pub id: Uuid,
    /// The epoch whose key wraps it.
    pub epoch: EpochName,
    /// The wrapped key; `None` once destroyed.
    pub wrapped: Option<Vec<u8>>,
}

impl std::fmt::Debug for DetailKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "DetailKey({}, {})", self.id, self.epoch)
    }
}

/// How much there is to shred, or was shredded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shredded {
    /// Living data keys.
    pub keys: u64,
    /// Details that can be read.
    pub details: u64,
    /// Manifests of records.
    pub manifests: u64,
}

/// A data key of no case whose details are all older than a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OldDetails {
    /// The key.
    pub key: Uuid,
    /// How many details it seals.
    pub details: u64,
}

const KNOWN: Sql = Sql::both("SELECT id FROM data_keys WHERE id = $1");
const KEEP: Sql = Sql::both(
    "INSERT INTO data_keys (id, case_id, epoch, wrapped, created_at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (id) DO NOTHING",
);
// Each database takes many rows in its own way.
const KNOWN_OF: Sql = Sql::fork(
    "SELECT id FROM data_keys WHERE id IN (SELECT unhex(value ->> 0) FROM json_each($1))",
    "SELECT id FROM data_keys
     WHERE id = ANY ($1::uuid[])",
);
const KEEP_ALL: Sql = Sql::fork(
    "INSERT INTO data_keys (id, case_id, epoch, wrapped, created_at)
     SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2, unhex(value ->> 3), $1
     FROM json_each($2) WHERE TRUE
     ON CONFLICT (id) DO NOTHING",
    "INSERT INTO data_keys (id, case_id, epoch, wrapped, created_at)
     SELECT id, of_case, epoch, wrapped, $1
     FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::bytea[])
         AS rows (id, of_case, epoch, wrapped)
     ON CONFLICT (id) DO NOTHING",
);
const LIVING: Sql = Sql::both(
    "SELECT (SELECT COUNT(*) FROM data_keys WHERE case_id = $1 AND wrapped IS NOT NULL) AS keys,
         (SELECT COUNT(*) FROM evidence_details WHERE case_id = $1 AND sealed IS NOT NULL
             AND kind <> 'evidence.shredded') AS details,
         (SELECT COUNT(*) FROM record_manifests WHERE case_id = $1
             AND shredded_at IS NULL) AS manifests",
);
// Whoever opens the case again waits until it is shredded. SQLite has one writer.
const SHREDDABLE: Sql = Sql::fork(
    "SELECT id FROM cases WHERE id = $1 AND state = 'closed'
       AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.case_id = cases.id
           AND jobs.state NOT IN ('completed', 'failed', 'cancelled'))
       AND NOT EXISTS (SELECT 1 FROM certificates WHERE certificates.case_id = cases.id
           AND certificates.state = 'signed')",
    "SELECT id FROM cases WHERE id = $1 AND state = 'closed'
       AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.case_id = cases.id
           AND jobs.state NOT IN ('completed', 'failed', 'cancelled'))
       AND NOT EXISTS (SELECT 1 FROM certificates WHERE certificates.case_id = cases.id
           AND certificates.state = 'signed')
     FOR UPDATE",
);
const DESTROY_OF_CASE: Sql = Sql::both(
    "UPDATE data_keys SET wrapped = NULL, destroyed_at = $2
     WHERE case_id = $1 AND wrapped IS NOT NULL",
);
const SHRED_OF_CASE: Sql = Sql::both(
    "UPDATE evidence_details SET sealed = NULL, shredded_at = $2
     WHERE case_id = $1 AND sealed IS NOT NULL AND kind <> 'evidence.shredded'",
);
const CASES: Sql = Sql::both(
    "SELECT id FROM cases
     WHERE state = 'closed' AND closed_at < $1
       AND (CAST($2 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM certificates, certificate_topics
           WHERE certificates.case_id = cases.id AND certificate_id = certificates.id
             AND certificate_topics.kind = 'rule' AND certificate_topics.name = $2))
       AND EXISTS (SELECT 1 FROM evidence_details WHERE evidence_details.case_id = cases.id
           AND sealed IS NOT NULL AND kind <> 'evidence.shredded')
       AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.case_id = cases.id
           AND jobs.state NOT IN ('completed', 'failed', 'cancelled'))
       AND NOT EXISTS (SELECT 1 FROM certificates WHERE certificates.case_id = cases.id
           AND certificates.state = 'signed')
     ORDER BY closed_at, id LIMIT $3",
);
const OLD_KEYS: Sql = Sql::both(
    "SELECT id, (SELECT COUNT(*) FROM evidence_details WHERE key_id = data_keys.id
             AND sealed IS NOT NULL) AS details
     FROM data_keys
     WHERE case_id IS NULL AND wrapped IS NOT NULL AND created_at < $1
       AND NOT EXISTS (SELECT 1 FROM evidence_details WHERE key_id = data_keys.id
           AND sealed IS NOT NULL AND evidence_details.created_at >= $1)
     ORDER BY created_at, id LIMIT $2",
);
const DESTROY: Sql = Sql::both(
    "UPDATE data_keys SET wrapped = NULL, destroyed_at = $2
     WHERE id = $1 AND case_id IS NULL AND wrapped IS NOT NULL",
);
const SHRED_OF_KEY: Sql = Sql::both(
    "UPDATE evidence_details SET sealed = NULL, shredded_at = $2
     WHERE key_id = $1 AND sealed IS NOT NULL",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("data_keys::KNOWN", KNOWN),
    ("data_keys::KEEP", KEEP),
    ("data_keys::KNOWN_OF", KNOWN_OF),
    ("data_keys::KEEP_ALL", KEEP_ALL),
    ("data_keys::LIVING", LIVING),
    ("data_keys::SHREDDABLE", SHREDDABLE),
    ("data_keys::DESTROY_OF_CASE", DESTROY_OF_CASE),
    ("data_keys::SHRED_OF_CASE", SHRED_OF_CASE),
    ("data_keys::CASES", CASES),
    ("data_keys::OLD_KEYS", OLD_KEYS),
    ("data_keys::DESTROY", DESTROY),
    ("data_keys::SHRED_OF_KEY", SHRED_OF_KEY),
];

/// Writes a key, unless it is there already. A destroyed one stays destroyed.
pub(super) async fn keep(tx: &mut Tx, key: DataKey, now: Timestamp) -> Result<(), StoreError> {
    // Most are there: whoever inserts locks the row of the epoch, which all have in common.
    if tx.read_one(KNOWN, args![key.id]).await?.is_some() {
        return Ok(());
    }
    tx.execute(KEEP, args![key.id, key.case_id, key.epoch.as_str(), key.wrapped, now]).await?;
    Ok(())
}

/// Writes keys, but for those that are there already, in as many statements as for one.
pub(super) async fn keep_all(
    tx: &mut Tx,
    mut keys: BTreeMap<Uuid, DataKey>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut wanted = Rows::default();
    for id in keys.keys() {
        wanted.push(args![*id])?;
    }
    let Some(wanted) = wanted.take() else { return Ok(()) };
    for row in tx.read(KNOWN_OF, args![wanted]).await? {
        keys.remove(&row.get::<Uuid>("id")?);
    }
    let mut rows = Rows::default();
    for (id, key) in keys {
        rows.push(args![id, key.case_id, key.epoch.as_str(), key.wrapped])?;
    }
    if let Some(rows) = rows.take() {
        tx.execute(KEEP_ALL, args![now, rows]).await?;
    }
    Ok(())
}

/// The key of a detail, of a row that has both.
pub(super) fn of_detail(row: &Row) -> Result<Option<DetailKey>, StoreError> {
    let Some(id) = row.get("key_id")? else { return Ok(None) };
    let epoch = row.word("epoch", EpochName::parse)?;
    Ok(Some(DetailKey { id, epoch, wrapped: row.get("wrapped")? }))
}

impl Store {
    /// How much of a case can be shredded.
    pub async fn living_details(&self, case: Uuid) -> Result<Shredded, StoreError> {
        let row = self.read_one(LIVING, args![case]).await?;
        let row = row.ok_or(StoreError::Corrupt { column: "keys" })?;
        Ok(Shredded {
            keys: row.whole("keys")?,
            details: row.whole("details")?,
            manifests: row.whole("manifests")?,
        })
    }

    /// Whether a case is over, so that what its evidence means may go: closed, no job waits, and
    /// its certificates are in the log.
    pub async fn is_over(&self, case: Uuid) -> Result<bool, StoreError> {
        Ok(self.read_one(SHREDDABLE, args![case]).await?.is_some())
    }

    /// Cases that are over since before a moment and can be shredded, the oldest first; only those
    /// whose certificates speak of `rule`, where it is given. At most 1000.
    pub async fn cases_to_shred(
        &self,
        closed_before: Timestamp,
        rule: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Uuid>, StoreError> {
        let rows = self.read(CASES, args![closed_before, rule, limit.min(1000)]).await?;
        rows.iter().map(|row| row.get("id")).collect()
    }

    /// Destroys the data keys of a case, the sealed bytes of its details and the hashes of its
    /// manifests. `false`, with nothing
    /// changed, where the case is not over or there is more or less to shred than `expected`, which
    /// is what the evidence says.
    pub async fn shred_case(
        &self,
        case: Uuid,
        expected: Shredded,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let over = tx.read_one(SHREDDABLE, args![case]).await?.is_some();
        let keys = tx.execute(DESTROY_OF_CASE, args![case, now]).await?;
        let details = tx.execute(SHRED_OF_CASE, args![case, now]).await?;
        let manifests = record_manifests::shred(&mut tx, case, now).await?;
        if !over || expected != (Shredded { keys, details, manifests }) {
            tx.rollback().await?;
            return Ok(false);
        }
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Data keys of no case whose details were all written before a moment; at most 1000.
    pub async fn old_details_of_no_case(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<OldDetails>, StoreError> {
        let rows = self.read(OLD_KEYS, args![before, limit.min(1000)]).await?;
        rows.iter()
            .map(|row| Ok(OldDetails { key: row.get("id")?, details: row.whole("details")? }))
            .collect()
    }

    /// Destroys a data key of no case and what it sealed; `false`, with nothing changed, where there
    /// is more or less to shred than expected.
    pub async fn shred_old_details(
        &self,
        old: OldDetails,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let keys = tx.execute(DESTROY, args![old.key, now]).await?;
        let details = tx.execute(SHRED_OF_KEY, args![old.key, now]).await?;
        if (keys, details) != (1, old.details) {
            tx.rollback().await?;
            return Ok(false);
        }
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }
}
