//! Manifests of records: which records a schedule's job deleted as a whole, so that whoever has a
//! record's reference can have it proven, and nobody learns anything else.
//!
//! Before a chunk commits in the connected system, a salted hash of each of its records is written
//! down here; the system commits the chunk's identifier together with the chunk. So a crash loses no
//! record and adds none: those have gone to whose chunk the system's last identifier leads back. The
//! salt of a record is made from its reference with a data key of the case; the reference itself is
//! never kept. What is listed, and how many deletions were reported, stands in a leaf of its own.

use std::collections::{BTreeMap, HashMap};

use quietus_connectors::{FieldType, Going, Order, Record, Value};
use serde_json::json;
use uuid::Uuid;

use super::carry_out::{Attempt, Ending, Payload};
use super::prepare::{Prepared, payload_of};
use super::progress::Done;
use super::recording::About;
use super::vault::Vault;
use super::{AppError, Quietus};
use crate::datamap::{DataMap, Manifest};
use crate::domain::{Digest, SystemName};
use crate::evidence::record_proof::{self, ALGORITHM, RecordReference, SALT_BYTES};
use crate::evidence::{EvidenceKind, Frontier};
use crate::plan::plain_decimal;
use crate::store::{
    JobFault, ManifestChunk, NewManifestChunk, OutboxEntry, RecordManifest, Settlement,
};

/// Purpose for which the salts of records are made.
const SALT: &str = "salt of a record in a manifest";

/// Writes down what goes in one job.
pub(crate) struct Lister {
    job: Uuid,
    system: String,
    vault: Vault,
}

/// The salt of a record, from its reference.
pub(super) fn salt_of(vault: &Vault, reference: &[u8]) -> Result<[u8; SALT_BYTES], AppError> {
    let tag = vault.tag(SALT, &String::from_utf8_lossy(reference));
    tag.try_into().map_err(|_| AppError::Evidence("a salt has another length".to_owned()))
}

/// The reference of a record by its key as a connector tells it, or as somebody typed it.
pub(super) fn reference_of(system: &str, collection: &str, key: &Record) -> RecordReference {
    let fields: BTreeMap<String, String> =
        key.iter().map(|(name, value)| (name.clone(), one_spelling(value))).collect();
    RecordReference::new(system, collection, fields)
}

fn one_spelling(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Decimal(text) => plain_decimal(text.trim()),
        Value::Text(text) => text.clone(),
        Value::Timestamp(moment) => moment.to_string(),
        Value::Date(day) => day.to_string(),
        Value::Uuid(uuid) => uuid.to_string(),
        Value::Binary(bytes) => hex::encode(bytes),
    }
}

impl Lister {
    fn entry(&self, collection: &str, key: &Record) -> Result<Digest, AppError> {
        let reference = reference_of(&self.system, collection, key).to_bytes();
        Ok(record_proof::entry(&salt_of(&self.vault, &reference)?, &reference))
    }

    /// Writes down the records of a chunk; its identifier.
    pub(super) async fn list(&self, product: &Quietus, going: Going<'_>) -> Result<Uuid, AppError> {
        let entries = going.keys.iter().map(|key| self.entry(going.collection, key));
        let mut hashes = entries.collect::<Result<Vec<_>, _>>()?;
        // In the order of their hashes, so that a place says nothing of a key.
        hashes.sort_unstable();
        let id = product.ids.new_id();
        let chunk = ManifestChunk {
            id,
            previous: going.after,
            collection: going.collection.to_owned(),
            records: hashes.len() as u64,
        };
        let new = NewManifestChunk { job_id: self.job, chunk, hashes };
        product.store.add_manifest_chunk(new, product.now()).await?;
        Ok(id)
    }
}

/// What a manifest lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Listed {
    /// Chunks that have committed in the system, in their order.
    pub(super) chunks: Vec<ManifestChunk>,
}

impl Listed {
    /// Those chunks to which the last one of each round leads back. Where one is missing, because an
    /// older copy of the store was put back, what was before it is not listed.
    pub(super) fn of(chunks: Vec<ManifestChunk>, last: impl IntoIterator<Item = Uuid>) -> Self {
        let mut known: HashMap<Uuid, ManifestChunk> =
            chunks.into_iter().map(|chunk| (chunk.id, chunk)).collect();
        let mut listed = Vec::new();
        for last in last {
            let (begin, mut next) = (listed.len(), Some(last));
            // Taken out, so that no circle and no two ways lead anywhere.
            while let Some(chunk) = next.and_then(|id| known.remove(&id)) {
                next = chunk.previous;
                listed.push(chunk);
            }
            listed[begin..].reverse();
        }
        Self { chunks: listed }
    }

