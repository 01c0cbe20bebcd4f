//! Signing keys: Ed25519 signs the log's checkpoints, ECDSA P-256 signs certificates.
//!
//! Private keys leave this module only as PKCS#8 version 1 inside a secret: OpenSSL 3.0 refuses
//! version 2 for Ed25519. Keys are never printed. Public keys, which check what these sign by another
//! implementation, are the verifier's.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use quietus_verify::keys::{IssuerPublicKey, LogPublicKey};
use secrecy::{ExposeSecret as _, SecretString};

use super::pem;

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is no key of this kind.
    #[error("this is no {0}; give a PEM file as `openssl genpkey` or `quietus` writes it")]
    Unreadable(&'static str),
    /// The cryptographic library refused.
    #[error("the cryptographic library could not {0}; try again")]
    Refused(&'static str),
    /// The private key is not here.
    #[error("the private key is held by a signer and cannot be written")]
    Elsewhere,
    /// The signer gave no signature.
    #[error("the signer gave no signature; see the log, and `signers` in `quietus.yaml`")]
    NoSignature,
    /// The signer gave a signature that does not verify with its public key.
    #[error(
        "the signer's signature does not verify with its public key; see `public_key` and `input` of `signers` in `quietus.yaml`"
    )]
    WrongSignature,
}

/// Key of a log: signs checkpoints.
pub struct LogKey {
    pair: Ed25519KeyPair,
}

impl LogKey {
    /// A new key from the cryptographic library's own random source.
    ///
    /// # Errors
    /// Where that source fails.
    pub fn generate() -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::Refused("make a key"))?;
        Ok(Self { pair })
    }

    /// Reads PKCS#8 PEM, version 1 (as OpenSSL writes it) or 2.
    ///
    /// # Errors
    /// Where the text is no Ed25519 private key.
    pub fn from_pem(text: &SecretString) -> Result<Self, KeyError> {
        let unreadable = KeyError::Unreadable("Ed25519 private key");
        let der = pem::decode("PRIVATE KEY", text.expose_secret()).ok_or(unreadable.clone())?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| unreadable)?;
        Ok(Self { pair })
    }

    /// The private key as PKCS#8 version 1 in PEM.
    ///
    /// # Errors
    /// Where the cryptographic library refuses.
    pub fn to_pem(&self) -> Result<SecretString, KeyError> {
        let der = self.pair.to_pkcs8v1().map_err(|_| KeyError::Refused("export the key"))?;
        Ok(pem::encode("PRIVATE KEY", der.as_ref()).into())
    }

    /// The public half.
    pub fn public(&self) -> LogPublicKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.pair.public_key().as_ref());
        LogPublicKey(bytes)
    }

    /// Signs (Ed25519, 64 bytes, deterministic).
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl fmt::Debug for LogKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LogKey(private)")
    }
}

/// Key of the issuer: signs certificates.
pub struct IssuerKey {
    held: Held,
}

/// Signs a message with a key that is held elsewhere: DER, or nothing where it failed.
pub type SignElsewhere = Arc<dyn Fn(&[u8]) -> Result<Vec<u8>, ()> + Send + Sync>;

enum Held {
    Here(EcdsaKeyPair),
    Elsewhere { public: IssuerPublicKey, sign: SignElsewhere },
}

