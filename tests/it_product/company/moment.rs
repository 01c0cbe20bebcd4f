//! Programs that live at another moment than the machine: what they take down as the moment of a copy
//! is what the test wants it to be.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use jiff::Timestamp;
use quietus::domain::Clock as _;
use quietus::telemetry::SystemClock;

/// Measures how long something lasts by the machine's clock all the same. Whoever has threads that
/// wait for each other needs it, and whoever sleeps until a moment (Python) does not bear it.
pub const WITH_REAL_WAITS: &str = "FAKETIME_DONT_FAKE_MONOTONIC=1";

/// What `faketime` tells those who live at a moment by its variables.
const TOLD: [&str; 3] = ["LD_PRELOAD", "FAKETIME", "FAKETIME_SHARED"];

/// A moment at which programs live; it has to outlive them.
pub struct Moment {
    /// Variables by which a program and what it starts find themselves there, to the second; their
    /// clock goes on from there.
    pub variables: Vec<String>,
    /// Has the memory that they share, and takes it away once nobody writes to it any more.
    holder: Child,
}

impl Moment {
    /// For programs of the account as which these words run a command.
    pub fn at(moment: &str, account: &[&str]) -> Self {
        let moment: Timestamp = moment.parse().unwrap();
        let ahead = format!("{:+}s", SystemClock.now().duration_until(moment).as_secs());
        let tell = format!("printenv {} && exec cat", TOLD.join(" "));
        let words = [account, &["faketime", "-m", "-f", &ahead, "sh", "-c", &tell]].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
        let holder = command.spawn();
        let mut holder = holder.unwrap_or_else(|error| panic!("`{}`: {error}", words[0]));
        let lines = BufReader::new(holder.stdout.take().unwrap()).lines();
        let told = TOLD.iter().zip(lines).map(|(name, line)| format!("{name}={}", line.unwrap()));
        let mut variables: Vec<String> = told.collect();
        assert_eq!(variables.len(), TOLD.len(), "`faketime` tells where it is: {variables:?}");
        variables.push("TZ=UTC".to_owned());
        Self { variables, holder }
    }
}

impl Drop for Moment {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        drop(self.holder.wait());
    }
}
