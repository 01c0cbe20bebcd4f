//! The client: settings, the guard at the door, and sending.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::header::{HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use url::{Host, Url};

use super::address::is_public;
use super::call::{Call, Effect, host_of};
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
    hosts: BTreeSet<String>,
    private_hosts: BTreeSet<String>,
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
        let hosts = hosts
            .iter()
            .map(|host| declared(&system, host, Some(443)))
            .collect::<Result<BTreeSet<_>, _>>()?;
        // No port is taken for granted where private addresses are let in.
        let private_hosts = private_hosts
            .iter()
            .map(|host| declared(&system, host, None))
            .collect::<Result<BTreeSet<_>, _>>()?;
        let private_names = private_hosts
            .iter()
            .filter_map(|host| host.rsplit_once(':'))
            .map(|(name, _)| name.to_owned())
            .collect();
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
        Ok(Self { client, system, hosts, private_hosts, most_body_bytes, now })
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
        self.admit(&call.url)?;
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

    /// The guard at the door. An address that is written as a number is checked here, since no
    /// resolver sees it; names are checked when they are resolved.
    fn admit(&self, url: &Url) -> Result<(), Fault> {
        let shown = host_of(url);
        let port = url.port_or_known_default().unwrap_or_default();
        let Some(host) = url.host() else {
            return Err(self.misconfigured("an address without a host cannot be spoken to"));
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(self.misconfigured(&format!(
                "the address of `{shown}` holds a user name: give credentials as parameters"
            )));
        }
        let key = format!("{host}:{port}").to_ascii_lowercase();
        if self.private_hosts.contains(&key) && matches!(url.scheme(), "http" | "https") {
            return Ok(());
        }
        if !self.hosts.contains(&key) {
            return Err(self.misconfigured(&format!(
                "`{shown}` is not among the hosts that may be spoken to: declare it, or correct \
                 the address"
            )));
        }
        if url.scheme() != "https" {
            return Err(self.misconfigured(&format!(
                "`{shown}` may only be spoken to over https: correct the address, or declare the \
                 host under `private_hosts`"
            )));
        }
        let number = match host {
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
            Host::Domain(_) => None,
        };
        let name = format!("{host}").to_ascii_lowercase();
        // The resolver lets private addresses through by name alone; another port than the
        // declared one must not profit from that.
        let private_elsewhere = self
            .private_hosts
            .iter()
            .any(|declared| declared.rsplit_once(':').is_some_and(|(one, _)| one == name));
        if private_elsewhere || number.is_some_and(|address| !is_public(address)) {
            return Err(self.misconfigured(&format!(
                "`{shown}` has a private address: if it is meant, write the host with this port \
                 under `private_hosts`"
            )));
        }
        Ok(())
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

/// Reads a declared host into `host:port`, in the spelling that [`Url`] gives hosts.
fn declared(system: &str, text: &str, default: Option<u16>) -> Result<String, Fault> {
    let wrong = |why: &str| Fault::Misconfigured {
        message: format!("system `{system}`: the declared host `{text}` {why}"),
    };
    let url = Url::parse(&format!("https://{text}")).map_err(|_| wrong("is no host name"))?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !bare || !url.username().is_empty() || text.ends_with('/') || text.contains('*') {
        return Err(wrong("is more than a host: write `name` or `name:port`"));
    }
    let written = text.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    let Some(port) = written.or(default) else {
        return Err(wrong("has no port: write `name:port`"));
    };
    if port == 0 {
        return Err(wrong("has the port 0, which nobody listens on"));
    }
    let host = url.host().ok_or_else(|| wrong("is no host name"))?;
    Ok(format!("{host}:{port}").to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::declared;

    #[test]
    fn declared_hosts_are_hosts_and_nothing_more() {
        let read = |text: &str| declared("crm", text, Some(443)).ok();
        assert_eq!(read("API.example.com").as_deref(), Some("api.example.com:443"));
        assert_eq!(read("api.example.com:8443").as_deref(), Some("api.example.com:8443"));
        assert_eq!(read("[::1]:9801").as_deref(), Some("[::1]:9801"));
        // The browser's spelling of an address, so that no disguise passes.
        assert_eq!(read("0x7f.1:80").as_deref(), Some("127.0.0.1:80"));
        for wrong in ["", "*", "*.example.com", "example.com/v1", "example.com/", "a@example.com"] {
            assert_eq!(read(wrong), None, "`{wrong}` passes as a host");
        }
        assert!(declared("crm", "example.com", None).is_err(), "a private host needs its port");
        assert!(declared("crm", "example.com:0", None).is_err());
    }
}
