//! Claiming jobs and working under a lease.

use std::collections::BTreeSet;

use quietus::domain::JobState;
use quietus::store::{
    APART, AttemptResult, Claim, ClaimedJob, Company, JobFault, JobKind, JointStep, NewCase,
    NewJob, OpenedCase, Progress, Settle, Settlement, Start, Started, StillMine,
    TOGETHER_AFTER_FAULT,
};
use serde_json::json;
use uuid::Uuid;

use crate::stage::{Intruder, Stage, at, claim, entry, new_case, new_job, tenure};

on_both! {
    no_job_is_claimed_twice,
    a_lost_lease_is_claimed_by_another,
    an_old_attempt_changes_nothing,
    what_is_not_due_is_not_claimed,
    progress_comes_back_as_it_was_saved,
    intent_and_start_are_one,
    a_waiting_job_is_asked_after_in_time,
    parts_of_requests_are_claimed_in_company,
    those_that_fail_keep_company_with_each_other,
}

/// What a claim costs does not grow with what waits: each question follows an index.
#[tokio::test(flavor = "multi_thread")]
async fn claims_read_no_more_than_they_take() {
    let stage = Stage::sqlite().await;
    let mut asked = 0;
    for (name, sql) in quietus::store::statements() {
        let index = match name {
            "breakers::JOBS_AT_ONCE" => "jobs_to_claim",
            "candidates::BACKGROUND" => "jobs_in_background",
            "candidates::FOLLOWING" => "jobs_that_follow",
            "candidates::OF_SYSTEMS"
            | "companies::COMPANY"
            | "looks::LOOKS"
            | "turns::NOT_OVERDUE" => "jobs_of_a_system_in_order",
            // From one system to the next: it begins with the first entry.
            "candidates::SYSTEMS" => {
                let next = "SEARCH jobs USING INDEX jobs_of_a_system_in_order (system>?)";
                let steps = stage.store.steps_of(sql).await.unwrap();
                assert!(steps.iter().any(|step| step == next), "{steps:#?}");
                continue;
            }
            "candidates::LOST" | "companies::LOST_COMPANY" | "looks::LOST_LOOKS" => "jobs_leased",
            _ => continue,
        };
        let steps = stage.store.steps_of(sql).await.unwrap();
        assert!(steps.iter().any(|step| step.contains(index)), "`{name}`: {steps:#?}");
        assert!(!steps.iter().any(|step| step.starts_with("SCAN jobs")), "`{name}`: {steps:#?}");
        asked += 1;
    }
    assert_eq!(asked, 10);
}

