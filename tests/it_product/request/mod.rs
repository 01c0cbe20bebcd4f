//! Requests of persons: brought on the command line, found across systems, erased but for what a
//! minimum and a hold keep, done by hand where no interface is; and nobody else.

mod apart;
mod batches;
mod confused;
mod copy;
pub mod crowd;
mod deadlines;
mod ended;
mod erased;
pub mod estate;
mod hands;
mod held;
mod kept;
mod killed;
mod lasting;
mod late;
mod law;
mod leases;
mod lifting;
pub mod many;
mod objections;
mod outage;
pub mod person;
mod shared;
mod whole;
