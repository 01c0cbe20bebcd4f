//! A processor that speaks OpenDSR, written from the specification without any code of the
//! product, and able to fail in every way that is known.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::certificates::{DOMAIN, Identity};

/// How the next answer to a request fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trick {
    /// It does not.
    None,
    /// The work is done and the connection breaks before the answer is complete.
    LoseAnswer,
    /// Signed by a key that is not that of the published certificate.
    WrongKey,
    /// Signed in the name of another domain.
    OtherDomain,
    /// One byte of the body is another than the signed one.
    AlteredByte,
    /// No signature at all.
    Unsigned,
    /// It confirms other bytes than were sent.
    OtherRequest,
    /// This status code instead of an answer, with `Retry-After` in seconds; nothing is done.
    Code(u16, Option<u32>),
    /// This body with 200.
    Body(Value),
}

/// A request that was taken in.
#[derive(Debug, Clone)]
pub struct Taken {
    pub body: Value,
    pub status: String,
    pub extensions: Value,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a habit of its own")]
pub struct Inner {
    pub identity: Identity,
    /// Signs where `Trick::WrongKey` says so.
    pub stranger: Option<Identity>,
    pub discovery: Value,
    pub authorization: Option<String>,
    pub old_names: bool,
    pub signs_status: bool,
    pub unwrapped_errors: bool,
    pub expected: String,
    pub requests: BTreeMap<String, Taken>,
    pub posts: u64,
    pub certificate_calls: u64,
    pub refuses_same: bool,
    pub on_post: VecDeque<Trick>,
    pub on_get: VecDeque<Trick>,
    /// Answers to questions about requests that are not there.
    pub absent: u16,
}

#[derive(Clone)]
pub struct Processor {
    pub address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

impl Processor {
    pub async fn start(identity: Identity) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let discovery = json!({
            "api_version": "2.0",
            "supported_identities": [
                {"identity_type": "email", "identity_format": "raw"},
                {"identity_type": "controller_customer_id", "identity_format": "raw"},
            ],
            "supported_subject_request_types": ["access", "erasure"],
            "processor_certificate": format!("http://{address}/cert.pem"),
        });
        let inner = Inner {
            identity,
            stranger: None,
            discovery,
            authorization: None,
            old_names: false,
            signs_status: false,
            unwrapped_errors: false,
            expected: "2026-12-01T00:00:00Z".to_owned(),
            requests: BTreeMap::new(),
            posts: 0,
            certificate_calls: 0,
            refuses_same: false,
            on_post: VecDeque::new(),
            on_get: VecDeque::new(),
            absent: 404,
        };
        let processor = Self { address, inner: Arc::new(Mutex::new(inner)) };
        let router = Router::new()
            .route("/cert.pem", get(certificate))
            .route("/{version}/discovery", get(discover))
            .route("/{version}/{requests}", post(create))
            .route("/{version}/{requests}/{id}", get(status))
            .with_state(processor.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        processor
    }

    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// The only request that it has.
    pub fn only(&self) -> Taken {
        let inner = self.inner();
        assert_eq!(inner.requests.len(), 1, "requests at the processor");
        inner.requests.values().next().unwrap().clone()
    }

