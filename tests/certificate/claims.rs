//! What a certificate may claim, what people read of it, and what `quietus verify` says.

use std::path::Path;

use super::fixture::{Issued, complete, failed, issue, plain, predicate, with_exceptions};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Parser;
use proptest::prelude::*;
use quietus::cli::verify::{VerifyArguments, run};
use quietus::domain::Digest;
use quietus::evidence::export::{ExportError, export};
use quietus::evidence::signing::{CertificateError, SubjectFile, sign};
use quietus::evidence::statement::{
    Count, KeptReason, StatedFailure, StatedKept, StatedRecords, StatementOutcome,
    VerificationFinding, VerificationType,
};
use quietus::evidence::verify::{Finding, Material, Source, Verdict, verify};
use quietus::evidence::{
    Bundle, IssuerKey, IssuerPublicKey, Overall, SystemStatement, TrustedRoot, summarise, summary,
};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    verify: VerifyArguments,
}

/// The command with its exit code and plain text.
fn quietus_verify(arguments: &[&str]) -> (u8, String) {
    let line = Line::try_parse_from([&["verify"], arguments].concat()).expect("arguments");
    let mut out = Vec::new();
    let code = run(&line.verify, &mut out);
    let text = String::from_utf8(out).expect("text");
    (code, anstream::adapter::strip_str(&text).to_string())
}

fn check(issued: &Issued) -> Verdict {
    verify(&Material {
        bundle: &issued.bundle,
        trusted_root: Some((&issued.trusted_root, Source::Given)),
        issuer_key: Some((&issued.issuer_key, Source::Given)),
        manifest: Some(&issued.manifest),
        ..Material::default()
    })
}

/// Keys are fresh in each run; their digests get names.
pub fn with_names(text: &str, issued: &Issued) -> String {
    let root = issued.read.inclusion.root;
    text.replace(&Digest::of(&issued.trusted_root).to_string(), "<sha256 of trusted_root.json>")
        .replace(&Digest::of(&issued.issuer_key).to_string(), "<sha256 of issuer.pub.pem>")
        .replace(&root.to_string(), "<root of the log>")
        .replace(&root.short(), "<root of the log>")
}

pub fn snapshot(name: &str, text: &str) {
    insta::with_settings!({snapshot_path => "snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(name, text);
    });
}

fn write(folder: &Path, issued: &Issued) {
    let files = export(&issued.bundle, &issued.trusted_root, &issued.issuer_key, None, &plain())
        .expect("sound");
    for (name, bytes) in files {
        std::fs::write(folder.join(name), bytes).expect("written");
    }
}

#[test]
fn the_printed_text_is_what_people_expect() {
    for (name, statements) in
        [("complete", complete()), ("kept", with_exceptions()), ("failed", failed())]
    {
        let issued = issue(statements, 6, 5);
        let files =
            export(&issued.bundle, &issued.trusted_root, &issued.issuer_key, None, &plain())
                .expect("sound");
        let text = String::from_utf8(files["certificate.txt"].clone()).expect("text");
        snapshot(&format!("text_{name}"), &with_names(&text, &issued));
    }
}

#[test]
fn the_page_is_escaped_and_asks_nothing_of_the_network() {
    let issued = issue(with_exceptions(), 6, 5);
    let files = export(&issued.bundle, &issued.trusted_root, &issued.issuer_key, None, &plain())
        .expect("sound");
    let page = String::from_utf8(files["certificate.html"].clone()).expect("text");
    assert!(!page.contains("<GmbH>"), "a name was not escaped");
    assert!(page.contains("Example Shop &#60;GmbH&#62; &#38; Co."));
    for loading in ["<link", "<img", "<iframe", "src=", "url(", "http://", "https://"] {
        assert!(!page.contains(loading), "the page holds `{loading}`");
    }
    assert!(page.contains("proves nothing by itself"));
    assert!(page.contains("matter 2026-014"));
    let embedded = STANDARD.encode(&issued.bundle);
    assert!(page.contains(&embedded), "the bundle is not inside the page");
}

