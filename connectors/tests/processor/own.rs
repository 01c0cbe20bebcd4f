//! Kind `own`, against a connector as a user would write it: signatures, every answer of the
//! protocol, and words that may not pass.

use std::sync::Mutex;

use quietus_connectors::processor::{signature, signing_key};
use quietus_connectors::testkit::{self, Ending};
use quietus_connectors::{
    Connector, Fault, Grade, Receipt, RefusalKind, SubjectAction, SubjectResult, open_processor,
};
use serde_json::{Value, json};

use crate::exchange::{
    Answer, CalledOff, Exchange, Kept, Notes, Seen, Trick, World, done, erase, now, order, person,
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const JANE: &str = "jane@shop.example";

/// A connector of the user's own: it keeps records by address, and answers by order key.
fn own(world: &mut World, seen: &Seen) -> Answer {
    let key = signing_key(SECRET).unwrap();
    let time: i64 = seen.header("webhook-timestamp").parse().unwrap_or(0);
    let wanted = signature(&key, seen.header("webhook-id"), time, &seen.body);
    if seen.header("webhook-signature") != wanted || (now().as_second() - time).abs() > 300 {
        return Answer::status(401);
    }
    let body = seen.json();
    let order = &body["order"];
    if seen.method != "POST" || body["protocol"] != 1 || order["key"].as_str().is_none() {
        return Answer::status(400);
    }
    let path: Vec<&str> = seen.path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["hook", "v1", "check"] => Answer::json(200, &json!({"product": "shop backend 3.1"})),
        ["hook", "v1", "resolve" | "verify"] => {
            let subjects: Vec<Value> = named(order)
                .into_iter()
                .map(|(subject, email)| {
                    let records = world.kept.iter().filter(|one| !one.gone && one.email == email);
                    json!({"subject": subject, "records": records.count()})
                })
                .collect();
            Answer::json(200, &json!({ "subjects": subjects }))
        }
        ["hook", "v1", "execute"] => {
            if named(order).iter().any(|(_, email)| email.starts_with("slow")) {
                return Answer::json(
                    202,
                    &json!({"pending": {"reference": "run-7", "ask_after_seconds": 60}}),
                );
            }
            carried(world, order)
        }
        ["hook", "v1", "follow"] if body["reference"] == "run-7" => carried(world, order),
        _ => Answer::status(404),
    }
}

fn named(order: &Value) -> Vec<(String, String)> {
    let subjects = order["subjects"].as_array().cloned().unwrap_or_default();
    subjects
        .iter()
        .map(|subject| {
            let identities = subject["identities"].as_array().cloned().unwrap_or_default();
            assert!(
                identities.iter().all(|one| one["kind"] == "email"),
                "only what it understands"
            );
            let email = identities[0]["value"].as_str().unwrap().to_owned();
            (subject["reference"].as_str().unwrap().to_owned(), email)
        })
        .collect()
}

fn carried(world: &mut World, order: &Value) -> Answer {
    let mut said = Vec::new();
    for (subject, email) in named(order) {
        let mut records = 0;
        for one in world.kept.iter_mut().filter(|one| !one.gone && one.email == email) {
            one.gone = true;
            records += 1;
        }
        let result = if records == 0 { "absent" } else { "done" };
        let words = "rows deleted from three tables";
        said.push(
            json!({"subject": subject, "result": result, "records": records, "words": words}),
        );
    }
    Answer::json(200, &json!({ "subjects": said }))
}

async fn opened(emails: &[&str]) -> (Exchange, Box<dyn Connector>) {
    let kept =
        emails.iter().map(|email| Kept { email: (*email).to_owned(), ..Kept::default() }).collect();
    let exchange = Exchange::open(own, kept).await;
    let connector = connector(&exchange, SECRET);
    (exchange, connector)
}

fn connector(exchange: &Exchange, secret: &str) -> Box<dyn Connector> {
    let parameters = [("secret", secret), ("identities", "email")];
    let mut settings = exchange.settings("", &parameters);
    settings.address = Some(format!("http://{}/hook/", exchange.host));
    open_processor("own", settings).unwrap()
}

