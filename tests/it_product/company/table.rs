//! Tables that look alike on every kind of database: made, filled and dumped from one description.

use super::database::{Database, Kind};

/// What a column holds. Moments are written as `2026-03-03T01:00:00` (UTC), with a fraction where
/// it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    Number,
    Text,
    Moment,
    Flag,
}

impl Column {
    /// The type that a database gives it.
    pub fn native(self, kind: Kind) -> &'static str {
        match self {
            Self::Number => "BIGINT",
            Self::Text => kind.pick("TEXT", "VARCHAR(120)", "TEXT"),
            Self::Moment => kind.pick("TIMESTAMPTZ", "DATETIME(6)", "TEXT"),
            Self::Flag => kind.pick("BOOLEAN", "BOOLEAN", "INTEGER"),
        }
    }
}

/// A table: name, columns with further SQL words (`NOT NULL`), and constraints.
pub struct Table {
    pub name: &'static str,
    pub columns: &'static [(&'static str, Column, &'static str)],
    pub constraints: &'static str,
}

/// A row as text, in the order of the columns; `~` is null.
pub type Row = &'static str;

fn moment_text(text: &str) -> String {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{seconds}.{fraction:0<6}Z")
}

impl Table {
    pub async fn create(&self, database: &Database) {
        let kind = database.kind;
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|(name, column, words)| format!("{name} {} {words}", column.native(kind)))
            .collect();
        let text =
            format!("CREATE TABLE {} ({}, {})", self.name, columns.join(", "), self.constraints);
        database.run(&text).await;
    }

    pub async fn fill(&self, database: &Database, rows: &[Row]) {
        let values: Vec<String> = rows
            .iter()
            .map(|row| {
                let parts: Vec<String> = row
                    .split('|')
                    .zip(self.columns)
                    .map(|(text, (_, column, _))| literal(database.kind, *column, text.trim()))
                    .collect();
                assert_eq!(parts.len(), self.columns.len(), "row `{row}` of `{}`", self.name);
                format!("({})", parts.join(", "))
            })
            .collect();
        if !values.is_empty() {
            database.run(&format!("INSERT INTO {} VALUES {}", self.name, values.join(", "))).await;
        }
    }

    /// Every row as it is now, sorted; unique random values are shown as `erased-*`.
    pub async fn dump(&self, database: &Database) -> Vec<String> {
        let kind = database.kind;
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|(name, column, _)| match column {
                Column::Number => kind.pick(
                    format!("{name}::text"),
                    format!("CAST({name} AS CHAR)"),
                    format!("CAST({name} AS TEXT)"),
                ),
                Column::Text => name.to_string(),
                Column::Moment => kind.pick(
                    format!(
                        "to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
                    ),
                    format!("DATE_FORMAT({name}, '%Y-%m-%dT%H:%i:%s.%fZ')"),
                    name.to_string(),
                ),
                Column::Flag => format!(
                    "CASE WHEN {name} IS NULL THEN NULL WHEN {name} THEN 'yes' ELSE 'no' END"
                ),
            })
            .collect();
        let text = format!("SELECT {} FROM {}", columns.join(", "), self.name);
        let mut rows: Vec<String> =
            database.rows(&text).await.iter().map(|row| without_chance(row)).collect();
        rows.sort();
        rows
    }

    /// Rows as a dump would show them.
    pub fn expected(&self, rows: &[Row]) -> Vec<String> {
        let mut expected: Vec<String> = rows
            .iter()
            .map(|row| {
                let parts = row.split('|').zip(self.columns).map(|(text, (_, column, _))| {
                    match (column, text.trim()) {
                        (Column::Moment, moment) if moment != "~" => moment_text(moment),
                        (_, other) => other.to_owned(),
                    }
                });
                parts.collect::<Vec<_>>().join("|")
            })
            .collect();
        expected.sort();
        expected
    }
}

/// A unique value is the marker and 32 random hexadecimal digits.
fn without_chance(row: &str) -> String {
    let parts = row.split('|').map(|part| match part.strip_prefix("erased-") {
        Some(rest) if rest.len() == 32 && rest.bytes().all(|one| one.is_ascii_hexdigit()) => {
            "erased-*"
        }
        _ => part,
    });
    parts.collect::<Vec<_>>().join("|")
}

fn literal(kind: Kind, column: Column, text: &str) -> String {
    match column {
        _ if text == "~" => "NULL".to_owned(),
        Column::Number => text.to_owned(),
        Column::Text => format!("'{}'", text.replace('\'', "''")),
        Column::Flag => {
            let yes = text == "yes";
            kind.pick(yes.to_string(), yes.to_string(), i32::from(yes).to_string())
        }
        Column::Moment => {
            let full = moment_text(text);
            let without_zone = full.trim_end_matches('Z').replace('T', " ");
            kind.pick(format!("'{full}'"), format!("'{without_zone}'"), format!("'{full}'"))
        }
    }
}
