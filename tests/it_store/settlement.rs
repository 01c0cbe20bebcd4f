//! How attempts end.

use quietus::domain::{CaseState, JobState};
use quietus::store::{
    APART, Approval, AttemptResult, BlockedReason, Decision, JobFault, JobKind, Settle, Settlement,
    StoreError, Tenure,
};
use serde_json::json;
use uuid::Uuid;

use crate::stage::{Stage, at, claim, entry, new_case, tenure};

on_both! {
    a_settlement_and_its_evidence_are_one,
    completed_needs_what_was_done_and_seen,
    a_retry_waits_for_its_time,
    what_is_asked_anew_forgets_what_it_waited_for,
    a_failed_job_needs_a_person,
    a_cap_puts_the_case_before_a_second_person,
    whoever_is_asked_to_stop_can,
    what_a_restore_brought_back_goes_again_in_a_case_that_was_called_off,
    nobody_waits_for_a_release_once_called_off,
    what_is_overdue_lets_its_case_close_and_opens_it_again,
    what_is_put_off_is_no_attempt_and_keeps_nobody_waiting,
}

fn settle(tenure: Tenure, settlement: Settlement, second: i64) -> Settle {
    Settle { tenure, settlement, now: at(second), evidence: Vec::new() }
}

fn fault(kind: &str) -> JobFault {
    JobFault { kind: kind.to_owned(), message: "the server hung up".to_owned() }
}

fn decision(by: &str, second: i64) -> Decision {
    Decision { by: by.to_owned(), reason: "looked at it".to_owned(), at: at(second) }
}

async fn a_settlement_and_its_evidence_are_one(stage: Stage) {
    let (case, jobs) = stage.case_with_jobs(1).await;
    let mine = tenure(&stage.claim_one("worker", 0).await);
    let said = entry(Some(case), Some(jobs[0]));
    stage.store.record_evidence(vec![said.clone()], at(0)).await.unwrap();
    let completed = Settlement::Completed { done: json!({"rows": 3}), verification: json!({}) };
    let mut wrong = settle(mine.clone(), completed.clone(), 9);
    wrong.evidence = vec![entry(Some(case), Some(jobs[0])), said];
    let refused = stage.store.settle(wrong).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict { .. }), "{refused}");
    assert_eq!(stage.store.job(jobs[0]).await.unwrap().unwrap().state, JobState::Running);
    assert_eq!(stage.store.attempts_of(jobs[0]).await.unwrap()[0].ended_at, None);
    assert_eq!((stage.rows("evidence_outbox").await, stage.rows("evidence_details").await), (1, 1));

    let mut right = settle(mine, completed, 9);
    right.evidence = vec![entry(Some(case), Some(jobs[0]))];
    assert!(stage.store.settle(right).await.unwrap());
    let job = stage.store.job(jobs[0]).await.unwrap().unwrap();
    assert_eq!((job.state, job.settled_at, job.lease), (JobState::Completed, Some(at(9)), None));
    assert_eq!(stage.rows("evidence_outbox").await, 2);
    let details = stage.store.details_of_case(case).await.unwrap();
    assert_eq!(details.len(), 2);
    assert!(details.iter().all(|detail| detail.sealed.is_some() && detail.job_id == Some(jobs[0])));
}

async fn completed_needs_what_was_done_and_seen(stage: Stage) {
    let (case, jobs) = stage.case_with_jobs(1).await;
    let mine = tenure(&stage.claim_one("worker", 0).await);
    let completed =
        Settlement::Completed { done: json!({"rows": 3}), verification: json!({"survivors": 0}) };
    assert!(stage.store.settle(settle(mine.clone(), completed.clone(), 9)).await.unwrap());
    let job = stage.store.job(jobs[0]).await.unwrap().unwrap();
    assert_eq!(job.verification, Some(json!({"survivors": 0})));
    // A second word after the last one changes nothing.
    assert!(!stage.store.settle(settle(mine, completed, 10)).await.unwrap());
    let to_certify = stage.store.cases_to_certify(None, 10).await.unwrap();
    assert_eq!(to_certify.iter().map(|case| case.id).collect::<Vec<Uuid>>(), vec![case]);
}

