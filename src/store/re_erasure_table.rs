//! A table as the re-erasure list mirrors it: how rows are read, and how they are put back.
//!
//! Rows go out as JSON objects of their columns, bytes and identifiers as hexadecimal digits, and
//! come back as one argument. What is there already is only brought forward; the laws of the schema
//! refuse everything else.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::connection::Tx;
use super::error::StoreError;
use super::statement::{Row, Sql, args, json};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// An identifier.
    Id,
    /// A whole number.
    Int,
    /// A text.
    Text,
    /// Bytes.
    Bytes,
}

/// One table of the list.
pub(super) struct Table {
    /// Its name, which is that of its rows in an entry.
    pub(super) name: &'static str,
    /// Its columns.
    pub(super) columns: &'static [(&'static str, Holds)],
    /// Reads the rows that belong to `$1`.
    pub(super) read: Sql,
    /// Makes way for rows that would be refused otherwise.
    pub(super) prepare: Option<Sql>,
    /// Brings rows forward that are there and differ; `None` where none may.
    pub(super) renew: Option<Sql>,
    /// Adds rows that are not there.
    pub(super) add: Sql,
    /// Takes rows away that belong to `$2` and are not among those of `$1`.
    pub(super) drop: Option<Sql>,
}

/// One value of a row, in the words of a database.
macro_rules! value {
    (sqlite Id $column:literal) => {
        concat!("unhex(value ->> '", $column, "')")
    };
    (sqlite Bytes $column:literal) => {
        concat!("unhex(value ->> '", $column, "')")
    };
    (sqlite Int $column:literal) => {
        concat!("CAST(value ->> '", $column, "' AS INTEGER)")
    };
    (sqlite Text $column:literal) => {
        concat!("(value ->> '", $column, "')")
    };
    (postgres Id $column:literal) => {
        concat!("(value ->> '", $column, "')::uuid")
    };
    (postgres Bytes $column:literal) => {
        concat!("decode(value ->> '", $column, "', 'hex')")
    };
    (postgres Int $column:literal) => {
        concat!("(value ->> '", $column, "')::bigint")
    };
    (postgres Text $column:literal) => {
        concat!("(value ->> '", $column, "')")
    };
}

/// The rows of an argument.
macro_rules! rows {
    (sqlite) => {
        " FROM json_each($1)"
    };
    (postgres) => {
        " FROM json_array_elements($1::text::json) AS rows (value)"
    };
}

macro_rules! add_text {
    ($side:ident, $table:literal, ($first_key:literal: $first_kind:ident $(, $key:literal: $kind:ident)*),
     ($first:literal: $first_holds:ident $(, $column:literal: $holds:ident)*)) => {
        concat!(
            "INSERT INTO ", $table, " (", $first $(, ", ", $column)*, ") SELECT ",
            $crate::store::re_erasure_table::value!($side $first_holds $first)
            $(, ", ", $crate::store::re_erasure_table::value!($side $holds $column))*,
            $crate::store::re_erasure_table::rows!($side),
            " WHERE NOT EXISTS (SELECT 1 FROM ", $table, " AS kept WHERE kept.", $first_key, " = ",
            $crate::store::re_erasure_table::value!($side $first_kind $first_key)
            $(, " AND kept.", $key, " = ", $crate::store::re_erasure_table::value!($side $kind $key))*,
            ")"
        )
    };
}

macro_rules! renew_text {
    ($side:ident, $table:literal, ($first_key:literal: $first_kind:ident $(, $key:literal: $kind:ident)*),
     ($first:literal: $first_holds:ident $(, $column:literal: $holds:ident)*), $only:literal) => {
        concat!(
            "UPDATE ", $table, " SET ", $first, " = later.", $first
            $(, ", ", $column, " = later.", $column)*,
            " FROM (SELECT ",
            $crate::store::re_erasure_table::value!($side $first_holds $first), " AS ", $first
            $(, ", ", $crate::store::re_erasure_table::value!($side $holds $column), " AS ", $column)*,
            $crate::store::re_erasure_table::rows!($side), ") AS later WHERE ",
            $table, ".", $first_key, " = later.", $first_key
            $(, " AND ", $table, ".", $key, " = later.", $key)*,
            " AND (", $table, ".", $first, " IS DISTINCT FROM later.", $first
            $(, " OR ", $table, ".", $column, " IS DISTINCT FROM later.", $column)*,
            ")", $only
        )
    };
}

