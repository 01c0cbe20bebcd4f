//! The whole product in a world that a seed makes: several replicas on one store, systems in memory,
//! a clock that is turned, and all that can go wrong. After each history the laws are checked
//! against what the systems themselves have written down (`docs/simulation.md`).

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]
#![expect(clippy::expect_used, reason = "a test stops where something is not as it must be")]
#![expect(clippy::print_stdout, reason = "a long run says what it took")]

mod calendar;
mod certificates;
mod conditions;
mod database;
mod database_connector;
mod dice;
mod ending;
mod estate;
mod heard;
mod journal;
mod laws;
mod mutation;
mod people;
mod play;
mod plots;
mod processor;
mod replica;
mod runs;
mod seeds;
mod senses;
mod step;
mod template;
mod world;

use std::collections::BTreeMap;

use mutation::{ALL, Caught};
use runs::{failures, for_each, run};

/// Seeds with which a fault of the product has to be caught, where the seed is looked for.
const SEEDS_A_MUTATION: u64 = 100;

#[test]
fn seeds_break_no_law() {
    let failures = failures(&seeds::wanted());
    if let Some(first) = failures.first() {
        let all = failures.len();
        let others: Vec<&str> =
            failures[1..].iter().filter_map(|story| story.split(',').next()).collect();
        panic!("{all} seeds break a law; the first:\n\n{first}\nothers: {}", others.join(", "));
    }
}

#[test]
fn the_same_seed_is_the_same_history() {
    let seeds = [3, 7];
    let digests = for_each(&seeds, |seed| (run(seed, None), run(seed, None)));
    for (seed, (first, second)) in seeds.into_iter().zip(digests) {
        let differs = first.history.iter().zip(&second.history).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(first.digest, second.digest, "seed {seed}");
        assert!(first.deeds > 20, "something happens in seed {seed}");
    }
}

/// Each fault of the product is caught by the law that it breaks: with the seed that has done it
/// before or, where that has become another history, with one of the first. A quick run takes some of
/// the faults; a release build has none.
#[test]
fn each_mutation_is_caught() {
    let every = if seeds::is_whole_run() { 1 } else { 5 };
    let numbers: Vec<u64> = mutations("").into_iter().step_by(every).collect();
    let missed = for_each(&numbers, |number| {
        let Caught { mutation, law, seed } = ALL[usize::try_from(number).unwrap()];
        let catches = |seed: &u64| {
            let broken = run(*seed, Some(mutation)).broken;
            broken.is_some_and(|broken| broken.law == law)
        };
        let caught = [seed].into_iter().chain(0..SEEDS_A_MUTATION).find(catches);
        match caught {
            Some(other) if other != seed => println!("{mutation:?} is caught by seed {other} now"),
            _ => {}
        }
        caught.is_none().then_some(mutation)
    });
    let missed: Vec<_> = missed.into_iter().flatten().collect();
    assert!(missed.is_empty(), "no seed has caught {missed:?}");
}

/// The places of the faults whose names hold these words. A release build has none of them.
fn mutations(words: &str) -> Vec<u64> {
    let named = |number: &u64| {
        let one = &ALL[usize::try_from(*number).unwrap()];
        cfg!(debug_assertions) && format!("{:?}", one.mutation).contains(words)
    };
    (0..ALL.len() as u64).filter(named).collect()
}

/// Looks for seeds that catch each fault of the product. Only with `QUIETUS_TEST_MUTATIONS`: it
/// takes minutes.
#[test]
fn a_mutation_is_caught_within_some_seeds() {
    let wanted = seeds::wanted_mutations().map(|words| mutations(&words)).unwrap_or_default();
    let missed = for_each(&wanted, |number| {
        let Caught { mutation, law, .. } = ALL[usize::try_from(number).unwrap()];
        let mut others = BTreeMap::new();
        for seed in seeds::wanted_of(SEEDS_A_MUTATION) {
            let Some(broken) = run(seed, Some(mutation)).broken else { continue };
            if broken.law == law {
                println!("{mutation:?}: seed {seed}: {}: {}", law.words(), broken.how);
                return None;
            }
            others.entry(broken.law).or_insert_with(|| format!("seed {seed}: {}", broken.how));
        }
        println!("{mutation:?}: not caught; other laws that were broken: {others:#?}");
        Some(mutation)
    });
    let missed: Vec<_> = missed.into_iter().flatten().collect();
    assert!(missed.is_empty(), "no seed has caught {missed:?}");
}