#[tokio::test]
async fn a_connector_of_ones_own_passes_the_test_kit() {
    let (_, connector) = opened(&[JANE]).await;
    let clock: quietus_connectors::Now = std::sync::Arc::new(now);
    let jane = person("p1", &[("email", JANE), ("customer_id", "17")]);
    let steps = testkit::rehearse(connector.as_ref(), "rehearsal-1", jane, &clock).await;
    for step in &steps {
        assert_eq!(step.ending, Ending::Pass, "{}: {}", step.name, step.words);
    }
    assert_eq!(steps.len(), 6);
    assert_eq!(steps[0].words, "reached shop backend 3.1");
    assert_eq!(steps[3].words, "verified: rows deleted from three tables");
    // Somebody who does not exist fails where they should be found.
    let bob = person("p1", &[("email", "bob@shop.example")]);
    let steps = testkit::rehearse(connector.as_ref(), "rehearsal-2", bob, &clock).await;
    let failed: Vec<&str> =
        steps.iter().filter(|step| step.ending == Ending::Fail).map(|step| step.name).collect();
    assert_eq!(failed, ["find", "erase"]);
}

#[tokio::test]
async fn every_person_has_a_word_and_only_what_is_understood_is_told() {
    let (exchange, connector) = opened(&[JANE, JANE]).await;
    let people = || {
        vec![
            person("p1", &[("email", JANE), ("msisdn", "+491701234567")]),
            person("p2", &[("email", "bob@shop.example")]),
            person("p3", &[("msisdn", "+491701234568")]),
        ]
    };
    let first = order(1, SubjectAction::Erase, people());
    let counts = connector.preview(&first).await.unwrap();
    assert_eq!((counts.collections[0].delete, counts.refusals.len()), (2, 1));
    let outcome = done(connector.execute(&first, &Notes::going_on()).await);
    let mut told: Vec<_> = outcome
        .testimonies
        .iter()
        .map(|one| (one.subject.as_str(), one.result, one.grade))
        .collect();
    told.sort_unstable_by_key(|one| one.0);
    assert_eq!(
        told,
        [
            ("p1", SubjectResult::Done, Grade::Verified),
            ("p2", SubjectResult::Absent, Grade::Verified),
            ("p3", SubjectResult::Refused, Grade::Reported),
        ]
    );
    let looked = connector.verify(&first).await.unwrap();
    assert!(looked.survivors.is_empty() && looked.relied_upon, "one cannot be looked for");
    // A later attempt asks, and has nothing to send.
    let later = order(2, SubjectAction::Erase, people());
    let outcome = done(connector.execute(&later, &Notes::going_on()).await);
    for who in ["p1", "p2"] {
        let said = outcome.testimonies.iter().find(|one| one.subject == who).unwrap();
        assert_eq!(said.result, SubjectResult::Absent, "nobody can tell since when: {said:?}");
    }
    let sent = |exchange: &Exchange| {
        exchange
            .world()
            .seen
            .iter()
            .filter(|seen| seen.path.ends_with(&["execute".to_owned()]))
            .count()
    };
    assert_eq!(sent(&exchange), 1);
}

#[tokio::test]
async fn nothing_is_sent_for_whom_is_called_off() {
    let (exchange, connector) = opened(&[JANE]).await;
    let receipt = connector.execute(&erase(1, &[("email", JANE)]), &CalledOff).await.unwrap();
    assert!(matches!(&receipt, Receipt::Stopped(done) if done.testimonies.is_empty()));
    let is_order = |seen: &Seen| seen.path.ends_with(&["execute".to_owned()]);
    assert!(!exchange.world().seen.iter().any(is_order));
}

