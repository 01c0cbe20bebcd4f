//! What is not taken in: what does not fit the specification, what was not declared, and what could
//! be used against somebody. Nothing that was sent is repeated.

use serde_json::{Value, json};

use super::authority::Authority;
use super::company::{ALAN, Company, DOMAIN, GRACE, IDS, erasure, nothing_logged};

const HOSTS: &str = "callback_hosts: [hooks.shop.example]";

async fn open() -> Company {
    let authority = Authority::new();
    Company::asked(&authority.issue(DOMAIN), &authority, HOSTS).await
}

/// Posts a changed request; the reasons of its refusal.
async fn refused(company: &Company, change: impl Fn(&mut Value)) -> Vec<(String, String)> {
    let mut body = erasure(IDS[0], GRACE);
    change(&mut body);
    let body = body.to_string().into_bytes();
    let answer = company.ask("shop", "POST", "/opendsr/v2/requests", &body).await.expect(400);
    assert_eq!(answer.header("cache-control"), "no-store");
    let error = answer.json()["error"].clone();
    assert_eq!(error["code"], 400);
    let reasons = error["errors"].as_array().unwrap().iter().map(|one| {
        let field = one["message"].as_str().unwrap().split('`').nth(1).unwrap().to_owned();
        (field, one["reason"].as_str().unwrap().to_owned())
    });
    reasons.collect()
}

#[tokio::test]
async fn what_does_not_fit_is_named_by_its_field() {
    let company = open().await;
    let field =
        |name: &'static str, value: Value| move |body: &mut Value| body[name] = value.clone();
    for (name, value, reason) in [
        ("regulation", json!(null), "missing"),
        ("regulation", json!("lgpd"), "unknown"),
        ("subject_request_id", json!(IDS[0].to_uppercase()), "invalid"),
        ("subject_request_id", json!("019a1968-d5d6-74b2-9831-815ac9017798"), "invalid"),
        ("subject_request_type", json!("rectification"), "unsupported"),
        ("subject_request_type", json!("portability"), "unsupported"),
        ("submitted_time", json!("2026-11-23T12:05:00Z"), "in_the_future"),
        ("submitted_time", json!("2024-11-20T08:30:00Z"), "too_early"),
        ("submitted_time", json!("20.11.2026"), "invalid"),
        ("subject_identities", json!([]), "missing"),
        ("status_callback_urls", json!("https://hooks.shop.example/a"), "invalid"),
        ("extensions", json!([]), "invalid"),
    ] {
        let reasons = refused(&company, field(name, value.clone())).await;
        assert_eq!(reasons, [(name.to_owned(), reason.to_owned())], "{name}: {value}");
    }
    let post = "/opendsr/v2/requests";
    for wrong in ["", "[]", "no json", r#"{"regulation":"gdpr","regulation":"ccpa"}"#] {
        company.ask("shop", "POST", post, wrong.as_bytes()).await.expect(400);
    }
    let large = vec![b' '; 2 * 1024 * 1024];
    company.ask("shop", "POST", post, &large).await.expect(413);
    assert_eq!(company.count("SELECT COUNT(*) FROM requests").await, 0);
    nothing_logged(&[]);
}

#[tokio::test]
async fn identities_that_nobody_can_look_up_are_refused() {
    let company = open().await;
    let only = |kind: &'static str, format: &'static str, value: &'static str| {
        move |body: &mut Value| {
            body["subject_identities"] = json!([
                {"identity_type": kind, "identity_format": format, "identity_value": value},
            ]);
        }
    };
    // No column holds such digests, so nothing is hashed row by row.
    let md5 = "0cc175b9c0f1b6a831c399e269772661";
    let reasons = refused(&company, only("email", "md5", md5)).await;
    assert_eq!(reasons, [("subject_identities".to_owned(), "unsupported".to_owned())]);
    let reasons = refused(&company, only("imei", "raw", "490154203237518")).await;
    assert_eq!(reasons[0].1, "unsupported");
    for value in ["*", "%@mail.example", "", "471100815"] {
        refused(&company, only("email", "raw", value)).await;
    }
    // One that is of use is enough.
    let mut body = erasure(IDS[0], ALAN);
    let imei = json!({"identity_type": "imei", "identity_format": "raw", "identity_value": "490154203237518"});
    body["subject_identities"].as_array_mut().unwrap().push(imei);
    let body = body.to_string().into_bytes();
    company.ask("shop", "POST", "/opendsr/v2/requests", &body).await.expect(201);
    assert_eq!(company.only_request().await["identity_types"], json!(["email"]));
}

#[tokio::test]
async fn only_declared_hosts_are_called_and_no_address_names_anybody() {
    let company = open().await;
    let urls = |list: Value| move |body: &mut Value| body["status_callback_urls"] = list.clone();
    for (url, reason) in [
        ("http://hooks.shop.example/a", "invalid"),
        ("https://hooks.bank.example/a", "invalid"),
        ("https://hooks.shop.example:8443/a", "invalid"),
        ("https://user@hooks.shop.example/a", "invalid"),
        ("https://127.0.0.1/a", "invalid"),
        ("https://169.254.169.254/latest", "invalid"),
        ("https://[::1]/a", "invalid"),
        ("file:///etc/passwd", "invalid"),
        ("https://hooks.shop.example/a?who=grace@mail.example", "names_a_person"),
        ("https://hooks.shop.example/GRACE%40MAIL.example", "names_a_person"),
        ("https://hooks.shop.example/?who=grace%2540mail.example", "names_a_person"),
    ] {
        let reasons = refused(&company, urls(json!([url]))).await;
        assert_eq!(reasons, [("status_callback_urls[0]".to_owned(), reason.to_owned())], "{url}");
    }
    let many: Vec<String> = (0..6).map(|n| format!("https://hooks.shop.example/{n}")).collect();
    assert_eq!(refused(&company, urls(json!(many))).await[0].1, "too_many");
    let mut body = erasure(IDS[0], GRACE);
    body["status_callback_urls"] = json!(["https://hooks.shop.example/a?key=letmein"]);
    let body = body.to_string().into_bytes();
    company.ask("shop", "POST", "/opendsr/v2/requests", &body).await.expect(201);
    // An address may hold a password, so it is sealed.
    let clear =
        "SELECT COUNT(*) FROM opendsr_requests WHERE CAST(sealed_urls AS TEXT) LIKE '%letmein%'";
    assert_eq!(company.count(clear).await, 0);
    nothing_logged(&["letmein"]);
}

#[tokio::test]
async fn guessing_a_credential_is_slowed_down_and_locks_no_controller_out() {
    let company = open().await;
    let mut slowed = 0;
    for number in 0..150 {
        let guess = format!("guess-number-{number:032}");
        let request = company.request("GET", "/opendsr/v2/discovery").bearer_auth(guess);
        match company.send(request).await.status.as_u16() {
            401 => {}
            429 => slowed += 1,
            other => panic!("{other}"),
        }
    }
    assert!(slowed > 10, "{slowed}");
    company.get("shop", "/opendsr/v2/discovery").await.expect(200);
}
