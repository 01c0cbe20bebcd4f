//! The lead: what one replica looks after for all of them is done by one at a time. It spares the
//! others the same work; nothing is wrong where two lead for a moment, because whoever comes second
//! finds the work done. Where a replica dies in the lead, another one has it within seconds; and one
//! that comes to no end keeps it for some minutes only.

use std::convert::Infallible;
use std::time::Duration;

use super::{AppError, Quietus};
use crate::store::Lead as Wish;

/// How long a replica leads without a word.
const FOR: Duration = Duration::from_secs(4);
/// How often it says that it goes on.
const RENEWED_EVERY: Duration = Duration::from_secs(1);
/// So often at most.
const MOST_RENEWALS: u32 = 180;

/// Everything but requests and jobs: what is due, finished cases, the log.
pub const HOUSEKEEPING: &str = "housekeeping";
/// Requests of persons, from their acceptance to their case.
pub const REQUESTS: &str = "requests";

/// One replica's wish to lead in one matter.
#[derive(Debug, Clone)]
pub struct Lead {
    matter: &'static str,
    holder: String,
}

impl Quietus {
    /// The wish of this replica to lead in a matter.
    pub fn lead_in(&self, matter: &'static str) -> Lead {
        Lead { matter, holder: self.ids.new_id().simple().to_string() }
    }

    /// Does work in the lead; `None`, with nothing done, where another replica has it. Where nobody
    /// shares the store it is simply done.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn in_the_lead<T>(
        &self,
        lead: &Lead,
        work: impl Future<Output = T>,
    ) -> Result<Option<T>, AppError> {
        if !self.store.is_shared() {
            return Ok(Some(work.await));
        }
        if !self.take_lead(lead).await? {
            return Ok(None);
        }
        let done = tokio::select! {
            done = work => done,
            never = self.keep_lead(lead) => match never {},
        };
        self.store.yield_lead(lead.matter, &lead.holder).await?;
        Ok(Some(done))
    }

    async fn take_lead(&self, lead: &Lead) -> Result<bool, AppError> {
        let wish = Wish { name: lead.matter, holder: &lead.holder, until: self.after(FOR) };
        Ok(self.store.try_lead(wish, self.now()).await?)
    }

    async fn keep_lead(&self, lead: &Lead) -> Infallible {
        for _ in 0..MOST_RENEWALS {
            tokio::time::sleep(RENEWED_EVERY).await;
            if let Err(error) = self.take_lead(lead).await {
                tracing::warn!(%error, matter = lead.matter, "the lead could not be kept");
            }
        }
        std::future::pending().await
    }
}
