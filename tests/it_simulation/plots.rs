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

/// What every seed has.
const PLOTS: [&[Step]; 13] = [
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
];

/// What only some seeds have as well: the histories of the others stay as they were without them.
const PLOTS_OF_LAW: [&[Step]; 2] = [
    // Another law comes between a plan and its jobs, or while what is kept waits for its date.
    &[Due, Due, Due, Night, Ring, Rules, Work(4), Ring],
    &[Due, Request, Ring, Work(12), Ring, Rules, Ring, Work(12), Months, Ring, Work(12)],
];

/// How likely it is, in a hundred, that something else happens between two steps of a plot.
const BETWEEN_STEPS: u64 = 10;

/// How likely it is, in a hundred, that a plot finds everything well.
const CALM: u64 = 70;

/// One in so many seeds has plots in which another law comes.
const SEEDS_OF_LAW: u64 = 4;

/// What is still to come of the plots that were begun.
#[derive(Debug, Clone)]
pub struct Plots {
    coming: VecDeque<Step>,
    all: Vec<&'static [Step]>,
}

impl Plots {
    /// The plots of a seed.
    pub fn of(seed: u64) -> Self {
        let more: &[&'static [Step]] =
            if seed.is_multiple_of(SEEDS_OF_LAW) { &PLOTS_OF_LAW } else { &[] };
        Self { coming: VecDeque::new(), all: PLOTS.iter().chain(more).copied().collect() }
    }

    /// The next step.
    pub fn next(&mut self, dice: &mut Dice) -> Step {
        if !self.coming.is_empty()
            && !dice.chance(BETWEEN_STEPS)
            && let Some(step) = self.coming.pop_front()
        {
            return step;
        }
        match Step::next(dice) {
            Step::Plot => {
                self.coming.extend(*dice.pick(&self.all));
                if dice.chance(CALM) { Calm } else { Ring }
            }
            step => step,
        }
    }
}
