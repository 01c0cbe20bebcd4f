//! One request to a third party, before it is sent.

use std::fmt;

use url::Url;

pub use reqwest::Method;

/// What a request does at the other side, which decides what a lost answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It only reads: whatever goes wrong, nothing has happened.
    Reads,
    /// It changes something: if the answer is lost, it may or may not have happened.
    Changes,
}

/// One request. Its `Debug` prints the method and the host and nothing else.
#[derive(Clone)]
pub struct Call {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) effect: Effect,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Call {
    /// A request that only reads.
    pub fn reading(method: Method, url: Url) -> Self {
        Self { method, url, effect: Effect::Reads, headers: Vec::new(), body: Vec::new() }
    }

    /// A request that changes something.
    pub fn changing(method: Method, url: Url) -> Self {
        Self { effect: Effect::Changes, ..Self::reading(method, url) }
    }

    /// Adds a header. Its value is treated as a secret.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body and its `Content-Type`.
    #[must_use]
    pub fn body(self, content_type: &str, body: Vec<u8>) -> Self {
        Self { body, ..self.header("content-type", content_type) }
    }

    /// Sets the body, whose `Content-Type` is nobody's matter or set already.
    #[must_use]
    pub(crate) fn content(self, body: Vec<u8>) -> Self {
        Self { body, ..self }
    }

    /// What the request does.
    pub fn effect(&self) -> Effect {
        self.effect
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} <{}>", self.method, host_of(&self.url))
    }
}

/// Host with its port where that is not the scheme's own: the only part of an address that may be
/// printed. An IPv6 address stands in brackets.
pub(super) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}
