//! Pauses between attempts: they double up to a bound.

use std::time::Duration;

/// How long one kind of attempt waits before the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackOff {
    /// The pause after the first attempt.
    pub first: Duration,
    /// No pause is longer.
    pub longest: Duration,
}

impl BackOff {
    /// The whole pause after so many attempts; after none it is that after the first.
    pub fn whole(self, attempts: u32) -> Duration {
        let doubled = self.first.saturating_mul(1_u32 << attempts.saturating_sub(1).min(16));
        doubled.min(self.longest)
    }

    /// The pause after so many attempts, between half and the whole of it by `chance`, so that what
    /// failed together does not come back together.
    pub fn pause(self, attempts: u32, chance: u16) -> Duration {
        let whole = self.whole(attempts);
        whole / 2 + whole / 2 * u32::from(chance) / u32::from(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_chance_takes_half_at_most() {
        let pauses = BackOff { first: Duration::from_secs(10), longest: Duration::from_mins(5) };
        let seconds: Vec<u64> = (0..9).map(|attempts| pauses.whole(attempts).as_secs()).collect();
        assert_eq!(seconds, [10, 10, 20, 40, 80, 160, 300, 300, 300]);
        assert_eq!(pauses.whole(u32::MAX), Duration::from_mins(5));
        assert_eq!(pauses.pause(3, 0), Duration::from_secs(20));
        assert_eq!(pauses.pause(3, u16::MAX), Duration::from_secs(40));
    }
}
