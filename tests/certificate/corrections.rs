//! What a correction has to say, and what no certificate may say that is none.

use quietus::domain::{Digest, SystemName};
use quietus::evidence::certificate::{CertificateClass, Correction, Supersedes};
use quietus::evidence::signing::{SubjectFile, sign};
use quietus::evidence::verify::{Finding, Material, Source, verify};
use quietus::evidence::{IssuerKey, Predicate, summary};
use uuid::Uuid;

use super::fixture::{complete, issue_about, predicate};

/// A sound one, of a run.
fn correction() -> Predicate {
    let mut predicate = predicate(complete());
    let mut systems: Vec<SystemName> =
        predicate.statements.iter().map(|one| one.system.id.clone()).collect();
    systems.sort();
    systems.dedup();
    predicate.class = CertificateClass::Correction;
    predicate.correction = Some(Correction {
        corrects: CertificateClass::ScheduledDisposal,
        what_was_wrong: "two shops were mixed up".to_owned(),
        looked_again_in: systems,
        on_record_only: Vec::new(),
    });
    predicate.supersedes = Some(Supersedes {
        certificate_id: Uuid::from_u128(7),
        statement_sha256: Digest::of(b"earlier"),
        reason: "error".to_owned(),
    });
    predicate
}

#[test]
fn a_correction_is_about_what_it_corrects() {
    assert_eq!(summary::violations(&correction()), Vec::<String>::new());
    let issued = issue_about(correction(), SubjectFile::Counts, (9, 4), |_| {});
    let verdict = verify(&Material {
        bundle: &issued.bundle,
        trusted_root: Some((&issued.trusted_root, Source::Given)),
        issuer_key: Some((&issued.issuer_key, Source::Given)),
        manifest: Some(&issued.manifest),
        ..Material::default()
    });
    for step in ["subject", "manifest", "statements"] {
        assert_eq!(verdict.finding(step), Some(Finding::Pass), "{step}");
    }
    let key = IssuerKey::generate().expect("a key");
    let opening = SubjectFile::Opening(b"somebody");
    assert!(sign(correction(), opening, &key).is_err(), "no person is behind it");
    let mut of_person = correction();
    of_person.correction.as_mut().expect("one").corrects = CertificateClass::RightsRequest;
    assert!(sign(of_person.clone(), SubjectFile::Counts, &key).is_err());
    assert!(sign(of_person, opening, &key).is_ok());
}

/// What a claim that contradicts itself differs by.
type Change = &'static dyn Fn(&mut Predicate);

#[test]
fn what_a_correction_leaves_out_is_found() {
    let found = |change: &dyn Fn(&mut Predicate)| {
        let mut predicate = correction();
        change(&mut predicate);
        summary::violations(&predicate)
    };
    let changes: [(Change, &str); 8] = [
        (&|one| one.correction = None, "does not say what was wrong"),
        (&|one| one.class = CertificateClass::ScheduledDisposal, "its class does not fit"),
        (&|one| one.supersedes = None, "takes the place of none"),
        (
            &|one| one.supersedes.as_mut().expect("one").reason = "final".to_owned(),
            "takes the place of none",
        ),
        (
            &|one| one.correction.as_mut().expect("one").what_was_wrong = "  ".to_owned(),
            "does not say what was wrong",
        ),
        (
            &|one| one.correction.as_mut().expect("one").corrects = CertificateClass::Correction,
            "its class does not fit",
        ),
        (
            &|one| one.correction.as_mut().expect("one").looked_again_in.truncate(1),
            "once of each system",
        ),
        (
            &|one| {
                let correction = one.correction.as_mut().expect("one");
                correction.on_record_only.clone_from(&correction.looked_again_in);
            },
            "once of each system",
        ),
    ];
    for (change, words) in changes {
        let found = found(change);
        assert_eq!(found.len(), 1, "{words}: {found:?}");
        assert!(found[0].contains(words), "{words}: {found:?}");
    }
}
