//! Keys of cases and epochs, and shredding.

use quietus::domain::{CaseOutcome, Digest, EpochName, RequestOutcome, RequestState};
use quietus::store::{
    DataKey, JobFault, JobsStated, NewCertificate, OutboxEntry, PersonTag, Refused, SealedDetail,
    Settle, Settlement, Shredded,
};
use uuid::Uuid;

use crate::requests::{change, new_request};
use crate::stage::{Stage, at, entry, new_case, new_id, tenure};

on_both! {
    a_key_is_written_with_its_first_detail,
    a_destroyed_key_seals_nothing_more,
    a_case_is_shredded_when_it_is_over,
    what_belongs_to_no_case_goes_by_age,
    an_epoch_lasts_as_long_as_it_wraps_something,
    nothing_is_wrapped_with_a_destroyed_epoch,
    keys_of_requests_are_wrapped_anew,
    an_epoch_has_one_key,
    tags_of_persons_end_with_their_epoch,
}

pub fn epoch(text: &str) -> EpochName {
    EpochName::parse(text).unwrap()
}

pub async fn begin(stage: &Stage, name: &str) -> EpochName {
    let name = epoch(name);
    let check = Digest::of(name.as_str().as_bytes());
    let begun = stage.store.begin_epoch(&name, check, at(0), Vec::new()).await.unwrap();
    assert_eq!(begun.key_check, check);
    name
}

pub fn key(case: Option<Uuid>, epoch: &EpochName) -> DataKey {
    let (id, epoch, refused) = (new_id(), epoch.clone(), Refused::default());
    DataKey { id, case_id: case, epoch, wrapped: vec![7; 60], refused }
}

pub fn entry_under(key: &DataKey) -> OutboxEntry {
    let entry = entry(key.case_id, None);
    let detail = entry.detail.map(|detail| SealedDetail { key: Some(key.clone()), ..detail });
    OutboxEntry { detail, ..entry }
}

/// A case that is over, with two details under one key, and its certificate in the log.
async fn case_over(stage: &Stage, epoch: &EpochName) -> (Uuid, DataKey) {
    let case = new_case(1);
    let id = case.id;
    stage.store.open_case(case, at(0)).await.unwrap();
    let mine = tenure(&stage.claim_one("worker", 1).await);
    let key = key(Some(id), epoch);
    let fault = JobFault { kind: "rejected".to_owned(), message: "no".to_owned() };
    let settle = Settle {
        tenure: mine,
        settlement: Settlement::Failed { fault },
        now: at(2),
        evidence: vec![entry_under(&key), entry_under(&key)],
    };
    assert!(stage.store.settle(settle).await.unwrap());
    certify(stage, id).await;
    (id, key)
}

/// Certifies a case whose jobs are over, with its certificate in the log.
pub async fn certify(stage: &Stage, id: Uuid) {
    let certificate = NewCertificate {
        id: new_id(),
        case_id: id,
        outcome: CaseOutcome::Failed,
        class: "scheduled".to_owned(),
        overall: "failed".to_owned(),
        issued_at: at(3),
        stated: JobsStated::default(),
        statement: b"statement".to_vec(),
        envelope: b"envelope".to_vec(),
        manifest: b"manifest".to_vec(),
        topics: Vec::new(),
        leaf: OutboxEntry { detail: None, ..entry(Some(id), None) },
        status: None,
        later: Vec::new(),
        rules_version: None,
        request: None,
        letter: None,
        evidence: Vec::new(),
    };
    let certificate_id = certificate.id;
    assert!(stage.certify(certificate).await.unwrap());
    assert!(!stage.store.is_over(id).await.unwrap(), "its certificate is not in the log");
    let bundles = vec![(certificate_id, b"bundle".to_vec())];
    assert_eq!(stage.store.set_bundles(bundles).await.unwrap(), 1);
}

async fn a_key_is_written_with_its_first_detail(stage: Stage) {
    let epoch = begin(&stage, "2026-11").await;
    let (case, _) = stage.case_with_jobs(1).await;
    let key = key(Some(case), &epoch);
    for _ in 0..2 {
        stage.store.record_evidence(vec![entry_under(&key)], at(1)).await.unwrap();
    }
    assert_eq!(stage.rows("data_keys").await, 1);
    let details = stage.store.details_of_case(case).await.unwrap();
    assert_eq!(details.len(), 2);
    for detail in details {
        let found = detail.key.unwrap();
        assert_eq!(
            (found.id, found.epoch, found.wrapped),
            (key.id, epoch.clone(), Some(vec![7; 60]))
        );
    }
    // What was sealed with the vault's secret has none.
    stage.store.record_evidence(vec![entry(None, None)], at(2)).await.unwrap();
    assert_eq!(stage.store.first_detail_of_vault().await.unwrap().unwrap().key, None);
}

