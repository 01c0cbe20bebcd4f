//! Time stamps and cosignatures as they are kept.

use jiff::Timestamp;
use quietus::store::{
    CertificateState, Checkpoint, Cosignature, NewLog, NewTimeStamp, OutboxEntry, Stamped,
    StoreError,
};
use uuid::Uuid;

use crate::certificates::{certificate, completed, settle};
use crate::stage::{Stage, at, entry, new_id};

on_both! {
    stamped_heads_are_found_around_a_leaf,
    what_is_not_there_is_not_stamped,
    cosignatures_are_kept_once,
    a_certificate_is_anchored_once,
}

const LOG: &str = "2026";

/// A log with heads of 1, 2 and 3 leaves.
pub async fn heads(stage: &Stage) {
    let store = &stage.store;
    let log = NewLog {
        log_id: LOG.to_owned(),
        origin: "example.com/2026".to_owned(),
        ..NewLog::default()
    };
    store.create_log(log, at(0)).await.unwrap();
    for second in 1..=3 {
        let leaf = OutboxEntry { detail: None, ..entry(None, None) };
        store.record_evidence(vec![leaf], at(second)).await.unwrap();
        let batch = store.sequence(LOG, 9, at(second), &mut |_| {}).await.unwrap().unwrap();
        let checkpoint = Checkpoint {
            log_id: LOG.to_owned(),
            size: batch.size,
            root: batch.root,
            note: b"note".to_vec(),
            signed_at: at(second),
        };
        store.store_checkpoint(checkpoint).await.unwrap();
    }
}

pub fn stamp(about: Stamped, authority: &str, second: i64) -> NewTimeStamp {
    NewTimeStamp {
        id: new_id(),
        about,
        authority: authority.to_owned(),
        url: format!("https://{authority}.example/"),
        answer: format!("answer {second}").into_bytes(),
        chain: format!("chain of {authority}"),
        stamped_at: at(second),
        sound_until: at(second + 1000),
    }
}

fn head(size: u64) -> Stamped {
    Stamped::Head { log_id: LOG.to_owned(), size }
}

async fn stamped_heads_are_found_around_a_leaf(stage: Stage) {
    let store = &stage.store;
    heads(&stage).await;
    assert_eq!(store.newest_time_stamp("one", LOG).await.unwrap(), None);
    assert_eq!(store.stamped_until(LOG).await.unwrap(), None);
    for (size, authority, second) in [(1, "one", 10), (3, "two", 20), (3, "one", 30)] {
        store.keep_time_stamp(stamp(head(size), authority, second), at(second + 1)).await.unwrap();
    }
    let newest = store.newest_time_stamp("one", LOG).await.unwrap().unwrap();
    assert_eq!((newest.size, newest.stamped_at, newest.received_at), (3, at(30), at(31)));
    assert_eq!(store.stamped_until(LOG).await.unwrap(), Some(at(1030)));
    // The leaf of index 1 is the second one: in the heads of 2 and 3, and not in that of 1.
    assert_eq!(store.last_stamped_without(LOG, 1).await.unwrap(), Some(1));
    assert_eq!(store.last_stamped_without(LOG, 0).await.unwrap(), None);
    for (index, authority, first) in [
        (1, None, Some(3)),
        (0, None, Some(1)),
        (3, None, None),
        (0, Some("one"), Some(1)),
        (0, Some("two"), Some(3)),
        (1, Some("one"), Some(3)),
        (0, Some("three"), None),
    ] {
        let found = store.first_stamped_with(LOG, index, authority).await.unwrap();
        assert_eq!(found, first, "{index} {authority:?}");
    }
    assert_eq!(store.last_stamped_beyond(LOG, 1).await.unwrap(), Some(3));
    assert_eq!(store.last_stamped_beyond(LOG, 3).await.unwrap(), None);
    let of_head = store.time_stamps_of_head(LOG, 3).await.unwrap();
    let names: Vec<&str> = of_head.iter().map(|one| one.authority.as_str()).collect();
    assert_eq!(names, ["two", "one"], "earliest first");
    assert_eq!(of_head[0].answer, b"answer 20");
    let chains = store.time_stamp_chains().await.unwrap();
    let chains: Vec<&str> = chains.iter().map(|one| one.chain.as_str()).collect();
    assert_eq!(chains, ["chain of one", "chain of two"], "each once");
}

