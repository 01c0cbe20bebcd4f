//! Numbers and truths in SQLite, whose columns hold anything.
//!
//! SQLite compares a column of text with a number letter by letter (`'10' < '5'`), and takes any
//! text in a column of numbers for greater than all of them. What cannot be read compares with
//! nothing.

use crate::predicate::Comparison;
use crate::sql::dialect::Dialect;
use crate::sql::fragment::Fragment;
use crate::sql::values::{Operand, sign};
use crate::value::FieldType;

impl Operand<'_> {
    /// The field is declared to hold numbers or truths, and its column may hold something else.
    pub(crate) fn sqlite_number(&self) -> bool {
        let declared = matches!(
            self.mapped.field_type,
            FieldType::Integer | FieldType::Decimal | FieldType::Float | FieldType::Boolean
        );
        self.dialect == Dialect::Sqlite && declared
    }

    /// A comparison with a number; unknown where the field holds none.
    pub(crate) fn sqlite_compare_number(
        &self,
        comparison: Comparison,
        right: Fragment,
    ) -> Fragment {
        let (name, sign) = (&self.name, sign(comparison));
        let number = format!("typeof({name}) IN ('integer', 'real')");
        if self.mapped.field_type == FieldType::Boolean {
            let left = format!(
                "CASE WHEN {number} THEN {name} WHEN {name} IN ('true', 't', '1') THEN 1 \
                 WHEN {name} IN ('false', 'f', '0') THEN 0 END"
            );
            return right.within(&format!("{left} {sign} "), "");
        }
        if self.numbers_stay_numbers() {
            // The bare column, so that its index is used.
            return right.within(&format!("({name} {sign} "), &format!(" AND {number})"));
        }
        let written = format!(
            "typeof({name}) = 'text' AND {name} GLOB '[-+.0-9]*' AND {name} GLOB '*[0-9]*' \
             AND substr({name}, 2) NOT GLOB '*[^.0-9]*' AND {name} NOT GLOB '*.*.*'"
        );
        let left = format!(
            "CASE WHEN {number} THEN {name} WHEN {written} THEN CAST({name} AS NUMERIC) END"
        );
        right.within(&format!("{left} {sign} "), "")
    }

    /// By SQLite's rules of affinity: a text that is a number becomes one when it is written.
    fn numbers_stay_numbers(&self) -> bool {
        let native = self.column.native.to_ascii_uppercase();
        let has = |word: &str| native.contains(word);
        let text = has("CHAR") || has("CLOB") || has("TEXT");
        has("INT") || !(native.is_empty() || text || has("BLOB"))
    }
}
