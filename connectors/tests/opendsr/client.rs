//! The client where all goes well, and what it says of persons who cannot be asked for.

use jiff::{SignedDuration, Timestamp};
use quietus_connectors::opendsr::client::Reference;
use quietus_connectors::opendsr::signature::{Trust, check_digest};
use quietus_connectors::{Connector, Grade, Receipt, SubjectAction, SubjectResult};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::certificates::{DOMAIN, Hand};
use super::processor::Trick;
use super::scene::{
    CalledOff, Scene, Steps, execute, follow, message, order, order_for, pending, subject,
    testimonies,
};

#[tokio::test]
async fn a_person_is_erased_and_the_receipt_outlives_them() {
    for hand in [Hand::Rsa, Hand::P256, Hand::P256Raw] {
        let scene = Scene::new(hand).await;
        let client = scene.client();
        let receipt = execute(&client, &order()).await.unwrap();
        let taken = scene.processor.only();
        let id = taken.body["subject_request_id"].as_str().unwrap().to_owned();
        assert_eq!(
            taken.body,
            json!({
                "api_version": "2.0",
                "regulation": "gdpr",
                "subject_request_id": id,
                "subject_request_type": "erasure",
                "submitted_time": "2026-11-20T08:30:00Z",
                "subject_identities": [{
                    "identity_type": "email",
                    "identity_value": "mara.lind@example.com",
                    "identity_format": "raw",
                }],
            })
        );
        scene.processor.move_all("in-progress", &Value::Null);
        let receipt = follow(&scene, &client, receipt).await;
        scene.processor.move_all("completed", &Value::Null);
        let receipt = follow(&scene, &client, receipt).await;
        let testimonies = testimonies(receipt);
        assert_eq!(testimonies.len(), 1);
        let one = &testimonies[0];
        assert_eq!((one.subject.as_str(), one.result), ("p1", SubjectResult::Done));
        // Its end is only reported; signed is that it was taken in.
        assert_eq!((one.grade, one.at), (Grade::Reported, scene.now()));
        let signatory = check_digest(one.proof.as_ref().unwrap()).unwrap();
        let trust = Trust::only(scene.authority.pem()).unwrap();
        assert_eq!(signatory.check(&trust, DOMAIN, one.at), Ok(()));
        assert_eq!(scene.processor.inner().posts, 1);
    }
}

#[tokio::test]
async fn a_signed_end_is_of_the_grade_signed() {
    let scene = Scene::new(Hand::P256).await;
    scene.processor.inner().signs_status = true;
    let client = scene.client();
    let receipt = execute(&client, &order()).await.unwrap();
    scene.processor.move_all("completed", &Value::Null);
    let one = testimonies(follow(&scene, &client, receipt).await).remove(0);
    assert_eq!((one.result, one.grade), (SubjectResult::Done, Grade::Signed));
    let id = scene.processor.only().body["subject_request_id"].clone();
    let body = json!({
        "controller_id": "1402",
        "expected_completion_time": "2026-12-01T00:00:00Z",
        "subject_request_id": id,
        "request_status": "completed",
        "results_url": null,
        "extensions": null,
    });
    let proof = one.proof.unwrap();
    assert_eq!(proof.document_sha256, hex::encode(Sha256::digest(body.to_string())));
    assert!(check_digest(&proof).is_ok());
}

#[tokio::test]
async fn the_truth_beside_the_state_is_read() {
    let cases = [
        ("fulfilled", json!([]), SubjectResult::Done, "everything was erased"),
        ("not_found", json!([]), SubjectResult::Absent, "knows nobody"),
        ("refused", json!([]), SubjectResult::Refused, "refuses and erased nothing"),
        (
            "partially_retained",
            json!([{"category": "invoices", "basis": "HGB 257", "until": "2031-12-31"}]),
            SubjectResult::Refused,
            "keeps invoices until 2031-12-31 (HGB 257)",
        ),
    ];
    for (outcome, retained, result, words) in cases {
        let scene = Scene::new(Hand::P256).await;
        let client = scene.client();
        let receipt = execute(&client, &order()).await.unwrap();
        let extension = json!({ DOMAIN: { "outcome": outcome, "retained": retained } });
        scene.processor.move_all("completed", &extension);
        let one = testimonies(follow(&scene, &client, receipt).await).remove(0);
        assert_eq!(one.result, result, "{outcome}");
        assert!(one.words.contains(words), "{}", one.words);
    }
}

