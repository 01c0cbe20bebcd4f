//! Settling an attempt: one guarded transition with its evidence, and what follows from a fault.
//!
//! Faults are sorted: what is transient or unknown is tried again with a growing, jittered pause
//! (the system is asked again, nothing is assumed); what is misconfigured or rejected waits for a
//! person.

use std::time::Duration;

use jiff::Timestamp;
use quietus_connectors::{Counts, Fault, Verification};
use serde_json::json;
use tracing::Instrument as _;

use super::back_off::BackOff;
use super::carry_out::{Attempt, Ending};
use super::deaths::last_attempt;
use super::mutation::Mutation;
use super::plan_on_record::PartOnRecord;
use super::progress::Done;
use super::recording::About;
use super::spans::{self, kind_of};
use super::{AppError, Quietus};
use crate::evidence::EvidenceKind;
use crate::store::{JobFault, JobKind, Learned, OutboxEntry, Settle, Settled, Settlement};

/// First pause before another attempt.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Pauses before another attempt.
const PAUSES: BackOff = BackOff { first: FIRST_PAUSE, longest: Duration::from_mins(5) };
/// Rounds of an order whose verification finds survivors, before a person is asked.
const MOST_ROUNDS: usize = 3;

impl Quietus {
    pub(crate) async fn settle_attempt(
        &self,
        attempt: &Attempt<'_>,
        ending: Ending,
    ) -> Result<(), AppError> {
        let job = &attempt.claimed.job;
        let rounds = ending.done.rounds.len() + 1;
        let span = attempt.span.clone();
        if self.settle_and_remember(attempt, ending).instrument(span).await? {
            self.forget(&job.system, job.id, rounds).await;
        }
        Ok(())
    }

    /// Settles an attempt; whether its order is over by it. What the connector kept to resume it is
    /// still there.
    pub(super) async fn settle_and_remember(
        &self,
        attempt: &Attempt<'_>,
        ending: Ending,
    ) -> Result<bool, AppError> {
        let job = &attempt.claimed.job;
        attempt.has_come_to_its_end();
        let news = (ending.done != attempt.done)
            .then(|| serde_json::to_value(&ending.done).unwrap_or_default());
        // What looks again later begins anew, and must not go on where this look has ended.
        let over = matches!(
            ending.settlement,
            Settlement::Completed { .. } | Settlement::Postponed { .. }
        );
        let calls_back = self.note_who_calls_back(job, &ending.settlement).await?;
        let vendor_calls = self.note_vendor_names(job, &ending.settlement).await?;
        let words = ending.words.clone();
        let settle = self.settle_of(attempt, ending).await?;
        let learned = Learned { progress: news, heard: attempt.hearing.so_far() };
        let settling = self.store.settle_with(settle, learned);
        let Settled { settled, moved } = settling.instrument(spans::settle(&attempt.span)).await?;
        has_ended(attempt, settled, &words);
        if !settled {
            tracing::warn!(job = %job.id, "another attempt has taken over");
            if self.suffers(Mutation::LostLeaseFails) {
                return Err(AppError::Input("another attempt has taken over".to_owned()));
            }
        }
        self.breaker_moved(&job.system, moved);
        if settled && calls_back {
            self.store.wake_told(job.id, attempt.claimed_at, self.now()).await?;
        }
        if settled && vendor_calls {
            self.store.wake_heard(job.id, attempt.claimed_at, self.now()).await?;
        }
        self.wake.up();
        Ok(settled && over)
    }

    /// How the end of an attempt is to be put on record.
    pub(super) async fn settle_of(
        &self,
        attempt: &Attempt<'_>,
        ending: Ending,
    ) -> Result<Settle, AppError> {
        let mut evidence = self.evidence_of(attempt, &ending)?;
        evidence.extend(self.manifest_leaf(attempt, &ending).await?);
        spans::settled(&attempt.span, &ending.settlement);
        spans::has_done(&attempt.span, || ending.done.total());
        Ok(Settle {
            tenure: attempt.tenure.clone(),
            settlement: ending.settlement,
            now: self.now(),
            evidence,
        })
    }

