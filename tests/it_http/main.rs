//! The HTTP interface as a stranger meets it: a real server on a free port over a small instance,
//! asked with a client that knows nothing of ours.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]

mod alarms;
mod at_once;
mod bodies;
mod callbacks;
mod copies;
mod doors;
mod drills;
mod house;
mod ledger;
mod opendsr;
mod people;
mod printed;
mod reappearances;
mod requests;
mod walkthrough;
