//! Replicas that look and tell at the same time: each step is told once.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use jiff::ToSpan as _;

use super::{heap_with, open_kinds, pause, resume, serving, soon};
use crate::company::database::Kind;
use crate::company::engine::TurnedClock;

async fn each_step_is_told_once(store: Kind) {
    let (company, receiver) = heap_with(store, "", "").await;
    let clock = soon();
    let mut replicas = Vec::new();
    for _ in 0..3 {
        replicas.push(serving(&company, &clock).await);
    }
    let both = async || {
        replicas[0].advance_log().await.unwrap();
        for _ in 0..3 {
            for looked in join_all(replicas.iter().map(|one| one.look_for_alarms())).await {
                looked.unwrap();
            }
            for told in join_all(replicas.iter().map(|one| one.tell_alarms())).await {
                told.unwrap();
            }
        }
    };
    for _ in 0..4 {
        pause(&company).await;
        both().await;
        resume(&company).await;
        both().await;
        clock.advance(1.minute());
    }
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    for one in receiver.came() {
        *times.entry(one.id).or_default() += 1;
    }
    assert!(times.values().all(|times| *times == 1), "{times:?}");
    let pair = ["alarm.raised pause.lasting", "alarm.cleared pause.lasting"];
    assert_eq!(receiver.heard(), pair.repeat(4));
    assert_eq!(open_kinds(&company).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_step_is_told_once_on_postgresql() {
    Box::pin(each_step_is_told_once(Kind::Postgres)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_step_is_told_once_on_sqlite() {
    Box::pin(each_step_is_told_once(Kind::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_replicas_looks_in_turn() {
    let (company, _) = heap_with(Kind::Postgres, "", "").await;
    let clock = TurnedClock::at("2026-06-01T12:00:00Z");
    let mut replicas = Vec::new();
    for _ in 0..4 {
        replicas.push(company.replica(&clock).await);
    }
    for _ in 0..3 {
        let looks = replicas.iter().map(|one| one.look_for_alarms_in_turn());
        let looked = join_all(looks).await.into_iter().filter_map(Result::unwrap).count();
        assert_eq!(looked, 1);
        clock.advance(5.minutes());
    }
}
