//! One statement text for two databases.
//!
//! `Sql::both` holds the text that SQLite and PostgreSQL share (`$1` placeholders work on both);
//! `Sql::fork` holds two texts and is rare. Values go in as [`Arg`] and come out of a [`Row`], so
//! that every operation of the store is written once. Nothing here builds SQL at run time: many rows go
//! into one statement as one argument ([`Rows`](super::rows::Rows)).

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Decode, Postgres, Row as _, Sqlite, Type};
use uuid::Uuid;

use super::error::StoreError;
use super::rows::Rows;
use crate::domain::Digest;

/// The text of a statement.
#[derive(Debug, Clone, Copy)]
pub struct Sql {
    pub(super) sqlite: &'static str,
    pub(super) postgres: &'static str,
}

impl Sql {
    /// A text that both databases understand.
    pub(super) const fn both(text: &'static str) -> Self {
        Self { sqlite: text, postgres: text }
    }

    /// Two texts, where the databases differ; the place of use says why.
    pub(super) const fn fork(sqlite: &'static str, postgres: &'static str) -> Self {
        Self { sqlite, postgres }
    }

    /// The text for PostgreSQL, so that somebody can have it explained.
    pub fn for_postgresql(&self) -> &'static str {
        self.postgres
    }
}

/// A value for a placeholder. Not `Debug`: some values are sealed bytes.
pub(super) enum Arg {
    Int(Option<i64>),
    Bool(bool),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    Id(Option<Uuid>),
    /// Many rows: the last argument.
    Rows(Rows),
}

macro_rules! bind {
    ($query:expr, $arg:expr, $rows:ident => $bind_rows:expr) => {
        match $arg {
            Arg::Int(value) => $query.bind(value),
            Arg::Bool(value) => $query.bind(value),
            Arg::Text(value) => $query.bind(value),
            Arg::Bytes(value) => $query.bind(value),
            Arg::Id(value) => $query.bind(value),
            Arg::Rows($rows) => $bind_rows,
        }
    };
}

pub(super) fn for_sqlite<'q>(sql: Sql, args: Vec<Arg>) -> Query<'q, Sqlite, SqliteArguments> {
    let mut query = sqlx::query(sql.sqlite);
    for arg in args {
        query = bind!(query, arg, rows => query.bind(rows.to_json()));
    }
    query
}

pub(super) fn for_postgres<'q>(sql: Sql, args: Vec<Arg>) -> Query<'q, Postgres, PgArguments> {
    let mut query = sqlx::query(sql.postgres);
    for arg in args {
        query = bind!(query, arg, rows => rows.bind(query));
    }
    query
}

impl From<i64> for Arg {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<u32> for Arg {
    fn from(value: u32) -> Self {
        Self::Int(Some(i64::from(value)))
    }
}

impl From<bool> for Arg {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Arg {
    fn from(value: &str) -> Self {
        Self::Text(Some(value.to_owned()))
    }
}

impl From<String> for Arg {
    fn from(value: String) -> Self {
        Self::Text(Some(value))
    }
}

impl From<Option<String>> for Arg {
    fn from(value: Option<String>) -> Self {
        Self::Text(value)
    }
}

impl From<Option<&str>> for Arg {
    fn from(value: Option<&str>) -> Self {
        Self::Text(value.map(ToOwned::to_owned))
    }
}

impl From<Vec<u8>> for Arg {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(Some(value))
    }
}

impl From<Option<Vec<u8>>> for Arg {
    fn from(value: Option<Vec<u8>>) -> Self {
        Self::Bytes(value)
    }
}

impl From<Digest> for Arg {
    fn from(value: Digest) -> Self {
        Self::Bytes(Some(value.0.to_vec()))
    }
}

impl From<Uuid> for Arg {
    fn from(value: Uuid) -> Self {
        Self::Id(Some(value))
    }
}

impl From<Option<Uuid>> for Arg {
    fn from(value: Option<Uuid>) -> Self {
        Self::Id(value)
    }
}

impl From<Timestamp> for Arg {
    fn from(value: Timestamp) -> Self {
        Self::Int(Some(value.as_microsecond()))
    }
}

impl From<Option<Timestamp>> for Arg {
    fn from(value: Option<Timestamp>) -> Self {
        Self::Int(value.map(Timestamp::as_microsecond))
    }
}

impl From<Rows> for Arg {
    fn from(value: Rows) -> Self {
        Self::Rows(value)
    }
}

impl From<Option<i64>> for Arg {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

/// Lists the values of placeholders.
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::statement::Arg::from($value)),*] };
}
pub(super) use args;

