//! Retention periods: ISO 8601 durations with calendar arithmetic.

use jiff::Span;

/// How the end of a period is rounded up.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// Not at all.
    #[default]
    None,
    /// To the end of the calendar month in which the period ends.
    EndOfMonth,
    /// To the end of the calendar year in which the period ends (AO § 147(4), HGB § 257(5)).
    EndOfCalendarYear,
}

/// A period such as `P90D`, `P3M` or `P8Y`. Never negative; `P0D` is "at once".
#[derive(Debug, Clone, Copy)]
pub struct RetentionPeriod {
    span: Span,
}

/// Why a text is no period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no period: {why}")]
pub struct PeriodError {
    /// What was given.
    pub text: String,
    /// Why, and what to write instead.
    pub why: String,
}

impl RetentionPeriod {
    /// The period as a span of the calendar.
    pub fn span(&self) -> Span {
        self.span
    }
}
