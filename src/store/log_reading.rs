//! What the log holds: leaves, tiles and signed heads. Signed heads are written here too, by the
//! caller and never inside a transaction of the sequencer.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::{Store, Tx};
use super::error::StoreError;
use super::log::TOO_LARGE;
use super::statement::{Arg, Row, Sql, args, count};
use crate::domain::Digest;
use crate::evidence::leaf::LEAF_BYTES;
use crate::evidence::tiles::TileId;

/// A leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// The log.
    pub log_id: String,
    /// Its index, from 0.
    pub index: u64,
    /// The entry.
    pub entry_id: Uuid,
    /// Its exact bytes.
    pub body: Vec<u8>,
    /// `SHA-256(0x00 || body)`.
    pub leaf_hash: Digest,
    /// When it was appended.
    pub integrated_at: Timestamp,
}

/// A stored tile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Which tile.
    pub tile: TileId,
    /// 32 to 8192 bytes.
    pub bytes: Vec<u8>,
}

/// A signed head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log.
    pub log_id: String,
    /// Number of leaves.
    pub size: u64,
    /// Root of the tree.
    pub root: Digest,
    /// The signed note.
    pub note: Vec<u8>,
    /// When it was signed.
    pub signed_at: Timestamp,
}

const TILE: Sql =
    Sql::both("SELECT data FROM log_tiles WHERE log_id = $1 AND level = $2 AND n = $3");
const LEAF_OF: Sql = Sql::both(
    "SELECT log_id, idx, entry_id, body, leaf_hash, integrated_at
     FROM log_leaves WHERE entry_id = $1",
);
const LEAVES_OF_CASE: Sql = Sql::both(
    "SELECT log_id, idx, entry_id, body, leaf_hash, integrated_at FROM log_leaves
     WHERE entry_id IN (SELECT entry_id FROM evidence_details WHERE case_id = $1)",
);
const LEAVES: Sql = Sql::both(
    "SELECT log_id, idx, entry_id, body, leaf_hash, integrated_at
     FROM log_leaves WHERE log_id = $1 AND idx >= $2 ORDER BY idx LIMIT $3",
);
const PUT_CHECKPOINT: Sql = Sql::both(
    "INSERT INTO log_checkpoints (log_id, size, root, note, signed_at)
     SELECT log_id, CAST($2 AS BIGINT), $3, $4, CAST($5 AS BIGINT)
     FROM logs WHERE log_id = $1 AND size >= $2
     ON CONFLICT (log_id, size) DO NOTHING",
);
const CHECKPOINT: Sql = Sql::both(
    "SELECT log_id, size, root, note, signed_at FROM log_checkpoints
     WHERE log_id = $1 AND size = $2",
);
const LATEST_CHECKPOINT: Sql = Sql::both(
    "SELECT log_id, size, root, note, signed_at FROM log_checkpoints
     WHERE log_id = $1 ORDER BY size DESC LIMIT 1",
);
const COVERING_CHECKPOINT: Sql = Sql::both(
    "SELECT log_id, size, root, note, signed_at FROM log_checkpoints
     WHERE log_id = $1 AND size > $2 ORDER BY size LIMIT 1",
);

const CHECKPOINTS: Sql = Sql::both(
    "SELECT log_id, size, root, note, signed_at FROM log_checkpoints
     WHERE log_id = $1 AND size > $2 ORDER BY size LIMIT $3",
);
// Leaves of evidence are of one length, which those of certificates are not.
const ORPHANS: Sql = Sql::both(
    "SELECT
         (SELECT count(*) FROM log_leaves WHERE log_id = $1 AND length(body) <> $2
             AND NOT EXISTS (SELECT 1 FROM certificates
                 WHERE certificates.entry_id = log_leaves.entry_id)
             AND NOT EXISTS (SELECT 1 FROM status_list_issues
                 WHERE status_list_issues.entry_id = log_leaves.entry_id)) AS certificates,
         (SELECT count(*) FROM log_leaves WHERE log_id = $1 AND length(body) = $2
             AND NOT EXISTS (SELECT 1 FROM evidence_details
                 WHERE evidence_details.entry_id = log_leaves.entry_id)) AS details",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("log_reading::TILE", TILE),
    ("log_reading::LEAF_OF", LEAF_OF),
    ("log_reading::LEAVES_OF_CASE", LEAVES_OF_CASE),
    ("log_reading::LEAVES", LEAVES),
    ("log_reading::PUT_CHECKPOINT", PUT_CHECKPOINT),
    ("log_reading::CHECKPOINT", CHECKPOINT),
    ("log_reading::LATEST_CHECKPOINT", LATEST_CHECKPOINT),
    ("log_reading::COVERING_CHECKPOINT", COVERING_CHECKPOINT),
    ("log_reading::CHECKPOINTS", CHECKPOINTS),
    ("log_reading::ORPHANS", ORPHANS),
];

fn leaf(row: &Row) -> Result<Leaf, StoreError> {
    Ok(Leaf {
        log_id: row.get("log_id")?,
        index: row.whole("idx")?,
        entry_id: row.get("entry_id")?,
        body: row.get("body")?,
        leaf_hash: row.digest("leaf_hash")?,
        integrated_at: row.instant("integrated_at")?,
    })
}

fn checkpoint(row: &Row) -> Result<Checkpoint, StoreError> {
    Ok(Checkpoint {
        log_id: row.get("log_id")?,
        size: row.whole("size")?,
        root: row.digest("root")?,
        note: row.get("note")?,
        signed_at: row.instant("signed_at")?,
    })
}

