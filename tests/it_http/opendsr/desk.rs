//! What a controller is served: what is offered, requests taken in once in three spellings, states,
//! cancellation, groups, and the truth at the end.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quietus::app::Actor;
use serde_json::{Value, json};

use super::authority::{Authority, Identity};
use super::company::{
    ALAN, Company, DOMAIN, GRACE, IDS, digest_of_hanna, erasure, nothing_logged, secret,
};

/// Addresses of the three spellings, with the beginning of their headers.
const SPELLINGS: [(&str, &str); 4] = [
    ("/opendsr/v2/requests", "X-OpenDSR-"),
    ("/opendsr/v3/requests", "X-OpenDSR-"),
    ("/opengdpr_requests", "X-OpenGDPR-"),
    ("/opendsr/v1/opengdpr_requests", "X-OpenGDPR-"),
];

async fn open() -> (Company, Identity) {
    let authority = Authority::new();
    let identity = authority.issue(DOMAIN);
    (Company::asked(&identity, &authority, "assurance: substantial").await, identity)
}

/// The body in the spelling of an address.
fn spelt(address: &str, id: &str, who: (&str, &str, &str)) -> Vec<u8> {
    let mut body = erasure(id, who);
    if address.contains("v3") {
        let identity = json!({"value": who.2, "encoding": who.1});
        body["subject_identities"] = json!({ who.0: identity });
    }
    if address.contains("opengdpr") {
        body.as_object_mut().unwrap().remove("regulation");
    }
    body.to_string().into_bytes()
}

async fn status(company: &Company, id: &str) -> Value {
    company.get("shop", &format!("/opendsr/v2/requests/{id}")).await.expect(200).json()
}

#[tokio::test]
async fn what_is_offered_is_served_to_controllers_and_the_certificate_to_everybody() {
    let (company, identity) = open().await;
    for address in ["/opendsr/v1/discovery", "/opendsr/v2/discovery", "/opendsr/v3/discovery"] {
        let nobody = company.send(company.request("GET", address)).await.expect(401);
        assert!(nobody.header("www-authenticate").contains("Basic"));
        let own = company.get("auditor", address).await.expect(401);
        assert_eq!(own.body, nobody.body, "a token of ours is no controller's credential");
        let basic = |name: &str, key: &str| {
            company.send(company.request("GET", address).basic_auth(name, Some(key.to_owned())))
        };
        basic("shop", &secret("shop")).await.expect(200);
        basic("bank", &secret("shop")).await.expect(401);
        basic("shop", "").await.expect(401);
        let offered = company.get("shop", address).await.expect(200).json();
        assert_eq!(offered["supported_subject_request_types"], json!(["erasure", "access"]));
        assert_eq!(offered["supported_identities"].as_array().unwrap().len(), 3);
        let at = offered["processor_certificate"].as_str().unwrap();
        let path = at.strip_prefix(&format!("http://{}", company.address)).unwrap();
        let published = company.send(company.request("GET", path)).await.expect(200);
        assert_eq!(published.body, identity.certificates().pem().into_bytes());
    }
    // What belongs to operators is not for controllers, nor the other way round.
    company.get("shop", "/v1/requests").await.expect(401);
    company.get("operator", "/opendsr/v2/requests/x").await.expect(401);
    company.ask("shop", "PUT", "/opendsr/v2/requests", b"{}").await.expect(405);
    nothing_logged(&[]);
}

