//! A system that is put back to an earlier state brings nobody back.

mod copied_back;
mod door;
pub mod house;
mod pgbackrest;
mod recovered;
mod unannounced;
