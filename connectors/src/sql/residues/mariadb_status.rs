//! What MariaDB and MySQL say of their own files and logs, and the statements that let them go.

use crate::receipt::Fault;
use crate::sql::connection::Session;
use crate::sql::faults::{answered, rejected};
use crate::sql::fragment::{Cell, Fragment};

/// How far `InnoDB` has come.
pub(super) struct Status {
    /// The number that the next transaction gets.
    pub(super) next_transaction: u64,
    /// Purge has passed every transaction with a smaller number.
    pub(super) purged_below: u64,
    /// Bytes that were ever written to the redo log.
    pub(super) log_position: u64,
    /// How long the ring is, in bytes.
    pub(super) log_length: u64,
}

/// Binary logs.
pub(super) struct Logs {
    pub(super) names: Vec<String>,
    /// The server removes them when their time is over.
    pub(super) expire_by_themselves: bool,
}

impl Logs {
    pub(super) fn has_one_of(&self, names: &[String]) -> bool {
        self.names.iter().any(|one| names.contains(one))
    }
}

/// # Errors
/// `Misconfigured` where the account lacks PROCESS, `Rejected` where the server says it in other words.
pub(super) async fn status(session: &mut Session) -> Result<Status, Fault> {
    let rows = session.fetch_plain(&Fragment::raw("SHOW ENGINE INNODB STATUS")).await?;
    let text = rows.first().and_then(|row| row.get(2)).map(Cell::text).unwrap_or_default();
    let after = |words: &str| -> Result<u64, Fault> {
        let rest = text.split_once(words).map(|(_, rest)| rest.trim_start());
        let digits = rest.map(|rest| {
            let end = rest.find(|one: char| !one.is_ascii_digit()).unwrap_or(rest.len());
            &rest[..end]
        });
        digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| {
            rejected(format!("the server's account of InnoDB does not say `{words}`"))
        })
    };
    let variables = variables(session, "innodb_%log_%").await?;
    let variable = |name: &str| {
        let found = variables.iter().find(|(one, _)| one == name);
        found.and_then(|(_, value)| value.parse::<u64>().ok())
    };
    let files = variable("innodb_log_files_in_group").unwrap_or(1);
    let length = variable("innodb_log_file_size").unwrap_or(0).saturating_mul(files);
    Ok(Status {
        next_transaction: after("Trx id counter")?,
        purged_below: after("Purge done for trx's n:o <")?,
        log_position: after("Log sequence number")?,
        log_length: length.max(variable("innodb_redo_log_capacity").unwrap_or(0)),
    })
}

async fn variables(session: &mut Session, like: &str) -> Result<Vec<(String, String)>, Fault> {
    let text = format!("SHOW GLOBAL VARIABLES LIKE '{like}'");
    let rows = session.fetch_plain(&Fragment::raw(text)).await?;
    Ok(rows.iter().filter(|row| row.len() > 1).map(|row| (row[0].text(), row[1].text())).collect())
}

/// The binary logs that are there; none where there is no binary logging.
pub(super) async fn binary_logs(session: &mut Session) -> Result<Logs, Fault> {
    let names = match session.fetch_plain(&Fragment::raw("SHOW BINARY LOGS")).await {
        Err(fault) if answered(&fault, &["1381"]) => Vec::new(),
        rows => rows?.iter().filter_map(|row| row.first()).map(Cell::text).collect(),
    };
    let set = |(_, value): &(String, String)| value.parse::<f64>().is_ok_and(|it| it > 0.0);
    let seconds = variables(session, "binlog_expire_logs_seconds").await?;
    let days = variables(session, "expire_logs_days").await?;
    let expire_by_themselves = seconds.iter().chain(&days).any(set);
    Ok(Logs { names, expire_by_themselves })
}

/// Removes every binary log but the newest, which is begun for it.
pub(super) async fn purge_logs(session: &mut Session) -> Result<(), Fault> {
    session.command("FLUSH BINARY LOGS").await?;
    let Some(newest) = binary_logs(session).await?.names.pop() else { return Ok(()) };
    if newest.contains(['\'', '\\']) {
        return Err(rejected("binary logs have a name that cannot be used in a statement"));
    }
    session.command(&format!("PURGE BINARY LOGS TO '{newest}'")).await
}

/// Whether a replica reads binary logs at this moment.
pub(super) async fn has_replica(session: &mut Session) -> Result<bool, Fault> {
    let text = "SELECT count(*) FROM information_schema.PROCESSLIST
         WHERE COMMAND IN ('Binlog Dump', 'Binlog Dump GTID')";
    Ok(session.count(&Fragment::raw(text)).await? > 0)
}

/// The oldest transaction of others, in words; it may have a read view.
pub(super) async fn oldest_transaction(session: &mut Session) -> Result<Option<String>, Fault> {
    let text = "SELECT CAST(trx_mysql_thread_id AS CHAR), CAST(trx_started AS CHAR)
         FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id <> CONNECTION_ID()
         ORDER BY trx_started LIMIT 1";
    let rows = session.fetch_plain(&Fragment::raw(text)).await?;
    Ok(rows.first().map(|row| {
        format!("session {} (in a transaction since {} UTC)", row[0].text(), row[1].text())
    }))
}

/// Numbers of the tablespaces of a table and its partitions: another one once it is built anew.
pub(super) async fn spaces(session: &mut Session, table: &str) -> Result<Vec<u64>, Fault> {
    let of = |catalogue: &str| {
        Fragment::raw(format!(
            "SELECT CAST(SPACE AS CHAR) FROM information_schema.{catalogue}
             WHERE NAME = CONCAT(DATABASE(), '/', "
        ))
        .and(Fragment::text_value(table))
        .then(") OR LOWER(LEFT(NAME, CHAR_LENGTH(CONCAT(DATABASE(), '/', ")
        .and(Fragment::text_value(table))
        .then(", '#P#')))) = LOWER(CONCAT(DATABASE(), '/', ")
        .and(Fragment::text_value(table))
        .then(", '#P#'))")
    };
    let rows = match session.fetch(&of("INNODB_SYS_TABLES")).await {
        // MySQL calls it otherwise.
        Err(fault) if answered(&fault, &["1109"]) => session.fetch(&of("INNODB_TABLES")).await?,
        rows => rows?,
    };
    let spaces: Vec<u64> = rows.iter().filter_map(|row| row.first()).map(Cell::count).collect();
    if spaces.is_empty() {
        return Err(rejected(format!(
            "InnoDB does not name the files of table `{table}`: leave `free_space` out of `stages`"
        )));
    }
    Ok(spaces)
}

/// Builds a table anew.
pub(super) async fn rebuild(session: &mut Session, table: &str) -> Result<(), Fault> {
    // The answer says with which status it ended, and holds no data.
    let text = Fragment::raw(format!("OPTIMIZE TABLE {table}"));
    session.fetch_plain(&text).await.map(drop)
}
