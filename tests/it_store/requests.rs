//! Requests of persons: taken in once, changed by whoever is faster, and forgotten for good.

use quietus::domain::{AskedRight, CaseOutcome, Digest, RequestOutcome, RequestState};
use quietus::store::{
    HeldBy, JobKind, Letter, LetterKind, NewRequest, OpenedCase, PersonTag, RequestChange,
    RequestFilter, Settle, Settlement, TakenIn,
};
use serde_json::json;
use uuid::Uuid;

use crate::stage::{Stage, at, entry, new_case, new_id, tenure};

on_both! {
    the_same_request_is_known_again,
    another_one_under_the_same_name_is_refused,
    a_person_who_asks_twice_is_told_of_the_first,
    the_same_request_many_times_at_once_is_one,
    a_change_loses_against_a_faster_one,
    a_case_and_its_request_are_written_together_or_not_at_all,
    forgetting_destroys_all_that_names_the_person,
    what_a_request_was_about_is_never_rewritten,
    dated_jobs_let_their_case_close_and_open_it_again,
    requests_are_listed_and_looked_at_in_order,
    one_that_cannot_go_on_is_put_off,
    requests_of_a_person_are_found_by_any_of_their_identities,
    a_case_gets_further_jobs_only_with_the_change_that_led_to_them,
    what_follows_after_the_answer_does_not_make_it_late,
}

pub fn new_request(name: &str, tags: &[u8]) -> NewRequest {
    NewRequest {
        id: new_id(),
        source: "controller".to_owned(),
        external_id: name.to_owned(),
        content_digest: Digest::of(name.as_bytes()),
        asked: AskedRight::Erasure,
        state: RequestState::Ready,
        received_at: at(-5),
        look_at: Some(at(10)),
        body: json!({"version": 1, "zero": "\u{0}"}),
        wrapped_key: vec![1; 60],
        key_epoch: None,
        sealed: vec![2; 60],
        tags: tags.iter().map(|tag| tag_of_vault(*tag)).collect(),
        compared: tags.iter().map(|tag| vec![*tag; 32]).collect(),
    }
}

/// A tag that was made with no epoch's key.
pub fn tag_of_vault(tag: u8) -> PersonTag {
    PersonTag { tag: vec![tag; 32], epoch: None, sealed: None }
}

/// A change to this state; the version is that of a new request.
pub fn change(id: Uuid, state: RequestState, outcome: Option<RequestOutcome>) -> RequestChange {
    RequestChange {
        id,
        version: 0,
        state,
        outcome,
        look_at: None,
        case_id: None,
        body: json!({"changed": true}),
        sealed: None,
    }
}

async fn one_that_cannot_go_on_is_put_off(stage: Stage) {
    let id = taken(&stage, "stuck", &[7]).await;
    let as_read = stage.store.request(id).await.unwrap().unwrap();
    stage.store.put_request_off(&as_read, at(70)).await.unwrap();
    let later = stage.store.request(id).await.unwrap().unwrap();
    assert_eq!((later.look_at, later.version, later.state), (Some(at(70)), 1, as_read.state));
    assert!(stage.store.requests_to_look_at(at(69), 9, true).await.unwrap().is_empty());
    // Whoever has read it before changes nothing any more.
    stage.store.put_request_off(&as_read, at(90)).await.unwrap();
    assert_eq!(stage.store.request(id).await.unwrap().unwrap(), later);
}

/// A request that is on record.
pub async fn taken(stage: &Stage, name: &str, tags: &[u8]) -> Uuid {
    let request = new_request(name, tags);
    let id = request.id;
    let taken = stage.store.take_in_request(request, at(0), vec![entry(None, None)]).await;
    assert_eq!(taken.unwrap(), TakenIn::New);
    id
}

async fn the_same_request_is_known_again(stage: Stage) {
    let id = taken(&stage, "one", &[7]).await;
    let again = new_request("one", &[7]);
    let evidence = vec![entry(None, None)];
    let TakenIn::Same(earlier) = stage.store.take_in_request(again, at(1), evidence).await.unwrap()
    else {
        panic!("it was not known again")
    };
    assert_eq!((earlier.id, earlier.version, earlier.recorded_at), (id, 0, at(0)));
    assert_eq!(earlier.body, json!({"version": 1, "zero": "\u{0}"}));
    assert_eq!((stage.rows("requests").await, stage.rows("evidence_outbox").await), (1, 1));
    let named = stage.store.request_named("controller", "one").await.unwrap().unwrap();
    assert_eq!(named, *earlier);
    assert!(stage.store.request_named("other", "one").await.unwrap().is_none());
}