#[tokio::test]
async fn a_request_is_taken_in_once_in_every_spelling() {
    for (address, prefix) in SPELLINGS {
        let (company, identity) = open().await;
        let body = spelt(address, IDS[0], GRACE);
        let first = company.ask("shop", "POST", address, &body).await.expect(201);
        let first = first.signed(&identity, prefix);
        let answer = first.json();
        assert_eq!(answer["controller_id"], "shop");
        assert_eq!(answer["subject_request_id"], IDS[0]);
        assert_eq!(answer["encoded_request"], STANDARD.encode(&body));
        assert_eq!(answer["received_time"], super::company::NOON);
        // 28 days after the person asked; the law's last day is 21 December, a Monday.
        assert_eq!(answer["expected_completion_time"], "2026-12-18T22:59:59Z");
        // The same bytes, the same answer; also later, and by the other way of coming in.
        company.clock.pass_hours(2);
        let basic = company.request("POST", address).basic_auth("shop", Some(secret("shop")));
        let again = company.send(basic.body(body.clone())).await.expect(201);
        assert_eq!(again.body, first.body);
        again.signed(&identity, prefix);
        // The same id for other bytes, and the same person under another id.
        let spaced = [&body[..], b" "].concat();
        let duplicate = company.ask("shop", "POST", address, &spaced).await.expect(400).json();
        let error = if address.contains("v3") { &duplicate } else { &duplicate["error"] };
        assert_eq!(error["errors"][0]["reason"], "duplicate");
        let same = spelt(address, IDS[1], GRACE);
        company.ask("shop", "POST", address, &same).await.expect(409);
        // Somebody else under another id is another request.
        let other = spelt(address, IDS[2], ALAN);
        company.ask("shop", "POST", address, &other).await.expect(201);
        assert_eq!(company.count("SELECT COUNT(*) FROM requests").await, 2);
        let at = format!("{address}/{}", IDS[0]);
        let stands = company.get("shop", &at).await.expect(200).signed(&identity, prefix).json();
        assert_eq!(
            (&stands["request_status"], &stands["controller_id"]),
            (&json!("pending"), &json!("shop"))
        );
        if !address.contains("/v1/") {
            let alias = company.get("shop", &format!("{at}/status")).await.expect(200);
            assert_eq!(alias.json()["request_status"], "pending");
        }
    }
    nothing_logged(&[]);
}

#[tokio::test]
async fn a_request_is_on_record_as_every_other_one() {
    let (company, _) = open().await;
    let body = spelt("v2", IDS[0], GRACE);
    company.ask("shop", "POST", "/opendsr/v2/requests", &body).await.expect(201);
    let page = company.only_request().await;
    assert_eq!(page["source"], "opendsr:shop");
    assert_eq!(page["external_id"], IDS[0]);
    assert_eq!(page["channel"], "opendsr");
    assert_eq!(page["requester"], "agent");
    assert_eq!(page["regime"], "gdpr");
    // The law's clock began when the person asked, not when we heard of it.
    assert_eq!(page["received_at"], "2026-11-20T08:30:00Z");
    assert_eq!(page["clock"]["legal_latest"], "2026-12-21");
    assert_eq!(page["state"], "cooling_off");
    assert_eq!(page["cooling_off_until"], "2026-11-24T12:00:00Z");
    assert_eq!(page["identity_check"]["assurance"], "substantial");
    assert_eq!(page["identity_check"]["method"], "opendsr");
    // Whoever brought it writes to the person.
    assert_eq!(page["letters"], json!([]));
    let columns =
        "SELECT COUNT(*) FROM opendsr_requests WHERE CAST(body_tag AS TEXT) LIKE '%grace%'";
    assert_eq!(company.count(columns).await, 0);
}

#[tokio::test]
async fn a_controller_sees_its_own_requests_only() {
    let (company, _) = open().await;
    let body = spelt("v2", IDS[0], GRACE);
    company.ask("shop", "POST", "/opendsr/v2/requests", &body).await.expect(201);
    let at = format!("/opendsr/v2/requests/{}", IDS[0]);
    let others = company.get("bank", &at).await.expect(404).body;
    let nobodys = company.get("bank", &format!("/opendsr/v2/requests/{}", IDS[1])).await;
    assert_eq!(nobodys.expect(404).body, others, "what is another's looks like nothing");
    company.ask("bank", "DELETE", &at, b"").await.expect(404);
    company.get("shop", "/opendsr/v2/requests/no-uuid").await.expect(404);
    // That another controller asks for the same person is not told, and is no obstacle.
    company.ask("bank", "POST", "/opendsr/v2/requests", &body).await.expect(201);
    assert_eq!(status(&company, IDS[0]).await["request_status"], "pending");
    assert_eq!(company.count("SELECT COUNT(*) FROM requests").await, 2);
}

