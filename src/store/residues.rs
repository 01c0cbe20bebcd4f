//! Looks at files and logs of systems that are not over: as a list, and as numbers.

use jiff::Timestamp;

use super::connection::Store;
use super::error::StoreError;
use super::jobs::{self, Job, job_columns};
use super::statement::{Sql, args};

/// How many cases wait for files and logs of a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResidueGauge {
    /// The system.
    pub system: String,
    /// How many wait.
    pub waiting: u64,
    /// Of these, those where something holds a stage back, or where nobody could look.
    pub held: u64,
    /// Since when the oldest waits.
    pub oldest: Timestamp,
}

const OPEN: Sql = Sql::both(job_columns!(
    "WHERE kind = 'residue' AND state NOT IN ('completed', 'failed', 'cancelled')
       AND (CAST($1 AS TEXT) IS NULL OR system = $1)
     ORDER BY created_at, id LIMIT $2"
));
const GAUGES: Sql = Sql::both(
    "SELECT system, count(*) AS waiting, min(created_at) AS oldest,
         count(CASE WHEN last_fault_kind IN ('held', 'not_seen') THEN 1 END) AS held
     FROM jobs WHERE kind = 'residue' AND state NOT IN ('completed', 'failed', 'cancelled')
     GROUP BY system ORDER BY system",
);

pub(super) const STATEMENTS: &[(&str, Sql)] =
    &[("residues::OPEN", OPEN), ("residues::GAUGES", GAUGES)];

impl Store {
    /// Looks that are not over, of all systems or of one, the oldest first.
    pub async fn open_residues(
        &self,
        system: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Job>, StoreError> {
        self.read(OPEN, args![system, limit]).await?.iter().map(jobs::from_row).collect()
    }

    /// Numbers of looks that are not over, by system.
    pub async fn residue_gauges(&self) -> Result<Vec<ResidueGauge>, StoreError> {
        let rows = self.read(GAUGES, args![]).await?;
        rows.iter()
            .map(|row| {
                Ok(ResidueGauge {
                    system: row.get("system")?,
                    waiting: row.whole("waiting")?,
                    held: row.whole("held")?,
                    oldest: row.instant("oldest")?,
                })
            })
            .collect()
    }
}
