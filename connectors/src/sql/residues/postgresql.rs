//! PostgreSQL: dead rows and their index entries, free space of pages, and the write-ahead log.
//!
//! - **Dead rows** go with `VACUUM`, once no snapshot is left that could see them. Whether an autovacuum
//!   has cleaned the indexes as well nobody can see, so only what was driven counts, or a table that was
//!   built anew.
//! - **Free space**: a vacuum moves rows together and leaves the bytes of what was last on the page where
//!   they are. They go when somebody writes there, which nobody can see, or when the table is built anew,
//!   which shows in the numbers of its files.
//! - **The log** counts from when the others are gone: until then the old rows may be written to it once
//!   more, with their whole page. Segments that are no longer needed are renamed to serve again and keep
//!   their bytes until they are written over.

use serde::{Deserialize, Serialize};

use super::postgresql_log as log;
use crate::receipt::Fault;
use crate::residue::{
    ResidueDrive, ResidueLook, ResidueSight, ResidueStage, ResidueWait, StageSight,
};
use crate::sql::catalogue::Catalogue;
use crate::sql::connection::Session;
use crate::sql::faults::misconfigured;
use crate::sql::fragment::{Cell, Fragment};
use crate::sql::residues::{unreadable, written};

const DEAD_ROWS: &str = "dead_rows";
const FREE_SPACE: &str = "free_space";
pub(super) const WAL: &str = "wal";
const VACUUM: &str = "vacuum";
const REWRITE: &str = "rewrite";
pub(super) const SWITCH_WAL: &str = "switch_wal";

const STATISTICS: &str = "pg_catalog.pg_statistic";

const ROWS_AND_SPACE: &str = "dead rows until the next vacuum of the table, and what they held in free pages until those are used again";

pub(super) const STAGES: &[ResidueStage] = &[
    ResidueStage {
        name: DEAD_ROWS,
        what: "dead rows of the table and their index entries",
        covers: ROWS_AND_SPACE,
        after: &[],
    },
    ResidueStage {
        name: FREE_SPACE,
        what: "free space on pages of the table and its indexes",
        covers: ROWS_AND_SPACE,
        after: &[DEAD_ROWS],
    },
    ResidueStage {
        name: WAL,
        what: "segments of the write-ahead log",
        covers: "write-ahead log segments until they are recycled or archived ones expire",
        after: &[DEAD_ROWS],
    },
];

pub(super) const DRIVES: &[ResidueDrive] = &[
    ResidueDrive {
        name: VACUUM,
        stage: DEAD_ROWS,
        what: "VACUUM (INDEX_CLEANUP ON, ANALYZE) of the tables in which something was erased: reads them, and keeps nobody out",
    },
    ResidueDrive {
        name: REWRITE,
        stage: FREE_SPACE,
        what: "VACUUM FULL of these tables: keeps everybody out of each while it is built anew, and takes as much space again",
    },
    ResidueDrive {
        name: SWITCH_WAL,
        stage: WAL,
        what: "CHECKPOINT and pg_switch_wal(), up to 16 times a look: each one begins a new segment, which is archived where archiving is on",
    },
];

/// What was seen so far for one who waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// Every transaction that deleted something has a smaller number.
    xid: u64,
    /// Files of the tables when nothing could see the dead rows any more: a table that is built anew
    /// after that has none of them.
    unseen: Option<Vec<u64>>,
    /// No dead row is left.
    rows_gone: bool,
    /// Files of the tables when no dead row was left any more.
    files: Option<Vec<u64>>,
    /// The tables were built anew since.
    space_gone: bool,
    /// Where the log stood when all that was written to it once more was gone.
    pub(super) log_from: Option<String>,
    /// Segments that may hold older bytes although they bear a later name.
    pub(super) renamed: Option<Vec<String>>,
    /// The log holds nothing any more.
    pub(super) log_gone: bool,
}

/// What holds dead rows back: the oldest transaction that something can still see, and what that is.
struct Horizon {
    xid: u64,
    holder: Option<String>,
}

/// What a look works with.
struct Ground<'look> {
    look: &'look ResidueLook,
    catalogue: Catalogue,
    progress_table: &'look str,
    /// Samples of values: of the tables, and of lists that the connector has made for itself.
    statistics: Option<&'static str>,
}

