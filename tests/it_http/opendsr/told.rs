//! What controllers are told: each change of state, signed, at the addresses that they gave; again
//! until it is heard, in order, and in the end given up where everybody sees it.

use serde_json::{Value, json};

use super::authority::{Authority, Identity};
use super::company::{Company, DOMAIN, GRACE, IDS, erasure, nothing_logged};
use super::front::Ear;

struct Told {
    company: Company,
    identity: Identity,
    ear: Ear,
}

impl Told {
    async fn open() -> Self {
        let authority = Authority::new();
        let ear = Ear::open(&authority.issue("localhost")).await;
        let identity = authority.issue(DOMAIN);
        let hosts = format!("private_callback_hosts: ['localhost:{}']", ear.port);
        let company = Company::asked(&identity, &authority, &hosts).await;
        Self { company, identity, ear }
    }

    /// Brings a request in a spelling that wants to be told at these paths.
    async fn bring(&self, address: &str, paths: &[&str]) {
        let mut body = erasure(IDS[0], GRACE);
        let urls: Vec<String> = paths.iter().map(|path| self.ear.url(path)).collect();
        body["status_callback_urls"] = json!(urls);
        let body = body.to_string().into_bytes();
        self.company.ask("shop", "POST", address, &body).await.expect(201);
    }

    async fn tell(&self) {
        self.company.product.tell_controllers().await.unwrap();
    }

    async fn callbacks(&self) -> Vec<Value> {
        self.company.only_request().await["callbacks"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn every_change_of_state_is_told_with_a_signature() {
    for (address, prefix) in
        [("/opendsr/v2/requests", "X-OpenDSR-"), ("/opengdpr_requests", "X-OpenGDPR-")]
    {
        let told = Told::open().await;
        told.bring(address, &["/a?key=letmein", "/b"]).await;
        told.tell().await;
        assert_eq!(told.ear.heard().len(), 0, "that it is pending is no news");
        told.company.clock.pass_hours(25);
        for _ in 0..2 {
            told.company.product.advance_requests().await.unwrap();
        }
        told.tell().await;
        told.tell().await;
        assert_eq!(told.ear.heard().len(), 2, "once at each address");
        told.company.carry_on().await;
        told.tell().await;
        let heard = told.ear.heard();
        assert_eq!(heard.len(), 4);
        for (place, call) in heard.iter().enumerate() {
            let body = call.json();
            let expected = if place < 2 { "in_progress" } else { "completed" };
            assert_eq!(body["request_status"], expected);
            assert_eq!(body["controller_id"], "shop");
            assert_eq!(body["subject_request_id"], IDS[0]);
            assert_eq!(body["status_callback_url"], told.ear.url(call.path()));
            assert!(body["expected_completion_time"].is_string());
            assert_eq!(call.header(&format!("{prefix}Processor-Domain")), DOMAIN);
            let signature = call.header(&format!("{prefix}Signature"));
            assert_eq!(told.identity.certificates().verify(&call.body, signature), Ok(()));
            assert!(call.head.starts_with("POST "));
            for personal in ["grace", "471100815", "Invented"] {
                let said = format!("{}{}", call.head, String::from_utf8_lossy(&call.body));
                assert!(!said.contains(personal), "{said}");
            }
        }
        let truth = &heard[2].json()["extensions"][DOMAIN];
        assert_eq!(truth["outcome"], "partially_retained");
        assert!(told.callbacks().await.iter().all(|one| one["state"] == "delivered"));
    }
    nothing_logged(&["letmein"]);
}

#[tokio::test]
async fn who_does_not_hear_is_called_again_and_in_order() {
    let told = Told::open().await;
    told.bring("/opendsr/v2/requests", &["/a"]).await;
    told.company.clock.pass_hours(25);
    told.ear.answer(&[
        "503 Unavailable\r\nretry-after: 600",
        "302 Found\r\nlocation: https://localhost/b",
    ]);
    for _ in 0..2 {
        told.company.product.advance_requests().await.unwrap();
    }
    told.tell().await;
    told.company.carry_on().await;
    told.company.clock.pass(300);
    told.tell().await;
    assert_eq!(told.ear.heard().len(), 1, "it asked to be left alone for ten minutes");
    let waiting = told.callbacks().await;
    assert_eq!(waiting.len(), 2);
    assert_eq!(
        (&waiting[0]["status"], &waiting[0]["attempts"]),
        (&json!("in_progress"), &json!(1))
    );
    assert_eq!(waiting[0]["host"], format!("localhost:{}", told.ear.port));
    assert!(waiting[0]["last_fault"].as_str().unwrap().contains("503"));
    assert_eq!(waiting[1]["attempts"], 0, "what came later waits for what came before");
    told.company.clock.pass(301);
    told.tell().await;
    let fault = told.callbacks().await[0]["last_fault"].as_str().unwrap().to_owned();
    assert!(fault.contains("302") && !fault.contains("/b"), "{fault}");
    told.company.clock.pass(60);
    told.tell().await;
    let states: Vec<String> = told
        .ear
        .heard()
        .iter()
        .map(|call| call.json()["request_status"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(states, ["in_progress", "in_progress", "in_progress", "completed"]);
    assert!(told.ear.heard().iter().all(|call| call.path() == "/a"), "no redirect is followed");
    nothing_logged(&[]);
}

#[tokio::test]
async fn who_never_hears_is_given_up_where_everybody_sees_it() {
    let told = Told::open().await;
    told.bring("/opendsr/v2/requests", &["/a"]).await;
    told.company
        .ask("shop", "DELETE", &format!("/opendsr/v2/requests/{}", IDS[0]), b"")
        .await
        .expect(202);
    for _ in 0..14 {
        told.ear.answer(&["500 Broken"]);
    }
    for _ in 0..20 {
        told.tell().await;
        told.company.clock.pass_hours(7);
    }
    assert_eq!(told.ear.heard().len(), 14);
    let callbacks = told.callbacks().await;
    assert_eq!(callbacks.len(), 1);
    assert_eq!(callbacks[0]["status"], "cancelled");
    assert_eq!(callbacks[0]["state"], "given_up");
    assert_eq!(callbacks[0]["attempts"], 14);
    assert_eq!(callbacks[0]["next_at"], Value::Null);
    nothing_logged(&[]);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_not_told_anything() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let ear = Ear::open(&stranger.issue("localhost")).await;
    let identity = authority.issue(DOMAIN);
    let hosts = format!("private_callback_hosts: ['localhost:{}']", ear.port);
    let company = Company::asked(&identity, &authority, &hosts).await;
    let told = Told { company, identity, ear };
    told.bring("/opendsr/v2/requests", &["/a"]).await;
    told.company
        .ask("shop", "DELETE", &format!("/opendsr/v2/requests/{}", IDS[0]), b"")
        .await
        .expect(202);
    told.tell().await;
    assert_eq!(told.ear.heard().len(), 0);
    let fault = told.callbacks().await[0]["last_fault"].as_str().unwrap().to_owned();
    assert!(fault.contains("not trusted"), "{fault}");
}
