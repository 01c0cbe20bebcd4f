//! Signatures that time-stamp authorities and their issuers make: RSA (PKCS #1 v1.5) and ECDSA.
//!
//! Nothing over SHA-1 and no RSA key below 2048 bits is accepted.

use jiff::Timestamp;
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use rsa::pkcs1::DecodeRsaPublicKey as _;
use rsa::traits::PublicKeyParts as _;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::der::{Element, OID, SEQUENCE, element};

/// How bytes are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// Reads an `AlgorithmIdentifier`.
    pub(super) fn read(algorithm: Element<'_>) -> Option<Self> {
        let parts = algorithm.is(SEQUENCE)?.inside()?;
        match parts.first()?.is(OID)?.value {
            [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01] => Some(Self::Sha256),
            [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02] => Some(Self::Sha384),
            [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03] => Some(Self::Sha512),
            _ => None,
        }
    }

    /// The digest of these bytes.
    pub(super) fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }
}

/// How a signature is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// RSA, PKCS #1 v1.5.
    Rsa(Hash),
    /// ECDSA.
    Ecdsa(Hash),
}

impl Algorithm {
    /// Reads an `AlgorithmIdentifier`. Where it names RSA alone, as CMS allows, the hash is the one
    /// that is named beside it.
    pub(super) fn read(algorithm: Element<'_>, beside: Option<Hash>) -> Option<Self> {
        let parts = algorithm.is(SEQUENCE)?.inside()?;
        match parts.first()?.is(OID)?.value {
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, last] => Some(Self::Rsa(match last {
                0x01 => beside?,
                0x0b => Hash::Sha256,
                0x0c => Hash::Sha384,
                0x0d => Hash::Sha512,
                _ => return None,
            })),
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, last] => Some(Self::Ecdsa(match last {
                0x02 => Hash::Sha256,
                0x03 => Hash::Sha384,
                0x04 => Hash::Sha512,
                _ => return None,
            })),
            _ => None,
        }
    }
}

/// `rsaEncryption`, 1.2.840.113549.1.1.1.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// `id-ecPublicKey`, 1.2.840.10045.2.1.
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// P-256, 1.2.840.10045.3.1.7.
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// P-384, 1.3.132.0.34.
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];

enum Key<'a> {
    Rsa(Box<rsa::PublicKey>),
    P256(&'a [u8]),
    P384(&'a [u8]),
}

fn key(info: &[u8]) -> Option<Key<'_>> {
    let parts = element(info)?.is(SEQUENCE)?.inside()?;
    let [algorithm, bits] = parts.as_slice() else { return None };
    let names = algorithm.is(SEQUENCE)?.inside()?;
    let bits = bits.bits()?;
    match names.first()?.is(OID)?.value {
        RSA => rsa::PublicKey::from_pkcs1_der(bits).ok().map(|key| Key::Rsa(Box::new(key))),
        EC => match names.get(1)?.is(OID)?.value {
            P256 => Some(Key::P256(bits)),
            P384 => Some(Key::P384(bits)),
            _ => None,
        },
        _ => None,
    }
}

/// Whether this signature over this message is by the key of this `SubjectPublicKeyInfo`.
pub(super) fn verifies(
    algorithm: Algorithm,
    key_info: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    let verified = || match (algorithm, key(key_info)?) {
        (Algorithm::Rsa(hash), Key::Rsa(key)) => {
            if key.n().bit_width() < 2048 {
                return None;
            }
            let hashed = hash.of(message);
            let scheme = match hash {
                Hash::Sha256 => rsa::Pkcs1v15Sign::new::<Sha256>(),
                Hash::Sha384 => rsa::Pkcs1v15Sign::new::<Sha384>(),
                Hash::Sha512 => rsa::Pkcs1v15Sign::new::<Sha512>(),
            };
            key.verify(scheme, &hashed, signature).ok()
        }
        (Algorithm::Ecdsa(hash), Key::P256(point)) => {
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?;
            let signature = p256::ecdsa::DerSignature::from_bytes(signature).ok()?;
            key.verify_prehash(&hash.of(message), &signature).ok()
        }
        (Algorithm::Ecdsa(hash), Key::P384(point)) => {
            let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?;
            let signature = p384::ecdsa::DerSignature::from_bytes(signature).ok()?;
            key.verify_prehash(&hash.of(message), &signature).ok()
        }
        (Algorithm::Rsa(_) | Algorithm::Ecdsa(_), _) => None,
    };
    verified().is_some()
}

/// The end of the day until which a key of this kind is thought to be sound: RSA below 3072 bits
/// until 2030, every other that a quantum computer would break until 2035 (NIST IR 8547, draft).
pub(super) fn sound_until(key_info: &[u8]) -> Option<Timestamp> {
    let last = match key(key_info)? {
        Key::Rsa(key) if key.n().bit_width() < 3072 => "2030-12-31T23:59:59Z",
        Key::Rsa(_) | Key::P256(_) | Key::P384(_) => "2035-12-31T23:59:59Z",
    };
    last.parse().ok()
}
