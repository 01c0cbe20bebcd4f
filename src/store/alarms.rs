//! Alarms: each is raised once, told again now and then, and cleared once, whoever looks. Every step is
//! a guarded change in one transaction with what is to be told of it.

use jiff::Timestamp;
use uuid::Uuid;

use super::alarm_tellings::{self, NewTelling};
use super::connection::Store;
use super::error::StoreError;
use super::statement::{Row, Sql, args, json, words};

words! {
    /// How bad an alarm is.
    AlarmMark {
        /// Something is wrong.
        Wrong = "wrong",
        /// Somebody should look.
        Look = "look",
    }
}

/// An alarm. No word of it is about a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Its identifier.
    pub id: Uuid,
    /// The area of the doctor that it is from.
    pub area: String,
    /// Where: a system, a rule, a case, a job.
    pub place: String,
    /// Of what kind, in a word; with area and place it says which alarm it is. A word that this
    /// version does not know is of another one.
    pub kind: String,
    /// How bad it is.
    pub mark: AlarmMark,
    /// What there is to say.
    pub what: String,
    /// What to do, in words.
    pub advice: Option<String>,
    /// Commands that one can paste.
    pub commands: Vec<String>,
    /// Since when it is so, as far as anybody knows.
    pub since: Option<Timestamp>,
    /// When it was raised.
    pub raised_at: Timestamp,
    /// When a step of it was told last.
    pub told_at: Timestamp,
    /// Steps so far: raised, again, cleared.
    pub steps: u32,
    /// When it was cleared.
    pub cleared_at: Option<Timestamp>,
}

macro_rules! alarm_columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, area, place, kind, mark, what, advice, commands, since, raised_at, told_at,
             steps, cleared_at FROM alarms ",
            $rest
        )
    };
}

const RAISE: Sql = Sql::both(
    "INSERT INTO alarms (id, area, place, kind, mark, what, advice, commands, since, raised_at,
         told_at, steps)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, 1) ON CONFLICT DO NOTHING",
);
const CHANGE: Sql = Sql::both(
    "UPDATE alarms SET mark = $3, what = $4, advice = $5, commands = $6, since = $7
     WHERE id = $1 AND steps = $2 AND cleared_at IS NULL",
);
const AGAIN: Sql = Sql::both(
    "UPDATE alarms SET mark = $3, what = $4, advice = $5, commands = $6, since = $7, told_at = $8,
         steps = steps + 1
     WHERE id = $1 AND steps = $2 AND cleared_at IS NULL",
);
const CLEAR: Sql = Sql::both(
    "UPDATE alarms SET cleared_at = $3, told_at = $3, steps = steps + 1
     WHERE id = $1 AND steps = $2 AND cleared_at IS NULL",
);
const OPEN: Sql = Sql::both(alarm_columns!(
    "WHERE cleared_at IS NULL ORDER BY raised_at, area, place, kind LIMIT $1"
));
const CLEARED: Sql =
    Sql::both(alarm_columns!("WHERE cleared_at IS NOT NULL ORDER BY cleared_at DESC, id LIMIT $1"));
const OPEN_BY_AREA: Sql = Sql::both(
    "SELECT area, COUNT(*) AS many FROM alarms WHERE cleared_at IS NULL GROUP BY area ORDER BY area",
);
const FORGET: Sql = Sql::both(
    "DELETE FROM alarms WHERE cleared_at <= $1
       AND NOT EXISTS (SELECT 1 FROM alarm_tellings WHERE alarm_id = alarms.id)",
);
const LOOKED_AT: Sql = Sql::both("SELECT looked_at FROM alarm_looks WHERE one = 1");
// A moment far ahead is of a clock that was set back since.
const CLAIM_LOOK: Sql = Sql::both(
    "INSERT INTO alarm_looks (one, looked_at) VALUES (1, $1)
     ON CONFLICT (one) DO UPDATE SET looked_at = excluded.looked_at
     WHERE alarm_looks.looked_at <= $2 OR alarm_looks.looked_at > $3",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("alarms::RAISE", RAISE),
    ("alarms::CHANGE", CHANGE),
    ("alarms::AGAIN", AGAIN),
    ("alarms::CLEAR", CLEAR),
    ("alarms::OPEN", OPEN),
    ("alarms::CLEARED", CLEARED),
    ("alarms::OPEN_BY_AREA", OPEN_BY_AREA),
    ("alarms::FORGET", FORGET),
    ("alarms::LOOKED_AT", LOOKED_AT),
    ("alarms::CLAIM_LOOK", CLAIM_LOOK),
];

fn from_row(row: &Row) -> Result<Alarm, StoreError> {
    Ok(Alarm {
        id: row.get("id")?,
        area: row.get("area")?,
        place: row.get("place")?,
        kind: row.get("kind")?,
        mark: row.word("mark", AlarmMark::parse)?,
        what: row.get("what")?,
        advice: row.get("advice")?,
        commands: row.json("commands")?,
        since: row.maybe_instant("since")?,
        raised_at: row.instant("raised_at")?,
        told_at: row.instant("told_at")?,
        steps: row.small("steps")?,
        cleared_at: row.maybe_instant("cleared_at")?,
    })
}

