//! Files and logs of the live systems: the first certificate names what can still hold what was erased,
//! and the final one comes when the bytes are really gone from the disk, and not before.

mod killed;
mod mariadb;
mod postgresql;
mod servers;
mod silent;
mod sqlite;

use std::path::Path;

use serde_json::Value;

use crate::company::Company;
use crate::company::certificate::Certificate;

/// Whether a file below this folder holds these bytes; with `names`, only files whose path has one of
/// them.
pub fn holds(folder: &Path, names: &[&str], needle: &str) -> bool {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        // A server removes files while they are listed.
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.to_string_lossy().into_owned();
            if !names.is_empty() && !names.iter().any(|one| name.contains(one)) {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap_or_default();
            if memchr_in(&bytes, needle.as_bytes()) {
                return true;
            }
        }
    }
    false
}

fn memchr_in(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// Adds entries to a system's file.
pub fn add_to_map(company: &Company, system: &str, text: &str) {
    let name = format!("systems/{system}.yaml");
    let map = company.read(&name);
    company.write(&name, &format!("{map}{text}"));
}

/// What a certificate says of the files and logs of a system, once.
pub fn files(certificate: &Certificate, system: &str) -> Value {
    let own = certificate.statements().iter().filter(|one| one["system"]["id"] == system);
    let stated: Vec<&Value> = own.map(|one| &one["files"]).filter(|one| !one.is_null()).collect();
    assert!(stated.iter().all(|one| *one == stated[0]), "{stated:#?}");
    stated.first().copied().cloned().unwrap_or(Value::Null)
}

/// Each stage that a certificate states, and whether it was seen to be gone.
pub fn stages(files: &Value) -> Vec<(String, bool)> {
    let stages = files["stages"].as_array().into_iter().flatten();
    let one = |it: &Value| (it["stage"].as_str().unwrap().to_owned(), !it["seenGoneAt"].is_null());
    stages.map(one).collect()
}

/// The state of each look at files.
pub async fn looks(company: &Company) -> Vec<String> {
    let text = "SELECT state || ' ' || COALESCE(last_fault_kind, '-') FROM jobs \
                WHERE kind = 'residue' ORDER BY created_at, id";
    company.store_rows(text).await
}
