//! What every answer carries, and what the log says of a request: method, address as the table
//! writes it, status, time and the name of the token. Never the address as it came, nor a body.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use tracing::{Instrument as _, Span};

use super::answer::{Kept, OwnPolicy, WithForm};
use super::gate::Caller;
use crate::app::spans;

/// The header with the trace of a caller (W3C Trace Context).
const TRACEPARENT: &str = "traceparent";
/// Nothing is run or loaded, and no page shows an answer inside of itself.
const NOTHING: &str =
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/// A page has its own style and nothing else.
const PAGE: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The same with a form that goes to where the page comes from.
const WITH_FORM: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// Adds the headers and writes the line.
pub async fn observe(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = word_of(request.method());
    let address = request.extensions().get::<MatchedPath>().cloned();
    let span = span_of(request.headers(), method, address.as_ref());
    let mut response = next.run(request).instrument(span.clone()).await;
    let policy = policy_of(&response);
    let keeping = keeping_of(&response);
    secure(response.headers_mut(), policy, keeping);
    let address = address.as_ref().map_or("unknown", MatchedPath::as_str);
    let status = response.status().as_u16();
    let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let token = response.extensions().get::<Caller>().map_or("none", |caller| &*caller.name);
    span.record("status", status);
    // Whoever has no token adds to nobody's trace.
    if response.extensions().get::<Caller>().is_some() {
        spans::said(&span);
    }
    if response.status() == StatusCode::TOO_MANY_REQUESTS {
        tracing::debug!(method, address, status, milliseconds, token, "request");
    } else {
        tracing::info!(method, address, status, milliseconds, token, "request");
    }
    response
}

/// The span of a call whose caller has a trace; none for all others.
fn span_of(headers: &HeaderMap, method: &'static str, address: Option<&MatchedPath>) -> Span {
    let caller = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok());
    caller.map_or_else(Span::none, |caller| {
        spans::call(method, address.map_or("unknown", MatchedPath::as_str), caller)
    })
}

fn policy_of(response: &Response) -> HeaderValue {
    let content_type = response.headers().get(CONTENT_TYPE);
    let is_page = content_type.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let extensions = response.extensions();
    let own = extensions.get::<OwnPolicy>().filter(|_| is_page);
    let own = own.map(|OwnPolicy(policy)| format!("{policy}; frame-ancestors 'none'"));
    if let Some(own) = own.and_then(|policy| HeaderValue::try_from(policy).ok()) {
        return own;
    }
    HeaderValue::from_static(match (is_page, extensions.get::<WithForm>()) {
        (false, _) => NOTHING,
        (true, None) => PAGE,
        (true, Some(WithForm)) => WITH_FORM,
    })
}

/// Whether an answer may be kept; by whoever asked with a token only for themselves.
fn keeping_of(response: &Response) -> &'static str {
    let marked = response.extensions().get::<Kept>();
    let asked_with_token = response.extensions().get::<Caller>().is_some();
    match (marked, asked_with_token) {
        (None, _) => "no-store",
        (Some(Kept::ForEver), true) => "private, max-age=31536000, immutable",
        (Some(Kept::ForEver), false) => "public, max-age=31536000, immutable",
        (Some(Kept::Shortly), true) => "private, max-age=3600",
        (Some(Kept::Shortly), false) => "public, max-age=3600",
    }
}

fn secure(headers: &mut HeaderMap, policy: HeaderValue, keeping: &'static str) {
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(keeping));
}

/// Methods may be any word that somebody makes up; the log has only known ones.
fn word_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}
