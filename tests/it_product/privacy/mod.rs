//! Nothing that Quietus keeps, says or logs names a person, and nothing names a secret.
//!
//! Recognisable identifiers are planted in connected systems, events and holds; every command runs
//! at the most talkative level; then everything that is left behind is searched for them in every
//! form that software likes to write identifiers in.

mod burglar;
mod copies;
pub mod forms;
pub mod haystack;
mod listed;
mod planted;
mod shredded;
mod silence;
