//! Requests that we have made of third parties over `OpenDSR`, by the names under which they call
//! us back.
//!
//! A callback only wakes the job that waits for it, and is kept as evidence: what comes twice, late
//! or out of order changes nothing.

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::Store;
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::opendsr::OpendsrStatus;
use super::statement::{Row, Sql, args};

/// A request that we have made of a third party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedRequest {
    /// The name under which it calls back.
    pub subject_request_id: Uuid,
    /// The job behind it.
    pub job_id: Uuid,
    /// The state that is known.
    pub status: OpendsrStatus,
}

/// A callback that was believed.
#[derive(Debug, Clone)]
pub struct HeardCallback {
    /// The system that called.
    pub system: String,
    /// The request that it speaks of.
    pub subject_request_id: Uuid,
    /// The state that it tells.
    pub status: OpendsrStatus,
}

const ASKED: Sql = Sql::both(
    "INSERT INTO opendsr_asked (system, subject_request_id, job_id, step, status)
     VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (system, subject_request_id) DO UPDATE
         SET step = excluded.step, status = excluded.status
         WHERE opendsr_asked.step < excluded.step",
);
const ASKED_ONE: Sql = Sql::both(
    "SELECT subject_request_id, job_id, status FROM opendsr_asked
     WHERE system = $1 AND subject_request_id = $2",
);
const HEARD: Sql = Sql::both(
    "UPDATE opendsr_asked SET step = $3, status = $4, told_at = $5
     WHERE system = $1 AND subject_request_id = $2 AND step < $3",
);
const WAKE: Sql = Sql::both(
    "UPDATE jobs SET available_at = $3
     WHERE state = 'waiting' AND available_at > $3 AND id = (SELECT job_id FROM opendsr_asked
         WHERE system = $1 AND subject_request_id = $2)",
);

const WAKE_TOLD: Sql = Sql::both(
    "UPDATE jobs SET available_at = $3
     WHERE id = $1 AND state = 'waiting' AND available_at > $3
       AND EXISTS (SELECT 1 FROM opendsr_asked WHERE job_id = $1 AND told_at > $2)",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("opendsr_asked::ASKED", ASKED),
    ("opendsr_asked::ASKED_ONE", ASKED_ONE),
    ("opendsr_asked::HEARD", HEARD),
    ("opendsr_asked::WAKE", WAKE),
    ("opendsr_asked::WAKE_TOLD", WAKE_TOLD),
];

impl Store {
    /// Writes down under which names a third party will call back for a job.
    pub async fn opendsr_asked(
        &self,
        system: &str,
        asked: &[AskedRequest],
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for one in asked {
            let values = args![
                system,
                one.subject_request_id,
                one.job_id,
                one.status.step(),
                one.status.as_str(),
            ];
            tx.execute(ASKED, values).await?;
        }
        tx.commit().await
    }

    /// The request that a third party calls back for; `None` where we made none of this name.
    pub async fn opendsr_asked_one(
        &self,
        system: &str,
        subject_request_id: Uuid,
    ) -> Result<Option<AskedRequest>, StoreError> {
        let row = self.read_one(ASKED_ONE, args![system, subject_request_id]).await?;
        let read = |row: &Row| {
            Ok(AskedRequest {
                subject_request_id: row.get("subject_request_id")?,
                job_id: row.get("job_id")?,
                status: row.word("status", OpendsrStatus::parse)?,
            })
        };
        row.as_ref().map(read).transpose()
    }

    /// Writes down a callback that was believed, and makes its job look at once where it waits;
    /// `false`, with nothing written, where it tells nothing new.
    pub async fn callback_heard(
        &self,
        heard: HeardCallback,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let HeardCallback { system, subject_request_id, status } = heard;
        let mut tx = self.begin().await?;
        let values =
            args![system.as_str(), subject_request_id, status.step(), status.as_str(), now];
        if tx.execute(HEARD, values).await? == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        tx.execute(WAKE, args![system, subject_request_id, now]).await?;
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Makes a waiting job look at once where it was called back for since a moment: a callback
    /// that came while the job was still at work has woken nobody.
    pub async fn wake_told(
        &self,
        job: Uuid,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.write(WAKE_TOLD, args![job, since, now]).await? == 1)
    }
}
