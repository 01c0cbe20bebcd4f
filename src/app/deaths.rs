//! Deaths: attempts that end with their process. One rule in two halves: a job that is lost again and
//! again goes alone at some point, so that it takes nobody else along; and one that still kills
//! whoever touches it is given up.
//!
//! What is nobody's fault gives its attempt back (a fault of a part of a request, waiting for a third
//! party, a hold, a pause), so that what is left of the attempts is what deaths have left.

use crate::store::{Job, JobKind};

/// Attempts that have to be left of a job that goes with others.
pub(super) const FEWEST_ATTEMPTS_LEFT: u32 = 5;
/// Attempts of a person's part that may die with their processes beyond those that it is allowed.
const DEATHS_ALONE: u32 = 8;

/// It has been lost so often that it takes nobody else along.
pub(super) fn goes_alone(job: &Job) -> bool {
    job.attempts_allowed.saturating_sub(job.attempt) < FEWEST_ATTEMPTS_LEFT
}

/// The last attempt of a job. What a person asked for is not given up because the processes that
/// had it died, and whoever died with others is not to blame for it: by then it goes alone, and is
/// begun so many times more before it is taken for what kills them.
pub(super) fn last_attempt(job: &Job) -> u32 {
    let more = if job.kind == JobKind::Sweep { 0 } else { DEATHS_ALONE };
    job.attempts_allowed.saturating_add(more)
}