async fn another_one_under_the_same_name_is_refused(stage: Stage) {
    taken(&stage, "one", &[7]).await;
    let mut other = new_request("one", &[8]);
    other.content_digest = Digest::of(b"other");
    let taken_in = stage.store.take_in_request(other, at(1), Vec::new()).await.unwrap();
    assert_eq!(taken_in, TakenIn::Differs);
    // The name belongs to its source.
    let mut elsewhere = new_request("one", &[9]);
    elsewhere.source = String::from("partner");
    let taken_in = stage.store.take_in_request(elsewhere, at(1), Vec::new()).await.unwrap();
    assert_eq!(taken_in, TakenIn::New);
    assert_eq!((stage.rows("requests").await, stage.rows("request_persons").await), (2, 2));
}

async fn a_person_who_asks_twice_is_told_of_the_first(stage: Stage) {
    let first = taken(&stage, "one", &[7, 8]).await;
    let second = new_request("two", &[9, 8]);
    let taken_in = stage.store.take_in_request(second.clone(), at(1), Vec::new()).await.unwrap();
    assert_eq!(taken_in, TakenIn::UnderWay(first));
    let restriction = NewRequest { asked: AskedRight::Restriction, ..new_request("three", &[8]) };
    let taken_in = stage.store.take_in_request(restriction, at(1), Vec::new()).await.unwrap();
    assert_eq!(taken_in, TakenIn::New, "another right is another request");
    let closed = change(first, RequestState::Closed, Some(RequestOutcome::Fulfilled));
    assert!(stage.store.change_request(closed, at(2), Vec::new()).await.unwrap());
    let taken_in = stage.store.take_in_request(second, at(3), Vec::new()).await.unwrap();
    assert_eq!(taken_in, TakenIn::New, "the first is answered");
}

async fn the_same_request_many_times_at_once_is_one(stage: Stage) {
    let at_once = async |requests: Vec<NewRequest>| -> Vec<TakenIn> {
        let taken = requests.into_iter().map(|request| {
            let store = stage.store.clone();
            tokio::spawn(async move {
                store.take_in_request(request, at(0), vec![entry(None, None)]).await
            })
        });
        let mut answers = Vec::new();
        for task in taken.collect::<Vec<_>>() {
            answers.push(task.await.unwrap().unwrap());
        }
        answers
    };
    // Under one name; each comes with an identifier of its own.
    let answers = at_once((0..12).map(|_| new_request("one", &[7])).collect()).await;
    let news = answers.iter().filter(|one| **one == TakenIn::New).count();
    assert_eq!(news, 1, "{answers:?}");
    let written = stage.store.request_named("controller", "one").await.unwrap().unwrap().id;
    let same = answers.iter().filter(|one| matches!(one, TakenIn::Same(it) if it.id == written));
    assert_eq!(same.count(), 11, "{answers:?}");
    // Under different names, with one of several identities in common.
    let many = (0..12_u8).map(|number| new_request(&format!("other-{number}"), &[100 + number, 8]));
    let answers = at_once(many.collect()).await;
    let news = answers.iter().filter(|one| **one == TakenIn::New).count();
    assert_eq!(news, 1, "{answers:?}");
    let told = answers.iter().filter(|one| matches!(one, TakenIn::UnderWay(_))).count();
    assert_eq!(told, 11, "{answers:?}");
    assert_eq!((stage.rows("requests").await, stage.rows("evidence_outbox").await), (2, 2));
    assert_eq!(stage.rows("request_persons").await, 3);
}

async fn a_change_loses_against_a_faster_one(stage: Stage) {
    let id = taken(&stage, "one", &[]).await;
    let faster = change(id, RequestState::WithAPerson, None);
    assert!(stage.store.change_request(faster, at(1), Vec::new()).await.unwrap());
    let slower = change(id, RequestState::Closed, Some(RequestOutcome::Cancelled));
    let evidence = vec![entry(None, None)];
    assert!(!stage.store.change_request(slower, at(2), evidence).await.unwrap());
    let request = stage.store.request(id).await.unwrap().unwrap();
    assert_eq!((request.state, request.version), (RequestState::WithAPerson, 1));
    assert_eq!((request.closed_at, request.outcome), (None, None));
    assert_eq!(request.sealed, Some(vec![2; 60]), "nothing new was sealed");
    assert_eq!(stage.rows("evidence_outbox").await, 1, "the slower one left no evidence");
    let closed = RequestChange {
        version: 1,
        sealed: Some(vec![3; 60]),
        ..change(id, RequestState::Closed, Some(RequestOutcome::Handled))
    };
    assert!(stage.store.change_request(closed, at(3), Vec::new()).await.unwrap());
    let request = stage.store.request(id).await.unwrap().unwrap();
    assert_eq!((request.closed_at, request.outcome), (Some(at(3)), Some(RequestOutcome::Handled)));
    assert_eq!(request.sealed, Some(vec![3; 60]));
}

