//! Proving to whoever has a record's reference that the record was in a run, by two inclusion proofs:
//! of the record in the run's manifest, and of the manifest's root in the log. Of other records
//! nothing is said, and of a record that was not in the run only that. That somebody looked is on
//! record, and never for what.

use std::collections::BTreeMap;

use jiff::Timestamp;
use quietus_connectors::Record;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::app::record_manifest::{Listed, reference_of, salt_of, typed_key_value};
use crate::app::recording::About;
use crate::app::{Actor, AppError, Quietus};
use crate::datamap::{Collection, DataMap, Manifest};
use crate::domain::{CollectionName, Digest, SystemName};
use crate::evidence::record_export::export_record;
use crate::evidence::record_proof::{Place, RecordFiles, RecordProof, entry, leaf_of};
use crate::evidence::statement::Count;
use crate::evidence::streamed_path::StreamedPath;
use crate::evidence::verify::Source;
use crate::evidence::{EvidenceKind, Frontier};
use crate::store::{Case, Detail, RecordManifest};

/// Which record, in which run.
pub struct RecordSought<'a> {
    /// The case of the run.
    pub case: Uuid,
    /// The system.
    pub system: &'a str,
    /// The collection.
    pub collection: &'a str,
    /// The key: `field=value` for each of its fields, or the value alone of a single one.
    pub key: &'a [String],
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordFound {
    /// It was in the run: the files that prove it.
    Proven(BTreeMap<String, Vec<u8>>),
    /// It was not in the run.
    NotInRun,
    /// It is not listed, and the run reports other than the deletions that it lists: it may have been
    /// among those.
    NotListed {
        /// Deletions that were reported.
        deleted: u64,
        /// Records that are listed.
        entries: u64,
    },
    /// The run kept no manifest of this collection, so nobody knows.
    NoManifest,
    /// The job has not come to its end, or what it says of itself is not in the log yet.
    Unfinished,
    /// The manifest was shredded.
    Shredded {
        /// When.
        at: Timestamp,
    },
    /// The manifest cannot be read any more: the key of its month is gone.
    Closed,
}

/// The part of a manifest's detail that is needed to find its chunks.
#[derive(Deserialize)]
struct Said {
    detail: SaidOfManifest,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SaidOfManifest {
    manifest_root: Digest,
    deleted: String,
    last_chunks: Vec<Uuid>,
}

/// A record's place in the manifest of a job.
struct Placed {
    salt: [u8; 32],
    place: Place,
}

impl Quietus {
    /// Looks for a record in a run, and puts on record that somebody looked.
    ///
    /// # Errors
    /// Where there is no such case, system, collection or key field, or the store is not there.
    pub async fn find_record(
        &self,
        sought: &RecordSought<'_>,
        actor: &Actor,
    ) -> Result<RecordFound, AppError> {
        let case = self.store.case(sought.case).await?.ok_or_else(|| {
            AppError::Input(format!("there is no case `{}`: see `quietus status`", sought.case))
        })?;
        let pinned = self.pinned(&case).await?;
        let collection = collection_of(pinned.map(), sought)?;
        let key = read_key(collection, sought.key)?;
        let reference = reference_of(sought.system, sought.collection, &key).to_bytes();
        let found = if collection.manifest == Manifest::Records {
            self.advance_log().await?;
            self.look_in_case(&case, sought, &reference).await?
        } else {
            RecordFound::NoManifest
        };
        let count = u8::from(matches!(found, RecordFound::Proven(_)));
        let entry = self.record(
            EvidenceKind::AuditLookup,
            About::default(),
            &json!({ "by": actor.0, "found": count, "lookedFor": "record" }),
        )?;
        self.store.record_evidence(vec![entry], self.now()).await?;
        Ok(found)
    }

