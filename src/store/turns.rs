//! Turns: how many more jobs a system with limits may be asked to carry out, for all replicas
//! together, and how many wait for it.
//!
//! Whoever begins a job of such a system locks the row of its breaker, counts, takes the turn and
//! begins the job in one transaction. What asks after something that is under way takes no turn of a
//! minute or a day, so that a day that is used up keeps no answer waiting; looks at copies, files and
//! logs take none at all, because one look serves everybody.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::breakers;
use super::claims::{Claim, ClaimedJob};
use super::connection::{Store, Tx};
use super::error::StoreError;
use super::jobs::{self, Job, JobKind, job_columns};
use super::statement::{Row, Sql, args, count};
use crate::domain::limits::free;
use crate::domain::{Span, Stretch, SystemLimits};

/// What was begun later than so far ahead counts for nothing.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(10);

/// Jobs that wait for a system and would be begun by now, those that only ask after something aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// The system.
    pub system: String,
    /// How many.
    pub jobs: u64,
    /// Since when the oldest of them could be begun.
    pub since: Timestamp,
}

macro_rules! counted {
    ($of_jobs:literal, $of_turns:literal) => {
        concat!(
            "SELECT system, CAST('at_once' AS TEXT) AS span, CAST(NULL AS BIGINT) AS began_at,
                 CAST(COUNT(*) AS BIGINT) AS jobs FROM jobs
             WHERE state = 'running' AND lease_until >= $1 AND kind NOT IN ('backup', 'residue')",
            $of_jobs,
            " GROUP BY system
             UNION ALL
             SELECT system, span, began_at, jobs FROM turns
             WHERE began_at <= $4 AND began_at > CASE span WHEN 'minute' THEN CAST($2 AS BIGINT)
                 ELSE CAST($3 AS BIGINT) END",
            $of_turns
        )
    };
}
/// The condition that a job of `jobs` has a turn: `$full` are systems in which nothing more may run,
/// `$used_up` those in which nothing more may be begun, both as lists in JSON.
macro_rules! has_turn {
    ($full:literal, $used_up:literal) => {
        concat!(
            " system NOT IN (",
            $full,
            ") AND (reference IS NOT NULL OR system NOT IN (",
            $used_up,
            "))"
        )
    };
}
pub(super) use has_turn;

const COUNTED: Sql = Sql::both(counted!("", ""));
const COUNTED_IN: Sql = Sql::both(counted!(" AND system = $5", " AND system = $5"));
const TAKE: Sql = Sql::both(
    "INSERT INTO turns (system, span, began_at, jobs) VALUES ($1, $2, $3, $4)
     ON CONFLICT (system, span, began_at) DO UPDATE SET jobs = turns.jobs + excluded.jobs",
);
const FORGET: Sql = Sql::both(
    "DELETE FROM turns WHERE system = $1 AND span = $2 AND (began_at <= $3 OR began_at > $4)",
);
const BACKLOGS: Sql = Sql::both(
    "SELECT system, count(*) AS many, min(available_at) AS since FROM jobs
     WHERE state IN ('scheduled', 'available', 'waiting') AND available_at <= $1
       AND reference IS NULL AND kind NOT IN ('backup', 'residue')
     GROUP BY system ORDER BY system",
);
const QUEUE: Sql = Sql::both(
    "SELECT case_id FROM jobs
     WHERE state IN ('scheduled', 'available', 'waiting') AND available_at <= $1
       AND reference IS NULL AND kind NOT IN ('backup', 'residue') AND system = $2
     ORDER BY available_at, id LIMIT $3",
);
const NOT_OVERDUE: Sql = Sql::both(job_columns!(
    "WHERE kind = 'request' AND state IN ('scheduled', 'available', 'waiting')
       AND state <> 'waiting' AND available_at <= $1 AND system = $2 AND COALESCE(last_fault_kind, '') <> 'overdue'
     ORDER BY created_at, id LIMIT $3"
));
const OVERDUE: Sql = Sql::both(
    "UPDATE jobs SET state = 'available', last_fault_kind = 'overdue', last_fault = $2
     WHERE id = $1 AND state IN ('scheduled', 'available')
       AND COALESCE(last_fault_kind, '') <> 'overdue'",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("turns::COUNTED", COUNTED),
    ("turns::COUNTED_IN", COUNTED_IN),
    ("turns::TAKE", TAKE),
    ("turns::FORGET", FORGET),
    ("turns::BACKLOGS", BACKLOGS),
    ("turns::QUEUE", QUEUE),
    ("turns::NOT_OVERDUE", NOT_OVERDUE),
    ("turns::OVERDUE", OVERDUE),
];

