//! What went wrong, by the database's code.
//!
//! The message text of a database is never passed on: it can hold values of records. Only the
//! code and the names of tables and constraints are.

use std::borrow::Cow;

use sqlx::error::DatabaseError;

use crate::receipt::Fault;
use crate::sql::dialect::Dialect;

/// What was under way when it went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Reaching the system.
    Connect,
    /// Reading, or writing inside a transaction that has not been committed.
    Statement,
    /// Deleting, where a new reference can appear between the look and the deletion.
    Deletion,
    /// Committing: a lost connection leaves the outcome open.
    Commit,
}

/// What to do about a pooler that lends connections for one transaction.
pub(crate) const LENT: &str = "a pooler in transaction mode stands before the database: reach it directly, or in session mode";

/// What to do about a pooler that refuses what a connection begins with.
const REFUSED_AT_START: &str = "a pooler refuses what a connection begins with: reach the database directly, or in session mode with `ignore_startup_parameters = extra_float_digits`";

/// A temporary obstacle.
pub(crate) fn transient(message: impl Into<String>) -> Fault {
    Fault::Transient { message: message.into(), retry_after_ms: None }
}

/// Something a person has to set right.
pub(crate) fn misconfigured(message: impl Into<String>) -> Fault {
    Fault::Misconfigured { message: message.into() }
}

/// A refusal for good.
pub(crate) fn rejected(message: impl Into<String>) -> Fault {
    Fault::Rejected { message: message.into() }
}

/// The fault that a driver's error means.
#[expect(clippy::needless_pass_by_value, reason = "used as an argument of map_err")]
pub(crate) fn fault(dialect: Dialect, doing: Doing, error: sqlx::Error) -> Fault {
    match &error {
        sqlx::Error::Database(database) => {
            let code = code(dialect, database.as_ref());
            if doing == Doing::Deletion && still_referred(dialect, &code, database.message()) {
                return transient(format!(
                    "{} answered `{code}`: a record that is being deleted has just been referred to{}",
                    dialect.product(),
                    names(dialect, &code, database.as_ref())
                ));
            }
            database_fault(dialect, &code, database.as_ref())
        }
        sqlx::Error::Configuration(_) | sqlx::Error::InvalidArgument(_) => misconfigured(
            "the connection URL cannot be used: check host, port, database and options",
        ),
        sqlx::Error::Tls(_) => misconfigured(
            "no TLS connection could be made: check the certificate and the `sslmode` of the URL",
        ),
        sqlx::Error::Io(_)
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed => lost(dialect, doing),
        sqlx::Error::Protocol(_) if doing == Doing::Commit => lost(dialect, doing),
        _ => rejected(format!("{} answered in a form that is not understood", dialect.product())),
    }
}

/// The connection is gone. Before COMMIT was sent, the system rolls back by itself.
fn lost(dialect: Dialect, doing: Doing) -> Fault {
    match doing {
        Doing::Connect => transient(format!(
            "{} cannot be reached: check that it runs and that host and port are right",
            dialect.product()
        )),
        Doing::Statement | Doing::Deletion => transient(format!(
            "the connection to {} broke; what was not committed is rolled back",
            dialect.product()
        )),
        Doing::Commit => Fault::Unknown {
            message: format!(
                "the connection to {} broke during COMMIT; the next attempt reads the progress table",
                dialect.product()
            ),
        },
    }
}

/// The code says that a foreign key forbids a deletion. SQLite gives one code to its own `RESTRICT`
/// and to an application's trigger, which would refuse for good.
fn still_referred(dialect: Dialect, code: &str, message: &str) -> bool {
    match dialect {
        Dialect::Postgres => matches!(code, "23503" | "23001"),
        Dialect::MariaDb => matches!(code, "1451" | "1217"),
        Dialect::Sqlite => {
            code == "787" || (code == "1811" && message == "FOREIGN KEY constraint failed")
        }
    }
}

fn database_fault(dialect: Dialect, code: &str, error: &dyn DatabaseError) -> Fault {
    let names = names(dialect, code, error);
    let product = dialect.product();
    // PgBouncer has one code for everything, also for what is over in a moment.
    if dialect == Dialect::Postgres && error.message().starts_with("unsupported startup parameter")
    {
        return misconfigured(format!("{product} answered `{code}`: {REFUSED_AT_START}"));
    }
    match class(dialect, code) {
        Class::Transient(why) => transient(format!("{product} answered `{code}`: {why}{names}")),
        Class::Misconfigured(why) => {
            misconfigured(format!("{product} answered `{code}`: {why}{names}"))
        }
        Class::Rejected(why) => rejected(format!("{product} answered `{code}`: {why}{names}")),
    }
}

