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
    /// In every log, every checkpoint's root is the one of the leaves before it and no leaf is
    /// missing; nothing waits to be logged.
    pub async fn check_log(&self) {
        let logs = self.store_rows("SELECT log_id FROM logs ORDER BY logs.created_at").await;
        assert!(!logs.is_empty());
        for log in &logs {
            self.check_one_log(log).await;
        }
        let waiting = self.store_rows("SELECT CAST(COUNT(*) AS TEXT) FROM evidence_outbox").await;
        assert_eq!(waiting, ["0"], "everything that was said is in the log");
    }

    /// Checks one log; also one with leaves that no checkpoint covers is an error.
    async fn check_one_log(&self, log: &str) {
        let leaves = self.leaves_of(log).await;
        let checkpoints = self.checkpoints_of(log).await;
        assert!(!checkpoints.is_empty());
        for (size, expected) in &checkpoints {
            assert_eq!(root(&leaves[..*size]), *expected, "checkpoint of size {size} of {log}");
        }
        let last = checkpoints.last().unwrap().0;
        assert_eq!(last, leaves.len(), "the last checkpoint covers every leaf of {log}");
    }

    fn hexadecimal(&self, column: &str) -> String {
        if self.store.is_some() {
            format!("encode({column}, 'hex')")
        } else {
            format!("lower(hex({column}))")
        }
    }

    /// The bodies of a log's leaves, in their order.
    pub async fn leaves_of(&self, log: &str) -> Vec<Vec<u8>> {
        let body = self.hexadecimal("body");
        let leaves = self
            .store_rows(&format!(
                "SELECT CAST(idx AS TEXT), {body} FROM log_leaves WHERE log_id = '{log}'
                 ORDER BY log_leaves.idx"
            ))
            .await;
        leaves
            .iter()
            .enumerate()
            .map(|(number, row)| {
                let (index, body) = row.split_once('|').unwrap();
                assert_eq!(index, number.to_string(), "a leaf is missing");
                unhex(body)
            })
            .collect()
    }

    /// Size and root of a log's checkpoints, smallest first.
    pub async fn checkpoints_of(&self, log: &str) -> Vec<(usize, Vec<u8>)> {
        let rows = self
            .store_rows(&format!(
                "SELECT CAST(size AS TEXT), {} FROM log_checkpoints WHERE log_id = '{log}'
                 ORDER BY log_checkpoints.size",
                self.hexadecimal("root")
            ))
            .await;
        let read = |row: &String| {
            let (size, root) = row.split_once('|').unwrap();
            (size.parse().unwrap(), unhex(root))
        };
        rows.iter().map(read).collect()
    }

    /// Whether the log begins with the leaves that had this root.
    pub async fn continues(&self, log: &str, size: usize, expected: &[u8]) -> bool {
        let leaves = self.leaves_of(log).await;
        leaves.len() >= size && root(&leaves[..size]) == expected
    }
}
