//! Certificates.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use quietus::domain::{CaseOutcome, CaseState};
use quietus::store::{
    CertificateFilter, CertificateState, Decision, JobFault, JobsStated, LetterKind,
    NewCertificate, NewLetter, NewLog, OutboxEntry, Settle, Settlement, StoreError, Topic,
    TopicKind,
};
use serde_json::json;
use uuid::Uuid;

use crate::mails::mail_of;
use crate::requests::{letter, taken};
use crate::stage::{Stage, at, entry, new_id, tenure};

on_both! {
    a_certificate_closes_its_case,
    a_letter_goes_with_its_certificate_or_not_at_all,
    a_second_try_supersedes_the_certificate,
    what_ends_while_a_case_is_stated_is_not_lost,
    what_was_stated_before_another_statement_closes_nothing,
    a_damaged_certificate_keeps_no_other_one_waiting,
    certificates_are_found,
    certificates_get_their_bundles_together,
    certificates_are_compressed,
    certificates_are_found_by_what_they_say,
}

/// Before all certificates, the oldest first.
const AFTER_NONE: (jiff::Timestamp, Uuid) = (jiff::Timestamp::MIN, Uuid::nil());

pub fn certificate(case: Uuid, second: i64, rule: &str) -> NewCertificate {
    let topic = |kind, name: &str| Topic { kind, name: name.to_owned() };
    NewCertificate {
        id: new_id(),
        case_id: case,
        outcome: CaseOutcome::Fulfilled,
        class: "scheduled".to_owned(),
        overall: "complete".to_owned(),
        issued_at: at(second),
        stated: JobsStated::default(),
        statement: b"statement".to_vec(),
        envelope: b"envelope".to_vec(),
        manifest: b"manifest".to_vec(),
        topics: vec![topic(TopicKind::System, "shop"), topic(TopicKind::Rule, rule)],
        leaf: OutboxEntry { detail: None, ..entry(Some(case), None) },
        status: None,
        later: Vec::new(),
        rules_version: None,
        request: None,
        letter: None,
        evidence: vec![entry(Some(case), None)],
    }
}

pub async fn settle(stage: &Stage, second: i64, settlement: Settlement) {
    let tenure = tenure(&stage.claim_one("worker", second).await);
    let settle = Settle { tenure, settlement, now: at(second), evidence: Vec::new() };
    assert!(stage.store.settle(settle).await.unwrap());
}

pub fn completed() -> Settlement {
    Settlement::Completed { done: json!({}), verification: json!({}) }
}

async fn a_certificate_closes_its_case(stage: Stage) {
    let store = &stage.store;
    let (case, _) = stage.case_with_jobs(1).await;
    let new = certificate(case, 10, "old-accounts");
    // Not while a job is open.
    assert!(!stage.certify(new.clone()).await.unwrap());
    assert_eq!(stage.rows("certificates").await + stage.rows("evidence_outbox").await, 0);
    settle(&stage, 1, completed()).await;
    assert!(stage.certify(new.clone()).await.unwrap());
    assert!(!stage.certify(certificate(case, 11, "x")).await.unwrap());
    let closed = store.case(case).await.unwrap().unwrap();
    assert_eq!((closed.state, closed.outcome), (CaseState::Closed, Some(CaseOutcome::Fulfilled)));
    assert!(store.cases_to_certify(None, 5).await.unwrap().is_empty());
    assert_eq!(stage.rows("evidence_outbox").await, 2);

    let kept = store.certificate(new.id).await.unwrap().unwrap();
    assert_eq!((kept.summary.state, &kept.bundle), (CertificateState::Signed, &None));
    assert_eq!((&kept.statement, &kept.envelope), (&new.statement, &new.envelope));
    assert!(store.certificates_to_bundle(AFTER_NONE, 5).await.unwrap().is_empty());
    let log = NewLog {
        log_id: "2026".to_owned(),
        origin: "example.com/2026".to_owned(),
        ..NewLog::default()
    };
    store.create_log(log, at(0)).await.unwrap();
    store.sequence("2026", 100, at(12), &mut |_| {}).await.unwrap().unwrap();
    let waiting = store.certificates_to_bundle(AFTER_NONE, 5).await.unwrap();
    assert_eq!(waiting.len(), 1);
    let leaf = store.leaf_of(waiting[0].summary.entry_id).await.unwrap().unwrap();
    assert_eq!(leaf.body, new.leaf.body);
    assert_eq!(store.set_bundles(vec![(new.id, b"bundle".to_vec())]).await.unwrap(), 1);
    assert_eq!(store.set_bundles(vec![(new_id(), b"bundle".to_vec())]).await.unwrap(), 0);
    let logged = store.certificate(new.id).await.unwrap().unwrap();
    assert_eq!(logged.summary.state, CertificateState::Logged);
    assert_eq!(logged.bundle, Some(b"bundle".to_vec()));
}

