//! The product inside the test's process, on a clock that the test turns.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{Span, Timestamp};
use quietus::app::open_case::{self, CaseOpened};
use quietus::app::{Actor, Opening, Quietus};
use quietus::config::Process;
use quietus::domain::Clock;
use quietus::plan::Acting;
use quietus::store::CaseCause;
use quietus::telemetry::{SystemClock, SystemIds};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Company;

/// A clock that stands still until it is turned.
pub struct TurnedClock(Mutex<Timestamp>);

impl Clock for TurnedClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

impl TurnedClock {
    pub fn at(text: &str) -> Arc<Self> {
        Arc::new(Self(Mutex::new(text.parse().unwrap())))
    }

    /// At the present moment of the machine, by which commands go.
    pub fn at_present() -> Arc<Self> {
        Arc::new(Self(Mutex::new(SystemClock.now())))
    }

    pub fn set(&self, text: &str) {
        *self.0.lock().unwrap() = text.parse().unwrap();
    }

    pub fn advance(&self, by: Span) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(by).unwrap();
    }
}

impl Company {
    /// Opens the instance as one replica.
    pub async fn replica(&self, clock: &Arc<TurnedClock>) -> Arc<Quietus> {
        self.replica_with(clock, Duration::from_mins(1)).await
    }

    /// The same with leases of this length, which are renewed three times in it.
    pub async fn replica_with(&self, clock: &Arc<TurnedClock>, lease: Duration) -> Arc<Quietus> {
        let loaded = quietus::config::load(self.folder()).expect("the folder is in order");
        let process = Process { lease: Some(lease), crash_point: None };
        let clock = Arc::clone(clock) as Arc<dyn Clock>;
        let opening = Opening { loaded, process, clock, ids: Arc::new(SystemIds) };
        Box::pin(Quietus::open(opening)).await.unwrap()
    }

    /// What became of each due moment, oldest first.
    pub async fn fires(&self) -> Vec<String> {
        self.store_rows("SELECT disposition FROM schedule_fires ORDER BY due_at").await
    }

    pub async fn count_of(&self, table: &str) -> usize {
        self.store_rows(&format!("SELECT CAST(COUNT(*) AS TEXT) FROM {table}")).await[0]
            .parse()
            .unwrap()
    }
}

/// Carries out everything that is available now, and certifies it.
pub async fn work(product: &Quietus) {
    carry_out(product).await;
    Box::pin(product.certify_finished()).await.unwrap();
}

/// Every job that is due.
pub async fn carry_out(product: &Quietus) {
    let stop = CancellationToken::new();
    while Box::pin(product.carry_out_next("worker", &stop)).await.unwrap().is_some() {}
}

/// One ring of the bell, and the work that it brings.
pub async fn ring(product: &Quietus) {
    product.fire_due().await.unwrap();
    work(product).await;
}

/// Opens a case for all that is due now, as `quietus run --once` does.
pub async fn opened(product: &Quietus) -> Uuid {
    let opening = open_case::Opening {
        cause: CaseCause::Command,
        actor: Actor("operator".to_owned()),
        moment: product.now(),
        acting: &Acting::Everything,
        occurrence: None,
    };
    match product.open_case(opening).await.unwrap() {
        CaseOpened::Open { case } => case,
        other => panic!("{other:?}"),
    }
}
