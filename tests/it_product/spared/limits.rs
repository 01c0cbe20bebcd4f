//! Limits of a vendor hold, keep nobody else waiting, and tell the day by which everybody is done.

use jiff::ToSpan as _;
use jiff::civil::date;
use quietus::app::spared::SparedBy;
use quietus::domain::Span;

use super::vendor::Vendor;
use super::{asked, company, in_the_crm, waits_for_post};
use crate::company::database::Kind;
use crate::company::engine::{TurnedClock, carry_out, work};
use crate::doctor::{finding, is_well};

async fn two_in_a_minute(store: Kind) {
    let vendor = Vendor::open(7).await;
    let company = company(store, &vendor, "limits: {jobs_per_minute: 2}\n").await;
    let clock = TurnedClock::at("2026-06-01T12:00:00Z");
    let (product, other) = (company.replica(&clock).await, company.replica(&clock).await);
    asked(&product, &vendor).await;
    carry_out(&product).await;
    assert_eq!(vendor.left(), 5);
    assert_eq!(in_the_crm(&company).await, 0, "nobody waits for the vendor's sake");
    let spared = waits_for_post(&product).await.unwrap().spared.unwrap();
    assert_eq!(spared.by, SparedBy::Limit { most: 2, span: Span::Minute });
    // Another replica has no turns of its own.
    carry_out(&other).await;
    clock.advance(59.seconds());
    carry_out(&other).await;
    assert_eq!(vendor.left(), 5);
    let mut left = Vec::new();
    for _ in 0..4 {
        clock.advance(61.seconds());
        work(&other).await;
        carry_out(&product).await;
        left.push(vendor.left());
    }
    assert_eq!(left, [3, 1, 0, 0]);
    assert_eq!(vendor.erased(), [1; 7]);
    company.check_log().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_in_a_minute_on_sqlite() {
    Box::pin(two_in_a_minute(Kind::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_in_a_minute_on_postgresql() {
    Box::pin(two_in_a_minute(Kind::Postgres)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_is_told_the_day_by_which_it_is_done() {
    let vendor = Vendor::open(40).await;
    let company = company(Kind::Sqlite, &vendor, "limits: {jobs_per_day: 1}\n").await;
    let clock = TurnedClock::at("2026-06-01T12:00:00Z");
    let product = company.replica(&clock).await;
    asked(&product, &vendor).await;
    carry_out(&product).await;
    assert_eq!(vendor.left(), 39);
    let waits = waits_for_post(&product).await.unwrap();
    assert_eq!((waits.jobs, waits.pace.as_str()), (39, "1 a day"));
    assert_eq!(waits.done_at, Some("2026-07-10T12:00:00Z".parse().unwrap()));
    // Everybody asked on the first of June, and has to be answered within a month.
    assert_eq!((waits.late, waits.first_late_on), (9, Some(date(2026, 7, 1))), "{waits:?}");

    clock.advance((24 * 60 + 10).minutes());
    work(&product).await;
    assert_eq!(vendor.left(), 38);
    // Commands run on the real clock, which is later: another day has come.
    let said = company.quietus(&["doctor", "--json", "--offline"]).await.expect(1).json();
    let late = finding(&said, "backlogs", "wrong", "system post: 38 jobs wait, 38 of them beyond");
    assert!(late["what"].as_str().unwrap().contains("at 1 a day done by 20"), "{late:#}");
    assert!(is_well(&said, "breakers"), "{said:#}");
    let status = company.quietus(&["status"]).await.expect(0).out;
    assert!(status.contains("38 job(s) wait at post, at 1 a day done by 20"), "{status}");
    assert!(status.contains("38 of them beyond the last day by law"), "{status}");
}

/// A run that ends does not wait for tomorrow, and says that something is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_by_hand_ends_where_a_day_is_used_up() {
    let vendor = Vendor::open(5).await;
    let limits = "limits: {at_once: 1, jobs_per_day: 3}\n";
    let company = company(Kind::Sqlite, &vendor, limits).await;
    let product = company.replica(&TurnedClock::at("2026-06-01T12:00:00Z")).await;
    asked(&product, &vendor).await;
    product.store.close().await;
    for _ in 0..2 {
        let ended = company.quietus(&["run", "--once"]).await.expect(1);
        let said = format!("{}{}", ended.out, ended.err);
        assert!(said.contains("at its limit: post: 3 jobs were begun within a day"), "{said}");
        assert!(said.contains("2 job(s) wait at post, at 3 a day done by"), "{said}");
        assert_eq!((vendor.left(), in_the_crm(&company).await), (2, 0));
    }
}
