//! Tiles of height 8 (C2SP tlog-tiles): how the log's hashes are stored, appended and read.
//!
//! A tile holds up to 256 hashes (8 KiB) of the tree levels 0, 8, 16, …; the last tile of a level
//! is partial and is overwritten by its longer successor, of which it is a prefix. The caller
//! stores tiles by [`TileId`]; this module never needs all leaves, only the tail tile of each
//! level to append, and the handful of tiles along a path to prove.
//!
//! Sequencing, in this order: one transaction locks the head, drains queued entries, shuffles them,
//! appends, and stores leaves, tiles, frontier and size together; a crash before its commit leaves
//! nothing behind. Only then, from what was committed, is a checkpoint signed, stored and released;
//! a crash in between leaves a log without a fresh checkpoint, and the next pass signs one.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::digest::Digest;
use crate::merkle::{self, Frontier, MerkleError, node_hash};

/// Levels of the tree in one tile.
pub const HEIGHT: u8 = 8;

/// Hashes in a full tile.
pub const WIDTH: u64 = 1 << HEIGHT;

/// Which tile: its level (0 holds the leaf hashes) and its number on that level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// Tile level; tile level `n` holds the tree's level `8 * n`.
    pub level: u8,
    /// Number on its level, from 0.
    pub index: u64,
}

impl TileId {
    /// Path in the tiles API, such as `tile/0/x001/234` (a full tile) or `tile/0/000.p/5`.
    pub fn path(&self, width: u64) -> String {
        let mut groups = vec![format!("{:03}", self.index % 1000)];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.insert(0, format!("x{:03}", rest % 1000));
            rest /= 1000;
        }
        let suffix = if width == WIDTH { String::new() } else { format!(".p/{width}") };
        format!("tile/{}/{}{suffix}", self.level, groups.join("/"))
    }
}

/// A tile to be stored, replacing what was stored under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileWrite {
    /// Which tile.
    pub tile: TileId,
    /// 32 to 8,192 bytes, a multiple of 32.
    pub bytes: Vec<u8>,
}

/// What appending a batch leads to. All of it is stored in one transaction with the leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The new frontier; its size is the new size of the log.
    pub frontier: Frontier,
    /// Tiles to be stored.
    pub tiles: Vec<TileWrite>,
    /// Root of the grown tree.
    pub root: Digest,
}

/// The partial tiles that [`append`] needs for a log of this size, with the bytes that count.
pub fn tail_tiles(size: u64) -> Vec<(TileId, usize)> {
    let mut tails = Vec::new();
    let (mut level, mut count) = (0_u8, size);
    while count > 0 {
        let width = count % WIDTH;
        if width > 0 {
            let bytes = usize::try_from(width * 32).unwrap_or(usize::MAX);
            tails.push((TileId { level, index: count / WIDTH }, bytes));
        }
        level += 1;
        count >>= HEIGHT;
    }
    tails
}

/// Appends leaf hashes in this order.
///
/// `tail` holds the stored bytes of the tiles that [`tail_tiles`] names; longer ones are cut,
/// because a stored tile may already hold hashes of a later, abandoned batch.
///
/// # Errors
/// Where a tail tile is missing or too short.
pub fn append(
    frontier: &Frontier,
    tail: &BTreeMap<TileId, Vec<u8>>,
    leaves: &[Digest],
) -> Result<Appended, MerkleError> {
    let mut open = BTreeMap::new();
    for (tile, length) in tail_tiles(frontier.size()) {
        let bytes =
            tail.get(&tile).and_then(|bytes| bytes.get(..length)).ok_or(MerkleError::Missing {
                level: tile.level * HEIGHT,
                index: tile.index * WIDTH,
            })?;
        open.insert(tile, bytes.to_vec());
    }
    let mut touched = BTreeSet::new();
    let mut grown = frontier.clone();
    for leaf in leaves {
        grown.push(*leaf, |level, index, hash| {
            if level % HEIGHT == 0 {
                let tile = TileId { level: level / HEIGHT, index: index / WIDTH };
                open.entry(tile).or_default().extend_from_slice(&hash.0);
                touched.insert(tile);
            }
        });
    }
    let tiles = open
        .into_iter()
        .filter(|(tile, _)| touched.contains(tile))
        .map(|(tile, bytes)| TileWrite { tile, bytes })
        .collect();
    let root = grown.root();
    Ok(Appended { frontier: grown, tiles, root })
}

