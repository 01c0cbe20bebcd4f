//! The certificate: what it may claim, what people read of it, and what verifiers that nobody here
//! wrote say about it.

#![expect(clippy::expect_used, reason = "a test that cannot go on fails there")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod claims;
mod copies;
mod corrections;
mod files;
mod fixture;
mod foreign;
mod log;
mod matrix;
mod oracles;
mod page;
mod paper;
mod printed;
mod reappeared;
mod samples;
mod status;
mod vouched;
