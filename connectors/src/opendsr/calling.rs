//! Calling a controller back: the only thing that a processor sends of itself.
//!
//! Only declared hosts are called, over TLS, at public addresses unless a host is declared as
//! private; redirects are not followed, and bodies and waits are bounded. A fault names the host
//! and the status code and never the address.

use url::Url;

use super::intake::{Answer, CallbackHosts};
use crate::kinds::Now;
use crate::outbound::{Call, Limits, Method, Outbound, OutboundSettings};
use crate::receipt::Fault;

/// Controllers answer a callback with a line; whoever sends more is not listened to.
const LIMITS: Limits =
    Limits { connect_ms: 5_000, read_ms: 10_000, total_ms: 15_000, body_bytes: 65_536 };

/// What a line needs.
#[derive(Debug, Clone)]
pub struct LineSettings {
    /// The controller's name, for messages.
    pub controller: String,
    /// Hosts that may be called.
    pub hosts: CallbackHosts,
    /// Authorities that are trusted beside those of the machine, as PEM.
    pub trust: Option<String>,
}

/// The line to one controller.
#[derive(Debug, Clone)]
pub struct CallbackLine {
    outbound: Outbound,
}

impl CallbackLine {
    /// Opens a line. No connection is made.
    ///
    /// # Errors
    /// `Misconfigured` where a host or a certificate to trust cannot be read.
    pub fn open(settings: LineSettings, now: Now) -> Result<Self, Fault> {
        let LineSettings { controller, hosts, trust } = settings;
        let outbound = Outbound::new(OutboundSettings {
            system: controller,
            hosts: hosts.public,
            private_hosts: hosts.private,
            trust,
            limits: LIMITS,
            now,
        })?;
        Ok(Self { outbound })
    }

    /// Calls an address that the controller gave, with a callback that
    /// [`Answers::callback`](super::intake::Answers::callback) has composed. Any 2xx says that it
    /// was heard; the specification wants 202.
    ///
    /// # Errors
    /// Where the address may not be called, nobody answers, or the answer is another one.
    pub async fn call(&self, url: &str, callback: &Answer) -> Result<(), Fault> {
        let wrong = || Fault::Rejected { message: "the address to call back is none".to_owned() };
        let url = Url::parse(url).map_err(|_| wrong())?;
        if url.scheme() != "https" {
            return Err(wrong());
        }
        let mut call = Call::changing(Method::POST, url);
        let mut content_type = "application/json";
        for (name, value) in &callback.headers {
            if name.eq_ignore_ascii_case("content-type") {
                content_type = value;
            } else {
                call = call.header(*name, value);
            }
        }
        let reply = self.outbound.send(call.body(content_type, callback.body.clone())).await?;
        match reply.fault() {
            None => Ok(()),
            Some(fault) => Err(fault),
        }
    }
}

/// The host of an address, with its port where that is not 443: all of it that may be shown.
pub fn host_of(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let host = url.host_str()?;
    Some(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}
