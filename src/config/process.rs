//! Settings of the process that stand in no file.

use std::time::Duration;

/// Shortest lease that still leaves time to renew it.
const SHORTEST_LEASE_MS: u64 = 200;

/// What the environment says about this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Process {
    /// How long a job may stay silent before another worker takes it over (`QUIETUS_LEASE_MS`).
    pub lease: Option<Duration>,
    /// The point at which a debug build dies, for tests (`QUIETUS_CRASH_POINT`).
    pub crash_point: Option<u8>,
}

impl Process {
    /// Reads the environment.
    ///
    /// # Errors
    /// Where a variable is set and is no number.
    pub fn from_environment() -> Result<Self, String> {
        let lease_ms: Option<u64> = number("QUIETUS_LEASE_MS")?;
        let lease = lease_ms.map(|ms| Duration::from_millis(ms.max(SHORTEST_LEASE_MS)));
        Ok(Self { lease, crash_point: number("QUIETUS_CRASH_POINT")? })
    }
}

fn number<T: std::str::FromStr>(name: &str) -> Result<Option<T>, String> {
    #[expect(clippy::disallowed_methods, reason = "the room that reads the environment")]
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    value
        .map(|text| {
            text.parse().map_err(|_| format!("the environment variable `{name}` is no number"))
        })
        .transpose()
}
