//! The log: sequencing, tiles and checkpoints.

use std::collections::BTreeSet;

use quietus::domain::Digest;
use quietus::evidence::merkle::{self, leaf_hash};
use quietus::evidence::{Frontier, tiles};
use quietus::store::{Checkpoint, LogState, NewLog, Store, StoreError};
use uuid::Uuid;

use crate::stage::{Stage, at, entry};

on_both! {
    competing_sequencers_lose_and_double_nothing,
    a_shuffle_decides_the_order_and_nothing_else,
    proofs_are_read_from_stored_tiles,
    a_fork_is_refused,
    a_closed_log_does_not_grow,
    a_damaged_frontier_is_noticed,
}

const LOG: &str = "2026";

async fn begin_log(stage: &Stage) {
    let log = NewLog {
        log_id: LOG.to_owned(),
        origin: "example.com/evidence/2026".to_owned(),
        ..NewLog::default()
    };
    stage.store.create_log(log.clone(), at(0)).await.unwrap();
    stage.store.create_log(log, at(1)).await.unwrap();
}

/// The root over all leaves, counted anew from the bodies.
async fn recount(store: &Store) -> (u64, Digest, Vec<Uuid>) {
    let (mut frontier, mut entries) = (Frontier::default(), Vec::new());
    loop {
        let leaves = store.leaves(LOG, frontier.size(), 97).await.unwrap();
        if leaves.is_empty() {
            return (frontier.size(), frontier.root(), entries);
        }
        for leaf in leaves {
            assert_eq!(leaf.index, frontier.size(), "a gap");
            assert_eq!(leaf.leaf_hash, leaf_hash(&leaf.body));
            frontier.push(leaf_hash(&leaf.body), |_, _, _| {});
            entries.push(leaf.entry_id);
        }
    }
}

async fn competing_sequencers_lose_and_double_nothing(stage: Stage) {
    begin_log(&stage).await;
    let producers: Vec<_> = (0..4)
        .map(|_| {
            let store = stage.store.clone();
            tokio::spawn(async move {
                let mut written = Vec::new();
                for _ in 0..40 {
                    let batch: Vec<_> = (0..5).map(|_| entry(None, None)).collect();
                    written.extend(batch.iter().map(|one| one.entry_id));
                    store.record_evidence(batch, at(1)).await.unwrap();
                }
                written
            })
        })
        .collect();
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let sequencers: Vec<_> = (0..4)
        .map(|_| {
            let (store, done) = (stage.store.clone(), done.clone());
            tokio::spawn(async move {
                let mut sequenced = 0;
                loop {
                    let last = done.load(std::sync::atomic::Ordering::SeqCst);
                    let batch = store.sequence(LOG, 37, at(2), &mut |ids| ids.reverse()).await;
                    match batch.unwrap() {
                        Some(batch) => {
                            assert_eq!(batch.first + batch.leaves, batch.size);
                            sequenced += batch.leaves;
                        }
                        None if last => return sequenced,
                        None => tokio::task::yield_now().await,
                    }
                }
            })
        })
        .collect();
    let mut written = BTreeSet::new();
    for producer in producers {
        written.extend(producer.await.unwrap());
    }
    done.store(true, std::sync::atomic::Ordering::SeqCst);
    let mut sequenced = 0;
    for sequencer in sequencers {
        sequenced += sequencer.await.unwrap();
    }
    assert_eq!((sequenced, written.len()), (800, 800));
    let (size, root, entries) = recount(&stage.store).await;
    assert_eq!(entries.into_iter().collect::<BTreeSet<_>>(), written);
    let head = stage.store.head(LOG).await.unwrap().unwrap();
    assert_eq!((head.size, head.root, head.state), (size, root, LogState::Open));
    assert_eq!(size, 800);
    assert_eq!(stage.rows("evidence_outbox").await, 0);
    assert_eq!(stage.rows("evidence_details").await, 800);
}

async fn a_shuffle_decides_the_order_and_nothing_else(stage: Stage) {
    begin_log(&stage).await;
    let store = &stage.store;
    let batch: Vec<_> = (0..5).map(|_| entry(None, None)).collect();
    let ids: Vec<Uuid> = batch.iter().map(|one| one.entry_id).collect();
    store.record_evidence(batch, at(1)).await.unwrap();
    let forged = store.sequence(LOG, 10, at(2), &mut |ids| ids[0] = ids[1]).await.unwrap_err();
    assert!(matches!(forged, StoreError::Refused { .. }), "{forged}");
    assert_eq!(store.head(LOG).await.unwrap().unwrap().size, 0);
    assert_eq!(stage.rows("evidence_outbox").await, 5);
    let mut seen = Vec::new();
    let shuffle = &mut |drawn: &mut [Uuid]| {
        seen = drawn.to_vec();
        drawn.swap(0, 2);
    };
    store.sequence(LOG, 3, at(2), shuffle).await.unwrap().unwrap();
    assert_eq!(seen, ids[..3]);
    let leaves = store.leaves(LOG, 0, 10).await.unwrap();
    let order: Vec<Uuid> = leaves.iter().map(|leaf| leaf.entry_id).collect();
    assert_eq!(order, vec![ids[2], ids[1], ids[0]]);
    assert_eq!(store.leaf_of(ids[0]).await.unwrap().unwrap().index, 2);
    assert_eq!(store.leaf_of(ids[4]).await.unwrap(), None);
    let missing = store.sequence("2031", 3, at(2), &mut |_| {}).await;
    assert!(matches!(missing, Err(StoreError::Conflict { .. })));
}