    /// Looks in each job of the system that the case has.
    async fn look_in_case(
        &self,
        case: &Case,
        sought: &RecordSought<'_>,
        reference: &[u8],
    ) -> Result<RecordFound, AppError> {
        let mut found = RecordFound::NoManifest;
        let jobs = self.store.jobs_of_case(case.id).await?;
        for job in jobs.iter().filter(|job| job.system == sought.system) {
            let Some(manifest) = self.store.record_manifest(job.id).await? else { continue };
            found = self.look_in_manifest(&manifest, sought, reference).await?;
            if matches!(found, RecordFound::Proven(_)) {
                break;
            }
        }
        Ok(found)
    }

    async fn look_in_manifest(
        &self,
        manifest: &RecordManifest,
        sought: &RecordSought<'_>,
        reference: &[u8],
    ) -> Result<RecordFound, AppError> {
        if let Some(at) = manifest.shredded_at {
            return Ok(RecordFound::Shredded { at });
        }
        let details = self.store.details_of_case(manifest.case_id).await?;
        let is_ours = |one: &&Detail| {
            one.kind == EvidenceKind::RecordManifest.as_str() && one.job_id == Some(manifest.job_id)
        };
        // A job that failed and was tried again has said it twice: the last one lists all.
        let Some(detail) = details.iter().rfind(is_ours) else {
            return Ok(RecordFound::Unfinished);
        };
        let (Some(vault), Some(text)) = (self.manifest_vault(manifest)?, self.open_detail(detail)?)
        else {
            return Ok(RecordFound::Closed);
        };
        let said: Said = serde_json::from_str(&text).map_err(|error| AppError::Unreadable {
            what: "the detail of a manifest of records",
            why: error.to_string(),
        })?;
        let chunks = self.store.manifest_chunks(manifest.job_id).await?;
        let listed = Listed::of(chunks, said.detail.last_chunks);
        let salt = salt_of(&vault, reference)?;
        let wanted = entry(&salt, reference);
        let (root, index) = self.look_through(&listed, sought.collection, &wanted).await?;
        if root != said.detail.manifest_root {
            return Err(AppError::Evidence(
                "a manifest of records has another root than the log says: somebody has changed what the store lists".to_owned(),
            ));
        }
        let Some(index) = index else { return Ok(not_found(&listed, &said.detail.deleted)) };
        let place = self.place_of(&listed, index).await?;
        let placed = Placed { salt, place };
        let files = self.record_files(detail, &text, (reference, placed)).await?;
        Ok(files.map_or(RecordFound::Unfinished, RecordFound::Proven))
    }

    /// The root of all that is listed, and where an entry of a collection stands in it.
    async fn look_through(
        &self,
        listed: &Listed,
        collection: &str,
        wanted: &Digest,
    ) -> Result<(Digest, Option<u64>), AppError> {
        let (mut whole, mut found) = (Frontier::default(), None);
        for chunk in &listed.chunks {
            for one in self.hashes_of(chunk.id).await? {
                if one == *wanted && chunk.collection == collection {
                    found = found.or(Some(whole.size()));
                }
                whole.push(leaf_of(&one), |_, _, _| ());
            }
        }
        Ok((whole.root(), found))
    }

    /// The path from a place in a manifest to its root.
    async fn place_of(&self, listed: &Listed, index: u64) -> Result<Place, AppError> {
        let refuse = |error: crate::evidence::merkle::MerkleError| {
            AppError::Evidence(format!("a manifest of records: {error}"))
        };
        let size = listed.records();
        let mut streamed = StreamedPath::new(index, size).map_err(refuse)?;
        for chunk in &listed.chunks {
            for one in self.hashes_of(chunk.id).await? {
                streamed.push(leaf_of(&one));
            }
        }
        let (_, path) = streamed.finish().map_err(refuse)?;
        Ok(Place { index: Count(index), size: Count(size), path })
    }

    async fn hashes_of(&self, chunk: Uuid) -> Result<Vec<Digest>, AppError> {
        self.store.manifest_hashes(chunk).await?.ok_or_else(|| AppError::Unreadable {
            what: "a manifest of records",
            why: "it is being shredded at this moment".to_owned(),
        })
    }

