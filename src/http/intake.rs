//! What comes in: identifiers, parameters and JSON bodies, each with bounds. Messages name the
//! fields that are known and never repeat what was sent, because it may name a person.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::answer::Refusal;
use crate::domain::Remark;

/// Largest body, in bytes.
pub const LARGEST_BODY: usize = 1024 * 1024;

/// Something whose fields can be named in a message.
pub trait Accepts {
    /// The fields, each between backticks.
    const FIELDS: &'static str;
}

/// An identifier at the place of `{id}`.
pub struct Id(pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Ok(Path(text)) = Path::<String>::from_request_parts(parts, state).await else {
            return Err(Refusal::nothing_here());
        };
        Uuid::try_parse(&text).map(Self).map_err(|_| Refusal::nothing_here())
    }
}

/// One part of the address, decoded.
pub struct Part(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Part {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(text)) => Ok(Self(text)),
            Err(_) => Err(Refusal::nothing_here()),
        }
    }
}

/// Parameters behind the `?`.
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned + Accepts, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(_) => Err(Refusal::unfit(format!(
                "a parameter is unknown or does not fit; there is {}",
                T::FIELDS
            ))),
        }
    }
}

/// A JSON body; none at all is read as `{}`.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + Accepts, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let is_json = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
        let bytes = match Bytes::from_request(request, state).await {
            Ok(bytes) => bytes,
            Err(rejection) => {
                let too_large = rejection.into_response().status() == StatusCode::PAYLOAD_TOO_LARGE;
                return Err(if too_large {
                    Refusal::too_large(LARGEST_BODY)
                } else {
                    Refusal::cut_off()
                });
            }
        };
        if !is_json && !bytes.is_empty() {
            return Err(Refusal::no_json());
        }
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(text).map(Self).map_err(|error| {
            let what = if error.is_data() {
                "a field is missing, unknown or does not fit"
            } else {
                "the body is no JSON"
            };
            Refusal::unfit(format!(
                "{what} at line {}, column {}; there is {}",
                error.line(),
                error.column(),
                T::FIELDS
            ))
        })
    }
}

/// A reason or a matter, which is kept as evidence.
pub fn remark(field: &'static str, text: &str) -> Result<Remark, Refusal> {
    Remark::parse(text).map_err(|error| Refusal::unfit(format!("`{field}` {error}")))
}
