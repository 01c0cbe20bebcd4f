//! When two texts are the same.
//!
//! A constant of the contract is compared character by character, whatever the field's collation
//! says: a database that takes `Ann` for `ann` must not delete both. The field's own equality
//! stands beside, so that its index is used. Where a wider answer only keeps more records (holds),
//! the field's own equality alone decides.

use crate::predicate::Comparison;
use crate::sql::dialect::Dialect;
use crate::sql::fragment::Fragment;
use crate::sql::values::{Operand, sign};
use crate::value::FieldType;

/// How equal texts are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Equality {
    /// Character by character.
    Exact,
    /// As the field's own collation has it, which may ignore case, accents and blanks at the end.
    Collation,
}

/// What a predicate decides, and whether a negation stands around the part that is being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Something may happen to the records for which it holds.
    Due { negated: bool },
    /// Nothing happens to the records for which it holds.
    Held { negated: bool },
}

impl Reading {
    /// The reading of what stands inside a negation.
    pub(crate) fn inside_not(self) -> Self {
        match self {
            Self::Due { negated } => Self::Due { negated: !negated },
            Self::Held { negated } => Self::Held { negated: !negated },
        }
    }

    /// How a comparison with a constant is read. A hold never covers less than either equality
    /// would have it cover; everything else is exact.
    pub(crate) fn of_comparison(self, comparison: Comparison) -> Equality {
        let widens = match (self, comparison) {
            (Self::Held { negated }, Comparison::NotEqual) => negated,
            (Self::Held { negated }, _) => !negated,
            (Self::Due { .. }, _) => false,
        };
        if widens { Equality::Collation } else { Equality::Exact }
    }

    /// How a list is read. Inside a negation it says what stays, like a hold.
    pub(crate) fn of_list(self) -> Equality {
        match self {
            Self::Held { negated: false } | Self::Due { negated: true } => Equality::Collation,
            Self::Held { negated: true } | Self::Due { negated: false } => Equality::Exact,
        }
    }
}

impl Operand<'_> {
    /// Capitals do not count where the field is compared with a list.
    pub(crate) fn ignores_case(&self) -> bool {
        self.mapped.ignores_case && self.mapped.field_type == FieldType::Text
    }

    /// The field's own equality takes capitals for small letters, so that its own index serves.
    fn blind_to_case(&self) -> bool {
        let ends = |(_, collation): &(String, String)| collation.ends_with("_ci");
        self.dialect == Dialect::MariaDb && self.column.collation.as_ref().is_some_and(ends)
    }

    /// The field as it is compared with a list whose texts are in small letters.
    pub(crate) fn listed_name(&self) -> String {
        if self.ignores_case() && !self.blind_to_case() {
            format!("lower({})", self.name)
        } else {
            self.name.clone()
        }
    }

    /// A value of a list that this field is compared with.
    pub(crate) fn listed_form(&self, form: Fragment) -> Fragment {
        if self.ignores_case() { form.within("lower(", ")") } else { form }
    }

    /// The field's own equality may take different texts for one. SQLite does not tell the
    /// collation of a field, so there every text may.
    fn blind(&self) -> bool {
        let textual =
            matches!(self.mapped.field_type, FieldType::Text | FieldType::Json | FieldType::Other);
        textual && (self.dialect == Dialect::Sqlite || self.column.collation.is_some())
    }

    /// A comparison of the field with a constant that is neither a moment nor a day.
    pub(crate) fn plain_compare(
        &self,
        comparison: Comparison,
        right: Fragment,
        equality: Equality,
    ) -> Fragment {
        if self.sqlite_number() {
            return self.sqlite_compare_number(comparison, right);
        }
        let own = Fragment::raw(format!("{} {} ", self.bare(), sign(comparison)));
        let exact = equality == Equality::Exact && self.blind();
        match comparison {
            Comparison::Equal if exact => {
                let exactly = self.exactly("=", right.clone());
                Fragment::all(vec![own.and(right), exactly])
            }
            Comparison::NotEqual if exact => self.exactly("<>", right),
            _ => own.and(right),
        }
    }

    /// The field equals a column of a list.
    pub(crate) fn list_equality(&self, column: &str, equality: Equality) -> String {
        let left = self.list_operand();
        if equality == Equality::Collation || !self.blind() {
            return format!("{left} = {column}");
        }
        let own =
            if self.ignores_case() { format!("lower({})", self.name) } else { self.name.clone() };
        let exactly = self.exactly_as(&own, "=", Fragment::raw(column)).text;
        // The list's index is one of characters, so it serves the exact comparison by itself.
        if self.dialect == Dialect::Sqlite {
            exactly
        } else {
            format!("{left} = {column} AND {exactly}")
        }
    }

    fn exactly(&self, sign: &str, right: Fragment) -> Fragment {
        self.exactly_as(&self.name, sign, right)
    }

    fn exactly_as(&self, name: &str, sign: &str, right: Fragment) -> Fragment {
        match self.dialect {
            Dialect::Postgres => right.within(
                &format!("CAST({name} AS text) COLLATE \"C\" {sign} CAST("),
                " AS text) COLLATE \"C\"",
            ),
            Dialect::MariaDb => right.within(
                &format!("CAST(CONVERT({name} USING utf8mb4) AS BINARY) {sign} CAST(CONVERT("),
                " USING utf8mb4) AS BINARY)",
            ),
            Dialect::Sqlite => right.within(&format!("{name} {sign} "), " COLLATE BINARY"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_keeps_records_is_read_widely() {
        let due = Reading::Due { negated: false };
        let held = Reading::Held { negated: false };
        assert_eq!(due.of_comparison(Comparison::Equal), Equality::Exact);
        assert_eq!(due.inside_not().of_comparison(Comparison::Equal), Equality::Exact);
        assert_eq!(held.of_comparison(Comparison::Equal), Equality::Collation);
        assert_eq!(held.of_comparison(Comparison::NotEqual), Equality::Exact);
        assert_eq!(held.inside_not().of_comparison(Comparison::Equal), Equality::Exact);
        assert_eq!(due.of_list(), Equality::Exact);
        assert_eq!(due.inside_not().of_list(), Equality::Collation);
        assert_eq!(held.of_list(), Equality::Collation);
    }
}
