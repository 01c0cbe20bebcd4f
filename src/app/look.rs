//! One look for everybody whose time has come: all who wait at the same place are claimed, the place is
//! asked once while their leases are kept, and each look is settled by itself. What a place is, and
//! what its answer means for one who waits, is the matter of whoever implements [`Look`].

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use tracing::{Instrument as _, Span};

use super::backup::later;
use super::crash::CrashPoint;
use super::recording::About;
use super::{AppError, Quietus, spans};
use crate::domain::SystemName;
use crate::evidence::EvidenceKind;
use crate::store::{
    Claim, ClaimedJob, Job, JobFault, JobKind, JointStep, OutboxEntry, Progress, Settle,
    Settlement, Tenure,
};

/// Looks at one place that one answer serves.
const MOST_LOOKS: u32 = 1000;

/// What one job looks for.
pub(super) trait Look: Sized {
    /// The kind of its jobs.
    const JOBS: JobKind;
    /// The kind of the log's entries about it.
    const ENTRIES: EvidenceKind;
    /// Where a process may die: the place has answered, and nothing is recorded.
    const ANSWERED: CrashPoint;
    /// What the place has answered for all who wait, or why it has not.
    type Answer;

    /// What a job looks for, as it was planned and as it was seen last.
    fn planned(job: &Job) -> Result<Self, AppError>;

    /// Asks the place, once for all who wait there.
    async fn ask(
        product: &Quietus,
        place: &str,
        all: &[(ClaimedJob, Self)],
    ) -> Result<Self::Answer, AppError>;

    /// What the answer means for this one, which has this number among all.
    fn ended(&self, product: &Quietus, job: &Job, answer: (usize, &Self::Answer)) -> Ended;
}

/// How one look ends.
pub(super) struct Ended {
    pub(super) settlement: Settlement,
    /// What was seen, where the look goes on and knows more than before.
    pub(super) seen: Option<Value>,
    /// What the log is told of it, where that is news: an object.
    pub(super) news: Option<Value>,
    pub(super) words: String,
}

impl Ended {
    /// Nobody wants it any more.
    fn called_off() -> Self {
        let words = "called off".to_owned();
        Self { settlement: Settlement::Cancelled, seen: None, news: None, words }
    }
}

impl Quietus {
    /// Looks at the place of a look that was just claimed, for all others as well whose time has come.
    ///
    /// # Errors
    /// Where our own store is not there. That the place does not answer is settled.
    pub(super) async fn look_for_all<L: Look>(
        &self,
        claimed: ClaimedJob,
        worker: &str,
    ) -> Result<(), AppError> {
        let place = claimed.job.system.clone();
        let claim = self.claim_by(worker, MOST_LOOKS - 1);
        let others = self.store.claim_looks(claim, L::JOBS, &place).await?;
        let mut all = Vec::with_capacity(others.len() + 1);
        for claimed in std::iter::once(claimed).chain(others) {
            let look = L::planned(&claimed.job)?;
            all.push((claimed, look));
        }
        let spans: Vec<Span> = all.iter().map(|(claimed, _)| spans::attempt(claimed)).collect();
        self.crash.reach(CrashPoint::Claimed);
        let tenures: Vec<Tenure> = all.iter().map(|(one, _)| one.tenure(worker)).collect();
        let answer = tokio::select! {
            answer = L::ask(self, &place, &all) => answer?,
            () = self.lose_all(&tenures) => return Ok(()),
        };
        self.crash.reach(L::ANSWERED);
        let attempts = all.iter().zip(tenures).zip(spans).enumerate();
        for (number, (((claimed, look), tenure), span)) in attempts {
            let job = &claimed.job;
            let ended = if job.cancel_requested.is_some() {
                Ended::called_off()
            } else {
                look.ended(self, job, (number, &answer))
            };
            self.settle_look::<L>(job, tenure, ended).instrument(span).await?;
        }
        self.crash.reach(CrashPoint::Settled);
        self.wake.up();
        Ok(())
    }

    /// Looks once at each of these places at which somebody is to look by now; how many there were.
    ///
    /// # Errors
    /// As [`Self::look_for_all`].
    pub(super) async fn look_where_due<L: Look>(
        &self,
        places: &[&SystemName],
        worker: &str,
    ) -> Result<usize, AppError> {
        let mut looked_at = 0;
        for place in places {
            let claim = self.claim_by(worker, 1);
            for claimed in self.store.claim_looks(claim, L::JOBS, place.as_str()).await? {
                Box::pin(self.look_for_all::<L>(claimed, worker)).await?;
                looked_at += 1;
            }
        }
        Ok(looked_at)
    }

    /// A look is tried again after this time, with why it could not come to its end.
    pub(super) fn another_look(&self, pause: SignedDuration, kind: &str, why: &str) -> Settlement {
        let fault = JobFault { kind: kind.to_owned(), message: why.to_owned() };
        Settlement::Retry { available_at: later(self.now(), pause), fault, free: true }
    }

    fn claim_by(&self, worker: &str, limit: u32) -> Claim {
        Claim { worker: worker.to_owned(), now: self.now(), lease_until: self.lease_until(), limit }
    }

    /// Keeps the leases while the place is asked; ends once others have taken over all of them.
    async fn lose_all(&self, tenures: &[Tenure]) {
        let pause = (self.lease / 3).max(Duration::from_millis(50));
        loop {
            tokio::time::sleep(pause).await;
            let step = |tenure: &Tenure| JointStep { tenure: tenure.clone(), done: None };
            let steps = tenures.iter().map(step).collect();
            match self.store.save_joint_progress(steps, self.lease_until()).await {
                Ok(mine) if mine.iter().any(Option::is_some) => {}
                Ok(_) => return,
                Err(error) => tracing::warn!(%error, "the leases could not be renewed"),
            }
        }
    }

    async fn settle_look<L: Look>(
        &self,
        job: &Job,
        tenure: Tenure,
        ended: Ended,
    ) -> Result<(), AppError> {
        let Ended { settlement, seen, news, words } = ended;
        if let Some(done) = seen {
            let lease_until = self.lease_until();
            let saved = Progress { tenure: tenure.clone(), done, lease_until };
            if self.store.save_progress(saved).await?.is_none() {
                return Ok(());
            }
        }
        let evidence = news.map(|news| self.observed::<L>(job, news)).transpose()?;
        let (evidence, now) = (evidence.into_iter().collect(), self.now());
        let attempt = Span::current();
        spans::settled(&attempt, &settlement);
        let settled = self.store.settle(Settle { tenure, settlement, now, evidence }).await?;
        tracing::info!(settled, words, "somebody has looked");
        spans::over(&attempt, settled);
        Ok(())
    }

    fn observed<L: Look>(&self, job: &Job, mut news: Value) -> Result<OutboxEntry, AppError> {
        news["case"] = json!(job.case_id);
        news["job"] = json!(job.id);
        news["attempt"] = json!(job.attempt);
        self.record(L::ENTRIES, About { case: Some(job.case_id), job: Some(job.id) }, &news)
    }
}
