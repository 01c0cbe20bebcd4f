//! What the engine does after every committed chunk: save how far the order has come, renew the
//! lease, and stop the order where a hold, a pause, a cancellation, the end of a window or the end
//! of the process asks for it.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use quietus_connectors::{Counts, Direction, Fault, Going, Outcome, ProgressReport};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Quietus;
use super::crash::CrashPoint;
pub use super::done::Done;
use super::mutation::Mutation;
use super::record_manifest::Lister;
use crate::schedule::Timetable;
use crate::store::{Progress as Saved, StillMine, StoreError, Tenure};

/// Why an order was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// Holds have changed since the order was compiled.
    Holds,
    /// Pauses have changed since the order was compiled.
    Pauses,
    /// Other rules are in force than when the order was compiled, so its minimums may be others.
    Rules,
    /// Somebody called it off.
    Cancelled,
    /// The schedule's window has ended.
    Window,
    /// The process ends.
    Shutdown,
    /// The store does not answer, so nobody knows whether a hold, a pause or a cancellation came.
    Blind,
    /// Another attempt has taken over.
    NotMine,
}

/// The engine's side of one attempt.
pub(crate) struct Watch<'a> {
    pub(crate) product: &'a Quietus,
    pub(crate) tenure: Tenure,
    pub(crate) started: StillMine,
    /// What earlier attempts have done.
    pub(crate) before: Done,
    pub(crate) timetable: Option<Timetable>,
    pub(crate) stop: CancellationToken,
    /// It is about a third party, which may be asked once and never be heard of again.
    pub(crate) asks_by_name: bool,
    /// Lists what goes, where the order asks for it.
    pub(crate) lister: Option<Lister>,
    /// The system that it tries while its breaker is open; taken by the first chunk.
    pub(crate) tries: Mutex<Option<String>>,
    pub(crate) state: Mutex<WatchState>,
}

/// What changes while an attempt runs.
#[derive(Debug, Default)]
pub(crate) struct WatchState {
    pub(crate) current: Outcome,
    /// Counts that were read anew in this attempt.
    pub(crate) counted: Option<Counts>,
    pub(crate) stopped: Option<Stopped>,
    /// Something may have been sent in this attempt.
    pub(crate) sent: bool,
}

impl Watch<'_> {
    fn asks_to_stop(&self, seen: StillMine) -> Option<Stopped> {
        if seen.cancel_requested {
            return Some(Stopped::Cancelled);
        }
        let heeds = !self.product.suffers(Mutation::HoldsUnread);
        if heeds && seen.holds_version != self.started.holds_version {
            return Some(Stopped::Holds);
        }
        let heeds = !self.product.suffers(Mutation::PausesUnread);
        if heeds && seen.pauses_version != self.started.pauses_version {
            return Some(Stopped::Pauses);
        }
        if seen.rules_version != self.started.rules_version {
            return Some(Stopped::Rules);
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
        let mut done = self.before.clone();
        if let Ok(state) = self.state.lock() {
            done.current.clone_from(&state.current);
            done.sent |= state.sent;
            if state.counted.is_some() {
                done.counted.clone_from(&state.counted);
            }
        }
        done
    }

    /// Records were counted anew.
    pub(crate) fn counted(&self, counts: Counts) {
        if let Ok(mut state) = self.state.lock() {
            state.counted = Some(counts);
        }
    }

    /// Whether this is the first chunk of an attempt that tries its system: which one.
    fn tried(&self) -> Option<String> {
        self.tries.lock().ok().and_then(|mut tries| tries.take())
    }

    /// Whether to go on, by what the store says of this attempt.
    fn direction(&self, seen: Result<Option<StillMine>, StoreError>) -> Direction {
        let why = match seen {
            Ok(Some(seen)) => self.asks_to_stop(seen),
            Ok(None) if self.product.suffers(Mutation::LeaseUnfenced) => None,
            Ok(None) => Some(Stopped::NotMine),
            Err(error) => {
                // What is committed is counted in the system; the store learns of it when the next
                // attempt reads it back.
                tracing::warn!(%error, "progress could not be saved; the order stops");
                Some(Stopped::Blind)
            }
        };
        if let Some(why) = why.or_else(|| self.stopped()) {
            self.set_stopped(why);
            return Direction::Stop;
        }
        Direction::Continue
    }

    async fn save(&self) -> Result<Option<StillMine>, StoreError> {
        let done = serde_json::to_value(self.done().without_matters()).unwrap_or_default();
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
                Err(error) => {
                    tracing::warn!(%error, "the lease could not be renewed; the order stops");
                    self.set_stopped(Stopped::Blind);
                }
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
        let seen = self.save().await;
        if let Ok(Some(_)) = seen
            && let Some(system) = self.tried()
        {
            self.product.trial_answers(&self.tenure, &system).await;
        }
        let direction = self.direction(seen);
        self.product.crash.reach(CrashPoint::ProgressSaved);
        direction
    }

    async fn before_sending(&self) -> Direction {
        if self.product.suffers(Mutation::FirstChunkUnasked) {
            return Direction::Continue;
        }
        let until = self.product.lease_until();
        let direction = self.direction(self.product.store.heartbeat(&self.tenure, until).await);
        if let Ok(mut state) = self.state.lock() {
            state.sent |= self.asks_by_name && direction == Direction::Continue;
        }
        direction
    }

    async fn going(&self, going: Going<'_>) -> Result<Uuid, Fault> {
        let Some(lister) = &self.lister else {
            let message = "this attempt keeps no manifest".to_owned();
            return Err(Fault::Rejected { message });
        };
        let mark = lister.list(self.product, going).await.map_err(|error| {
            tracing::warn!(%error, "what goes could not be written down; the chunk is rolled back");
            let message = "what goes could not be written down for the manifest".to_owned();
            Fault::Transient { message, retry_after_ms: None }
        });
        self.product.crash.reach(CrashPoint::Listed);
        mark
    }
}