    /// Lets the connector drop what it kept to resume. That it could not is no fault of the job.
    pub(super) async fn forget(&self, system: &str, job: uuid::Uuid, rounds: usize) {
        let Ok(connector) = self.system(system).and_then(|one| self.connect(one)) else { return };
        for key in order_keys(job, rounds) {
            if let Err(fault) = connector.forget(&key).await {
                tracing::warn!(%fault, system, "progress kept in the system could not be dropped");
            }
        }
    }

    fn evidence_of(
        &self,
        attempt: &Attempt<'_>,
        ending: &Ending,
    ) -> Result<Vec<OutboxEntry>, AppError> {
        let job = &attempt.claimed.job;
        let about = About { case: Some(job.case_id), job: Some(job.id) };
        let (result, kind) = result_of(&ending.settlement);
        let mut entries = vec![self.record(
            kind,
            about,
            &json!({
                "case": job.case_id,
                "job": job.id,
                "system": job.system,
                "attempt": job.attempt,
                "lostAttempt": attempt.claimed.lost_attempt,
                "orderKey": ending.order_key,
                "result": result,
                "words": ending.words,
                "done": ending.done,
            }),
        )?];
        if let Some(verification) = &ending.verification {
            let counted = match &ending.settlement {
                Settlement::Completed { verification, .. } => verification.get("counted"),
                _ => None,
            };
            entries.push(self.record(
                EvidenceKind::VerificationResult,
                about,
                &json!({
                    "case": job.case_id,
                    "job": job.id,
                    "system": job.system,
                    "attempt": job.attempt,
                    "found": verification,
                    "counted": counted,
                }),
            )?);
        }
        Ok(entries)
    }

    pub(crate) fn ending_of_fault(
        &self,
        attempt: &Attempt<'_>,
        order_key: &str,
        fault: &Fault,
        done: Done,
    ) -> Ending {
        let words = fault.to_string();
        Ending {
            settlement: self.settlement_of_fault(attempt, fault),
            done,
            order_key: order_key.to_owned(),
            verification: None,
            words,
        }
    }

    fn settlement_of_fault(&self, attempt: &Attempt<'_>, fault: &Fault) -> Settlement {
        let job = &attempt.claimed.job;
        let message = fault.to_string();
        let kind = kind_of(fault);
        let asked_for = match fault {
            Fault::Transient { retry_after_ms, .. } => *retry_after_ms,
            Fault::Misconfigured { .. } | Fault::Rejected { .. } | Fault::Unknown { .. } => None,
        };
        let fault = JobFault { kind: kind.to_owned(), message };
        let tried_again = matches!(kind, "transient" | "unknown");
        // What a person asked for is not given up because a system is down for long; it becomes
        // overdue.
        let free = job.kind != JobKind::Sweep;
        let last = last_attempt(job).saturating_add(u32::from(free));
        if !tried_again || job.attempt >= last {
            return Settlement::Failed { fault };
        }
        let fault = attempt.expected.over(fault, self.now());
        let asked_for = asked_for.map_or(Duration::ZERO, Duration::from_millis);
        let pause = self.pause_after(PAUSES, job.attempt).max(asked_for);
        Settlement::Retry { available_at: self.after(pause), fault, free }
    }

