//! `kill -9` while persons are looked for, or while what is back goes: it is taken up again, and ends
//! as if nothing had happened.

use quietus::domain::AskedRight;

use super::{Club, LONG_AGO};
use crate::company::database::Kind;
use crate::company::ended;
use crate::restore::house::rows;

/// Persons were looked for, and nothing is recorded.
const LOOKED: u8 = 21;

async fn killed_and_begun_again(store: Kind) {
    let club = Club::new(store, "").await;
    let company = &club.company;
    let case = club.done(AskedRight::Erasure, 1).await;
    let first = company.certificate_id(&case).await;
    let before = company.certificate_of(&case).await;
    club.import(101, 1, LONG_AGO).await;
    // Claimed comes first where a job of an earlier run is there; so do the others.
    for point in [LOOKED, LOOKED, 2, 3, 5, 6, 7, 8] {
        let mut command = company.command(&["run", "--once"]);
        command.env("QUIETUS_LEASE_MS", "300").env("QUIETUS_CRASH_POINT", point.to_string());
        let killed = ended(command).await;
        assert_eq!(killed.code, -1, "at {point}: {}\n{}", killed.out, killed.err);
        tokio::time::sleep(std::time::Duration::from_millis(350)).await;
    }
    company.quietus(&["run", "--once"]).await.expect(0);
    assert!(!rows(company).await.contains(&"101".to_owned()));
    let after = company.certificate_of(&case).await;
    assert_eq!(after.predicate["supersedes"]["certificateId"], first.as_str());
    assert_eq!(after.predicate["supersedes"]["reason"], "reappeared");
    assert_eq!(after.predicate["reappearances"].as_array().unwrap().len(), 1);
    assert_eq!(company.count_of("reappearances").await, 1);
    assert_eq!(after.counts(), before.counts(), "nobody is counted twice");
    company.check_log().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_begun_again_with_the_store_in_sqlite() {
    killed_and_begun_again(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_begun_again_with_the_store_in_postgresql() {
    killed_and_begun_again(Kind::Postgres).await;
}