/// Jobs of one system that run, and those that were begun lately.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Begun {
    /// How many run.
    pub running: u64,
    /// Stretches in which jobs were begun and that count, by span.
    pub stretches: BTreeMap<Span, Vec<Stretch>>,
}

impl Begun {
    /// How many more may be begun now in this span; without a limit as many as there are.
    pub fn free(&self, limits: SystemLimits, span: Span, now: Timestamp) -> u64 {
        let stretches = self.stretches.get(&span).map_or(&[][..], Vec::as_slice);
        limits.most_in(span).map_or(u64::MAX, |most| free(stretches, most, span, now))
    }

    fn room(&self, limits: SystemLimits, now: Timestamp) -> Room {
        let at_once = limits.at_once.map_or(u64::MAX, u64::from);
        let turns = Span::ALL.into_iter().map(|span| self.free(limits, span, now)).min();
        Room { at_once: at_once.saturating_sub(self.running), turns: turns.unwrap_or(u64::MAX) }
    }
}

fn begun(rows: &[Row]) -> Result<BTreeMap<String, Begun>, StoreError> {
    let mut found: BTreeMap<String, Begun> = BTreeMap::new();
    for row in rows {
        let (system, span): (String, String) = (row.get("system")?, row.get("span")?);
        let (jobs, began_at) = (row.whole("jobs")?, row.maybe_instant("began_at")?);
        let one = found.entry(system).or_default();
        match (Span::parse(&span), began_at) {
            (Some(span), Some(began_at)) => {
                one.stretches.entry(span).or_default().push(Stretch { began_at, jobs });
            }
            _ => one.running += jobs,
        }
    }
    Ok(found)
}

/// How many more jobs of a system may be claimed.
#[derive(Clone, Copy)]
pub(super) struct Room {
    /// So that no more run than may at once.
    at_once: u64,
    /// So that no more are begun than may in a minute and a day.
    turns: u64,
}

impl Room {
    /// For jobs that are begun.
    pub(super) fn for_new(self) -> u64 {
        self.at_once.min(self.turns)
    }
}

/// A job that may be claimed.
struct Asking {
    id: Uuid,
    attempt: u32,
    system: String,
    /// It asks after something that is under way.
    asks_after: bool,
    is_look: bool,
    breaker_is_open: bool,
}

impl Asking {
    fn of(row: &Row) -> Result<Self, StoreError> {
        let reference: Option<String> = row.get("reference")?;
        let kind = row.word("kind", JobKind::parse)?;
        Ok(Self {
            id: row.get("id")?,
            attempt: row.small("attempt")?,
            system: row.get("system")?,
            asks_after: reference.is_some(),
            is_look: matches!(kind, JobKind::Backup | JobKind::Residue),
            breaker_is_open: row.maybe_instant("opened_at")?.is_some(),
        })
    }
}

/// Whether a candidate is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Claimed,
    /// It is the one that tries its system.
    ClaimedToTry,
    NotNow,
}

/// The turns of one claim.
pub(super) struct Turns<'a> {
    limits: &'a BTreeMap<String, SystemLimits>,
    now: Timestamp,
    rooms: BTreeMap<String, Room>,
    /// Systems that nobody else begins a job of until the transaction ends.
    locked: BTreeSet<String>,
    /// Systems that this claim tries already.
    tried: BTreeSet<String>,
}