/// No death between the two leaves a person without the answer, and none is told what is not certified.
async fn a_letter_goes_with_its_certificate_or_not_at_all(stage: Stage) {
    let store = &stage.store;
    let request = taken(&stage, "one", &[]).await;
    let before = stage.rows("evidence_outbox").await;
    let (case, _) = stage.case_with_jobs(1).await;
    let answer = letter(request, LetterKind::Outcome, "person");
    let new = NewCertificate {
        letter: Some(NewLetter {
            letter: answer.clone(),
            mail: Some(mail_of(answer.id)),
            evidence: vec![entry(Some(case), None)],
        }),
        ..certificate(case, 10, "old-accounts")
    };
    assert!(!stage.certify(new.clone()).await.unwrap(), "a job is open");
    assert_eq!(stage.rows("letters").await + stage.rows("mails").await, 0);
    settle(&stage, 1, completed()).await;
    assert!(stage.certify(new.clone()).await.unwrap());
    let letters = store.letters_of_request(request).await.unwrap();
    assert_eq!(letters, std::slice::from_ref(&answer));
    assert_eq!(store.mail(answer.id).await.unwrap(), Some(mail_of(answer.id)));
    assert_eq!(stage.rows("evidence_outbox").await - before, 3);
    assert!(!stage.certify(new).await.unwrap());
    let evidence = vec![entry(Some(case), None)];
    assert!(!store.write_letter(answer, evidence).await.unwrap(), "once");
    assert_eq!((stage.rows("letters").await, stage.rows("mails").await), (1, 1));
    assert_eq!(stage.rows("evidence_outbox").await - before, 3);
}

async fn a_second_try_supersedes_the_certificate(stage: Stage) {
    let store = &stage.store;
    let (case, jobs) = stage.case_with_jobs(1).await;
    let fault = JobFault { kind: "misconfigured".to_owned(), message: "no such table".to_owned() };
    settle(&stage, 1, Settlement::Failed { fault }).await;
    let first =
        NewCertificate { outcome: CaseOutcome::Failed, ..certificate(case, 10, "old-accounts") };
    assert!(stage.certify(first.clone()).await.unwrap());
    assert!(store.retry_job(jobs[0], 1, at(20), Vec::new()).await.unwrap());
    assert_eq!(store.case(case).await.unwrap().unwrap().state, CaseState::Executing);
    settle(&stage, 21, completed()).await;
    let second = certificate(case, 30, "old-accounts");
    assert!(stage.certify(second.clone()).await.unwrap());
    let superseded = store.certificate(first.id).await.unwrap().unwrap();
    assert_eq!(superseded.summary.superseded_by, Some(second.id));
    let in_force = store.certificate_of_case(case).await.unwrap().unwrap();
    assert_eq!(in_force.summary.id, second.id);
}

