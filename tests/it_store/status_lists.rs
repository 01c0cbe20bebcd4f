//! Status lists.

use quietus::domain::CaseOutcome;
use quietus::store::{
    CertificateDecision, Changed, JobFault, NewCertificate, NewLog, OutboxEntry, Settlement,
    StatusPlace, Store,
};

use crate::certificates::{certificate, completed, settle};
use crate::stage::{Stage, at, entry, new_id};

on_both! {
    every_change_makes_a_list_due,
    only_one_replica_signs,
    what_was_signed_is_bundled_and_replaced,
    decisions_are_taken_one_after_the_other,
}

const LIST: &str = "example.com/2026/status/1";

fn placed(certificate: NewCertificate, index: u32) -> NewCertificate {
    let place = StatusPlace { list: LIST.to_owned(), index };
    NewCertificate { status: Some(place), ..certificate }
}

fn leaf() -> OutboxEntry {
    OutboxEntry { detail: None, ..entry(None, None) }
}

/// Signs what is due at this second; how many lists that were.
async fn sign(store: &Store, second: i64) -> usize {
    let (now, before) = (at(second), at(second - 1000));
    let due = store.due_status_lists(before).await.unwrap();
    for list in &due {
        let envelope = second.to_be_bytes().to_vec();
        assert!(store.sign_status_list(list, envelope, leaf(), (now, before)).await.unwrap());
    }
    due.len()
}

async fn every_change_makes_a_list_due(stage: Stage) {
    let store = &stage.store;
    assert_eq!(sign(store, 1).await, 0, "there is no list");
    let (case, jobs) = stage.case_with_jobs(1).await;
    let fault = JobFault { kind: "misconfigured".to_owned(), message: "no table".to_owned() };
    settle(&stage, 1, Settlement::Failed { fault }).await;
    let first = certificate(case, 10, "old-accounts");
    let first = placed(NewCertificate { outcome: CaseOutcome::Failed, ..first }, 9);
    assert!(stage.certify(first.clone()).await.unwrap());
    let place = |index| StatusPlace { list: LIST.to_owned(), index };
    assert!(store.status_place_taken(&place(9)).await.unwrap());
    assert!(!store.status_place_taken(&place(8)).await.unwrap());
    assert_eq!(sign(store, 11).await, 1, "a certificate joined it");
    assert_eq!(sign(store, 12).await, 0);
    assert_eq!(store.changes_of_status_list(LIST).await.unwrap(), []);

    assert!(store.retry_job(jobs[0], 1, at(20), Vec::new()).await.unwrap());
    settle(&stage, 21, completed()).await;
    let taken = placed(certificate(case, 30, "old-accounts"), 9);
    assert!(stage.certify(taken).await.is_err(), "its place is taken");
    let second = placed(certificate(case, 30, "old-accounts"), 131_071);
    assert!(stage.certify(second.clone()).await.unwrap());
    assert_eq!(store.certificates_of_status_list(LIST).await.unwrap(), 2);
    assert_eq!(store.status_list_of(second.id).await.unwrap().as_deref(), Some(LIST));
    assert_eq!(store.changes_of_status_list(LIST).await.unwrap(), [(9, Changed::Superseded)]);
    assert_eq!(sign(store, 31).await, 1, "one was superseded");
    // And a day later, changed or not.
    assert_eq!(sign(store, 1030).await, 0);
    assert_eq!(sign(store, 1031).await, 1);
}

async fn only_one_replica_signs(stage: Stage) {
    let store = &stage.store;
    let (case, _) = stage.case_with_jobs(1).await;
    settle(&stage, 1, completed()).await;
    let new = placed(certificate(case, 10, "old-accounts"), 1);
    assert!(stage.certify(new).await.unwrap());
    let due = store.due_status_lists(at(0)).await.unwrap().pop().unwrap();
    let before = stage.rows("evidence_outbox").await;
    let times = (at(11), at(0));
    assert!(store.sign_status_list(&due, vec![1], leaf(), times).await.unwrap());
    assert!(!store.sign_status_list(&due, vec![2], leaf(), times).await.unwrap());
    assert_eq!(stage.rows("evidence_outbox").await, before + 1);
    assert_eq!(stage.rows("status_list_issues").await, 1);
}