/// Which tile, as the statements take it.
pub(super) fn tile_args(log_id: &str, tile: TileId) -> Result<Vec<Arg>, StoreError> {
    Ok(args![log_id, u32::from(tile.level), count(tile.index, TOO_LARGE)?])
}

/// The bytes of a tile, within a transaction.
pub(super) async fn tile_in(
    tx: &mut Tx,
    log_id: &str,
    tile: TileId,
) -> Result<Option<Vec<u8>>, StoreError> {
    let row = tx.read_one(TILE, tile_args(log_id, tile)?).await?;
    row.map(|row| row.get("data")).transpose()
}

impl Store {
    /// Keeps a signed head. The first one of a size stays.
    ///
    /// # Errors
    /// `Conflict` where the log is not that large, or another root was signed at that size: that
    /// would be a fork.
    pub async fn store_checkpoint(&self, checkpoint: Checkpoint) -> Result<(), StoreError> {
        let size = count(checkpoint.size, TOO_LARGE)?;
        let log_id = checkpoint.log_id.as_str();
        let values = args![log_id, size, checkpoint.root, checkpoint.note, checkpoint.signed_at];
        if self.write(PUT_CHECKPOINT, values).await? == 1 {
            return Ok(());
        }
        match self.checkpoint_at(log_id, checkpoint.size).await? {
            Some(kept) if kept.root == checkpoint.root => Ok(()),
            Some(_) => Err(StoreError::Conflict { law: "one root a size".to_owned() }),
            None => Err(StoreError::Conflict { law: "a checkpoint needs its leaves".to_owned() }),
        }
    }

    /// The checkpoint at exactly this size.
    pub async fn checkpoint_at(
        &self,
        log_id: &str,
        size: u64,
    ) -> Result<Option<Checkpoint>, StoreError> {
        let values = args![log_id, count(size, TOO_LARGE)?];
        self.read_one(CHECKPOINT, values).await?.as_ref().map(checkpoint).transpose()
    }

    /// The largest checkpoint of a log.
    pub async fn latest_checkpoint(&self, log_id: &str) -> Result<Option<Checkpoint>, StoreError> {
        self.read_one(LATEST_CHECKPOINT, args![log_id]).await?.as_ref().map(checkpoint).transpose()
    }

    /// Checkpoints of a log, the smallest first, after this size; at most 10000.
    pub async fn checkpoints(
        &self,
        log_id: &str,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Checkpoint>, StoreError> {
        let after = after.map_or(Ok(-1), |size| count(size, TOO_LARGE))?;
        let values = args![log_id, after, limit.min(10_000)];
        self.read(CHECKPOINTS, values).await?.iter().map(checkpoint).collect()
    }

    /// How many leaves of signed statements belong to no certificate and no status list, and how many
    /// of evidence have no detail.
    pub async fn orphaned_leaves(&self, log_id: &str) -> Result<(u64, u64), StoreError> {
        let length = i64::try_from(LEAF_BYTES).unwrap_or(i64::MAX);
        let row = self.read_one(ORPHANS, args![log_id, length]).await?;
        let row = row.ok_or(StoreError::Corrupt { column: "log_leaves" })?;
        Ok((row.whole("certificates")?, row.whole("details")?))
    }

    /// The smallest checkpoint that covers the leaf with this index.
    pub async fn checkpoint_covering(
        &self,
        log_id: &str,
        index: u64,
    ) -> Result<Option<Checkpoint>, StoreError> {
        let values = args![log_id, count(index, TOO_LARGE)?];
        self.read_one(COVERING_CHECKPOINT, values).await?.as_ref().map(checkpoint).transpose()
    }

    /// The leaf of an entry; `None` while it waits in the outbox.
    pub async fn leaf_of(&self, entry_id: Uuid) -> Result<Option<Leaf>, StoreError> {
        self.read_one(LEAF_OF, args![entry_id]).await?.as_ref().map(leaf).transpose()
    }

    /// The leaves of everything that is on record about a case and has a place in a log, in no order.
    pub async fn leaves_of_case(&self, case: Uuid) -> Result<Vec<Leaf>, StoreError> {
        self.read(LEAVES_OF_CASE, args![case]).await?.iter().map(leaf).collect()
    }

    /// Leaves from this index on; at most 10000.
    pub async fn leaves(
        &self,
        log_id: &str,
        from: u64,
        limit: u32,
    ) -> Result<Vec<Leaf>, StoreError> {
        let values = args![log_id, count(from, TOO_LARGE)?, limit.min(10_000)];
        self.read(LEAVES, values).await?.iter().map(leaf).collect()
    }

    /// A tile as it is now; an earlier, shorter one is its prefix.
    pub async fn tile(&self, log_id: &str, tile: TileId) -> Result<Option<Tile>, StoreError> {
        let Some(row) = self.read_one(TILE, tile_args(log_id, tile)?).await? else {
            return Ok(None);
        };
        Ok(Some(Tile { tile, bytes: row.get("data")? }))
    }

    /// The tiles that a proof reads; those that are not stored are missing.
    pub async fn tiles(
        &self,
        log_id: &str,
        tiles: &BTreeSet<TileId>,
    ) -> Result<BTreeMap<TileId, Vec<u8>>, StoreError> {
        let mut found = BTreeMap::new();
        for tile in tiles {
            if let Some(Tile { bytes, .. }) = self.tile(log_id, *tile).await? {
                found.insert(*tile, bytes);
            }
        }
        Ok(found)
    }
}
