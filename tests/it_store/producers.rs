//! Numbers of entries: without gaps, whoever writes at once and whatever is undone.

use std::collections::BTreeMap;

use quietus::domain::Digest;
use quietus::evidence::leaf::{is_heartbeat, read_leaf};
use quietus::evidence::{EvidenceKind, numbered_entry};
use quietus::store::{NewLog, Numbered, OutboxEntry, SealedDetail, StoreError};

use crate::stage::{Stage, at, entry};

on_both! {
    many_writers_leave_no_gap,
    what_is_undone_takes_no_number,
    a_heartbeat_ends_its_batch,
    heartbeats_are_due_after_their_time,
}

const FAMILY: &str = "quietus-test";

fn numbered(kind: EvidenceKind) -> OutboxEntry {
    let plain = entry(None, None);
    let salt = Digest::of(plain.entry_id.as_bytes()).0;
    let make = move |producer: &str, number: u64| {
        let detail = serde_json::Value::Null;
        let entry = numbered_entry(kind, &detail, salt, (producer, number), at(0))
            .map_err(|error| error.to_string())?;
        let (sha256, sealed) = (entry.detail_sha256, entry.detail_bytes);
        Ok((entry.body, SealedDetail { sha256, sealed, key: None }))
    };
    let numbered = Some(Numbered::new(FAMILY.to_owned(), make));
    OutboxEntry { body: Vec::new(), detail: None, numbered, ..plain }
}

/// Producer and number of every entry, by what its detail says.
async fn numbers(stage: &Stage) -> BTreeMap<String, Vec<u64>> {
    let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut at = 0;
    loop {
        let leaves = stage.store.leaves("2026", at, 1_000).await.unwrap();
        if leaves.is_empty() {
            break;
        }
        at += leaves.len() as u64;
        for leaf in leaves {
            let Some(leaf) = read_leaf(&leaf.body) else { continue };
            let detail = stage.store.detail(leaf.spec.detail_sha256).await.unwrap().unwrap();
            let detail: serde_json::Value =
                serde_json::from_slice(&detail.sealed.unwrap()).unwrap();
            let number = detail["number"].as_str().unwrap().parse().unwrap();
            found.entry(leaf.spec.producer).or_default().push(number);
        }
    }
    for numbers in found.values_mut() {
        numbers.sort_unstable();
    }
    found
}

async fn begin(stage: &Stage) {
    let log = NewLog { log_id: "2026".to_owned(), origin: "o".to_owned(), ..NewLog::default() };
    stage.store.create_log(log, at(0)).await.unwrap();
    stage.store.begin_producers(FAMILY, at(0)).await.unwrap();
    stage.store.begin_producers(FAMILY, at(5)).await.unwrap();
}

async fn sequence_all(stage: &Stage) {
    while stage.store.sequence("2026", 100, at(9), &mut <[_]>::reverse).await.unwrap().is_some() {}
}

async fn many_writers_leave_no_gap(stage: Stage) {
    begin(&stage).await;
    let writers: Vec<_> = (0..6)
        .map(|_| {
            let store = stage.store.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    let entries = (0..3).map(|_| numbered(EvidenceKind::ErasureStep)).collect();
                    store.record_evidence(entries, at(1)).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    sequence_all(&stage).await;
    let numbers = numbers(&stage).await;
    let all: usize = numbers.values().map(Vec::len).sum();
    assert_eq!(all, 360);
    for (producer, numbers) in &numbers {
        assert!(producer.starts_with("quietus-test."), "{producer}");
        let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
        assert_eq!(*numbers, expected, "{producer}");
    }
    if stage.store.kind() == "sqlite" {
        assert_eq!(numbers.len(), 1);
    }
}

async fn what_is_undone_takes_no_number(stage: Stage) {
    begin(&stage).await;
    let first = numbered(EvidenceKind::ErasureStep);
    stage.store.record_evidence(vec![first.clone()], at(1)).await.unwrap();
    // The same entry once more is refused, and takes its number back with it.
    let doubled = vec![numbered(EvidenceKind::ErasureStep), first];
    let refused = stage.store.record_evidence(doubled, at(2)).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    let second = vec![numbered(EvidenceKind::ErasureStep)];
    stage.store.record_evidence(second, at(3)).await.unwrap();
    sequence_all(&stage).await;
    // PostgreSQL may still hold the first producer for what was refused, and give the next one.
    let given: Vec<Vec<u64>> = numbers(&stage).await.into_values().collect();
    let both = stage.store.kind() == "postgres" && given == [[1], [1]];
    assert!(both || given == [[1, 2]], "{given:?}");
    for change in ["entries = entries - 1", "name = 'x'", "family = 'x'"] {
        let change = format!("UPDATE evidence_producers SET {change} WHERE entries > 0");
        stage.intrude(&change).await.unwrap_err();
    }
    stage.intrude("DELETE FROM evidence_producers").await.unwrap_err();
    let nobody = Numbered::new("nobody".to_owned(), |_, _| Err("no".to_owned()));
    let of_nobody = OutboxEntry { numbered: Some(nobody), ..entry(None, None) };
    let refused = stage.store.record_evidence(vec![of_nobody], at(4)).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
}

async fn a_heartbeat_ends_its_batch(stage: Stage) {
    begin(&stage).await;
    let store = &stage.store;
    let steps = || (0..4).map(|_| numbered(EvidenceKind::ErasureStep)).collect::<Vec<_>>();
    store.record_evidence(steps(), at(1)).await.unwrap();
    let beat = numbered(EvidenceKind::ProducerHeartbeat);
    assert!(store.write_heartbeat("quietus-test.1", beat, (at(2), at(1))).await.unwrap());
    store.record_evidence(steps(), at(3)).await.unwrap();
    let batch = store.sequence("2026", 100, at(4), &mut <[_]>::reverse).await.unwrap().unwrap();
    assert_eq!(batch.leaves, 5);
    sequence_all(&stage).await;
    let leaves = store.leaves("2026", 0, 100).await.unwrap();
    let beats: Vec<bool> = leaves.iter().map(|leaf| is_heartbeat(&leaf.body)).collect();
    assert_eq!(beats, [false, false, false, false, true, false, false, false, false]);
    assert_eq!(read_leaf(&leaves[4].body).unwrap().spec.entries, Some(5));
}

async fn heartbeats_are_due_after_their_time(stage: Stage) {
    begin(&stage).await;
    let store = &stage.store;
    let due = async |before| {
        let due = store.due_producers(FAMILY, at(before)).await.unwrap();
        due.into_iter().map(|one| (one.name, one.entries)).collect::<Vec<_>>()
    };
    let first = || "quietus-test.1".to_owned();
    assert_eq!(due(-1).await, []);
    assert_eq!(due(0).await, [(first(), 0)]);
    let beat = || numbered(EvidenceKind::ProducerHeartbeat);
    assert!(store.write_heartbeat(&first(), beat(), (at(10), at(0))).await.unwrap());
    // Another replica that was about to do the same does nothing.
    assert!(!store.write_heartbeat(&first(), beat(), (at(10), at(0))).await.unwrap());
    assert_eq!(due(9).await, []);
    assert_eq!(due(10).await, [(first(), 1)]);
}
