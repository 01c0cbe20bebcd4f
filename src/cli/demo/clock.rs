//! The demonstration's clock: it runs like the machine's, some time before or after it, and is
//! turned on where nobody wants to wait for days and years.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::domain::Clock;
use crate::telemetry::SystemClock;

/// The clock of the story. It never goes back.
pub(super) struct StoryClock {
    /// How far it is ahead of the machine's; negative where it is behind.
    ahead: Mutex<SignedDuration>,
}

impl Clock for StoryClock {
    fn now(&self) -> Timestamp {
        let now = SystemClock.now();
        let ahead = *self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        now.checked_add(ahead).unwrap_or(now)
    }
}

impl StoryClock {
    /// A clock that shows the machine's time less so many days.
    pub(super) fn days_ago(days: i64) -> Arc<Self> {
        Arc::new(Self { ahead: Mutex::new(SignedDuration::from_hours(-24 * days)) })
    }

    /// Turns it on to a moment; one that has passed changes nothing.
    pub(super) fn turn_to(&self, moment: Timestamp) {
        self.be_ahead_by(moment.duration_since(SystemClock.now()));
    }

    /// Turns it on until it shows the machine's time.
    pub(super) fn turn_to_present(&self) {
        self.be_ahead_by(SignedDuration::ZERO);
    }

    fn be_ahead_by(&self, wanted: SignedDuration) {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        *ahead = wanted.max(*ahead);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_turned_on_and_never_back() {
        let clock = StoryClock::days_ago(3);
        let begun = clock.now();
        assert!(SystemClock.now().duration_since(begun) >= SignedDuration::from_hours(72));
        let later = begun.checked_add(SignedDuration::from_hours(6)).unwrap();
        clock.turn_to(later);
        assert!(clock.now() >= later);
        clock.turn_to(begun);
        assert!(clock.now() >= later);
        clock.turn_to_present();
        let apart = clock.now().duration_since(SystemClock.now());
        assert!(apart.abs() < SignedDuration::from_secs(60), "{apart}");
    }
}
