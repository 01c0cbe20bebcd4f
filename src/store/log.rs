//! The evidence log: a Merkle tree of leaves, drained out of the outbox.
//!
//! The head row is the lock: it is taken first, so that sequencers on any number of replicas take
//! turns, and the head moves by compare-and-swap on its size. The outbox is drained, never read
//! behind a position: entries that commit late have low numbers. A crash before the commit leaves
//! outbox and log as they were; after it, the entries are in the log and gone from the outbox.
//! Checkpoints are signed by the caller over what is committed, never inside a transaction.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::{Store, Tx};
use super::error::StoreError;
use super::log_reading::{tile_args, tile_in};
use super::rows::Rows;
use super::statement::{Row, Sql, args, count, words};
use crate::domain::Digest;
use crate::evidence::leaf::is_heartbeat;
use crate::evidence::tiles::{TileId, append, tail_tiles};
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewLog {
    /// Its name in the store.
    pub log_id: String,
    /// Its name to the world, as on every checkpoint.
    pub origin: String,
    /// The Ed25519 key that signs its heads, 32 bytes.
    pub verifier_key: Option<[u8; 32]>,
    /// The released head that it follows; the first log follows none.
    pub previous: Option<ReleasedHead>,
}

/// The last head of a log that was handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleasedHead {
    /// The log's name to the world.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// Root of the tree.
    pub root: Digest,
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
    /// When it was begun.
    pub created_at: Timestamp,
    /// The key that signs its heads; unknown for logs begun before keys were kept.
    pub verifier_key: Option<[u8; 32]>,
    /// The released head that it follows.
    pub previous: Option<ReleasedHead>,
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

macro_rules! head_columns {
    ($rest:literal) => {
        concat!(
            "SELECT log_id, origin, state, size, frontier, created_at, verifier_key,
                 previous_origin, previous_size, previous_root FROM logs ",
            $rest
        )
    };
}

const CREATE: Sql = Sql::both(
    "INSERT INTO logs (log_id, origin, state, size, frontier, created_at, verifier_key,
         previous_origin, previous_size, previous_root)
     VALUES ($1, $2, 'open', 0, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (log_id) DO NOTHING",
);
const CLOSE: Sql = Sql::both(
    "UPDATE logs SET state = 'closed' WHERE log_id = $1 AND size = $2 AND state = 'open'",
);
const HEAD: Sql = Sql::both(head_columns!("WHERE log_id = $1"));
const LOGS: Sql = Sql::both(head_columns!("ORDER BY created_at, log_id"));
// The lock on the head. SQLite's one writer needs none.
const LOCK_HEAD: Sql =
    Sql::fork(head_columns!("WHERE log_id = $1"), head_columns!("WHERE log_id = $1 FOR UPDATE"));
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
// Each database takes many rows in its own way.
const LEAVES: Sql = Sql::fork(
    "INSERT INTO log_leaves (log_id, idx, entry_id, body, leaf_hash, integrated_at)
     SELECT $1, value ->> 0, unhex(value ->> 1), unhex(value ->> 2), unhex(value ->> 3), $2
     FROM json_each($3)",
    "INSERT INTO log_leaves (log_id, idx, entry_id, body, leaf_hash, integrated_at)
     SELECT $1, idx, entry_id, body, leaf_hash, $2
     FROM unnest($3::bigint[], $4::uuid[], $5::bytea[], $6::bytea[])
         AS rows (idx, entry_id, body, leaf_hash)",
);
const PUT_TILE: Sql = Sql::both(
    "INSERT INTO log_tiles (log_id, level, n, data) VALUES ($1, $2, $3, $4)
     ON CONFLICT (log_id, level, n) DO UPDATE SET data = excluded.data",
);
const MOVE_HEAD: Sql = Sql::both(
    "UPDATE logs SET size = $3, frontier = $4
     WHERE log_id = $1 AND size = $2 AND state = 'open'",
);
pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("log::CREATE", CREATE),
    ("log::CLOSE", CLOSE),
    ("log::HEAD", HEAD),
    ("log::LOGS", LOGS),
    ("log::LOCK_HEAD", LOCK_HEAD),
    ("log::WAITING", WAITING),
    ("log::DRAIN", DRAIN),
    ("log::LEAVES", LEAVES),
    ("log::PUT_TILE", PUT_TILE),
    ("log::MOVE_HEAD", MOVE_HEAD),
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
    let key: Option<Vec<u8>> = row.get("verifier_key")?;
    let column = "logs.verifier_key";
    let key = key.map(<[u8; 32]>::try_from).transpose();
    let previous: Option<String> = row.get("previous_origin")?;
    Ok(Head {
        log_id: row.get("log_id")?,
        origin: row.get("origin")?,
        state: row.word("state", LogState::parse)?,
        size: frontier.size(),
        root: frontier.root(),
        created_at: row.instant("created_at")?,
        verifier_key: key.map_err(|_| StoreError::Corrupt { column })?,
        previous: match previous {
            None => None,
            Some(origin) => Some(ReleasedHead {
                origin,
                size: row.whole("previous_size")?,
                root: row.digest("previous_root")?,
            }),
        },
    })
}

