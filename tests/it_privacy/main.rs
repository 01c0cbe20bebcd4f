//! Nothing that Quietus keeps, says or logs names a person, and nothing names a secret.
//!
//! Recognisable identifiers are planted in connected systems, events and holds; every command runs
//! at the most talkative level; then everything that is left behind is searched for them in every
//! form that software likes to write identifiers in.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]
#![expect(clippy::expect_used, reason = "a test stops where something is not as it must be")]

#[path = "../company/mod.rs"]
mod company;

mod forms;
mod haystack;
mod planted;
mod silence;
