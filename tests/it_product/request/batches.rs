//! Many people at a vendor that takes fifty in a request: a handful of requests, an answer for each
//! of them, nobody who is held or called off meanwhile, and nobody twice, whenever it dies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use quietus::app::hold::PlaceHold;
use quietus::app::{Actor, Quietus};
use quietus::domain::HoldScope;
use quietus_connectors::Value;
use serde_json::json;
use tokio::sync::Notify;
use uuid::Uuid;

use super::many::{ask_by, case_of, live};
use super::person::PACK;
use crate::company::database::Kind;
use crate::company::engine::{TurnedClock, work};
use crate::company::{Company, ended, until};

const CRM: &str = "collections:
  customers:
    key: id
    fields:
      id: {type: integer}
      email: {type: text, category: contact, identity: email}
      made_at: {type: timestamp}
    starting_points: {collection: made_at}
";

const DEFINITION: &str = r#"
processor: 1
name: post
vendor: Post
api: "1"
documentation: https://post.example/docs/erasure
erasure_grade: deleted
parameters:
  key: { about: the key, secret: true }
base: https://post.example
authentication:
  bearer: { token: "{key}" }
identities:
  - kind: email
    shape: email
check:
  send: GET /
  answers: [{ status: [200], means: done }]
actions:
  erase:
    steps:
      - send: POST /delete
        most: 50
        headers: { Idempotency-Key: "{idempotency_key}" }
        json: { addresses: "{ids}" }
        answers: [{ status: [200], at: /results, exists: true, means: done }]
        items:
          list: /results
          id: /address
          answers:
            - { at: /state, equals: erased, means: done }
            - { at: /state, equals: unknown, means: absent }
            - { at: /state, equals: owes, means: refused, words: a bill is open }
    verify:
      - send: GET /people/{id}
        answers: [{ status: [404], means: absent }, { status: [200], means: present }]
"#;

/// Of whom the vendor takes fifty in a request.
const MANY: usize = 120;
/// Of whom it takes four.
const SOME: usize = 12;
/// Has an open bill there.
const OWES: usize = 7;

fn address(person: usize) -> String {
    format!("p{person}@mail.example")
}

#[derive(Default)]
struct World {
    people: BTreeSet<String>,
    /// Addresses of each request, as they came.
    requests: Vec<Vec<String>>,
}

/// Keeps people, and can be made to think before it answers.
#[derive(Clone)]
struct Post {
    host: String,
    world: Arc<Mutex<World>>,
    /// It answers only when told to.
    thinks: Arc<Mutex<Option<Arc<Notify>>>>,
}

impl Post {
    async fn open() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let people = (0..MANY + 5).map(address).collect();
        let world = World { people, ..World::default() };
        let this = Self { host, world: Arc::new(Mutex::new(world)), thinks: Arc::default() };
        let router = axum::Router::new()
            .route("/", get(async || "post"))
            .route("/delete", post(erase))
            .route("/people/{address}", get(look))
            .with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        this
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    fn requests(&self) -> Vec<Vec<String>> {
        self.world().requests.clone()
    }

    /// Whom it still keeps of the first ones.
    fn left(&self, asking: usize) -> Vec<usize> {
        (0..asking).filter(|person| self.world().people.contains(&address(*person))).collect()
    }

    /// How often each was in a request.
    fn times(&self) -> BTreeMap<String, usize> {
        let mut times = BTreeMap::new();
        for one in self.requests().into_iter().flatten() {
            *times.entry(one).or_default() += 1;
        }
        times
    }
}

async fn erase(
    State(post): State<Post>,
    Json(body): Json<serde_json::Value>,
) -> Json<serde_json::Value> {
    let asked = body["addresses"].as_array().unwrap().iter();
    let asked: Vec<String> = asked.map(|one| one.as_str().unwrap().to_owned()).collect();
    post.world().requests.push(asked.clone());
    let waits = post.thinks.lock().unwrap().take();
    if let Some(told) = waits {
        told.notified().await;
    }
    let mut results = Vec::new();
    for one in asked {
        let state = if one == address(OWES) {
            "owes"
        } else if post.world().people.remove(&one) {
            "erased"
        } else {
            "unknown"
        };
        results.push(json!({ "address": one, "state": state }));
    }
    Json(json!({ "results": results }))
}

