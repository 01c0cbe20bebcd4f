//! `OpenDSR`: the doors for other controllers, each with a credential of its own, and the one at
//! which third parties call us back, who come with a signature and no credential.
//!
//! Answers are signed over their bytes, so those go out as they were composed.

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use super::Api;
use super::answer::bytes;
use super::gate::Controller;
use crate::app::opendsr::{Answer, Asking, CallbackHeaders, Complaint, Desk, Dialect};

/// Our certificate: whoever has an answer of ours can check it.
pub const CERTIFICATE: &str = "/opendsr/certificate.pem";
/// Largest callback that is looked at, in bytes.
pub const LARGEST_CALLBACK: usize = 64 * 1024;
/// What controllers are asked for who come without a credential.
const CHALLENGE: &str = "Basic realm=\"quietus\", Bearer realm=\"quietus\"";

/// The spelling that is spoken at an address.
pub fn dialect_at(address: &str) -> Dialect {
    if address.starts_with("/opendsr/v3/") {
        Dialect::V3
    } else if address.contains("opengdpr_requests") || address.starts_with("/opendsr/v1/") {
        Dialect::V1
    } else {
        Dialect::V2
    }
}

/// An answer as it was composed.
fn send(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
    }
    response
}

/// A refusal in the spelling of the address.
pub fn refuse(desk: &Desk, dialect: Dialect, complaint: &Complaint) -> Response {
    send(desk.refusal(dialect, complaint))
}

fn answer(desk: &Desk, asking: &Asking, answer: Result<Answer, Complaint>) -> Response {
    match answer {
        Ok(answer) => send(answer),
        Err(complaint) => refuse(desk, asking.dialect, &complaint),
    }
}

/// `GET /opendsr/certificate.pem`.
pub async fn certificate(Extension(Controller { desk, .. }): Extension<Controller>) -> Response {
    bytes("application/x-pem-file", desk.certificate().into_bytes())
}

/// `GET …/discovery`.
pub async fn discovery(Extension(Controller { desk, asking }): Extension<Controller>) -> Response {
    send(desk.discovery(&asking))
}

/// `POST …/requests`. Carried through in a task of its own, so that a controller that hangs up
/// leaves nothing half done.
pub async fn create(
    State(api): State<Api>,
    Extension(Controller { desk, asking }): Extension<Controller>,
    body: Bytes,
) -> Response {
    let (product, for_work) = (api.product.clone(), (desk.clone(), asking.clone()));
    let work = async move {
        let (desk, asking) = for_work;
        Ok(product.opendsr_create(&desk, &asking, &body).await)
    };
    answer(&desk, &asking, api.change(Box::pin(work)).await.unwrap_or_else(|_| Err(busy())))
}

/// `GET …/requests/{id}` and its alias `…/status`.
pub async fn status(
    State(api): State<Api>,
    Extension(Controller { desk, asking }): Extension<Controller>,
    Path(id): Path<String>,
) -> Response {
    let found = api.product.opendsr_status(&desk, &asking, &id).await;
    answer(&desk, &asking, found)
}

/// Which group.
#[derive(Deserialize)]
pub struct GroupParameters {
    group_id: Option<String>,
}

/// `GET /opendsr/v3/requests?group_id=…`.
pub async fn group(
    State(api): State<Api>,
    Extension(Controller { desk, asking }): Extension<Controller>,
    Query(GroupParameters { group_id }): Query<GroupParameters>,
) -> Response {
    let found = api.product.opendsr_group(&desk, &asking, group_id.as_deref()).await;
    answer(&desk, &asking, found)
}

/// `DELETE …/requests/{id}`.
pub async fn cancel(
    State(api): State<Api>,
    Extension(Controller { desk, asking }): Extension<Controller>,
    Path(id): Path<String>,
) -> Response {
    let (product, for_work) = (api.product.clone(), (desk.clone(), asking.clone()));
    let work = async move {
        let (desk, asking) = for_work;
        Ok(product.opendsr_cancel(&desk, &asking, &id).await)
    };
    answer(&desk, &asking, api.change(Box::pin(work)).await.unwrap_or_else(|_| Err(busy())))
}

/// `GET /opendsr/certificates/{id}`: what became of a request, with its proof.
pub async fn outcome(
    State(api): State<Api>,
    Extension(Controller { desk, asking }): Extension<Controller>,
    Path(id): Path<String>,
) -> Response {
    match api.product.opendsr_certificate(&asking, &id).await {
        Ok(bundle) => bytes("application/json", bundle),
        Err(complaint) => refuse(&desk, asking.dialect, &complaint),
    }
}

/// `POST /opendsr/callbacks/{system}`.
pub async fn called_back(
    State(api): State<Api>,
    Path(system): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let headers = headers.iter().filter_map(|(name, value)| {
        let value = value.to_str().ok()?;
        name.as_str().starts_with("x-").then(|| (name.as_str().to_owned(), value.to_owned()))
    });
    let headers = CallbackHeaders(headers.collect());
    // What it changes is one transaction, so a caller that hangs up leaves nothing half done; and
    // anybody may call, so it takes no place among the changes.
    let (status, body) = match api.product.hear_callback(&system, &headers, &body).await {
        Ok(()) => (202, b"{}".to_vec()),
        // Whose domain it is, is not told to whoever calls.
        Err(complaint) => (complaint.status, complaint.body(Dialect::V2, "callbacks")),
    };
    let headers = vec![("Content-Type", "application/json".to_owned())];
    send(Answer { status, headers, body })
}

fn busy() -> Complaint {
    Complaint::new(503, "so much is done at once already: try again in a moment")
}
