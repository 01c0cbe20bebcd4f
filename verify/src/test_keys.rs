//! Keys for tests: each is made from one number, so that nothing here needs random bytes.

use ed25519_dalek::Signer as _;
use p256::ecdsa::DerSignature;

use crate::dsse::{Envelope, PAYLOAD_TYPE, key_name, pre_authentication_encoding};
use crate::keys::{IssuerPublicKey, LogPublicKey};

/// Signs checkpoints.
pub struct LogKey(ed25519_dalek::SigningKey);

impl LogKey {
    pub fn new(number: u8) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(&[number; 32]))
    }

    pub fn public(&self) -> LogPublicKey {
        LogPublicKey(self.0.verifying_key().to_bytes())
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).to_bytes().to_vec()
    }
}

/// Signs certificates.
pub struct IssuerKey(p256::ecdsa::SigningKey);

impl IssuerKey {
    pub fn new(number: u8) -> Self {
        Self(p256::ecdsa::SigningKey::from_slice(&[number; 32]).expect("a scalar"))
    }

    pub fn public(&self) -> IssuerPublicKey {
        let point = self.0.verifying_key().to_sec1_point(false);
        IssuerPublicKey(point.as_bytes().try_into().expect("65 bytes"))
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature: DerSignature = self.0.sign(message);
        signature.as_bytes().to_vec()
    }

    pub fn seal(&self, payload: &[u8]) -> Envelope {
        Envelope {
            payload: payload.to_vec(),
            signature: self.sign(&pre_authentication_encoding(PAYLOAD_TYPE, payload)),
            key_id: key_name(&self.public()),
        }
    }
}
