//! Pauses between attempts: they double up to a bound, and half of each is chance, so that what
//! failed together does not come back together.

use std::time::Duration;

use super::Quietus;
pub(crate) use crate::domain::BackOff;

impl Quietus {
    /// The pause after so many attempts.
    pub(crate) fn pause_after(&self, back_off: BackOff, attempts: u32) -> Duration {
        let random = self.ids.random();
        back_off.pause(attempts, u16::from_be_bytes([random[0], random[1]]))
    }
}
