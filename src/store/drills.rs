//! Drills: a person who was invented is planted in systems, erased, brought back and erased again.
//! Here is how far each has come in each system, with what is planted, so that it can be taken away
//! whatever happens.

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::connection::Store;
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::statement::{Row, Sql, args, json, words};

words! {
    /// How far a drill has come.
    DrillState {
        /// Records are planted, one system after the other.
        Planting = "planting",
        /// The request is taken in and carried out.
        Erasing = "erasing",
        /// What was erased is planted once more, as a restore or an import would bring it back.
        BringingBack = "bringing_back",
        /// It is looked for, and erased again.
        ErasingAgain = "erasing_again",
        /// Everything was erased, also what came back.
        Done = "done",
        /// It ended before that.
        NotDone = "not_done",
    }
}

/// A drill to begin.
#[derive(Debug, Clone)]
pub struct NewDrill {
    /// Its identifier, of which everything that it plants has a part.
    pub id: Uuid,
    /// The occurrence of the schedule; `None` where somebody began it.
    pub due_at: Option<Timestamp>,
    /// Who began it.
    pub begun_by: String,
    /// Each system, with what is planted there, or why it is left out.
    pub systems: Vec<(String, Result<Value, String>)>,
    /// What has to be proven later.
    pub evidence: Vec<OutboxEntry>,
}

/// A drill on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drill {
    /// Its identifier.
    pub id: Uuid,
    /// The occurrence of the schedule.
    pub due_at: Option<Timestamp>,
    /// When it began.
    pub began_at: Timestamp,
    /// Who began it.
    pub begun_by: String,
    /// How far it has come.
    pub state: DrillState,
    /// The request by which the invented person is erased.
    pub request_id: Option<Uuid>,
    /// When that was taken in: from here time counts.
    pub asked_at: Option<Timestamp>,
    /// When everything was back: from here time counts once more.
    pub back_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it is not done.
    pub why: Option<String>,
}

/// A system in a drill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillSystem {
    /// The drill.
    pub drill_id: Uuid,
    /// The system.
    pub system: String,
    /// Why nothing is planted there.
    pub left_out: Option<String>,
    /// What is planted there; nothing of it is anybody's.
    pub planted: Option<Value>,
    /// When it was seen to be planted.
    pub planted_at: Option<Timestamp>,
    /// When it was erased, verified.
    pub erased_at: Option<Timestamp>,
    /// When it was planted once more.
    pub back_at: Option<Timestamp>,
    /// When it was erased again, verified.
    pub again_at: Option<Timestamp>,
    /// Why the next step could not be taken, and when it is tried again.
    pub trouble: Option<(String, Timestamp)>,
    /// When it was seen that nothing of the drill is left there.
    pub cleaned_at: Option<Timestamp>,
}

/// A moment of a system in a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrillStep {
    /// It was erased, verified.
    Erased,
    /// It was erased again, verified.
    Again,
    /// Nothing of the drill is left there.
    Cleaned,
}

/// Something that was back, by a later look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillFinding {
    /// The system.
    pub system: String,
    /// The job that erases it again; `None` while somebody has to decide.
    pub job_id: Option<Uuid>,
}

/// How drills stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DrillCounts {
    /// When the last one that was done ended.
    pub last_done: Option<Timestamp>,
    /// How many were not done, ever.
    pub not_done: u64,
    /// Systems in which something of an ended drill may still be.
    pub to_clean: u64,
}

macro_rules! drill_columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, due_at, began_at, begun_by, state, request_id, asked_at, back_at, ended_at,
                 why FROM drills ",
            $rest
        )
    };
}
macro_rules! system_columns {
    ($rest:literal) => {
        concat!(
            "SELECT drill_id, system, left_out, planted, planted_at, erased_at, back_at, again_at,
                 trouble, try_at, cleaned_at FROM drill_systems ",
            $rest
        )
    };
}

