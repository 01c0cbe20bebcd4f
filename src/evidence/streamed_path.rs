//! Root and audit path of a tree whose leaves pass by once, in order: manifests have millions of
//! entries, and nobody keeps the inner nodes of their trees.

use super::merkle::{self, Frontier, MerkleError};
use crate::domain::Digest;

/// What is kept while the leaves pass by: a few hundred hashes.
#[derive(Debug, Clone)]
pub struct StreamedPath {
    size: u64,
    at: u64,
    leaf: Option<Digest>,
    index: u64,
    /// Leaves that each hash of the path stands for, from the leaf upwards.
    ranges: Vec<std::ops::Range<u64>>,
    fronts: Vec<Frontier>,
}

impl StreamedPath {
    /// For the leaf `index` of `size` leaves.
    ///
    /// # Errors
    /// Where it lies outside.
    pub fn new(index: u64, size: u64) -> Result<Self, MerkleError> {
        let ranges = ranges(index, size)?;
        let fronts = vec![Frontier::default(); ranges.len()];
        Ok(Self { size, at: 0, leaf: None, index, ranges, fronts })
    }

    /// The next leaf.
    pub fn push(&mut self, leaf: Digest) {
        if self.at == self.index {
            self.leaf = Some(leaf);
        }
        let found = self.ranges.iter().position(|range| range.contains(&self.at));
        if let Some(front) = found.and_then(|range| self.fronts.get_mut(range)) {
            front.push(leaf, |_, _, _| ());
        }
        self.at += 1;
    }

    /// The root of the tree and the path to it.
    ///
    /// # Errors
    /// Where other than all leaves have passed by.
    pub fn finish(self) -> Result<(Digest, Vec<Digest>), MerkleError> {
        let outside = MerkleError::OutOfRange { asked: self.at, size: self.size };
        let leaf = self.leaf.filter(|_| self.at == self.size).ok_or(outside)?;
        let path: Vec<Digest> = self.fronts.iter().map(Frontier::root).collect();
        let root = merkle::root_from_inclusion(&leaf, self.index, self.size, &path)?;
        Ok((root, path))
    }
}

/// The leaves that each hash of an audit path stands for, from the leaf upwards.
fn ranges(index: u64, size: u64) -> Result<Vec<std::ops::Range<u64>>, MerkleError> {
    if index >= size {
        return Err(MerkleError::OutOfRange { asked: index, size });
    }
    let (mut low, mut high, mut ranges) = (0, size, Vec::new());
    while high - low > 1 {
        let middle = low + ((high - low).next_power_of_two() >> 1);
        if index < middle {
            ranges.push(middle..high);
            high = middle;
        } else {
            ranges.push(low..middle);
            low = middle;
        }
    }
    ranges.reverse();
    Ok(ranges)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evidence::merkle::inclusion_path;

    /// The same by nodes that can be read, as the log has them.
    fn by_nodes(leaves: &[Digest], index: u64) -> Vec<Digest> {
        let mut nodes = std::collections::BTreeMap::new();
        let mut frontier = Frontier::default();
        for leaf in leaves {
            frontier.push(*leaf, |level, at, hash| {
                nodes.insert((level, at), *hash);
            });
        }
        let read = |level: u8, at: u64| nodes.get(&(level, at)).copied();
        inclusion_path(index, leaves.len() as u64, read).unwrap_or_default()
    }

    fn leaves(size: u64) -> Vec<Digest> {
        (0..size).map(|number| merkle::leaf_hash(&number.to_be_bytes())).collect()
    }

    proptest! {
        #[test]
        fn it_is_the_path_that_nodes_give(size in 1..300_u64, at in any::<u64>()) {
            let (leaves, index) = (leaves(size), at % size);
            let mut path = StreamedPath::new(index, size).unwrap();
            let mut whole = Frontier::default();
            for leaf in &leaves {
                path.push(*leaf);
                whole.push(*leaf, |_, _, _| ());
            }
            let (root, path) = path.finish().unwrap();
            prop_assert_eq!(root, whole.root());
            prop_assert_eq!(path, by_nodes(&leaves, index));
        }
    }

    #[test]
    fn nothing_comes_of_too_few_leaves_or_too_many() {
        assert!(StreamedPath::new(3, 3).is_err());
        for pushed in [0, 2, 4] {
            let mut path = StreamedPath::new(1, 3).unwrap();
            for leaf in leaves(pushed) {
                path.push(leaf);
            }
            assert!(path.finish().is_err(), "{pushed}");
        }
    }
}
