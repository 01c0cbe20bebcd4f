//! `kill -9` while a store is looked at: the look is taken up again, and ends as if nothing had
//! happened.

use jiff::ToSpan as _;
use quietus::domain::Clock as _;
use quietus::telemetry::SystemClock;

use super::{company, copies, dump, live, looks};
use crate::company::database::Kind;
use crate::company::ended;
use crate::company::engine::{TurnedClock, opened};

/// The look is claimed; nothing else has happened.
const CLAIMED: u8 = 1;
/// The store was listed, and nothing is recorded.
const LISTED: u8 = 15;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_that_a_dead_process_had_is_taken_up_again() {
    let company = company(Kind::Sqlite).await;
    company.write("schedules/rules.yaml", &super::soon());
    // Erased four days ago; commands run on the machine's own clock.
    let now = SystemClock.now();
    let then = now.checked_sub((24 * 4).hours()).unwrap();
    let clock = TurnedClock::at(&then.to_string());
    let day = |moment: jiff::Timestamp| moment.strftime("%Y-%m-%d").to_string();
    dump(&company, &day(then));
    let product = company.replica(&clock).await;
    opened(&product).await;
    live(&product).await;
    let case = company.oldest_case().await;
    let first = company.certificate_id(&case).await;
    assert_eq!(looks(&company).await, ["scheduled -"]);
    drop(product);
    super::prune(&company, &day(then));
    dump(&company, &day(now.checked_sub(24.hours()).unwrap()));
    dump(&company, &day(now));
    for point in [CLAIMED, LISTED, LISTED, CLAIMED] {
        let mut command = company.command(&["run", "--once"]);
        command.env("QUIETUS_LEASE_MS", "300").env("QUIETUS_CRASH_POINT", point.to_string());
        let killed = ended(command).await;
        assert_eq!(killed.code, -1, "at {point}: {}\n{}", killed.out, killed.err);
        assert_eq!(company.certificate_id(&case).await, first);
        tokio::time::sleep(std::time::Duration::from_millis(350)).await;
    }
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(looks(&company).await, ["completed -"]);
    let last = company.certificate_of(&case).await;
    assert_eq!(last.overall(), "complete");
    assert_eq!(last.predicate["supersedes"]["certificateId"], first.as_str());
    assert!(copies(&last).iter().all(|one| !one["seenGoneAt"].is_null()));
    company.check_log().await;
}
