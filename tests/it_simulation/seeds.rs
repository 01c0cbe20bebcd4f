//! Which seeds are run, and which faults are put in.

/// Seeds in a whole test run, and in a quick one.
const WHOLE: u64 = 200;
const QUICK: u64 = 6;

#[expect(clippy::disallowed_methods, reason = "tests are told by the environment")]
fn told(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// Which faults of the product somebody wants seeds for: those whose names hold these words, and all
/// with `1`.
pub fn wanted_mutations() -> Option<String> {
    told("QUIETUS_TEST_MUTATIONS").map(|words| if words == "1" { String::new() } else { words })
}

/// Whether this is a whole test run.
pub fn is_whole_run() -> bool {
    told("QUIETUS_TEST_LONG").is_some()
}

/// What the environment asks for: one seed, or so many.
pub fn wanted() -> Vec<u64> {
    wanted_of(if is_whole_run() { WHOLE } else { QUICK })
}

/// The same, where that many are usual.
pub fn wanted_of(usual: u64) -> Vec<u64> {
    let number = |name: &str| {
        let read = |text: String| {
            text.parse::<u64>().unwrap_or_else(|_| panic!("`{name}` is no number: `{text}`"))
        };
        told(name).map(read)
    };
    if let Some(seed) = number("QUIETUS_TEST_SEED") {
        return vec![seed];
    }
    let first = number("QUIETUS_TEST_FIRST_SEED").unwrap_or(0);
    (first..first + number("QUIETUS_TEST_SEEDS").unwrap_or(usual)).collect()
}
