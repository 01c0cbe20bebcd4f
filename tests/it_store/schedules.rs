//! Schedules: due moments are answered once.

use quietus::domain::{CaseOutcome, ScheduleName};
use quietus::store::{
    CaseFilter, Decision, Disposition, FireBatch, NewFire, OpenedCase, ScheduleCursor,
};

use crate::stage::{Stage, at, entry, scheduled_case};

on_both! {
    a_double_fire_opens_one_case,
    a_schedule_has_one_open_case,
    fires_without_a_case_move_the_cursor,
}

fn nightly() -> ScheduleName {
    ScheduleName::parse("nightly").unwrap()
}

async fn a_double_fire_opens_one_case(stage: Stage) {
    stage.store.seed_schedule(&nightly(), at(0)).await.unwrap();
    stage.store.seed_schedule(&nightly(), at(77)).await.unwrap();
    let cursor = stage.store.schedule_cursor(&nightly()).await.unwrap();
    assert_eq!(cursor, Some(ScheduleCursor { cursor: at(0), version: 0 }));
    let replicas: Vec<_> = (0..6)
        .map(|_| {
            let store = stage.store.clone();
            tokio::spawn(async move {
                let mut case = scheduled_case(100, 0);
                case.evidence = vec![entry(Some(case.id), None)];
                store.open_case(case, at(101)).await.unwrap()
            })
        })
        .collect();
    let mut opened = 0;
    for replica in replicas {
        match replica.await.unwrap() {
            OpenedCase::Opened => opened += 1,
            OpenedCase::Lost => {}
            OpenedCase::Overlapping(case) => panic!("`{case}` was seen under an old version"),
        }
    }
    assert_eq!(opened, 1);
    for (table, rows) in [("cases", 1), ("jobs", 1), ("schedule_fires", 1), ("evidence_outbox", 1)]
    {
        assert_eq!(stage.rows(table).await, rows, "{table}");
    }
    let cursor = stage.store.schedule_cursor(&nightly()).await.unwrap();
    assert_eq!(cursor, Some(ScheduleCursor { cursor: at(100), version: 1 }));
    // A clock that was set back does not open the same moment again, even under the new version.
    stage
        .store
        .finish_case(
            stage.store.active_case_for(&nightly()).await.unwrap().unwrap(),
            CaseOutcome::Fulfilled,
            at(102),
            Vec::new(),
        )
        .await
        .unwrap();
    let again = stage.store.open_case(scheduled_case(100, 1), at(103)).await.unwrap();
    assert_ne!(again, OpenedCase::Opened);
    assert_eq!(stage.rows("cases").await, 1);
}

async fn a_schedule_has_one_open_case(stage: Stage) {
    let store = &stage.store;
    store.seed_schedule(&nightly(), at(0)).await.unwrap();
    let first = scheduled_case(100, 0);
    let id = first.id;
    assert_eq!(store.open_case(first, at(101)).await.unwrap(), OpenedCase::Opened);
    assert_eq!(store.active_case_for(&nightly()).await.unwrap(), Some(id));
    let second = store.open_case(scheduled_case(200, 1), at(201)).await.unwrap();
    assert_eq!(second, OpenedCase::Overlapping(id));
    // The moment stays unanswered, for later.
    assert_eq!(store.schedule_cursor(&nightly()).await.unwrap().unwrap().version, 1);
    assert_eq!(store.fires_of(&nightly(), 10).await.unwrap().len(), 1);

    assert!(!store.finish_case(id, CaseOutcome::Fulfilled, at(202), Vec::new()).await.unwrap());
    let stop = Decision { by: "jonas".to_owned(), reason: "not tonight".to_owned(), at: at(203) };
    assert!(store.cancel_case(id, stop, Vec::new()).await.unwrap());
    assert_eq!(store.begin_verifying(&[id]).await.unwrap(), 1);
    assert!(store.finish_case(id, CaseOutcome::Cancelled, at(204), Vec::new()).await.unwrap());
    assert_eq!(store.active_case_for(&nightly()).await.unwrap(), None);
    let second = store.open_case(scheduled_case(200, 1), at(205)).await.unwrap();
    assert_eq!(second, OpenedCase::Opened);

    let filter = CaseFilter { schedule: Some(nightly()), limit: 1, ..CaseFilter::default() };
    let newest = store.list_cases(filter.clone()).await.unwrap().remove(0);
    assert_eq!(newest.due_at, Some(at(200)));
    let filter = CaseFilter { before: Some((newest.created_at, newest.id)), ..filter };
    let older = store.list_cases(filter.clone()).await.unwrap().remove(0);
    assert_eq!((older.id, older.outcome), (id, Some(CaseOutcome::Cancelled)));
    let filter = CaseFilter { before: Some((older.created_at, older.id)), ..filter };
    assert!(store.list_cases(filter).await.unwrap().is_empty());
}

async fn fires_without_a_case_move_the_cursor(stage: Stage) {
    let store = &stage.store;
    store.seed_schedule(&nightly(), at(0)).await.unwrap();
    let fire = |second, disposition| NewFire { due_at: at(second), disposition };
    let batch = FireBatch {
        schedule: nightly(),
        seen_version: 0,
        cursor: at(300),
        fires: vec![
            fire(100, Disposition::Missed),
            fire(200, Disposition::BlackedOut),
            fire(300, Disposition::Missed),
        ],
    };
    assert!(store.record_fires(batch.clone(), at(301), vec![entry(None, None)]).await.unwrap());
    assert!(!store.record_fires(batch.clone(), at(302), vec![entry(None, None)]).await.unwrap());
    // The same moments under the new version: nothing of it is written, not even the cursor.
    let batch = FireBatch { seen_version: 1, cursor: at(900), ..batch };
    assert!(!store.record_fires(batch, at(303), Vec::new()).await.unwrap());
    let cursor = store.schedule_cursor(&nightly()).await.unwrap();
    assert_eq!(cursor, Some(ScheduleCursor { cursor: at(300), version: 1 }));
    let fires = store.fires_of(&nightly(), 10).await.unwrap();
    let seen: Vec<_> = fires.iter().map(|one| (one.due_at, one.disposition)).collect();
    assert_eq!(
        seen,
        vec![
            (at(300), Disposition::Missed),
            (at(200), Disposition::BlackedOut),
            (at(100), Disposition::Missed)
        ]
    );
    assert_eq!(stage.rows("evidence_outbox").await, 1);
    // A run needs its case.
    let lone = FireBatch {
        schedule: nightly(),
        seen_version: 1,
        cursor: at(400),
        fires: vec![fire(400, Disposition::Run)],
    };
    assert!(store.record_fires(lone, at(401), Vec::new()).await.is_err());
}
