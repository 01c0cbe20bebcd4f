//! The rule language: retention rules, statutory minimums and maximums, schedules. It reads bytes
//! that it is handed.

pub mod calendar;
pub mod condition;
pub mod model;
pub mod parse;
pub mod timetable;

pub use calendar::{Calendar, CalendarError};
pub use condition::{AttributeUse, Condition, Literal};
pub use model::{
    Action, Cap, Exemption, LegalBasis, Limit, LimitKind, Missed, RetentionRule, RuleSet, Schedule,
};
pub use parse::ConditionError;
pub use timetable::Timetable;
