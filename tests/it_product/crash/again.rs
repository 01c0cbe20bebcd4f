//! Dying again and again: after every chunk, and more often than is allowed.

use std::time::Duration;

use crate::company::database::Kind;
use crate::company::{Company, ended, heap};
use crate::request::person;

const OLD: u64 = 2_000;

async fn die_at(company: &Company, point: u8) {
    let mut command = company.command(&["run", "--once"]);
    command.env("QUIETUS_LEASE_MS", "300").env("QUIETUS_CRASH_POINT", point.to_string());
    let killed = ended(command).await;
    assert_eq!(killed.code, -1, "{}\n{}", killed.out, killed.err);
}

async fn dies_after_every_chunk(store: Kind, target: Kind, point: u8) {
    let company = heap::company(store, target, OLD, "{ chunk_records: 300 }").await;
    for _ in 0..5 {
        die_at(&company, point).await;
    }
    let case = company.oldest_case().await;
    let left = heap::left(&company).await;
    assert!(left > 10 && left < 2_010, "each life did a part: {left} are left");
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(heap::left(&company).await, 10);
    let certificate = company.certificate_of(&case).await;
    assert_eq!(certificate.overall(), "complete");
    let deleted = certificate.sum("deleted", "heap", "notes", Some("note.body"));
    assert_eq!(deleted, OLD, "each record is counted once, whichever life deleted it");
    company.check_log().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_the_store_knows_of_the_chunk_on_sqlite() {
    dies_after_every_chunk(Kind::Sqlite, Kind::Sqlite, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_the_store_knows_of_the_chunk_on_postgresql() {
    dies_after_every_chunk(Kind::Postgres, Kind::Postgres, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_the_store_knows_of_the_chunk_on_mariadb() {
    dies_after_every_chunk(Kind::Sqlite, Kind::MariaDb, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_store_knows_of_the_chunk_on_sqlite() {
    dies_after_every_chunk(Kind::Sqlite, Kind::Sqlite, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_store_knows_of_the_chunk_on_postgresql() {
    dies_after_every_chunk(Kind::Postgres, Kind::Postgres, 4).await;
}

/// A job that kills whoever touches it is given up, and nothing is claimed of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_kills_every_time_is_given_up() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 50, "{ chunk_records: 300 }").await;
    for _ in 0..8 {
        die_at(&company, 2).await;
    }
    let case = company.oldest_case().await;
    let ended = company.quietus(&["run", "--once"]).await.expect(1);
    assert!(ended.out.contains("none of its latest attempts came to an end"), "{}", ended.out);
    assert_eq!(company.certificate_of(&case).await.overall(), "failed");
    // The new case of the same command found everything still due and carried it out.
    assert_eq!(heap::left(&company).await, 10);
}

/// A company whose processes have died so often over what a person has asked for; the case.
async fn died_over_a_person(deaths: u32) -> (Company, String) {
    let company = person::company("").await;
    person::brought(&company, "erasure", "email=grace@mail.example\n").await;
    for _ in 0..deaths {
        die_at(&company, 2).await;
        tokio::time::sleep(Duration::from_millis(350)).await;
    }
    let case = company.oldest_case().await;
    (company, case)
}

/// What a person asked for is not given up as soon as what a rule makes due is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_persons_part_outlives_more_deaths() {
    let (company, case) = died_over_a_person(12).await;
    let attempts = "SELECT CAST(MIN(attempt - attempts_allowed) AS TEXT) FROM jobs
         WHERE kind = 'request'";
    assert_eq!(company.store_rows(attempts).await, ["4"], "both died more often than is allowed");
    company.quietus(&["run", "--once"]).await.expect(0);
    let certificate = company.certificate_of(&case).await;
    assert!(certificate.overall().starts_with("complete"), "{}", certificate.overall());
}

/// And neither for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_persons_part_that_kills_every_time_is_given_up() {
    let (company, case) = died_over_a_person(16).await;
    let ended = company.quietus(&["run", "--once"]).await.expect(1);
    assert!(ended.out.contains("number 16 was the last that was begun"), "{}", ended.out);
    assert_eq!(company.certificate_of(&case).await.overall(), "failed");
}