#[tokio::test]
async fn partners_that_were_not_told_are_named_in_numbers() {
    let scene = Scene::new(Hand::P256).await;
    let client = scene.client();
    let receipt = execute(&client, &order()).await.unwrap();
    let partners = json!([
        {"domain": "a.example", "name": "A", "status": "sent"},
        {"domain": "b.example", "name": "B", "status": "failed", "status_message": "mara"},
    ]);
    scene.processor.move_all("completed", &partners);
    let one = testimonies(follow(&scene, &client, receipt).await).remove(0);
    assert!(one.words.contains("its own partners: 1 told, 1 failed"), "{}", one.words);
    assert!(!one.words.contains("mara"));
}

#[tokio::test]
async fn what_is_over_without_erasure_is_a_refusal() {
    for (status, words) in [
        ("canceled", "cancelled at"),
        ("cancelled", "cancelled at"),
        ("failed", "does not have (`failed`)"),
        ("mara.lind@example.com", "none that can be repeated"),
    ] {
        let scene = Scene::new(Hand::P256).await;
        let client = scene.client();
        let receipt = execute(&client, &order()).await.unwrap();
        scene.processor.move_all(status, &Value::Null);
        let one = testimonies(follow(&scene, &client, receipt).await).remove(0);
        assert_eq!(one.result, SubjectResult::Refused, "{status}");
        assert!(one.words.contains(words), "{}", one.words);
    }
}

#[tokio::test]
async fn many_persons_are_many_requests_and_each_has_a_word() {
    let scene = Scene::new(Hand::P256).await;
    let client = scene.client();
    let order = order_for(vec![
        subject("p1", &[("email", "mara.lind@example.com"), ("customer_id", "C-17")]),
        subject("p2", &[("msisdn", "4915100000000")]),
        subject("p3", &[("email", "jon.lind@example.com"), ("msisdn", "4915100000001")]),
        subject("p4", &[("email", "*")]),
    ]);
    let receipt = execute(&client, &order).await.unwrap();
    let bodies: Vec<Value> =
        scene.processor.inner().requests.values().map(|one| one.body.clone()).collect();
    assert_eq!(bodies.len(), 2);
    let both = bodies.iter().find(|body| body.to_string().contains("mara")).unwrap();
    assert_eq!(both["subject_identities"].as_array().unwrap().len(), 2);
    assert!(both.to_string().contains("controller_customer_id"));
    assert!(!bodies.iter().any(|body| body.to_string().contains("49151")));
    scene.processor.move_all("completed", &Value::Null);
    let (reference, ask_at) = pending(receipt);
    *scene.clock.lock().unwrap() = ask_at;
    let testimonies = testimonies(client.follow(&order, &reference).await.unwrap());
    let results: Vec<_> =
        testimonies.iter().map(|one| (one.subject.as_str(), one.result)).collect();
    assert_eq!(
        results,
        [
            ("p1", SubjectResult::Done),
            ("p2", SubjectResult::Refused),
            ("p3", SubjectResult::Done),
            ("p4", SubjectResult::Refused),
        ]
    );
    assert!(testimonies[1].words.contains("known by `msisdn`"), "{}", testimonies[1].words);
    assert!(testimonies[2].words.contains("not taken: `msisdn`"), "{}", testimonies[2].words);
    assert!(testimonies[3].words.contains("`email` cannot be used"), "{}", testimonies[3].words);
}

#[tokio::test]
async fn nobody_who_can_be_asked_for_is_a_rejection_that_names_types() {
    let scene = Scene::new(Hand::P256).await;
    let client = scene.client();
    let nobody = order_for(vec![subject("p1", &[("msisdn", "4915100000000"), ("imei", "1")])]);
    let (kind, text) = message(execute(&client, &nobody).await);
    assert_eq!(kind, "rejected");
    assert!(
        text.contains("known by `imei`, `msisdn`")
            && text.contains("takes `controller_customer_id`, `email`"),
        "{text}"
    );
    assert!(!text.contains("49151"));
    let confused = order_for(vec![subject("p1", &[("email", "C-17")])]);
    assert_eq!(message(execute(&client, &confused).await).0, "rejected");
    let mut restriction = order();
    restriction.persons.as_mut().unwrap().action = SubjectAction::Restrict;
    let (kind, text) = message(execute(&client, &restriction).await);
    assert_eq!(kind, "rejected");
    assert!(text.contains("opendsr has no restriction"), "{text}");
    let mut sweep = order();
    sweep.persons = None;
    assert_eq!(message(execute(&client, &sweep).await).0, "misconfigured");
    let mut elsewhere = order();
    elsewhere.persons.as_mut().unwrap().regime = "pipl".to_owned();
    assert_eq!(message(execute(&client, &elsewhere).await).0, "misconfigured");
    scene.processor.inner().discovery["supported_subject_request_types"] = json!(["access"]);
    let (kind, text) = message(execute(&scene.client(), &order()).await);
    assert_eq!(kind, "rejected");
    assert!(text.contains("takes no requests for erasure"), "{text}");
    assert_eq!(scene.processor.inner().posts, 0);
}

