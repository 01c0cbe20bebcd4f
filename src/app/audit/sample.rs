//! A drawn sample: each leaf proven to be in the log, and opened or shown as destroyed.

use serde::Serialize;
use uuid::Uuid;

use crate::app::keys::newest;
use crate::app::{AppError, Quietus};
use crate::domain::Digest;
use crate::evidence::leaf::read_leaf;
use crate::evidence::origin::short_name;
use crate::evidence::{merkle, sample, tiles};
use crate::store::{Checkpoint, Leaf};

/// Leaves that one sample has at most.
pub const LARGEST_SAMPLE: u64 = 10_000;

/// A drawn sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// The log.
    pub log: String,
    /// Size of the signed head that was drawn from.
    pub size: u64,
    /// Root of that head.
    pub root: Digest,
    /// What was drawn with.
    pub seed: Digest,
    /// In the order in which they were drawn.
    pub leaves: Vec<SampledLeaf>,
}

/// One drawn leaf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SampledLeaf {
    /// Its index.
    pub index: u64,
    /// Hash of the leaf.
    pub leaf_hash: Digest,
    /// Whether it is in the log by its inclusion proof.
    pub proven: bool,
    /// What it is about.
    pub kind: String,
    /// What stands behind it.
    #[serde(flatten)]
    pub opened: Opened,
}

/// What stands behind a leaf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum Opened {
    /// The detail, whose SHA-256 stands in the leaf.
    Opened {
        /// Its exact text.
        detail: String,
    },
    /// The detail was destroyed.
    Shredded {
        /// When.
        at: jiff::Timestamp,
    },
    /// Nobody can read it any more: the key of its month is gone.
    Closed,
    /// A certificate.
    Certificate {
        /// Its identifier.
        id: Uuid,
    },
    /// A status list, of which only the newest is kept.
    StatusList {
        /// Its name.
        name: String,
    },
    /// The store has nothing behind it: a fault, except for leaves that were put back.
    Missing,
    /// The store has something else behind it.
    Other,
}

impl Opened {
    /// Whether an auditor has what the leaf promises.
    pub fn is_fine(&self) -> bool {
        !matches!(self, Self::Closed | Self::Missing | Self::Other)
    }
}

impl Quietus {
    /// Draws a sample of a log's published leaves and opens each. Without a name the log is the one
    /// in use.
    ///
    /// # Errors
    /// Where there is no such log or nothing is published of it.
    pub async fn sample_log(
        &self,
        log: Option<&str>,
        seed: Digest,
        count: u64,
    ) -> Result<Sample, AppError> {
        let logs = self.store.logs().await?;
        let found = match log {
            None => newest(&logs),
            Some(name) => {
                logs.iter().find(|log| log.origin == name || short_name(&log.origin) == name)
            }
        };
        let missing =
            || AppError::Input("there is no such log: see `quietus log status`".to_owned());
        let log = found.ok_or_else(missing)?;
        let head = self.store.latest_checkpoint(&log.log_id).await?;
        let head =
            head.ok_or_else(|| AppError::Input("nothing of this log is published yet".to_owned()))?;
        let count = count.clamp(1, LARGEST_SAMPLE);
        let mut leaves = Vec::new();
        for index in sample::draw(&seed, &log.origin, head.size, count) {
            leaves.push(self.sampled(&head, index).await?);
        }
        Ok(Sample { log: log.origin.clone(), size: head.size, root: head.root, seed, leaves })
    }

    async fn sampled(&self, head: &Checkpoint, index: u64) -> Result<SampledLeaf, AppError> {
        let gone = || AppError::Unreadable {
            what: "the evidence log",
            why: format!("entry {index} is missing"),
        };
        let leaf = self.store.leaves(&head.log_id, index, 1).await?.pop();
        let leaf = leaf.filter(|leaf| leaf.index == index).ok_or_else(gone)?;
        let leaf_hash = merkle::leaf_hash(&leaf.body);
        let proven = self.is_proven(head, &leaf).await?;
        let kind = read_leaf(&leaf.body)
            .map_or("certificate".to_owned(), |leaf| leaf.kind.as_str().to_owned());
        let opened = self.opened(&leaf).await?;
        let is_list = matches!(opened, Opened::StatusList { .. });
        let kind = if is_list { "status list".to_owned() } else { kind };
        Ok(SampledLeaf { index, leaf_hash, proven, kind, opened })
    }

    /// Whether the leaf is in the log by its inclusion proof.
    pub(super) async fn is_proven(&self, head: &Checkpoint, leaf: &Leaf) -> Result<bool, AppError> {
        let needed = tiles::tiles_of_inclusion(leaf.index, head.size);
        let stored = self.store.tiles(&head.log_id, &needed).await?;
        let path = tiles::inclusion_proof(leaf.index, head.size, |tile| stored.get(&tile).cloned());
        let hash = merkle::leaf_hash(&leaf.body);
        Ok(path.is_ok_and(|path| {
            merkle::check_inclusion(&hash, leaf.index, head.size, &path, &head.root).is_ok()
        }))
    }

    async fn opened(&self, leaf: &Leaf) -> Result<Opened, AppError> {
        let Some(read) = read_leaf(&leaf.body) else {
            if let Some(id) = self.store.certificate_of_entry(leaf.entry_id).await? {
                return Ok(Opened::Certificate { id });
            }
            let list = self.store.status_list_of_entry(leaf.entry_id).await?;
            return Ok(list.map_or(Opened::Missing, |name| Opened::StatusList { name }));
        };
        let Some(detail) = self.store.detail(read.spec.detail_sha256).await? else {
            return Ok(Opened::Missing);
        };
        if let Some(at) = detail.shredded_at {
            return Ok(Opened::Shredded { at });
        }
        let Some(text) = self.open_detail(&detail)? else { return Ok(Opened::Closed) };
        if Digest::of(text.as_bytes()) != read.spec.detail_sha256 {
            return Ok(Opened::Other);
        }
        Ok(Opened::Opened { detail: text })
    }
}
