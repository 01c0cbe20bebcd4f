//! Vendors that call back over real HTTP: who proves to be the vendor wakes the job that waits, which
//! asks as ever; everything else changes nothing and tells nothing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::hmac;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, get};
use serde_json::{Value, json};

use super::opendsr::company::{Answer, Company, Hands, nothing_logged, secret};

const HOOK: &str = "callbacks-of-later-5f1c09";
const AT: &str = "/v1/callbacks/later";

const INSTANCE: &str = "
controller: {name: Example Shop GmbH, zone: Europe/Berlin, country: DE}
store: sqlite:quietus.db
listen: 127.0.0.1:0
workers: 1
tokens:
  - {name: audit, role: auditor, secret: file:secrets/auditor}
  - {name: night-shift, role: operator, secret: file:secrets/operator}
";

const DEFINITION: &str = r#"processor: 1
name: later
vendor: Later
api: "1"
documentation: https://later.example/docs
erasure_grade: deleted
parameters:
  hook: { about: the secret of callbacks, secret: true }
base: https://later.example
authentication: none
identities:
  - kind: email
    shape: email
check:
  send: GET /me
  answers: [{ status: [200], means: done }]
actions:
  erase:
    repeatable: true
    steps:
      - send: DELETE /people/{id}
        answers: [{ status: [202], at: /run, exists: true, means: pending }]
        reference: /run
        ask_after_seconds: 21600
    follow:
      send: GET /runs/{reference}
      answers:
        - { status: [200], at: /state, equals: done, means: done }
        - { status: [200], means: pending }
callback:
  authentication:
    hmac:
      key: "{hook}"
      header: X-Later-Signature
      prefix: "v1="
      over: "{timestamp}.{body}"
      encoding: hex
      timestamp: { header: X-Later-Time, tolerance_seconds: 300 }
  reference: /run/id
"#;

#[derive(Default)]
struct World {
    runs: BTreeMap<String, &'static str>,
    asked: usize,
    /// It carries out at once, and calls here before it answers.
    hurried: Option<(SocketAddr, i64)>,
}

/// A vendor that carries out later.
#[derive(Clone, Default)]
struct Vendor(Arc<Mutex<World>>);

impl Vendor {
    async fn open() -> (Self, String) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let vendor = Self::default();
        let router = axum::Router::new()
            .route("/people/{id}", delete(erase))
            .route("/runs/{id}", get(run))
            .with_state(vendor.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (vendor, host)
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    fn carry_out(&self) {
        self.world().runs.values_mut().for_each(|state| *state = "done");
    }
}

async fn erase(State(vendor): State<Vendor>, Path(_): Path<String>) -> (StatusCode, Json<Value>) {
    let (id, hurried) = {
        let mut world = vendor.world();
        let id = format!("run-{}", world.runs.len() + 1);
        let state = if world.hurried.is_some() { "done" } else { "running" };
        world.runs.insert(id.clone(), state);
        (id, world.hurried)
    };
    if let Some((shop, now)) = hurried {
        let body = said(&id);
        let call = reqwest::Client::new().post(format!("http://{shop}{AT}"));
        let call = call.header("x-later-time", now.to_string());
        let call = call.header("x-later-signature", signature(HOOK, now, body.as_bytes()));
        assert_eq!(call.body(body).send().await.unwrap().status().as_u16(), 202);
    }
    (StatusCode::ACCEPTED, Json(json!({ "run": id })))
}

async fn run(State(vendor): State<Vendor>, Path(id): Path<String>) -> Json<Value> {
    let mut world = vendor.world();
    world.asked += 1;
    Json(json!({ "state": world.runs[&id] }))
}

fn said(run: &str) -> String {
    json!({ "event": "erasure.done", "run": { "id": run, "state": "done" } }).to_string()
}

fn signature(secret: &str, at: i64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let text = [format!("{at}.").as_bytes(), body].concat();
    format!("v1={}", hex::encode(hmac::sign(&key, &text)))
}

/// A shop whose vendor calls back.
struct Shop {
    company: Company,
    vendor: Vendor,
}

impl Shop {
    async fn open() -> Self {
        let (vendor, host) = Vendor::open().await;
        let system = format!(
            "
system: later
kind: processor
role: processor
owner: Marketing
operator: Example Later Ltd
connection: {{url: 'http://{host}', private_hosts: ['{host}']}}
definition: ./definitions/later.yaml
parameters: {{hook: 'file:secrets/hook'}}
persons: {{categories: [contact], identities: [email]}}
"
        );
        let files = [
            ("quietus.yaml", INSTANCE),
            ("systems/later.yaml", system.as_str()),
            ("definitions/later.yaml", DEFINITION),
            ("secrets/hook", HOOK),
        ];
        Self { company: Company::open(Hands::at_noon(), &files).await, vendor }
    }

