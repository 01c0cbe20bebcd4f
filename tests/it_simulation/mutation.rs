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
    /// It does not reach the product how many records a hold hides.
    HeldUntold,
    /// A leaf of the log is changed.
    LeafChanged,
    /// A fault repeats what it is about.
    FaultTalks,
}

/// A fault, the law that it breaks, and a seed with which the law is seen to be broken.
#[derive(Debug, Clone, Copy)]
pub struct Caught {
    /// The fault.
    pub mutation: Mutation,
    /// The law.
    pub law: Law,
    /// A seed that did it when it was looked for last.
    pub seed: u64,
}

const fn caught(mutation: Mutation, law: Law, seed: u64) -> Caught {
    Caught { mutation, law, seed }
}

const fn engine(fault: OfEngine) -> Mutation {
    Mutation::Engine(fault)
}

/// All of them.
pub const ALL: [Caught; 22] = [
    caught(engine(OfEngine::EarlyByASecond), Law::NothingEarly, 1),
    caught(engine(OfEngine::LimitsOfCase), Law::NothingEarly, 4),
    caught(engine(OfEngine::HoldsLeftOut), Law::NothingHeld, 1),
    caught(engine(OfEngine::HoldsUnread), Law::NothingHeld, 3),
    caught(engine(OfEngine::FirstChunkUnasked), Law::NothingHeld, 1),
    caught(engine(OfEngine::PausesUnread), Law::NothingPaused, 60),
    caught(Mutation::ConditionWidened, Law::NothingBeyond, 4),
    caught(Mutation::LateByAMonth, Law::EverythingDue, 7),
    caught(engine(OfEngine::GuardRemoved), Law::EverythingDue, 9),
    caught(engine(OfEngine::NightMissed), Law::EverythingDue, 3),
    caught(engine(OfEngine::ReleaseMissed), Law::EverythingDue, 15),
    caught(engine(OfEngine::LeaseForEver), Law::EverythingDue, 6),
    caught(engine(OfEngine::LeaseUnfenced), Law::OneOutcome, 59),
    caught(engine(OfEngine::KeyOfAttempt), Law::OneOutcome, 5),
    caught(engine(OfEngine::CountsForgotten), Law::OneOutcome, 5),
    caught(Mutation::HeldUntold, Law::OneOutcome, 318),
    caught(engine(OfEngine::LookSkipped), Law::NoFalseComplete, 0),
    caught(engine(OfEngine::LookUnheeded), Law::NoFalseComplete, 6),
    caught(engine(OfEngine::WordTrusted), Law::NoFalseComplete, 16),
    caught(Mutation::LeafChanged, Law::LogVerifies, 0),
    caught(Mutation::FaultTalks, Law::NothingTold, 15),
    caught(engine(OfEngine::LostLeaseFails), Law::EngineGoesOn, 1),
];

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
            Self::Engine(_) | Self::HeldUntold | Self::LeafChanged | Self::FaultTalks => {}
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
