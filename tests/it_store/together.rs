//! Steps of several jobs at once: each keeps the guard that it has alone.

use std::collections::{BTreeMap, BTreeSet};

use quietus::domain::{CaseState, JobState, RequestState, SystemName};
use quietus::store::{
    AttemptResult, ClaimedJob, JobFault, JobKind, JointStep, Learned, NewPause, OutboxEntry,
    PauseScope, RequestChange, Settle, Settlement, Start,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::data_keys::{begin, entry_under, key};
use crate::requests::{change, taken};
use crate::stage::{Stage, at, claim, entry, new_case, new_id, new_job, tenure};

on_both! {
    jobs_are_taken_together_once_and_say_what_was_lost,
    they_start_together_or_not_at_all,
    a_pause_of_one_keeps_all_from_starting_together,
    leases_are_kept_of_those_that_are_still_ones_own,
    who_looks_whether_leases_are_new_renews_none,
    they_complete_together_with_their_evidence,
    one_that_is_lost_keeps_all_from_completing_together,
    a_case_that_was_answered_is_opened_again_once,
    each_key_is_written_once_before_what_it_seals,
    how_far_an_attempt_came_is_written_with_its_end,
    cases_and_requests_are_read_together,
    many_large_rows_go_in_parts,
}

/// Claims so many jobs of one case for a worker at this second.
async fn claimed(stage: &Stage, worker: &str, second: i64, many: u32) -> Vec<ClaimedJob> {
    let found = stage.store.claim(claim(worker, second, many)).await.unwrap();
    assert_eq!(found.len(), many as usize);
    found
}

fn starts(claimed: &[ClaimedJob], second: i64) -> Vec<Start> {
    let start = |one: &ClaimedJob| Start {
        tenure: tenure(one),
        now: at(second),
        lease_until: at(second + 100),
        evidence: vec![entry(Some(one.job.case_id), Some(one.job.id))],
    };
    claimed.iter().map(start).collect()
}

fn completions(claimed: &[ClaimedJob], second: i64) -> Vec<Settle> {
    let settle = |(number, one): (usize, &ClaimedJob)| Settle {
        tenure: tenure(one),
        settlement: Settlement::Completed { done: done(number), verification: seen(number) },
        now: at(second),
        evidence: vec![
            entry(Some(one.job.case_id), Some(one.job.id)),
            entry(Some(one.job.case_id), Some(one.job.id)),
        ],
    };
    claimed.iter().enumerate().map(settle).collect()
}

/// With all that a text within a text within a text might not survive.
fn done(number: usize) -> Value {
    json!({"number": number, "words": "\"it's\" \\ a\u{0}b ü 零", "share": 1.0})
}

fn seen(number: usize) -> Value {
    json!({"survivors": [], "number": number})
}

async fn states(stage: &Stage, case: Uuid) -> BTreeMap<JobState, usize> {
    let mut states = BTreeMap::new();
    for job in stage.store.jobs_of_case(case).await.unwrap() {
        *states.entry(job.state).or_default() += 1;
    }
    states
}

async fn jobs_are_taken_together_once_and_say_what_was_lost(stage: Stage) {
    let (case, jobs) = stage.case_with_jobs(12).await;
    let first = claimed(&stage, "first", 0, 12).await;
    let in_order: Vec<Uuid> = first.iter().map(|one| one.job.id).collect();
    assert_eq!(in_order, jobs, "the oldest first");
    for one in &first {
        assert_eq!((one.job.state, one.job.attempt), (JobState::Running, 1));
        assert_eq!(one.job.lease, Some(("first".to_owned(), at(60))));
        assert_eq!(one.lost_attempt, None);
        assert_eq!(one.job.payload["order"], json!({"zero": "\u{0}", "share": 1.0}));
    }
    assert!(stage.store.claim(claim("second", 10, 50)).await.unwrap().is_empty());
    assert!(stage.store.settle_together(completions(&first[..2], 20)).await.unwrap());
    let second = claimed(&stage, "second", 61, 10).await;
    assert!(second.iter().all(|one| one.lost_attempt == Some(1) && one.job.attempt == 2));
    let of_case = stage.store.attempts_of_case(case).await.unwrap();
    assert_eq!(of_case.keys().copied().collect::<Vec<Uuid>>(), jobs);
    for job in &jobs[2..] {
        let attempts = stage.store.attempts_of(*job).await.unwrap();
        assert_eq!(of_case[job], attempts);
        let results: Vec<_> = attempts.iter().map(|one| (one.result, one.claimed_at)).collect();
        assert_eq!(results, [(Some(AttemptResult::Lost), at(0)), (None, at(61))]);
    }
}

async fn they_start_together_or_not_at_all(stage: Stage) {
    let (_, jobs) = stage.case_with_jobs(5).await;
    let mine = claimed(&stage, "worker", 0, 5).await;
    // One of them is somebody else's by now.
    let lost = claimed(&stage, "another", 61, 5).await;
    let kept: Vec<ClaimedJob> = lost.iter().take(4).cloned().chain([mine[4].clone()]).collect();
    assert_eq!(stage.store.start_together(starts(&kept, 62)).await.unwrap(), None);
    for job in &jobs {
        let latest = stage.store.attempts_of(*job).await.unwrap().pop().unwrap();
        assert_eq!((latest.started_at, latest.worker.as_str()), (None, "another"));
    }
    assert_eq!(stage.rows("evidence_outbox").await, 0);

    stage.store.cancel_job(jobs[1], "mira", at(63), Vec::new()).await.unwrap();
    let mut wanted = starts(&lost, 64);
    wanted.reverse();
    let asked: Vec<bool> = wanted.iter().map(|start| start.tenure.job == jobs[1]).collect();
    let seen = stage.store.start_together(wanted).await.unwrap().unwrap();
    let stops: Vec<bool> = seen.iter().map(|one| one.cancel_requested).collect();
    assert_eq!(stops, asked, "each answer belongs to its start");
    for job in &jobs {
        let latest = stage.store.attempts_of(*job).await.unwrap().pop().unwrap();
        assert_eq!(latest.started_at, Some(at(64)));
        assert_eq!(stage.store.job(*job).await.unwrap().unwrap().lease.unwrap().1, at(164));
    }
    assert_eq!(stage.rows("evidence_outbox").await, 5);
}

fn pause_of(system: &str) -> NewPause {
    NewPause {
        id: new_id(),
        scope: PauseScope::System(SystemName::parse(system).unwrap()),
        paused_by: "operator".to_owned(),
        reason: "maintenance".to_owned(),
    }
}

async fn a_pause_of_one_keeps_all_from_starting_together(stage: Stage) {
    let (_, jobs) = stage.case_with_jobs(3).await;
    let mine = claimed(&stage, "worker", 0, 3).await;
    let pause = pause_of("system-1");
    let scope = pause.scope.clone();
    assert!(stage.store.pause(pause, at(1), Vec::new()).await.unwrap());
    assert_eq!(stage.store.start_together(starts(&mine, 2)).await.unwrap(), None);
    for job in &jobs {
        assert_eq!(stage.store.attempts_of(*job).await.unwrap()[0].started_at, None);
        assert_eq!(stage.store.job(*job).await.unwrap().unwrap().lease.unwrap().1, at(60));
    }
    assert_eq!(stage.rows("evidence_outbox").await, 0);
    assert!(stage.store.resume(&scope, "operator", at(3), Vec::new()).await.unwrap());
    let seen = stage.store.start_together(starts(&mine, 4)).await.unwrap().unwrap();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|one| one.pauses_version == 2 && !one.cancel_requested));
}

