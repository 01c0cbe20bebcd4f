//! Breakers: a system that fails time after time is tried by one job at a time, after pauses that
//! double, until one comes through. Here is how a breaker moves; the store keeps it for all replicas.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::back_off::BackOff;

/// Failures in a row after which a breaker opens.
pub const OPENS_AFTER: u32 = 5;
/// Pauses before the next trial while a breaker is open. One job tries at a time, so that no chance
/// is needed to keep them apart.
pub const TRIALS: BackOff =
    BackOff { first: Duration::from_secs(10), longest: Duration::from_mins(5) };

/// The breaker of one system. It is closed where it has not opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Breaker {
    /// Failures in a row, of one job and another. Those that one job has in a row count once: the
    /// job's own pauses spare the system, and what is the matter may be the job.
    pub failures: u32,
    /// Which job failed last, and when.
    pub failed: Option<(Uuid, Timestamp)>,
    /// Since when it is open, and when the next job may try.
    pub open: Option<Open>,
    /// The system asked to be left alone until then.
    pub leave_until: Option<Timestamp>,
}

/// What an open breaker waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// Since when.
    pub since: Timestamp,
    /// Trials that have failed since.
    pub trials: u32,
    /// When the next job may try.
    pub trial_at: Timestamp,
}

/// A system was asked and did not answer, or could not do it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// Whose.
    pub job: Uuid,
    /// When.
    pub at: Timestamp,
    /// The job was the one that tried while the breaker was open.
    pub was_trial: bool,
}

impl Breaker {
    /// Counts a failure; whether the breaker opens by it.
    pub fn fails(&mut self, failure: Failure) -> bool {
        let Failure { job, at, was_trial } = failure;
        if self.failed.is_none_or(|(before, _)| before != job) {
            self.failures = self.failures.saturating_add(1);
        }
        self.failed = Some((job, at));
        match &mut self.open {
            // Whoever began before it opened says nothing new.
            Some(open) if was_trial => {
                open.trials = open.trials.saturating_add(1);
                open.trial_at = after(at, open.trials.saturating_add(1));
                false
            }
            None if self.failures >= OPENS_AFTER => {
                self.open = Some(Open { since: at, trials: 0, trial_at: after(at, 1) });
                true
            }
            Some(_) | None => false,
        }
    }

    /// Leaves the system alone until this moment, and no shorter than it was asked for before.
    pub fn leave_alone(&mut self, until: Timestamp) {
        self.leave_until = self.leave_until.max(Some(until));
    }
}

/// The moment of a trial: so many pauses there are with the one before it.
fn after(at: Timestamp, pauses: u32) -> Timestamp {
    at.checked_add(TRIALS.whole(pauses)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn failure(job: u128, second: i64) -> Failure {
        Failure { job: Uuid::from_u128(job), at: at(second), was_trial: false }
    }

    #[test]
    fn it_opens_after_failures_of_one_job_and_another() {
        let mut breaker = Breaker::default();
        for second in 0..50 {
            assert!(!breaker.fails(failure(1, second)), "one job alone is no matter of the system");
        }
        assert_eq!((breaker.failures, breaker.open), (1, None));
        let opened: Vec<bool> =
            [2, 1, 2, 3].into_iter().map(|job| breaker.fails(failure(job, 60))).collect();
        assert_eq!(opened, [false, false, false, true]);
        let open = Open { since: at(60), trials: 0, trial_at: at(70) };
        assert_eq!((breaker.failures, breaker.open), (OPENS_AFTER, Some(open)));
    }

    #[test]
    fn only_a_trial_prolongs_the_pause_and_no_pause_is_longer_than_the_longest() {
        let open = Open { since: at(0), trials: 0, trial_at: at(10) };
        let mut breaker = Breaker { failures: OPENS_AFTER, open: Some(open), ..Breaker::default() };
        assert!(!breaker.fails(failure(7, 3)), "it began before the breaker opened");
        assert_eq!((breaker.failures, breaker.open), (OPENS_AFTER + 1, Some(open)));
        let mut pauses = Vec::new();
        for _ in 0..7 {
            let now = breaker.open.unwrap().trial_at;
            breaker.fails(Failure { at: now, was_trial: true, ..failure(8, 0) });
            pauses.push(breaker.open.unwrap().trial_at.duration_since(now).as_secs());
        }
        assert_eq!(pauses, [20, 40, 80, 160, 300, 300, 300]);
        assert_eq!(breaker.open.unwrap().since, at(0));
    }

    #[test]
    fn the_longest_pause_that_was_asked_for_counts() {
        let mut breaker = Breaker::default();
        for second in [30, 90, 60] {
            breaker.leave_alone(at(second));
        }
        assert_eq!(breaker.leave_until, Some(at(90)));
    }
}
