//! A system that is put back to an earlier state brings nobody back.

mod canary;
mod copied_back;
mod door;
pub mod house;
mod pgbackrest;
mod recovered;
mod unannounced;
