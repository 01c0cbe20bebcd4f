//! How far the list is written.

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::Store;
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::re_erasure::ListMatter;
use super::statement::{Row, Sql, args, count, json};
use crate::domain::{Digest, EpochName};

/// A list that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListState {
    /// Where.
    pub place: String,
    /// Number of the newest index; 0 before there is one.
    pub number: u64,
    /// Digests of the newest indices as the log has them, the latest first.
    pub indices: Vec<Digest>,
    /// The entry of evidence of the newest index, as long as its file may not have been written.
    pub unwritten: Option<Uuid>,
    /// The newest index.
    pub content: String,
    /// Files may be there that no index names.
    pub to_sweep: bool,
    /// When the newest index was written.
    pub written_at: Option<Timestamp>,
}

/// Something that was noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListChange {
    /// Which note.
    pub id: i64,
    /// What it is about.
    pub matter: ListMatter,
}

/// An entry as it was written last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEntry {
    /// Its matter's identifier.
    pub matter: Uuid,
    /// What kind of matter it is: `document`, `house`, `case` or `request`.
    pub kind: String,
    /// Its version, from 1.
    pub version: u64,
    /// Digest of its file.
    pub sha256: Digest,
    /// Digest of what is sealed in it.
    pub content: Digest,
    /// The epoch whose key wraps its key.
    pub epoch: EpochName,
}

impl ListEntry {
    /// Which of the 256 parts of the index names it.
    pub fn shard(&self) -> u8 {
        self.matter.as_bytes()[15]
    }
}

/// A part of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// Which of the 256.
    pub shard: u8,
    /// The index for which its file was written; 0 before there is one.
    pub number: u64,
    /// Digest of its file.
    pub sha256: Option<Digest>,
    /// An entry of it has changed since.
    pub changed: bool,
}

/// An index that is about to be written.
#[derive(Debug, Clone)]
pub struct WrittenIndex {
    /// Its number.
    pub number: u64,
    /// The index itself.
    pub content: String,
    /// Parts that were written for it, with their digests.
    pub shards: Vec<(u8, Digest)>,
    /// Files that it no longer names.
    pub leftovers: Vec<String>,
    /// The entry of evidence that commits to it.
    pub evidence: OutboxEntry,
}

/// Digests of indices that are remembered.
const MOST_INDICES: usize = 64;

const LIST: Sql = Sql::both(
    "SELECT place, number, indices, unwritten, content, written_at, to_sweep FROM re_erasure_list
     ORDER BY place LIMIT 1",
);
const END: &[Sql] = &[
    Sql::both("DELETE FROM re_erasure_list"),
    Sql::both("DELETE FROM re_erasure_changes"),
    Sql::both("DELETE FROM re_erasure_entries"),
    Sql::both("DELETE FROM re_erasure_shards"),
    Sql::both("DELETE FROM re_erasure_leftovers"),
];
const BEGIN: Sql = Sql::both(
    "INSERT INTO re_erasure_list (place, since, number, indices, content)
     VALUES ($1, $2, $3, $4, '')",
);
const NOTE_CASES: Sql =
    Sql::both("INSERT INTO re_erasure_changes (case_id) SELECT id FROM cases ORDER BY created_at");
const NOTE_REQUESTS: Sql = Sql::both(
    "INSERT INTO re_erasure_changes (request_id) SELECT id FROM requests WHERE case_id IS NULL",
);
const NOTE_DOCUMENTS: Sql = Sql::fork(
    "INSERT INTO re_erasure_changes (document) SELECT substr(digest, 1, 16) FROM documents",
    "INSERT INTO re_erasure_changes (document)
     SELECT encode(substring(digest FROM 1 FOR 16), 'hex')::uuid FROM documents",
);
const NOTE_HOUSE: Sql = Sql::both("INSERT INTO re_erasure_changes (case_id) VALUES (NULL)");
const CHANGES: Sql = Sql::both(
    "SELECT noted.id AS note, document, COALESCE(request_id, asked.id) AS request,
         COALESCE(noted.case_id, brought.case_id) AS about_case
     FROM re_erasure_changes AS noted
         LEFT JOIN requests AS asked ON asked.case_id = noted.case_id
         LEFT JOIN requests AS brought ON brought.id = noted.request_id
     ORDER BY noted.id LIMIT $1",
);
const WAITING: Sql = Sql::both("SELECT COUNT(*) AS many FROM re_erasure_changes");
const FORGET_NOTE: Sql = Sql::both("DELETE FROM re_erasure_changes WHERE id = $1");
const ENTRY: Sql = Sql::both(
    "SELECT matter, kind, version, sha256, content, epoch FROM re_erasure_entries WHERE matter = $1",
);
const OF_SHARD: Sql = Sql::both(
    "SELECT matter, kind, version, sha256, content, epoch FROM re_erasure_entries WHERE shard = $1
     ORDER BY matter",
);
const COUNT: Sql = Sql::both("SELECT COUNT(*) AS many FROM re_erasure_entries");
const EVENTS: Sql = Sql::both("SELECT COUNT(*) AS many FROM events");
const KEEP_ENTRY: Sql = Sql::both(
    "INSERT INTO re_erasure_entries (matter, kind, shard, version, sha256, content, epoch)
     VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT (matter) DO UPDATE SET version = excluded.version, sha256 = excluded.sha256,
         content = excluded.content, epoch = excluded.epoch
     WHERE re_erasure_entries.version < excluded.version",
);
const DROP_ENTRY: Sql = Sql::both("DELETE FROM re_erasure_entries WHERE matter = $1");
const TOUCH_SHARD: Sql = Sql::both(
    "INSERT INTO re_erasure_shards (shard, number, changed) VALUES ($1, 0, 1)
     ON CONFLICT (shard) DO UPDATE SET changed = 1",
);
const LEAVE_OVER: Sql =
    Sql::both("INSERT INTO re_erasure_leftovers (name) VALUES ($1) ON CONFLICT (name) DO NOTHING");
