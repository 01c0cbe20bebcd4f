//! The Merkle tree of RFC 6962 (SHA-256): hashes, frontier, inclusion and consistency proofs.
//!
//! Nothing here knows where hashes are stored: proofs read complete nodes through a function.
//! Nodes are named by (level, index): the node covers the leaves `index << level` up to, not
//! including, `(index + 1) << level`, and exists once all of them do. A proof that cannot be
//! checked is refused; it is never repaired.

use sha2::{Digest as _, Sha256};

use crate::digest::Digest;

/// Why a tree, proof or stored frontier was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MerkleError {
    /// The index does not lie in the tree, or the sizes are the wrong way round.
    #[error("`{asked}` does not lie in a tree of size `{size}`")]
    OutOfRange {
        /// What was asked for.
        asked: u64,
        /// Size of the tree.
        size: u64,
    },
    /// A hash that must exist could not be read.
    #[error("the hash at level `{level}`, index `{index}` cannot be read; restore the log tiles")]
    Missing {
        /// Level of the node.
        level: u8,
        /// Index on its level.
        index: u64,
    },
    /// The proof has too few or too many hashes.
    #[error("the proof has the wrong number of hashes")]
    ProofLength,
    /// The proof leads to another root.
    #[error("the proof does not lead to the signed root")]
    RootMismatch,
    /// Stored bytes are no frontier.
    #[error("the stored frontier cannot be read; rebuild it from the log's leaves")]
    Frontier,
}

/// Root of the empty tree: SHA-256 of nothing.
pub fn empty_root() -> Digest {
    Digest::of(b"")
}

/// Hash of one leaf: `SHA-256(0x00 || body)`.
pub fn leaf_hash(body: &[u8]) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update([0x00]);
    hasher.update(body);
    Digest(hasher.finalize().into())
}

/// Hash of an inner node: `SHA-256(0x01 || left || right)`.
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update([0x01]);
    hasher.update(left.0);
    hasher.update(right.0);
    Digest(hasher.finalize().into())
}

/// What a log keeps to go on appending: the roots of its complete subtrees, largest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    hashes: Vec<Digest>,
}

impl Frontier {
    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Root of the tree (RFC 6962 section 2.1).
    pub fn root(&self) -> Digest {
        fold(&self.hashes).unwrap_or_else(empty_root)
    }

    /// Appends one leaf hash and reports every node that became complete: (level, index, hash).
    pub fn push(&mut self, leaf: Digest, mut complete: impl FnMut(u8, u64, &Digest)) {
        let mut hash = leaf;
        let mut level = 0_u8;
        let mut index = self.size;
        complete(level, index, &hash);
        while index & 1 == 1 {
            let Some(left) = self.hashes.pop() else { break };
            hash = node_hash(&left, &hash);
            level += 1;
            index >>= 1;
            complete(level, index, &hash);
        }
        self.hashes.push(hash);
        self.size += 1;
    }

    /// Size as eight big-endian bytes, then the hashes, largest subtree first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.size.to_be_bytes().to_vec();
        self.hashes.iter().for_each(|hash| bytes.extend_from_slice(&hash.0));
        bytes
    }

    /// Reads what [`Frontier::to_bytes`] wrote.
    ///
    /// # Errors
    /// Where the number of hashes does not fit the size.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MerkleError> {
        let (size, rest) = bytes.split_first_chunk::<8>().ok_or(MerkleError::Frontier)?;
        let size = u64::from_be_bytes(*size);
        let (chunks, left_over) = rest.as_chunks::<32>();
        if !left_over.is_empty() || chunks.len() as u64 != u64::from(size.count_ones()) {
            return Err(MerkleError::Frontier);
        }
        Ok(Self { size, hashes: chunks.iter().map(|chunk| Digest(*chunk)).collect() })
    }
}

/// Folds the roots of complete subtrees, largest first, into one root.
fn fold(hashes: &[Digest]) -> Option<Digest> {
    let (last, rest) = hashes.split_last()?;
    Some(rest.iter().rev().fold(*last, |right, left| node_hash(left, &right)))
}

