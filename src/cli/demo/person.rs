//! Grace Example, the invented person who asks for erasure: where plain SQL finds her, by her
//! records and by every trace of her in any column.

use std::collections::BTreeMap;

use quietus_connectors::{Fault, sample};

use super::company::{Company, DATABASES};
use super::marketing::Marketing;

/// Her name.
pub(super) const NAME: &str = "Grace Example";
/// Her address, as she types it.
pub(super) const TYPED: &str = "GRACE.EXAMPLE@MAIL.EXAMPLE";

/// Her records, table by table: what belongs to her also where it does not name her.
const RECORDS: &[(&str, &str, &str)] = &[
    ("billing", "orders", "customer_id = 60001"),
    (
        "billing",
        "payments",
        "order_number IN (SELECT order_number FROM orders WHERE customer_id = 60001)",
    ),
    ("crm", "customers", "id = 60001"),
    ("crm", "devices", "customer_id = 60001"),
    ("crm", "logins", "customer_id = 60001"),
    ("support", "messages", "ticket_id IN (SELECT id FROM tickets WHERE customer_id = 60001)"),
    ("support", "tickets", "customer_id = 60001"),
];

/// Words that stand nowhere but in what is hers: her name, address and things, her street, and the
/// network address of her logins.
const WORDS: &[&str] = &["grace", "invention lane", "203.0.113.254"];
/// Her number as a customer; other numbers may be the same by chance, so it counts only in columns
/// of customers' numbers.
const NUMBER: &str = "60001";

/// How many records of hers each table has.
pub(super) type Found = BTreeMap<String, u64>;

/// Her records by `system.table`, also the tables that have none.
///
/// # Errors
/// Where a database cannot be read.
pub(super) async fn records(company: &Company) -> Result<Found, Fault> {
    let mut found = Found::new();
    for (system, table, hers) in RECORDS {
        let query = format!("SELECT count(*) FROM {table} WHERE {hers}");
        let count = sample::count(&company.database(system), &query).await?;
        found.insert(format!("{system}.{table}"), count);
    }
    Ok(found)
}

/// Records in which something of her stands, by `system.table`: every column of every table of the
/// three databases is looked through, also tables that the data map does not know.
///
/// # Errors
/// Where a database cannot be read.
pub(super) async fn traces(company: &Company) -> Result<Found, Fault> {
    let mut found = Found::new();
    for (system, _) in DATABASES {
        let path = company.database(system);
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
        for table in sample::texts(&path, tables).await? {
            let columns = format!("SELECT name FROM pragma_table_info('{table}')");
            let columns = sample::texts(&path, &columns).await?;
            let conditions: Vec<String> =
                columns.iter().map(|column| names_her(&table, column)).collect();
            let query =
                format!("SELECT count(*) FROM \"{table}\" WHERE {}", conditions.join(" OR "));
            let count = sample::count(&path, &query).await?;
            found.insert(format!("{system}.{table}"), count);
        }
    }
    Ok(found)
}

/// Her contacts at the processor.
///
/// # Errors
/// Where its file cannot be read.
pub(super) async fn at_the_processor(marketing: &Marketing) -> Result<u64, Fault> {
    let conditions: Vec<String> =
        ["email", "name"].iter().map(|column| names_her("contacts", column)).collect();
    let query = format!("SELECT count(*) FROM contacts WHERE {}", conditions.join(" OR "));
    sample::count(&marketing.contacts, &query).await
}

/// The condition that a column names her.
fn names_her(table: &str, column: &str) -> String {
    let words =
        WORDS.iter().map(|word| format!("instr(lower(CAST(\"{column}\" AS TEXT)), '{word}') > 0"));
    let is_number = column == "customer_id" || (table == "customers" && column == "id");
    let number = is_number.then(|| format!("\"{column}\" = {NUMBER}"));
    words.chain(number).collect::<Vec<_>>().join(" OR ")
}

/// The tables that have something, with how much.
pub(super) fn in_words(found: &Found) -> String {
    let some = found.iter().filter(|(_, count)| **count > 0);
    some.map(|(table, count)| format!("{table} {count}")).collect::<Vec<_>>().join(", ")
}
