//! Persons of many orders in one request: each order has an outcome of its own, nobody who was
//! stopped is sent, and nothing is sent twice.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use quietus_connectors::{
    Connector, Direction, Fault, Grade, JointProgress, Order, Outcome, Receipt, RefusalKind,
    SubjectAction, SubjectRequest, SubjectResult, Together, testkit,
};
use serde_json::{Value, json};

use super::club::{BATCH, club, member};
use crate::exchange::{Answer, Exchange, Kept, Notes, Seen, Trick, World, now, person};

/// A job for all of a request, of which the vendor only says how it ended as a whole.
const JOBS: &str = r#"
processor: 1
name: club
vendor: Club
api: "3"
documentation: https://club.example/docs
erasure_grade: deleted
parameters:
  key: { about: the key, secret: true }
base: https://club.example
authentication:
  header: { name: X-Key, value: "{key}" }
identities:
  - kind: club_id
    shape: { text: { characters: token, most: 40 } }
check:
  send: GET /
  answers: [{ status: [200], at: /club, exists: true, means: done }]
actions:
  erase:
    repeatable: true
    steps:
      - send: POST /delete
        most: 50
        json: { ids: "{ids}" }
        answers: [{ status: [202], means: pending }]
        reference: /job
        ask_after_seconds: 60
    follow:
      send: GET /jobs/{reference}
      answers:
        - { status: [200], at: /state, equals: ended, means: done }
        - { status: [200], at: /state, equals: partly, means: refused, words: it ended in part }
"#;

/// Goes on, except for orders that are to stop, and says what it was asked.
#[derive(Default)]
struct Engine {
    /// These stop once something has been sent.
    stops: Vec<usize>,
    asked: Mutex<Vec<usize>>,
    saved: Mutex<Vec<Vec<usize>>>,
    dies: bool,
}

#[async_trait]
impl JointProgress for Engine {
    async fn committed(&self, done: &[Outcome]) -> Direction {
        let told = done.iter().map(|one| one.testimonies.len()).collect();
        self.saved.lock().unwrap().push(told);
        if self.dies {
            std::future::pending::<()>().await;
        }
        // One that stops is no reason for the others to.
        if self.stops.is_empty() { Direction::Continue } else { Direction::Stop }
    }

    async fn before_sending(&self, which: &[usize]) -> Vec<Direction> {
        let begun = !self.saved.lock().unwrap().is_empty();
        self.asked.lock().unwrap().extend(which);
        let stops = |one: &usize| begun && self.stops.contains(one);
        which
            .iter()
            .map(|one| if stops(one) { Direction::Stop } else { Direction::Continue })
            .collect()
    }
}

fn one(number: usize, attempt: u32) -> Order {
    let request = SubjectRequest {
        action: SubjectAction::Erase,
        subjects: vec![person("p1", &[("club_id", &format!("c{number}"))])],
        regime: "gdpr".to_owned(),
        submitted_at: now(),
        answer_by: None,
    };
    testkit::order(&format!("order-{number}"), attempt, now(), request)
}

fn orders(many: usize, attempt: u32) -> Vec<Order> {
    (0..many).map(|number| one(number, attempt)).collect()
}

fn members(many: usize) -> Vec<Kept> {
    (0..many).map(|n| member(&format!("c{n}"), &format!("{n}@shop.example"), "")).collect()
}

async fn together(
    connector: &dyn Connector,
    orders: &[Order],
    engine: &Engine,
) -> Vec<Result<Receipt, Fault>> {
    match connector.execute_together(orders, engine).await.unwrap() {
        Together::Each(answers) if answers.len() == orders.len() => answers,
        other => panic!("{other:?}"),
    }
}

/// Of each order what was said of its one person, and how sure that is.
fn told(answers: Vec<Result<Receipt, Fault>>) -> Vec<(SubjectResult, Grade)> {
    let said = answers.into_iter().map(|answer| match answer {
        Ok(Receipt::Done(outcome)) => {
            let [testimony] = outcome.testimonies.as_slice() else { panic!("{outcome:?}") };
            assert_eq!(testimony.subject, "p1");
            (testimony.result, testimony.grade)
        }
        other => panic!("{other:?}"),
    });
    said.collect()
}

/// Bodies of the requests that erase.
fn sent(exchange: &Exchange) -> Vec<Value> {
    let world = exchange.world();
    world.seen.iter().filter(|seen| seen.is_a_change()).map(Seen::json).collect()
}

fn fifty() -> String {
    BATCH.replace("most: 2", "most: 50")
}

async fn fifty_at_once(kept: Vec<Kept>) -> (Exchange, Box<dyn Connector>) {
    let exchange = Exchange::open(club, kept).await;
    let connector = exchange.connector(&fifty(), &[("key", "club-key")]);
    (exchange, connector)
}

