//! What a log asks a witness, and what a witness answers (C2SP tlog-witness v1.0).
//!
//! The order of the checks is that of the specification. A witness can refuse or sign; it can change
//! nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::digest::Digest;
use crate::merkle;
use crate::note::{Checkpoint, LogIdentity, Note};

/// Largest question that is read, in bytes.
pub const QUESTION_BYTES: usize = 128 * 1024;

/// Most hashes of a proof.
pub const PROOF_HASHES: usize = 63;

/// Media type of an answer that names a size.
pub const SIZE_TYPE: &str = "text/x.tlog.size";

/// A checkpoint with the proof that it continues an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Growth {
    /// Size of the earlier tree.
    pub old: u64,
    /// The proof.
    pub path: Vec<Digest>,
    /// The checkpoint, with its signatures.
    pub note: String,
}

impl Growth {
    /// Writes the body of `add-checkpoint`.
    pub fn to_text(&self) -> String {
        let hashes: String = self.path.iter().map(|hash| STANDARD.encode(hash.0) + "\n").collect();
        format!("old {}\n{hashes}\n{}", self.old, self.note)
    }

    /// Reads the body of `add-checkpoint`; `None` where it is none.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > QUESTION_BYTES {
            return None;
        }
        let text = std::str::from_utf8(bytes).ok()?;
        let (head, note) = text.split_once("\n\n")?;
        let mut lines = head.split('\n');
        let old = number(lines.next()?.strip_prefix("old ")?)?;
        let path = lines
            .map(|line| Some(Digest(STANDARD.decode(line).ok()?.try_into().ok()?)))
            .collect::<Option<Vec<_>>>()?;
        (path.len() <= PROOF_HASHES).then(|| Self { old, path, note: note.to_owned() })
    }
}

/// A number in its one plain spelling.
pub fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

/// What a witness says to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// 200: it continues what was seen; it is remembered first and signed then.
    Sign(Box<SeenHead>),
    /// 400: the question cannot be read, or goes backwards.
    BadRequest,
    /// 403: no key of this log signed it.
    Forbidden,
    /// 404: the log is not known.
    NotFound,
    /// 409: the latest tree that was seen has this size, or another root.
    Conflict(u64),
    /// 422: it does not continue what was seen.
    Unprocessable,
}

/// A head that a witness has seen and found to continue all before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenHead {
    /// Size and root.
    pub head: Checkpoint,
    /// The text that is signed.
    pub text: String,
    /// The log's own signature lines under it, and nobody else's.
    pub signatures: String,
}

/// The origin that a question is about: whose state has to be read to judge it.
pub fn origin_of(question: &Growth) -> Option<String> {
    Some(Checkpoint::parse(&Note::parse(&question.note).ok()?.text).ok()?.origin)
}

