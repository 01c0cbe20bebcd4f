//! Room `app`.

pub mod crash;
pub mod vault;