#[tokio::test]
async fn pending_is_cancelled_and_what_goes_on_is_not() {
    let (company, identity) = open().await;
    let at = format!("/opendsr/v2/requests/{}", IDS[0]);
    let body = spelt("v2", IDS[0], GRACE);
    company.ask("shop", "POST", "/opendsr/v2/requests", &body).await.expect(201);
    company.clock.pass_hours(23);
    company.carry_on().await;
    assert_eq!(company.customers("SELECT COUNT(*) FROM customers").await, 3, "it cools off");
    let cancelled = company.ask("shop", "DELETE", &at, b"").await.expect(202);
    let cancelled = cancelled.signed(&identity, "X-OpenDSR-").json();
    assert_eq!(cancelled["subject_request_id"], IDS[0]);
    assert_eq!(cancelled["received_time"], "2026-11-24T11:00:00Z");
    assert_eq!(status(&company, IDS[0]).await["request_status"], "cancelled");
    let again = company.ask("shop", "DELETE", &at, b"").await.expect(400).json();
    assert_eq!(again["error"]["errors"][0]["reason"], "not_pending");
    company.clock.pass_hours(48);
    company.carry_on().await;
    assert_eq!(company.customers("SELECT COUNT(*) FROM customers").await, 3);
    // The same may be asked again under another id, and then it goes on.
    let body = spelt("v2", IDS[1], GRACE);
    company.ask("shop", "POST", "/opendsr/v2/requests", &body).await.expect(201);
    company.clock.pass_hours(24);
    for _ in 0..2 {
        company.product.advance_requests().await.unwrap();
    }
    assert_eq!(status(&company, IDS[1]).await["request_status"], "in_progress");
    let at = format!("/opendsr/v2/requests/{}", IDS[1]);
    company.ask("shop", "DELETE", &at, b"").await.expect(400);
    company.carry_on().await;
    assert_eq!(company.customers("SELECT COUNT(*) FROM customers").await, 2);
    nothing_logged(&[]);
}

#[tokio::test]
async fn the_truth_stands_beside_completed() {
    let (company, identity) = open().await;
    let hanna = digest_of_hanna();
    let hashed = ("email", "sha256", hanna.as_str());
    for (id, who) in IDS.into_iter().zip([GRACE, hashed, ("email", "raw", "nobody@mail.example")]) {
        let body = spelt("v2", id, who);
        company.ask("shop", "POST", "/opendsr/v2/requests", &body).await.expect(201);
    }
    company.clock.pass_hours(25);
    company.carry_on().await;
    // Grace's invoice stays until the law lets it go; Hanna was found by a digest; the third person
    // is nobody. Alan was not named.
    assert_eq!(company.customers("SELECT COUNT(*) FROM customers WHERE id = 2").await, 1);
    assert_eq!(company.customers("SELECT COUNT(*) FROM customers").await, 1);
    assert_eq!(company.customers("SELECT COUNT(*) FROM invoices WHERE restricted").await, 1);
    let mut certificates = Vec::new();
    for (id, outcome) in IDS.into_iter().zip(["partially_retained", "fulfilled", "not_found"]) {
        let at = format!("/opendsr/v2/requests/{id}");
        let stands =
            company.get("shop", &at).await.expect(200).signed(&identity, "X-OpenDSR-").json();
        assert_eq!(stands["request_status"], "completed", "{id}");
        let ours = &stands["extensions"][DOMAIN];
        assert_eq!(ours["outcome"], outcome, "{ours}");
        let kept = ours["retained"].as_array().unwrap();
        if outcome == "partially_retained" {
            assert_eq!(kept.len(), 1, "{ours}");
            assert_eq!(kept[0]["category"], "invoice");
            assert!(kept[0]["basis"].as_str().unwrap().contains("AO 147"));
            assert_eq!(kept[0]["until"], "2033-12-31");
        } else {
            assert_eq!(kept.len(), 0, "{ours}");
        }
        certificates.extend(ours["certificate_url"].as_str().map(str::to_owned));
    }
    assert!(certificates.len() >= 2);
    for url in certificates {
        let path = url.strip_prefix(&format!("http://{}", company.address)).unwrap();
        let bundle = company.get("shop", path).await.expect(200).json();
        assert!(bundle["dsseEnvelope"].is_object(), "{bundle}");
        company.get("bank", path).await.expect(404);
        company.send(company.request("GET", path)).await.expect(401);
    }
    nothing_logged(&[&hanna]);
}

