//! Steps that come in a row. What only several things together bring about would hardly ever happen
//! by chance: a hold that is placed while an order is under way, an order that one replica takes over
//! from another, a restore of what was just forgotten. Whatever else happens may come in between.

use std::collections::VecDeque;

use super::dice::Dice;
use super::step::Step;
use super::step::Step::{
    Calm, Continue, Copy, Due, Fall, FalseWord, Hold, Lease, Lie, LostAnswer, Minutes, Months,
    Night, Outage, Pause, PutBack, Release, Request, Ring, Rules, Start, Stop, Tell, Work,
};

/// All of them.
const PLOTS: [&[Step]; 15] = [
    // A hold or a pause comes while an order is under way.
    &[Due, Due, Night, Ring, Stop, Work(2), Hold, Continue],
    &[Due, Due, Night, Ring, Stop, Work(2), Hold, Continue, Work(4)],
    &[Due, Due, Night, Ring, Stop, Work(2), Pause, Continue],
    // Another replica takes an order over, and dies in it, or carries it out under a new hold.
    &[Due, Due, Night, Ring, Stop, Work(2), Lease, Fall, Work(2), Continue],
    &[Due, Night, Ring, Stop, Work(2), Lease, Hold, Work(4), Continue],
    // An order is lost half-way, or its answer is.
    &[Due, Due, Night, Ring, Fall, Work(2), Lease, Work(4), Start],
    &[Due, Hold, Night, Ring, LostAnswer, Work(2), Release, Minutes, Work(4), Ring],
    &[Due, Night, Ring, Lie, Work(4), Ring],
    &[Due, Night, Ring, Outage, Work(2), Minutes, Work(2), Ring],
    // Whoever was forgotten comes back with a copy.
    &[Copy, Request, Lease, Ring, Work(12), Ring, Work(12), Lease, Ring, PutBack],
    &[Request, Copy, Lease, Ring, Work(12), Lease, Ring, PutBack, Tell],
    // And nobody says so; but it shows.
    &[Copy, Request, Ring, Work(12), Night, Ring, Work(12), Ring, PutBack, Lease, Ring],
    &[FalseWord, Request, Ring, Work(12), Ring, Work(4), Ring],
    // Another law comes between a plan and its jobs, or while what is kept waits for its date.
    &[Due, Due, Due, Night, Ring, Rules, Work(4), Ring],
    &[Due, Request, Ring, Work(12), Ring, Rules, Ring, Work(12), Months, Ring, Work(12)],
];

/// How likely it is, in a hundred, that something else happens between two steps of a plot.
const BETWEEN_STEPS: u64 = 10;

/// How likely it is, in a hundred, that a plot finds everything well.
const CALM: u64 = 70;

/// What is still to come of the plots that were begun.
#[derive(Debug, Clone, Default)]
pub struct Plots(VecDeque<Step>);

impl Plots {
    /// The next step.
    pub fn next(&mut self, dice: &mut Dice) -> Step {
        if !self.0.is_empty()
            && !dice.chance(BETWEEN_STEPS)
            && let Some(step) = self.0.pop_front()
        {
            return step;
        }
        match Step::next(dice) {
            Step::Plot => {
                self.0.extend(*dice.pick(&PLOTS));
                if dice.chance(CALM) { Calm } else { Ring }
            }
            step => step,
        }
    }
}
