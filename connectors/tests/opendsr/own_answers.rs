//! Our own answers as a processor, read by our own client over real HTTP, in every dialect.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::routing::{get, post};
use quietus_connectors::opendsr::intake::{
    Admission, Answer, Answers, Complaint, IntakeRules, Standing, admit, may_cancel,
    read_submission,
};
use quietus_connectors::opendsr::protocol::{
    Dialect, Discovery, OutcomeReport, OutcomeWord, RequestStatus, Retained,
};
use quietus_connectors::opendsr::signature::{Signer, SigningCertificates, check_digest};
use quietus_connectors::{Connector, Grade, Receipt, SubjectResult};
use secrecy::SecretString;
use uuid::Uuid;

use super::admission::rules;
use super::certificates::{Authority, Hand, Issue};
use super::scene::{NOW, Scene, execute, order_for, pending, subject, testimonies};

const DOMAIN: &str = "opendsr.telecom.example";

struct Own {
    signer: Signer,
    discovery: Discovery,
    rules: IntakeRules,
    dialect: Dialect,
    requests: Mutex<BTreeMap<Uuid, (RequestStatus, [u8; 32])>>,
    outcome: Mutex<Option<OutcomeReport>>,
}

impl Own {
    fn answers(&self) -> Answers<'_> {
        let Self { dialect, signer, .. } = self;
        Answers { dialect: *dialect, domain: DOMAIN, controller: "marketing", signer }
    }
}

fn send(answer: Answer) -> Response<Body> {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.body)).unwrap()
}

async fn create(State(own): State<Arc<Own>>, bytes: axum::body::Bytes) -> Response<Body> {
    let now = NOW.parse().unwrap();
    let submission = match read_submission(&own.rules, own.dialect, &bytes, now) {
        Ok(submission) => submission,
        Err(complaint) => return send(own.answers().refusal(&complaint)),
    };
    let id = submission.request.id;
    let mut requests = own.requests.lock().unwrap();
    match admit(submission.sha256, requests.get(&id).map(|(_, sha256)| *sha256), false) {
        Admission::New => {
            requests.insert(id, (RequestStatus::Pending, submission.sha256));
        }
        Admission::Again => {}
        Admission::Duplicate => return send(own.answers().refusal(&Complaint::duplicate())),
        Admission::UnderWay => return send(own.answers().refusal(&Complaint::under_way())),
    }
    let expected = "2026-12-20T00:00:00Z".parse().unwrap();
    send(own.answers().created(id, now, expected, &bytes).unwrap())
}

async fn status(
    State(own): State<Arc<Own>>,
    Path((_, _, id)): Path<(String, String, Uuid)>,
) -> Response<Body> {
    let Some((status, _)) = own.requests.lock().unwrap().get(&id).copied() else {
        return send(own.answers().refusal(&Complaint::not_found()));
    };
    let standing = Standing {
        id,
        status,
        expected_at: "2026-12-20T00:00:00Z".parse().unwrap(),
        outcome: own.outcome.lock().unwrap().clone(),
    };
    send(own.answers().status(&standing).unwrap())
}

async fn start(dialect: Dialect, hand: Hand) -> (Scene, Arc<Own>) {
    let mut scene = Scene::new(hand).await;
    let authority = Authority::new("Ours");
    let identity = authority.issue(&Issue { names: &[DOMAIN], hand, ..Issue::default() });
    let signer = Signer::read(&SecretString::from(identity.key_pem), &identity.bundle).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let rules = rules();
    let own = Arc::new(Own {
        discovery: Discovery {
            api_version: None,
            identities: rules.identities.clone(),
            request_types: rules.request_types.clone(),
            certificate_url: Some(format!("http://{address}/certificate.pem")),
        },
        rules,
        signer,
        dialect,
        requests: Mutex::new(BTreeMap::new()),
        outcome: Mutex::new(None),
    });
    let router = Router::new()
        .route(
            "/certificate.pem",
            get(|State(own): State<Arc<Own>>| async move { own.signer.certificates().pem() }),
        )
        .route(
            "/{version}/discovery",
            get(|State(own): State<Arc<Own>>| async move {
                send(own.answers().discovery(&own.discovery))
            }),
        )
        .route("/{version}/{requests}", post(create))
        .route("/{version}/{requests}/{id}", get(status))
        .with_state(Arc::clone(&own));
    tokio::spawn(async move { axum::serve(listener, router).await });
    scene.authority = authority;
    scene.processor.address = address;
    scene.set("domain", DOMAIN);
    scene.set(
        "dialect",
        match dialect {
            Dialect::V1 => "v1",
            Dialect::V2 => "v2",
            Dialect::V3 => "v3",
        },
    );
    (scene, own)
}

