//! OpenDSR in the store: brought once, moved on by whoever is first, told in order, and heard once.

use quietus::domain::{Digest, RequestOutcome, RequestState};
use quietus::store::{
    AskedRequest, Callback, CallbackState, Called, HeardCallback, NewOpendsrRequest, NewRequest,
    OpendsrDialect, OpendsrMove, OpendsrStatus, Settle, Settlement, TakenIn,
};
use uuid::Uuid;

use crate::requests::{change, new_request, tag_of_vault};
use crate::stage::{Stage, at, entry, tenure};

on_both! {
    the_same_of_one_controller_is_under_way,
    a_state_is_moved_once_and_told_at_every_address,
    calls_are_made_in_order_and_by_one_process,
    a_callback_is_heard_once_and_wakes_a_job_that_waits,
    what_was_brought_is_never_rewritten,
}

fn brought(controller: &str, mark: u8) -> NewOpendsrRequest {
    NewOpendsrRequest {
        controller: controller.to_owned(),
        dialect: OpendsrDialect::V2,
        body_tag: Digest([mark; 32]),
        group_tag: Some(Digest([9; 32])),
        expected_at: at(1000),
        sealed_urls: Some(vec![7; 40]),
    }
}

/// The request with a mark, by which the same one is under way.
fn marked(mut request: NewRequest, mark: u8) -> NewRequest {
    request.tags.push(tag_of_vault(mark));
    request.compared = vec![vec![mark; 32]];
    request
}

/// A request of a controller; what became of it.
async fn bring(stage: &Stage, controller: &str, name: &str, mark: u8) -> (Uuid, TakenIn) {
    let mut request = marked(new_request(name, &[mark]), mark + 100);
    request.source = format!("opendsr:{controller}");
    let id = request.id;
    let evidence = vec![entry(None, None)];
    let taken = stage.store.take_in_opendsr_request(
        request,
        brought(controller, mark + 100),
        at(0),
        evidence,
    );
    (id, taken.await.unwrap())
}

async fn the_same_of_one_controller_is_under_way(stage: Stage) {
    let (first, taken) = bring(&stage, "shop", "one", 1).await;
    assert_eq!(taken, TakenIn::New);
    let (_, taken) = bring(&stage, "shop", "two", 1).await;
    assert_eq!(taken, TakenIn::UnderWay(first));
    // Another set of identities, though of a person who is known, and the same name once more.
    let mut request = marked(new_request("three", &[1]), 103);
    "opendsr:shop".clone_into(&mut request.source);
    let other = brought("shop", 103);
    let taken = stage.store.take_in_opendsr_request(request, other, at(0), Vec::new()).await;
    assert_eq!(taken.unwrap(), TakenIn::New);
    let (_, taken) = bring(&stage, "shop", "one", 1).await;
    assert!(matches!(taken, TakenIn::Same(_)));
    assert_eq!(stage.rows("opendsr_requests").await, 2);
    // Whoever takes the person in at our own door is told of the first.
    let own = stage.store.take_in_request(new_request("own", &[1]), at(0), Vec::new()).await;
    assert_eq!(own.unwrap(), TakenIn::UnderWay(first));
    let group = stage.store.opendsr_group("shop", Digest([9; 32])).await.unwrap();
    assert_eq!(group.len(), 2);
    assert!(stage.store.opendsr_group("bank", Digest([9; 32])).await.unwrap().is_empty());
    // Forgotten with its person.
    let closed = change(first, RequestState::Closed, Some(RequestOutcome::Fulfilled));
    assert!(stage.store.change_request(closed, at(1), Vec::new()).await.unwrap());
    assert!(stage.store.forget_person(first, at(2), Vec::new()).await.unwrap());
    let (_, taken) = bring(&stage, "shop", "four", 1).await;
    assert!(matches!(taken, TakenIn::New), "{taken:?}");
}

fn moved(request_id: Uuid, from: OpendsrStatus, to: OpendsrStatus, version: u64) -> OpendsrMove {
    OpendsrMove { request_id, from, to, seen_version: version, places: 2 }
}

