//! Later looks: long after somebody was erased or restricted in a system, it is counted whether
//! something of theirs is back there. Here is when each was looked for last, and what was found.
//!
//! Nothing here names a person: a look is known by the case and the system.

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::{Store, Tx};
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::jobs::{self, NewJob};
use super::statement::{Row, Sql, args, count, words};

words! {
    /// What becomes of what was found again.
    ReappearanceState {
        /// A person has to decide.
        Asks = "asks",
        /// A job does again what had been done.
        Again = "again",
        /// A person has decided that it stays.
        Left = "left",
        /// It was gone before anybody had decided.
        Gone = "gone",
    }
}

/// When somebody was looked for last in a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaterLook {
    /// The case by which they were erased or restricted.
    pub case_id: Uuid,
    /// The system.
    pub system: String,
    /// When the last of it was done and verified.
    pub done_at: Timestamp,
    /// When it was last seen that nothing is back.
    pub well_at: Timestamp,
    /// When it was looked at last, whatever was found.
    pub seen_at: Timestamp,
    /// Why it could not be looked at, without personal data.
    pub trouble: Option<String>,
}

/// Something of a person that was there again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reappearance {
    /// Its identifier.
    pub id: Uuid,
    /// The person's case.
    pub case_id: Uuid,
    /// The system.
    pub system: String,
    /// When it was last seen that nothing is back.
    pub well_at: Timestamp,
    /// When it was found.
    pub found_at: Timestamp,
    /// How many records.
    pub records: u64,
    /// What becomes of it.
    pub state: ReappearanceState,
    /// Why a person is asked.
    pub why: Option<String>,
    /// The job that does again what had been done.
    pub job_id: Option<Uuid>,
    /// Who decided, when, and why.
    pub decided: Option<(String, Timestamp, String)>,
}

/// What a look at one system has found of one person.
#[derive(Debug, Clone)]
pub enum LookResult {
    /// Nothing.
    Well,
    /// It could not be looked at.
    Trouble {
        /// Why, without personal data.
        why: String,
        /// When to look again.
        again_at: Timestamp,
    },
    /// Something, and a job does again what had been done.
    Again(FoundAgain, NewJob),
    /// Something, and a person has to decide.
    Asks(FoundAgain, String),
}

/// Something that was found again.
#[derive(Debug, Clone)]
pub struct FoundAgain {
    /// An identifier for it, where it was not known before.
    pub id: Uuid,
    /// When the last of it had been done, as the look began.
    pub done_at: Timestamp,
    /// When it had been looked at last, as the look began.
    pub seen_at: Timestamp,
    /// When it was last seen that nothing is back.
    pub well_at: Timestamp,
    /// How many records; at least one.
    pub records: u64,
}

/// A look to write down.
#[derive(Debug, Clone)]
pub struct KeptLook {
    /// The case.
    pub case_id: Uuid,
    /// The system.
    pub system: String,
    /// What was found.
    pub result: LookResult,
    /// What has to be proven later.
    pub evidence: Vec<OutboxEntry>,
}

/// What a person decides about something that was found again.
#[derive(Debug, Clone)]
pub struct Decides<'a> {
    /// Who.
    pub by: &'a str,
    /// Why.
    pub reason: &'a str,
    /// The job that does again what had been done; `None` where it stays.
    pub job: Option<NewJob>,
    /// What has to be proven later.
    pub evidence: Vec<OutboxEntry>,
}

