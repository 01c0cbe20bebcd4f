//! Days and moments that nobody knows, written as if somebody did.
//!
//! Older tables of MariaDB write `0000-00-00` where there is no day, columns of numbers have 0 or -1
//! where there is no moment, and PostgreSQL takes `-infinity` for one before all others. Each would be
//! older than every cutoff. Such a value counts as absent here: it is never due.

use crate::sql::dialect::Dialect;
use crate::sql::fragment::Fragment;
use crate::sql::values::Operand;
use crate::value::FieldType;

/// Numbers that say "no moment": what a column has by default, and what programs write for "none". As
/// moments they are the first one of 1970 and the one before it.
pub(super) const NO_MOMENT: [i64; 2] = [0, -1];
/// What PostgreSQL writes for a moment before all others.
pub(super) const BEFORE_ALL: &str = "-infinity";

impl Operand<'_> {
    /// The condition that a day or moment is one; `None` where the field holds neither.
    pub(crate) fn known(&self) -> Option<String> {
        if self.epoch() {
            // SQLite's number is null where it is none.
            return (self.dialect != Dialect::Sqlite).then(|| is_moment(&self.name));
        }
        let kept = matches!(self.column.class, FieldType::Timestamp | FieldType::Date);
        let name = &self.name;
        match self.dialect {
            Dialect::MariaDb if kept => {
                Some(format!("DAYOFMONTH({name}) > 0 AND MONTH({name}) > 0"))
            }
            Dialect::Postgres if kept => Some(format!("{name} <> '{BEFORE_ALL}'")),
            _ => None,
        }
    }

    /// A comparison that does not hold for a day or moment that is none.
    pub(crate) fn where_known(&self, compared: Fragment) -> Fragment {
        match self.known() {
            Some(known) => compared.within("(", &format!(" AND {known})")),
            None => compared,
        }
    }

    /// The column, or null where it holds a day or moment that is none.
    pub(crate) fn readable(&self) -> String {
        match self.known() {
            Some(known) => format!("CASE WHEN {known} THEN {} END", self.name),
            None => self.name.clone(),
        }
    }
}

/// The condition that a number is a moment.
pub(super) fn is_moment(name: &str) -> String {
    format!("{name} NOT IN ({}, {})", NO_MOMENT[0], NO_MOMENT[1])
}