const BEGIN: Sql = Sql::both(
    "INSERT INTO drills (id, due_at, began_at, begun_by, state) VALUES ($1, $2, $3, $4, 'planting')
     ON CONFLICT DO NOTHING",
);
const ADD_SYSTEM: Sql = Sql::both(
    "INSERT INTO drill_systems (drill_id, system, left_out, planted) VALUES ($1, $2, $3, $4)",
);
const OPEN: Sql = Sql::both(drill_columns!("WHERE ended_at IS NULL ORDER BY began_at LIMIT 1"));
const BY_ID: Sql = Sql::both(drill_columns!("WHERE id = $1"));
const LATEST: Sql = Sql::both(drill_columns!("ORDER BY began_at DESC, id DESC LIMIT $1"));
const SYSTEMS: Sql = Sql::both(system_columns!("WHERE drill_id = $1 ORDER BY system"));
const TO_CLEAN: Sql = Sql::both(system_columns!(
    "WHERE cleaned_at IS NULL AND left_out IS NULL
       AND drill_id IN (SELECT id FROM drills WHERE ended_at IS NOT NULL)
     ORDER BY drill_id, system LIMIT 1000"
));
const PLANTED: Sql = Sql::both(
    "UPDATE drill_systems SET planted = $3, planted_at = $4, trouble = NULL, try_at = NULL
     WHERE drill_id = $1 AND system = $2 AND planted_at IS NULL",
);
const BACK: Sql = Sql::both(
    "UPDATE drill_systems SET planted = $3, back_at = $4, trouble = NULL, try_at = NULL
     WHERE drill_id = $1 AND system = $2 AND back_at IS NULL AND erased_at IS NOT NULL",
);
const ERASED: Sql = Sql::both(
    "UPDATE drill_systems SET erased_at = $3, trouble = NULL, try_at = NULL
     WHERE drill_id = $1 AND system = $2 AND erased_at IS NULL",
);
const AGAIN: Sql = Sql::both(
    "UPDATE drill_systems SET again_at = $3, trouble = NULL, try_at = NULL
     WHERE drill_id = $1 AND system = $2 AND again_at IS NULL",
);
const CLEANED: Sql = Sql::both(
    "UPDATE drill_systems SET cleaned_at = $3, trouble = NULL, try_at = NULL
     WHERE drill_id = $1 AND system = $2 AND cleaned_at IS NULL",
);
const TROUBLE: Sql = Sql::both(
    "UPDATE drill_systems SET trouble = $3, try_at = $4
     WHERE drill_id = $1 AND system = $2 AND cleaned_at IS NULL",
);
const ASKED: Sql = Sql::both(
    "UPDATE drills SET state = 'erasing', request_id = $2, asked_at = $3
     WHERE id = $1 AND state = 'planting'",
);
const BRINGS_BACK: Sql =
    Sql::both("UPDATE drills SET state = 'bringing_back' WHERE id = $1 AND state = 'erasing'");
const IS_BACK: Sql = Sql::both(
    "UPDATE drills SET state = 'erasing_again', back_at = $2
     WHERE id = $1 AND state = 'bringing_back'",
);
const END: Sql = Sql::both(
    "UPDATE drills SET state = $2, why = $3, ended_at = $4 WHERE id = $1 AND ended_at IS NULL",
);
const SEED: Sql =
    Sql::both("INSERT INTO drill_cursor (one, at) VALUES (1, $1) ON CONFLICT (one) DO NOTHING");
