//! Limits of systems: never more than may be, by however many replicas; and a system at its limit
//! hides nobody else's jobs.

use std::collections::BTreeMap;

use quietus::domain::breaker::OPENS_AFTER;
use quietus::domain::limits::free_at;
use quietus::domain::{JobState, Span, SystemLimits};
use quietus::store::{
    Claim, ClaimedJob, Company, Heard, JobFault, JobKind, Lane, OpenedCase, Settle, Settlement,
};
use serde_json::json;
use uuid::Uuid;

use crate::stage::{Stage, at, claim, new_case, new_job, tenure};

on_both! {
    no_more_run_at_once_than_may,
    no_more_are_begun_in_a_minute_than_may,
    a_day_that_is_used_up_keeps_no_answer_waiting,
    what_a_clock_far_ahead_has_begun_counts_for_nothing,
    ten_thousand_that_wait_hide_nobody,
    each_of_a_company_counts,
    replicas_share_the_turns,
    one_look_at_files_needs_no_turn,
    what_waits_is_counted_in_the_order_of_its_turns,
    what_waits_is_said_to_be_overdue_once,
}

fn of_crm(limits: SystemLimits) -> BTreeMap<String, SystemLimits> {
    BTreeMap::from([("crm".to_owned(), limits)])
}

fn at_once(most: u32) -> BTreeMap<String, SystemLimits> {
    of_crm(SystemLimits { at_once: Some(most), ..SystemLimits::default() })
}

fn in_a_minute(most: u32) -> BTreeMap<String, SystemLimits> {
    of_crm(SystemLimits { jobs_per_minute: Some(most), ..SystemLimits::default() })
}

fn in_a_day(most: u32) -> BTreeMap<String, SystemLimits> {
    of_crm(SystemLimits { jobs_per_day: Some(most), ..SystemLimits::default() })
}

/// So many jobs of each of these systems, in one case; all of the first come before those of the next.
async fn jobs(stage: &Stage, systems: &[(&str, usize)]) -> Vec<Uuid> {
    let mut case = new_case(0);
    for (system, many) in systems {
        for _ in 0..*many {
            let mut job = new_job(system);
            job.kind = JobKind::Request;
            job.attempts_allowed = 20;
            case.jobs.push(job);
        }
    }
    let ids = case.jobs.iter().map(|job| job.id).collect();
    assert_eq!(stage.store.open_case(case, at(0)).await.unwrap(), OpenedCase::Opened);
    ids
}

async fn claimed(
    stage: &Stage,
    limits: &BTreeMap<String, SystemLimits>,
    (second, most): (i64, u32),
) -> Vec<ClaimedJob> {
    let wish = Claim { lease_until: at(second + 600), ..claim("worker", second, most) };
    stage.store.claim_within(&Lane::Any, wish, limits).await.unwrap()
}

async fn end(stage: &Stage, one: &ClaimedJob, settlement: Settlement, second: i64) {
    let settle = Settle { tenure: tenure(one), settlement, now: at(second), evidence: Vec::new() };
    assert!(stage.store.settle(settle).await.unwrap());
}

fn completed() -> Settlement {
    Settlement::Completed { done: json!({}), verification: json!({}) }
}

async fn no_more_run_at_once_than_may(stage: Stage) {
    let ids = jobs(&stage, &[("crm", 10), ("desk", 2)]).await;
    let limits = at_once(4);
    let first = claimed(&stage, &limits, (0, 100)).await;
    let of = |found: &[ClaimedJob], system: &str| {
        found.iter().filter(|one| one.job.system == system).count()
    };
    assert_eq!((of(&first, "crm"), of(&first, "desk")), (4, 2));
    assert!(claimed(&stage, &limits, (1, 100)).await.is_empty());
    end(&stage, &first[0], completed(), 2).await;
    let next = claimed(&stage, &limits, (3, 100)).await;
    assert_eq!(next.iter().map(|one| one.job.id).collect::<Vec<_>>(), [ids[4]]);
    // Those whose lease has ended run no more, and are taken over before others are begun.
    let over = claimed(&stage, &limits, (700, 100)).await;
    assert_eq!(of(&over, "crm"), 4);
    assert_eq!(over.iter().filter(|one| one.lost_attempt.is_some()).count(), 4 + 2);
}

async fn no_more_are_begun_in_a_minute_than_may(stage: Stage) {
    jobs(&stage, &[("crm", 9), ("desk", 1)]).await;
    let limits = in_a_minute(2);
    let mut begun = Vec::new();
    for second in [0, 1, 30, 60, 61, 62, 121, 122, 183, 184] {
        let found = claimed(&stage, &limits, (second, 100)).await;
        begun.push(found.iter().filter(|one| one.job.system == "crm").count());
    }
    assert_eq!(begun, [2, 0, 0, 0, 2, 0, 0, 2, 2, 0]);
    // What counts no more is gone.
    assert_eq!(stage.rows("turns").await, 1);
    let found = stage.store.begun(at(190)).await.unwrap().remove("crm").unwrap();
    let stretches = &found.stretches[&Span::Minute];
    assert_eq!(free_at(stretches, 2, Span::Minute, at(190)), Some(at(183 + 61)));
}