/// Describes a table: its key, its columns, and how the rows of `$1` are found.
macro_rules! table {
    ($table:literal, key $key:tt, columns $columns:tt, of $of:literal, add $(, drop $drop:expr)?) => {
        $crate::store::re_erasure_table::table!(@ $table, $key, $columns, $of, None, None
            $(, $drop)?)
    };
    ($table:literal, key $key:tt, columns $columns:tt, of $of:literal, renew $only:literal
        $(, prepare $prepare:expr)?) => {
        $crate::store::re_erasure_table::table!(@ $table, $key, $columns, $of,
            $crate::store::re_erasure_table::table!(@some $($prepare)?),
            Some($crate::store::statement::Sql::fork(
                $crate::store::re_erasure_table::renew_text!(sqlite, $table, $key, $columns, $only),
                $crate::store::re_erasure_table::renew_text!(postgres, $table, $key, $columns, $only),
            )))
    };
    (@some) => { None };
    (@some $value:expr) => { Some($value) };
    (@ $table:literal, $key:tt, ($($column:literal: $holds:ident),*), $of:literal, $prepare:expr,
        $renew:expr $(, $drop:expr)?) => {
        $crate::store::re_erasure_table::Table {
            name: $table,
            columns: &[$(($column, $crate::store::re_erasure_table::Holds::$holds)),*],
            read: $crate::store::statement::Sql::both(concat!("SELECT * FROM ", $table, " ", $of)),
            prepare: $prepare,
            renew: $renew,
            add: $crate::store::statement::Sql::fork(
                $crate::store::re_erasure_table::add_text!(sqlite, $table, $key, ($($column: $holds),*)),
                $crate::store::re_erasure_table::add_text!(postgres, $table, $key, ($($column: $holds),*)),
            ),
            drop: $crate::store::re_erasure_table::table!(@some $($drop)?),
        }
    };
}

pub(super) use {add_text, renew_text, rows, table, value};

impl Table {
    /// The rows that belong to an identifier.
    pub(super) async fn read(&self, tx: &mut Tx, owner: Uuid) -> Result<Vec<Value>, StoreError> {
        // What is about the instance belongs to nobody.
        let owners = if self.read.sqlite.contains("$1") { args![owner] } else { Vec::new() };
        let rows = tx.read(self.read, owners).await?;
        rows.iter().map(|row| self.object(row)).collect()
    }

    fn object(&self, row: &Row) -> Result<Value, StoreError> {
        let mut object = Map::new();
        for (column, holds) in self.columns {
            let value = match holds {
                Holds::Id => {
                    let id: Option<Uuid> = row.get(column)?;
                    id.map(|id| Value::String(id.simple().to_string()))
                }
                Holds::Int => row.get::<Option<i64>>(column)?.map(|number| {
                    // As text: beyond 2^53 a number of JSON is not the same everywhere.
                    Value::String(number.to_string())
                }),
                Holds::Text => row.get::<Option<String>>(column)?.map(Value::String),
                Holds::Bytes => {
                    let bytes: Option<Vec<u8>> = row.get(column)?;
                    bytes.map(|bytes| Value::String(hex::encode(bytes)))
                }
            };
            if let Some(value) = value {
                object.insert((*column).to_owned(), value);
            }
        }
        Ok(Value::Object(object))
    }

    /// Puts rows back: brings those forward that are there, adds the others; how many changed.
    pub(super) async fn put_back(
        &self,
        tx: &mut Tx,
        owner: Uuid,
        rows: &[Value],
    ) -> Result<u64, StoreError> {
        let text = json(rows)?;
        let mut changed = 0;
        if let Some(drop) = self.drop {
            changed += tx.execute(drop, args![text.clone(), owner]).await?;
        }
        if rows.is_empty() {
            return Ok(changed);
        }
        if let Some(prepare) = self.prepare {
            tx.execute(prepare, args![text.clone()]).await?;
        }
        if let Some(renew) = self.renew {
            changed += tx.execute(renew, args![text.clone()]).await?;
        }
        Ok(changed + tx.execute(self.add, args![text]).await?)
    }

    /// Its statements, for the test that prepares all of them.
    pub(super) fn statements(&self) -> Vec<Sql> {
        [Some(self.read), self.prepare, self.renew, Some(self.add), self.drop]
            .into_iter()
            .flatten()
            .collect()
    }
}
