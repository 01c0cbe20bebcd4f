//! The process's real clock and ids, its logs and its traces. Neither ever holds personal data: what is
//! told are names from the data map and the rules, counts, and identifiers of our own.

mod lines;
pub mod traces;

use std::io::IsTerminal as _;

use jiff::Timestamp;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Directive;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry};
use uuid::Uuid;

pub use self::traces::Traces;
use crate::app::spans;
use crate::domain::{Clock, Ids};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Sends log lines to standard error, and spans of cases to their traces where there are any. `filter`
/// follows `tracing_subscriber::EnvFilter`, and is about log lines: what spans say stands in each of them.
///
/// # Errors
/// Where the filter is no filter; the text says which part.
pub fn start_logging(
    filter: &str,
    format: LogFormat,
    traces: Option<&Traces>,
) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| format!("`{filter}` is no log filter: {error}"))?
        .add_directive(spans_of_cases()?);
    let lines = tracing_subscriber::fmt::layer::<Registry>()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => {
            lines.fmt_fields(JsonFields::new()).event_format(lines::JsonLines).boxed()
        }
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(traces.map(Traces::layer))
        .try_init()
        .map_err(|error| format!("logging had already been started: {error}"))
}

/// Spans of cases are there whatever is logged: also a lonely warning says which job it is about.
fn spans_of_cases() -> Result<Directive, String> {
    let directive = format!("{}={}", spans::TARGET, LevelFilter::INFO);
    directive.parse().map_err(|error| format!("`{directive}` is no log filter: {error}"))
}

/// The machine's own clock, rounded down to microseconds, which is what the store keeps.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place where time comes in")]
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }
}

/// Identifiers of version 7 (RFC 9562) and random bytes from the cryptographic library.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemIds;

impl Ids for SystemIds {
    #[expect(clippy::disallowed_methods, reason = "this is the one place where ids come in")]
    fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }

    #[expect(clippy::expect_used, reason = "without randomness nothing may be sealed or signed")]
    fn random(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random bytes");
        bytes
    }
}
