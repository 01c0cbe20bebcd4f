//! A proof in one file (C2SP tlog-proof v1): index, path and the checkpoint with all cosignatures.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::digest::Digest;
use crate::witnessing::number;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// Largest proof that is read, in bytes.
const PROOF_BYTES: usize = 256 * 1024;

/// That an entry is in the tree of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Index of the entry.
    pub index: u64,
    /// Path from the entry upwards.
    pub path: Vec<Digest>,
    /// The checkpoint with its signatures.
    pub note: String,
}

impl TlogProof {
    /// Writes the file.
    pub fn to_text(&self) -> String {
        let hashes: String = self.path.iter().map(|hash| STANDARD.encode(hash.0) + "\n").collect();
        format!("{FIRST_LINE}\nindex {}\n{hashes}\n{}", self.index, self.note)
    }

    /// Reads the file; `None` where it is no proof. What stands in an `extra` line is not believed.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > PROOF_BYTES {
            return None;
        }
        let text = std::str::from_utf8(bytes).ok()?;
        let (head, note) = text.split_once("\n\n")?;
        let mut lines = head.split('\n').peekable();
        if lines.next()? != FIRST_LINE {
            return None;
        }
        if let Some(extra) = lines.peek().and_then(|line| line.strip_prefix("extra ")) {
            STANDARD.decode(extra).ok()?;
            lines.next();
        }
        let index = number(lines.next()?.strip_prefix("index ")?)?;
        let path = lines
            .map(|line| Some(Digest(STANDARD.decode(line).ok()?.try_into().ok()?)))
            .collect::<Option<Vec<_>>>()?;
        (path.len() <= 64).then(|| Self { index, path, note: note.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_survives_its_file_and_anything_else_is_refused() {
        let note = "example.com/log\n9\nroot\n\n\u{2014} example.com/log AAAA\n".to_owned();
        let proof = TlogProof { index: 7, path: vec![Digest([1; 32]), Digest([2; 32])], note };
        let text = proof.to_text();
        assert_eq!(TlogProof::parse(text.as_bytes()), Some(proof.clone()));
        let extra = text.replace("index", "extra AAAA\nindex");
        assert_eq!(TlogProof::parse(extra.as_bytes()), Some(proof));
        for (from, to) in
            [("@v1", "@v2"), ("index 7", "index 07"), ("index", "indx"), ("AQEB", "AQE")]
        {
            assert_eq!(TlogProof::parse(text.replacen(from, to, 1).as_bytes()), None, "{from}");
        }
    }
}