async fn a_case_and_its_request_are_written_together_or_not_at_all(stage: Stage) {
    let id = taken(&stage, "one", &[]).await;
    let opening = |version: u64| {
        let mut case = new_case(1);
        case.request = Some(RequestChange {
            version,
            case_id: Some(case.id),
            ..change(id, RequestState::Executing, None)
        });
        case
    };
    let late = opening(5);
    assert_eq!(stage.store.open_case(late, at(1)).await.unwrap(), OpenedCase::Lost);
    assert_eq!((stage.rows("cases").await, stage.rows("jobs").await), (0, 0));
    let case = opening(0);
    let case_id = case.id;
    assert_eq!(stage.store.open_case(case, at(1)).await.unwrap(), OpenedCase::Opened);
    let request = stage.store.request_of_case(case_id).await.unwrap().unwrap();
    assert_eq!((request.id, request.state), (id, RequestState::Executing));
}

async fn forgetting_destroys_all_that_names_the_person(stage: Stage) {
    let (id, other) = (taken(&stage, "one", &[7, 8]).await, taken(&stage, "two", &[9]).await);
    for request in [id, other] {
        let letter = letter(request, LetterKind::Outcome, "person");
        assert!(stage.store.write_letter(letter, Vec::new()).await.unwrap());
    }
    assert!(!stage.store.forget_person(id, at(1), Vec::new()).await.unwrap(), "it is open");
    let closed = change(id, RequestState::Closed, Some(RequestOutcome::Fulfilled));
    assert!(stage.store.change_request(closed, at(2), Vec::new()).await.unwrap());
    let evidence = vec![entry(None, None)];
    assert!(stage.store.forget_person(id, at(3), evidence).await.unwrap());
    let request = stage.store.request(id).await.unwrap().unwrap();
    assert_eq!((request.wrapped_key, request.sealed, request.look_at), (None, None, None));
    assert_eq!(request.forgotten_at, Some(at(3)));
    assert_eq!(stage.rows("request_persons").await, 1, "only the other person's tag is left");
    assert_eq!(stage.rows("letters WHERE sealed IS NULL").await, 1);
    let letters = stage.store.letters_of_request(id).await.unwrap();
    assert_eq!((letters.len(), &letters[0].sealed), (1, &None));
    assert!(!stage.store.forget_person(id, at(4), Vec::new()).await.unwrap(), "once is enough");
    let back = RequestChange {
        version: request.version,
        sealed: Some(vec![4; 60]),
        ..change(id, RequestState::Closed, Some(RequestOutcome::Fulfilled))
    };
    assert!(!stage.store.change_request(back, at(5), Vec::new()).await.unwrap(), "it is over");
    let kept = stage.store.request(other).await.unwrap().unwrap();
    assert!(kept.wrapped_key.is_some() && kept.sealed.is_some());
}

async fn what_a_request_was_about_is_never_rewritten(stage: Stage) {
    let id = taken(&stage, "one", &[7]).await;
    let forgotten = taken(&stage, "two", &[]).await;
    let closed = change(forgotten, RequestState::Closed, Some(RequestOutcome::Fulfilled));
    assert!(stage.store.change_request(closed, at(2), Vec::new()).await.unwrap());
    assert!(stage.store.forget_person(forgotten, at(3), Vec::new()).await.unwrap());
    let bytes = if stage.store.kind() == "sqlite" { "x'00'" } else { "'\\x00'" };
    for attempt in [
        "UPDATE requests SET asked = 'access', version = version + 1".to_owned(),
        "UPDATE requests SET received_at = 1, version = version + 1".to_owned(),
        "UPDATE requests SET external_id = 'three', version = version + 1".to_owned(),
        "UPDATE requests SET source = 'x', version = version + 1".to_owned(),
        "UPDATE requests SET body = '{}'".to_owned(),
        format!(
            "UPDATE requests SET forgotten_at = NULL, wrapped_key = {bytes}, sealed = {bytes}, version = version + 1 WHERE forgotten_at IS NOT NULL"
        ),
        "DELETE FROM requests".to_owned(),
    ] {
        let Err(words) = stage.intrude(&attempt).await else { panic!("`{attempt}` was done") };
        assert!(words.contains("append-only"), "{attempt}: {words}");
    }
    // What the schema does not allow at all: a key without its person, a closed one without an end.
    for attempt in [
        "UPDATE requests SET sealed = NULL, version = version + 1 WHERE forgotten_at IS NULL",
        "UPDATE requests SET state = 'closed', version = version + 1 WHERE state <> 'closed'",
        "UPDATE requests SET state = 'executing', version = version + 1 WHERE state <> 'closed'",
    ] {
        assert!(stage.intrude(attempt).await.is_err(), "`{attempt}` was carried out");
    }
    assert!(stage.store.request(id).await.unwrap().unwrap().version == 0);
}

