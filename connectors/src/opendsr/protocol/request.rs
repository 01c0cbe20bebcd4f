//! The request that a controller makes of a processor.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::dialect::Dialect;
use super::identity::SubjectIdentity;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequestType {
    /// A copy of what is held.
    Access,
    /// A copy that another controller can read.
    Portability,
    /// Erasure.
    Erasure,
    /// Correction; of some processors only.
    Rectification,
}

impl RequestType {
    const ALL: [Self; 4] = [Self::Access, Self::Portability, Self::Erasure, Self::Rectification];

    /// Reads a type.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The type's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Portability => "portability",
            Self::Erasure => "erasure",
            Self::Rectification => "rectification",
        }
    }
}

/// The law under which it is asked. The protocol knows no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Regulation {
    /// The General Data Protection Regulation.
    Gdpr,
    /// The California Consumer Privacy Act.
    Ccpa,
}

impl Regulation {
    /// Reads a regulation.
    pub fn read(text: &str) -> Option<Self> {
        match text {
            "gdpr" => Some(Self::Gdpr),
            "ccpa" => Some(Self::Ccpa),
            _ => None,
        }
    }

    /// The regulation's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gdpr => "gdpr",
            Self::Ccpa => "ccpa",
        }
    }
}

/// One request for one person. Its identities do not print.
#[derive(Clone, PartialEq, Eq)]
pub struct CreateRequest {
    /// The controller's name for it: a UUID of version 4.
    pub id: Uuid,
    /// What is asked.
    pub kind: RequestType,
    /// Under which law; absent in OpenGDPR 1.0.
    pub regulation: Option<Regulation>,
    /// When the person asked: the law's clock starts there.
    pub submitted_at: Timestamp,
    /// What the person is known by.
    pub identities: Vec<SubjectIdentity>,
    /// Where changes of state are told.
    pub callback_urls: Vec<String>,
    /// A name that several requests share; v3 only.
    pub group: Option<String>,
    /// v3 only: the processor's waiting period is skipped.
    pub skips_waiting: bool,
    /// Further fields that one processor wants, such as `property_id`.
    pub further: Vec<(String, String)>,
}

impl fmt::Debug for CreateRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CreateRequest")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("identities", &self.identities)
            .finish_non_exhaustive()
    }
}

impl CreateRequest {
    /// The body of the request to the processor of a domain. The same request gives the same
    /// bytes.
    ///
    /// In the dictionary of v3 a type has one value; of two identities of one type the later one
    /// would be lost, so a caller makes two requests of them ([`CreateRequest::fits`]).
    pub fn write(&self, dialect: Dialect, domain: &str) -> Vec<u8> {
        let (core, further): (Vec<_>, Vec<_>) =
            self.identities.iter().partition(|identity| identity.kind.is_core());
        let mut body = Map::new();
        let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
        for (name, value) in &self.further {
            put(name, json!(value));
        }
        if let Some(regulation) = self.regulation.filter(|_| dialect != Dialect::V1) {
            put("regulation", json!(regulation.as_str()));
        }
        put("subject_request_id", json!(self.id.hyphenated().to_string()));
        put("subject_request_type", json!(self.kind.as_str()));
        put("submitted_time", json!(self.submitted_at.to_string()));
        put("api_version", json!(dialect.api_version()));
        if !core.is_empty() || further.is_empty() {
            put("subject_identities", identities(dialect, &core));
        }
        if !self.callback_urls.is_empty() {
            put("status_callback_urls", json!(self.callback_urls));
        }
        if let Some(group) = self.group.as_ref().filter(|_| dialect == Dialect::V3) {
            put("group_id", json!(group));
        }
        let mut extension = Map::new();
        if self.skips_waiting && dialect == Dialect::V3 {
            extension.insert("skip_waiting_period".to_owned(), json!(true));
        }
        if !further.is_empty() {
            extension.insert("subject_identities".to_owned(), identities(dialect, &further));
        }
        if !extension.is_empty() {
            put("extensions", json!({ domain: extension }));
        }
        Value::Object(body).to_string().into_bytes()
    }

