//! Steps of several jobs at once: claiming, starting, keeping the lease and completing take as many
//! statements as for one job, whatever their number. Each row keeps the guard that it has alone
//! (worker, attempt, state); whoever is not among the rows that come back has lost theirs.
//!
//! Rows go in the order of their jobs, so that two transactions over the same jobs do not wait for
//! one another in a circle.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::attempts::{self, AttemptResult, End};
use super::breakers::{self, Heard, Moved};
use super::cases::{self, Case, case_columns};
use super::claims::{
    Claim, ClaimedJob, Start, StillMine, Tenure, Versions, not_in_quarantine, not_paused,
    not_paused_here,
};
use super::connection::{Store, Tx};
use super::error::StoreError;
use super::evidence;
use super::jobs::{self, Job, JobKind, job_list};
use super::requests::{self, Request, request_columns};
use super::rows::Rows;
use super::settlement::{Settle, Settled, Settlement};
use super::statement::{Arg, Row, Sql, args, json};

// Each database reads JSON in its own words.
const TAKE: Sql = Sql::fork(
    concat!(
        "UPDATE jobs SET state = 'running', attempt = attempt + 1, leased_by = wanted_worker,
             lease_until = wanted_until
         FROM (SELECT unhex(value ->> 0) AS wanted_id, value ->> 1 AS wanted_state,
                 value ->> 2 AS wanted_attempt, value ->> 3 AS wanted_worker,
                 value ->> 4 AS wanted_until FROM json_each($1)) AS wanted
         WHERE id = wanted_id AND state = wanted_state AND attempt = wanted_attempt
         RETURNING ",
        job_list!()
    ),
    concat!(
        "UPDATE jobs SET state = 'running', attempt = attempt + 1, leased_by = wanted_worker,
             lease_until = wanted_until
         FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::bigint[])
             AS wanted (wanted_id, wanted_state, wanted_attempt, wanted_worker, wanted_until)
         WHERE id = wanted_id AND state = wanted_state AND attempt = wanted_attempt
         RETURNING ",
        job_list!()
    ),
);
const BEGIN_ATTEMPTS: Sql = Sql::fork(
    "INSERT INTO attempts (job_id, attempt, worker, claimed_at)
     SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3 FROM json_each($1)",
    "INSERT INTO attempts (job_id, attempt, worker, claimed_at)
     SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::bigint[])",
);
// Whoever has leased a job runs it, by a law of the table. Said here, it would lead PostgreSQL to look
// through all running jobs for each row: its statistics know of hardly any.
const EXTEND: Sql = Sql::fork(
    "UPDATE jobs SET lease_until = wanted_until, done = COALESCE(wanted_done, done)
     FROM (SELECT unhex(value ->> 0) AS wanted_id, value ->> 1 AS wanted_worker,
             value ->> 2 AS wanted_attempt, value ->> 3 AS wanted_until,
             value ->> 4 AS wanted_done FROM json_each($1)) AS wanted
     WHERE id = wanted_id AND leased_by = wanted_worker AND attempt = wanted_attempt
     RETURNING id, cancel_requested_at",
    "UPDATE jobs SET lease_until = wanted_until, done = COALESCE(wanted_done, done)
     FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::text[])
         AS wanted (wanted_id, wanted_worker, wanted_attempt, wanted_until, wanted_done)
     WHERE id = wanted_id AND leased_by = wanted_worker AND attempt = wanted_attempt
     RETURNING id, cancel_requested_at",
);
const STILL_MINE: Sql = Sql::fork(
    "SELECT id, cancel_requested_at FROM jobs
     JOIN (SELECT unhex(value ->> 0) AS wanted_id, value ->> 1 AS wanted_worker,
             value ->> 2 AS wanted_attempt FROM json_each($2)) AS wanted
         ON id = wanted_id AND leased_by = wanted_worker AND attempt = wanted_attempt
     WHERE lease_until >= $1",
    "SELECT id, cancel_requested_at FROM jobs
     JOIN unnest($2::uuid[], $3::text[], $4::bigint[])
             AS wanted (wanted_id, wanted_worker, wanted_attempt)
         ON id = wanted_id AND leased_by = wanted_worker AND attempt = wanted_attempt
     WHERE lease_until >= $1",
);
const GOES_ON: Sql = Sql::fork(
    concat!(
        "SELECT id FROM jobs WHERE id IN (SELECT unhex(value ->> 0) FROM json_each($1))",
        not_paused_here!()
    ),
    concat!(
        "SELECT id FROM jobs
         WHERE id = ANY ($1::uuid[])",
        not_paused_here!(postgres)
    ),
);
const START: Sql = Sql::fork(
    "UPDATE attempts SET started_at = wanted_at
     FROM (SELECT unhex(value ->> 0) AS wanted_job, value ->> 1 AS wanted_worker,
             value ->> 2 AS wanted_attempt, value ->> 3 AS wanted_at FROM json_each($1)) AS wanted
     WHERE job_id = wanted_job AND attempt = wanted_attempt AND worker = wanted_worker
       AND ended_at IS NULL",
    "UPDATE attempts SET started_at = wanted_at
     FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[])
         AS wanted (wanted_job, wanted_worker, wanted_attempt, wanted_at)
     WHERE job_id = wanted_job AND attempt = wanted_attempt AND worker = wanted_worker
       AND ended_at IS NULL",
);
const COMPLETE: Sql = Sql::fork(
    "UPDATE jobs SET state = 'completed', leased_by = NULL, lease_until = NULL,
         settled_at = wanted_at, done = wanted_done, verification = wanted_verification,
         blocked_reason = NULL, hold_matters = NULL
     FROM (SELECT unhex(value ->> 0) AS wanted_id, value ->> 1 AS wanted_worker,
             value ->> 2 AS wanted_attempt, value ->> 3 AS wanted_at, value ->> 4 AS wanted_done,
             value ->> 5 AS wanted_verification FROM json_each($1)) AS wanted
     WHERE id = wanted_id AND leased_by = wanted_worker AND attempt = wanted_attempt
     RETURNING id, case_id, system",
    "UPDATE jobs SET state = 'completed', leased_by = NULL, lease_until = NULL,
         settled_at = wanted_at, done = wanted_done, verification = wanted_verification,
         blocked_reason = NULL, hold_matters = NULL
     FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[])
         AS wanted (wanted_id, wanted_worker, wanted_attempt, wanted_at, wanted_done,
             wanted_verification)
     WHERE id = wanted_id AND leased_by = wanted_worker AND attempt = wanted_attempt
     RETURNING id, case_id, system",
);
const END_ATTEMPTS: Sql = Sql::fork(
    "UPDATE attempts SET ended_at = wanted_at, result = 'completed'
     FROM (SELECT unhex(value ->> 0) AS wanted_job, value ->> 1 AS wanted_attempt,
             value ->> 2 AS wanted_at FROM json_each($1)) AS wanted
     WHERE job_id = wanted_job AND attempt = wanted_attempt AND ended_at IS NULL",
    "UPDATE attempts SET ended_at = wanted_at, result = 'completed'
     FROM unnest($1::uuid[], $2::bigint[], $3::bigint[])
         AS wanted (wanted_job, wanted_attempt, wanted_at)
     WHERE job_id = wanted_job AND attempt = wanted_attempt AND ended_at IS NULL",
);
// Several workers may open the same cases again: everybody locks them in the same order. SQLite has
// one writer.
const ANSWERED: Sql = Sql::fork(
    "SELECT id FROM cases WHERE state IN ('verifying', 'closed')
       AND id IN (SELECT unhex(value ->> 0) FROM json_each($1))
     ORDER BY id",
    "SELECT id FROM cases WHERE state IN ('verifying', 'closed')
       AND id = ANY ($1::uuid[])
     ORDER BY id FOR UPDATE",
);