async fn dated_jobs_let_their_case_close_and_open_it_again(stage: Stage) {
    let mut case = new_case(3);
    case.jobs[1].kind = JobKind::Retained;
    case.jobs[1].available_at = at(10_000);
    case.jobs[2].kind = JobKind::Retained;
    let matters = vec!["matter-1".to_owned()];
    case.jobs[2].held_by = Some(HeldBy { matters, ..HeldBy::default() });
    let (id, dated) = (case.id, case.jobs[1].id);
    stage.store.open_case(case, at(0)).await.unwrap();
    assert!(stage.store.cases_to_certify(None, 10).await.unwrap().is_empty());
    settle_next(&stage, 1).await;
    let waiting = stage.store.cases_to_certify(None, 10).await.unwrap();
    assert_eq!(waiting.len(), 1, "what is dated and what is held do not keep the answer");
    assert_eq!(stage.store.begin_verifying(&[id]).await.unwrap(), 1);
    let finished = stage.store.finish_case(id, CaseOutcome::PartiallyRetained, at(20), Vec::new());
    assert!(finished.await.unwrap());
    let one = |case: Option<quietus::store::Case>| case.map(|case| case.state.as_str());
    assert_eq!(one(stage.store.case(id).await.unwrap()), Some("closed"));
    assert!(stage.store.claim(crate::stage::claim("worker", 9999, 5)).await.unwrap().is_empty());

    // The date comes.
    let claimed = stage.claim_one("worker", 10_000).await;
    assert_eq!((claimed.job.id, claimed.job.kind), (dated, JobKind::Retained));
    assert_eq!(one(stage.store.case(id).await.unwrap()), Some("executing"));
    assert!(stage.store.cases_to_certify(None, 10).await.unwrap().is_empty(), "it is under way");
    let settlement = Settlement::Completed { done: json!({}), verification: json!({}) };
    let settle =
        Settle { tenure: tenure(&claimed), settlement, now: at(10_001), evidence: Vec::new() };
    assert!(stage.store.settle(settle).await.unwrap());
    assert_eq!(stage.store.cases_to_certify(None, 10).await.unwrap().len(), 1);
    // The hold is released.
    assert_eq!(stage.store.release_held(at(10_002)).await.unwrap(), 1);
    assert!(stage.store.cases_to_certify(None, 10).await.unwrap().is_empty(), "it can be claimed");
    settle_next(&stage, 10_003).await;
    assert_eq!(stage.store.cases_to_certify(None, 10).await.unwrap().len(), 1);
}

/// Claims the next job and completes it.
async fn settle_next(stage: &Stage, second: i64) {
    let claimed = stage.claim_one("worker", second).await;
    let settlement = Settlement::Completed { done: json!({}), verification: json!({}) };
    let settle =
        Settle { tenure: tenure(&claimed), settlement, now: at(second), evidence: Vec::new() };
    assert!(stage.store.settle(settle).await.unwrap());
}

