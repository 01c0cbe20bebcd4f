//! A certificate as a stranger reads it: exported by the product, unpacked here by hand.

use base64::Engine as _;
use quietus::store::{CertificateFilter, OpenOptions, Store};
use serde_json::Value;

use super::Company;

/// An exported certificate.
pub struct Certificate {
    pub predicate: Value,
}

impl Company {
    /// All certificates as whoever reads them gets them, part by part: the store compresses them, so
    /// that nothing is found in its files.
    pub async fn certificates(&self) -> Vec<(String, Vec<u8>)> {
        let store = Store::open(&self.store_url(), OpenOptions::default()).await.unwrap();
        let filter = CertificateFilter { limit: 1000, ..CertificateFilter::default() };
        let listed = store.list_certificates(filter).await.unwrap();
        assert!(listed.len() < 1000, "there may be more");
        let mut parts = Vec::new();
        for summary in listed {
            let certificate = store.certificate(summary.id).await.unwrap().unwrap();
            let named = [
                ("statement", certificate.statement),
                ("envelope", certificate.envelope),
                ("manifest", certificate.manifest),
                ("bundle", certificate.bundle.unwrap_or_default()),
            ];
            parts.extend(named.map(|(part, bytes)| (format!("{part} of a certificate"), bytes)));
        }
        store.close().await;
        parts
    }

    /// The certificate in force of a case.
    pub async fn certificate_of(&self, case: &str) -> Certificate {
        let id = self.certificate_id(case).await;
        self.certificate(&id).await
    }

    /// The identifier of the certificate in force of a case.
    pub async fn certificate_id(&self, case: &str) -> String {
        let id = if self.store.is_some() { "CAST(id AS TEXT)" } else { "lower(hex(id))" };
        let query = format!(
            "SELECT {id} FROM certificates WHERE case_id = {} AND superseded_by IS NULL",
            self.store_id(case)
        );
        let rows = self.store_rows(&query).await;
        assert_eq!(rows.len(), 1, "one certificate in force of case {case}: {rows:?}");
        uuid::Uuid::parse_str(&rows[0]).unwrap().to_string()
    }

    /// Exports a certificate, checks it with `quietus verify`, and unpacks its payload.
    pub async fn certificate(&self, which: &str) -> Certificate {
        let folder = self.path(&format!("export-{which}"));
        let to = folder.to_str().unwrap();
        self.quietus(&["certificate", "export", which, "--to", to]).await.expect(0);
        // One that was superseded says so, and nothing else fails.
        let superseded = folder.join("successor.sigstore.json").exists();
        let verified = self.quietus(&["verify", to]).await.expect(i32::from(superseded));
        assert!(
            !superseded
                || verified.out.contains("Superseded by") && verified.out.contains("1 failed")
        );
        assert!(verified.out.contains("signature") && verified.out.contains("inclusion"));
        let bundle = std::fs::read(folder.join("certificate.sigstore.json")).unwrap();
        let bundle: Value = serde_json::from_slice(&bundle).unwrap();
        let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
        let payload = base64::engine::general_purpose::STANDARD.decode(payload).unwrap();
        let statement: Value = serde_json::from_slice(&payload).unwrap();
        Certificate { predicate: statement["predicate"].clone() }
    }
}

impl Certificate {
    pub fn overall(&self) -> &str {
        self.predicate["summary"]["overall"].as_str().unwrap()
    }

    pub fn statements(&self) -> &[Value] {
        self.predicate["statements"].as_array().unwrap()
    }

    /// The sum of a count over the statements of a system (and a collection, and a category).
    pub fn sum(&self, count: &str, system: &str, collection: &str, category: Option<&str>) -> u64 {
        self.statements()
            .iter()
            .filter(|one| one["system"]["id"] == system && one["collection"] == collection)
            .filter(|one| category.is_none_or(|category| one["category"] == category))
            .map(|one| one["records"][count].as_str().unwrap().parse::<u64>().unwrap())
            .sum()
    }

    /// Every count that is not zero, one line each, in a fixed order: for comparisons.
    pub fn counts(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for one in self.statements() {
            let place = format!(
                "{} {} {}",
                one["system"]["id"].as_str().unwrap_or("-"),
                one["collection"].as_str().unwrap_or("-"),
                one["category"].as_str().unwrap_or("-")
            );
            for (name, count) in one["records"].as_object().unwrap() {
                if count != "0" {
                    lines.push(format!("{place}: {name} {}", count.as_str().unwrap()));
                }
            }
            for kept in one["kept"].as_array().unwrap() {
                lines.push(format!("{place}: kept {} {}", kept["reason"], kept["records"]));
            }
        }
        lines.sort();
        lines
    }
}
