//! MariaDB and MySQL: rows marked as deleted and their undo records, free pages, the redo log, and the
//! binary logs.
//!
//! Purge takes rows that are marked as deleted out of their pages once no read view can see them, and the
//! server says up to which transaction it has come. The redo log is a ring: whatever is as far behind as
//! it is long was written over. Pages that were freed as a whole keep their bytes until they are used
//! again, or until the table is built anew, which shows in the number of its tablespace.

use serde::{Deserialize, Serialize};

use super::mariadb_status::{self as status, Logs, Status};
use crate::receipt::Fault;
use crate::residue::{
    ResidueDrive, ResidueLook, ResidueSight, ResidueStage, ResidueWait, StageSight,
};
use crate::sql::catalogue::Catalogue;
use crate::sql::connection::Session;
use crate::sql::dialect::Dialect;
use crate::sql::faults::answered;
use crate::sql::residues::{unreadable, written};

const UNDO: &str = "undo";
const FREE_SPACE: &str = "free_space";
const REDO: &str = "redo";
const BINLOG: &str = "binlog";
const REWRITE: &str = "rewrite";
const PURGE_BINLOGS: &str = "purge_binlogs";

pub(super) const STAGES: &[ResidueStage] = &[
    ResidueStage {
        name: UNDO,
        what: "rows marked as deleted and their undo records",
        covers: "undo records until purge has passed",
        after: &[],
    },
    ResidueStage {
        name: FREE_SPACE,
        what: "free pages of the table",
        covers: "what deleted records held in free pages until those are used again",
        after: &[UNDO],
    },
    ResidueStage {
        name: REDO,
        what: "the redo log",
        covers: "the redo log until it is overwritten",
        after: &[UNDO],
    },
    ResidueStage {
        name: BINLOG,
        what: "binary logs",
        covers: "binary logs until they are purged",
        after: &[],
    },
];

pub(super) const DRIVES: &[ResidueDrive] = &[
    ResidueDrive {
        name: REWRITE,
        stage: FREE_SPACE,
        what: "OPTIMIZE TABLE of the tables in which something was erased: builds each anew, and takes as much space again",
    },
    ResidueDrive {
        name: PURGE_BINLOGS,
        stage: BINLOG,
        what: "FLUSH BINARY LOGS and PURGE BINARY LOGS TO the newest: whoever restores to a moment, or a replica that is away, can no longer read them",
    },
];

/// What was seen so far for one who waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    /// Every transaction that deleted something has a smaller number.
    transaction: u64,
    /// Purge has passed it.
    purged: bool,
    /// Numbers of the tablespaces when it had.
    spaces: Option<Vec<u64>>,
    /// The tables were built anew since.
    rebuilt: bool,
    /// Where the redo log stood when all that was written to it once more was gone.
    redo_from: Option<u64>,
    /// It was written over from there on.
    redo_gone: bool,
    /// Binary logs in which it may stand.
    binlogs: Vec<String>,
}

struct Ground<'look> {
    look: &'look ResidueLook,
    catalogue: Catalogue,
    progress_table: &'look str,
}

pub(super) async fn look(
    session: &mut Session,
    look: &ResidueLook,
    progress_table: &str,
) -> Result<Vec<ResidueSight>, Fault> {
    let catalogue = Catalogue::read(session).await?;
    let ground = Ground { look, catalogue, progress_table };
    let mut now = status::status(session).await?;
    let mut logs = status::binary_logs(session).await?;
    let mut marks = Vec::with_capacity(look.waits.len());
    for wait in &look.waits {
        marks.push(mark_of(wait, &now, &logs)?);
    }
    let undo = ground.undo(session, &now, &mut marks).await?;
    let space = ground.space(session, &mut marks).await?;
    now = status::status(session).await?;
    let redo = ground.redo(&now, &mut marks);
    let refused = ground.purge_logs(session, &marks, &mut logs).await?;
    let binlog = ground.binlog(session, &logs, &marks, refused).await?;
    let mut seen = Vec::with_capacity(marks.len());
    for (number, mark) in marks.iter().enumerate() {
        let all = [&undo[number], &space[number], &redo[number], &binlog[number]];
        let stages = all.into_iter().filter(|one| look.looks_at(&one.stage)).cloned().collect();
        seen.push(ResidueSight { mark: written(mark)?, stages });
    }
    Ok(seen)
}

fn mark_of(wait: &ResidueWait, now: &Status, logs: &Logs) -> Result<Mark, Fault> {
    if let Some(mark) = &wait.mark {
        return serde_json::from_value(mark.clone()).map_err(|error| unreadable(&error));
    }
    Ok(Mark {
        transaction: now.next_transaction,
        purged: false,
        spaces: None,
        rebuilt: false,
        redo_from: None,
        redo_gone: false,
        binlogs: logs.names.clone(),
    })
}