/// Which tile holds what leads to the node, and which of its hashes: (tile, first, count).
fn place(level: u8, index: u64) -> (TileId, usize, usize) {
    let inside = level % HEIGHT;
    let first = index << inside;
    let tile = TileId { level: level / HEIGHT, index: first / WIDTH };
    (tile, usize::try_from(first % WIDTH).unwrap_or(usize::MAX), 1 << inside)
}

/// Reads a complete node of the tree out of its tile; `None` where the tile is too short.
fn node(level: u8, index: u64, read: &impl Fn(TileId) -> Option<Vec<u8>>) -> Option<Digest> {
    let (tile, first, count) = place(level, index);
    let bytes = read(tile)?;
    let (chunks, _) = bytes.as_chunks::<32>();
    let mut hashes: Vec<Digest> =
        chunks.get(first..first + count)?.iter().map(|chunk| Digest(*chunk)).collect();
    while hashes.len() > 1 {
        hashes = hashes.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
    }
    hashes.first().copied()
}

/// Audit path of leaf `index` in the tree of the first `size` leaves.
///
/// # Errors
/// Where the index lies outside, or a tile is missing or too short.
pub fn inclusion_proof(
    index: u64,
    size: u64,
    read: impl Fn(TileId) -> Option<Vec<u8>>,
) -> Result<Vec<Digest>, MerkleError> {
    merkle::inclusion_path(index, size, |level, index| node(level, index, &read))
}

/// Proof that the log only grew from `old` to `new` leaves.
///
/// # Errors
/// As for [`inclusion_proof`].
pub fn consistency_proof(
    old: u64,
    new: u64,
    read: impl Fn(TileId) -> Option<Vec<u8>>,
) -> Result<Vec<Digest>, MerkleError> {
    merkle::consistency_path(old, new, |level, index| node(level, index, &read))
}

/// Root of the first `size` leaves, read from tiles.
///
/// # Errors
/// Where a tile is missing or too short.
pub fn root(size: u64, read: impl Fn(TileId) -> Option<Vec<u8>>) -> Result<Digest, MerkleError> {
    merkle::root_of(size, |level, index| node(level, index, &read))
}

/// What a log of the first `size` leaves goes on from, read from the tiles that [`tiles_of_root`]
/// names.
///
/// # Errors
/// Where a tile is missing or too short.
pub fn frontier(
    size: u64,
    read: impl Fn(TileId) -> Option<Vec<u8>>,
) -> Result<Frontier, MerkleError> {
    merkle::frontier_of(size, |level, index| node(level, index, &read))
}

/// The tiles that [`inclusion_proof`] will read, so that they can be fetched beforehand.
pub fn tiles_of_inclusion(index: u64, size: u64) -> BTreeSet<TileId> {
    named(|read| merkle::inclusion_path(index, size, read).is_ok())
}

/// The tiles that [`consistency_proof`] will read.
pub fn tiles_of_consistency(old: u64, new: u64) -> BTreeSet<TileId> {
    named(|read| merkle::consistency_path(old, new, read).is_ok())
}

/// The tiles that [`root`] will read.
pub fn tiles_of_root(size: u64) -> BTreeSet<TileId> {
    named(|read| merkle::root_of(size, read).is_ok())
}

