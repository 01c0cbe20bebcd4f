//! Our Merkle proofs against `tlog_tiles`, which others wrote.

use std::collections::BTreeMap;

use proptest::prelude::*;
use quietus::domain::Digest;
use quietus::evidence::tiles::{self, TileId};
use quietus::evidence::{Frontier, merkle};
use tlog_tiles::{Hash, HashReader};

struct Foreign(Vec<Hash>);

impl HashReader for Foreign {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|&index| self.0[usize::try_from(index).expect("small")]).collect())
    }
}

fn body(number: u64) -> Vec<u8> {
    format!("entry {number}").into_bytes()
}

fn foreign(size: u64) -> Foreign {
    let mut hashes = Foreign(Vec::new());
    for number in 0..size {
        let more = tlog_tiles::stored_hashes(number, &body(number), &hashes).expect("hashes");
        hashes.0.extend(more);
    }
    hashes
}

fn ours(size: u64) -> (Frontier, BTreeMap<TileId, Vec<u8>>) {
    let leaves: Vec<Digest> = (0..size).map(|number| merkle::leaf_hash(&body(number))).collect();
    let appended = tiles::append(&Frontier::default(), &BTreeMap::new(), &leaves).expect("empty");
    let stored = appended.tiles.into_iter().map(|write| (write.tile, write.bytes)).collect();
    (appended.frontier, stored)
}

fn digests(hashes: &[Hash]) -> Vec<Digest> {
    hashes.iter().map(|hash| Digest(hash.0)).collect()
}

#[test]
fn every_proof_in_every_tree_of_up_to_130_leaves_is_the_foreign_one() {
    let (theirs, (_, stored)) = (foreign(130), ours(130));
    let read = |tile: TileId| stored.get(&tile).cloned();
    for size in 1..=130 {
        let root = Digest(tlog_tiles::tree_hash(size, &theirs).expect("root").0);
        assert_eq!(tiles::root(size, read), Ok(root));
        for index in 0..size {
            let expected = tlog_tiles::prove_record(size, index, &theirs).expect("proof");
            let path = tiles::inclusion_proof(index, size, read).expect("proof");
            assert_eq!(path, digests(&expected), "inclusion of {index} in {size}");
            let leaf = merkle::leaf_hash(&body(index));
            assert_eq!(merkle::check_inclusion(&leaf, index, size, &path, &root), Ok(()));
        }
        for old in 1..=size {
            let expected = tlog_tiles::prove_tree(size, old, &theirs).expect("proof");
            let path = tiles::consistency_proof(old, size, read).expect("proof");
            assert_eq!(path, digests(&expected), "{old} in {size}");
            let old_root = Digest(tlog_tiles::tree_hash(old, &theirs).expect("root").0);
            assert_eq!(merkle::check_consistency((old, &old_root), (size, &root), &path), Ok(()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn larger_trees_agree_too(size in 131_u64..1500, picks in any::<[prop::sample::Index; 4]>()) {
        let (theirs, (frontier, stored)) = (foreign(size), ours(size));
        let root = Digest(tlog_tiles::tree_hash(size, &theirs).expect("root").0);
        prop_assert_eq!(frontier.root(), root);
        for pick in picks {
            let index = pick.index(usize::try_from(size).expect("small")) as u64;
            let read = |tile: TileId| stored.get(&tile).cloned();
            let expected = tlog_tiles::prove_record(size, index, &theirs).expect("proof");
            prop_assert_eq!(tiles::inclusion_proof(index, size, read), Ok(digests(&expected)));
            let expected = tlog_tiles::prove_tree(size, index + 1, &theirs).expect("proof");
            prop_assert_eq!(tiles::consistency_proof(index + 1, size, read), Ok(digests(&expected)));
        }
    }

    #[test]
    fn a_changed_proof_is_refused(
        size in 2_u64..300,
        pick in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let (frontier, stored) = ours(size);
        let root = frontier.root();
        let read = |tile: TileId| stored.get(&tile).cloned();
        let index = pick.index(usize::try_from(size).expect("small")) as u64;
        let leaf = merkle::leaf_hash(&body(index));
        let good = tiles::inclusion_proof(index, size, read).expect("proof");
        let mut bad = good.clone();
        let byte = place.index(bad.len() * 32);
        bad[byte / 32].0[byte % 32] ^= 1 << bit;
        prop_assert!(merkle::check_inclusion(&leaf, index, size, &bad, &root).is_err());
        prop_assert!(merkle::check_inclusion(&leaf, index, size, &good[1..], &root).is_err());
        let wrong_leaf = merkle::leaf_hash(b"another entry");
        prop_assert!(merkle::check_inclusion(&wrong_leaf, index, size, &good, &root).is_err());
        for other in (0..size).filter(|other| *other != index) {
            prop_assert!(merkle::check_inclusion(&leaf, other, size, &good, &root).is_err());
        }
    }

    #[test]
    fn a_rewritten_history_has_no_consistency_proof(old in 1_u64..200, more in 1_u64..100) {
        let (frontier, stored) = ours(old + more);
        let read = |tile: TileId| stored.get(&tile).cloned();
        let path = tiles::consistency_proof(old, old + more, read).expect("proof");
        let rewritten = Digest::of(b"another history");
        let new = (old + more, &frontier.root());
        prop_assert!(merkle::check_consistency((old, &rewritten), new, &path).is_err());
    }
}
