//! The HTTP interface: who has a token reads certificates, evidence and rules, posts events, and
//! decides about holds, pauses and cases.
//!
//! [`route`] is the one table of doors, with the roles that each is open to; a test walks it.
//! Nothing but `/health` is served without a token, and nothing here names a secret or a person.

mod connection;
pub mod server;

pub use server::{BindError, Server};
