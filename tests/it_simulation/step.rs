//! What can happen next, and how likely it is: rare enough that the product gets its work done, and
//! often enough that faults meet.

use super::dice::Dice;
use super::processor::Temper;

/// One step of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A replica hears the bell and looks after everything.
    Ring,
    /// A replica carries out jobs, at most so many.
    Work(u32),
    /// Minutes go by.
    Minutes,
    /// Days go by.
    Days,
    /// Months go by.
    Months,
    /// It is night: the schedule rings.
    Night,
    /// More time goes by than a lease lasts.
    Lease,
    /// Records come to be.
    Records,
    /// Records come to be that are due with the next night, or a second later.
    Due,
    /// Somebody becomes a customer.
    Customer,
    /// A customer leaves, or one who has left comes back.
    Event,
    /// Somebody asks to be forgotten.
    Request,
    /// A hold is placed.
    Hold,
    /// A hold is released.
    Release,
    /// The rules change, and all replicas or one of them read them.
    Rules,
    /// Something is paused, or goes on.
    Pause,
    /// A database is copied.
    Copy,
    /// A database is put back to a copy.
    Restore,
    /// A database is put back to the latest copy of all.
    PutBack,
    /// Somebody tells of a restore.
    Tell,
    /// Somebody opens what is in quarantine.
    Open,
    /// A replica dies in what it does next, or at once.
    Death,
    /// A replica dies at a system.
    Fall,
    /// A dead replica is started.
    Start,
    /// A replica stands still in what it does next.
    Stop,
    /// What stands still goes on.
    Continue,
    /// A clock is set forward or back.
    Clock,
    /// A system is down, or comes up.
    Outage,
    /// A database loses an answer.
    LostAnswer,
    /// A database says that something is gone that is not.
    Lie,
    /// A second look fails.
    Blind,
    /// The processor changes how it answers.
    Processor,
    /// The processor lies from now on.
    FalseWord,
    /// Somebody has what failed tried again.
    Retry,
    /// Several steps come in a row.
    Plot,
    /// Everything is well for a moment: what is dead or stands still goes on, systems answer, nothing
    /// is paused, and little is held.
    Calm,
}

/// How often each comes, beside the others.
const WEIGHTS: [(Step, u64); 36] = [
    (Step::Ring, 150),
    (Step::Work(1), 110),
    (Step::Work(4), 120),
    (Step::Minutes, 70),
    (Step::Days, 110),
    (Step::Months, 26),
    (Step::Records, 45),
    (Step::Customer, 8),
    (Step::Event, 35),
    (Step::Request, 26),
    (Step::Hold, 26),
    (Step::Release, 26),
    (Step::Rules, 12),
    (Step::Pause, 14),
    (Step::Copy, 14),
    (Step::Restore, 12),
    (Step::Tell, 16),
    (Step::Open, 14),
    (Step::Death, 36),
    (Step::Start, 30),
    (Step::Stop, 26),
    (Step::Continue, 36),
    (Step::Clock, 8),
    (Step::Outage, 18),
    (Step::LostAnswer, 10),
    (Step::Lie, 10),
    (Step::Blind, 6),
    (Step::Processor, 16),
    (Step::Retry, 10),
    (Step::Work(12), 40),
    (Step::Night, 30),
    (Step::Lease, 10),
    (Step::Due, 10),
    (Step::Fall, 8),
    (Step::PutBack, 4),
    (Step::Plot, 60),
];

impl Step {
    /// A step by chance.
    pub fn next(dice: &mut Dice) -> Self {
        let all: u64 = WEIGHTS.iter().map(|(_, weight)| weight).sum();
        let mut drawn = dice.below(all);
        for (step, weight) in WEIGHTS {
            if drawn < weight {
                return step;
            }
            drawn -= weight;
        }
        Self::Ring
    }
}

/// How the processor answers from now on.
pub fn temper(dice: &mut Dice) -> Temper {
    match dice.below(6) {
        0 | 1 => Temper::Prompt,
        2 => Temper::Slow(u32::try_from(1 + dice.below(3)).unwrap()),
        3 => Temper::Silent,
        4 => Temper::Lying,
        _ => Temper::Down,
    }
}
