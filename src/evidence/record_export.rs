//! The folder that proves that a record was in a run: the files, what to check them with, and how.

use std::collections::BTreeMap;

use super::record_proof::{
    CHECKPOINT_NAME, DETAIL_NAME, LEAF_NAME, PROOF_NAME, RECORD_NAME, RecordFiles, SALT_NAME,
    verify_record,
};
use super::trusted_root::fingerprint;
use super::verify::{Finding, Source};
use quietus_verify::folder::TRUSTED_ROOT_NAME;

const SCRIPT: &str = include_str!("templates/record-verify.sh");
const INSTRUCTIONS: &str = include_str!("templates/record-VERIFY.txt");

/// The files by name.
///
/// # Errors
/// The sentences of all steps that fail: what does not verify is not handed out.
pub fn export_record(files: &RecordFiles<'_>) -> Result<BTreeMap<String, Vec<u8>>, Vec<String>> {
    let verdict = verify_record(files);
    let failed = verdict.steps.into_iter().filter(|step| step.finding == Finding::Fail);
    let sentences: Vec<String> = failed.map(|step| step.sentence).collect();
    let Some((trusted_root, Source::Beside)) = files.trusted_root.filter(|_| sentences.is_empty())
    else {
        return Err(sentences);
    };
    let instructions =
        INSTRUCTIONS.replace("@TRUSTED_ROOT_SHA256@", &fingerprint(trusted_root).to_string());
    let named: [(&str, &[u8]); 9] = [
        (RECORD_NAME, files.record),
        (SALT_NAME, files.salt),
        (PROOF_NAME, files.proof),
        (DETAIL_NAME, files.detail),
        (LEAF_NAME, files.leaf),
        (CHECKPOINT_NAME, files.checkpoint),
        (TRUSTED_ROOT_NAME, trusted_root),
        ("verify.sh", SCRIPT.as_bytes()),
        ("VERIFY.txt", instructions.as_bytes()),
    ];
    Ok(named.map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).into())
}