/// Judges a question.
///
/// `log` is what is known of the origin, `seen` the size and root of the latest tree that was signed
/// of it.
pub fn judge(
    question: &Growth,
    log: Option<&LogIdentity>,
    seen: Option<(u64, Digest)>,
) -> Judgement {
    let Ok(note) = Note::parse(&question.note) else { return Judgement::BadRequest };
    let Ok(head) = Checkpoint::parse(&note.text) else { return Judgement::BadRequest };
    let Some(log) = log.filter(|log| log.origin() == head.origin) else {
        return Judgement::NotFound;
    };
    if note.verify(log).is_err() {
        return Judgement::Forbidden;
    }
    if question.old > head.size {
        return Judgement::BadRequest;
    }
    let (size, root) = seen.unwrap_or_else(|| (0, merkle::empty_root()));
    if question.old != size {
        return Judgement::Conflict(size);
    }
    if head.size == size && head.root != root {
        return Judgement::Conflict(size);
    }
    let grown = if size == 0 || head.size == size {
        question.path.is_empty()
    } else {
        merkle::check_consistency((size, &root), (head.size, &head.root), &question.path).is_ok()
    };
    if !grown || (head.size == 0 && head.root != merkle::empty_root()) {
        return Judgement::Unprocessable;
    }
    let own =
        note.signatures.iter().filter(|one| one.name == log.origin() && one.key_id == log.key_id());
    // One line, however often it was sent: what is kept has to be read back.
    let lines: Vec<String> = own
        .take(1)
        .map(|one| {
            let bytes = [one.key_id.as_slice(), &one.signature].concat();
            format!("\u{2014} {} {}\n", one.name, STANDARD.encode(bytes))
        })
        .collect();
    let signatures = lines.concat();
    Judgement::Sign(Box::new(SeenHead { head, text: note.text, signatures }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{Frontier, consistency_path, leaf_hash};
    use crate::test_keys::LogKey;
    use std::collections::BTreeMap;

    const ORIGIN: &str = "erasure.example.com/evidence/2026";

    /// A log of this many leaves: roots by size, and nodes for proofs.
    struct Log {
        roots: Vec<Digest>,
        nodes: BTreeMap<(u8, u64), Digest>,
        key: LogKey,
    }

    fn log(leaves: u64, salt: u8) -> Log {
        let (mut frontier, mut nodes) = (Frontier::default(), BTreeMap::new());
        let mut roots = vec![frontier.root()];
        for leaf in 0..leaves {
            let body = [leaf.to_be_bytes().as_slice(), &[salt]].concat();
            frontier.push(leaf_hash(&body), |level, index, hash| {
                nodes.insert((level, index), *hash);
            });
            roots.push(frontier.root());
        }
        Log { roots, nodes, key: LogKey::new(1) }
    }

    impl Log {
        fn root(&self, size: u64) -> Digest {
            self.roots[usize::try_from(size).expect("a small size")]
        }

        fn identity(&self) -> LogIdentity {
            LogIdentity::new(ORIGIN, self.key.public()).expect("log")
        }

        fn note(&self, size: u64) -> String {
            let head = Checkpoint { origin: ORIGIN.to_owned(), size, root: self.root(size) };
            let signature =
                [self.identity().key_id().as_slice(), &self.key.sign(head.text().as_bytes())]
                    .concat();
            format!("{}\n\u{2014} {ORIGIN} {}\n", head.text(), STANDARD.encode(signature))
        }

        fn question(&self, old: u64, size: u64) -> Growth {
            let path = consistency_path(old, size, |level, index| {
                self.nodes.get(&(level, index)).copied()
            });
            Growth { old, path: path.unwrap_or_default(), note: self.note(size) }
        }

        fn judged(&self, question: &Growth, seen: u64) -> Judgement {
            judge(question, Some(&self.identity()), Some((seen, self.root(seen))))
        }
    }

    #[test]
    fn what_continues_is_signed_from_any_size_to_any() {
        let log = log(13, 0);
        for old in 0..=13 {
            for size in old..=13 {
                let question = log.question(old, size);
                let read = Growth::parse(question.to_text().as_bytes()).expect("question");
                assert_eq!(read, question);
                let Judgement::Sign(head) = log.judged(&question, old) else {
                    panic!("{old} to {size} was refused");
                };
                assert_eq!((head.head.size, head.head.root), (size, log.root(size)));
            }
        }
        let first = judge(&log.question(0, 7), Some(&log.identity()), None);
        assert!(matches!(first, Judgement::Sign(_)));
    }

    #[test]
    fn each_refusal_has_its_own_status() {
        let (honest, forked) = (log(20, 0), log(20, 1));
        let question = honest.question(5, 9);
        assert_eq!(judge(&question, None, None), Judgement::NotFound);
        let stranger = LogIdentity::new(ORIGIN, LogKey::new(2).public()).expect("log");
        assert_eq!(judge(&question, Some(&stranger), None), Judgement::Forbidden);
        assert_eq!(
            honest.judged(&Growth { old: 10, ..honest.question(5, 9) }, 10),
            Judgement::BadRequest
        );
        assert_eq!(honest.judged(&question, 7), Judgement::Conflict(7));
        assert_eq!(honest.judged(&question, 12), Judgement::Conflict(12));
        // Two logs under one name: the same size with another root, and a larger one.
        assert_eq!(honest.judged(&forked.question(9, 9), 9), Judgement::Conflict(9));
        assert_eq!(honest.judged(&forked.question(9, 15), 9), Judgement::Unprocessable);
        let mut short = honest.question(5, 9);
        short.path.pop();
        assert_eq!(honest.judged(&short, 5), Judgement::Unprocessable);
        let needless = Growth { path: vec![Digest([0; 32])], ..honest.question(0, 9) };
        assert_eq!(honest.judged(&needless, 0), Judgement::Unprocessable);
        let broken = Growth { note: "no note".to_owned(), ..honest.question(0, 9) };
        assert_eq!(honest.judged(&broken, 0), Judgement::BadRequest);
    }

    #[test]
    fn what_is_no_question_is_not_read() {
        let text = log(9, 0).question(3, 9).to_text();
        for (from, to) in [
            ("old 3", "old 03"),
            ("old 3", "old +3"),
            ("old 3", "size 3"),
            ("old 3\n", "old 3\n\u{e4}\n"),
        ] {
            assert_eq!(Growth::parse(text.replacen(from, to, 1).as_bytes()), None, "{to}");
        }
        assert_eq!(Growth::parse(b""), None);
        let many = format!("old 1\n{}\nx", format!("{}\n", STANDARD.encode([0; 32])).repeat(64));
        assert_eq!(Growth::parse(many.as_bytes()), None);
    }

    /// What a witness keeps it has to be able to read again, however often a line was sent.
    #[test]
    fn a_line_that_is_sent_again_and_again_is_kept_once() {
        let log = log(9, 0);
        let mut question = log.question(3, 9);
        let line = question.note.lines().last().expect("a signature").to_owned() + "\n";
        question.note += &line.repeat(90);
        let Judgement::Sign(head) = log.judged(&question, 3) else { panic!("refused") };
        assert_eq!(head.signatures, line);
    }

    /// Signatures of others that come along are not passed on as the log's.
    #[test]
    fn only_the_logs_own_signatures_are_kept() {
        let log = log(9, 0);
        let mut question = log.question(0, 9);
        question.note.push_str("\u{2014} stranger.example AAAAAAAA\n");
        let Judgement::Sign(head) = log.judged(&question, 0) else { panic!("refused") };
        assert!(!head.signatures.contains("stranger") && head.signatures.contains(ORIGIN));
    }
}