impl<'a> Turns<'a> {
    /// Counts what systems with limits have left; nothing is asked where there is none.
    pub(super) async fn count(
        tx: &mut Tx,
        limits: &'a BTreeMap<String, SystemLimits>,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut turns = Self::none(limits, now);
        if limits.is_empty() {
            return Ok(turns);
        }
        let counted = begun(&tx.read(COUNTED, since(now)).await?)?;
        for (system, own) in limits {
            let begun = counted.get(system).cloned().unwrap_or_default();
            turns.rooms.insert(system.clone(), begun.room(*own, now));
        }
        Ok(turns)
    }

    fn none(limits: &'a BTreeMap<String, SystemLimits>, now: Timestamp) -> Self {
        let (rooms, locked, tried) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { limits, now, rooms, locked, tried }
    }

    /// Systems in which nothing more may run.
    pub(super) fn full(&self) -> Vec<&str> {
        self.without(|room| room.at_once)
    }

    /// Systems in which nothing more may be begun.
    pub(super) fn used_up(&self) -> Vec<&str> {
        self.without(|room| room.turns)
    }

    fn without(&self, left: impl Fn(&Room) -> u64) -> Vec<&str> {
        let without = self.rooms.iter().filter(|(_, room)| left(room) == 0);
        without.map(|(system, _)| system.as_str()).collect()
    }

    /// The room of a system with limits, which stays as it is until the transaction ends; `None` where
    /// it has none.
    pub(super) async fn lock(
        &mut self,
        tx: &mut Tx,
        system: &str,
    ) -> Result<Option<Room>, StoreError> {
        let Some(own) = self.limits.get(system).copied() else { return Ok(None) };
        if self.locked.insert(system.to_owned()) {
            breakers::lock(tx, system).await?;
            let mut values = since(self.now);
            values.extend(args![system]);
            let counted = begun(&tx.read(COUNTED_IN, values).await?)?;
            let begun = counted.get(system).cloned().unwrap_or_default();
            self.rooms.insert(system.to_owned(), begun.room(own, self.now));
        }
        Ok(self.rooms.get(system).copied())
    }

    /// What becomes of each candidate. Systems are locked in the order of their names.
    pub(super) async fn judge(
        &mut self,
        tx: &mut Tx,
        rows: &[Row],
    ) -> Result<Vec<Verdict>, StoreError> {
        let candidates = rows.iter().map(Asking::of).collect::<Result<Vec<_>, _>>()?;
        let mut order: Vec<usize> = (0..candidates.len()).collect();
        order.sort_by(|one, other| candidates[*one].system.cmp(&candidates[*other].system));
        let mut verdicts = vec![Verdict::NotNow; candidates.len()];
        for number in order {
            verdicts[number] = self.verdict(tx, &candidates[number]).await?;
        }
        Ok(verdicts)
    }

    async fn verdict(&mut self, tx: &mut Tx, candidate: &Asking) -> Result<Verdict, StoreError> {
        if candidate.is_look {
            return Ok(Verdict::Claimed);
        }
        let system = candidate.system.as_str();
        if let Some(room) = self.lock(tx, system).await? {
            let left = if candidate.asks_after { room.at_once } else { room.for_new() };
            if left == 0 {
                return Ok(Verdict::NotNow);
            }
        }
        if candidate.breaker_is_open {
            let attempt = (candidate.id, candidate.attempt + 1);
            if self.tried.contains(system)
                || !breakers::try_by(tx, system, attempt, self.now).await?
            {
                return Ok(Verdict::NotNow);
            }
            self.tried.insert(system.to_owned());
        }
        if let Some(room) = self.rooms.get_mut(system) {
            room.at_once -= 1;
            room.turns -= u64::from(!candidate.asks_after);
        }
        Ok(if candidate.breaker_is_open { Verdict::ClaimedToTry } else { Verdict::Claimed })
    }

