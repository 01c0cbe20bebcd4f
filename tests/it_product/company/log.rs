//! The evidence log as a stranger checks it: the tree hash of RFC 6962, computed anew from what
//! the store holds.

use sha2::{Digest as _, Sha256};

use super::Company;

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn hash(parts: &[&[u8]]) -> Vec<u8> {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().to_vec()
}

/// The root of a tree over these leaves.
fn root(leaves: &[Vec<u8>]) -> Vec<u8> {
    match leaves {
        [] => hash(&[]),
        [leaf] => hash(&[&[0], leaf]),
        _ => {
            let split = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(split);
            hash(&[&[1], &root(left), &root(right)])
        }
    }
}

impl Company {
    /// Every checkpoint's root is the one of the leaves before it, no leaf is missing, and nothing
    /// waits to be logged.
    pub async fn check_log(&self) {
        let hexadecimal = |column: &str| {
            if self.store.is_some() {
                format!("encode({column}, 'hex')")
            } else {
                format!("lower(hex({column}))")
            }
        };
        let body = hexadecimal("body");
        let leaves = self
            .store_rows(&format!(
                "SELECT CAST(idx AS TEXT), {body} FROM log_leaves ORDER BY log_leaves.idx"
            ))
            .await;
        let leaves: Vec<Vec<u8>> = leaves
            .iter()
            .enumerate()
            .map(|(number, row)| {
                let (index, body) = row.split_once('|').unwrap();
                assert_eq!(index, number.to_string(), "a leaf is missing");
                unhex(body)
            })
            .collect();
        let checkpoints = self
            .store_rows(&format!(
                "SELECT CAST(size AS TEXT), {} FROM log_checkpoints ORDER BY log_checkpoints.size",
                hexadecimal("root")
            ))
            .await;
        assert!(!checkpoints.is_empty());
        for checkpoint in &checkpoints {
            let (size, expected) = checkpoint.split_once('|').unwrap();
            let size: usize = size.parse().unwrap();
            assert_eq!(root(&leaves[..size]), unhex(expected), "checkpoint of size {size}");
        }
        let last: usize = checkpoints.last().unwrap().split('|').next().unwrap().parse().unwrap();
        assert_eq!(last, leaves.len(), "the last checkpoint covers every leaf");
        let waiting = self.store_rows("SELECT CAST(COUNT(*) AS TEXT) FROM evidence_outbox").await;
        assert_eq!(waiting, ["0"], "everything that was said is in the log");
    }
}
