//! The write-ahead log of PostgreSQL: which segments can still hold what was written before a place.

use super::postgresql::{Mark, WAL};
use crate::receipt::Fault;
use crate::residue::StageSight;
use crate::sql::connection::Session;
use crate::sql::faults::answered;
use crate::sql::fragment::Fragment;

/// New segments that one look begins at most.
const MOST_SWITCHES: usize = 16;

/// Segments on the disk, by their number: the name without the time line.
struct Segments {
    there: Vec<String>,
    /// The one that is written to.
    current: String,
}

/// Looks for each who waits and for whom everything before the log is gone; drives where it is allowed.
pub(super) async fn look(
    session: &mut Session,
    drives: bool,
    marks: &mut [Mark],
    is_next: impl Fn(&Mark) -> bool,
) -> Result<Vec<StageSight>, Fault> {
    let mut refused = None;
    let wait = |mark: &Mark| is_next(mark) && !mark.log_gone;
    if marks.iter().any(wait) {
        let here = place(session).await?;
        for mark in marks.iter_mut().filter(|mark| wait(mark)) {
            mark.log_from.get_or_insert_with(|| here.clone());
        }
        observe(session, marks).await?;
        for _ in 0..MOST_SWITCHES {
            let left = marks.iter().any(wait);
            if !drives || !left || refused.is_some() {
                break;
            }
            refused = switch(session).await?;
            observe(session, marks).await?;
        }
    }
    let obstacle = if marks.iter().any(wait) { obstacle(session, marks).await? } else { None };
    let segments = segments(session).await?;
    let sight = |mark: &Mark| {
        if mark.log_gone {
            return StageSight::gone(WAL);
        }
        if !is_next(mark) {
            return StageSight::left(WAL, "it counts from when the table holds nothing any more");
        }
        if let Some(why) = obstacle.as_ref().or(refused.as_ref()) {
            return StageSight::held(WAL, why.clone());
        }
        let left = mark.renamed.as_ref().map_or(segments.there.len(), |renamed| {
            renamed.iter().filter(|name| is_old(name, &segments)).count()
        });
        StageSight::left(
            WAL,
            format!(
                "{left} segments go as new log is written; `switch_wal` under `drive` hastens it"
            ),
        )
    };
    Ok(marks.iter().map(sight).collect())
}

/// A segment that was renamed to serve again and was not written over yet.
fn is_old(name: &str, segments: &Segments) -> bool {
    name >= segments.current.as_str() && segments.there.iter().any(|one| one == name)
}

/// Where the log stands.
async fn place(session: &mut Session) -> Result<String, Fault> {
    let statement = Fragment::raw("SELECT CAST(pg_current_wal_insert_lsn() AS text)");
    Ok(session.fetch_one(&statement).await?[0].text())
}

async fn segments(session: &mut Session) -> Result<Segments, Fault> {
    let names = Fragment::raw(
        "SELECT substr(name, 9) FROM pg_catalog.pg_ls_waldir()
         WHERE name ~ '^[0-9A-F]{24}$' ORDER BY 1",
    );
    let there = session.fetch(&names).await?.iter().map(|row| row[0].text()).collect();
    let current = Fragment::raw("SELECT substr(pg_walfile_name(pg_current_wal_insert_lsn()), 9)");
    Ok(Segments { there, current: session.fetch_one(&current).await?[0].text() })
}

/// Writes down what is gone by now.
async fn observe(session: &mut Session, marks: &mut [Mark]) -> Result<(), Fault> {
    let segments = segments(session).await?;
    for mark in marks.iter_mut().filter(|mark| !mark.log_gone) {
        let Some(from) = &mark.log_from else { continue };
        if mark.renamed.is_none() {
            let last = Fragment::raw("SELECT substr(pg_walfile_name(CAST(")
                .and(Fragment::text_value(from.as_str()))
                .then(" AS pg_lsn)), 9)");
            let last = session.fetch_one(&last).await?[0].text();
            if last >= segments.current || segments.there.iter().any(|name| *name <= last) {
                continue;
            }
            // From now on no later one is renamed that holds anything of before.
            let later = segments.there.iter().filter(|name| **name >= segments.current);
            mark.renamed = Some(later.cloned().collect());
        }
        let renamed = mark.renamed.iter().flatten();
        mark.log_gone = renamed.clone().all(|name| !is_old(name, &segments));
    }
    Ok(())
}

/// Begins a new segment; what is missing for it, if it is not allowed.
async fn switch(session: &mut Session) -> Result<Option<String>, Fault> {
    for statement in ["SELECT CAST(pg_switch_wal() AS text)", "CHECKPOINT"] {
        match session.command(statement).await {
            Err(fault) if answered(&fault, &["42501"]) => {
                return Ok(Some(
                    "this account may not begin a new segment: grant it EXECUTE on pg_switch_wal() and the role pg_checkpoint"
                        .to_owned(),
                ));
            }
            answer => answer?,
        }
    }
    Ok(None)
}

/// What keeps old segments on the disk: a replication slot, or an archive that cannot be written to.
async fn obstacle(session: &mut Session, marks: &[Mark]) -> Result<Option<String>, Fault> {
    let mut from = marks.iter().filter(|mark| !mark.log_gone && mark.renamed.is_none());
    let Some(from) = from.find_map(|mark| mark.log_from.as_ref()) else {
        return Ok(None);
    };
    let slots = Fragment::raw(
        "SELECT slot_name FROM pg_catalog.pg_replication_slots WHERE restart_lsn <= CAST(",
    )
    .and(Fragment::text_value(from.as_str()))
    .then(" AS pg_lsn) ORDER BY restart_lsn LIMIT 1");
    if let Some(row) = session.fetch(&slots).await?.first() {
        return Ok(Some(format!(
            "replication slot `{}` keeps the log: let its consumer catch up, or drop the slot",
            row[0].text()
        )));
    }
    let archive = Fragment::raw(
        "SELECT current_setting('archive_mode') <> 'off' AND last_failed_time IS NOT NULL
             AND (last_archived_time IS NULL OR last_failed_time > last_archived_time)
         FROM pg_catalog.pg_stat_archiver",
    );
    let fails = session.fetch(&archive).await?.first().is_some_and(|row| row[0].truth());
    let why = "archiving of the log fails, so that the server keeps its segments: see `archive_command` and the server's log";
    Ok(fails.then(|| why.to_owned()))
}