// What was done since the last planting, a day of difference between clocks and of slow commits
// included.
const PLANT: Sql = Sql::both(
    "INSERT INTO later_looks (case_id, system, done_at, well_at, seen_at)
     SELECT jobs.case_id, jobs.system, max(jobs.settled_at), max(jobs.settled_at),
         max(jobs.settled_at)
     FROM jobs JOIN requests ON requests.case_id = jobs.case_id
         JOIN cases ON cases.id = jobs.case_id
     WHERE jobs.system = $1 AND jobs.state = 'completed'
       AND jobs.kind IN ('request', 'retained', 'upkeep', 'replay')
       AND jobs.settled_at >= COALESCE(
           (SELECT max(done_at) - 86400000000 FROM later_looks WHERE system = $1), 0)
       AND requests.asked IN ('erasure', 'restriction', 'objection')
       AND requests.forgotten_at IS NULL AND cases.cancelled_at IS NULL
     GROUP BY jobs.case_id, jobs.system
     ON CONFLICT (case_id, system) DO UPDATE SET done_at = excluded.done_at,
         well_at = CASE WHEN later_looks.well_at > excluded.done_at THEN later_looks.well_at
             ELSE excluded.done_at END,
         seen_at = CASE WHEN later_looks.seen_at > excluded.done_at THEN later_looks.seen_at
             ELSE excluded.done_at END,
         again_at = NULL, trouble = NULL
     WHERE later_looks.done_at < excluded.done_at AND later_looks.ended_at IS NULL",
);
const END_FORGOTTEN: Sql = Sql::both(
    "UPDATE later_looks SET ended_at = $1, again_at = NULL, trouble = NULL
     WHERE ended_at IS NULL AND EXISTS (SELECT 1 FROM requests, cases
         WHERE requests.case_id = later_looks.case_id AND cases.id = later_looks.case_id
           AND (requests.forgotten_at IS NOT NULL OR cases.cancelled_at IS NOT NULL))",
);
const END: Sql = Sql::both(
    "UPDATE later_looks SET ended_at = $2, again_at = NULL, trouble = NULL
     WHERE case_id = $1 AND ended_at IS NULL",
);
// A restored system is in other hands, and so is what is being done again.
const DUE: Sql = Sql::both(
    "SELECT DISTINCT case_id FROM later_looks
     WHERE ended_at IS NULL AND seen_at <= $1 AND (again_at IS NULL OR again_at <= $2)
       AND NOT EXISTS (SELECT 1 FROM restores WHERE restores.system = later_looks.system
           AND restores.opened_at IS NULL)
       AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.case_id = later_looks.case_id
           AND jobs.kind = 'replay' AND jobs.state NOT IN ('completed', 'failed', 'cancelled'))
     ORDER BY case_id LIMIT $3",
);
const OF_CASE: Sql = Sql::both(
    "SELECT case_id, system, done_at, well_at, seen_at, trouble FROM later_looks
     WHERE case_id = $1 AND ended_at IS NULL ORDER BY system",
);
const OWED: Sql = Sql::both(
    "SELECT 1 AS one FROM later_looks WHERE case_id = $1 AND ended_at IS NULL
       AND trouble IS NULL AND seen_at <= $2
     UNION ALL SELECT 1 AS one FROM reappearances WHERE case_id = $1 AND state = 'asks' LIMIT 1",
);
// The clock of the machine may have been set back since.
const SEEN: Sql = Sql::both(
    "UPDATE later_looks SET seen_at = CASE WHEN seen_at > $3 THEN seen_at ELSE $3 END,
         well_at = CASE WHEN well_at > $3 THEN well_at ELSE $3 END,
         trouble = NULL, again_at = NULL
     WHERE case_id = $1 AND system = $2 AND ended_at IS NULL",
);
// Two processes may look at once, where the lead of one has ended at work. Whoever comes second sees
// that something was found since, or that it is being done again or was. A look that has found nothing
// meanwhile takes no finding away: it leaves both moments the same.
const FOUND: Sql = Sql::both(
    "UPDATE later_looks SET seen_at = CASE WHEN seen_at >= $3 THEN seen_at + 1 ELSE $3 END,
         trouble = NULL, again_at = NULL
     WHERE case_id = $1 AND system = $2 AND ended_at IS NULL
       AND done_at = $5 AND (seen_at = $4 OR seen_at = well_at)
       AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.case_id = $1 AND jobs.system = $2
           AND jobs.kind = 'replay' AND jobs.state NOT IN ('completed', 'failed', 'cancelled'))",
);
const NOT_SEEN: Sql = Sql::both(
    "UPDATE later_looks SET trouble = $3, again_at = $4
     WHERE case_id = $1 AND system = $2 AND ended_at IS NULL",
);
const BEGIN_AGAIN: Sql = Sql::both(
    "UPDATE reappearances SET state = 'again', job_id = $4, records = $3, why = NULL
     WHERE case_id = $1 AND system = $2 AND state = 'asks'",
);
const ASKS_STILL: Sql = Sql::both(
    "UPDATE reappearances SET records = $3, why = $4
     WHERE case_id = $1 AND system = $2 AND state = 'asks'",
);
const GONE: Sql = Sql::both(
    "UPDATE reappearances SET state = 'gone' WHERE case_id = $1 AND system = $2 AND state = 'asks'",
);
const FIND: Sql = Sql::both(
    "INSERT INTO reappearances (id, case_id, system, well_at, found_at, records, state, why, job_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
);
const DECIDE: Sql = Sql::both(
    "UPDATE reappearances SET state = $2, job_id = $3, decided_at = $4, decided_by = $5,
         reason = $6
     WHERE id = $1 AND state = 'asks'",
);
macro_rules! reappearance_columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, case_id, system, well_at, found_at, records, state, why, job_id, decided_at,
                 decided_by, reason FROM reappearances ",
            $rest
        )
    };
}
const BY_ID: Sql = Sql::both(reappearance_columns!("WHERE id = $1"));
const OF_JOB: Sql = Sql::both(reappearance_columns!("WHERE job_id = $1"));
const LATEST: Sql = Sql::both(reappearance_columns!("ORDER BY found_at DESC, id DESC LIMIT $1"));
const ASKING: Sql =
    Sql::both(reappearance_columns!("WHERE state = 'asks' AND id > $1 ORDER BY id LIMIT $2"));
