//! Whether a restic repository keeps data that no snapshot needs.
//!
//! `forget` takes a snapshot out of the list and leaves its data where it is; `prune` removes the
//! data, and by default not all of it. What there is stands in the indexes, and what snapshots need
//! is counted by restic itself. Only reading is needed, and no lock.

use std::collections::{BTreeSet, HashSet};

use serde::Deserialize;

use super::restic::{Restic, is_id};
use crate::receipt::Fault;

/// Indexes that are read, one command each. `restic prune` brings them together.
const MOST_INDEXES: usize = 2_000;

/// Identifiers of the files that say what there is, as they are at one moment.
#[derive(PartialEq, Eq)]
struct Files {
    snapshots: BTreeSet<String>,
    indexes: BTreeSet<String>,
    packs: BTreeSet<String>,
}

/// What `restic cat index` says.
#[derive(Deserialize)]
struct Index {
    packs: Vec<Pack>,
}

#[derive(Deserialize)]
struct Pack {
    id: String,
    blobs: Vec<Blob>,
}

#[derive(Deserialize)]
struct Blob {
    id: String,
    #[serde(rename = "type")]
    kind: String,
}

/// What `restic stats --mode=raw-data` says of all snapshots.
#[derive(Deserialize)]
struct Needed {
    snapshots_count: usize,
    /// Left out where there is none.
    #[serde(default)]
    total_blob_count: usize,
}

impl Restic {
    /// As [`BackupStore::remains`](super::BackupStore::remains).
    pub(super) async fn data_left(&self) -> Result<Option<String>, Fault> {
        let before = self.files().await?;
        if before.indexes.len() > MOST_INDEXES {
            return Ok(Some(format!(
                "the repository has more than {MOST_INDEXES} indexes, too many to see whether it \
                 keeps data of forgotten snapshots: run `restic prune --max-unused 0`"
            )));
        }
        let (mut packs, mut blobs) = (BTreeSet::new(), HashSet::new());
        for index in &before.indexes {
            let ended = self.read(&["cat", "index", index]).await?;
            let index: Index = self.tool.read(&ended.output)?;
            for pack in index.packs {
                packs.insert(pack.id);
                blobs.extend(pack.blobs.into_iter().map(|blob| (blob.kind, blob.id)));
            }
        }
        let ended = self.read(&["stats", "--mode=raw-data", "--json"]).await?;
        let needed: Needed = self.tool.read(&ended.output)?;
        // What was added meanwhile would be counted on one side only.
        let (is_still, counted) = (self.files().await? == before, needed.total_blob_count);
        if !is_still || needed.snapshots_count != before.snapshots.len() || counted > blobs.len() {
            return Err(self.tool.transient(
                "the repository was changed while somebody looked whether it keeps data of \
                 forgotten snapshots",
            ));
        }
        if before.packs.is_subset(&packs) && counted == blobs.len() {
            return Ok(None);
        }
        Ok(Some(
            "the repository keeps data that no snapshot needs, of forgotten ones or of a run that \
             is under way or was cut short: run `restic prune --max-unused 0` after each `restic \
             forget`"
                .to_owned(),
        ))
    }

    async fn files(&self) -> Result<Files, Fault> {
        Ok(Files {
            snapshots: self.identifiers("snapshots").await?,
            indexes: self.identifiers("index").await?,
            packs: self.identifiers("packs").await?,
        })
    }

    async fn identifiers(&self, of: &str) -> Result<BTreeSet<String>, Fault> {
        let listed = self.read(&["list", of]).await?;
        let listed = String::from_utf8_lossy(&listed.output).into_owned();
        let lines = listed.lines().map(str::trim).filter(|line| !line.is_empty());
        let identifiers: BTreeSet<String> = lines.map(str::to_owned).collect();
        if identifiers.iter().all(|id| is_id(id)) {
            return Ok(identifiers);
        }
        Err(self
            .tool
            .rejected(&format!("`restic list {of}` answers with something else than identifiers")))
    }
}
