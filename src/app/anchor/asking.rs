//! One question over HTTP to somebody whom the operator has named.
//!
//! Time stamps and cosignatures carry their own proof, so plain HTTP will do where somebody wrote
//! such an address; and whoever runs the instance may name an address of their own network.

use quietus_connectors::outbound::{Call, Limits, Method, Outbound, OutboundSettings, Reply};
use url::Url;

use super::super::Quietus;

/// Answers are small, and nobody is waited for long.
const LIMITS: Limits =
    Limits { connect_ms: 3_000, read_ms: 5_000, total_ms: 10_000, body_bytes: 262_144 };

/// A question.
pub(super) struct Question<'a> {
    /// Name of whom it goes to, for messages.
    pub name: &'a str,
    /// Where it goes.
    pub url: &'a str,
    /// Authorities that are trusted beside those of the machine, PEM.
    pub trust: Option<String>,
    /// Its media type.
    pub media_type: &'a str,
    /// Its body.
    pub body: Vec<u8>,
}

impl Quietus {
    /// Asks, and reads the answer to its end, whatever its status.
    ///
    /// # Errors
    /// In words, where nobody answers.
    pub(super) async fn put(&self, question: Question<'_>) -> Result<Reply, String> {
        let Question { name, url, trust, media_type, body } = question;
        let url = Url::parse(url).map_err(|_| "its address cannot be read".to_owned())?;
        let host = url.host().map(|host| host.to_string()).unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or(443);
        let line = Outbound::new(OutboundSettings {
            system: name.to_owned(),
            hosts: Vec::new(),
            private_hosts: vec![format!("{host}:{port}")],
            trust,
            limits: LIMITS,
            now: self.time(),
        })
        .map_err(|fault| fault.to_string())?;
        let call = Call::reading(Method::POST, url).body(media_type, body);
        line.send(call).await.map_err(|fault| fault.to_string())
    }
}
