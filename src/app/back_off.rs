//! Pauses between attempts: they double up to a bound, and half of each is chance, so that what
//! failed together does not come back together.

use std::time::Duration;

use super::Quietus;

/// How long one kind of attempt waits before the next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BackOff {
    /// The pause after the first attempt.
    pub(crate) first: Duration,
    /// No pause is longer.
    pub(crate) longest: Duration,
}

impl BackOff {
    /// The pause after so many attempts, between half and the whole of it by `chance`.
    pub(crate) fn pause(self, attempts: u32, chance: u16) -> Duration {
        let doubled = self.first.saturating_mul(1_u32 << attempts.saturating_sub(1).min(16));
        let whole = doubled.min(self.longest);
        whole / 2 + whole / 2 * u32::from(chance) / u32::from(u16::MAX)
    }
}

impl Quietus {
    /// The pause after so many attempts.
    pub(crate) fn pause_after(&self, back_off: BackOff, attempts: u32) -> Duration {
        let random = self.ids.random();
        back_off.pause(attempts, u16::from_be_bytes([random[0], random[1]]))
    }
}
