//! A whole log counted anew, leaf by leaf: its root at every size that was signed, its tiles, what
//! each producer wrote, and what its leaves are about.
//!
//! Nothing is trusted but the bytes of the leaves: hashes that somebody stored are compared with
//! what comes out here. What does not fit is a finding, and the count goes on, so that one fault
//! does not hide another.

use std::collections::BTreeMap;

use super::hashedrekord;
use super::leaf::{EvidenceKind, read_leaf};
use super::merkle::{Frontier, leaf_hash};
use super::tiles::{HEIGHT, TileId, WIDTH};
use crate::domain::Digest;

/// What leaves are called that the issuer signed: only who has the statement can tell which.
const CERTIFICATES: &str = "certificate or status list";
/// What leaves are called that nobody knows.
const OTHERS: &str = "other";

/// A log that is being counted anew.
#[derive(Debug, Default)]
pub struct Replay {
    frontier: Frontier,
    signed: BTreeMap<u64, Digest>,
    before: Before,
    believed: BTreeMap<String, u64>,
    open: BTreeMap<TileId, Vec<u8>>,
    counted: Counted,
}

/// What producers had written before the first leaf that is counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Before {
    /// Nobody knows: the first heartbeat of each producer is believed, and those after it have to
    /// agree with it.
    #[default]
    Unknown,
    /// So many entries each; nothing where a producer is not named.
    Known(BTreeMap<String, u64>),
}

/// What came out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    /// Number of leaves.
    pub size: u64,
    /// Sizes that were signed and have the signed root.
    pub heads: u64,
    /// How many leaves are about what.
    pub kinds: BTreeMap<String, u64>,
    /// How many leaves each producer wrote.
    pub producers: BTreeMap<String, u64>,
    /// Heartbeats that have the number that was counted.
    pub heartbeats: u64,
    /// Heartbeats that had nothing to be compared with and were believed.
    pub believed: u64,
    /// What does not fit, in the order of the log.
    pub faults: Vec<String>,
}

impl Replay {
    /// A log with these signed heads (size and root), which it has to have.
    pub fn new(signed: impl IntoIterator<Item = (u64, Digest)>) -> Self {
        Self { signed: signed.into_iter().collect(), ..Self::default() }
    }

    /// The same log, of whose producers this is known.
    #[must_use]
    pub fn with(mut self, before: Before) -> Self {
        self.before = before;
        self
    }

    /// Counts the next leaf. `tile` gets each tile that is full now, to be compared with what is
    /// stored; it says whether they are the same.
    pub fn push(&mut self, body: &[u8], tile: &mut dyn FnMut(TileId, &[u8]) -> bool) {
        let (open, faults) = (&mut self.open, &mut self.counted.faults);
        self.frontier.push(leaf_hash(body), |level, index, hash| {
            if level % HEIGHT != 0 {
                return;
            }
            let id = TileId { level: level / HEIGHT, index: index / WIDTH };
            let bytes = open.entry(id).or_default();
            bytes.extend_from_slice(&hash.0);
            if bytes.len() as u64 == WIDTH * 32 {
                if !tile(id, bytes) {
                    faults.push(format!("`{}` is not what its leaves lead to", id.path(WIDTH)));
                }
                open.remove(&id);
            }
        });
        self.counted.size = self.frontier.size();
        self.count(body);
        if let Some(root) = self.signed.remove(&self.counted.size) {
            if root == self.frontier.root() {
                self.counted.heads += 1;
            } else {
                let size = self.counted.size;
                let fault = format!("the signed head of {size} entries has another root");
                self.counted.faults.push(fault);
            }
        }
    }

    /// Ends the count. `tile` gets the tiles that are not full.
    pub fn finish(mut self, tile: &mut dyn FnMut(TileId, &[u8]) -> bool) -> Counted {
        for (id, bytes) in &self.open {
            if !tile(*id, bytes) {
                let width = bytes.len() as u64 / 32;
                let fault = format!("`{}` is not what its leaves lead to", id.path(width));
                self.counted.faults.push(fault);
            }
        }
        for size in self.signed.keys() {
            let has = self.counted.size;
            let fault = format!("a head of {size} entries was signed, and there are {has}");
            self.counted.faults.push(fault);
        }
        self.counted
    }

    /// Root of what was counted so far.
    pub fn root(&self) -> Digest {
        self.frontier.root()
    }

    fn count(&mut self, body: &[u8]) {
        let index = self.counted.size - 1;
        let kind = match read_leaf(body) {
            Some(leaf) => {
                let count = self.counted.producers.entry(leaf.spec.producer.clone()).or_default();
                *count += 1;
                let count = *count;
                if let Some(entries) = leaf.spec.entries {
                    self.compare(&leaf.spec.producer, count, (index, entries));
                }
                leaf.kind.as_str()
            }
            None if hashedrekord::public_key(body).is_some() => CERTIFICATES,
            None => OTHERS,
        };
        *self.counted.kinds.entry(kind.to_owned()).or_default() += 1;
        if index > 0 && kind == EvidenceKind::LogOpened.as_str() {
            self.counted.faults.push(format!("entry {index} opens a log in the middle of it"));
        }
    }

