//! Which seeds are run, and those that once broke a law.

/// Seeds in every test run.
const USUAL: u64 = 200;

/// Seeds that once broke a law, and what was mended then.
pub const MENDED: &[(u64, &str)] = &[];

/// What the environment asks for: one seed, or so many.
pub fn wanted() -> Vec<u64> {
    let number = |name: &str| {
        #[expect(clippy::disallowed_methods, reason = "tests are told by the environment")]
        let text = std::env::var(name).ok()?;
        Some(text.parse::<u64>().unwrap_or_else(|_| panic!("`{name}` is no number: `{text}`")))
    };
    if let Some(seed) = number("QUIETUS_TEST_SEED") {
        return vec![seed];
    }
    let first = number("QUIETUS_TEST_FIRST_SEED").unwrap_or(0);
    (first..first + number("QUIETUS_TEST_SEEDS").unwrap_or(USUAL)).collect()
}
