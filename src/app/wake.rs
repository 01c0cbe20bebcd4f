//! Waking workers when something has become available: those of this process, and those of other
//! replicas on PostgreSQL. Only a hint: workers look at the store by themselves, so a lost hint loses
//! nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::{AppError, Quietus};

/// Others are told at most so often; what comes meanwhile is told at once.
const BETWEEN_HINTS: Duration = Duration::from_millis(50);

/// A hint that there may be work.
#[derive(Debug, Clone, Default)]
pub struct Wake {
    here: Arc<Notify>,
    /// For whoever carries requests on: one, who misses nothing while it is at work.
    requests: Arc<Notify>,
    elsewhere: Arc<Notify>,
}

impl Wake {
    /// Gives the hint, here and to other replicas.
    pub fn up(&self) {
        self.up_here();
        self.elsewhere.notify_one();
    }

    fn up_here(&self) {
        self.here.notify_waiters();
        self.here.notify_one();
        self.requests.notify_one();
    }
}

/// Waits for a hint, and no longer than `at_most`.
async fn wait(hint: &Notify, at_most: Duration) {
    // Ending by time is as good as ending by hint: the caller looks in both cases.
    if tokio::time::timeout(at_most, hint.notified()).await.is_err() {
        tracing::trace!("nobody gave a hint");
    }
}

impl Quietus {
    /// Waits until something may have become available in this process, and no longer than
    /// `at_most`.
    pub async fn wait_for_hint(&self, at_most: Duration) {
        wait(&self.wake.here, at_most).await;
    }

    /// The same for the one that carries requests on: a hint that comes while it is at work is kept.
    pub async fn wait_for_hint_of_requests(&self, at_most: Duration) {
        wait(&self.wake.requests, at_most).await;
    }

    /// Tells other replicas what has become available here, and wakes who waits here when they say
    /// so. Goes on until it is dropped; at once `Ok` where the store is not shared.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn exchange_hints(&self) -> Result<(), AppError> {
        let Some(mut hints) = self.store.hints().await? else { return Ok(()) };
        let own = self.ids.new_id().simple().to_string();
        // What happened before anybody listened.
        self.wake.up_here();
        loop {
            tokio::select! {
                heard = hints.next() => {
                    if heard?.is_none_or(|from| from != own) {
                        self.wake.up_here();
                    }
                }
                () = self.wake.elsewhere.notified() => {
                    self.store.give_hint(&own).await?;
                    tokio::time::sleep(BETWEEN_HINTS).await;
                }
            }
        }
    }
}
