//! What strangers may ask of us, and what they may not.

use jiff::Timestamp;
use quietus_connectors::opendsr::intake::{
    Admission, CallbackHosts, Complaint, IntakeRules, Submission, admit, expected_completion,
    mark_of, may_cancel, read_submission,
};
use quietus_connectors::opendsr::protocol::{
    Dialect, Format, IdentityType, Regulation, RequestStatus, RequestType, SupportedIdentity,
};
use serde_json::{Value, json};

use super::scene::NOW;

const DOMAIN: &str = "opendsr.telecom.example";
const ID: &str = "a7551968-d5d6-44b2-9831-815ac9017798";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

pub fn rules() -> IntakeRules {
    let supported =
        |kind: &str, format| SupportedIdentity { kind: IdentityType::read(kind).unwrap(), format };
    IntakeRules {
        domain: DOMAIN.to_owned(),
        request_types: vec![RequestType::Erasure, RequestType::Access],
        identities: vec![
            supported("email", Format::Raw),
            supported("email", Format::Sha256),
            supported("msisdn", Format::Raw),
            supported("controller_customer_id", Format::Raw),
        ],
        earliest_submission: "2026-01-01T00:00:00Z".parse().unwrap(),
        callback_hosts: CallbackHosts {
            public: vec!["controller.example.org".to_owned()],
            private: Vec::new(),
        },
        most_callbacks: 2,
    }
}

fn request() -> Value {
    json!({
        "regulation": "gdpr",
        "subject_request_id": ID,
        "subject_request_type": "erasure",
        "submitted_time": "2026-11-20T08:30:00Z",
        "subject_identities": [
            {"identity_type": "email", "identity_value": "mara.lind@example.com", "identity_format": "raw"}
        ],
        "api_version": "2.0",
        "status_callback_urls": ["https://controller.example.org/callbacks"],
    })
}

fn read(dialect: Dialect, body: &Value) -> Result<Submission, Complaint> {
    let complaint = read_submission(&rules(), dialect, body.to_string().as_bytes(), now());
    if let Err(complaint) = &complaint {
        for dialect in [Dialect::V2, Dialect::V3] {
            let answer = String::from_utf8(complaint.body(dialect, DOMAIN)).unwrap();
            for personal in ["mara", "lind", "example.com", "49151", "C-17"] {
                assert!(!answer.contains(personal), "the refusal repeats a person: {answer}");
            }
        }
    }
    complaint
}

/// The fields and reasons of the refusal of a request in which one field is another.
fn with(field: &str, value: Value) -> Vec<(String, &'static str)> {
    let mut body = request();
    if value == json!("absent") {
        body.as_object_mut().unwrap().remove(field);
    } else {
        body[field] = value;
    }
    match read(Dialect::V2, &body) {
        Ok(_) => Vec::new(),
        Err(complaint) => {
            assert_eq!(complaint.status, 400);
            complaint.reasons.into_iter().map(|one| (one.field, one.reason)).collect()
        }
    }
}

fn one(field: &str, reason: &'static str) -> Vec<(String, &'static str)> {
    vec![(field.to_owned(), reason)]
}

#[test]
fn a_request_of_the_second_version_is_taken_in() {
    let submission = read(Dialect::V2, &request()).unwrap();
    let taken = &submission.request;
    assert_eq!(taken.id.to_string(), ID);
    assert_eq!((taken.kind, taken.regulation), (RequestType::Erasure, Some(Regulation::Gdpr)));
    assert_eq!(taken.submitted_at.to_string(), "2026-11-20T08:30:00Z");
    assert_eq!(taken.identities[0].value, "mara.lind@example.com");
    assert_eq!(taken.callback_urls, ["https://controller.example.org/callbacks"]);
    assert!(submission.skipped.is_empty());
    assert!(!format!("{submission:?}").contains("example.com"));
}

