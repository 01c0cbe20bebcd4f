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
mod processor;
mod replica;
mod runs;
mod seeds;
mod senses;
mod step;
mod template;
mod world;

use mutation::{ALL, SHOWN};
use runs::{failures, for_each, run, story};

/// Seeds with which a fault of the product has to be caught.
const SEEDS_A_MUTATION: u64 = 60;

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

/// Each fault of the product is caught, and by the law that it breaks. Only with
/// `QUIETUS_TEST_MUTATIONS`: it takes minutes.
#[test]
fn each_mutation_is_caught() {
    if !seeds::wants_mutations() {
        return;
    }
    let numbers: Vec<u64> = (0..SHOWN as u64).collect();
    let missed = for_each(&numbers, |number| {
        let (mutation, law) = ALL[usize::try_from(number).unwrap()];
        let caught = (0..SEEDS_A_MUTATION).find_map(|seed| {
            let broken = run(seed, Some(mutation)).broken?;
            (broken.law == law).then_some((seed, broken.how))
        });
        match caught {
            Some((seed, how)) => println!("{mutation:?}: seed {seed}: {}: {how}", law.words()),
            None => return Some(mutation),
        }
        None
    });
    let missed: Vec<_> = missed.into_iter().flatten().collect();
    assert!(missed.is_empty(), "no seed has caught {missed:?}");
}
