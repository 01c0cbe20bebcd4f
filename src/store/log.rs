//! The evidence log: a Merkle tree of leaves, drained out of the outbox.
//!
//! The head row is the lock: it is taken first, so that sequencers on any number of replicas take
//! turns, and the head moves by compare-and-swap on its size. The outbox is drained, never read
//! behind a position: entries that commit late have low numbers. A crash before the commit leaves
//! outbox and log as they were; after it, the entries are in the log and gone from the outbox.
//! Checkpoints are signed by the caller over what is committed, never inside a transaction.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::{Store, Tx};
use super::error::StoreError;
use super::statement::{Row, Sql, args, count, words};
use crate::domain::Digest;
use crate::evidence::tiles::{Appended, TileId, append, tail_tiles};
use crate::evidence::{Frontier, merkle};

words! {
    /// Whether a log grows.
    LogState {
        /// It grows.
        Open = "open",
        /// It is closed for ever.
        Closed = "closed",
    }
}

/// A log to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLog {
    /// Its name in the store.
    pub log_id: String,
    /// Its name to the world, as on every checkpoint.
    pub origin: String,
}

/// The head of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The log.
    pub log_id: String,
    /// Its name to the world.
    pub origin: String,
    /// Whether it grows.
    pub state: LogState,
    /// Number of leaves.
    pub size: u64,
    /// Root of the tree.
    pub root: Digest,
}

/// What one turn of the sequencer appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequencedBatch {
    /// Index of the first new leaf.
    pub first: u64,
    /// How many leaves are new.
    pub leaves: u64,
    /// Size of the log now.
    pub size: u64,
    /// Root of the log now.
    pub root: Digest,
}

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

const CREATE: Sql = Sql::both(
    "INSERT INTO logs (log_id, origin, state, size, frontier, created_at)
     VALUES ($1, $2, 'open', 0, $3, $4)
     ON CONFLICT (log_id) DO NOTHING",
);
const CLOSE: Sql = Sql::both(
    "UPDATE logs SET state = 'closed' WHERE log_id = $1 AND size = $2 AND state = 'open'",
);
const HEAD: Sql =
    Sql::both("SELECT log_id, origin, state, size, frontier FROM logs WHERE log_id = $1");
const LOGS: Sql =
    Sql::both("SELECT log_id, origin, state, size, frontier FROM logs ORDER BY created_at, log_id");
// The lock on the head. SQLite's one writer needs none.
const LOCK_HEAD: Sql = Sql::fork(
    "SELECT log_id, origin, state, size, frontier FROM logs WHERE log_id = $1",
    "SELECT log_id, origin, state, size, frontier FROM logs WHERE log_id = $1 FOR UPDATE",
);
// What another log's sequencer is just taking is passed over; SQLite has one writer.
const WAITING: Sql = Sql::fork(
    "SELECT id, entry_id, body FROM evidence_outbox ORDER BY id LIMIT $1",
    "SELECT id, entry_id, body FROM evidence_outbox ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED",
);
// After the leaves are written: a trigger lets no entry go that is in no log.
const DRAIN: Sql = Sql::both(
    "DELETE FROM evidence_outbox
     WHERE id <= $1
       AND EXISTS (SELECT 1 FROM log_leaves
           WHERE log_leaves.entry_id = evidence_outbox.entry_id AND log_leaves.log_id = $2
             AND log_leaves.idx >= $3)",
);
const LEAF: Sql = Sql::both(
    "INSERT INTO log_leaves (log_id, idx, entry_id, body, leaf_hash, integrated_at)
     VALUES ($1, $2, $3, $4, $5, $6)",
);
const PUT_TILE: Sql = Sql::both(
    "INSERT INTO log_tiles (log_id, level, n, data) VALUES ($1, $2, $3, $4)
     ON CONFLICT (log_id, level, n) DO UPDATE SET data = excluded.data",
);
const MOVE_HEAD: Sql = Sql::both(
    "UPDATE logs SET size = $3, frontier = $4
     WHERE log_id = $1 AND size = $2 AND state = 'open'",
);
const TILE: Sql =
    Sql::both("SELECT data FROM log_tiles WHERE log_id = $1 AND level = $2 AND n = $3");