async fn a_destroyed_key_seals_nothing_more(stage: Stage) {
    let epoch = begin(&stage, "2026-11").await;
    let (case, key) = case_over(&stage, &epoch).await;
    let living = stage.store.living_details(case).await.unwrap();
    assert!(stage.store.shred_case(case, living, at(9), Vec::new()).await.unwrap());
    // Whoever keeps a copy of the key learns that it is gone.
    let kept = key.clone();
    assert!(!kept.refused.is_told());
    assert!(stage.store.record_evidence(vec![entry_under(&key)], at(10)).await.is_err());
    assert!(kept.refused.is_told());
    let revived = DataKey { wrapped: vec![8; 60], ..key.clone() };
    assert!(stage.store.record_evidence(vec![entry_under(&revived)], at(10)).await.is_err());
    assert_eq!(stage.store.rewrap_keys(&epoch, vec![revived]).await.unwrap(), 0);
    assert_eq!(stage.store.living_details(case).await.unwrap(), Shredded::default());
    // Nor does a living one seal what belongs to another case.
    let (other, _) = stage.case_with_jobs(1).await;
    let foreign = OutboxEntry {
        case_id: Some(other),
        ..entry_under(&DataKey { id: new_id(), case_id: Some(case), ..key })
    };
    assert!(stage.store.record_evidence(vec![foreign], at(10)).await.is_err());
}

async fn a_case_is_shredded_when_it_is_over(stage: Stage) {
    let epoch = begin(&stage, "2026-11").await;
    let (open, _) = stage.case_with_jobs(1).await;
    stage.store.record_evidence(vec![entry_under(&key(Some(open), &epoch))], at(1)).await.unwrap();
    let living = stage.store.living_details(open).await.unwrap();
    assert_eq!(living, Shredded { keys: 1, details: 1, manifests: 0 });
    assert!(!stage.store.shred_case(open, living, at(5), Vec::new()).await.unwrap());
    assert_eq!(stage.store.living_details(open).await.unwrap(), living, "nothing was changed");
    assert!(
        stage
            .store
            .cancel_job(
                stage.store.jobs_of_case(open).await.unwrap()[0].id,
                "operator",
                at(5),
                Vec::new()
            )
            .await
            .unwrap()
    );

    let (case, _) = case_over(&stage, &epoch).await;
    assert!(stage.store.is_over(case).await.unwrap());
    let found = |before: i64, rule: Option<&'static str>| {
        let store = stage.store.clone();
        async move { store.cases_to_shred(at(before), rule, 9).await.unwrap() }
    };
    assert_eq!(found(100_000_000, None).await, [case]);
    assert!(found(100_000_000, Some("contact")).await.is_empty());
    assert!(found(0, None).await.is_empty());
    let living = stage.store.living_details(case).await.unwrap();
    assert_eq!(living, Shredded { keys: 1, details: 2, manifests: 0 });
    let other = Shredded { details: 3, ..living };
    assert!(!stage.store.shred_case(case, other, at(6), Vec::new()).await.unwrap());
    assert_eq!(stage.store.living_details(case).await.unwrap(), living, "nothing was changed");

    let said = OutboxEntry { kind: "evidence.shredded".to_owned(), ..entry(Some(case), None) };
    assert!(stage.store.shred_case(case, living, at(7), vec![said]).await.unwrap());
    assert_eq!(stage.store.living_details(case).await.unwrap(), Shredded::default());
    assert!(found(100_000_000, None).await.is_empty());
    let details = stage.store.details_of_case(case).await.unwrap();
    let (kept, gone): (Vec<_>, Vec<_>) = details.iter().partition(|one| one.sealed.is_some());
    assert_eq!((kept.len(), gone.len()), (1, 2), "that it was shredded stays");
    assert_eq!(kept[0].kind, "evidence.shredded");
    assert!(gone.iter().all(|one| one.key.as_ref().is_some_and(|key| key.wrapped.is_none())));
    assert!(stage.store.scrub().await.unwrap());
    assert_eq!(stage.store.details_of_case(case).await.unwrap(), details);
}

