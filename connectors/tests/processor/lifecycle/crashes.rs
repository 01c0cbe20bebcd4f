//! Lost answers, killed processes, vendors that are busy or carry out later: one erasure is sent.

use std::time::Duration;

use quietus_connectors::{
    Direction, Fault, Grade, Progress, ProgressReport, Receipt, SubjectAction, SubjectResult,
};
use serde_json::json;

use super::club::{SINGLE, at, member, opened};
use crate::exchange::{Answer, Notes, Trick, done, erase, order, person};

const JANE: &str = "jane@shop.example";

/// The process dies between the vendor's answer and the writing down.
struct Death;

#[async_trait::async_trait]
impl Progress for Death {
    async fn committed(&self, _report: ProgressReport<'_>) -> Direction {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_death_before_the_answer_is_written_down_sends_nothing_twice() {
    for identity in [("email", JANE), ("club_id", "c1")] {
        let (exchange, connector) = opened(vec![member("c1", JANE, "")]).await;
        let first = erase(1, &[identity]);
        let dying = connector.execute(&first, &Death);
        assert!(tokio::time::timeout(Duration::from_millis(500), dying).await.is_err());
        assert_eq!(exchange.world().changes(), 1, "the vendor has erased");
        drop(connector);
        let connector = exchange.connector(SINGLE, &[("key", "club-key")]);
        let outcome = done(connector.execute(&erase(2, &[identity]), &Notes::going_on()).await);
        assert_eq!(outcome.testimonies[0].grade, Grade::Verified);
        assert_ne!(outcome.testimonies[0].result, SubjectResult::Refused);
        assert_eq!(exchange.world().changes(), 1, "and was not asked again");
    }
}

#[tokio::test]
async fn a_lost_answer_leaves_the_outcome_open_and_is_settled_by_asking() {
    let (exchange, connector) = opened(vec![member("c1", JANE, "")]).await;
    exchange.world().tricks_on_changes.push_back(Trick::LoseAnswer);
    let fault =
        connector.execute(&erase(1, &[("club_id", "c1")]), &Notes::going_on()).await.unwrap_err();
    assert!(matches!(fault, Fault::Unknown { .. }), "{fault:?}");
    let outcome =
        done(connector.execute(&erase(2, &[("club_id", "c1")]), &Notes::going_on()).await);
    // Of a name that was given nobody can tell whether there ever was such a record.
    assert_eq!(outcome.testimonies[0].result, SubjectResult::Absent);
    let words = &outcome.testimonies[0].words;
    assert!(words.contains("an earlier attempt whose answer was lost may have erased"), "{words}");
    assert_eq!(exchange.world().changes(), 1);
}

/// Whoever never was there is not said to be erased because an earlier attempt came to nothing.
#[tokio::test]
async fn who_never_was_there_is_absent_on_every_attempt() {
    let (exchange, connector) = opened(vec![member("c2", "bob@shop.example", "")]).await;
    for (attempt, names) in [(1, &["c1"][..]), (2, &["c1"]), (3, &["c1", "c9"])] {
        let names: Vec<_> = names.iter().map(|name| ("club_id", *name)).collect();
        let outcome = done(connector.execute(&erase(attempt, &names), &Notes::going_on()).await);
        let [said] = outcome.testimonies.as_slice() else { panic!("{outcome:?}") };
        assert_eq!((said.result, said.grade), (SubjectResult::Absent, Grade::Verified));
    }
    assert_eq!(exchange.world().alive(), ["c2"]);
    // What a search still shows, or what the vendor itself says was done, was there.
    let (exchange, connector) = opened(vec![member("c1", JANE, "slow")]).await;
    let first = erase(1, &[("club_id", "c1")]);
    let receipt = connector.execute(&first, &Notes::going_on()).await.unwrap();
    let Receipt::Pending { mut reference, .. } = receipt else { panic!("{receipt:?}") };
    while let Receipt::Pending { reference: next, .. } =
        connector.follow(&first, &reference).await.unwrap()
    {
        reference = next;
    }
    assert!(exchange.world().alive().is_empty());
    let again = erase(2, &[("club_id", "c1")]);
    let outcome = done(connector.execute(&again, &Notes::going_on()).await);
    assert_eq!(outcome.testimonies[0].result, SubjectResult::Done, "its job has ended");
}

#[tokio::test]
async fn a_change_that_never_arrived_is_sent_again() {
    let (exchange, connector) = opened(vec![member("c1", JANE, "")]).await;
    let broken = Answer { lost: true, ..Answer::default() };
    exchange.world().tricks_on_changes.push_back(Trick::Instead(broken));
    let fault = connector.execute(&erase(1, &[("email", JANE)]), &Notes::going_on()).await;
    assert!(matches!(fault, Err(Fault::Unknown { .. })));
    let outcome = done(connector.execute(&erase(2, &[("email", JANE)]), &Notes::going_on()).await);
    assert_eq!(outcome.testimonies[0].result, SubjectResult::Done);
    assert!(exchange.world().alive().is_empty());
}

#[tokio::test]
async fn who_is_busy_is_left_alone_for_as_long_as_it_asks() {
    let (exchange, connector) = opened(vec![member("c1", JANE, "")]).await;
    for (answer, wanted) in [
        (Answer::status(429).with("retry-after", "7"), Some(7_000)),
        (Answer::status(503).with("retry-after", "Mon, 23 Nov 2026 10:01:00 GMT"), Some(60_000)),
        (Answer::status(429), None),
    ] {
        exchange.world().tricks_on_changes.push_back(Trick::Instead(answer));
        let fault = connector.execute(&erase(1, &[("email", JANE)]), &Notes::going_on()).await;
        let Err(Fault::Transient { retry_after_ms, message }) = fault else { panic!("{fault:?}") };
        assert_eq!(retry_after_ms, wanted, "{message}");
    }
    assert_eq!(exchange.world().alive(), ["c1"]);
}

#[tokio::test]
async fn status_codes_that_nobody_described_are_judged_with_care() {
    let (exchange, connector) = opened(vec![member("c1", JANE, "")]).await;
    for (status, kind) in [(500, "unknown"), (502, "unknown"), (403, "misconfigured")] {
        exchange.world().tricks_on_changes.push_back(Trick::Instead(Answer::status(status)));
        let fault =
            connector.execute(&erase(1, &[("email", JANE)]), &Notes::going_on()).await.unwrap_err();
        let shown = serde_json::to_value(&fault).unwrap();
        assert_eq!(shown["fault"], kind, "{status}");
        assert!(fault.to_string().contains(&status.to_string()));
    }
    // A success that is not described is not believed.
    exchange.world().tricks_on_changes.push_back(Trick::Instead(Answer::status(206)));
    let fault = connector.execute(&erase(1, &[("email", JANE)]), &Notes::going_on()).await;
    assert!(matches!(fault, Err(Fault::Unknown { .. })), "{fault:?}");
    // The same while only reading changes nothing, so it is no open outcome.
    exchange.world().tricks.push_back(Trick::Instead(Answer::status(500)));
    let fault = connector.execute(&erase(1, &[("email", JANE)]), &Notes::going_on()).await;
    assert!(matches!(fault, Err(Fault::Transient { .. })), "{fault:?}");
    assert_eq!(exchange.world().alive(), ["c1"]);
}

#[tokio::test]
async fn a_job_is_followed_to_its_end() {
    let (exchange, connector) =
        opened(vec![member("c1", JANE, "slow"), member("c2", "bob@shop.example", "")]).await;
    let people =
        vec![person("p1", &[("email", JANE)]), person("p2", &[("email", "bob@shop.example")])];
    let first = order(1, SubjectAction::Erase, people);
    let receipt = connector.execute(&first, &Notes::going_on()).await.unwrap();
    let Receipt::Pending { mut reference, ask_at } = receipt else { panic!("{receipt:?}") };
    assert_eq!(ask_at, "2026-11-23T10:05:00Z".parse().unwrap(), "five minutes later");
    let mut asked = 0;
    let outcome = loop {
        assert!(!reference.contains(JANE) && !reference.contains("bob"), "{reference}");
        asked += 1;
        // Nothing is remembered between two questions.
        let connector = at(&exchange, SINGLE, "2026-11-23T10:05:00Z");
        match connector.follow(&first, &reference).await.unwrap() {
            Receipt::Pending { reference: next, .. } => reference = next,
            Receipt::Done(outcome) => break outcome,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(asked, 3);
    let told: Vec<_> =
        outcome.testimonies.iter().map(|one| (one.subject.as_str(), one.result)).collect();
    assert_eq!(told, [("p2", SubjectResult::Done), ("p1", SubjectResult::Done)]);
    assert!(outcome.testimonies.iter().all(|one| one.grade == Grade::Verified));
    assert!(exchange.world().alive().is_empty());
}

#[tokio::test]
async fn a_job_whose_name_was_lost_is_found_again() {
    let (exchange, connector) = opened(vec![member("c1", JANE, "slow")]).await;
    exchange.world().tricks_on_changes.push_back(Trick::LoseAnswer);
    let fault = connector.execute(&erase(1, &[("email", JANE)]), &Notes::going_on()).await;
    assert!(matches!(fault, Err(Fault::Unknown { .. })));
    let receipt =
        connector.execute(&erase(2, &[("email", JANE)]), &Notes::going_on()).await.unwrap();
    let Receipt::Pending { reference, .. } = receipt else { panic!("{receipt:?}") };
    assert!(reference.contains("job-"), "{reference}");
    assert_eq!(exchange.world().changes(), 1, "the job is not begun twice");
}

#[tokio::test]
async fn a_person_is_done_when_the_last_of_their_records_is() {
    let kept =
        vec![member("c1", JANE, "slow"), member("c2", JANE, ""), member("c3", JANE, "member")];
    for (ids, wanted) in [(2, SubjectResult::Done), (3, SubjectResult::Refused)] {
        let (exchange, connector) = opened(kept.clone()).await;
        let names: Vec<_> = ["c1", "c2", "c3"][..ids].iter().map(|id| ("club_id", *id)).collect();
        exchange.world().tricks_on_changes.push_back(Trick::LoseAnswer);
        let fault = connector.execute(&erase(1, &names), &Notes::going_on()).await;
        assert!(matches!(fault, Err(Fault::Unknown { .. })));
        // The first record is under way; the others have not been asked for.
        let later = erase(2, &names);
        let notes = Notes::going_on();
        let mut receipt = connector.execute(&later, &notes).await.unwrap();
        assert!(notes.done.lock().unwrap().is_empty(), "nothing is told before all is known");
        while let Receipt::Pending { reference, .. } = receipt {
            receipt = connector.follow(&later, &reference).await.unwrap();
        }
        let Receipt::Done(outcome) = receipt else { panic!("{receipt:?}") };
        assert_eq!(outcome.testimonies.len(), 1);
        assert_eq!(outcome.testimonies[0].result, wanted);
        assert!(exchange.world().by_id("c1").is_none());
        assert_eq!(exchange.world().changes(), ids, "one for each record");
    }
}

#[tokio::test]
async fn a_job_that_fails_is_a_no_and_a_strange_reference_is_refused() {
    let (exchange, connector) = opened(vec![member("c1", JANE, "slow")]).await;
    let first = erase(1, &[("email", JANE)]);
    let receipt = connector.execute(&first, &Notes::going_on()).await.unwrap();
    let Receipt::Pending { reference, .. } = receipt else { panic!("{receipt:?}") };
    let failed = Answer::json(200, &json!({"state": "failed"}));
    exchange.world().tricks.push_back(Trick::Instead(failed));
    let outcome = done(connector.follow(&first, &reference).await);
    assert_eq!(outcome.testimonies[0].result, SubjectResult::Refused);
    assert_eq!(outcome.testimonies[0].words, "the job failed");
    for strange in ["", "{}", "job-1", "{\"jobs\":{},\"told\":{},\"more\":1}"] {
        assert!(matches!(connector.follow(&first, strange).await, Err(Fault::Rejected { .. })));
    }
}

#[tokio::test]
async fn who_is_not_there_is_tried_again_later() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    let settings = crate::exchange::settings(&host, SINGLE, &[("key", "club-key")]);
    let connector = quietus_connectors::open_processor("processor", settings).unwrap();
    let fault = connector.execute(&erase(1, &[("club_id", "c1")]), &Notes::going_on()).await;
    assert!(matches!(fault, Err(Fault::Transient { .. })), "nothing was sent: {fault:?}");
}
