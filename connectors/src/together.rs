//! Several orders as one: alike but for the keys on their lists, each for somebody else.
//!
//! What is done is exactly what the orders ask for one after the other, and each gets its own
//! counts. Whatever cannot be told apart is not done together: then the caller carries orders out
//! one by one.

use async_trait::async_trait;

use crate::connector::Direction;
use crate::order::Order;
use crate::receipt::{Outcome, Receipt};

/// What came of orders that were to be carried out together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Together {
    /// The receipt of each, in the order of the orders.
    Receipts(Vec<Receipt>),
    /// Some have to be carried out by themselves. What has been committed is on record under the
    /// key of each order, and either way of going on finds it there.
    Apart {
        /// Which, by their places among the orders; empty says all of them.
        which: Vec<usize>,
        /// Why, without personal data.
        why: String,
    },
}

/// What the engine is told after each committed chunk of several orders, and what it answers.
#[async_trait]
pub trait JointProgress: Send + Sync {
    /// A chunk has been committed. `done` is everything done so far under each order, over all
    /// attempts, in the order of the orders.
    async fn committed(&self, done: &[Outcome]) -> Direction;
}

/// Whether two orders ask for the same but for the keys on their lists.
pub fn alike(one: &Order, other: &Order) -> bool {
    let lists = || one.lists.iter().zip(&other.lists);
    one.moment == other.moment
        && one.pace == other.pace
        && one.persons.is_none()
        && other.persons.is_none()
        && one.lists.len() == other.lists.len()
        && lists().all(|(one, other)| one.types == other.types)
        && one.instructions == other.instructions
}