async fn requests_are_listed_and_looked_at_in_order(stage: Stage) {
    let mut ids = Vec::new();
    for number in 0..4 {
        let mut request = new_request(&format!("request-{number}"), &[]);
        request.received_at = at(number);
        request.look_at = (number != 2).then(|| at(100 - number));
        ids.push(request.id);
        stage.store.take_in_request(request, at(10), Vec::new()).await.unwrap();
    }
    let looked = |requests: Vec<quietus::store::Request>| -> Vec<Uuid> {
        requests.into_iter().map(|request| request.id).collect()
    };
    assert!(stage.store.requests_to_look_at(at(96), 10, true).await.unwrap().is_empty());
    let due = stage.store.requests_to_look_at(at(99), 10, true).await.unwrap();
    assert_eq!(looked(due), [ids[3], ids[1]]);
    assert_eq!(stage.store.requests_to_look_at(at(999), 1, true).await.unwrap().len(), 1);
    let page = RequestFilter { limit: 2, ..RequestFilter::default() };
    let first = stage.store.list_requests(page.clone()).await.unwrap();
    let last = first.last().map(|one| (one.received_at, one.id));
    assert_eq!(looked(first), [ids[3], ids[2]]);
    let second = RequestFilter { before: last, ..page };
    assert_eq!(looked(stage.store.list_requests(second).await.unwrap()), [ids[1], ids[0]]);
    let closed = change(ids[0], RequestState::Closed, Some(RequestOutcome::NotFound));
    stage.store.change_request(closed, at(20), Vec::new()).await.unwrap();
    let open = RequestFilter { open: true, ..RequestFilter::default() };
    assert_eq!(stage.store.list_requests(open).await.unwrap().len(), 3);
    let closed = RequestFilter {
        state: Some(RequestState::Closed),
        source: Some("controller".to_owned()),
        ..RequestFilter::default()
    };
    assert_eq!(looked(stage.store.list_requests(closed).await.unwrap()), [ids[0]]);
    let nobody = RequestFilter { source: Some("nobody".to_owned()), ..RequestFilter::default() };
    assert!(stage.store.list_requests(nobody).await.unwrap().is_empty());
}

/// A letter that nobody has delivered.
pub fn letter(request: Uuid, kind: LetterKind, recipient: &str) -> Letter {
    Letter {
        id: new_id(),
        request_id: request,
        kind,
        recipient: recipient.to_owned(),
        language: "en".to_owned(),
        template_digest: Digest::of(b"template"),
        sealed: Some(vec![5; 60]),
        written_at: at(1),
        delivered: None,
        reason: None,
    }
}

async fn requests_of_a_person_are_found_by_any_of_their_identities(stage: Stage) {
    let first = taken(&stage, "one", &[7, 8]).await;
    let second = taken(&stage, "two", &[9]).await;
    taken(&stage, "three", &[6]).await;
    let tags = |tags: &[u8]| tags.iter().map(|tag| vec![*tag; 32]).collect::<Vec<_>>();
    let found = async |wanted: &[u8]| {
        let found = stage.store.requests_of_person(tags(wanted)).await.unwrap();
        found.iter().map(|one| one.id).collect::<Vec<_>>()
    };
    assert_eq!(found(&[8, 7, 9]).await, [first, second]);
    assert!(found(&[1]).await.is_empty() && found(&[]).await.is_empty());
    let closed = change(second, RequestState::Closed, Some(RequestOutcome::Fulfilled));
    assert!(stage.store.change_request(closed, at(2), Vec::new()).await.unwrap());
    assert_eq!(found(&[9]).await, [second], "answered, and not forgotten");
    assert!(stage.store.forget_person(second, at(3), Vec::new()).await.unwrap());
    assert!(found(&[9]).await.is_empty());
}

async fn a_case_gets_further_jobs_only_with_the_change_that_led_to_them(stage: Stage) {
    let request = taken(&stage, "one", &[7]).await;
    let (case, _) = stage.case_with_jobs(1).await;
    let stay = change(request, RequestState::Ready, None);
    let more = || vec![crate::stage::new_job("system-9")];
    let added = stage.store.add_jobs(case, more(), stay.clone(), at(1), Vec::new()).await;
    assert!(added.unwrap());
    assert_eq!(stage.store.jobs_of_case(case).await.unwrap().len(), 2);
    let late = stage.store.add_jobs(case, more(), stay, at(2), vec![entry(None, None)]).await;
    assert!(!late.unwrap(), "the request was changed since it was read");
    assert_eq!(stage.store.jobs_of_case(case).await.unwrap().len(), 2);
    assert_eq!(stage.rows("evidence_outbox").await, 1, "that of the request itself");
}

async fn what_follows_after_the_answer_does_not_make_it_late(stage: Stage) {
    let id = taken(&stage, "one", &[]).await;
    let closed_at = async |version: u64, outcome: RequestOutcome, second: i64| {
        let closed = RequestChange { version, ..change(id, RequestState::Closed, Some(outcome)) };
        assert!(stage.store.change_request(closed, at(second), Vec::new()).await.unwrap());
        stage.store.request(id).await.unwrap().unwrap().closed_at
    };
    assert_eq!(closed_at(0, RequestOutcome::Failed, 1).await, Some(at(1)));
    let done = closed_at(1, RequestOutcome::PartiallyRetained, 2).await;
    assert_eq!(done, Some(at(2)), "a failure is no answer");
    assert_eq!(closed_at(2, RequestOutcome::Fulfilled, 3).await, Some(at(2)));
}
