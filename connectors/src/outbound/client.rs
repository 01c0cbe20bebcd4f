//! The client: settings and sending.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::header::{HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;

use super::call::{Call, Effect, host_of};
use super::door::Door;
use super::reply::{Reply, retry_after_ms};
use super::resolver::Resolver;
use super::{faults, trust};
use crate::kinds::Now;
use crate::receipt::Fault;

/// How long to wait and how much to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time to connect, TLS included, in milliseconds.
    pub connect_ms: u64,
    /// Silence that is borne while reading, in milliseconds.
    pub read_ms: u64,
    /// Time for everything together, in milliseconds.
    pub total_ms: u64,
    /// Most bytes of an answer's body.
    pub body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect_ms: 10_000, read_ms: 30_000, total_ms: 60_000, body_bytes: 1_048_576 }
    }
}

/// What a client may do.
#[derive(Clone)]
pub struct OutboundSettings {
    /// Name of the system in the data map, for messages.
    pub system: String,
    /// Hosts that may be spoken to, over TLS at a public address: `api.example.com`, with a port
    /// where it is not 443.
    pub hosts: Vec<String>,
    /// Hosts, each with its port, that may be spoken to although their address is private, and
    /// without TLS: `127.0.0.1:9801`.
    pub private_hosts: Vec<String>,
    /// Authorities that are trusted beside those of the machine, as PEM.
    pub trust: Option<String>,
    /// Bounds.
    pub limits: Limits,
    /// Where the time comes from: a pause may be asked for by date.
    pub now: Now,
}

/// A client that speaks only to the hosts it was built for.
#[derive(Clone)]
pub struct Outbound {
    client: reqwest::Client,
    system: String,
    door: Door,
    most_body_bytes: usize,
    now: Now,
}

impl fmt::Debug for Outbound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Outbound").field("system", &self.system).finish_non_exhaustive()
    }
}

impl Outbound {
    /// Builds the client. No connection is made.
    ///
    /// # Errors
    /// `Misconfigured` where a host or the certificates to trust cannot be read.
    pub fn new(settings: OutboundSettings) -> Result<Self, Fault> {
        let OutboundSettings { system, hosts, private_hosts, trust, limits, now } = settings;
        let door = Door::new(&system, &hosts, &private_hosts)?;
        let private_names = door.private_names();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(trust::client_config(&system, trust.as_deref())?)
            .dns_resolver(Arc::new(Resolver { private: Arc::new(private_names) }))
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .user_agent("quietus")
            .connect_timeout(Duration::from_millis(limits.connect_ms))
            .read_timeout(Duration::from_millis(limits.read_ms))
            .timeout(Duration::from_millis(limits.total_ms))
            .build()
            .map_err(|_| Fault::Misconfigured {
                message: format!("system `{system}`: the HTTP client cannot be built"),
            })?;
        let most_body_bytes = limits.body_bytes;
        Ok(Self { client, system, door, most_body_bytes, now })
    }

    /// Sends one request and reads the answer to its end. Any status code is an answer; see
    /// [`Reply::fault`].
    ///
    /// # Errors
    /// `Misconfigured` where the host is not declared, has a private address or a certificate that
    /// is not trusted; `Transient` where it cannot be reached or a request that only reads gets no
    /// answer; `Unknown` where a change gets no answer; `Rejected` where the answer to a request
    /// that only reads is too large.
    pub async fn send(&self, call: Call) -> Result<Reply, Fault> {
        let host = host_of(&call.url);
        self.door.admit(&call.url)?;
        let effect = call.effect;
        let request = self.request(call)?;
        let fault = |error: &reqwest::Error| faults::of_sending(&self.system, &host, effect, error);
        let answer = self.client.execute(request).await.map_err(|error| fault(&error))?;
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        if answer.content_length().is_some_and(|length| length > self.most_body_bytes as u64) {
            return Err(self.too_large(&host, status, effect));
        }
        let mut body = Vec::new();
        let mut chunks = answer.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| fault(&error))?;
            if body.len() + chunk.len() > self.most_body_bytes {
                return Err(self.too_large(&host, status, effect));
            }
            body.extend_from_slice(&chunk);
        }
        let retry_after_ms = headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| retry_after_ms(value, (self.now)()));
        let system = self.system.clone();
        Ok(Reply { system, host, effect, status, headers, body, retry_after_ms })
    }

    fn request(&self, call: Call) -> Result<reqwest::Request, Fault> {
        let host = host_of(&call.url);
        let mut request = reqwest::Request::new(call.method, call.url);
        for (name, value) in call.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            let value = HeaderValue::from_bytes(value.as_bytes());
            let (Ok(name), Ok(mut value)) = (name, value) else {
                return Err(self.misconfigured(&format!(
                    "a header for `{host}` holds a character that is not allowed there: check \
                     credentials and parameters for line breaks"
                )));
            };
            value.set_sensitive(true);
            request.headers_mut().append(name, value);
        }
        if !call.body.is_empty() {
            *request.body_mut() = Some(call.body.into());
        }
        Ok(request)
    }

    fn misconfigured(&self, why: &str) -> Fault {
        Fault::Misconfigured { message: format!("system `{}`: {why}", self.system) }
    }

    fn too_large(&self, host: &str, status: u16, effect: Effect) -> Fault {
        let message = format!(
            "system `{}`: `{host}` answered {status} with a body of more than {} bytes",
            self.system, self.most_body_bytes
        );
        match effect {
            Effect::Reads => Fault::Rejected { message },
            Effect::Changes => Fault::Unknown { message },
        }
    }
}
