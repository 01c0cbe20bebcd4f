//! Later looks: planted from what was done, due at their pace, and found things with what becomes of
//! them.

use quietus::domain::{RequestOutcome, RequestState};
use quietus::store::{
    CaseCause, Decides, FoundAgain, JobKind, KeptLook, LaterLook, LookResult, NewCase, NewJob,
    ReappearanceState, RequestChange, RestoreBegun, Settle, Settlement,
};
use serde_json::json;
use uuid::Uuid;

use crate::requests::{change, taken};
use crate::restores::new_restore;
use crate::stage::{Stage, at, entry, new_case, new_id, new_job, tenure};

on_both! {
    they_are_planted_from_what_was_done_and_due_in_turn,
    what_is_found_goes_again_in_the_same_transaction,
    a_person_is_asked_once_and_decides_once,
    two_looks_at_once_state_a_finding_once,
    nobody_is_looked_for_who_is_forgotten,
}

fn job(kind: JobKind) -> NewJob {
    NewJob { kind, ..new_job("system-0") }
}

/// The case of somebody's request, whose one job was completed at this second.
async fn done(stage: &Stage, name: &str, second: i64) -> (Uuid, Uuid) {
    let request = taken(stage, name, &[u8::try_from(second).unwrap()]).await;
    let mut case = new_case(0);
    let id = case.id;
    let executing = RequestState::Executing;
    let change = RequestChange { case_id: Some(id), ..change(request, executing, None) };
    case.jobs = vec![job(JobKind::Request)];
    let case = NewCase { cause: CaseCause::Request, request: Some(change), ..case };
    stage.store.open_case(case, at(1)).await.unwrap();
    complete(stage, second).await;
    (id, request)
}

async fn complete(stage: &Stage, second: i64) {
    let claimed = stage.claim_one("worker", second).await;
    let settlement = Settlement::Completed { done: json!({}), verification: json!({}) };
    let now = at(second);
    let settle = Settle { tenure: tenure(&claimed), settlement, now, evidence: Vec::new() };
    assert!(stage.store.settle(settle).await.unwrap());
}

async fn keep(stage: &Stage, case_id: Uuid, result: LookResult, second: i64) {
    let (system, evidence) = ("system-0".to_owned(), vec![entry(Some(case_id), None)]);
    let look = KeptLook { case_id, system, result, evidence };
    let finds = matches!(&look.result, LookResult::Again(..) | LookResult::Asks(..));
    let kept = stage.store.keep_looks(vec![look], at(second)).await.unwrap();
    assert_eq!(kept, u64::from(finds));
}

/// What a look finds that begins now.
async fn found(stage: &Stage, case: Uuid) -> FoundAgain {
    let look = stage.store.later_looks_of(case).await.unwrap().remove(0);
    let LaterLook { done_at, seen_at, well_at, .. } = look;
    FoundAgain { id: new_id(), done_at, seen_at, well_at, records: 2 }
}

async fn due(stage: &Stage, seen_until: i64, now: i64) -> Vec<Uuid> {
    stage.store.cases_to_look_for(at(seen_until), at(now), 100).await.unwrap()
}

async fn they_are_planted_from_what_was_done_and_due_in_turn(stage: Stage) {
    let store = &stage.store;
    let (one, _) = done(&stage, "one", 5).await;
    let (two, _) = done(&stage, "two", 8).await;
    assert_eq!(store.plant_later_looks("system-0").await.unwrap(), 2);
    assert_eq!(store.plant_later_looks("system-0").await.unwrap(), 0, "once");
    assert_eq!(store.plant_later_looks("system-1").await.unwrap(), 0);
    assert_eq!(due(&stage, 4, 100).await, Vec::<Uuid>::new());
    assert_eq!(due(&stage, 5, 100).await, [one]);
    assert_eq!(due(&stage, 8, 100).await.len(), 2);
    keep(&stage, one, LookResult::Well, 20).await;
    assert_eq!(due(&stage, 19, 100).await, [two]);
    let trouble = LookResult::Trouble { why: "it does not answer".to_owned(), again_at: at(40) };
    keep(&stage, two, trouble, 30).await;
    assert_eq!(due(&stage, 19, 39).await, Vec::<Uuid>::new());
    assert_eq!(due(&stage, 19, 40).await, [two]);
    let look = &store.later_looks_of(two).await.unwrap()[0];
    assert_eq!((look.done_at, look.well_at, look.seen_at), (at(8), at(8), at(8)));
    assert_eq!(store.troubled_looks(10).await.unwrap().len(), 1);
    let counts = store.later_look_counts().await.unwrap();
    assert_eq!((counts.living, counts.troubled, counts.oldest_seen), (2, 1, Some(at(8))));
    assert!(store.owes_a_look(one, at(20)).await.unwrap());
    assert!(!store.owes_a_look(one, at(19)).await.unwrap());
    assert!(!store.owes_a_look(two, at(50)).await.unwrap(), "nobody waits for who does not answer");
    // The clock was set back.
    keep(&stage, one, LookResult::Well, 15).await;
    assert_eq!(store.later_looks_of(one).await.unwrap()[0].seen_at, at(20));
    // In quarantine nobody is looked for.
    assert_eq!(
        store.begin_restore(new_restore(Vec::new()), at(60)).await.unwrap(),
        RestoreBegun::Yes
    );
    assert_eq!(due(&stage, 70, 70).await, Vec::<Uuid>::new());
}