/// A certificate that was stated before a job came to its end says nothing of that: it closes nothing.
async fn what_ends_while_a_case_is_stated_is_not_lost(stage: Stage) {
    let store = &stage.store;
    let (case, jobs) = stage.case_with_jobs(1).await;
    let fault = JobFault { kind: "misconfigured".to_owned(), message: "no such table".to_owned() };
    settle(&stage, 1, Settlement::Failed { fault }).await;
    assert_eq!(store.begin_verifying(&[case]).await.unwrap(), 1);
    let stated = NewCertificate { outcome: CaseOutcome::Failed, ..certificate(case, 10, "x") };
    // Meanwhile somebody tries it again, and it is done: nothing is open any more.
    assert!(store.retry_job(jobs[0], 1, at(11), Vec::new()).await.unwrap());
    settle(&stage, 12, completed()).await;
    assert!(!store.insert_certificate(stated).await.unwrap());
    assert_eq!(stage.rows("certificates").await + stage.rows("evidence_outbox").await, 0);
    assert_eq!(store.cases_to_certify(None, 5).await.unwrap()[0].id, case);
    assert!(stage.certify(certificate(case, 13, "x")).await.unwrap());
}

/// Two processes certify: one has stated the case, and before it closes it a job is done, and the other
/// one begins to state it.
async fn what_was_stated_before_another_statement_closes_nothing(stage: Stage) {
    let store = &stage.store;
    let (case, _) = stage.case_with_jobs(2).await;
    settle(&stage, 1, completed()).await;
    let fault = JobFault { kind: "misconfigured".to_owned(), message: "no such table".to_owned() };
    settle(&stage, 1, Settlement::Failed { fault }).await;
    assert_eq!(store.begin_verifying(&[case]).await.unwrap(), 1);
    let mut failed = store.jobs_of_case(case).await.unwrap();
    let stated = JobsStated::of(&failed);
    let early = NewCertificate { stated, ..certificate(case, 10, "x") };
    failed.retain(|job| job.last_fault.is_some());
    assert!(store.retry_job(failed[0].id, 1, at(11), Vec::new()).await.unwrap());
    settle(&stage, 12, completed()).await;
    assert_eq!(store.begin_verifying(&[case]).await.unwrap(), 1, "by the other process");
    assert!(!store.insert_certificate(early).await.unwrap());
    assert_eq!(stage.rows("certificates").await + stage.rows("evidence_outbox").await, 0);

    // The same where a job is called off, for which nobody begins an attempt.
    let (other, _) = stage.case_with_jobs(1).await;
    let fault = JobFault { kind: "overdue".to_owned(), message: "turn to them".to_owned() };
    let late = Settlement::Retry { available_at: at(900), fault, free: true };
    settle(&stage, 12, late).await;
    assert_eq!(store.begin_verifying(&[other]).await.unwrap(), 1);
    let stated = JobsStated::of(&store.jobs_of_case(other).await.unwrap());
    let overdue = NewCertificate { stated, ..certificate(other, 13, "x") };
    let off = Decision { by: "jonas".to_owned(), reason: "withdrawn".to_owned(), at: at(14) };
    assert!(store.cancel_case(other, off, Vec::new()).await.unwrap());
    assert_eq!(store.begin_verifying(&[other]).await.unwrap(), 1);
    assert!(!store.insert_certificate(overdue).await.unwrap());

    for case in [case, other] {
        let stated = JobsStated::of(&store.jobs_of_case(case).await.unwrap());
        let now = NewCertificate { stated, ..certificate(case, 15, "x") };
        assert!(store.insert_certificate(now).await.unwrap());
    }
}

