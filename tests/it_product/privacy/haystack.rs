//! Everything that a company leaves behind outside of its connected systems.

use std::path::Path;

use super::forms::{Finder, Form};
use crate::company::{Company, Ended};

/// Something to be searched, by name.
pub struct Haystack(pub Vec<(String, Vec<u8>)>);

impl Haystack {
    /// What a command has said.
    pub fn heard(&mut self, what: &str, ended: &Ended) {
        self.0.push((format!("standard output of {what}"), ended.out.clone().into_bytes()));
        self.0.push((format!("standard error of {what}"), ended.err.clone().into_bytes()));
    }

    /// Every file of the instance but the connected systems and the secrets themselves.
    pub fn files(&mut self, company: &Company) {
        self.folder(company.folder(), company.folder());
    }

    fn folder(&mut self, folder: &Path, root: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            if path.is_dir() {
                if !["data", "secrets"].contains(&name.as_str()) {
                    self.folder(&path, root);
                }
            } else {
                self.0.push((format!("file {name}"), std::fs::read(&path).unwrap()));
            }
        }
    }

    /// Every row of every table of a store on PostgreSQL, as text and with its binary columns
    /// unpacked.
    pub async fn store(&mut self, company: &Company) {
        let Some(store) = &company.store else { return };
        let tables = store
            .rows(
                "SELECT table_schema || '.' || table_name FROM information_schema.tables \
                 WHERE table_schema NOT IN ('pg_catalog', 'information_schema') \
                 AND table_type = 'BASE TABLE'",
            )
            .await;
        assert!(tables.len() > 10, "{tables:?}");
        for table in tables {
            for row in store.rows(&format!("SELECT one::text FROM {table} AS one")).await {
                let mut bytes = row.clone().into_bytes();
                for part in row.split("\\x").skip(1) {
                    let digits: String = part.chars().take_while(char::is_ascii_hexdigit).collect();
                    bytes.push(b'\n');
                    bytes
                        .extend((0..digits.len() / 2).map(|at| {
                            u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap()
                        }));
                }
                self.0.push((format!("table {table}"), bytes));
            }
        }
    }

    /// What is found of these forms, one line each.
    pub fn search(&self, forms: &[Form]) -> Vec<String> {
        let finder = Finder::new(forms);
        let mut found = Vec::new();
        for (name, bytes) in &self.0 {
            let lines = finder.find(bytes);
            found.extend(lines.map(|form| format!("`{}` {} in {name}", form.needle, form.how)));
        }
        found.sort();
        found.dedup();
        found
    }
}
