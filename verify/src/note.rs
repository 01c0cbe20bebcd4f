//! Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint v1.0): the signed head of the log.
//!
//! A checkpoint is text: origin, size, root, an empty line, signature lines. Only the text above
//! the empty line is signed. Signatures of unknown keys are ignored; a bad signature under a known
//! key's name and identifier refuses the whole note.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;
use crate::keys::LogPublicKey;

/// Signature type of plain Ed25519 in a signed note.
const ED25519_TYPE: u8 = 0x01;

/// Longest note that is read, in bytes.
const NOTE_BYTES: usize = 64 * 1024;

/// Most signature lines that are read.
const SIGNATURES: usize = 100;

/// Why a note or checkpoint was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The name may not stand in a note.
    #[error("`{0}` is no name of a log: write a host and path without scheme, spaces or `+`")]
    Name(String),
    /// The text is no signed note.
    #[error("this is no signed note: {0}")]
    Malformed(&'static str),
    /// Nobody who is known signed it.
    #[error("no signature of the expected key `{0}` stands under the checkpoint")]
    NotSigned(String),
    /// Somebody who is known did not sign this text.
    #[error("the signature of `{0}` under the checkpoint is wrong")]
    BadSignature(String),
}

/// Name and public key of a log, as a verifier knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogIdentity {
    origin: String,
    key: LogPublicKey,
}

impl LogIdentity {
    /// A log under its origin: a scheme-less URL such as `erasure.example.com/evidence/2026`.
    ///
    /// # Errors
    /// Where the origin holds anything but ASCII letters, digits, `.`, `-`, `_` and `/`: stock
    /// verifiers read it as a regular expression and as a host name.
    pub fn new(origin: &str, key: LogPublicKey) -> Result<Self, NoteError> {
        let fits = |one: char| one.is_ascii_alphanumeric() || matches!(one, '.' | '-' | '_' | '/');
        let alphanumeric_ends = |one: char| one.is_ascii_alphanumeric();
        if origin.is_empty()
            || origin.len() > 200
            || !origin.chars().all(fits)
            || !origin.starts_with(alphanumeric_ends)
            || !origin.ends_with(alphanumeric_ends)
        {
            return Err(NoteError::Name(origin.to_owned()));
        }
        Ok(Self { origin: origin.to_owned(), key })
    }

    /// The origin line.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The key.
    pub fn key(&self) -> LogPublicKey {
        self.key
    }

    /// SHA-256 over name, line feed, type and key; its first four bytes stand in signatures.
    pub fn full_id(&self) -> Digest {
        let mut hasher = Sha256::new();
        hasher.update(self.origin.as_bytes());
        hasher.update([b'\n', ED25519_TYPE]);
        hasher.update(self.key.0);
        Digest(hasher.finalize().into())
    }

    /// The first four bytes of [`LogIdentity::full_id`].
    pub fn key_id(&self) -> [u8; 4] {
        let [one, two, three, four, ..] = self.full_id().0;
        [one, two, three, four]
    }

    /// The verifier key line that C2SP tools read: `origin+id+key`.
    pub fn verifier_key(&self) -> String {
        let key = [&[ED25519_TYPE], self.key.0.as_slice()].concat();
        format!("{}+{}+{}", self.origin, hex::encode(self.key_id()), STANDARD.encode(key))
    }
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the key.
    pub name: String,
    /// Its short identifier.
    pub key_id: [u8; 4],
    /// The signature itself.
    pub signature: Vec<u8>,
}

/// A signed note, taken apart but not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The signed text, with its last line feed.
    pub text: String,
    /// At least one signature.
    pub signatures: Vec<NoteSignature>,
}

impl Note {
    /// Takes a note apart.
    ///
    /// # Errors
    /// Where it is no signed note.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES {
            return Err(NoteError::Malformed("it is too long"));
        }
        if note.chars().any(|one| one.is_control() && one != '\n') {
            return Err(NoteError::Malformed("it holds control characters"));
        }
        let split = note.rfind("\n\n").ok_or(NoteError::Malformed("no empty line"))?;
        let (text, lines) = (&note[..=split], &note[split + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Malformed("its end is cut off"))?;
        let signatures = lines
            .split('\n')
            .take(SIGNATURES + 1)
            .map(signature_line)
            .collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > SIGNATURES {
            return Err(NoteError::Malformed("too many signatures"));
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// Checks that this log signed the text, and that nothing bad stands under its name.
    ///
    /// # Errors
    /// Where its signature is missing or wrong.
    pub fn verify(&self, log: &LogIdentity) -> Result<(), NoteError> {
        let mut signed = false;
        for line in &self.signatures {
            if line.name == log.origin && line.key_id == log.key_id() {
                if !log.key.verifies(self.text.as_bytes(), &line.signature) {
                    return Err(NoteError::BadSignature(log.origin.clone()));
                }
                signed = true;
            }
        }
        if signed { Ok(()) } else { Err(NoteError::NotSigned(log.origin.clone())) }
    }
}

fn signature_line(line: &str) -> Result<NoteSignature, NoteError> {
    let malformed = NoteError::Malformed("a signature line cannot be read");
    let (name, encoded) = line
        .strip_prefix("\u{2014} ")
        .and_then(|rest| rest.split_once(' '))
        .ok_or(malformed.clone())?;
    let bytes = STANDARD.decode(encoded).map_err(|_| malformed.clone())?;
    let (key_id, signature) = bytes.split_first_chunk::<4>().ok_or(malformed.clone())?;
    if name.is_empty() || name.contains('+') || signature.is_empty() {
        return Err(malformed);
    }
    Ok(NoteSignature { name: name.to_owned(), key_id: *key_id, signature: signature.to_vec() })
}

/// The head of a log: how many leaves it has and what they hash to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// Root of the tree.
    pub root: Digest,
}