async fn a_retry_waits_for_its_time(stage: Stage) {
    let (_, jobs) = stage.case_with_jobs(1).await;
    let mine = tenure(&stage.claim_one("worker", 0).await);
    let retry = Settlement::Retry { available_at: at(80), fault: fault("transient"), free: false };
    assert!(stage.store.settle(settle(mine, retry, 9)).await.unwrap());
    assert!(stage.store.claim(claim("worker", 79, 5)).await.unwrap().is_empty());
    let again = stage.claim_one("worker", 80).await;
    assert_eq!((again.job.attempt, again.job.attempts_allowed), (2, 5));
    assert_eq!(again.job.last_fault, Some(fault("transient")));
    assert_eq!(again.lost_attempt, None);
    let first = &stage.store.attempts_of(jobs[0]).await.unwrap()[0];
    assert_eq!(
        (first.result, &first.fault),
        (Some(AttemptResult::Retry), &Some(fault("transient")))
    );
    let given_back = Settlement::Released { available_at: at(90) };
    assert!(stage.store.settle(settle(tenure(&again), given_back, 90)).await.unwrap());
    assert_eq!(stage.claim_one("worker", 90).await.job.attempts_allowed, 6);
}

async fn what_is_asked_anew_forgets_what_it_waited_for(stage: Stage) {
    let (_, jobs) = stage.case_with_jobs(1).await;
    let mine = tenure(&stage.claim_one("worker", 0).await);
    let reference = "job-7".to_owned();
    let waiting = Settlement::Waiting { ask_at: at(20), reference, overdue: None };
    assert!(stage.store.settle(settle(mine, waiting, 9)).await.unwrap());
    let waiting = stage.claim_one("worker", 20).await;
    assert_eq!(waiting.job.reference.as_deref(), Some("job-7"));
    let anew = Settlement::Anew { available_at: at(30), why: "it ended in part".to_owned() };
    assert!(stage.store.settle(settle(tenure(&waiting), anew, 21)).await.unwrap());
    let job = stage.store.job(jobs[0]).await.unwrap().unwrap();
    assert_eq!((job.state, job.reference), (JobState::Available, None));
    let fault = JobFault { kind: APART.to_owned(), message: "it ended in part".to_owned() };
    assert_eq!(job.last_fault, Some(fault));
    let again = stage.claim_one("worker", 30).await;
    assert_eq!(again.job.attempts_allowed, waiting.job.attempts_allowed + 1, "nobody's fault");
}

async fn a_failed_job_needs_a_person(stage: Stage) {
    let (case, jobs) = stage.case_with_jobs(1).await;
    let mine = tenure(&stage.claim_one("worker", 0).await);
    let failed = Settlement::Failed { fault: fault("misconfigured") };
    assert!(stage.store.settle(settle(mine, failed, 9)).await.unwrap());
    assert!(stage.store.claim(claim("worker", 9999, 5)).await.unwrap().is_empty());
    assert_eq!(stage.store.cases_to_certify(None, 10).await.unwrap().len(), 1);
    let evidence = vec![entry(Some(case), Some(jobs[0]))];
    assert!(stage.store.retry_job(jobs[0], 3, at(20), evidence).await.unwrap());
    assert!(!stage.store.retry_job(jobs[0], 3, at(21), Vec::new()).await.unwrap());
    assert!(stage.store.cases_to_certify(None, 10).await.unwrap().is_empty());
    let again = stage.claim_one("worker", 20).await;
    assert_eq!((again.job.attempt, again.job.attempts_allowed), (2, 4));
    assert_eq!(again.job.settled_at, None);
}

