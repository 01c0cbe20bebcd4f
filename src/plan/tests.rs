//! Tests of the plan, through its public door.

mod conditions;
mod counts;
mod events;
mod fixture;
mod holds;
mod laws;
mod orders;
mod renamed;
mod rules;
