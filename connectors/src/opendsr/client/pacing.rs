//! Not faster than processors bear: they count requests by the minute.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Keeps requests to a rate, with a tenth of a minute's worth at once.
pub(super) struct Pacing {
    gap: Duration,
    burst: Duration,
    /// When the next request would go if all were spread evenly.
    next: Mutex<Option<Instant>>,
}

impl Pacing {
    /// At most so many requests a minute, at least one.
    pub(super) fn new(per_minute: u32) -> Self {
        let gap = Duration::from_mins(1) / per_minute.max(1);
        Self { gap, burst: gap * (per_minute / 10), next: Mutex::new(None) }
    }

    /// Waits until the next request may go.
    pub(super) async fn wait(&self) {
        let wait = self.place(Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes the next place; how long it is until then.
    fn place(&self, now: Instant) -> Duration {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let evenly = next.map_or(now, |at| at.max(now));
        *next = Some(evenly + self.gap);
        evenly.duration_since(now).saturating_sub(self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_go_at_once_and_many_go_evenly() {
        let pacing = Pacing::new(300);
        let start = Instant::now();
        let waits: Vec<u128> = (0..33).map(|_| pacing.place(start).as_millis()).collect();
        assert!(waits[..=30].iter().all(|wait| *wait == 0));
        assert_eq!(waits[31..], [200, 400]);
        // Never more than the rate and a tenth in any minute.
        let pacing = Pacing::new(300);
        let first_minute =
            (0..1000).filter(|_| pacing.place(start) < Duration::from_mins(1)).count();
        assert_eq!(first_minute, 330);
        let later = start + Duration::from_hours(1);
        assert_eq!(pacing.place(later), Duration::ZERO);
        assert_eq!(Pacing::new(0).place(start), Duration::ZERO);
    }
}