fn code(dialect: Dialect, error: &dyn DatabaseError) -> String {
    if dialect == Dialect::MariaDb
        && let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()
    {
        return error.number().to_string();
    }
    error.code().map_or_else(|| "unknown".to_owned(), Cow::into_owned)
}

fn names(dialect: Dialect, code: &str, error: &dyn DatabaseError) -> String {
    let table = error.table().map(|name| format!(", table `{name}`"));
    let in_message = || named_constraint(error.message()).filter(|_| by_itself(dialect, code));
    let constraint = error.constraint().or_else(in_message);
    let constraint = constraint.map(|name| format!(", constraint `{name}`"));
    [table, constraint].into_iter().flatten().collect()
}

/// The database wrote the message of this code itself and puts no value before the constraint's
/// name. An application's trigger may say anything.
fn by_itself(dialect: Dialect, code: &str) -> bool {
    match dialect {
        Dialect::Postgres => false,
        Dialect::MariaDb => matches!(code, "1216" | "1217" | "1451" | "1452" | "3819" | "4025"),
        // CHECK, NOT NULL, PRIMARY KEY, UNIQUE and row number.
        Dialect::Sqlite => matches!(code, "275" | "1299" | "1555" | "2067" | "2579"),
    }
}

/// The constraint that a message of MariaDB or SQLite names, from the forms of message that hold
/// no value.
fn named_constraint(message: &str) -> Option<&str> {
    let name = if let Some((_, rest)) = message.split_once("CONSTRAINT `") {
        rest.split_once('`')?.0
    } else {
        ["CHECK", "UNIQUE", "NOT NULL"]
            .iter()
            .find_map(|kind| message.strip_prefix(kind)?.strip_prefix(" constraint failed: "))?
    };
    let plain = |character: char| {
        character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | ',' | ' ' | '$')
    };
    (name.len() <= 128 && name.chars().all(plain)).then_some(name)
}

/// The database answered with one of these codes.
pub(crate) fn answered(fault: &Fault, codes: &[&str]) -> bool {
    let (Fault::Rejected { message } | Fault::Misconfigured { message }) = fault else {
        return false;
    };
    codes.iter().any(|code| message.contains(&format!(" answered `{code}`: ")))
}

/// The fault with the collection that was being worked on.
pub(crate) fn within(collection: &str, mut fault: Fault) -> Fault {
    if let Fault::Rejected { message }
    | Fault::Misconfigured { message }
    | Fault::Transient { message, .. } = &mut fault
    {
        *message = format!("{message}, in collection `{collection}`");
    }
    fault
}

