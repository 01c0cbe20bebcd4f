//! Erasures inside copies: who asked for one, who agreed, and how it ended.
//!
//! Nothing here names a person: an erasure is known by the case and the store.

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::connection::Store;
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::statement::{Row, Sql, args, count, json, words};

words! {
    /// How an erasure inside copies stands.
    InsideState {
        /// A second person has to decide.
        Asked = "asked",
        /// A second person has agreed; it is carried out.
        Approved = "approved",
        /// It was carried out.
        Done = "done",
        /// Somebody has decided that it is not carried out.
        Refused = "refused",
    }
}

/// An erasure to ask for.
#[derive(Debug, Clone)]
pub struct NewInsideErasure {
    /// Its identifier.
    pub id: Uuid,
    /// The person's case.
    pub case_id: Uuid,
    /// The store of copies.
    pub store: String,
    /// Where the data map has the person's files, by system.
    pub declared: Value,
    /// How many paths of the person there are.
    pub parts: u64,
    /// Who asks.
    pub asked_by: String,
    /// Why, without personal data.
    pub reason: String,
}

/// An erasure on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InsideErasureRow {
    /// Its identifier.
    pub id: Uuid,
    /// The person's case.
    pub case_id: Uuid,
    /// The store of copies.
    pub store: String,
    /// Where the data map had the person's files, by system.
    pub declared: Value,
    /// How many paths of the person there were.
    pub parts: u64,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// Who asked.
    pub asked_by: String,
    /// Why.
    pub reason: String,
    /// How it stands.
    pub state: InsideState,
    /// Who decided, and when.
    pub decided: Option<(String, Timestamp)>,
    /// Why it is not carried out.
    pub refusal: Option<String>,
    /// When it was carried out, how many files and folders went, and how many the store keeps.
    pub ended: Option<(Timestamp, u64, u64)>,
    /// Why it could not be carried out yet, and when it is tried again.
    pub trouble: Option<(String, Timestamp)>,
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, case_id, store, declared, parts, asked_at, asked_by, reason, state,
             decided_at, decided_by, refusal, ended_at, gone, kept, trouble, try_at
             FROM inside_erasures ",
            $rest
        )
    };
}

const ASK: Sql = Sql::both(
    "INSERT INTO inside_erasures (id, case_id, store, declared, parts, asked_at, asked_by, reason,
         state)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'asked')
     ON CONFLICT (case_id, store) WHERE state IN ('asked', 'approved') DO NOTHING",
);
const APPROVE: Sql = Sql::both(
    "UPDATE inside_erasures SET state = 'approved', decided_at = $2, decided_by = $3
     WHERE id = $1 AND state = 'asked'",
);
const REFUSE: Sql = Sql::both(
    "UPDATE inside_erasures SET state = 'refused', decided_at = $2, decided_by = $3, refusal = $4,
         trouble = NULL, try_at = NULL
     WHERE id = $1 AND state IN ('asked', 'approved')",
);
const END: Sql = Sql::both(
    "UPDATE inside_erasures SET state = 'done', ended_at = $2, gone = $3, kept = $4, trouble = NULL,
         try_at = NULL
     WHERE id = $1 AND state = 'approved'",
);
// Somebody looks at once whether the store has nothing of the person any more.
const HASTEN_LOOKS: Sql = Sql::both(
    "UPDATE jobs SET available_at = $3
     WHERE case_id = $1 AND system = $2 AND kind = 'backup' AND state IN ('scheduled', 'available')
       AND available_at > $3",
);
const PUT_OFF: Sql = Sql::both(
    "UPDATE inside_erasures SET trouble = $2, try_at = $3 WHERE id = $1 AND state = 'approved'",
);
const BY_ID: Sql = Sql::both(columns!("WHERE id = $1"));
const LATEST: Sql = Sql::both(columns!("ORDER BY asked_at DESC, id DESC LIMIT $1"));
const TO_CARRY_OUT: Sql = Sql::both(columns!(
    "WHERE state = 'approved' AND (try_at IS NULL OR try_at <= $1) ORDER BY asked_at, id LIMIT 100"
));
const DONE_OF_CASE: Sql = Sql::both(columns!(
    "WHERE case_id = $1 AND store = $2 AND state = 'done' ORDER BY ended_at DESC, id DESC LIMIT 1"
));

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("inside_erasures::ASK", ASK),
    ("inside_erasures::APPROVE", APPROVE),
    ("inside_erasures::REFUSE", REFUSE),
    ("inside_erasures::END", END),
    ("inside_erasures::HASTEN_LOOKS", HASTEN_LOOKS),
    ("inside_erasures::PUT_OFF", PUT_OFF),
    ("inside_erasures::BY_ID", BY_ID),
    ("inside_erasures::LATEST", LATEST),
    ("inside_erasures::TO_CARRY_OUT", TO_CARRY_OUT),
    ("inside_erasures::DONE_OF_CASE", DONE_OF_CASE),
];

