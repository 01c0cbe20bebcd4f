//! What the engine does after every committed chunk of several orders: save how far each has come,
//! renew the leases, and stop all of them where a hold, a pause, a cancellation of one or the end of
//! the process asks for it. Those that were only stopped along go on at once.

use std::collections::BTreeSet;
use std::sync::Mutex;

use async_trait::async_trait;
use quietus_connectors::{Direction, JointProgress, Outcome};
use tokio_util::sync::CancellationToken;

use super::Quietus;
use super::crash::CrashPoint;
use super::done::Done;
use super::joint_leases::Leases;
use super::mutation::Mutation;
use super::progress::Stopped;
use super::together::Member;
use crate::store::{JointStep, StillMine, StoreError, Tenure};

/// One of several jobs under way.
struct Watched {
    tenure: Tenure,
    started: StillMine,
    /// What earlier attempts have done.
    before: Done,
}

/// The engine's side of several attempts that are carried out together.
pub(super) struct JointWatch<'a> {
    product: &'a Quietus,
    watched: Vec<Watched>,
    stop: &'a CancellationToken,
    leases: &'a Leases,
    /// They are about a third party, which may be asked once and never be heard of again.
    asks_by_name: bool,
    state: Mutex<State>,
}

/// What changes while the orders are carried out.
#[derive(Default)]
struct State {
    current: Vec<Outcome>,
    /// Why they were stopped, by job; `None` for all of them until one is.
    stopped: Vec<Option<Stopped>>,
    /// Of whom something may have been sent, by job.
    sent: BTreeSet<usize>,
}