/// Whoever verifies what is to be bundled gets it as it is kept; everybody else is told.
async fn a_damaged_certificate_keeps_no_other_one_waiting(stage: Stage) {
    let store = &stage.store;
    let mut ids = Vec::new();
    for second in [10, 20] {
        let (case, _) = stage.case_with_jobs(1).await;
        settle(&stage, 1, completed()).await;
        let new = large(case, second, "gone");
        ids.push(new.id);
        assert!(stage.certify(new).await.unwrap());
    }
    let log = NewLog { log_id: "2026".to_owned(), origin: "2026".to_owned(), ..NewLog::default() };
    store.create_log(log, at(0)).await.unwrap();
    store.sequence("2026", 100, at(30), &mut |_| {}).await.unwrap().unwrap();
    let (laws, damaged) = if store.kind() == "sqlite" {
        let dropped = ["certificates_no_update", "certificates_no_moving"];
        (dropped.map(|name| format!("DROP TRIGGER {name}")).to_vec(), "x'0071630100000001ff'")
    } else {
        let off = "ALTER TABLE certificates DISABLE TRIGGER USER".to_owned();
        (vec![off], "'\\x0071630100000001ff'")
    };
    for law in laws {
        stage.intrude(&law).await.unwrap();
    }
    stage
        .intrude(&format!(
            "UPDATE certificates SET envelope = {damaged} WHERE issued_at = {}",
            at(10).as_microsecond()
        ))
        .await
        .unwrap();
    let waiting = store.certificates_to_bundle(AFTER_NONE, 5).await.unwrap();
    assert_eq!(waiting.len(), 2);
    assert_eq!(waiting[0].envelope, b"\0qc\x01\0\0\0\x01\xff");
    let whole = store.certificate(ids[1]).await.unwrap().unwrap();
    assert_eq!(waiting[1], whole);
    // Page after page, so that those that can never be bundled hide nothing.
    let first = &waiting[0].summary;
    let page = store.certificates_to_bundle((first.issued_at, first.id), 1).await.unwrap();
    assert_eq!(page, waiting[1..]);
    let last = &waiting[1].summary;
    let end = store.certificates_to_bundle((last.issued_at, last.id), 1).await.unwrap();
    assert!(end.is_empty());
    let told = store.certificate(ids[0]).await.unwrap_err();
    assert_eq!(told, StoreError::Corrupt { column: "envelope" });
}

