//! Runs: exactly what is due goes; caps, holds, pauses, outages and the timer do what they promise.

mod accounts;
mod caps;
mod changes;
mod exactly;
mod guards;
mod idle;
mod lanes;
mod law;
mod leftovers;
mod liars;
mod long;
mod outage;
mod persons;
mod pooled;
mod releases;
mod replicas;
mod stops;
mod timer;
mod upgrade;
mod windows;
