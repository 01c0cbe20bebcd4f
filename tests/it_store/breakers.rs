//! Breakers: shared by all replicas, moved with the end of an attempt, and never in anybody's way but
//! that of their own system.

use std::time::Duration;

use quietus::domain::JobState;
use quietus::domain::breaker::OPENS_AFTER;
use quietus::store::{
    ClaimedJob, Company, Heard, JobFault, JobKind, Moved, OpenedCase, Settle, Settled, Settlement,
};
use serde_json::json;
use uuid::Uuid;

use crate::stage::{Stage, at, claim, new_case, new_job, tenure};

on_both! {
    one_job_at_a_time_tries_a_system_that_fails,
    one_job_that_fails_opens_nothing,
    a_trial_that_is_lost_is_followed_by_another,
    a_trial_that_goes_on_closes_the_breaker_before_its_end,
    who_began_before_it_opened_prolongs_nothing_and_closes_it,
    what_a_system_asks_for_keeps_all_its_jobs,
    an_end_that_is_refused_moves_nothing,
    several_ends_in_one_transaction_move_it_once,
    those_that_complete_together_close_it,
    nobody_goes_along_with_a_trial,
    somebody_wants_it_tried_at_once,
    two_replicas_do_not_both_try,
    nobody_tries_who_has_waited_for_another_one_to_try,
}

const FAILS: Heard = Heard { answered: Some(false), leave_until: None };
const ANSWERS: Heard = Heard::WELL;

/// Parts of requests in `crm`, and one in `desk` that comes after them.
async fn crm_and_desk(stage: &Stage, many: usize) -> (Vec<Uuid>, Uuid) {
    let mut case = new_case(0);
    for number in 0..=many {
        let mut job = new_job(if number < many { "crm" } else { "desk" });
        job.kind = JobKind::Request;
        job.attempts_allowed = 8;
        case.jobs.push(job);
    }
    let mut ids: Vec<Uuid> = case.jobs.iter().map(|job| job.id).collect();
    assert_eq!(stage.store.open_case(case, at(0)).await.unwrap(), OpenedCase::Opened);
    let desk = ids.pop().unwrap();
    (ids, desk)
}

/// It is tried again after a second, and no attempt counts.
fn again(second: i64) -> Settlement {
    let fault = JobFault { kind: "transient".to_owned(), message: "it answered 503".to_owned() };
    Settlement::Retry { available_at: at(second + 1), fault, free: true }
}

fn completed() -> Settlement {
    Settlement::Completed { done: json!({}), verification: json!({}) }
}

async fn settle(
    stage: &Stage,
    one: &ClaimedJob,
    (settlement, heard): (Settlement, Heard),
    second: i64,
) -> Settled {
    let settle = Settle { tenure: tenure(one), settlement, now: at(second), evidence: Vec::new() };
    stage.store.settle_hearing(vec![(settle, heard)]).await.unwrap()
}

async fn fails(stage: &Stage, one: &ClaimedJob, second: i64) -> Option<Moved> {
    let settled = settle(stage, one, (again(second), FAILS), second).await;
    assert!(settled.settled);
    settled.moved
}

/// Claims one job after the other, each of which fails, until the breaker of `crm` opens.
async fn opened(stage: &Stage, second: i64) {
    for number in 1..=OPENS_AFTER {
        let one = stage.claim_one("worker", second).await;
        assert_eq!((one.job.system.as_str(), one.trial), ("crm", false));
        let opens = fails(stage, &one, second).await;
        assert_eq!(opens, (number == OPENS_AFTER).then_some(Moved::Opened), "failure {number}");
    }
}