    /// Puts every request into a state.
    pub fn move_all(&self, status: &str, extensions: &Value) {
        for taken in self.inner().requests.values_mut() {
            status.clone_into(&mut taken.status);
            taken.extensions = extensions.clone();
        }
    }
}

async fn certificate(State(processor): State<Processor>) -> String {
    let mut inner = processor.inner();
    inner.certificate_calls += 1;
    inner.identity.bundle.clone()
}

fn plain(status: u16, body: String) -> Response<Body> {
    Response::builder().status(status).body(Body::from(body)).unwrap()
}

fn allowed(inner: &Inner, headers: &HeaderMap) -> bool {
    let given = headers.get("authorization").and_then(|value| value.to_str().ok());
    inner.authorization.is_none() || given == inner.authorization.as_deref()
}

async fn discover(State(processor): State<Processor>, headers: HeaderMap) -> Response<Body> {
    let inner = processor.inner();
    if !allowed(&inner, &headers) {
        return plain(401, String::new());
    }
    plain(200, inner.discovery.to_string())
}

fn error(inner: &Inner, status: u16, reason: &str) -> Response<Body> {
    let bare = json!({
        "code": status,
        "message": "quotes what was sent: mara.lind@example.com",
        "errors": [{ "domain": "x", "reason": reason, "message": "mara.lind@example.com" }],
    });
    let body = if inner.unwrapped_errors { bare } else { json!({ "error": bare }) };
    plain(status, body.to_string())
}

/// A signed answer, or one that is not what it seems.
fn signed(inner: &Inner, status: u16, body: &Value, trick: &Trick) -> Response<Body> {
    let mut bytes = body.to_string().into_bytes();
    let identity = match trick {
        Trick::WrongKey => inner.stranger.as_ref().expect("a stranger"),
        _ => &inner.identity,
    };
    let signature = identity.sign(&bytes);
    if *trick == Trick::AlteredByte {
        let place = bytes.windows(4).position(|four| four == b"2026").unwrap();
        bytes[place + 3] = b'7';
    }
    let domain = if *trick == Trick::OtherDomain { "opendsr.other.example" } else { DOMAIN };
    let mut response = Response::builder().status(status);
    if *trick != Trick::Unsigned {
        let (first, second) = if inner.old_names {
            ("X-OpenGDPR-Processor-Domain", "X-OpenGDPR-Signature")
        } else {
            ("X-OpenDSR-Processor-Domain", "X-OpenDSR-Signature")
        };
        response = response.header(first, domain).header(second, signature);
    }
    if *trick == Trick::LoseAnswer {
        let broken = futures_util::stream::iter([
            Ok(axum::body::Bytes::from_static(b"{\"contro")),
            Err(std::io::Error::other("the connection breaks")),
        ]);
        return response.body(Body::from_stream(broken)).unwrap();
    }
    response.body(Body::from(bytes)).unwrap()
}

/// Who is meant, for telling whether two requests are for the same.
fn persons(body: &Value) -> String {
    format!("{}{}", body["subject_identities"], body["extensions"])
}

async fn create(
    State(processor): State<Processor>,
    Path((_, requests)): Path<(String, String)>,
    headers: HeaderMap,
    bytes: axum::body::Bytes,
) -> Response<Body> {
    let mut inner = processor.inner();
    inner.posts += 1;
    let right_path = if inner.old_names { "opengdpr_requests" } else { "requests" };
    if requests != right_path {
        return plain(404, String::new());
    }
    if !allowed(&inner, &headers) {
        return error(&inner, 401, "Unauthorized");
    }
    let trick = inner.on_post.pop_front().unwrap_or(Trick::None);
    if let Trick::Code(code, pause) = trick {
        let mut response = error(&inner, code, "Scripted");
        if let Some(seconds) = pause {
            response.headers_mut().insert("retry-after", seconds.to_string().parse().unwrap());
        }
        return response;
    }
    let body: Value = serde_json::from_slice(&bytes).unwrap();
    let id = body["subject_request_id"].as_str().unwrap().to_owned();
    if inner.requests.contains_key(&id) {
        return error(&inner, 400, "DuplicateRequest");
    }
    let open = |one: &Taken| one.status != "completed" && persons(&one.body) == persons(&body);
    if inner.refuses_same && inner.requests.values().any(open) {
        return error(&inner, 409, "InProgress");
    }
    let encoded = match trick {
        Trick::OtherRequest => STANDARD.encode(b"{}"),
        _ => STANDARD.encode(&bytes),
    };
    let answer = json!({
        "controller_id": "1402",
        "expected_completion_time": inner.expected,
        "received_time": "2026-11-23T10:00:00Z",
        "encoded_request": encoded,
        "subject_request_id": id,
    });
    let taken = Taken { body, status: "pending".to_owned(), extensions: Value::Null };
    inner.requests.insert(id, taken);
    signed(&inner, 201, &answer, &trick)
}

async fn status(
    State(processor): State<Processor>,
    Path((_, _, id)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Response<Body> {
    let mut inner = processor.inner();
    if !allowed(&inner, &headers) {
        return error(&inner, 401, "Unauthorized");
    }
    let trick = inner.on_get.pop_front().unwrap_or(Trick::None);
    match &trick {
        Trick::Code(code, pause) => {
            let mut response = error(&inner, *code, "Scripted");
            if let Some(seconds) = pause {
                response.headers_mut().insert("retry-after", seconds.to_string().parse().unwrap());
            }
            return response;
        }
        Trick::Body(body) => return plain(200, body.to_string()),
        _ => {}
    }
    let Some(taken) = inner.requests.get(&id) else {
        return error(&inner, inner.absent, "NotFound");
    };
    let answer = json!({
        "controller_id": "1402",
        "expected_completion_time": inner.expected,
        "subject_request_id": id,
        "request_status": taken.status,
        "results_url": null,
        "extensions": taken.extensions,
    });
    if inner.signs_status {
        return signed(&inner, StatusCode::OK.as_u16(), &answer, &trick);
    }
    plain(200, answer.to_string())
}
