//! Whether it lives: the only answer without a token, and it says nothing else.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use tokio::sync::Semaphore;

use super::Api;
use super::answer::{json, json_with};

/// Where it is asked.
pub const ADDRESS: &str = "/health";
/// How long the store may take to answer, waiting included.
const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// Looks at the store at once, whoever asks how often.
static LOOKS: Semaphore = Semaphore::const_new(2);

/// `GET /health`.
pub async fn health(State(api): State<Api>) -> Response {
    let look = async {
        let place = LOOKS.acquire().await;
        let answers = api.product.store.ping().await.is_ok();
        drop(place);
        answers
    };
    if tokio::time::timeout(LONGEST_WAIT, look).await.unwrap_or(false) {
        json(&json!({ "status": "ok" }))
    } else {
        json_with(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "unavailable" }))
    }
}