async fn leases_are_kept_of_those_that_are_still_ones_own(stage: Stage) {
    let (_, jobs) = stage.case_with_jobs(4).await;
    let mine = claimed(&stage, "worker", 0, 4).await;
    let step = |one: &ClaimedJob, done| JointStep { tenure: tenure(one), done };
    let steps = vec![step(&mine[3], Some(done(3))), step(&mine[0], None), step(&mine[1], None)];
    let seen = stage.store.save_joint_progress(steps, at(90)).await.unwrap();
    assert!(seen.iter().all(Option::is_some));
    let store = &stage.store;
    let job = |id| async move { store.job(id).await.unwrap().unwrap() };
    let saved = job(jobs[3]).await;
    assert_eq!((saved.done, saved.lease.unwrap().1), (Some(done(3)), at(90)));
    // Progress that is no news leaves what is on record.
    let again = vec![step(&mine[3], None)];
    assert!(stage.store.save_joint_progress(again, at(95)).await.unwrap()[0].is_some());
    assert_eq!(job(jobs[3]).await.done, Some(done(3)));
    let lost = claimed(&stage, "another", 61, 1).await;
    assert_eq!(lost[0].job.id, jobs[2]);
    let all = mine.iter().map(|one| step(one, None)).collect();
    let seen = stage.store.save_joint_progress(all, at(200)).await.unwrap();
    let mine: Vec<bool> = seen.iter().map(Option::is_some).collect();
    assert_eq!(mine, [true, true, false, true]);
    assert_eq!(job(jobs[2]).await.lease, Some(("another".to_owned(), at(121))));
    assert!(stage.store.save_joint_progress(Vec::new(), at(300)).await.unwrap().is_empty());
}

