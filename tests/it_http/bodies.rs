//! What comes in is read with care: sizes, kinds, unknown fields, nonsense identifiers.

use serde_json::{Value, json};

use super::house::{House, token};

fn event() -> Value {
    json!({"name": "customer.left", "key": 471_100_815, "occurred_at": "2026-01-01T00:00:00Z"})
}

#[tokio::test]
async fn events_are_recorded_once() {
    let house = House::open().await;
    let new = house.post("event-source", "/v1/events", &event()).await.expect(201);
    assert_eq!(new.json()["recorded"], "new");
    let again = house.post("event-source", "/v1/events", &event()).await.expect(200);
    assert_eq!(again.json()["recorded"], "duplicate");
    let mut text = event();
    text["key"] = json!("471100815");
    house.post("operator", "/v1/events", &text).await.expect(200);
    text["key"] = json!({"type": "integer", "value": "471100815"});
    text["revokes"] = json!(true);
    house.post("event-source", "/v1/events", &text).await.expect(201);
    let mut keyed = event();
    keyed["idempotency_key"] = json!("message-7");
    keyed["occurred_at"] = json!("2026-02-01T00:00:00Z");
    house.post("event-source", "/v1/events", &keyed).await.expect(201);
    house.post("event-source", "/v1/events", &keyed).await.expect(200);
    keyed["key"] = json!(2);
    house.post("event-source", "/v1/events", &keyed).await.expect(422);
    assert_eq!(house.count("SELECT COUNT(*) FROM events").await, 3);
    assert_eq!(house.count("SELECT COUNT(*) FROM events WHERE source = 'shop'").await, 3);
    house.nothing_leaked();
}

#[tokio::test]
async fn events_that_do_not_fit_are_refused_and_not_repeated() {
    let house = House::open().await;
    let wrong = [
        ("name", json!("customer.unknown")),
        ("name", json!("anna@mail.example")),
        ("name", json!(null)),
        ("key", json!("")),
        ("key", json!(1.5)),
        ("key", json!(["anna@mail.example"])),
        ("key", json!({"type": "integer", "value": "anna@mail.example"})),
        ("key", json!("x".repeat(300))),
        ("occurred_at", json!("anna@mail.example")),
        ("occurred_at", json!("2026-01-01")),
        ("occurred_at", json!("2126-01-01T00:00:00Z")),
        ("revokes", json!("anna@mail.example")),
        ("idempotency_key", json!("")),
        ("anna@mail.example", json!("unknown field")),
        ("actor", json!("somebody else")),
        ("by", json!("somebody else")),
    ];
    for (field, value) in wrong {
        let mut body = event();
        body[field] = value;
        house.post("event-source", "/v1/events", &body).await.expect(422);
    }
    assert_eq!(house.count("SELECT COUNT(*) FROM events").await, 0);
    house.nothing_leaked();
}

#[tokio::test]
async fn reasons_and_matters_that_identify_a_person_are_refused_and_not_repeated() {
    let house = House::open().await;
    let opened = house.post("operator", "/v1/cases", &json!({})).await.expect(201).json();
    let case = format!("/v1/cases/{}", opened["case"].as_str().unwrap());
    let before = house.rows().await;
    let long = "x".repeat(501);
    for words in
        ["anna@mail.example", "customer 471100815", "DE89370400440532013000", "a\nb", &long]
    {
        let scope = json!({"system": "crm"});
        let matter = json!({"matter": words, "reason": "lawsuit", "scope": scope});
        let reason = json!({"matter": "LIT-7", "reason": words, "scope": scope});
        house.post("operator", "/v1/holds", &matter).await.expect(422);
        let refused = house.post("operator", "/v1/holds", &reason).await.expect(422).json();
        assert!(refused["error"].as_str().unwrap().starts_with("`reason` h"), "{refused}");
        let pause = json!({"scope": "everything", "reason": words});
        house.post("operator", "/v1/pauses", &pause).await.expect(422);
        let decision = json!({"reason": words});
        house.post("approver", &format!("{case}/approve"), &decision).await.expect(422);
        house.post("operator", &format!("{case}/cancel"), &decision).await.expect(422);
    }
    assert_eq!(house.rows().await, before);
    let decision = json!({"reason": "a@b.example"});
    let told = house.post("operator", &format!("{case}/cancel"), &decision).await.expect(422);
    let told = told.text();
    assert!(told.contains("ticket or file number instead, such as `ABC-1234567`"), "{told}");
    house.nothing_leaked();
}