#[test]
fn the_command_says_step_by_step_what_it_found() {
    let issued = issue(with_exceptions(), 6, 5);
    let folder = tempfile::tempdir().expect("folder");
    write(folder.path(), &issued);
    let path = folder.path().to_str().expect("path");
    let (code, text) = quietus_verify(&[path]);
    assert_eq!(code, 0);
    snapshot("verify_folder", &with_names(&text, &issued));
    let file = format!("{path}/certificate.sigstore.json");
    let root = format!("{path}/trusted_root.json");
    let key = format!("{path}/issuer.pub.pem");
    let (code, text) = quietus_verify(&[&file, "--trusted-root", &root, "--issuer-key", &key]);
    assert_eq!(code, 0);
    snapshot("verify_given", &with_names(&text, &issued));
    let (code, text) = quietus_verify(&[path, "--format", "json"]);
    assert_eq!(code, 0);
    let answer: serde_json::Value = serde_json::from_str(&text).expect("json");
    assert_eq!(answer["passed"], true);
    assert_eq!((&answer["anchored"], &answer["comparedWith"]), (&false.into(), &"nothing".into()));
    assert_eq!(answer["overall"], "complete-with-exceptions");
    assert_eq!(answer["steps"][0]["finding"], "PASS");
}

/// Whoever forges a folder puts keys of his own into it.
#[test]
fn a_forged_folder_does_not_pass_where_trust_is_required() {
    let issued = issue(complete(), 6, 5);
    let folder = tempfile::tempdir().expect("folder");
    write(folder.path(), &issued);
    let path = folder.path().to_str().expect("path");
    let (root, key) = (format!("{path}/trusted_root.json"), format!("{path}/issuer.pub.pem"));
    let (code, text) = quietus_verify(&[path, "--require-trust"]);
    assert_eq!(code, 1);
    assert!(text.contains("nothing here was compared with what you have"), "{text}");
    for half in [["--trusted-root", &root], ["--issuer-key", &key]] {
        let (code, text) = quietus_verify(&[path, "--require-trust", half[0], half[1]]);
        assert_eq!(code, 1);
        assert!(text.contains("not compared with the"), "{text}");
    }
    let both = [path, "--require-trust", "--trusted-root", &root, "--issuer-key", &key];
    let (code, text) = quietus_verify(&both);
    assert_eq!(code, 0);
    assert!(!text.contains("compared"), "{text}");
}

#[test]
fn an_entry_is_not_said_to_be_in_a_log_whose_head_nobody_signed() {
    let (issued, other) = (issue(complete(), 6, 5), issue(complete(), 6, 5));
    let verdict = verify(&Material {
        bundle: &issued.bundle,
        trusted_root: Some((&other.trusted_root, Source::Given)),
        issuer_key: Some((&issued.issuer_key, Source::Given)),
        manifest: None,
        ..Material::default()
    });
    assert_eq!(verdict.finding("trusted-root"), Some(Finding::Fail));
    assert_eq!(verdict.finding("inclusion"), Some(Finding::NotChecked));
}

#[test]
fn records_that_go_as_a_whole_are_not_said_to_follow_no_rule() {
    let mut statements = complete();
    statements[1].category = None;
    statements[1].rules.clear();
    let issued = issue(statements, 1, 1);
    let files = export(&issued.bundle, &issued.trusted_root, &issued.issuer_key, None, &plain())
        .expect("sound");
    let text = String::from_utf8(files["certificate.txt"].clone()).expect("text");
    assert!(!text.contains("none applied"), "{text}");
    assert!(text.contains("records go as a whole"), "{text}");
}

#[test]
fn the_command_refuses_what_was_changed_and_what_it_cannot_read() {
    let issued = issue(complete(), 6, 5);
    let folder = tempfile::tempdir().expect("folder");
    write(folder.path(), &issued);
    let path = folder.path().to_str().expect("path");
    let manifest = folder.path().join("manifest.json");
    let text = std::fs::read_to_string(&manifest).expect("manifest");
    std::fs::write(&manifest, text.replace("5231", "5232")).expect("written");
    let (code, text) = quietus_verify(&[path]);
    assert_eq!(code, 1);
    snapshot("verify_changed_manifest", &with_names(&text, &issued));
    let (code, text) = quietus_verify(&[path, "--format", "json"]);
    assert_eq!(code, 1);
    let answer: serde_json::Value = serde_json::from_str(&text).expect("json");
    assert_eq!(answer["passed"], false);
    assert!(answer["overall"].is_null(), "a claim was repeated that does not hold");
    std::fs::remove_file(folder.path().join("trusted_root.json")).expect("removed");
    let (code, text) = quietus_verify(&[path]);
    assert_eq!(code, 1, "{text}");
    std::fs::remove_file(folder.path().join("certificate.sigstore.json")).expect("removed");
    let (code, text) = quietus_verify(&[path]);
    assert_eq!(code, 2, "{text}");
    assert_eq!(text, "", "nothing is said about a certificate that is not there");
}

