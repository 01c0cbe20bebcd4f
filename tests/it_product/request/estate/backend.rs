//! A connector of the user's own: it takes signed orders as JSON and erases, and offers no second
//! look, so that there is only its word.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use quietus_connectors::processor::{signature, signing_key};
use serde_json::{Value, json};

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[derive(Clone)]
pub struct Backend {
    pub host: String,
    addresses: Arc<Mutex<BTreeSet<String>>>,
}

impl Backend {
    pub async fn open(addresses: &[&str]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let addresses = addresses.iter().map(|one| (*one).to_owned()).collect();
        let backend = Self { host, addresses: Arc::new(Mutex::new(addresses)) };
        let router =
            axum::Router::new().route("/v1/{what}", post(answer)).with_state(backend.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        backend
    }

    /// Everything that it holds.
    pub fn holds(&self) -> Vec<String> {
        self.addresses.lock().unwrap().iter().cloned().collect()
    }
}

async fn answer(
    State(backend): State<Backend>,
    Path(what): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let id = header("webhook-id").unwrap_or_default();
    let time: i64 = header("webhook-timestamp").and_then(|text| text.parse().ok()).unwrap_or(0);
    let key = signing_key(SECRET).unwrap();
    if header("webhook-signature") != Some(signature(&key, id, time, &body).as_str()) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match what.as_str() {
        "check" => Json(json!({ "product": "backend 1" })).into_response(),
        "execute" => {
            let order: Value = serde_json::from_slice(&body).unwrap();
            let subjects = order["order"]["subjects"].as_array().unwrap();
            let said: Vec<Value> = subjects.iter().map(|one| backend.erase(one)).collect();
            Json(json!({ "subjects": said })).into_response()
        }
        _ => StatusCode::NOT_IMPLEMENTED.into_response(),
    }
}

impl Backend {
    fn erase(&self, subject: &Value) -> Value {
        let mut addresses = self.addresses.lock().unwrap();
        let identities = subject["identities"].as_array().unwrap();
        let values = identities.iter().filter_map(|one| one["value"].as_str());
        let gone = values.filter(|value| addresses.remove(*value)).count();
        let result = if gone > 0 { "done" } else { "absent" };
        json!({ "subject": subject["reference"], "result": result, "records": gone,
            "words": "rows of one table" })
    }
}
