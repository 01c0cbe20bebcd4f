//! The HTTP interface: who has a token reads certificates, evidence and rules, posts events, brings
//! persons' requests, and decides about them, holds, pauses and cases.
//!
//! [`route`] is the one table of doors, with the roles that each is open to; a test walks it.
//! Nothing but `/health` and the page behind the link of a mail is served without a token, but for
//! `OpenDSR`: other controllers come with credentials of their own, third parties with a signature;
//! and for callbacks of vendors, who come with what a definition says.
//! Nothing here names a secret, and a person only where somebody does a task for them.

mod alarm_metrics;
mod alarms;
mod anchor_metrics;
mod answer;
mod answer_words;
mod answers;
mod backup_metrics;
mod callbacks;
mod cases;
mod certificates;
pub(crate) mod connection;
mod documents;
mod drill_metrics;
mod drills;
mod events;
mod gate;
mod health;
mod holds;
mod house_metrics;
mod intake;
mod log;
mod look_metrics;
mod metrics;
mod observe;
mod opendsr;
mod reappearances;
mod requests;
mod residue_metrics;
mod restores;
pub mod route;
mod run_metrics;
pub mod server;
mod system_metrics;
mod tasks;

pub use route::{Door, Entry, doors};
pub use server::{BindError, Server};

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use self::answer::Refusal;
use self::gate::Gate;
use crate::app::access::KnownToken;
use crate::app::opendsr::Desk;
use crate::app::{AppError, Quietus};

/// Changes under way at once.
const MOST_CHANGES: usize = 16;
/// Plans that are counted at once: connected systems are spared.
const MOST_PLANS: usize = 2;

/// What every handler works with.
#[derive(Clone)]
struct Api {
    product: Arc<Quietus>,
    desk: Option<Arc<Desk>>,
    gate: Arc<Gate>,
    writes: TaskTracker,
    changes: Arc<Semaphore>,
    plans: Arc<Semaphore>,
}

impl Api {
    fn new(
        product: &Arc<Quietus>,
        (tokens, desk): (Vec<KnownToken>, Option<Arc<Desk>>),
        writes: &TaskTracker,
    ) -> Self {
        Self {
            product: Arc::clone(product),
            desk,
            gate: Arc::new(Gate::new(tokens)),
            writes: writes.clone(),
            changes: Arc::new(Semaphore::new(MOST_CHANGES)),
            plans: Arc::new(Semaphore::new(MOST_PLANS)),
        }
    }

    /// Whether the evidence logs are read without a token.
    fn publishes_logs(&self) -> bool {
        self.product.instance.evidence_public
    }

    /// Carries a change through in a task of its own, so that a client that hangs up does not
    /// leave it half done.
    async fn change<T, W>(&self, work: W) -> Result<T, Refusal>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, AppError>> + Send + 'static,
    {
        let place = Arc::clone(&self.changes).try_acquire_owned().map_err(|_| Refusal::busy())?;
        let task = self.writes.spawn(async move {
            let result = work.await;
            drop(place);
            result
        });
        match task.await {
            Ok(result) => result.map_err(Refusal::from),
            Err(_) => Err(Refusal::broken()),
        }
    }
}
