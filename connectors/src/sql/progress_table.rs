//! The one table that the connector keeps in the system: how far an order has come and what it
//! has done, written in the same transaction as each chunk.
//!
//! That makes counts exact over any number of attempts, and it fences: a chunk whose attempt is
//! no longer the current one finds no row to update and is rolled back. A cursor can hold key
//! values; they stay inside the system that they came from, until the order is forgotten.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::order::Order;
use crate::receipt::{Fault, Outcome};
use crate::sql::connection::Session;
use crate::sql::dialect::Dialect;
use crate::sql::faults::{answered, rejected};
use crate::sql::fragment::{Cell, Fragment};

/// Where an order stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Name of the step; empty at the start, [`FINISHED`] at the end.
    pub(crate) step: String,
    /// Which member of a group of collections that refer to each other.
    pub(crate) member: usize,
    /// Which pass over the group.
    pub(crate) pass: u32,
    /// Records that this pass has deleted so far.
    pub(crate) moved: u64,
    /// The last window of the table is done.
    pub(crate) complete: bool,
    /// The last key of the last window.
    pub(crate) after: Option<Vec<Cell>>,
    /// Records whose association led to nobody before anything was done, by association.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) dangling: BTreeMap<String, u64>,
}

impl Position {
    /// The beginning of another step.
    pub(crate) fn at_step(&mut self, step: impl Into<String>) -> Self {
        let dangling = std::mem::take(&mut self.dangling);
        Self { step: step.into(), dangling, ..Self::default() }
    }
}

/// Name of the position at which nothing is left to do.
pub(crate) const FINISHED: &str = "finished";

/// The table's name, quoted.
pub(crate) struct ProgressTable {
    quoted: String,
    dialect: Dialect,
}

impl ProgressTable {
    /// # Errors
    /// `Misconfigured` where the name cannot be quoted.
    pub(crate) fn new(dialect: Dialect, name: &str) -> Result<Self, Fault> {
        let parts: Result<Vec<String>, Fault> =
            name.split('.').map(|part| dialect.quote(part)).collect();
        Ok(Self { quoted: parts?.join("."), dialect })
    }

    fn column(&self, name: &str) -> String {
        let mark = if self.dialect == Dialect::MariaDb { '`' } else { '"' };
        format!("{mark}{name}{mark}")
    }

    /// Creates the table. The caller has seen that it is missing.
    pub(crate) async fn create(&self, session: &mut Session) -> Result<(), Fault> {
        let long_text = if self.dialect == Dialect::MariaDb { "LONGTEXT" } else { "TEXT" };
        let engine = if self.dialect == Dialect::MariaDb {
            " ENGINE = InnoDB DEFAULT CHARSET = utf8mb4"
        } else {
            ""
        };
        let statement = format!(
            "CREATE TABLE IF NOT EXISTS {} ({} VARCHAR(64) NOT NULL PRIMARY KEY, {} BIGINT NOT NULL, \
                 {} {long_text} NOT NULL, {} {long_text} NOT NULL, {} VARCHAR(40) NOT NULL){engine}",
            self.quoted,
            self.column("order_key"),
            self.column("attempt"),
            self.column("cursor"),
            self.column("done"),
            self.column("updated_at"),
        );
        let created = session.command(&statement).await;
        // PostgreSQL looks whether it exists before it waits for another one that creates it, and
        // then finds its name taken. The second time it is there.
        match created {
            Err(fault) if answered(&fault, &["23505", "42710", "42P07"]) => {
                session.command(&statement).await
            }
            created => created,
        }
    }

    /// What an order has done, if anything is known of it.
    pub(crate) async fn read(
        &self,
        session: &mut Session,
        key: &str,
    ) -> Result<Option<(i64, Position, Outcome)>, Fault> {
        let rows = session
            .fetch(
                &Fragment::raw(format!(
                    "SELECT {}, {}, {} FROM {} WHERE {} = ",
                    self.column("attempt"),
                    self.column("cursor"),
                    self.column("done"),
                    self.quoted,
                    self.column("order_key")
                ))
                .and(Fragment::text_value(key)),
            )
            .await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let attempt = match row[0] {
            Cell::Integer(attempt) => attempt,
            _ => 0,
        };
        let position = serde_json::from_str(&row[1].text());
        let done = serde_json::from_str(&row[2].text());
        match (position, done) {
            (Ok(position), Ok(done)) => Ok(Some((attempt, position, done))),
            _ => Err(rejected(format!(
                "the progress of order `{key}` in the progress table cannot be read: it was written by another version"
            ))),
        }
    }

