//! A hold placed while a long job runs stops it at the next chunk; released, it goes on, and in the
//! end everything is as if nothing had happened.

use std::time::Duration;

use crate::company::database::Kind;
use crate::company::{Company, heap, until, wait};

const OLD: i64 = 150_000;
const CHUNK: i64 = 2_000;
/// About ten seconds for everything: however fast the machine is and however slow the commands of
/// this test start, the hold comes while most of it is still there.
const SLOWLY: &str = "{ chunk_records: 2000, records_per_second: 15000 }";

async fn long(pace: &str) -> Company {
    heap::company(Kind::Sqlite, Kind::Postgres, OLD.unsigned_abs(), pace).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_job_is_held_and_goes_on() {
    let undisturbed = long("{ chunk_records: 2000 }").await;
    undisturbed.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(heap::left(&undisturbed).await, 10);
    let expected = undisturbed.certificate("latest").await;
    assert_eq!(expected.overall(), "complete");

    let company = long(SLOWLY).await;
    let child = company.start(&["run", "--once"]);
    until("the first chunk", 30, async || {
        (heap::left(&company).await <= OLD + 10 - CHUNK).then_some(())
    })
    .await;
    let case = company.latest_case().await;
    let hold = ["hold", "place", "LIT-9", "--system", "heap", "--reason", "a lawsuit"];
    company.quietus(&hold).await.expect(0);
    let said = heap::left(&company).await;
    let ended = wait(child).await.expect(1);
    assert!(ended.out.contains("held by matter LIT-9"), "{}", ended.out);
    let stopped = heap::left(&company).await;
    assert!(said - stopped <= CHUNK, "{said} were left, and {stopped} are");
    assert!(stopped > 10 + CHUNK, "it was over before it could be stopped");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(heap::left(&company).await, stopped, "held is held");

    company.quietus(&["hold", "release", "LIT-9"]).await.expect(0);
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(heap::left(&company).await, 10);
    let certificate = company.certificate_of(&case).await;
    assert_eq!(certificate.overall(), "complete");
    assert_eq!(certificate.counts(), expected.counts());
    company.check_log().await;
}