impl Checkpoint {
    /// The text that is signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.0))
    }

    /// Reads the text of a checkpoint; extension lines after the root are allowed and ignored.
    ///
    /// # Errors
    /// Where it is no checkpoint.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut lines = text.split_terminator('\n');
        let mut line = || lines.next().filter(|line| !line.is_empty());
        let (Some(origin), Some(size), Some(root)) = (line(), line(), line()) else {
            return Err(NoteError::Malformed("a checkpoint has three lines"));
        };
        let number: u64 =
            size.parse().map_err(|_| NoteError::Malformed("its size is no number"))?;
        // One number, one spelling: `+5` and `007` would be other signed texts.
        if number.to_string() != size {
            return Err(NoteError::Malformed("its size is no plain number"));
        }
        let root = STANDARD
            .decode(root)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(NoteError::Malformed("its root is no SHA-256 digest"))?;
        Ok(Self { origin: origin.to_owned(), size: number, root: Digest(root) })
    }
}

/// Puts a note together: the text, and this log's signature over it.
pub fn signed_note(text: &str, log: &LogIdentity, signature: &[u8]) -> String {
    let line = STANDARD.encode([log.key_id().as_slice(), signature].concat());
    format!("{text}\n\u{2014} {} {line}\n", log.origin)
}

/// Verifies a checkpoint of this log: form, origin and signature.
///
/// # Errors
/// Where one of them is wrong.
pub fn verify_checkpoint(note: &str, log: &LogIdentity) -> Result<Checkpoint, NoteError> {
    let note = Note::parse(note)?;
    note.verify(log)?;
    let checkpoint = Checkpoint::parse(&note.text)?;
    if checkpoint.origin != log.origin {
        return Err(NoteError::Malformed("its origin is that of another log"));
    }
    Ok(checkpoint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_keys::LogKey;

    const ORIGIN: &str = "erasure.example.com/evidence/2026";

    fn checkpoint(size: u64, root: Digest, key: &LogKey) -> String {
        let log = LogIdentity::new(ORIGIN, key.public()).expect("origin");
        let text = Checkpoint { origin: ORIGIN.to_owned(), size, root }.text();
        signed_note(&text, &log, &key.sign(text.as_bytes()))
    }

    #[test]
    fn a_checkpoint_survives_and_every_changed_byte_is_refused() {
        let key = LogKey::new(1);
        let log = LogIdentity::new(ORIGIN, key.public()).expect("origin");
        let note = checkpoint(7, Digest::of(b"root"), &key);
        let read = verify_checkpoint(&note, &log).expect("verified");
        assert_eq!((read.size, read.root), (7, Digest::of(b"root")));
        for place in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[place] ^= 1;
            if let Ok(changed) = String::from_utf8(bytes) {
                assert!(verify_checkpoint(&changed, &log).is_err(), "byte {place}");
            }
        }
    }

    #[test]
    fn unknown_signatures_are_ignored_but_not_enough() {
        let (key, other) = (LogKey::new(1), LogKey::new(2));
        let log = LogIdentity::new(ORIGIN, key.public()).expect("origin");
        let root = Digest::of(b"root");
        let mine = checkpoint(7, root, &key);
        let theirs = checkpoint(7, root, &other);
        let their_line = theirs.rsplit("\n\n").next().expect("line");
        assert!(verify_checkpoint(&format!("{mine}{their_line}"), &log).is_ok());
        assert_eq!(verify_checkpoint(&theirs, &log), Err(NoteError::NotSigned(ORIGIN.to_owned())));
    }

    #[test]
    fn origins_that_stock_verifiers_misread_are_refused() {
        let key = LogKey::new(1).public();
        for origin in ["", "https://example.com/log", "a b", "a+b", "a(b", "a/", "\u{e4}.example"] {
            assert!(LogIdentity::new(origin, key).is_err(), "{origin}");
        }
    }
}
