//! The timer: what is due is read from the store, once, whatever clocks, replicas and switched-off
//! machines do.

use jiff::ToSpan as _;

use crate::company::database::Kind;
use crate::company::engine::{TurnedClock, carry_out, ring, work};
use crate::company::{Company, heap};

/// A heap whose schedule is written by the test.
async fn scheduled(store: Kind, schedule: &str) -> Company {
    let company = heap::company(store, Kind::Sqlite, 100, "{ chunk_records: 50 }").await;
    let rules = heap::rules(heap::WIDE);
    let nightly = "nightly: { cron: \"30 2 * * *\", zone: Europe/Berlin }";
    assert!(rules.contains(nightly));
    company.write("schedules/notes.yaml", &rules.replace(nightly, &format!("nightly: {schedule}")));
    company
}

async fn after_three_days_one_run_catches_up(store: Kind) {
    let company = scheduled(store, "{ cron: \"30 2 * * *\", zone: Europe/Berlin }").await;
    let clock = TurnedClock::at("2026-06-01T12:00:00Z");
    let product = company.replica(&clock).await;
    product.seed_schedules().await.unwrap();
    ring(&product).await;
    assert_eq!(company.fires().await, [""; 0], "nothing is due before its time");
    assert_eq!(heap::left(&company).await, 110);

    clock.set("2026-06-04T12:00:00Z");
    product.fire_due().await.unwrap();
    assert_eq!(company.fires().await, ["caught_up", "caught_up", "run"]);
    assert_eq!(company.count_of("cases").await, 1);
    for _ in 0..3 {
        ring(&product).await;
    }
    assert_eq!(company.fires().await.len(), 3, "a doubled tick does nothing");
    assert_eq!(company.count_of("cases").await, 1);
    assert_eq!(heap::left(&company).await, 10);

    // The next night runs again.
    clock.set("2026-06-05T00:30:00Z");
    ring(&product).await;
    assert_eq!(company.fires().await.len(), 4);
    assert_eq!(company.count_of("certificates").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_three_days_one_run_catches_up_on_sqlite() {
    after_three_days_one_run_catches_up(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_three_days_one_run_catches_up_on_postgresql() {
    after_three_days_one_run_catches_up(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_may_skip_what_it_missed() {
    let skip = "{ cron: \"30 2 * * *\", zone: Europe/Berlin, missed: skip }";
    let company = scheduled(Kind::Sqlite, skip).await;
    let clock = TurnedClock::at("2026-06-01T12:00:00Z");
    let product = company.replica(&clock).await;
    product.seed_schedules().await.unwrap();
    clock.set("2026-06-04T12:00:00Z");
    ring(&product).await;
    assert_eq!(company.fires().await, ["missed", "missed", "missed"]);
    assert_eq!(heap::left(&company).await, 110);
    clock.set("2026-06-05T00:31:00Z");
    ring(&product).await;
    assert_eq!(company.fires().await[3], "run");
    assert_eq!(heap::left(&company).await, 10);
}

/// The process stood still after the last job of a night and before its certificate, until the next
/// night.
async fn a_case_that_is_over_keeps_no_night_from_running(store: Kind) {
    let company = scheduled(store, "{ cron: \"30 2 * * *\", zone: Europe/Berlin }").await;
    let clock = TurnedClock::at("2026-06-01T12:00:00Z");
    let product = company.replica(&clock).await;
    product.seed_schedules().await.unwrap();
    clock.set("2026-06-02T00:30:00Z");
    product.fire_due().await.unwrap();
    carry_out(&product).await;
    assert_eq!(company.count_of("certificates").await, 0);

    clock.set("2026-06-03T00:30:00Z");
    ring(&product).await;
    assert_eq!(company.fires().await, ["run", "run"]);
    assert_eq!((company.count_of("cases").await, company.count_of("certificates").await), (2, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_that_is_over_keeps_no_night_from_running_on_sqlite() {
    Box::pin(a_case_that_is_over_keeps_no_night_from_running(Kind::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_that_is_over_keeps_no_night_from_running_on_postgresql() {
    Box::pin(a_case_that_is_over_keeps_no_night_from_running(Kind::Postgres)).await;
}

async fn two_replicas_fire_once(store: Kind) {
    let company = scheduled(store, "{ cron: \"30 2 * * *\", zone: Europe/Berlin }").await;
    let clock = TurnedClock::at("2026-06-01T12:00:00Z");
    let (one, other) = (company.replica(&clock).await, company.replica(&clock).await);
    one.seed_schedules().await.unwrap();
    other.seed_schedules().await.unwrap();
    for night in 0..5 {
        clock.advance(24.hours());
        let (first, second) = tokio::join!(Box::pin(one.fire_due()), Box::pin(other.fire_due()));
        first.unwrap();
        second.unwrap();
        assert_eq!(company.fires().await.len(), night + 1);
        assert_eq!(company.count_of("cases").await, night + 1, "one case a night");
        tokio::join!(Box::pin(work(&one)), Box::pin(work(&other)));
        assert_eq!(company.count_of("certificates").await, night + 1);
    }
    assert!(company.fires().await.iter().all(|fire| fire == "run"));
    assert_eq!(heap::left(&company).await, 10);
    company.check_log().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_fire_once_on_sqlite() {
    Box::pin(two_replicas_fire_once(Kind::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_fire_once_on_postgresql() {
    Box::pin(two_replicas_fire_once(Kind::Postgres)).await;
}

/// The bell rings every half hour over both changes of daylight-saving time; the schedule names
/// an hour that one night lacks and another has twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn summer_and_winter_time_neither_skip_nor_double() {
    for (begin, nights) in [("2026-03-27T12:00:00Z", 4), ("2026-10-23T12:00:00Z", 4)] {
        let company =
            scheduled(Kind::Sqlite, "{ cron: \"30 2 * * *\", zone: Europe/Berlin }").await;
        let clock = TurnedClock::at(begin);
        let product = company.replica(&clock).await;
        product.seed_schedules().await.unwrap();
        for _ in 0..nights * 48 {
            clock.advance(30.minutes());
            product.fire_due().await.unwrap();
            if company.count_of("cases").await > company.count_of("certificates").await {
                work(&product).await;
            }
        }
        assert_eq!(company.fires().await, vec!["run"; nights], "from {begin}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_begins_on_a_blackout_day() {
    let company = scheduled(
        Kind::Sqlite,
        "{ cron: \"30 2 * * *\", zone: Europe/Berlin, blackouts: [{ from: 2026-06-02, to: 2026-06-03 }] }",
    )
    .await;
    let clock = TurnedClock::at("2026-06-01T12:00:00Z");
    let product = company.replica(&clock).await;
    product.seed_schedules().await.unwrap();
    for day in ["2026-06-02T01:00:00Z", "2026-06-03T01:00:00Z"] {
        clock.set(day);
        ring(&product).await;
    }
    assert_eq!(company.fires().await, ["blacked_out", "blacked_out"]);
    assert_eq!(heap::left(&company).await, 110);
    clock.set("2026-06-04T01:00:00Z");
    ring(&product).await;
    assert_eq!(company.fires().await[2], "run");
    assert_eq!(heap::left(&company).await, 10);
}

/// Off from before the blackout into it: nothing is said to be caught up that nobody did.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_caught_up_by_a_blacked_out_night() {
    let company = scheduled(
        Kind::Sqlite,
        "{ cron: \"30 2 * * *\", zone: Europe/Berlin, blackouts: [{ from: 2026-06-04, to: 2026-06-04 }] }",
    )
    .await;
    let clock = TurnedClock::at("2026-06-01T12:00:00Z");
    let product = company.replica(&clock).await;
    product.seed_schedules().await.unwrap();
    clock.set("2026-06-04T12:00:00Z");
    ring(&product).await;
    assert_eq!(company.fires().await, ["missed", "missed", "blacked_out"]);
    assert_eq!(heap::left(&company).await, 110);
}