fn from_row(row: &Row) -> Result<InsideErasureRow, StoreError> {
    let decided_by: Option<String> = row.get("decided_by")?;
    let trouble: Option<String> = row.get("trouble")?;
    let counts = row.maybe_whole("gone")?.zip(row.maybe_whole("kept")?);
    let ended = row.maybe_instant("ended_at")?.zip(counts);
    Ok(InsideErasureRow {
        id: row.get("id")?,
        case_id: row.get("case_id")?,
        store: row.get("store")?,
        declared: row.json("declared")?,
        parts: row.whole("parts")?,
        asked_at: row.instant("asked_at")?,
        asked_by: row.get("asked_by")?,
        reason: row.get("reason")?,
        state: row.word("state", InsideState::parse)?,
        decided: decided_by.zip(row.maybe_instant("decided_at")?),
        refusal: row.get("refusal")?,
        ended: ended.map(|(at, (gone, kept))| (at, gone, kept)),
        trouble: trouble.zip(row.maybe_instant("try_at")?),
    })
}

impl Store {
    /// Asks for an erasure inside copies; `false`, with nothing written, where one of the same case
    /// in the same store is asked for or under way.
    pub async fn ask_inside_erasure(
        &self,
        new: NewInsideErasure,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let parts = count(new.parts, "so many paths")?;
        let declared = json(&new.declared)?;
        let values =
            args![new.id, new.case_id, new.store, declared, parts, now, new.asked_by, new.reason];
        self.with_evidence((ASK, values), now, evidence).await
    }

    /// A second person agrees; `false`, with nothing written, where it does not wait for one.
    ///
    /// # Errors
    /// Where it is the person who asked.
    pub async fn approve_inside_erasure(
        &self,
        id: Uuid,
        by: &str,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        self.with_evidence((APPROVE, args![id, now, by]), now, evidence).await
    }

    /// Somebody decides that it is not carried out, or not any more; `false`, with nothing written,
    /// where it has ended.
    pub async fn refuse_inside_erasure(
        &self,
        id: Uuid,
        (by, why): (&str, &str),
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        self.with_evidence((REFUSE, args![id, now, by, why]), now, evidence).await
    }

    /// It was carried out: so many files and folders went, and so many does the store keep. Looks of
    /// the case at that store are due now. `false`, with nothing written, where it is not under way.
    pub async fn end_inside_erasure(
        &self,
        one: &InsideErasureRow,
        (gone, kept): (u64, u64),
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let (gone, kept) = (count(gone, "so many files")?, count(kept, "so many files")?);
        let mut tx = self.begin().await?;
        if tx.execute(END, args![one.id, now, gone, kept]).await? == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        tx.execute(HASTEN_LOOKS, args![one.case_id, one.store.as_str(), now]).await?;
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// It could not be carried out, and is tried again then.
    pub async fn put_off_inside_erasure(
        &self,
        id: Uuid,
        (why, try_at): (&str, Timestamp),
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        self.with_evidence((PUT_OFF, args![id, why, try_at]), now, evidence).await
    }

    /// The erasure with this identifier.
    pub async fn inside_erasure(&self, id: Uuid) -> Result<Option<InsideErasureRow>, StoreError> {
        self.read_one(BY_ID, args![id]).await?.as_ref().map(from_row).transpose()
    }

    /// The latest erasures, at most so many.
    pub async fn inside_erasures(&self, limit: u32) -> Result<Vec<InsideErasureRow>, StoreError> {
        self.read(LATEST, args![limit]).await?.iter().map(from_row).collect()
    }

    /// Erasures that were agreed to and are to be carried out by now, at most a hundred.
    pub async fn inside_erasures_to_carry_out(
        &self,
        now: Timestamp,
    ) -> Result<Vec<InsideErasureRow>, StoreError> {
        self.read(TO_CARRY_OUT, args![now]).await?.iter().map(from_row).collect()
    }

    /// The latest erasure of a case in a store that was carried out.
    pub async fn inside_erasure_of_case(
        &self,
        case: Uuid,
        store: &str,
    ) -> Result<Option<InsideErasureRow>, StoreError> {
        let row = self.read_one(DONE_OF_CASE, args![case, store]).await?;
        row.as_ref().map(from_row).transpose()
    }

    async fn with_evidence(
        &self,
        (statement, values): (Sql, Vec<super::statement::Arg>),
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if tx.execute(statement, values).await? == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }
}
