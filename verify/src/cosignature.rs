//! Cosignatures (C2SP tlog-cosignature v1.1): what others sign under a checkpoint.
//!
//! A cosigner says that this is the largest tree that it has seen of a log, as of a moment, and that
//! every tree it has signed before is a part of it. Ed25519 (type 0x04) signs the text of the
//! checkpoint; ML-DSA-44 (type 0x06), which a quantum computer does not break, signs its parts and
//! the cosigner's name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ml_dsa::{EncodedSignature, EncodedVerifyingKey, MlDsa44, Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::keys::LogPublicKey;
use crate::note::{Checkpoint, Note, NoteSignature};

/// Bytes of a public key of ML-DSA-44 (FIPS 204).
pub const ML_DSA_44_KEY_BYTES: usize = 1312;

/// Bytes of a signature of ML-DSA-44 (FIPS 204).
pub const ML_DSA_44_SIGNATURE_BYTES: usize = 2420;

/// Longest name of a cosigner, in bytes: one byte says how long it is.
const NAME_BYTES: usize = 255;

/// Why a key or a cosignature was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CosignatureError {
    /// The text is no verifier key.
    #[error("this is no verifier key: write `name+id+key` as its owner has printed it")]
    Key,
    /// The key is of another kind.
    #[error("this verifier key is not one of a {0}")]
    OtherKind(&'static str),
    /// The identifier is that of another name or key.
    #[error("the identifier in this verifier key does not belong to its name and key")]
    Identifier,
    /// The signature is wrong.
    #[error("the cosignature does not hold")]
    Signature,
}

/// A verifier key, taken apart: name, type and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    /// Name of the signer.
    pub name: String,
    /// Type of its signatures.
    pub kind: u8,
    /// The key.
    pub key: Vec<u8>,
}

/// Type of the signatures of a log.
pub const LOG_TYPE: u8 = 0x01;

impl VerifierKey {
    /// Reads `name+id+key` (C2SP signed-note).
    ///
    /// # Errors
    /// Where it is none, or its identifier is another.
    pub fn parse(text: &str) -> Result<Self, CosignatureError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(encoded)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(CosignatureError::Key);
        };
        let bytes = STANDARD.decode(encoded).map_err(|_| CosignatureError::Key)?;
        let Some((kind, key)) = bytes.split_first() else { return Err(CosignatureError::Key) };
        let named = !name.is_empty()
            && name.len() <= NAME_BYTES
            && !name.contains(|one: char| one.is_whitespace() || one.is_control());
        if !named || key.is_empty() {
            return Err(CosignatureError::Key);
        }
        let read = Self { name: name.to_owned(), kind: *kind, key: key.to_vec() };
        if hex::encode(read.id()) == id { Ok(read) } else { Err(CosignatureError::Identifier) }
    }

    /// The first four bytes of SHA-256 over name, line feed, type and key.
    pub fn id(&self) -> [u8; 4] {
        let mut hasher = Sha256::new();
        hasher.update(self.name.as_bytes());
        hasher.update([b'\n', self.kind]);
        hasher.update(&self.key);
        let [one, two, three, four, ..]: [u8; 32] = hasher.finalize().into();
        [one, two, three, four]
    }
}

impl std::fmt::Display for VerifierKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = [&[self.kind], self.key.as_slice()].concat();
        write!(formatter, "{}+{}+{}", self.name, hex::encode(self.id()), STANDARD.encode(key))
    }
}

/// How a cosigner signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CosignatureKind {
    /// Ed25519 over the text.
    Ed25519,
    /// ML-DSA-44 over the parts.
    MlDsa44,
}

impl CosignatureKind {
    /// Its type in a note.
    pub fn code(self) -> u8 {
        match self {
            Self::Ed25519 => 0x04,
            Self::MlDsa44 => 0x06,
        }
    }

    /// What people call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "Ed25519",
            Self::MlDsa44 => "ML-DSA-44",
        }
    }
}

/// Somebody who signs checkpoints of logs: name, kind and public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigner {
    name: String,
    kind: CosignatureKind,
    key: Vec<u8>,
}

impl Cosigner {
    /// A cosigner; `None` where the name or the length of the key is wrong.
    pub fn new(name: &str, kind: CosignatureKind, key: &[u8]) -> Option<Self> {
        let length = match kind {
            CosignatureKind::Ed25519 => 32,
            CosignatureKind::MlDsa44 => ML_DSA_44_KEY_BYTES,
        };
        let named = !name.is_empty()
            && name.len() <= NAME_BYTES
            && !name.contains(|one: char| one.is_whitespace() || one.is_control() || one == '+');
        (named && key.len() == length).then(|| Self {
            name: name.to_owned(),
            kind,
            key: key.to_vec(),
        })
    }

