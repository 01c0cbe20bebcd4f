//! Which leaves an auditor looks at: indexes drawn from a seed that nobody could know before, so
//! that nobody can have prepared them.
//!
//! Anybody can draw the same ones: the number of the draw, the name of the log and its size are
//! hashed with the seed (SHA-256), the first eight bytes are a number, and numbers beyond the
//! greatest multiple of the size are passed over, so that each index is as likely as any other.

use std::collections::BTreeSet;

use crate::domain::Digest;

/// Separates these hashes from all others.
const PURPOSE: &[u8] = b"quietus audit sample 1\n";

/// Draws `count` different indexes below `size`, in the order in which they are drawn; all of them
/// where there are not more.
pub fn draw(seed: &Digest, origin: &str, size: u64, count: u64) -> Vec<u64> {
    let (mut drawn, mut taken) = (Vec::new(), BTreeSet::new());
    let wanted = count.min(size);
    if size == 0 {
        return drawn;
    }
    let fair = u64::MAX - u64::MAX % size;
    let mut number = 0_u64;
    while (drawn.len() as u64) < wanted {
        let value = value_of(seed, origin, size, number);
        number += 1;
        if value < fair && taken.insert(value % size) {
            drawn.push(value % size);
        }
    }
    drawn
}

fn value_of(seed: &Digest, origin: &str, size: u64, number: u64) -> u64 {
    let mut bytes = PURPOSE.to_vec();
    bytes.extend_from_slice(&seed.0);
    bytes.extend_from_slice(format!("{origin}\n{size}\n{number}\n").as_bytes());
    let digest = Digest::of(&bytes).0;
    digest.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_is_repeatable_and_depends_on_everything() {
        let (seed, other) = (Digest::of(b"seed"), Digest::of(b"other"));
        let drawn = draw(&seed, "a/2026", 1_000_000, 20);
        assert_eq!(drawn.len(), 20);
        assert_eq!(drawn, draw(&seed, "a/2026", 1_000_000, 20));
        assert_eq!(drawn[..5], draw(&seed, "a/2026", 1_000_000, 5));
        assert_ne!(drawn, draw(&other, "a/2026", 1_000_000, 20));
        assert_ne!(drawn, draw(&seed, "a/2027", 1_000_000, 20));
        assert_ne!(drawn, draw(&seed, "a/2026", 1_000_001, 20));
        // As `sha256sum` counts it: printf of purpose, raw seed, and the three lines.
        assert_eq!(value_of(&seed, "a/2026", 10, 0) % 10, draw(&seed, "a/2026", 10, 1)[0]);
    }

    #[test]
    fn each_index_is_drawn_once_and_all_where_there_are_few() {
        let seed = Digest::of(b"seed");
        let mut all = draw(&seed, "a", 50, 80);
        all.sort_unstable();
        assert_eq!(all, (0..50).collect::<Vec<_>>());
        assert!(draw(&seed, "a", 0, 5).is_empty());
        assert_eq!(draw(&seed, "a", 1, 5), [0]);
        // No place is preferred: of 4000 draws of 1 in 8, each comes about 500 times.
        let mut times = [0_u32; 8];
        for number in 0..4_000_u32 {
            let seed = Digest::of(&number.to_be_bytes());
            times[usize::try_from(draw(&seed, "a", 8, 1)[0]).unwrap()] += 1;
        }
        assert!(times.iter().all(|one| (400..600).contains(one)), "{times:?}");
    }
}
