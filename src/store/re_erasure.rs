//! The re-erasure list: what has changed since it was written, which entries it has, and the rows
//! that an entry holds.
//!
//! Triggers note every change in its own transaction. Whoever writes the list reads what was noted,
//! reads the rows of it in one snapshot, writes files, and takes away exactly what was read: a change
//! in between stays noted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::connection::{Store, Tx};
use super::error::StoreError;
use super::re_erasure_table::Table;
use super::re_erasure_tables as tables;
use super::statement::{Row, Sql, args};

/// What an entry of the list is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ListMatter {
    /// Rules or a data map.
    Document {
        /// The first half of its digest.
        id: Uuid,
    },
    /// The instance: holds, pauses, keys in use.
    House,
    /// A case that no person asked for.
    Case {
        /// Its identifier.
        id: Uuid,
    },
    /// A person's request, with its case.
    Request {
        /// Its identifier.
        id: Uuid,
        /// Its case, once there is one.
        case: Option<Uuid>,
    },
}

impl ListMatter {
    /// The identifier of its entry.
    pub fn id(&self) -> Uuid {
        match self {
            Self::Document { id } | Self::Case { id } | Self::Request { id, .. } => *id,
            Self::House => Uuid::nil(),
        }
    }
}

/// Rows of the store, by table; and leaves of the log, by which entries are known again.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRows {
    /// Rows by table.
    pub tables: BTreeMap<String, Vec<Value>>,
    /// Leaves that wait for the log or are in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaves: Vec<ListLeaf>,
}

impl std::fmt::Debug for ListRows {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts: Vec<(&str, usize)> =
            self.tables.iter().map(|(name, rows)| (name.as_str(), rows.len())).collect();
        write!(formatter, "ListRows({counts:?}, {} leaves)", self.leaves.len())
    }
}

/// A leaf of the log, or one that waits for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListLeaf {
    /// Its entry.
    pub entry_id: Uuid,
    /// Its exact bytes, as hexadecimal digits.
    pub body: String,
    /// When it was written, in microseconds.
    pub written_at: i64,
}

const SNAPSHOT: Sql = Sql::fork(
    // SQLite has one writer, and this transaction is it.
    "UPDATE re_erasure_list SET place = place WHERE 1 = 0",
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
);
const LEAVES: Sql = Sql::both(
    "SELECT entry_id, body, created_at AS written_at FROM evidence_outbox
     WHERE entry_id IN (SELECT entry_id FROM evidence_details WHERE case_id = $1
         UNION ALL SELECT entry_id FROM certificates WHERE case_id = $1)
     UNION ALL
     SELECT entry_id, body, integrated_at AS written_at FROM log_leaves
     WHERE entry_id IN (SELECT entry_id FROM evidence_details WHERE case_id = $1
         UNION ALL SELECT entry_id FROM certificates WHERE case_id = $1)
     ORDER BY entry_id",
);
const LEAVES_OF_HOUSE: Sql = Sql::both(
    "SELECT entry_id, body, created_at AS written_at FROM evidence_outbox
     WHERE entry_id IN (SELECT entry_id FROM status_lists)
     UNION ALL
     SELECT entry_id, body, integrated_at AS written_at FROM log_leaves
     WHERE entry_id IN (SELECT entry_id FROM status_lists)
     ORDER BY entry_id",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("re_erasure::SNAPSHOT", SNAPSHOT),
    ("re_erasure::LEAVES", LEAVES),
    ("re_erasure::LEAVES_OF_HOUSE", LEAVES_OF_HOUSE),
];

/// A table that the list mirrors, for tests.
#[derive(Debug, Clone)]
pub struct Mirrored {
    /// Its name.
    pub table: &'static str,
    /// The columns that are mirrored.
    pub columns: Vec<&'static str>,
    /// The statements that read it and put its rows back.
    pub statements: Vec<Sql>,
}

/// Every table that the list mirrors.
pub fn mirrored() -> Vec<Mirrored> {
    let tables = tables::ALL.iter().copied().flatten();
    tables
        .map(|table| Mirrored {
            table: table.name,
            columns: table.columns.iter().map(|(name, _)| *name).collect(),
            statements: table.statements(),
        })
        .collect()
}

fn leaf(row: &Row) -> Result<ListLeaf, StoreError> {
    let body: Vec<u8> = row.get("body")?;
    Ok(ListLeaf {
        entry_id: row.get("entry_id")?,
        body: hex::encode(body),
        written_at: row.get("written_at")?,
    })
}

async fn read_all(
    tx: &mut Tx,
    tables: &[Table],
    owner: Uuid,
    rows: &mut ListRows,
) -> Result<(), StoreError> {
    for table in tables {
        let found = table.read(tx, owner).await?;
        if !found.is_empty() {
            rows.tables.insert(table.name.to_owned(), found);
        }
    }
    Ok(())
}

impl Store {
    /// The rows of an entry, all of one moment.
    pub async fn rows_of_matter(&self, matter: ListMatter) -> Result<ListRows, StoreError> {
        let mut tx = self.begin().await?;
        tx.execute(SNAPSHOT, Vec::new()).await?;
        let mut rows = ListRows::default();
        let case = match matter {
            ListMatter::Document { id } => {
                read_all(&mut tx, tables::OF_DOCUMENT, id, &mut rows).await?;
                None
            }
            ListMatter::House => {
                read_all(&mut tx, tables::OF_HOUSE, Uuid::nil(), &mut rows).await?;
                read_all(&mut tx, tables::OF_HOUSE_LATER, Uuid::nil(), &mut rows).await?;
                let found = tx.read(LEAVES_OF_HOUSE, Vec::new()).await?;
                rows.leaves = found.iter().map(leaf).collect::<Result<_, _>>()?;
                None
            }
            ListMatter::Case { id } => Some(id),
            ListMatter::Request { id, case } => {
                read_all(&mut tx, tables::OF_REQUEST, id, &mut rows).await?;
                case
            }
        };
        if let Some(case) = case {
            read_all(&mut tx, tables::OF_CASE, case, &mut rows).await?;
            read_all(&mut tx, tables::OF_RESTORED, case, &mut rows).await?;
            let found = tx.read(LEAVES, args![case]).await?;
            rows.leaves = found.iter().map(leaf).collect::<Result<_, _>>()?;
        }
        tx.rollback().await?;
        Ok(rows)
    }
}
