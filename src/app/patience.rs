//! For how long whoever certifies cases waits for a system: schedules, requests and other cases wait
//! meanwhile. One that does not answer in time is not waited for again for a while; what was not seen
//! of it is looked at by a job of its own.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Quietus;
use crate::domain::SystemName;

/// Nobody waits for a system again for so long after it did not answer in time.
const SILENT_FOR: SignedDuration = SignedDuration::from_mins(5);

/// Systems that did not answer in time, and when that was.
#[derive(Default)]
pub(crate) struct Silent(Mutex<BTreeMap<SystemName, Timestamp>>);

impl Silent {
    fn is_silent(&self, system: &SystemName, now: Timestamp) -> bool {
        let silent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back keeps nobody silent for longer.
        let lately =
            |at: &Timestamp| (SignedDuration::ZERO..SILENT_FOR).contains(&now.duration_since(*at));
        silent.get(system).is_some_and(lately)
    }

    fn note(&self, system: &SystemName, now: Timestamp) {
        let mut silent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        silent.insert(system.clone(), now);
    }
}

impl Quietus {
    /// What a system answers; `None` where it does not answer for so long, or did not a while ago.
    pub(super) async fn answer_in_time<T>(
        &self,
        system: &SystemName,
        patience: Duration,
        answer: impl Future<Output = T>,
    ) -> Option<T> {
        if self.silent.is_silent(system, self.now()) {
            return None;
        }
        let answered = tokio::time::timeout(patience, answer).await.ok();
        if answered.is_none() {
            tracing::warn!(%system, seconds = patience.as_secs(), "whoever certifies does not wait for a system that does not answer");
            self.silent.note(system, self.now());
        }
        answered
    }
}