const CURSOR: Sql = Sql::both(
    "SELECT COALESCE((SELECT max(due_at) FROM drills), (SELECT at FROM drill_cursor)) AS at",
);
const FOUND: Sql = Sql::both(
    "SELECT system, job_id FROM reappearances WHERE case_id = $1 AND found_at >= $2
     ORDER BY system, found_at",
);
const COUNTS: Sql = Sql::both(
    "SELECT (SELECT max(ended_at) FROM drills WHERE state = 'done') AS last_done,
         (SELECT count(*) FROM drills WHERE state = 'not_done') AS not_done,
         (SELECT count(*) FROM drill_systems WHERE cleaned_at IS NULL AND left_out IS NULL
             AND drill_id IN (SELECT id FROM drills WHERE ended_at IS NOT NULL)) AS to_clean",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("drills::BEGIN", BEGIN),
    ("drills::ADD_SYSTEM", ADD_SYSTEM),
    ("drills::OPEN", OPEN),
    ("drills::BY_ID", BY_ID),
    ("drills::LATEST", LATEST),
    ("drills::SYSTEMS", SYSTEMS),
    ("drills::TO_CLEAN", TO_CLEAN),
    ("drills::PLANTED", PLANTED),
    ("drills::BACK", BACK),
    ("drills::ERASED", ERASED),
    ("drills::AGAIN", AGAIN),
    ("drills::CLEANED", CLEANED),
    ("drills::TROUBLE", TROUBLE),
    ("drills::ASKED", ASKED),
    ("drills::BRINGS_BACK", BRINGS_BACK),
    ("drills::IS_BACK", IS_BACK),
    ("drills::END", END),
    ("drills::SEED", SEED),
    ("drills::CURSOR", CURSOR),
    ("drills::FOUND", FOUND),
    ("drills::COUNTS", COUNTS),
];

fn drill(row: &Row) -> Result<Drill, StoreError> {
    Ok(Drill {
        id: row.get("id")?,
        due_at: row.maybe_instant("due_at")?,
        began_at: row.instant("began_at")?,
        begun_by: row.get("begun_by")?,
        state: row.word("state", DrillState::parse)?,
        request_id: row.get("request_id")?,
        asked_at: row.maybe_instant("asked_at")?,
        back_at: row.maybe_instant("back_at")?,
        ended_at: row.maybe_instant("ended_at")?,
        why: row.get("why")?,
    })
}

fn system(row: &Row) -> Result<DrillSystem, StoreError> {
    let trouble: Option<String> = row.get("trouble")?;
    Ok(DrillSystem {
        drill_id: row.get("drill_id")?,
        system: row.get("system")?,
        left_out: row.get("left_out")?,
        planted: row.maybe_json("planted")?,
        planted_at: row.maybe_instant("planted_at")?,
        erased_at: row.maybe_instant("erased_at")?,
        back_at: row.maybe_instant("back_at")?,
        again_at: row.maybe_instant("again_at")?,
        trouble: trouble.zip(row.maybe_instant("try_at")?),
        cleaned_at: row.maybe_instant("cleaned_at")?,
    })
}