const CASES: Sql = Sql::fork(
    case_columns!("WHERE id IN (SELECT unhex(value ->> 0) FROM json_each($1))"),
    case_columns!("WHERE id = ANY ($1::uuid[])"),
);
const REQUESTS: Sql = Sql::fork(
    request_columns!("WHERE case_id IN (SELECT unhex(value ->> 0) FROM json_each($1))"),
    request_columns!("WHERE case_id = ANY ($1::uuid[])"),
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("together::TAKE", TAKE),
    ("together::BEGIN_ATTEMPTS", BEGIN_ATTEMPTS),
    ("together::EXTEND", EXTEND),
    ("together::STILL_MINE", STILL_MINE),
    ("together::GOES_ON", GOES_ON),
    ("together::START", START),
    ("together::COMPLETE", COMPLETE),
    ("together::END_ATTEMPTS", END_ATTEMPTS),
    ("together::ANSWERED", ANSWERED),
    ("together::CASES", CASES),
    ("together::REQUESTS", REQUESTS),
];

/// A statement's one argument for all of these rows, in as many parts as their size asks for.
fn parts(rows: impl IntoIterator<Item = Vec<Arg>>) -> Result<Vec<Rows>, StoreError> {
    let (mut waiting, mut parts) = (Rows::default(), Vec::new());
    for row in rows {
        waiting.push(row)?;
        parts.extend(waiting.take_if_full());
    }
    parts.extend(waiting.take());
    Ok(parts)
}