const SHARDS: Sql =
    Sql::both("SELECT shard, number, sha256, changed FROM re_erasure_shards ORDER BY shard");
const KEEP_SHARD: Sql = Sql::both(
    "INSERT INTO re_erasure_shards (shard, number, sha256, changed) VALUES ($1, $2, $3, 0)
     ON CONFLICT (shard) DO UPDATE SET number = excluded.number, sha256 = excluded.sha256,
         changed = 0",
);
const KEEP_INDEX: Sql = Sql::both(
    "UPDATE re_erasure_list SET number = $1, indices = $2, unwritten = $3, content = $5
     WHERE number = $4 AND unwritten IS NULL",
);
const INDEX_WRITTEN: Sql =
    Sql::both("UPDATE re_erasure_list SET unwritten = NULL, written_at = $2 WHERE unwritten = $1");
const LEFTOVERS: Sql = Sql::both("SELECT name FROM re_erasure_leftovers ORDER BY name LIMIT $1");
const REMOVED: Sql = Sql::both("DELETE FROM re_erasure_leftovers WHERE name = $1");
const TO_SWEEP: Sql = Sql::both("UPDATE re_erasure_list SET to_sweep = $1");
const NOTE_EPOCH: Sql = Sql::both(
    "INSERT INTO re_erasure_changes (case_id, request_id, document)
     SELECT CASE WHEN kind = 'case' THEN matter END, CASE WHEN kind = 'request' THEN matter END,
         CASE WHEN kind = 'document' THEN matter END
     FROM re_erasure_entries WHERE epoch = $1",
);
const DETAIL_OF: Sql = Sql::both("SELECT detail_sha256 FROM evidence_details WHERE entry_id = $1");

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("re_erasure_state::LIST", LIST),
    ("re_erasure_state::BEGIN", BEGIN),
    ("re_erasure_state::NOTE_CASES", NOTE_CASES),
    ("re_erasure_state::NOTE_REQUESTS", NOTE_REQUESTS),
    ("re_erasure_state::NOTE_DOCUMENTS", NOTE_DOCUMENTS),
    ("re_erasure_state::NOTE_HOUSE", NOTE_HOUSE),
    ("re_erasure_state::CHANGES", CHANGES),
    ("re_erasure_state::WAITING", WAITING),
    ("re_erasure_state::FORGET_NOTE", FORGET_NOTE),
    ("re_erasure_state::ENTRY", ENTRY),
    ("re_erasure_state::OF_SHARD", OF_SHARD),
    ("re_erasure_state::COUNT", COUNT),
    ("re_erasure_state::EVENTS", EVENTS),
    ("re_erasure_state::KEEP_ENTRY", KEEP_ENTRY),
    ("re_erasure_state::DROP_ENTRY", DROP_ENTRY),
    ("re_erasure_state::TOUCH_SHARD", TOUCH_SHARD),
    ("re_erasure_state::LEAVE_OVER", LEAVE_OVER),
    ("re_erasure_state::SHARDS", SHARDS),
    ("re_erasure_state::KEEP_SHARD", KEEP_SHARD),
    ("re_erasure_state::KEEP_INDEX", KEEP_INDEX),
    ("re_erasure_state::INDEX_WRITTEN", INDEX_WRITTEN),
    ("re_erasure_state::LEFTOVERS", LEFTOVERS),
    ("re_erasure_state::REMOVED", REMOVED),
    ("re_erasure_state::TO_SWEEP", TO_SWEEP),
    ("re_erasure_state::NOTE_EPOCH", NOTE_EPOCH),
    ("re_erasure_state::DETAIL_OF", DETAIL_OF),
];