const ASKING_OF_CASE: Sql =
    Sql::both(reappearance_columns!("WHERE case_id = $1 AND state = 'asks' ORDER BY system"));
const TROUBLED: Sql = Sql::both(
    "SELECT case_id, system, done_at, well_at, seen_at, trouble FROM later_looks
     WHERE ended_at IS NULL AND trouble IS NOT NULL ORDER BY seen_at, case_id, system LIMIT $1",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("later_looks::PLANT", PLANT),
    ("later_looks::END_FORGOTTEN", END_FORGOTTEN),
    ("later_looks::END", END),
    ("later_looks::DUE", DUE),
    ("later_looks::OF_CASE", OF_CASE),
    ("later_looks::OWED", OWED),
    ("later_looks::SEEN", SEEN),
    ("later_looks::FOUND", FOUND),
    ("later_looks::NOT_SEEN", NOT_SEEN),
    ("later_looks::BEGIN_AGAIN", BEGIN_AGAIN),
    ("later_looks::ASKS_STILL", ASKS_STILL),
    ("later_looks::GONE", GONE),
    ("later_looks::FIND", FIND),
    ("later_looks::DECIDE", DECIDE),
    ("later_looks::BY_ID", BY_ID),
    ("later_looks::OF_JOB", OF_JOB),
    ("later_looks::LATEST", LATEST),
    ("later_looks::ASKING", ASKING),
    ("later_looks::ASKING_OF_CASE", ASKING_OF_CASE),
    ("later_looks::TROUBLED", TROUBLED),
];

fn look(row: &Row) -> Result<LaterLook, StoreError> {
    Ok(LaterLook {
        case_id: row.get("case_id")?,
        system: row.get("system")?,
        done_at: row.instant("done_at")?,
        well_at: row.instant("well_at")?,
        seen_at: row.instant("seen_at")?,
        trouble: row.get("trouble")?,
    })
}

