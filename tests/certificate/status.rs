//! Whether a certificate still is the last word: its status list, and the one that follows it. A
//! superseded certificate that is presented as if it spoke of today is refused (threat T15), and
//! nothing passes on stale data.

use jiff::{SignedDuration, Timestamp};
use quietus::domain::Digest;
use quietus::evidence::IssuerKey;
use quietus::evidence::certificate::{CertificateClass, Supersedes};
use quietus::evidence::signing::{SubjectFile, sign};
use quietus::evidence::status::StatusFiles;
use quietus::evidence::status_list::{CertificateStatus, StatusList};
use quietus::evidence::verify::{Finding, Material, Source, verify};
use uuid::Uuid;

use super::fixture::{
    Issued, complete, issue, issue_changed, moment, predicate, status_list, with_exceptions,
};

/// Within the two days that a list is good for.
const FRESH: &str = "2026-11-24T00:00:00Z";

/// What the step says about a certificate with these files beside it, at this moment.
fn status(issued: &Issued, files: StatusFiles<'_>) -> (Finding, String) {
    let verdict = verify(&Material {
        bundle: &issued.bundle,
        trusted_root: Some((&issued.trusted_root, Source::Given)),
        issuer_key: Some((&issued.issuer_key, Source::Given)),
        manifest: Some(&issued.manifest),
        status: files,
        ..Material::default()
    });
    let others = verdict.steps.iter().filter(|step| step.name != "status");
    assert!(others.clone().all(|step| step.finding != Finding::Fail), "{:?}", verdict.steps);
    let step = verdict.steps.iter().find(|step| step.name == "status").expect("the step");
    (step.finding, step.sentence.clone())
}

fn with_list(issued: &Issued, list: &[u8], now: impl Into<Option<Timestamp>>) -> (Finding, String) {
    status(issued, StatusFiles { list: Some(list), successor: None, now: now.into() })
}

fn fresh() -> Timestamp {
    moment(FRESH)
}

#[test]
fn a_fresh_list_says_each_of_the_four() {
    let issued = issue(complete(), 3, 4);
    for (word, expected) in CertificateStatus::ALL.into_iter().zip([
        Finding::Pass,
        Finding::Fail,
        Finding::Fail,
        Finding::Fail,
    ]) {
        let list = issued.publish(&status_list(word));
        let (finding, sentence) = with_list(&issued, &list, fresh());
        assert_eq!(finding, expected, "{sentence}");
        assert!(sentence.contains(&format!("`{}`", word.as_str())), "{sentence}");
    }
}

#[test]
fn nothing_passes_on_stale_data_and_what_is_superseded_stays_so() {
    let issued = issue(complete(), 3, 4);
    let current = issued.publish(&status_list(CertificateStatus::Current));
    let end = status_list(CertificateStatus::Current).valid_until;
    let later = end + SignedDuration::from_secs(1);
    assert_eq!(with_list(&issued, &current, Some(end)).0, Finding::Pass);
    for (now, word) in [(Some(later), "stale since"), (None, "without a clock")] {
        let (finding, sentence) = with_list(&issued, &current, now);
        assert_eq!(finding, Finding::NotChecked, "{sentence}");
        assert!(sentence.starts_with("Status unknown") && sentence.contains(word), "{sentence}");
    }
    let superseded = issued.publish(&status_list(CertificateStatus::Superseded));
    for now in [Some(fresh()), Some(later), None] {
        assert_eq!(with_list(&issued, &superseded, now).0, Finding::Fail);
    }
    let (finding, sentence) = status(&issued, StatusFiles::default());
    assert_eq!(finding, Finding::NotChecked);
    assert!(sentence.contains("--status"), "{sentence}");
}

#[test]
fn a_list_that_is_good_for_too_long_or_not_yet_does_not_pass() {
    let issued = issue(complete(), 3, 4);
    let list = status_list(CertificateStatus::Current);
    let too_long = list.issued_at + SignedDuration::from_hours(8 * 24 + 1);
    let long = issued.publish(&StatusList { valid_until: too_long, ..list.clone() });
    let (finding, sentence) = with_list(&issued, &long, fresh());
    assert_eq!(finding, Finding::NotChecked, "{sentence}");
    assert!(sentence.contains("longer than any is believed"), "{sentence}");
    let early = list.issued_at - SignedDuration::from_mins(6);
    let signed = issued.publish(&list);
    let (finding, sentence) = with_list(&issued, &signed, early);
    assert_eq!(finding, Finding::NotChecked, "{sentence}");
    assert!(sentence.contains("has not come yet"), "{sentence}");
    assert_eq!(with_list(&issued, &signed, list.issued_at).0, Finding::Pass);
}

#[test]
fn a_list_that_cannot_speak_of_the_certificate_is_not_asked() {
    let issued = issue(complete(), 3, 4);
    let list = |change: &dyn Fn(&mut StatusList)| {
        let mut list = status_list(CertificateStatus::Current);
        change(&mut list);
        issued.publish(&list)
    };
    let older = list(&|list| list.issued_at = moment("2026-11-23T03:09:59Z"));
    let other = list(&|list| list.list.push('7'));
    for (list, word) in [(older, "from before the certificate"), (other, "stands in")] {
        let (finding, sentence) = with_list(&issued, &list, fresh());
        assert_eq!(finding, Finding::NotChecked, "{sentence}");
        assert!(sentence.contains(word), "{sentence}");
    }
    let unlisted = issue_changed(complete(), 3, 4, |statement| {
        statement["predicate"]["status"] = serde_json::Value::Null;
    });
    let (finding, sentence) = with_list(&unlisted, &list(&|_| {}), fresh());
    assert_eq!(finding, Finding::NotChecked, "{sentence}");
    let beyond = issue_changed(complete(), 3, 4, |statement| {
        statement["predicate"]["status"]["index"] = serde_json::json!("131072");
    });
    let list = beyond.publish(&status_list(CertificateStatus::Current));
    assert_eq!(with_list(&beyond, &list, fresh()).0, Finding::Fail);
}

