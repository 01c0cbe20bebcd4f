//! OpenDSR: what is accepted as a signature, and what is left of it in the end.

#![expect(clippy::unwrap_used, reason = "a test may stop where it must")]

mod certificates;
mod signatures;
