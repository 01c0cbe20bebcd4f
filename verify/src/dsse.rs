//! Dead Simple Signing Envelopes (DSSE v1.0.2): what is signed is the exact payload, never a
//! re-encoding of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::keys::IssuerPublicKey;

/// Payload type of an in-toto statement; the only one that certificates use.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// What is signed: type and payload, each with its length, so that neither can be read otherwise.
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// Name of a key in envelopes and bundles: base64 of the SHA-256 of its `SubjectPublicKeyInfo`.
pub fn key_name(key: &IssuerPublicKey) -> String {
    STANDARD.encode(key.id().0)
}

/// An envelope with exactly one signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The signed bytes.
    pub payload: Vec<u8>,
    /// ECDSA signature over the pre-authentication encoding, DER.
    pub signature: Vec<u8>,
    /// Name of the key, as [`key_name`] gives it.
    pub key_id: String,
}

impl Envelope {
    /// The bytes that the signature speaks for.
    pub fn signed_bytes(&self) -> Vec<u8> {
        pre_authentication_encoding(PAYLOAD_TYPE, &self.payload)
    }

    /// SHA-256 of the signed bytes, as it stands in the log.
    pub fn signed_digest(&self) -> Digest {
        Digest::of(&self.signed_bytes())
    }
}

/// The envelope as it stands in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WireEnvelope {
    /// Base64 of the payload.
    payload: String,
    /// Type of the payload.
    payload_type: String,
    /// Exactly one signature.
    signatures: Vec<WireSignature>,
}

impl WireEnvelope {
    /// Name of the key of its only signature; `None` where there is not exactly one.
    pub fn key_id(&self) -> Option<&str> {
        let [signature] = self.signatures.as_slice() else { return None };
        Some(&signature.keyid)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSignature {
    sig: String,
    #[serde(default)]
    keyid: String,
}

impl From<&Envelope> for WireEnvelope {
    fn from(envelope: &Envelope) -> Self {
        Self {
            payload: STANDARD.encode(&envelope.payload),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: vec![WireSignature {
                sig: STANDARD.encode(&envelope.signature),
                keyid: envelope.key_id.clone(),
            }],
        }
    }
}

impl TryFrom<WireEnvelope> for Envelope {
    type Error = &'static str;

    fn try_from(wire: WireEnvelope) -> Result<Self, Self::Error> {
        if wire.payload_type != PAYLOAD_TYPE {
            return Err("the payload of the envelope is no in-toto statement");
        }
        let [signature]: [WireSignature; 1] = wire
            .signatures
            .try_into()
            .map_err(|_| "the envelope does not hold exactly one signature")?;
        Ok(Self {
            payload: STANDARD.decode(wire.payload).map_err(|_| "the payload is not base64")?,
            signature: STANDARD.decode(signature.sig).map_err(|_| "the signature is not base64")?,
            key_id: signature.keyid,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_keys::IssuerKey;

    #[test]
    fn the_encoding_is_that_of_the_specification() {
        assert_eq!(
            pre_authentication_encoding("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn an_envelope_survives_its_wire_form_and_other_forms_are_refused() {
        let key = IssuerKey::new(1);
        let envelope = key.seal(b"{}");
        assert!(key.public().verifies(&envelope.signed_bytes(), &envelope.signature));
        let wire = WireEnvelope::from(&envelope);
        assert_eq!(Envelope::try_from(wire.clone()), Ok(envelope));
        let mut doubled = wire.clone();
        doubled.signatures.push(doubled.signatures[0].clone());
        assert!(Envelope::try_from(doubled).is_err());
        let mut other = wire;
        other.payload_type = "text/plain".to_owned();
        assert!(Envelope::try_from(other).is_err());
    }
}