    /// Alan wants to be forgotten.
    async fn ask(&self) {
        let body = json!({
            "right": "erasure",
            "identities": [{"type": "email", "value": "alan@mail.example"}],
            "identity_check": {"assurance": "substantial", "method": "login"},
        });
        let body = body.to_string().into_bytes();
        self.company.ask("operator", "POST", "/v1/requests", &body).await.expect(201);
        self.company.carry_on().await;
    }

    async fn job(&self) -> Value {
        let page = self.company.only_request().await;
        let systems = page["systems"].as_array().unwrap();
        systems.iter().find(|one| one["system"] == "later").unwrap()["jobs"][0].clone()
    }

    fn now(&self) -> i64 {
        quietus::domain::Clock::now(self.company.clock.as_ref()).as_second()
    }

    async fn post(&self, at: &str, time: &str, signature: &str, body: &[u8]) -> Answer {
        let request = self.company.request("POST", at).header("X-Later-Time", time);
        let request = request.header("X-Later-Signature", signature);
        self.company.send(request.body(body.to_vec())).await
    }

    /// The vendor says something.
    async fn say(&self, body: &str) -> Answer {
        let now = self.now();
        let signature = signature(HOOK, now, body.as_bytes());
        self.post(AT, &now.to_string(), &signature, body.as_bytes()).await
    }

