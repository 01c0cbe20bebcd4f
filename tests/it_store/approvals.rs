//! A second person agrees to what they saw, and to nothing that begins to wait meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use quietus::domain::{CaseOutcome, CaseState, JobState};
use quietus::store::{
    Approval, BlockedReason, ClaimedJob, Decision, JobKind, Settle, Settlement, Waits,
};
use serde_json::json;
use uuid::Uuid;

use crate::stage::{Stage, at, claim, new_case, tenure};

on_both! {
    an_approval_is_of_what_was_seen,
    what_is_over_its_cap_opens_its_case_again,
    what_waits_for_an_answer_is_called_off_with_its_case,
    what_a_restore_brought_back_waits_on_in_a_case_that_is_called_off,
}

fn by_jonas(second: i64) -> Decision {
    Decision { by: "jonas".to_owned(), reason: "looked at it".to_owned(), at: at(second) }
}

/// An attempt has found more to do than it may.
fn over(claimed: &ClaimedJob, second: i64) -> Settle {
    let asks = Some(format!("more of {}", claimed.job.system));
    let settlement = Settlement::Blocked { reason: BlockedReason::Cap, pauses_version: 0, asks };
    Settle { tenure: tenure(claimed), settlement, now: at(second), evidence: Vec::new() }
}

fn completed(claimed: &ClaimedJob, second: i64) -> Settle {
    let settlement = Settlement::Completed { done: json!({}), verification: json!({}) };
    Settle { tenure: tenure(claimed), settlement, now: at(second), evidence: Vec::new() }
}

async fn approve(stage: &Stage, case: Uuid, seen: &BTreeSet<Waits>, second: i64) -> Approval {
    stage.store.approve_case(case, by_jonas(second), seen, Vec::new()).await.unwrap()
}

async fn state(stage: &Stage, case: Uuid) -> CaseState {
    stage.store.case(case).await.unwrap().unwrap().state
}

async fn an_approval_is_of_what_was_seen(stage: Stage) {
    let (case, jobs) = stage.case_with_jobs(2).await;
    let store = &stage.store;
    let claimed = store.claim(claim("worker", 0, 2)).await.unwrap();
    assert!(store.settle(over(&claimed[0], 1)).await.unwrap());
    let seen = stage.waiting(case).await;
    assert_eq!(seen, BTreeSet::from([Waits { job: jobs[0], attempt: 1 }]));
    // Another one begins to wait while somebody looks at the first.
    assert!(store.settle(over(&claimed[1], 2)).await.unwrap());
    let asks = store.case(case).await.unwrap().unwrap().blocked_reason;
    assert_eq!(asks.as_deref(), Some("more of system-0; more of system-1"));
    assert_eq!(approve(&stage, case, &seen, 3).await, Approval::AsksMore);
    assert_eq!(state(&stage, case).await, CaseState::AwaitingApproval);
    assert!(store.case(case).await.unwrap().unwrap().approved.is_none());
    assert!(store.claim(claim("worker", 99, 2)).await.unwrap().is_empty());

    let both = stage.waiting(case).await;
    assert_eq!(approve(&stage, case, &both, 4).await, Approval::Approved);
    let claimed = store.claim(claim("worker", 100, 2)).await.unwrap();
    assert_eq!(claimed.len(), 2);
    // It finds still more: who agreed has not seen that.
    assert!(store.settle(over(&claimed[0], 101)).await.unwrap());
    let asks = store.case(case).await.unwrap().unwrap().blocked_reason;
    assert_eq!(asks.as_deref(), Some("more of system-0"), "what was agreed to is no question");
    assert_eq!(approve(&stage, case, &both, 102).await, Approval::AsksMore);
    let again = stage.waiting(case).await;
    assert_eq!(approve(&stage, case, &again, 103).await, Approval::Approved);
}

async fn what_is_over_its_cap_opens_its_case_again(stage: Stage) {
    let store = &stage.store;
    let mut new = new_case(2);
    new.jobs[1].kind = JobKind::Upkeep;
    new.jobs[1].available_at = at(50);
    let (case, upkeep) = (new.id, new.jobs[1].id);
    store.open_case(new, at(0)).await.unwrap();
    assert!(store.settle(completed(&stage.claim_one("worker", 0).await, 1)).await.unwrap());
    assert_eq!(store.begin_verifying(&[case]).await.unwrap(), 1);
    let outcome = CaseOutcome::Fulfilled;
    assert!(store.finish_case(case, outcome, at(2), Vec::new()).await.unwrap());

    assert!(store.settle(over(&stage.claim_one("worker", 50).await, 51)).await.unwrap());
    let open = store.case(case).await.unwrap().unwrap();
    assert_eq!((open.state, open.outcome), (CaseState::AwaitingApproval, None));
    let seen = stage.waiting(case).await;
    assert_eq!(approve(&stage, case, &seen, 60).await, Approval::Approved);
    let again = stage.claim_one("worker", 60).await;
    assert_eq!(again.job.id, upkeep);
    assert!(store.settle(completed(&again, 61)).await.unwrap());
    assert_eq!(store.cases_to_certify(None, 9).await.unwrap()[0].id, case);
}

