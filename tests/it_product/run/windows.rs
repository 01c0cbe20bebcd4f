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

/// A heap with a week of grace, of which one record becomes due a day after the mark.
async fn with_grace() -> (Company, std::sync::Arc<TurnedClock>) {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 100, "{ chunk_records: 50 }").await;
    let rules = heap::rules(heap::WIDE).replace("action: erase", "action: erase\n    grace: P7D");
    company.write("schedules/notes.yaml", &rules);
    company
        .database("heap")
        .run("INSERT INTO notes VALUES (5000, 'late@mail.example', 'x', '2026-05-02T00:00:00Z')")
        .await;
    let clock = TurnedClock::at("2026-05-31T12:00:00Z");
    company.replica(&clock).await.seed_schedules().await.unwrap();
    (company, clock)
}

/// The first night marks, the seventh after it acts, and only on what was due when it was marked.
/// The bell is never on time to the second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grace_of_a_week_acts_on_the_seventh_night() {
    let (company, clock) = with_grace().await;
    let product = company.replica(&clock).await;
    clock.set("2026-06-01T00:30:20Z");
    ring(&product).await;
    assert_eq!(heap::left(&company).await, 111, "only marked");
    for _ in 0..6 {
        clock.advance(24.hours());
        ring(&product).await;
        assert_eq!(heap::left(&company).await, 111, "the grace is not over");
    }
    clock.set("2026-06-08T00:29:59Z");
    ring(&product).await;
    assert_eq!(heap::left(&company).await, 111, "a second too early");
    clock.set("2026-06-08T00:30:02Z");
    ring(&product).await;
    assert_eq!(heap::left(&company).await, 11, "what was marked goes, what became due later stays");
    clock.advance(48.hours());
    ring(&product).await;
    assert_eq!(heap::left(&company).await, 10);
}

/// A mark that was written late counts from when it was written: nobody's week is shorter because
/// a machine was off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grace_begins_late_where_the_mark_was_late() {
    let (company, clock) = with_grace().await;
    let product = company.replica(&clock).await;
    clock.set("2026-06-01T20:00:00Z");
    ring(&product).await;
    clock.set("2026-06-08T00:30:02Z");
    ring(&product).await;
    assert_eq!(heap::left(&company).await, 111, "six days and a few hours are not a week");
    clock.set("2026-06-09T00:30:02Z");
    ring(&product).await;
    assert_eq!(heap::left(&company).await, 11);
}

/// A command as of an earlier day cannot begin a grace in the past.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_for_an_earlier_day_marks_as_of_now() {
    let (company, _) = with_grace().await;
    company.quietus(&["run", "--once", "--as-of", "2026-01-01"]).await.expect(0);
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(heap::left(&company).await, 111);
}
