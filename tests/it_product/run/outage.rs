//! A system that is down: tried again, then given up and named; the others are done; mended and
//! retried, a new certificate takes the old one's place.

use jiff::ToSpan as _;

use crate::company::database::Kind;
use crate::company::engine::{TurnedClock, work};
use crate::company::{Company, heap};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_that_is_down_does_not_stop_the_others() {
    let pace = "{ chunk_records: 50 }";
    let mut company = heap::company(Kind::Sqlite, Kind::Sqlite, 100, pace).await;
    let other = company.add_system("other", Kind::Postgres, &heap::map(pace)).await;
    heap::furnish(other, 100).await;
    let url = other.url.clone();
    let count = "SELECT COUNT(*)::text FROM notes";
    company.write_secret("other-url", "postgres://nobody:nothing@127.0.0.1:9/none");

    let clock = TurnedClock::at("2026-06-01T00:00:00Z");
    let product = company.replica(&clock).await;
    product.seed_schedules().await.unwrap();
    clock.set("2026-06-01T01:00:00Z");
    product.fire_due().await.unwrap();
    work(&product).await;
    let case = company.oldest_case().await;
    assert_eq!(heap::left(&company).await, 10, "the other system is done at once");
    assert_eq!(company.count_of("certificates").await, 0, "and the case waits for the one");
    for _ in 0..20 {
        clock.advance(5.minutes());
        work(&product).await;
    }
    let status = company.quietus(&["status", &case]).await.expect(0);
    assert!(status.out.contains("other: failed"), "{}", status.out);
    assert!(status.out.contains("attempt 8"), "it was tried again: {}", status.out);
    let failed = company.certificate_of(&case).await;
    assert_eq!(failed.overall(), "failed");
    for one in failed.statements() {
        let fine = one["system"]["id"] == "heap";
        assert_eq!(one["outcome"], if fine { "completed" } else { "failed" });
        assert_eq!(one["failure"].is_null(), fine);
    }
    assert_eq!(company.database("other").rows(count).await, ["110"]);

    company.write_secret("other-url", &url);
    company.quietus(&["retry", "--system", "other"]).await.expect(0);
    // Commands run on the real clock, which is later.
    clock.set("2026-12-31T01:00:00Z");
    work(&product).await;
    assert_eq!(company.database("other").rows(count).await, ["10"]);
    let mended = company.certificate_of(&case).await;
    assert_eq!(mended.overall(), "complete");
    let id = |certificate: &crate::company::certificate::Certificate| {
        certificate.predicate["certificateId"].as_str().unwrap().to_owned()
    };
    assert_eq!(mended.predicate["supersedes"]["certificateId"], id(&failed).as_str());
    assert_eq!(company.count_of("certificates").await, 2, "the failed one is not changed");
    let again = company.certificate(&id(&failed)).await;
    assert_eq!(again.overall(), "failed");
    company.check_log().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_that_nobody_counted_is_held_against_its_caps_before_it_begins() {
    let mut company = Company::new(Kind::Sqlite).await;
    company.write("schedules/notes.yaml", &heap::rules("{ share: 10% }"));
    let heap = company.add_system("heap", Kind::Postgres, &heap::map("{}")).await;
    heap::furnish(heap, 2_000).await;
    let url = heap.url.clone();
    company.write_secret("heap-url", "postgres://nobody:nothing@127.0.0.1:9/none");

    let clock = TurnedClock::at("2026-06-01T00:00:00Z");
    let product = company.replica(&clock).await;
    product.seed_schedules().await.unwrap();
    clock.set("2026-06-01T01:00:00Z");
    product.fire_due().await.unwrap();
    work(&product).await;
    let case = company.oldest_case().await;

    company.write_secret("heap-url", &url);
    clock.advance(5.minutes());
    work(&product).await;
    assert_eq!(heap::left(&company).await, 2_010, "nobody has agreed to so much");
    let status = company.quietus(&["status", &case]).await.expect(0);
    assert!(status.out.contains("would change 2000 of 2010 records"), "{}", status.out);

    let reason = ["--by", "Grace Example", "--reason", "checked with finance"];
    company.quietus(&[&["approve", &case], &reason[..]].concat()).await.expect(0);
    // The approval was given on the real clock, which is later.
    clock.set("2026-12-31T01:00:00Z");
    work(&product).await;
    assert_eq!(heap::left(&company).await, 10);
}
