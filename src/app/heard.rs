//! What an attempt hears of its system: that it answers, that it does not, that it asks to be left
//! alone. Breakers move by it once the attempt is settled.
//!
//! Orders that go together are one call, of which the first of them hears: a call that fails for two
//! hundred is one failure. A setting that is wrong says nothing of how the system does.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use quietus_connectors::{Fault, Receipt};

use super::carry_out::Attempt;
use super::recount::Answer;
use super::{AppError, Quietus};
use crate::store::{Heard, Moved, Tenure};

/// What one attempt has heard so far; the latest word counts, and the longest pause.
#[derive(Debug, Default)]
pub(crate) struct Hearing(Mutex<Heard>);

impl Hearing {
    /// All that was heard.
    pub(super) fn so_far(&self) -> Heard {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, heard: Heard) {
        let mut so_far = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        so_far.answered = heard.answered.or(so_far.answered);
        so_far.leave_until = so_far.leave_until.max(heard.leave_until);
    }
}

impl Quietus {
    /// A system has answered, or a fault says why it has not.
    pub(super) fn hear<T>(&self, attempt: &Attempt<'_>, answer: Result<&T, &Fault>) {
        match answer {
            Ok(_) => attempt.hearing.add(Heard::WELL),
            Err(fault) => attempt.hearing.add(self.heard_of(fault)),
        }
    }

    /// The same of an order. One that was stopped, put off or refused says nothing of its system, which
    /// may not have been asked.
    pub(super) fn hear_receipt(&self, attempt: &Attempt<'_>, answer: Result<&Receipt, &Fault>) {
        let unasked = |receipt: &Receipt| {
            matches!(
                receipt,
                Receipt::Stopped(_) | Receipt::Deferred { .. } | Receipt::Refused { .. }
            )
        };
        if !answer.is_ok_and(unasked) {
            self.hear(attempt, answer);
        }
    }

    /// The same of what came of an order; counts alone are an answer too.
    pub(super) fn hear_answer(&self, attempt: &Attempt<'_>, answer: &Result<Answer, Fault>) {
        match answer {
            Ok(Answer::Receipt(receipt)) => self.hear_receipt(attempt, Ok(receipt)),
            Ok(Answer::TooMuch { .. }) => self.hear(attempt, Ok(&())),
            Err(fault) => self.hear(attempt, Err::<&(), _>(fault)),
        }
    }

    /// The same of orders that went together: one that was answered shows that the system is there.
    pub(super) fn hear_each(&self, attempt: &Attempt<'_>, answers: &[Result<Receipt, Fault>]) {
        for fault in answers.iter().filter_map(|one| one.as_ref().err()) {
            self.hear(attempt, Err::<&(), _>(fault));
        }
        for receipt in answers.iter().filter_map(|one| one.as_ref().ok()) {
            self.hear_receipt(attempt, Ok(receipt));
        }
    }

    /// The system could not be asked what it knows of a person; that of another one is its own matter.
    pub(super) fn hear_error(&self, attempt: &Attempt<'_>, error: &AppError) {
        if let AppError::System { system, fault } = error
            && *system == attempt.claimed.job.system
        {
            self.hear(attempt, Err::<&(), _>(fault));
        }
    }

    fn heard_of(&self, fault: &Fault) -> Heard {
        match fault {
            Fault::Transient { retry_after_ms, .. } => Heard {
                answered: Some(false),
                leave_until: retry_after_ms.map(|pause| self.after(Duration::from_millis(pause))),
            },
            Fault::Unknown { .. } => Heard { answered: Some(false), leave_until: None },
            Fault::Rejected { .. } => Heard::WELL,
            Fault::Misconfigured { .. } => Heard::default(),
        }
    }

    /// The attempt that tries a system has committed something, so that the system is there: what waits
    /// for it need not wait until that is done.
    pub(super) async fn trial_answers(&self, tenure: &Tenure, system: &str) {
        match self.store.trial_answers(tenure).await {
            Ok(moved) => self.breaker_moved(system, moved),
            // It closes when the attempt is settled.
            Err(error) => tracing::warn!(%error, system, "a breaker could not be closed yet"),
        }
    }

    /// Tells the operator that a breaker has moved, and workers that there may be work.
    pub(super) fn breaker_moved(&self, system: &str, moved: Option<Moved>) {
        match moved {
            Some(Moved::Opened) => tracing::warn!(
                system,
                "a system has failed time after time: its breaker is open, and one job at a time tries it; see `quietus doctor`"
            ),
            Some(Moved::Closed) => {
                tracing::info!(system, "a system answers again: its breaker is closed");
                self.wake.up();
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn the_latest_word_counts_and_the_longest_pause() {
        let at = |second| Timestamp::from_second(second).ok();
        let hearing = Hearing::default();
        assert!(hearing.so_far().is_nothing());
        hearing.add(Heard { answered: Some(false), leave_until: at(90) });
        hearing.add(Heard { answered: Some(false), leave_until: at(30) });
        assert_eq!(hearing.so_far(), Heard { answered: Some(false), leave_until: at(90) });
        hearing.add(Heard::default());
        assert_eq!(hearing.so_far().answered, Some(false));
        hearing.add(Heard { answered: Some(true), leave_until: None });
        assert_eq!(hearing.so_far(), Heard { answered: Some(true), leave_until: at(90) });
    }
}
