//! What is over stays over: jobs that were called off or overtaken, what systems keep of them, and
//! cases that cannot be certified.

use jiff::ToSpan as _;
use quietus::app::Quietus;
use uuid::Uuid;

use crate::company::database::Kind;
use crate::company::engine::{TurnedClock, opened, ring, work};
use crate::company::{Company, heap};

const PACE: &str = "{ chunk_records: 15 }";

/// The sixtieth note cannot be deleted, so the job fails after some chunks.
const BREAK: &str = "CREATE TRIGGER no BEFORE DELETE ON notes WHEN OLD.id = 60 BEGIN \
    SELECT RAISE(ABORT, 'no'); END";

/// A field that the data map does not know stops a job at once.
const SURPRISE: &str = "ALTER TABLE notes ADD COLUMN surprise TEXT";

async fn progress_rows(company: &Company) -> i64 {
    let text =
        "SELECT CAST(COUNT(*) AS TEXT) FROM quietus_progress WHERE order_key NOT LIKE 'canary-%'";
    company.database("heap").number(text).await
}

async fn failed() -> Company {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 100, PACE).await;
    company.database("heap").run(BREAK).await;
    company.quietus(&["run", "--once"]).await.expect(1);
    assert_eq!(company.certificate("latest").await.overall(), "failed");
    assert!(progress_rows(&company).await > 0, "the job can be resumed");
    company
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_job_says_what_is_left_and_is_overtaken() {
    let company = failed().await;
    let left = heap::left(&company).await - 10;
    assert!(left > 0 && left < 100, "{left}");
    for one in company.certificate("latest").await.statements() {
        assert_eq!(one["records"]["left"], left.to_string(), "{one}");
        assert_eq!(one["records"]["matched"], "100");
        assert_eq!(one["method"]["nist80088"], "n/a");
    }
    company.database("heap").run("DROP TRIGGER no").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(heap::left(&company).await, 10);
    assert_eq!(progress_rows(&company).await, 0, "no key of a record is left behind");
    let retry = company.quietus(&["retry"]).await.expect(1);
    assert!(retry.out.contains("no failed job waits"), "{}", retry.out);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_fails_again_is_not_final() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 100, PACE).await;
    company.database("heap").run(SURPRISE).await;
    company.quietus(&["run", "--once"]).await.expect(1);
    let case = company.latest_case().await;
    company.quietus(&["retry"]).await.expect(0);
    company.quietus(&["run", "--once"]).await.expect(1);
    let second = company.certificate_of(&case).await;
    assert_eq!(second.predicate["supersedes"]["reason"], "tried-again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_called_off_is_not_tried_again() {
    let mut company = heap::company(Kind::Sqlite, Kind::Sqlite, 100, PACE).await;
    company.database("heap").run(SURPRISE).await;
    heap::furnish(company.add_system("second", Kind::Sqlite, &heap::map(PACE)).await, 10).await;
    company.quietus(&["pause", "system", "second", "--reason", "to look first"]).await.expect(0);
    company.quietus(&["run", "--once"]).await.expect(1);
    let case = company.latest_case().await;
    company.quietus(&["cancel", &case, "--reason", "a mistake"]).await.expect(0);
    let retry = company.quietus(&["retry"]).await.expect(1);
    assert!(retry.out.contains("no failed job waits"), "{}", retry.out);
}

/// Calling off what is held carries out nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn taking_over_claims_no_job() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 100, PACE).await;
    let hold = ["hold", "place", "LIT-1", "--system", "heap", "--reason", "a lawsuit"];
    company.quietus(&hold).await.expect(0);
    let clock = TurnedClock::at("2099-01-01T00:00:00Z");
    let product = company.replica(&clock).await;
    let waiting = opened(&product).await;
    work(&product).await;
    let other = opened(&product).await;
    assert!(product.take_over_if_held(waiting).await.unwrap());
    let jobs = product.store.jobs_of_case(other).await.unwrap();
    assert!(jobs.iter().all(|job| job.attempt == 0), "{jobs:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_system_does_not_stop_its_schedule() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 100, PACE).await;
    let clock = TurnedClock::at("2099-01-01T12:00:00Z");
    let product = company.replica(&clock).await;
    product.seed_schedules().await.unwrap();
    company.quietus(&["pause", "system", "heap", "--reason", "to look first"]).await.expect(0);
    for _ in 0..2 {
        clock.advance(24.hours());
        ring(&product).await;
    }
    assert_eq!(company.fires().await, ["run", "run"]);
    let first = company.certificate_of(&company.oldest_case().await).await;
    let reason = first.statements()[0]["failure"]["reason"].as_str().unwrap();
    assert!(reason.contains("system heap is paused"), "{reason}");
    company.quietus(&["resume", "system", "heap"]).await.expect(0);
    work(&product).await;
    assert_eq!(heap::left(&company).await, 0, "by then all of it is due");
}

