//! Our own records: when what they are about is over, and how many there are.
//!
//! What is over, precisely: a request is once it is closed, its person is forgotten, nothing waits to
//! be told any more, and its case, if it has one, is closed, with a certificate in the log, no job that
//! waits for its day (a copy that may still hold the person is such a job), no restore under way and
//! nothing that somebody has to decide about. A person is forgotten only once no later look is promised.
//! A task, and what a third party calls back by, is over with its case.

use jiff::Timestamp;

use super::connection::Store;
use super::error::StoreError;
use super::statement::{Sql, args};

/// A case that is over; `$case` is an expression for its identifier.
macro_rules! case_is_over {
    ($case:literal) => {
        concat!(
            " EXISTS (SELECT 1 FROM cases WHERE cases.id = ",
            $case,
            " AND cases.state = 'closed')
              AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.case_id = ",
            $case,
            " AND jobs.state NOT IN ('completed', 'failed', 'cancelled'))
              AND EXISTS (SELECT 1 FROM certificates WHERE certificates.case_id = ",
            $case,
            ")
              AND NOT EXISTS (SELECT 1 FROM certificates WHERE certificates.case_id = ",
            $case,
            " AND certificates.state = 'signed')
              AND NOT EXISTS (SELECT 1 FROM reappearances WHERE reappearances.case_id = ",
            $case,
            " AND reappearances.state = 'asks')
              AND NOT EXISTS (SELECT 1 FROM restores WHERE restores.case_id = ",
            $case,
            " AND restores.opened_at IS NULL)"
        )
    };
}

const REQUESTS: Sql = Sql::both(concat!(
    "UPDATE requests SET version = version + 1, over_at = COALESCE(
         (SELECT cases.closed_at FROM cases
          WHERE cases.id = requests.case_id AND cases.closed_at > requests.closed_at),
         requests.closed_at)
     WHERE id IN (SELECT asked.id FROM requests AS asked
         WHERE asked.over_at IS NULL AND asked.forgotten_at IS NOT NULL
           AND asked.state = 'closed'
           AND NOT EXISTS (SELECT 1 FROM drills WHERE drills.request_id = asked.id)
           AND NOT EXISTS (SELECT 1 FROM letters, mails WHERE letters.request_id = asked.id
               AND mails.letter_id = letters.id AND mails.state IN ('due', 'sending'))
           AND NOT EXISTS (SELECT 1 FROM opendsr_callbacks
               WHERE opendsr_callbacks.request_id = asked.id
                 AND opendsr_callbacks.state = 'waiting')
           AND (asked.case_id IS NULL OR (",
    case_is_over!("asked.case_id"),
    "))
         ORDER BY asked.closed_at, asked.id LIMIT $1)"
));
const TASKS: Sql = Sql::both(concat!(
    "UPDATE tasks SET over_at = (SELECT cases.closed_at FROM cases WHERE cases.id = tasks.case_id)
     WHERE job_id IN (SELECT done.job_id FROM tasks AS done
         WHERE done.over_at IS NULL AND done.state IN ('confirmed', 'called_off')
           AND NOT EXISTS (SELECT 1 FROM mails WHERE mails.job_id = done.job_id
               AND mails.state IN ('due', 'sending'))
           AND NOT EXISTS (SELECT 1 FROM requests WHERE requests.case_id = done.case_id
               AND requests.forgotten_at IS NULL)
           AND",
    case_is_over!("done.case_id"),
    " ORDER BY done.opened_at, done.job_id LIMIT $1)"
));
const ASKED: Sql = Sql::both(concat!(
    "UPDATE opendsr_asked SET over_at = (SELECT cases.closed_at FROM cases, jobs
         WHERE jobs.id = opendsr_asked.job_id AND cases.id = jobs.case_id)
     WHERE over_at IS NULL AND job_id IN (SELECT told.id FROM jobs AS told
         WHERE EXISTS (SELECT 1 FROM opendsr_asked AS named
                 WHERE named.job_id = told.id AND named.over_at IS NULL)
           AND",
    case_is_over!("told.case_id"),
    " ORDER BY told.created_at, told.id LIMIT $1)"
));

// Each part is answered by an index.
const OVER_SINCE: Sql = Sql::both(
    "SELECT (SELECT MIN(over_at) FROM requests WHERE over_at IS NOT NULL) AS requests,
         (SELECT MIN(over_at) FROM tasks WHERE over_at IS NOT NULL) AS tasks,
         (SELECT MIN(over_at) FROM opendsr_asked WHERE over_at IS NOT NULL) AS callbacks,
         (SELECT MIN(released_at) FROM holds WHERE released_at IS NOT NULL) AS holds,
         (SELECT MIN(resumed_at) FROM pauses WHERE resumed_at IS NOT NULL) AS pauses",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("own_records::OVER_SINCE", OVER_SINCE),
    ("own_records::REQUESTS", REQUESTS),
    ("own_records::TASKS", TASKS),
    ("own_records::ASKED", ASKED),
];

/// How many rows a table has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRows {
    /// The table.
    pub table: &'static str,
    /// Its rows.
    pub rows: u64,
    /// When the oldest was written; `None` where there is none, or where rows have no such moment.
    pub oldest: Option<Timestamp>,
    /// The earliest moment at which something of it was over and from which its period counts.
    pub over_since: Option<Timestamp>,
}

/// The statement that counts a table.
macro_rules! rows {
    ($table:literal) => {
        rows!($table, "CAST(NULL AS BIGINT)", "CAST(NULL AS BIGINT)")
    };
    ($table:literal, $oldest:literal) => {
        rows!($table, $oldest, "CAST(NULL AS BIGINT)")
    };
    ($table:literal, $oldest:literal, $over:literal) => {
        (
            $table,
            Sql::both(concat!(
                "SELECT COUNT(*) AS many, ",
                $oldest,
                " AS oldest, ",
                $over,
                " AS over_since FROM ",
                $table
            )),
        )
    };
}

/// Every table that is counted, with the statement that counts it.
pub const COUNTED: &[(&str, Sql)] = &[
    rows!("_sqlx_migrations"),
    rows!("alarm_looks", "MIN(looked_at)"),
    rows!("alarm_tellings", "MIN(written_at)"),
    rows!("alarms", "MIN(raised_at)"),
    rows!("attempts", "MIN(claimed_at)"),
    rows!("breakers", "MIN(failed_at)"),
    rows!("canaries", "MIN(written_at)"),
    rows!("cases", "MIN(created_at)"),
    rows!("certificate_decisions", "MIN(decided_at)"),
    rows!("certificate_topics"),
    rows!("certificates", "MIN(issued_at)"),
    rows!("data_keys", "MIN(created_at)"),
    rows!("documents", "MIN(first_seen_at)"),
    rows!("drill_cursor"),
    rows!("drill_systems", "MIN(planted_at)"),
    rows!("drills", "MIN(began_at)"),
    rows!("events", "MIN(recorded_at)"),
    rows!("evidence_details", "MIN(created_at)"),
    rows!("evidence_outbox", "MIN(created_at)"),
    rows!("evidence_producers", "MIN(beat_at)"),
    rows!("holds", "MIN(placed_at)", "MIN(released_at)"),
    rows!("inside_erasures", "MIN(asked_at)"),
    rows!("jobs", "MIN(created_at)"),
    rows!("key_epochs", "MIN(begun_at)"),
    rows!("later_looks", "MIN(done_at)"),
    rows!("leases"),
    rows!(
        "letters",
        "MIN(written_at)",
        "MIN((SELECT over_at FROM requests WHERE requests.id = letters.request_id))"
    ),
    rows!("log_checkpoints", "MIN(signed_at)"),
    rows!("log_cosignatures", "MIN(signed_at)"),
    rows!("log_leaves", "MIN(integrated_at)"),
    rows!("log_tiles"),
    rows!("logs", "MIN(created_at)"),
    rows!("mails", "MIN(written_at)"),
    rows!("marks", "MIN(marked_at)"),
    rows!("opendsr_asked", "CAST(NULL AS BIGINT)", "MIN(over_at)"),
    rows!(
        "opendsr_callbacks",
        "MIN(created_at)",
        "MIN((SELECT over_at FROM requests WHERE requests.id = opendsr_callbacks.request_id))"
    ),
    rows!(
        "opendsr_requests",
        "CAST(NULL AS BIGINT)",
        "MIN((SELECT over_at FROM requests WHERE requests.id = opendsr_requests.request_id))"
    ),
    rows!("pauses", "MIN(paused_at)", "MIN(resumed_at)"),
    rows!("re_erasure_changes"),
    rows!("re_erasure_entries"),
    rows!("re_erasure_leaves"),
    rows!("re_erasure_leftovers"),
    rows!("re_erasure_list", "MIN(since)"),
    rows!("re_erasure_shards"),
    rows!("reappearances", "MIN(found_at)"),
    rows!("record_manifest_chunks", "MIN(created_at)"),
    rows!("record_manifests", "MIN(created_at)"),
    rows!("renewed_tokens", "MIN(renewed_at)"),
    rows!("request_persons"),
    rows!("requests", "MIN(recorded_at)", "MIN(over_at)"),
    rows!("restore_jobs"),
    rows!("restores", "MIN(begun_at)"),
    rows!("schedule_fires", "MIN(fired_at)"),
    rows!("schedules"),
    rows!("signing_keys", "MIN(added_at)"),
    rows!("status_list_issues", "MIN(issued_at)"),
    rows!("status_lists", "MIN(issued_at)"),
    rows!("tasks", "MIN(opened_at)", "MIN(over_at)"),
    rows!("time_stamp_chains"),
    rows!("time_stamps", "MIN(received_at)"),
    rows!("turns", "MIN(began_at)"),
    rows!("vendor_callbacks", "MIN(heard_at)"),
    rows!("vendor_names"),
    rows!("versions"),
];

impl Store {
    /// Writes down of which records what they are about is over, at most so many of each kind; how
    /// many there were.
    pub async fn close_own_records(&self, limit: u32) -> Result<u64, StoreError> {
        let mut closed = 0;
        for statement in [REQUESTS, TASKS, ASKED] {
            closed += self.write(statement, args![limit]).await?;
        }
        Ok(closed)
    }

    /// Since when the oldest record of each entry of `own_records` that has rows of its own is over.
    pub async fn over_since(&self) -> Result<Vec<(&'static str, Timestamp)>, StoreError> {
        let row = self.read_one(OVER_SINCE, Vec::new()).await?;
        let row = row.ok_or(StoreError::Corrupt { column: "requests" })?;
        let mut found = Vec::new();
        for entry in ["requests", "tasks", "callbacks", "holds", "pauses"] {
            found.extend(row.maybe_instant(entry)?.map(|at| (entry, at)));
        }
        Ok(found)
    }

    /// How many rows each table has, in the order of their names.
    pub async fn own_rows(&self) -> Result<Vec<OwnRows>, StoreError> {
        let mut found = Vec::with_capacity(COUNTED.len());
        for (table, statement) in COUNTED {
            let row = self.read_one(*statement, Vec::new()).await?;
            let row = row.ok_or(StoreError::Corrupt { column: "many" })?;
            found.push(OwnRows {
                table,
                rows: row.whole("many")?,
                oldest: row.maybe_instant("oldest")?,
                over_since: row.maybe_instant("over_since")?,
            });
        }
        Ok(found)
    }
}
