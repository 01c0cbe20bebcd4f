//! Tests of the plan, through its public door.

mod conditions;
mod counts;
mod events;
mod fixture;
mod holds;
mod law;
mod laws;
mod named_persons;
mod orders;
mod person_laws;
mod persons;
mod renamed;
mod resolutions;
mod rules;
mod shared;
