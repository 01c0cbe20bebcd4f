//! Marks: when a rule with a grace marked what it is going to do.

use jiff::Timestamp;

use super::connection::{Store, Tx};
use super::error::StoreError;
use super::statement::{Sql, args};
use crate::domain::RuleName;

const RECORD: Sql = Sql::both(
    "INSERT INTO marks (rule, marked_at) VALUES ($1, $2) ON CONFLICT (rule, marked_at) DO NOTHING",
);
const NEWEST: Sql =
    Sql::both("SELECT max(marked_at) AS marked_at FROM marks WHERE rule = $1 AND marked_at <= $2");

pub(super) const STATEMENTS: &[(&str, Sql)] =
    &[("marks::RECORD", RECORD), ("marks::NEWEST", NEWEST)];

/// A mark to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMark {
    /// The rule.
    pub rule: RuleName,
    /// The moment from which its grace counts.
    pub at: Timestamp,
}

pub(super) async fn record(tx: &mut Tx, rule: &RuleName, at: Timestamp) -> Result<(), StoreError> {
    tx.execute(RECORD, args![rule.as_str(), at]).await?;
    Ok(())
}

impl Store {
    /// A rule has marked at this moment.
    pub async fn record_mark(&self, rule: &RuleName, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        record(&mut tx, rule, now).await?;
        tx.commit().await
    }

    /// The newest mark of a rule at this moment or before.
    pub async fn newest_mark(
        &self,
        rule: &RuleName,
        until: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        match self.read_one(NEWEST, args![rule.as_str(), until]).await? {
            Some(row) => row.maybe_instant("marked_at"),
            None => Ok(None),
        }
    }
}
