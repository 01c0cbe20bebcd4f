//! Looks at stores of copies: they keep no case from its answer, are claimed together, and open
//! their case once they have seen something.

use quietus::domain::{CaseOutcome, CaseState, JobState, SystemName};
use quietus::store::{JobFault, JobKind, Settle, Settlement, Store};
use serde_json::json;
use uuid::Uuid;

use crate::stage::{Stage, at, claim, new_case, tenure};

on_both! {
    looks_keep_no_case_from_its_answer_and_open_it_once_they_have_seen,
    looks_at_one_store_are_claimed_together_and_nothing_else_is,
    a_case_that_is_called_off_is_looked_after_all_the_same,
    what_is_paused_is_not_looked_at,
    the_last_look_of_a_case_opens_it_and_no_other,
}

async fn state(store: &Store, case: Uuid) -> CaseState {
    store.case(case).await.unwrap().unwrap().state
}

fn completed() -> Settlement {
    Settlement::Completed { done: json!({}), verification: json!({}) }
}

async fn looks_keep_no_case_from_its_answer_and_open_it_once_they_have_seen(stage: Stage) {
    let store = &stage.store;
    let mut case = new_case(2);
    case.jobs[1].kind = JobKind::Backup;
    case.jobs[1].available_at = at(1000);
    let (id, look) = (case.id, case.jobs[1].id);
    store.open_case(case, at(0)).await.unwrap();
    assert!(store.cases_to_certify(None, 9).await.unwrap().is_empty());
    let claimed = stage.claim_one("worker", 1).await;
    let settle = |tenure, settlement, second| Settle {
        tenure,
        settlement,
        now: at(second),
        evidence: Vec::new(),
    };
    assert!(store.settle(settle(tenure(&claimed), completed(), 2)).await.unwrap());
    assert_eq!(store.cases_to_certify(None, 9).await.unwrap().len(), 1);
    assert_eq!(store.begin_verifying(&[id]).await.unwrap(), 1);
    assert!(store.finish_case(id, CaseOutcome::Fulfilled, at(3), Vec::new()).await.unwrap());

    // A look that is under way, that has found copies, or that the store did not answer, opens
    // nothing.
    assert!(store.claim(claim("worker", 999, 5)).await.unwrap().is_empty());
    let fault = JobFault { kind: "unlisted".to_owned(), message: "it is away".to_owned() };
    let endings = [
        (Settlement::Postponed { available_at: at(2000) }, JobState::Scheduled),
        (Settlement::Retry { available_at: at(3000), fault, free: true }, JobState::Available),
    ];
    for (second, (ending, left)) in [1000, 2000].into_iter().zip(endings) {
        let claimed = stage.claim_one("worker", second).await;
        assert_eq!((claimed.job.id, claimed.job.kind), (look, JobKind::Backup));
        assert_eq!(state(store, id).await, CaseState::Closed);
        assert!(store.settle(settle(tenure(&claimed), ending, second + 1)).await.unwrap());
        let job = store.job(look).await.unwrap().unwrap();
        assert_eq!((job.state, job.attempts_allowed > job.attempt), (left, true));
        assert_eq!(state(store, id).await, CaseState::Closed);
        assert!(store.cases_to_certify(None, 9).await.unwrap().is_empty());
    }
    let claimed = stage.claim_one("worker", 3000).await;
    assert!(store.settle(settle(tenure(&claimed), completed(), 3001)).await.unwrap());
    assert_eq!(state(store, id).await, CaseState::Executing);
    assert_eq!(store.cases_to_certify(None, 9).await.unwrap().len(), 1);
}

async fn looks_at_one_store_are_claimed_together_and_nothing_else_is(stage: Stage) {
    let store = &stage.store;
    let vault = SystemName::parse("vault").unwrap();
    let other = SystemName::parse("other").unwrap();
    let mut wanted = Vec::new();
    for number in 0..4 {
        let mut case = new_case(3);
        for job in &mut case.jobs {
            job.kind = JobKind::Backup;
            job.system = vault.clone();
        }
        case.jobs[0].available_at = at(100 + number);
        // Another store, another day, and something else than a look.
        case.jobs[1].system = other.clone();
        case.jobs[2].available_at = at(5000);
        if number == 3 {
            case.jobs[0].kind = JobKind::Sweep;
        } else {
            wanted.push(case.jobs[0].id);
        }
        store.open_case(case, at(0)).await.unwrap();
    }
    assert!(
        store
            .claim_looks(claim("one", 99, 1000), JobKind::Backup, "vault")
            .await
            .unwrap()
            .is_empty()
    );
    let first = store.claim_looks(claim("one", 200, 2), JobKind::Backup, "vault").await.unwrap();
    let ids: Vec<Uuid> = first.iter().map(|one| one.job.id).collect();
    assert_eq!(ids, wanted[..2], "the oldest first, and not more than were asked for");
    let rest = store.claim_looks(claim("two", 200, 1000), JobKind::Backup, "vault").await.unwrap();
    assert_eq!(rest.iter().map(|one| one.job.id).collect::<Vec<_>>(), wanted[2..]);
    assert!(
        store
            .claim_looks(claim("two", 200, 1000), JobKind::Backup, "vault")
            .await
            .unwrap()
            .is_empty()
    );
    // Whoever held them is gone.
    let again =
        store.claim_looks(claim("three", 10_000, 1000), JobKind::Backup, "vault").await.unwrap();
    let lost = again.iter().filter(|one| one.lost_attempt == Some(1)).count();
    assert_eq!((again.len(), lost), (7, 3), "and those whose day has come");
}

