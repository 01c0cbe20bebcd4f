//! Callbacks of vendors that a definition describes. They come without a token of ours and prove
//! where they come from; whoever does not is answered the same, whichever system is named.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::Api;
use super::answer::{Refusal, json_with};
use super::intake::Part;
use crate::app::vendor_callbacks::{Called, VendorHeaders};

/// `POST /v1/callbacks/{system}`.
pub async fn called_back(
    State(api): State<Api>,
    Part(system): Part,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    let headers = VendorHeaders(headers.iter().filter_map(text).collect());
    // What it changes is one transaction, so a caller that hangs up leaves nothing half done; and
    // anybody may call, so it takes no place among the changes.
    match api.product.hear_vendor(&system, &headers, &body).await {
        Ok(Called::Heard) => json_with(StatusCode::ACCEPTED, &serde_json::json!({ "heard": true })),
        Ok(Called::NotProven) if api.gate.one_more_failure() => {
            Refusal::unproven_callback().into_response()
        }
        Ok(Called::NotProven) => Refusal::too_many_failures(1).into_response(),
        Ok(Called::NoJson) => Refusal::unfit("the body is no JSON").into_response(),
        Ok(Called::Again) => Refusal::conflict(
            "this callback was heard already",
            "send it once; nothing was changed",
        )
        .into_response(),
        Ok(Called::TooMany) => Refusal::busy().into_response(),
        Err(error) => Refusal::from(error).into_response(),
    }
}
