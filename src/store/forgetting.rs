//! Forgetting a person whose request is over: what names them is destroyed, and the rest stays on record.

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::Store;
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::statement::{Sql, args};

// Who forgets a person and who has something done for them again take turns: whoever comes second sees
// what the first has written.
const LOCK_ITS_CASE: Sql = Sql::fork(
    "SELECT 1 AS one",
    "SELECT 1 AS one FROM cases WHERE id = (SELECT case_id FROM requests WHERE requests.id = $1)
     FOR UPDATE",
);
const FORGET: Sql = Sql::both(
    "UPDATE requests SET version = version + 1, wrapped_key = NULL, sealed = NULL, look_at = NULL,
         forgotten_at = $2
     WHERE id = $1 AND state = 'closed' AND forgotten_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM cases
           WHERE cases.id = requests.case_id AND cases.state <> 'closed')",
);
const FORGET_TAGS: Sql = Sql::both("DELETE FROM request_persons WHERE request_id = $1");
const FORGET_LETTERS: Sql =
    Sql::both("UPDATE letters SET sealed = NULL WHERE request_id = $1 AND sealed IS NOT NULL");

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("forgetting::LOCK_ITS_CASE", LOCK_ITS_CASE),
    ("forgetting::FORGET", FORGET),
    ("forgetting::FORGET_TAGS", FORGET_TAGS),
    ("forgetting::FORGET_LETTERS", FORGET_LETTERS),
];

impl Store {
    /// Destroys all that names the person of a closed request: the request's key, what is sealed
    /// under it, and the tags. `false` where it is not closed, something is
    /// done for them again, or they are forgotten already.
    pub async fn forget_person(
        &self,
        request: Uuid,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        tx.read(LOCK_ITS_CASE, args![request]).await?;
        if tx.execute(FORGET, args![request, now]).await? == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        tx.execute(FORGET_TAGS, args![request]).await?;
        tx.execute(FORGET_LETTERS, args![request]).await?;
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }
}
