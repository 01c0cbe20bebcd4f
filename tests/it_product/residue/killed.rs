//! `kill -9` while files and logs are looked at: the look is taken up again, and ends as if nothing had
//! happened.

use jiff::ToSpan as _;
use quietus::domain::Clock as _;
use quietus::telemetry::SystemClock;

use super::{add_to_map, files, looks};
use crate::backup::{self, live};
use crate::company::ended;
use crate::company::engine::{TurnedClock, opened};
use crate::request::person as people;

/// The looks are claimed; nothing else has happened.
const CLAIMED: u8 = 1;
/// The system was looked at, and nothing is recorded.
const LOOKED_AT: u8 = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_at_files_that_a_dead_process_had_is_taken_up_again() {
    let company = people::company("").await;
    add_to_map(&company, "shop", "residues: {look: PT1H, drive: [vacuum, checkpoint]}\n");
    company.write("schedules/rules.yaml", &backup::soon());
    let mut reader = company.database("shop").raw().await;
    reader.run("BEGIN; SELECT count(*) FROM customers").await;
    // Erased two hours ago; commands run on the machine's own clock.
    let then = SystemClock.now().checked_sub(2.hours()).unwrap();
    let clock = TurnedClock::at(&then.to_string());
    let product = company.replica(&clock).await;
    opened(&product).await;
    live(&product).await;
    let case = company.oldest_case().await;
    let first = company.certificate_id(&case).await;
    assert_eq!(looks(&company).await, ["scheduled -"]);
    drop(product);
    reader.run("COMMIT").await;
    for point in [CLAIMED, LOOKED_AT, LOOKED_AT, CLAIMED] {
        let mut command = company.command(&["residue", "look"]);
        command.env("QUIETUS_LEASE_MS", "300").env("QUIETUS_CRASH_POINT", point.to_string());
        let killed = ended(command).await;
        assert_eq!(killed.code, -1, "at {point}: {}\n{}", killed.out, killed.err);
        assert_eq!(company.certificate_id(&case).await, first);
        tokio::time::sleep(std::time::Duration::from_millis(350)).await;
    }
    company.quietus(&["residue", "look"]).await.expect(0);
    assert_eq!(looks(&company).await, ["completed -"]);
    let last = company.certificate_of(&case).await;
    assert_eq!(last.overall(), "complete", "{:#}", files(&last, "shop"));
    assert_eq!(last.predicate["supersedes"]["certificateId"], first.as_str());
    assert_eq!(last.predicate["supersedes"]["reason"], "residues-gone");
    company.check_log().await;
}