    /// The verification found what should be gone: another round, and after some rounds a person.
    pub(crate) fn ending_of_survivors(
        &self,
        attempt: &Attempt<'_>,
        verification: Verification,
        mut done: Done,
    ) -> Ending {
        let words = survivors_in_words(&verification);
        let fault = JobFault { kind: "survivors".to_owned(), message: words.clone() };
        if done.counted.is_none() {
            done.counted = counts_at_planning(attempt);
        }
        done.survivors = Some(json!({ "at": self.now(), "found": verification }));
        // Also where a person is asked: tried again, it begins a round of its own.
        done.begin_another_round(verification.survivors.clone());
        let rounds = done.rounds.len();
        let settlement = if rounds >= MOST_ROUNDS {
            Settlement::Failed { fault }
        } else {
            let pause = self.pause_after(PAUSES, u32::try_from(rounds).unwrap_or(u32::MAX));
            Settlement::Retry { available_at: self.after(pause), fault, free: false }
        };
        Ending {
            settlement,
            done,
            order_key: String::new(),
            verification: Some(verification),
            words,
        }
    }

    /// Until when a lease taken now runs.
    pub(crate) fn lease_until(&self) -> Timestamp {
        self.after(self.lease_as_mutated())
    }

    pub(super) fn after(&self, pause: Duration) -> Timestamp {
        let now = self.now();
        now.checked_add(pause).unwrap_or(now)
    }
}

/// What a settlement is called on record, and the kind of its entry.
pub(super) fn result_of(settlement: &Settlement) -> (&'static str, EvidenceKind) {
    match settlement {
        Settlement::Completed { .. } | Settlement::Looked { .. } => {
            ("completed", EvidenceKind::ErasureStep)
        }
        Settlement::Retry { .. } => ("to be tried again", EvidenceKind::StepFailed),
        Settlement::Anew { .. } => ("to be asked anew by itself", EvidenceKind::StepFailed),
        Settlement::Failed { .. } => ("failed", EvidenceKind::StepFailed),
        Settlement::Held { .. } => ("held", EvidenceKind::StepFailed),
        Settlement::Blocked { .. } => ("blocked", EvidenceKind::StepFailed),
        Settlement::Waiting { .. } => ("waiting", EvidenceKind::ErasureStep),
        Settlement::Postponed { .. } => ("postponed", EvidenceKind::StepReleased),
        Settlement::Released { .. } => ("given back", EvidenceKind::StepReleased),
        Settlement::Cancelled => ("cancelled", EvidenceKind::StepCancelled),
    }
}

/// Tells the operator of an end; which attempt it is of, the span says.
pub(super) fn has_ended(attempt: &Attempt<'_>, settled: bool, words: &str) {
    attempt.span.in_scope(|| tracing::info!(settled, %words, "attempt ended"));
    spans::over(&attempt.span, settled);
}

/// What a look found that should be gone.
pub(super) fn survivors_in_words(verification: &Verification) -> String {
    let survivors = verification.survivors.iter().map(|one| match &one.category {
        Some(category) => {
            format!("{} record(s) of `{}` still hold `{category}`", one.records, one.collection)
        }
        None => format!("{} record(s) of `{}` are still there", one.records, one.collection),
    });
    let survivors: Vec<String> = survivors.collect();
    format!("verification found survivors: {}", survivors.join("; "))
}

/// The keys of a job's orders, one for each round.
pub(super) fn order_keys(job: uuid::Uuid, rounds: usize) -> impl Iterator<Item = String> {
    (1..=rounds).map(move |round| order_key(job, round))
}

fn order_key(job: uuid::Uuid, round: usize) -> String {
    format!("{}-{round}", job.simple())
}

/// The job that the order of this key belongs to; `None` where no order of ours has such a key.
pub(super) fn job_of_key(key: &str) -> Option<uuid::Uuid> {
    let (job, round) = key.rsplit_once('-')?;
    let job = uuid::Uuid::try_parse(job).ok()?;
    (order_key(job, round.parse().ok()?) == key).then_some(job)
}

/// What the job's system counted when the case was planned.
pub(crate) fn counts_at_planning(attempt: &Attempt<'_>) -> Option<Counts> {
    PartOnRecord::of(&attempt.case, &attempt.claimed.job.system).ok()?.counts
}

/// The system refuses, in these words.
pub(super) fn refused(message: String) -> Settlement {
    Settlement::Failed { fault: JobFault { kind: "refused".to_owned(), message } }
}
