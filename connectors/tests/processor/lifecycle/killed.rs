//! `kill -9` between a vendor's answer and our writing it down: one request at the vendor, not two.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use quietus_connectors::{Direction, Grade, Progress, ProgressReport, open_processor};

use super::club::{SINGLE, member, opened};
use crate::exchange::{Notes, done, erase, settings};

const VICTIM: &str = "QUIETUS_TEST_PROCESSOR_VICTIM";
const JANE: &str = "jane@shop.example";

/// Has the answer, says so, and never gets to write it down.
struct Told(std::path::PathBuf);

#[async_trait::async_trait]
impl Progress for Told {
    async fn committed(&self, report: ProgressReport<'_>) -> Direction {
        std::fs::write(&self.0, report.done.testimonies.len().to_string()).unwrap();
        std::future::pending().await
    }
}

#[expect(clippy::disallowed_methods, reason = "a test tells its own child process what to do")]
fn victim() -> Option<(String, std::path::PathBuf)> {
    let words = std::env::var(VICTIM).ok()?;
    let (host, told) = words.split_once(' ')?;
    Some((host.to_owned(), told.into()))
}

/// Not a test of its own: the body of the process that is killed.
#[tokio::test]
async fn victim_process() {
    let Some((host, told)) = victim() else { return };
    let settings = settings(&host, SINGLE, &[("key", "club-key")]);
    let connector = open_processor("processor", settings).unwrap();
    let receipt = connector.execute(&erase(1, &[("email", JANE)]), &Told(told)).await;
    panic!("it was not killed: {receipt:?}");
}

#[tokio::test]
async fn a_killed_process_leaves_one_request_at_the_vendor() {
    let (exchange, _) = opened(vec![member("c1", JANE, ""), member("c2", "x@y.example", "")]).await;
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lifecycle::killed::victim_process"])
        .env(VICTIM, format!("{} {}", exchange.host, told.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while !told.exists() {
        assert!(began.elapsed() < Duration::from_mins(1), "the child never got an answer");
        assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // SIGKILL.
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(exchange.world().changes(), 1);

    let connector = exchange.connector(SINGLE, &[("key", "club-key")]);
    let outcome = done(connector.execute(&erase(2, &[("email", JANE)]), &Notes::going_on()).await);
    assert_eq!(outcome.testimonies[0].grade, Grade::Verified);
    assert!(connector.verify(&erase(2, &[("email", JANE)])).await.unwrap().survivors.is_empty());
    assert_eq!(exchange.world().changes(), 1, "it was asked, and not sent again");
    assert_eq!(exchange.world().alive(), ["c2"]);
}