    /// How many records it lists.
    pub(super) fn records(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.records).sum()
    }
}

/// The last chunk of each round that a job has committed.
fn last_chunks(done: &Done) -> Vec<Uuid> {
    done.rounds.iter().chain([&done.current]).filter_map(|outcome| outcome.listed).collect()
}

impl Quietus {
    /// Who writes down what goes by an order; `None` where it asks for no manifest.
    pub(super) async fn lister_of(
        &self,
        attempt: &Attempt<'_>,
        order: &Order,
    ) -> Result<Option<Lister>, AppError> {
        if !order.instructions.iter().any(|one| one.manifest) {
            return Ok(None);
        }
        let job = &attempt.claimed.job;
        let manifest = if let Some(manifest) = self.store.record_manifest(job.id).await? {
            manifest
        } else {
            let (key, _) = self.epochs.new_key(Some(job.case_id), self.ids.as_ref())?;
            self.store.begin_record_manifest(job.id, key, self.now()).await?
        };
        let vault = self.manifest_vault(&manifest)?.ok_or_else(|| {
            AppError::Input(
                "the key of this job's manifest of records is destroyed or not in the keys folder"
                    .to_owned(),
            )
        })?;
        Ok(Some(Lister { job: job.id, system: job.system.clone(), vault }))
    }

    /// What makes the salts of a manifest; `None` once its key is destroyed.
    pub(super) fn manifest_vault(
        &self,
        manifest: &RecordManifest,
    ) -> Result<Option<Vault>, AppError> {
        self.epochs.vault_of(&manifest.key)
    }

    /// Nothing is deleted where it could not be listed.
    pub(super) fn ending_of_no_manifest(
        &self,
        attempt: &Attempt<'_>,
        prepared: &Prepared,
        error: &AppError,
    ) -> Ending {
        let words = format!("no manifest of records can be kept: {error}");
        let settlement = if error.is_input() {
            let fault = JobFault { kind: "misconfigured".to_owned(), message: words.clone() };
            Settlement::Failed { fault }
        } else {
            tracing::warn!(%error, job = %attempt.claimed.job.id, "the manifest of records");
            Settlement::Released { available_at: self.after(super::settle::FIRST_PAUSE) }
        };
        Ending {
            settlement,
            done: prepared.done.clone(),
            order_key: prepared.order.key.clone(),
            verification: None,
            words,
        }
    }

    /// What a job that comes to its end has listed, for the log; nothing where it keeps no manifest.
    pub(super) async fn manifest_leaf(
        &self,
        attempt: &Attempt<'_>,
        ending: &Ending,
    ) -> Result<Option<OutboxEntry>, AppError> {
        use Settlement::{Cancelled, Completed, Failed};
        let is_final = matches!(ending.settlement, Completed { .. } | Failed { .. } | Cancelled);
        let is_sweep = matches!(payload_of(attempt)?, Payload::First { .. });
        if !is_final || !is_sweep {
            return Ok(None);
        }
        let job = &attempt.claimed.job;
        if self.store.record_manifest(job.id).await?.is_none() {
            return Ok(None);
        }
        let last = last_chunks(&ending.done);
        let chunks = self.store.manifest_chunks(job.id).await?;
        let listed = Listed::of(chunks, last.iter().copied());
        let Some(root) = self.manifest_root(&listed).await? else { return Ok(None) };
        let pinned = self.pinned(&attempt.case).await?;
        let deleted = reported(pinned.map(), &job.system, &ending.done);
        let entries = listed.records();
        let difference = (entries != deleted).then(|| {
            format!("{deleted} deletions were reported and {entries} are listed: some were made or counted without being told")
        });
        let about = About { case: Some(job.case_id), job: Some(job.id) };
        let detail = json!({
            "algorithm": ALGORITHM,
            "case": job.case_id,
            "system": job.system,
            "manifestRoot": root,
            "entries": entries.to_string(),
            "deleted": deleted.to_string(),
            "difference": difference,
            "lastChunks": last,
        });
        self.record(EvidenceKind::RecordManifest, about, &detail).map(Some)
    }

