//! What a hold covered when a case was planned was not counted: once it is released, the job is
//! counted again and held against the caps before anything goes.

use crate::company::database::Kind;
use crate::company::{Company, heap};

const OLD: u64 = 3_000;
const PACE: &str = "{ chunk_records: 500 }";

/// A company whose case was planned under a hold on everything, and the hold is released.
async fn released(cap: &str) -> (Company, String) {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, OLD, PACE).await;
    company.write("schedules/notes.yaml", &heap::rules(cap));
    let hold = ["hold", "place", "LIT-1", "--system", "heap", "--reason", "a lawsuit"];
    company.quietus(&hold).await.expect(0);
    company.quietus(&["run", "--once"]).await.expect(1);
    let case = company.latest_case().await;
    assert_eq!(heap::left(&company).await, 3_010);
    company.quietus(&["hold", "release", "LIT-1"]).await.expect(0);
    (company, case)
}

async fn is_done(company: &Company, case: &str) {
    assert_eq!(heap::left(company).await, 10);
    let certificate = company.certificate_of(case).await;
    assert_eq!(certificate.overall(), "complete", "{:?}", certificate.counts());
    for one in certificate.statements() {
        assert_eq!(one["records"]["deleted"], "3000");
        assert_eq!(one["records"]["matched"], "3000", "what went is not kept as well");
    }
    company.check_log().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_released_case_does_all_its_work() {
    let (company, case) = released(heap::WIDE).await;
    company.quietus(&["run", "--once"]).await.expect(0);
    is_done(&company, &case).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_released_case_is_held_against_the_caps() {
    let (company, case) = released("{ records: 2000, share: unlimited }").await;
    company.quietus(&["run", "--once"]).await.expect(1);
    assert_eq!(heap::left(&company).await, 3_010, "not even the first thousand");
    let status = company.quietus(&["status", &case]).await.expect(0);
    // The run's own case asks for the same, so it takes the place of the one that was held.
    assert!(status.out.contains("closed, cancelled"), "{}", status.out);
    let case = company.latest_case().await;
    let approve = ["approve", &case, "--by", "Grace Example", "--reason", "checked"];
    company.quietus(&approve).await.expect(0);
    company.quietus(&["run", "--once"]).await.expect(0);
    is_done(&company, &case).await;
}

/// A worker of its own finds the released job: the case itself asks, with the numbers of now, and
/// neither the author of the rule nor whoever opened it may agree.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_released_case_asks_with_fresh_numbers() {
    let (company, case) = released("{ records: 2000, share: unlimited }").await;
    let clock = crate::company::engine::TurnedClock::at("2099-01-01T00:00:00Z");
    crate::company::engine::work(&*company.replica(&clock).await).await;
    assert_eq!(heap::left(&company).await, 3_010);
    let status = company.quietus(&["status", &case]).await.expect(0);
    let asks = "counted again before it began: rule `notes-after-a-month` would change 3000 of 3010 records";
    assert!(status.out.contains(asks), "{}", status.out);
    let approve = async |by: &str| {
        company.quietus(&["approve", &case, "--by", by, "--reason", "checked"]).await
    };
    let author = approve("Ada Example").await.expect(2);
    assert!(author.err.contains("somebody else has to approve"), "{}", author.err);
    approve("Grace Example").await.expect(0);
    crate::company::engine::work(&*company.replica(&clock).await).await;
    is_done(&company, &case).await;
}
