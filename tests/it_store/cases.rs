//! Cases and documents.

use quietus::domain::{CaseState, Digest, JobState, RuleName};
use quietus::store::{
    Approval, BlockedReason, CaseFilter, Decision, DocumentKind, Gauges, NewCase, NewMark,
    OpenedCase, StoreError,
};
use uuid::Uuid;

use crate::stage::{Stage, at, claim, document, entry, new_case, new_id};

on_both! {
    a_case_comes_back_as_it_was_written,
    a_case_is_written_whole_or_not_at_all,
    a_case_that_awaits_approval_does_nothing,
    cases_to_certify_are_read_page_by_page,
    a_refusal_names_no_value,
    gauges_count,
}

async fn a_case_comes_back_as_it_was_written(stage: Stage) {
    let store = &stage.store;
    let mut new = new_case(2);
    new.marks = vec![NewMark { rule: RuleName::parse("old-accounts").unwrap(), at: at(2) }];
    new.lag_us = Some(-5);
    assert_eq!(store.open_case(new.clone(), at(3)).await.unwrap(), OpenedCase::Opened);
    let case = store.case(new.id).await.unwrap().unwrap();
    assert_eq!((&case.plan, &case.authors), (&new.plan, &new.authors));
    assert_eq!((case.state, case.created_at, case.lag_us), (CaseState::Executing, at(3), Some(-5)));
    assert_eq!((case.rules_digest, case.map_digest), (new.rules.digest, new.map.digest));
    assert_eq!(Digest::of(case.plan.text.as_bytes()), case.plan.digest);
    let jobs = store.jobs_of_case(new.id).await.unwrap();
    assert_eq!(jobs.len(), 2);
    for (job, written) in jobs.iter().zip(&new.jobs) {
        assert_eq!((job.id, &job.payload), (written.id, &written.payload));
        assert_eq!(
            (job.total_estimate, job.attempt, job.state),
            (Some(42), 0, JobState::Available)
        );
    }
    let rules = store.document(new.rules.digest).await.unwrap().unwrap();
    assert_eq!(rules, new.rules);
    assert_eq!(store.document(Digest::of(b"none")).await.unwrap(), None);
    store.keep_document(document(DocumentKind::Map, "systems: []"), at(9)).await.unwrap();
    assert_eq!(stage.rows("documents").await, 2);
    let mark = store.newest_mark(&new.marks[0].rule, at(99)).await.unwrap();
    assert_eq!(mark, Some(at(2)), "the moment that the mark names");
    assert_eq!(store.case(new_id()).await.unwrap(), None);
    assert_eq!(store.job(new_id()).await.unwrap(), None);
}

async fn a_case_is_written_whole_or_not_at_all(stage: Stage) {
    let mut case = new_case(2);
    case.evidence = vec![entry(Some(case.id), None), entry(Some(case.id), None)];
    // The last thing that is written is refused.
    case.evidence[1].entry_id = case.evidence[0].entry_id;
    assert!(stage.store.open_case(case.clone(), at(0)).await.is_err());
    for table in ["cases", "jobs", "documents", "evidence_outbox", "evidence_details"] {
        assert_eq!(stage.rows(table).await, 0, "{table}");
    }
    case.evidence.truncate(1);
    assert_eq!(stage.store.open_case(case, at(0)).await.unwrap(), OpenedCase::Opened);
    assert_eq!(stage.rows("jobs").await, 2);
}

async fn a_case_that_awaits_approval_does_nothing(stage: Stage) {
    let store = &stage.store;
    let mut new = new_case(1);
    new.state = CaseState::AwaitingApproval;
    new.blocked_reason = Some("more than the cap".to_owned());
    new.jobs[0].blocked = Some(BlockedReason::Approval);
    let id = new.id;
    store.open_case(new, at(0)).await.unwrap();
    assert!(store.claim(claim("worker", 999, 5)).await.unwrap().is_empty());
    assert!(store.cases_to_certify(None, 5).await.unwrap().is_empty());
    let filter = CaseFilter { state: Some(CaseState::AwaitingApproval), ..CaseFilter::default() };
    assert_eq!(store.list_cases(filter).await.unwrap().len(), 1);
    let decision = Decision { by: "jonas".to_owned(), reason: "seen".to_owned(), at: at(1000) };
    let seen = stage.waiting(id).await;
    let missing = store.approve_case(new_id(), decision.clone(), &seen, Vec::new()).await.unwrap();
    assert_eq!(missing, Approval::NotAwaiting);
    let approved = store.approve_case(id, decision, &seen, Vec::new()).await.unwrap();
    assert_eq!(approved, Approval::Approved);
    assert_eq!(stage.claim_one("worker", 1000).await.job.case_id, id);
}

async fn cases_to_certify_are_read_page_by_page(stage: Stage) {
    let store = &stage.store;
    let mut cases = Vec::new();
    for _ in 0..5 {
        let mut new = new_case(1);
        new.jobs.clear();
        cases.push(new.id);
        store.open_case(new, at(0)).await.unwrap();
    }
    let page = async |after: Option<Uuid>| {
        let page = store.cases_to_certify(after, 2).await.unwrap();
        page.iter().map(|case| case.id).collect::<Vec<_>>()
    };
    assert_eq!(page(None).await, cases[..2]);
    // Whatever could not be certified stays where it is and hides nothing behind it.
    assert_eq!(page(Some(cases[1])).await, cases[2..4]);
    assert_eq!(page(Some(cases[3])).await, cases[4..]);
    assert!(page(Some(cases[4])).await.is_empty());
}

async fn a_refusal_names_no_value(stage: Stage) {
    let opened_by = "secret-person@example.com".to_owned();
    let case = NewCase { opened_by, ..new_case(1) };
    stage.store.open_case(case.clone(), at(0)).await.unwrap();
    let error = stage.store.open_case(case.clone(), at(0)).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { .. }));
    let told = format!("{error} {error:?}");
    assert!(!told.contains("secret-person"), "{told}");
    assert!(!told.contains(&case.id.to_string()), "{told}");
    assert!(!error.is_transient());
}

async fn gauges_count(stage: Stage) {
    let store = &stage.store;
    assert_eq!(store.gauges(at(0)).await.unwrap(), Gauges::default());
    stage.case_with_jobs(3).await;
    stage.claim_one("worker", 5).await;
    store.record_evidence(vec![entry(None, None)], at(7)).await.unwrap();
    let gauges = store.gauges(at(70)).await.unwrap();
    assert_eq!(gauges.jobs.get(&JobState::Available), Some(&2));
    assert_eq!(gauges.oldest_overdue_since, Some(at(0)));
    assert_eq!((gauges.expired_leases, gauges.awaiting_approval), (1, 0));
    assert_eq!((gauges.outbox_entries, gauges.outbox_since), (1, Some(at(7))));
}