fn reappearance(row: &Row) -> Result<Reappearance, StoreError> {
    let by: Option<String> = row.get("decided_by")?;
    let reason: Option<String> = row.get("reason")?;
    let decided = match (by, row.maybe_instant("decided_at")?, reason) {
        (Some(by), Some(at), Some(reason)) => Some((by, at, reason)),
        _ => None,
    };
    Ok(Reappearance {
        id: row.get("id")?,
        case_id: row.get("case_id")?,
        system: row.get("system")?,
        well_at: row.instant("well_at")?,
        found_at: row.instant("found_at")?,
        records: row.whole("records")?,
        state: row.word("state", ReappearanceState::parse)?,
        why: row.get("why")?,
        job_id: row.get("job_id")?,
        decided,
    })
}

impl Store {
    /// Has everybody looked for later for whom something was done in a system since this was called
    /// last, as long as they are known and their case was not called off.
    pub async fn plant_later_looks(&self, system: &str) -> Result<u64, StoreError> {
        self.write(PLANT, args![system]).await
    }

    /// Nobody is looked for any more who is forgotten, or whose case was called off.
    pub async fn end_looks_for_forgotten(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.write(END_FORGOTTEN, args![now]).await
    }

    /// Nobody is looked for any more by this case.
    pub async fn end_later_looks(&self, case: Uuid, now: Timestamp) -> Result<u64, StoreError> {
        self.write(END, args![case, now]).await
    }