#[tokio::test]
async fn digests_are_sent_where_only_digests_are_taken() {
    for (format, digest) in [
        ("sha256", hex::encode(Sha256::digest("mara.lind@example.com"))),
        // printf mara.lind@example.com | sha1sum, md5sum
        ("sha1", "bf35db05f33dbdb9ffbb43188a3e46774395c6ca".to_owned()),
        ("md5", "eb589718169570d6f0c16e483f4ee178".to_owned()),
    ] {
        let scene = Scene::new(Hand::P256).await;
        scene.processor.inner().discovery["supported_identities"] =
            json!([{"identity_type": "email", "identity_format": format}]);
        execute(&scene.client(), &order()).await.unwrap();
        let identity = &scene.processor.only().body["subject_identities"][0];
        assert_eq!(identity["identity_format"], format);
        assert_eq!(identity["identity_value"], digest);
    }
}

#[tokio::test]
async fn questions_come_closer_together_and_pauses_are_kept() {
    let scene = Scene::new(Hand::P256).await;
    scene.processor.inner().expected = "2026-11-23T18:00:00Z".to_owned();
    let client = scene.client();
    let (reference, ask_at) = pending(execute(&client, &order()).await.unwrap());
    assert_eq!(ask_at.to_string(), "2026-11-23T12:00:00Z");
    *scene.clock.lock().unwrap() = ask_at;
    let (reference, ask_at) = pending(client.follow(&order(), &reference).await.unwrap());
    assert_eq!(ask_at.to_string(), "2026-11-23T13:30:00Z");
    let known = Reference::read(&reference).unwrap();
    assert_eq!(known.overdue(scene.now()).count(), 0);
    // Overdue: it is asked again, less and less often, and it shows.
    *scene.clock.lock().unwrap() = "2026-11-23T19:00:00Z".parse().unwrap();
    assert_eq!(known.overdue(scene.now()).count(), 1);
    let (reference, ask_at) = pending(client.follow(&order(), &reference).await.unwrap());
    assert_eq!(ask_at.to_string(), "2026-11-23T19:30:00Z");
    // The processor wants to be left alone for two hours.
    scene.processor.inner().on_get.push_back(Trick::Code(429, Some(7200)));
    let (reference, ask_at) = pending(client.follow(&order(), &reference).await.unwrap());
    assert_eq!(ask_at.to_string(), "2026-11-23T21:00:00Z");
    // An answer that is due is asked for in time.
    let mut urgent = order();
    let answer_by: Timestamp = "2026-11-23T19:05:00Z".parse().unwrap();
    urgent.persons.as_mut().unwrap().answer_by = Some(answer_by);
    let (_, ask_at) = pending(client.follow(&urgent, &reference).await.unwrap());
    assert_eq!(ask_at, answer_by);
}

#[tokio::test]
async fn a_processor_that_names_no_end_is_asked_four_times_a_day() {
    let scene = Scene::new(Hand::P256).await;
    scene.processor.inner().expected = "soon".to_owned();
    let (_, ask_at) = pending(execute(&scene.client(), &order()).await.unwrap());
    assert_eq!(ask_at.duration_since(scene.now()), SignedDuration::from_hours(6));
}

#[tokio::test]
async fn a_stop_between_two_persons_is_heeded_and_resumed() {
    let scene = Scene::new(Hand::P256).await;
    let client = scene.client();
    let mut order = order_for(vec![
        subject("p1", &[("email", "mara.lind@example.com")]),
        subject("p2", &[("email", "jon.lind@example.com")]),
    ]);
    let stopped = client.execute(&order, &Steps(std::sync::Mutex::new(1))).await.unwrap();
    assert!(matches!(stopped, Receipt::Stopped(_)));
    assert_eq!(scene.processor.inner().posts, 1);
    order.attempt = 2;
    pending(execute(&client, &order).await.unwrap());
    assert_eq!(scene.processor.inner().posts, 2);
    assert_eq!(scene.processor.inner().requests.len(), 2);
}

