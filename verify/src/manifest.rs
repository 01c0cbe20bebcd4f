//! The manifest of a scheduled disposal: the counts of its statements in one small file.
//!
//! Its SHA-256 is the subject of the certificate, so that `sha256sum` and every stock verifier can
//! tie the file to the signature. It follows from the certificate alone: whoever has the
//! certificate can compute it again.

use serde::Serialize;
use uuid::Uuid;

use crate::canonical;
use crate::certificate::Predicate;
use crate::digest::Digest;
use crate::name::{CategoryName, CollectionName, RuleName, SystemName};
use crate::statement::{
    StatedCutOff, StatedKept, StatedRecords, StatementOutcome, SystemStatement, VerificationFinding,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    api_version: &'static str,
    certificate_id: Uuid,
    statements: Vec<Line<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    id: &'a str,
    system: &'a SystemName,
    collection: Option<&'a CollectionName>,
    category: Option<&'a CategoryName>,
    rules: Vec<RuleLine<'a>>,
    cut_offs: &'a [StatedCutOff],
    outcome: StatementOutcome,
    records: &'a StatedRecords,
    kept: &'a [StatedKept],
    verification: VerificationFinding,
}

#[derive(Serialize)]
struct RuleLine<'a> {
    id: &'a RuleName,
    sha256: &'a Digest,
}

impl<'a> From<&'a SystemStatement> for Line<'a> {
    fn from(statement: &'a SystemStatement) -> Self {
        Self {
            id: &statement.id,
            system: &statement.system.id,
            collection: statement.collection.as_ref(),
            category: statement.category.as_ref(),
            rules: statement
                .rules
                .iter()
                .map(|rule| RuleLine { id: &rule.id, sha256: &rule.sha256 })
                .collect(),
            cut_offs: &statement.cut_offs,
            outcome: statement.outcome,
            records: &statement.records,
            kept: &statement.kept,
            verification: statement.verification.result,
        }
    }
}

/// The manifest's bytes; `None` where a value cannot be written canonically.
pub fn manifest(predicate: &Predicate) -> Option<Vec<u8>> {
    canonical::to_bytes(&Manifest {
        api_version: "1",
        certificate_id: predicate.certificate_id,
        statements: predicate.statements.iter().map(Line::from).collect(),
    })
}
