//! What a processor says it can do.

use serde_json::{Value, json};

use super::dialect::Dialect;
use super::document::{Document, Unreadable};
use super::identity::{Format, IdentityType};
use super::request::RequestType;

/// An identity that a processor takes: a type in a format.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SupportedIdentity {
    /// The type.
    pub kind: IdentityType,
    /// The format.
    pub format: Format,
}

/// A processor's own description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// Version of the protocol, as written; at most 16 signs.
    pub api_version: Option<String>,
    /// Identities that it takes, in its own order, none twice.
    pub identities: Vec<SupportedIdentity>,
    /// Requests that it takes, as far as this crate knows their types.
    pub request_types: Vec<RequestType>,
    /// Where its certificate is.
    pub certificate_url: Option<String>,
}

impl Discovery {
    /// Reads a discovery document. Types and formats that cannot be read are left out.
    ///
    /// # Errors
    /// Where the bytes are no document.
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let document = Document::read(bytes)?;
        let list = |name: &str| document.get(name).and_then(Value::as_array);
        let mut identities = Vec::new();
        for entry in list("supported_identities").into_iter().flatten() {
            let text = |name: &str| entry.get(name).and_then(Value::as_str);
            let kind = text("identity_type").and_then(IdentityType::read);
            // v3 calls the format an encoding.
            let format = text("identity_format").or_else(|| text("encoding"));
            let format = Format::read(format.unwrap_or("raw"));
            if let (Some(kind), Some(format)) = (kind, format) {
                let supported = SupportedIdentity { kind, format };
                if !identities.contains(&supported) {
                    identities.push(supported);
                }
            }
        }
        let request_types = list("supported_subject_request_types")
            .into_iter()
            .flatten()
            .filter_map(|entry| RequestType::read(entry.as_str()?))
            .collect();
        let version = document.name("api_version").filter(|text| text.len() <= 16);
        let certificate_url = document.text("processor_certificate").map(str::to_owned);
        Ok(Self { api_version: version, identities, request_types, certificate_url })
    }

    /// The document that we publish.
    pub fn write(&self, dialect: Dialect) -> Vec<u8> {
        let identities: Vec<Value> = self
            .identities
            .iter()
            .map(|one| {
                json!({ "identity_type": one.kind.as_str(), "identity_format": one.format.as_str() })
            })
            .collect();
        let types: Vec<&str> = self.request_types.iter().map(|kind| kind.as_str()).collect();
        let version = self.api_version.as_deref().unwrap_or(dialect.api_version());
        json!({
            "api_version": version,
            "supported_identities": identities,
            "supported_subject_request_types": types,
            "processor_certificate": self.certificate_url,
        })
        .to_string()
        .into_bytes()
    }

    /// It takes requests of a type.
    pub fn takes(&self, kind: RequestType) -> bool {
        self.request_types.contains(&kind)
    }

    /// The best format in which it takes a type.
    pub fn format_of(&self, kind: &IdentityType) -> Option<Format> {
        self.identities.iter().filter(|one| one.kind == *kind).map(|one| one.format).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_discovery_is_read_as_far_as_it_can_be() {
        let read = Discovery::read(
            br#"{"api_version":"2.0","unknown":null,
                "supported_identities":[
                  {"identity_type":"email","identity_format":"sha256"},
                  {"identity_type":"email","identity_format":"raw"},
                  {"identity_type":"email","identity_format":"raw"},
                  {"identity_type":"mpid"},
                  {"identity_type":"imei","identity_format":"rot13"},
                  {"identity_type":7}, "email"],
                "supported_subject_request_types":["erasure","dance",3],
                "processor_certificate":"https://opendsr.example.com/cert.pem"}"#,
        )
        .unwrap();
        assert_eq!(read.identities.len(), 3);
        let format = |kind| read.format_of(&IdentityType::read(kind).unwrap());
        assert_eq!(format("email"), Some(Format::Raw));
        assert_eq!(format("mpid"), Some(Format::Raw));
        assert_eq!(format("imei"), None);
        assert!(read.takes(RequestType::Erasure) && !read.takes(RequestType::Access));
        assert_eq!(Discovery::read(&read.write(Dialect::V2)), Ok(read));
        let empty = Discovery::read(b"{}").unwrap();
        assert!(empty.identities.is_empty() && empty.certificate_url.is_none());
        assert_eq!(Discovery::read(b"[]"), Err(Unreadable));
    }
}
