//! Room `app`.
pub mod vault;
