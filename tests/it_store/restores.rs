//! Restores: while a system is in quarantine nothing goes on there but what does again what was
//! done, and it is opened only once all of that is completed.

use quietus::domain::{CaseOutcome, JobState, RequestOutcome, RequestState, SystemName};
use quietus::store::{
    Canary, Claim, Company, JobKind, NewJob, NewRestore, OpenedCase, RestoreBegun, Settle,
    Settlement, Start, Started,
};
use serde_json::json;
use uuid::Uuid;

use crate::requests::{change, new_request};
use crate::stage::{Stage, at, claim, entry, new_case, new_id, new_job, tenure};

on_both! {
    only_what_belongs_to_the_restore_is_claimed,
    a_job_that_was_claimed_before_does_not_begin,
    a_system_is_in_one_quarantine_at_most,
    it_opens_only_when_everything_is_completed,
    what_was_done_for_persons_since_is_found,
    nobody_is_forgotten_of_whom_something_is_done_again,
    a_canary_only_counts_up,
}

fn replay(system: &str) -> NewJob {
    NewJob { kind: JobKind::Replay, total_estimate: None, ..new_job(system) }
}

/// A restore of `system-0` to the state of the first second, begun at the tenth.
pub fn new_restore(replays: Vec<(Uuid, NewJob)>) -> NewRestore {
    let case = new_case(1);
    NewRestore {
        id: new_id(),
        system: SystemName::parse("system-0").unwrap(),
        taken_at: at(1),
        copy: Some("nightly/20260101".to_owned()),
        announced: true,
        back_since: at(9),
        begun_by: "ada".to_owned(),
        reason: "OPS-7".to_owned(),
        case,
        replays,
        forgotten: 2,
        evidence: vec![entry(None, None)],
    }
}

async fn complete(stage: &Stage, second: i64) -> (JobKind, String) {
    let claimed = stage.claim_one("worker", second).await;
    let settlement = Settlement::Completed { done: json!({}), verification: json!({}) };
    let now = at(second);
    let settle = Settle { tenure: tenure(&claimed), settlement, now, evidence: Vec::new() };
    assert!(stage.store.settle(settle).await.unwrap());
    (claimed.job.kind, claimed.job.system)
}

async fn only_what_belongs_to_the_restore_is_claimed(stage: Stage) {
    let store = &stage.store;
    let (person, _) = stage.case_with_jobs(2).await;
    let restore = new_restore(vec![(person, replay("system-0"))]);
    let (id, own) = (restore.id, restore.case.id);
    assert_eq!(store.begin_restore(restore, at(10)).await.unwrap(), RestoreBegun::Yes);
    let wish = |limit| Claim { limit, ..claim("worker", 11, limit) };
    let company = Company { system: "system-0".to_owned(), attempts_left: 0, troubled: false };
    let mine = store.claim_company(wish(50), &company).await.unwrap();
    assert_eq!(mine.iter().map(|one| one.job.kind).collect::<Vec<_>>(), [JobKind::Replay]);
    let mut kinds: Vec<(JobKind, String, bool)> = store
        .claim(wish(50))
        .await
        .unwrap()
        .into_iter()
        .map(|one| (one.job.kind, one.job.system, one.job.case_id == own))
        .collect();
    kinds.sort_by_key(|one| one.1.clone());
    let sweep = |system: &str, own| (JobKind::Sweep, system.to_owned(), own);
    assert_eq!(kinds, [sweep("system-0", true), sweep("system-1", false)]);
    let under_way = store.restores_under_way().await.unwrap();
    assert_eq!(under_way.iter().map(|one| one.id).collect::<Vec<_>>(), [id]);
    assert_eq!(under_way[0].taken_at, at(1));
    assert_eq!(store.restore_of_case(own).await.unwrap().map(|one| one.id), Some(id));
    let replayed = mine[0].job.id;
    assert_eq!(store.restore_of_job(replayed).await.unwrap().map(|one| one.id), Some(id));
}