/// The whole number behind a word of a line; 0 where it does not stand there.
fn number_behind(line: &str, word: &str) -> u64 {
    let digits = line.split_once(word).map_or("", |(_, rest)| rest);
    let end = digits.find(|one: char| !one.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().unwrap_or(0)
}

/// Records of jobs that PostgreSQL reads for a question, by what it tells of itself.
async fn jobs_read(intruder: &mut Intruder, question: &str) -> u64 {
    let steps = intruder.texts(&format!("EXPLAIN (ANALYZE, COSTS OFF) EXECUTE {question}")).await;
    let read = steps.iter().map(|step| {
        let found = if step.contains(" on jobs") { number_behind(step, " rows=") } else { 0 };
        found * number_behind(step, " loops=") + number_behind(step, "Removed by Filter: ")
    });
    read.sum()
}

/// The same on PostgreSQL, whatever it has counted of its tables: nothing, or that hardly anybody
/// works when thousands of jobs wait.
#[tokio::test(flavor = "multi_thread")]
async fn claims_read_no_more_than_they_take_on_postgresql() {
    let stage = Stage::postgres().await;
    let job = |_| NewJob { kind: JobKind::Request, ..new_job("crm") };
    let case = NewCase { jobs: (0..3_000).map(job).collect(), ..new_case(0) };
    assert_eq!(stage.store.open_case(case, at(0)).await.unwrap(), OpenedCase::Opened);
    let statements = quietus::store::statements();
    let named = |wanted: &str| statements.iter().find(|(name, _)| *name == wanted).unwrap().1;
    let mut intruder = stage.intruder().await;
    let now = at(7).as_microsecond();
    let sql = named("candidates::OF_SYSTEMS").for_postgresql();
    intruder.execute(&format!("PREPARE candidates (bigint, bigint, text) AS {sql}")).await;
    let company = named("companies::COMPANY").for_postgresql();
    let company =
        format!("PREPARE company (bigint, bigint, text, bigint, bigint, bigint) AS {company}");
    intruder.execute(&company).await;
    let extend = named("together::EXTEND").for_postgresql();
    let extend = format!("PREPARE extend (uuid[], text[], bigint[], bigint[], text[]) AS {extend}");
    intruder.execute(&extend).await;
    for counted in [false, true] {
        if counted {
            intruder.execute("ANALYZE").await;
        }
        for mode in ["force_custom_plan", "force_generic_plan"] {
            intruder.execute(&format!("SET plan_cache_mode = {mode}")).await;
            for (question, most) in [
                (format!("candidates ({now}, 1, '[\"crm\"]')"), 1),
                (format!("candidates ({now}, 20, '[\"crm\"]')"), 20),
                (format!("company ({now}, 20, 'crm', 1, 3, 0)"), 20),
            ] {
                let read = jobs_read(&mut intruder, &question).await;
                assert!(read >= most && read <= 4 * most, "{question} ({mode}): {read}");
            }
        }
    }
    // Many work, of which the statistics do not know; what ten of them say concerns ten jobs.
    let claimed = stage.store.claim(claim("worker", 7, 100)).await.unwrap();
    let until = at(90).as_microsecond();
    let of_ten = |value: &dyn Fn(&ClaimedJob) -> String| {
        let values: Vec<String> = claimed.iter().take(10).map(value).collect();
        format!("'{{{}}}'", values.join(","))
    };
    let question = format!(
        "extend ({}, {}, {}, {}, {})",
        of_ten(&|one| one.job.id.to_string()),
        of_ten(&|_| "worker".to_owned()),
        of_ten(&|one| one.job.attempt.to_string()),
        of_ten(&|_| until.to_string()),
        of_ten(&|_| "NULL".to_owned()),
    );
    let read = jobs_read(&mut intruder, &question).await;
    assert!((10..=20).contains(&read), "{question}: {read}");
}

async fn no_job_is_claimed_twice(stage: Stage) {
    stage.case_with_jobs(200).await;
    let workers: Vec<_> = (0..8)
        .map(|number| {
            let store = stage.store.clone();
            tokio::spawn(async move {
                let mut mine: Vec<(Uuid, u32)> = Vec::new();
                loop {
                    let wish = claim(&format!("worker-{number}"), 1, 7);
                    let claimed = store.claim(wish).await.unwrap();
                    if claimed.is_empty() {
                        return mine;
                    }
                    mine.extend(claimed.iter().map(|one| (one.job.id, one.job.attempt)));
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for worker in workers {
        all.extend(worker.await.unwrap());
    }
    assert!(all.iter().all(|(_, attempt)| *attempt == 1));
    let distinct: BTreeSet<_> = all.iter().collect();
    assert_eq!((all.len(), distinct.len()), (200, 200));
    assert_eq!(stage.store.job_counts().await.unwrap().get(&JobState::Running), Some(&200));
}

async fn a_lost_lease_is_claimed_by_another(stage: Stage) {
    let (_, jobs) = stage.case_with_jobs(1).await;
    let first = stage.claim_one("first", 0).await;
    assert!(stage.store.claim(claim("second", 59, 5)).await.unwrap().is_empty());
    assert!(stage.store.claim(claim("second", 60, 5)).await.unwrap().is_empty());
    let second = stage.claim_one("second", 61).await;
    assert_eq!((second.job.id, second.job.attempt, second.lost_attempt), (jobs[0], 2, Some(1)));
    assert_eq!(first.job.attempt, 1);
    let attempts = stage.store.attempts_of(jobs[0]).await.unwrap();
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0].result, Some(AttemptResult::Lost));
    assert_eq!(attempts[0].ended_at, Some(at(61)));
    assert_eq!((attempts[1].result, attempts[1].worker.as_str()), (None, "second"));
}

async fn an_old_attempt_changes_nothing(stage: Stage) {
    let (case, jobs) = stage.case_with_jobs(1).await;
    let old = tenure(&stage.claim_one("worker", 0).await);
    // The same worker again: only the number tells the attempts apart.
    let new = tenure(&stage.claim_one("worker", 100).await);
    assert_eq!((old.worker.as_str(), old.attempt + 1), (new.worker.as_str(), new.attempt));

    let store = &stage.store;
    assert_eq!(store.heartbeat(&old, at(900)).await.unwrap(), None);
    let progress = Progress { tenure: old.clone(), done: json!({"rows": 1}), lease_until: at(900) };
    assert_eq!(store.save_progress(progress).await.unwrap(), None);
    let start = Start {
        tenure: old.clone(),
        now: at(101),
        lease_until: at(900),
        evidence: vec![entry(Some(case), Some(jobs[0]))],
    };
    assert_eq!(store.start_attempt(start).await.unwrap(), Started::NotMine);
    let settle = Settle {
        tenure: old,
        settlement: Settlement::Completed { done: json!({}), verification: json!({}) },
        now: at(102),
        evidence: vec![entry(Some(case), Some(jobs[0]))],
    };
    assert!(!store.settle(settle).await.unwrap());

    let job = store.job(jobs[0]).await.unwrap().unwrap();
    assert_eq!((job.state, job.done), (JobState::Running, None));
    assert_eq!(job.lease, Some(("worker".to_owned(), at(160))));
    assert_eq!(stage.rows("evidence_outbox").await, 0);
    assert!(store.heartbeat(&new, at(900)).await.unwrap().is_some());
}

async fn what_is_not_due_is_not_claimed(stage: Stage) {
    let mut case = new_case(3);
    case.jobs[1].available_at = at(500);
    case.jobs[2].blocked = Some(quietus::store::BlockedReason::Dependency);
    let ids: Vec<Uuid> = case.jobs.iter().map(|job| job.id).collect();
    stage.store.open_case(case, at(0)).await.unwrap();
    let later = stage.store.job(ids[1]).await.unwrap().unwrap();
    assert_eq!(later.state, JobState::Scheduled);
    assert_eq!(stage.claim_one("worker", 1).await.job.id, ids[0]);
    assert_eq!(stage.store.next_available_at().await.unwrap(), Some(at(500)));
    let wish = Claim { lease_until: at(900), ..claim("worker", 40, 9) };
    assert!(stage.store.claim(wish).await.unwrap().is_empty());
    let claimed = stage.store.claim(claim("worker", 500, 9)).await.unwrap();
    // The second has come due; the lease of the first has ended meanwhile.
    let claimed: BTreeSet<Uuid> = claimed.iter().map(|one| one.job.id).collect();
    assert_eq!(claimed, BTreeSet::from([ids[0], ids[1]]));
    assert_eq!(
        stage.store.unblock(quietus::store::BlockedReason::Dependency, at(501)).await.unwrap(),
        1
    );
    assert_eq!(stage.claim_one("worker", 501).await.job.id, ids[2]);
}

async fn progress_comes_back_as_it_was_saved(stage: Stage) {
    let (_, jobs) = stage.case_with_jobs(1).await;
    let mine = tenure(&stage.claim_one("worker", 0).await);
    let done = json!({"version": 1, "cursor": ["a\u{0}b", 1.0, 18_446_744_073_709_551_615_u64]});
    let progress = Progress { tenure: mine, done: done.clone(), lease_until: at(300) };
    let still = stage.store.save_progress(progress).await.unwrap().unwrap();
    assert_eq!(
        still,
        StillMine {
            holds_version: 0,
            pauses_version: 0,
            rules_version: 0,
            cancel_requested: false,
        }
    );
    let job = stage.store.job(jobs[0]).await.unwrap().unwrap();
    assert_eq!(job.done, Some(done.clone()));
    // Whoever takes over goes on from there.
    assert_eq!(stage.claim_one("other", 301).await.job.done, Some(done));
}

async fn intent_and_start_are_one(stage: Stage) {
    let (case, jobs) = stage.case_with_jobs(1).await;
    let claimed = stage.claim_one("worker", 0).await;
    let intent = entry(Some(case), Some(jobs[0]));
    let start =
        |evidence| Start { tenure: tenure(&claimed), now: at(1), lease_until: at(60), evidence };
    // The same entry twice is refused, and then nothing is started either.
    let twice = start(vec![intent.clone(), intent.clone()]);
    assert!(stage.store.start_attempt(twice).await.is_err());
    assert_eq!(stage.store.attempts_of(jobs[0]).await.unwrap()[0].started_at, None);
    assert_eq!(stage.rows("evidence_outbox").await + stage.rows("evidence_details").await, 0);

    let started = stage.store.start_attempt(start(vec![intent])).await.unwrap();
    assert!(matches!(started, Started::Yes(_)));
    assert_eq!(stage.store.attempts_of(jobs[0]).await.unwrap()[0].started_at, Some(at(1)));
    assert_eq!(stage.rows("evidence_outbox").await, 1);
}

async fn a_waiting_job_is_asked_after_in_time(stage: Stage) {
    stage.case_with_jobs(1).await;
    let mine = tenure(&stage.claim_one("worker", 0).await);
    let settlement =
        Settlement::Waiting { ask_at: at(700), reference: "ticket-9".to_owned(), overdue: None };
    let settle = Settle { tenure: mine, settlement, now: at(5), evidence: Vec::new() };
    assert!(stage.store.settle(settle).await.unwrap());
    assert!(stage.store.claim(claim("worker", 699, 5)).await.unwrap().is_empty());
    let again = stage.claim_one("worker", 700).await;
    assert_eq!(again.job.reference.as_deref(), Some("ticket-9"));
    assert_eq!((again.job.attempt, again.job.attempts_allowed, again.lost_attempt), (2, 6, None));
}

/// Parts of requests, and one sweep, all of one system.
async fn parts_of_requests(stage: &Stage, many: u32) -> Vec<Uuid> {
    let mut case = crate::stage::new_case(0);
    for number in 0..=many {
        let mut job = crate::stage::new_job("crm");
        job.attempts_allowed = 8;
        if number < many {
            job.kind = JobKind::Request;
        }
        case.jobs.push(job);
    }
    let mut elsewhere = crate::stage::new_job("desk");
    elsewhere.kind = JobKind::Request;
    elsewhere.attempts_allowed = 8;
    case.jobs.push(elsewhere);
    let ids = case.jobs.iter().map(|job| job.id).collect();
    assert_eq!(stage.store.open_case(case, at(0)).await.unwrap(), OpenedCase::Opened);
    ids
}

fn of_crm(troubled: bool) -> Company {
    Company { system: "crm".to_owned(), attempts_left: 5, troubled }
}

async fn parts_of_requests_are_claimed_in_company(stage: Stage) {
    let ids = parts_of_requests(&stage, 4).await;
    let store = &stage.store;
    store.cancel_job(ids[3], "mira", at(1), Vec::new()).await.unwrap();
    let first = stage.claim_one("worker", 5).await;
    assert_eq!(first.job.id, ids[0]);
    let company = store.claim_company(claim("worker", 5, 100), &of_crm(false)).await.unwrap();
    let found: Vec<Uuid> = company.iter().map(|one| one.job.id).collect();
    assert_eq!(found, ids[1..3], "no sweep, no other system, nothing that was called off");

    // One of them is called off, another is lost to somebody else.
    assert!(store.cancel_job(ids[1], "mira", at(6), Vec::new()).await.unwrap());
    let step = |one: &ClaimedJob, done| JointStep { tenure: tenure(one), done };
    let all = vec![step(&first, Some(json!({"rows": 1}))), step(&company[0], None)];
    let seen = store.save_joint_progress(all, at(120)).await.unwrap();
    let asked: Vec<bool> = seen.iter().map(|one| one.unwrap().cancel_requested).collect();
    assert_eq!(asked, [false, true]);
    let late = store.claim_company(claim("another", 70, 100), &of_crm(false)).await.unwrap();
    assert_eq!(late.iter().map(|one| one.job.id).collect::<Vec<_>>(), [ids[2]]);
    assert_eq!(late[0].lost_attempt, Some(1));
    let both = vec![step(&company[1], Some(json!({"rows": 9}))), step(&first, None)];
    let seen = store.save_joint_progress(both, at(180)).await.unwrap();
    assert!(seen[0].is_none() && seen[1].is_some(), "{seen:?}");
    let job = store.job(ids[2]).await.unwrap().unwrap();
    assert_eq!((job.done, job.lease.unwrap().1), (None, at(130)));
    let job = store.job(ids[0]).await.unwrap().unwrap();
    assert_eq!((job.done, job.lease.unwrap().1), (Some(json!({"rows": 1})), at(180)));

    // What was lost again and again goes alone.
    let mut second = 1_000;
    for _ in 0..2 {
        let again =
            store.claim_company(claim("worker", second, 100), &of_crm(false)).await.unwrap();
        second += 1_000;
        if !again.iter().any(|one| one.job.id == ids[2]) {
            break;
        }
    }
    let again = store.claim_company(claim("worker", second, 100), &of_crm(false)).await.unwrap();
    assert!(!again.iter().any(|one| one.job.id == ids[2]));
    let alone = store.claim(claim("worker", second, 100)).await.unwrap();
    assert!(alone.iter().any(|one| one.job.id == ids[2]));
}

/// Those that have failed some times go with each other, and one that is to go by itself with nobody.
async fn those_that_fail_keep_company_with_each_other(stage: Stage) {
    let ids = parts_of_requests(&stage, 5).await;
    let store = &stage.store;
    let mut second = 5;
    let settle = |one: &ClaimedJob, settlement, second| Settle {
        tenure: tenure(one),
        settlement,
        now: at(second),
        evidence: Vec::new(),
    };
    // Three of them fail three times.
    for _ in 0..TOGETHER_AFTER_FAULT {
        for one in store.claim(claim("worker", second, 100)).await.unwrap() {
            let available_at = at(second + 10);
            let fault = JobFault { kind: "transient".to_owned(), message: "it hung up".to_owned() };
            let ended = if ids[..3].contains(&one.job.id) {
                Settlement::Retry { available_at, fault, free: true }
            } else {
                Settlement::Released { available_at }
            };
            assert!(store.settle(settle(&one, ended, second)).await.unwrap());
        }
        second += 10;
    }
    let found = |company: &[ClaimedJob]| -> Vec<Uuid> {
        let mut found: Vec<Uuid> = company.iter().map(|one| one.job.id).collect();
        found.sort_by_key(|id| ids.iter().position(|one| one == id));
        found
    };
    let fresh = store.claim_company(claim("worker", second, 100), &of_crm(false)).await.unwrap();
    assert_eq!(found(&fresh), ids[3..5]);
    let troubled = store.claim_company(claim("worker", second, 100), &of_crm(true)).await.unwrap();
    assert_eq!(found(&troubled), ids[..3]);
    for one in &troubled {
        let anew = Settlement::Anew { available_at: at(second + 10), why: "in part".to_owned() };
        assert!(store.settle(settle(one, anew, second)).await.unwrap());
        let job = store.job(one.job.id).await.unwrap().unwrap();
        assert_eq!((job.reference, job.last_fault.unwrap().kind.as_str()), (None, APART));
    }
    second += 20;
    for troubled in [true, false] {
        let company = store.claim_company(claim("worker", second, 1), &of_crm(troubled)).await;
        assert!(company.unwrap().is_empty(), "each goes by itself");
    }
    assert_eq!(found(&store.claim(claim("worker", second, 100)).await.unwrap())[..3], ids[..3]);
}