async fn a_state_is_moved_once_and_told_at_every_address(stage: Stage) {
    use OpendsrStatus::{Completed, InProgress, Pending};
    let (id, _) = bring(&stage, "shop", "one", 1).await;
    let (quiet, _) = bring(&stage, "shop", "two", 2).await;
    assert_eq!(stage.store.opendsr_changed(10).await.unwrap().len(), 2, "never looked at");
    assert!(stage.store.opendsr_moved(moved(id, Pending, Pending, 0), at(1)).await.unwrap());
    assert_eq!(stage.rows("opendsr_callbacks").await, 0);
    let left = stage.store.opendsr_changed(10).await.unwrap();
    assert_eq!(left.iter().map(|one| one.request_id).collect::<Vec<_>>(), [quiet]);
    // Two processes see the same: one of them writes.
    assert!(stage.store.opendsr_moved(moved(id, Pending, Completed, 3), at(2)).await.unwrap());
    assert!(!stage.store.opendsr_moved(moved(id, Pending, Completed, 3), at(2)).await.unwrap());
    let calls = stage.store.callbacks_of(id).await.unwrap();
    let told: Vec<(OpendsrStatus, u32)> =
        calls.iter().map(|call| (call.status, call.key.place)).collect();
    assert_eq!(told, [(InProgress, 0), (InProgress, 1), (Completed, 0), (Completed, 1)]);
    assert_eq!(stage.store.opendsr_request(id).await.unwrap().unwrap().status, Completed);
    // What is over is never looked at again, and never goes back.
    let closed = change(id, RequestState::Closed, Some(RequestOutcome::Fulfilled));
    assert!(stage.store.change_request(closed, at(3), Vec::new()).await.unwrap());
    assert_eq!(stage.store.opendsr_changed(10).await.unwrap().len(), 1);
    let back = "UPDATE opendsr_requests SET status = 'pending' WHERE status = 'completed'";
    assert!(stage.intrude(back).await.is_err());
}

async fn take(stage: &Stage, second: i64) -> Vec<Callback> {
    stage.store.take_callbacks(at(second), at(second + 60), 10).await.unwrap()
}

async fn calls_are_made_in_order_and_by_one_process(stage: Stage) {
    let (id, _) = bring(&stage, "shop", "one", 1).await;
    let one = moved(id, OpendsrStatus::Pending, OpendsrStatus::Completed, 1);
    let one = OpendsrMove { places: 1, ..one };
    assert!(stage.store.opendsr_moved(one, at(0)).await.unwrap());
    let first = take(&stage, 1).await;
    assert_eq!(first.len(), 1, "what came later waits");
    assert_eq!((first[0].status, first[0].attempts), (OpendsrStatus::InProgress, 1));
    assert!(take(&stage, 2).await.is_empty(), "somebody is at it");
    let later = Called::Later { next_at: at(100), fault: "`hooks` answered 503".to_owned() };
    assert!(stage.store.callback_called(&first[0], later, at(3)).await.unwrap());
    assert!(take(&stage, 99).await.is_empty());
    let second = take(&stage, 100).await;
    assert_eq!(second[0].attempts, 2);
    // The first attempt comes late and changes nothing.
    assert!(!stage.store.callback_called(&first[0], Called::Delivered, at(101)).await.unwrap());
    // A process that died is followed by another one.
    let third = take(&stage, 160).await;
    assert_eq!(third[0].attempts, 3);
    assert!(stage.store.callback_called(&third[0], Called::Delivered, at(161)).await.unwrap());
    let last = take(&stage, 162).await;
    assert_eq!(last[0].status, OpendsrStatus::Completed);
    let given_up = Called::GivenUp { fault: "`hooks` answered 500".to_owned() };
    assert!(stage.store.callback_called(&last[0], given_up, at(163)).await.unwrap());
    assert!(take(&stage, 10_000).await.is_empty());
    let calls = stage.store.callbacks_of(id).await.unwrap();
    let ends: Vec<CallbackState> = calls.iter().map(|call| call.state).collect();
    assert_eq!(ends, [CallbackState::Delivered, CallbackState::GivenUp]);
    assert_eq!(calls[0].last_fault, None);
    assert_eq!(calls[1].settled_at, Some(at(163)));
    assert!(stage.intrude("UPDATE opendsr_callbacks SET state = 'delivered'").await.is_err());
}

