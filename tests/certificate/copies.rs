//! What a certificate may say of copies for recovery: two dates, and never "complete" before the
//! copies were seen to be gone.

use jiff::civil::date;
use quietus::evidence::signing::{SubjectFile, sign};
use quietus::evidence::statement::{Count, StatedBackup, StatementOutcome};
use quietus::evidence::status::StatusFiles;
use quietus::evidence::verify::{Finding, Material, Source, verify};
use quietus::evidence::{IssuerKey, Overall, SystemStatement, summary};
use serde_json::{Value, json};

use super::fixture::{Issued, complete, issue, issue_changed, moment, predicate};

/// Copies that can hold it until a day.
pub fn dated(store: &str) -> StatedBackup {
    StatedBackup {
        store: store.to_owned(),
        newest_copy_containing: Some(moment("2026-11-23T02:00:00Z")),
        copies: Some(Count(7)),
        gone_by: Some(date(2026, 11, 30)),
        without_day: None,
        seen_gone_at: None,
        listed_at: Some(moment("2026-11-23T03:08:00Z")),
        mechanism: "expiry".to_owned(),
        re_delete_on_restore: false,
    }
}

/// The store could not be listed.
pub fn undated(store: &str) -> StatedBackup {
    StatedBackup {
        newest_copy_containing: None,
        copies: None,
        gone_by: None,
        without_day: Some("the store could not be listed".to_owned()),
        listed_at: None,
        mechanism: "expiry by quietus".to_owned(),
        ..dated(store)
    }
}

/// They were seen to be gone.
pub fn gone(store: &str) -> StatedBackup {
    let seen = Some(moment("2026-11-23T03:09:00Z"));
    StatedBackup {
        newest_copy_containing: None,
        copies: Some(Count(0)),
        gone_by: None,
        seen_gone_at: seen,
        listed_at: seen,
        ..dated(store)
    }
}

fn with(backup: Vec<StatedBackup>) -> Vec<SystemStatement> {
    let mut statements = complete();
    statements[0].backup = backup;
    statements
}

fn overall(backup: Vec<StatedBackup>) -> Overall {
    predicate(with(backup)).summary.overall
}

#[test]
fn complete_is_only_what_is_gone_from_the_copies_too() {
    assert_eq!(overall(Vec::new()), Overall::Complete);
    assert_eq!(overall(vec![gone("vault")]), Overall::Complete);
    assert_eq!(overall(vec![gone("vault"), dated("dumps")]), Overall::CompleteWithExceptions);
    assert_eq!(overall(vec![undated("vault")]), Overall::CompleteWithExceptions);
    // What was not done at all is not made better by its copies.
    let mut statements = with(vec![gone("vault")]);
    statements[0].outcome = StatementOutcome::Pending;
    assert_eq!(predicate(statements).summary.overall, Overall::Partial);
}

fn check(issued: &Issued) -> (Finding, String) {
    let verdict = verify(&Material {
        bundle: &issued.bundle,
        trusted_root: Some((&issued.trusted_root, Source::Given)),
        issuer_key: Some((&issued.issuer_key, Source::Given)),
        ..Material::default()
    });
    let step = verdict.steps.into_iter().find(|step| step.name == "statements").expect("a step");
    (step.finding, step.sentence)
}

#[test]
fn a_complete_certificate_with_a_copy_that_is_pending_fails() {
    let issued = issue_changed(with(vec![gone("vault")]), 6, 5, |statement| {
        let backup = &mut statement["predicate"]["statements"][0]["backup"][0];
        backup["seenGoneAt"] = Value::Null;
        backup["goneBy"] = json!("2026-11-30");
    });
    let (finding, sentence) = check(&issued);
    assert_eq!(finding, Finding::Fail);
    assert!(sentence.contains("`complete-with-exceptions`"), "{sentence}");
    assert_eq!(check(&issue(with(vec![gone("vault")]), 6, 5)).0, Finding::Pass);
    assert_eq!(check(&issue(with(vec![dated("a"), undated("b")]), 6, 5)).0, Finding::Pass);
}