#[tokio::test]
async fn a_group_is_told_as_a_whole_and_waiting_can_be_skipped() {
    let (company, identity) = open().await;
    for (id, who) in IDS.into_iter().zip([GRACE, ALAN]) {
        let mut body: Value =
            serde_json::from_slice(&spelt("/opendsr/v3/requests", id, who)).unwrap();
        body["group_id"] = json!("left in november, hanna@mail.example".replace(' ', "-"));
        body["extensions"] = json!({ DOMAIN: {"skip_waiting_period": id == IDS[1]} });
        let body = body.to_string().into_bytes();
        company.ask("shop", "POST", "/opendsr/v3/requests", &body).await.expect(201);
    }
    company.carry_on().await;
    let group = "/opendsr/v3/requests?group_id=left-in-november,-hanna@mail.example";
    let all = company.get("shop", group).await.expect(200).signed(&identity, "X-OpenDSR-").json();
    let states: Vec<&str> =
        all.as_array().unwrap().iter().map(|one| one["request_status"].as_str().unwrap()).collect();
    assert_eq!(states, ["pending", "completed"]);
    assert_eq!(company.get("bank", group).await.expect(200).json(), json!([]));
    company.get("shop", "/opendsr/v3/requests").await.expect(400);
    // Its name may say anything, so it is kept nowhere.
    let named =
        "SELECT COUNT(*) FROM opendsr_requests WHERE CAST(group_tag AS TEXT) LIKE '%november%'";
    assert_eq!(company.count(named).await, 0);
    nothing_logged(&["november"]);
}

#[tokio::test]
async fn access_is_handed_to_a_person() {
    let (company, _) = open().await;
    let mut body = erasure(IDS[0], ALAN);
    body["subject_request_type"] = json!("access");
    let body = body.to_string().into_bytes();
    company.ask("shop", "POST", "/opendsr/v2/requests", &body).await.expect(201);
    company.product.tell_controllers().await.unwrap();
    assert_eq!(status(&company, IDS[0]).await["request_status"], "in_progress");
    company.carry_on().await;
    let page = company.only_request().await;
    assert_eq!(page["state"], "with_a_person");
    let close = format!("/v1/requests/{}/close", page["id"].as_str().unwrap());
    company.ask("operator", "POST", &close, br#"{"reason": "a copy was sent"}"#).await.expect(200);
    let stands = status(&company, IDS[0]).await;
    assert_eq!(stands["request_status"], "completed");
    assert_eq!(stands["extensions"][DOMAIN]["outcome"], "fulfilled");
    assert_eq!(company.customers("SELECT COUNT(*) FROM customers").await, 3);
}

#[tokio::test]
async fn a_refusal_is_completed_and_says_so() {
    let (company, _) = open().await;
    let body = spelt("v2", IDS[0], GRACE);
    company.ask("shop", "POST", "/opendsr/v2/requests", &body).await.expect(201);
    let id = company.only_request().await["id"].as_str().unwrap().parse().unwrap();
    for name in ["night-shift", "second-person"] {
        let actor = Actor(name.to_owned());
        company.product.refuse_request(id, &actor, "manifestly unfounded, T-125").await.unwrap();
    }
    let stands = status(&company, IDS[0]).await;
    assert_eq!(stands["request_status"], "completed");
    assert_eq!(stands["extensions"][DOMAIN]["outcome"], "refused");
    assert_eq!(stands["extensions"][DOMAIN]["certificate_url"], Value::Null);
    assert_eq!(company.customers("SELECT COUNT(*) FROM customers").await, 3);
}

#[tokio::test]
async fn a_controller_that_is_not_sure_who_asks_is_not_enough() {
    let authority = Authority::new();
    let company = Company::asked(&authority.issue(DOMAIN), &authority, "assurance: low").await;
    let body = spelt("v2", IDS[0], GRACE);
    company.ask("shop", "POST", "/opendsr/v2/requests", &body).await.expect(201);
    company.clock.pass_hours(100);
    company.carry_on().await;
    assert_eq!(company.only_request().await["state"], "identity_pending");
    assert_eq!(status(&company, IDS[0]).await["request_status"], "pending");
    assert_eq!(company.customers("SELECT COUNT(*) FROM customers").await, 3);
    let at = format!("/opendsr/v2/requests/{}", IDS[0]);
    company.ask("shop", "DELETE", &at, b"").await.expect(202);
}
