//! What could be claimed: the oldest jobs of a lane whose time has come.
//!
//! What waits is sought system by system, in the order of an index, and of systems that are spared not at
//! all: hundreds of thousands of jobs that nobody may begin, or that are another lane's, cost a claim
//! nothing.

use jiff::Timestamp;
use uuid::Uuid;

use super::breakers::{breaker_lets, is_trying};
use super::claims::{Claim, lost, not_in_quarantine, not_paused, not_paused_here, waiting};
use super::connection::Tx;
use super::error::StoreError;
use super::lanes::{Lane, in_lane, of_background, of_persons};
use super::statement::{Arg, Row, Sql, args, json};
use super::turns::{Turns, has_turn};

/// Jobs of one claim at most.
const MOST: u32 = 100;

macro_rules! columns {
    ($of:literal) => {
        concat!(
            "SELECT ",
            $of,
            ".id, ",
            $of,
            ".state, ",
            $of,
            ".attempt, ",
            $of,
            ".system, ",
            $of,
            ".kind, ",
            $of,
            ".reference, ",
            $of,
            ".available_at,
                 (SELECT opened_at FROM breakers WHERE breakers.system = ",
            $of,
            ".system) AS opened_at "
        )
    };
}
// One look at copies or files serves everybody, and nothing keeps it.
macro_rules! not_spared {
    ($full:literal, $used_up:literal) => {
        concat!(
            " AND (kind IN ('backup', 'residue') OR (",
            breaker_lets!(),
            " AND",
            has_turn!($full, $used_up),
            "))"
        )
    };
}
// Those of dead processes are few, whatever waits.
macro_rules! lost_ones {
    ($full:literal, $used_up:literal $(, $database:ident)?) => {
        concat!(
            columns!("jobs"),
            "FROM jobs WHERE ",
            lost!(),
            in_lane!($($database)?),
            not_paused_here!($($database)?),
            not_spared!($full, $used_up),
            " ORDER BY available_at, id LIMIT $2"
        )
    };
}
const LOST: Sql = Sql::fork(
    lost_ones!("SELECT value FROM json_each($5)", "SELECT value FROM json_each($6)"),
    concat!(
        lost_ones!(
            "SELECT jsonb_array_elements_text(CAST($5 AS jsonb))",
            "SELECT jsonb_array_elements_text(CAST($6 AS jsonb))",
            postgres
        ),
        " FOR UPDATE OF jobs SKIP LOCKED"
    ),
);
macro_rules! background {
    ($full:literal, $used_up:literal $(, $database:ident)?) => {
        concat!(
            columns!("jobs"),
            "FROM jobs WHERE ",
            waiting!(),
            " AND ",
            of_background!(),
            not_paused_here!($($database)?),
            not_spared!($full, $used_up),
            " ORDER BY available_at, id LIMIT $2"
        )
    };
}
const BACKGROUND: Sql = Sql::fork(
    background!("SELECT value FROM json_each($3)", "SELECT value FROM json_each($4)"),
    concat!(
        background!(
            "SELECT jsonb_array_elements_text(CAST($3 AS jsonb))",
            "SELECT jsonb_array_elements_text(CAST($4 AS jsonb))",
            postgres
        ),
        " FOR UPDATE OF jobs SKIP LOCKED"
    ),
);
// From one system to the next by the index, however many jobs lie between.
const SYSTEMS: Sql = Sql::both(concat!(
    "WITH RECURSIVE asked (system) AS (
         SELECT first.system FROM (SELECT system FROM jobs
             WHERE state IN ('scheduled', 'available', 'waiting') ORDER BY system LIMIT 1) AS first
         UNION ALL
         SELECT (SELECT system FROM jobs
             WHERE state IN ('scheduled', 'available', 'waiting') AND jobs.system > asked.system
             ORDER BY system LIMIT 1) FROM asked WHERE asked.system IS NOT NULL
     )
     SELECT system FROM asked AS jobs WHERE system IS NOT NULL AND",
    breaker_lets!(),
    " ORDER BY system"
));
macro_rules! of_a_system {
    ($more:literal $(, $database:ident)?) => {
        concat!(
            " FROM jobs WHERE jobs.system = asked.value AND ",
            waiting!(),
            " AND ",
            of_persons!(),
            $more,
            not_paused_here!($($database)?),
            " AND",
            breaker_lets!(),
            " ORDER BY available_at, id LIMIT $2"
        )
    };
}
macro_rules! of_systems {
    ($more:literal) => {
        Sql::fork(
            concat!(
                columns!("job"),
                "FROM json_each($3) AS asked CROSS JOIN jobs AS job WHERE job.id IN (SELECT jobs.id",
                of_a_system!($more),
                ") ORDER BY job.available_at, job.id LIMIT $2"
            ),
            concat!(
                columns!("job"),
                "FROM jsonb_array_elements_text(CAST($3 AS jsonb)) AS asked (value)
                     CROSS JOIN LATERAL (SELECT id, state, attempt, system, kind, reference,
                         available_at",
                of_a_system!($more, postgres),
                " FOR UPDATE OF jobs SKIP LOCKED) AS job
                 ORDER BY job.available_at, job.id LIMIT $2"
            ),
        )
    };
}
const OF_SYSTEMS: Sql = of_systems!("");
// What asks after something that is under way, in systems in which nothing more may be begun.
const FOLLOWING: Sql = of_systems!(" AND reference IS NOT NULL");

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("candidates::LOST", LOST),
    ("candidates::BACKGROUND", BACKGROUND),
    ("candidates::SYSTEMS", SYSTEMS),
    ("candidates::OF_SYSTEMS", OF_SYSTEMS),
    ("candidates::FOLLOWING", FOLLOWING),
];