impl IssuerKey {
    /// A new key from the cryptographic library's own random source.
    ///
    /// # Errors
    /// Where that source fails.
    pub fn generate() -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)
            .map_err(|_| KeyError::Refused("make a key"))?;
        Ok(Self { held: Held::Here(pair) })
    }

    /// Reads PKCS#8 PEM.
    ///
    /// # Errors
    /// Where the text is no P-256 private key.
    pub fn from_pem(text: &SecretString) -> Result<Self, KeyError> {
        let unreadable = KeyError::Unreadable("P-256 private key");
        let der = pem::decode("PRIVATE KEY", text.expose_secret()).ok_or(unreadable.clone())?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der)
            .map_err(|_| unreadable)?;
        Ok(Self { held: Held::Here(pair) })
    }

    /// A key that is held elsewhere, such as in a KMS. What it gives is believed only if it verifies
    /// with `public`.
    pub fn elsewhere(public: IssuerPublicKey, sign: SignElsewhere) -> Self {
        Self { held: Held::Elsewhere { public, sign } }
    }

    /// The private key as PKCS#8 version 1 in PEM.
    ///
    /// # Errors
    /// Where it is held elsewhere, or the cryptographic library refuses.
    pub fn to_pem(&self) -> Result<SecretString, KeyError> {
        let Held::Here(pair) = &self.held else { return Err(KeyError::Elsewhere) };
        let der = pair.to_pkcs8v1().map_err(|_| KeyError::Refused("export the key"))?;
        Ok(pem::encode("PRIVATE KEY", der.as_ref()).into())
    }

    /// The public half.
    pub fn public(&self) -> IssuerPublicKey {
        match &self.held {
            Held::Elsewhere { public, .. } => *public,
            Held::Here(pair) => {
                let mut point = [0; 65];
                point.copy_from_slice(pair.public_key().as_ref());
                IssuerPublicKey(point)
            }
        }
    }

    /// Signs (ECDSA over SHA-256, DER; another value each time).
    ///
    /// # Errors
    /// Where the cryptographic library refuses, or a key that is held elsewhere gives nothing or
    /// something that does not verify.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match &self.held {
            Held::Here(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message);
                let signature = signature.map_err(|_| KeyError::Refused("sign"))?;
                Ok(signature.as_ref().to_vec())
            }
            Held::Elsewhere { public, sign } => {
                let signature = sign(message).map_err(|()| KeyError::NoSignature)?;
                let holds = public.verifies(message, &signature);
                holds.then_some(signature).ok_or(KeyError::WrongSignature)
            }
        }
    }
}

impl fmt::Debug for IssuerKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("IssuerKey(private)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_their_pem_and_are_never_printed() {
        let log = LogKey::generate().expect("a key");
        let same = LogKey::from_pem(&log.to_pem().expect("pem")).expect("read back");
        assert_eq!(same.public(), log.public());
        assert_eq!(same.sign(b"x"), log.sign(b"x"));
        assert_eq!(format!("{log:?}"), "LogKey(private)");
        let issuer = IssuerKey::generate().expect("a key");
        let same = IssuerKey::from_pem(&issuer.to_pem().expect("pem")).expect("read back");
        assert_eq!(same.public(), issuer.public());
        assert_eq!(format!("{issuer:?}"), "IssuerKey(private)");
        let public = issuer.public();
        assert_eq!(IssuerPublicKey::from_pem(&public.to_pem()), Some(public));
        assert_eq!(LogPublicKey::from_spki(&log.public().to_spki()), Some(log.public()));
    }

    #[test]
    fn a_log_key_is_version_1_of_pkcs8() {
        let text = LogKey::generate().expect("a key").to_pem().expect("pem");
        let der = pem::decode("PRIVATE KEY", text.expose_secret()).expect("pem");
        assert_eq!(der.len(), 48, "version 2 carries the public key and is longer");
        assert_eq!(&der[..5], &[0x30, 0x2e, 0x02, 0x01, 0x00]);
    }

    #[test]
    fn a_signature_is_refused_by_another_key_and_over_another_message() {
        let (one, two) = (IssuerKey::generate().expect("key"), IssuerKey::generate().expect("key"));
        let signature = one.sign(b"message").expect("signed");
        assert!(one.public().verifies(b"message", &signature));
        assert!(!one.public().verifies(b"massage", &signature));
        assert!(!two.public().verifies(b"message", &signature));
        assert!(!one.public().verifies(b"message", &signature[1..]));
    }
}
