//! Many persons, batches, limits, stopping, restriction: each person has an outcome of their own.

use std::sync::Mutex;

use quietus_connectors::{
    Direction, Fault, Grade, Progress, ProgressReport, Receipt, RefusalKind, SubjectAction,
    SubjectResult,
};

use super::club::{BATCH, SINGLE, club, member, opened};
use crate::exchange::{CalledOff, Exchange, Notes, done, erase, order, person};

fn five() -> Vec<quietus_connectors::Subject> {
    (1..=5).map(|n| person(&format!("p{n}"), &[("club_id", &format!("c{n}"))])).collect()
}

#[tokio::test]
async fn a_batch_has_an_outcome_for_each_person() {
    let kept = vec![
        member("c1", "a@shop.example", ""),
        member("c2", "b@shop.example", "member"),
        member("c4", "d@shop.example", ""),
        member("c5", "e@shop.example", ""),
        member("c6", "f@shop.example", ""),
    ];
    let exchange = Exchange::open(club, kept).await;
    let connector = exchange.connector(BATCH, &[("key", "club-key")]);
    let notes = Notes::going_on();
    let first = order(1, SubjectAction::Erase, five());
    let outcome = done(connector.execute(&first, &notes).await);
    let told: Vec<_> = outcome
        .testimonies
        .iter()
        .map(|one| (one.subject.as_str(), one.result, one.grade))
        .collect();
    let seen = Grade::Verified;
    assert_eq!(
        told,
        [
            ("p1", SubjectResult::Done, seen),
            ("p2", SubjectResult::Refused, Grade::Reported),
            ("p3", SubjectResult::Absent, seen),
            ("p4", SubjectResult::Done, seen),
            ("p5", SubjectResult::Done, seen),
        ]
    );
    assert_eq!(exchange.world().changes(), 3, "two, two and one");
    assert_eq!(exchange.world().alive(), ["c2", "c6"]);
    assert_eq!(notes.done.lock().unwrap().len(), 5, "each person is told at once");

    let looked = connector.verify(&first).await.unwrap();
    assert_eq!(looked.survivors[0].records, 1, "the member is still there");
    // Later, only who is left is asked for again.
    let later = order(2, SubjectAction::Erase, five());
    done(connector.execute(&later, &Notes::going_on()).await);
    assert_eq!(exchange.world().changes(), 4);
    let last = exchange.world().seen.iter().rfind(|seen| seen.is_a_change()).cloned().unwrap();
    assert_eq!(last.json()["ids"], serde_json::json!(["c2"]));
}

#[tokio::test]
async fn one_record_that_spoils_a_batch_does_not_keep_the_others() {
    let kept = vec![member("c1", "a@shop.example", ""), member("c2", "b@shop.example", "")];
    let exchange = Exchange::open(club, kept).await;
    let text = BATCH.replace("most: 2", "most: 4");
    let connector = exchange.connector(&text, &[("key", "club-key")]);
    let people = ["c1", "invalid-1", "c2"]
        .iter()
        .enumerate()
        .map(|(n, id)| person(&format!("p{n}"), &[("club_id", id)]))
        .collect();
    let first = order(1, SubjectAction::Erase, people);
    let outcome = done(connector.execute(&first, &Notes::going_on()).await);
    let told: Vec<_> = outcome.testimonies.iter().map(|one| one.result).collect();
    let (done, refused) = (SubjectResult::Done, SubjectResult::Refused);
    assert_eq!(told, [done, refused, done]);
    assert!(outcome.testimonies[1].words.ends_with("answered 400"));
    assert!(exchange.world().alive().is_empty());
}

#[tokio::test]
async fn of_whom_a_batch_says_nothing_nothing_is_claimed() {
    let kept = vec![member("c1", "a@shop.example", ""), member("c2", "b@shop.example", "silent")];
    let exchange = Exchange::open(club, kept).await;
    let connector = exchange.connector(BATCH, &[("key", "club-key")]);
    let people = vec![person("p1", &[("club_id", "c1")]), person("p2", &[("club_id", "c2")])];
    let first = order(1, SubjectAction::Erase, people);
    let fault = connector.execute(&first, &Notes::going_on()).await;
    assert!(matches!(fault, Err(Fault::Unknown { .. })), "{fault:?}");
}

#[tokio::test]
async fn more_records_than_allowed_are_not_touched() {
    let kept =
        (1..=5).map(|n| member(&format!("c{n}"), &format!("{n}@shop.example"), "")).collect();
    let (exchange, connector) = opened(kept).await;
    let mut first = order(1, SubjectAction::Erase, five());
    first.most_records = Some(3);
    let receipt = connector.execute(&first, &Notes::going_on()).await.unwrap();
    let Receipt::Refused { kind: RefusalKind::OverLimit, done, .. } = receipt else {
        panic!("{receipt:?}")
    };
    assert_eq!(done.testimonies.len(), 3);
    assert_eq!(exchange.world().alive(), ["c4", "c5"]);
}

#[tokio::test]
async fn stopping_keeps_what_is_done_and_the_next_attempt_goes_on() {
    let kept =
        (1..=5).map(|n| member(&format!("c{n}"), &format!("{n}@shop.example"), "")).collect();
    let (exchange, connector) = opened(kept).await;
    let notes = Notes { direction: Direction::Stop, done: Mutex::default() };
    let receipt = connector.execute(&order(1, SubjectAction::Erase, five()), &notes).await.unwrap();
    let Receipt::Stopped(outcome) = receipt else { panic!("{receipt:?}") };
    assert_eq!(outcome.testimonies.len(), 1);
    let outcome =
        done(connector.execute(&order(2, SubjectAction::Erase, five()), &Notes::going_on()).await);
    assert_eq!(outcome.testimonies.len(), 5);
    assert_eq!(exchange.world().changes(), 5, "one for each person");
}