async fn read_all(
    tx: &mut Tx,
    sql: Sql,
    rows: impl IntoIterator<Item = Vec<Arg>>,
) -> Result<Vec<Row>, StoreError> {
    let mut found = Vec::new();
    for part in parts(rows)? {
        found.extend(tx.read(sql, args![part]).await?);
    }
    Ok(found)
}

async fn execute_all(
    tx: &mut Tx,
    sql: Sql,
    rows: impl IntoIterator<Item = Vec<Arg>>,
) -> Result<u64, StoreError> {
    let mut touched = 0;
    for part in parts(rows)? {
        touched += tx.execute(sql, args![part]).await?;
    }
    Ok(touched)
}

fn ids(rows: &[Row]) -> Result<BTreeSet<Uuid>, StoreError> {
    rows.iter().map(|row| row.get("id")).collect()
}

/// A job that may be claimed, as it was found.
pub(super) struct Candidate {
    id: Uuid,
    state: String,
    attempt: u32,
}

impl Candidate {
    pub(super) fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { id: row.get("id")?, state: row.get("state")?, attempt: row.small("attempt")? })
    }
}

/// Takes candidates, in their order, without those that somebody else was faster to take.
pub(super) async fn take(
    tx: &mut Tx,
    claim: &Claim,
    candidates: Vec<Candidate>,
) -> Result<Vec<ClaimedJob>, StoreError> {
    let worker = claim.worker.as_str();
    let mut wanted: Vec<&Candidate> = candidates.iter().collect();
    wanted.sort_by_key(|one| one.id);
    let row = |one: &&Candidate| {
        args![one.id, one.state.as_str(), one.attempt, worker, claim.lease_until]
    };
    let taken = read_all(tx, TAKE, wanted.iter().map(row)).await?;
    let jobs = taken.iter().map(|row| jobs::from_row(row).map(|job| (job.id, job)));
    let mut jobs = jobs.collect::<Result<BTreeMap<Uuid, Job>, StoreError>>()?;
    let mut claimed = Vec::with_capacity(jobs.len());
    for Candidate { id, state, attempt } in candidates {
        let Some(job) = jobs.remove(&id) else { continue };
        let lost_attempt = (state == "running").then_some(attempt);
        if let Some(attempt) = lost_attempt {
            let result = AttemptResult::Lost;
            attempts::end(tx, End { job: id, attempt, result, fault: None, now: claim.now })
                .await?;
        }
        claimed.push(ClaimedJob { job, lost_attempt, trial: false });
    }
    let begun = claimed.iter().map(|one| args![one.job.id, one.job.attempt, worker, claim.now]);
    execute_all(tx, BEGIN_ATTEMPTS, begun).await?;
    for one in claimed.iter().filter(|one| one.job.kind == JobKind::Retained) {
        jobs::reopen_case(tx, one.job.case_id).await?;
    }
    Ok(claimed)
}