    /// Writes down the turns that were taken.
    pub(super) async fn take(&self, tx: &mut Tx, claimed: &[ClaimedJob]) -> Result<(), StoreError> {
        for (system, own) in self.limits.iter().filter(|(one, _)| self.locked.contains(*one)) {
            let takes_one = |one: &&ClaimedJob| {
                one.job.system == *system
                    && one.job.reference.is_none()
                    && !matches!(one.job.kind, JobKind::Backup | JobKind::Residue)
            };
            let taken = claimed.iter().filter(takes_one).count() as u64;
            if taken == 0 {
                continue;
            }
            for span in Span::ALL.into_iter().filter(|span| own.most_in(*span).is_some()) {
                let (word, began_at) = (span.as_str(), span.stretch_of(self.now));
                let taken = count(taken, "so many turns")?;
                tx.execute(TAKE, args![system.as_str(), word, began_at, taken]).await?;
                let over = span.over_at(self.now);
                tx.execute(FORGET, args![system.as_str(), word, over, soon(self.now)]).await?;
            }
        }
        Ok(())
    }

    /// The turns of a company, whose system is locked; and how many jobs there may be of it.
    pub(super) async fn of_company(
        tx: &mut Tx,
        limits: &'a BTreeMap<String, SystemLimits>,
        (system, claim): (&str, &Claim),
    ) -> Result<(Self, u32), StoreError> {
        let mut turns = Self::none(limits, claim.now);
        let room = turns.lock(tx, system).await?;
        let most = room.map_or(u64::MAX, Room::for_new);
        let limit = claim.limit.min(u32::try_from(most).unwrap_or(u32::MAX));
        Ok((turns, limit))
    }
}

/// From when on jobs are counted (leases, minutes and days), and until when: what was begun in a future
/// that does not come so soon was begun by a clock that was wrong.
fn since(now: Timestamp) -> Vec<super::statement::Arg> {
    args![now, Span::Minute.over_at(now), Span::Day.over_at(now), soon(now)]
}

fn soon(now: Timestamp) -> Timestamp {
    now.checked_add(CLOCKS_DIFFER).unwrap_or(Timestamp::MAX)
}

impl Store {
    /// What runs in each system and what was begun there lately under its limits; systems without
    /// either are missing.
    pub async fn begun(&self, now: Timestamp) -> Result<BTreeMap<String, Begun>, StoreError> {
        begun(&self.read(COUNTED, since(now)).await?)
    }

    /// What waits for each system at this moment; systems without any are missing.
    pub async fn backlogs(&self, now: Timestamp) -> Result<Vec<Backlog>, StoreError> {
        let read = |row: &Row| {
            Ok(Backlog {
                system: row.get("system")?,
                jobs: row.whole("many")?,
                since: row.instant("since")?,
            })
        };
        self.read(BACKLOGS, args![now]).await?.iter().map(read).collect()
    }

    /// The cases of the jobs that wait for a system, in the order in which they will be begun; at most
    /// 10,000.
    pub async fn queue_of(
        &self,
        system: &str,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Uuid>, StoreError> {
        let rows = self.read(QUEUE, args![now, system, limit.min(10_000)]).await?;
        rows.iter().map(|row| row.get("case_id")).collect()
    }

    /// Parts of requests that wait for a system and are not said to be overdue, the oldest first; at
    /// most 1000.
    pub async fn not_overdue_in(
        &self,
        system: &str,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Job>, StoreError> {
        let rows = self.read(NOT_OVERDUE, args![now, system, limit.min(1000)]).await?;
        rows.iter().map(jobs::from_row).collect()
    }

    /// Says that a part of a request that waits is overdue, and why; `false` where it waits no more, or
    /// that was said before.
    pub async fn say_overdue(&self, job: Uuid, why: &str) -> Result<bool, StoreError> {
        Ok(self.write(OVERDUE, args![job, why]).await? == 1)
    }
}
