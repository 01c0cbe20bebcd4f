//! Everything that goes wrong at a processor or on the way.

use quietus_connectors::opendsr::client::Reference;
use quietus_connectors::{Connector, Fault, Grade, Receipt, RefusalKind, SubjectResult};
use serde_json::{Value, json};

use super::certificates::{Authority, Hand, Issue};
use super::processor::Trick;
use super::scene::{
    Scene, execute, follow, message, order, order_for, pending, subject, testimonies,
};

async fn tricked(trick: Trick) -> (Scene, (&'static str, String)) {
    let scene = Scene::new(Hand::Rsa).await;
    let stranger = scene.authority.issue(&Issue::default());
    scene.processor.inner().stranger = Some(stranger);
    scene.processor.inner().on_post.push_back(trick);
    let told = message(execute(&scene.client(), &order()).await);
    (scene, told)
}

#[tokio::test]
async fn an_answer_that_is_not_what_it_seems_is_not_relied_on() {
    for (trick, words) in [
        (Trick::WrongKey, "not to be relied on"),
        (Trick::AlteredByte, "not to be relied on"),
        (Trick::OtherDomain, "another domain"),
        (Trick::Unsigned, "is not signed"),
        (Trick::OtherRequest, "confirms another request"),
    ] {
        let (scene, (kind, text)) = tricked(trick.clone()).await;
        assert_eq!(kind, "misconfigured", "{trick:?}");
        assert!(text.contains(words), "{trick:?}: {text}");
        // The request is there all the same; a later attempt finds it and makes no second one,
        // and its end is no more than reported.
        let client = scene.client();
        let mut again = order();
        again.attempt = 2;
        let receipt = execute(&client, &again).await.unwrap();
        scene.processor.move_all("completed", &Value::Null);
        let one = testimonies(follow(&scene, &client, receipt).await).remove(0);
        assert_eq!((one.grade, one.proof), (Grade::Reported, None), "{trick:?}");
        assert_eq!(scene.processor.inner().posts, 1, "{trick:?}");
    }
}

#[tokio::test]
async fn an_unsigned_answer_is_taken_as_reported_if_the_operator_says_so() {
    let mut scene = Scene::new(Hand::Rsa).await;
    scene.set("unsigned", "accept");
    scene.processor.inner().discovery["processor_certificate"] = Value::Null;
    scene.processor.inner().on_post.push_back(Trick::Unsigned);
    let client = scene.client();
    assert!(client.check(&order()).await.unwrap().product.contains("nothing it says is signed"));
    let receipt = execute(&client, &order()).await.unwrap();
    scene.processor.move_all("completed", &Value::Null);
    let one = testimonies(follow(&scene, &client, receipt).await).remove(0);
    assert_eq!((one.result, one.grade, one.proof), (SubjectResult::Done, Grade::Reported, None));
}

#[tokio::test]
async fn nothing_is_asked_while_the_certificate_is_wrong() {
    let strangers = Authority::new("Strangers");
    let cases = [
        ("has expired", Issue { years: (2024, 2026), ..Issue::default() }, false),
        ("is not valid yet", Issue { years: (2027, 2030), ..Issue::default() }, false),
        (
            "is not issued for",
            Issue { names: &["opendsr.other.example"], ..Issue::default() },
            false,
        ),
        ("does not lead to an authority", Issue::default(), true),
    ];
    for (words, issue, strange) in cases {
        let scene = Scene::new(Hand::Rsa).await;
        let authority = if strange { &strangers } else { &scene.authority };
        let identity = authority.issue(&issue);
        scene.processor.inner().identity = identity;
        let client = scene.client();
        let (kind, text) = message(execute(&client, &order()).await);
        assert_eq!(kind, "misconfigured");
        assert!(text.contains(words), "{text}");
        assert_eq!(scene.processor.inner().posts, 0, "{words}");
        let health = client.check(&order()).await.unwrap();
        assert!(health.missing_privileges[0].contains(words), "{health:?}");
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_fetched_once_more() {
    let scene = Scene::new(Hand::Rsa).await;
    let client = scene.client();
    execute(&client, &order()).await.unwrap();
    assert_eq!(scene.processor.inner().certificate_calls, 1);
    let renewed = scene.authority.issue(&Issue { hand: Hand::P256, ..Issue::default() });
    scene.processor.inner().identity = renewed;
    let second = order_for(vec![subject("p9", &[("email", "jon.lind@example.com")])]);
    let receipt = execute(&client, &second).await.unwrap();
    assert_eq!(scene.processor.inner().certificate_calls, 2);
    pending(receipt);
    // A wrong signature makes it fetch once, not for ever.
    scene.processor.inner().stranger = Some(scene.authority.issue(&Issue::default()));
    scene.processor.inner().on_post.push_back(Trick::WrongKey);
    let third = order_for(vec![subject("p10", &[("email", "ida.lind@example.com")])]);
    assert_eq!(message(execute(&client, &third).await).0, "misconfigured");
    assert_eq!(scene.processor.inner().certificate_calls, 3);
}

#[tokio::test]
async fn an_expired_certificate_at_hand_is_fetched_once_more() {
    let scene = Scene::new(Hand::Rsa).await;
    let first = scene.authority.issue(&Issue { years: (2025, 2027), ..Issue::default() });
    scene.processor.inner().identity = first;
    let client = scene.client();
    execute(&client, &order()).await.unwrap();
    *scene.clock.lock().unwrap() = "2027-01-02T00:00:00Z".parse().unwrap();
    let second = order_for(vec![subject("p9", &[("email", "jon.lind@example.com")])]);
    assert_eq!(message(execute(&client, &second).await).0, "misconfigured");
    let renewed = scene.authority.issue(&Issue::default());
    scene.processor.inner().identity = renewed;
    pending(execute(&client, &second).await.unwrap());
    assert_eq!(scene.processor.inner().posts, 2);
}

#[tokio::test]
async fn a_certificate_from_elsewhere_has_to_be_declared() {
    let scene = Scene::new(Hand::Rsa).await;
    scene.processor.inner().discovery["processor_certificate"] =
        json!("https://static.other.example/cert.pem");
    let (kind, text) = message(execute(&scene.client(), &order()).await);
    assert_eq!(kind, "misconfigured");
    assert!(
        text.contains("`static.other.example`") && text.contains("certificate_hosts"),
        "{text}"
    );
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_request() {
    let (scene, (kind, text)) = tricked(Trick::LoseAnswer).await;
    assert_eq!(kind, "unknown", "{text}");
    assert_eq!(scene.processor.inner().requests.len(), 1, "the processor had done it");
    let mut again = order();
    again.attempt = 2;
    let client = scene.client();
    let receipt = execute(&client, &again).await.unwrap();
    assert_eq!(scene.processor.inner().posts, 1);
    scene.processor.move_all("completed", &Value::Null);
    let one = testimonies(follow(&scene, &client, receipt).await).remove(0);
    assert_eq!((one.result, one.grade), (SubjectResult::Done, Grade::Reported));
    assert_eq!(scene.processor.inner().requests.len(), 1);
}

#[tokio::test]
async fn a_request_that_exists_already_is_looked_up() {
    // The first attempt made it and nobody counted the attempt: 400 says that it is there.
    let scene = Scene::new(Hand::Rsa).await;
    let client = scene.client();
    pending(execute(&client, &order()).await.unwrap());
    let receipt = execute(&client, &order()).await.unwrap();
    assert_eq!(scene.processor.inner().requests.len(), 1);
    scene.processor.move_all("completed", &Value::Null);
    let one = testimonies(follow(&scene, &client, receipt).await).remove(0);
    assert_eq!(one.result, SubjectResult::Done);
    // It is over by the time of a later attempt: nothing is pending.
    let mut again = order();
    again.attempt = 3;
    assert_eq!(testimonies(execute(&client, &again).await.unwrap()).len(), 1);
}

#[tokio::test]
async fn the_same_under_another_id_is_waited_for() {
    let scene = Scene::new(Hand::Rsa).await;
    scene.processor.inner().refuses_same = true;
    let client = scene.client();
    let mut other = order();
    other.key = "case-6-marketing".to_owned();
    pending(execute(&client, &other).await.unwrap());
    match execute(&client, &order()).await.unwrap() {
        Receipt::Deferred { until, why } => {
            assert_eq!(until.to_string(), "2026-11-24T10:00:00Z");
            assert!(why.contains("1 of 1 persons"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(scene.processor.inner().requests.len(), 1);
    scene.processor.move_all("completed", &Value::Null);
    let mut again = order();
    again.attempt = 2;
    pending(execute(&client, &again).await.unwrap());
    assert_eq!(scene.processor.inner().requests.len(), 2);
}

#[tokio::test]
async fn codes_mean_what_they_say() {
    for (trick, expected, words) in [
        (Trick::Code(401, None), "misconfigured", "credentials"),
        (Trick::Code(403, None), "misconfigured", "credentials"),
        (Trick::Code(404, None), "misconfigured", "dialect"),
        (Trick::Code(410, None), "misconfigured", "dialect"),
        (Trick::Code(400, None), "rejected", "`Scripted`"),
        (Trick::Code(302, None), "misconfigured", "redirect"),
        (Trick::Code(500, None), "unknown", "500"),
        (Trick::Code(503, None), "transient", "503"),
        (Trick::Code(422, None), "rejected", "422"),
    ] {
        let (scene, (kind, text)) = tricked(trick.clone()).await;
        assert_eq!(kind, expected, "{trick:?}: {text}");
        assert!(text.contains(words), "{trick:?}: {text}");
        assert!(scene.processor.inner().requests.is_empty());
    }
    let scene = Scene::new(Hand::Rsa).await;
    scene.processor.inner().on_post.push_back(Trick::Code(429, Some(90)));
    match execute(&scene.client(), &order()).await {
        Err(Fault::Transient { retry_after_ms, .. }) => assert_eq!(retry_after_ms, Some(90_000)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn one_refused_person_does_not_stop_the_others() {
    let scene = Scene::new(Hand::Rsa).await;
    scene.processor.inner().on_post.push_back(Trick::Code(400, None));
    let client = scene.client();
    let order = order_for(vec![
        subject("p1", &[("email", "mara.lind@example.com")]),
        subject("p2", &[("email", "jon.lind@example.com")]),
    ]);
    let (reference, _) = pending(execute(&client, &order).await.unwrap());
    scene.processor.move_all("completed", &Value::Null);
    let told = testimonies(client.follow(&order, &reference).await.unwrap());
    assert_eq!((told[0].result, told[1].result), (SubjectResult::Refused, SubjectResult::Done));
    assert!(told[0].words.contains("does not take the request (code 400, `Scripted`)"));
}

#[tokio::test]
async fn a_request_that_vanishes_is_no_erasure() {
    for (trick, words) in [
        (Trick::Code(404, None), "does not know it any more"),
        (Trick::Code(410, None), "no longer keeps"),
    ] {
        let scene = Scene::new(Hand::Rsa).await;
        let client = scene.client();
        let receipt = execute(&client, &order()).await.unwrap();
        scene.processor.inner().on_get.push_back(trick);
        let one = testimonies(follow(&scene, &client, receipt).await).remove(0);
        assert_eq!(one.result, SubjectResult::Refused);
        assert!(one.words.contains(words), "{}", one.words);
        assert!(one.proof.is_some(), "that it was taken in stays proven");
    }
}

#[tokio::test]
async fn a_strange_answer_about_a_request_is_no_end_of_it() {
    for (trick, expected) in [
        (Trick::Code(401, None), "misconfigured"),
        (Trick::Code(500, None), "transient"),
        (Trick::Code(302, None), "misconfigured"),
        (Trick::Code(204, None), "rejected"),
        (
            Trick::Body(json!({
                "subject_request_id": "475974fa-6b42-4370-bb56-b5d845686bb5",
                "request_status": "completed",
            })),
            "rejected",
        ),
        (Trick::Body(json!(["completed"])), "rejected"),
    ] {
        let scene = Scene::new(Hand::Rsa).await;
        let client = scene.client();
        let (reference, _) = pending(execute(&client, &order()).await.unwrap());
        scene.processor.inner().on_get.push_back(trick.clone());
        let (kind, _) = message(client.follow(&order(), &reference).await);
        assert_eq!(kind, expected, "{trick:?}");
    }
    let scene = Scene::new(Hand::Rsa).await;
    let (kind, _) = message(scene.client().follow(&order(), "{}").await);
    assert_eq!(kind, "rejected");
}

#[tokio::test]
async fn a_wrongly_signed_end_is_not_believed() {
    let scene = Scene::new(Hand::Rsa).await;
    scene.processor.inner().signs_status = true;
    scene.processor.inner().stranger = Some(scene.authority.issue(&Issue::default()));
    let client = scene.client();
    let (reference, _) = pending(execute(&client, &order()).await.unwrap());
    scene.processor.move_all("completed", &Value::Null);
    for trick in [Trick::WrongKey, Trick::OtherDomain, Trick::AlteredByte] {
        scene.processor.inner().on_get.push_back(trick.clone());
        let (kind, _) = message(client.follow(&order(), &reference).await);
        assert_eq!(kind, "misconfigured", "{trick:?}");
    }
    let one = testimonies(client.follow(&order(), &reference).await.unwrap()).remove(0);
    assert_eq!(one.grade, Grade::Signed);
}

#[tokio::test]
async fn few_questions_at_a_time_reach_everybody_in_the_end() {
    let scene = Scene::new(Hand::P256).await;
    let client = scene.client();
    let persons: Vec<_> = (0..6)
        .map(|n| subject(&format!("p{n}"), &[("email", &format!("lind{n}@example.com"))]))
        .collect();
    let order = order_for(persons);
    let mut receipt = execute(&client, &order).await.unwrap();
    // The first three have not ended and the last three have: who always began at the first and
    // was stopped after two would never hear of them.
    let last = Reference::read(&pending(receipt.clone()).0).unwrap().open().split_off(3);
    for id in last {
        let id = id.to_string();
        "completed".clone_into(&mut scene.processor.inner().requests.get_mut(&id).unwrap().status);
    }
    let mut open = Vec::new();
    for _ in 0..4 {
        let tricks = [Trick::None, Trick::None, Trick::Code(429, Some(60))];
        scene.processor.inner().on_get.extend(tricks);
        let (reference, ask_at) = pending(receipt);
        *scene.clock.lock().unwrap() = ask_at;
        receipt = client.follow(&order, &reference).await.unwrap();
        scene.processor.inner().on_get.clear();
        open = Reference::read(&pending(receipt.clone()).0).unwrap().open();
    }
    assert_eq!(open.len(), 3, "the last three were heard");
}

#[tokio::test]
async fn no_more_is_asked_than_the_order_allows() {
    let scene = Scene::new(Hand::P256).await;
    let mut order = order_for(vec![
        subject("p1", &[("email", "mara.lind@example.com")]),
        subject("p2", &[("email", "jon.lind@example.com")]),
    ]);
    order.most_records = Some(1);
    match execute(&scene.client(), &order).await.unwrap() {
        Receipt::Refused { kind, .. } => assert_eq!(kind, RefusalKind::OverLimit),
        other => panic!("{other:?}"),
    }
    assert_eq!(scene.processor.inner().posts, 0);
    order.most_records = Some(2);
    pending(execute(&scene.client(), &order).await.unwrap());
}
