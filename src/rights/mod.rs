//! Rights of persons: under which law somebody asks, until when an answer is due, and what letters
//! say.
//!
//! Pure: the tables are data, days are counted on the controller's calendar, and nothing here
//! knows the time.

mod calendar;
mod deadline;
mod ground;
mod letter;
mod regime;

pub use calendar::WorkingCalendar;
pub use deadline::{ClockStop, Deadlines, Extended, Promise, StopReason, deadlines};
pub use ground::concerns_direct_marketing;
pub use letter::{
    CopiesPart, Facts, FilesPart, KeptPart, LetterError, ToldParty, Written, built_in, fill, write,
};
pub use regime::{Regime, RegimeError, Regimes};

#[cfg(test)]
mod tests;