fn entry(row: &Row) -> Result<ListEntry, StoreError> {
    Ok(ListEntry {
        matter: row.get("matter")?,
        kind: row.get("kind")?,
        version: row.whole("version")?,
        sha256: row.digest("sha256")?,
        content: row.digest("content")?,
        epoch: row.word("epoch", EpochName::parse)?,
    })
}

fn change(row: &Row) -> Result<ListChange, StoreError> {
    let (document, request, case): (Option<Uuid>, Option<Uuid>, Option<Uuid>) =
        (row.get("document")?, row.get("request")?, row.get("about_case")?);
    let matter = match (document, request, case) {
        (Some(id), _, _) => ListMatter::Document { id },
        (None, Some(id), case) => ListMatter::Request { id, case },
        (None, None, Some(id)) => ListMatter::Case { id },
        (None, None, None) => ListMatter::House,
    };
    Ok(ListChange { id: row.get("note")?, matter })
}

fn shard(row: &Row) -> Result<Shard, StoreError> {
    let bytes: Option<Vec<u8>> = row.get("sha256")?;
    let corrupt = || StoreError::Corrupt { column: "sha256" };
    let digest = |bytes: Vec<u8>| bytes.try_into().map(Digest).map_err(|_| corrupt());
    let number = row.whole("shard")?;
    Ok(Shard {
        shard: u8::try_from(number).map_err(|_| StoreError::Corrupt { column: "shard" })?,
        number: row.whole("number")?,
        sha256: bytes.map(digest).transpose()?,
        changed: row.whole("changed")? == 1,
    })
}

impl Store {
    /// The list that is kept, if any.
    pub async fn re_erasure_list(&self) -> Result<Option<ListState>, StoreError> {
        let Some(row) = self.read_one(LIST, Vec::new()).await? else { return Ok(None) };
        let indices: Vec<Digest> = row.json("indices")?;
        Ok(Some(ListState {
            place: row.get("place")?,
            number: row.whole("number")?,
            indices,
            unwritten: row.get("unwritten")?,
            content: row.get("content")?,
            to_sweep: row.whole("to_sweep")? == 1,
            written_at: row.maybe_instant("written_at")?,
        }))
    }

    /// Begins a list at a place, after an index that is there already (0 for none). Everything that
    /// is on record is noted as changed. Another list is no longer kept.
    pub async fn begin_re_erasure_list(
        &self,
        place: &str,
        after: u64,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for sql in END {
            tx.execute(*sql, Vec::new()).await?;
        }
        let values = args![place, now, count(after, "an index")?, "[]"];
        tx.execute(BEGIN, values).await?;
        for sql in [NOTE_DOCUMENTS, NOTE_HOUSE, NOTE_CASES, NOTE_REQUESTS] {
            tx.execute(sql, Vec::new()).await?;
        }
        tx.commit().await
    }

    /// No list is kept any more.
    pub async fn end_re_erasure_list(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for sql in END {
            tx.execute(*sql, Vec::new()).await?;
        }
        tx.commit().await
    }

    /// What was noted first and is not in the list yet; at most `limit`.
    pub async fn re_erasure_changes(&self, limit: u32) -> Result<Vec<ListChange>, StoreError> {
        self.read(CHANGES, args![limit]).await?.iter().map(change).collect()
    }

    /// How many notes wait.
    pub async fn re_erasure_waiting(&self) -> Result<u64, StoreError> {
        self.many(WAITING).await
    }

    /// How many entries the list has.
    pub async fn re_erasure_count(&self) -> Result<u64, StoreError> {
        self.many(COUNT).await
    }

    /// How many business events are on record.
    pub async fn events_on_record(&self) -> Result<u64, StoreError> {
        self.many(EVENTS).await
    }

    async fn many(&self, sql: Sql) -> Result<u64, StoreError> {
        let row = self.read_one(sql, Vec::new()).await?;
        row.map_or(Ok(0), |row| row.whole("many"))
    }

    /// An entry as it was written last.
    pub async fn re_erasure_entry(&self, matter: Uuid) -> Result<Option<ListEntry>, StoreError> {
        self.read_one(ENTRY, args![matter]).await?.as_ref().map(entry).transpose()
    }

    /// The entries that a part of the index names.
    pub async fn re_erasure_entries_of(&self, shard: u8) -> Result<Vec<ListEntry>, StoreError> {
        self.read(OF_SHARD, args![u32::from(shard)]).await?.iter().map(entry).collect()
    }

