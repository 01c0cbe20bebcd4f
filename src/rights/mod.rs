//! Rights of persons: under which law somebody asks, and until when an answer is due.
//!
//! Pure: the tables are data, days are counted on the controller's calendar, and nothing here
//! knows the time.

mod calendar;
mod deadline;
mod regime;

pub use calendar::WorkingCalendar;
pub use deadline::{ClockStop, Deadlines, Extended, Promise, deadlines};
pub use regime::{Regime, RegimeError, Regimes};

#[cfg(test)]
mod tests;