/// The largest power of two smaller than `count`, which is at least 2.
fn split(count: u64) -> u64 {
    1 << (u64::BITS - 1 - (count - 1).leading_zeros())
}

/// Roots of the complete subtrees that the leaves `low..high` fall into, largest first; `low` is
/// aligned as every left edge in a tree is.
fn range_parts(
    low: u64,
    high: u64,
    read: &impl Fn(u8, u64) -> Option<Digest>,
) -> Result<Vec<Digest>, MerkleError> {
    let mut parts = Vec::new();
    let mut from = low;
    while from < high {
        let remaining = high - from;
        let level = u8::try_from(remaining.ilog2()).unwrap_or(63);
        let index = from >> level;
        parts.push(read(level, index).ok_or(MerkleError::Missing { level, index })?);
        from += 1 << level;
    }
    Ok(parts)
}

/// Root of the leaves `low..high`.
fn range_root(
    low: u64,
    high: u64,
    read: &impl Fn(u8, u64) -> Option<Digest>,
) -> Result<Digest, MerkleError> {
    Ok(fold(&range_parts(low, high, read)?).unwrap_or_else(empty_root))
}

/// What a log of the first `size` leaves goes on from.
///
/// # Errors
/// Where a node cannot be read.
pub fn frontier_of(
    size: u64,
    read: impl Fn(u8, u64) -> Option<Digest>,
) -> Result<Frontier, MerkleError> {
    Ok(Frontier { size, hashes: range_parts(0, size, &read)? })
}

/// Root of the first `size` leaves.
///
/// # Errors
/// Where a node cannot be read.
pub fn root_of(size: u64, read: impl Fn(u8, u64) -> Option<Digest>) -> Result<Digest, MerkleError> {
    range_root(0, size, &read)
}