async fn a_day_that_is_used_up_keeps_no_answer_waiting(stage: Stage) {
    let ids = jobs(&stage, &[("crm", 4)]).await;
    let limits = in_a_day(2);
    let begun = claimed(&stage, &limits, (0, 100)).await;
    assert_eq!(begun.len(), 2);
    let reference = "ticket-9".to_owned();
    let waiting = Settlement::Waiting { ask_at: at(100), reference, overdue: None };
    end(&stage, &begun[0], waiting, 1).await;
    let fault = JobFault { kind: "transient".to_owned(), message: "503".to_owned() };
    let retry = Settlement::Retry { available_at: at(2), fault, free: true };
    end(&stage, &begun[1], retry, 1).await;
    let follow = claimed(&stage, &limits, (100, 100)).await;
    assert_eq!(follow.iter().map(|one| one.job.id).collect::<Vec<_>>(), [ids[0]]);
    end(&stage, &follow[0], completed(), 101).await;
    // Another try is another call.
    assert!(claimed(&stage, &limits, (24 * 3_600, 100)).await.is_empty());
    let tomorrow = claimed(&stage, &limits, (24 * 3_600 + 600, 100)).await;
    assert_eq!(tomorrow.len(), 2);
    assert_eq!(tomorrow[0].job.id, ids[2], "who waits for longest comes first");
}

async fn what_a_clock_far_ahead_has_begun_counts_for_nothing(stage: Stage) {
    jobs(&stage, &[("crm", 4)]).await;
    let limits = in_a_day(2);
    let ahead = 3 * 24 * 3_600;
    for one in claimed(&stage, &limits, (ahead, 100)).await {
        end(&stage, &one, completed(), ahead).await;
    }
    assert_eq!(stage.rows("turns").await, 1);
    assert_eq!(claimed(&stage, &limits, (10, 100)).await.len(), 2, "it was set back");
    assert_eq!(stage.rows("turns").await, 1, "what lies far ahead is over");
    // Clocks of replicas differ by a little, and that counts.
    assert!(claimed(&stage, &limits, (-60, 100)).await.is_empty());
}

/// Ten thousand jobs of a system at its limit, and one of another system behind them.
async fn ten_thousand_that_wait_hide_nobody(stage: Stage) {
    jobs(&stage, &[("crm", 1)]).await;
    let numbers = if stage.store.kind() == "sqlite" {
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
         SELECT randomblob(16)"
    } else {
        "WITH n AS (SELECT generate_series(1, 10000)) SELECT gen_random_uuid()"
    };
    let many = format!(
        "INSERT INTO jobs (id, case_id, system, kind, state, attempt, attempts_allowed, available_at,
             payload, created_at)
         {numbers}, case_id, system, kind, state, 0, 20, available_at, payload, created_at
         FROM jobs, n"
    );
    assert_eq!(stage.intrude(&many).await.unwrap(), 10_000);
    let mut case = new_case(0);
    let mut behind = new_job("desk");
    behind.available_at = at(1);
    let last = behind.id;
    case.jobs.push(behind);
    stage.store.open_case(case, at(1)).await.unwrap();

    for limits in [in_a_day(1), at_once(1)] {
        let first = claimed(&stage, &limits, (2, 1)).await;
        assert_eq!(first[0].job.system, "crm");
        let second = claimed(&stage, &limits, (2, 1)).await;
        assert_eq!(second.iter().map(|one| one.job.id).collect::<Vec<_>>(), [last]);
        assert!(claimed(&stage, &limits, (2, 1)).await.is_empty());
        let back = Settlement::Released { available_at: at(1) };
        end(&stage, &second[0], back, 2).await;
        end(&stage, &first[0], completed(), 2).await;
        stage.intrude("DELETE FROM turns").await.unwrap();
    }
    // The same where all of them wait for a breaker.
    for _ in 0..OPENS_AFTER {
        let one = claimed(&stage, &BTreeMap::new(), (2, 1)).await.remove(0);
        let fault = JobFault { kind: "transient".to_owned(), message: "503".to_owned() };
        let retry = Settlement::Retry { available_at: at(900), fault, free: true };
        let settle =
            Settle { tenure: tenure(&one), settlement: retry, now: at(2), evidence: Vec::new() };
        let heard = Heard { answered: Some(false), leave_until: None };
        stage.store.settle_hearing(vec![(settle, heard)]).await.unwrap();
    }
    let next = claimed(&stage, &BTreeMap::new(), (3, 1)).await;
    assert_eq!(next.iter().map(|one| one.job.id).collect::<Vec<_>>(), [last]);
}

