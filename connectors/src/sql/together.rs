//! Small orders in one transaction.
//!
//! Where lists lead to all records that an order could mean, and these fit into one window, all its
//! steps share a transaction instead of committing one by one. It ends with the order, or as soon
//! as it has lasted as long as a chunk may.

use std::time::{Duration, Instant};

use crate::order::{Pace, PartitionPolicy, Restriction};
use crate::predicate::Predicate;
use crate::receipt::{Fault, Outcome};
use crate::sql::execute::children_first;
use crate::sql::order_of_deletion::groups;
use crate::sql::windows::Run;

/// Whether steps share transactions, and the one that is open.
#[derive(Debug, Default)]
pub(crate) struct Together {
    shared: bool,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    since: Instant,
    /// What had been done before.
    before: Outcome,
}

impl Together {
    /// A transaction has to be begun; remembers what had been done until then.
    pub(crate) fn begins(&mut self, done: &Outcome) -> bool {
        if self.open.is_some() {
            return false;
        }
        self.open = Some(Open { since: Instant::now(), before: done.clone() });
        true
    }

    /// The transaction is over; what had been done before it.
    pub(crate) fn ends(&mut self) -> Option<Outcome> {
        self.open.take().map(|open| open.before)
    }

    /// Steps share transactions.
    pub(crate) fn shared(&self) -> bool {
        self.shared
    }

    /// The next window belongs into the same transaction.
    pub(crate) fn goes_on(&self, pace: &Pace) -> bool {
        let most = Duration::from_millis(pace.target_chunk_ms);
        self.shared && self.open.as_ref().is_some_and(|open| open.since.elapsed() < most)
    }
}

impl Run<'_> {
    /// Gathers the keys of everything that the order could mean, and lets its steps share a
    /// transaction where that is little enough.
    pub(crate) async fn join_steps(&mut self) -> Result<(), Fault> {
        let window = self.throttle.window();
        let entries: usize = self.order.lists.iter().map(|list| list.entries.len()).sum();
        let many = u64::try_from(entries).unwrap_or(u64::MAX) > window;
        if entries == 0 || many || self.needs_transactions_of_its_own() {
            return Ok(());
        }
        let mut records = 0;
        let mut parents_first = children_first(&self.scene);
        parents_first.reverse();
        for one in parents_first {
            let nothing =
                self.scene.instruction(one).conditions().all(|it| *it == Predicate::Never);
            let found = self.candidates(self.scene.table_of(one)?, one).await?;
            match found {
                Some(found) => records += found.records,
                None if nothing => {}
                None => return Ok(()),
            }
        }
        self.together.shared = records <= window;
        Ok(())
    }

    /// The pace waits between chunks, or some step gathers, drops, moves or goes in circles.
    fn needs_transactions_of_its_own(&self) -> bool {
        let pace = &self.order.pace;
        pace.records_per_second.is_some()
            || pace.most_replication_lag_ms.is_some()
            || !self.scene.unindexed.is_empty()
            || groups(&self.scene).iter().any(|group| group.circular)
            || self.order.instructions.iter().any(|one| {
                one.partitions == PartitionPolicy::Drop
                    || matches!(one.restriction, Some(Restriction::Move { .. }))
            })
    }
}
