//! OpenDSR from both sides: a client against a processor written for these tests alone, our own
//! intake against what strangers may send, and the two of ours against each other.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop where it must")]

mod admission;
mod callbacks;
mod certificates;
mod client;
mod dialects;
mod failures;
mod own_answers;
mod processor;
mod scene;
mod signatures;