#[test]
fn every_changed_byte_of_the_bundle_is_refused() {
    let issued = issue(complete(), 2, 1);
    assert!(check(&issued).passed());
    // The last byte is a line feed, which JSON does not care about.
    for place in 0..issued.bundle.len() - 1 {
        let mut bundle = issued.bundle.clone();
        bundle[place] ^= 1 << (place % 7);
        let verdict = check(&Issued { bundle, ..issued.clone() });
        assert!(!verdict.passed(), "byte {place} was changed");
    }
}

#[test]
fn a_claim_that_does_not_follow_is_neither_signed_nor_exported() {
    let key = IssuerKey::generate().expect("key");
    let mut overstated = predicate(failed());
    overstated.summary = summarise(&overstated.scope, &complete());
    assert_eq!(overstated.summary.overall, Overall::Complete);
    assert!(matches!(
        sign(overstated, SubjectFile::Counts, &key),
        Err(CertificateError::Unsound(_))
    ));
    let mut unstated = predicate(complete());
    unstated.scope.systems_in_scope += 1;
    unstated.summary = summarise(&unstated.scope, &unstated.statements);
    assert_eq!(unstated.summary.overall, Overall::Partial);
    assert!(matches!(sign(unstated, SubjectFile::Counts, &key), Err(CertificateError::Unsound(_))));
    let mut silent = predicate(complete());
    silent.limits.clear();
    assert!(matches!(sign(silent, SubjectFile::Counts, &key), Err(CertificateError::Unsound(_))));
    let (one, other) = (issue(complete(), 1, 1), issue(complete(), 1, 1));
    let mixed = export(&one.bundle, &other.trusted_root, &one.issuer_key, None, &plain());
    assert!(matches!(mixed, Err(ExportError::Refused(_))));
}

#[test]
fn nothing_is_certified_about_nothing() {
    let empty = predicate(Vec::new());
    assert_eq!(empty.summary.overall, Overall::Partial);
}

#[test]
fn files_that_came_with_the_certificate_vouch_for_nothing() {
    let issued = issue(complete(), 6, 5);
    let verdict = verify(&Material {
        bundle: &issued.bundle,
        trusted_root: Some((&issued.trusted_root, Source::Beside)),
        issuer_key: None,
        manifest: None,
        ..Material::default()
    });
    assert!(verdict.passed());
    for step in ["trusted-root", "issuer-key", "manifest", "time", "witnesses", "status"] {
        assert_eq!(verdict.finding(step), Some(Finding::NotChecked), "{step}");
    }
}

fn statements() -> impl Strategy<Value = Vec<SystemStatement>> {
    let one = (
        prop::sample::select(vec![
            StatementOutcome::Completed,
            StatementOutcome::Completed,
            StatementOutcome::NotFound,
            StatementOutcome::Retained,
            StatementOutcome::Partial,
            StatementOutcome::Pending,
            StatementOutcome::Skipped,
            StatementOutcome::Failed,
            StatementOutcome::AttestedByProcessor,
        ]),
        prop::sample::select(vec![
            (VerificationType::PostQuery, true),
            (VerificationType::PostQuery, true),
            (VerificationType::Sampling, true),
            (VerificationType::Attestation, true),
            (VerificationType::PostQuery, false),
            (VerificationType::None, false),
        ]),
        prop::sample::select(vec![
            VerificationFinding::Absent,
            VerificationFinding::Absent,
            VerificationFinding::Survivors,
            VerificationFinding::Unknown,
        ]),
        (0_u64..3, 0_u64..2, prop::option::weighted(0.3, 1_u64..3), 0_u64..2),
        prop::bool::weighted(0.1),
    );
    prop::collection::vec(one, 0..4).prop_map(|drawn| {
        drawn.into_iter().enumerate().map(|(number, drawn)| build(number, drawn)).collect()
    })
}

type Drawn = (
    StatementOutcome,
    (VerificationType, bool),
    VerificationFinding,
    (u64, u64, Option<u64>, u64),
    bool,
);

fn build(number: usize, drawn: Drawn) -> SystemStatement {
    let (outcome, (kind, looked), result, (deleted, left, kept, missing), broken) = drawn;
    let mut statement = complete().remove(0);
    statement.id = format!("s{number}");
    statement.outcome = outcome;
    statement.verification.kind = kind;
    statement.verification.result = result;
    statement.verification.at = statement.verification.at.filter(|_| looked);
    statement.records = StatedRecords {
        matched: Count(deleted + left + kept.unwrap_or(0) + missing),
        deleted: Count(deleted),
        left: Count(left),
        ..StatedRecords::default()
    };
    statement.kept = kept.into_iter().map(hold).collect();
    statement.failure = broken.then(|| StatedFailure {
        reason: "unreachable".to_owned(),
        attempts: 1,
        owner: None,
        next_attempt_at: None,
    });
    statement
}

