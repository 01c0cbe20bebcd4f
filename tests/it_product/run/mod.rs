//! Runs: exactly what is due goes; caps, holds, pauses, outages and the timer do what they promise.

mod caps;
mod changes;
mod exactly;
mod guards;
mod idle;
mod liars;
mod outage;
mod persons;
mod stops;
mod timer;
mod windows;