    /// Notes all entries whose keys an epoch wraps as changed; how many.
    pub async fn note_re_erasure_epoch(&self, epoch: &EpochName) -> Result<u64, StoreError> {
        self.write(NOTE_EPOCH, args![epoch.as_str()]).await
    }

    /// Notes whether files may be there that no index names.
    pub async fn set_re_erasure_to_sweep(&self, to_sweep: bool) -> Result<(), StoreError> {
        self.write(TO_SWEEP, args![u32::from(to_sweep)]).await.map(drop)
    }

    /// Notes entries that were written, what they leave over, and takes away the notes that led to
    /// them.
    ///
    /// # Errors
    /// `Busy`, with nothing changed, where another process has written one of them meanwhile.
    pub async fn keep_re_erasure_entries(
        &self,
        entries: Vec<ListEntry>,
        gone: Vec<ListEntry>,
        leftovers: Vec<String>,
        notes: Vec<i64>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for entry in gone {
            if tx.execute(DROP_ENTRY, args![entry.matter]).await? > 0 {
                tx.execute(TOUCH_SHARD, args![u32::from(entry.shard())]).await?;
            }
        }
        for entry in entries {
            let shard = u32::from(entry.shard());
            let version = count(entry.version, "a version")?;
            let epoch = entry.epoch.as_str().to_owned();
            let values =
                args![entry.matter, entry.kind, shard, version, entry.sha256, entry.content, epoch];
            // Two processes read and write at once: what the slower one has read may be older.
            if tx.execute(KEEP_ENTRY, values).await? != 1 {
                tx.rollback().await?;
                return Err(StoreError::Busy { code: "re-erasure list".to_owned() });
            }
            tx.execute(TOUCH_SHARD, args![shard]).await?;
        }
        for name in leftovers {
            tx.execute(LEAVE_OVER, args![name]).await?;
        }
        for note in notes {
            tx.execute(FORGET_NOTE, args![note]).await?;
        }
        tx.commit().await
    }

    /// The parts of the index.
    pub async fn re_erasure_shards(&self) -> Result<Vec<Shard>, StoreError> {
        self.read(SHARDS, Vec::new()).await?.iter().map(shard).collect()
    }

    /// Notes a new index with its evidence; `false`, with nothing changed, where another process was
    /// faster. Its own file is written after this.
    pub async fn keep_re_erasure_index(
        &self,
        index: WrittenIndex,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let WrittenIndex { number, content, shards, leftovers, evidence: said } = index;
        let entry_id = said.entry_id;
        let mut tx = self.begin_durable().await?;
        let row = tx.read_one(LIST, Vec::new()).await?;
        let Some(row) = row else {
            tx.rollback().await?;
            return Ok(false);
        };
        let mut indices: Vec<Digest> = row.json("indices")?;
        evidence::append(&mut tx, vec![said], now).await?;
        let detail = tx.read_one(DETAIL_OF, args![entry_id]).await?;
        let detail = detail.ok_or(StoreError::Corrupt { column: "entry_id" })?;
        indices.insert(0, detail.digest("detail_sha256")?);
        indices.truncate(MOST_INDICES);
        let number_kept = count(number, "an index")?;
        let values = args![number_kept, json(&indices)?, entry_id, number_kept - 1, content];
        if tx.execute(KEEP_INDEX, values).await? != 1 {
            tx.rollback().await?;
            return Ok(false);
        }
        for (shard, sha256) in shards {
            tx.execute(KEEP_SHARD, args![u32::from(shard), number_kept, sha256]).await?;
        }
        for name in leftovers {
            tx.execute(LEAVE_OVER, args![name]).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// The digest of the detail of an entry of evidence.
    pub async fn detail_digest_of(&self, entry: Uuid) -> Result<Option<Digest>, StoreError> {
        let row = self.read_one(DETAIL_OF, args![entry]).await?;
        row.map(|row| row.digest("detail_sha256")).transpose()
    }

    /// Notes that the file of the newest index is there.
    pub async fn re_erasure_index_written(
        &self,
        entry: Uuid,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(INDEX_WRITTEN, args![entry, now]).await.map(drop)
    }

    /// Files that no index names any more; at most 1000.
    pub async fn re_erasure_leftovers(&self, limit: u32) -> Result<Vec<String>, StoreError> {
        let rows = self.read(LEFTOVERS, args![limit.min(1000)]).await?;
        rows.iter().map(|row| row.get("name")).collect()
    }

    /// Forgets files that are gone.
    pub async fn re_erasure_removed(&self, names: Vec<String>) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for name in names {
            tx.execute(REMOVED, args![name]).await?;
        }
        tx.commit().await
    }
}
