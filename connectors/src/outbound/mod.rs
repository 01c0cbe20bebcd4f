//! The one way out: every connector that speaks HTTP to a third party does it through here.
//!
//! Only declared hosts are spoken to, over TLS, at public addresses; exceptions are declared host
//! by host with their port. Redirects are never followed, bodies and waits are bounded, no proxy
//! is taken from the environment. Addresses beyond the host, headers and bodies never reach a
//! message or a log: a fault names the host and the status code.

mod address;
mod call;
mod client;
mod door;
mod faults;
mod reply;
mod resolver;
mod trust;

pub use address::is_public;
pub use call::{Call, Effect, Method};
pub use client::{Limits, Outbound, OutboundSettings};
pub(crate) use door::Door;
pub use reply::Reply;
pub(crate) use trust::machine_roots;
