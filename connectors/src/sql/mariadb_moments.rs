//! Days and moments of MariaDB that nobody knows.
//!
//! Older tables write `0000-00-00` where there is no day, and the system takes it for one before all
//! others. A day, month or moment of zero counts as absent here: it is never due.

use crate::sql::dialect::Dialect;
use crate::sql::fragment::Fragment;
use crate::sql::values::Operand;
use crate::value::FieldType;

impl Operand<'_> {
    /// The condition that a day or moment is one; `None` where the field holds neither.
    pub(crate) fn mariadb_known(&self) -> Option<String> {
        let kept = matches!(self.column.class, FieldType::Timestamp | FieldType::Date);
        (self.dialect == Dialect::MariaDb && kept && !self.epoch())
            .then(|| format!("DAYOFMONTH({0}) > 0 AND MONTH({0}) > 0", self.name))
    }

    /// A comparison that does not hold for a day or moment that is none.
    pub(crate) fn mariadb_where_known(&self, compared: Fragment) -> Fragment {
        match self.mariadb_known() {
            Some(known) => compared.within("(", &format!(" AND {known})")),
            None => compared,
        }
    }

    /// The column, or null where it holds a day or moment that is none.
    pub(crate) fn mariadb_readable(&self) -> String {
        match self.mariadb_known() {
            Some(known) => format!("CASE WHEN {known} THEN {} END", self.name),
            None => self.name.clone(),
        }
    }
}
