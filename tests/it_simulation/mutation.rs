//! Faults of the product that the simulation has to catch. Most are put into the engine
//! (`quietus::app::mutation`); others sit at the border to the systems: an order is changed as if it
//! had been compiled so. For each law there is one that breaks it.

use jiff::SignedDuration;
use quietus::app::mutation::Mutation as OfEngine;
use quietus_connectors::{Cutoff, Order, Predicate};

use super::laws::Law;

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// One of the engine.
    Engine(OfEngine),
    /// Whatever is in a collection of which something is due goes.
    ConditionWidened,
    /// What becomes due is due a month later.
    LateByAMonth,
    /// A leaf of the log is changed.
    LeafChanged,
    /// A fault repeats what it is about.
    FaultTalks,
}

/// All of them, each with the law that it breaks; those that were shown to be caught come first.
pub const ALL: [(Mutation, Law); 11] = [
    (Mutation::Engine(OfEngine::EarlyByASecond), Law::NothingEarly),
    (Mutation::Engine(OfEngine::HoldsLeftOut), Law::NothingHeld),
    (Mutation::ConditionWidened, Law::NothingBeyond),
    (Mutation::LateByAMonth, Law::EverythingDue),
    (Mutation::LeafChanged, Law::LogVerifies),
    (Mutation::FaultTalks, Law::NothingTold),
    (Mutation::Engine(OfEngine::LookUnheeded), Law::NoFalseComplete),
    (Mutation::Engine(OfEngine::HoldsUnread), Law::NothingHeld),
    (Mutation::Engine(OfEngine::GuardRemoved), Law::EverythingDue),
    (Mutation::Engine(OfEngine::LeaseUnfenced), Law::OneOutcome),
    (Mutation::Engine(OfEngine::KeyOfAttempt), Law::OneOutcome),
];

/// How many of them were shown to be caught.
pub const SHOWN: usize = 4;

impl Mutation {
    /// The fault, if it is one of the engine.
    pub fn of_engine(self) -> Option<OfEngine> {
        match self {
            Self::Engine(fault) => Some(fault),
            _ => None,
        }
    }

    /// What an order would be if the product had this fault.
    pub fn order(self, order: &Order) -> Order {
        let mut order = order.clone();
        match self {
            Self::LateByAMonth => shift(&mut order, SignedDuration::from_hours(-31 * 24)),
            Self::ConditionWidened => {
                for one in &mut order.instructions {
                    if one.delete_when != Predicate::Never {
                        one.delete_when = Predicate::Always;
                    }
                }
            }
            Self::Engine(_) | Self::LeafChanged | Self::FaultTalks => {}
        }
        order
    }
}

/// Moves every cut-off of an order.
fn shift(order: &mut Order, by: SignedDuration) {
    for one in &mut order.instructions {
        let conditions =
            [&mut one.delete_when, &mut one.restrict_when, &mut one.lift_when, &mut one.held];
        for condition in conditions {
            shift_condition(condition, by);
        }
        for treatment in &mut one.treatments {
            shift_condition(&mut treatment.due, by);
        }
    }
}

fn shift_condition(condition: &mut Predicate, by: SignedDuration) {
    match condition {
        Predicate::All(parts) | Predicate::Any(parts) => {
            for part in parts {
                shift_condition(part, by);
            }
        }
        Predicate::Not(inner) => shift_condition(inner, by),
        Predicate::LatestAtOrBefore(fields) => {
            for (_, cutoff) in fields {
                if let Cutoff::Moment(moment) = cutoff {
                    *moment = moment.checked_add(by).unwrap();
                }
            }
        }
        _ => {}
    }
}
