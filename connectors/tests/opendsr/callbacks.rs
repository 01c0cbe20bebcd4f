//! Which callbacks are believed.

use jiff::Timestamp;
use quietus_connectors::opendsr::client::Reference;
use quietus_connectors::opendsr::intake::{
    Authenticated, CallbackRules, CallbackVerdict, IncomingCallback, KnownProcessor, check_callback,
};
use quietus_connectors::opendsr::protocol::RequestStatus;
use quietus_connectors::opendsr::signature::{SigningCertificates, Trust, check_digest};
use quietus_connectors::{Grade, SubjectResult};
use serde_json::{Value, json};
use uuid::Uuid;

use super::certificates::{Authority, DOMAIN, Hand, Identity, Issue};
use super::scene::{NOW, Scene, execute, order, pending, testimonies};

const OWN_URL: &str = "https://controller.example.org/callbacks";
const ID: &str = "475974fa-6b42-4370-bb56-b5d845686bb5";

struct Stage {
    authority: Authority,
    identity: Identity,
    published: SigningCertificates,
    fetched_now: bool,
    at: Timestamp,
    known: Option<RequestStatus>,
}

fn body(status: &str) -> Value {
    json!({
        "controller_id": "1402",
        "expected_completion_time": "2026-12-01T00:00:00Z",
        "status_callback_url": OWN_URL,
        "subject_request_id": ID,
        "request_status": status,
        "results_url": null,
        "extensions": null,
    })
}

impl Stage {
    fn new(hand: Hand) -> Self {
        let authority = Authority::new("A");
        let identity = authority.issue(&Issue { hand, ..Issue::default() });
        let published = SigningCertificates::read(identity.bundle.as_bytes()).unwrap();
        let at = NOW.parse().unwrap();
        let known = Some(RequestStatus::Pending);
        Self { authority, identity, published, fetched_now: true, at, known }
    }

    fn hear(&self, body: &[u8], domain: &str, signature: &str) -> CallbackVerdict {
        self.hear_headers(body, &|name: &str| match name.to_ascii_lowercase().as_str() {
            "x-opendsr-processor-domain" => Some(domain.to_owned()),
            "x-opendsr-signature" => Some(signature.to_owned()),
            _ => None,
        })
    }

    fn hear_headers(
        &self,
        body: &[u8],
        header: &dyn Fn(&str) -> Option<String>,
    ) -> CallbackVerdict {
        let trust = Trust::only(self.authority.pem()).unwrap();
        let processors = [KnownProcessor {
            domain: DOMAIN,
            certificates: Some(&self.published),
            fetched_now: self.fetched_now,
        }];
        let rules = CallbackRules {
            processors: &processors,
            own_url: OWN_URL,
            trust: &trust,
            now: self.at,
        };
        let names = [
            "X-OpenDSR-Processor-Domain",
            "X-OpenDSR-Signature",
            "X-OpenGDPR-Processor-Domain",
            "X-OpenGDPR-Signature",
        ];
        let headers: Vec<(&str, String)> =
            names.iter().filter_map(|name| Some((*name, header(name)?))).collect();
        let find = |name: &str| {
            headers.iter().find(|(one, _)| *one == name).map(|(_, value)| value.as_str())
        };
        let incoming = IncomingCallback { header: &find, body };
        check_callback(&rules, &incoming, &|domain, id: Uuid| {
            self.known.filter(|_| domain == DOMAIN && id.to_string() == ID)
        })
    }

    fn say(&self, body: &Value) -> CallbackVerdict {
        let bytes = body.to_string().into_bytes();
        self.hear(&bytes, DOMAIN, &self.identity.sign(&bytes))
    }
}

fn status(verdict: &CallbackVerdict) -> u16 {
    match verdict {
        CallbackVerdict::Further(_) | CallbackVerdict::NothingNew => 202,
        CallbackVerdict::NotBelieved(complaint) => complaint.status,
        CallbackVerdict::FetchCertificate { domain } => panic!("fetch the certificate of {domain}"),
    }
}

fn believed(verdict: CallbackVerdict) -> Authenticated {
    match verdict {
        CallbackVerdict::Further(callback) => *callback,
        other => panic!("not believed: {other:?}"),
    }
}