    /// Makes this attempt the current one and reads where the order stands.
    pub(crate) async fn take_over(
        &self,
        session: &mut Session,
        order: &Order,
    ) -> Result<(Position, Outcome), Fault> {
        session.begin().await?;
        session.execute(&self.insertion(order)?).await?;
        session
            .execute(
                &Fragment::raw(format!("UPDATE {} SET {} = ", self.quoted, self.column("attempt")))
                    .and(Fragment::value(Cell::Integer(i64::from(order.attempt))))
                    .then(&format!(" WHERE {} = ", self.column("order_key")))
                    .and(Fragment::text_value(order.key.as_str()))
                    .then(&format!(" AND {} <= ", self.column("attempt")))
                    .and(Fragment::value(Cell::Integer(i64::from(order.attempt)))),
            )
            .await?;
        let found = self.read(session, &order.key).await?;
        session.commit().await?;
        match found {
            Some((attempt, position, done)) if attempt == i64::from(order.attempt) => {
                Ok((position, done))
            }
            _ => Err(rejected(format!(
                "attempt {} of order `{}` is fenced: a later attempt has begun",
                order.attempt, order.key
            ))),
        }
    }

    fn insertion(&self, order: &Order) -> Result<Fragment, Fault> {
        let head =
            if self.dialect == Dialect::MariaDb { "INSERT IGNORE INTO" } else { "INSERT INTO" };
        let tail = if self.dialect == Dialect::MariaDb { ")" } else { ") ON CONFLICT DO NOTHING" };
        let columns = ["order_key", "attempt", "cursor", "done", "updated_at"];
        let columns: Vec<String> = columns.iter().map(|name| self.column(name)).collect();
        let cells = vec![
            Fragment::text_value(order.key.as_str()),
            Fragment::value(Cell::Integer(i64::from(order.attempt))),
            Fragment::text_value(json(&Position::default())?),
            Fragment::text_value(json(&Outcome::default())?),
            Fragment::text_value(order.moment.to_string()),
        ];
        Ok(Fragment::join(cells, ", ")
            .within(&format!("{head} {} ({}) VALUES (", self.quoted, columns.join(", ")), tail))
    }

    /// Writes where the order stands, inside the transaction of the chunk.
    ///
    /// # Errors
    /// `Unknown` where a later attempt has taken over; the caller rolls back.
    pub(crate) async fn save(
        &self,
        session: &mut Session,
        order: &Order,
        position: &Position,
        done: &Outcome,
    ) -> Result<(), Fault> {
        let statement =
            Fragment::raw(format!("UPDATE {} SET {} = ", self.quoted, self.column("cursor")))
                .and(Fragment::text_value(json(position)?))
                .then(&format!(", {} = ", self.column("done")))
                .and(Fragment::text_value(json(done)?))
                .then(&format!(", {} = ", self.column("updated_at")))
                .and(Fragment::text_value(order.moment.to_string()))
                .then(&format!(" WHERE {} = ", self.column("order_key")))
                .and(Fragment::text_value(order.key.as_str()))
                .then(&format!(" AND {} = ", self.column("attempt")))
                .and(Fragment::value(Cell::Integer(i64::from(order.attempt))));
        if session.execute(&statement).await? == 1 {
            return Ok(());
        }
        session.rollback().await?;
        Err(Fault::Unknown {
            message: format!(
                "attempt {} of order `{}` is fenced: a later attempt has taken over, and this chunk was rolled back",
                order.attempt, order.key
            ),
        })
    }

    /// Removes what is known of an order.
    pub(crate) async fn forget(&self, session: &mut Session, key: &str) -> Result<(), Fault> {
        session
            .execute(
                &Fragment::raw(format!(
                    "DELETE FROM {} WHERE {} = ",
                    self.quoted,
                    self.column("order_key")
                ))
                .and(Fragment::text_value(key)),
            )
            .await?;
        Ok(())
    }
}

fn json<T: Serialize>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value)
        .map_err(|_| rejected("the progress of the order cannot be written as JSON"))
}