#[test]
fn ids_are_uuids_of_version_four_in_small_letters() {
    const FIELD: &str = "subject_request_id";
    for wrong in [
        json!("A7551968-D5D6-44B2-9831-815AC9017798"),
        json!("a7551968-d5d6-14b2-9831-815ac9017798"),
        json!("a7551968-d5d6-44b2-1831-815ac9017798"),
        json!("a7551968d5d644b29831815ac9017798"),
        json!("{a7551968-d5d6-44b2-9831-815ac9017798}"),
        json!("mara.lind@example.com"),
    ] {
        assert_eq!(with(FIELD, wrong), one(FIELD, "invalid"));
    }
    assert_eq!(with(FIELD, json!("absent")), one(FIELD, "missing"));
    assert_eq!(with(FIELD, json!(7)), one(FIELD, "missing"));
}

#[test]
fn words_and_moments_are_those_of_the_specification() {
    assert_eq!(
        with("subject_request_type", json!("dance")),
        one("subject_request_type", "unknown")
    );
    let unsupported = with("subject_request_type", json!("portability"));
    assert_eq!(unsupported, one("subject_request_type", "unsupported"));
    assert_eq!(with("regulation", json!("pipl")), one("regulation", "unknown"));
    assert_eq!(with("regulation", json!("absent")), one("regulation", "missing"));
    assert_eq!(with("regulation", json!("ccpa")), []);
    assert_eq!(with("submitted_time", json!("absent")), one("submitted_time", "missing"));
    assert_eq!(with("submitted_time", json!("yesterday")), one("submitted_time", "invalid"));
    let no_zone = with("submitted_time", json!("2026-11-20T08:30:00"));
    assert_eq!(no_zone, one("submitted_time", "invalid"));
    let future = with("submitted_time", json!("2026-11-23T10:02:00Z"));
    assert_eq!(future, one("submitted_time", "in_the_future"));
    assert_eq!(with("submitted_time", json!("2026-11-23T10:00:30Z")), [], "clocks differ a little");
    let early = with("submitted_time", json!("2025-12-31T23:59:59Z"));
    assert_eq!(early, one("submitted_time", "too_early"));
    assert_eq!(with("api_version", Value::Null), []);
    assert_eq!(with("extensions", Value::Null), []);
    assert_eq!(with("extensions", json!([])), one("extensions", "invalid"));
}

#[test]
fn identities_are_usable_or_the_request_is_refused() {
    const FIELD: &str = "subject_identities";
    let identity = |kind: &str, format: &str, value: &str| json!({"identity_type": kind, "identity_value": value, "identity_format": format});
    let of = |list: Value| with(FIELD, list);
    assert_eq!(of(json!("absent")), one(FIELD, "missing"));
    assert_eq!(of(json!([])), one(FIELD, "missing"));
    assert_eq!(of(json!({})), one(FIELD, "invalid"), "a dictionary is of v3");
    for (wrong, reason) in [
        (identity("phone", "raw", "4915100000000"), "unknown"),
        (identity("email", "rot13", "mara.lind@example.com"), "unknown"),
        (identity("email", "raw", ""), "invalid"),
        (identity("email", "raw", "*"), "invalid"),
        (identity("email", "raw", "C-17"), "invalid"),
        (identity("controller_customer_id", "raw", "%"), "invalid"),
        (identity("msisdn", "raw", "mara.lind@example.com"), "invalid"),
        (identity("email", "sha256", "mara.lind@example.com"), "invalid"),
        (json!({"identity_type": "email", "identity_format": "raw"}), "missing"),
    ] {
        assert_eq!(of(json!([wrong])), one("subject_identities[0]", reason), "{wrong}");
    }
    // Well formed and not taken: it is skipped, unless nothing is left.
    let imei = identity("imei", "raw", "490154203237518");
    assert_eq!(of(json!([imei])), one(FIELD, "unsupported"));
    let mut body = request();
    body[FIELD].as_array_mut().unwrap().push(imei);
    let submission = read(Dialect::V2, &body).unwrap();
    assert_eq!(submission.skipped, [IdentityType::read("imei").unwrap()]);
    assert_eq!(submission.request.identities.len(), 1);
    let many: Vec<Value> =
        (0..101).map(|n| identity("email", "raw", &format!("a{n}@b.example"))).collect();
    assert_eq!(of(json!(many)), one(FIELD, "too_many"));
    // SQL is a value like any other.
    assert_eq!(of(json!([identity("controller_customer_id", "raw", "1' OR '1'='1")])), []);
    // Digests are read in capitals and kept in small letters.
    let digest = "AB".repeat(32);
    let mut body = request();
    body[FIELD] = json!([identity("email", "sha256", &digest)]);
    let submission = read(Dialect::V2, &body).unwrap();
    assert_eq!(submission.request.identities[0].value, "ab".repeat(32));
}

