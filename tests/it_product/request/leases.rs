//! A lease is lost in the middle of what many have begun together: what the others had done by then
//! stays on record when they are given back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::crowd::{AMBIGUOUS, belongings, company};
use super::many::{ask, case_of, certified, live};
use crate::company::database::Kind;
use crate::company::engine::{TurnedClock, work};
use crate::company::{Company, until};

const ASKING: i64 = 40;

/// How many tickets of each part are on record as deleted, where there are any.
async fn on_record(company: &Company) -> BTreeMap<String, u64> {
    let deleted = "SELECT id::text, done::json #>> '{current,collections,0,deleted}' FROM jobs
        WHERE system = 'desk' AND done IS NOT NULL ORDER BY id";
    let rows = company.store_rows(deleted).await;
    let pairs = rows.iter().filter_map(|row| row.split_once('|'));
    let pairs = pairs.map(|(job, deleted)| (job.to_owned(), deleted.parse().unwrap_or(0)));
    pairs.filter(|(_, deleted)| *deleted > 0).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_had_done_before_a_lease_was_lost_stays_on_record() {
    let company = company(Kind::Postgres, ASKING, 10).await;
    let clock = TurnedClock::at_present();
    let product = company.replica_with(&clock, Duration::from_secs(3)).await;
    let before = belongings(&company).await;
    let mut requests = BTreeMap::new();
    for person in 1..=ASKING {
        requests.insert(person, ask(&product, person).await);
    }
    product.advance_requests().await.unwrap();
    product.advance_requests().await.unwrap();
    // In the order of keys, one in the middle, for which somebody else makes them wait.
    let middle = ASKING / 2 * 10;
    let mut lock = company.database("desk").raw().await;
    lock.run(&format!("START TRANSACTION; SELECT 1 FROM tickets WHERE id = {middle} FOR UPDATE"))
        .await;
    let working = Arc::clone(&product);
    let worker = tokio::spawn(async move { work(&working).await });
    until("the first tickets are on record", 60, async || {
        (on_record(&company).await.len() > 1).then_some(())
    })
    .await;
    // Until nothing more is told: the next chunk waits.
    let mut known = on_record(&company).await;
    loop {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let now = on_record(&company).await;
        if now == known {
            break;
        }
        known = now;
    }
    let store = company.store.as_ref().unwrap();
    let lost = known.keys().next().unwrap().clone();
    store.run(&format!("UPDATE jobs SET leased_by = 'another' WHERE id = '{lost}'")).await;
    until("the others are given back", 60, async || {
        let given_back = "SELECT COUNT(*)::text FROM attempts WHERE result = 'released'
            AND job_id IN (SELECT id FROM jobs WHERE system = 'desk')";
        (company.store_rows(given_back).await != ["0"]).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(on_record(&company).await, known);

    lock.run("ROLLBACK").await;
    worker.await.unwrap();
    live(&product, &clock).await;
    for person in (1..=ASKING).filter(|one| *one != AMBIGUOUS) {
        let case = case_of(&product, requests[&person]).await.unwrap();
        let (_, deleted) = certified(&product, case.id).await;
        assert_eq!(deleted["tickets"], before.tickets[&person], "person {person}");
    }
    company.check_log().await;
}
