//! Tests of the plan, through its public door.

mod conditions;
mod counts;
mod fixture;
mod holds;
mod laws;
mod orders;
mod person_laws;
mod persons;
mod resolutions;
mod rules;
