//! Two versions at work side by side, while an instance is brought from one to the next. Each carries
//! out what it can read and leaves the rest to the newer one; and one for which the schema is not any
//! more stops by itself.

use std::time::Duration;

use super::carry_out::Payload;
use super::{AppError, Quietus};
use crate::store::{ClaimedJob, Job, JobFault, Settle, Settlement};

/// The kind of the fault of a job that this version cannot read.
const NEWER: &str = "newer";
/// How long a job is left to others.
const LEFT_FOR: Duration = Duration::from_secs(5);

/// Whether a job waits for a process of a newer version.
pub fn waits_for_newer(job: &Job) -> bool {
    job.last_fault.as_ref().is_some_and(|fault| fault.kind == NEWER) && !is_readable(job)
}

fn is_readable(job: &Job) -> bool {
    serde_json::from_value::<Payload>(job.payload.clone()).is_ok()
}

impl Quietus {
    /// Why this process must not go on: a newer version has changed the schema so that this one would
    /// do harm. `None` where it may.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn is_overtaken(&self) -> Result<Option<String>, AppError> {
        let schema = self.store.schema().await?;
        Ok((!schema.fits()).then(|| {
            format!(
                "the schema of the store is at number {}, for versions that know number {}, and this one knows {}; use the newer one",
                schema.applied, schema.needed, schema.known
            )
        }))
    }

    /// Gives a job back that this version cannot read; `false` where it can. It costs no attempt, and
    /// nothing was begun.
    pub(super) async fn leave_to_newer(
        &self,
        claimed: &ClaimedJob,
        worker: &str,
    ) -> Result<bool, AppError> {
        if is_readable(&claimed.job) {
            return Ok(false);
        }
        let message = "this version cannot read what is to be done; a newer one carries it out";
        let settle = Settle {
            tenure: claimed.tenure(worker),
            settlement: Settlement::Retry {
                available_at: self.after(LEFT_FOR),
                fault: JobFault { kind: NEWER.to_owned(), message: message.to_owned() },
                free: true,
            },
            now: self.now(),
            evidence: Vec::new(),
        };
        self.store.settle(settle).await?;
        tracing::warn!(job = %claimed.job.id, system = %claimed.job.system, "a job is left to a newer version");
        Ok(true)
    }
}
