//! Faults that a debug build can be given on purpose, so that tests can show that each is caught. A
//! release build has none of this.

use std::time::Duration;

use quietus_connectors::{Order, Verification};

use super::Quietus;
use super::done::Done;
use crate::evidence::statement::{
    StatementOutcome, SystemStatement, VerificationFinding, VerificationType,
};

/// As good as for ever.
const CENTURY: Duration = Duration::from_hours(100 * 365 * 24);

/// One fault of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// What becomes due within a second is due.
    EarlyByASecond,
    /// Orders are compiled as if there were no legal holds.
    HoldsLeftOut,
    /// What minimums keep is decided by the rules of the case and not by those in force.
    LimitsOfCase,
    /// Whether holds have changed is not asked after a chunk.
    HoldsUnread,
    /// Whether anything has changed is not asked before the first chunk.
    FirstChunkUnasked,
    /// Whether pauses have changed is not asked after a chunk.
    PausesUnread,
    /// Each attempt calls itself the first, and goes on where another has taken over.
    LeaseUnfenced,
    /// Each attempt has an order key of its own.
    KeyOfAttempt,
    /// Counting again forgets what was counted before.
    CountsForgotten,
    /// Nobody takes over what a dead process had.
    LeaseForEver,
    /// Whoever has lost a job to another ends with an error.
    LostLeaseFails,
    /// Nobody looks again.
    LookSkipped,
    /// What the second look finds is not heeded.
    LookUnheeded,
    /// The word of a third party counts as a look.
    WordTrusted,
    /// What shows that a system was put back is not heeded.
    GuardRemoved,
    /// A finished case that nobody has certified keeps its schedule from running.
    NightMissed,
    /// A job that waits for a hold does so where the hold is released by then.
    ReleaseMissed,
}

impl Quietus {
    /// Whether this fault was put in.
    pub(crate) fn suffers(&self, mutation: Mutation) -> bool {
        cfg!(debug_assertions) && self.mutation == Some(mutation)
    }

    /// An order as the fault that was put in would have it.
    pub(crate) fn as_mutated(&self, mut order: Order) -> Order {
        if self.suffers(Mutation::LeaseUnfenced) {
            order.attempt = 1;
        }
        if self.suffers(Mutation::KeyOfAttempt) {
            order.key = format!("{}{:02}", order.key, order.attempt);
        }
        order
    }

    /// For how long a lease runs, as the fault that was put in would have it.
    pub(crate) fn lease_as_mutated(&self) -> Duration {
        if self.suffers(Mutation::LeaseForEver) { CENTURY } else { self.lease }
    }

    /// What a look has found, as the fault that was put in would have it.
    pub(crate) fn look_as_mutated(&self, found: Verification) -> Verification {
        if self.suffers(Mutation::LookUnheeded) {
            return Verification { survivors: Vec::new(), ..found };
        }
        found
    }

    /// Statements as the fault that was put in would have them.
    pub(crate) fn state_as_mutated(&self, statements: &mut [SystemStatement]) {
        if !self.suffers(Mutation::WordTrusted) {
            return;
        }
        let attested =
            |one: &&mut SystemStatement| one.outcome == StatementOutcome::AttestedByProcessor;
        for statement in statements.iter_mut().filter(attested) {
            statement.outcome = StatementOutcome::Completed;
            statement.verification.kind = VerificationType::PostQuery;
            statement.verification.result = VerificationFinding::Absent;
            statement.verification.at = statement.completed_at;
        }
    }
}

/// What a look would say that had looked at everything and found nothing.
pub(super) fn unlooked(done: &Done) -> Verification {
    let looked_at = done.ordered.iter().flat_map(|ordered| ordered.asked.iter().cloned());
    Verification {
        looked_at: looked_at.collect(),
        method: "nobody has looked".to_owned(),
        ..Verification::default()
    }
}