#[tokio::test]
async fn a_hundred_and_twenty_orders_are_three_requests_and_each_has_its_own_outcome() {
    let mut kept = members(120);
    kept[7].place = "member".to_owned();
    kept.remove(30);
    let (exchange, connector) = fifty_at_once(kept).await;
    let engine = Engine::default();
    let told = told(together(connector.as_ref(), &orders(120, 1), &engine).await);
    for (number, said) in told.into_iter().enumerate() {
        let expected = match number {
            7 => (SubjectResult::Refused, Grade::Reported),
            30 => (SubjectResult::Absent, Grade::Verified),
            _ => (SubjectResult::Done, Grade::Verified),
        };
        assert_eq!(said, expected, "order {number}");
    }
    let sizes: Vec<usize> =
        sent(&exchange).iter().map(|body| body["ids"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [50, 50, 20]);
    assert_eq!(exchange.world().alive(), ["c7"]);
    assert_eq!(engine.asked.lock().unwrap().len(), 120, "each is asked about before it is sent");
    assert_eq!(engine.saved.lock().unwrap().len(), 3, "after each request");
}

#[tokio::test]
async fn whoever_is_stopped_meanwhile_is_not_sent_and_keeps_nobody() {
    let (exchange, connector) = fifty_at_once(members(120)).await;
    let engine = Engine { stops: vec![3, 60, 119], ..Engine::default() };
    let answers = together(connector.as_ref(), &orders(120, 1), &engine).await;
    for (number, answer) in answers.iter().enumerate() {
        let stopped = matches!(answer, Ok(Receipt::Stopped(done)) if done.testimonies.is_empty());
        assert_eq!(stopped, number == 60 || number == 119, "order {number}: {answer:?}");
    }
    assert_eq!(exchange.world().alive(), ["c60", "c119"], "3 had gone before it was stopped");
}

#[tokio::test]
async fn a_death_after_the_answer_sends_nothing_twice() {
    let (exchange, connector) = fifty_at_once(members(40)).await;
    let dies = Engine { dies: true, ..Engine::default() };
    let first = orders(40, 1);
    let dying = connector.execute_together(&first, &dies);
    assert!(tokio::time::timeout(Duration::from_millis(1_500), dying).await.is_err());
    assert_eq!(exchange.world().changes(), 1, "the vendor has erased");
    let connector = exchange.connector(&fifty(), &[("key", "club-key")]);
    let told = told(together(connector.as_ref(), &orders(40, 2), &Engine::default()).await);
    // Who is known by a given name alone is not there, and nobody can tell since when.
    assert!(told.iter().all(|one| *one == (SubjectResult::Absent, Grade::Verified)), "{told:?}");
    assert_eq!(exchange.world().changes(), 1, "and was not asked again");
}

#[tokio::test]
async fn a_request_has_the_same_key_for_the_same_orders() {
    let (exchange, connector) = fifty_at_once(members(4)).await;
    let lost = || Trick::Instead(Answer { lost: true, ..Answer::default() });
    exchange.world().tricks_on_changes.extend([lost(), lost(), lost()]);
    let all = |attempt| orders(3, attempt);
    let mut turned = all(2);
    turned.rotate_left(1);
    for some in [all(1), turned, all(3)[..2].to_vec(), all(4)] {
        let answers = together(connector.as_ref(), &some, &Engine::default()).await;
        let unknown = |one: &Result<Receipt, Fault>| matches!(one, Err(Fault::Unknown { .. }));
        let came = exchange.world().alive().len() == 1;
        assert!(answers.iter().all(|one| unknown(one) || came), "{answers:?}");
    }
    let keys: Vec<String> = sent(&exchange).iter().map(|body| body["key"].to_string()).collect();
    assert_eq!(keys.len(), 4);
    assert!(keys[0] == keys[1] && keys[1] == keys[3], "the same people: {keys:?}");
    assert_ne!(keys[2], keys[0], "other people");
    assert_eq!(exchange.world().alive(), ["c3"]);
}

#[tokio::test]
async fn a_vendor_that_asks_for_a_pause_gets_it_from_all_that_are_left() {
    let (exchange, connector) = fifty_at_once(members(120)).await;
    let busy = Answer::status(429).with("retry-after", "7");
    let nothing = || Trick::LoseAnswer;
    exchange.world().tricks_on_changes.extend([Trick::Instead(busy)]);
    let answers = together(connector.as_ref(), &orders(120, 1), &Engine::default()).await;
    for answer in &answers {
        let asked_for = Some(7_000);
        assert!(
            matches!(answer, Err(Fault::Transient { retry_after_ms, .. }) if *retry_after_ms == asked_for),
            "{answer:?}"
        );
    }
    assert_eq!(exchange.world().changes(), 1, "nothing more is sent");
    assert_eq!(exchange.world().alive().len(), 120);

    // The first request is answered, the answer to the second is lost, and the third is not sent.
    let settled = Engine::default();
    exchange.world().tricks_on_changes.clear();
    let (before, after) = (orders(120, 2), orders(120, 3));
    let first = together(connector.as_ref(), &before[..50], &settled).await;
    assert!(first.iter().all(|one| matches!(one, Ok(Receipt::Done(_)))));
    exchange.world().tricks_on_changes.push_back(nothing());
    let second = together(connector.as_ref(), &before[50..], &settled).await;
    for (number, answer) in second.iter().enumerate() {
        let fits = match answer {
            Err(Fault::Unknown { .. }) => number < 50,
            Err(Fault::Transient { message, .. }) => {
                number >= 50 && message.starts_with("nothing was sent")
            }
            _ => false,
        };
        assert!(fits, "order {number}: {answer:?}");
    }
    assert_eq!(exchange.world().alive().len(), 20);
    let third = together(connector.as_ref(), &after[50..], &settled).await;
    assert!(third.iter().all(|one| matches!(one, Ok(Receipt::Done(_)))));
    let last = sent(&exchange).pop().unwrap();
    assert_eq!(last["ids"].as_array().unwrap().len(), 20, "only those who were still there");
}

#[tokio::test]
async fn of_whom_nothing_is_said_nothing_is_known_and_of_the_others_it_is() {
    let mut kept = members(5);
    kept[2].place = "silent".to_owned();
    let (_exchange, connector) = fifty_at_once(kept).await;
    let answers = together(connector.as_ref(), &orders(5, 1), &Engine::default()).await;
    for (number, answer) in answers.iter().enumerate() {
        let unknown = matches!(answer, Err(Fault::Unknown { .. }));
        assert_eq!(unknown, number == 2, "order {number}: {answer:?}");
    }
}

#[tokio::test]
async fn a_limit_holds_for_the_order_that_has_it() {
    let (exchange, connector) = fifty_at_once(members(3)).await;
    let mut some = orders(3, 1);
    some[1].most_records = Some(0);
    let answers = together(connector.as_ref(), &some, &Engine::default()).await;
    let refused = matches!(answers[1], Ok(Receipt::Refused { kind: RefusalKind::OverLimit, .. }));
    assert!(refused && answers[0].is_ok() && answers[2].is_ok(), "{answers:?}");
    assert_eq!(exchange.world().alive(), ["c1"]);
}

#[tokio::test]
async fn what_speaks_of_one_order_goes_by_itself() {
    let exchange = Exchange::open(club, members(3)).await;
    let open = |text: &str| exchange.connector(text, &[("key", "club-key")]);
    let mut late = orders(3, 1);
    late[2].persons.as_mut().unwrap().submitted_at = "2026-11-20T10:00:00Z".parse().unwrap();
    let named = fifty().replace("key: \"{idempotency_key}\"", "key: \"{order}\"");
    let dated = fifty().replace("key: \"{idempotency_key}\"", "key: \"{submitted_at}\"");
    for (text, some) in [(&named, orders(3, 1)), (&dated, late)] {
        let answer = open(text).execute_together(&some, &Engine::default()).await.unwrap();
        let Together::Apart { which, why } = answer else { panic!("{answer:?}") };
        assert!(which.is_empty() && why.contains("one order"), "{why}");
    }
    assert_eq!(exchange.world().changes(), 0);
}

/// A request becomes a job; one with `c1` in it ends in part.
fn jobs(world: &mut World, seen: &Seen) -> Answer {
    match seen.route() {
        ("POST", path) if path == ["delete"] => {
            let ids = seen.json()["ids"].as_array().cloned().unwrap_or_default();
            let ids: Vec<String> = ids.iter().map(|id| id.as_str().unwrap().to_owned()).collect();
            let name = format!("job-{}", world.jobs.len());
            world.jobs.insert(name.clone(), (ids, 0));
            Answer::json(202, &json!({ "job": name }))
        }
        ("GET", path) if path.len() == 2 && path[0] == "jobs" => {
            let (ids, _) = &world.jobs[path[1]];
            let state = if ids.iter().any(|id| id == "c1") { "partly" } else { "ended" };
            Answer::json(200, &json!({ "state": state }))
        }
        _ => Answer::status(404),
    }
}

#[tokio::test]
async fn a_no_to_many_is_a_no_to_nobody_until_each_is_asked_alone() {
    let exchange = Exchange::open(jobs, Vec::new()).await;
    let connector = exchange.connector(JOBS, &[("key", "club-key")]);
    let first = orders(3, 1);
    let answers = together(connector.as_ref(), &first, &Engine::default()).await;
    for (order, answer) in first.iter().zip(answers) {
        let Ok(Receipt::Pending { reference, .. }) = answer else { panic!("{answer:?}") };
        assert!(!reference.contains("c1"), "no identity: {reference}");
        let ended = connector.follow(order, &reference).await.unwrap();
        let Receipt::Again { why } = ended else { panic!("{ended:?}") };
        assert_eq!(why, "it ended in part: it is asked by itself");
    }
    let mut results = Vec::new();
    for order in orders(3, 2) {
        let Receipt::Pending { reference, .. } =
            connector.execute(&order, &Notes::going_on()).await.unwrap()
        else {
            panic!("it is under way")
        };
        let Receipt::Done(outcome) = connector.follow(&order, &reference).await.unwrap() else {
            panic!("it has ended")
        };
        results.push(outcome.testimonies[0].result);
    }
    let (done, refused) = (SubjectResult::Done, SubjectResult::Refused);
    assert_eq!(results, [done, refused, done]);
    assert_eq!(exchange.world().changes(), 4);
}
