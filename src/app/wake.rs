//! Waking workers of this process when something has become available. Only a hint: workers look
//! at the store by themselves, so a lost hint loses nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

/// A hint that there may be work.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// Gives the hint.
    pub fn up(&self) {
        self.0.notify_waiters();
        self.0.notify_one();
    }

    /// Waits for a hint, and no longer than `at_most`.
    pub async fn wait(&self, at_most: Duration) {
        // Ending by time is as good as ending by hint: the caller looks in both cases.
        if tokio::time::timeout(at_most, self.0.notified()).await.is_err() {
            tracing::trace!("nobody gave a hint");
        }
    }
}

impl super::Quietus {
    /// Waits until something may have become available in this process, and no longer than
    /// `at_most`.
    pub async fn wait_for_hint(&self, at_most: Duration) {
        self.wake.wait(at_most).await;
    }
}
