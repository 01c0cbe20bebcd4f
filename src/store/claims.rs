//! Claiming jobs and working under a lease.
//!
//! The attempt number is the fence: whoever comes with an old one changes nothing. Versions of
//! holds and pauses are read with every step, so that a worker notices within one step that
//! something was placed or paused.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::candidates::candidates_for;
use super::connection::{Store, Tx};
use super::error::StoreError;
use super::evidence::OutboxEntry;
use super::jobs::Job;
use super::lanes::Lane;
use super::statement::{Arg, Row, Sql, args, json};
use super::together::{self, Candidate, Extension};
use super::turns::{Turns, Verdict};
use crate::domain::SystemLimits;

/// Who wants jobs.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The worker's name, unique among all that are alive.
    pub worker: String,
    /// The present moment.
    pub now: Timestamp,
    /// Until when they are wanted.
    pub lease_until: Timestamp,
    /// How many; `claim` takes at most 100 and `claim_company` at most 1000.
    pub limit: u32,
}

/// A claimed job: the claimer has to settle it or to keep its lease alive.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedJob {
    /// The job as it is now, with the new attempt number. One beyond `attempts_allowed` says that
    /// earlier ones were lost too often: it is settled as failed, a person's part after some more.
    /// Where `reference` is given, ask after it before doing anything anew.
    pub job: Job,
    /// The attempt before it was lost: nobody knows what it has done.
    pub lost_attempt: Option<u32>,
    /// The breaker of its system is open, and this is the one job that tries it.
    pub trial: bool,
}

impl ClaimedJob {
    /// The attempt that this worker has claimed.
    pub fn tenure(&self, worker: &str) -> Tenure {
        Tenure { job: self.job.id, worker: worker.to_owned(), attempt: self.job.attempt }
    }
}

/// Which attempt of which job, and whose: the guard of every step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenure {
    /// The job.
    pub job: Uuid,
    /// The worker.
    pub worker: String,
    /// The attempt.
    pub attempt: u32,
}

/// The start of an attempt.
#[derive(Debug, Clone)]
pub struct Start {
    /// Which attempt.
    pub tenure: Tenure,
    /// The present moment.
    pub now: Timestamp,
    /// Until when the job is wanted.
    pub lease_until: Timestamp,
    /// The intent, recorded before the effect.
    pub evidence: Vec<OutboxEntry>,
}

/// What became of the wish to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// Go on; holds have to be read anew where their version is not the one that was planned with.
    Yes(StillMine),
    /// It is paused, or its system is in quarantine; nothing was written. Settle it as blocked or released.
    Paused(StillMine),
    /// Another attempt has taken over; nothing was written.
    NotMine,
}

/// How far an attempt has come.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Which attempt.
    pub tenure: Tenure,
    /// What is done, with all that is needed to go on from there.
    pub done: Value,
    /// Until when the job is wanted.
    pub lease_until: Timestamp,
}

/// What a job of several that are carried out together reports.
#[derive(Debug, Clone)]
pub struct JointStep {
    /// Which attempt.
    pub tenure: Tenure,
    /// What is done, where that is news.
    pub done: Option<Value>,
}

/// The job is still the caller's, and this is what it has to respect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StillMine {
    /// Counts the placings and releases of holds.
    pub holds_version: u64,
    /// Counts the pauses and resumptions.
    pub pauses_version: u64,
    /// Counts how often other rules came in force.
    pub rules_version: u64,
    /// Somebody asked the job to stop.
    pub cancel_requested: bool,
}

