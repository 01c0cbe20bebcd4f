//! A system that does not answer while its cases are certified: nobody waits for it for long, the
//! certificates say that nobody has looked yet, and a job looks once it answers again.

use std::time::{Duration, Instant};

use jiff::ToSpan as _;
use tokio_util::sync::CancellationToken;

use super::postgresql::{LAST, MIDDLE, company_on, furnished};
use super::{files, looks, stages};
use crate::backup::live;
use crate::company::database::Kind;
use crate::company::engine::TurnedClock;
use crate::request::person as people;

/// For so long whoever certifies waits for a system.
const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_long_for_a_system_that_does_not_answer() {
    let server = furnished().await;
    let driven = "residues: {look: PT1H, stages: [dead_rows, wal], drive: [vacuum, switch_wal]}\n";
    let company = company_on(&server, Kind::Postgres, driven).await;
    for value in [MIDDLE, LAST] {
        people::brought(&company, "erasure", &format!("email={value}\n")).await;
    }
    let clock = TurnedClock::at("2027-01-04T09:00:00Z");
    let product = company.replica(&clock).await;
    let stop = CancellationToken::new();
    for _ in 0..3 {
        product.advance_requests().await.unwrap();
        while product.carry_out_next("worker", &stop).await.unwrap().is_some() {}
    }

    // Somebody accepts connections there, and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    company.write_secret("club-url", &format!("postgresql://postgres@{address}/club"));
    let begun = Instant::now();
    assert_eq!(product.certify_finished().await.unwrap().len(), 2);
    let waited = begun.elapsed();
    assert!((PATIENCE..PATIENCE * 2).contains(&waited), "for one of two: {waited:?}");
    let case = company.oldest_case().await;
    let first = company.certificate_of(&case).await;
    assert_eq!(first.overall(), "complete-with-exceptions");
    let stated = files(&first, "club");
    assert_eq!(stages(&stated), ["dead_rows", "wal"].map(|name| (name.to_owned(), false)));
    assert_eq!(stated["reason"], "nobody has looked yet");
    assert!(stated["lookedAt"].is_null(), "{stated:#}");
    assert_eq!(looks(&company).await, ["scheduled -", "scheduled -"]);

    // It answers again: it is looked at soon, as it would have been at once, and nothing is driven.
    company.write_secret("club-url", &server.url("club"));
    clock.advance(1.minutes());
    live(&product).await;
    assert_eq!(looks(&company).await, ["available left", "available left"]);
    let left = product.residues_left(Some("club")).await.unwrap();
    assert!(
        left.iter().all(|one| one.seen.looked_at == Some("2027-01-04T09:01:00Z".parse().unwrap()))
    );
    let vacuums =
        "SELECT CAST(vacuum_count AS text) FROM pg_stat_user_tables WHERE relname = 'members'";
    assert_eq!(server.raw("club").await.rows(vacuums).await, ["0"]);
    for _ in 0..3 {
        clock.advance(1.hours());
        live(&product).await;
    }
    let last = company.certificate_of(&case).await;
    assert_eq!(last.overall(), "complete", "{:#}", files(&last, "club"));
    assert_eq!(last.predicate["supersedes"]["reason"], "residues-gone");
    assert!(!server.holds(&["/pg_wal/"], MIDDLE) && !server.holds(&["/pg_wal/"], LAST));
    company.check_log().await;
}