enum Class {
    Transient(&'static str),
    Misconfigured(&'static str),
    Rejected(&'static str),
}

fn class(dialect: Dialect, code: &str) -> Class {
    match dialect {
        Dialect::Postgres => postgres_class(code),
        Dialect::MariaDb => mariadb_class(code),
        Dialect::Sqlite => sqlite_class(code),
    }
}

fn postgres_class(code: &str) -> Class {
    match code {
        "40001" => Class::Transient("serialization failure"),
        "40P01" => Class::Transient("deadlock"),
        "55P03" => Class::Transient("a lock was not granted in time"),
        "57014" => Class::Transient("the statement took longer than the statement timeout"),
        "25P03" => Class::Transient("the transaction was idle for too long"),
        "42501" => Class::Misconfigured(
            "a privilege is missing, or row security hides records: grant it, or use a role with BYPASSRLS",
        ),
        "42P01" | "42703" | "42883" | "42704" | "3F000" => {
            Class::Misconfigured("a table, column, function or type is not there")
        }
        "3D000" => Class::Misconfigured("there is no such database"),
        "25006" => Class::Misconfigured("the server is read-only: use the primary"),
        // A statement under a name that is not there, or that somebody else has given.
        "26000" | "42P05" => Class::Misconfigured(LENT),
        _ => match code.get(..2).unwrap_or("") {
            "08" => Class::Transient("connection failure"),
            "53" => Class::Transient("out of resources"),
            "57" => Class::Transient("the server is shutting down or starting"),
            "58" | "XX" => Class::Transient("internal error of the system"),
            "28" => Class::Misconfigured("credentials were refused"),
            "42" => Class::Misconfigured("the statement does not fit the schema"),
            "22" => Class::Misconfigured("a value does not fit the type of its field"),
            "23" => Class::Rejected("a constraint forbids the change"),
            _ => Class::Rejected("the change was refused"),
        },
    }
}

fn mariadb_class(code: &str) -> Class {
    match code {
        "1213" => Class::Transient("deadlock"),
        "1205" => Class::Transient("a lock was not granted in time"),
        // With `innodb_snapshot_isolation`, which MariaDB has on from 11.6.
        "1020" => Class::Transient("a record was changed by somebody else meanwhile"),
        "1969" | "3024" | "1317" => {
            Class::Transient("the statement took longer than the statement timeout")
        }
        "1040" | "1203" | "1226" => Class::Transient("too many connections"),
        "1053" | "1077" | "1079" | "1080" | "2002" | "2003" | "2006" | "2013" => {
            Class::Transient("the server is shutting down or the connection failed")
        }
        "1114" | "1021" | "1041" | "3" | "28" => Class::Transient("out of resources"),
        "1044" | "1045" | "1142" | "1143" | "1227" | "1370" | "1698" => {
            Class::Misconfigured("credentials or privileges were refused")
        }
        "1049" => Class::Misconfigured("there is no such database"),
        "1146" | "1054" | "1051" | "1305" | "1630" => {
            Class::Misconfigured("a table, column or function is not there")
        }
        "1290" | "1792" | "1836" => {
            Class::Misconfigured("the server is read-only: use the primary")
        }
        "1137" | "1093" => Class::Misconfigured(
            "this version cannot name a table twice in one statement: use MariaDB 10.6 or later",
        ),
        "1451" | "1452" | "1217" | "1216" | "1062" | "1048" | "4025" | "3819" | "1586" => {
            Class::Rejected("a constraint forbids the change")
        }
        "1406" | "1264" | "1265" | "1292" | "1366" => {
            Class::Misconfigured("a value does not fit the type of its field")
        }
        "1064" => Class::Misconfigured("the statement does not fit this version"),
        _ => Class::Rejected("the change was refused"),
    }
}

fn sqlite_class(code: &str) -> Class {
    let primary = code.parse::<i64>().unwrap_or(1) & 0xff;
    match primary {
        5 | 6 => Class::Transient("the file is locked by another connection"),
        9 => Class::Transient("interrupted"),
        10 => Class::Transient("input or output failed"),
        13 => Class::Transient("the disk is full"),
        3 | 23 => Class::Misconfigured("permission denied"),
        8 => Class::Misconfigured("the file is read-only"),
        14 => Class::Misconfigured("the file cannot be opened"),
        1 | 11 | 17 | 26 => Class::Misconfigured(
            "the file is not a healthy database or a table or column is missing",
        ),
        19 => Class::Rejected("a constraint forbids the change"),
        20 => Class::Misconfigured("a value does not fit the type of its field"),
        _ => Class::Rejected("the change was refused"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_fall_into_the_right_class() {
        assert!(matches!(postgres_class("40P01"), Class::Transient(_)));
        assert!(matches!(postgres_class("28P01"), Class::Misconfigured(_)));
        assert!(matches!(postgres_class("23503"), Class::Rejected(_)));
        assert!(matches!(mariadb_class("1205"), Class::Transient(_)));
        assert!(matches!(mariadb_class("1020"), Class::Transient(_)));
        assert!(matches!(sqlite_class("517"), Class::Transient(_)));
        assert!(matches!(sqlite_class("787"), Class::Rejected(_)));
    }

    #[test]
    fn constraints_are_named_and_values_are_not() {
        let named = [
            ("CONSTRAINT `status_is_known` failed for `shop`.`people`", Some("status_is_known")),
            ("UNIQUE constraint failed: people.email", Some("people.email")),
            ("Duplicate entry 'ann@example.org' for key 'email'", None),
            ("CHECK constraint failed: email <> 'ann@example.org'", None),
        ];
        for (message, name) in named {
            assert_eq!(named_constraint(message), name, "{message}");
        }
        let fault = within("people", rejected("MariaDB answered `4025`: no"));
        assert!(answered(&fault, &["4025"]) && !answered(&fault, &["402"]));
        assert!(fault.to_string().contains("in collection `people`"), "{fault}");
    }

    #[test]
    fn a_lost_connection_during_commit_is_unknown() {
        let error = sqlx::Error::Io(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        assert!(matches!(fault(Dialect::Postgres, Doing::Commit, error), Fault::Unknown { .. }));
    }
}
