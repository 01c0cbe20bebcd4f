//! Public keys: Ed25519 of the log, ECDSA P-256 of issuers; they travel as SPKI (DER or PEM).
//!
//! Signatures are checked with `ed25519-dalek` and `p256`, pure Rust, while the product signs with
//! `aws-lc-rs`: a mistake of one implementation is seen by the other.

use ed25519_dalek::{Signature as Ed25519Signature, VerifyingKey as Ed25519Key};
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{DerSignature, VerifyingKey as P256Key};

use crate::digest::Digest;
use crate::pem;

const ED25519_SPKI: &[u8] =
    &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const P256_SPKI: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Public key of a log: 32 bytes of Ed25519.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPublicKey(pub [u8; 32]);

impl LogPublicKey {
    /// `SubjectPublicKeyInfo`, DER.
    pub fn to_spki(self) -> Vec<u8> {
        [ED25519_SPKI, &self.0].concat()
    }

    /// Reads `SubjectPublicKeyInfo`; only the one encoding that [`LogPublicKey::to_spki`] writes.
    pub fn from_spki(der: &[u8]) -> Option<Self> {
        Some(Self(der.strip_prefix(ED25519_SPKI)?.try_into().ok()?))
    }

    /// `SubjectPublicKeyInfo`, PEM.
    pub fn to_pem(self) -> String {
        pem::encode("PUBLIC KEY", &self.to_spki())
    }

    /// Whether the signature is by this key over this message.
    pub fn verifies(self, message: &[u8], signature: &[u8]) -> bool {
        let Ok(key) = Ed25519Key::from_bytes(&self.0) else { return false };
        let Ok(signature) = Ed25519Signature::from_slice(signature) else { return false };
        key.verify_strict(message, &signature).is_ok()
    }
}

/// Public key of an issuer: an uncompressed point of P-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IssuerPublicKey(pub [u8; 65]);

impl IssuerPublicKey {
    /// `SubjectPublicKeyInfo`, DER.
    pub fn to_spki(&self) -> Vec<u8> {
        [P256_SPKI, &self.0].concat()
    }

    /// Reads `SubjectPublicKeyInfo`; only the one encoding that [`IssuerPublicKey::to_spki`] writes.
    pub fn from_spki(der: &[u8]) -> Option<Self> {
        let point: [u8; 65] = der.strip_prefix(P256_SPKI)?.try_into().ok()?;
        (point[0] == 4).then_some(Self(point))
    }

    /// `SubjectPublicKeyInfo`, PEM.
    pub fn to_pem(&self) -> String {
        pem::encode("PUBLIC KEY", &self.to_spki())
    }

    /// Reads PEM.
    pub fn from_pem(text: &str) -> Option<Self> {
        Self::from_spki(&pem::decode("PUBLIC KEY", text)?)
    }

    /// Reads one key or several, PEM, one after another: an issuer has another key after some years,
    /// and what the earlier ones have signed stands.
    pub fn all_from_pem(text: &str) -> Option<Vec<Self>> {
        pem::decode_all("PUBLIC KEY", text)?.iter().map(|der| Self::from_spki(der)).collect()
    }

    /// Name of the key: SHA-256 of its `SubjectPublicKeyInfo`.
    pub fn id(&self) -> Digest {
        Digest::of(&self.to_spki())
    }

    /// Whether the DER signature is by this key over this message.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let Ok(key) = P256Key::from_sec1_bytes(&self.0) else { return false };
        let Ok(signature) = DerSignature::from_bytes(signature) else { return false };
        key.verify(message, &signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_keys::{IssuerKey, LogKey};

    #[test]
    fn several_keys_are_read_from_one_text() {
        let (one, two) = (IssuerKey::new(1).public(), IssuerKey::new(2).public());
        let text = format!("# in use\n{}\n# retired\n{}", one.to_pem(), two.to_pem());
        assert_eq!(IssuerPublicKey::all_from_pem(&text), Some(vec![one, two]));
        assert_eq!(IssuerPublicKey::all_from_pem(&one.to_pem()), Some(vec![one]));
        let broken = two.to_pem().replace("END PUBLIC", "END PRIVATE");
        let log = LogKey::new(1).public().to_spki();
        let other = crate::pem::encode("PUBLIC KEY", &log);
        for wrong in [String::new(), "a key".to_owned(), broken, other] {
            assert_eq!(IssuerPublicKey::all_from_pem(&wrong), None, "{wrong}");
            let after = format!("{}{wrong}", one.to_pem());
            let with_nothing = !wrong.contains("BEGIN");
            assert_eq!(IssuerPublicKey::all_from_pem(&after).is_some(), with_nothing, "{after}");
        }
    }

    #[test]
    fn public_keys_survive_their_encodings() {
        let (log, issuer) = (LogKey::new(1).public(), IssuerKey::new(1).public());
        assert_eq!(LogPublicKey::from_spki(&log.to_spki()), Some(log));
        assert_eq!(IssuerPublicKey::from_pem(&issuer.to_pem()), Some(issuer));
        assert_eq!(LogPublicKey::from_spki(&issuer.to_spki()), None);
        assert_eq!(IssuerPublicKey::from_spki(&log.to_spki()), None);
    }

    #[test]
    fn a_signature_is_refused_by_another_key_and_over_another_message() {
        let (one, two) = (IssuerKey::new(1), IssuerKey::new(2));
        let signature = one.sign(b"message");
        assert!(one.public().verifies(b"message", &signature));
        assert!(!one.public().verifies(b"massage", &signature));
        assert!(!two.public().verifies(b"message", &signature));
        assert!(!one.public().verifies(b"message", &signature[1..]));
        let (one, two) = (LogKey::new(1), LogKey::new(2));
        let signature = one.sign(b"message");
        assert!(one.public().verifies(b"message", &signature));
        assert!(!one.public().verifies(b"massage", &signature));
        assert!(!two.public().verifies(b"message", &signature));
        assert!(!one.public().verifies(b"message", &signature[1..]));
    }

    #[test]
    fn what_is_no_point_verifies_nothing() {
        let signature = IssuerKey::new(1).sign(b"message");
        let mut point = IssuerKey::new(1).public().0;
        point[64] ^= 1;
        assert!(!IssuerPublicKey(point).verifies(b"message", &signature));
        // The neutral element verifies everything in implementations that are not strict.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut anything = [0; 64];
        anything[0] = 1;
        assert!(!LogPublicKey(neutral).verifies(b"message", &anything));
    }
}