#[tokio::test]
async fn both_of_our_sides_understand_each_other() {
    for (dialect, hand) in
        [(Dialect::V1, Hand::Rsa), (Dialect::V2, Hand::P256), (Dialect::V3, Hand::Rsa)]
    {
        let (scene, own) = start(dialect, hand).await;
        let client = scene.client();
        let order = order_for(vec![subject(
            "p1",
            &[("email", "mara.lind@example.com"), ("msisdn", "4915100000000")],
        )]);
        assert!(client.check(&order).await.unwrap().missing_privileges.is_empty());
        let receipt = execute(&client, &order).await.unwrap();
        let (reference, ask_at) = pending(receipt);
        assert_eq!(own.requests.lock().unwrap().len(), 1);
        for (status, _) in own.requests.lock().unwrap().values_mut() {
            *status = RequestStatus::Completed;
        }
        *own.outcome.lock().unwrap() = Some(OutcomeReport {
            outcome: OutcomeWord::PartiallyRetained,
            retained: vec![Retained {
                category: "invoices".to_owned(),
                basis: "§ 147 AO".to_owned(),
                until: Some("2034-12-31".parse().unwrap()),
            }],
            certificate_url: None,
        });
        *scene.clock.lock().unwrap() = ask_at;
        let one = testimonies(client.follow(&order, &reference).await.unwrap()).remove(0);
        assert_eq!((one.result, one.grade), (SubjectResult::Refused, Grade::Signed), "{dialect:?}");
        assert!(one.words.contains("invoices until 2034-12-31 (§ 147 AO)"), "{}", one.words);
        assert!(check_digest(&one.proof.unwrap()).is_ok());
    }
}

#[tokio::test]
async fn the_same_request_again_has_the_same_answer() {
    let (scene, own) = start(Dialect::V2, Hand::Rsa).await;
    let client = scene.client();
    let order = order_for(vec![subject("p1", &[("email", "mara.lind@example.com")])]);
    let first = execute(&client, &order).await.unwrap();
    let again = execute(&client, &order).await.unwrap();
    assert_eq!(first, again);
    assert!(matches!(again, Receipt::Pending { .. }));
    assert_eq!(own.requests.lock().unwrap().len(), 1);
}

/// Our key, and the certificate that anybody can check it with.
fn signer() -> (Signer, SigningCertificates) {
    let identity = Authority::new("Ours").issue(&Issue { names: &[DOMAIN], ..Issue::default() });
    let key = SecretString::from(identity.key_pem.clone());
    let certificates = SigningCertificates::read(identity.bundle.as_bytes()).unwrap();
    (Signer::read(&key, &identity.bundle).unwrap(), certificates)
}

/// The value of a header.
fn value<'a>(answer: &'a Answer, wanted: &str) -> Option<&'a str> {
    let mut headers = answer.headers.iter();
    headers.find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str())
}

const DIALECTS: [(Dialect, &str); 3] =
    [(Dialect::V1, "X-OpenGDPR-"), (Dialect::V2, "X-OpenDSR-"), (Dialect::V3, "X-OpenDSR-")];

#[test]
fn answers_have_the_fields_of_the_specification_and_a_signature() {
    let (signer, certificates) = signer();
    let id: Uuid = "a7551968-d5d6-44b2-9831-815ac9017798".parse().unwrap();
    let now = NOW.parse().unwrap();
    let standing =
        Standing { id, status: RequestStatus::InProgress, expected_at: now, outcome: None };
    for (dialect, prefix) in DIALECTS {
        let answers = Answers { dialect, domain: DOMAIN, controller: "c1", signer: &signer };
        let url = "https://controller.example.org/callbacks";
        let all = [
            (
                answers.created(id, now, now, b"{}"),
                201,
                "encoded_request expected_completion_time received_time",
            ),
            (answers.status(&standing), 200, "expected_completion_time request_status"),
            (answers.cancelled(id, now), 202, "received_time"),
            (answers.callback(&standing, url), 202, "request_status status_callback_url"),
        ];
        for (answer, status, fields) in all {
            let answer = answer.unwrap();
            assert_eq!(answer.status, status);
            assert!(!format!("{answer:?}").contains("encoded"));
            let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(
                (&body["controller_id"], &body["subject_request_id"]),
                (&"c1".into(), &id.to_string().into())
            );
            for field in fields.split(' ') {
                assert!(!body[field].is_null(), "{field}");
            }
            assert_eq!(body.get("processor_signature"), None, "it would have to sign itself");
            assert_eq!(value(&answer, &format!("{prefix}Processor-Domain")), Some(DOMAIN));
            let signature = value(&answer, &format!("{prefix}Signature")).unwrap();
            assert_eq!(certificates.verify(&answer.body, signature), Ok(()));
        }
    }
}

#[test]
fn refusals_are_not_kept_by_caches() {
    let (signer, _) = signer();
    let complaint = may_cancel(RequestStatus::Completed).unwrap_err();
    for (dialect, _) in DIALECTS {
        let answers = Answers { dialect, domain: DOMAIN, controller: "c1", signer: &signer };
        let refusal = answers.refusal(&complaint);
        assert_eq!(refusal.status, 400);
        assert_eq!(value(&refusal, "Cache-Control"), Some("no-store"));
    }
}
