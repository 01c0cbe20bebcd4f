//! What a certificate may say of files and logs of a system: never "complete" before they were seen to
//! hold nothing any more.

use jiff::civil::date;
use quietus::evidence::files::{StatedFiles, StatedStage};
use quietus::evidence::signing::{SubjectFile, sign};
use quietus::evidence::verify::{Finding, Material, Source, verify};
use quietus::evidence::{IssuerKey, Overall, SystemStatement, summary};
use serde_json::{Value, json};

use super::fixture::{Issued, complete, issue, issue_changed, moment, predicate};

fn stage(name: &str, what: &str) -> StatedStage {
    StatedStage {
        stage: name.to_owned(),
        what: what.to_owned(),
        gone_by: None,
        reason: None,
        seen_gone_at: Some(moment("2026-11-23T03:09:00Z")),
    }
}

/// They were seen to hold nothing any more.
pub fn gone() -> StatedFiles {
    let seen = Some(moment("2026-11-23T03:09:00Z"));
    StatedFiles {
        stages: vec![
            stage("dead_rows", "dead rows of the table and their index entries"),
            stage("wal", "segments of the write-ahead log"),
        ],
        gone_by: None,
        reason: None,
        seen_gone_at: seen,
        looked_at: seen,
    }
}

/// The log is held back.
pub fn held() -> StatedFiles {
    let why =
        "replication slot `standby` keeps the log: let its consumer catch up, or drop the slot";
    let mut files = gone();
    files.seen_gone_at = None;
    files.reason = Some(why.to_owned());
    files.stages[1].seen_gone_at = None;
    files.stages[1].reason = Some(why.to_owned());
    files
}

/// The log goes by itself on a day.
pub fn dated() -> StatedFiles {
    let mut files = held();
    files.reason = None;
    files.gone_by = Some(date(2026, 11, 30));
    files.stages[1].reason = None;
    files.stages[1].gone_by = Some(date(2026, 11, 30));
    files
}

fn with(files: Option<StatedFiles>) -> Vec<SystemStatement> {
    let mut statements = complete();
    statements[0].files = files;
    statements
}

fn check(issued: &Issued) -> (Finding, String, Option<String>) {
    let verdict = verify(&Material {
        bundle: &issued.bundle,
        trusted_root: Some((&issued.trusted_root, Source::Given)),
        issuer_key: Some((&issued.issuer_key, Source::Given)),
        ..Material::default()
    });
    let step = |name: &str| verdict.steps.iter().find(|step| step.name == name);
    let said = step("files").map(|step| step.sentence.clone());
    let statements = step("statements").expect("a step");
    (statements.finding, statements.sentence.clone(), said)
}

#[test]
fn complete_is_only_what_is_gone_from_files_and_logs_too() {
    let overall = |files| predicate(with(files)).summary.overall;
    assert_eq!(overall(None), Overall::Complete);
    assert_eq!(overall(Some(gone())), Overall::Complete);
    assert_eq!(overall(Some(held())), Overall::CompleteWithExceptions);
    assert_eq!(overall(Some(dated())), Overall::CompleteWithExceptions);
}

#[test]
fn a_complete_certificate_with_a_stage_that_is_pending_fails() {
    // Each of them alone, and both.
    for (stage, whole) in [(true, false), (false, true), (true, true)] {
        let issued = issue_changed(with(Some(gone())), 6, 5, |statement| {
            let files = &mut statement["predicate"]["statements"][0]["files"];
            if stage {
                files["stages"][1]["seenGoneAt"] = Value::Null;
                files["stages"][1]["reason"] = json!("a slot keeps it");
            }
            if whole {
                files["seenGoneAt"] = Value::Null;
                files["reason"] = json!("a slot keeps it");
            }
        });
        let (finding, sentence, _) = check(&issued);
        assert_eq!(finding, Finding::Fail, "{stage} {whole}");
        assert!(sentence.contains("`complete-with-exceptions`"), "{sentence}");
    }
    for (files, said) in [
        (gone(), "hold it no more"),
        (held(), "no day is promised"),
        (dated(), "gone by 2026-11-30"),
    ] {
        let (finding, sentence, step) = check(&issue(with(Some(files)), 6, 5));
        assert_eq!(finding, Finding::Pass, "{sentence}");
        assert!(step.expect("a step").contains(said), "{said}");
    }
    assert_eq!(check(&issue(complete(), 6, 5)).2, None);
}

#[test]
fn what_contradicts_itself_is_neither_signed_nor_verified() {
    let key = IssuerKey::generate().expect("key");
    let refuse = |change: &dyn Fn(&mut StatedFiles), expected: &str| {
        let mut files = gone();
        change(&mut files);
        let predicate = predicate(with(Some(files)));
        let found = summary::violations(&predicate);
        assert!(found.iter().any(|one| one.contains(expected)), "{expected} in {found:?}");
        assert!(sign(predicate, SubjectFile::Counts, &key).is_err(), "{expected}");
    };
    refuse(&|files| files.stages.clear(), "which files and logs");
    refuse(&|files| files.stages[0].what = " ".to_owned(), "which files and logs");
    refuse(&|files| files.stages[0].gone_by = Some(date(2026, 12, 1)), "one of the three");
    refuse(&|files| files.reason = Some("both".to_owned()), "one of the three");
    refuse(&|files| files.stages[0] = held().stages[1].clone(), "one of them has not");
    refuse(
        &|files| {
            files.seen_gone_at = None;
            files.reason = Some("why".to_owned());
        },
        "together they have not",
    );
    refuse(&|files| files.looked_at = None, "nobody looked");
    let early = Some(moment("2026-11-23T03:07:00Z"));
    refuse(&|files| files.stages[0].seen_gone_at = early, "before it was deleted");
    let later = Some(moment("2026-11-23T04:00:00Z"));
    refuse(&|files| files.looked_at = later, "after the certificate was issued");
    refuse(
        &|files| {
            *files = dated();
            files.gone_by = Some(date(2026, 11, 20));
        },
        "was over when the certificate was issued",
    );
}

#[test]
fn certificates_from_before_nobody_looked_at_files_keep_their_bytes() {
    let text = serde_json::to_value(&complete()[0]).expect("json");
    assert!(text.get("files").is_none());
    let read: SystemStatement = serde_json::from_value(text).expect("a statement");
    assert!(read.files.is_none());
    let stated = with(Some(held()));
    let written = serde_json::to_value(&stated[0]).expect("json");
    assert_eq!(written["files"]["stages"][1]["stage"], "wal");
    assert_eq!(serde_json::from_value::<SystemStatement>(written).expect("read"), stated[0]);
}