async fn what_belongs_to_no_case_goes_by_age(stage: Stage) {
    let epoch = begin(&stage, "2026-11").await;
    let (old, young) = (key(None, &epoch), key(None, &epoch));
    stage.store.record_evidence(vec![entry_under(&old)], at(1)).await.unwrap();
    stage.store.record_evidence(vec![entry_under(&old)], at(2)).await.unwrap();
    stage.store.record_evidence(vec![entry_under(&young)], at(3)).await.unwrap();
    stage.store.record_evidence(vec![entry_under(&young)], at(50)).await.unwrap();
    assert!(stage.store.old_details_of_no_case(at(2), 9).await.unwrap().is_empty());
    let found = stage.store.old_details_of_no_case(at(10), 9).await.unwrap();
    assert_eq!(found.iter().map(|one| (one.key, one.details)).collect::<Vec<_>>(), [(old.id, 2)]);
    assert!(stage.store.shred_old_details(found[0], at(60), Vec::new()).await.unwrap());
    assert!(!stage.store.shred_old_details(found[0], at(61), Vec::new()).await.unwrap());
    assert!(stage.store.old_details_of_no_case(at(10), 9).await.unwrap().is_empty());
    assert_eq!(stage.store.keys_of_epoch(&epoch, 9).await.unwrap(), [young]);
}

async fn an_epoch_lasts_as_long_as_it_wraps_something(stage: Stage) {
    let (old, new) = (begin(&stage, "2026-10").await, begin(&stage, "2026-11").await);
    let (case, _) = stage.case_with_jobs(1).await;
    let key = key(Some(case), &old);
    stage.store.record_evidence(vec![entry_under(&key)], at(1)).await.unwrap();
    assert!(!stage.store.destroy_epoch(&old, at(2), Vec::new()).await.unwrap(), "never left");
    assert!(!stage.store.leave_epoch(&old, at(2), Vec::new()).await.unwrap(), "it wraps a key");
    for wrong in [
        "UPDATE key_epochs SET left_at = 1, destroyed_at = 2 WHERE epoch = '2026-10'",
        "UPDATE key_epochs SET epoch = '2026-01'",
        "UPDATE key_epochs SET begun_at = 1",
    ] {
        assert!(stage.intrude(wrong).await.is_err(), "`{wrong}` was carried out");
    }
    let anew = DataKey { epoch: new.clone(), wrapped: vec![9; 60], ..key.clone() };
    assert_eq!(stage.store.rewrap_keys(&old, vec![anew.clone()]).await.unwrap(), 1);
    assert_eq!(stage.store.keys_of_epoch(&new, 9).await.unwrap(), [anew]);
    assert!(stage.store.keys_of_epoch(&old, 9).await.unwrap().is_empty());
    assert!(stage.store.leave_epoch(&old, at(3), Vec::new()).await.unwrap());
    assert!(stage.store.destroy_epoch(&old, at(4), Vec::new()).await.unwrap());
    assert!(!stage.store.destroy_epoch(&old, at(5), Vec::new()).await.unwrap());
    let found = stage.store.key_epochs().await.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].left_at, found[0].destroyed_at), (Some(at(3)), Some(at(4))));
    assert_eq!((found[1].left_at, found[1].data_keys), (None, 1));
}

async fn nothing_is_wrapped_with_a_destroyed_epoch(stage: Stage) {
    let (old, new) = (begin(&stage, "2026-10").await, begin(&stage, "2026-11").await);
    assert!(stage.store.leave_epoch(&old, at(1), Vec::new()).await.unwrap());
    assert!(stage.store.destroy_epoch(&old, at(2), Vec::new()).await.unwrap());
    let late = entry_under(&key(None, &old));
    assert!(stage.store.record_evidence(vec![late], at(3)).await.is_err());
    let living = key(None, &new);
    stage.store.record_evidence(vec![entry_under(&living)], at(3)).await.unwrap();
    let back = DataKey { epoch: old.clone(), ..living };
    assert!(stage.store.rewrap_keys(&new, vec![back]).await.is_err());
    let mut request = new_request("request-1", &[7]);
    request.key_epoch = Some(old);
    assert!(stage.store.take_in_request(request, at(4), Vec::new()).await.is_err());
}