/// A case that waits for a second person stays; the night is called missed, which it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_night_that_opened_nothing_was_missed() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 100, PACE).await;
    company.write("schedules/notes.yaml", &heap::rules("{ records: 10, share: unlimited }"));
    let clock = TurnedClock::at("2099-01-01T12:00:00Z");
    let product = company.replica(&clock).await;
    product.seed_schedules().await.unwrap();
    for _ in 0..2 {
        clock.advance(24.hours());
        ring(&product).await;
    }
    assert_eq!(company.fires().await, ["run", "missed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_was_set_back_is_stated() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 100, PACE).await;
    let clock = TurnedClock::at("2099-01-02T00:00:00Z");
    let product = company.replica(&clock).await;
    let case = opened(&product).await;
    let stop = tokio_util::sync::CancellationToken::new();
    assert!(product.carry_out_next("worker", &stop).await.unwrap().is_some());
    clock.set("2099-01-01T00:00:00Z");
    product.certify_finished().await.unwrap();
    let certificate = company.certificate_of(&case.to_string()).await;
    assert_eq!(certificate.overall(), "complete");
    let limits = certificate.predicate["limits"].to_string();
    assert!(limits.contains("clock of the machine was set back"), "{limits}");
}

/// A case whose jobs are done, and that this version cannot read.
async fn unreadable(company: &Company, product: &Quietus) -> Uuid {
    let stop = tokio_util::sync::CancellationToken::new();
    let broken = opened(product).await;
    assert!(product.carry_out_next("worker", &stop).await.unwrap().is_some());
    let id = company.store_id(&broken.to_string());
    company.store_rows("DROP TRIGGER cases_no_rewriting").await;
    company.store_rows(&format!("UPDATE cases SET plan = 'unreadable' WHERE id = {id}")).await;
    broken
}

/// A case that this version cannot read keeps nobody else waiting, and a person can close it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_that_cannot_be_certified_stops_nobody() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 100, PACE).await;
    let clock = TurnedClock::at("2099-01-02T00:00:00Z");
    let product = company.replica(&clock).await;
    let broken = unreadable(&company, &product).await;
    let sound = opened(&product).await;
    work(&product).await;
    assert_eq!(company.certificate_of(&sound.to_string()).await.overall(), "complete");
    company.check_log().await;
    let broken = broken.to_string();
    company.quietus(&["cancel", &broken, "--reason", "unreadable"]).await.expect(0);
    let id = company.store_id(&broken);
    let closed = company.store_rows(&format!("SELECT state FROM cases WHERE id = {id}")).await;
    assert_eq!(closed, ["closed"]);
}

/// Cases are certified in turns, and one that cannot be certified has no more than its turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn finished_cases_are_certified_in_turns() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 100, PACE).await;
    let clock = TurnedClock::at("2099-01-02T00:00:00Z");
    let product = company.replica(&clock).await;
    let stop = tokio_util::sync::CancellationToken::new();
    unreadable(&company, &product).await;
    for _ in 0..3 {
        opened(&product).await;
        assert!(product.carry_out_next("worker", &stop).await.unwrap().is_some());
    }
    // The broken one and another, two others, nobody, and from the beginning again.
    for (more, certificates) in [(true, 1), (true, 3), (false, 3), (false, 3)] {
        assert_eq!(product.certify_some(2).await.unwrap(), more);
        assert_eq!(company.count_of("certificates").await, certificates);
    }
    opened(&product).await;
    work(&product).await;
    assert_eq!(company.count_of("certificates").await, 4, "who certifies all takes no turns");
    company.check_log().await;
}