pub(super) const TOO_LARGE: &str = "a log so large";

/// What is about to be appended.
struct Waiting {
    /// Entries with their bodies, in the order in which they will stand.
    entries: Vec<(Uuid, Vec<u8>)>,
    /// The highest number among them.
    last_number: i64,
}

/// Reads the oldest entries of the outbox and gives them their order. A heartbeat ends the batch
/// and stays last: whoever counts its producer's leaves before it must come to its number.
async fn waiting(
    tx: &mut Tx,
    limit: u32,
    shuffle: &mut (dyn FnMut(&mut [Uuid]) + Send),
) -> Result<Waiting, StoreError> {
    let (mut order, mut bodies, mut last_number) = (Vec::new(), BTreeMap::new(), 0);
    let mut heartbeat = None;
    for row in tx.read(WAITING, args![limit]).await? {
        last_number = row.get("id")?;
        let entry_id: Uuid = row.get("entry_id")?;
        let body: Vec<u8> = row.get("body")?;
        if is_heartbeat(&body) {
            heartbeat = Some((entry_id, body));
            break;
        }
        order.push(entry_id);
        bodies.insert(entry_id, body);
    }
    shuffle(&mut order);
    let mut entries = Vec::with_capacity(order.len() + 1);
    for entry_id in order {
        // A shuffle that loses or doubles an entry must not get through.
        let body = bodies.remove(&entry_id).ok_or_else(|| StoreError::Refused {
            what: "a batch whose shuffle changed its entries".to_owned(),
        })?;
        entries.push((entry_id, body));
    }
    entries.extend(heartbeat);
    Ok(Waiting { entries, last_number })
}

async fn tails(
    tx: &mut Tx,
    log_id: &str,
    size: u64,
) -> Result<BTreeMap<TileId, Vec<u8>>, StoreError> {
    let mut tails = BTreeMap::new();
    for (tile, _) in tail_tiles(size) {
        if let Some(bytes) = tile_in(tx, log_id, tile).await? {
            tails.insert(tile, bytes);
        }
    }
    Ok(tails)
}

/// A log whose head this transaction has locked.
pub(super) struct LockedLog {
    /// Its name in the store.
    pub(super) log_id: String,
    /// Whether it grows.
    pub(super) state: LogState,
    /// What it holds.
    pub(super) frontier: Frontier,
}

impl LockedLog {
    /// Takes the lock; `None` where there is no such log.
    pub(super) async fn take(tx: &mut Tx, log_id: &str) -> Result<Option<Self>, StoreError> {
        let Some(row) = tx.read_one(LOCK_HEAD, args![log_id]).await? else { return Ok(None) };
        let state = row.word("state", LogState::parse)?;
        Ok(Some(Self { log_id: log_id.to_owned(), state, frontier: frontier(&row)? }))
    }

