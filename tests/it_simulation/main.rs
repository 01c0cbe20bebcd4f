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
use runs::{failures, for_each, run, story};

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

/// What was mended stays mended.
#[test]
fn seeds_that_once_broke_a_law_break_none() {
    for (seed, why) in seeds::MENDED {
        let outcome = run(*seed, None);
        assert!(outcome.broken.is_none(), "mended: {why}\n{}", story(*seed, &outcome));
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

/// Each fault of the product is caught, by the law that it breaks and with the seed that is known to
/// do it. Only with `QUIETUS_TEST_MUTATIONS`, and not in a release build, which has none of them.
#[test]
fn each_mutation_is_caught() {
    if !seeds::wants_mutations() || !cfg!(debug_assertions) {
        return;
    }
    let numbers: Vec<u64> = (0..ALL.len() as u64).collect();
    let missed = for_each(&numbers, |number| {
        let Caught { mutation, law, seed } = ALL[usize::try_from(number).unwrap()];
        let seed = seed?;
        let broken = run(seed, Some(mutation)).broken;
        let caught = broken.as_ref().is_some_and(|broken| broken.law == law);
        (!caught).then(|| format!("{mutation:?} with seed {seed}: {broken:?}"))
    });
    let missed: Vec<String> = missed.into_iter().flatten().collect();
    assert!(
        missed.is_empty(),
        "not caught; `a_mutation_is_caught_within_some_seeds` finds other seeds:\n{}",
        missed.join("\n")
    );
}

/// Looks for seeds that catch each fault of the product. Only with `QUIETUS_TEST_MUTATIONS`: it
/// takes minutes.
#[test]
fn a_mutation_is_caught_within_some_seeds() {
    if !seeds::wants_mutations() {
        return;
    }
    let numbers: Vec<u64> = (0..ALL.len() as u64).collect();
    let missed = for_each(&numbers, |number| {
        let Caught { mutation, law, .. } = ALL[usize::try_from(number).unwrap()];
        let mut others = BTreeMap::new();
        for seed in 0..SEEDS_A_MUTATION {
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
