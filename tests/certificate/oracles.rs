//! Our proofs against two implementations of RFC 6962 that we did not write, over thousands of
//! random trees of random entries: the same roots, the same proofs, and the same refusals.

use std::collections::BTreeMap;
use std::io::Write as _;

use ct_merkle::digest::array::Array;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use quietus::domain::Digest;
use quietus::evidence::tiles::{self, TileId};
use quietus::evidence::{Frontier, merkle};
use sha2::Sha256;
use tlog_tiles::{Hash, HashReader};

/// Random numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        // SplitMix64 (Steele, Lea and Flood 2014).
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// An entry of 0 to 300 bytes.
    fn entry(&mut self) -> Vec<u8> {
        let length = self.below(301);
        (0..length).map(|_| self.next().to_be_bytes()[0]).collect()
    }
}

struct Foreign(Vec<Hash>);

impl HashReader for Foreign {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|&index| self.0[usize::try_from(index).unwrap()]).collect())
    }
}

/// The same entries in three implementations.
struct Trees {
    size: u64,
    entries: Vec<Vec<u8>>,
    frontier: Frontier,
    tiles: BTreeMap<TileId, Vec<u8>>,
    tlog: Foreign,
    merkle: MemoryBackedTree<Sha256, Vec<u8>>,
}

fn digests(hashes: &[Hash]) -> Vec<Digest> {
    hashes.iter().map(|hash| Digest(hash.0)).collect()
}

fn bytes(path: &[Digest]) -> Vec<u8> {
    path.iter().flat_map(|digest| digest.0).collect()
}

fn hashes(path: &[Digest]) -> Vec<Hash> {
    path.iter().map(|digest| Hash(digest.0)).collect()
}

fn root_hash(root: Digest, size: u64) -> RootHash<Sha256> {
    RootHash::new(Array::from(root.0), size)
}

impl Trees {
    fn grow(size: u64, numbers: &mut Numbers) -> Self {
        let entries: Vec<Vec<u8>> = (0..size).map(|_| numbers.entry()).collect();
        let leaves: Vec<Digest> = entries.iter().map(|entry| merkle::leaf_hash(entry)).collect();
        let appended = tiles::append(&Frontier::default(), &BTreeMap::new(), &leaves).unwrap();
        let (mut tlog, mut tree) = (Foreign(Vec::new()), MemoryBackedTree::new());
        for (number, entry) in (0..).zip(&entries) {
            let more = tlog_tiles::stored_hashes(number, entry, &tlog).unwrap();
            tlog.0.extend(more);
            tree.push(entry.clone());
        }
        Self {
            size,
            entries,
            frontier: appended.frontier,
            tiles: appended.tiles.into_iter().map(|write| (write.tile, write.bytes)).collect(),
            tlog,
            merkle: tree,
        }
    }

    fn root(&self) -> Digest {
        self.frontier.root()
    }

    fn check_root(&self) {
        let theirs = Digest(tlog_tiles::tree_hash(self.size, &self.tlog).unwrap().0);
        assert_eq!(self.root(), theirs);
        assert_eq!(self.merkle.root().as_bytes().as_slice(), self.root().0);
        assert_eq!(tiles::root(self.size, |tile| self.tiles.get(&tile).cloned()), Ok(theirs));
        let again = tiles::frontier(self.size, |tile| self.tiles.get(&tile).cloned());
        assert_eq!(again.as_ref(), Ok(&self.frontier));
    }

    fn check_inclusion(&self, index: u64, numbers: &mut Numbers) {
        let read = |tile| self.tiles.get(&tile).cloned();
        let path = tiles::inclusion_proof(index, self.size, read).unwrap();
        let theirs = tlog_tiles::prove_record(self.size, index, &self.tlog).unwrap();
        assert_eq!(path, digests(&theirs), "{index} of {}", self.size);
        let place = usize::try_from(index).unwrap();
        assert_eq!(bytes(&path), self.merkle.prove_inclusion(place).as_bytes());
        let entry = &self.entries[place];
        let verdicts = self.inclusion_verdicts(entry, index, &path);
        assert_eq!(verdicts, [true; 3], "{index} of {}", self.size);

        // One bit, one hash too few, another place: all three refuse.
        let mut other = entry.clone();
        other.push(0);
        assert_eq!(self.inclusion_verdicts(&other, index, &path), [false; 3]);
        if !path.is_empty() {
            let mut bad = path.clone();
            let hit = usize::try_from(numbers.below(path.len() as u64)).unwrap();
            bad[hit].0[usize::try_from(numbers.below(32)).unwrap()] ^= 1 << numbers.below(8);
            assert_eq!(self.inclusion_verdicts(entry, index, &bad), [false; 3]);
            assert_eq!(self.inclusion_verdicts(entry, index, &path[1..]), [false; 3]);
        }
    }

