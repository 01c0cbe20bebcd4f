//! The leases of jobs that one worker carries out together: kept alive whoever's turn it is, and as
//! soon as one is lost, those who are at work with it stop.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use uuid::Uuid;

use super::Quietus;
use super::carry_out::Attempt;
use crate::store::JointStep;

/// What is known of the leases of one worker's company.
#[derive(Default)]
pub(super) struct Leases {
    /// The store did not answer when they were to be renewed.
    blind: AtomicBool,
    /// Jobs that somebody else has taken over.
    lost: Mutex<BTreeSet<Uuid>>,
    news: Notify,
}

impl Leases {
    pub(super) fn is_blind(&self) -> bool {
        self.blind.load(Ordering::Relaxed)
    }

    fn lose(&self, jobs: impl IntoIterator<Item = Uuid>) {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).extend(jobs);
        self.news.notify_waiters();
    }

    /// Ends when the lease of one of these is lost.
    pub(super) async fn one_is_lost(&self, jobs: &[Uuid]) {
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            let is_lost = {
                let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
                jobs.iter().any(|job| lost.contains(job))
            };
            if is_lost {
                return;
            }
            news.await;
        }
    }
}

impl Quietus {
    /// Keeps the leases of all of them alive that have not come to their end.
    pub(super) async fn keep_leases(&self, attempts: &[Attempt<'_>], leases: &Leases) {
        let pause = (self.lease / 3).max(Duration::from_millis(50));
        loop {
            tokio::time::sleep(pause).await;
            let open: Vec<&Attempt<'_>> = attempts.iter().filter(|one| !one.has_ended()).collect();
            let step = |one: &&Attempt<'_>| JointStep { tenure: one.tenure.clone(), done: None };
            let steps = open.iter().map(step).collect();
            match self.store.save_joint_progress(steps, self.lease_until()).await {
                Ok(seen) => {
                    // One that has come to its end meanwhile is not lost.
                    let gone = open
                        .iter()
                        .zip(seen)
                        .filter(|(one, seen)| seen.is_none() && !one.has_ended());
                    let gone: Vec<Uuid> = gone.map(|(one, _)| one.tenure.job).collect();
                    if !gone.is_empty() {
                        leases.lose(gone);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "leases could not be renewed; the orders stop");
                    leases.blind.store(true, Ordering::Relaxed);
                }
            }
        }
    }
}
