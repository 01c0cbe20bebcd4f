//! Running seeds: in every test run, in a long one, one alone.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::heard::Heard;
use super::laws::Broken;
use super::mutation::Mutation;
use super::world::World;

/// Steps of the shortest history, and how many more the longest has.
const FEWEST_STEPS: u64 = 20;
const MORE_STEPS: u64 = 40;

/// What came of a seed.
pub struct Outcome {
    /// What happened.
    pub history: Vec<String>,
    /// The law that was broken, if one was.
    pub broken: Option<Broken>,
    /// Digest of what systems wrote down and of how much evidence there is.
    pub digest: u64,
    /// What the product complained of.
    pub complaints: Vec<String>,
    /// What was done to systems.
    pub deeds: usize,
    /// Certificates.
    pub certificates: usize,
}

/// Runs the history of a seed on this thread.
pub fn run(seed: u64, mutation: Option<Mutation>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (heard, listening) = Heard::listen_to_product();
    let outcome = runtime.block_on(Box::pin(history(seed, mutation, heard)));
    drop(listening);
    runtime.shutdown_timeout(Duration::from_secs(10));
    outcome
}

async fn history(seed: u64, mutation: Option<Mutation>, heard: Heard) -> Outcome {
    let mut world = World::new(seed, mutation, heard).await;
    let steps = FEWEST_STEPS + world.dice.below(MORE_STEPS);
    for _ in 0..steps {
        let step = world.plots.next(&mut world.dice);
        Box::pin(world.play(step)).await;
        world.check_deeds().await;
        if world.broken.is_some() {
            break;
        }
    }
    if world.broken.is_none() {
        Box::pin(world.end()).await;
    }
    let digest = digest(&mut world).await;
    Outcome {
        digest,
        complaints: world.heard.lines("ERROR"),
        deeds: world.journal.read(<[_]>::len),
        certificates: world.certified.len(),
        history: world.history,
        broken: world.broken,
    }
}

async fn digest(world: &mut World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.journal.read(|deeds| format!("{deeds:?}")).hash(&mut hasher);
    world.history.hash(&mut hasher);
    let number = world.somebody().await;
    for log in world.product(number).store.logs().await.unwrap() {
        (log.origin, log.size).hash(&mut hasher);
    }
    hasher.finish()
}

/// What is printed of a seed that breaks a law.
pub fn story(seed: u64, outcome: &Outcome) -> String {
    let Some(broken) = &outcome.broken else { return format!("seed {seed} breaks no law") };
    let complaints = match outcome.complaints.as_slice() {
        [] => String::new(),
        all => format!("\nwhat the product complained of:\n{}\n", all.join("\n")),
    };
    format!(
        "seed {seed}, step by step:\n{}\n{complaints}\nbroken: {}\n  {}\n\nalone: QUIETUS_TEST_SEED={seed} cargo test -p quietus --test it_simulation seeds_break_no_law\n",
        outcome.history.join("\n"),
        broken.law.words(),
        broken.how
    )
}

/// Calls something for each seed, on as many threads as there are processors; results in the order of
/// the seeds.
pub fn for_each<T: Send>(seeds: &[u64], call: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let next = AtomicU64::new(0);
    let results: Mutex<Vec<(u64, T)>> = Mutex::default();
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(seed) = seeds.get(usize::try_from(place).unwrap()) else { return };
                    let result = call(*seed);
                    results.lock().unwrap().push((place, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}

/// The stories of those seeds that break a law or end in a panic, and what it took.
pub fn failures(seeds: &[u64]) -> Vec<String> {
    let begun = Instant::now();
    let outcomes = for_each(seeds, |seed| {
        let outcome = catch_unwind(AssertUnwindSafe(|| run(seed, None)));
        match outcome {
            Ok(outcome) => {
                let failure = outcome.broken.is_some().then(|| story(seed, &outcome));
                (failure, outcome.history.len(), outcome.deeds, outcome.certificates)
            }
            Err(_) => (Some(format!("seed {seed} ended in a panic")), 0, 0, 0),
        }
    });
    let (mut steps, mut deeds, mut certificates, mut failures) = (0, 0, 0, Vec::new());
    for (failure, more_steps, more_deeds, more_certificates) in outcomes {
        steps += more_steps;
        deeds += more_deeds;
        certificates += more_certificates;
        failures.extend(failure);
    }
    println!(
        "{} seeds in {:.1} s: {steps} steps, {deeds} deeds, {certificates} certificates, {} broken",
        seeds.len(),
        begun.elapsed().as_secs_f64(),
        failures.len()
    );
    failures
}