async fn certificates_are_found(stage: Stage) {
    let store = &stage.store;
    let mut ids = Vec::new();
    for (second, rule) in [(10, "old-accounts"), (20, "100%_gone"), (30, "old-orders")] {
        let (case, _) = stage.case_with_jobs(1).await;
        settle(&stage, 1, completed()).await;
        let new = certificate(case, second, rule);
        ids.push(new.id);
        assert!(stage.certify(new).await.unwrap());
    }
    let everything = CertificateFilter::default();
    let text = |text: &str| CertificateFilter { text: Some(text.to_owned()), ..everything.clone() };
    let case_id = store.certificate(ids[1]).await.unwrap().unwrap().summary.case_id;
    let cases = [
        (everything.clone(), vec![2, 1, 0]),
        (
            CertificateFilter { system: Some("shop".to_owned()), ..everything.clone() },
            vec![2, 1, 0],
        ),
        (CertificateFilter { system: Some("old-orders".to_owned()), ..everything.clone() }, vec![]),
        (CertificateFilter { rule: Some("old-orders".to_owned()), ..everything.clone() }, vec![2]),
        (CertificateFilter { case_id: Some(case_id), ..everything.clone() }, vec![1]),
        (CertificateFilter { from: Some(at(20)), ..everything.clone() }, vec![2, 1]),
        (CertificateFilter { to: Some(at(20)), ..everything.clone() }, vec![0]),
        (CertificateFilter { before: Some((at(20), ids[1])), ..everything.clone() }, vec![0]),
        (CertificateFilter { limit: 1, ..everything.clone() }, vec![2]),
        (text("OLD-"), vec![2, 0]),
        (text("%_"), vec![1]),
        (text("\\"), vec![]),
    ];
    for (filter, expected) in cases {
        let found = store.list_certificates(filter.clone()).await.unwrap();
        let found: Vec<Uuid> = found.into_iter().map(|one| one.id).collect();
        let expected: Vec<Uuid> = expected.into_iter().map(|index: usize| ids[index]).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
}

async fn certificates_get_their_bundles_together(stage: Stage) {
    let store = &stage.store;
    let mut ids = Vec::new();
    for second in 0..3 {
        let (case, _) = stage.case_with_jobs(1).await;
        settle(&stage, second, completed()).await;
        let mut new = certificate(case, second + 10, "a \"rule\" that's odd \\ 零");
        // The same topic twice is one.
        new.topics.extend(new.topics.clone());
        ids.push(new.id);
        assert!(stage.certify(new).await.unwrap());
    }
    assert_eq!(stage.rows("certificate_topics").await, 6);
    let rule = Some("a \"rule\" that's odd \\ 零".to_owned());
    let filter = CertificateFilter { rule, ..CertificateFilter::default() };
    assert_eq!(store.list_certificates(filter).await.unwrap().len(), 3);
    let bundle = |id: &Uuid| (*id, id.as_bytes().to_vec());
    let bundles = ids.iter().map(bundle).chain([(new_id(), vec![1])]).collect();
    assert_eq!(store.set_bundles(bundles).await.unwrap(), 3, "one of them is not there");
    for id in ids {
        let logged = store.certificate(id).await.unwrap().unwrap();
        assert_eq!(logged.bundle, Some(id.as_bytes().to_vec()));
        assert_eq!(logged.summary.state, CertificateState::Logged);
    }
    assert_eq!(store.set_bundles(Vec::new()).await.unwrap(), 0);
}

/// A certificate as large as those of persons in many systems are.
fn large(case: Uuid, second: i64, word: &str) -> NewCertificate {
    let system = |number| format!(r#"{{"system":"shop {number}","says":"{word}"}}"#);
    let statement = (0..500).map(system).collect::<Vec<_>>().join(",").into_bytes();
    let payload = BASE64_STANDARD.encode(&statement);
    NewCertificate {
        envelope: format!(r#"{{"payload":"{payload}","signatures":[]}}"#).into_bytes(),
        manifest: statement[..9_000].to_vec(),
        statement,
        ..certificate(case, second, "old-accounts")
    }
}

/// A fortieth is kept of what is written, and what is read is what was written.
async fn certificates_are_compressed(stage: Stage) {
    let store = &stage.store;
    let (case, _) = stage.case_with_jobs(1).await;
    settle(&stage, 1, completed()).await;
    let new = large(case, 10, "gone");
    assert!(stage.certify(new.clone()).await.unwrap());
    let bundle = [b"{\"proof\":".as_slice(), &new.envelope, b"}"].concat();
    assert_eq!(store.set_bundles(vec![(new.id, bundle.clone())]).await.unwrap(), 1);
    let length = "length(statement) + length(envelope) + length(manifest) + length(bundle)";
    let kept = stage.text(&format!("SELECT CAST({length} AS TEXT) FROM certificates")).await;
    let written = new.statement.len() + new.envelope.len() + new.manifest.len() + bundle.len();
    assert!(kept.parse::<usize>().unwrap() * 20 < written, "{kept} of {written}");
    let read = store.certificate(new.id).await.unwrap().unwrap();
    assert_eq!((&read.statement, &read.envelope), (&new.statement, &new.envelope));
    assert_eq!((&read.manifest, &read.bundle), (&new.manifest, &Some(bundle)));
    let stronger = [b"{\"stamped\":".as_slice(), &new.envelope, b"}"].concat();
    assert!(store.anchor_certificate(new.id, stronger.clone(), at(20)).await.unwrap());
    let read = store.certificate_of_case(case).await.unwrap().unwrap();
    assert_eq!(read.bundle, Some(stronger));
}

async fn certificates_are_found_by_what_they_say(stage: Stage) {
    let store = &stage.store;
    let mut ids = Vec::new();
    // More than are searched in one go.
    for second in 0..103 {
        let (case, _) = stage.case_with_jobs(1).await;
        settle(&stage, 1, completed()).await;
        let word = if second % 51 == 0 { "here and there" } else { "elsewhere" };
        let new = large(case, second + 10, word);
        ids.push(new.id);
        assert!(stage.certify(new).await.unwrap());
    }
    let found = store.certificates_that_say(b"here and there").await.unwrap();
    assert_eq!(found, [ids[102], ids[51], ids[0]]);
    assert!(store.certificates_that_say(b"nowhere").await.unwrap().is_empty());
}