pub(super) async fn look(
    session: &mut Session,
    look: &ResidueLook,
    progress_table: &str,
) -> Result<Vec<ResidueSight>, Fault> {
    check(session).await?;
    let catalogue = Catalogue::read(session).await?;
    // Only whoever owns the database may vacuum them.
    let may = cannot_vacuum(session, STATISTICS).await?.is_none();
    let statistics = may.then_some(STATISTICS);
    let ground = Ground { look, catalogue, progress_table, statistics };
    let mut marks = Vec::with_capacity(look.waits.len());
    for wait in &look.waits {
        marks.push(mark_of(session, wait).await?);
    }
    let rows = ground.rows(session, &mut marks).await?;
    let space = ground.space(session, &mut marks).await?;
    let logs = if look.looks_at(WAL) {
        let earlier =
            |mark: &Mark| mark.rows_gone && (mark.space_gone || !look.looks_at(FREE_SPACE));
        log::look(session, look.drives(SWITCH_WAL), &mut marks, earlier).await?
    } else {
        marks.iter().map(|_| StageSight::gone(WAL)).collect()
    };
    let mut seen = Vec::with_capacity(marks.len());
    for (number, mark) in marks.iter().enumerate() {
        let all = [&rows[number], &space[number], &logs[number]];
        let stages = all.into_iter().filter(|one| look.looks_at(&one.stage)).cloned().collect();
        seen.push(ResidueSight { mark: written(mark)?, stages });
    }
    Ok(seen)
}

/// What cannot be seen is not gone: without these rights sessions of others show no snapshot.
async fn check(session: &mut Session) -> Result<(), Fault> {
    let statement = Fragment::raw(
        "SELECT rolsuper OR pg_has_role(current_user, 'pg_monitor', 'USAGE'), pg_is_in_recovery()
         FROM pg_catalog.pg_roles WHERE rolname = current_user",
    );
    let row = session.fetch_one(&statement).await?;
    if row[1].truth() {
        return Err(misconfigured("this is a standby: connect to the primary server"));
    }
    if !row[0].truth() {
        return Err(misconfigured(
            "nobody can see from this account what holds dead rows and the log back: grant pg_monitor to it",
        ));
    }
    Ok(())
}

async fn mark_of(session: &mut Session, wait: &ResidueWait) -> Result<Mark, Fault> {
    if let Some(mark) = &wait.mark {
        return serde_json::from_value(mark.clone()).map_err(|error| unreadable(&error));
    }
    let statement =
        Fragment::raw("SELECT CAST(txid_snapshot_xmax(txid_current_snapshot()) AS bigint)");
    Ok(Mark {
        xid: session.count(&statement).await?,
        unseen: None,
        rows_gone: false,
        files: None,
        space_gone: false,
        log_from: None,
        renamed: None,
        log_gone: false,
    })
}