/// A step under a lease: what is done, where that is news.
pub(super) struct Extension<'a> {
    pub(super) tenure: &'a Tenure,
    pub(super) lease_until: Timestamp,
    pub(super) done: Option<&'a Value>,
}

/// Keeps leases alive; of each job that is still the caller's, whether somebody asked it to stop.
pub(super) async fn extend(
    tx: &mut Tx,
    extensions: impl IntoIterator<Item = Extension<'_>>,
) -> Result<BTreeMap<Uuid, bool>, StoreError> {
    let mut extensions: Vec<Extension<'_>> = extensions.into_iter().collect();
    extensions.sort_by_key(|one| one.tenure.job);
    let mut rows = Vec::with_capacity(extensions.len());
    for Extension { tenure, lease_until, done } in extensions {
        let done = done.map(json).transpose()?;
        rows.push(args![tenure.job, tenure.worker.as_str(), tenure.attempt, lease_until, done]);
    }
    asked_to_stop(&read_all(tx, EXTEND, rows).await?)
}

/// Of each job that is the caller's until then or longer, whether somebody asked it to stop; no lease
/// is renewed.
pub(super) async fn still_mine(
    tx: &mut Tx,
    tenures: &[Tenure],
    until: Timestamp,
) -> Result<BTreeMap<Uuid, bool>, StoreError> {
    let row = |tenure: &Tenure| args![tenure.job, tenure.worker.as_str(), tenure.attempt];
    let mut mine = BTreeMap::new();
    for part in parts(tenures.iter().map(row))? {
        mine.extend(asked_to_stop(&tx.read(STILL_MINE, args![until, part]).await?)?);
    }
    Ok(mine)
}

fn asked_to_stop(rows: &[Row]) -> Result<BTreeMap<Uuid, bool>, StoreError> {
    let asked = |row: &Row| {
        let asked = row.maybe_instant("cancel_requested_at")?.is_some();
        Ok((row.get("id")?, asked))
    };
    rows.iter().map(asked).collect()
}

/// Starts attempts in a transaction, which is to be rolled back on `None`: not all of them may start.
pub(super) async fn start(
    tx: &mut Tx,
    starts: Vec<Start>,
    versions: Versions,
) -> Result<Option<Vec<StillMine>>, StoreError> {
    let Some(now) = starts.iter().map(|start| start.now).max() else { return Ok(Some(Vec::new())) };
    let extensions = starts.iter().map(|start| Extension {
        tenure: &start.tenure,
        lease_until: start.lease_until,
        done: None,
    });
    let mine = extend(tx, extensions).await?;
    let mut all = Vec::with_capacity(starts.len());
    for start in &starts {
        let Some(cancel_requested) = mine.get(&start.tenure.job).copied() else { return Ok(None) };
        all.push(versions.seen(cancel_requested));
    }
    let goes_on = read_all(tx, GOES_ON, mine.keys().map(|id| args![*id])).await?;
    if goes_on.len() != starts.len() {
        return Ok(None);
    }
    let row = |start: &Start| {
        let tenure = &start.tenure;
        args![tenure.job, tenure.worker.as_str(), tenure.attempt, start.now]
    };
    let mut rows: Vec<&Start> = starts.iter().collect();
    rows.sort_by_key(|start| start.tenure.job);
    let started = execute_all(tx, START, rows.into_iter().map(row)).await?;
    if started != starts.len() as u64 {
        return Ok(None);
    }
    let intents = starts.into_iter().flat_map(|start| start.evidence).collect();
    evidence::append(tx, intents, now).await?;
    Ok(Some(all))
}