impl Store {
    /// Raises an alarm, with what is to be told of it; `false`, with nothing written, where the same
    /// matter is raised already.
    pub async fn raise_alarm(
        &self,
        alarm: &Alarm,
        tellings: Vec<NewTelling>,
    ) -> Result<bool, StoreError> {
        let values = args![
            alarm.id,
            alarm.area.as_str(),
            alarm.place.as_str(),
            alarm.kind.as_str(),
            alarm.mark.as_str(),
            alarm.what.as_str(),
            alarm.advice.as_deref(),
            json(&alarm.commands)?,
            alarm.since,
            alarm.raised_at,
        ];
        self.step_of_alarm((RAISE, values), (alarm.id, 1, alarm.raised_at), tellings).await
    }

    /// Writes down how an open alarm stands now, by its number of steps; nobody is told.
    pub async fn change_alarm(&self, alarm: &Alarm) -> Result<bool, StoreError> {
        let values = args![
            alarm.id,
            alarm.steps,
            alarm.mark.as_str(),
            alarm.what.as_str(),
            alarm.advice.as_deref(),
            json(&alarm.commands)?,
            alarm.since,
        ];
        Ok(self.write(CHANGE, values).await? == 1)
    }

    /// Tells an open alarm again as it stands now, by its number of steps so far; `false`, with
    /// nothing written, where somebody else has taken a step of it.
    pub async fn alarm_again(
        &self,
        alarm: &Alarm,
        now: Timestamp,
        tellings: Vec<NewTelling>,
    ) -> Result<bool, StoreError> {
        let values = args![
            alarm.id,
            alarm.steps,
            alarm.mark.as_str(),
            alarm.what.as_str(),
            alarm.advice.as_deref(),
            json(&alarm.commands)?,
            alarm.since,
            now,
        ];
        let step = alarm.steps.saturating_add(1);
        self.step_of_alarm((AGAIN, values), (alarm.id, step, now), tellings).await
    }

    /// Clears an alarm by its number of steps so far; `false`, with nothing written, where somebody
    /// else has taken a step of it.
    pub async fn clear_alarm(
        &self,
        alarm: &Alarm,
        now: Timestamp,
        tellings: Vec<NewTelling>,
    ) -> Result<bool, StoreError> {
        let values = args![alarm.id, alarm.steps, now];
        let step = alarm.steps.saturating_add(1);
        self.step_of_alarm((CLEAR, values), (alarm.id, step, now), tellings).await
    }

    async fn step_of_alarm(
        &self,
        (statement, values): (Sql, Vec<super::statement::Arg>),
        step: (Uuid, u32, Timestamp),
        tellings: Vec<NewTelling>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if tx.execute(statement, values).await? == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        for telling in tellings {
            alarm_tellings::write(&mut tx, step, telling).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Alarms that are raised and not cleared, the oldest first; at most 10,000.
    pub async fn open_alarms(&self, limit: u32) -> Result<Vec<Alarm>, StoreError> {
        self.read(OPEN, args![limit.min(10_000)]).await?.iter().map(from_row).collect()
    }

    /// Alarms that were cleared, the latest first; at most 1000.
    pub async fn cleared_alarms(&self, limit: u32) -> Result<Vec<Alarm>, StoreError> {
        self.read(CLEARED, args![limit.min(1000)]).await?.iter().map(from_row).collect()
    }

    /// How many alarms of each area are open; areas without any are left out.
    pub async fn open_alarms_by_area(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let rows = self.read(OPEN_BY_AREA, Vec::new()).await?;
        rows.iter().map(|row| Ok((row.get("area")?, row.whole("many")?))).collect()
    }

    /// Forgets what was told before this moment, and alarms that were cleared before it and of which
    /// nothing is to be told any more; how many alarms.
    pub async fn forget_alarms(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        alarm_tellings::forget(&mut tx, before).await?;
        let forgotten = tx.execute(FORGET, args![before]).await?;
        tx.commit().await?;
        Ok(forgotten)
    }

    /// When somebody looked last; `None` where nobody ever did.
    pub async fn alarms_looked_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let row = self.read_one(LOOKED_AT, Vec::new()).await?;
        row.map(|row| row.instant("looked_at")).transpose()
    }

    /// Claims the look of this moment, where the last one was at or before `before`, or after `beyond`;
    /// `false` where somebody else has it.
    pub async fn claim_alarm_look(
        &self,
        now: Timestamp,
        (before, beyond): (Timestamp, Timestamp),
    ) -> Result<bool, StoreError> {
        Ok(self.write(CLAIM_LOOK, args![now, before, beyond]).await? == 1)
    }
}