impl Ground<'_> {
    /// Tables of one who waits, as statements name them: those in which something was erased, the one in
    /// which the connector keeps how far it has come, and the statistics.
    fn tables(&self, number: usize) -> Result<Vec<String>, Fault> {
        let erased = self.look.waits[number].collections.iter();
        let erased = erased.map(|name| self.catalogue.find(name));
        let mut tables = Vec::new();
        // One that is no longer there has no rows.
        for found in erased.chain([self.catalogue.find_own(self.progress_table)]).flatten() {
            let table = &self.catalogue.tables[found];
            if !table.view {
                tables.push(table.quoted(crate::sql::dialect::Dialect::Postgres)?);
            }
        }
        // Last, because the others are analysed before.
        tables.extend(self.statistics.map(str::to_owned));
        Ok(tables)
    }

    async fn rows(
        &self,
        session: &mut Session,
        marks: &mut [Mark],
    ) -> Result<Vec<StageSight>, Fault> {
        if !self.look.looks_at(DEAD_ROWS) || marks.iter().all(|mark| mark.rows_gone) {
            return Ok(marks.iter().map(|_| StageSight::gone(DEAD_ROWS)).collect());
        }
        let horizon = horizon(session).await?;
        let mut vacuumed: Vec<String> = Vec::new();
        let mut refused: Option<String> = None;
        for (number, mark) in marks.iter_mut().enumerate() {
            if mark.rows_gone || mark.xid > horizon.xid {
                continue;
            }
            let tables = self.tables(number)?;
            let files = files_of(session, &tables).await?;
            let unseen = mark.unseen.get_or_insert_with(|| files.clone());
            if !shares_a_file(&files, unseen) {
                mark.rows_gone = true;
                mark.files = Some(unseen.clone());
                continue;
            }
            if !self.look.drives(VACUUM) {
                continue;
            }
            for table in &tables {
                if vacuumed.contains(table) {
                    continue;
                }
                if let Some(missing) = cannot_vacuum(session, table).await? {
                    refused = Some(missing);
                    continue;
                }
                vacuum(session, table).await?;
                vacuumed.push(table.clone());
            }
            mark.rows_gone = tables.iter().all(|table| vacuumed.contains(table));
            if mark.rows_gone {
                mark.files = Some(files_of(session, &tables).await?);
            }
        }
        let sights = marks.iter().map(|mark| rows_sight(mark, &horizon, refused.as_deref()));
        Ok(sights.collect())
    }

    async fn space(
        &self,
        session: &mut Session,
        marks: &mut [Mark],
    ) -> Result<Vec<StageSight>, Fault> {
        let mut refused = None;
        let mut rewritten: Vec<String> = Vec::new();
        let mut old: Vec<Vec<String>> = vec![Vec::new(); marks.len()];
        for (number, mark) in marks.iter_mut().enumerate() {
            let Some(before) = mark.files.clone() else { continue };
            if mark.space_gone || !self.look.looks_at(FREE_SPACE) {
                continue;
            }
            let tables = self.tables(number)?;
            if self.look.drives(REWRITE) {
                for table in tables.iter().filter(|table| !rewritten.contains(table)) {
                    if shares_a_file(
                        &files_of(session, std::slice::from_ref(table)).await?,
                        &before,
                    ) {
                        match cannot_vacuum(session, table).await? {
                            Some(missing) => refused = Some(missing),
                            None => session.command(&format!("VACUUM (FULL) {table}")).await?,
                        }
                    }
                }
                rewritten.extend(tables.iter().cloned());
            }
            for table in tables {
                let own = files_of(session, std::slice::from_ref(&table)).await?;
                if shares_a_file(&own, &before) {
                    old[number].push(table);
                }
            }
            mark.space_gone = old[number].is_empty();
        }
        let sights = marks.iter().zip(&old);
        Ok(sights.map(|(mark, old)| space_sight(mark, old, refused.as_deref())).collect())
    }
}

fn rows_sight(mark: &Mark, horizon: &Horizon, refused: Option<&str>) -> StageSight {
    if mark.rows_gone {
        return StageSight::gone(DEAD_ROWS);
    }
    if mark.xid > horizon.xid {
        let holder = horizon.holder.as_deref().unwrap_or("something");
        return StageSight::held(DEAD_ROWS, format!("{holder} can still see the rows"));
    }
    let unseen = "nobody can see whether an autovacuum has cleaned the indexes as well: add `vacuum` under `drive`";
    StageSight::held(DEAD_ROWS, refused.unwrap_or(unseen))
}

fn space_sight(mark: &Mark, old: &[String], refused: Option<&str>) -> StageSight {
    if mark.space_gone {
        return StageSight::gone(FREE_SPACE);
    }
    if mark.files.is_none() {
        return StageSight::left(FREE_SPACE, "it counts from when no dead rows are left");
    }
    let plain = || {
        let tables = old.join(", ").replace('"', "");
        format!(
            "the bytes stay on the page until somebody writes there: build {tables} anew with VACUUM FULL, or add `rewrite` under `drive`"
        )
    };
    StageSight::held(FREE_SPACE, refused.map_or_else(plain, str::to_owned))
}

fn shares_a_file(now: &[u64], before: &[u64]) -> bool {
    now.iter().any(|file| before.contains(file))
}