    /// Every identity can be written in the dialect: in v3, none has the type of another.
    pub fn fits(&self, dialect: Dialect) -> bool {
        let kinds: BTreeSet<_> = self.identities.iter().map(|identity| &identity.kind).collect();
        !dialect.has_dictionary() || kinds.len() == self.identities.len()
    }
}

fn identities(dialect: Dialect, identities: &[&SubjectIdentity]) -> Value {
    if dialect.has_dictionary() {
        let entry = |identity: &&SubjectIdentity| {
            let value = json!({ "value": identity.value, "encoding": identity.format.as_str() });
            (identity.kind.as_str().to_owned(), value)
        };
        return Value::Object(identities.iter().map(entry).collect());
    }
    let entry = |identity: &&SubjectIdentity| {
        json!({
            "identity_type": identity.kind.as_str(),
            "identity_value": identity.value,
            "identity_format": identity.format.as_str(),
        })
    };
    Value::Array(identities.iter().map(entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opendsr::protocol::{Format, IdentityType};

    fn request() -> CreateRequest {
        let identity = |kind: &str, value: &str| SubjectIdentity {
            kind: IdentityType::read(kind).unwrap(),
            format: Format::Raw,
            value: value.to_owned(),
        };
        CreateRequest {
            id: "a7551968-d5d6-44b2-9831-815ac9017798".parse().unwrap(),
            kind: RequestType::Erasure,
            regulation: Some(Regulation::Gdpr),
            submitted_at: "2026-10-02T15:00:00Z".parse().unwrap(),
            identities: vec![identity("email", "m@example.com"), identity("msisdn", "4915100")],
            callback_urls: vec!["https://controller.example.com/callbacks".to_owned()],
            group: Some("g1".to_owned()),
            skips_waiting: true,
            further: vec![("property_id".to_owned(), "id1".to_owned())],
        }
    }

    fn written(dialect: Dialect) -> Value {
        serde_json::from_slice(&request().write(dialect, "opendsr.example.com")).unwrap()
    }

    #[test]
    fn the_second_version_has_lists() {
        let expected = json!({
            "regulation": "gdpr",
            "subject_request_id": "a7551968-d5d6-44b2-9831-815ac9017798",
            "subject_request_type": "erasure",
            "submitted_time": "2026-10-02T15:00:00Z",
            "api_version": "2.0",
            "property_id": "id1",
            "subject_identities": [
                {"identity_type": "email", "identity_value": "m@example.com", "identity_format": "raw"}
            ],
            "status_callback_urls": ["https://controller.example.com/callbacks"],
            "extensions": { "opendsr.example.com": { "subject_identities": [
                {"identity_type": "msisdn", "identity_value": "4915100", "identity_format": "raw"}
            ]}},
        });
        assert_eq!(written(Dialect::V2), expected);
    }

    #[test]
    fn the_first_version_knows_no_regulation_and_the_third_has_dictionaries() {
        let first = written(Dialect::V1);
        assert_eq!(first.get("regulation"), None);
        assert_eq!(first["api_version"], "1.0");
        assert!(first["subject_identities"].is_array());
        let third = written(Dialect::V3);
        assert_eq!(
            third["subject_identities"],
            json!({"email": {"value": "m@example.com", "encoding": "raw"}})
        );
        assert_eq!(third["group_id"], "g1");
        assert_eq!(
            third["extensions"]["opendsr.example.com"],
            json!({
                "skip_waiting_period": true,
                "subject_identities": {"msisdn": {"value": "4915100", "encoding": "raw"}},
            })
        );
    }

    #[test]
    fn a_dictionary_has_one_value_for_a_type() {
        let mut request = request();
        assert!(request.fits(Dialect::V3));
        request.identities[1].kind = IdentityType::read("email").unwrap();
        assert!(!request.fits(Dialect::V3));
        assert!(request.fits(Dialect::V2));
        assert!(!format!("{request:?}").contains("example.com"));
    }
}
