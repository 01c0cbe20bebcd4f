//! Signing the head of the log; what a checkpoint is, and checking one, is the verifier's part.

use super::keys::LogKey;
use super::note::{Checkpoint, LogIdentity, NoteError, signed_note};
use crate::domain::Digest;

/// Signs the head of a log. The note is released only after the size and root are committed.
///
/// # Errors
/// Where the origin may not stand in a note.
pub fn sign(origin: &str, size: u64, root: Digest, key: &LogKey) -> Result<String, NoteError> {
    let log = LogIdentity::new(origin, key.public())?;
    let text = Checkpoint { origin: origin.to_owned(), size, root }.text();
    Ok(signed_note(&text, &log, &key.sign(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::note::verify_checkpoint;

    #[test]
    fn what_is_signed_here_is_what_the_verifier_reads() {
        let key = LogKey::generate().expect("key");
        let root = Digest::of(b"root");
        let note = sign("erasure.example.com/evidence/2026", 7, root, &key).expect("signed");
        let log =
            LogIdentity::new("erasure.example.com/evidence/2026", key.public()).expect("origin");
        let read = verify_checkpoint(&note, &log).expect("verified");
        assert_eq!((read.size, read.root), (7, root));
        assert!(sign("https://example.com/log", 7, root, &key).is_err());
    }
}
