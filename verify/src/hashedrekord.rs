//! The log entry of a certificate: a Rekor v2 `hashedrekord` 0.0.2 in canonical JSON.
//!
//! It carries the digest of what was signed, the signature and the public key, and nothing of the
//! certificate's content. Verification rebuilds it and compares bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::canonical;
use crate::dsse::Envelope;
use crate::keys::IssuerPublicKey;

/// Kind of the entry, as a bundle names it.
pub const KIND: &str = "hashedrekord";

/// Version of the entry, as a bundle names it.
pub const VERSION: &str = "0.0.2";

/// The leaf for this envelope and key.
pub fn leaf(envelope: &Envelope, key: &IssuerPublicKey) -> Vec<u8> {
    let body = json!({
        "apiVersion": VERSION,
        "kind": KIND,
        "spec": {"hashedRekordV002": {
            "data": {
                "algorithm": "SHA2_256",
                "digest": STANDARD.encode(envelope.signed_digest().0),
            },
            "signature": {
                "content": STANDARD.encode(&envelope.signature),
                "verifier": {
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "publicKey": {"rawBytes": STANDARD.encode(key.to_spki())},
                },
            },
        }},
    });
    // Only texts stand in it, so there is nothing that could not be written.
    canonical::to_bytes(&body).unwrap_or_default()
}

/// The public key that a leaf names; `None` where it names none.
pub fn public_key(leaf: &[u8]) -> Option<IssuerPublicKey> {
    let body: Value = serde_json::from_slice(leaf).ok()?;
    let key = body.pointer("/spec/hashedRekordV002/signature/verifier/publicKey/rawBytes")?;
    IssuerPublicKey::from_spki(&STANDARD.decode(key.as_str()?).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_keys::IssuerKey;

    #[test]
    fn the_leaf_names_its_key_and_nothing_of_the_payload() {
        let key = IssuerKey::new(1);
        let envelope = key.seal(b"{\"secret\":1}");
        let leaf = leaf(&envelope, &key.public());
        assert_eq!(public_key(&leaf), Some(key.public()));
        let text = String::from_utf8(leaf).expect("text");
        assert!(
            text.starts_with(r#"{"apiVersion":"0.0.2","kind":"hashedrekord","spec":"#),
            "{text}"
        );
        assert!(text.len() < 512, "{}", text.len());
        assert!(!text.contains("secret"));
    }

    #[test]
    fn a_leaf_without_a_key_names_none() {
        for leaf in ["", "{}", "[]", r#"{"spec":{"hashedRekordV002":3}}"#] {
            assert_eq!(public_key(leaf.as_bytes()), None);
        }
    }
}