#[test]
fn only_declared_public_addresses_are_called_back() {
    const FIELD: &str = "status_callback_urls";
    let of = |url: &str| with(FIELD, json!([url]));
    assert_eq!(of("https://controller.example.org/a?b=c"), []);
    for wrong in [
        "http://controller.example.org/a",
        "https://other.example.org/a",
        "https://controller.example.org.evil.example/a",
        "https://controller.example.org:8443/a",
        "https://controller.example.org@evil.example/a",
        "https://user@controller.example.org/a",
        "https://127.0.0.1/a",
        "https://169.254.169.254/latest",
        "https://[::1]/a",
        "file:///etc/passwd",
        "no address",
    ] {
        assert_eq!(of(wrong), one("status_callback_urls[0]", "invalid"), "{wrong}");
    }
    let three = json!([
        "https://controller.example.org/1",
        "https://controller.example.org/2",
        "https://controller.example.org/3"
    ]);
    assert_eq!(with(FIELD, three), one(FIELD, "too_many"));
    assert_eq!(with(FIELD, json!("https://controller.example.org/1")), one(FIELD, "invalid"));
    assert_eq!(with(FIELD, json!("absent")), []);
    let mut rules = rules();
    rules.callback_hosts.public =
        vec!["127.0.0.1".to_owned(), "controller.example.org:8443".to_owned()];
    rules.callback_hosts.private =
        vec!["10.0.0.7:9443".to_owned(), "hooks.internal:443".to_owned()];
    let check =
        |url| quietus_connectors::opendsr::intake::check_callback_url(url, &rules.callback_hosts);
    assert!(check("https://127.0.0.1/a").is_err(), "declared or not");
    assert!(check("https://controller.example.org:8443/a").is_ok());
    assert!(check("https://controller.example.org/a").is_err());
    assert!(check("https://10.0.0.7:9443/a").is_ok(), "declared as private");
    assert!(check("https://hooks.internal/a").is_ok());
    for wrong in ["http://10.0.0.7:9443/a", "https://10.0.0.7/a", "https://10.0.0.8:9443/a"] {
        assert!(check(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn every_fault_is_named_at_once() {
    let complaint = read(Dialect::V2, &json!({"subject_identities": [{}]})).unwrap_err();
    let fields: Vec<&str> = complaint.reasons.iter().map(|one| one.field.as_str()).collect();
    for field in ["subject_request_id", "subject_request_type", "regulation", "submitted_time"] {
        assert!(fields.contains(&field), "{fields:?}");
    }
    for wrong in ["", "[]", "mara.lind@example.com", r#"{"regulation":"gdpr","regulation":"ccpa"}"#]
    {
        let complaint =
            read_submission(&rules(), Dialect::V2, wrong.as_bytes(), now()).unwrap_err();
        assert_eq!(complaint.status, 400);
    }
}

#[test]
fn the_third_version_has_dictionaries_groups_and_our_extension() {
    let mut body = request();
    body["subject_identities"] = json!({
        "email": {"value": "mara.lind@example.com", "encoding": "raw"},
    });
    body["group_id"] = json!("g-1");
    body["extensions"] = json!({
        "OpenDSR.telecom.example": {
            "skip_waiting_period": true,
            "subject_identities": {"msisdn": {"value": "4915100000000", "encoding": "raw"}},
        },
        "opendsr.other.example": {"subject_identities": {"mpid": {"value": "1"}}},
    });
    let taken = read(Dialect::V3, &body).unwrap().request;
    let kinds: Vec<&str> = taken.identities.iter().map(|one| one.kind.as_str()).collect();
    assert_eq!(kinds, ["email", "msisdn"]);
    assert_eq!(taken.group.as_deref(), Some("g-1"));
    assert!(taken.skips_waiting);
    // One type, two values: a reader that takes one of them would erase too little.
    let twice = body.to_string().replace(
        r#""email":{"#,
        r#""email":{"value":"jon@example.com","encoding":"raw"},"email":{"#,
    );
    assert_ne!(twice, body.to_string());
    assert!(read_submission(&rules(), Dialect::V3, twice.as_bytes(), now()).is_err());
    body["group_id"] = json!("");
    assert_eq!(read(Dialect::V3, &body).unwrap_err().reasons[0].field, "group_id");
    assert!(read(Dialect::V3, &request()).is_err(), "a list is of 2.0");
}

#[test]
fn the_first_version_has_no_regulation() {
    let mut body = request();
    body.as_object_mut().unwrap().remove("regulation");
    assert_eq!(read(Dialect::V1, &body).unwrap().request.regulation, None);
    body["regulation"] = json!("pipl");
    assert!(read(Dialect::V1, &body).is_err());
}

#[test]
fn the_same_request_again_is_told_from_another_one() {
    let first = read(Dialect::V2, &request()).unwrap();
    let mut changed = request();
    changed["submitted_time"] = json!("2026-11-20T08:30:01Z");
    let other = read(Dialect::V2, &changed).unwrap();
    assert_eq!(admit(first.sha256, None, false), Admission::New);
    assert_eq!(admit(first.sha256, Some(first.sha256), true), Admission::Again);
    assert_eq!(admit(other.sha256, Some(first.sha256), false), Admission::Duplicate);
    assert_eq!(admit(other.sha256, None, true), Admission::UnderWay);
}

#[test]
fn a_mark_is_of_what_is_asked_and_for_whom() {
    let request_of = |body: &Value, dialect| read(dialect, body).unwrap().request;
    let mut both = request();
    both["subject_identities"].as_array_mut().unwrap().push(json!({
        "identity_type": "msisdn", "identity_value": "4915100000000", "identity_format": "raw"
    }));
    let mut turned = both.clone();
    turned["subject_identities"].as_array_mut().unwrap().reverse();
    turned["subject_request_id"] = json!("b7551968-d5d6-44b2-9831-815ac9017798");
    let mut third = request();
    third["subject_identities"] = json!({
        "msisdn": {"value": "4915100000000", "encoding": "raw"},
        "email": {"value": "mara.lind@example.com", "encoding": "raw"},
    });
    let mark = |body: &Value, dialect| mark_of(&request_of(body, dialect), b"key");
    let expected = mark(&both, Dialect::V2);
    assert_eq!(mark(&turned, Dialect::V2), expected);
    assert_eq!(mark(&third, Dialect::V3), expected);
    assert_ne!(mark(&request(), Dialect::V2), expected);
    let mut access = both.clone();
    access["subject_request_type"] = json!("access");
    assert_ne!(mark(&access, Dialect::V2), expected);
    assert_ne!(mark_of(&request_of(&both, Dialect::V2), b"other key"), expected);
}

#[test]
fn what_is_pending_can_be_cancelled_and_ends_are_never_promised_too_late() {
    assert_eq!(may_cancel(RequestStatus::Pending), Ok(()));
    for status in [RequestStatus::InProgress, RequestStatus::Completed, RequestStatus::Cancelled] {
        let complaint = may_cancel(status).unwrap_err();
        assert_eq!((complaint.status, complaint.reasons[0].reason), (400, "not_pending"));
    }
    let moment = |text: &str| text.parse::<Timestamp>().unwrap();
    let (early, late) = (moment("2026-12-01T00:00:00Z"), moment("2026-12-20T00:00:00Z"));
    assert_eq!(expected_completion(late, Some(early)), early);
    assert_eq!(expected_completion(early, Some(late)), early);
    assert_eq!(expected_completion(late, None), late);
}
