//! What people are told of files and logs: what waits, since when, and why.

use jiff::Timestamp;
use uuid::Uuid;

use super::files::FilesLook;
use super::seen::FilesSeen;
use crate::app::{AppError, Quietus};
pub use crate::store::ResidueGauge;

/// Most looks that a list shows.
const MOST: u32 = 1000;

/// One case that waits for files and logs of a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResidueFacts {
    /// The system.
    pub system: String,
    /// The case.
    pub case: Uuid,
    /// When something was erased there last.
    pub erased_at: Timestamp,
    /// What was seen last.
    pub seen: FilesSeen,
    /// When somebody looks again.
    pub next_at: Timestamp,
    /// What was wrong with the last look: something holds a stage back for longer than between two
    /// looks, or nobody could look.
    pub alarm: Option<String>,
}

impl Quietus {
    /// The looks at files and logs that are not over, of all systems or of one, the oldest first; at
    /// most 1000.
    ///
    /// # Errors
    /// Where there is no such system, or the store is not there.
    pub async fn residues_left(&self, only: Option<&str>) -> Result<Vec<ResidueFacts>, AppError> {
        if let Some(name) = only {
            self.system(name)?;
        }
        let jobs = self.store.open_residues(only, MOST).await?;
        jobs.into_iter()
            .map(|job| {
                let waiting = FilesLook::of(&job)?;
                let fault = job.last_fault.filter(|fault| fault.kind != "left");
                Ok(ResidueFacts {
                    system: job.system,
                    case: job.case_id,
                    erased_at: waiting.at,
                    seen: waiting.seen,
                    next_at: job.available_at,
                    alarm: fault.map(|fault| fault.message),
                })
            })
            .collect()
    }

    /// Numbers of what waits, by system.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn residue_gauges(&self) -> Result<Vec<ResidueGauge>, AppError> {
        Ok(self.store.residue_gauges().await?)
    }

    /// Whether somebody looks at files and logs of a system.
    pub fn looks_at_residues(&self) -> bool {
        self.map.systems.values().any(|system| system.residues.is_some())
    }
}
