//! Tokens that vendors replace whenever they are used, sealed; one row a system.

use jiff::Timestamp;

use super::connection::Store;
use super::error::StoreError;
use super::statement::{Sql, args};

const KEEP: Sql = Sql::both(
    "INSERT INTO renewed_tokens (system, sealed, renewed_at) VALUES ($1, $2, $3)
     ON CONFLICT (system) DO UPDATE SET sealed = excluded.sealed, renewed_at = excluded.renewed_at",
);
const OF_SYSTEM: Sql = Sql::both("SELECT sealed FROM renewed_tokens WHERE system = $1");

pub(super) const STATEMENTS: &[(&str, Sql)] =
    &[("renewed_tokens::KEEP", KEEP), ("renewed_tokens::OF_SYSTEM", OF_SYSTEM)];

impl Store {
    /// Keeps the sealed tokens of a system in place of those before.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn keep_renewed_tokens(
        &self,
        system: &str,
        sealed: Vec<u8>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(KEEP, args![system, sealed, now]).await.map(|_| ())
    }

    /// The sealed tokens of a system that were kept last.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn renewed_tokens(&self, system: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self.read_one(OF_SYSTEM, args![system]).await? {
            Some(row) => row.get("sealed").map(Some),
            None => Ok(None),
        }
    }
}
