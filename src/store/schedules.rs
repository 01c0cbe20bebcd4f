//! Schedules: how far each has been looked at, and what became of every due moment.
//!
//! The unique key of a fire is the moment at which it was due, so that clocks that differ between
//! replicas shift lateness and never double a run. The cursor moves by compare-and-swap in the
//! same transaction.

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::{Store, Tx};
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::statement::{Row, Sql, args, count, words};
use crate::domain::ScheduleName;

words! {
    /// What became of a due moment.
    Disposition {
        /// A case was opened for it.
        Run = "run",
        /// A later moment's case did its work too.
        CaughtUp = "caught_up",
        /// No machine was on, and the schedule says to skip.
        Missed = "missed",
        /// It fell on a day on which nothing starts.
        BlackedOut = "blacked_out",
    }
}

/// How far a schedule has been looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScheduleCursor {
    /// Every due moment up to and with this one has a fire.
    pub cursor: Timestamp,
    /// Counts the moves; a move names the version that it saw.
    pub version: u64,
}

/// What became of one due moment, to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFire {
    /// When it was due.
    pub due_at: Timestamp,
    /// What became of it.
    pub disposition: Disposition,
}

/// Due moments of one schedule with the move of its cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FireBatch {
    /// The schedule.
    pub schedule: ScheduleName,
    /// The version that was seen when the moments were counted.
    pub seen_version: u64,
    /// Where the cursor goes.
    pub cursor: Timestamp,
    /// The moments.
    pub fires: Vec<NewFire>,
}

/// A recorded fire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fire {
    /// The schedule.
    pub schedule: String,
    /// When it was due.
    pub due_at: Timestamp,
    /// When it was recorded.
    pub fired_at: Timestamp,
    /// What became of it.
    pub disposition: Disposition,
    /// The case that did its work.
    pub case_id: Option<Uuid>,
}

const CURSOR: Sql = Sql::both("SELECT cursor_at, version FROM schedules WHERE name = $1");
const SEED: Sql = Sql::both(
    "INSERT INTO schedules (name, cursor_at, version) VALUES ($1, $2, 0)
     ON CONFLICT (name) DO NOTHING",
);
const ADVANCE: Sql = Sql::both(
    "UPDATE schedules SET cursor_at = $3, version = version + 1 WHERE name = $1 AND version = $2",
);
const FIRE: Sql = Sql::both(
    "INSERT INTO schedule_fires (schedule, due_at, fired_at, disposition, case_id)
     VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (schedule, due_at) DO NOTHING",
);
const FIRES: Sql = Sql::both(
    "SELECT schedule, due_at, fired_at, disposition, case_id FROM schedule_fires
     WHERE schedule = $1 ORDER BY due_at DESC LIMIT $2",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("schedules::CURSOR", CURSOR),
    ("schedules::SEED", SEED),
    ("schedules::ADVANCE", ADVANCE),
    ("schedules::FIRE", FIRE),
    ("schedules::FIRES", FIRES),
];

/// Moves the cursor; `false` where another replica has moved it since.
pub(super) async fn advance(tx: &mut Tx, batch: &FireBatch) -> Result<bool, StoreError> {
    let seen = count(batch.seen_version, "a version so large")?;
    Ok(tx.execute(ADVANCE, args![batch.schedule.as_str(), seen, batch.cursor]).await? == 1)
}

/// Records the moments; `false` where one of them has already been recorded.
pub(super) async fn fire(
    tx: &mut Tx,
    batch: &FireBatch,
    case: Option<Uuid>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    for fire in &batch.fires {
        let case_id = match fire.disposition {
            Disposition::Run | Disposition::CaughtUp => case,
            Disposition::Missed | Disposition::BlackedOut => None,
        };
        let values =
            args![batch.schedule.as_str(), fire.due_at, now, fire.disposition.as_str(), case_id];
        if tx.execute(FIRE, values).await? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

fn from_row(row: &Row) -> Result<Fire, StoreError> {
    Ok(Fire {
        schedule: row.get("schedule")?,
        due_at: row.instant("due_at")?,
        fired_at: row.instant("fired_at")?,
        disposition: row.word("disposition", Disposition::parse)?,
        case_id: row.get("case_id")?,
    })
}

impl Store {
    /// How far a schedule has been looked at; `None` where it has never been.
    pub async fn schedule_cursor(
        &self,
        schedule: &ScheduleName,
    ) -> Result<Option<ScheduleCursor>, StoreError> {
        let Some(row) = self.read_one(CURSOR, args![schedule.as_str()]).await? else {
            return Ok(None);
        };
        Ok(Some(ScheduleCursor {
            cursor: row.instant("cursor_at")?,
            version: row.whole("version")?,
        }))
    }

    /// Begins to look at a schedule, from here on; does nothing where it already is looked at.
    pub async fn seed_schedule(
        &self,
        schedule: &ScheduleName,
        cursor: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(SEED, args![schedule.as_str(), cursor]).await.map(|_| ())
    }

    /// Records due moments for which no case is opened, and moves the cursor. `false`, with nothing
    /// written, where another replica was first.
    pub async fn record_fires(
        &self,
        batch: FireBatch,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if !advance(&mut tx, &batch).await? || !fire(&mut tx, &batch, None, now).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The latest fires of a schedule, newest first; at most 1000.
    pub async fn fires_of(
        &self,
        schedule: &ScheduleName,
        limit: u32,
    ) -> Result<Vec<Fire>, StoreError> {
        let rows = self.read(FIRES, args![schedule.as_str(), limit.min(1000)]).await?;
        rows.iter().map(from_row).collect()
    }
}
