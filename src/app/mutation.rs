//! Faults that a debug build can be given on purpose, so that tests can show that each is caught. A
//! release build has none of this.

use quietus_connectors::Order;

use super::Quietus;

/// One fault of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// What becomes due within a second is due.
    EarlyByASecond,
    /// Orders are compiled as if there were no legal holds.
    HoldsLeftOut,
    /// Whether holds have changed is not asked after a chunk.
    HoldsUnread,
    /// Each attempt calls itself the first, and goes on where another has taken over.
    LeaseUnfenced,
    /// Each attempt has an order key of its own.
    KeyOfAttempt,
    /// What the second look finds is not heeded.
    LookUnheeded,
    /// Nobody looks whether a system was put back.
    GuardRemoved,
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
}
