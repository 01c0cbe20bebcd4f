//! What a processor answers: bodies, headers and signatures, ready to be sent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::complaint::Complaint;
use crate::opendsr::protocol::{Dialect, Discovery, OutcomeReport, RequestStatus};
use crate::opendsr::signature::{SignatureFault, Signer};

/// An answer, or the call of a callback, ready to be sent: the body's bytes must not be touched,
/// because they are signed.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status code; of a callback, the one that it should be answered with.
    pub status: u16,
    /// Headers by name.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "<answer {} of {} bytes>", self.status, self.body.len())
    }
}

/// How a request stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The request.
    pub id: Uuid,
    /// Its state.
    pub status: RequestStatus,
    /// When it is expected to be over.
    pub expected_at: Timestamp,
    /// The truth beside the state, once there is one.
    pub outcome: Option<OutcomeReport>,
}

/// Composes the answers to one controller in one dialect.
#[derive(Debug, Clone, Copy)]
pub struct Answers<'a> {
    /// The dialect.
    pub dialect: Dialect,
    /// Our domain.
    pub domain: &'a str,
    /// The controller's name with us.
    pub controller: &'a str,
    /// Our key.
    pub signer: &'a Signer,
}

impl Answers<'_> {
    /// The discovery document. It is not signed, since it says where the certificate is.
    pub fn discovery(&self, discovery: &Discovery) -> Answer {
        Answer { status: 200, headers: plain(), body: discovery.write(self.dialect) }
    }

    /// 201: the request was taken in. `sent` are the bytes of the request's body, which the answer
    /// repeats; a processor that keeps the answer keeps personal data.
    ///
    /// # Errors
    /// Where our key cannot sign; so with all signed answers.
    pub fn created(
        &self,
        id: Uuid,
        received_at: Timestamp,
        expected_at: Timestamp,
        sent: &[u8],
    ) -> Result<Answer, SignatureFault> {
        self.signed(
            201,
            &json!({
                "controller_id": self.controller,
                "expected_completion_time": expected_at.to_string(),
                "received_time": received_at.to_string(),
                "encoded_request": STANDARD.encode(sent),
                "subject_request_id": id.to_string(),
            }),
        )
    }

    /// 200: how a request stands. It is signed too, though the specification does not ask for it,
    /// so that the end of a request has a receipt.
    ///
    /// # Errors
    /// Where our key cannot sign.
    pub fn status(&self, standing: &Standing) -> Result<Answer, SignatureFault> {
        self.signed(200, &self.standing(standing))
    }

    /// 200: how each request of a group stands, as a list.
    ///
    /// # Errors
    /// Where our key cannot sign.
    pub fn group(&self, standings: &[Standing]) -> Result<Answer, SignatureFault> {
        let all = standings.iter().map(|standing| self.standing(standing)).collect();
        self.signed(200, &Value::Array(all))
    }

    /// 202: the request was cancelled.
    ///
    /// # Errors
    /// Where our key cannot sign.
    pub fn cancelled(&self, id: Uuid, received_at: Timestamp) -> Result<Answer, SignatureFault> {
        self.signed(
            202,
            &json!({
                "controller_id": self.controller,
                "received_time": received_at.to_string(),
                "subject_request_id": id.to_string(),
                "api_version": self.dialect.api_version(),
            }),
        )
    }

    /// The call of a callback at one of the addresses that the request named.
    ///
    /// # Errors
    /// Where our key cannot sign.
    pub fn callback(&self, standing: &Standing, url: &str) -> Result<Answer, SignatureFault> {
        let mut body = self.standing(standing);
        if let Some(fields) = body.as_object_mut() {
            fields.insert("status_callback_url".to_owned(), json!(url));
        }
        self.signed(202, &body)
    }

    /// A refusal. It is not signed.
    pub fn refusal(&self, complaint: &Complaint) -> Answer {
        let mut headers = plain();
        headers.push(("Cache-Control", "no-store".to_owned()));
        let body = complaint.body(self.dialect, self.domain);
        Answer { status: complaint.status, headers, body }
    }

    fn standing(&self, standing: &Standing) -> Value {
        let extensions = standing.outcome.as_ref().map(|report| {
            let domain = self.domain;
            json!({ domain: report.write() })
        });
        json!({
            "controller_id": self.controller,
            "expected_completion_time": standing.expected_at.to_string(),
            "subject_request_id": standing.id.to_string(),
            "request_status": standing.status.as_str(),
            "api_version": self.dialect.api_version(),
            "results_url": null,
            "extensions": extensions,
        })
    }

    fn signed(&self, status: u16, body: &Value) -> Result<Answer, SignatureFault> {
        let body = body.to_string().into_bytes();
        let mut headers = plain();
        headers.push((self.dialect.domain_header(), self.domain.to_owned()));
        headers.push((self.dialect.signature_header(), self.signer.sign(&body)?));
        Ok(Answer { status, headers, body })
    }
}

fn plain() -> Vec<(&'static str, String)> {
    vec![("Content-Type", "application/json".to_owned())]
}
