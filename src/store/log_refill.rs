//! Putting leaves back that the log had and the store has lost, for instance because an earlier
//! copy of the database was put back.
//!
//! The caller has checked that the leaves lead to the head that was signed last; here every batch
//! is compared with the root that it must lead to before it is committed. Entries that still wait
//! in the outbox of the earlier copy and are among the leaves leave it: an entry is in one log only.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::{Store, Tx};
use super::error::StoreError;
use super::log::{self, LockedLog, LogState, NewLog};
use super::producers;
use super::statement::{Sql, args};
use crate::domain::Digest;
use crate::evidence::merkle;

/// A leaf to put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefilledLeaf {
    /// Its exact bytes.
    pub body: Vec<u8>,
    /// The digest of the detail that it names, if any.
    pub detail: Option<Digest>,
    /// Who wrote it, if it says so.
    pub producer: Option<String>,
    /// The entry that it becomes where the store knows none of these bytes.
    pub entry_id: Uuid,
}

/// Leaves to put back into one log, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refill {
    /// The log; it is begun where the store does not have it.
    pub log: NewLog,
    /// Size of the log before.
    pub from: u64,
    /// At most 10000.
    pub leaves: Vec<RefilledLeaf>,
    /// Root of the log with these leaves.
    pub root: Digest,
    /// Whether the log ends with them.
    pub ends: bool,
}

const ENTRY_OF_DETAIL: Sql =
    Sql::both("SELECT entry_id FROM evidence_details WHERE detail_sha256 = $1");
const ENTRY_OF_LEAF: Sql = Sql::both("SELECT entry_id FROM re_erasure_leaves WHERE leaf_hash = $1");
// Only leaves without a detail are looked for like this, and they are few.
const ENTRY_OF_BODY: Sql = Sql::both("SELECT entry_id FROM evidence_outbox WHERE body = $1");
const TAKE: Sql = Sql::both("DELETE FROM evidence_outbox WHERE entry_id = $1");

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("log_refill::ENTRY_OF_DETAIL", ENTRY_OF_DETAIL),
    ("log_refill::ENTRY_OF_LEAF", ENTRY_OF_LEAF),
    ("log_refill::ENTRY_OF_BODY", ENTRY_OF_BODY),
    ("log_refill::TAKE", TAKE),
];

/// The entry that a leaf was, where the store knows it.
async fn entry_of(tx: &mut Tx, leaf: &RefilledLeaf) -> Result<Option<Uuid>, StoreError> {
    let row = match leaf.detail {
        Some(detail) => tx.read_one(ENTRY_OF_DETAIL, args![detail]).await?,
        None => match tx.read_one(ENTRY_OF_LEAF, args![merkle::leaf_hash(&leaf.body)]).await? {
            None => tx.read_one(ENTRY_OF_BODY, args![leaf.body.clone()]).await?,
            row => row,
        },
    };
    row.map(|row| row.get("entry_id")).transpose()
}

impl Store {
    /// Puts leaves back; how many of them still waited in the outbox.
    ///
    /// # Errors
    /// `Conflict`, with nothing written, where the log has grown or is closed; `Refused` where the
    /// leaves lead to another root.
    pub async fn refill(&self, refill: Refill, now: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.begin_durable().await?;
        log::create(&mut tx, &refill.log, now).await?;
        let locked = LockedLog::take(&mut tx, &refill.log.log_id).await?;
        let fits =
            |log: &LockedLog| log.state == LogState::Open && log.frontier.size() == refill.from;
        let Some(mut locked) = locked.filter(fits) else {
            return Err(StoreError::Conflict { law: "leaves follow the last one".to_owned() });
        };
        let (mut entries, mut known) = (Vec::with_capacity(refill.leaves.len()), Vec::new());
        let mut lost: BTreeMap<String, u64> = BTreeMap::new();
        for leaf in refill.leaves {
            let entry_id = entry_of(&mut tx, &leaf).await?;
            known.extend(entry_id);
            if let Some(producer) = leaf.producer.filter(|_| entry_id.is_none()) {
                *lost.entry(producer).or_default() += 1;
            }
            entries.push((entry_id.unwrap_or(leaf.entry_id), leaf.body));
        }
        if !entries.is_empty() {
            locked.append(&mut tx, entries, now).await?;
        }
        if locked.frontier.root() != refill.root {
            tx.rollback().await?;
            return Err(StoreError::Refused {
                what: "leaves that do not lead to the signed head".to_owned(),
            });
        }
        let mut taken = 0;
        for entry_id in known {
            taken += tx.execute(TAKE, args![entry_id]).await?;
        }
        // Numbers go on behind what was lost, so that no heartbeat counts too few.
        for (producer, many) in lost {
            producers::count_again(&mut tx, &producer, many).await?;
        }
        if refill.ends {
            locked.close(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(taken)
    }
}
