//! The exchange: a stateful server on loopback that plays vendors, writes down every request, and
//! misbehaves where it is told to.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use quietus_connectors::{
    Connector, Direction, Fault, Identity, Order, Outcome, ProcessorSettings, Progress,
    ProgressReport, Subject, SubjectAction, SubjectRequest, open_processor, testkit,
};
use serde_json::Value;

/// One request as it came.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub method: String,
    /// Path and query as they came.
    pub target: String,
    /// Decoded segments of the path.
    pub path: Vec<String>,
    pub query: BTreeMap<String, String>,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }

    pub fn query(&self, name: &str) -> &str {
        self.query.get(name).map(String::as_str).unwrap_or_default()
    }

    /// Method and path, to be matched.
    pub fn route(&self) -> (&str, Vec<&str>) {
        (self.method.as_str(), self.path.iter().map(String::as_str).collect())
    }

    pub fn is_a_change(&self) -> bool {
        self.method == "DELETE"
            || self.path.iter().any(|part| {
                ["delete", "gdpr-delete", "delete-permanent", "erasejob"].contains(&part.as_str())
            })
            || (self.method == "POST" && self.path == ["regulations"])
    }
}

/// What is answered.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// The connection breaks instead.
    pub lost: bool,
}

impl Answer {
    pub fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub fn json(status: u16, body: &Value) -> Self {
        Self { status, body: body.to_string().into_bytes(), ..Self::default() }
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// How the exchange misbehaves, once.
#[derive(Debug, Clone)]
pub enum Trick {
    /// Answers so instead, and does nothing.
    Instead(Answer),
    /// Does what it was asked and loses the answer.
    LoseAnswer,
}

/// One record that a vendor keeps.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    pub id: String,
    /// Collection, audience or object, where the vendor has them.
    pub place: String,
    pub email: String,
    pub phone: String,
    pub external: String,
    /// Deleted, and not yet for good.
    pub hidden: bool,
    /// Gone for good.
    pub gone: bool,
}

/// What the vendor holds, and what it has been asked.
#[derive(Debug, Default)]
pub struct World {
    pub kept: Vec<Kept>,
    pub seen: Vec<Seen>,
    /// Played for the next requests that change something.
    pub tricks_on_changes: VecDeque<Trick>,
    /// Played for the next requests.
    pub tricks: VecDeque<Trick>,
    /// What is under way, with how often it is still pending.
    pub jobs: BTreeMap<String, (Vec<String>, u32)>,
    pub tokens: u32,
}

impl World {
    /// A record that is there, by its id.
    pub fn by_id(&mut self, id: &str) -> Option<&mut Kept> {
        self.kept.iter_mut().find(|one| one.id == id && !one.gone)
    }

    pub fn changes(&self) -> usize {
        self.seen.iter().filter(|seen| seen.is_a_change()).count()
    }

    pub fn alive(&self) -> Vec<&str> {
        self.kept.iter().filter(|one| !one.gone && !one.hidden).map(|one| one.id.as_str()).collect()
    }
}

/// Plays a vendor.
pub type Vendor = fn(&mut World, &Seen) -> Answer;

/// Is shown every request before it is answered.
pub type Witness = Arc<dyn Fn(Seen) -> BoxFuture<'static, ()> + Send + Sync>;

/// A running exchange.
#[derive(Clone)]
pub struct Exchange {
    pub world: Arc<Mutex<World>>,
    /// `127.0.0.1:port`.
    pub host: String,
    vendor: Vendor,
    witness: Option<Witness>,
}

impl Exchange {
    pub async fn open(vendor: Vendor, kept: Vec<Kept>) -> Self {
        Self::witnessed(vendor, kept, None).await
    }

