//! Rows that one statement writes or asks about, as one argument. Sent row by row, each row would be a
//! message of its own.
//!
//! PostgreSQL gets them as one array a column, which `unnest` puts together again: nothing is written
//! out as text and read again, which took longer than all that the server did with the rows. The
//! argument stands for as many placeholders as the rows have columns. SQLite, which has no arrays, gets
//! a JSON array with an array of values a row, in which bytes and identifiers are hexadecimal digits.

use serde_json::json;
use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use uuid::Uuid;

use super::error::StoreError;
use super::statement::Arg;

/// The values of one column, all of one kind.
enum Column {
    Int(Vec<Option<i64>>),
    Bool(Vec<bool>),
    Text(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
    Id(Vec<Option<Uuid>>),
}

/// Rows, column by column.
#[derive(Default)]
pub(super) struct Rows {
    columns: Vec<Column>,
    many: usize,
    size: usize,
}

impl Column {
    fn of(arg: Arg) -> Result<Self, StoreError> {
        Ok(match arg {
            Arg::Int(value) => Self::Int(vec![value]),
            Arg::Bool(value) => Self::Bool(vec![value]),
            Arg::Text(value) => Self::Text(vec![value]),
            Arg::Bytes(value) => Self::Bytes(vec![value]),
            Arg::Id(value) => Self::Id(vec![value]),
            Arg::Rows(_) => return Err(uneven()),
        })
    }

    fn push(&mut self, arg: Arg) -> Result<(), StoreError> {
        match (self, arg) {
            (Self::Int(values), Arg::Int(value)) => values.push(value),
            (Self::Bool(values), Arg::Bool(value)) => values.push(value),
            (Self::Text(values), Arg::Text(value)) => values.push(value),
            (Self::Bytes(values), Arg::Bytes(value)) => values.push(value),
            (Self::Id(values), Arg::Id(value)) => values.push(value),
            _ => return Err(uneven()),
        }
        Ok(())
    }

    /// The value of a row as JSON; `None` past the last one.
    fn json(&self, row: usize) -> Option<serde_json::Value> {
        Some(match self {
            Self::Int(values) => json!(values.get(row)?),
            Self::Bool(values) => json!(values.get(row)?),
            Self::Text(values) => json!(values.get(row)?),
            Self::Bytes(values) => json!(values.get(row)?.as_ref().map(hex::encode)),
            Self::Id(values) => json!(values.get(row)?.map(|id| id.simple().to_string())),
        })
    }
}

fn uneven() -> StoreError {
    StoreError::Refused { what: "rows whose columns differ".to_owned() }
}

/// How many bytes a value has at most where it is written as JSON.
fn size_of(arg: &Arg) -> usize {
    match arg {
        Arg::Text(Some(value)) => value.len(),
        Arg::Bytes(Some(value)) => value.len() * 2,
        Arg::Int(_) | Arg::Bool(_) | Arg::Id(_) | Arg::Text(None) | Arg::Bytes(None) => 34,
        Arg::Rows(rows) => rows.size,
    }
}

impl Rows {
    /// Bytes after which it is time to write.
    const FULL: usize = 4 << 20;

    /// Adds a row.
    ///
    /// # Errors
    /// Where it has other columns than the rows before it.
    pub(super) fn push(&mut self, values: Vec<Arg>) -> Result<(), StoreError> {
        self.size += values.iter().map(size_of).sum::<usize>();
        if self.many == 0 {
            self.columns = values.into_iter().map(Column::of).collect::<Result<_, _>>()?;
        } else if values.len() == self.columns.len() {
            for (column, value) in self.columns.iter_mut().zip(values) {
                column.push(value)?;
            }
        } else {
            return Err(uneven());
        }
        self.many += 1;
        Ok(())
    }

    /// Whether so much waits that it has to be written before more is added.
    pub(super) fn is_full(&self) -> bool {
        self.size >= Self::FULL
    }

    /// What waits, where it has to be written before more is added.
    pub(super) fn take_if_full(&mut self) -> Option<Self> {
        if self.is_full() { self.take() } else { None }
    }

    /// What waits to be written; `None` where nothing does.
    pub(super) fn take(&mut self) -> Option<Self> {
        Some(std::mem::take(self)).filter(|rows| rows.many > 0)
    }

    /// The argument of SQLite.
    pub(super) fn to_json(&self) -> String {
        let row = |number| self.columns.iter().filter_map(|column| column.json(number)).collect();
        serde_json::Value::Array((0..self.many).map(row).collect()).to_string()
    }

    /// Binds the arguments of PostgreSQL: one array a column.
    pub(super) fn bind(
        self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Query<'_, Postgres, PgArguments> {
        self.columns.into_iter().fold(query, |query, column| match column {
            Column::Int(values) => query.bind(values),
            Column::Bool(values) => query.bind(values),
            Column::Text(values) => query.bind(values),
            Column::Bytes(values) => query.bind(values),
            Column::Id(values) => query.bind(values),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::statement::args;

    #[test]
    fn rows_are_one_json_array_with_hexadecimal_digits_and_nulls() {
        let mut rows = Rows::default();
        assert!(rows.take().is_none());
        let id = Uuid::from_u128(7);
        rows.push(args![id, 3_u32, "\"a\"", vec![0xab_u8], None::<i64>]).unwrap();
        rows.push(args![None::<Uuid>, 4_i64, None::<String>, None::<Vec<u8>>, 5_i64]).unwrap();
        let taken = rows.take().unwrap();
        assert_eq!(
            taken.to_json(),
            r#"[["00000000000000000000000000000007",3,"\"a\"","ab",null],[null,4,null,null,5]]"#
        );
        assert!(rows.take().is_none());
        rows.push(args![true]).unwrap();
        assert_eq!(rows.take().unwrap().to_json(), "[[true]]");
    }

    #[test]
    fn rows_of_other_columns_are_refused() {
        let mut rows = Rows::default();
        rows.push(args![1_i64, "a"]).unwrap();
        assert!(rows.push(args![1_i64]).is_err());
        assert!(rows.push(args!["a", "a"]).is_err());
    }

    #[test]
    fn much_is_written_in_parts() {
        let mut rows = Rows::default();
        rows.push(args![vec![0_u8; Rows::FULL / 2 - 1]]).unwrap();
        assert!(rows.take_if_full().is_none());
        rows.push(args![vec![0_u8; 1]]).unwrap();
        assert_eq!(rows.take_if_full().unwrap().many, 2);
        assert!(!rows.is_full());
    }
}