    /// Reads a verifier key.
    ///
    /// # Errors
    /// Where it is none of a cosigner.
    pub fn parse(text: &str) -> Result<Self, CosignatureError> {
        let key = VerifierKey::parse(text)?;
        let kind = match key.kind {
            0x04 => CosignatureKind::Ed25519,
            0x06 => CosignatureKind::MlDsa44,
            _ => return Err(CosignatureError::OtherKind("witness")),
        };
        Self::new(&key.name, kind, &key.key).ok_or(CosignatureError::Key)
    }

    /// The verifier key that C2SP tools read.
    pub fn verifier_key(&self) -> VerifierKey {
        VerifierKey { name: self.name.clone(), kind: self.kind.code(), key: self.key.clone() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it signs.
    pub fn kind(&self) -> CosignatureKind {
        self.kind
    }

    /// Its key.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Whether a signature line names this key.
    pub fn is_named_by(&self, line: &NoteSignature) -> bool {
        line.name == self.name && line.key_id == self.verifier_key().id()
    }

    /// The moment of this cosigner's newest signature under a note; `None` where it did not sign.
    ///
    /// # Errors
    /// Where a signature under its name and identifier is wrong.
    pub fn verify(&self, note: &Note) -> Result<Option<Timestamp>, CosignatureError> {
        let mut newest = None;
        for line in note.signatures.iter().filter(|line| self.is_named_by(line)) {
            newest = newest.max(Some(self.verify_line(&note.text, line)?));
        }
        Ok(newest)
    }

    /// The moment at which this cosigner signed this text.
    ///
    /// # Errors
    /// Where the signature is wrong.
    pub fn verify_line(
        &self,
        text: &str,
        line: &NoteSignature,
    ) -> Result<Timestamp, CosignatureError> {
        let wrong = CosignatureError::Signature;
        let (seconds, signature) = line.signature.split_first_chunk::<8>().ok_or(wrong)?;
        let seconds = i64::try_from(u64::from_be_bytes(*seconds)).map_err(|_| wrong)?;
        let moment = Timestamp::from_second(seconds).map_err(|_| wrong)?;
        let message = message(text, &self.name, self.kind, moment).ok_or(wrong)?;
        let holds = match self.kind {
            CosignatureKind::Ed25519 => <[u8; 32]>::try_from(self.key.as_slice())
                .is_ok_and(|key| LogPublicKey(key).verifies(&message, signature)),
            CosignatureKind::MlDsa44 => ml_dsa_44_verifies(&self.key, &message, signature),
        };
        if holds { Ok(moment) } else { Err(wrong) }
    }
}

/// Whether the signature is by this key of ML-DSA-44 over this message (FIPS 204, empty context).
fn ml_dsa_44_verifies(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = EncodedVerifyingKey::<MlDsa44>::try_from(key) else { return false };
    let Ok(signature) = EncodedSignature::<MlDsa44>::try_from(signature) else { return false };
    let Some(signature) = Signature::<MlDsa44>::decode(&signature) else { return false };
    VerifyingKey::<MlDsa44>::decode(&key).verify_with_context(message, &[], &signature)
}

/// What a cosigner signs; `None` where the text is no checkpoint, or the moment lies before 1970.
pub fn message(
    text: &str,
    name: &str,
    kind: CosignatureKind,
    moment: Timestamp,
) -> Option<Vec<u8>> {
    let seconds = u64::try_from(moment.as_second()).ok()?;
    let head = Checkpoint::parse(text).ok()?;
    match kind {
        CosignatureKind::Ed25519 => {
            Some(format!("cosignature/v1\ntime {seconds}\n{text}").into_bytes())
        }
        CosignatureKind::MlDsa44 => {
            let mut message = b"subtree/v1\n\0".to_vec();
            message.push(u8::try_from(name.len()).ok()?);
            message.extend_from_slice(name.as_bytes());
            message.extend_from_slice(&seconds.to_be_bytes());
            message.push(u8::try_from(head.origin.len()).ok()?);
            message.extend_from_slice(head.origin.as_bytes());
            message.extend_from_slice(&0_u64.to_be_bytes());
            message.extend_from_slice(&head.size.to_be_bytes());
            message.extend_from_slice(&head.root.0);
            Some(message)
        }
    }
}

/// The line of a cosignature, with its line feed.
pub fn line(cosigner: &Cosigner, moment: Timestamp, signature: &[u8]) -> String {
    let seconds = u64::try_from(moment.as_second()).unwrap_or(0);
    let bytes =
        [cosigner.verifier_key().id().as_slice(), &seconds.to_be_bytes(), signature].concat();
    format!("\u{2014} {} {}\n", cosigner.name, STANDARD.encode(bytes))
}
