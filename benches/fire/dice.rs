//! Chance from a seed, so that a disturbance can be had again.

use std::hash::{BuildHasher as _, Hasher as _};

/// `SplitMix64`: small, and the same on every machine.
#[derive(Debug, Clone)]
pub struct Dice(u64);

/// A seed that nobody has chosen.
pub fn any_seed() -> u64 {
    // The seed of a hash map is the chance that the standard library has; short ones are typed again.
    std::hash::RandomState::new().build_hasher().finish() % 1_000_000
}

impl Dice {
    /// Dice of a seed; `purpose` keeps several dice of one seed apart.
    pub fn of(seed: u64, purpose: u64) -> Self {
        let mut dice = Self(seed ^ purpose.rotate_left(32));
        dice.next();
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 where that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// A place in a list of so many, which are more than none.
    pub fn place(&mut self, many: usize) -> usize {
        usize::try_from(self.below(many as u64)).unwrap_or_default()
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.place(from.len()))
    }
}
