//! Several orders as one: alike but for the keys on their lists, each for somebody else.
//!
//! What is done is exactly what the orders ask for one after the other, and each gets its own
//! counts; at a third party each gets its own answer. Whatever cannot be told apart is not done together: then the caller carries orders out
//! one by one.

use async_trait::async_trait;

use crate::connector::Direction;
use crate::order::Order;
use crate::receipt::{Fault, Outcome, Receipt};

/// What came of orders that were to be carried out together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Together {
    /// The receipt of each, in the order of the orders.
    Receipts(Vec<Receipt>),
    /// What has come of each, in the order of the orders, where some may have an answer and others
    /// none.
    Each(Vec<Result<Receipt, Fault>>),
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

    /// A request for these orders, by their places among all, is about to be sent and cannot be
    /// taken back, or the first of their chunks is about to be begun: whether each of them may still
    /// go on, in the order of the places.
    async fn before_sending(&self, which: &[usize]) -> Vec<Direction>;
}

/// Whether two orders ask for the same but for the keys on their lists, or but for the persons
/// whom they name.
pub fn alike(one: &Order, other: &Order) -> bool {
    if let (Some(of_one), Some(of_other)) = (&one.persons, &other.persons) {
        // Whoever is asked by name is not told what is due at which moment.
        return one.pace == other.pace
            && of_one.action == of_other.action
            && of_one.regime == of_other.regime;
    }
    let lists = || one.lists.iter().zip(&other.lists);
    one.moment == other.moment
        && one.pace == other.pace
        && one.persons.is_none()
        && other.persons.is_none()
        && one.lists.len() == other.lists.len()
        && lists().all(|(one, other)| one.types == other.types)
        && one.instructions == other.instructions
}