const LEAF_OF: Sql = Sql::both(
    "SELECT log_id, idx, entry_id, body, leaf_hash, integrated_at
     FROM log_leaves WHERE entry_id = $1",
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

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("log::CREATE", CREATE),
    ("log::CLOSE", CLOSE),
    ("log::HEAD", HEAD),
    ("log::LOGS", LOGS),
    ("log::LOCK_HEAD", LOCK_HEAD),
    ("log::WAITING", WAITING),
    ("log::DRAIN", DRAIN),
    ("log::LEAF", LEAF),
    ("log::PUT_TILE", PUT_TILE),
    ("log::MOVE_HEAD", MOVE_HEAD),
    ("log::TILE", TILE),
    ("log::LEAF_OF", LEAF_OF),
    ("log::LEAVES", LEAVES),
    ("log::PUT_CHECKPOINT", PUT_CHECKPOINT),
    ("log::CHECKPOINT", CHECKPOINT),
    ("log::LATEST_CHECKPOINT", LATEST_CHECKPOINT),
    ("log::COVERING_CHECKPOINT", COVERING_CHECKPOINT),
];

fn frontier(row: &Row) -> Result<Frontier, StoreError> {
    let column = "logs.frontier";
    let bytes: Vec<u8> = row.get("frontier")?;
    let frontier = Frontier::from_bytes(&bytes).map_err(|_| StoreError::Corrupt { column })?;
    if frontier.size() == row.whole("size")? {
        Ok(frontier)
    } else {
        Err(StoreError::Corrupt { column })
    }
}

fn head(row: &Row) -> Result<Head, StoreError> {
    let frontier = frontier(row)?;
    Ok(Head {
        log_id: row.get("log_id")?,
        origin: row.get("origin")?,
        state: row.word("state", LogState::parse)?,
        size: frontier.size(),
        root: frontier.root(),
    })
}

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

const TOO_LARGE: &str = "a log so large";

fn tile_args(log_id: &str, tile: TileId) -> Result<Vec<super::statement::Arg>, StoreError> {
    Ok(args![log_id, u32::from(tile.level), count(tile.index, TOO_LARGE)?])
}

/// What is about to be appended.
struct Waiting {
    /// Entries with their bodies, in the order in which they will stand.
    entries: Vec<(Uuid, Vec<u8>)>,
    /// The highest number among them.
    last_number: i64,
}

/// Reads the oldest entries of the outbox and gives them their order.
async fn waiting(
    tx: &mut Tx,
    limit: u32,
    shuffle: &mut (dyn FnMut(&mut [Uuid]) + Send),
) -> Result<Waiting, StoreError> {
    let (mut order, mut bodies, mut last_number) = (Vec::new(), BTreeMap::new(), 0);
    for row in tx.read(WAITING, args![limit]).await? {
        last_number = row.get("id")?;
        let entry_id: Uuid = row.get("entry_id")?;
        let body: Vec<u8> = row.get("body")?;
        order.push(entry_id);
        bodies.insert(entry_id, body);
    }
    shuffle(&mut order);
    let mut entries = Vec::with_capacity(order.len());
    for entry_id in order {
        // A shuffle that loses or doubles an entry must not get through.
        let body = bodies.remove(&entry_id).ok_or_else(|| StoreError::Refused {
            what: "a batch whose shuffle changed its entries".to_owned(),
        })?;
        entries.push((entry_id, body));
    }
    Ok(Waiting { entries, last_number })
}

async fn tails(
    tx: &mut Tx,
    log_id: &str,
    size: u64,
) -> Result<BTreeMap<TileId, Vec<u8>>, StoreError> {
    let mut tails = BTreeMap::new();
    for (tile, _) in tail_tiles(size) {
        if let Some(row) = tx.read_one(TILE, tile_args(log_id, tile)?).await? {
            tails.insert(tile, row.get("data")?);
        }
    }
    Ok(tails)
}