/// Audit path of leaf `index` in the tree of the first `size` leaves, from the leaf upwards.
///
/// # Errors
/// Where the index lies outside, or a node cannot be read.
pub fn inclusion_path(
    index: u64,
    size: u64,
    read: impl Fn(u8, u64) -> Option<Digest>,
) -> Result<Vec<Digest>, MerkleError> {
    if index >= size {
        return Err(MerkleError::OutOfRange { asked: index, size });
    }
    let (mut low, mut high, mut path) = (0, size, Vec::new());
    while high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            path.push(range_root(middle, high, &read)?);
            high = middle;
        } else {
            path.push(range_root(low, middle, &read)?);
            low = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// Proof that the tree of `old` leaves is a prefix of the tree of `new` leaves.
///
/// # Errors
/// Where `old` is greater than `new`, or a node cannot be read.
pub fn consistency_path(
    old: u64,
    new: u64,
    read: impl Fn(u8, u64) -> Option<Digest>,
) -> Result<Vec<Digest>, MerkleError> {
    if old > new {
        return Err(MerkleError::OutOfRange { asked: old, size: new });
    }
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let (mut low, mut high, mut whole, mut path) = (0, new, true, Vec::new());
    while high != old {
        let middle = low + split(high - low);
        if old <= middle {
            path.push(range_root(middle, high, &read)?);
            high = middle;
        } else {
            path.push(range_root(low, middle, &read)?);
            low = middle;
            whole = false;
        }
    }
    if !whole {
        path.push(range_root(low, high, &read)?);
    }
    path.reverse();
    Ok(path)
}

/// The root that an audit path leads to (RFC 9162 section 2.1.3.2).
///
/// # Errors
/// Where the index lies outside the tree, or the path has the wrong length.
pub fn root_from_inclusion(
    leaf: &Digest,
    index: u64,
    size: u64,
    path: &[Digest],
) -> Result<Digest, MerkleError> {
    if index >= size {
        return Err(MerkleError::OutOfRange { asked: index, size });
    }
    let (mut node, mut last, mut root) = (index, size - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return Err(MerkleError::ProofLength);
        }
        if node & 1 == 1 || node == last {
            root = node_hash(sibling, &root);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            root = node_hash(&root, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 { Ok(root) } else { Err(MerkleError::ProofLength) }
}

/// Checks an audit path against a root.
///
/// # Errors
/// Where it does not lead there.
pub fn check_inclusion(
    leaf: &Digest,
    index: u64,
    size: u64,
    path: &[Digest],
    root: &Digest,
) -> Result<(), MerkleError> {
    if root_from_inclusion(leaf, index, size, path)? == *root {
        Ok(())
    } else {
        Err(MerkleError::RootMismatch)
    }
}

/// Checks that a tree only grew (RFC 9162 section 2.1.4.2).
///
/// # Errors
/// Where the proof does not connect both roots.
pub fn check_consistency(
    (old, old_root): (u64, &Digest),
    (new, new_root): (u64, &Digest),
    path: &[Digest],
) -> Result<(), MerkleError> {
    if old > new {
        return Err(MerkleError::OutOfRange { asked: old, size: new });
    }
    if old == 0 || old == new {
        let roots_fit = if old == 0 { *old_root == empty_root() } else { old_root == new_root };
        return match (path.is_empty(), roots_fit) {
            (false, _) => Err(MerkleError::ProofLength),
            (true, false) => Err(MerkleError::RootMismatch),
            (true, true) => Ok(()),
        };
    }
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let whole = old.is_power_of_two();
    let (first, rest) = if whole {
        (*old_root, path)
    } else {
        let (first, rest) = path.split_first().ok_or(MerkleError::ProofLength)?;
        (*first, rest)
    };
    let (mut from_old, mut from_new) = (first, first);
    for sibling in rest {
        if last == 0 {
            return Err(MerkleError::ProofLength);
        }
        if node & 1 == 1 || node == last {
            from_old = node_hash(sibling, &from_old);
            from_new = node_hash(sibling, &from_new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node_hash(&from_new, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(MerkleError::ProofLength);
    }
    if from_old == *old_root && from_new == *new_root {
        Ok(())
    } else {
        Err(MerkleError::RootMismatch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The eight leaves that the Certificate Transparency reference code tests with.
    fn reference_leaves() -> Vec<Vec<u8>> {
        [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ]
        .iter()
        .map(|text| hex::decode(text).expect("hexadecimal digits"))
        .collect()
    }

    #[test]
    fn roots_are_those_of_the_reference_implementation() {
        let expected = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut frontier = Frontier::default();
        assert_eq!(
            frontier.root().to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        for (leaf, root) in reference_leaves().iter().zip(expected) {
            frontier.push(leaf_hash(leaf), |_, _, _| ());
            assert_eq!(frontier.root().to_string(), root);
        }
    }

    #[test]
    fn a_frontier_survives_its_bytes_and_refuses_others() {
        let mut frontier = Frontier::default();
        for number in 0..77_u8 {
            frontier.push(leaf_hash(&[number]), |_, _, _| ());
            let bytes = frontier.to_bytes();
            assert_eq!(Frontier::from_bytes(&bytes), Ok(frontier.clone()));
            assert_eq!(Frontier::from_bytes(&bytes[..bytes.len() - 1]), Err(MerkleError::Frontier));
        }
        let mut too_small = frontier.to_bytes();
        too_small[7] = 1;
        assert_eq!(Frontier::from_bytes(&too_small), Err(MerkleError::Frontier));
    }

    #[test]
    fn proofs_of_the_wrong_length_are_refused() {
        let leaf = leaf_hash(b"one");
        assert_eq!(root_from_inclusion(&leaf, 0, 1, &[leaf]), Err(MerkleError::ProofLength));
        assert_eq!(root_from_inclusion(&leaf, 0, 2, &[]), Err(MerkleError::ProofLength));
        assert_eq!(
            root_from_inclusion(&leaf, 2, 2, &[leaf]),
            Err(MerkleError::OutOfRange { asked: 2, size: 2 })
        );
        assert_eq!(
            check_consistency((0, &empty_root()), (1, &leaf), &[leaf]),
            Err(MerkleError::ProofLength)
        );
        assert_eq!(check_consistency((3, &leaf), (5, &leaf), &[]), Err(MerkleError::ProofLength));
    }
}