/// Whether these attempts end in the same way as one: completed.
pub(super) fn all_completed(settles: &[(Settle, Heard)]) -> bool {
    let completed =
        |(one, _): &(Settle, Heard)| matches!(one.settlement, Settlement::Completed { .. });
    settles.len() > 1 && settles.iter().all(completed)
}

/// Completes attempts in a transaction, which is to be rolled back unless they are settled: another
/// attempt has taken over one of them.
pub(super) async fn complete(
    tx: &mut Tx,
    mut settles: Vec<(Settle, Heard)>,
) -> Result<Settled, StoreError> {
    let many = settles.len() as u64;
    settles.sort_by_key(|(one, _)| one.tenure.job);
    let (mut jobs, mut ends) = (Vec::new(), Vec::new());
    for (Settle { tenure, settlement, now: at, .. }, _) in &settles {
        let Settlement::Completed { done, verification } = settlement else {
            return Ok(Settled::LOST);
        };
        let (done, verification) = (json(done)?, json(verification)?);
        let worker = tenure.worker.as_str();
        jobs.push(args![tenure.job, worker, tenure.attempt, *at, done, verification]);
        ends.push(args![tenure.job, tenure.attempt, *at]);
    }
    let completed = read_all(tx, COMPLETE, jobs).await?;
    if completed.len() as u64 != many || execute_all(tx, END_ATTEMPTS, ends).await? != many {
        return Ok(Settled::LOST);
    }
    let moved = move_breakers(tx, &settles, &completed).await?;
    // What comes to its end after the case was answered is certified once more.
    let cases: Result<BTreeSet<Uuid>, StoreError> =
        completed.iter().map(|row| row.get("case_id")).collect();
    let answered = read_all(tx, ANSWERED, cases?.into_iter().map(|id| args![id])).await?;
    for case in ids(&answered)? {
        jobs::reopen_case(tx, case).await?;
    }
    let now = settles.iter().map(|(one, _)| one.now).max();
    let outcomes = settles.into_iter().flat_map(|(one, _)| one.evidence).collect();
    if let Some(now) = now {
        evidence::append(tx, outcomes, now).await?;
    }
    Ok(Settled { settled: true, moved })
}

/// Moves breakers by what attempts have heard of their systems; `completed` are their jobs.
async fn move_breakers(
    tx: &mut Tx,
    settles: &[(Settle, Heard)],
    completed: &[Row],
) -> Result<Option<Moved>, StoreError> {
    let systems = completed.iter().map(|row| Ok((row.get("id")?, row.get("system")?)));
    let systems = systems.collect::<Result<BTreeMap<Uuid, String>, StoreError>>()?;
    let mut moved = None;
    for (Settle { tenure, now, .. }, heard) in settles {
        let Some(system) = systems.get(&tenure.job) else { continue };
        moved = breakers::move_by(tx, system, (tenure, *heard), *now).await?.or(moved);
    }
    Ok(moved)
}

impl Store {
    /// The cases with these identifiers; those that do not exist are missing.
    pub async fn cases(&self, wanted: &BTreeSet<Uuid>) -> Result<BTreeMap<Uuid, Case>, StoreError> {
        let mut found = BTreeMap::new();
        for part in parts(wanted.iter().map(|id| args![*id]))? {
            for row in self.read(CASES, args![part]).await? {
                let case = cases::from_row(&row)?;
                found.insert(case.id, case);
            }
        }
        Ok(found)
    }

    /// The requests that these cases carry out, by their case.
    pub async fn requests_of_cases(
        &self,
        wanted: &BTreeSet<Uuid>,
    ) -> Result<BTreeMap<Uuid, Request>, StoreError> {
        let mut found = BTreeMap::new();
        for part in parts(wanted.iter().map(|id| args![*id]))? {
            for row in self.read(REQUESTS, args![part]).await? {
                let request = requests::from_row(&row)?;
                found.extend(request.case_id.map(|case| (case, request)));
            }
        }
        Ok(found)
    }
}