async fn what_is_not_there_is_not_stamped(stage: Stage) {
    let store = &stage.store;
    heads(&stage).await;
    for about in [head(9), Stamped::Certificate(new_id())] {
        let refused = store.keep_time_stamp(stamp(about, "one", 1), at(1)).await;
        assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    }
    assert_eq!(stage.rows("time_stamps").await, 0);
}

pub fn line(size: u64, cosigner: &str, second: i64) -> Cosignature {
    Cosignature {
        log_id: LOG.to_owned(),
        size,
        cosigner: cosigner.to_owned(),
        line: format!("\u{2014} {cosigner} {second}\n"),
        signed_at: at(second),
    }
}

async fn cosignatures_are_kept_once(stage: Stage) {
    let store = &stage.store;
    heads(&stage).await;
    let (one, two) = ("w.example/1+00000001", "w.example/10+00000002");
    store.keep_cosignatures(vec![line(2, one, 5), line(2, two, 6)]).await.unwrap();
    store.keep_cosignatures(vec![line(2, one, 5), line(3, one, 9)]).await.unwrap();
    assert_eq!(stage.rows("log_cosignatures").await, 3);
    assert_eq!(store.last_cosigned(LOG, one).await.unwrap(), Some((3, at(9))));
    assert_eq!(store.last_cosigned(LOG, two).await.unwrap(), Some((2, at(6))));
    assert_eq!(store.last_cosigned(LOG, "else").await.unwrap(), None);
    assert_eq!(store.first_cosigned_with(LOG, 1, one).await.unwrap(), Some(2));
    assert_eq!(store.first_cosigned_with(LOG, 2, one).await.unwrap(), Some(3));
    assert_eq!(store.first_cosigned_with(LOG, 2, two).await.unwrap(), None);
    assert_eq!(store.cosignatures(LOG, 2).await.unwrap(), [line(2, one, 5), line(2, two, 6)]);
    // Names are whole names: `w.example/1` is not `w.example/10`.
    for (name, cosigner) in
        [("w.example/1", Some(one)), ("w.example/10", Some(two)), ("w.example/", None)]
    {
        let called = store.cosigner_called(LOG, name).await.unwrap();
        assert_eq!(called.as_deref(), cosigner, "{name}");
    }
    assert_eq!(store.cosigner_called("other", "w.example/1").await.unwrap(), None);
}

async fn a_certificate_is_anchored_once(stage: Stage) {
    let store = &stage.store;
    let (case, _) = stage.case_with_jobs(1).await;
    settle(&stage, 1, completed()).await;
    let new = certificate(case, 10, "old-accounts");
    assert!(stage.certify(new.clone()).await.unwrap());
    let all = (Timestamp::MAX, Uuid::max());
    assert!(store.certificates_to_anchor(all, 9).await.unwrap().is_empty(), "not in the log yet");
    assert!(!store.anchor_certificate(new.id, b"bundle".to_vec(), at(19)).await.unwrap());
    let bundle = || vec![(new.id, b"bundle".to_vec())];
    assert_eq!(store.set_bundles(bundle()).await.unwrap(), 1);
    assert_eq!(store.certificates_to_anchor(all, 9).await.unwrap().len(), 1);
    assert!(store.certificates_to_anchor((at(10), new.id), 9).await.unwrap().is_empty());
    store.keep_time_stamp(stamp(Stamped::Certificate(new.id), "one", 20), at(20)).await.unwrap();
    assert_eq!(store.time_stamps_of_certificate(new.id).await.unwrap().len(), 1);
    assert!(store.anchor_certificate(new.id, b"stronger".to_vec(), at(21)).await.unwrap());
    assert!(!store.anchor_certificate(new.id, b"weaker".to_vec(), at(22)).await.unwrap());
    // Who had begun to bundle it before comes too late.
    assert_eq!(store.set_bundles(bundle()).await.unwrap(), 0);
    let kept = store.certificate(new.id).await.unwrap().unwrap();
    assert_eq!(kept.summary.state, CertificateState::Anchored);
    assert_eq!(kept.bundle, Some(b"stronger".to_vec()));
    assert!(store.certificates_to_anchor(all, 9).await.unwrap().is_empty());
    let refused = stage.intrude("UPDATE certificates SET anchored_at = NULL").await.unwrap_err();
    assert!(refused.contains("stays anchored"), "{refused}");
}