    /// Compares the number of a heartbeat with what was counted.
    fn compare(&mut self, producer: &str, count: u64, (index, entries): (u64, u64)) {
        let before = match &mut self.before {
            Before::Known(before) => *before.entry(producer.to_owned()).or_default(),
            Before::Unknown => {
                let Some(before) = entries.checked_sub(count) else {
                    let fault = format!(
                        "heartbeat {index}: `{producer}` says {entries} entries, and {count} are here"
                    );
                    self.counted.faults.push(fault);
                    return;
                };
                let Some(believed) = self.believed.get(producer) else {
                    self.believed.insert(producer.to_owned(), before);
                    self.counted.believed += 1;
                    return;
                };
                *believed
            }
        };
        if before + count == entries {
            self.counted.heartbeats += 1;
        } else {
            let counted = before + count;
            self.counted.faults.push(format!(
                "heartbeat {index}: `{producer}` says {entries} entries, and {counted} were counted"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{evidence_entry, numbered_entry};

    fn body(number: u64) -> Vec<u8> {
        let kind = if number == 0 { EvidenceKind::LogOpened } else { EvidenceKind::ErasureStep };
        let salt = Digest::of(&number.to_be_bytes()).0;
        let time = jiff::Timestamp::UNIX_EPOCH;
        let producer = if number.is_multiple_of(3) { "one" } else { "two" };
        let entry = evidence_entry(kind, &serde_json::json!(1), salt, producer, time);
        entry.expect("an entry").body
    }

    fn roots(size: u64) -> Vec<Digest> {
        let mut frontier = Frontier::default();
        (0..size)
            .map(|number| {
                frontier.push(leaf_hash(&body(number)), |_, _, _| ());
                frontier.root()
            })
            .collect()
    }

    #[test]
    fn a_sound_log_has_no_faults() {
        let roots = roots(600);
        let heads = [(7, roots[6]), (256, roots[255]), (600, roots[599])];
        let mut replay = Replay::new(heads);
        let mut tiles = Vec::new();
        for number in 0..600 {
            replay.push(&body(number), &mut |id, bytes| {
                tiles.push((id, bytes.len()));
                true
            });
        }
        assert_eq!(replay.root(), roots[599]);
        let counted = replay.finish(&mut |id, bytes| {
            tiles.push((id, bytes.len()));
            true
        });
        assert_eq!((counted.size, counted.heads), (600, 3));
        assert_eq!(counted.faults, Vec::<String>::new());
        assert_eq!(counted.producers, [("one".to_owned(), 200), ("two".to_owned(), 400)].into());
        assert_eq!(counted.kinds["erasure.step"], 599);
        let tile = |level, index, width: usize| (TileId { level, index }, width * 32);
        assert_eq!(tiles, [tile(0, 0, 256), tile(0, 1, 256), tile(0, 2, 88), tile(1, 0, 2)]);
    }

    fn heartbeat(producer: &str, number: u64) -> Vec<u8> {
        let (kind, time) = (EvidenceKind::ProducerHeartbeat, jiff::Timestamp::UNIX_EPOCH);
        let detail = serde_json::Value::Null;
        numbered_entry(kind, &detail, [3; 32], (producer, number), time).expect("an entry").body
    }

    #[test]
    fn heartbeats_are_counted() {
        // 0, 3 and 6 are of `one`, the others of `two`.
        let count = |before: Before, numbers: [u64; 2]| {
            let mut replay = Replay::new([]).with(before);
            let mut push = |body: &[u8]| replay.push(body, &mut |_, _| true);
            (0..5).for_each(|number| push(&body(number)));
            push(&heartbeat("one", numbers[0]));
            (5..7).for_each(|number| push(&body(number)));
            push(&heartbeat("one", numbers[1]));
            replay.finish(&mut |_, _| true)
        };
        let known = |many| Before::Known([("one".to_owned(), many)].into());
        let fine = count(known(0), [3, 5]);
        assert_eq!((fine.heartbeats, fine.believed, fine.faults.len()), (2, 0, 0));
        let fine = count(known(40), [43, 45]);
        assert_eq!((fine.heartbeats, fine.faults.len()), (2, 0));
        let fine = count(Before::Unknown, [13, 15]);
        assert_eq!((fine.heartbeats, fine.believed, fine.faults.len()), (1, 1, 0));
        for (before, numbers) in [
            (known(0), [3, 6]),
            (known(1), [4, 5]),
            (Before::Unknown, [13, 16]),
            (Before::Unknown, [2, 5]),
        ] {
            let counted = count(before, numbers);
            assert_eq!(counted.faults.len(), 1, "{numbers:?}: {:?}", counted.faults);
            assert!(counted.faults[0].contains("`one` says"), "{:?}", counted.faults);
        }
    }

    #[test]
    fn every_fault_is_found_and_none_hides_another() {
        let roots = roots(300);
        let mut replay = Replay::new([(5, roots[4]), (6, roots[4]), (301, roots[4])]);
        for number in 0..300 {
            replay.push(&body(number), &mut |_, _| false);
        }
        replay.push(&body(0), &mut |_, _| true);
        let counted = replay.finish(&mut |tile, _| tile.level == 1);
        assert_eq!(counted.heads, 1);
        assert_eq!(
            counted.faults,
            [
                "the signed head of 6 entries has another root",
                "`tile/0/000` is not what its leaves lead to",
                "entry 300 opens a log in the middle of it",
                "the signed head of 301 entries has another root",
                "`tile/0/001.p/45` is not what its leaves lead to",
            ]
        );
        let empty = Replay::new([(2, roots[1])]).finish(&mut |_, _| true);
        assert_eq!(empty.faults, ["a head of 2 entries was signed, and there are 0"]);
    }
}