#[test]
fn a_signed_callback_is_believed_and_kept_as_a_proof() {
    for hand in [Hand::Rsa, Hand::P256, Hand::P256Raw] {
        let stage = Stage::new(hand);
        let callback = believed(stage.say(&body("completed")));
        assert_eq!((callback.domain.as_str(), callback.status), (DOMAIN, RequestStatus::Completed));
        assert_eq!(callback.id.to_string(), ID);
        assert!(check_digest(&callback.proof).is_ok());
    }
}

#[test]
fn who_is_not_who_they_say_gets_no_further() {
    let stage = Stage::new(Hand::Rsa);
    let bytes = body("completed").to_string().into_bytes();
    let right = stage.identity.sign(&bytes);
    // Nobody, somebody else, and a domain that the certificate would even fit.
    assert_eq!(status(&stage.hear_headers(&bytes, &|_| None)), 401);
    assert_eq!(status(&stage.hear(&bytes, "opendsr.other.example", &right)), 401);
    assert_eq!(status(&stage.hear(&bytes, "opengdpr.processor.example", &right)), 401);
    assert_eq!(status(&stage.hear(&bytes, "OpenDSR.processor.example", &right)), 202);
    // A wrong key, an altered byte, no signature at all.
    let stranger = stage.authority.issue(&Issue::default());
    assert_eq!(status(&stage.hear(&bytes, DOMAIN, &stranger.sign(&bytes))), 400);
    let mut altered = bytes.clone();
    *altered.last_mut().unwrap() = b' ';
    assert_eq!(status(&stage.hear(&altered, DOMAIN, &right)), 400);
    let spaced = [&bytes[..], b"\n"].concat();
    assert_eq!(status(&stage.hear(&spaced, DOMAIN, &right)), 400, "the same JSON, other bytes");
    assert_eq!(status(&stage.hear(&bytes, DOMAIN, "")), 400);
    assert_eq!(status(&stage.hear(&bytes, DOMAIN, "no base64!")), 400);
    // What is not authentic is not even read.
    assert_eq!(status(&stage.hear(b"no json", DOMAIN, &right)), 400);
    let signed_rubbish = stage.identity.sign(b"no json");
    assert_eq!(status(&stage.hear(b"no json", DOMAIN, &signed_rubbish)), 400);
}

#[test]
fn a_certificate_that_does_not_hold_is_fetched_once_and_then_refused() {
    let mut stage = Stage::new(Hand::Rsa);
    stage.fetched_now = false;
    let fetch = CallbackVerdict::FetchCertificate { domain: DOMAIN.to_owned() };
    // It expired.
    stage.at = "2030-02-01T00:00:00Z".parse().unwrap();
    assert_eq!(stage.say(&body("completed")), fetch);
    stage.fetched_now = true;
    assert_eq!(status(&stage.say(&body("completed"))), 401);
    stage.at = NOW.parse().unwrap();
    // It was renewed, with another kind of key, and the one at hand is the old one.
    stage.fetched_now = false;
    let renewed = stage.authority.issue(&Issue { hand: Hand::P256, ..Issue::default() });
    stage.identity = renewed;
    assert_eq!(stage.say(&body("completed")), fetch);
    stage.published = SigningCertificates::read(stage.identity.bundle.as_bytes()).unwrap();
    stage.fetched_now = true;
    assert_eq!(status(&stage.say(&body("completed"))), 202);
    // It is for another domain, or of an authority that nobody trusts.
    let other = Issue { names: &["opendsr.other.example"], ..Issue::default() };
    for identity in [stage.authority.issue(&other), Authority::new("B").issue(&Issue::default())] {
        stage.published = SigningCertificates::read(identity.bundle.as_bytes()).unwrap();
        stage.identity = identity;
        assert_eq!(status(&stage.say(&body("completed"))), 401);
    }
}

#[test]
fn a_callback_is_for_us_and_about_a_request_of_ours() {
    let mut stage = Stage::new(Hand::P256);
    for (field, value) in [
        ("status_callback_url", json!("https://controller.example.org/callbacks/")),
        ("status_callback_url", Value::Null),
        ("subject_request_id", json!("00000000-0000-4000-8000-000000000000")),
        ("subject_request_id", Value::Null),
        ("request_status", json!("melted")),
        ("request_status", Value::Null),
    ] {
        let mut body = body("completed");
        body[field] = value;
        assert_eq!(status(&stage.say(&body)), 400, "{field}");
    }
    stage.known = None;
    assert_eq!(status(&stage.say(&body("completed"))), 400);
}