    pub async fn witnessed(vendor: Vendor, kept: Vec<Kept>, witness: Option<Witness>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let world = Arc::new(Mutex::new(World { kept, ..World::default() }));
        let exchange = Self { world, host, vendor, witness };
        let router = axum::Router::new().fallback(answer).with_state(exchange.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        exchange
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Settings that lead here.
    pub fn settings(&self, definition: &str, parameters: &[(&str, &str)]) -> ProcessorSettings {
        settings(&self.host, definition, parameters)
    }

    pub fn connector(&self, definition: &str, parameters: &[(&str, &str)]) -> Box<dyn Connector> {
        open_processor("processor", self.settings(definition, parameters)).unwrap()
    }
}

pub fn settings(host: &str, definition: &str, parameters: &[(&str, &str)]) -> ProcessorSettings {
    let parameters =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    ProcessorSettings {
        system: "marketing".to_owned(),
        address: Some(format!("http://{host}")),
        definition: (!definition.is_empty()).then(|| definition.to_owned()),
        parameters,
        private_hosts: vec![host.to_owned()],
        trust: None,
        now: Arc::new(now),
        tokens: None,
    }
}

/// The clock of all tests stands still.
pub fn now() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

async fn answer(
    State(exchange): State<Exchange>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let query = uri.query().unwrap_or_default();
    let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let text = |value: &axum::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let seen = Seen {
        method: method.to_string(),
        target: uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        path: uri.path().split('/').skip(1).map(decoded).collect(),
        query,
        headers: headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: body.to_vec(),
    };
    if let Some(witness) = &exchange.witness {
        witness(seen.clone()).await;
    }
    let answer = {
        let mut world = exchange.world();
        world.seen.push(seen.clone());
        let trick = match world.tricks.pop_front() {
            None if seen.is_a_change() => world.tricks_on_changes.pop_front(),
            other => other,
        };
        match trick {
            Some(Trick::Instead(answer)) => answer,
            Some(Trick::LoseAnswer) => {
                let answer = (exchange.vendor)(&mut world, &seen);
                Answer { lost: true, ..answer }
            }
            None => (exchange.vendor)(&mut world, &seen),
        }
    };
    if answer.lost {
        // The task of the connection unwinds, so the peer sees it closed without an answer.
        std::panic::resume_unwind(Box::new("the answer is lost"));
    }
    let mut response = Response::builder().status(StatusCode::from_u16(answer.status).unwrap());
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.body)).unwrap()
}

fn decoded(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%')
            .then(|| u8::from_str_radix(segment.get(at + 1..at + 3)?, 16).ok())
            .flatten();
        out.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Takes notes, and goes on or stops.
pub struct Notes {
    pub direction: Direction,
    pub done: Mutex<Vec<Outcome>>,
}

impl Notes {
    pub fn going_on() -> Self {
        Self { direction: Direction::Continue, done: Mutex::default() }
    }
}

#[async_trait::async_trait]
impl Progress for Notes {
    async fn committed(&self, report: ProgressReport<'_>) -> Direction {
        self.done.lock().unwrap().push(report.done.clone());
        self.direction
    }
}

/// Calls everything off before anything is sent.
pub struct CalledOff;

#[async_trait::async_trait]
impl Progress for CalledOff {
    async fn committed(&self, report: ProgressReport<'_>) -> Direction {
        panic!("something was done: {report:?}");
    }

    async fn before_sending(&self) -> Direction {
        Direction::Stop
    }
}

pub fn person(reference: &str, identities: &[(&str, &str)]) -> Subject {
    let identities = identities
        .iter()
        .map(|(kind, value)| Identity { kind: (*kind).to_owned(), value: (*value).to_owned() })
        .collect();
    Subject { reference: reference.to_owned(), identities }
}

pub fn order(attempt: u32, action: SubjectAction, subjects: Vec<Subject>) -> Order {
    let request = SubjectRequest {
        action,
        subjects,
        regime: "gdpr".to_owned(),
        submitted_at: now(),
        answer_by: None,
    };
    testkit::order("order-1", attempt, now(), request)
}

pub fn erase(attempt: u32, identities: &[(&str, &str)]) -> Order {
    order(attempt, SubjectAction::Erase, vec![person("p1", identities)])
}

/// The outcome of a receipt that is done.
pub fn done(receipt: Result<quietus_connectors::Receipt, Fault>) -> Outcome {
    match receipt.unwrap() {
        quietus_connectors::Receipt::Done(outcome) => outcome,
        other => panic!("not done: {other:?}"),
    }
}
