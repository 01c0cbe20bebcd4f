//! What differs between the three databases in writing: names, quoting, and comparing keys.

use crate::receipt::Fault;
use crate::sql::faults::misconfigured;
use crate::sql::fragment::{Fragment, MARK};

/// A family of databases with one way of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Postgres,
    MariaDb,
    Sqlite,
}

impl Dialect {
    /// The dialect of a kind of the data map.
    pub(crate) fn of_kind(kind: &str) -> Option<Self> {
        match kind {
            "postgresql" => Some(Self::Postgres),
            "mariadb" | "mysql" => Some(Self::MariaDb),
            "sqlite" => Some(Self::Sqlite),
            _ => None,
        }
    }

    /// What the family calls itself in messages.
    pub(crate) fn product(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::MariaDb => "MariaDB",
            Self::Sqlite => "SQLite",
        }
    }

    /// Schemes of connection URLs; the first is the usual one.
    pub(crate) fn schemes(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["postgres", "postgresql"],
            Self::MariaDb => &["mysql", "mariadb"],
            Self::Sqlite => &["sqlite"],
        }
    }

    /// No record can refer to a parent that is not there where a foreign key says so. SQLite looks
    /// only where the connection that writes asks it to.
    pub(crate) fn guards_references(self) -> bool {
        self != Self::Sqlite
    }

    /// An identifier in quotes.
    ///
    /// # Errors
    /// `Misconfigured` for an empty identifier or one with a NUL.
    pub(crate) fn quote(self, identifier: &str) -> Result<String, Fault> {
        if identifier.is_empty() || identifier.contains(MARK) {
            return Err(misconfigured("a name is empty or contains NUL and cannot be used"));
        }
        let mark = if self == Self::MariaDb { '`' } else { '"' };
        let mut quoted = String::with_capacity(identifier.len() + 2);
        quoted.push(mark);
        for character in identifier.chars() {
            if character == mark {
                quoted.push(mark);
            }
            quoted.push(character);
        }
        quoted.push(mark);
        Ok(quoted)
    }

    /// `left` comes after `right` in the order of a key of several parts.
    ///
    /// MariaDB does not use an index for row values, so they are written out with a leading
    /// condition on the first part that it does use.
    pub(crate) fn key_compare(
        self,
        names: &[String],
        how: KeyCompare,
        bounds: &[Fragment],
    ) -> Fragment {
        if names.len() == 1 {
            return Fragment::raw(format!("{} {} ", names[0], how.sign())).and(bounds[0].clone());
        }
        if self == Self::MariaDb {
            return written_out(names, how, bounds);
        }
        let right = Fragment::join(bounds.to_vec(), ", ").within("(", ")");
        Fragment::raw(format!("({}) {} ", names.join(", "), how.sign())).and(right)
    }

    /// The aggregate `COUNT` of records for which a condition holds, as a whole number.
    pub(crate) fn count_where(self, condition: Fragment) -> Fragment {
        let counted = condition.within("COALESCE(SUM(CASE WHEN ", " THEN 1 ELSE 0 END), 0)");
        self.whole_number(counted)
    }

    /// A number that may come as an exact decimal, as a whole number.
    pub(crate) fn whole_number(self, number: Fragment) -> Fragment {
        match self {
            Self::Postgres => number.within("CAST(", " AS bigint)"),
            Self::MariaDb => number.within("CAST(", " AS SIGNED)"),
            Self::Sqlite => number,
        }
    }

    /// `a IS DISTINCT FROM b`, by content.
    pub(crate) fn distinct(self, left: Fragment, right: Fragment) -> Fragment {
        match self {
            Self::Postgres => left.then(" IS DISTINCT FROM ").and(right).within("(", ")"),
            Self::MariaDb => left.then(" <=> ").and(right).within("(NOT (", "))"),
            Self::Sqlite => left.then(" IS NOT ").and(right).within("(", ")"),
        }
    }

    /// A true or false constant.
    pub(crate) fn truth(self, value: bool) -> &'static str {
        match (self, value) {
            (Self::Postgres, true) => "TRUE",
            (Self::Postgres, false) => "FALSE",
            (_, true) => "1",
            (_, false) => "0",
        }
    }
}

/// How a key compares with a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyCompare {
    After,
    UpTo,
}

impl KeyCompare {
    fn sign(self) -> &'static str {
        match self {
            Self::After => ">",
            Self::UpTo => "<=",
        }
    }
}

fn written_out(names: &[String], how: KeyCompare, bounds: &[Fragment]) -> Fragment {
    let (strict, leading) = match how {
        KeyCompare::After => (">", ">="),
        KeyCompare::UpTo => ("<", "<="),
    };
    let mut alternatives = Vec::new();
    for depth in 0..names.len() {
        let mut parts: Vec<Fragment> = (0..depth)
            .map(|index| Fragment::raw(format!("{} = ", names[index])).and(bounds[index].clone()))
            .collect();
        let last = depth + 1 == names.len();
        let sign = if last { how.sign() } else { strict };
        parts.push(Fragment::raw(format!("{} {sign} ", names[depth])).and(bounds[depth].clone()));
        alternatives.push(Fragment::all(parts));
    }
    let first = Fragment::raw(format!("{} {leading} ", names[0])).and(bounds[0].clone());
    Fragment::all(vec![first, Fragment::any(alternatives)])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sql::fragment::Cell;

    fn bare(cell: &Cell) -> Fragment {
        Fragment::value(cell.clone())
    }

    #[test]
    fn a_nul_is_refused() {
        assert!(Dialect::Postgres.quote("a\0b").is_err());
        assert!(Dialect::Sqlite.quote("").is_err());
    }

    #[test]
    fn mariadb_keys_are_written_out_with_a_leading_condition() {
        let names = ["`a`".to_owned(), "`b`".to_owned()];
        let bounds = [bare(&Cell::Integer(1)), bare(&Cell::Integer(2))];
        let after = Dialect::MariaDb.key_compare(&names, KeyCompare::After, &bounds);
        assert_eq!(
            after.finish(Dialect::MariaDb),
            "(`a` >= ? AND (`a` > ? OR (`a` = ? AND `b` > ?)))"
        );
        let up_to = Dialect::Postgres.key_compare(&names, KeyCompare::UpTo, &bounds);
        assert_eq!(up_to.finish(Dialect::Postgres), "(`a`, `b`) <= ($1, $2)");
    }

    proptest! {
        #[test]
        fn quoting_can_be_undone(name in "[^\0]{1,40}") {
            for dialect in [Dialect::Postgres, Dialect::MariaDb, Dialect::Sqlite] {
                let mark = if dialect == Dialect::MariaDb { '`' } else { '"' };
                let quoted = dialect.quote(&name).unwrap();
                let inner = &quoted[1..quoted.len() - 1];
                let doubled = format!("{mark}{mark}");
                prop_assert_eq!(inner.replace(&doubled, ""), name.replace(mark, ""));
                prop_assert_eq!(inner.replace(&doubled, &mark.to_string()), name.clone());
            }
        }
    }
}
