//! The rule language: retention rules, statutory minimums and maximums, schedules. It reads bytes
//! that it is handed.

pub mod calendar;
pub mod condition;
pub mod model;

pub use calendar::{Calendar, CalendarError};
pub use condition::Condition;
pub use model::{
    Action, Cap, Exemption, LegalBasis, Limit, LimitKind, Missed, RetentionRule, RuleSet, Schedule,
};
