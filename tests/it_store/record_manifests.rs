//! Manifests of records: chunks, the way back through them, and shredding.

use quietus::domain::Digest;
use quietus::store::{JobFault, ManifestChunk, NewManifestChunk, Settle, Settlement, Shredded};
use uuid::Uuid;

use crate::data_keys::{begin, key};
use crate::stage::{Stage, at, new_id, tenure};

on_both! {
    chunks_come_back_as_they_were_written,
    a_job_has_one_manifest_under_a_key_of_its_case,
    a_chunk_follows_only_one_of_its_own_job,
    a_shredded_manifest_lists_nothing_and_grows_no_more,
}

/// Writes a chunk of so many invented hashes.
pub async fn add(stage: &Stage, job: Uuid, previous: Option<Uuid>, records: u8) -> Uuid {
    let id = new_id();
    let hashes: Vec<Digest> = (0..records).map(|one| Digest::of(&[one])).collect();
    let collection = "notes".to_owned();
    let chunk = ManifestChunk { id, previous, collection, records: u64::from(records) };
    let new = NewManifestChunk { job_id: job, chunk, hashes };
    stage.store.add_manifest_chunk(new, at(3)).await.unwrap();
    id
}

/// A case with a job that keeps a manifest.
async fn listing(stage: &Stage) -> (Uuid, Uuid) {
    let epoch = begin(stage, "2026-11").await;
    let (case, _) = stage.case_with_jobs(1).await;
    let job = stage.store.jobs_of_case(case).await.unwrap()[0].id;
    assert_eq!(stage.store.record_manifest(job).await.unwrap(), None);
    let begun =
        stage.store.begin_record_manifest(job, key(Some(case), &epoch), at(1)).await.unwrap();
    assert_eq!((begun.job_id, begun.case_id, begun.shredded_at), (job, case, None));
    (case, job)
}

async fn chunks_come_back_as_they_were_written(stage: Stage) {
    let (_, job) = listing(&stage).await;
    let first = add(&stage, job, None, 3).await;
    let second = add(&stage, job, Some(first), 2).await;
    let aside = add(&stage, job, Some(first), 1).await;
    let chunks = stage.store.manifest_chunks(job).await.unwrap();
    let told: Vec<(Uuid, Option<Uuid>, u64)> =
        chunks.iter().map(|one| (one.id, one.previous, one.records)).collect();
    assert_eq!(told, [(first, None, 3), (second, Some(first), 2), (aside, Some(first), 1)]);
    let hashes = stage.store.manifest_hashes(second).await.unwrap().unwrap();
    assert_eq!(hashes, [Digest::of(&[0]), Digest::of(&[1])]);
    assert_eq!(stage.store.manifest_hashes(new_id()).await.unwrap(), None);
}

async fn a_job_has_one_manifest_under_a_key_of_its_case(stage: Stage) {
    let (case, job) = listing(&stage).await;
    let first = stage.store.record_manifest(job).await.unwrap().unwrap();
    let epoch = first.key.epoch.clone();
    let again =
        stage.store.begin_record_manifest(job, key(Some(case), &epoch), at(9)).await.unwrap();
    assert_eq!(again, first, "what was begun stays");
    let (other, _) = stage.case_with_jobs(1).await;
    let others = stage.store.jobs_of_case(other).await.unwrap()[0].id;
    let foreign = stage.store.begin_record_manifest(others, key(Some(case), &epoch), at(9)).await;
    assert!(foreign.is_err(), "a key of another case");
}

async fn a_chunk_follows_only_one_of_its_own_job(stage: Stage) {
    let (_, job) = listing(&stage).await;
    let (other, _) = stage.case_with_jobs(1).await;
    let others = stage.store.jobs_of_case(other).await.unwrap()[0].id;
    let epoch = stage.store.record_manifest(job).await.unwrap().unwrap().key.epoch;
    stage.store.begin_record_manifest(others, key(Some(other), &epoch), at(1)).await.unwrap();
    let first = add(&stage, job, None, 1).await;
    // Lost with an older copy of the store, or another job's: it leads nowhere.
    for unknown in [new_id(), first] {
        let id = add(&stage, others, Some(unknown), 1).await;
        let chunks = stage.store.manifest_chunks(others).await.unwrap();
        assert_eq!(chunks.iter().find(|one| one.id == id).unwrap().previous, None);
    }
}

async fn a_shredded_manifest_lists_nothing_and_grows_no_more(stage: Stage) {
    let (case, job) = listing(&stage).await;
    let chunk = add(&stage, job, None, 3).await;
    let living = stage.store.living_details(case).await.unwrap();
    assert_eq!(living, Shredded { keys: 1, details: 0, manifests: 1 });
    assert!(!stage.store.shred_case(case, living, at(4), Vec::new()).await.unwrap(), "not over");
    assert!(stage.store.manifest_hashes(chunk).await.unwrap().is_some());

    let mine = tenure(&stage.claim_one("worker", 5).await);
    assert_eq!(mine.job, job);
    let fault = JobFault { kind: "rejected".to_owned(), message: "no".to_owned() };
    let settlement = Settlement::Failed { fault };
    let settle = Settle { tenure: mine, settlement, now: at(6), evidence: Vec::new() };
    assert!(stage.store.settle(settle).await.unwrap());
    crate::data_keys::certify(&stage, case).await;
    assert!(stage.store.shred_case(case, living, at(8), Vec::new()).await.unwrap());
    assert_eq!(stage.store.living_details(case).await.unwrap(), Shredded::default());
    let shredded = stage.store.record_manifest(job).await.unwrap().unwrap();
    assert_eq!((shredded.shredded_at, shredded.key.wrapped), (Some(at(8)), None));
    assert_eq!(stage.store.manifest_hashes(chunk).await.unwrap(), None);
    assert_eq!(stage.store.manifest_chunks(job).await.unwrap().len(), 1, "how many it listed");

    let late = ManifestChunk {
        id: new_id(),
        previous: Some(chunk),
        collection: "notes".to_owned(),
        records: 1,
    };
    let late = NewManifestChunk { job_id: job, chunk: late, hashes: vec![Digest::of(b"late")] };
    assert!(stage.store.add_manifest_chunk(late, at(9)).await.is_err());
}