async fn look(State(post): State<Post>, Path(address): Path<String>) -> StatusCode {
    if post.world().people.contains(&address) { StatusCode::OK } else { StatusCode::NOT_FOUND }
}

/// A company of which only this vendor holds anybody.
async fn company(store: Kind, post: &Post, asking: usize) -> Company {
    let company = Company::new(store).await;
    company.write("schedules/rules.yaml", PACK);
    let instance = company.read("quietus.yaml");
    let types = "identities: {email: {normalise: email}}\n";
    company.write("quietus.yaml", &format!("{instance}{types}"));
    std::fs::create_dir(company.path("definitions")).unwrap();
    let most = if asking == MANY { "most: 50" } else { "most: 4" };
    company.write("definitions/post.yaml", &DEFINITION.replace("most: 50", most));
    company.write_secret("post-key", "post-key-8f2c11d0");
    let host = &post.host;
    company.write(
        "systems/post.yaml",
        &format!(
            "system: post\nkind: processor\nrole: processor\nowner: Marketing\n\
             operator: Example Post Ltd\n\
             persons: {{categories: [contact], identities: [email]}}\n\
             connection: {{url: 'http://{host}', private_hosts: ['{host}']}}\n\
             definition: ./definitions/post.yaml\nparameters: {{key: 'file:secrets/post-key'}}\n"
        ),
    );
    company
}

/// Everybody asks, and every case is open.
async fn asked(product: &Quietus, asking: usize) -> Vec<Uuid> {
    let mut requests = Vec::with_capacity(asking);
    for person in 0..asking {
        requests.push(ask_by(product, ("email", address(person))).await);
    }
    product.advance_requests().await.unwrap();
    product.advance_requests().await.unwrap();
    requests
}

