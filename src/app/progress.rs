//! What the engine does after every committed chunk: save how far the order has come, renew the
//! lease, and stop the order where a hold, a pause, a cancellation, the end of a window or the end
//! of the process asks for it.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use quietus_connectors::{Direction, Outcome, ProgressReport};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::Quietus;
use super::crash::CrashPoint;
use crate::schedule::Timetable;
use crate::store::{Progress as Saved, StillMine, StoreError, Tenure};

/// What a job has done so far. A round ends with a verification; where that finds survivors,
/// another round begins under a new order key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Outcomes of finished rounds.
    pub rounds: Vec<Outcome>,
    /// The outcome of the round under way.
    pub current: Outcome,
    /// What the latest look found where it found survivors, as it stands on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub survivors: Option<serde_json::Value>,
}

impl Done {
    /// Everything done, all rounds together.
    pub fn total(&self) -> Outcome {
        let mut total = Outcome::default();
        for outcome in self.rounds.iter().chain([&self.current]) {
            for part in &outcome.collections {
                match total.collections.iter_mut().find(|one| one.collection == part.collection) {
                    Some(sum) => {
                        sum.deleted += part.deleted;
                        sum.restricted += part.restricted;
                        sum.lifted += part.lifted;
                        sum.partitions_dropped += part.partitions_dropped;
                        for (category, count) in &part.treated {
                            *sum.treated.entry(category.clone()).or_default() += count;
                        }
                        // Not sums: how many there were at the last look.
                        sum.referenced.clone_from(&part.referenced);
                        sum.held = part.held;
                    }
                    None => total.collections.push(part.clone()),
                }
            }
        }
        total
    }
}

/// Why an order was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// Holds have changed since the order was compiled.
    Holds,
    /// Pauses have changed since the order was compiled.
    Pauses,
    /// Somebody called it off.
    Cancelled,
    /// The schedule's window has ended.
    Window,
    /// The process ends.
    Shutdown,
    /// Another attempt has taken over.
    NotMine,
}

/// The engine's side of one attempt.
pub(crate) struct Watch<'a> {
    pub(crate) product: &'a Quietus,
    pub(crate) tenure: Tenure,
    pub(crate) started: StillMine,
    pub(crate) finished_rounds: Vec<Outcome>,
    pub(crate) survivors: Option<serde_json::Value>,
    pub(crate) timetable: Option<Timetable>,
    pub(crate) stop: CancellationToken,
    pub(crate) state: Mutex<WatchState>,
}

/// What changes while an attempt runs.
#[derive(Debug, Default)]
pub(crate) struct WatchState {
    pub(crate) current: Outcome,
    pub(crate) stopped: Option<Stopped>,
}

impl Watch<'_> {
    fn asks_to_stop(&self, seen: StillMine) -> Option<Stopped> {
        if seen.cancel_requested {
            return Some(Stopped::Cancelled);
        }
        if seen.holds_version != self.started.holds_version {
            return Some(Stopped::Holds);
        }
        if seen.pauses_version != self.started.pauses_version {
            return Some(Stopped::Pauses);
        }
        if self.stop.is_cancelled() {
            return Some(Stopped::Shutdown);
        }
        let closed = self.timetable.as_ref().and_then(|one| one.opens_at(self.product.now()));
        closed.map(|_| Stopped::Window)
    }

    pub(crate) fn stopped(&self) -> Option<Stopped> {
        self.state.lock().ok().and_then(|state| state.stopped)
    }

    fn set_stopped(&self, why: Stopped) {
        if let Ok(mut state) = self.state.lock() {
            state.stopped.get_or_insert(why);
        }
    }

    /// What is done, all rounds together.
    pub(crate) fn done(&self) -> Done {
        let current = self.state.lock().map(|state| state.current.clone()).unwrap_or_default();
        Done { rounds: self.finished_rounds.clone(), current, survivors: self.survivors.clone() }
    }

    async fn save(&self) -> Result<Option<StillMine>, StoreError> {
        let done = serde_json::to_value(self.done()).unwrap_or_default();
        let lease_until = self.product.lease_until();
        self.product
            .store
            .save_progress(Saved { tenure: self.tenure.clone(), done, lease_until })
            .await
    }

    /// Keeps the lease alive while the connector works on a long statement.
    pub(crate) async fn keep_lease(&self) {
        let pause = (self.product.lease / 3).max(Duration::from_millis(50));
        loop {
            tokio::time::sleep(pause).await;
            let until = self.product.lease_until();
            match self.product.store.heartbeat(&self.tenure, until).await {
                Ok(Some(_)) => {}
                Ok(None) => {
                    self.set_stopped(Stopped::NotMine);
                    return;
                }
                Err(error) => tracing::warn!(%error, "the lease could not be renewed"),
            }
        }
    }
}

#[async_trait]
impl quietus_connectors::Progress for Watch<'_> {
    async fn committed(&self, report: ProgressReport<'_>) -> Direction {
        self.product.crash.reach(CrashPoint::ChunkCommitted);
        if let Ok(mut state) = self.state.lock() {
            state.current.clone_from(report.done);
        }
        let why = match self.save().await {
            Ok(Some(seen)) => self.asks_to_stop(seen),
            Ok(None) => Some(Stopped::NotMine),
            Err(error) => {
                // The chunk is committed and counted in the system; the store learns of it with
                // the next chunk, or when the next attempt reads it back.
                tracing::warn!(%error, "progress could not be saved");
                None
            }
        };
        self.product.crash.reach(CrashPoint::ProgressSaved);
        if let Some(why) = why.or_else(|| self.stopped()) {
            self.set_stopped(why);
            return Direction::Stop;
        }
        Direction::Continue
    }
}
