//! Bringing the rows of entries back into a store that has lost them.
//!
//! Everything can be repeated: what is there already stays as it is. The log is not touched; leaves
//! wait in the outbox until it is filled up, which takes those out that it has.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::connection::{Store, Tx};
use super::error::StoreError;
use super::holds;
use super::producers;
use super::re_erasure::{ListLeaf, ListMatter, ListRows};
use super::re_erasure_table::Table;
use super::re_erasure_tables as tables;
use super::statement::{Sql, args};
use crate::evidence::leaf::read_leaf;
use crate::evidence::merkle;

/// What was brought back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Brought {
    /// Entries of which something was missing or older.
    pub matters: u64,
    /// Rows that were added or brought forward.
    pub rows: u64,
}

const HAS_LEAF: Sql = Sql::both(
    "SELECT entry_id FROM log_leaves WHERE entry_id = $1
     UNION ALL SELECT entry_id FROM evidence_outbox WHERE entry_id = $1",
);
const WAIT: Sql =
    Sql::both("INSERT INTO evidence_outbox (entry_id, body, created_at) VALUES ($1, $2, $3)");

const KNOW_AGAIN: Sql = Sql::both(
    "INSERT INTO re_erasure_leaves (leaf_hash, entry_id) VALUES ($1, $2)
     ON CONFLICT (leaf_hash) DO NOTHING",
);
const FORGET_LEAVES: Sql = Sql::both("DELETE FROM re_erasure_leaves");

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("re_erasure_bring::HAS_LEAF", HAS_LEAF),
    ("re_erasure_bring::WAIT", WAIT),
    ("re_erasure_bring::KNOW_AGAIN", KNOW_AGAIN),
    ("re_erasure_bring::FORGET_LEAVES", FORGET_LEAVES),
];

async fn put_back(
    tx: &mut Tx,
    tables: &[Table],
    owner: Uuid,
    rows: &ListRows,
) -> Result<u64, StoreError> {
    let mut changed = 0;
    for table in tables {
        let own = rows.tables.get(table.name).map_or(&[][..], Vec::as_slice);
        changed += table.put_back(tx, owner, own).await?;
    }
    Ok(changed)
}

/// Has leaves wait that the store knows nothing of; their numbers count as given, as if they had
/// always waited here.
async fn wait_again(tx: &mut Tx, leaves: &[ListLeaf]) -> Result<(), StoreError> {
    let unreadable = || StoreError::Refused { what: "a leaf that is no hexadecimal".to_owned() };
    let mut numbered: BTreeMap<String, u64> = BTreeMap::new();
    for leaf in leaves {
        if tx.read_one(HAS_LEAF, args![leaf.entry_id]).await?.is_some() {
            continue;
        }
        let body = hex::decode(&leaf.body).map_err(|_| unreadable())?;
        if let Some(read) = read_leaf(&body) {
            *numbered.entry(read.spec.producer).or_default() += 1;
        } else {
            // A certificate's leaf names no detail by which its entry is found.
            let values = args![merkle::leaf_hash(&body), leaf.entry_id];
            tx.execute(KNOW_AGAIN, values).await?;
        }
        tx.execute(WAIT, args![leaf.entry_id, body, leaf.written_at]).await?;
    }
    for (producer, many) in numbered {
        producers::count_again(tx, &producer, many).await?;
    }
    Ok(())
}

impl Store {
    /// Brings back what is about the instance and speaks of no case; holds and pauses count as new
    /// for whoever is at work.
    ///
    /// # Errors
    /// `Conflict`, with nothing written, where the store has something that cannot become this.
    pub async fn bring_back_house(&self, rows: &ListRows) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let changed = put_back(&mut tx, tables::OF_HOUSE, Uuid::nil(), rows).await?;
        wait_again(&mut tx, &rows.leaves).await?;
        for version in ["holds", "pauses"] {
            holds::count_up(&mut tx, version).await?;
        }
        tx.commit().await?;
        Ok(changed)
    }

    /// Brings back restores, once their cases are there.
    ///
    /// # Errors
    /// As [`Self::bring_back_house`].
    pub async fn bring_back_restores(&self, rows: &ListRows) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let changed = put_back(&mut tx, tables::OF_HOUSE_LATER, Uuid::nil(), rows).await?;
        tx.commit().await?;
        Ok(changed)
    }

    /// Brings back entries, in one transaction.
    ///
    /// # Errors
    /// As [`Self::bring_back_house`].
    pub async fn bring_back(
        &self,
        entries: &[(ListMatter, ListRows)],
    ) -> Result<Brought, StoreError> {
        let mut tx = self.begin().await?;
        let mut brought = Brought::default();
        for (matter, rows) in entries {
            let (case, request) = match *matter {
                ListMatter::Document { id } => {
                    let changed = put_back(&mut tx, tables::OF_DOCUMENT, id, rows).await?;
                    brought.rows += changed;
                    brought.matters += u64::from(changed > 0);
                    continue;
                }
                ListMatter::House => continue,
                ListMatter::Case { id } => (Some(id), None),
                ListMatter::Request { id, case } => (case, Some(id)),
            };
            let mut changed = 0;
            if let Some(case) = case {
                changed += put_back(&mut tx, tables::OF_CASE, case, rows).await?;
                wait_again(&mut tx, &rows.leaves).await?;
            }
            if let Some(request) = request {
                changed += put_back(&mut tx, tables::OF_REQUEST, request, rows).await?;
            }
            brought.rows += changed;
            brought.matters += u64::from(changed > 0);
        }
        tx.commit().await?;
        Ok(brought)
    }

    /// Brings back which jobs belong to restores, once all of both are there.
    ///
    /// # Errors
    /// As [`Self::bring_back_house`].
    pub async fn bring_back_restored(
        &self,
        entries: &[(ListMatter, ListRows)],
    ) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let mut changed = 0;
        for (matter, rows) in entries {
            let (ListMatter::Case { id: case } | ListMatter::Request { case: Some(case), .. }) =
                *matter
            else {
                continue;
            };
            changed += put_back(&mut tx, tables::OF_RESTORED, case, rows).await?;
        }
        tx.commit().await?;
        Ok(changed)
    }

    /// Forgets by what leaves are known again, once they are in the log.
    pub async fn forget_re_erasure_leaves(&self) -> Result<(), StoreError> {
        self.write(FORGET_LEAVES, Vec::new()).await.map(drop)
    }
}