impl Ground<'_> {
    /// Tables of one who waits, by their own names: those in which something was erased, and the one in
    /// which the connector keeps how far it has come.
    fn tables(&self, number: usize) -> Vec<usize> {
        let erased = self.look.waits[number].collections.iter();
        let erased = erased.map(|name| self.catalogue.find(name));
        let found = erased.chain([self.catalogue.find_own(self.progress_table)]).flatten();
        found.filter(|found| !self.catalogue.tables[*found].view).collect()
    }

    async fn spaces(&self, session: &mut Session, number: usize) -> Result<Vec<u64>, Fault> {
        let mut spaces = Vec::new();
        for table in self.tables(number) {
            spaces.extend(status::spaces(session, &self.catalogue.tables[table].name).await?);
        }
        Ok(spaces)
    }

    async fn undo(
        &self,
        session: &mut Session,
        now: &Status,
        marks: &mut [Mark],
    ) -> Result<Vec<StageSight>, Fault> {
        for (number, mark) in marks.iter_mut().enumerate() {
            if !mark.purged && now.purged_below >= mark.transaction {
                mark.purged = true;
                if self.look.looks_at(FREE_SPACE) {
                    mark.spaces = Some(self.spaces(session, number).await?);
                }
            }
        }
        let holder = if marks.iter().all(|mark| mark.purged) {
            None
        } else {
            status::oldest_transaction(session).await?
        };
        let sight = |mark: &Mark| match &holder {
            _ if mark.purged => StageSight::gone(UNDO),
            Some(holder) => StageSight::held(UNDO, format!("{holder} can still see the rows")),
            None => StageSight::left(UNDO, "purge has not come so far yet"),
        };
        Ok(marks.iter().map(sight).collect())
    }

    async fn space(
        &self,
        session: &mut Session,
        marks: &mut [Mark],
    ) -> Result<Vec<StageSight>, Fault> {
        if self.look.looks_at(FREE_SPACE) {
            let mut rebuilt: Vec<usize> = Vec::new();
            for (number, mark) in marks.iter_mut().enumerate() {
                let Some(before) = mark.spaces.clone().filter(|_| !mark.rebuilt) else { continue };
                if self.look.drives(REWRITE) {
                    for table in self.tables(number) {
                        let own = &self.catalogue.tables[table];
                        let space = status::spaces(session, &own.name).await?;
                        if space.iter().any(|one| before.contains(one)) && !rebuilt.contains(&table)
                        {
                            let name = own.quoted(Dialect::MariaDb)?;
                            status::rebuild(session, &name).await?;
                            rebuilt.push(table);
                        }
                    }
                }
                let now = self.spaces(session, number).await?;
                mark.rebuilt = !now.iter().any(|one| before.contains(one));
            }
        }
        let sight = |mark: &Mark| match mark.spaces {
            _ if mark.rebuilt => StageSight::gone(FREE_SPACE),
            None => StageSight::left(FREE_SPACE, "it counts from when purge has passed"),
            Some(_) => StageSight::held(
                FREE_SPACE,
                "freed pages keep their bytes until they are used again: build the tables anew with OPTIMIZE TABLE, or add `rewrite` under `drive`",
            ),
        };
        Ok(marks.iter().map(sight).collect())
    }

    fn redo(&self, now: &Status, marks: &mut [Mark]) -> Vec<StageSight> {
        let mut seen = Vec::with_capacity(marks.len());
        for mark in marks {
            let is_next = mark.purged && (mark.rebuilt || !self.look.looks_at(FREE_SPACE));
            if is_next {
                let from = *mark.redo_from.get_or_insert(now.log_position);
                mark.redo_gone |= now.log_position.saturating_sub(from) > now.log_length;
            }
            seen.push(match mark.redo_from {
                _ if mark.redo_gone => StageSight::gone(REDO),
                None => {
                    StageSight::left(REDO, "it counts from when the table holds nothing any more")
                }
                Some(from) => {
                    let written = now.log_position.saturating_sub(from);
                    let left = now.log_length.saturating_sub(written) / 1_048_576 + 1;
                    StageSight::left(REDO, format!("{left} MiB of it are still to be written over"))
                }
            });
        }
        seen
    }

    /// Removes binary logs, where that is allowed and somebody waits for one; what is missing for it.
    async fn purge_logs(
        &self,
        session: &mut Session,
        marks: &[Mark],
        logs: &mut Logs,
    ) -> Result<Option<String>, Fault> {
        let drives = self.look.drives(PURGE_BINLOGS) && self.look.looks_at(BINLOG);
        if !drives || !marks.iter().any(|mark| logs.has_one_of(&mark.binlogs)) {
            return Ok(None);
        }
        match status::purge_logs(session).await {
            Err(fault) if answered(&fault, &["1227", "1142", "1044", "1045"]) => {
                return Ok(Some(
                    "this account may not remove binary logs: grant it RELOAD and BINLOG ADMIN (MySQL: BINLOG_ADMIN)"
                        .to_owned(),
                ));
            }
            purged => purged?,
        }
        *logs = status::binary_logs(session).await?;
        Ok(None)
    }

    async fn binlog(
        &self,
        session: &mut Session,
        logs: &Logs,
        marks: &[Mark],
        refused: Option<String>,
    ) -> Result<Vec<StageSight>, Fault> {
        let is_left = |mark: &Mark| logs.has_one_of(&mark.binlogs);
        let mut reader = false;
        if marks.iter().any(is_left) && self.look.drives(PURGE_BINLOGS) {
            reader = status::has_replica(session).await?;
        }
        let sight = |mark: &Mark| {
            if !is_left(mark) {
                return StageSight::gone(BINLOG);
            }
            if let Some(refused) = &refused {
                return StageSight::held(BINLOG, refused.clone());
            }
            if reader {
                let why = "a replica still reads a binary log: let it catch up";
                return StageSight::held(BINLOG, why);
            }
            if logs.expire_by_themselves {
                return StageSight::left(
                    BINLOG,
                    "they go when their time is over and a new one begins; `purge_binlogs` under `drive` hastens it",
                );
            }
            StageSight::held(
                BINLOG,
                "they are kept for ever: set `binlog_expire_logs_seconds`, or add `purge_binlogs` under `drive`",
            )
        };
        Ok(marks.iter().map(sight).collect())
    }
}