    /// Appends leaves in this order, and moves the head over them.
    pub(super) async fn append(
        &mut self,
        tx: &mut Tx,
        entries: Vec<(Uuid, Vec<u8>)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let log_id = self.log_id.as_str();
        let old = self.frontier.size();
        let hashes: Vec<Digest> = entries.iter().map(|(_, body)| merkle::leaf_hash(body)).collect();
        let tail = tails(tx, log_id, old).await?;
        let appended = append(&self.frontier, &tail, &hashes)
            .map_err(|_| StoreError::Corrupt { column: "log_tiles.data" })?;
        let mut rows = Rows::default();
        for (index, ((entry_id, body), hash)) in (old..).zip(entries.into_iter().zip(hashes)) {
            rows.push(args![count(index, TOO_LARGE)?, entry_id, body, hash])?;
            if let Some(rows) = rows.take_if_full() {
                tx.execute(LEAVES, args![log_id, now, rows]).await?;
            }
        }
        if let Some(rows) = rows.take() {
            tx.execute(LEAVES, args![log_id, now, rows]).await?;
        }
        for write in &appended.tiles {
            let mut values = tile_args(log_id, write.tile)?;
            values.extend(args![write.bytes.clone()]);
            tx.execute(PUT_TILE, values).await?;
        }
        let values = args![
            log_id,
            count(old, TOO_LARGE)?,
            count(appended.frontier.size(), TOO_LARGE)?,
            appended.frontier.to_bytes(),
        ];
        if tx.execute(MOVE_HEAD, values).await? != 1 {
            return Err(StoreError::Conflict { law: "one head a log".to_owned() });
        }
        self.frontier = appended.frontier;
        Ok(())
    }

    /// Closes it for ever at its present size.
    pub(super) async fn close(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let size = count(self.frontier.size(), TOO_LARGE)?;
        if tx.execute(CLOSE, args![self.log_id.as_str(), size]).await? == 1 {
            return Ok(());
        }
        Err(StoreError::Conflict { law: "a closed log does not grow".to_owned() })
    }
}

/// Begins a log; `false` where there is one of this name.
pub(super) async fn create(tx: &mut Tx, log: &NewLog, now: Timestamp) -> Result<bool, StoreError> {
    let empty = Frontier::default().to_bytes();
    let previous = log.previous.as_ref();
    let size = previous.map(|head| count(head.size, TOO_LARGE)).transpose()?;
    let values = args![
        log.log_id.as_str(),
        log.origin.as_str(),
        empty,
        now,
        log.verifier_key.map(|key| key.to_vec()),
        previous.map(|head| head.origin.as_str()),
        size,
        previous.map(|head| head.root.0.to_vec()),
    ];
    Ok(tx.execute(CREATE, values).await? == 1)
}

impl Store {
    /// Begins a log; does nothing where there is one of this name.
    ///
    /// # Errors
    /// `Conflict` where another log is open.
    pub async fn create_log(&self, log: NewLog, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin_durable().await?;
        create(&mut tx, &log, now).await?;
        tx.commit().await
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
        let mut tx = self.begin_durable().await?;
        let Some(mut log) = LockedLog::take(&mut tx, log_id).await? else {
            return Err(StoreError::Conflict { law: "leaves need a log".to_owned() });
        };
        if log.state == LogState::Closed {
            return Err(StoreError::Conflict { law: "a closed log does not grow".to_owned() });
        }
        let Waiting { entries, last_number } =
            waiting(&mut tx, limit.clamp(1, 10_000), shuffle).await?;
        if entries.is_empty() {
            tx.rollback().await?;
            return Ok(None);
        }
        let first = log.frontier.size();
        log.append(&mut tx, entries, now).await?;
        let leaves = log.frontier.size() - first;
        let drained =
            tx.execute(DRAIN, args![last_number, log_id, count(first, TOO_LARGE)?]).await?;
        if drained != leaves {
            return Err(StoreError::Conflict { law: "an entry is in one log only".to_owned() });
        }
        tx.commit().await?;
        let (size, root) = (log.frontier.size(), log.frontier.root());
        Ok(Some(SequencedBatch { first, leaves, size, root }))
    }
}