async fn a_job_that_was_claimed_before_does_not_begin(stage: Stage) {
    let store = &stage.store;
    stage.case_with_jobs(1).await;
    let claimed = stage.claim_one("worker", 5).await;
    let version = store.pauses_version().await.unwrap();
    assert_eq!(
        store.begin_restore(new_restore(Vec::new()), at(10)).await.unwrap(),
        RestoreBegun::Yes
    );
    assert!(store.pauses_version().await.unwrap() > version, "whoever runs notices");
    let start =
        Start { tenure: tenure(&claimed), now: at(11), lease_until: at(70), evidence: Vec::new() };
    let started = store.start_attempt(start).await.unwrap();
    assert!(matches!(started, Started::Paused(_)), "{started:?}");
}

async fn a_system_is_in_one_quarantine_at_most(stage: Stage) {
    let store = &stage.store;
    assert_eq!(
        store.begin_restore(new_restore(Vec::new()), at(10)).await.unwrap(),
        RestoreBegun::Yes
    );
    let cases = stage.rows("cases").await;
    assert_eq!(
        store.begin_restore(new_restore(Vec::new()), at(11)).await.unwrap(),
        RestoreBegun::UnderWay
    );
    assert_eq!(stage.rows("cases").await, cases, "nothing was written");
    assert_eq!(stage.rows("restores").await, 1);
}

async fn it_opens_only_when_everything_is_completed(stage: Stage) {
    let store = &stage.store;
    let (person, _) = stage.case_with_jobs(1).await;
    assert_eq!(complete(&stage, 2).await.0, JobKind::Sweep);
    assert_eq!(store.begin_verifying(&[person]).await.unwrap(), 1);
    assert!(store.finish_case(person, CaseOutcome::Fulfilled, at(3), Vec::new()).await.unwrap());
    let restore = new_restore(vec![(person, replay("system-0"))]);
    let id = restore.id;
    assert_eq!(store.begin_restore(restore, at(10)).await.unwrap(), RestoreBegun::Yes);
    let reopened = store.case(person).await.unwrap().unwrap();
    assert_eq!(reopened.closed_at, None, "its certificate is to be made anew");
    for second in [11, 12] {
        let opened = store.open_restore(id, "ada", at(second), Vec::new()).await.unwrap();
        assert!(!opened, "something is left");
        complete(&stage, second).await;
    }
    let counts = store.restore_counts(id).await.unwrap();
    assert_eq!((counts.replays, counts.completed, counts.failed), (1, 1, 0));
    let done = Some(JobState::Completed);
    assert_eq!(store.restore_jobs(id, done, Uuid::nil(), 10).await.unwrap().len(), 1);
    assert!(store.open_restore(id, "ada", at(13), vec![entry(None, None)]).await.unwrap());
    assert!(!store.open_restore(id, "ada", at(14), Vec::new()).await.unwrap());
    assert!(store.restores_under_way().await.unwrap().is_empty());
    let latest = store.latest_restores(10).await.unwrap();
    assert_eq!(latest[0].opened, Some(("ada".to_owned(), at(13))));
    assert_eq!(
        store.begin_restore(new_restore(Vec::new()), at(15)).await.unwrap(),
        RestoreBegun::Yes,
        "once more"
    );
}