async fn what_is_found_goes_again_in_the_same_transaction(stage: Stage) {
    let store = &stage.store;
    let (case, _) = done(&stage, "one", 5).await;
    store.plant_later_looks("system-0").await.unwrap();
    let replay = job(JobKind::Replay);
    let id = replay.id;
    let first = found(&stage, case).await;
    keep(&stage, case, LookResult::Again(first, replay), 20).await;
    let known = store.reappearance_of_job(id).await.unwrap().unwrap();
    assert_eq!((known.case_id, known.state, known.records), (case, ReappearanceState::Again, 2));
    assert_eq!((known.well_at, known.found_at), (at(5), at(20)));
    assert_eq!(due(&stage, 20, 100).await, Vec::<Uuid>::new(), "it is being done again");
    let look = &store.later_looks_of(case).await.unwrap()[0];
    assert_eq!((look.well_at, look.seen_at), (at(5), at(20)));
    complete(&stage, 25).await;
    assert_eq!(store.plant_later_looks("system-0").await.unwrap(), 1);
    let look = &store.later_looks_of(case).await.unwrap()[0];
    assert_eq!((look.done_at, look.well_at, look.seen_at), (at(25), at(25), at(25)));
    assert_eq!(due(&stage, 25, 100).await, [case]);
    // A job that is on record already is not written twice, and nothing else of the look either.
    let twice = NewJob { id, ..job(JobKind::Replay) };
    let look = KeptLook {
        case_id: case,
        system: "system-0".to_owned(),
        result: LookResult::Again(found(&stage, case).await, twice),
        evidence: Vec::new(),
    };
    assert!(store.keep_looks(vec![look], at(30)).await.is_err());
    assert_eq!(store.later_looks_of(case).await.unwrap()[0].seen_at, at(25));
    assert_eq!(stage.rows("reappearances").await, 1);
}

async fn a_person_is_asked_once_and_decides_once(stage: Stage) {
    let store = &stage.store;
    let (case, _) = done(&stage, "one", 5).await;
    let (other, _) = done(&stage, "two", 6).await;
    store.plant_later_looks("system-0").await.unwrap();
    for second in [20, 30] {
        for one in [case, other] {
            let found = found(&stage, one).await;
            keep(&stage, one, LookResult::Asks(found, "new business".to_owned()), second).await;
        }
    }
    assert_eq!(stage.rows("reappearances").await, 2);
    assert!(store.owes_a_look(case, at(0)).await.unwrap(), "somebody has to decide");
    let asked = store.asking_of_case(case).await.unwrap();
    assert_eq!((asked.len(), asked[0].found_at), (1, at(20)));
    let decides = |job| Decides { by: "ada", reason: "CRM-12", job, evidence: Vec::new() };
    let id = asked[0].id;
    assert!(store.decide_reappearance(id, decides(None), at(40)).await.unwrap());
    let replay = || Some(job(JobKind::Replay));
    assert!(!store.decide_reappearance(id, decides(replay()), at(41)).await.unwrap());
    assert_eq!(stage.rows("jobs").await, 2, "nothing was written");
    let left = store.reappearance(id).await.unwrap().unwrap();
    assert_eq!(left.state, ReappearanceState::Left);
    assert_eq!(left.decided, Some(("ada".to_owned(), at(40), "CRM-12".to_owned())));
    assert_eq!(due(&stage, 30, 100).await, [other], "nobody looks for who is left alone");
    let asked = store.asking_reappearances(Uuid::nil(), 10).await.unwrap();
    assert_eq!(asked.iter().map(|one| one.case_id).collect::<Vec<_>>(), [other]);
    assert!(store.decide_reappearance(asked[0].id, decides(replay()), at(42)).await.unwrap());
    let counts = store.later_look_counts().await.unwrap();
    assert_eq!((counts.reappeared, counts.asking, counts.living), (2, 0, 1));
    assert_eq!(store.latest_reappearances(10).await.unwrap().len(), 2);
}

