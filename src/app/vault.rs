//! Sealing what identifies people: keys of records in events and holds, and details of evidence.
//!
//! AES-256-GCM (NIST SP 800-38D) with a random nonce for each message and the purpose as
//! associated data; keyed digests are HMAC-SHA-256 (RFC 2104). The two keys are derived from one
//! secret with HKDF-SHA-256 (RFC 5869), which lives in the keys folder and never in the store.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf;
use aws_lc_rs::hmac;
use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroize;

/// Seals and opens; makes keyed digests.
pub struct Vault {
    sealing: LessSafeKey,
    tagging: hmac::Key,
}

/// Why something could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The message was sealed with another secret, for another purpose, or was changed.
    #[error(
        "a sealed message does not open with the vault's secret: was the file in the keys folder replaced?"
    )]
    Opening,
    /// The cryptographic library refused.
    #[error("the cryptographic library refused to seal a message")]
    Sealing,
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn derive(secret: &[u8; 32], purpose: &[u8]) -> Result<[u8; 32], VaultError> {
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"quietus vault 1");
    let mut key = [0; 32];
    salt.extract(secret)
        .expand(&[purpose], Length(32))
        .and_then(|material| material.fill(&mut key))
        .map_err(|_| VaultError::Sealing)?;
    Ok(key)
}

impl Vault {
    /// A vault over this secret.
    ///
    /// # Errors
    /// Where the cryptographic library refuses.
    pub fn new(secret: &[u8; 32]) -> Result<Self, VaultError> {
        let mut sealing = derive(secret, b"seal")?;
        let mut tagging = derive(secret, b"tag")?;
        let key = UnboundKey::new(&AES_256_GCM, &sealing).map_err(|_| VaultError::Sealing)?;
        let vault = Self {
            sealing: LessSafeKey::new(key),
            tagging: hmac::Key::new(hmac::HMAC_SHA256, &tagging),
        };
        sealing.zeroize();
        tagging.zeroize();
        Ok(vault)
    }

    /// Seals `content` for one purpose; `random` must never be used twice.
    ///
    /// # Errors
    /// Where the cryptographic library refuses.
    pub fn seal<T: Serialize>(
        &self,
        purpose: &str,
        content: &T,
        random: [u8; 32],
    ) -> Result<Vec<u8>, VaultError> {
        let mut message = serde_json::to_vec(content).map_err(|_| VaultError::Sealing)?;
        let nonce: [u8; 12] = random[..12].try_into().map_err(|_| VaultError::Sealing)?;
        self.sealing
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(purpose.as_bytes()),
                &mut message,
            )
            .map_err(|_| VaultError::Sealing)?;
        let mut sealed = nonce.to_vec();
        sealed.append(&mut message);
        Ok(sealed)
    }

    /// Opens what was sealed for the same purpose.
    ///
    /// # Errors
    /// Where it was sealed otherwise, or changed since.
    pub fn open<T: DeserializeOwned>(&self, purpose: &str, sealed: &[u8]) -> Result<T, VaultError> {
        let (nonce, message) = sealed.split_at_checked(12).ok_or(VaultError::Opening)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| VaultError::Opening)?;
        let mut message = message.to_vec();
        let opened = self
            .sealing
            .open_in_place(nonce, Aad::from(purpose.as_bytes()), &mut message)
            .map_err(|_| VaultError::Opening)?;
        let content = serde_json::from_slice(opened).map_err(|_| VaultError::Opening);
        message.zeroize();
        content
    }

    /// A keyed digest by which the same value is recognised and from which it cannot be guessed.
    pub fn tag(&self, purpose: &str, value: &str) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.tagging);
        context.update(purpose.as_bytes());
        context.update(&[0]);
        context.update(value.as_bytes());
        context.sign().as_ref().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault() -> Vault {
        Vault::new(&[7; 32]).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_for_its_purpose_only() {
        let sealed = vault().seal("hold", &"invented@example.org", [1; 32]).unwrap();
        let opened: String = vault().open("hold", &sealed).unwrap();
        assert_eq!(opened, "invented@example.org");
        assert!(vault().open::<String>("event", &sealed).is_err());
        assert!(!String::from_utf8_lossy(&sealed).contains("invented"));
    }

    #[test]
    fn a_changed_byte_does_not_open() {
        let sealed = vault().seal("hold", &"x", [1; 32]).unwrap();
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(vault().open::<String>("hold", &changed).is_err(), "byte {place}");
        }
    }

    #[test]
    fn tags_depend_on_secret_purpose_and_value() {
        let tag = vault().tag("event", "4711");
        assert_eq!(tag, vault().tag("event", "4711"));
        assert_ne!(tag, vault().tag("event", "4712"));
        assert_ne!(tag, vault().tag("hold", "4711"));
        assert_ne!(tag, Vault::new(&[8; 32]).unwrap().tag("event", "4711"));
    }
}
