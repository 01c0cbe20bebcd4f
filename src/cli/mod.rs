//! Room `cli`.

pub mod explain_text;
pub mod plan_text;
