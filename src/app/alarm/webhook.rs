//! One webhook: the line to it, and what is said over it as Standard Webhooks 1.0.0 has it: a message
//! with an identifier that is the same at each attempt, the moment of the attempt, and HMAC-SHA-256 over
//! both and the body (<https://www.standardwebhooks.com>).

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quietus_connectors::Fault;
use quietus_connectors::outbound::{Call, Limits, Method, Outbound, OutboundSettings};
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use crate::app::{AppError, Quietus};
use crate::config::WebhookSettings;

/// Receivers get as long as the specification asks for.
const LIMITS: Limits =
    Limits { connect_ms: 5_000, read_ms: 15_000, total_ms: 20_000, body_bytes: 262_144 };
/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// Bytes of a secret.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Why a message was not heard, without any word of the receiver's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotHeard {
    /// Nothing is wanted there any more (410).
    Gone(String),
    /// It is tried again, no earlier than after this pause.
    Later(String, Duration),
}

/// The line to a webhook.
pub(super) struct Line<'a> {
    webhook: &'a WebhookSettings,
    outbound: Outbound,
    keys: Vec<hmac::Key>,
}

/// The key of a secret as it is handed out; `None` where it is none.
fn key_of(secret: &str) -> Option<hmac::Key> {
    let bytes = Zeroizing::new(STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?);
    SECRET_BYTES.contains(&bytes.len()).then(|| hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

/// The header with the signatures of a message, one a key.
fn signatures(keys: &[hmac::Key], (id, second, body): (&str, i64, &str)) -> String {
    let signed = format!("{id}.{second}.{body}");
    let sign = |key: &hmac::Key| {
        format!("v1,{}", STANDARD.encode(hmac::sign(key, signed.as_bytes()).as_ref()))
    };
    keys.iter().map(sign).collect::<Vec<_>>().join(" ")
}

impl Quietus {
    /// Opens the line to a webhook: reads its secrets. No connection is made.
    ///
    /// # Errors
    /// Where a secret or a certificate cannot be read.
    pub(super) fn line_to<'a>(&self, webhook: &'a WebhookSettings) -> Result<Line<'a>, AppError> {
        let name = &webhook.name;
        let refuse = |why: String| AppError::Secret(format!("webhook `{name}`: {why}"));
        let mut keys = Vec::new();
        for reference in &webhook.secrets {
            let secret = reference.resolve(&self.instance.folder);
            let secret = secret.map_err(|error| refuse(error.to_string()))?;
            keys.push(key_of(secret.expose_secret()).ok_or_else(|| {
                refuse(
                    "its secret is none: write `whsec_` and 24 to 64 random bytes in Base64"
                        .to_owned(),
                )
            })?);
        }
        let trust = webhook.trust.as_ref().map(|path| {
            std::fs::read_to_string(self.instance.folder.join(path)).map_err(|error| {
                refuse(format!("`{}` cannot be read: {}", path.display(), error.kind()))
            })
        });
        let host = webhook.url.host().map(|host| host.to_string()).unwrap_or_default();
        let host = format!("{host}:{}", webhook.url.port_or_known_default().unwrap_or(443));
        let (hosts, private_hosts) =
            if webhook.private_host { (Vec::new(), vec![host]) } else { (vec![host], Vec::new()) };
        let settings = OutboundSettings {
            system: name.clone(),
            hosts,
            private_hosts,
            trust: trust.transpose()?,
            limits: LIMITS,
            now: self.time(),
        };
        let outbound = Outbound::new(settings);
        let outbound = outbound.map_err(|fault| refuse(said(name, &fault)))?;
        Ok(Line { webhook, outbound, keys })
    }

    /// Sends a message; the status with which it was heard, any of 2xx.
    ///
    /// # Errors
    /// Where it was not heard.
    pub(super) async fn send_event(
        &self,
        line: &Line<'_>,
        id: &str,
        body: &str,
    ) -> Result<u16, NotHeard> {
        let second = self.now().as_second();
        let name = &line.webhook.name;
        // Whoever gets the same message twice knows it by its identifier: a lost answer changes nothing.
        let call = Call::reading(Method::POST, line.webhook.url.clone())
            .header("webhook-id", id)
            .header("webhook-timestamp", second.to_string())
            .header("webhook-signature", signatures(&line.keys, (id, second, body)))
            .body("application/json", body.as_bytes().to_vec());
        let later = |fault: &Fault| {
            let asked_for = match fault {
                Fault::Transient { retry_after_ms: Some(wanted), .. } => {
                    Duration::from_millis(*wanted)
                }
                _ => Duration::ZERO,
            };
            NotHeard::Later(said(name, fault), asked_for)
        };
        let reply = line.outbound.send(call).await.map_err(|fault| later(&fault))?;
        match reply.fault() {
            None => Ok(reply.status()),
            Some(fault) if reply.status() == 410 => Err(NotHeard::Gone(said(name, &fault))),
            Some(fault) => Err(later(&fault)),
        }
    }
}

/// A fault in the words of this place: a webhook is no system of the data map.
fn said(name: &str, fault: &Fault) -> String {
    let said = fault.to_string().replace(&format!("system `{name}`: "), "");
    said.replace("write the host with its port under `private_hosts`", "write `private_host: true`")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn a_message_is_signed_as_the_libraries_of_the_specification_do() {
        let key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let message = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signatures(std::slice::from_ref(&key), message), signature);
        let other = key_of("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
        let both = signatures(&[other, key], message);
        assert!(both.starts_with("v1,") && both.ends_with(&format!(" {signature}")), "{both}");
    }

    #[test]
    fn what_is_no_secret_signs_nothing() {
        let of = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
        assert!(key_of(&of(24)).is_some() && key_of(&of(64)).is_some());
        let wrong =
            ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_a b", "correct horse"];
        for wrong in wrong.map(str::to_owned).iter().chain([&of(23), &of(65)]) {
            assert!(key_of(wrong).is_none(), "{wrong}");
        }
    }
}