// Replicas on PostgreSQL take different jobs side by side, so rows that another one is just taking
// are passed over. SQLite has one writer and knows no row locks. A case's name in a pause is its
// identifier without hyphens, which the two databases write differently. While a restored system is
// in quarantine, nothing is carried out on it but what does again what was done since, and the
// restore's own case. Where the kind stood within, PostgreSQL expected that hardly any job is left and
// read all of them.
macro_rules! not_in_quarantine {
    () => {
        " AND (jobs.kind = 'replay' OR NOT EXISTS (SELECT 1 FROM restores
           WHERE restores.system = jobs.system AND restores.opened_at IS NULL
             AND restores.case_id <> jobs.case_id))"
    };
}
// As a question of its own for each row: joined, PostgreSQL would take it that hardly a row passes it,
// and read and sort all that waits instead of following the index to the first that does.
macro_rules! not_paused {
    () => {
        " AND CASE WHEN EXISTS (SELECT 1 FROM pauses WHERE resumed_at IS NULL
               AND (scope = 'everything' OR (scope = 'system' AND name = jobs.system)
                   OR (scope = 'case' AND name = lower(hex(jobs.case_id)))))
               THEN FALSE ELSE TRUE END"
    };
    (postgres) => {
        " AND CASE WHEN EXISTS (SELECT 1 FROM pauses WHERE resumed_at IS NULL
               AND (scope = 'everything' OR (scope = 'system' AND name = jobs.system)
                   OR (scope = 'case' AND name = replace(CAST(jobs.case_id AS TEXT), '-', ''))))
               THEN FALSE ELSE TRUE END"
    };
}
macro_rules! not_paused_here {
    ($($database:ident)?) => {
        concat!(not_paused!($($database)?), not_in_quarantine!())
    };
}
pub(super) use {not_in_quarantine, not_paused, not_paused_here};
// Two questions, of which each follows an index in its order and stops at the limit: as one with OR
// between them it would read and sort all that waits, for each job that is claimed. SQLite takes an
// index of a part of the rows only where its condition is said in its own words.
macro_rules! lost {
    () => {
        "state = 'running' AND lease_until < $1"
    };
}
macro_rules! waiting {
    () => {
        "state IN ('scheduled', 'available', 'waiting') AND available_at <= $1"
    };
}
pub(super) use {lost, waiting};
/// Looks of one claim at what could be claimed: another one where somebody else took the last turn of
/// a system meanwhile.
const MOST_LOOKS: usize = 8;
// Whoever starts an attempt and whoever places a hold take turns: either the attempt sees the
// hold, or whoever places it sees the attempt running. SQLite's one writer does so by itself.
const LOCK_VERSIONS: Sql = Sql::fork(
    "SELECT name, value FROM versions ORDER BY name",
    "SELECT name, value FROM versions ORDER BY name FOR SHARE",
);
const VERSIONS: Sql = Sql::both("SELECT name, value FROM versions ORDER BY name");
const EXTEND: Sql = Sql::both(
    "UPDATE jobs SET lease_until = $4
     WHERE id = $1 AND leased_by = $2 AND attempt = $3 AND state = 'running'
     RETURNING cancel_requested_at",
);
const PROGRESS: Sql = Sql::both(
    "UPDATE jobs SET lease_until = $4, done = $5
     WHERE id = $1 AND leased_by = $2 AND attempt = $3 AND state = 'running'
     RETURNING cancel_requested_at",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("claims::LOCK_VERSIONS", LOCK_VERSIONS),
    ("claims::VERSIONS", VERSIONS),
    ("claims::EXTEND", EXTEND),
    ("claims::PROGRESS", PROGRESS),
];

/// Versions of holds, pauses and the rules in force.
#[derive(Clone, Copy)]
pub(super) struct Versions {
    pub(super) holds: u64,
    pub(super) pauses: u64,
    pub(super) rules: u64,
}

impl Versions {
    /// What the owner of a job sees.
    pub(super) fn seen(self, cancel_requested: bool) -> StillMine {
        let Self { holds, pauses, rules } = self;
        StillMine {
            holds_version: holds,
            pauses_version: pauses,
            rules_version: rules,
            cancel_requested,
        }
    }
}

/// Reads the versions; with `Turn::Wait`, they do not change until the transaction ends.
pub(super) async fn versions(tx: &mut Tx, turn: Turn) -> Result<Versions, StoreError> {
    let sql = match turn {
        Turn::Wait => LOCK_VERSIONS,
        Turn::Pass => VERSIONS,
    };
    let mut versions = Versions { holds: 0, pauses: 0, rules: 0 };
    for row in tx.read(sql, Vec::new()).await? {
        let name: String = row.get("name")?;
        match name.as_str() {
            "holds" => versions.holds = row.whole("value")?,
            "pauses" => versions.pauses = row.whole("value")?,
            "rules" => versions.rules = row.whole("value")?,
            _ => {}
        }
    }
    Ok(versions)
}

/// Whether to wait for whoever is just placing a hold.
#[derive(Clone, Copy)]
pub(super) enum Turn {
    Wait,
    Pass,
}

pub(super) async fn extend(
    tx: &mut Tx,
    tenure: &Tenure,
    lease_until: Timestamp,
    done: Option<&Value>,
) -> Result<Option<bool>, StoreError> {
    let mut values = args![tenure.job, tenure.worker.as_str(), tenure.attempt, lease_until];
    let row = match done {
        None => tx.read_one(EXTEND, values).await?,
        Some(done) => {
            values.extend(args![json(done)?]);
            tx.read_one(PROGRESS, values).await?
        }
    };
    row.map(|row| Ok(row.maybe_instant("cancel_requested_at")?.is_some())).transpose()
}

/// What can be claimed: jobs whose lease has ended, and then what waits, at most so many; `values`
/// are those of both questions for a limit.
pub(super) async fn find(
    tx: &mut Tx,
    [lost, waiting]: [Sql; 2],
    limit: u32,
    values: impl Fn(u32) -> Vec<Arg>,
) -> Result<Vec<Row>, StoreError> {
    let mut found = tx.read(lost, values(limit)).await?;
    let left = limit.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
    if left > 0 {
        found.extend(tx.read(waiting, values(left)).await?);
    }
    Ok(found)
}