/// What could be claimed: jobs whose lease has ended, and then what waits, the oldest first.
pub(super) async fn candidates_for(
    tx: &mut Tx,
    (lane, claim): (&Lane, &Claim),
    turns: &Turns<'_>,
) -> Result<Vec<Row>, StoreError> {
    let limit = claim.limit.min(MOST);
    let (full, used_up) = (json(&turns.full())?, json(&turns.used_up())?);
    let (full, used_up) = (full.as_str(), used_up.as_str());
    let parties = json(lane.third_parties())?;
    let values = args![claim.now, limit, lane.as_str(), parties.as_str(), full, used_up];
    let mut found = tx.read(LOST, values).await?;
    let left = limit.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
    if left == 0 {
        return Ok(found);
    }
    let mut waiting = Vec::new();
    if lane.takes_background() {
        waiting = tx.read(BACKGROUND, args![claim.now, left, full, used_up]).await?;
    }
    if lane.takes_persons() {
        let asked = systems(tx, lane, claim.now).await?;
        let (used_up, mut free): (Vec<&str>, Vec<&str>) =
            asked.iter().map(String::as_str).partition(|one| turns.used_up().contains(one));
        free.retain(|one| !turns.full().contains(one));
        for (systems, sql) in [(free, OF_SYSTEMS), (used_up, FOLLOWING)] {
            if !systems.is_empty() {
                let values: Vec<Arg> = args![claim.now, left, json(&systems)?];
                waiting.extend(tx.read(sql, values).await?);
            }
        }
    }
    found.extend(oldest(waiting, left)?);
    Ok(found)
}

/// Systems of a lane for which something waits and that are not spared.
async fn systems(tx: &mut Tx, lane: &Lane, now: Timestamp) -> Result<Vec<String>, StoreError> {
    let rows = tx.read(SYSTEMS, args![now]).await?;
    let names = rows.iter().map(|row| row.get("system")).collect::<Result<Vec<String>, _>>()?;
    Ok(names.into_iter().filter(|one| lane.takes_system(one)).collect())
}

/// The oldest of what several questions have found.
fn oldest(rows: Vec<Row>, limit: u32) -> Result<Vec<Row>, StoreError> {
    let mut aged = Vec::with_capacity(rows.len());
    for row in rows {
        aged.push(((row.instant("available_at")?, row.get::<Uuid>("id")?), row));
    }
    aged.sort_by_key(|(age, _)| *age);
    aged.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(aged.into_iter().map(|(_, row)| row).collect())
}