fn heard(id: Uuid, status: OpendsrStatus) -> HeardCallback {
    HeardCallback { system: "partner".to_owned(), subject_request_id: id, status }
}

async fn a_callback_is_heard_once_and_wakes_a_job_that_waits(stage: Stage) {
    let (case, jobs) = stage.case_with_jobs(1).await;
    let job = jobs[0];
    let claimed = stage.claim_one("worker", 0).await;
    let id = Uuid::from_u128(77);
    let asked = |status| [AskedRequest { subject_request_id: id, job_id: job, status }];
    stage.store.opendsr_asked("partner", &asked(OpendsrStatus::Pending)).await.unwrap();
    // It is called back while the job is still at work.
    let early = heard(id, OpendsrStatus::InProgress);
    let evidence = vec![entry(Some(case), Some(job))];
    assert!(stage.store.callback_heard(early.clone(), at(5), evidence).await.unwrap());
    let settlement =
        Settlement::Waiting { ask_at: at(5000), reference: "{}".to_owned(), overdue: None };
    let settle = Settle { tenure: tenure(&claimed), settlement, now: at(6), evidence: Vec::new() };
    assert!(stage.store.settle(settle).await.unwrap());
    assert!(!stage.store.wake_told(job, at(5), at(7)).await.unwrap(), "told before it was asked");
    assert!(stage.store.wake_told(job, at(4), at(7)).await.unwrap());
    assert_eq!(stage.store.job(job).await.unwrap().unwrap().available_at, at(7));
    let claimed = stage.claim_one("worker", 8).await;
    // What was heard is not forgotten by asking, and what was asked goes on with it.
    stage.store.opendsr_asked("partner", &asked(OpendsrStatus::Pending)).await.unwrap();
    let known = stage.store.opendsr_asked_one("partner", id).await.unwrap().unwrap();
    assert_eq!((known.status, known.job_id), (OpendsrStatus::InProgress, job));
    let settlement =
        Settlement::Waiting { ask_at: at(5000), reference: "{}".to_owned(), overdue: None };
    let settle = Settle { tenure: tenure(&claimed), settlement, now: at(9), evidence: Vec::new() };
    assert!(stage.store.settle(settle).await.unwrap());
    // Twice, out of order, of another system, of nobody: nothing is written.
    for wrong in [
        early,
        heard(id, OpendsrStatus::Pending),
        heard(Uuid::from_u128(78), OpendsrStatus::Completed),
        HeardCallback { system: "other".to_owned(), ..heard(id, OpendsrStatus::Completed) },
    ] {
        assert!(!stage.store.callback_heard(wrong, at(10), vec![entry(None, None)]).await.unwrap());
    }
    assert_eq!(stage.store.job(job).await.unwrap().unwrap().available_at, at(5000));
    let end = heard(id, OpendsrStatus::Completed);
    assert!(stage.store.callback_heard(end, at(11), vec![entry(None, None)]).await.unwrap());
    assert_eq!(stage.store.job(job).await.unwrap().unwrap().available_at, at(11));
    assert!(stage.store.opendsr_asked_one("other", id).await.unwrap().is_none());
    assert!(stage.intrude("UPDATE opendsr_asked SET step = 0").await.is_err());
}

async fn what_was_brought_is_never_rewritten(stage: Stage) {
    bring(&stage, "shop", "one", 1).await;
    for wrong in [
        "UPDATE opendsr_requests SET controller = 'bank'",
        "UPDATE opendsr_requests SET expected_at = 1",
        "UPDATE opendsr_requests SET sealed_urls = NULL",
        "UPDATE opendsr_requests SET seen_version = -2",
        "UPDATE opendsr_requests SET status = 'failed'",
        "DELETE FROM opendsr_requests",
    ] {
        assert!(stage.intrude(wrong).await.is_err(), "`{wrong}` was carried out");
    }
}
