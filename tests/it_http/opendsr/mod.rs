//! OpenDSR on real servers: an instance that other controllers ask, one whose third party calls
//! back, and both of them together.

mod authority;
mod callers;
pub mod company;
mod desk;
mod erased;
mod front;
mod refused;
mod told;
