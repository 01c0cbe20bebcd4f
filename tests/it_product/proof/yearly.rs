//! A log a year, chained by first and last leaves.

use quietus::evidence::leaf::{EvidenceKind, read_leaf};

use super::restored::{first_leaf, on_both};
use crate::company::database::Kind;
use crate::company::engine::{TurnedClock, ring, work};
use crate::company::heap;

async fn the_year_turns(store: Kind) {
    let company = heap::company(store, Kind::Sqlite, 30, "{ chunk_records: 500 }").await;
    let clock = TurnedClock::at("2026-12-31T01:00:00Z");
    let product = company.replica(&clock).await;
    product.seed_schedules().await.unwrap();
    clock.set("2026-12-31T02:00:00Z");
    ring(&product).await;
    assert_eq!(company.logs().await, ["example-company/evidence/2026"]);
    let old = company.certificate("latest").await;
    let (size, root) = company.signed();

    clock.set("2026-12-31T23:59:59Z");
    work(&product).await;
    assert_eq!(company.logs().await.len(), 1);
    clock.set("2027-01-01T00:00:00Z");
    work(&product).await;
    let logs = company.logs().await;
    assert_eq!(logs, ["example-company/evidence/2026", "example-company/evidence/2027"]);
    company.check_log().await;

    // The old one only grew by its last leaf, and the new one begins with its last head.
    assert!(company.continues(&logs[0], size, &root).await);
    let leaves = company.leaves_of(&logs[0]).await;
    let last = read_leaf(leaves.last().unwrap()).unwrap();
    assert_eq!(last.kind, EvidenceKind::LogClosed);
    let closed = company.checkpoints_of(&logs[0]).await.pop().unwrap();
    let opened = first_leaf(&company, &logs[1]).await;
    assert_eq!(opened["follows"]["origin"], logs[0]);
    assert_eq!(opened["follows"]["size"], closed.0);
    assert!(opened["follows"]["checkpoint"].as_str().unwrap().starts_with(&logs[0]));
    let refused = product.store.close_log(&logs[0], closed.0 as u64).await;
    assert!(!matches!(refused, Ok(true)), "a log was closed twice");

    // A clock that is set back ends nothing; one that goes on over two years skips one.
    clock.set("2026-06-01T00:00:00Z");
    work(&product).await;
    assert_eq!(company.logs().await.len(), 2);
    clock.set("2029-03-01T02:00:00Z");
    ring(&product).await;
    let logs = company.logs().await;
    assert_eq!(logs[2..], ["example-company/evidence/2029"]);
    company.check_log().await;
    let status = product.log_status().await.unwrap();
    assert_eq!(status.standing.why(), None);

    // Certificates of both verify, each in its log.
    assert_eq!(old.predicate["issuer"]["log"], logs[0]);
    let newest = company.certificate("latest").await;
    assert_eq!(newest.predicate["issuer"]["log"], logs[2]);
    let listed = company.quietus(&["certificate", "list"]).await.expect(0);
    let first = listed.out.lines().rev().find(|line| line.contains('-')).unwrap().to_owned();
    company.certificate(&crate::company::identifier_in(&first)).await;
}

/// A replica that was not there at the turn of the year finds the chain as it is.
async fn another_replica_goes_on(store: Kind) {
    let company = heap::company(store, Kind::Sqlite, 30, "{ chunk_records: 500 }").await;
    let clock = TurnedClock::at("2026-12-31T23:00:00Z");
    let (one, other) = (company.replica(&clock).await, company.replica(&clock).await);
    work(&one).await;
    clock.set("2027-01-01T00:00:01Z");
    let (first, second) = tokio::join!(one.advance_log(), other.advance_log());
    // Whoever is second may be told that the store is busy, and is fine with the next tick.
    drop((first, second));
    one.advance_log().await.unwrap();
    other.advance_log().await.unwrap();
    assert_eq!(company.logs().await.len(), 2);
    company.check_log().await;
}

on_both! { the_year_turns another_replica_goes_on }
