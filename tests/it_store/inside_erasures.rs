//! Erasures inside copies: asked for once, agreed to by somebody else, carried out once.

use quietus::store::{InsideState, JobKind, NewInsideErasure, NewJob};
use serde_json::json;
use uuid::Uuid;

use crate::stage::{Stage, at, entry, new_case, new_id, new_job};

on_both! {
    it_is_asked_for_once_and_agreed_to_by_somebody_else,
    what_is_put_off_waits_for_its_time,
    its_end_makes_looks_at_that_store_due,
}

pub fn new(case_id: Uuid) -> NewInsideErasure {
    NewInsideErasure {
        id: new_id(),
        case_id,
        store: "vault".to_owned(),
        declared: json!({ "shop": { "identity": "customer_id", "files": "customers/{}/" } }),
        parts: 1,
        asked_by: "ada".to_owned(),
        reason: "OPS-7".to_owned(),
    }
}

async fn case(stage: &Stage) -> Uuid {
    let case = new_case(0);
    let id = case.id;
    stage.store.open_case(case, at(0)).await.unwrap();
    id
}

async fn asked(stage: &Stage, case: Uuid, second: i64) -> Uuid {
    let new = new(case);
    let id = new.id;
    let evidence = vec![entry(Some(case), None)];
    assert!(stage.store.ask_inside_erasure(new, at(second), evidence).await.unwrap());
    id
}

async fn it_is_asked_for_once_and_agreed_to_by_somebody_else(stage: Stage) {
    let (store, case) = (&stage.store, case(&stage).await);
    let id = asked(&stage, case, 1).await;
    let before = stage.rows("evidence_outbox").await;
    let again = vec![entry(Some(case), None)];
    assert!(!store.ask_inside_erasure(new(case), at(2), again).await.unwrap(), "it waits already");
    assert_eq!(stage.rows("evidence_outbox").await, before, "nothing was written");
    let elsewhere = NewInsideErasure { store: "attic".to_owned(), ..new(case) };
    assert!(store.ask_inside_erasure(elsewhere, at(2), Vec::new()).await.unwrap());
    for same in ["ada", "Ada"] {
        store.approve_inside_erasure(id, same, at(3), Vec::new()).await.unwrap_err();
    }
    let row = store.inside_erasure(id).await.unwrap().unwrap();
    assert_eq!((row.state, row.asked_at), (InsideState::Asked, at(1)));
    assert_eq!(row.decided, None);
    assert!(!store.end_inside_erasure(&row, (1, 0), at(3), Vec::new()).await.unwrap());
    assert!(store.inside_erasures_to_carry_out(at(9)).await.unwrap().is_empty());
    assert!(store.approve_inside_erasure(id, "grace", at(4), Vec::new()).await.unwrap());
    assert!(!store.approve_inside_erasure(id, "grace", at(5), Vec::new()).await.unwrap());
    assert_eq!(store.inside_erasure_of_case(case, "vault").await.unwrap(), None);
    let row = store.inside_erasures_to_carry_out(at(4)).await.unwrap().pop().unwrap();
    assert_eq!((row.id, row.decided.clone()), (id, Some(("grace".to_owned(), at(4)))));
    assert!(store.end_inside_erasure(&row, (3, 1), at(6), Vec::new()).await.unwrap());
    assert!(!store.end_inside_erasure(&row, (3, 1), at(7), Vec::new()).await.unwrap(), "once");
    let refused = store.refuse_inside_erasure(id, ("grace", "OPS-8"), at(8), Vec::new()).await;
    assert!(!refused.unwrap(), "it has ended");
    let done = store.inside_erasure_of_case(case, "vault").await.unwrap().unwrap();
    assert_eq!((done.id, done.ended, done.parts), (id, Some((at(6), 3, 1)), 1));
    assert_eq!(done.declared, new(case).declared);
    // What has ended may be asked for again.
    let later = asked(&stage, case, 9).await;
    let listed = store.inside_erasures(10).await.unwrap();
    assert_eq!((listed.len(), listed[0].id), (3, later));
}

async fn what_is_put_off_waits_for_its_time(stage: Stage) {
    let (store, case) = (&stage.store, case(&stage).await);
    let id = asked(&stage, case, 1).await;
    let put_off = |second| store.put_off_inside_erasure(id, ("no", at(second)), at(2), Vec::new());
    assert!(!put_off(50).await.unwrap(), "nobody has agreed");
    store.approve_inside_erasure(id, "grace", at(3), Vec::new()).await.unwrap();
    assert!(put_off(50).await.unwrap());
    assert!(store.inside_erasures_to_carry_out(at(49)).await.unwrap().is_empty());
    assert_eq!(store.inside_erasures_to_carry_out(at(50)).await.unwrap().len(), 1);
    let row = store.inside_erasure(id).await.unwrap().unwrap();
    assert_eq!(row.trouble, Some(("no".to_owned(), at(50))));
    let refused = store.refuse_inside_erasure(id, ("ada", "OPS-8"), at(51), Vec::new()).await;
    assert!(refused.unwrap(), "also by whoever asked");
    let row = store.inside_erasure(id).await.unwrap().unwrap();
    assert_eq!((row.state, row.trouble), (InsideState::Refused, None));
    assert_eq!(row.refusal.as_deref(), Some("OPS-8"));
}

async fn its_end_makes_looks_at_that_store_due(stage: Stage) {
    let store = &stage.store;
    let look = |system: &str, kind| NewJob { kind, available_at: at(1000), ..new_job(system) };
    let mut case = new_case(0);
    case.jobs = vec![
        look("vault", JobKind::Backup),
        look("attic", JobKind::Backup),
        look("vault", JobKind::Retained),
    ];
    let (id, looks) = (case.id, [case.jobs[0].id, case.jobs[1].id, case.jobs[2].id]);
    store.open_case(case, at(0)).await.unwrap();
    let erasure = asked(&stage, id, 1).await;
    store.approve_inside_erasure(erasure, "grace", at(2), Vec::new()).await.unwrap();
    let row = store.inside_erasure(erasure).await.unwrap().unwrap();
    assert!(store.end_inside_erasure(&row, (1, 0), at(3), Vec::new()).await.unwrap());
    for (job, due) in looks.into_iter().zip([3, 1000, 1000]) {
        assert_eq!(store.job(job).await.unwrap().unwrap().available_at, at(due));
    }
}
