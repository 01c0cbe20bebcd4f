//! What happens to an order at a vendor that is slow, busy, forgetful, undecided or wrong: one
//! erasure is sent once, nobody is guessed, and what is told is what is known.

mod club;
mod company;
mod crashes;
mod killed;
mod persons;
mod refusals;

pub use club::BATCH;