/// A legal hold came while the vendor was asked who everybody is.
#[tokio::test]
async fn whoever_is_called_off_before_anything_is_sent_is_not_asked_for() {
    let (exchange, connector) = opened(vec![member("c1", "a@shop.example", "")]).await;
    let first = erase(1, &[("email", "a@shop.example")]);
    let receipt = connector.execute(&first, &CalledOff).await.unwrap();
    let Receipt::Stopped(outcome) = receipt else { panic!("{receipt:?}") };
    assert!(outcome.testimonies.is_empty(), "{outcome:?}");
    assert_eq!(exchange.world().changes(), 0);
    assert_eq!(exchange.world().alive(), ["c1"]);
    let second = erase(2, &[("email", "a@shop.example")]);
    let outcome = done(connector.execute(&second, &Notes::going_on()).await);
    assert_eq!(outcome.testimonies[0].result, SubjectResult::Done);
}

/// A legal hold comes after so many requests.
struct HeldAfter(usize, Mutex<usize>);

#[async_trait::async_trait]
impl Progress for HeldAfter {
    async fn committed(&self, _report: ProgressReport<'_>) -> Direction {
        Direction::Continue
    }

    async fn before_sending(&self) -> Direction {
        let mut asked = self.1.lock().unwrap();
        *asked += 1;
        if *asked > self.0 { Direction::Stop } else { Direction::Continue }
    }
}

/// A person may have thousands of records, and each of them is a request of its own.
#[tokio::test]
async fn a_hold_is_asked_for_before_each_request_of_one_person() {
    let kept = || (1..=4).map(|n| member(&format!("c{n}"), "a@shop.example", "")).collect();
    let names = ["c1", "c2", "c3", "c4"].map(|name| ("club_id", name));
    let (exchange, connector) = opened(kept()).await;
    let held = HeldAfter(2, Mutex::default());
    let receipt = connector.execute(&erase(1, &names), &held).await.unwrap();
    let Receipt::Stopped(outcome) = receipt else { panic!("{receipt:?}") };
    assert!(outcome.testimonies.is_empty(), "not all of them were asked for: {outcome:?}");
    assert_eq!(exchange.world().changes(), 2);
    assert_eq!(exchange.world().alive(), ["c3", "c4"]);
    assert_eq!(*held.1.lock().unwrap(), 3, "once for each, and never after a no");
    let outcome = done(connector.execute(&erase(2, &names), &Notes::going_on()).await);
    assert_eq!(outcome.testimonies[0].result, SubjectResult::Done);
    assert_eq!(exchange.world().changes(), 4);
}

/// And so is each piece of a request that the vendor did not take as a whole.
#[tokio::test]
async fn a_hold_is_asked_for_before_each_piece_of_a_batch() {
    let kept = vec![member("c1", "a@shop.example", ""), member("c2", "b@shop.example", "")];
    let exchange = Exchange::open(club, kept).await;
    let connector =
        exchange.connector(&BATCH.replace("most: 2", "most: 4"), &[("key", "club-key")]);
    let names = ["c1", "invalid-1", "c2"].map(|name| ("club_id", name));
    // All three, and then the first of them alone.
    let held = HeldAfter(2, Mutex::default());
    let receipt = connector.execute(&erase(1, &names), &held).await.unwrap();
    assert!(matches!(receipt, Receipt::Stopped(_)), "{receipt:?}");
    assert_eq!(exchange.world().changes(), 2);
    assert_eq!(exchange.world().alive(), ["c2"]);
}

#[tokio::test]
async fn restriction_is_imposed_seen_and_not_imposed_twice() {
    let (exchange, connector) = opened(vec![member("c1", "a@shop.example", "")]).await;
    let people = || vec![person("p1", &[("email", "a@shop.example")])];
    let first = order(1, SubjectAction::Restrict, people());
    let looked = connector.verify(&first).await.unwrap();
    assert_eq!(looked.survivors[0].records, 1, "not restricted yet");
    let outcome = done(connector.execute(&first, &Notes::going_on()).await);
    assert_eq!(outcome.testimonies[0].grade, Grade::Verified);
    assert!(exchange.world().kept[0].hidden);
    assert!(connector.verify(&first).await.unwrap().survivors.is_empty());
    let puts = |exchange: &Exchange| {
        exchange.world().seen.iter().filter(|seen| seen.method == "PUT").count()
    };
    done(connector.execute(&order(2, SubjectAction::Restrict, people()), &Notes::going_on()).await);
    assert_eq!(puts(&exchange), 1);

    let receipt =
        connector.execute(&order(1, SubjectAction::Lift, people()), &Notes::going_on()).await;
    let Ok(Receipt::Refused { kind: RefusalKind::Unsafe, reasons, .. }) = receipt else {
        panic!("{receipt:?}")
    };
    assert!(reasons[0].contains("offers no way to lift"), "{reasons:?}");
}

#[tokio::test]
async fn an_order_that_names_nobody_is_refused() {
    let (_, connector) = opened(Vec::new()).await;
    let mut order = erase(1, &[("club_id", "c1")]);
    order.persons = None;
    let fault = connector.execute(&order, &Notes::going_on()).await;
    assert!(matches!(fault, Err(Fault::Rejected { .. })));
    let exchange = Exchange::open(club, Vec::new()).await;
    let paced = SINGLE.replace("identities:", "requests_per_minute: 1200\nidentities:");
    let connector = exchange.connector(&paced, &[("key", "club-key")]);
    let began = std::time::Instant::now();
    for _ in 0..5 {
        connector.check(&order).await.unwrap();
    }
    assert!(began.elapsed().as_millis() >= 200, "four gaps of 50 ms: {:?}", began.elapsed());
}