async fn what_was_done_for_persons_since_is_found(stage: Stage) {
    let store = &stage.store;
    let mut cases = Vec::new();
    for (number, name) in ["early", "late"].into_iter().enumerate() {
        let request = new_request(name, &[u8::try_from(number).unwrap()]);
        let id = request.id;
        store.take_in_request(request, at(0), Vec::new()).await.unwrap();
        let mut case = new_case(1);
        case.jobs[0].kind = JobKind::Request;
        case.request = Some(quietus::store::RequestChange {
            case_id: Some(case.id),
            ..change(id, RequestState::Executing, None)
        });
        cases.push(case.id);
        assert_eq!(store.open_case(case, at(1)).await.unwrap(), OpenedCase::Opened);
        let second = 10 + 10 * i64::try_from(number).unwrap();
        assert_eq!(complete(&stage, second).await.0, JobKind::Request);
    }
    let found = store.replayable("system-0", at(20)).await.unwrap();
    assert_eq!(found.iter().map(|one| one.case_id).collect::<Vec<_>>(), cases[1..]);
    assert!(!found[0].forgotten && !found[0].keeps_up);
    assert_eq!(store.replayable("system-0", at(10)).await.unwrap().len(), 2);
    assert!(store.replayable("system-1", at(0)).await.unwrap().is_empty());
}

/// Whoever forgets a person and whoever has something done for them again do not see each other at work:
/// whoever comes second does not do it.
async fn nobody_is_forgotten_of_whom_something_is_done_again(stage: Stage) {
    let store = &stage.store;
    let mut known = Vec::new();
    for (number, name) in ["one", "two"].into_iter().enumerate() {
        let request = new_request(name, &[u8::try_from(number).unwrap()]);
        let id = request.id;
        store.take_in_request(request, at(0), Vec::new()).await.unwrap();
        let mut case = new_case(1);
        case.jobs[0].kind = JobKind::Request;
        let case_id = case.id;
        case.request = Some(quietus::store::RequestChange {
            case_id: Some(case_id),
            ..change(id, RequestState::Executing, None)
        });
        assert_eq!(store.open_case(case, at(1)).await.unwrap(), OpenedCase::Opened);
        complete(&stage, 2).await;
        let version = store.request(id).await.unwrap().unwrap().version;
        let closed = quietus::store::RequestChange {
            version,
            case_id: Some(case_id),
            ..change(id, RequestState::Closed, Some(RequestOutcome::Fulfilled))
        };
        assert!(store.change_request(closed, at(3), Vec::new()).await.unwrap());
        assert!(!store.forget_person(id, at(4), Vec::new()).await.unwrap(), "it is not certified");
        stage.close_cases().await;
        known.push((id, case_id));
    }
    let [(one, of_one), (two, of_two)] = known[..] else { panic!("two") };
    let replays = |case| new_restore(vec![(case, replay("system-0"))]);
    assert!(store.forget_person(one, at(5), Vec::new()).await.unwrap());
    let begun = store.begin_restore(replays(of_one), at(10)).await.unwrap();
    assert_eq!(begun, RestoreBegun::SomebodyForgotten);
    assert!(store.restores_under_way().await.unwrap().is_empty(), "nothing is written");
    let begun = store.begin_restore(replays(of_two), at(11)).await.unwrap();
    assert_eq!(begun, RestoreBegun::Yes);
    assert!(!store.forget_person(two, at(12), Vec::new()).await.unwrap(), "it is done again");
}

async fn a_canary_only_counts_up(stage: Stage) {
    let store = &stage.store;
    assert_eq!(store.canary("shop").await.unwrap(), None);
    let canary = |number: u64| Canary {
        number,
        written_at: at(i64::try_from(number).unwrap()),
        name: Some(format!("canary-{number}")),
    };
    for (number, kept) in [(1, 1), (3, 3), (2, 3)] {
        store.remember_canary("shop", canary(number)).await.unwrap();
        assert_eq!(store.canary("shop").await.unwrap(), Some(canary(kept)));
    }
    // As a version left it that did not write names down.
    assert_eq!(stage.intrude("UPDATE canaries SET name = NULL").await.unwrap(), 1);
    assert_eq!(store.canary("shop").await.unwrap(), Some(Canary { name: None, ..canary(3) }));
    store.remember_canary("shop", canary(4)).await.unwrap();
    assert_eq!(store.canary("shop").await.unwrap(), Some(canary(4)));
    assert!(stage.intrude("UPDATE canaries SET name = ''").await.is_err());
}