/// The only breaker on record.
async fn breaker(stage: &Stage, second: i64) -> quietus::store::BreakerOnRecord {
    let mut found = stage.store.breakers(at(second)).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

async fn one_job_at_a_time_tries_a_system_that_fails(stage: Stage) {
    let (jobs, desk) = crm_and_desk(&stage, 8).await;
    opened(&stage, 5).await;
    let open = breaker(&stage, 5).await;
    assert_eq!((open.breaker.failures, open.trying), (OPENS_AFTER, None));
    assert_eq!(open.breaker.open.map(|open| (open.since, open.trial_at)), Some((at(5), at(15))));
    assert_eq!(open.why.as_deref(), Some("it answered 503"));

    // The other system goes on, and three of these were never asked.
    let other = stage.claim_one("worker", 14).await;
    assert_eq!((other.job.id, other.trial), (desk, false));
    settle(&stage, &other, (completed(), ANSWERS), 14).await;
    assert!(stage.store.claim(claim("worker", 14, 100)).await.unwrap().is_empty());
    assert_eq!(stage.store.breakers(at(14)).await.unwrap().len(), 1, "the other is no reason");

    // One tries, whoever asks for how many.
    let trial = stage.store.claim(claim("worker", 15, 100)).await.unwrap();
    assert_eq!((trial.len(), trial[0].trial), (1, true));
    assert_eq!(breaker(&stage, 16).await.trying, Some(trial[0].job.id));
    assert!(stage.store.claim(claim("another", 16, 100)).await.unwrap().is_empty());
    assert_eq!(fails(&stage, &trial[0], 16).await, None);
    let next = breaker(&stage, 16).await.breaker.open.unwrap();
    assert_eq!((next.trials, next.trial_at), (1, at(36)), "twice as long as before");

    let second = stage.claim_one("worker", 36).await;
    assert!(second.trial && second.job.id != trial[0].job.id, "the oldest comes first");
    let settled = settle(&stage, &second, (completed(), ANSWERS), 37).await;
    assert_eq!(settled.moved, Some(Moved::Closed));
    assert!(stage.store.breakers(at(37)).await.unwrap().is_empty());

    // Nothing is lost: all others are there at once, and those that only waited were never begun.
    let all = stage.store.claim(claim("worker", 40, 100)).await.unwrap();
    assert_eq!(all.len(), jobs.len() - 1);
    assert!(all.iter().all(|one| !one.trial));
    assert_eq!(all.iter().filter(|one| one.job.attempt == 1).count(), 1, "it only waited");
}

/// Its own pauses spare the system, and what is the matter may be the job.
async fn one_job_that_fails_opens_nothing(stage: Stage) {
    let (_, jobs) = stage.case_with_jobs(1).await;
    for second in (0..40).step_by(2) {
        let one = stage.claim_one("worker", second).await;
        assert_eq!((one.job.id, one.trial), (jobs[0], false));
        assert_eq!(fails(&stage, &one, second).await, None);
    }
    let alone = breaker(&stage, 40).await.breaker;
    assert_eq!((alone.failures, alone.open), (1, None));
}

async fn a_trial_that_is_lost_is_followed_by_another(stage: Stage) {
    crm_and_desk(&stage, 6).await;
    opened(&stage, 5).await;
    let desk = stage.claim_one("worker", 6).await;
    settle(&stage, &desk, (completed(), ANSWERS), 6).await;
    let lost = stage.claim_one("gone", 15).await;
    assert!(lost.trial);
    // Its lease lasts for a minute, and longer where it is kept.
    assert!(stage.store.claim(claim("worker", 75, 9)).await.unwrap().is_empty());
    assert!(stage.store.heartbeat(&tenure(&lost), at(100)).await.unwrap().is_some());
    assert!(stage.store.claim(claim("worker", 100, 9)).await.unwrap().is_empty());
    let next = stage.claim_one("worker", 101).await;
    assert!(next.trial);
    assert_eq!(next.job.id, lost.job.id);
    // Whoever was lost and comes back changes nothing.
    assert!(!settle(&stage, &lost, (completed(), ANSWERS), 102).await.settled);
    assert!(breaker(&stage, 102).await.breaker.open.is_some());
}

async fn a_trial_that_goes_on_closes_the_breaker_before_its_end(stage: Stage) {
    let (jobs, _) = crm_and_desk(&stage, 6).await;
    opened(&stage, 5).await;
    stage.claim_one("worker", 6).await;
    let trial = stage.claim_one("worker", 15).await;
    assert_eq!(stage.store.trial_answers(&tenure(&trial)).await.unwrap(), Some(Moved::Closed));
    assert_eq!(stage.store.trial_answers(&tenure(&trial)).await.unwrap(), None);
    let others = stage.store.claim(claim("another", 16, 100)).await.unwrap();
    assert_eq!(others.len(), jobs.len() - 1);
}

async fn who_began_before_it_opened_prolongs_nothing_and_closes_it(stage: Stage) {
    crm_and_desk(&stage, 8).await;
    let early = stage.store.claim(claim("slow", 0, 2)).await.unwrap();
    opened(&stage, 5).await;
    assert_eq!(fails(&stage, &early[0], 8).await, None);
    let open = breaker(&stage, 8).await.breaker;
    assert_eq!(open.failures, OPENS_AFTER + 1);
    assert_eq!(open.open.map(|open| (open.trials, open.trial_at)), Some((0, at(15))));
    let settled = settle(&stage, &early[1], (completed(), ANSWERS), 9).await;
    assert_eq!(settled.moved, Some(Moved::Closed));
}

async fn what_a_system_asks_for_keeps_all_its_jobs(stage: Stage) {
    let (jobs, desk) = crm_and_desk(&stage, 3).await;
    let first = stage.claim_one("worker", 0).await;
    let asks = |second| Heard { answered: Some(false), leave_until: Some(at(second)) };
    settle(&stage, &first, (again(0), asks(40)), 0).await;
    let told = breaker(&stage, 1).await.breaker;
    assert_eq!((told.failures, told.open, told.leave_until), (1, None, Some(at(40))));
    assert_eq!(stage.claim_one("worker", 1).await.job.id, desk);
    assert!(stage.store.claim(claim("worker", 39, 100)).await.unwrap().is_empty());
    let rest = stage.store.claim(claim("worker", 40, 100)).await.unwrap();
    let of_crm = rest.iter().filter(|one| jobs.contains(&one.job.id)).count();
    assert_eq!(of_crm, 3, "all of them: it is not said to fail");
    let heard = Heard { answered: Some(true), leave_until: Some(at(60)) };
    settle(&stage, &rest[0], (completed(), heard), 41).await;
    let told = breaker(&stage, 41).await.breaker;
    assert_eq!((told.failures, told.leave_until), (0, Some(at(60))));
    assert!(stage.store.breakers(at(60)).await.unwrap().is_empty(), "it is over");
}

async fn an_end_that_is_refused_moves_nothing(stage: Stage) {
    crm_and_desk(&stage, 1).await;
    let lost = stage.claim_one("worker", 0).await;
    stage.store.claim(claim("another", 100, 100)).await.unwrap();
    assert!(!settle(&stage, &lost, (again(101), FAILS), 101).await.settled);
    assert_eq!(stage.rows("breakers").await, 0);
    // The same entry of evidence twice is refused after the breaker was moved.
    let one = stage.store.claim(claim("worker", 300, 1)).await.unwrap().remove(0);
    let entry = crate::stage::entry(Some(one.job.case_id), Some(one.job.id));
    let end = Settle {
        tenure: tenure(&one),
        settlement: again(301),
        now: at(301),
        evidence: vec![entry.clone(), entry],
    };
    assert!(stage.store.settle_hearing(vec![(end, FAILS)]).await.is_err());
    assert_eq!(stage.rows("breakers").await, 0);
    assert_eq!(stage.store.job(one.job.id).await.unwrap().unwrap().state, JobState::Running);
}

/// Two hundred that went together are one call, and one of them has heard of it.
async fn several_ends_in_one_transaction_move_it_once(stage: Stage) {
    crm_and_desk(&stage, 20).await;
    let all = stage.store.claim(claim("worker", 0, 20)).await.unwrap();
    let ends = |heard: Heard| {
        let end = |(number, one): (usize, &ClaimedJob)| {
            let (tenure, evidence) = (tenure(one), Vec::new());
            let settle = Settle { tenure, settlement: again(1), now: at(1), evidence };
            (settle, if number == 0 { heard } else { Heard::default() })
        };
        all.iter().enumerate().map(end).collect::<Vec<_>>()
    };
    let settled = stage.store.settle_hearing(ends(FAILS)).await.unwrap();
    assert_eq!(settled, Settled { settled: true, moved: None });
    assert_eq!(breaker(&stage, 1).await.breaker.failures, 1);
    // Again, and one of them has another worker by now: nothing is written of any.
    let settled = stage.store.settle_hearing(ends(FAILS)).await.unwrap();
    assert_eq!(settled, Settled { settled: false, moved: None });
    assert_eq!(breaker(&stage, 1).await.breaker.failures, 1);
}

/// Ends that are all alike are written with other statements.
async fn those_that_complete_together_close_it(stage: Stage) {
    crm_and_desk(&stage, 9).await;
    let early = stage.store.claim(claim("slow", 0, 3)).await.unwrap();
    opened(&stage, 5).await;
    let ends = || {
        let end = |(number, one): (usize, &ClaimedJob)| {
            let (tenure, evidence) = (tenure(one), Vec::new());
            let settle = Settle { tenure, settlement: completed(), now: at(9), evidence };
            (settle, if number == 0 { ANSWERS } else { Heard::default() })
        };
        early.iter().enumerate().map(end).collect::<Vec<_>>()
    };
    let mut lost = ends();
    lost[2].0.tenure.attempt += 1;
    let settled = stage.store.settle_hearing(lost).await.unwrap();
    assert_eq!(settled, Settled { settled: false, moved: None });
    assert!(breaker(&stage, 9).await.breaker.open.is_some());
    let settled = stage.store.settle_hearing(ends()).await.unwrap();
    assert_eq!(settled, Settled { settled: true, moved: Some(Moved::Closed) });
    assert!(stage.store.breakers(at(9)).await.unwrap().is_empty());
}

async fn nobody_goes_along_with_a_trial(stage: Stage) {
    crm_and_desk(&stage, 8).await;
    opened(&stage, 5).await;
    stage.claim_one("worker", 6).await;
    let trial = stage.claim_one("worker", 15).await;
    let company = || Company { system: "crm".to_owned(), attempts_left: 1, troubled: false };
    let along = stage.store.claim_company(claim("worker", 15, 100), &company()).await.unwrap();
    assert!(trial.trial && along.is_empty());
    settle(&stage, &trial, (completed(), ANSWERS), 16).await;
    let along = stage.store.claim_company(claim("worker", 17, 100), &company()).await.unwrap();
    assert_eq!(along.len(), 7);
}

async fn somebody_wants_it_tried_at_once(stage: Stage) {
    crm_and_desk(&stage, 5).await;
    opened(&stage, 5).await;
    let store = &stage.store;
    let desk = stage.claim_one("worker", 6).await;
    let late = JobFault { kind: "transient".to_owned(), message: "it answered 503".to_owned() };
    let retry = Settlement::Retry { available_at: at(200), fault: late, free: true };
    settle(&stage, &desk, (retry, FAILS), 6).await;
    let trial = stage.claim_one("worker", 15).await;
    let fault = JobFault { kind: "transient".to_owned(), message: "it answered 503".to_owned() };
    let far = Settlement::Retry { available_at: at(290), fault, free: true };
    settle(&stage, &trial, (far, FAILS), 15).await;
    assert!(store.claim(claim("worker", 16, 1)).await.unwrap().is_empty());
    let pause = Duration::from_mins(5);
    assert_eq!(store.try_at_once(Some("desk"), at(16), pause).await.unwrap(), 0);
    assert_eq!(store.try_at_once(Some("crm"), at(16), pause).await.unwrap(), 1);
    assert_eq!(store.job(trial.job.id).await.unwrap().unwrap().available_at, at(16));
    assert_eq!(store.job(desk.job.id).await.unwrap().unwrap().available_at, at(200), "not asked");
    assert!(stage.claim_one("worker", 16).await.trial);
    assert_eq!(store.try_at_once(None, at(17), pause).await.unwrap(), 0, "one tries already");
    assert!(store.claim(claim("worker", 17, 1)).await.unwrap().is_empty());
}

async fn two_replicas_do_not_both_try(stage: Stage) {
    crm_and_desk(&stage, 30).await;
    opened(&stage, 5).await;
    stage.claim_one("worker", 6).await;
    let replicas: Vec<_> = (0..8)
        .map(|number| {
            let store = stage.store.clone();
            tokio::spawn(async move {
                let wish = claim(&format!("replica-{number}"), 15, 100);
                store.claim(wish).await.unwrap().len()
            })
        })
        .collect();
    let mut tries = 0;
    for replica in replicas {
        tries += replica.await.unwrap();
    }
    assert_eq!(tries, 1);
}

/// Two claims that have each found a job of their own, and both wait for the breaker's row.
async fn nobody_tries_who_has_waited_for_another_one_to_try(stage: Stage) {
    crm_and_desk(&stage, 30).await;
    opened(&stage, 5).await;
    stage.claim_one("worker", 6).await;
    let mut intruder = stage.intruder().await;
    intruder.execute("BEGIN").await;
    intruder.execute("UPDATE breakers SET failures = failures").await;
    let claims: Vec<_> = (0..2)
        .map(|number| {
            let store = stage.store.clone();
            tokio::spawn(async move {
                let wish = claim(&format!("replica-{number}"), 15, 1);
                store.claim(wish).await.unwrap().len()
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    intruder.execute("COMMIT").await;
    let mut tries = 0;
    for claim in claims {
        tries += claim.await.unwrap();
    }
    assert_eq!(tries, 1);
}
