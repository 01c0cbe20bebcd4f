//! SQLite: pages of the file, and its write-ahead log or rollback journal.
//!
//! The connector deletes with `secure_delete`, so that a page which is written again holds nothing of
//! what was deleted; but the page before lies in the journal, and with a write-ahead log the page in
//! the file is the old one until a checkpoint has copied the new one over it. `VACUUM` builds the
//! whole file anew, and so removes also what the application has deleted by itself.

use serde::{Deserialize, Serialize};

use crate::receipt::Fault;
use crate::residue::{
    ResidueDrive, ResidueLook, ResidueSight, ResidueStage, ResidueWait, StageSight,
};
use crate::sql::connection::Session;
use crate::sql::fragment::Fragment;
use crate::sql::residues::{unreadable, written};

const PAGES: &str = "pages";
const JOURNAL: &str = "journal";
const VACUUM: &str = "vacuum";
const CHECKPOINT: &str = "checkpoint";

pub(super) const STAGES: &[ResidueStage] = &[
    ResidueStage { name: PAGES, what: "pages of the database file", covers: "", after: &[] },
    ResidueStage {
        name: JOURNAL,
        what: "the write-ahead log or rollback journal",
        covers: "the write-ahead log until its next checkpoint",
        after: &[],
    },
];

pub(super) const DRIVES: &[ResidueDrive] = &[
    ResidueDrive {
        name: VACUUM,
        stage: PAGES,
        what: "VACUUM builds the file anew: it takes as much space again, and nobody writes meanwhile",
    },
    ResidueDrive {
        name: CHECKPOINT,
        stage: JOURNAL,
        what: "PRAGMA wal_checkpoint(TRUNCATE): waits for readers, and empties the write-ahead log",
    },
];

/// What was seen so far for one who waits.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Mark {
    /// The file was built anew.
    vacuumed: bool,
    /// The journal was seen to be empty, after the file was built anew where it is to be.
    emptied: bool,
}

pub(super) async fn look(
    session: &mut Session,
    look: &ResidueLook,
) -> Result<Vec<ResidueSight>, Fault> {
    let mut marks = Vec::with_capacity(look.waits.len());
    for wait in &look.waits {
        marks.push(mark_of(wait)?);
    }
    let vacuums = look.drives(VACUUM) && look.looks_at(PAGES);
    if vacuums && marks.iter().any(|mark| !mark.vacuumed) {
        session.command("VACUUM").await?;
        for mark in &mut marks {
            mark.vacuumed = true;
            mark.emptied = false;
        }
    }
    let journal = journal(session, look.drives(CHECKPOINT)).await?;
    let mut seen = Vec::with_capacity(marks.len());
    for mut mark in marks {
        mark.emptied |= journal.is_none();
        let left = journal.as_ref().filter(|_| !mark.emptied);
        let stage = |name: &str| match left {
            None => StageSight::gone(name),
            Some(Left { why, held: true }) => StageSight::held(name, why.clone()),
            Some(Left { why, held: false }) => StageSight::left(name, why.clone()),
        };
        let stages = STAGES.iter().filter(|one| look.looks_at(one.name));
        let stages = stages.map(|one| stage(one.name)).collect();
        seen.push(ResidueSight { mark: written(&mark)?, stages });
    }
    Ok(seen)
}

fn mark_of(wait: &ResidueWait) -> Result<Mark, Fault> {
    let Some(mark) = &wait.mark else { return Ok(Mark::default()) };
    serde_json::from_value(mark.clone()).map_err(|error| unreadable(&error))
}

/// Why the journal is not empty.
struct Left {
    why: String,
    held: bool,
}

/// What keeps the journal from being empty; `None` where it is.
async fn journal(session: &mut Session, drives: bool) -> Result<Option<Left>, Fault> {
    let Some(file) = file(session).await? else { return Ok(None) };
    let mode = session.fetch_one(&Fragment::raw("PRAGMA journal_mode")).await?;
    let mode = mode.first().map(crate::sql::fragment::Cell::text).unwrap_or_default();
    if mode == "wal" {
        if drives {
            let answer = Fragment::raw("PRAGMA wal_checkpoint(TRUNCATE)");
            let answer = session.fetch_one(&answer).await?;
            if answer.first().is_some_and(|busy| busy.count() > 0) {
                let why = "somebody reads or writes for long and keeps the write-ahead log from being emptied: end the oldest transaction of the application";
                return Ok(Some(Left { why: why.to_owned(), held: true }));
            }
        }
        let bytes = length(&format!("{file}-wal")).await;
        let why = "the write-ahead log holds what was written before: it goes with `PRAGMA wal_checkpoint(TRUNCATE)`, or add `checkpoint` under `drive`";
        return Ok((bytes > 0).then(|| Left { why: why.to_owned(), held: !drives }));
    }
    let bytes = length(&format!("{file}-journal")).await;
    let (why, held) = if mode == "persist" {
        (
            "the rollback journal is kept with its contents: set `PRAGMA journal_mode` to `delete` or `truncate`",
            true,
        )
    } else {
        ("a transaction is under way, whose rollback journal holds pages of before", false)
    };
    Ok((bytes > 0).then(|| Left { why: why.to_owned(), held }))
}

/// The file of the database; `None` for one in memory.
async fn file(session: &mut Session) -> Result<Option<String>, Fault> {
    let rows = session.fetch(&Fragment::raw("PRAGMA database_list")).await?;
    let main = rows.iter().find(|row| row.get(1).is_some_and(|name| name.text() == "main"));
    let file = main.and_then(|row| row.get(2)).map(crate::sql::fragment::Cell::text);
    Ok(file.filter(|file| !file.is_empty()))
}

/// How long a file is, in bytes; 0 where there is none.
async fn length(file: &str) -> u64 {
    tokio::fs::metadata(file).await.map_or(0, |found| found.len())
}
