//! Which rules are in force, and the dated jobs that come forward when others are.

use quietus::store::{
    ComingInForce, DocumentKind, JobKind, NewCertificate, NewJob, RulesInForce, Start, Started,
};
use uuid::Uuid;

use crate::certificates::{certificate, completed, settle};
use crate::stage::{Stage, at, document, entry, new_job, tenure};

on_both! {
    jobs_with_a_date_come_forward_once,
    of_two_who_bring_others_in_force_one_decides_anew,
    who_starts_an_attempt_sees_which_rules_are_in_force,
    a_date_of_a_law_of_before_is_no_date_any_more,
}

fn coming(instead_of: RulesInForce, rules: &str, systems: &[&str], second: i64) -> ComingInForce {
    ComingInForce {
        instead_of,
        rules: document(DocumentKind::Rules, rules),
        systems: systems.iter().map(|name| (*name).to_owned()).collect(),
        now: at(second),
        evidence: vec![entry(None, None)],
    }
}

fn dated(system: &str, second: i64) -> NewJob {
    NewJob { kind: JobKind::Retained, available_at: at(second), ..new_job(system) }
}

/// A closed case with these jobs for later.
async fn kept(stage: &Stage, later: Vec<NewJob>, rules_version: Option<u64>) {
    let (case, _) = stage.case_with_jobs(1).await;
    settle(stage, 2, completed()).await;
    let certificate =
        NewCertificate { later, rules_version, ..certificate(case, 3, "old-accounts") };
    assert!(stage.certify(certificate).await.unwrap());
}

async fn available(stage: &Stage, job: Uuid) -> jiff::Timestamp {
    stage.store.job(job).await.unwrap().unwrap().available_at
}

async fn jobs_with_a_date_come_forward_once(stage: Stage) {
    let store = &stage.store;
    let jobs = vec![
        dated("shop", 1_000),
        dated("desk", 1_000),
        NewJob { kind: JobKind::Upkeep, available_at: at(1_000), ..new_job("shop") },
        dated("shop", 10),
    ];
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
    kept(&stage, jobs, None).await;
    let before = store.rules_in_force().await.unwrap();
    assert_eq!(before.digest, None);
    let rules = document(DocumentKind::Rules, "rules of now");
    let told = stage.rows("evidence_outbox").await;
    let first = coming(before, "rules of now", &["shop", "nowhere"], 100);
    assert_eq!(store.bring_in_force(first).await.unwrap(), Some(1));
    let mut dates = Vec::new();
    for id in &ids {
        dates.push(available(&stage, *id).await);
    }
    assert_eq!(dates, [at(100), at(1_000), at(1_000), at(10)]);
    let now = store.rules_in_force().await.unwrap();
    assert_eq!(now, RulesInForce { version: before.version + 1, digest: Some(rules.digest) });
    assert_eq!(store.document(rules.digest).await.unwrap(), Some(rules));
    assert_eq!(stage.rows("evidence_outbox").await, told + 1);
}

async fn of_two_who_bring_others_in_force_one_decides_anew(stage: Stage) {
    let store = &stage.store;
    let before = store.rules_in_force().await.unwrap();
    let one = coming(before, "one", &[], 1);
    let other = coming(before, "other", &[], 2);
    assert_eq!(store.bring_in_force(one).await.unwrap(), Some(0));
    assert_eq!(store.bring_in_force(other.clone()).await.unwrap(), None);
    assert_eq!(store.document(other.rules.digest).await.unwrap(), None, "nothing was written");
    let now = store.rules_in_force().await.unwrap();
    let again = ComingInForce { instead_of: now, ..other };
    assert_eq!(store.bring_in_force(again).await.unwrap(), Some(0));
    assert_eq!(store.rules_in_force().await.unwrap().version, before.version + 2);
}

async fn who_starts_an_attempt_sees_which_rules_are_in_force(stage: Stage) {
    let store = &stage.store;
    stage.case_with_jobs(1).await;
    let mine = tenure(&stage.claim_one("worker", 0).await);
    let before = store.rules_in_force().await.unwrap();
    store.bring_in_force(coming(before, "others", &[], 1)).await.unwrap();
    let start =
        Start { tenure: mine.clone(), now: at(1), lease_until: at(60), evidence: Vec::new() };
    let Started::Yes(started) = store.start_attempt(start).await.unwrap() else {
        panic!("nothing stands in the way")
    };
    assert_eq!(started.rules_version, before.version + 1);
    let now = store.rules_in_force().await.unwrap();
    store.bring_in_force(coming(now, "others again", &[], 2)).await.unwrap();
    let seen = store.heartbeat(&mine, at(90)).await.unwrap().unwrap();
    assert_eq!(seen.rules_version, before.version + 2);
}

async fn a_date_of_a_law_of_before_is_no_date_any_more(stage: Stage) {
    let store = &stage.store;
    let before = store.rules_in_force().await.unwrap();
    let (same, late) = (dated("shop", 1_000), dated("shop", 1_000));
    let look = NewJob { kind: JobKind::Backup, available_at: at(1_000), ..new_job("shop") };
    let (same_id, late_id, look_id) = (same.id, late.id, look.id);
    kept(&stage, vec![same], Some(before.version)).await;
    store.bring_in_force(coming(before, "others", &[], 1)).await.unwrap();
    kept(&stage, vec![late, look], Some(before.version)).await;
    assert_eq!(available(&stage, same_id).await, at(1_000));
    assert_eq!(available(&stage, late_id).await, at(3));
    assert_eq!(available(&stage, look_id).await, at(1_000));
}