#[test]
fn a_replay_and_a_latecomer_change_nothing() {
    use RequestStatus::{Cancelled, Completed, InProgress, Pending};
    let mut stage = Stage::new(Hand::P256);
    let bytes = body("in_progress").to_string().into_bytes();
    let signature = stage.identity.sign(&bytes);
    assert!(matches!(stage.hear(&bytes, DOMAIN, &signature), CallbackVerdict::Further(_)));
    for later in [InProgress, Completed, Cancelled] {
        stage.known = Some(later);
        let again = stage.hear(&bytes, DOMAIN, &signature);
        assert_eq!(again, CallbackVerdict::NothingNew, "{later:?}");
    }
    // Every pair of states: forward is further, an end is an end, two ends contradict.
    for (known, said, expected) in [
        (Pending, "pending", Some(false)),
        (Pending, "completed", Some(true)),
        (Pending, "canceled", Some(true)),
        (InProgress, "pending", Some(false)),
        (InProgress, "in-progress", Some(false)),
        (InProgress, "completed", Some(true)),
        (Completed, "pending", Some(false)),
        (Completed, "completed", Some(false)),
        (Completed, "cancelled", None),
        (Cancelled, "completed", None),
        (Cancelled, "cancelled", Some(false)),
        (Cancelled, "in_progress", Some(false)),
    ] {
        stage.known = Some(known);
        let verdict = stage.say(&body(said));
        match expected {
            Some(true) => {
                assert!(matches!(verdict, CallbackVerdict::Further(_)), "{known:?} {said}");
            }
            Some(false) => assert_eq!(verdict, CallbackVerdict::NothingNew, "{known:?} {said}"),
            None => assert_eq!(status(&verdict), 400, "{known:?} {said}"),
        }
    }
}

#[test]
fn the_old_names_of_headers_are_honoured() {
    let stage = Stage::new(Hand::Rsa);
    let bytes = body("completed").to_string().into_bytes();
    let signature = stage.identity.sign(&bytes);
    let verdict = stage.hear_headers(&bytes, &|name| match name {
        "X-OpenGDPR-Processor-Domain" => Some(DOMAIN.to_owned()),
        "X-OpenGDPR-Signature" => Some(signature.clone()),
        _ => None,
    });
    assert_eq!(status(&verdict), 202);
}

#[tokio::test]
async fn a_callback_ends_a_request_of_the_client_as_signed() {
    let mut scene = Scene::new(Hand::Rsa).await;
    scene.set("callback_url", OWN_URL);
    let client = scene.client();
    let (text, _) = pending(execute(&client, &order()).await.unwrap());
    let mut reference = Reference::read(&text).unwrap();
    let id = reference.open()[0];
    let mut said = body("completed");
    said["subject_request_id"] = json!(id.to_string());
    let bytes = said.to_string().into_bytes();
    let signature = scene.processor.inner().identity.sign(&bytes);
    let certificates = client.certificates(false).await.unwrap();
    let trust = Trust::only(scene.authority.pem()).unwrap();
    let processors =
        [KnownProcessor { domain: DOMAIN, certificates: Some(&certificates), fetched_now: false }];
    let rules = CallbackRules {
        processors: &processors,
        own_url: OWN_URL,
        trust: &trust,
        now: scene.now(),
    };
    let header = |name: &str| match name {
        "X-OpenDSR-Processor-Domain" => Some(DOMAIN),
        "X-OpenDSR-Signature" => Some(signature.as_str()),
        _ => None,
    };
    let incoming = IncomingCallback { header: &header, body: &bytes };
    let known = |_: &str, asked: Uuid| (asked == id).then_some(RequestStatus::Pending);
    let callback = believed(check_callback(&rules, &incoming, &known));
    assert!(reference.record_callback(&callback, scene.now()));
    assert!(!reference.record_callback(&callback, scene.now()), "a replay records nothing");
    let one = testimonies(reference.receipt(scene.now(), None, None)).remove(0);
    assert_eq!((one.result, one.grade), (SubjectResult::Done, Grade::Signed));
    let proof = one.proof.unwrap();
    assert_eq!(proof.signature.as_deref(), Some(signature.as_str()));
    assert!(check_digest(&proof).is_ok());
}