#[test]
fn a_list_that_the_issuer_did_not_sign_and_log_fails() {
    let issued = issue(complete(), 3, 4);
    let stranger = issue(complete(), 3, 4);
    let list = status_list(CertificateStatus::Current);
    let signed = issued.publish(&list);
    let certificate = issued.bundle.clone();
    for forged in [certificate, b"{}".to_vec(), Vec::new()] {
        let (finding, sentence) = with_list(&issued, &forged, fresh());
        assert_eq!(finding, Finding::Fail, "{sentence}");
    }
    // Anybody may have signed it, or the issuer with a newer key: nobody knows.
    let (finding, sentence) = with_list(&issued, &stranger.publish(&list), fresh());
    assert_eq!(finding, Finding::NotChecked, "{sentence}");
    assert!(sentence.contains("not among those of the issuer"), "{sentence}");
    for place in (0..signed.len()).step_by(11) {
        let mut changed = signed.clone();
        changed[place] ^= 1;
        assert_ne!(with_list(&issued, &changed, fresh()).0, Finding::Pass, "byte {place}");
    }
}

/// A certificate that names the one that it takes the place of.
fn follows(issued: &Issued, id: Uuid, payload: &[u8]) -> Vec<u8> {
    let mut later = predicate(complete());
    later.certificate_id = Uuid::from_u128(0x1a7e);
    later.issued_at = moment("2026-12-01T00:00:00Z");
    later.supersedes = Some(Supersedes {
        certificate_id: id,
        statement_sha256: Digest::of(payload),
        reason: "final".to_owned(),
    });
    assert_eq!(later.class, CertificateClass::ScheduledDisposal);
    let signed = sign(later, SubjectFile::Counts, &issued.issuer).expect("sound");
    issued.bundle_alone(signed.envelope, signed.leaf)
}

#[test]
fn the_certificate_that_follows_says_so_without_any_list() {
    let issued = issue(with_exceptions(), 3, 4);
    let payload = &issued.read.envelope.payload;
    let id = Uuid::from_u128(0x7e57);
    let show = |later: &[u8]| {
        status(&issued, StatusFiles { list: None, successor: Some(later), now: Some(fresh()) })
    };
    let (finding, sentence) = show(&follows(&issued, id, payload));
    assert_eq!(finding, Finding::Fail, "{sentence}");
    let named = "Superseded by certificate 00000000-0000-0000-0000-000000001a7e";
    assert!(sentence.starts_with(named) && sentence.contains("(final)"), "{sentence}");
    let stranger = issue(with_exceptions(), 3, 4);
    for other in [
        follows(&issued, Uuid::from_u128(1), payload),
        follows(&issued, id, b"another"),
        issued.publish(&status_list(CertificateStatus::Current)),
    ] {
        let (finding, sentence) = show(&other);
        assert_eq!(finding, Finding::Fail, "{sentence}");
        assert!(sentence.contains("does not hold"), "{sentence}");
    }
    assert_eq!(show(&follows(&stranger, id, payload)).0, Finding::NotChecked);
}

/// A later certificate that a key signed that one does not have says nothing, and keeps nobody from
/// asking the list.
#[test]
fn a_successor_that_cannot_be_checked_hides_no_list() {
    let issued = issue(with_exceptions(), 3, 4);
    let id = Uuid::from_u128(0x7e57);
    let stranger = issue(with_exceptions(), 3, 4);
    let later = follows(&stranger, id, &issued.read.envelope.payload);
    let with = |list: &[u8]| {
        let list = Some(list);
        status(&issued, StatusFiles { list, successor: Some(&later), now: Some(fresh()) })
    };
    let withdrawn = issued.publish(&status_list(CertificateStatus::Withdrawn));
    let (finding, sentence) = with(&withdrawn);
    assert_eq!(finding, Finding::Fail, "{sentence}");
    assert!(sentence.contains("`withdrawn`"), "{sentence}");
    let (finding, sentence) = with(b"{}");
    assert_eq!(finding, Finding::Fail, "{sentence}");
    // Nor does a list that knows of nothing say that there is nothing.
    let current = issued.publish(&status_list(CertificateStatus::Current));
    let (finding, sentence) = with(&current);
    assert_eq!(finding, Finding::NotChecked, "{sentence}");
    assert!(sentence.contains("successor.sigstore.json"), "{sentence}");
    // And a successor that holds is told whatever the list says.
    let later = follows(&issued, id, &issued.read.envelope.payload);
    let files = StatusFiles { list: Some(&current), successor: Some(&later), now: Some(fresh()) };
    let (finding, sentence) = status(&issued, files);
    assert_eq!(finding, Finding::Fail, "{sentence}");
    assert!(sentence.starts_with("Superseded by certificate"), "{sentence}");
}

/// The issuer's key was changed after the certificate: whoever has both keys is told by the new one.
#[test]
fn a_list_that_a_newer_key_signed_counts_for_whoever_has_that_key() {
    let issued = issue(complete(), 3, 4);
    let newer = Issued { issuer: IssuerKey::generate().expect("key").into(), ..issued.clone() };
    let list = newer.publish(&status_list(CertificateStatus::Current));
    assert_eq!(with_list(&issued, &list, fresh()).0, Finding::NotChecked);
    let mut both = issued.clone();
    both.issuer_key.extend_from_slice(newer.issuer.public().to_pem().as_bytes());
    assert_eq!(with_list(&both, &list, fresh()).0, Finding::Pass);
}
