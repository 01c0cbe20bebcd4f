//! Restrictions that end as another case is opened, in the transaction of that: either both take place
//! or neither, so that nobody is used again whose lifting was refused in the same moment, and nobody
//! stays restricted by what a lifting has ended.

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::Tx;
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::jobs;
use super::requests::{self, RequestChange};
use super::statement::{Sql, args};

/// A request whose restriction ends.
#[derive(Debug, Clone)]
pub struct EndedRestriction {
    /// Its case.
    pub case_id: Uuid,
    /// Its change, which says so. A certificate that is just being written, and would have it kept up, has
    /// read the request before: of the two changes one is made.
    pub request: RequestChange,
    /// What of it is not final, each job with the evidence that it was called off.
    pub jobs: Vec<(Uuid, OutboxEntry)>,
}

// Whoever is at work would restrict again what is lifted meanwhile. A third party that was asked is
// waited for until it is looked at next, and the job ends then.
const STILL_RESTRICTS: Sql = Sql::both(
    "SELECT 1 AS one FROM jobs WHERE case_id = $1 AND kind IN ('request', 'upkeep')
       AND (state IN ('scheduled', 'available', 'running', 'held', 'blocked')
           OR state = 'waiting' AND cancel_requested_at IS NULL) LIMIT 1",
);
// What waited for a second person was called off, but for what a restore brought back.
const GOES_ON: Sql = Sql::both(
    "UPDATE cases SET state = 'executing' WHERE id = $1 AND state = 'awaiting_approval'
       AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.case_id = $1
           AND jobs.state = 'blocked' AND jobs.blocked_reason IN ('approval', 'cap'))",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("ended_restrictions::STILL_RESTRICTS", STILL_RESTRICTS),
    ("ended_restrictions::GOES_ON", GOES_ON),
];

/// Ends restrictions in a transaction, which is to be rolled back where it is `false`: somebody has
/// changed one of the requests, or is at work on one.
pub(super) async fn end(
    tx: &mut Tx,
    ended: Vec<EndedRestriction>,
    (by, now): (&str, Timestamp),
) -> Result<bool, StoreError> {
    for EndedRestriction { case_id, request, jobs } in ended {
        if !requests::change(tx, request, now).await? {
            return Ok(false);
        }
        let mut called_off = Vec::new();
        for (job, evidence) in jobs {
            if jobs::call_off(tx, job, by, now).await? {
                called_off.push(evidence);
            }
        }
        if tx.read_one(STILL_RESTRICTS, args![case_id]).await?.is_some() {
            return Ok(false);
        }
        tx.execute(GOES_ON, args![case_id]).await?;
        evidence::append(tx, called_off, now).await?;
    }
    Ok(true)
}