/// What is known of each of these, in their order; `None` where another attempt has taken over.
fn in_order<'a>(
    tenures: impl Iterator<Item = &'a Tenure>,
    asked_to_stop: &BTreeMap<Uuid, bool>,
    versions: Versions,
) -> Vec<Option<StillMine>> {
    let mine = |tenure: &Tenure| asked_to_stop.get(&tenure.job).map(|asked| versions.seen(*asked));
    tenures.map(mine).collect()
}

impl Store {
    /// Claims running jobs whose lease has ended, and jobs whose time has come, oldest first. What
    /// is paused (everything, a system or a case) or in quarantine is passed over; paused rules are
    /// the caller's matter.
    pub async fn claim(&self, claim: Claim) -> Result<Vec<ClaimedJob>, StoreError> {
        self.claim_in(&Lane::Any, claim).await
    }

    /// `claim` for a worker that takes certain jobs only.
    pub async fn claim_in(&self, lane: &Lane, claim: Claim) -> Result<Vec<ClaimedJob>, StoreError> {
        self.claim_within(lane, claim, &BTreeMap::new()).await
    }

    /// `claim_in` where some systems have limits: no job of theirs is claimed beyond them, by all
    /// replicas together. Where the breaker of a system is open, one job at a time is claimed that
    /// tries it, once its pause is over.
    pub async fn claim_within(
        &self,
        lane: &Lane,
        claim: Claim,
        limits: &BTreeMap<String, SystemLimits>,
    ) -> Result<Vec<ClaimedJob>, StoreError> {
        for _ in 0..MOST_LOOKS {
            let mut tx = self.begin().await?;
            let mut turns = Turns::count(&mut tx, limits, claim.now).await?;
            let found = candidates_for(&mut tx, (lane, &claim), &turns).await?;
            let verdicts = turns.judge(&mut tx, &found).await?;
            let (mut candidates, mut trials) = (Vec::new(), BTreeSet::new());
            for (row, verdict) in found.iter().zip(verdicts) {
                if verdict != Verdict::NotNow {
                    candidates.push(Candidate::of(row)?);
                }
                if verdict == Verdict::ClaimedToTry {
                    trials.insert(row.get::<Uuid>("id")?);
                }
            }
            let mut claimed = together::take(&mut tx, &claim, candidates).await?;
            for one in &mut claimed {
                one.trial = trials.contains(&one.job.id);
            }
            if found.is_empty() || !claimed.is_empty() {
                turns.take(&mut tx, &claimed).await?;
                tx.commit().await?;
                return Ok(claimed);
            }
            // Breakers that are locked now may come after those of the next look.
            tx.rollback().await?;
        }
        Ok(Vec::new())
    }

    /// `save_progress` or `heartbeat` for several jobs that one worker carries out together, in
    /// one transaction; the order of the answer is that of the steps.
    pub async fn save_joint_progress(
        &self,
        steps: Vec<JointStep>,
        lease_until: Timestamp,
    ) -> Result<Vec<Option<StillMine>>, StoreError> {
        let mut tx = self.begin().await?;
        let extensions = steps.iter().map(|step| Extension {
            tenure: &step.tenure,
            lease_until,
            done: step.done.as_ref(),
        });
        let asked = together::extend(&mut tx, extensions).await?;
        let versions = versions(&mut tx, Turn::Pass).await?;
        tx.commit().await?;
        Ok(in_order(steps.iter().map(|step| &step.tenure), &asked, versions))
    }

    /// What has come since the leases of these were renewed, in their order, without renewing any;
    /// `None` where one ends before this moment, or another attempt has taken over.
    pub async fn still_mine(
        &self,
        tenures: &[Tenure],
        until: Timestamp,
    ) -> Result<Vec<Option<StillMine>>, StoreError> {
        let mut tx = self.begin().await?;
        let asked = together::still_mine(&mut tx, tenures, until).await?;
        let versions = versions(&mut tx, Turn::Pass).await?;
        tx.commit().await?;
        Ok(in_order(tenures.iter(), &asked, versions))
    }

    /// Keeps the lease alive; `None` where another attempt has taken over.
    pub async fn heartbeat(
        &self,
        tenure: &Tenure,
        lease_until: Timestamp,
    ) -> Result<Option<StillMine>, StoreError> {
        self.step(tenure, lease_until, None).await
    }

    /// Writes down how far the attempt has come and keeps the lease alive; `None`, with nothing
    /// written, where another attempt has taken over.
    pub async fn save_progress(&self, progress: Progress) -> Result<Option<StillMine>, StoreError> {
        self.step(&progress.tenure, progress.lease_until, Some(&progress.done)).await
    }

    async fn step(
        &self,
        tenure: &Tenure,
        lease_until: Timestamp,
        done: Option<&Value>,
    ) -> Result<Option<StillMine>, StoreError> {
        let mut tx = self.begin().await?;
        let Some(cancel_requested) = extend(&mut tx, tenure, lease_until, done).await? else {
            tx.rollback().await?;
            return Ok(None);
        };
        let versions = versions(&mut tx, Turn::Pass).await?;
        tx.commit().await?;
        Ok(Some(versions.seen(cancel_requested)))
    }
}
