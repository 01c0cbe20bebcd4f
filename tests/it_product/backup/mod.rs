//! Copies for recovery: the first certificate states until when they can hold what was erased, and the
//! final one comes when the last of them is really gone, and not before.

mod alarms;
mod barman;
mod borg;
mod bucket;
mod club;
mod inside;
mod killed;
mod many;
mod person;
mod pgbackrest;
mod schedule;

use std::sync::Arc;

use quietus::app::Quietus;
use serde_json::Value;

use crate::company::Company;
use crate::company::certificate::Certificate;
use crate::company::database::Kind;
use crate::company::engine::work;
use crate::request::person as people;

/// Three daily copies of both systems, as files with their day in the name.
pub const VAULT: &str = "system: vault
kind: dumps
role: backup
owner: Operations
place: dumps
parameters: {files: 'shop-%Y-%m-%d.sql'}
copies: [shop, desk]
keeps: {daily: 3}
longest_run: PT1H
";

/// Rules by which everything that is older than a month goes, and no minimum.
pub fn soon() -> String {
    let rules = people::PACK.replace("period: P90Y", "period: P30D");
    let (rules, minimums) = rules.split_once("minimums:").unwrap();
    assert!(minimums.contains("ao-147"));
    rules.to_owned()
}

/// The company, with a folder of dumps.
pub async fn company(store: Kind) -> Company {
    let company = people::company_on(store, "").await;
    std::fs::create_dir(company.path("dumps")).unwrap();
    company.write("systems/vault.yaml", VAULT);
    company
}

/// A dump of this day.
pub fn dump(company: &Company, day: &str) {
    company.write(&format!("dumps/shop-{day}.sql"), "everything");
}

/// The store's own job removes the dump of this day.
pub fn prune(company: &Company, day: &str) {
    std::fs::remove_file(company.path(&format!("dumps/shop-{day}.sql"))).unwrap();
}

/// Everything is done that can be done now.
pub async fn live(product: &Arc<Quietus>) {
    for _ in 0..3 {
        product.advance_requests().await.unwrap();
        work(product).await;
    }
}

/// What a certificate says of the copies, each once.
pub fn copies(certificate: &Certificate) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    for one in certificate.statements() {
        for backup in one["backup"].as_array().into_iter().flatten() {
            if !found.contains(backup) {
                found.push(backup.clone());
            }
        }
    }
    found
}

/// All copies were seen to be gone at this moment, after a first certificate that said until when.
pub fn states_the_end(last: &Certificate, (first, seen_at): (&str, &str)) {
    assert_eq!(last.overall(), "complete", "{:#?}", last.predicate["statements"]);
    assert_eq!(last.predicate["supersedes"]["certificateId"], first);
    assert_eq!(last.predicate["supersedes"]["reason"], "backup-expired");
    let stated = copies(last);
    assert_eq!(stated.len(), 1);
    assert_eq!(stated[0]["seenGoneAt"], seen_at);
    assert!(stated[0]["goneBy"].is_null() && stated[0]["copies"] == "0");
    assert!(last.predicate["pending"].is_null());
}

/// The state of each look at a store.
pub async fn looks(company: &Company) -> Vec<String> {
    let text = "SELECT state || ' ' || COALESCE(last_fault_kind, '-') FROM jobs \
                WHERE kind = 'backup' ORDER BY created_at, id";
    company.store_rows(text).await
}

/// How often the log speaks of looks.
pub async fn observed(company: &Company) -> usize {
    let text = "SELECT CAST(COUNT(*) AS TEXT) FROM evidence_details WHERE kind = 'backup.observed'";
    company.store_rows(text).await[0].parse().unwrap()
}
