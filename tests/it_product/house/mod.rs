//! Our own house: what Quietus keeps of its own goes on time, by the engine, with a certificate; not
//! before, not under a hold, and never anything that proves something.

mod killed;
mod listed;
mod mirrored;
mod time;

use crate::company::Company;

/// How many rows each of some tables has, as text.
pub async fn rows_of(company: &Company, tables: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for table in tables {
        found.push(format!("{table} {}", company.count_of(table).await));
    }
    found
}

/// An identifier of the store as text that can be read as a UUID.
pub fn id_of(company: &Company, column: &str) -> String {
    if company.store.is_some() {
        format!("CAST({column} AS TEXT)")
    } else {
        format!("lower(hex({column}))")
    }
}