    /// Cases whose persons were looked for last at or before a moment somewhere; at most 100,000.
    /// Of systems that could not be looked at, those whose next try is at or before `tried_until`.
    pub async fn cases_to_look_for(
        &self,
        seen_until: Timestamp,
        tried_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Uuid>, StoreError> {
        let rows = self.read(DUE, args![seen_until, tried_until, limit.min(100_000)]).await?;
        rows.iter().map(|row| row.get("case_id")).collect()
    }

    /// Where the person of a case is looked for.
    pub async fn later_looks_of(&self, case: Uuid) -> Result<Vec<LaterLook>, StoreError> {
        self.read(OF_CASE, args![case]).await?.iter().map(look).collect()
    }

    /// Whether a look is owed to the person of a case: one that was due at the moment whose last
    /// looks were at or before `seen_until`, or a decision about what was found.
    pub async fn owes_a_look(&self, case: Uuid, seen_until: Timestamp) -> Result<bool, StoreError> {
        Ok(self.read_one(OWED, args![case, seen_until]).await?.is_some())
    }

    /// Writes looks down, with the jobs that do again what had been done, in one transaction; how many
    /// findings. Nothing is written of one that another look has written down since this one began.
    pub async fn keep_looks(
        &self,
        looks: Vec<KeptLook>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let (mut tx, mut findings) = (self.begin().await?, 0);
        for look in looks {
            findings += u64::from(keep(&mut tx, look, now).await?);
        }
        tx.commit().await.map(|()| findings)
    }

    /// Writes down what a person has decided. `false`, with nothing written, where it is decided
    /// already.
    pub async fn decide_reappearance(
        &self,
        id: Uuid,
        decides: Decides<'_>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let Some(row) = tx.read_one(BY_ID, args![id]).await? else {
            tx.rollback().await?;
            return Ok(false);
        };
        let case: Uuid = row.get("case_id")?;
        let (state, job) = if let Some(job) = decides.job {
            let id = job.id;
            jobs::insert(&mut tx, case, job, now).await?;
            jobs::reopen_case(&mut tx, case).await?;
            (ReappearanceState::Again, Some(id))
        } else {
            tx.execute(END, args![case, now]).await?;
            (ReappearanceState::Left, None)
        };
        let values = args![id, state.as_str(), job, now, decides.by, decides.reason];
        if tx.execute(DECIDE, values).await? == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        evidence::append(&mut tx, decides.evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// What was found again, by its identifier.
    pub async fn reappearance(&self, id: Uuid) -> Result<Option<Reappearance>, StoreError> {
        self.read_one(BY_ID, args![id]).await?.as_ref().map(reappearance).transpose()
    }

    /// What a job does again.
    pub async fn reappearance_of_job(&self, job: Uuid) -> Result<Option<Reappearance>, StoreError> {
        self.read_one(OF_JOB, args![job]).await?.as_ref().map(reappearance).transpose()
    }

    /// What was found again, the latest first; at most 1000.
    pub async fn latest_reappearances(&self, limit: u32) -> Result<Vec<Reappearance>, StoreError> {
        self.read(LATEST, args![limit.min(1000)]).await?.iter().map(reappearance).collect()
    }

    /// What waits for a person, in the order of identifiers after this one; at most 1000.
    pub async fn asking_reappearances(
        &self,
        after: Uuid,
        limit: u32,
    ) -> Result<Vec<Reappearance>, StoreError> {
        self.read(ASKING, args![after, limit.min(1000)]).await?.iter().map(reappearance).collect()
    }

    /// What of a case waits for a person.
    pub async fn asking_of_case(&self, case: Uuid) -> Result<Vec<Reappearance>, StoreError> {
        self.read(ASKING_OF_CASE, args![case]).await?.iter().map(reappearance).collect()
    }

    /// Where somebody could not be looked for, the longest first; at most 1000.
    pub async fn troubled_looks(&self, limit: u32) -> Result<Vec<LaterLook>, StoreError> {
        self.read(TROUBLED, args![limit.min(1000)]).await?.iter().map(look).collect()
    }
}

/// Whether something was found, and this look has found it.
async fn keep(tx: &mut Tx, look: KeptLook, now: Timestamp) -> Result<bool, StoreError> {
    let KeptLook { case_id: case, system, result, evidence } = look;
    let here = system.as_str();
    let mut finds = false;
    if let LookResult::Again(found, _) | LookResult::Asks(found, _) = &result {
        let began_with = args![case, here, now, found.seen_at, found.done_at];
        finds = tx.execute(FOUND, began_with).await? == 1;
        if !finds {
            return Ok(false);
        }
    }
    match result {
        LookResult::Well => {
            tx.execute(SEEN, args![case, here, now]).await?;
            tx.execute(GONE, args![case, here]).await?;
        }
        LookResult::Trouble { why, again_at } => {
            tx.execute(NOT_SEEN, args![case, here, why, again_at]).await?;
        }
        LookResult::Again(found, job) => {
            let id = job.id;
            jobs::insert(tx, case, job, now).await?;
            let records = count(found.records, "a count so large")?;
            if tx.execute(BEGIN_AGAIN, args![case, here, records, id]).await? == 0 {
                find(tx, (case, here), (&found, now), ReappearanceState::Again, (None, Some(id)))
                    .await?;
            }
            jobs::reopen_case(tx, case).await?;
        }
        LookResult::Asks(found, why) => {
            let records = count(found.records, "a count so large")?;
            if tx.execute(ASKS_STILL, args![case, here, records, why.as_str()]).await? == 0 {
                let state = ReappearanceState::Asks;
                find(tx, (case, here), (&found, now), state, (Some(&why), None)).await?;
            }
        }
    }
    evidence::append(tx, evidence, now).await?;
    Ok(finds)
}

async fn find(
    tx: &mut Tx,
    (case, system): (Uuid, &str),
    (found, now): (&FoundAgain, Timestamp),
    state: ReappearanceState,
    (why, job): (Option<&str>, Option<Uuid>),
) -> Result<(), StoreError> {
    let records = count(found.records, "a count so large")?;
    let found_at = now.max(found.well_at);
    let values =
        args![found.id, case, system, found.well_at, found_at, records, state.as_str(), why, job,];
    tx.execute(FIND, values).await?;
    Ok(())
}
