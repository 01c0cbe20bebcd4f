//! Requests of persons: brought on the command line, found across systems, erased but for what a
//! minimum and a hold keep; and nobody else.

mod confused;
mod erased;
mod person;