async fn proofs_are_read_from_stored_tiles(stage: Stage) {
    begin_log(&stage).await;
    let store = &stage.store;
    let mut old = None;
    for count in [1, 255, 1, 300] {
        let batch = (0..count).map(|_| entry(None, None)).collect();
        store.record_evidence(batch, at(1)).await.unwrap();
        let batch = store.sequence(LOG, 1000, at(2), &mut |_| {}).await.unwrap().unwrap();
        let stored = store.tiles(LOG, &tiles::tiles_of_inclusion(0, batch.size)).await.unwrap();
        assert!(batch.size == 1 || !stored.is_empty());
        for index in [0, batch.size / 2, batch.size - 1] {
            let wanted = tiles::tiles_of_inclusion(index, batch.size);
            let stored = store.tiles(LOG, &wanted).await.unwrap();
            assert_eq!(stored.len(), wanted.len());
            let path = tiles::inclusion_proof(index, batch.size, |tile| stored.get(&tile).cloned())
                .unwrap();
            let leaf = store.leaves(LOG, index, 1).await.unwrap().remove(0);
            merkle::check_inclusion(&leaf.leaf_hash, index, batch.size, &path, &batch.root)
                .unwrap();
        }
        if let Some((size, root)) = old {
            let wanted = tiles::tiles_of_consistency(size, batch.size);
            let stored = store.tiles(LOG, &wanted).await.unwrap();
            let path =
                tiles::consistency_proof(size, batch.size, |tile| stored.get(&tile).cloned())
                    .unwrap();
            merkle::check_consistency((size, &root), (batch.size, &batch.root), &path).unwrap();
        }
        old = Some((batch.size, batch.root));
    }
    assert_eq!(recount(store).await.1, store.head(LOG).await.unwrap().unwrap().root);
}

async fn a_fork_is_refused(stage: Stage) {
    begin_log(&stage).await;
    let store = &stage.store;
    store.record_evidence(vec![entry(None, None), entry(None, None)], at(1)).await.unwrap();
    let batch = store.sequence(LOG, 10, at(2), &mut |_| {}).await.unwrap().unwrap();
    let checkpoint = |size, root, note: &str| Checkpoint {
        log_id: LOG.to_owned(),
        size,
        root,
        note: note.as_bytes().to_vec(),
        signed_at: at(3),
    };
    store.store_checkpoint(checkpoint(2, batch.root, "first")).await.unwrap();
    store.store_checkpoint(checkpoint(2, batch.root, "again")).await.unwrap();
    let fork = store.store_checkpoint(checkpoint(2, Digest::of(b"other"), "fork")).await;
    assert!(matches!(fork, Err(StoreError::Conflict { .. })));
    let ahead = store.store_checkpoint(checkpoint(3, batch.root, "ahead")).await;
    assert!(matches!(ahead, Err(StoreError::Conflict { .. })));
    let kept = store.latest_checkpoint(LOG).await.unwrap().unwrap();
    assert_eq!((kept.size, kept.note), (2, b"first".to_vec()));
    assert_eq!(store.checkpoint_covering(LOG, 1).await.unwrap().unwrap().size, 2);
    assert_eq!(store.checkpoint_covering(LOG, 2).await.unwrap(), None);
    assert_eq!(store.checkpoint_at(LOG, 1).await.unwrap(), None);
}

async fn a_closed_log_does_not_grow(stage: Stage) {
    begin_log(&stage).await;
    let store = &stage.store;
    store.record_evidence(vec![entry(None, None)], at(1)).await.unwrap();
    assert!(!store.close_log(LOG, 1).await.unwrap());
    assert!(store.close_log(LOG, 0).await.unwrap());
    let refused = store.sequence(LOG, 10, at(2), &mut |_| {}).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })));
    // What waits goes into the next log.
    let next = NewLog {
        log_id: "2027".to_owned(),
        origin: "example.com/evidence/2027".to_owned(),
        ..NewLog::default()
    };
    store.create_log(next, at(3)).await.unwrap();
    let batch = store.sequence("2027", 10, at(4), &mut |_| {}).await.unwrap().unwrap();
    assert_eq!((batch.first, batch.leaves), (0, 1));
    let logs = store.logs().await.unwrap();
    let logs: Vec<_> = logs.iter().map(|log| (log.log_id.as_str(), log.state)).collect();
    assert_eq!(logs, vec![(LOG, LogState::Closed), ("2027", LogState::Open)]);
}

async fn a_damaged_frontier_is_noticed(stage: Stage) {
    begin_log(&stage).await;
    let store = &stage.store;
    store.record_evidence(vec![entry(None, None)], at(1)).await.unwrap();
    store.sequence(LOG, 10, at(2), &mut |_| {}).await.unwrap().unwrap();
    stage.intrude("UPDATE logs SET size = 2").await.unwrap();
    assert!(matches!(store.head(LOG).await, Err(StoreError::Corrupt { .. })));
    store.record_evidence(vec![entry(None, None)], at(1)).await.unwrap();
    let refused = store.sequence(LOG, 10, at(2), &mut |_| {}).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })));
}