    /// The files that prove it; `None` while the entry waits for its place in the log.
    async fn record_files(
        &self,
        detail: &Detail,
        text: &str,
        (reference, placed): (&[u8], Placed),
    ) -> Result<Option<BTreeMap<String, Vec<u8>>>, AppError> {
        let Some(leaf) = self.store.leaf_of(detail.entry_id).await? else { return Ok(None) };
        let Some(head) = self.store.checkpoint_covering(&leaf.log_id, leaf.index).await? else {
            return Ok(None);
        };
        let path = self.path_to(&head, leaf.index).await?;
        let log = Place { index: Count(leaf.index), size: Count(head.size), path };
        let proof = RecordProof::new(placed.place, log).to_bytes();
        let (note, root) = (self.cosigned_note(&head).await?, self.trusted_root().await?);
        let files = RecordFiles {
            record: reference,
            salt: &placed.salt,
            proof: &proof,
            detail: text.as_bytes(),
            leaf: &leaf.body,
            checkpoint: note.as_bytes(),
            trusted_root: Some((&root, Source::Beside)),
            trust: None,
        };
        let exported = export_record(&files);
        exported.map(Some).map_err(|sentences| {
            AppError::Evidence(format!("the proof does not verify: {}", sentences.join(" ")))
        })
    }
}

/// What it means that a record is not listed.
fn not_found(listed: &Listed, deleted: &str) -> RecordFound {
    let entries = listed.records();
    match deleted.parse() {
        Ok(deleted) if deleted != entries => RecordFound::NotListed { deleted, entries },
        _ => RecordFound::NotInRun,
    }
}

/// The collection in the data map of the run.
fn collection_of<'m>(
    map: &'m DataMap,
    sought: &RecordSought<'_>,
) -> Result<&'m Collection, AppError> {
    let name = SystemName::parse(sought.system).ok();
    let system = name.and_then(|name| map.systems.get(&name)).ok_or_else(|| {
        let known: Vec<String> = map.systems.keys().map(|one| format!("`{one}`")).collect();
        AppError::Input(format!(
            "the run knew no system `{}`; it knew {}",
            sought.system,
            known.join(", ")
        ))
    })?;
    let name = CollectionName::parse(sought.collection).ok();
    name.and_then(|name| system.collections.get(&name)).ok_or_else(|| {
        let known: Vec<String> = system.collections.keys().map(|one| format!("`{one}`")).collect();
        AppError::Input(format!(
            "`{}` had no collection `{}` in that run; it had {}",
            sought.system,
            sought.collection,
            known.join(", ")
        ))
    })
}

/// Reads a key; no message repeats a value.
fn read_key(collection: &Collection, parts: &[String]) -> Result<Record, AppError> {
    let shape = || {
        let example: Vec<String> =
            collection.key.iter().map(|field| format!("--key {field}=…")).collect();
        AppError::Input(format!(
            "the key of `{}` is ({}): write `{}`, or a line `field=value` for each in a `--key-file`",
            collection.name,
            collection.key.join(", "),
            example.join(" ")
        ))
    };
    let mut given: BTreeMap<&str, &str> = BTreeMap::new();
    for part in parts {
        let (field, value) = match (collection.key.as_slice(), part.split_once('=')) {
            (_, Some((field, value))) if collection.key.iter().any(|one| one == field.trim()) => {
                (field.trim(), value)
            }
            ([only], _) => (only.as_str(), part.as_str()),
            _ => return Err(shape()),
        };
        if given.insert(field, value).is_some() {
            return Err(shape());
        }
    }
    if given.len() != collection.key.len() {
        return Err(shape());
    }
    let typed = given.into_iter().map(|(name, text)| {
        let field = collection.fields.get(name).ok_or_else(shape)?;
        Ok((name.to_owned(), typed_key_value(text, field.field_type)))
    });
    typed.collect()
}