/// A count or size as the databases keep it.
pub(super) fn count(value: u64, what: &'static str) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Refused { what: what.to_owned() })
}

/// JSON as text, byte for byte what later comes back.
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|_| StoreError::Refused { what: "a value that is no JSON".to_owned() })
}

/// A row of either database.
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// What both drivers can read.
pub(super) trait Column:
    for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>
{
}

impl<T> Column for T where
    T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>
{
}

impl Row {
    /// The value of a column; `Option` where it may be NULL.
    pub(super) fn get<T: Column>(&self, column: &'static str) -> Result<T, StoreError> {
        let read = match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        };
        read.map_err(|_| StoreError::Corrupt { column })
    }

    pub(super) fn instant(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        let us: i64 = self.get(column)?;
        Timestamp::from_microsecond(us).map_err(|_| StoreError::Corrupt { column })
    }

    pub(super) fn maybe_instant(
        &self,
        column: &'static str,
    ) -> Result<Option<Timestamp>, StoreError> {
        let us: Option<i64> = self.get(column)?;
        us.map(Timestamp::from_microsecond).transpose().map_err(|_| StoreError::Corrupt { column })
    }

    pub(super) fn digest(&self, column: &'static str) -> Result<Digest, StoreError> {
        let bytes: Vec<u8> = self.get(column)?;
        Ok(Digest(bytes.try_into().map_err(|_| StoreError::Corrupt { column })?))
    }

    pub(super) fn maybe_digest(&self, column: &'static str) -> Result<Option<Digest>, StoreError> {
        let bytes: Option<Vec<u8>> = self.get(column)?;
        let digest = bytes.map(|bytes| bytes.try_into().map(Digest)).transpose();
        digest.map_err(|_| StoreError::Corrupt { column })
    }

    pub(super) fn whole(&self, column: &'static str) -> Result<u64, StoreError> {
        let number: i64 = self.get(column)?;
        u64::try_from(number).map_err(|_| StoreError::Corrupt { column })
    }

    pub(super) fn maybe_whole(&self, column: &'static str) -> Result<Option<u64>, StoreError> {
        let number: Option<i64> = self.get(column)?;
        number.map(u64::try_from).transpose().map_err(|_| StoreError::Corrupt { column })
    }

    pub(super) fn small(&self, column: &'static str) -> Result<u32, StoreError> {
        let number: i64 = self.get(column)?;
        u32::try_from(number).map_err(|_| StoreError::Corrupt { column })
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        let text: String = self.get(column)?;
        serde_json::from_str(&text).map_err(|_| StoreError::Corrupt { column })
    }

    pub(super) fn maybe_json<T: DeserializeOwned>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, StoreError> {
        let text: Option<String> = self.get(column)?;
        text.map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|_| StoreError::Corrupt { column })
    }

    /// A word of a closed list.
    pub(super) fn word<T>(
        &self,
        column: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        let text: String = self.get(column)?;
        parse(&text).ok_or(StoreError::Corrupt { column })
    }

    pub(super) fn maybe_word<T>(
        &self,
        column: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        let text: Option<String> = self.get(column)?;
        match text {
            None => Ok(None),
            Some(text) => parse(&text).map(Some).ok_or(StoreError::Corrupt { column }),
        }
    }
}

/// A closed list of words that the store keeps as text.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// The word used in the store, the API and on pages.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Reads the word.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    )*};
}
pub(super) use words;