#[test]
fn whoever_verifies_is_told_of_the_day_and_when_it_is_over() {
    let said = |issued: &Issued, now: Option<&str>| {
        let verdict = verify(&Material {
            bundle: &issued.bundle,
            trusted_root: Some((&issued.trusted_root, Source::Given)),
            status: StatusFiles { now: now.map(moment), ..StatusFiles::default() },
            ..Material::default()
        });
        let step = verdict.steps.into_iter().find(|step| step.name == "copies");
        step.map(|step| {
            assert_eq!(step.finding, Finding::NotChecked);
            step.sentence
        })
    };
    let issued = issue(with(vec![dated("vault"), undated("tape")]), 6, 5);
    let pending = "Copies in `vault` can hold it; gone by 2026-11-30. \
                   Copies in `tape` can hold it, and no day is promised.";
    for now in [None, Some("2026-11-30T12:00:00Z"), Some("2026-12-01T23:59:00Z")] {
        assert_eq!(said(&issued, now).expect("a step"), pending);
    }
    let over = said(&issued, Some("2026-12-02T00:00:00Z")).expect("a step");
    assert!(over.contains("had to be gone by 2026-11-30, which is over"), "{over}");
    let seen = issue(with(vec![gone("vault")]), 6, 5);
    assert!(said(&seen, None).expect("a step").contains("no copy is left"));
    assert_eq!(said(&issue(complete(), 6, 5), None), None);
}

#[test]
fn what_contradicts_itself_is_neither_signed_nor_verified() {
    let key = IssuerKey::generate().expect("key");
    let refuse = |backup: Vec<StatedBackup>, expected: &str| {
        let predicate = predicate(with(backup));
        let found = summary::violations(&predicate);
        assert!(found.iter().any(|one| one.contains(expected)), "{expected} in {found:?}");
        assert!(sign(predicate, SubjectFile::Counts, &key).is_err(), "{expected}");
    };
    let one_of = "one of the three";
    refuse(vec![StatedBackup { gone_by: None, ..dated("vault") }], one_of);
    let both = StatedBackup { without_day: Some("it is away".to_owned()), ..dated("vault") };
    refuse(vec![both], one_of);
    refuse(vec![StatedBackup { gone_by: Some(date(2026, 12, 1)), ..gone("vault") }], one_of);
    refuse(vec![StatedBackup { without_day: Some("  ".to_owned()), ..undated("vault") }], one_of);
    refuse(vec![StatedBackup { listed_at: None, ..gone("vault") }], "by no listing");
    refuse(vec![StatedBackup { copies: Some(Count(1)), ..gone("vault") }], "some are counted");
    let early = Some(moment("2026-11-23T03:07:00Z"));
    let before = StatedBackup { seen_gone_at: early, ..gone("vault") };
    refuse(vec![before], "before it was erased");
    let later = Some(moment("2026-11-23T04:00:00Z"));
    let after = StatedBackup { listed_at: later, ..dated("vault") };
    refuse(vec![after], "listed after the certificate was issued");
    let over = StatedBackup { gone_by: Some(date(2026, 11, 20)), ..dated("vault") };
    refuse(vec![over], "was over when the certificate was issued");
    refuse(vec![dated("vault"), gone("vault")], "stated twice");
    refuse(vec![StatedBackup { store: " ".to_owned(), ..dated("vault") }], "where copies are");
}

#[test]
fn certificates_from_before_there_were_copies_are_read_and_written_as_they_were() {
    let text = serde_json::to_value(&complete()[0]).expect("json");
    assert_eq!(text["backup"], Value::Null, "a statement without copies keeps its bytes");
    let read = |backup: Value| {
        let mut text = text.clone();
        text["backup"] = backup;
        serde_json::from_value::<SystemStatement>(text).expect("a statement").backup
    };
    assert_eq!(read(Value::Null), []);
    // As the first design wrote it: one store, without what is said of it since.
    let one = read(json!({"store": "full", "goneBy": "2027-01-05", "mechanism": "expiry"}));
    assert_eq!((one.len(), one[0].gone_by), (1, Some(date(2027, 1, 5))));
    assert!(one[0].is_pending() && one[0].copies.is_none());
    let several = with(vec![gone("a"), dated("b")]);
    let written = serde_json::to_value(&several[0]).expect("json");
    assert_eq!(written["backup"][1]["newestCopyContaining"], "2026-11-23T02:00:00Z");
    assert_eq!(serde_json::from_value::<SystemStatement>(written).expect("read"), several[0]);
    let mut missing = text;
    missing.as_object_mut().expect("an object").remove("backup");
    assert!(serde_json::from_value::<SystemStatement>(missing).expect("read").backup.is_empty());
}