impl Store {
    /// Begins a drill, with everything that it plants written down before. `false`, with nothing
    /// written, where one is under way or the occurrence has had its own.
    pub async fn begin_drill(&self, new: NewDrill, now: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let values = args![new.id, new.due_at, now, new.begun_by];
        if tx.execute(BEGIN, values).await? != 1 {
            tx.rollback().await?;
            return Ok(false);
        }
        for (system, planted) in new.systems {
            let (planted, left_out) = match planted {
                Ok(planted) => (Some(json(&planted)?), None),
                Err(why) => (None, Some(why)),
            };
            tx.execute(ADD_SYSTEM, args![new.id, system, left_out, planted]).await?;
        }
        evidence::append(&mut tx, new.evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The drill that is under way.
    pub async fn open_drill(&self) -> Result<Option<Drill>, StoreError> {
        self.read_one(OPEN, args![]).await?.as_ref().map(drill).transpose()
    }

    /// A drill.
    pub async fn drill(&self, id: Uuid) -> Result<Option<Drill>, StoreError> {
        self.read_one(BY_ID, args![id]).await?.as_ref().map(drill).transpose()
    }

    /// Drills, the latest first; at most 1000.
    pub async fn latest_drills(&self, limit: u32) -> Result<Vec<Drill>, StoreError> {
        self.read(LATEST, args![limit.min(1000)]).await?.iter().map(drill).collect()
    }

    /// The systems of a drill, by name.
    pub async fn drill_systems(&self, id: Uuid) -> Result<Vec<DrillSystem>, StoreError> {
        self.read(SYSTEMS, args![id]).await?.iter().map(system).collect()
    }

    /// Systems of ended drills of which it is not seen yet that nothing is left there.
    pub async fn drills_to_clean(&self) -> Result<Vec<DrillSystem>, StoreError> {
        self.read(TO_CLEAN, args![]).await?.iter().map(system).collect()
    }

    /// Something is planted, with the keys that the system gave; once more, where it is `back`.
    pub async fn drill_planted(
        &self,
        (id, system): (Uuid, &str),
        planted: &Value,
        (now, back): (Timestamp, bool),
    ) -> Result<bool, StoreError> {
        let statement = if back { BACK } else { PLANTED };
        Ok(self.write(statement, args![id, system, json(planted)?, now]).await? == 1)
    }

    /// A system has come a step further; known already is nothing new.
    pub async fn drill_step(
        &self,
        (id, system): (Uuid, &str),
        step: DrillStep,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let statement = match step {
            DrillStep::Erased => ERASED,
            DrillStep::Again => AGAIN,
            DrillStep::Cleaned => CLEANED,
        };
        Ok(self.write(statement, args![id, system, at]).await? == 1)
    }

    /// The next step could not be taken in a system; the reason holds no personal data.
    pub async fn drill_trouble(
        &self,
        (id, system): (Uuid, &str),
        why: &str,
        try_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(TROUBLE, args![id, system, why, try_at]).await.map(|_| ())
    }

    /// The request of a drill is taken in.
    pub async fn drill_asked(
        &self,
        id: Uuid,
        request: Uuid,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.write(ASKED, args![id, request, at]).await? == 1)
    }

    /// Everything of a drill is erased: it is planted once more.
    pub async fn drill_brings_back(&self, id: Uuid) -> Result<bool, StoreError> {
        Ok(self.write(BRINGS_BACK, args![id]).await? == 1)
    }

    /// Everything of a drill is back.
    pub async fn drill_is_back(&self, id: Uuid, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.write(IS_BACK, args![id, now]).await? == 1)
    }

    /// Ends a drill, as done or with the reason why it is not. `false`, with nothing written, where
    /// it has ended.
    pub async fn end_drill(
        &self,
        id: Uuid,
        why: Option<&str>,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let state = if why.is_none() { DrillState::Done } else { DrillState::NotDone };
        let mut tx = self.begin().await?;
        if tx.execute(END, args![id, state.as_str(), why, now]).await? != 1 {
            tx.rollback().await?;
            return Ok(false);
        }
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Writes down from when the schedule of drills counts; later calls change nothing.
    pub async fn seed_drills(&self, now: Timestamp) -> Result<(), StoreError> {
        self.write(SEED, args![now]).await.map(|_| ())
    }

    /// The moment up to which the schedule of drills was looked at; `None` before it ever was.
    pub async fn drill_cursor(&self) -> Result<Option<Timestamp>, StoreError> {
        match self.read_one(CURSOR, args![]).await? {
            Some(row) => row.maybe_instant("at"),
            None => Ok(None),
        }
    }

    /// What later looks have found of a case at or after a moment.
    pub async fn drill_findings(
        &self,
        case: Uuid,
        since: Timestamp,
    ) -> Result<Vec<DrillFinding>, StoreError> {
        let rows = self.read(FOUND, args![case, since]).await?;
        let finding =
            |row: &Row| Ok(DrillFinding { system: row.get("system")?, job_id: row.get("job_id")? });
        rows.iter().map(finding).collect()
    }

    /// How drills stand, for metrics and alarms.
    pub async fn drill_counts(&self) -> Result<DrillCounts, StoreError> {
        let Some(row) = self.read_one(COUNTS, args![]).await? else {
            return Ok(DrillCounts::default());
        };
        Ok(DrillCounts {
            last_done: row.maybe_instant("last_done")?,
            not_done: row.whole("not_done")?,
            to_clean: row.whole("to_clean")?,
        })
    }
}
