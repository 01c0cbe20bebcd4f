//! What can go wrong in the store, told without personal data and without the URL.
//!
//! The texts of the drivers are never passed on: PostgreSQL puts the values of the offending row
//! into its details. Only the place, the law that was broken and the code are kept.

/// Why the store could not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, is shutting down or the pool is exhausted. Nothing is known
    /// about what was being committed; look again before doing it again.
    #[error("the store is unavailable ({why}); check that its database runs and has room")]
    Unavailable {
        /// In which way, without addresses.
        why: String,
    },
    /// Another transaction stood in the way; nothing was written, and it may be tried again.
    #[error("the store is busy ({code}); nothing was written, try again")]
    Busy {
        /// The database's code.
        code: String,
    },
    /// A law of the schema refused it; nothing was written.
    #[error("the store refused to break the law `{law}`; nothing was written")]
    Conflict {
        /// Name of the constraint, or the database's code where it names none.
        law: String,
    },
    /// What was to be written cannot be kept; nothing was written.
    #[error("the store cannot keep {what}; nothing was written")]
    Refused {
        /// What.
        what: String,
    },
    /// What was read is not what was once written.
    #[error("the store holds something unreadable in `{column}`; restore it from a backup")]
    Corrupt {
        /// Where.
        column: &'static str,
    },
    /// The schema could not be brought up to date.
    #[error("the schema of the store could not be brought up to date: {why}")]
    Migration {
        /// Why, and what to do.
        why: String,
    },
    /// The URL is of no use.
    #[error("the URL of the store is of no use: {why}")]
    Url {
        /// Why, and what to write; never the URL itself.
        why: String,
    },
    /// A statement of ours that the database does not accept: a fault in this program.
    #[error("the database did not accept a statement (code `{code}`); please report this")]
    Statement {
        /// The database's code.
        code: String,
    },
}

impl StoreError {
    /// The same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Busy { .. })
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(database) => {
                let code = database.code().map_or_else(|| "none".to_owned(), |c| c.to_string());
                if database.is_unique_violation()
                    || database.is_foreign_key_violation()
                    || database.is_check_violation()
                    || code == "1811"
                    || code == "23502"
                    || code == "1299"
                    || code == "23000"
                {
                    let law = match database.constraint() {
                        Some(name) => name.to_owned(),
                        None => sqlite_law(database.message()).unwrap_or(code),
                    };
                    return Self::Conflict { law };
                }
                from_code(code)
            }
            sqlx::Error::Io(io) => Self::Unavailable { why: io.kind().to_string() },
            sqlx::Error::Tls(_) => Self::Unavailable { why: "no TLS connection".to_owned() },
            sqlx::Error::PoolTimedOut => {
                Self::Unavailable { why: "no free connection in time".to_owned() }
            }
            sqlx::Error::PoolClosed => Self::Unavailable { why: "it has been closed".to_owned() },
            sqlx::Error::WorkerCrashed => {
                Self::Unavailable { why: "the connection broke".to_owned() }
            }
            sqlx::Error::Protocol(_) => {
                Self::Unavailable { why: "an unreadable answer".to_owned() }
            }
            sqlx::Error::Configuration(_) => {
                Self::Url { why: "the database's driver cannot read it".to_owned() }
            }
            _ => Self::Statement { code: "client".to_owned() },
        }
    }
}

/// SQLite names the table and columns, or the trigger's own words, and no values.
fn sqlite_law(message: &str) -> Option<String> {
    let law = message.rsplit("constraint failed: ").next()?;
    (law.len() <= 200).then(|| law.to_owned())
}

fn from_code(code: String) -> StoreError {
    // SQLite's extended codes keep the primary code in the low byte.
    let primary = code.parse::<u32>().ok().filter(|_| code.len() != 5).map(|code| code & 0xff);
    match (primary, code.as_str()) {
        // SQLite: BUSY, LOCKED, INTERRUPT. PostgreSQL: serialisation, deadlock, lock not available,
        // statement time-out, idle in transaction.
        (Some(5 | 6 | 9), _) | (None, "40001" | "40P01" | "55P03" | "57014" | "25P03") => {
            StoreError::Busy { code }
        }
        // SQLite: IOERR, FULL, CANTOPEN, READONLY, PROTOCOL
        (Some(8 | 10 | 13 | 14 | 15), _) => StoreError::Unavailable { why: format!("code {code}") },
        // SQLite: CORRUPT, NOTADB
        (Some(11 | 26), _) => StoreError::Corrupt { column: "the database file" },
        // PostgreSQL: connection, resources, operator intervention, wrong password, no such database
        (None, text)
            if ["08", "53", "57", "58", "28", "3D"].iter().any(|class| text.starts_with(class)) =>
        {
            StoreError::Unavailable { why: format!("code {code}") }
        }
        (None, "25006") => StoreError::Unavailable { why: "the server is read-only".to_owned() },
        _ => StoreError::Statement { code },
    }
}
