//! Which seeds are run, and those that once broke a law.

/// Seeds in a whole test run, and in a quick one.
const WHOLE: u64 = 16;
const QUICK: u64 = 6;

/// Seeds that once broke a law, and what was mended then. Where the fault can be put back as a
/// mutation, that stands for it instead: a seed is another history once steps change.
pub const MENDED: &[(u64, &str)] = &[
    (2, "a schedule that rang before its finished case was certified missed that night"),
    (9, "a hold that was released before the certificate let nobody go who waited for it"),
];

#[expect(clippy::disallowed_methods, reason = "tests are told by the environment")]
fn told(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// Whether somebody wants to see that faults of the product are caught.
pub fn wants_mutations() -> bool {
    told("QUIETUS_TEST_MUTATIONS").is_some()
}

/// Whether this is a whole test run.
fn is_whole_run() -> bool {
    told("QUIETUS_TEST_LONG").is_some()
}

/// What the environment asks for: one seed, or so many.
pub fn wanted() -> Vec<u64> {
    let number = |name: &str| {
        let read = |text: String| {
            text.parse::<u64>().unwrap_or_else(|_| panic!("`{name}` is no number: `{text}`"))
        };
        told(name).map(read)
    };
    if let Some(seed) = number("QUIETUS_TEST_SEED") {
        return vec![seed];
    }
    let usual = if is_whole_run() { WHOLE } else { QUICK };
    let first = number("QUIETUS_TEST_FIRST_SEED").unwrap_or(0);
    (first..first + number("QUIETUS_TEST_SEEDS").unwrap_or(usual)).collect()
}