async fn what_was_signed_is_bundled_and_replaced(stage: Stage) {
    let store = &stage.store;
    let (case, _) = stage.case_with_jobs(1).await;
    settle(&stage, 1, completed()).await;
    let new = placed(certificate(case, 10, "old-accounts"), 1);
    assert!(stage.certify(new).await.unwrap());
    assert_eq!(sign(store, 11).await, 1);
    assert_eq!(store.status_lists_to_bundle().await.unwrap(), [], "its leaf is not in the log");
    let log = NewLog {
        log_id: "2026".to_owned(),
        origin: "example.com/2026".to_owned(),
        ..NewLog::default()
    };
    store.create_log(log, at(0)).await.unwrap();
    store.sequence("2026", 100, at(12), &mut |_| {}).await.unwrap().unwrap();
    // The test's own evidence is short, and counted as what somebody signed.
    assert_eq!(store.orphaned_leaves("2026").await.unwrap(), (1, 0));
    let first = store.status_lists_to_bundle().await.unwrap().pop().unwrap();
    assert_eq!(store.status_bundle(LIST).await.unwrap(), None);
    assert!(store.set_status_bundle(&first, b"first".to_vec()).await.unwrap());
    assert_eq!(store.status_lists_to_bundle().await.unwrap(), []);

    // Until the next one is in the log, the last one is handed out.
    assert_eq!(sign(store, 2000).await, 1);
    assert_eq!(store.status_bundle(LIST).await.unwrap().as_deref(), Some(&b"first"[..]));
    store.sequence("2026", 100, at(2001), &mut |_| {}).await.unwrap().unwrap();
    let second = store.status_lists_to_bundle().await.unwrap().pop().unwrap();
    assert_ne!(first.entry_id, second.entry_id);
    assert!(!store.set_status_bundle(&first, b"late".to_vec()).await.unwrap());
    assert!(store.set_status_bundle(&second, b"second".to_vec()).await.unwrap());
    assert_eq!(store.status_bundle(LIST).await.unwrap().as_deref(), Some(&b"second"[..]));
    assert_eq!(store.status_bundle("another").await.unwrap(), None);
}

async fn decisions_are_taken_one_after_the_other(stage: Stage) {
    use CertificateDecision::{Current, Disputed, Withdrawn};
    let store = &stage.store;
    let (case, _) = stage.case_with_jobs(1).await;
    settle(&stage, 1, completed()).await;
    let new = placed(certificate(case, 10, "old-accounts"), 5);
    assert!(stage.certify(new.clone()).await.unwrap());
    let decide = async |expected, decision| {
        let evidence = vec![entry(None, None)];
        store.decide_about(new.id, expected, decision, evidence, at(20)).await.unwrap()
    };
    assert_eq!(store.decided_about(new.id).await.unwrap(), None);
    assert_eq!(sign(store, 19).await, 1);
    assert!(decide(None, Disputed).await);
    assert!(!decide(None, Withdrawn).await, "somebody else decided meanwhile");
    assert_eq!(store.changes_of_status_list(LIST).await.unwrap(), [(5, Changed::Disputed)]);
    assert!(decide(Some(Disputed), Current).await);
    assert_eq!(store.changes_of_status_list(LIST).await.unwrap(), []);
    assert_eq!(sign(store, 21).await, 1);
    assert!(decide(Some(Current), Withdrawn).await);
    assert_eq!(store.decided_about(new.id).await.unwrap(), Some(Withdrawn));
    assert_eq!(store.changes_of_status_list(LIST).await.unwrap(), [(5, Changed::Withdrawn)]);
    assert_eq!(sign(store, 22).await, 1);
    assert!(store.decide_about(new_id(), None, Disputed, Vec::new(), at(23)).await.is_err());
}
