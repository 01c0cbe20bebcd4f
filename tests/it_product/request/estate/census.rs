//! A search of its own: every text column of every table of a database, whatever the product knows
//! of it.

use crate::company::Company;
use crate::company::database::{Database, Kind};

/// Tables that are not the server's own.
async fn tables(database: &Database) -> Vec<String> {
    let query = database.kind.pick(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'",
        "SELECT CAST(table_name AS CHAR) FROM information_schema.tables \
         WHERE table_schema = DATABASE()",
        "SELECT name FROM sqlite_master WHERE type = 'table'",
    );
    database.rows(query).await
}

async fn columns(database: &Database, table: &str) -> Vec<String> {
    let query = match database.kind {
        Kind::Postgres => format!(
            "SELECT column_name FROM information_schema.columns \
             WHERE table_schema = 'public' AND table_name = '{table}' \
             ORDER BY ordinal_position"
        ),
        Kind::MariaDb => format!(
            "SELECT CAST(column_name AS CHAR) FROM information_schema.columns \
             WHERE table_schema = DATABASE() AND table_name = '{table}' \
             ORDER BY ordinal_position"
        ),
        Kind::Sqlite => format!("SELECT name FROM pragma_table_info('{table}')"),
    };
    database.rows(&query).await
}

/// Every row of every table as text, one line each, in a fixed order: `table: a|b|c`.
pub async fn all_rows(database: &Database) -> Vec<String> {
    let mut lines = Vec::new();
    let tables = tables(database).await;
    assert!(!tables.is_empty(), "{tables:?}");
    for table in tables {
        let quote = database.kind.pick('"', '`', '"');
        let as_text = |name: &String| {
            let word = database.kind.pick("TEXT", "CHAR", "TEXT");
            format!("CAST({quote}{name}{quote} AS {word})")
        };
        let columns = columns(database, &table).await;
        let columns: Vec<String> = columns.iter().map(as_text).collect();
        let query = format!("SELECT {} FROM {quote}{table}{quote}", columns.join(", "));
        let rows = database.rows(&query).await;
        lines.extend(rows.into_iter().map(|row| format!("{table}: {row}")));
    }
    lines.sort();
    lines
}

/// Rows of all databases in which one of these words stands, in whatever capitals; `system.table:
/// row`.
pub async fn rows_with(company: &Company, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for system in &company.systems {
        for row in all_rows(&system.database).await {
            let small = row.to_lowercase();
            if words.iter().any(|word| small.contains(&word.to_lowercase())) {
                found.push(format!("{}.{row}", system.name));
            }
        }
    }
    found
}