#[tokio::test]
async fn what_is_carried_out_later_is_followed() {
    let (_, connector) = opened(&["slow@shop.example"]).await;
    let first = erase(1, &[("email", "slow@shop.example")]);
    let receipt = connector.execute(&first, &Notes::going_on()).await.unwrap();
    let Receipt::Pending { reference, ask_at } = receipt else { panic!("{receipt:?}") };
    assert_eq!(reference, "run-7");
    assert_eq!(ask_at, "2026-11-23T10:01:00Z".parse().unwrap());
    let outcome = done(connector.follow(&first, &reference).await);
    assert_eq!(outcome.testimonies[0].result, SubjectResult::Done);
}

#[tokio::test]
async fn another_secret_is_not_let_in() {
    let (exchange, _) = opened(&[JANE]).await;
    let stranger = connector(&exchange, "whsec_c3RyYW5nZXIgc3RyYW5nZXIgc3RyYW5nZXI=");
    let fault = stranger.check(&erase(1, &[("email", JANE)])).await;
    assert!(matches!(fault, Err(Fault::Misconfigured { .. })), "{fault:?}");
    for (parameters, wanted) in [
        (vec![("identities", "email")], "`secret`"),
        (vec![("secret", "hunter2"), ("identities", "email")], "whsec_"),
        (vec![("secret", SECRET)], "`identities`"),
        (vec![("secret", SECRET), ("identities", "email"), ("colour", "red")], "`colour`"),
    ] {
        let Err(fault) = open_processor("own", exchange.settings("", &parameters)) else {
            panic!("{wanted} is not missed")
        };
        assert!(fault.to_string().contains(wanted) && !fault.to_string().contains("hunter2"));
    }
}

#[tokio::test]
async fn answers_beside_the_protocol_are_not_believed() {
    let (exchange, connector) = opened(&[JANE]).await;
    let first = erase(1, &[("email", JANE)]);
    for (status, body, wanted) in [
        (200, json!({"subjects": []}), "unknown"),
        (200, json!({"subjects": [{"subject": "p2", "result": "done"}]}), "unknown"),
        (200, json!({"subjects": [{"subject": "p1", "result": "gone"}]}), "unknown"),
        (200, json!("done"), "unknown"),
        (202, json!({"pending": {"reference": "", "ask_after_seconds": 1}}), "unknown"),
        (500, json!({}), "unknown"),
        (400, json!({}), "rejected"),
        (403, json!({}), "misconfigured"),
        (429, json!({}), "transient"),
    ] {
        exchange.world().tricks.push_back(Trick::Instead(Answer::json(status, &body)));
        let fault = connector.execute(&first, &Notes::going_on()).await.unwrap_err();
        let shown = serde_json::to_value(&fault).unwrap();
        assert_eq!(shown["fault"], wanted, "{status} {body}");
        assert!(exchange.world().tricks.is_empty());
    }
}

#[tokio::test]
async fn a_no_to_the_order_is_told_without_names() {
    let (exchange, connector) = opened(&[JANE]).await;
    let first = erase(1, &[("email", JANE)]);
    let no =
        json!({"kind": "over_limit", "reasons": ["too many\nat once", "it is JANE@shop.example"]});
    exchange.world().tricks.push_back(Trick::Instead(Answer::json(422, &no)));
    let receipt = connector.execute(&first, &Notes::going_on()).await.unwrap();
    let Receipt::Refused { kind: RefusalKind::OverLimit, reasons, .. } = receipt else {
        panic!("{receipt:?}")
    };
    assert_eq!(reasons, ["too many at once", "its words are left out, because they name somebody"]);

    let said = json!({"subjects": [{"subject": "p1", "result": "refused", "words": "Jane@Shop.example owes"}]});
    exchange.world().tricks.push_back(Trick::Instead(Answer::json(200, &said)));
    let notes = Notes { done: Mutex::default(), ..Notes::going_on() };
    let outcome = done(connector.execute(&first, &notes).await);
    assert_eq!(outcome.testimonies[0].result, SubjectResult::Refused);
    assert!(!outcome.testimonies[0].words.to_lowercase().contains("jane"));
    assert_eq!(outcome.testimonies[0].grade, Grade::Reported, "a no is not verified");
}