async fn each_of_a_company_counts(stage: Stage) {
    jobs(&stage, &[("crm", 9)]).await;
    let company = Company { system: "crm".to_owned(), attempts_left: 1, troubled: false };
    let limits = of_crm(SystemLimits {
        at_once: Some(6),
        jobs_per_minute: Some(4),
        ..SystemLimits::default()
    });
    let along = async |second: i64| {
        let wish = Claim { lease_until: at(second + 600), ..claim("worker", second, 100) };
        stage.store.claim_company_within(wish, &company, &limits).await.unwrap().len()
    };
    assert_eq!(claimed(&stage, &limits, (0, 1)).await.len(), 1);
    assert_eq!(along(0).await, 3, "four in a minute, with the one that was claimed");
    assert_eq!(along(1).await, 0);
    assert!(claimed(&stage, &limits, (1, 1)).await.is_empty());
    assert_eq!(claimed(&stage, &limits, (61, 1)).await.len(), 1);
    assert_eq!(along(61).await, 1, "six at once");
    let unlimited = stage.store.claim_company(claim("other", 62, 100), &company).await.unwrap();
    assert_eq!(unlimited.len(), 3);
}

async fn replicas_share_the_turns(stage: Stage) {
    jobs(&stage, &[("crm", 60), ("desk", 5)]).await;
    let limits = of_crm(SystemLimits {
        at_once: Some(20),
        jobs_per_minute: Some(30),
        jobs_per_day: Some(17),
    });
    let replicas: Vec<_> = (0..8)
        .map(|number| {
            let (store, limits) = (stage.store.clone(), limits.clone());
            tokio::spawn(async move {
                let mut mine: Vec<String> = Vec::new();
                loop {
                    let wish = claim(&format!("replica-{number}"), 1, 1);
                    let found = store.claim_within(&Lane::Any, wish, &limits).await.unwrap();
                    if found.is_empty() {
                        return mine;
                    }
                    mine.extend(found.into_iter().map(|one| one.job.system));
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for replica in replicas {
        all.extend(replica.await.unwrap());
    }
    let of = |system: &str| all.iter().filter(|one| *one == system).count();
    assert_eq!((of("crm"), of("desk")), (17, 5));
}

async fn one_look_at_files_needs_no_turn(stage: Stage) {
    let mut case = new_case(0);
    for kind in [JobKind::Request, JobKind::Residue, JobKind::Request] {
        let mut job = new_job("crm");
        job.kind = kind;
        case.jobs.push(job);
    }
    let ids: Vec<Uuid> = case.jobs.iter().map(|job| job.id).collect();
    stage.store.open_case(case, at(0)).await.unwrap();
    let limits =
        of_crm(SystemLimits { at_once: Some(1), jobs_per_day: Some(1), ..SystemLimits::default() });
    let found = claimed(&stage, &limits, (0, 100)).await;
    assert_eq!(found.iter().map(|one| one.job.id).collect::<Vec<_>>(), ids[..2]);
    end(&stage, &found[0], completed(), 1).await;
    let begun = stage.store.begun(at(1)).await.unwrap().remove("crm").unwrap();
    assert_eq!((begun.running, begun.stretches[&Span::Day][0].jobs), (0, 1));
}

async fn what_waits_is_counted_in_the_order_of_its_turns(stage: Stage) {
    let mut cases = Vec::new();
    for (number, available_at) in [30, 10, 20, 900].into_iter().enumerate() {
        let mut case = new_case(0);
        let mut job = new_job(if number < 3 { "crm" } else { "desk" });
        job.available_at = at(available_at);
        case.jobs.push(job);
        cases.push(case.id);
        stage.store.open_case(case, at(0)).await.unwrap();
    }
    let backlogs = stage.store.backlogs(at(40)).await.unwrap();
    assert_eq!(backlogs.len(), 1, "{backlogs:?}");
    assert_eq!((backlogs[0].system.as_str(), backlogs[0].jobs), ("crm", 3));
    assert_eq!(backlogs[0].since, at(10));
    let queue = stage.store.queue_of("crm", at(40), 100).await.unwrap();
    assert_eq!(queue, [cases[1], cases[2], cases[0]]);
    assert_eq!(stage.store.queue_of("crm", at(40), 1).await.unwrap().len(), 1);
}

async fn what_waits_is_said_to_be_overdue_once(stage: Stage) {
    let ids = jobs(&stage, &[("crm", 2)]).await;
    let store = &stage.store;
    let waiting = store.not_overdue_in("crm", at(1), 100).await.unwrap();
    assert_eq!(waiting.iter().map(|job| job.id).collect::<Vec<_>>(), ids);
    assert!(store.say_overdue(ids[0], "it had to be done").await.unwrap());
    assert!(!store.say_overdue(ids[0], "it had to be done").await.unwrap());
    let job = store.job(ids[0]).await.unwrap().unwrap();
    assert_eq!(job.last_fault.unwrap().kind, "overdue");
    assert_eq!((job.attempt, job.state), (0, JobState::Available));
    assert_eq!(store.not_overdue_in("crm", at(1), 100).await.unwrap().len(), 1);
    // Nobody changes one that somebody works on.
    let running = claimed(&stage, &BTreeMap::new(), (2, 100)).await;
    assert_eq!(running.len(), 2);
    assert!(!store.say_overdue(ids[1], "it had to be done").await.unwrap());
}