async fn keys_of_requests_are_wrapped_anew(stage: Stage) {
    let epoch = begin(&stage, "2026-11").await;
    let request = new_request("request-1", &[7]);
    let id = request.id;
    stage.store.take_in_request(request, at(1), Vec::new()).await.unwrap();
    let mut found = stage.store.request_keys_of_epoch(None, 9).await.unwrap();
    assert_eq!(found.iter().map(|one| (one.request, one.version)).collect::<Vec<_>>(), [(id, 0)]);
    found[0].wrapped = vec![5; 60];
    assert_eq!(stage.store.rewrap_request_keys(&epoch, found.clone()).await.unwrap(), 1);
    assert_eq!(stage.store.rewrap_request_keys(&epoch, found).await.unwrap(), 0, "changed since");
    let stored = stage.store.request(id).await.unwrap().unwrap();
    assert_eq!(
        (stored.wrapped_key, stored.key_epoch.clone(), stored.version),
        (Some(vec![5; 60]), Some(epoch.clone()), 1)
    );
    assert!(stage.store.request_keys_of_epoch(None, 9).await.unwrap().is_empty());
    assert_eq!(stage.store.request_keys_of_epoch(Some(&epoch), 9).await.unwrap().len(), 1);
    assert_eq!(stage.store.key_epochs().await.unwrap()[0].request_keys, 1);
    assert!(!stage.store.leave_epoch(&epoch, at(2), Vec::new()).await.unwrap());
    let back = "UPDATE requests SET key_epoch = NULL, version = version + 1";
    assert!(stage.intrude(back).await.is_err(), "back to the vault's secret");
}

fn tag(number: u8, epoch: &EpochName) -> PersonTag {
    PersonTag { tag: vec![number; 32], epoch: Some(epoch.clone()), sealed: Some(vec![number; 40]) }
}

async fn tags_of_persons_end_with_their_epoch(stage: Stage) {
    let (old, new) = (begin(&stage, "2026-10").await, begin(&stage, "2026-11").await);
    let (one, two) = (new_request("one", &[1]), new_request("two", &[]));
    let (first, second) = (one.id, two.id);
    stage.store.take_in_request(one, at(1), Vec::new()).await.unwrap();
    stage.store.take_in_request(two, at(1), Vec::new()).await.unwrap();
    stage.store.add_request_tags(first, vec![tag(2, &old), tag(3, &new)]).await.unwrap();
    stage.store.add_request_tags(second, vec![tag(2, &old)]).await.unwrap();
    assert_eq!(stage.store.living_epochs().await.unwrap(), [old.clone(), new.clone()]);
    assert_eq!(stage.store.key_epochs().await.unwrap()[0].tags, 2);
    assert!(!stage.store.leave_epoch(&old, at(2), Vec::new()).await.unwrap(), "it made two tags");
    let changed = "UPDATE request_persons SET epoch = '2026-11' WHERE epoch IS NOT NULL";
    assert!(stage.intrude(changed).await.is_err(), "a tag is never changed");

    let of_vault = stage.store.tags_of_epoch(None, 9).await.unwrap();
    assert_eq!((of_vault.len(), of_vault[0].tag.tag.clone()), (1, vec![1; 32]));
    let found = stage.store.tags_of_epoch(Some(&old), 9).await.unwrap();
    assert_eq!(found.len(), 2);
    // The person of the second is forgotten before the tags are replaced.
    let closed = change(second, RequestState::Closed, Some(RequestOutcome::Fulfilled));
    assert!(stage.store.change_request(closed, at(3), Vec::new()).await.unwrap());
    assert!(stage.store.forget_person(second, at(4), Vec::new()).await.unwrap());
    let anew = found.into_iter().map(|one| (one, tag(4, &new))).collect();
    assert_eq!(stage.store.replace_tags(anew).await.unwrap(), 1);
    stage.store.add_request_tags(second, vec![tag(4, &new)]).await.unwrap();
    let known = stage.store.requests_of_person(vec![vec![4; 32]]).await.unwrap();
    assert_eq!(known.iter().map(|one| one.id).collect::<Vec<_>>(), [first]);
    assert_eq!(stage.rows("request_persons").await, 3, "nobody who is forgotten comes back");

    assert!(stage.store.leave_epoch(&old, at(5), Vec::new()).await.unwrap());
    assert!(stage.store.destroy_epoch(&old, at(6), Vec::new()).await.unwrap());
    assert_eq!(stage.store.living_epochs().await.unwrap(), [new]);
    assert!(stage.store.add_request_tags(first, vec![tag(5, &old)]).await.is_err());
}

async fn an_epoch_has_one_key(stage: Stage) {
    let name = begin(&stage, "2026-11").await;
    let other = Digest::of(b"another key");
    let said = vec![entry(None, None)];
    let on_record = stage.store.begin_epoch(&name, other, at(5), said).await.unwrap();
    assert_ne!(on_record.key_check, other);
    assert_eq!(stage.rows("evidence_outbox").await, 0, "nothing began, and nothing says so");
}