async fn who_looks_whether_leases_are_new_renews_none(stage: Stage) {
    let (_, jobs) = stage.case_with_jobs(4).await;
    let mine = claimed(&stage, "worker", 0, 4).await;
    let store = &stage.store;
    let lease = |id| async move { store.job(id).await.unwrap().unwrap().lease.unwrap() };
    // Two of four leases are renewed, to 102.
    store.start_together(starts(&mine[..2], 2)).await.unwrap().unwrap();
    assert!(store.cancel_job(jobs[1], "mira", at(3), Vec::new()).await.unwrap());
    let tenures: Vec<_> = mine.iter().rev().map(tenure).collect();
    let seen = store.still_mine(&tenures, at(61)).await.unwrap();
    let asked: Vec<_> = seen.iter().map(|one| one.map(|one| one.cancel_requested)).collect();
    assert_eq!(asked, [None, None, Some(true), Some(false)], "in their order");
    let seen = store.still_mine(&tenures, at(60)).await.unwrap();
    assert!(seen.iter().all(Option::is_some), "a lease to this very moment is long enough");
    for (job, until) in jobs.iter().zip([102, 102, 60, 60]) {
        assert_eq!(lease(*job).await, ("worker".to_owned(), at(until)));
    }

    // What has come meanwhile is seen, and who has lost a job sees nothing of it.
    store.pause(pause_of("system-9"), at(5), Vec::new()).await.unwrap();
    let lost = claimed(&stage, "another", 61, 2).await;
    let theirs: Vec<_> = lost.iter().map(|one| one.job.id).collect();
    assert_eq!(theirs, jobs[2..]);
    let seen = store.still_mine(&tenures, at(60)).await.unwrap();
    let pauses: Vec<_> = seen.iter().map(|one| one.map(|one| one.pauses_version)).collect();
    assert_eq!(pauses, [None, None, Some(1), Some(1)]);
    assert!(store.still_mine(&[], at(60)).await.unwrap().is_empty());
}

async fn they_complete_together_with_their_evidence(stage: Stage) {
    let (case, jobs) = stage.case_with_jobs(40).await;
    let mine = claimed(&stage, "worker", 0, 40).await;
    stage.store.start_together(starts(&mine, 1)).await.unwrap().unwrap();
    let mut settles = completions(&mine, 9);
    settles.reverse();
    assert!(stage.store.settle_together(settles).await.unwrap());
    for (number, job) in jobs.iter().enumerate() {
        let settled = stage.store.job(*job).await.unwrap().unwrap();
        assert_eq!((settled.state, settled.settled_at), (JobState::Completed, Some(at(9))));
        assert_eq!((settled.lease, settled.attempts_allowed), (None, 5));
        assert_eq!((settled.done, settled.verification), (Some(done(number)), Some(seen(number))));
        let attempt = stage.store.attempts_of(*job).await.unwrap().remove(0);
        assert_eq!(
            (attempt.ended_at, attempt.result, attempt.fault),
            (Some(at(9)), Some(AttemptResult::Completed), None)
        );
    }
    assert_eq!(stage.rows("evidence_outbox").await, 120);
    let details = stage.store.details_of_case(case).await.unwrap();
    let about: BTreeSet<Uuid> = details.iter().filter_map(|detail| detail.job_id).collect();
    assert_eq!((details.len(), about.len()), (120, 40));
    // A second word after the last one changes nothing.
    assert!(!stage.store.settle_together(completions(&mine, 10)).await.unwrap());
    assert_eq!(stage.rows("evidence_outbox").await, 120);
}

