//! What a processor answers and calls back, read tolerantly.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::document::{Document, Unreadable, plain_words};
use super::outcome::OutcomeReport;
use super::status::RequestStatus;

/// The answer to a request that was taken in. What it repeats of the request does not print.
#[derive(Clone)]
pub struct Created {
    /// The request, if the answer names it.
    pub id: Option<Uuid>,
    /// When the processor expects to be done.
    pub expected_at: Option<Timestamp>,
    encoded_request: Option<String>,
}

impl fmt::Debug for Created {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Created").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Created {
    /// Reads the answer.
    ///
    /// # Errors
    /// Where the bytes are no document.
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let document = Document::read(bytes)?;
        Ok(Self {
            id: request_id(&document),
            expected_at: document.moment("expected_completion_time"),
            encoded_request: document.text("encoded_request").map(str::to_owned),
        })
    }

    /// Whether the answer speaks of the request that was sent: it names it, and what it repeats of
    /// it is exactly the bytes that were sent. An answer that repeats nothing must at least name
    /// it.
    pub fn speaks_of(&self, id: Uuid, sent: &[u8]) -> bool {
        let named = self.id.is_none_or(|named| named == id);
        match &self.encoded_request {
            Some(encoded) => named && STANDARD.decode(encoded).is_ok_and(|bytes| bytes == sent),
            None => self.id == Some(id),
        }
    }
}

/// How many of the processor's own partners were told, by what became of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Downstream {
    /// Told.
    pub sent: u64,
    /// Not yet told.
    pub pending: u64,
    /// Left out.
    pub skipped: u64,
    /// Tried and failed, or a state that is not known.
    pub failed: u64,
}

impl Downstream {
    /// Reads the report wherever it stands: as a list under `extensions`, under a domain's
    /// `distribution_status`, or as one entry for each domain.
    fn read(extensions: &Value) -> Option<Self> {
        let entries: Vec<&Value> = match extensions {
            Value::Array(entries) => entries.iter().collect(),
            Value::Object(domains) => domains
                .values()
                .flat_map(|domain| match domain.get("distribution_status") {
                    Some(Value::Array(entries)) => entries.iter().collect(),
                    _ => vec![domain],
                })
                .collect(),
            _ => return None,
        };
        let states = entries.iter().filter_map(|entry| entry.get("status")?.as_str());
        let mut found = Self::default();
        let mut any = false;
        for state in states {
            any = true;
            match state {
                "sent" => found.sent += 1,
                "pending" => found.pending += 1,
                "skipped" => found.skipped += 1,
                _ => found.failed += 1,
            }
        }
        any.then_some(found)
    }

    /// In words; empty where nobody was to be told.
    pub fn words(self) -> String {
        let counts = [
            (self.sent, "told"),
            (self.pending, "not yet told"),
            (self.skipped, "left out"),
            (self.failed, "failed"),
        ];
        let some = counts.iter().filter(|(count, _)| *count > 0);
        some.map(|(count, word)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
    }
}

/// The state of a request, as an answer or a callback tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusAnswer {
    /// The request, if it is named.
    pub id: Option<Uuid>,
    /// The state; `None` where the word is not known.
    pub status: Option<RequestStatus>,
    /// The word itself where it is not known and can be repeated.
    pub unknown_status: Option<String>,
    /// When the processor expects to be done.
    pub expected_at: Option<Timestamp>,
    /// The address that a callback was sent to.
    pub callback_url: Option<String>,
    /// Our extension.
    pub outcome: Option<OutcomeReport>,
    /// What became of telling the processor's own partners.
    pub downstream: Option<Downstream>,
}

impl StatusAnswer {
    /// Reads an answer or a callback of the processor of a domain.
    ///
    /// # Errors
    /// Where the bytes are no document.
    pub fn read(bytes: &[u8], domain: &str) -> Result<Self, Unreadable> {
        let document = Document::read(bytes)?;
        let word = document.text("request_status");
        let status = word.and_then(RequestStatus::read);
        // A state is one word; a sentence could name somebody.
        let one_word = word.and_then(plain_words).filter(|word| !word.contains(' '));
        let unknown_status = one_word.filter(|_| status.is_none()).map(str::to_owned);
        let extensions = document.get("extensions");
        Ok(Self {
            id: request_id(&document),
            status,
            unknown_status,
            expected_at: document.moment("expected_completion_time"),
            callback_url: document.text("status_callback_url").map(str::to_owned),
            outcome: extensions.and_then(|all| OutcomeReport::read(all, domain)),
            downstream: extensions.and_then(Downstream::read),
        })
    }
}

/// A refusal, in either of its two shapes. Messages are dropped: they may quote what was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorAnswer {
    /// The code, if it can be repeated.
    pub code: Option<String>,
    /// Short names of the reasons, as far as they can be repeated; at most 10.
    pub reasons: Vec<String>,
}

impl ErrorAnswer {
    /// Reads a refusal; a body that is none gives an empty one.
    pub fn read(bytes: &[u8]) -> Self {
        let Ok(document) = Document::read(bytes) else { return Self::default() };
        let get = |name: &str| match document.get("error") {
            Some(wrapped) => wrapped.get(name),
            None => document.get(name),
        };
        let code = match get("code") {
            Some(Value::Number(number)) => Some(number.to_string()),
            Some(Value::String(text)) => plain_words(text).map(str::to_owned),
            _ => None,
        };
        let errors = get("errors").and_then(Value::as_array);
        let reasons = errors
            .into_iter()
            .flatten()
            .filter_map(|entry| plain_words(entry.get("reason")?.as_str()?))
            // A reason is a name; a sentence could quote.
            .filter(|reason| !reason.contains(' '))
            .take(10)
            .map(str::to_owned)
            .collect();
        Self { code, reasons }
    }

