//! Who writes evidence: entries are numbered without gaps, in the transaction that writes them.
//!
//! A number can only be given without a gap by whoever holds the producer's row until the commit, so
//! that two transactions of one producer take turns. On PostgreSQL, where many write at once, a
//! family of producers shares the work: whoever writes takes the first one that is free. SQLite has
//! one writer and one producer. What a producer wrote before stands before it in the outbox, because
//! it was committed before.

use jiff::Timestamp;

use super::connection::{Store, Tx};
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::statement::{Sql, args, count};

/// Producers of a family on PostgreSQL: more transactions than this wait for one another.
const TOGETHER: u32 = 8;

/// A producer whose heartbeat is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueProducer {
    /// Its name, as it stands in leaves.
    pub name: String,
    /// How many entries it has written.
    pub entries: u64,
}

const HAS: Sql = Sql::both("SELECT count(*) AS many FROM evidence_producers WHERE family = $1");
const BEGIN: Sql = Sql::both(
    "INSERT INTO evidence_producers (name, family, entries, beat_entries, beat_at)
     VALUES ($1, $2, 0, 0, $3)
     ON CONFLICT (name) DO NOTHING",
);
// The first one that nobody else is writing with; SQLite's one writer has no need to look.
const TAKE_FREE: Sql = Sql::fork(
    "UPDATE evidence_producers SET entries = entries + $2
     WHERE name = (SELECT min(name) FROM evidence_producers WHERE family = $1)
     RETURNING name, entries",
    "UPDATE evidence_producers SET entries = entries + $2
     WHERE name = (SELECT name FROM evidence_producers WHERE family = $1
         ORDER BY name LIMIT 1 FOR UPDATE SKIP LOCKED)
     RETURNING name, entries",
);
// Where all are taken: the first one, once it is free.
const TAKE_FIRST: Sql = Sql::both(
    "UPDATE evidence_producers SET entries = entries + $2
     WHERE name = (SELECT min(name) FROM evidence_producers WHERE family = $1)
     RETURNING name, entries",
);
const TAKE: Sql = Sql::both(
    "UPDATE evidence_producers SET entries = entries + $2 WHERE name = $1
     RETURNING name, entries",
);
// One that has written something since, and always the first one: silence is no heartbeat.
const DUE: Sql = Sql::both(
    "SELECT name, entries FROM evidence_producers
     WHERE family = $1 AND beat_at <= $2
       AND (entries > beat_entries
           OR name = (SELECT min(name) FROM evidence_producers WHERE family = $1))
     ORDER BY name",
);
const BEAT: Sql = Sql::both(
    "UPDATE evidence_producers SET beat_entries = entries, beat_at = $2
     WHERE name = $1 AND beat_at <= $3",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("producers::HAS", HAS),
    ("producers::BEGIN", BEGIN),
    ("producers::TAKE_FREE", TAKE_FREE),
    ("producers::TAKE_FIRST", TAKE_FIRST),
    ("producers::TAKE", TAKE),
    ("producers::DUE", DUE),
    ("producers::BEAT", BEAT),
];

/// A producer and the last number that was given.
struct Taken {
    name: String,
    last: u64,
}

async fn take(tx: &mut Tx, sql: Sql, whose: &str, many: u64) -> Result<Option<Taken>, StoreError> {
    let values = args![whose, count(many, "so many entries")?];
    let Some(row) = tx.read_one(sql, values).await? else { return Ok(None) };
    Ok(Some(Taken { name: row.get("name")?, last: row.whole("entries")? }))
}

async fn take_one_of(tx: &mut Tx, family: &str, many: u64) -> Result<Taken, StoreError> {
    if let Some(taken) = take(tx, TAKE_FREE, family, many).await? {
        return Ok(taken);
    }
    let unknown = || StoreError::Conflict { law: "entries need a producer".to_owned() };
    take(tx, TAKE_FIRST, family, many).await?.ok_or_else(unknown)
}

/// Gives numbers to the entries that wait for one.
pub(super) async fn number(
    tx: &mut Tx,
    mut entries: Vec<OutboxEntry>,
) -> Result<Vec<OutboxEntry>, StoreError> {
    let waiting = |entry: &&mut OutboxEntry| entry.numbered.is_some();
    let many = entries.iter().filter(|entry| entry.numbered.is_some()).count() as u64;
    let Some(family) =
        entries.iter().find_map(|entry| entry.numbered.as_ref().map(|one| one.family.clone()))
    else {
        return Ok(entries);
    };
    let Taken { name, last } = take_one_of(tx, &family, many).await?;
    for (entry, number) in entries.iter_mut().filter(waiting).zip(last - many + 1..) {
        entry.make(&name, number)?;
    }
    Ok(entries)
}

/// Gives a number to one entry.
pub(super) async fn number_one(
    tx: &mut Tx,
    mut entry: OutboxEntry,
) -> Result<OutboxEntry, StoreError> {
    if let Some(family) = entry.numbered.as_ref().map(|numbered| numbered.family.clone()) {
        let Taken { name, last } = take_one_of(tx, &family, 1).await?;
        entry.make(&name, last)?;
    }
    Ok(entry)
}

/// Counts leaves of a producer that were put back into the log.
pub(super) async fn count_again(tx: &mut Tx, producer: &str, many: u64) -> Result<(), StoreError> {
    // A producer of an earlier version has no row, and its entries no numbers.
    take(tx, TAKE, producer, many).await.map(drop)
}

impl Store {
    /// Makes sure that a family has its producers.
    pub async fn begin_producers(&self, family: &str, now: Timestamp) -> Result<(), StoreError> {
        let many = if self.kind() == "sqlite" { 1 } else { TOGETHER };
        let row = self.read_one(HAS, args![family]).await?;
        if row.map_or(Ok(0), |row| row.whole("many"))? >= u64::from(many) {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        for number in 1..=many {
            tx.execute(BEGIN, args![format!("{family}.{number}"), family, now]).await?;
        }
        tx.commit().await
    }

    /// Producers of a family whose last heartbeat was at this moment or before, and which have
    /// written something since; the first one always.
    pub async fn due_producers(
        &self,
        family: &str,
        before: Timestamp,
    ) -> Result<Vec<DueProducer>, StoreError> {
        let rows = self.read(DUE, args![family, before]).await?;
        let read = |row: &super::statement::Row| {
            Ok(DueProducer { name: row.get("name")?, entries: row.whole("entries")? })
        };
        rows.iter().map(read).collect()
    }

    /// Writes the heartbeat of a producer; `false`, with nothing written, where another replica has
    /// written one since.
    pub async fn write_heartbeat(
        &self,
        producer: &str,
        mut entry: OutboxEntry,
        (now, before): (Timestamp, Timestamp),
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let unknown = || StoreError::Conflict { law: "entries need a producer".to_owned() };
        let taken = take(&mut tx, TAKE, producer, 1).await?.ok_or_else(unknown)?;
        entry.make(&taken.name, taken.last)?;
        if tx.execute(BEAT, args![producer, now, before]).await? != 1 {
            tx.rollback().await?;
            return Ok(false);
        }
        evidence::append(&mut tx, vec![entry], now).await?;
        tx.commit().await?;
        Ok(true)
    }
}