async fn write_batch(
    tx: &mut Tx,
    log_id: &str,
    old: &Frontier,
    waiting: Waiting,
    now: Timestamp,
) -> Result<Appended, StoreError> {
    let Waiting { entries, last_number } = waiting;
    let hashes: Vec<Digest> = entries.iter().map(|(_, body)| merkle::leaf_hash(body)).collect();
    let tail = tails(tx, log_id, old.size()).await?;
    let appended = append(old, &tail, &hashes)
        .map_err(|_| StoreError::Corrupt { column: "log_tiles.data" })?;
    for (index, ((entry_id, body), hash)) in (old.size()..).zip(entries.into_iter().zip(hashes)) {
        let values = args![log_id, count(index, TOO_LARGE)?, entry_id, body, hash, now];
        tx.execute(LEAF, values).await?;
    }
    let drained =
        tx.execute(DRAIN, args![last_number, log_id, count(old.size(), TOO_LARGE)?]).await?;
    if drained != appended.frontier.size() - old.size() {
        return Err(StoreError::Conflict { law: "an entry is in one log only".to_owned() });
    }
    for write in &appended.tiles {
        let mut values = tile_args(log_id, write.tile)?;
        values.extend(args![write.bytes.clone()]);
        tx.execute(PUT_TILE, values).await?;
    }
    let values = args![
        log_id,
        count(old.size(), TOO_LARGE)?,
        count(appended.frontier.size(), TOO_LARGE)?,
        appended.frontier.to_bytes(),
    ];
    if tx.execute(MOVE_HEAD, values).await? != 1 {
        return Err(StoreError::Conflict { law: "one head a log".to_owned() });
    }
    Ok(appended)
}

impl Store {
    /// Begins a log; does nothing where there is one of this name.
    pub async fn create_log(&self, log: NewLog, now: Timestamp) -> Result<(), StoreError> {
        let empty = Frontier::default().to_bytes();
        self.write(CREATE, args![log.log_id, log.origin, empty, now]).await.map(|_| ())
    }

    /// Closes a log for ever at this size; `false` where it has grown since or is closed.
    pub async fn close_log(&self, log_id: &str, size: u64) -> Result<bool, StoreError> {
        Ok(self.write(CLOSE, args![log_id, count(size, TOO_LARGE)?]).await? == 1)
    }

    /// The committed head of a log.
    pub async fn head(&self, log_id: &str) -> Result<Option<Head>, StoreError> {
        self.read_one(HEAD, args![log_id]).await?.as_ref().map(head).transpose()
    }

    /// All logs, oldest first.
    pub async fn logs(&self) -> Result<Vec<Head>, StoreError> {
        self.read(LOGS, Vec::new()).await?.iter().map(head).collect()
    }

    /// Appends what waits in the outbox, at most `limit` entries (1 to 10000), in the order that
    /// `shuffle` gives them: the place in the log must not tell which entries belong together.
    /// `None` where nothing waits.
    ///
    /// # Errors
    /// `Conflict` where there is no such log or it is closed.
    pub async fn sequence(
        &self,
        log_id: &str,
        limit: u32,
        now: Timestamp,
        shuffle: &mut (dyn FnMut(&mut [Uuid]) + Send),
    ) -> Result<Option<SequencedBatch>, StoreError> {
        let mut tx = self.begin().await?;
        let Some(row) = tx.read_one(LOCK_HEAD, args![log_id]).await? else {
            return Err(StoreError::Conflict { law: "leaves need a log".to_owned() });
        };
        if row.word("state", LogState::parse)? == LogState::Closed {
            return Err(StoreError::Conflict { law: "a closed log does not grow".to_owned() });
        }
        let old = frontier(&row)?;
        let waiting = waiting(&mut tx, limit.clamp(1, 10_000), shuffle).await?;
        if waiting.entries.is_empty() {
            tx.rollback().await?;
            return Ok(None);
        }
        let appended = write_batch(&mut tx, log_id, &old, waiting, now).await?;
        tx.commit().await?;
        Ok(Some(SequencedBatch {
            first: old.size(),
            leaves: appended.frontier.size() - old.size(),
            size: appended.frontier.size(),
            root: appended.root,
        }))
    }

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
