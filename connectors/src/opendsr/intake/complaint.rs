//! A refusal, and how the dialects write it.

use serde_json::{Value, json};

use crate::opendsr::protocol::Dialect;

/// One reason of a refusal. It names a field and never repeats what the field held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The field, as a path: `subject_identities[0].identity_value`.
    pub field: String,
    /// A short name of what is wrong: `missing`, `unknown`, `invalid`, …
    pub reason: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// Status code of HTTP, which is also the code in the body.
    pub status: u16,
    /// What is wrong, in a sentence.
    pub message: String,
    /// Each reason; may be empty.
    pub reasons: Vec<Reason>,
}

impl Complaint {
    /// A refusal without further reasons.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), reasons: Vec::new() }
    }

    /// Nobody who may ask asked.
    pub fn unauthorised() -> Self {
        Self::new(401, "the credentials are missing or wrong")
    }

    /// The controller has no such request.
    pub fn not_found() -> Self {
        Self::new(404, "there is no request of this id")
    }

    /// The id was used for another request.
    pub fn duplicate() -> Self {
        Self {
            status: 400,
            message: "the request is refused".to_owned(),
            reasons: vec![Reason {
                field: "subject_request_id".to_owned(),
                reason: "duplicate",
                message: "a different request was made under this id: make a new id".to_owned(),
            }],
        }
    }

    /// The same is already under way.
    pub fn under_way() -> Self {
        Self::new(
            409,
            "a request of the same type for the same identities is already under way under another id",
        )
    }

    /// The results are no longer there.
    pub fn expired() -> Self {
        Self::new(410, "the results are no longer kept: make a new request")
    }

    /// The body, in the dialect's shape.
    pub fn body(&self, dialect: Dialect, domain: &str) -> Vec<u8> {
        let errors: Vec<Value> = self
            .reasons
            .iter()
            .map(|one| {
                let message = format!("`{}`: {}", one.field, one.message);
                json!({ "domain": domain, "reason": one.reason, "message": message })
            })
            .collect();
        let bare = json!({ "code": self.status, "message": self.message, "errors": errors });
        let body = if dialect.wraps_errors() { json!({ "error": bare }) } else { bare };
        body.to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opendsr::protocol::ErrorAnswer;

    #[test]
    fn both_shapes_are_written_and_read() {
        let duplicate = Complaint::duplicate();
        for (dialect, wrapped) in [(Dialect::V1, true), (Dialect::V2, true), (Dialect::V3, false)] {
            let body = duplicate.body(dialect, "opendsr.example.com");
            let value: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(value.get("error").is_some(), wrapped);
            assert_eq!(ErrorAnswer::read(&body).words(), " (code 400, `duplicate`)");
        }
    }
}