#[tokio::test]
async fn nothing_is_asked_where_it_is_called_off_on_its_way() {
    let scene = Scene::new(Hand::P256).await;
    let client = scene.client();
    let stopped = client.execute(&order(), &CalledOff).await.unwrap();
    assert!(matches!(stopped, Receipt::Stopped(_)));
    assert_eq!(scene.processor.inner().posts, 0);
    pending(execute(&client, &order()).await.unwrap());
    assert_eq!(scene.processor.inner().posts, 1);
}

#[tokio::test]
async fn a_check_tells_what_is_taken_and_what_is_wrong() {
    let mut scene = Scene::new(Hand::Rsa).await;
    let health = scene.client().check(&order()).await.unwrap();
    assert_eq!(
        health.product,
        format!(
            "OpenDSR 2.0 of {DOMAIN}; takes controller_customer_id (raw), email (raw); signs with \
             RSA PKCS#1 v1.5 with SHA-256 until 2030-01-01T00:00:00Z"
        )
    );
    assert!(health.missing_privileges.is_empty());
    let nobody = order_for(vec![subject("p1", &[("imei", "490154203237518")])]);
    scene.processor.inner().discovery["supported_subject_request_types"] = json!([]);
    let health = scene.client().check(&nobody).await.unwrap();
    assert_eq!(health.missing_privileges.len(), 2, "{health:?}");
    let counts = scene.client().preview(&nobody).await.unwrap();
    assert_eq!(counts.refusals, health.missing_privileges);
    // Credentials are tried, although discovery might be open to all.
    scene.processor.inner().authorization = Some("Basic a2V5OnNlY3JldA==".to_owned());
    let fault = scene.client().check(&order()).await.unwrap_err();
    assert!(fault.to_string().contains("check the credentials"), "{fault}");
    scene.set("user", "key");
    scene.set("key", "secret");
    scene.client().check(&order()).await.unwrap();
    assert_eq!(scene.processor.inner().posts, 0);
    let verification = scene.client().verify(&order()).await.unwrap();
    assert!(verification.relied_upon && verification.method.contains(DOMAIN));
    let capabilities = scene.client().capabilities();
    assert_eq!(capabilities.kind, "opendsr");
    for name in ["email", "customer_id", "msisdn", "imsi", "imei", "iccid"] {
        assert!(capabilities.identities.contains(&name.to_owned()), "{name}");
    }
    assert!(!capabilities.can_verify);
}

#[tokio::test]
async fn settings_that_do_not_fit_are_named() {
    let scene = Scene::new(Hand::P256).await;
    let with = |name: &str, value: &str| {
        let mut settings = scene.settings();
        settings.parameters.insert(name.to_owned(), value.to_owned().into());
        match quietus_connectors::open_processor("opendsr", settings) {
            Ok(_) => panic!("`{name}` passes as `{value}`"),
            Err(fault) => fault.to_string(),
        }
    };
    assert!(with("dialect", "v4").contains("`v1`, `v2` or `v3`"));
    assert!(with("domain", "not a domain").contains("`domain`"));
    assert!(with("domian", "x").contains("`domian` is not known"));
    assert!(with("user", "only").contains("credentials"));
    assert!(with("token", " ").contains("`token` is empty"));
    assert!(with("requests_per_minute", "0").contains("at least 1"));
    assert!(with("regulation", "pipl").contains("`gdpr` or `ccpa`"));
    assert!(with("unsigned", "yes").contains("`accept`"));
    assert!(with("identity.contract", "No Type").contains("type of identity"));
    assert!(with("field.regulation", "x").contains("replace"));
    let mut settings = scene.settings();
    settings.address = None;
    assert!(quietus_connectors::open_processor("opendsr", settings).is_err());
    let mut settings = scene.settings();
    settings.trust = Some("no certificate".to_owned());
    assert!(quietus_connectors::open_processor("opendsr", settings).is_err());
    assert!(quietus_connectors::open_processor("opendsr", scene.settings()).is_ok());
}
