//! One look at a store for everybody whose time has come: list it once, and settle each look.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use quietus_connectors::Verification;
use serde_json::{Value, json};

use super::copies::{AFTER_A_FAULT, latest_seen, systems_of};
use super::seen::{Listing, Seen, Trouble, later};
use crate::app::account::VerificationOnRecord;
use crate::app::carry_out::GoneFrom;
use crate::app::crash::CrashPoint;
use crate::app::recording::About;
use crate::app::{AppError, Quietus};
use crate::domain::SystemName;
use crate::evidence::EvidenceKind;
use crate::store::{
    Claim, ClaimedJob, Job, JobFault, JobKind, OutboxEntry, Progress as Saved, Settle, Settlement,
    Tenure,
};

/// Looks at one store that one listing serves.
const MOST_LOOKS: u32 = 1000;

/// What a store answered.
type Answer = Result<Arc<Listing>, (Trouble, String)>;

/// How one look ends.
struct Ended {
    settlement: Settlement,
    seen: BTreeMap<SystemName, Seen>,
    words: String,
}

impl Quietus {
    /// Lists the store of a look that was just claimed, claims along all others at it whose time has
    /// come, and settles each by itself.
    ///
    /// # Errors
    /// Where our own store is not there. That the store of copies does not answer is settled.
    pub(crate) async fn look_at_store(
        &self,
        claimed: ClaimedJob,
        worker: &str,
    ) -> Result<(), AppError> {
        self.crash.reach(CrashPoint::Claimed);
        let store = claimed.job.system.clone();
        let (tenure, due) = (tenure_of(&claimed, worker), claimed.job.available_at);
        let answer = tokio::select! {
            answer = self.ask_for_copies(&store, due) => answer,
            () = self.lose_lease(&tenure) => return Ok(()),
        };
        self.crash.reach(CrashPoint::StoreListed);
        let claim = Claim {
            worker: worker.to_owned(),
            now: self.now(),
            lease_until: self.lease_until(),
            limit: MOST_LOOKS - 1,
        };
        let others = self.store.claim_looks(claim, JobKind::Backup, &store).await?;
        for claimed in std::iter::once(claimed).chain(others) {
            self.settle_look(&claimed, worker, &answer).await?;
        }
        self.crash.reach(CrashPoint::Settled);
        self.wake.up();
        Ok(())
    }

    /// Looks once at every store at which somebody is to look by now; how many there were.
    ///
    /// # Errors
    /// As [`Self::look_at_store`].
    pub async fn look_at_due_stores(&self, worker: &str) -> Result<usize, AppError> {
        let mut looked_at = 0;
        for (system, _) in self.stores() {
            let claim = Claim {
                worker: worker.to_owned(),
                now: self.now(),
                lease_until: self.lease_until(),
                limit: 1,
            };
            let claimed =
                self.store.claim_looks(claim, JobKind::Backup, system.name.as_str()).await?;
            for claimed in claimed {
                Box::pin(self.look_at_store(claimed, worker)).await?;
                looked_at += 1;
            }
        }
        Ok(looked_at)
    }

    /// A listing will do that somebody has asked for since the look was due.
    async fn ask_for_copies(&self, store: &str, since: Timestamp) -> Answer {
        let system = self.system(store).ok();
        let mapped = system.and_then(|system| Some((system, system.backup.as_ref()?)));
        let Some((system, backup)) = mapped else {
            let why = "the data map has no such store; write it back until its copies are gone";
            return Err((Trouble::Unmapped, why.to_owned()));
        };
        let listing = self.listing(system, backup, since).await;
        listing.map_err(|fault| (Trouble::Unlisted, fault))
    }

    /// Keeps the lease while the store is listed; ends once somebody else has taken over.
    async fn lose_lease(&self, tenure: &Tenure) {
        let pause = (self.lease / 3).max(Duration::from_millis(50));
        loop {
            tokio::time::sleep(pause).await;
            match self.store.heartbeat(tenure, self.lease_until()).await {
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(error) => tracing::warn!(%error, "the lease could not be renewed"),
            }
        }
    }