/// The oldest transaction whose rows somebody can still see, as a number that does not wrap, and who.
async fn horizon(session: &mut Session) -> Result<Horizon, Fault> {
    let statement = Fragment::raw(
        "SELECT CAST(txid_snapshot_xmax(txid_current_snapshot()) - COALESCE(max(held.age), 0) AS bigint),
             (array_agg(held.holder ORDER BY held.age DESC))[1]
         FROM (
             SELECT CAST(GREATEST(age(backend_xmin), age(backend_xid)) AS bigint) AS age,
                 'session ' || pid || COALESCE(' (in a transaction since '
                     || to_char(xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') || ')', '') AS holder
             FROM pg_catalog.pg_stat_activity
             WHERE pid <> pg_catalog.pg_backend_pid() AND COALESCE(backend_xmin, backend_xid) IS NOT NULL
                 AND (datname = current_database() OR datname IS NULL OR backend_type = 'walsender')
             UNION ALL
             SELECT CAST(age(xmin) AS bigint), 'replication slot `' || slot_name || '`'
             FROM pg_catalog.pg_replication_slots WHERE xmin IS NOT NULL
             UNION ALL
             SELECT CAST(age(transaction) AS bigint), 'a prepared transaction'
             FROM pg_catalog.pg_prepared_xacts WHERE database = current_database()
         ) AS held",
    );
    let row = session.fetch_one(&statement).await?;
    Ok(Horizon { xid: row[0].count(), holder: row[1].optional_text() })
}

/// The table with its partitions, what does not fit on their pages, and the indexes of all, as `files`.
fn relations(table: &str, rest: &str) -> Fragment {
    Fragment::raw(
        "WITH RECURSIVE parts AS (
             SELECT CAST(to_regclass(CAST(",
    )
    .and(Fragment::text_value(table))
    .then(
        " AS text)) AS oid) AS oid
             UNION SELECT inhrelid FROM pg_catalog.pg_inherits JOIN parts ON inhparent = parts.oid
         ), rows AS (
             SELECT oid FROM parts UNION
             SELECT reltoastrelid FROM pg_catalog.pg_class WHERE oid IN (SELECT oid FROM parts)
                 AND reltoastrelid <> 0
         ), files AS (
             SELECT oid FROM rows UNION
             SELECT indexrelid FROM pg_catalog.pg_index WHERE indrelid IN (SELECT oid FROM rows)
         ) ",
    )
    .then(rest)
}

/// Numbers of the files of tables: each is another one once the table is built anew.
async fn files_of(session: &mut Session, tables: &[String]) -> Result<Vec<u64>, Fault> {
    let mut files = Vec::new();
    for table in tables {
        let rest = "SELECT CAST(pg_relation_filenode(oid) AS bigint) FROM files
             WHERE pg_relation_filenode(oid) IS NOT NULL ORDER BY 1";
        let rows = session.fetch(&relations(table, rest)).await?;
        files.extend(rows.iter().filter_map(|row| row.first()).map(Cell::count));
    }
    Ok(files)
}

/// A vacuum that lacks a right passes over the table and only warns: so one asks before.
async fn cannot_vacuum(session: &mut Session, table: &str) -> Result<Option<String>, Fault> {
    let rest =
        "SELECT count(*) FROM parts JOIN pg_catalog.pg_class AS class ON class.oid = parts.oid
         WHERE NOT (pg_has_role(current_user, class.relowner, 'USAGE')
             OR EXISTS (SELECT 1 FROM pg_catalog.pg_database WHERE datname = current_database()
                 AND pg_has_role(current_user, datdba, 'USAGE')))";
    let missing = session.count(&relations(table, rest)).await?;
    Ok((missing > 0).then(|| {
        format!("this account may not vacuum {table}: grant it the role that owns the table")
    }))
}

/// Vacuums until nothing is left, as the server itself counts it. A page that somebody uses at that
/// very moment is passed over, unless its rows are to be frozen.
async fn vacuum(session: &mut Session, table: &str) -> Result<(), Fault> {
    let tries = ["INDEX_CLEANUP ON, ANALYZE", "INDEX_CLEANUP ON", "INDEX_CLEANUP ON, FREEZE"];
    for options in tries {
        session.command(&format!("VACUUM ({options}) {table}")).await?;
        let rest = "SELECT CAST(COALESCE(sum(pg_stat_get_dead_tuples(oid)), 0) AS bigint),
                 current_setting('server_version_num') FROM rows";
        let row = session.fetch_one(&relations(table, rest)).await?;
        // Servers before 15 count a moment later.
        let is_exact = row[1].count() >= 150_000;
        if row[0].count() == 0 && is_exact {
            break;
        }
    }
    Ok(())
}
