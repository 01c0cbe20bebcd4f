//! Business events: moments from which periods count and that no record holds, such as the end of
//! a contract.
//!
//! The key of whom or what an event speaks is kept sealed, and found by a keyed digest. For every
//! name and key the event that occurred last is in force; a revocation that occurred last leaves
//! none in force.

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::Store;
use super::error::StoreError;
use super::statement::{Row, Sql, args};

/// An event to record.
#[derive(Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Its identifier.
    pub id: Uuid,
    /// What happened, such as `contract.ended`.
    pub name: String,
    /// Keyed digest of the key; 1 to 64 bytes.
    pub key_tag: Vec<u8>,
    /// The key, sealed by the caller.
    pub sealed_key: Vec<u8>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Who told it.
    pub source: String,
    /// It takes back what was told before.
    pub revokes: bool,
    /// The teller's own identifier: the same twice is one event.
    pub idempotency_key: String,
}

impl std::fmt::Debug for NewEvent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "NewEvent({}, {})", self.name, self.id)
    }
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is on record now.
    New,
    /// It was on record already, told with the same words.
    Duplicate,
    /// Another event came under the same idempotency key; nothing was written.
    Differs,
}

/// An event in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventInForce {
    /// Its identifier.
    pub id: Uuid,
    /// Keyed digest of the key.
    pub key_tag: Vec<u8>,
    /// The key, sealed.
    pub sealed_key: Vec<u8>,
    /// When it happened.
    pub occurred_at: Timestamp,
}

/// Which events in force to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    /// Their name.
    pub name: String,
    /// Only where the event in force occurred at this moment or before.
    pub until: Timestamp,
    /// Only where the event in force was told at this moment or before: what is told after a plan
    /// was made must not make the plan do more.
    pub told_until: Timestamp,
    /// Only keys whose tag comes after this one; empty for the first page.
    pub after: Vec<u8>,
    /// How many; at most 10000.
    pub limit: u32,
}

const RECORD: Sql = Sql::both(
    "INSERT INTO events (id, name, key_tag, sealed_key, occurred_at, recorded_at, source, revokes,
         idempotency_key)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     ON CONFLICT (idempotency_key) DO NOTHING",
);
const SAME: Sql =
    Sql::both("SELECT name, key_tag, occurred_at, revokes FROM events WHERE idempotency_key = $1");
const IN_FORCE: Sql = Sql::both(
    "SELECT id, key_tag, sealed_key, occurred_at FROM events
     WHERE name = $1 AND occurred_at <= $2 AND recorded_at <= $3 AND key_tag > $4 AND NOT revokes
       AND NOT EXISTS (SELECT 1 FROM events AS later
           WHERE later.name = events.name AND later.key_tag = events.key_tag
             AND (later.occurred_at, later.recorded_at, later.id)
                 > (events.occurred_at, events.recorded_at, events.id))
     ORDER BY key_tag LIMIT $5",
);

pub(super) const STATEMENTS: &[(&str, Sql)] =
    &[("events::RECORD", RECORD), ("events::SAME", SAME), ("events::IN_FORCE", IN_FORCE)];

fn from_row(row: &Row) -> Result<EventInForce, StoreError> {
    Ok(EventInForce {
        id: row.get("id")?,
        key_tag: row.get("key_tag")?,
        sealed_key: row.get("sealed_key")?,
        occurred_at: row.instant("occurred_at")?,
    })
}

impl Store {
    /// Records an event; telling it again changes nothing.
    pub async fn record_event(
        &self,
        event: NewEvent,
        now: Timestamp,
    ) -> Result<Recorded, StoreError> {
        let mut tx = self.begin().await?;
        let values = args![
            event.id,
            event.name.as_str(),
            event.key_tag.clone(),
            event.sealed_key,
            event.occurred_at,
            now,
            event.source,
            event.revokes,
            event.idempotency_key.as_str(),
        ];
        if tx.execute(RECORD, values).await? == 1 {
            tx.commit().await?;
            return Ok(Recorded::New);
        }
        let Some(row) = tx.read_one(SAME, args![event.idempotency_key]).await? else {
            return Err(StoreError::Busy { code: "events".to_owned() });
        };
        let name: String = row.get("name")?;
        let key_tag: Vec<u8> = row.get("key_tag")?;
        let revokes: bool = row.get("revokes")?;
        let same = name == event.name
            && key_tag == event.key_tag
            && revokes == event.revokes
            && row.instant("occurred_at")?.as_microsecond() == event.occurred_at.as_microsecond();
        tx.rollback().await?;
        Ok(if same { Recorded::Duplicate } else { Recorded::Differs })
    }

    /// One page of events in force, by key tag. A later event that lies after `until`, or was told
    /// after `told_until`, takes its key out of the answer: the latest one counts, and it is not
    /// due.
    pub async fn events_in_force(&self, page: EventPage) -> Result<Vec<EventInForce>, StoreError> {
        let values =
            args![page.name, page.until, page.told_until, page.after, page.limit.min(10_000)];
        self.read(IN_FORCE, values).await?.iter().map(from_row).collect()
    }
}