async fn one_that_is_lost_keeps_all_from_completing_together(stage: Stage) {
    let (case, _) = stage.case_with_jobs(6).await;
    let mine = claimed(&stage, "worker", 0, 6).await;
    let keep = mine[1..].iter().map(|one| JointStep { tenure: tenure(one), done: None }).collect();
    stage.store.save_joint_progress(keep, at(500)).await.unwrap();
    claimed(&stage, "another", 61, 1).await;
    assert!(!stage.store.settle_together(completions(&mine, 62)).await.unwrap());
    assert_eq!(states(&stage, case).await, BTreeMap::from([(JobState::Running, 6)]));
    assert_eq!(stage.rows("evidence_outbox").await, 0);
    // Evidence that is refused undoes all of it as well.
    let mut twice = completions(&mine[1..], 63);
    let said = twice[0].evidence[0].clone();
    twice[4].evidence.push(said);
    assert!(stage.store.settle_together(twice).await.is_err());
    assert_eq!(states(&stage, case).await, BTreeMap::from([(JobState::Running, 6)]));
    assert!(stage.store.settle_together(completions(&mine[1..], 64)).await.unwrap());
    let settled = BTreeMap::from([(JobState::Running, 1), (JobState::Completed, 5)]);
    assert_eq!(states(&stage, case).await, settled);
}

/// Jobs that end after their case was answered have it certified once more.
async fn a_case_that_was_answered_is_opened_again_once(stage: Stage) {
    let mut case = new_case(0);
    for _ in 0..3 {
        let mut later = new_job("crm");
        later.kind = JobKind::Retained;
        later.available_at = at(1_000);
        case.jobs.push(later);
    }
    let id = case.id;
    stage.store.open_case(case, at(0)).await.unwrap();
    assert_eq!(stage.store.begin_verifying(&[id]).await.unwrap(), 1);
    let mine = claimed(&stage, "worker", 1_000, 3).await;
    let state_now = || async { stage.store.case(id).await.unwrap().unwrap().state };
    assert_eq!(state_now().await, CaseState::Executing, "it is under way once more");
    stage.intrude("UPDATE cases SET state = 'verifying'").await.unwrap();
    assert!(stage.store.settle_together(completions(&mine[..2], 1_001)).await.unwrap());
    assert_eq!(state_now().await, CaseState::Executing, "a certificate under way comes too early");
    assert!(stage.store.cases_to_certify(None, 10).await.unwrap().is_empty());
    assert!(stage.store.settle(completions(&mine[2..], 1_002).remove(0)).await.unwrap());
    assert_eq!(stage.store.cases_to_certify(None, 10).await.unwrap()[0].id, id);
}

async fn each_key_is_written_once_before_what_it_seals(stage: Stage) {
    let epoch = begin(&stage, "2026-11").await;
    let (one, _) = stage.case_with_jobs(1).await;
    let (other, _) = stage.case_with_jobs(1).await;
    let keys = [key(Some(one), &epoch), key(Some(other), &epoch), key(None, &epoch)];
    let entries: Vec<OutboxEntry> =
        (0..30).map(|number| entry_under(&keys[number % 3])).chain([entry(None, None)]).collect();
    stage.store.record_evidence(entries, at(1)).await.unwrap();
    assert_eq!(stage.rows("data_keys").await, 3);
    let more: Vec<OutboxEntry> = keys.iter().map(entry_under).collect();
    let fourth = key(Some(other), &epoch);
    let more = more.into_iter().chain([entry_under(&fourth)]).collect();
    stage.store.record_evidence(more, at(2)).await.unwrap();
    assert_eq!(stage.rows("data_keys").await, 4);
    let details = stage.store.details_of_case(other).await.unwrap();
    let sealed_with: BTreeSet<Uuid> =
        details.iter().map(|detail| detail.key.as_ref().unwrap().id).collect();
    assert_eq!((details.len(), sealed_with), (12, BTreeSet::from([keys[1].id, fourth.id])));
    assert_eq!(stage.rows("evidence_outbox").await, 35);
}

