//! Posting business events.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, response::Response};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::answer::{Refusal, json_with};
use super::gate::Caller;
use super::intake::{Accepts, Json};
use crate::app::event::PostedEvent;
use crate::app::posting::event_key;

/// An event as it is posted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventBody {
    name: String,
    key: Value,
    occurred_at: Timestamp,
    #[serde(default)]
    revokes: bool,
    idempotency_key: Option<String>,
}

impl Accepts for EventBody {
    const FIELDS: &'static str = "`name`, `key` (a text, a whole number, or `type` and `value`), `occurred_at` (an instant such as `2026-01-31T12:00:00Z`), `revokes` (true or false) and `idempotency_key`";
}

/// `POST /v1/events`: 201 where it is new, 200 where it was on record already.
pub async fn post(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Json(body): Json<EventBody>,
) -> Result<Response, Refusal> {
    let event = PostedEvent {
        key: event_key(&body.key)?,
        name: body.name,
        occurred_at: body.occurred_at,
        revokes: body.revokes,
        idempotency_key: body.idempotency_key,
        actor: caller.actor(),
    };
    let product = api.product.clone();
    let is_new = api.change(async move { product.record_posted(event).await }).await?;
    let (status, word) =
        if is_new { (StatusCode::CREATED, "new") } else { (StatusCode::OK, "duplicate") };
    Ok(json_with(status, &json!({ "recorded": word })))
}