/// Whoever calls the case off has answered, also for what a law kept until its day.
async fn what_waits_for_an_answer_is_called_off_with_its_case(stage: Stage) {
    let store = &stage.store;
    let mut new = new_case(2);
    new.jobs[0].kind = JobKind::Retained;
    new.jobs[1].kind = JobKind::Retained;
    new.jobs[1].available_at = at(1_000);
    let (case, jobs) = (new.id, [new.jobs[0].id, new.jobs[1].id]);
    store.open_case(new, at(0)).await.unwrap();
    assert!(store.settle(over(&stage.claim_one("worker", 0).await, 1)).await.unwrap());
    assert!(store.cancel_case(case, by_jonas(2), Vec::new()).await.unwrap());
    assert_eq!(store.job(jobs[0]).await.unwrap().unwrap().state, JobState::Cancelled);
    assert_eq!(store.job(jobs[1]).await.unwrap().unwrap().state, JobState::Scheduled);
    assert_eq!(store.cases_to_certify(None, 9).await.unwrap()[0].id, case);
}

async fn what_a_restore_brought_back_waits_on_in_a_case_that_is_called_off(stage: Stage) {
    let store = &stage.store;
    let mut new = new_case(2);
    new.jobs[0].kind = JobKind::Replay;
    let (case, replay) = (new.id, new.jobs[0].id);
    store.open_case(new, at(0)).await.unwrap();
    let claimed = store.claim(claim("worker", 0, 2)).await.unwrap();
    let of_restore = claimed.iter().find(|one| one.job.id == replay).unwrap();
    assert!(store.settle(over(of_restore, 1)).await.unwrap());
    assert!(store.cancel_case(case, by_jonas(2), Vec::new()).await.unwrap());
    assert_eq!(state(&stage, case).await, CaseState::AwaitingApproval);
    let seen = stage.waiting(case).await;
    assert_eq!(approve(&stage, case, &seen, 3).await, Approval::Approved);
    assert_eq!(stage.claim_one("worker", 4).await.job.id, replay);
}

/// While somebody agrees, a job that is about to wait has written nothing: it waits for its turn, and
/// then it asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_job_begins_to_wait_in_the_middle_of_an_approval() {
    let stage = Stage::postgres().await;
    let (case, jobs) = stage.case_with_jobs(2).await;
    let claimed = stage.store.claim(claim("worker", 0, 2)).await.unwrap();
    assert!(stage.store.settle(over(&claimed[0], 1)).await.unwrap());
    let mut agreeing = stage.intruder().await;
    agreeing.execute("BEGIN").await;
    agreeing.execute("SELECT authors FROM cases FOR UPDATE").await;
    let (store, late) = (stage.store.clone(), over(&claimed[1], 2));
    let settling = tokio::spawn(async move { store.settle(late).await.unwrap() });
    let waits = "SELECT CAST(count(*) AS TEXT) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND datname = current_database()";
    let mut looks = 0;
    while stage.text(waits).await == "0" {
        looks += 1;
        assert!(looks < 600, "it does not wait for whoever agrees");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Whoever agrees meets none of its locks.
    agreeing.execute("SELECT id FROM jobs FOR UPDATE NOWAIT").await;
    agreeing.execute("UPDATE cases SET state = 'executing'").await;
    agreeing
        .execute(
            "UPDATE jobs SET state = 'available', blocked_reason = NULL WHERE state = 'blocked'",
        )
        .await;
    agreeing.execute("COMMIT").await;
    assert!(settling.await.unwrap());
    assert_eq!(state(&stage, case).await, CaseState::AwaitingApproval);
    let seen = stage.waiting(case).await;
    assert_eq!(seen, BTreeSet::from([Waits { job: jobs[1], attempt: 1 }]));
    assert_eq!(approve(&stage, case, &seen, 3).await, Approval::Approved);
    assert_eq!(stage.store.claim(claim("worker", 4, 2)).await.unwrap().len(), 2);
}