async fn how_far_an_attempt_came_is_written_with_its_end(stage: Stage) {
    let (_, jobs) = stage.case_with_jobs(1).await;
    let mut second = 0;
    let mut end = async |settlement: Settlement, progress| {
        let mine = tenure(&stage.claim_one("worker", second).await);
        second += 10;
        let settle = Settle { tenure: mine, settlement, now: at(second), evidence: Vec::new() };
        let learned = Learned { progress, ..Learned::default() };
        assert!(stage.store.settle_with(settle, learned).await.unwrap().settled);
        stage.store.job(jobs[0]).await.unwrap().unwrap()
    };
    let fault = || JobFault { kind: "transient".to_owned(), message: "it hung up".to_owned() };
    let retry = || Settlement::Retry { available_at: at(1), fault: fault(), free: true };
    assert_eq!(end(retry(), Some(done(1))).await.done, Some(done(1)));
    assert_eq!(end(retry(), None).await.done, Some(done(1)), "no news leave it as it is");
    let held_back = Settlement::Released { available_at: at(1) };
    assert_eq!(end(held_back, Some(done(2))).await.done, Some(done(2)));
    let completed = Settlement::Completed { done: done(3), verification: seen(3) };
    let settled = end(completed, Some(done(2))).await;
    assert_eq!((settled.state, settled.done), (JobState::Completed, Some(done(3))));

    // Whoever has lost the job writes nothing.
    let (_, jobs) = stage.case_with_jobs(1).await;
    let lost = tenure(&stage.claim_one("worker", 100).await);
    stage.claim_one("another", 200).await;
    let settle = Settle { tenure: lost, settlement: retry(), now: at(201), evidence: Vec::new() };
    let learned = Learned { progress: Some(done(4)), ..Learned::default() };
    assert!(!stage.store.settle_with(settle, learned).await.unwrap().settled);
    assert_eq!(stage.store.job(jobs[0]).await.unwrap().unwrap().done, None);
}

async fn cases_and_requests_are_read_together(stage: Stage) {
    let mut opened = BTreeMap::new();
    for name in ["one", "two"] {
        let request = taken(&stage, name, &[]).await;
        let case = new_case(1);
        let next = change(request, RequestState::Executing, None);
        let next = RequestChange { case_id: Some(case.id), ..next };
        opened.insert(case.id, request);
        let case = quietus::store::NewCase { request: Some(next), ..case };
        stage.store.open_case(case, at(1)).await.unwrap();
    }
    let (without, _) = stage.case_with_jobs(1).await;
    let wanted: BTreeSet<Uuid> = opened.keys().copied().chain([without, new_id()]).collect();
    let cases = stage.store.cases(&wanted).await.unwrap();
    assert_eq!(cases.len(), 3);
    for (id, case) in &cases {
        assert_eq!(stage.store.case(*id).await.unwrap().as_ref(), Some(case));
    }
    let requests = stage.store.requests_of_cases(&wanted).await.unwrap();
    let found: BTreeMap<Uuid, Uuid> = requests.iter().map(|(case, one)| (*case, one.id)).collect();
    assert_eq!(found, opened);
    for (case, request) in &requests {
        assert_eq!(stage.store.request_of_case(*case).await.unwrap().as_ref(), Some(request));
    }
    assert!(stage.store.cases(&BTreeSet::new()).await.unwrap().is_empty());
}

/// More than goes into one message.
async fn many_large_rows_go_in_parts(stage: Stage) {
    let (case, jobs) = stage.case_with_jobs(8).await;
    let mine = claimed(&stage, "worker", 0, 8).await;
    let large = json!({ "words": "a long list ".repeat(100_000) });
    let step = |one: &ClaimedJob| JointStep { tenure: tenure(one), done: Some(large.clone()) };
    let steps = mine.iter().map(step).collect();
    let seen = stage.store.save_joint_progress(steps, at(100)).await.unwrap();
    assert!(seen.iter().all(Option::is_some));
    let mut settles = completions(&mine, 9);
    for settle in &mut settles {
        let verification = json!({});
        settle.settlement = Settlement::Completed { done: large.clone(), verification };
    }
    assert!(stage.store.settle_together(settles).await.unwrap());
    assert_eq!(states(&stage, case).await, BTreeMap::from([(JobState::Completed, 8)]));
    assert_eq!(stage.store.job(jobs[7]).await.unwrap().unwrap().done, Some(large));
}
