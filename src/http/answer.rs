//! Answers: JSON and files as they are, and refusals that say what to do.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::app::AppError;
use crate::app::access::{TokenRole, role_word};

/// What a handler answers.
pub type Answer = Result<Response, Refusal>;

/// Marks a page that has a form, which may be sent to where the page comes from.
#[derive(Debug, Clone, Copy)]
pub struct WithForm;

/// How long an answer may be kept by whoever fetched it; without this mark nobody keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Its bytes never change.
    ForEver,
    /// Its bytes never change, and it is soon replaced by a larger one of another name.
    Shortly,
}
/// Marks a page with a content security policy of its own, to which only is added that no other
/// page may show it inside of itself.
#[derive(Debug, Clone)]
pub struct OwnPolicy(pub String);

/// Why something is not done. Holds no personal data.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    error: Cow<'static, str>,
    what_to_do: Cow<'static, str>,
    retry_after: Option<u64>,
}

#[derive(Serialize)]
struct RefusalBody<'a> {
    error: &'a str,
    what_to_do: &'a str,
}

/// Nothing was changed, and the caller can mend it.
const CORRECT_IT: &str = "correct the request and send it again; nothing was changed";

impl Refusal {
    fn new(
        status: StatusCode,
        error: impl Into<Cow<'static, str>>,
        what_to_do: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, error: error.into(), what_to_do: what_to_do.into(), retry_after: None }
    }

    /// What is wrong, in words.
    pub fn words(&self) -> &str {
        &self.error
    }

    /// The status that it is answered with.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    fn later(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// No token, or one that nobody has.
    pub fn unknown_caller() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "a valid token is needed",
            "send `Authorization: Bearer TOKEN` with a token of `quietus.yaml`",
        )
    }

    /// Too many wrong tokens came in this process lately.
    pub fn too_many_failures(seconds: u64) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too many requests without a valid token",
            "wait, then send a valid token; valid tokens are not slowed down",
        )
        .later(seconds)
    }

    /// A callback that nobody we know has signed.
    pub fn unproven_callback() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "the callback does not prove where it comes from",
            "send what was agreed: the signature or the secret, and a time stamp of now",
        )
    }

    /// The role may not do this.
    pub fn wrong_role(roles: &[TokenRole]) -> Self {
        let words: Vec<String> =
            roles.iter().map(|role| format!("`{}`", role_word(*role))).collect();
        Self::new(
            StatusCode::FORBIDDEN,
            format!("this needs a token with the role {}", words.join(" or ")),
            "use such a token, or ask somebody who has one",
        )
    }

    /// Nothing has this address or identifier.
    pub fn nothing_here() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "there is nothing of this address or identifier",
            "take identifiers from the lists, such as `GET /v1/certificates`",
        )
    }

    /// The address is known and does not do this.
    pub fn wrong_method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "this address does not do that",
            "use a method of the header `Allow`",
        )
    }

    /// It will be there soon.
    pub fn not_yet() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "the certificate is signed but not in the log yet",
            "try again in a moment",
        )
        .later(2)
    }

    /// The input does not fit.
    pub fn unfit(error: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, error, CORRECT_IT)
    }

    /// The body is no JSON.
    pub fn no_json() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body is not said to be JSON",
            "send JSON with `Content-Type: application/json`",
        )
    }

    /// The body is too large.
    pub fn too_large(bytes: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is larger than {bytes} bytes"),
            "send less at once; nothing was changed",
        )
    }

    /// The body did not arrive as a whole.
    pub fn cut_off() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "the body did not arrive as a whole",
            "send it again; nothing was changed",
        )
    }

    /// Somebody else was first, or the thing is not in the state for this.
    pub fn conflict(error: impl Into<Cow<'static, str>>, what_to_do: &'static str) -> Self {
        Self::new(StatusCode::CONFLICT, error, what_to_do)
    }

    /// So much is done at once already.
    pub fn busy() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "so many requests are being served already",
            "try again in a moment; nothing was changed",
        )
        .later(1)
    }

    /// It took too long.
    pub fn too_slow() -> Self {
        Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            "it takes too long to wait for",
            "a change that had begun is carried through: look before you send it again",
        )
    }

    /// A fault of ours; the log says more.
    pub fn broken() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "this could not be done",
            "the log of quietus says why; tell whoever runs it",
        )
    }

    /// An input error about a thing that is there is a conflict with its state.
    pub fn about_state(self) -> Self {
        if self.status != StatusCode::UNPROCESSABLE_ENTITY {
            return self;
        }
        let what_to_do = "look at its state first; nothing was changed";
        Self { status: StatusCode::CONFLICT, what_to_do: what_to_do.into(), ..self }
    }

    /// An input error about a thing that nobody finds. Its words are dropped: they repeat a name
    /// that the caller made up.
    pub fn about_absence(self) -> Self {
        if self.status != StatusCode::UNPROCESSABLE_ENTITY {
            return self;
        }
        Self::nothing_here()
    }
}

impl From<AppError> for Refusal {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Input(words) => Self::unfit(words),
            AppError::Store(store) if store.is_transient() => {
                tracing::warn!(error = %store, "the store is not there");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the store is not there",
                    "try again in a moment",
                )
                .later(2)
            }
            AppError::System { system, fault } => {
                tracing::warn!(%system, %fault, "a system did not answer");
                Self::new(
                    StatusCode::BAD_GATEWAY,
                    format!("system `{system}` did not answer"),
                    "the log of quietus says why",
                )
            }
            error => {
                tracing::error!(%error, "a request could not be carried out");
                Self::broken()
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = RefusalBody { error: &self.error, what_to_do: &self.what_to_do };
        let mut response = with_type(self.status, "application/problem+json", to_json(&body));
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"quietus\"");
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
    match serde_json::to_vec(value) {
        Ok(bytes) => bytes,
        // Only a map whose keys are no text fails, and no answer of ours has one.
        Err(_) => b"null".to_vec(),
    }
}

fn with_type(status: StatusCode, content_type: &'static str, bytes: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// JSON, with 200.
pub fn json(value: &impl Serialize) -> Response {
    json_with(StatusCode::OK, value)
}

/// JSON, with another status.
pub fn json_with(status: StatusCode, value: &impl Serialize) -> Response {
    with_type(status, "application/json", to_json(value))
}

/// Bytes as they are.
pub fn bytes(content_type: &'static str, bytes: Vec<u8>) -> Response {
    with_type(StatusCode::OK, content_type, bytes)
}

/// The same answer, which may be kept.
pub fn kept(mut response: Response, how: Kept) -> Response {
    response.extensions_mut().insert(how);
    response
}

/// Bytes to be kept as a file of this name, which has only letters, digits, `.`, `_` and `-`.
pub fn file(content_type: &'static str, name: &str, content: Vec<u8>) -> Response {
    let mut response = bytes(content_type, content);
    if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        response.headers_mut().insert(CONTENT_DISPOSITION, value);
    }
    response
}

/// What other methods are answered; the router adds the header `Allow`.
pub fn wrong_method(method: &axum::http::Method) -> Response {
    if method == axum::http::Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    Refusal::wrong_method().into_response()
}
