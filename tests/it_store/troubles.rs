//! What somebody has to see is found, and what is well is not.

use quietus::domain::{CaseState, ScheduleName};
use quietus::store::{Decision, JobFault, Settle, Settlement};
use serde_json::json;
use uuid::Uuid;

use crate::stage::{Stage, at, entry, new_case, scheduled_case, tenure};

on_both! {
    failed_jobs_are_found_by_system_and_not_those_that_were_called_off,
    what_nobody_takes_over_and_nobody_claims_is_found,
    the_latest_runs_are_those_of_a_schedule_or_of_commands,
    what_waits_is_counted_with_its_age,
}

async fn settle(stage: &Stage, second: i64, settlement: Settlement) -> Uuid {
    let claimed = stage.claim_one("worker", second).await;
    let settle =
        Settle { tenure: tenure(&claimed), settlement, now: at(second + 1), evidence: Vec::new() };
    assert!(stage.store.settle(settle).await.unwrap());
    claimed.job.id
}

fn failed() -> Settlement {
    let fault = JobFault { kind: "transient".to_owned(), message: "it is away".to_owned() };
    Settlement::Failed { fault }
}

async fn failed_jobs_are_found_by_system_and_not_those_that_were_called_off(stage: Stage) {
    let store = &stage.store;
    let (case, _) = stage.case_with_jobs(2).await;
    let first = settle(&stage, 1, failed()).await;
    let second = settle(&stage, 2, failed()).await;
    let all = store.failed_jobs(None, Uuid::nil(), 9).await.unwrap();
    let ids: Vec<Uuid> = all.iter().map(|job| job.id).collect();
    assert_eq!(ids.len(), 2);
    assert!(ids.contains(&first) && ids.contains(&second) && ids.is_sorted());
    assert_eq!(store.failed_jobs(None, ids[0], 9).await.unwrap()[0].id, ids[1]);
    assert_eq!(store.failed_jobs(None, Uuid::nil(), 1).await.unwrap().len(), 1);
    let of_one = store.failed_jobs(Some("system-0"), Uuid::nil(), 9).await.unwrap();
    assert_eq!(of_one.len(), 1);
    assert_eq!(of_one[0].last_fault.as_ref().unwrap().kind, "transient");
    // Tried again and done, one of them is no trouble any more.
    assert!(store.retry_job(first, 1, at(10), Vec::new()).await.unwrap());
    let done = Settlement::Completed { done: json!({}), verification: json!({}) };
    assert_eq!(settle(&stage, 11, done).await, first);
    assert_eq!(store.failed_jobs(None, Uuid::nil(), 9).await.unwrap()[0].id, second);
    let system = store.job(first).await.unwrap().unwrap().system;
    let swept = store.swept_since(&system, at(0), 9).await.unwrap();
    assert_eq!(swept.iter().map(|job| job.id).collect::<Vec<_>>(), [first]);
    assert!(store.swept_since(&system, at(1), 9).await.unwrap().is_empty());
    let decision = Decision { by: "ada".to_owned(), reason: "a mistake".to_owned(), at: at(20) };
    assert!(store.cancel_case(case, decision, Vec::new()).await.unwrap());
    assert!(store.failed_jobs(None, Uuid::nil(), 9).await.unwrap().is_empty());
}

async fn what_nobody_takes_over_and_nobody_claims_is_found(stage: Stage) {
    let store = &stage.store;
    stage.case_with_jobs(2).await;
    let claimed = stage.claim_one("worker", 5).await;
    let waiting = store.waiting_jobs(at(10)).await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!((waiting[0].jobs, waiting[0].since), (1, at(0)));
    assert_ne!(waiting[0].system, claimed.job.system);
    assert_eq!(store.jobs_at_work(at(10)).await.unwrap(), 1);
    assert!(store.ended_leases(at(65), 9).await.unwrap().is_empty());
    let ended = store.ended_leases(at(66), 9).await.unwrap();
    assert_eq!((ended[0].job, ended[0].since), (claimed.job.id, at(65)));
    assert_eq!(store.jobs_at_work(at(66)).await.unwrap(), 0);
}

async fn the_latest_runs_are_those_of_a_schedule_or_of_commands(stage: Stage) {
    let store = &stage.store;
    let nightly = ScheduleName::parse("nightly").unwrap();
    store.seed_schedule(&nightly, at(0)).await.unwrap();
    assert!(store.latest_runs(None, 9).await.unwrap().is_empty());
    let command = new_case(1);
    let (id, bytes) = (command.id, command.plan.text.len() as u64);
    let rules = command.rules.digest;
    store.open_case(command, at(5)).await.unwrap();
    let night = scheduled_case(100, 0);
    let night_id = night.id;
    store.open_case(night, at(101)).await.unwrap();
    let of_commands = store.latest_runs(None, 9).await.unwrap();
    assert_eq!(of_commands.len(), 1);
    let run = of_commands[0];
    assert_eq!((run.case_id, run.opened_at, run.plan_bytes), (id, at(5), bytes));
    assert_eq!((run.state, run.outcome), (CaseState::Executing, None));
    let of_schedule = store.latest_runs(Some(&nightly), 9).await.unwrap();
    assert_eq!(of_schedule.iter().map(|run| run.case_id).collect::<Vec<_>>(), [night_id]);
    assert_eq!(store.newest_dispatch(at(100)).await.unwrap(), Some((night_id, rules)));
    assert_eq!(store.newest_dispatch(at(101)).await.unwrap(), None);
    assert_eq!(store.document_seen_at(rules).await.unwrap(), Some(at(5)));
    assert_eq!(store.document_seen_at(quietus::domain::Digest([7; 32])).await.unwrap(), None);
}

async fn what_waits_is_counted_with_its_age(stage: Stage) {
    let store = &stage.store;
    assert_eq!(store.awaiting_approval().await.unwrap(), (0, None));
    let nothing = store.unpublished().await.unwrap();
    assert_eq!((nothing.entries, nothing.entries_since, nothing.unproven), (0, None, 0));
    assert_eq!(store.unanchored().await.unwrap(), None);
    assert_eq!(store.newest_heartbeat().await.unwrap(), None);
    for second in [7, 9] {
        let mut case = new_case(1);
        case.state = CaseState::AwaitingApproval;
        case.blocked_reason = Some("more than usual".to_owned());
        case.evidence = vec![entry(Some(case.id), None)];
        store.open_case(case, at(second)).await.unwrap();
    }
    assert_eq!(store.awaiting_approval().await.unwrap(), (2, Some(at(7))));
    let waiting = store.unpublished().await.unwrap();
    assert_eq!((waiting.entries, waiting.entries_since), (2, Some(at(7))));
    store.begin_producers("quietus-1234", at(11)).await.unwrap();
    assert_eq!(store.newest_heartbeat().await.unwrap(), Some(at(11)));
}