async fn a_cap_puts_the_case_before_a_second_person(stage: Stage) {
    let mut new = new_case(2);
    new.jobs[1].available_at = at(10_000);
    let (case, job) = (new.id, new.jobs[0].id);
    stage.store.open_case(new, at(0)).await.unwrap();
    let claimed = stage.claim_one("worker", 0).await;
    let asks = Some("counted again".to_owned());
    let blocked = Settlement::Blocked { reason: BlockedReason::Cap, pauses_version: 0, asks };
    assert!(stage.store.settle(settle(tenure(&claimed), blocked, 9)).await.unwrap());
    let store = &stage.store;
    let waiting = store.case(case).await.unwrap().unwrap();
    assert_eq!(waiting.state, CaseState::AwaitingApproval);
    assert_eq!(waiting.blocked_reason.as_deref(), Some("counted again"));
    assert!(store.claim(claim("worker", 99, 5)).await.unwrap().is_empty());
    assert!(store.unblock(BlockedReason::Cap, at(99)).await.is_err());

    let seen = stage.waiting(case).await;
    let same = store.approve_case(case, decision("Mira", 100), &seen, Vec::new()).await.unwrap();
    assert_eq!(same, Approval::SamePerson);
    assert!(store.claim(claim("worker", 101, 5)).await.unwrap().is_empty());
    let evidence = vec![entry(Some(case), None)];
    let other = store.approve_case(case, decision("jonas", 102), &seen, evidence).await.unwrap();
    assert_eq!(other, Approval::Approved);
    let again = store.approve_case(case, decision("jonas", 103), &seen, Vec::new()).await.unwrap();
    assert_eq!(again, Approval::NotAwaiting);
    let claimed = stage.claim_one("worker", 102).await;
    assert_eq!(claimed.job.id, job);
    let approved = store.case(case).await.unwrap().unwrap();
    assert_eq!(
        (approved.state, approved.approved),
        (CaseState::Executing, Some(decision("jonas", 102)))
    );
    assert_eq!(stage.rows("evidence_outbox").await, 1);
}

async fn whoever_is_asked_to_stop_can(stage: Stage) {
    let (case, jobs) = stage.case_with_jobs(2).await;
    let mine = tenure(&stage.claim_one("worker", 0).await);
    let store = &stage.store;
    assert!(store.cancel_case(case, decision("jonas", 5), Vec::new()).await.unwrap());
    assert!(!store.cancel_case(case, decision("jonas", 6), Vec::new()).await.unwrap());
    assert!(store.claim(claim("worker", 9, 5)).await.unwrap().is_empty());
    assert!(store.heartbeat(&mine, at(90)).await.unwrap().unwrap().cancel_requested);
    assert!(store.cases_to_certify(None, 5).await.unwrap().is_empty());
    assert!(store.settle(settle(mine, Settlement::Cancelled, 10)).await.unwrap());
    for job in jobs {
        assert_eq!(store.job(job).await.unwrap().unwrap().state, JobState::Cancelled);
        assert!(!store.cancel_job(job, "jonas", at(11), Vec::new()).await.unwrap());
    }
    let closing = store.cases_to_certify(None, 5).await.unwrap();
    assert_eq!(closing[0].cancelled, Some(decision("jonas", 5)));
}

/// The quarantine of its system waits for it, and nobody could try it again.
async fn what_a_restore_brought_back_goes_again_in_a_case_that_was_called_off(stage: Stage) {
    let store = &stage.store;
    let mut case = new_case(3);
    case.jobs[1].kind = JobKind::Replay;
    case.jobs[2].kind = JobKind::Replay;
    let (id, jobs) = (case.id, case.jobs.iter().map(|job| job.id).collect::<Vec<_>>());
    store.open_case(case, at(0)).await.unwrap();
    let claimed = store.claim(claim("worker", 0, 2)).await.unwrap();
    assert_eq!(claimed.len(), 2);
    assert!(store.cancel_case(id, decision("jonas", 5), Vec::new()).await.unwrap());
    let mut stopped = Vec::new();
    for job in jobs {
        let job = store.job(job).await.unwrap().unwrap();
        stopped.push((job.kind, job.cancel_requested.is_some()));
    }
    let replay = (JobKind::Replay, false);
    assert_eq!(stopped.iter().filter(|one| **one == replay).count(), 2, "{stopped:?}");
    assert_eq!(stopped.iter().filter(|(_, asked)| *asked).count(), 1, "{stopped:?}");
}

async fn nobody_waits_for_a_release_once_called_off(stage: Stage) {
    let (_, jobs) = stage.case_with_jobs(1).await;
    let mine = tenure(&stage.claim_one("worker", 0).await);
    assert!(stage.store.cancel_job(jobs[0], "jonas", at(1), Vec::new()).await.unwrap());
    let held = Settlement::Held { matters: vec!["matter-7".to_owned()], holds_version: 0 };
    assert!(stage.store.settle(settle(mine, held, 2)).await.unwrap());
    let again = stage.claim_one("worker", 2).await;
    assert_eq!(again.job.cancel_requested, Some(("jonas".to_owned(), at(1))));
    assert!(stage.store.settle(settle(tenure(&again), Settlement::Cancelled, 3)).await.unwrap());
}