    /// In words, beginning with a blank; empty where nothing is known.
    pub fn words(&self) -> String {
        let code = self.code.iter().map(|code| format!("code {code}"));
        let reasons = self.reasons.iter().map(|reason| format!("`{reason}`"));
        let words = code.chain(reasons).collect::<Vec<_>>().join(", ");
        if words.is_empty() { words } else { format!(" ({words})") }
    }
}

/// The request that a document names. A name in capitals is tolerated in what we read.
fn request_id(document: &Document) -> Option<Uuid> {
    document.text("subject_request_id")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opendsr::protocol::OutcomeWord;

    const ID: &str = "475974fa-6b42-4370-bb56-b5d845686bb5";

    fn id() -> Uuid {
        ID.parse().unwrap()
    }

    #[test]
    fn an_answer_speaks_of_exactly_what_was_sent() {
        let sent = br#"{"subject_request_id":"475974fa-6b42-4370-bb56-b5d845686bb5"}"#;
        let body = |id: &str, encoded: &str| {
            format!(r#"{{"subject_request_id":{id},"encoded_request":{encoded}}}"#)
        };
        let read = |text: &str| Created::read(text.as_bytes()).unwrap();
        let encoded = format!("\"{}\"", STANDARD.encode(sent));
        let named = format!("\"{ID}\"");
        assert!(read(&body(&named, &encoded)).speaks_of(id(), sent));
        assert!(read(&body("null", &encoded)).speaks_of(id(), sent));
        assert!(read(&body(&named, "null")).speaks_of(id(), sent));
        assert!(!read(&body("null", "null")).speaks_of(id(), sent));
        assert!(!read(&body(&named, &encoded)).speaks_of(id(), b"{}"));
        assert!(!read(&body(&named, "\"%\"")).speaks_of(id(), sent));
        let other = "\"00000000-0000-4000-8000-000000000000\"";
        assert!(!read(&body(other, &encoded)).speaks_of(id(), sent));
        assert!(!format!("{:?}", read(&body(&named, &encoded))).contains("encoded"));
    }

    /// The shape of a callback that mParticle really sends: nulls, and no `api_version`.
    #[test]
    fn nulls_and_absent_fields_are_borne() {
        let read = StatusAnswer::read(
            br#"{"controller_id":"1402","expected_completion_time":"2025-06-09T00:00:00Z",
                "status_callback_url":"https://controller.example.com/c",
                "subject_request_id":"475974fa-6b42-4370-bb56-b5d845686bb5",
                "request_status":"completed","results_url":null,"extensions":null}"#,
            "opendsr.mparticle.com",
        )
        .unwrap();
        assert_eq!(read.id, Some(id()));
        assert_eq!(read.status, Some(RequestStatus::Completed));
        assert_eq!((read.outcome, read.downstream), (None, None));
        let bare = StatusAnswer::read(br#"{"request_status":"melted","x":1}"#, "a").unwrap();
        assert_eq!((bare.status, bare.id, bare.expected_at), (None, None, None));
        assert_eq!(bare.unknown_status.as_deref(), Some("melted"));
        for rude in ["failed for m@example.com", "failed for Mara", "4915100000000"] {
            let body = format!(r#"{{"request_status":"{rude}"}}"#);
            let read = StatusAnswer::read(body.as_bytes(), "a").unwrap();
            assert_eq!((read.status, read.unknown_status), (None, None));
        }
    }

    #[test]
    fn partners_are_counted_wherever_they_stand() {
        let read = |extensions: &str| {
            let body = format!(r#"{{"request_status":"completed","extensions":{extensions}}}"#);
            StatusAnswer::read(body.as_bytes(), "opendsr.example.com").unwrap()
        };
        let list = r#"[{"domain":"a.com","status":"sent"},{"domain":"b.com","status":"failed"}]"#;
        let expected = Some(Downstream { sent: 1, failed: 1, ..Downstream::default() });
        assert_eq!(read(list).downstream, expected);
        let nested = format!(r#"{{"opendsr.example.com":{{"distribution_status":{list}}}}}"#);
        assert_eq!(read(&nested).downstream, expected);
        let by_domain = r#"{"a.com":{"status":"skipped"},"b.com":{"status":"melted"}}"#;
        assert_eq!(read(by_domain).downstream.unwrap().words(), "1 left out, 1 failed");
        let ours = read(r#"{"opendsr.example.com":{"outcome":"not_found"}}"#);
        assert_eq!(ours.downstream, None);
        assert_eq!(ours.outcome.unwrap().outcome, OutcomeWord::NotFound);
    }

    #[test]
    fn errors_are_read_in_both_shapes_and_quote_nothing() {
        let wrapped = br#"{"error":{"code":400,"message":"m@example.com is wrong",
            "errors":[{"domain":"x","reason":"DuplicateRequest","message":"m@example.com"}]}}"#;
        assert_eq!(ErrorAnswer::read(wrapped).words(), " (code 400, `DuplicateRequest`)");
        let bare = br#"{"code":"e511","message":null,
            "errors":[{"reason":"the mail m@example.com"},{"reason":"the person Mara"},{}]}"#;
        assert_eq!(ErrorAnswer::read(bare).words(), " (code e511)");
        assert_eq!(ErrorAnswer::read(b"not found").words(), "");
    }
}
