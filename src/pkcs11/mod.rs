//! Speaking PKCS#11: signing with keys that a token holds and never gives away, and making them there.
//!
//! The only room that names cryptoki. A token is a device, or a program that stands for one, behind a
//! module: a library of its vendor that is loaded when it is first needed. Each module has one thread
//! that speaks to it, so that whoever waits for a token waits on no other thread's account, and a token
//! that no longer answers is given up after [`LONGEST`]. It reads no secret by itself and writes no log.

mod ecdsa;
mod fault;
mod module;
mod thread;

pub use fault::TokenFault;
pub use thread::LONGEST;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;

use crate::domain::Digest;

/// Gives the PIN when a token asks for it; where it cannot be had, why.
pub type AskPin = Arc<dyn Fn() -> Result<SecretString, String> + Send + Sync>;

/// Where a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPlace {
    /// The module: a library of the token's vendor.
    pub module: PathBuf,
    /// Which token.
    pub token: TokenName,
    /// Which key in it.
    pub key: KeyName,
}

/// What a token is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenName {
    /// What whoever set it up called it.
    Label(String),
    /// The number that its maker gave it.
    Serial(String),
}

/// What a key is known by, within its token: by its label, its identifier, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName {
    /// Its label (`CKA_LABEL`).
    pub label: Option<String>,
    /// Its identifier (`CKA_ID`).
    pub id: Option<Vec<u8>>,
}

impl fmt::Display for TokenName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(label) => write!(formatter, "`{label}`"),
            Self::Serial(serial) => write!(formatter, "of serial number `{serial}`"),
        }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.label, &self.id) {
            (Some(label), None) => write!(formatter, "`{label}`"),
            (Some(label), Some(id)) => {
                write!(formatter, "`{label}` of id `{}`", hex::encode(id))
            }
            (None, id) => {
                write!(formatter, "of id `{}`", hex::encode(id.as_deref().unwrap_or_default()))
            }
        }
    }
}

impl fmt::Display for KeyPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "key {} in the PKCS#11 token {}", self.key, self.token)
    }
}

/// The public half of a P-256 key in a token: the uncompressed point, 65 bytes. Nobody has to log in
/// for it where the token shows public keys to everybody, as nearly all do; otherwise `pin` is asked.
///
/// # Errors
/// Where the module, the token or the key is not there, or is no P-256 key.
pub fn public_point(place: &KeyPlace, pin: &AskPin) -> Result<[u8; 65], TokenFault> {
    let (place, pin) = (place.clone(), Arc::clone(pin));
    thread::ask(&place.module.clone(), move |module| {
        module.again_where_it_fails(|module| module.public_point(&place, &pin))
    })
}

/// Signs a digest (ECDSA over P-256, DER; another value each time). Signatures of one token share a
/// session, which is opened anew where it was lost.
///
/// # Errors
/// Where the token does not sign; the next call tries again, but never with a PIN that was refused.
pub fn sign(place: &KeyPlace, pin: &AskPin, digest: Digest) -> Result<Vec<u8>, TokenFault> {
    let (place, pin) = (place.clone(), Arc::clone(pin));
    let raw = thread::ask(&place.module.clone(), move |module| {
        module.again_where_it_fails(|module| module.sign(&place, &pin, digest))
    })?;
    ecdsa::to_der(&raw).ok_or(TokenFault::Refused("it gave no signature of ECDSA P-256".to_owned()))
}

/// Makes a new P-256 key in a token, which never leaves it; its public half.
///
/// # Errors
/// Where there is a key of this name already, or the token makes none.
pub fn generate(place: &KeyPlace, pin: &AskPin) -> Result<[u8; 65], TokenFault> {
    let (place, pin) = (place.clone(), Arc::clone(pin));
    thread::ask(&place.module.clone(), move |module| module.generate(&place, &pin))
}
