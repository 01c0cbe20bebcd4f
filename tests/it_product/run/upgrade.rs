//! Two versions side by side: each does what it can read, and one for which the schema is not any more
//! stops by itself.

use crate::company::database::{Kind, Raw};
use crate::company::engine::{opened, work};
use crate::company::{Company, heap, until, wait};
use crate::request::estate::clock;

async fn store(company: &Company) -> Raw {
    let url = format!("sqlite://{}", company.path("quietus.db").display());
    Raw::open(Kind::Sqlite, &url).await
}

/// A newer version has added a job like the one that is there, which this one cannot read.
pub async fn add_job_of_the_future(company: &Company) {
    let job = "INSERT INTO jobs (id, case_id, system, kind, state, attempt, attempts_allowed,
             available_at, payload, created_at)
         SELECT randomblob(16), case_id, system, kind, state, attempt, attempts_allowed,
             available_at - 1, '{\"version\":\"of-the-future\"}', created_at FROM jobs";
    store(company).await.run(job).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_stops_once_the_schema_is_not_for_it() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 5, "{}").await;
    company.quietus(&["hold", "list"]).await.expect(0);
    let running = company.start(&["run"]);
    until("it is at work", 30, async || {
        let seeded = company.store_rows("SELECT name FROM schedules").await;
        (!seeded.is_empty()).then_some(())
    })
    .await;
    store(&company)
        .await
        .run(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'needs 9998 of the future', 1, x'00', 0)",
        )
        .await;
    let stopped = wait(running).await.expect(1);
    assert!(stopped.err.contains("number 9999"), "{}", stopped.err);
    assert!(stopped.err.contains("use the newer one"), "{}", stopped.err);
    let again = company.quietus(&["run"]).await.expect(1);
    assert!(again.err.contains("number 9999"), "{}", again.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_only_a_newer_version_can_read_is_left_to_it() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 100, "{ chunk_records: 50 }").await;
    let clock = clock();
    let product = company.replica(&clock).await;
    opened(&product).await;
    add_job_of_the_future(&company).await;
    let left = "SELECT CAST(attempts_allowed - attempt AS TEXT) FROM jobs
        WHERE payload LIKE '%of-the-future%'";
    let before = company.store_rows(left).await;
    work(&product).await;
    assert_eq!(heap::left(&company).await, 10, "the others are carried out");
    let states = "SELECT state || ' ' || coalesce(last_fault_kind, '-') FROM jobs ORDER BY 1";
    let expected = ["available newer", "completed -"];
    assert_eq!(company.store_rows(states).await, expected);
    assert_eq!(company.store_rows(left).await, before, "it has cost no attempt");
    assert_eq!(company.count_of("certificates").await, 0, "the case waits for it");
    // A run that ends does not wait for it for ever.
    company.quietus(&["run", "--once"]).await.expect(1);
    assert_eq!(company.store_rows(left).await, before);
}