/// The lead of one process ends while it looks, and another one looks as well: both have found the same.
async fn two_looks_at_once_state_a_finding_once(stage: Stage) {
    let store = &stage.store;
    let (case, _) = done(&stage, "one", 5).await;
    let (other, _) = done(&stage, "two", 6).await;
    store.plant_later_looks("system-0").await.unwrap();
    let look = |case_id, result| {
        let evidence = vec![entry(Some(case_id), None)];
        vec![KeptLook { case_id, system: "system-0".to_owned(), result, evidence }]
    };
    let again = |found| look(case, LookResult::Again(found, job(JobKind::Replay)));
    let asks = |found| look(other, LookResult::Asks(found, "new business".to_owned()));

    // Whoever only saw meanwhile that nothing is there takes no finding away.
    let (one, two) = (found(&stage, case).await, found(&stage, case).await);
    keep(&stage, case, LookResult::Well, 18).await;
    assert_eq!(store.keep_looks(again(one), at(20)).await.unwrap(), 1);
    let written = async || (stage.rows("reappearances").await, stage.rows("evidence_outbox").await);
    let before = written().await;
    // Also where its clock is behind.
    for second in [20, 19, 21] {
        assert_eq!(store.keep_looks(again(two.clone()), at(second)).await.unwrap(), 0);
    }
    assert_eq!((written().await, stage.rows("jobs").await), (before, 3));
    // One that begins while it is done again finds nothing new, nor does one that ends after it.
    let late = found(&stage, case).await;
    assert_eq!(store.keep_looks(again(late.clone()), at(22)).await.unwrap(), 0);
    complete(&stage, 25).await;
    assert_eq!(store.plant_later_looks("system-0").await.unwrap(), 1);
    for slow in [two, late] {
        assert_eq!(store.keep_looks(again(slow), at(26)).await.unwrap(), 0);
    }
    assert_eq!((written().await, stage.rows("jobs").await), (before, 3));
    // What comes back after that is another finding.
    let next = found(&stage, case).await;
    assert_eq!(store.keep_looks(again(next), at(40)).await.unwrap(), 1);
    assert_eq!((stage.rows("reappearances").await, stage.rows("jobs").await), (2, 4));

    let (one, two) = (found(&stage, other).await, found(&stage, other).await);
    assert_eq!(store.keep_looks(asks(one), at(50)).await.unwrap(), 1);
    let before = written().await;
    assert_eq!(store.keep_looks(asks(two), at(50)).await.unwrap(), 0);
    assert_eq!(written().await, before, "it is stated once");
}

async fn nobody_is_looked_for_who_is_forgotten(stage: Stage) {
    let store = &stage.store;
    let (case, request) = done(&stage, "one", 5).await;
    store.plant_later_looks("system-0").await.unwrap();
    assert_eq!(store.end_looks_for_forgotten(at(9)).await.unwrap(), 0);
    let version = store.request(request).await.unwrap().unwrap().version;
    let closed = change(request, RequestState::Closed, Some(RequestOutcome::Fulfilled));
    let closed = RequestChange { version, case_id: Some(case), ..closed };
    assert!(store.change_request(closed, at(9), Vec::new()).await.unwrap());
    stage.close_cases().await;
    assert!(store.forget_person(request, at(10), Vec::new()).await.unwrap());
    assert_eq!(store.end_looks_for_forgotten(at(11)).await.unwrap(), 1);
    assert_eq!(due(&stage, 100, 100).await, Vec::<Uuid>::new());
    assert!(store.later_looks_of(case).await.unwrap().is_empty());
    assert_eq!(store.plant_later_looks("system-0").await.unwrap(), 0);
    // What appeared and was gone before anybody had decided asks nobody any more.
    let (case, _) = done(&stage, "two", 12).await;
    store.plant_later_looks("system-0").await.unwrap();
    let found = found(&stage, case).await;
    keep(&stage, case, LookResult::Asks(found, "new business".to_owned()), 20).await;
    keep(&stage, case, LookResult::Well, 30).await;
    let gone = &store.latest_reappearances(10).await.unwrap()[0];
    assert_eq!(gone.state, ReappearanceState::Gone);
}
