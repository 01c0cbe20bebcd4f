//! Windows and grace: a run waits for its hours, stops at their end, and acts only some time after
//! it has marked.

use jiff::ToSpan as _;

use crate::company::database::Kind;
use crate::company::engine::{TurnedClock, ring, work};
use crate::company::{Company, heap, until};

const WINDOW: &str = "{ cron: \"0 12 * * *\", zone: Europe/Berlin, windows: [\"22:00-05:00\"] }";

async fn with_window(old: u64, pace: &str) -> Company {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, old, pace).await;
    let rules =
        heap::rules(heap::WIDE).replace("{ cron: \"30 2 * * *\", zone: Europe/Berlin }", WINDOW);
    company.write("schedules/notes.yaml", &rules);
    company
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_waits_for_its_window() {
    let company = with_window(100, "{ chunk_records: 50 }").await;
    let clock = TurnedClock::at("2026-06-01T08:00:00Z");
    let product = company.replica(&clock).await;
    product.seed_schedules().await.unwrap();
    clock.set("2026-06-01T10:05:00Z");
    ring(&product).await;
    assert_eq!(company.fires().await, ["run"]);
    clock.set("2026-06-01T19:59:59Z");
    work(&product).await;
    assert_eq!(heap::left(&company).await, 110, "a second too early");
    clock.set("2026-06-01T20:00:00Z");
    work(&product).await;
    assert_eq!(heap::left(&company).await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_stops_where_its_window_ends_and_goes_on_in_the_next() {
    let company = with_window(3_000, "{ chunk_records: 200, records_per_second: 800 }").await;
    let clock = TurnedClock::at("2026-06-01T08:00:00Z");
    let product = company.replica(&clock).await;
    product.seed_schedules().await.unwrap();
    clock.set("2026-06-01T10:05:00Z");
    product.fire_due().await.unwrap();
    clock.set("2026-06-01T20:00:00Z");
    let working = {
        let product = std::sync::Arc::clone(&product);
        tokio::spawn(async move { work(&product).await })
    };
    until("the first chunk", 30, async || (heap::left(&company).await < 3_010).then_some(())).await;
    clock.set("2026-06-02T03:00:00Z");
    working.await.unwrap();
    let left = heap::left(&company).await;
    assert!(left > 10 && left < 3_010, "it stopped in the middle: {left}");
    assert_eq!(company.count_of("certificates").await, 0);
    clock.set("2026-06-02T19:00:00Z");
    work(&product).await;
    assert_eq!(heap::left(&company).await, left, "still outside of the window");
    clock.set("2026-06-02T20:00:01Z");
    work(&product).await;
    assert_eq!(heap::left(&company).await, 10);
    let certificate = company.certificate("latest").await;
    assert_eq!(certificate.overall(), "complete");
    assert_eq!(certificate.sum("deleted", "heap", "notes", Some("note.body")), 3_000);
}

/// With a week of grace: the first run marks, a run more than a week later acts, and only on what
/// was due when it was marked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grace_marks_first_and_acts_days_later() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 100, "{ chunk_records: 50 }").await;
    let rules = heap::rules(heap::WIDE).replace("action: erase", "action: erase\n    grace: P7D");
    company.write("schedules/notes.yaml", &rules);
    // Becomes due on the second of June, after the mark.
    company
        .database("heap")
        .run("INSERT INTO notes VALUES (5000, 'late@mail.example', 'x', '2026-05-02T00:00:00Z')")
        .await;
    let clock = TurnedClock::at("2026-05-31T12:00:00Z");
    let product = company.replica(&clock).await;
    product.seed_schedules().await.unwrap();
    clock.set("2026-06-01T01:00:00Z");
    ring(&product).await;
    assert_eq!(heap::left(&company).await, 111, "only marked");
    // The mark was made half an hour after its occurrence, so the eighth night is the first one of
    // which the occurrence lies a week after it.
    for _ in 0..7 {
        clock.advance(24.hours());
        ring(&product).await;
        assert_eq!(heap::left(&company).await, 111, "the grace is not over");
    }
    clock.advance(24.hours());
    ring(&product).await;
    assert_eq!(heap::left(&company).await, 11, "what was marked goes, what became due later stays");
    clock.advance(48.hours());
    ring(&product).await;
    assert_eq!(heap::left(&company).await, 10);
}