fn hold(records: u64) -> StatedKept {
    StatedKept {
        reason: KeptReason::LegalHold,
        records: Count(records),
        because: "matter 1".to_owned(),
        until: None,
        first_until: None,
        review_on: None,
        restricted: false,
    }
}

/// Said without the code under test: everything that was due is gone and somebody looked.
fn truly_done(one: &SystemStatement) -> bool {
    let done = matches!(
        one.outcome,
        StatementOutcome::Completed | StatementOutcome::NotFound | StatementOutcome::Retained
    );
    let looked = one.verification.kind == VerificationType::PostQuery;
    let kept: u64 = one.kept.iter().map(|kept| kept.records.0).sum();
    done && looked
        && one.verification.at.is_some()
        && one.verification.result == VerificationFinding::Absent
        && one.records.left.0 == 0
        && one.failure.is_none()
        && one.records.matched.0 == one.records.deleted.0 + kept
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn nothing_unfinished_is_ever_complete(statements in statements()) {
        let drawn = predicate(statements);
        let all_done = !drawn.statements.is_empty() && drawn.statements.iter().all(truly_done);
        let nothing_kept = drawn.statements.iter().all(|one| one.kept.is_empty());
        let any_failed =
            drawn.statements.iter().any(|one| one.outcome == StatementOutcome::Failed);
        match drawn.summary.overall {
            Overall::Complete => prop_assert!(all_done && nothing_kept),
            Overall::CompleteWithExceptions => prop_assert!(all_done && !nothing_kept),
            Overall::Partial => prop_assert!(!any_failed),
            Overall::Failed => prop_assert!(any_failed),
        }
        prop_assert_eq!(any_failed, drawn.summary.overall == Overall::Failed);
        // A claim one step better than the computed one is a violation.
        let mut better = drawn.clone();
        better.summary.overall = Overall::Complete;
        if drawn.summary.overall != Overall::Complete {
            prop_assert!(!summary::violations(&better).is_empty());
        }
        let statement_count = u32::try_from(drawn.statements.len()).expect("few");
        let summary = &drawn.summary;
        prop_assert_eq!(
            statement_count,
            summary.completed + summary.retained + summary.pending + summary.unverified
                + summary.failed
        );
    }

    #[test]
    fn no_input_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let verdict = verify(&Material {
            bundle: &bytes,
            trusted_root: Some((&bytes, Source::Given)),
            issuer_key: Some((&bytes, Source::Beside)),
            manifest: Some(&bytes),
            ..Material::default()
        });
        prop_assert!(!verdict.passed());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn broken_files_are_refused_without_panic(
        places in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..6),
        cut in prop::option::weighted(0.3, any::<prop::sample::Index>()),
        which in 0_usize..4,
    ) {
        static ISSUED: std::sync::OnceLock<Issued> = std::sync::OnceLock::new();
        let issued = ISSUED.get_or_init(|| issue(complete(), 3, 3));
        let mut files = [
            issued.bundle.clone(),
            issued.trusted_root.clone(),
            issued.issuer_key.clone(),
            issued.manifest.clone(),
        ];
        let file = &mut files[which];
        if let Some(cut) = cut {
            file.truncate(cut.index(file.len()));
        } else {
            for (place, bit) in places {
                let place = place.index(file.len());
                file[place] ^= 1 << bit;
            }
        }
        let verdict = verify(&Material {
            bundle: &files[0],
            trusted_root: Some((&files[1], Source::Given)),
            issuer_key: Some((&files[2], Source::Given)),
            manifest: Some(&files[3]),
            ..Material::default()
        });
        // What passes must mean the same: white space, and parts of the trusted root that name
        // neither the log nor its key, such as the scheme of its address.
        let log = |root: &[u8]| {
            let root = TrustedRoot::from_json(root).ok()?;
            root.log(&issued.read.log_id).map(|trusted| trusted.log.clone())
        };
        let key = |pem: &[u8]| IssuerPublicKey::from_pem(std::str::from_utf8(pem).ok()?);
        let same = match which {
            0 => Bundle::from_json(&files[0]).is_ok_and(|read| read == issued.read),
            1 => log(&files[1]).is_some() && log(&files[1]) == log(&issued.trusted_root),
            2 => key(&files[2]).is_some() && key(&files[2]) == key(&issued.issuer_key),
            _ => files[3] == issued.manifest,
        };
        prop_assert!(!verdict.passed() || same);
    }
}