async fn a_case_that_is_called_off_is_looked_after_all_the_same(stage: Stage) {
    let store = &stage.store;
    let mut case = new_case(3);
    case.jobs[1].kind = JobKind::Backup;
    case.jobs[2].kind = JobKind::Backup;
    case.jobs[2].available_at = at(500);
    let (id, jobs) = (case.id, case.jobs.iter().map(|job| job.id).collect::<Vec<_>>());
    let system = case.jobs[1].system.to_string();
    store.open_case(case, at(0)).await.unwrap();
    let running = store.claim_looks(claim("worker", 1, 1), JobKind::Backup, &system).await.unwrap();
    assert_eq!(running[0].job.id, jobs[1]);
    assert!(
        store
            .cancel_case(
                id,
                quietus::store::Decision {
                    by: "jonas".to_owned(),
                    reason: "looked at it".to_owned(),
                    at: at(2)
                },
                Vec::new()
            )
            .await
            .unwrap()
    );
    let left = |job| async move { store.job(job).await.unwrap().unwrap() };
    assert_eq!(left(jobs[0]).await.state, JobState::Cancelled);
    assert_eq!(left(jobs[2]).await.state, JobState::Scheduled);
    assert_eq!(left(jobs[1]).await.cancel_requested, None);
}

async fn what_is_paused_is_not_looked_at(stage: Stage) {
    let store = &stage.store;
    let mut case = new_case(1);
    case.jobs[0].kind = JobKind::Backup;
    let system = case.jobs[0].system.clone();
    store.open_case(case, at(0)).await.unwrap();
    let pause = quietus::store::NewPause {
        id: crate::stage::new_id(),
        scope: quietus::store::PauseScope::System(system.clone()),
        reason: "maintenance".to_owned(),
        paused_by: "jonas".to_owned(),
    };
    store.pause(pause, at(1), Vec::new()).await.unwrap();
    assert!(
        store
            .claim_looks(claim("worker", 5, 9), JobKind::Backup, system.as_str())
            .await
            .unwrap()
            .is_empty()
    );
}

/// Files and copies: whichever ends last opens the case, and what ends before does not. Copies in two
/// stores have days of their own.
async fn the_last_look_of_a_case_opens_it_and_no_other(stage: Stage) {
    let store = &stage.store;
    let (files, copies) = (JobKind::Residue, JobKind::Backup);
    for (kinds, opened) in [
        ([files, files], [false, true]),
        ([files, copies], [false, true]),
        ([copies, files], [false, true]),
        ([copies, copies], [true, true]),
    ] {
        let mut case = new_case(3);
        case.jobs[1].kind = kinds[0];
        case.jobs[2].kind = kinds[1];
        case.jobs[1].available_at = at(100);
        case.jobs[2].available_at = at(200);
        let (id, last) = (case.id, case.jobs[2].id);
        store.open_case(case, at(0)).await.unwrap();
        let settle = |tenure, settlement, second| Settle {
            tenure,
            settlement,
            now: at(second),
            evidence: Vec::new(),
        };
        let claimed = stage.claim_one("worker", 1).await;
        assert!(store.settle(settle(tenure(&claimed), completed(), 2)).await.unwrap());
        for (second, opens) in [100, 200].into_iter().zip(opened) {
            if state(store, id).await != CaseState::Closed {
                store.begin_verifying(&[id]).await.unwrap();
                let outcome = CaseOutcome::Fulfilled;
                assert!(store.finish_case(id, outcome, at(3), Vec::new()).await.unwrap());
            }
            let claimed = stage.claim_one("worker", second).await;
            let looked = Settlement::Looked { done: json!({}), verification: json!({}) };
            assert!(store.settle(settle(tenure(&claimed), looked, second + 1)).await.unwrap());
            let expected = if opens { CaseState::Executing } else { CaseState::Closed };
            assert_eq!(state(store, id).await, expected, "{kinds:?} {second}");
        }
        assert_eq!(store.job(last).await.unwrap().unwrap().state, JobState::Completed);
    }
    assert!(store.residue_gauges().await.unwrap().is_empty());
    let mut case = new_case(1);
    case.jobs[0].kind = files;
    let system = case.jobs[0].system.to_string();
    store.open_case(case, at(0)).await.unwrap();
    let claimed = stage.claim_one("worker", 1).await;
    let fault = JobFault { kind: "held".to_owned(), message: "wal: a slot".to_owned() };
    let held = Settlement::Retry { available_at: at(5000), fault, free: true };
    let settle =
        Settle { tenure: tenure(&claimed), settlement: held, now: at(2), evidence: Vec::new() };
    assert!(store.settle(settle).await.unwrap());
    let gauges = store.residue_gauges().await.unwrap();
    assert_eq!((gauges.len(), gauges[0].waiting, gauges[0].held), (1, 1, 1));
    assert_eq!((gauges[0].system.as_str(), gauges[0].oldest), (system.as_str(), at(0)));
    assert_eq!(store.open_residues(Some(&system), 9).await.unwrap().len(), 1);
    assert!(store.open_residues(Some("other"), 9).await.unwrap().is_empty());
}