    /// What each implementation says of a proof: ours, `tlog_tiles`, `ct-merkle`.
    fn inclusion_verdicts(&self, entry: &[u8], index: u64, path: &[Digest]) -> [bool; 3] {
        let (leaf, root) = (merkle::leaf_hash(entry), self.root());
        let ours = merkle::check_inclusion(&leaf, index, self.size, path, &root).is_ok();
        let tlog =
            tlog_tiles::check_record(&hashes(path), self.size, Hash(root.0), index, Hash(leaf.0));
        let proof = InclusionProof::<Sha256>::try_from_bytes(bytes(path)).unwrap();
        let merkle = root_hash(root, self.size).verify_inclusion(&entry.to_vec(), index, &proof);
        [ours, tlog.is_ok(), merkle.is_ok()]
    }

    fn check_consistency(&self, old: u64, numbers: &mut Numbers) {
        let read = |tile| self.tiles.get(&tile).cloned();
        let path = tiles::consistency_proof(old, self.size, read).unwrap();
        let theirs = tlog_tiles::prove_tree(self.size, old, &self.tlog).unwrap();
        assert_eq!(path, digests(&theirs), "{old} in {}", self.size);
        let additions = usize::try_from(self.size - old).unwrap();
        assert_eq!(bytes(&path), self.merkle.prove_consistency(additions).as_bytes());
        let old_root = tiles::root(old, read).unwrap();
        assert_eq!(self.consistency_verdicts(old, old_root, &path), [true; 3]);
        let rewritten = Digest::of(&numbers.entry());
        assert_eq!(self.consistency_verdicts(old, rewritten, &path), [false; 3]);
        let mut bad = path.clone();
        let hit = usize::try_from(numbers.below(path.len() as u64)).unwrap();
        bad[hit].0[usize::try_from(numbers.below(32)).unwrap()] ^= 1 << numbers.below(8);
        assert_eq!(self.consistency_verdicts(old, old_root, &bad), [false; 3]);
    }

    fn consistency_verdicts(&self, old: u64, old_root: Digest, path: &[Digest]) -> [bool; 3] {
        let root = self.root();
        let ours = merkle::check_consistency((old, &old_root), (self.size, &root), path).is_ok();
        let tlog =
            tlog_tiles::check_tree(&hashes(path), self.size, Hash(root.0), old, Hash(old_root.0));
        let proof = ConsistencyProof::<Sha256>::try_from_bytes(bytes(path)).unwrap();
        let merkle =
            root_hash(root, self.size).verify_consistency(&root_hash(old_root, old), &proof);
        [ours, tlog.is_ok(), merkle.is_ok()]
    }
}

fn compare(trees: u64, largest: u64, seed: u64) -> u64 {
    let mut numbers = Numbers(seed);
    let mut proofs = 0;
    for _ in 0..trees {
        let size = 1 + numbers.below(largest);
        let grown = Trees::grow(size, &mut numbers);
        grown.check_root();
        for _ in 0..3 {
            let index = numbers.below(size);
            grown.check_inclusion(index, &mut numbers);
            proofs += 1;
            if size > 1 {
                let old = 1 + numbers.below(size - 1);
                grown.check_consistency(old, &mut numbers);
                proofs += 1;
            }
        }
    }
    proofs
}

fn agree(trees: u64, largest: u64, seed: u64, at_least: u64) {
    let proofs = compare(trees, largest, seed);
    // Past the harness, for whoever reads the run.
    writeln!(
        std::io::stderr(),
        "{trees} random trees of up to {largest} leaves: {proofs} proofs are those of tlog_tiles and ct-merkle, and all three refuse what was changed"
    )
    .expect("standard error");
    assert!(proofs > at_least, "{proofs}");
}

#[test]
fn thousands_of_small_trees_agree() {
    agree(3_000, 48, 1, 17_000);
}

#[test]
fn larger_trees_agree() {
    agree(60, 1_500, 2, 300);
}
