//! Logs that follow one another, leaves that are put back, and commits that last.

use quietus::domain::Digest;
use quietus::evidence::Frontier;
use quietus::evidence::merkle::leaf_hash;
use quietus::store::{
    LogState, NewLog, OutboxEntry, Refill, RefilledLeaf, ReleasedHead, StoreError,
};
use uuid::Uuid;

use crate::stage::{Stage, at, entry, new_id};

on_both! {
    a_log_begins_and_ends_with_its_own_leaves,
    one_log_is_open_at_a_time,
    a_successor_takes_over_in_one_step,
    leaves_are_put_back_and_leave_the_outbox,
    other_leaves_are_not_put_back,
    what_a_log_was_begun_with_stays,
}

fn named(name: &str) -> NewLog {
    let origin = format!("example.com/evidence/{name}");
    let verifier_key = Some([7; 32]);
    NewLog { log_id: name.to_owned(), origin, verifier_key, previous: None }
}

async fn a_log_begins_and_ends_with_its_own_leaves(stage: Stage) {
    let store = &stage.store;
    store.record_evidence(vec![entry(None, None)], at(1)).await.unwrap();
    let (first, last) = (entry(None, None), entry(None, None));
    let (first_id, last_id) = (first.entry_id, last.entry_id);
    assert!(store.begin_log(named("2026"), first.clone(), at(2)).await.unwrap());
    assert!(!store.begin_log(named("2026"), first, at(2)).await.unwrap());
    assert!(store.sequence("2026", 10, at(3), &mut |_| {}).await.unwrap().is_some());
    assert!(store.end_log("2026", last.clone(), at(4)).await.unwrap());
    assert!(!store.end_log("2026", last, at(4)).await.unwrap());
    let leaves = store.leaves("2026", 0, 10).await.unwrap();
    let ids: Vec<Uuid> = leaves.iter().map(|leaf| leaf.entry_id).collect();
    assert_eq!((ids.len(), ids[0], ids[2]), (3, first_id, last_id));
    // Both have their details, and nothing of them ever waited.
    assert_eq!(stage.rows("evidence_details").await, 3);
    assert_eq!(stage.rows("evidence_outbox").await, 0);
    let head = store.head("2026").await.unwrap().unwrap();
    assert_eq!((head.state, head.verifier_key), (LogState::Closed, Some([7; 32])));

    let previous = ReleasedHead { origin: head.origin.clone(), size: head.size, root: head.root };
    let next = NewLog { previous: Some(previous.clone()), ..named("2027") };
    assert!(store.begin_log(next, entry(None, None), at(5)).await.unwrap());
    assert_eq!(store.head("2027").await.unwrap().unwrap().previous, Some(previous));
}

async fn one_log_is_open_at_a_time(stage: Stage) {
    let store = &stage.store;
    assert!(store.begin_log(named("2026"), entry(None, None), at(1)).await.unwrap());
    let second = store.begin_log(named("2027"), entry(None, None), at(2)).await;
    assert!(matches!(second, Err(StoreError::Conflict { .. })), "{second:?}");
    let replaced = "INSERT OR REPLACE INTO logs (log_id, origin, state, size, frontier, created_at)
         VALUES ('2028', 'o', 'open', 0, x'0000000000000000', 0)";
    if store.kind() == "sqlite" {
        stage.intrude(replaced).await.unwrap_err();
    }
    assert_eq!(store.logs().await.unwrap().len(), 1);
    assert_eq!(stage.rows("evidence_details").await, 1);
}

async fn a_successor_takes_over_in_one_step(stage: Stage) {
    let store = &stage.store;
    assert!(store.begin_log(named("2026"), entry(None, None), at(1)).await.unwrap());
    store.record_evidence(vec![entry(None, None)], at(1)).await.unwrap();
    let wrong_size = store.succeed_log(("2026", 2), named("2026-2"), entry(None, None), at(2));
    assert!(!wrong_size.await.unwrap());
    assert_eq!(store.head("2026").await.unwrap().unwrap().state, LogState::Open);
    let released = ReleasedHead { origin: "o".to_owned(), size: 9, root: Digest([1; 32]) };
    let successor = NewLog { previous: Some(released.clone()), ..named("2026-2") };
    let done = store.succeed_log(("2026", 1), successor.clone(), entry(None, None), at(3)).await;
    assert!(done.unwrap());
    let again = store.succeed_log(("2026", 1), successor, entry(None, None), at(3)).await;
    assert!(!again.unwrap());
    assert_eq!(store.head("2026").await.unwrap().unwrap().state, LogState::Closed);
    let head = store.head("2026-2").await.unwrap().unwrap();
    assert_eq!((head.size, head.previous), (1, Some(released)));
    let batch = store.sequence("2026-2", 10, at(4), &mut |_| {}).await.unwrap().unwrap();
    assert_eq!((batch.first, batch.leaves), (1, 1));
}

/// Leaves as files have them: bytes alone.
fn refilled(body: &[u8], detail: Option<Digest>) -> RefilledLeaf {
    RefilledLeaf { body: body.to_vec(), detail, producer: None, entry_id: new_id() }
}

fn root_of(bodies: &[Vec<u8>]) -> Digest {
    let mut frontier = Frontier::default();
    for body in bodies {
        frontier.push(leaf_hash(body), |_, _, _| ());
    }
    frontier.root()
}