    /// When its job asks next, how it stands, and what is remembered of callbacks.
    async fn known(&self) -> (Value, Value, u64) {
        let job = self.job().await;
        let remembered = self.company.count("SELECT COUNT(*) FROM vendor_callbacks").await;
        (job["available_at"].clone(), job["state"].clone(), remembered)
    }
}

/// Nothing of a callback, no name of what is under way and no secret is in the log.
fn silent() {
    nothing_logged(&[HOOK, "erasure.done", "run-1", "v1="]);
}

#[tokio::test]
async fn the_vendor_s_callback_ends_a_job_long_before_it_would_have_asked() {
    let shop = Shop::open().await;
    shop.ask().await;
    let waits = shop.known().await;
    assert_eq!((&waits.1, waits.2), (&json!("waiting"), 0));
    assert_eq!(waits.0, "2026-11-23T18:00:00Z");
    shop.company.clock.pass(60);

    // It says that it is done and is not: it is asked, and the job goes on waiting.
    let answer = shop.say(&said("run-1")).await.expect(202);
    assert_eq!(answer.json(), json!({ "heard": true }));
    assert_eq!(shop.known().await.0, "2026-11-23T12:01:00Z", "the job asks at once");
    shop.company.carry_on().await;
    assert_eq!(shop.vendor.world().asked, 1);
    assert_eq!(shop.known().await.1, "waiting", "nobody is taken at the word of a callback");

    // The same again is none, however often; and the vendor is not asked for it.
    let asked = shop.known().await;
    for _ in 0..3 {
        shop.say(&said("run-1")).await.expect(409);
    }
    shop.company.carry_on().await;
    assert_eq!(shop.known().await, asked);
    assert_eq!(shop.vendor.world().asked, 1);

    shop.company.clock.pass(60);
    shop.vendor.carry_out();
    shop.say(&said("run-1")).await.expect(202);
    shop.company.carry_on().await;
    assert_eq!(shop.known().await.1, "completed");
    assert_eq!(shop.company.only_request().await["outcome"], "fulfilled");
    assert_eq!(shop.company.count("SELECT COUNT(*) FROM certificates").await, 1);

    // What comes after the end, or out of order, wakes nobody.
    shop.company.clock.pass(60);
    shop.say(&said("run-1")).await.expect(202);
    shop.company.carry_on().await;
    assert_eq!(shop.vendor.world().asked, 2);
    assert_eq!(shop.company.count("SELECT COUNT(*) FROM vendor_names").await, 0);
    silent();
}

#[tokio::test]
async fn nobody_but_the_vendor_wakes_a_job() {
    let shop = Shop::open().await;
    shop.ask().await;
    let before = shop.known().await;
    let body = said("run-1");
    let bytes = body.as_bytes();
    let now = shop.now();
    let time = now.to_string();
    let right = signature(HOOK, now, bytes);

    let bare = shop.company.request("POST", AT).body(body.clone());
    let refused = shop.company.send(bare).await.expect(401).body;
    let same = |answer: Answer| assert_eq!(answer.expect(401).body, refused);
    // Another system, one that is not there, and one that calls in another way.
    same(shop.post("/v1/callbacks/crm", &time, &right, bytes).await);
    same(shop.post("/v1/callbacks/nobody", &time, &right, bytes).await);
    same(shop.post("/v1/callbacks/..%2flater", &time, &right, bytes).await);
    // A wrong secret, our own token, an altered byte, the same JSON in other bytes.
    same(shop.post(AT, &time, &signature("another-secret-0123456", now, bytes), bytes).await);
    same(shop.post(AT, &time, &secret("operator"), bytes).await);
    let altered = body.replace("run-1", "run-2");
    same(shop.post(AT, &time, &right, altered.as_bytes()).await);
    same(shop.post(AT, &time, &right, format!("{body}\n").as_bytes()).await);
    // Two signatures of which one is right.
    let twice = shop.company.request("POST", AT).header("X-Later-Time", &time);
    let twice = twice.header("X-Later-Signature", &right).header("X-Later-Signature", "v1=00");
    same(shop.company.send(twice.body(body.clone())).await);
    // Signed by the vendor, and stale, of the future, or with a new time that was not signed.
    for off in [-301, 301] {
        let at = now + off;
        same(shop.post(AT, &at.to_string(), &signature(HOOK, at, bytes), bytes).await);
    }
    same(shop.post(AT, &(now + 1).to_string(), &right, bytes).await);
    same(shop.post(AT, "noon", &right, bytes).await);
    assert_eq!(shop.known().await, before);

    let large = vec![b' '; 70_000];
    let answer = shop.post(AT, &time, &signature(HOOK, now, &large), &large).await;
    assert_eq!(answer.status.as_u16(), 413);
    let rubbish = b"no json";
    shop.post(AT, &time, &signature(HOOK, now, rubbish), rubbish).await.expect(422);
    let got = shop.company.request("GET", AT);
    assert_eq!(shop.company.send(got).await.status.as_u16(), 405);
    assert_eq!(shop.known().await, before, "something of it had an effect");

    // A stale replay of one that counted is stale and not again: nothing of it is remembered.
    shop.post(AT, &time, &right, bytes).await.expect(202);
    shop.company.clock.pass(400);
    same(shop.post(AT, &time, &right, bytes).await);
    silent();
}

#[tokio::test]
async fn what_is_known_by_a_name_is_not_told() {
    let shop = Shop::open().await;
    shop.ask().await;
    let before = shop.known().await;
    let mut answers = Vec::new();
    for body in [
        said("run-999"),
        said("alan@mail.example"),
        said(""),
        json!({ "event": "ping" }).to_string(),
        json!({ "run": { "id": ["run-1"] } }).to_string(),
    ] {
        let first = shop.say(&body).await.expect(202);
        let again = shop.say(&body).await.expect(409);
        answers.push((first.body, again.body));
    }
    let known = shop.known().await;
    assert_eq!((&known.0, &known.1, known.2), (&before.0, &before.1, 5));
    shop.company.carry_on().await;
    assert_eq!(shop.vendor.world().asked, 0);
    // The one that is waited for is answered in the same words.
    let body = said("run-1");
    let first = shop.say(&body).await.expect(202);
    let again = shop.say(&body).await.expect(409);
    answers.push((first.body, again.body));
    assert!(answers.iter().all(|one| *one == answers[0]));
    assert_ne!(shop.known().await.0, before.0);
    silent();
}

#[tokio::test]
async fn a_vendor_that_calls_before_it_has_answered_is_heard() {
    let shop = Shop::open().await;
    shop.vendor.world().hurried = Some((shop.company.address, shop.now()));
    shop.ask().await;
    assert_eq!(shop.known().await.1, "completed");
    assert_eq!(shop.vendor.world().asked, 1);
    silent();
}

#[tokio::test]
async fn a_secret_that_was_changed_is_heard_in_a_minute_and_one_that_is_gone_hears_nobody() {
    let shop = Shop::open().await;
    shop.ask().await;
    shop.say(&said("run-1")).await.expect(202);
    let changed = "another-secret-of-later-77";
    std::fs::write(shop.company.folder.path().join("secrets/hook"), changed).unwrap();
    shop.company.clock.pass(61);
    let now = shop.now();
    let bytes = said("run-1").into_bytes();
    let time = now.to_string();
    shop.post(AT, &time, &signature(HOOK, now, &bytes), &bytes).await.expect(401);
    shop.post(AT, &time, &signature(changed, now, &bytes), &bytes).await.expect(202);
    std::fs::remove_file(shop.company.folder.path().join("secrets/hook")).unwrap();
    shop.company.clock.pass(61);
    let now = shop.now();
    let signed = signature(changed, now, &bytes);
    shop.post(AT, &now.to_string(), &signed, &bytes).await.expect(401);
    silent();
}