    async fn settle_look(
        &self,
        claimed: &ClaimedJob,
        worker: &str,
        answer: &Answer,
    ) -> Result<(), AppError> {
        let job = &claimed.job;
        let planned = systems_of(job)?;
        let before = latest_seen(job, &planned);
        let ended = if job.cancel_requested.is_some() {
            let words = "called off".to_owned();
            Ended { settlement: Settlement::Cancelled, seen: before.clone(), words }
        } else {
            match answer {
                Ok(listing) => self.look_ended(listing, &planned),
                Err((trouble, fault)) => self.look_failed(*trouble, fault, before.clone()),
            }
        };
        let tenure = tenure_of(claimed, worker);
        let news = ended
            .seen
            .iter()
            .any(|(name, seen)| before.get(name).is_none_or(|before| seen.says_more_than(before)));
        let over =
            matches!(ended.settlement, Settlement::Completed { .. } | Settlement::Looked { .. });
        if news && !over {
            let done = on_record(&ended.seen);
            let saved = Saved { tenure: tenure.clone(), done, lease_until: self.lease_until() };
            if self.store.save_progress(saved).await?.is_none() {
                return Ok(());
            }
        }
        let evidence = if news || over { vec![self.observed(job, &ended)?] } else { Vec::new() };
        let now = self.now();
        let settle = Settle { tenure, settlement: ended.settlement, now, evidence };
        let settled = self.store.settle(settle).await?;
        tracing::info!(
            job = %job.id, store = %job.system, attempt = job.attempt, settled, words = %ended.words,
            "a store of copies was looked at"
        );
        Ok(())
    }

    fn look_ended(&self, listing: &Listing, planned: &BTreeMap<SystemName, GoneFrom>) -> Ended {
        let seen: BTreeMap<SystemName, Seen> =
            planned.iter().map(|(name, gone)| (name.clone(), listing.seen(gone.at))).collect();
        let gone = seen.values().all(|seen| seen.gone);
        // What was certified without a day gets one as soon as there is one.
        let without_day =
            planned.values().any(|gone| !gone.seen.gone && gone.seen.gone_by.is_none());
        let dated = seen.values().all(|seen| seen.gone || seen.gone_by.is_some());
        if gone || without_day && dated {
            let words = if gone { words_of(listing, planned) } else { "a day is known".to_owned() };
            let found = Verification { method: words.clone(), ..Verification::default() };
            let verification = VerificationOnRecord { at: listing.at, found, counted: None };
            let done = on_record(&seen);
            let verification = serde_json::to_value(&verification).unwrap_or_default();
            // A day that is known is told at once; the end comes with that of files and logs.
            let settlement = if gone {
                Settlement::Looked { done, verification }
            } else {
                Settlement::Completed { done, verification }
            };
            return Ended { settlement, seen, words };
        }
        let longest = listing.keeping.longest;
        let available_at = self.next_look(planned, seen.values(), longest);
        let words = "copies are left that can hold it".to_owned();
        Ended { settlement: Settlement::Postponed { available_at }, seen, words }
    }

    /// Nobody knows what the store has: what was seen before stands, but no day is promised.
    fn look_failed(
        &self,
        trouble: Trouble,
        fault: &str,
        mut seen: BTreeMap<SystemName, Seen>,
    ) -> Ended {
        for one in seen.values_mut() {
            *one = Seen { gone_by: None, trouble: Some(trouble), gone: false, ..one.clone() };
        }
        let fault = JobFault { kind: trouble.as_str().to_owned(), message: fault.to_owned() };
        let words = fault.message.clone();
        let available_at = later(self.now(), AFTER_A_FAULT);
        Ended { settlement: Settlement::Retry { available_at, fault, free: true }, seen, words }
    }

    fn observed(&self, job: &Job, ended: &Ended) -> Result<OutboxEntry, AppError> {
        let result = match &ended.settlement {
            Settlement::Looked { .. } => "gone",
            Settlement::Completed { .. } | Settlement::Postponed { .. } => "left",
            Settlement::Cancelled => "called off",
            _ => "not known",
        };
        self.record(
            EvidenceKind::BackupObserved,
            About { case: Some(job.case_id), job: Some(job.id) },
            &json!({
                "case": job.case_id,
                "job": job.id,
                "store": job.system,
                "attempt": job.attempt,
                "result": result,
                "words": ended.words,
                "systems": ended.seen,
            }),
        )
    }
}

fn tenure_of(claimed: &ClaimedJob, worker: &str) -> Tenure {
    Tenure { job: claimed.job.id, worker: worker.to_owned(), attempt: claimed.job.attempt }
}

fn on_record(seen: &BTreeMap<SystemName, Seen>) -> Value {
    json!({ "systems": seen })
}

/// What a look that found nothing looked for, in words that an auditor understands.
fn words_of(listing: &Listing, planned: &BTreeMap<SystemName, GoneFrom>) -> String {
    let before = planned.values().map(|gone| gone.at).max().unwrap_or(Timestamp::MIN);
    let newest = match listing.newest() {
        Some(newest) => format!("the newest copy is of {newest:.0}"),
        None => "the store has no copy".to_owned(),
    };
    format!("listing of the store: no copy that began before {before:.0} is left; {newest}")
}