    /// The root of what is listed; `None` once shredded.
    pub(super) async fn manifest_root(&self, listed: &Listed) -> Result<Option<Digest>, AppError> {
        let mut frontier = Frontier::default();
        for chunk in &listed.chunks {
            let Some(hashes) = self.store.manifest_hashes(chunk.id).await? else {
                return Ok(None);
            };
            for entry in hashes {
                frontier.push(record_proof::leaf_of(&entry), |_, _, _| ());
            }
        }
        Ok(Some(frontier.root()))
    }
}

/// Deletions that a job reports of collections that keep a manifest, all rounds together.
fn reported(map: &DataMap, system: &str, done: &Done) -> u64 {
    let found = SystemName::parse(system).ok().and_then(|name| map.systems.get(&name));
    let collections = found.into_iter().flat_map(|system| system.collections.values());
    let listing = collections.filter(|one| one.manifest == Manifest::Records);
    listing.map(|one| done.reported_deletions(one.name.as_str())).sum()
}

/// The value of a key field as somebody types it; what does not fit its type is the text itself, as
/// it is where a system holds such a thing.
pub(super) fn typed_key_value(text: &str, field_type: FieldType) -> Value {
    super::explain::read_value(text, field_type).unwrap_or_else(|| Value::Text(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(id: u128, previous: Option<u128>, records: u64) -> ManifestChunk {
        ManifestChunk {
            id: Uuid::from_u128(id),
            previous: previous.map(Uuid::from_u128),
            collection: "notes".to_owned(),
            records,
        }
    }

    #[test]
    fn only_what_the_last_one_leads_back_to_has_gone() {
        // 1 ← 3 committed; 2 was rolled back, and 4 belongs to another round.
        let chunks =
            vec![chunk(1, None, 5), chunk(2, Some(1), 7), chunk(3, Some(1), 11), chunk(4, None, 2)];
        let last = [3, 4].map(Uuid::from_u128);
        let listed = Listed::of(chunks.clone(), last);
        let ids: Vec<u128> = listed.chunks.iter().map(|one| one.id.as_u128()).collect();
        assert_eq!((ids, listed.records()), (vec![1, 3, 4], 18));
        assert_eq!(Listed::of(chunks.clone(), []), Listed::default());
        assert_eq!(Listed::of(chunks.clone(), [Uuid::from_u128(9)]), Listed::default());
        let twice = Listed::of(chunks, [3, 3].map(Uuid::from_u128));
        assert_eq!(twice.records(), 16, "nothing is listed twice");
    }

    #[test]
    fn a_record_has_one_reference_however_its_key_is_told() {
        let key = |value| Record::from([("id".to_owned(), value)]);
        let typed =
            |text: &str, kind| reference_of("shop", "orders", &key(typed_key_value(text, kind)));
        let told = |value| reference_of("shop", "orders", &key(value));
        assert_eq!(typed("04711", FieldType::Integer), told(Value::Integer(4711)));
        assert_eq!(typed("4.70", FieldType::Decimal), told(Value::Decimal("4.7000".to_owned())));
        let uuid = Uuid::from_u128(7);
        assert_eq!(typed(&uuid.simple().to_string(), FieldType::Uuid), told(Value::Uuid(uuid)));
        assert_eq!(typed("a0Ff", FieldType::Binary), told(Value::Binary(vec![0xa0, 0xff])));
        assert_eq!(typed("12a", FieldType::Integer), told(Value::Text("12a".to_owned())));
        assert_ne!(typed("Ann", FieldType::Text), typed("ann", FieldType::Text));
        let moment = "2026-01-01T00:00:00Z";
        let timestamp = Value::Timestamp(moment.parse().unwrap());
        assert_eq!(typed("2026-01-01T01:00:00+01:00", FieldType::Timestamp), told(timestamp));
    }

    #[test]
    fn a_salt_is_that_of_its_record_and_its_key() {
        let vault = |byte| Vault::new(&[byte; 32]).unwrap();
        let salt = salt_of(&vault(1), b"one").unwrap();
        assert_eq!(salt, salt_of(&vault(1), b"one").unwrap());
        assert_ne!(salt, salt_of(&vault(1), b"two").unwrap());
        assert_ne!(salt, salt_of(&vault(2), b"one").unwrap());
    }
}
