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

/// Name of the position of an order that is carried out together with others. By itself it begins
/// from the front, with the counts kept.
pub(crate) const TOGETHER: &str = "together";

/// Keys that one statement names.
const KEYS_IN_STATEMENT: usize = 1_000;

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
        rows.first().map(|row| standing(key, row)).transpose()
    }

    /// Makes this attempt the current one and reads where the order stands.
    pub(crate) async fn take_over(
        &self,
        session: &mut Session,
        order: &Order,
    ) -> Result<(Position, Outcome), Fault> {
        session.begin().await?;
        session.execute(&self.insertion(std::slice::from_ref(order))?).await?;
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
            _ => Err(fenced(order)),
        }
    }

    fn insertion(&self, orders: &[Order]) -> Result<Fragment, Fault> {
        let head =
            if self.dialect == Dialect::MariaDb { "INSERT IGNORE INTO" } else { "INSERT INTO" };
        let tail = if self.dialect == Dialect::MariaDb { ")" } else { ") ON CONFLICT DO NOTHING" };
        let columns = ["order_key", "attempt", "cursor", "done", "updated_at"];
        let columns: Vec<String> = columns.iter().map(|name| self.column(name)).collect();
        let mut rows = Vec::with_capacity(orders.len());
        for order in orders {
            let cells = vec![
                Fragment::text_value(order.key.as_str()),
                Fragment::value(Cell::Integer(i64::from(order.attempt))),
                Fragment::text_value(json(&Position::default())?),
                Fragment::text_value(json(&Outcome::default())?),
                Fragment::text_value(order.moment.to_string()),
            ];
            rows.push(Fragment::join(cells, ", "));
        }
        Ok(Fragment::join(rows, "), (")
            .within(&format!("{head} {} ({}) VALUES (", self.quoted, columns.join(", ")), tail))
    }

    /// One value for each order, by its key.
    fn by_key(&self, orders: &[Order], values: Vec<Fragment>) -> Fragment {
        let mut cases = Fragment::raw(format!("CASE {}", self.column("order_key")));
        for (order, value) in orders.iter().zip(values) {
            cases = cases
                .then(" WHEN ")
                .and(Fragment::text_value(order.key.as_str()))
                .then(" THEN ")
                .and(value);
        }
        cases.then(" END")
    }

    fn attempts(&self, orders: &[Order]) -> Fragment {
        let attempt = |order: &Order| Fragment::value(Cell::Integer(i64::from(order.attempt)));
        self.by_key(orders, orders.iter().map(attempt).collect())
    }

    fn of_keys(&self, keys: impl Iterator<Item = String>) -> Fragment {
        let keys = keys.map(Fragment::text_value).collect();
        Fragment::join(keys, ", ").within(&format!("{} IN (", self.column("order_key")), ")")
    }

    fn of_orders(&self, orders: &[Order]) -> Fragment {
        self.of_keys(orders.iter().map(|order| order.key.clone()))
    }

    /// Makes these attempts the current ones and reads where each order stands.
    pub(crate) async fn take_over_together(
        &self,
        session: &mut Session,
        orders: &[Order],
    ) -> Result<Vec<(Position, Outcome)>, Fault> {
        session.begin().await?;
        session.execute(&self.insertion(orders)?).await?;
        let attempt = self.column("attempt");
        let update = Fragment::raw(format!("UPDATE {} SET {attempt} = ", self.quoted))
            .and(self.attempts(orders))
            .then(" WHERE ")
            .and(self.of_orders(orders))
            .then(&format!(" AND {attempt} <= "))
            .and(self.attempts(orders));
        session.execute(&update).await?;
        let columns = ["order_key", "attempt", "cursor", "done"].map(|name| self.column(name));
        let head = format!("SELECT {} FROM {} WHERE ", columns.join(", "), self.quoted);
        let rows = session.fetch(&Fragment::raw(head).and(self.of_orders(orders))).await?;
        session.commit().await?;
        let mut found = Vec::with_capacity(orders.len());
        for order in orders {
            let row = rows.iter().find(|row| row[0].text() == order.key);
            let (attempt, position, done) = match row {
                Some(row) => standing(&order.key, &row[1..])?,
                None => (0, Position::default(), Outcome::default()),
            };
            if attempt != i64::from(order.attempt) {
                return Err(fenced(order));
            }
            found.push((position, done));
        }
        Ok(found)
    }

    /// Writes what each order has done, inside the transaction of the chunk.
    ///
    /// # Errors
    /// `Unknown` where a later attempt has taken one of them over; nothing stays of the chunk.
    pub(crate) async fn save_together(
        &self,
        session: &mut Session,
        orders: &[Order],
        position: &Position,
        done: &[Outcome],
    ) -> Result<(), Fault> {
        let mut outcomes = Vec::with_capacity(done.len());
        for one in done {
            outcomes.push(Fragment::text_value(json(one)?));
        }
        let moment = orders.first().map(|order| order.moment.to_string()).unwrap_or_default();
        let statement =
            Fragment::raw(format!("UPDATE {} SET {} = ", self.quoted, self.column("cursor")))
                .and(Fragment::text_value(json(position)?))
                .then(&format!(", {} = ", self.column("done")))
                .and(self.by_key(orders, outcomes))
                .then(&format!(", {} = ", self.column("updated_at")))
                .and(Fragment::text_value(moment))
                .then(" WHERE ")
                .and(self.of_orders(orders))
                .then(&format!(" AND {} = ", self.column("attempt")))
                .and(self.attempts(orders));
        if session.execute(&statement).await? == orders.len() as u64 {
            return Ok(());
        }
        session.rollback().await?;
        let message = "a later attempt has taken over one of the orders that are carried out together, and this chunk was rolled back";
        Err(Fault::Unknown { message: message.to_owned() })
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

    /// The row of this name that belongs to no order: its number and when it was written.
    pub(crate) async fn canary(
        &self,
        session: &mut Session,
        name: &str,
    ) -> Result<Option<(i64, String)>, Fault> {
        let columns = ["attempt", "updated_at"].map(|column| self.column(column)).join(", ");
        let statement = Fragment::raw(format!("SELECT {columns} FROM {} WHERE ", self.quoted))
            .and(self.of_keys(std::iter::once(name.to_owned())));
        let rows = session.fetch(&statement).await?;
        Ok(rows.first().map(|row| match row[0] {
            Cell::Integer(number) => (number, row[1].text()),
            _ => (0, row[1].text()),
        }))
    }

    /// Writes the row of this name.
    pub(crate) async fn set_canary(
        &self,
        session: &mut Session,
        name: &str,
        number: i64,
        at: &str,
    ) -> Result<(), Fault> {
        let update =
            Fragment::raw(format!("UPDATE {} SET {} = ", self.quoted, self.column("attempt")))
                .and(Fragment::value(Cell::Integer(number)))
                .then(&format!(", {} = ", self.column("updated_at")))
                .and(Fragment::text_value(at))
                .then(" WHERE ")
                .and(self.of_keys(std::iter::once(name.to_owned())));
        if session.execute(&update).await? > 0 {
            return Ok(());
        }
        let columns = ["order_key", "attempt", "cursor", "done", "updated_at"];
        let columns = columns.map(|column| self.column(column)).join(", ");
        let cells = vec![
            Fragment::text_value(name),
            Fragment::value(Cell::Integer(number)),
            Fragment::text_value(json(&Position::default())?),
            Fragment::text_value(json(&Outcome::default())?),
            Fragment::text_value(at),
        ];
        let head = format!("INSERT INTO {} ({columns}) VALUES (", self.quoted);
        session.execute(&Fragment::join(cells, ", ").within(&head, ")")).await?;
        Ok(())
    }

    /// The names of so many rows at most, those that were written first before others.
    pub(crate) async fn remembered(
        &self,
        session: &mut Session,
        most: u32,
    ) -> Result<Vec<String>, Fault> {
        let [key, written] = ["order_key", "updated_at"].map(|column| self.column(column));
        let statement = Fragment::raw(format!(
            "SELECT {key} FROM {} ORDER BY {written}, {key} LIMIT {most}",
            self.quoted
        ));
        let rows = session.fetch(&statement).await?;
        Ok(rows.iter().map(|row| row[0].text()).collect())
    }

    /// Removes what is known of orders.
    pub(crate) async fn forget(&self, session: &mut Session, keys: &[String]) -> Result<(), Fault> {
        for keys in keys.chunks(KEYS_IN_STATEMENT) {
            let head = Fragment::raw(format!("DELETE FROM {} WHERE ", self.quoted));
            session.execute(&head.and(self.of_keys(keys.iter().cloned()))).await?;
        }
        Ok(())
    }
}

/// The attempt, the position and the outcome of a row.
fn standing(key: &str, row: &[Cell]) -> Result<(i64, Position, Outcome), Fault> {
    let attempt = match row[0] {
        Cell::Integer(attempt) => attempt,
        _ => 0,
    };
    let position = serde_json::from_str(&row[1].text());
    let done = serde_json::from_str(&row[2].text());
    match (position, done) {
        (Ok(position), Ok(done)) => Ok((attempt, position, done)),
        _ => Err(rejected(format!(
            "the progress of order `{key}` in the progress table cannot be read: it was written by another version"
        ))),
    }
}

fn fenced(order: &Order) -> Fault {
    rejected(format!(
        "attempt {} of order `{}` is fenced: a later attempt has begun",
        order.attempt, order.key
    ))
}

fn json<T: Serialize>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value)
        .map_err(|_| rejected("the progress of the order cannot be written as JSON"))
}
