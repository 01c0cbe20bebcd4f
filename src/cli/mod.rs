//! Room `cli`.

pub mod verify;