fn named(prove: impl Fn(&dyn Fn(u8, u64) -> Option<Digest>) -> bool) -> BTreeSet<TileId> {
    let tiles = RefCell::new(BTreeSet::new());
    // Any hash does: only the names of what is read are wanted.
    let proved = prove(&|level, index| {
        tiles.borrow_mut().insert(place(level, index).0);
        Some(Digest([0; 32]))
    });
    if proved { tiles.into_inner() } else { BTreeSet::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::leaf_hash;

    #[derive(Default)]
    struct Stored {
        frontier: Frontier,
        tiles: BTreeMap<TileId, Vec<u8>>,
        leaves: Vec<Digest>,
    }

    impl Stored {
        fn append(&mut self, count: u64) {
            let first = self.leaves.len() as u64;
            let batch: Vec<Digest> =
                (first..first + count).map(|number| leaf_hash(&number.to_be_bytes())).collect();
            let appended = append(&self.frontier, &self.tiles, &batch).expect("tails are stored");
            self.leaves.extend(batch);
            for write in appended.tiles {
                self.tiles.insert(write.tile, write.bytes);
            }
            self.frontier = appended.frontier;
        }

        fn read(&self, tile: TileId) -> Option<Vec<u8>> {
            self.tiles.get(&tile).cloned()
        }
    }

    #[test]
    fn paths_are_those_of_the_tiles_specification() {
        let path = |level, index, width| TileId { level, index }.path(width);
        assert_eq!(path(0, 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(path(3, 0, 256), "tile/3/000");
        assert_eq!(path(1, 5, 112), "tile/1/005.p/112");
    }

    #[test]
    fn batches_of_any_size_lead_to_the_same_tiles_and_root() {
        let mut in_one = Stored::default();
        in_one.append(70_000);
        let mut in_many = Stored::default();
        for count in [1, 254, 1, 1, 255, 512, 3, 65_000, 3_973] {
            in_many.append(count);
        }
        assert_eq!(in_many.leaves.len(), 70_000);
        assert_eq!(in_many.frontier, in_one.frontier);
        assert_eq!(in_many.tiles, in_one.tiles);
        assert_eq!(root(70_000, |tile| in_one.read(tile)), Ok(in_one.frontier.root()));
        assert_eq!(frontier(70_000, |tile| in_one.read(tile)), Ok(in_one.frontier.clone()));
        assert_eq!(frontier(0, |_| None), Ok(Frontier::default()));
        assert_eq!(in_one.tiles.keys().map(|tile| tile.level).max(), Some(2));
    }

    #[test]
    fn a_proof_reads_few_tiles_and_leads_to_the_root() {
        let mut log = Stored::default();
        log.append(70_000);
        let root = log.frontier.root();
        for index in [0, 1, 255, 256, 65_535, 65_536, 69_999] {
            let wanted = tiles_of_inclusion(index, 70_000);
            assert!(wanted.len() <= 6, "{} tiles", wanted.len());
            let path = inclusion_proof(index, 70_000, |tile| {
                assert!(wanted.contains(&tile));
                log.read(tile)
            })
            .expect("the tiles are there");
            let leaf = &log.leaves[usize::try_from(index).expect("small")];
            assert_eq!(merkle::check_inclusion(leaf, index, 70_000, &path, &root), Ok(()));
        }
        let old_root = super::root(1_000, |tile| log.read(tile)).expect("prefix");
        let path = consistency_proof(1_000, 70_000, |tile| log.read(tile)).expect("tiles");
        assert_eq!(merkle::check_consistency((1_000, &old_root), (70_000, &root), &path), Ok(()));
    }

    #[test]
    fn a_missing_or_short_tail_is_an_error_and_a_longer_one_is_cut() {
        let mut log = Stored::default();
        log.append(300);
        let good = append(&log.frontier, &log.tiles, &[leaf_hash(b"next")]).expect("tails");
        let tail = TileId { level: 0, index: 1 };
        let mut longer = log.tiles.clone();
        longer.entry(tail).or_default().extend_from_slice(&[7; 64]);
        assert_eq!(append(&log.frontier, &longer, &[leaf_hash(b"next")]).as_ref(), Ok(&good));
        let mut shorter = log.tiles.clone();
        shorter.entry(tail).or_default().truncate(32);
        assert!(append(&log.frontier, &shorter, &[]).is_err());
        shorter.remove(&tail);
        assert!(append(&log.frontier, &shorter, &[]).is_err());
    }
}
