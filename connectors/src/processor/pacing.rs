//! Not faster than the other side allows.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// Spreads requests evenly.
pub(super) struct Pacing {
    gap: Duration,
    free_at: Mutex<Option<Instant>>,
}

impl Pacing {
    /// At most so many requests in a minute; `None` is no limit.
    pub fn new(requests_per_minute: Option<u32>) -> Self {
        let gap = requests_per_minute
            .filter(|rate| *rate > 0)
            .map_or(Duration::ZERO, |rate| Duration::from_mins(1) / rate);
        Self { gap, free_at: Mutex::new(None) }
    }

    /// Waits for the next place. The one after it is free after the gap, and not before `gap`.
    pub async fn wait(&self, gap: Duration) {
        let gap = gap.max(self.gap);
        let mine = {
            let mut free_at = self.free_at.lock().await;
            let now = Instant::now();
            let mine = free_at.map_or(now, |at| at.max(now));
            *free_at = Some(mine + gap);
            mine
        };
        sleep_until(mine).await;
    }
}
