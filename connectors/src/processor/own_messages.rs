//! The words of kind `own`: what is posted to the user's connector, what it answers, and the
//! signature on both's way, as Standard Webhooks has it.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::order::Order;
use crate::receipt::RefusalKind;
use crate::subject::{Subject, SubjectAction, SubjectRequest};

/// Version of the protocol.
pub const PROTOCOL: u32 = 1;

/// What is posted.
#[derive(Clone, Serialize)]
pub(super) struct Question<'a> {
    pub protocol: u32,
    /// Only with `follow`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<&'a str>,
    pub order: Told<'a>,
}

/// The part of an order that is told.
#[derive(Clone, Serialize)]
pub(super) struct Told<'a> {
    pub key: &'a str,
    pub attempt: u32,
    pub moment: Timestamp,
    pub action: SubjectAction,
    pub regime: &'a str,
    pub submitted_at: Timestamp,
    pub answer_by: Option<Timestamp>,
    pub most_records: Option<u64>,
    pub subjects: Vec<Subject>,
}

impl<'a> Told<'a> {
    /// The order, about some of its persons.
    pub fn new(order: &'a Order, persons: &'a SubjectRequest, subjects: Vec<Subject>) -> Self {
        Self {
            key: &order.key,
            attempt: order.attempt,
            moment: order.moment,
            action: persons.action,
            regime: &persons.regime,
            submitted_at: persons.submitted_at,
            answer_by: persons.answer_by,
            most_records: order.most_records,
            subjects,
        }
    }
}

/// Answer to `check`.
#[derive(Deserialize)]
pub(super) struct Checked {
    pub product: String,
}

/// Answer to `resolve` and `verify`: records that are there, or not yet as they should be.
#[derive(Deserialize)]
pub(super) struct Counted {
    pub subjects: Vec<Count>,
}

/// One person's records.
#[derive(Deserialize)]
pub(super) struct Count {
    pub subject: String,
    #[serde(default)]
    pub records: u64,
    /// It cannot say who is meant.
    pub refused: Option<String>,
}

/// Answer to `execute` and `follow`.
#[derive(Deserialize)]
pub(super) struct Carried {
    #[serde(default)]
    pub subjects: Vec<Said>,
    pub pending: Option<Pending>,
}

/// What became of one person.
#[derive(Deserialize)]
pub(super) struct Said {
    pub subject: String,
    pub result: crate::subject::SubjectResult,
    #[serde(default)]
    pub records: u64,
    #[serde(default)]
    pub words: String,
}

/// It is carried out later.
#[derive(Deserialize)]
pub(super) struct Pending {
    pub reference: String,
    pub ask_after_seconds: u32,
}

/// Answer with 422: the order must not be carried out as it is.
#[derive(Deserialize)]
pub(super) struct NotLikeThis {
    #[serde(default = "harmful")]
    pub kind: RefusalKind,
    #[serde(default)]
    pub reasons: Vec<String>,
}

fn harmful() -> RefusalKind {
    RefusalKind::Unsafe
}

/// Reads a secret as Standard Webhooks writes it: `whsec_` and base64, of 24 to 64 bytes.
pub fn signing_key(secret: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
    (24..=64).contains(&bytes.len()).then_some(bytes)
}

/// The `webhook-signature` of a message, as Standard Webhooks has it.
///
/// `timestamp` is in whole seconds since 1970.
pub fn signature(key: &[u8], id: &str, timestamp: i64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{id}.{timestamp}.").as_bytes());
    context.update(body);
    format!("v1,{}", STANDARD.encode(context.sign().as_ref()))
}

#[cfg(test)]
mod tests {
    use super::{signature, signing_key};

    #[test]
    fn signatures_are_those_of_the_standard() {
        // The example of the Standard Webhooks specification.
        let key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signed = signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        for wrong in ["", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            assert!(signing_key(wrong).is_none(), "`{wrong}` passes as a key");
        }
    }
}