#[tokio::test]
async fn bodies_are_json_and_of_bounded_size() {
    let house = House::open().await;
    let post = |content_type: &'static str, body: Vec<u8>| {
        let request = house.request("POST", "/v1/events").bearer_auth(token("event-source"));
        house.send(request.header("content-type", content_type).body(body))
    };
    let fine = event().to_string().into_bytes();
    post("text/plain", fine.clone()).await.expect(415);
    post("application/x-www-form-urlencoded", b"name=customer.left".to_vec()).await.expect(415);
    post("application/json", b"{".to_vec()).await.expect(422);
    post("application/json", b"\xff\xfe".to_vec()).await.expect(422);
    post("application/json", Vec::new()).await.expect(422);
    post("application/json", "[".repeat(100_000).into_bytes()).await.expect(422);
    let mut large = fine.clone();
    large.extend(vec![b' '; 1024 * 1024]);
    post("application/json", large).await.expect(413);
    let twice =
        br#"{"name":"customer.left","name":"b","key":1,"occurred_at":"2026-01-01T00:00:00Z"}"#;
    post("application/json", twice.to_vec()).await.expect(422);
    assert_eq!(house.count("SELECT COUNT(*) FROM events").await, 0);
    post("application/json; charset=utf-8", fine).await.expect(201);
}

#[tokio::test]
async fn nonsense_identifiers_and_parameters_lead_nowhere() {
    let house = House::open().await;
    let nobody = "00000000-0000-7000-8000-000000000000";
    for path in [
        format!("/v1/certificates/{nobody}"),
        format!("/v1/certificates/{nobody}/bundle"),
        format!("/v1/certificates/{nobody}/export/manifest.json"),
        "/v1/certificates/1".to_owned(),
        "/v1/certificates/..%2F..%2Fetc%2Fpasswd".to_owned(),
        "/v1/certificates/%FF".to_owned(),
        "/v1/certificates/'%20OR%201=1--".to_owned(),
        format!("/v1/certificates/{}", "a".repeat(4000)),
        format!("/v1/cases/{nobody}"),
        format!("/v1/evidence/cases/{nobody}"),
        "/v1/rules/abc".to_owned(),
        format!("/v1/rules/{}", "0".repeat(64)),
        "/log/tile/0/000.p/9".to_owned(),
        "/log/tile/9/000".to_owned(),
        "/log/tile/0/..".to_owned(),
    ] {
        house.get("auditor", &path).await.expect(404);
    }
    for path in [
        "/v1/certificates?unknown=1",
        "/v1/certificates?limit=many",
        "/v1/certificates?from=yesterday",
        "/v1/certificates?before=00000000-0000-7000-8000-000000000000",
        "/v1/cases?state=anna@mail.example",
        "/v1/holds?all=maybe",
    ] {
        house.get("auditor", path).await.expect(422);
    }
    house.get("operator", "/v1/plan?system=unknown").await.expect(422);
    house.get("operator", "/v1/plan?schedule=unknown").await.expect(422);
    let digest = house.get("auditor", "/v1/rules").await.expect(200).json()["digest"].clone();
    let digest = digest.as_str().unwrap();
    house.get("auditor", &format!("/v1/map/{digest}")).await.expect(404);
    house.nothing_leaked();
}
