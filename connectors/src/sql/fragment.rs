//! Pieces of SQL with the values that belong to them.
//!
//! A value never becomes text: it stands in the text as a mark, and the mark becomes the
//! dialect's placeholder when the statement is finished. Identifiers cannot contain the mark.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::sql::dialect::Dialect;

/// Where a value stands; `quote` refuses identifiers that contain it.
pub(crate) const MARK: char = '\0';

/// One value on its way into or out of a database. It may be personal data and does not print.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "t", content = "v")]
pub(crate) enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
    /// PostgreSQL: `timestamptz`, microseconds since 2000 in UTC.
    Moment(i64),
    /// PostgreSQL: `timestamp`, microseconds since 2000.
    WallClock(i64),
    /// PostgreSQL: `date`, days since 2000.
    Day(i32),
}

impl fmt::Debug for Cell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Null => "<null>",
            Self::Integer(_) => "<integer>",
            Self::Real(_) => "<real>",
            Self::Text(_) => "<text>",
            Self::Bytes(_) => "<bytes>",
            Self::Moment(_) | Self::WallClock(_) => "<moment>",
            Self::Day(_) => "<day>",
        })
    }
}

impl Cell {
    /// A count; negative or absent ones are zero.
    pub(crate) fn count(&self) -> u64 {
        match self {
            Self::Integer(number) => u64::try_from(*number).unwrap_or(0),
            Self::Text(text) => text.parse().unwrap_or(0),
            _ => 0,
        }
    }

    /// True for a number other than zero.
    pub(crate) fn truth(&self) -> bool {
        match self {
            Self::Integer(number) => *number != 0,
            Self::Text(text) => matches!(text.as_str(), "YES" | "yes" | "t" | "true" | "1"),
            _ => false,
        }
    }

    /// Text of a catalogue entry; other values are written in digits, absent ones are empty.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Real(number) => number.to_string(),
            Self::Null | Self::Moment(_) | Self::WallClock(_) | Self::Day(_) => String::new(),
        }
    }

    /// Text, or `None` where there is no value.
    pub(crate) fn optional_text(&self) -> Option<String> {
        if *self == Self::Null { None } else { Some(self.text()) }
    }
}

/// A piece of a statement.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Fragment {
    pub(crate) text: String,
    pub(crate) binds: Vec<Cell>,
}

impl Fragment {
    /// Text without values.
    pub(crate) fn raw(text: impl Into<String>) -> Self {
        Self { text: text.into(), binds: Vec::new() }
    }

    /// One value.
    pub(crate) fn value(cell: Cell) -> Self {
        Self { text: MARK.to_string(), binds: vec![cell] }
    }

    /// A piece of text value.
    pub(crate) fn text_value(text: impl Into<String>) -> Self {
        Self::value(Cell::Text(text.into()))
    }

    /// Adds text.
    #[must_use]
    pub(crate) fn then(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    /// Adds another piece.
    #[must_use]
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.text.push_str(&other.text);
        self.binds.extend(other.binds);
        self
    }

    /// `(` this `)` with text before and behind.
    #[must_use]
    pub(crate) fn within(self, before: &str, behind: &str) -> Self {
        Self { text: format!("{before}{}{behind}", self.text), binds: self.binds }
    }

    /// All pieces with `between` between them, each in parentheses.
    pub(crate) fn join(parts: Vec<Self>, between: &str) -> Self {
        let mut whole = Self::default();
        for (number, part) in parts.into_iter().enumerate() {
            if number > 0 {
                whole.text.push_str(between);
            }
            whole = whole.and(part);
        }
        whole
    }

    /// The conjunction; true where there is none.
    pub(crate) fn all(parts: Vec<Self>) -> Self {
        Self::combine(parts, " AND ", "(1 = 1)")
    }

    /// The disjunction; false where there is none.
    pub(crate) fn any(parts: Vec<Self>) -> Self {
        Self::combine(parts, " OR ", "(1 = 0)")
    }

    fn combine(mut parts: Vec<Self>, between: &str, empty: &str) -> Self {
        match parts.len() {
            0 => Self::raw(empty),
            1 => parts.remove(0),
            _ => Self::join(parts, between).within("(", ")"),
        }
    }

    /// Two-valued negation: true where this is false or unknown.
    #[must_use]
    pub(crate) fn negate(self) -> Self {
        self.within("((", ") IS NOT TRUE)")
    }

    /// The statement text with the dialect's placeholders.
    pub(crate) fn finish(&self, dialect: Dialect) -> String {
        let mut finished = String::with_capacity(self.text.len() + 2 * self.binds.len());
        let mut number = 0_usize;
        for character in self.text.chars() {
            if character == MARK {
                number += 1;
                if dialect == Dialect::Postgres {
                    finished.push('$');
                    finished.push_str(&number.to_string());
                } else {
                    finished.push('?');
                }
            } else {
                finished.push(character);
            }
        }
        finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_numbered_where_the_dialect_wants_it() {
        let fragment = Fragment::all(vec![
            Fragment::raw("a = ").and(Fragment::text_value("x")),
            Fragment::raw("b = ").and(Fragment::value(Cell::Integer(1))),
        ]);
        assert_eq!(fragment.finish(Dialect::Postgres), "(a = $1 AND b = $2)");
        assert_eq!(fragment.finish(Dialect::Sqlite), "(a = ? AND b = ?)");
        assert_eq!(fragment.binds.len(), 2);
    }

    #[test]
    fn values_do_not_print() {
        let printed = format!("{:?}", Fragment::text_value("ada@example.org"));
        assert!(!printed.contains("ada"), "{printed}");
    }
}
