//! Persons' requests: brought once, confirmed, carried out, refused by two persons; and nothing
//! that is forged or confused erases anybody.

use serde_json::{Value, json};

use super::house::House;

/// Everybody of whom the company knows, and their notes.
const EVERYBODY: (u64, u64) = (3, 2);

async fn people(house: &House) -> (u64, u64) {
    (
        house.customers("SELECT COUNT(*) FROM customers WHERE email LIKE '%@mail.example'").await,
        house.customers("SELECT COUNT(*) FROM notes WHERE words LIKE 'likes%'").await,
    )
}

fn by_email(address: &str) -> Value {
    json!({"right": "erasure", "identities": [{"type": "email", "value": address}]})
}

async fn bring(house: &House, body: &Value) -> String {
    let brought = house.post("operator", "/v1/requests", body).await.expect(201).json();
    brought["id"].as_str().unwrap().to_owned()
}

async fn confirm(house: &House, id: &str) -> Value {
    let check = json!({"assurance": "substantial", "method": "call-back", "reference": "T-123"});
    house.post("operator", &format!("/v1/requests/{id}/confirm"), &check).await.expect(200).json()
}

async fn state(house: &House, id: &str) -> String {
    let page = house.get("auditor", &format!("/v1/requests/{id}")).await.expect(200).json();
    page["state"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_request_is_brought_once_confirmed_and_carried_out() {
    let house = House::open().await;
    let mut body = by_email(" Anna@Mail.EXAMPLE");
    body["received_at"] = json!("2026-11-01T09:00:00+01:00");
    body["channel"] = json!("mail");
    body["ground"] = json!("Art. 17(1)(b)");
    body["language"] = json!("de");
    body["contact"] = json!("Anna\nStreet 1");
    let post = |body: Value| {
        let request = house.request("POST", "/v1/requests");
        let request = request.bearer_auth(super::house::token("operator"));
        house.send(request.header("idempotency-key", "ticket T-77").json(&body))
    };
    let new = post(body.clone()).await.expect(201);
    let id = new.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(new.header("location"), format!("/v1/requests/{id}"));
    assert_eq!(new.json()["state"], "identity_pending");
    assert_eq!(new.json()["external_id"], "ticket T-77");
    assert_eq!(new.json()["identity_types"], json!(["email"]));
    // 1 December is the day that the law allows; the controller's own thirty days are the same.
    assert_eq!(new.json()["clock"]["legal_latest"], "2026-12-01");
    assert_eq!(new.json()["clock"]["days_left"], 8);
    assert_eq!(new.json()["clock"]["standing"], "on_time");
    let again = post(body.clone()).await.expect(200);
    assert_eq!(again.body, new.body, "the same request, the same answer");
    post(by_email("bert@mail.example")).await.expect(422);
    let twice = house.post("operator", "/v1/requests", &body).await.expect(409);
    assert!(twice.json()["error"].as_str().unwrap().contains(&id));
    assert_eq!(house.count("SELECT COUNT(*) FROM requests").await, 1);

    house.carry_on().await;
    assert_eq!(people(&house).await, EVERYBODY, "nobody knows yet who asks");
    assert_eq!(confirm(&house, &id).await["state"], "ready");
    house.carry_on().await;
    assert_eq!(house.customers("SELECT COUNT(*) FROM customers WHERE id = 471100815").await, 0);
    assert_eq!(people(&house).await, (2, 1), "the notes were found by the customer's number");

    let page = house.get("approver", &format!("/v1/requests/{id}")).await.expect(200).json();
    assert_eq!(page["systems"][0]["system"], "crm");
    assert_eq!(page["systems"][0]["jobs"][0]["state"], "completed");
    assert_eq!(page["systems"][0]["jobs"][0]["verified"], true);
    let done = page["systems"][0]["jobs"][0]["done"].as_array().unwrap();
    assert_eq!(done.iter().map(|one| one["deleted"].as_u64().unwrap()).sum::<u64>(), 2);
    let case = page["case_id"].as_str().unwrap();
    house.get("auditor", &format!("/v1/cases/{case}")).await.expect(200);
    house.get("auditor", &format!("/v1/evidence/cases/{case}")).await.expect(200);
    let list = house.get("auditor", "/v1/requests?limit=1").await.expect(200).json();
    assert_eq!(list["requests"][0]["id"], id.as_str());
    house.nothing_leaked();
}

fn confused_identities() -> Vec<Value> {
    let one = |kind: &str, value: Value| json!([{"type": kind, "value": value}]);
    vec![
        json!([]),
        json!("anna@mail.example"),
        json!({"email": "anna@mail.example"}),
        one("site_id", json!("471100815")),
        one("anna@mail.example", json!("1")),
        one("email", json!("")),
        one("email", json!(" \t ")),
        one("email", json!("*")),
        one("email", json!("%@mail.example")),
        one("email", json!("anna@mail.example, bert@mail.example")),
        one("email", json!("anna@mail.example' OR '1'='1")),
        one("email", json!("'; DELETE FROM customers; --")),
        one("email", json!("471100815")),
        one("email", json!("anna@mail.example\u{0}")),
        one("email", json!("anna\u{200b}@mail.example")),
        one("email", json!("a\nanna@mail.example")),
        one("email", json!(null)),
        one("email", json!(["anna@mail.example"])),
        one("customer_id", json!("%")),
        one("customer_id", json!("_")),
        one("customer_id", json!(1.5)),
        one("customer_id", json!("x".repeat(400))),
        Value::Array(vec![json!({"type": "customer_id", "value": 471_100_815}); 51]),
    ]
}

#[tokio::test]
async fn forged_and_confused_requests_are_refused_and_not_repeated() {
    let house = House::open().await;
    let before = house.rows().await;
    for wrong in confused_identities() {
        let body = json!({"right": "erasure", "identities": wrong});
        house.post("operator", "/v1/requests", &body).await.expect(422);
    }
    let fields = [
        ("right", json!("anna@mail.example")),
        ("right", json!("erase everything")),
        ("received_at", json!("2126-01-01T00:00:00Z")),
        ("received_at", json!("2026-11-23T12:00:00.000001Z")),
        ("received_at", json!("anna@mail.example")),
        ("regime", json!("anna@mail.example")),
        ("regime", json!("unknown")),
        ("channel", json!("anna@mail.example")),
        ("channel", json!("ma\u{7}il")),
        ("requester", json!("anna@mail.example")),
        ("ground", json!("asked by anna@mail.example")),
        ("ground", json!("a\nb")),
        ("language", json!("../../de")),
        ("categories", json!(["anna@mail.example"])),
        ("categories", json!(["unknown"])),
        ("contact", json!("\u{1b}[31mAnna")),
        ("contact", json!("")),
        ("identity_check", json!({"assurance": "certain", "method": "eid"})),
        ("identity_check", json!({"assurance": "high", "method": "anna@mail.example"})),
        ("identity_check", json!({"assurance": "high"})),
        ("source", json!("opendsr")),
        ("by", json!("somebody else")),
        ("anna@mail.example", json!("unknown field")),
    ];
    for (field, value) in fields {
        let mut body = by_email("anna@mail.example");
        body[field] = value;
        house.post("operator", "/v1/requests", &body).await.expect(422);
    }
    for key in ["", " ", "anna@mail.example", &"k".repeat(600)] {
        let request = house.request("POST", "/v1/requests").header("idempotency-key", key);
        let request = request.bearer_auth(super::house::token("operator"));
        house.send(request.json(&by_email("anna@mail.example"))).await.expect(422);
    }
    assert_eq!(house.rows().await, before, "a refused request was written");
    house.carry_on().await;
    assert_eq!(people(&house).await, EVERYBODY);
    house.nothing_leaked();
}

#[tokio::test]
async fn what_names_nobody_erases_nobody() {
    let house = House::open().await;
    for (kind, value) in [
        ("customer_id", json!("1 OR 1=1")),
        ("customer_id", json!("anna@mail.example")),
        ("customer_id", json!("471100815; DROP TABLE customers")),
        ("customer_id", json!("4711%")),
        ("customer_id", json!(47_110_081)),
        ("email", json!("a_na@mail.example")),
        ("email", json!("nobody@mail.example")),
    ] {
        let body = json!({"right": "erasure", "identities": [{"type": kind, "value": value}]});
        let id = bring(&house, &body).await;
        confirm(&house, &id).await;
        house.carry_on().await;
        assert_eq!(people(&house).await, EVERYBODY, "{kind} {value}");
    }
    house.nothing_leaked();
}

#[tokio::test]
async fn two_persons_under_one_address_are_not_erased_before_somebody_says_who_is_meant() {
    let house = House::open().await;
    let crm = house.folder.path().join("data/crm.db");
    let another = "INSERT INTO customers VALUES (4, 'ANNA@MAIL.EXAMPLE', 'Another', NULL)";
    quietus_connectors::sample::write(&crm, another).await.unwrap();
    let id = bring(&house, &by_email("anna@mail.example")).await;
    confirm(&house, &id).await;
    house.carry_on().await;
    assert_eq!(state(&house, &id).await, "ambiguous");
    let page = house.get("auditor", &format!("/v1/requests/{id}")).await.json();
    assert!(page["needs"].as_str().unwrap().contains("`customer_id`"), "{}", page["needs"]);
    assert_eq!(people(&house).await.1, 2);
    assert_eq!(house.customers("SELECT COUNT(*) FROM customers").await, 4);
    assert_eq!(house.count("SELECT COUNT(*) FROM cases").await, 0);

    let path = format!("/v1/requests/{id}/tell-apart");
    let meant = |kind: &str, value: Value| json!({"identities": [{"type": kind, "value": value}]});
    house.post("operator", &path, &meant("site_id", json!(4))).await.expect(422);
    house.post("operator", &path, &meant("email", json!("*"))).await.expect(422);
    house.post("operator", &path, &json!({"identities": []})).await.expect(422);
    house.post("operator", &path, &meant("customer_id", json!(4))).await.expect(200);
    house.carry_on().await;
    // Anna is never erased instead of the one who was named.
    assert_eq!(house.customers("SELECT COUNT(*) FROM customers WHERE id = 471100815").await, 1);
    assert_eq!(people(&house).await.1, 2);
    house.nothing_leaked();
}

#[tokio::test]
async fn a_refusal_needs_two_persons_and_a_closed_request_stays_closed() {
    let house = House::open().await;
    let id = bring(&house, &by_email("anna@mail.example")).await;
    let path = |what: &str| format!("/v1/requests/{id}/{what}");
    let reason = json!({"reason": "manifestly unfounded, T-125"});
    let proposed = house.post("operator", &path("refuse"), &reason).await.expect(200).json();
    assert_eq!(proposed["state"], "identity_pending");
    assert_eq!(proposed["refusal_proposed"]["by"], "night-shift");
    let same = house.post("operator", &path("refuse"), &reason).await.expect(409);
    assert!(same.json()["error"].as_str().unwrap().contains("somebody else"));
    let agreed = house.post("approver", &path("refuse"), &reason).await.expect(200).json();
    assert_eq!((&agreed["state"], &agreed["outcome"]), (&json!("closed"), &json!("refused")));
    assert_eq!(agreed["second_person"], "second-person");
    assert_eq!(agreed["clock"]["standing"], "answered");
    assert_eq!(agreed["clock"]["days_left"], json!(null));
    for what in ["cancel", "refuse", "extend", "close"] {
        house.post("operator", &path(what), &reason).await.expect(409);
    }
    house.post("operator", &path("ask-identity"), &json!({})).await.expect(409);
    let check = json!({"assurance": "high", "method": "eid"});
    house.post("operator", &path("confirm"), &check).await.expect(409);
    house.carry_on().await;
    assert_eq!(people(&house).await, EVERYBODY);
    let open = house.get("auditor", "/v1/requests?open=true").await.expect(200).json();
    assert_eq!(open["requests"], json!([]));
    // Nothing stands in the way of asking again.
    bring(&house, &by_email("anna@mail.example")).await;
}

#[tokio::test]
async fn dates_are_prolonged_once_and_a_person_closes_what_a_person_does() {
    let house = House::open().await;
    let body = json!({
        "right": "access",
        "identities": [{"type": "customer_id", "value": 471_100_815}],
        "received_at": "2026-11-01T09:00:00+01:00",
        "identity_check": {"assurance": "substantial", "method": "login"},
    });
    let id = bring(&house, &body).await;
    assert_eq!(state(&house, &id).await, "with_a_person");
    let path = |what: &str| format!("/v1/requests/{id}/{what}");
    let reason = json!({"reason": "twelve systems, T-126"});
    let longer = house.post("operator", &path("extend"), &reason).await.expect(200).json();
    assert_eq!(longer["clock"]["legal_latest"], "2027-02-01");
    assert_eq!(longer["clock"]["prolonged"], true);
    house.post("operator", &path("extend"), &reason).await.expect(409);
    for wrong in [json!({}), json!({"reason": ""}), json!({"reason": "anna@mail.example"})] {
        house.post("operator", &path("close"), &wrong).await.expect(422);
    }
    let closed = house.post("operator", &path("close"), &reason).await.expect(200).json();
    assert_eq!(closed["outcome"], "handled");

    let id = bring(&house, &by_email("bert@mail.example")).await;
    let asked = format!("/v1/requests/{id}/ask-identity");
    let asked_once = house.post("operator", &asked, &json!({})).await.expect(200).json();
    assert_eq!(asked_once["clock"]["stands_since"], super::house::NOW);
    house.post("operator", &asked, &json!({})).await.expect(409);
    let taken_back = format!("/v1/requests/{id}/cancel");
    let closed = house.post("operator", &taken_back, &reason).await.expect(200).json();
    assert_eq!(closed["outcome"], "cancelled");
    for path in ["/v1/requests?state=anna@mail.example", "/v1/requests?open=maybe"] {
        house.get("auditor", path).await.expect(422);
    }
    let nobody = "00000000-0000-7000-8000-000000000000";
    house.get("auditor", &format!("/v1/requests?before={nobody}")).await.expect(422);
    house.get("auditor", &format!("/v1/requests/{nobody}")).await.expect(404);
    house.carry_on().await;
    assert_eq!(people(&house).await, EVERYBODY);
    house.nothing_leaked();
}
