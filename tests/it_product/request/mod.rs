//! Requests of persons: brought on the command line, found across systems, erased but for what a
//! minimum and a hold keep, done by hand where no interface is; and nobody else.

mod confused;
mod crowd;
mod erased;
mod hands;
mod kept;
mod many;
mod person;
