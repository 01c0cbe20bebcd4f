//! Everything that a company leaves behind outside of its connected systems.

use std::path::{Path, PathBuf};

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

    /// Every file of a folder, and what is below it.
    pub fn folder(&mut self, folder: &Path, root: &Path) {
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

    /// The pages of a store on PostgreSQL as they are on the disk, and the server's log of changes
    /// from one of its files on; the server is on this machine, and the files can be read.
    pub async fn pages(&mut self, company: &Company, log_begins: Option<&str>) {
        let Some(store) = &company.store else { return };
        store.run("CHECKPOINT").await;
        let ask = async |what: &str| store.rows(&format!("SELECT {what}")).await.remove(0);
        let data = PathBuf::from(ask("current_setting('data_directory')").await);
        let number = "(SELECT oid FROM pg_database WHERE datname = current_database())::text";
        let now = ask("pg_walfile_name(pg_current_wal_lsn())").await;
        let log_begins = log_begins.unwrap_or_default();
        for (what, folder) in [
            ("page", data.join("base").join(ask(number).await)),
            ("log of changes", data.join("pg_wal")),
        ] {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                // What lies there for later use has the remains of earlier tests.
                let is_ours = what == "page" || (log_begins..=&now).contains(&name.as_str());
                if path.is_file() && is_ours {
                    self.0.push((format!("{what} {name}"), std::fs::read(&path).unwrap()));
                }
            }
        }
    }

    /// The certificates as whoever reads them gets them, since the store compresses them; and every row of
    /// every table of a store on PostgreSQL, as text and with its binary columns unpacked.
    pub async fn store(&mut self, company: &Company) {
        self.0.extend(company.certificates().await);
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
