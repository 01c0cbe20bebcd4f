//! The demonstration's own count of everything, by plain SQL before and after the run, and its
//! comparison with what the certificate says.

use std::collections::BTreeMap;

use quietus_connectors::{Fault, sample};

use super::Untrue;
use super::company::Company;
use crate::evidence::SystemStatement;
use crate::evidence::certificate::Predicate;

/// Every table, by its system.
const TABLES: &[(&str, &str)] = &[
    ("crm", "customers"),
    ("crm", "devices"),
    ("crm", "logins"),
    ("billing", "orders"),
    ("billing", "payments"),
    ("support", "tickets"),
    ("support", "messages"),
];

/// A category that is cleared while its record stays: system, collection, category, and which
/// records are cleared.
const CLEARED: &[(&str, &str, &str, &str)] = &[
    ("crm", "customers", "account.contact", "full_name = '(erased)'"),
    ("crm", "customers", "account.profile", "birth_date IS NULL"),
    ("billing", "orders", "order.delivery", "delivery_street IS NULL"),
    ("support", "tickets", "support.contact", "contact_email IS NULL"),
];

/// Tables whose records are restricted while a law keeps them.
const RESTRICTED: &[(&str, &str)] =
    &[("billing", "orders"), ("billing", "payments"), ("crm", "customers")];

/// Counts at one moment.
pub(super) struct Tally {
    records: BTreeMap<(&'static str, &'static str), u64>,
    cleared: BTreeMap<(&'static str, &'static str, &'static str), u64>,
    restricted: BTreeMap<(&'static str, &'static str), u64>,
}

impl Tally {
    /// Counts now.
    ///
    /// # Errors
    /// Where a database cannot be read.
    pub(super) async fn take(company: &Company) -> Result<Self, Fault> {
        let mut tally = Self {
            records: BTreeMap::new(),
            cleared: BTreeMap::new(),
            restricted: BTreeMap::new(),
        };
        for &(system, table) in TABLES {
            let query = format!("SELECT count(*) FROM {table}");
            let count = sample::count(&company.database(system), &query).await?;
            tally.records.insert((system, table), count);
        }
        for &(system, table, category, condition) in CLEARED {
            let query = format!("SELECT count(*) FROM {table} WHERE {condition}");
            let count = sample::count(&company.database(system), &query).await?;
            tally.cleared.insert((system, table, category), count);
        }
        for &(system, table) in RESTRICTED {
            let query = format!("SELECT count(*) FROM {table} WHERE restricted_at IS NOT NULL");
            let count = sample::count(&company.database(system), &query).await?;
            tally.restricted.insert((system, table), count);
        }
        Ok(tally)
    }
}

/// Compares; how many counts of the certificate were compared.
///
/// # Errors
/// The first count that differs.
pub(super) fn compare(before: &Tally, after: &Tally, said: &Predicate) -> Result<u32, Untrue> {
    let mut compared = 0;
    for (&(system, table), had) in &before.records {
        let gone = had - after.records[&(system, table)];
        let deleted = about(said, system, table).map(|one| one.records.deleted.0).max();
        // A table of which nothing was due needs no statement.
        check(gone, deleted.unwrap_or(0), &format!("records deleted of {system}.{table}"))?;
        compared += 1;
    }
    for (&(system, table, category), had) in &before.cleared {
        let now = after.cleared[&(system, table, category)];
        let cleared: u64 = about(said, system, table)
            .filter(|one| one.category.as_ref().is_some_and(|one| one.as_str() == category))
            .map(|one| one.records.cleared.0)
            .sum();
        check(now - had, cleared, &format!("records of {system}.{table} cleared of {category}"))?;
        compared += 1;
    }
    for (&(system, table), had) in &before.restricted {
        let restricted = after.restricted[&(system, table)] - had;
        let said = about(said, system, table).map(|one| one.records.restricted.0).max();
        check(restricted, said.unwrap_or(0), &format!("records restricted of {system}.{table}"))?;
        compared += 1;
    }
    Ok(compared)
}

fn about<'a>(
    said: &'a Predicate,
    system: &'a str,
    table: &'a str,
) -> impl Iterator<Item = &'a SystemStatement> {
    said.statements.iter().filter(move |one| {
        one.system.id.as_str() == system
            && one.collection.as_ref().is_some_and(|name| name.as_str() == table)
    })
}

fn check(counted: u64, said: u64, what: &str) -> Result<(), Untrue> {
    if counted == said {
        return Ok(());
    }
    Err(Untrue(format!("{what}: the certificate says {said}, and plain SQL counts {counted}")))
}