async fn leaves_are_put_back_and_leave_the_outbox(stage: Stage) {
    let store = &stage.store;
    let first = entry(None, None);
    let mut bodies = vec![first.body.clone()];
    store.begin_log(named("2026"), first, at(1)).await.unwrap();
    // One with a detail and one without waited when the copy was made; a third came later.
    let known = entry(None, None);
    let certificate = OutboxEntry { detail: None, body: vec![9; 300], ..entry(None, None) };
    let later = entry(None, None);
    let waiting = vec![known.clone(), certificate.clone(), later.clone()];
    store.record_evidence(waiting, at(2)).await.unwrap();
    let lost = vec![8; 40];
    bodies.extend([lost.clone(), known.body.clone(), certificate.body.clone()]);
    let leaves = vec![
        refilled(&lost, Some(Digest::of(b"a lost detail"))),
        refilled(&known.body, Some(known.detail.as_ref().unwrap().sha256)),
        refilled(&certificate.body, None),
    ];
    let root = root_of(&bodies);
    let refill = Refill { log: named("2026"), from: 1, leaves, root, ends: false };
    assert_eq!(store.refill(refill.clone(), at(3)).await.unwrap(), 2);
    let head = store.head("2026").await.unwrap().unwrap();
    assert_eq!((head.size, head.root), (4, root));
    assert_eq!(store.leaf_of(known.entry_id).await.unwrap().unwrap().index, 2);
    assert_eq!(store.leaf_of(certificate.entry_id).await.unwrap().unwrap().index, 3);
    let again = store.refill(refill, at(3)).await;
    assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
    let batch = store.sequence("2026", 10, at(4), &mut |_| {}).await.unwrap().unwrap();
    assert_eq!((batch.first, batch.leaves), (4, 1));
    assert_eq!(store.leaf_of(later.entry_id).await.unwrap().unwrap().index, 4);

    // A log that the store never knew is begun and ended with its leaves.
    let (one, two) = (vec![1; 20], vec![2; 20]);
    assert!(store.end_log("2026", entry(None, None), at(5)).await.unwrap());
    let refill = Refill {
        log: named("2027"),
        from: 0,
        leaves: vec![refilled(&one, None), refilled(&two, None)],
        root: root_of(&[one, two]),
        ends: true,
    };
    assert_eq!(store.refill(refill, at(6)).await.unwrap(), 0);
    let head = store.head("2027").await.unwrap().unwrap();
    assert_eq!((head.size, head.state), (2, LogState::Closed));
}

async fn other_leaves_are_not_put_back(stage: Stage) {
    let store = &stage.store;
    let first = entry(None, None);
    let mut bodies = vec![first.body.clone()];
    store.begin_log(named("2026"), first, at(1)).await.unwrap();
    let known = entry(None, None);
    store.record_evidence(vec![known.clone()], at(2)).await.unwrap();
    bodies.push(known.body.clone());
    let mut changed = known.body.clone();
    changed[0] ^= 1;
    let refill = Refill {
        log: named("2026"),
        from: 1,
        leaves: vec![refilled(&changed, None)],
        root: root_of(&bodies),
        ends: false,
    };
    let refused = store.refill(refill, at(3)).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    assert_eq!(store.head("2026").await.unwrap().unwrap().size, 1);
    assert_eq!(stage.rows("evidence_outbox").await, 1);
    assert_eq!(stage.rows("log_leaves").await, 1);
}

async fn what_a_log_was_begun_with_stays(stage: Stage) {
    stage.store.begin_log(named("2026"), entry(None, None), at(1)).await.unwrap();
    for change in ["verifier_key = NULL", "previous_origin = 'x'", "created_at = 0"] {
        stage.intrude(&format!("UPDATE logs SET {change}")).await.unwrap_err();
    }
}

/// A session that does not wait for the disk is told to, in each transaction that writes a log.
#[tokio::test(flavor = "multi_thread")]
async fn commits_of_the_log_wait_for_the_disk() {
    let stage = Stage::postgres().await;
    let mut intruder = stage.intruder().await;
    // What sabotages: after each entry its session no longer waits; and what watches.
    for statement in [
        "CREATE TABLE seen (setting TEXT)",
        "CREATE FUNCTION sabotage() RETURNS TRIGGER LANGUAGE plpgsql AS $$
         BEGIN PERFORM set_config('synchronous_commit', 'off', false); RETURN NEW; END $$",
        "CREATE TRIGGER sabotage AFTER INSERT ON evidence_outbox
             FOR EACH ROW EXECUTE FUNCTION sabotage()",
        "CREATE FUNCTION watch() RETURNS TRIGGER LANGUAGE plpgsql AS $$
         BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NEW; END $$",
        "CREATE TRIGGER watch AFTER INSERT ON log_leaves FOR EACH ROW EXECUTE FUNCTION watch()",
    ] {
        intruder.execute(statement).await;
    }
    let store = &stage.store;
    store.begin_log(named("2026"), entry(None, None), at(1)).await.unwrap();
    for second in 0..8 {
        store.record_evidence(vec![entry(None, None)], at(second)).await.unwrap();
        store.sequence("2026", 10, at(second), &mut |_| {}).await.unwrap().unwrap();
    }
    store.end_log("2026", entry(None, None), at(9)).await.unwrap();
    assert_eq!(stage.rows("seen").await, 10);
    assert_eq!(stage.text("SELECT min(setting) || max(setting) FROM seen").await, "onon");
}