async fn what_is_overdue_lets_its_case_close_and_opens_it_again(stage: Stage) {
    let (case, jobs) = stage.case_with_jobs(1).await;
    let store = &stage.store;
    let asked = tenure(&stage.claim_one("worker", 0).await);
    let waiting =
        |overdue| Settlement::Waiting { ask_at: at(20), reference: "run-7".to_owned(), overdue };
    assert!(store.settle(settle(asked, waiting(None), 1)).await.unwrap());
    assert!(store.cases_to_certify(None, 9).await.unwrap().is_empty(), "it will report");
    let asked = tenure(&stage.claim_one("worker", 20).await);
    assert!(store.cases_to_certify(None, 9).await.unwrap().is_empty(), "it is being asked");
    assert!(store.settle(settle(asked, waiting(Some(fault("overdue"))), 21)).await.unwrap());
    assert_eq!(store.cases_to_certify(None, 9).await.unwrap().len(), 1);
    assert_eq!(store.begin_verifying(&[case]).await.unwrap(), 1);
    let outcome = quietus::domain::CaseOutcome::PartiallyRetained;
    assert!(store.finish_case(case, outcome, at(22), Vec::new()).await.unwrap());

    // Asked again without an answer, it leaves the case as it is.
    let asked = tenure(&stage.claim_one("worker", 23).await);
    assert!(store.settle(settle(asked, waiting(Some(fault("overdue"))), 24)).await.unwrap());
    assert_eq!(store.case(case).await.unwrap().unwrap().state, CaseState::Closed);
    let asked = tenure(&stage.claim_one("worker", 25).await);
    let done = Settlement::Completed { done: json!({}), verification: json!({}) };
    assert!(store.settle(settle(asked, done, 26)).await.unwrap());
    assert_eq!(store.case(case).await.unwrap().unwrap().state, CaseState::Executing);
    assert_eq!(store.cases_to_certify(None, 9).await.unwrap().len(), 1);
    assert_eq!(store.job(jobs[0]).await.unwrap().unwrap().state, JobState::Completed);
}

async fn what_is_put_off_is_no_attempt_and_keeps_nobody_waiting(stage: Stage) {
    let mut new = new_case(3);
    new.jobs[1].kind = JobKind::Upkeep;
    new.jobs[2].kind = JobKind::Retained;
    new.jobs[2].available_at = at(1000);
    let (case, upkeep, retained) = (new.id, new.jobs[1].id, new.jobs[2].id);
    stage.store.open_case(new, at(0)).await.unwrap();
    let store = &stage.store;
    for _ in 0..2 {
        let claimed = stage.claim_one("worker", 0).await;
        let settlement = if claimed.job.id == upkeep {
            Settlement::Postponed { available_at: at(50) }
        } else {
            Settlement::Completed { done: json!({}), verification: json!({}) }
        };
        assert!(store.settle(settle(tenure(&claimed), settlement, 1)).await.unwrap());
    }
    let job = store.job(upkeep).await.unwrap().unwrap();
    assert_eq!((job.state, job.attempts_allowed), (JobState::Scheduled, 6));
    assert!(store.claim(claim("worker", 49, 5)).await.unwrap().is_empty());
    assert_eq!(store.begin_verifying(&[case]).await.unwrap(), 1);
    let outcome = quietus::domain::CaseOutcome::Fulfilled;
    assert!(store.finish_case(case, outcome, at(2), Vec::new()).await.unwrap());

    // A look opens nothing; what it has found does.
    let again = stage.claim_one("worker", 50).await;
    assert_eq!(again.job.id, upkeep);
    assert_eq!(store.case(case).await.unwrap().unwrap().state, CaseState::Closed);
    let done = Settlement::Completed { done: json!({}), verification: json!({}) };
    assert!(store.settle(settle(tenure(&again), done, 51)).await.unwrap());
    assert_eq!(store.case(case).await.unwrap().unwrap().state, CaseState::Executing);

    // Called off, the case lets go of what was asked for, and not of what a law keeps until its day.
    assert!(store.cancel_case(case, decision("jonas", 60), Vec::new()).await.unwrap());
    assert_eq!(store.job(retained).await.unwrap().unwrap().state, JobState::Scheduled);
}