impl<'a> JointWatch<'a> {
    pub(super) fn new(
        product: &'a Quietus,
        members: &[Member<'_>],
        (stop, leases): (&'a CancellationToken, &'a Leases),
    ) -> Self {
        let watched = members.iter().map(|member| Watched {
            tenure: member.attempt.tenure.clone(),
            started: member.started,
            before: member.done.clone(),
        });
        let current = members.iter().map(|member| member.done.current.clone()).collect();
        let stopped = vec![None; members.len()];
        let state = Mutex::new(State { current, stopped, sent: BTreeSet::new() });
        let asks_by_name = members.iter().any(|member| member.order.persons.is_some());
        Self { product, watched: watched.collect(), stop, leases, asks_by_name, state }
    }

    /// What each has done, as far as it is known.
    pub(super) fn current(&self) -> Vec<Outcome> {
        self.state.lock().map(|state| state.current.clone()).unwrap_or_default()
    }

    /// Ends when somebody else has taken over one of them.
    pub(super) async fn one_is_lost(&self) {
        let jobs: Vec<uuid::Uuid> = self.watched.iter().map(|one| one.tenure.job).collect();
        self.leases.one_is_lost(&jobs).await;
    }

    /// Holds, pauses or other rules have come, which stop all of them.
    pub(super) fn stopped_for_all(&self) -> bool {
        let for_all = |why: &Option<Stopped>| {
            matches!(why, Some(Stopped::Holds | Stopped::Pauses | Stopped::Rules))
        };
        self.state.lock().is_ok_and(|state| state.stopped.iter().any(for_all))
    }

    /// Why a job was stopped. One that was stopped for the sake of another has no reason of its own.
    pub(super) fn stopped(&self, number: usize) -> Option<Stopped> {
        self.state.lock().ok().and_then(|state| state.stopped.get(number).copied().flatten())
    }

    /// Whether something may have been sent for a job, whatever came of it.
    pub(super) fn has_sent(&self, number: usize) -> bool {
        self.state.lock().is_ok_and(|state| state.sent.contains(&number))
    }

    /// Nothing has come since the intents were recorded, and the leases are renewed.
    pub(super) async fn may_go_on(&self) -> bool {
        self.step(None).await == Direction::Continue
    }

    /// The same; where it `begins`, the intents were recorded just now, and leases are still new.
    pub(super) async fn goes_on(&self, begins: bool) -> bool {
        if begins { self.may_begin().await } else { self.may_go_on().await }
    }

    /// Leases of which half is left are looked at and not renewed.
    async fn may_begin(&self) -> bool {
        let tenures: Vec<Tenure> = self.watched.iter().map(|one| one.tenure.clone()).collect();
        let now = self.product.now();
        let half_a_lease = self.product.lease_until().duration_since(now) / 2;
        let until = now.checked_add(half_a_lease).unwrap_or(now);
        match self.product.store.still_mine(&tenures, until).await {
            Ok(seen) if seen.iter().any(Option::is_none) => self.may_go_on().await,
            seen => self.heed(seen) == Direction::Continue,
        }
    }

    fn asks_to_stop(&self, seen: StillMine, started: StillMine) -> Option<Stopped> {
        if seen.cancel_requested {
            return Some(Stopped::Cancelled);
        }
        let heeds = |mutation| !self.product.suffers(mutation);
        if heeds(Mutation::HoldsUnread) && seen.holds_version != started.holds_version {
            return Some(Stopped::Holds);
        }
        if heeds(Mutation::PausesUnread) && seen.pauses_version != started.pauses_version {
            return Some(Stopped::Pauses);
        }
        if seen.rules_version != started.rules_version {
            return Some(Stopped::Rules);
        }
        self.stop.is_cancelled().then_some(Stopped::Shutdown)
    }

    /// Saves what is news and asks whether all may go on. What is done is known before it is saved: whoever
    /// is interrupted in that must not settle what was known earlier.
    async fn step(&self, done: Option<&[Outcome]>) -> Direction {
        let steps = self.steps(done);
        if let (Some(done), Ok(mut state)) = (done, self.state.lock()) {
            state.current = done.to_vec();
        }
        self.heed(self.save(steps).await)
    }

    /// Takes down who is to stop, and why.
    fn heed(&self, seen: Result<Vec<Option<StillMine>>, StoreError>) -> Direction {
        let why: Vec<Option<Stopped>> = match seen {
            Ok(seen) => {
                let asked = |(seen, watched): (Option<StillMine>, &Watched)| match seen {
                    Some(seen) => self.asks_to_stop(seen, watched.started),
                    None if self.product.suffers(Mutation::LeaseUnfenced) => None,
                    None => Some(Stopped::NotMine),
                };
                seen.into_iter().zip(&self.watched).map(asked).collect()
            }
            Err(error) => {
                // The chunk is committed and counted in the system; the store learns of it when
                // the next attempt reads it back.
                tracing::warn!(%error, "progress could not be saved; the orders stop");
                vec![Some(Stopped::Blind); self.watched.len()]
            }
        };
        let blind = self.leases.is_blind().then_some(Stopped::Blind);
        let why: Vec<Option<Stopped>> = why.into_iter().map(|one| one.or(blind)).collect();
        let one_asks = why.iter().any(Option::is_some);
        if let Ok(mut state) = self.state.lock()
            && one_asks
        {
            state.stopped = why;
        }
        if one_asks { Direction::Stop } else { Direction::Continue }
    }

    /// A step for each job, with what it has done where that is news.
    fn steps(&self, done: Option<&[Outcome]>) -> Vec<JointStep> {
        let known = self.current();
        let step = |(number, watched): (usize, &Watched)| {
            let news = done.and_then(|done| done.get(number));
            let news = news.filter(|news| known.get(number) != Some(*news));
            let done = news.map(|current| {
                let done = Done { current: current.clone(), ..watched.before.clone() };
                serde_json::to_value(done.without_matters()).unwrap_or_default()
            });
            JointStep { tenure: watched.tenure.clone(), done }
        };
        self.watched.iter().enumerate().map(step).collect()
    }

    async fn save(&self, steps: Vec<JointStep>) -> Result<Vec<Option<StillMine>>, StoreError> {
        self.product.store.save_joint_progress(steps, self.product.lease_until()).await
    }
}

#[async_trait]
impl JointProgress for JointWatch<'_> {
    async fn committed(&self, done: &[Outcome]) -> Direction {
        self.product.crash.reach(CrashPoint::ChunkCommitted);
        let direction = self.step(Some(done)).await;
        self.product.crash.reach(CrashPoint::ProgressSaved);
        direction
    }

    async fn before_sending(&self, which: &[usize]) -> Vec<Direction> {
        if self.product.suffers(Mutation::FirstChunkUnasked) {
            return vec![Direction::Continue; which.len()];
        }
        // A third party may be sent one request after the other: nothing is written before each.
        if self.asks_by_name {
            self.may_begin().await;
        } else {
            self.step(None).await;
        }
        let direction = |number: &usize| match self.stopped(*number) {
            Some(_) => Direction::Stop,
            None => Direction::Continue,
        };
        let directions: Vec<Direction> = which.iter().map(direction).collect();
        if let Ok(mut state) = self.state.lock()
            && self.asks_by_name
        {
            let go_on =
                which.iter().zip(&directions).filter(|(_, one)| **one == Direction::Continue);
            state.sent.extend(go_on.map(|(number, _)| *number));
        }
        directions
    }
}