/// What the certificate in force says of the vendor.
async fn stated(company: &Company, product: &Quietus, request: Uuid) -> serde_json::Value {
    let case = case_of(product, request).await.expect("a case");
    let certificate = company.certificate_of(&case.id.to_string()).await;
    let mut statements = certificate.statements().iter();
    statements.find(|one| one["system"]["id"] == "post").expect("the vendor is named").clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_and_twenty_people_are_three_requests() {
    let post = Post::open().await;
    let company = company(Kind::Sqlite, &post, MANY).await;
    let clock = TurnedClock::at_present();
    let product = company.replica(&clock).await;
    let requests = asked(&product, MANY).await;
    work(&product).await;
    let sizes: Vec<usize> = post.requests().iter().map(Vec::len).collect();
    assert_eq!(sizes, [50, 50, 20]);
    live(&product, &clock).await;
    assert_eq!(post.left(MANY), [OWES]);
    for (one, times) in post.times() {
        // Who owes is asked for once more after each look, and then somebody has to act.
        assert_eq!(times, if one == address(OWES) { 3 } else { 1 }, "{one}");
    }
    for person in [0, 49, 50, 119] {
        let said = stated(&company, &product, requests[person]).await;
        assert_eq!(said["outcome"], "completed", "{said:#}");
        assert_eq!(said["recipient"]["grade"], "verified", "{said:#}");
    }
    let said = stated(&company, &product, requests[OWES]).await;
    assert_eq!(said["outcome"], "failed", "{said:#}");
    company.check_log().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_and_a_cancellation_before_the_second_request_are_kept() {
    let post = Post::open().await;
    let mut company = company(Kind::Sqlite, &post, SOME).await;
    // A hold names its person by what some field holds.
    let crm = company.add_system("crm", Kind::Sqlite, CRM).await;
    crm.run("CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT, made_at TEXT)").await;
    let clock = TurnedClock::at_present();
    let product = company.replica(&clock).await;
    let requests = asked(&product, SOME).await;
    let told = Arc::new(Notify::new());
    *post.thinks.lock().unwrap() = Some(Arc::clone(&told));
    let working = Arc::clone(&product);
    let worker = tokio::spawn(async move { work(&working).await });
    until("the first request is there", 60, async || (!post.requests().is_empty()).then_some(()))
        .await;
    let first: BTreeSet<String> = post.requests()[0].iter().cloned().collect();
    // Who is held and who is called off are not among those that are on their way.
    let mut others = (0..SOME).filter(|one| *one != OWES && !first.contains(&address(*one)));
    let (held, called_off) = (others.next().unwrap(), others.next_back().unwrap());
    let scope = HoldScope {
        subject: Some(("email".to_owned(), Value::Text(address(held)))),
        ..HoldScope::default()
    };
    let actor = || Actor("Ada Example".to_owned());
    let lawsuit = PlaceHold {
        matter: "LIT-9".to_owned(),
        scope,
        reason: "a lawsuit".to_owned(),
        review_on: None,
        actor: actor(),
    };
    product.place_hold(lawsuit).await.unwrap();
    let off = case_of(&product, requests[called_off]).await.unwrap();
    product.cancel(off.id, &actor(), "brought twice").await.unwrap();
    told.notify_one();
    worker.await.unwrap();
    live(&product, &clock).await;
    let mut left = vec![OWES, held, called_off];
    left.sort_unstable();
    assert_eq!(post.left(SOME), left);
    let times = post.times();
    assert!(!times.contains_key(&address(held)) && !times.contains_key(&address(called_off)));
    for (one, times) in times {
        assert!(times == 1 || one == address(OWES), "{one}: {times}");
    }
    let said = stated(&company, &product, requests[held]).await;
    assert_eq!(said["outcome"], "retained", "{said:#}");
    assert_eq!(said["kept"][0]["because"], "matter LIT-9", "{said:#}");
    let others = (0..SOME).filter(|one| ![OWES, held, called_off].contains(one));
    for person in others.step_by(5) {
        let said = stated(&company, &product, requests[person]).await;
        assert_eq!(said["outcome"], "completed", "person {person}: {said:#}");
    }
    company.check_log().await;
}

/// Killed with signal 9 after the first request, after all of them, and between the looks.
async fn killed_at(store: Kind, deaths: &[u8]) {
    let post = Post::open().await;
    let company = company(store, &post, SOME).await;
    let clock = TurnedClock::at_present();
    let product = company.replica(&clock).await;
    let requests = asked(&product, SOME).await;
    for point in deaths {
        let mut command = company.command(&["run", "--once"]);
        // Long enough that nobody takes over while it lives.
        command.env("QUIETUS_LEASE_MS", "3000").env("QUIETUS_CRASH_POINT", point.to_string());
        let killed = ended(command).await;
        assert_eq!(killed.code, -1, "point {point}: {}\n{}", killed.out, killed.err);
        // Nobody works on what a dead process had until its lease has ended.
        tokio::time::sleep(Duration::from_millis(3_200)).await;
    }
    let mut command = company.command(&["run", "--once"]);
    command.env("QUIETUS_LEASE_MS", "30000");
    let ran = ended(command).await;
    assert_eq!(post.left(SOME), [OWES], "killed at {deaths:?}\n{}\n{}", ran.out, ran.err);
    for (one, times) in post.times() {
        assert!(times == 1 || one == address(OWES), "killed at {deaths:?}: {one} {times} times");
    }
    for person in [0, 5, 11] {
        let said = stated(&company, &product, requests[person]).await;
        assert_eq!(said["outcome"], "completed", "killed at {deaths:?}: {said:#}");
    }
    company.check_log().await;
}

/// The first request is answered and nothing is recorded; the engine knows of it; all requests are
/// answered and nothing is recorded; everybody was looked at and nothing is recorded.
const DEATHS: [&[u8]; 4] = [&[3], &[4], &[5, 5], &[3, 6]];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_it_dies_nobody_is_asked_for_twice() {
    for deaths in DEATHS {
        Box::pin(killed_at(Kind::Sqlite, deaths)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_it_dies_nobody_is_asked_for_twice_with_the_store_in_postgresql() {
    Box::pin(killed_at(Kind::Postgres, &[3, 5])).await;
}
