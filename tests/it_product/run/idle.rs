//! MUST SHOW 10: a process that waits is small and soon ready.

use std::time::{Duration, Instant};

use crate::company::database::Kind;
use crate::company::{heap, until, wait};

/// What an idle process may hold, in kilobytes.
const MOST_KILOBYTES: u64 = 40 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_instance_is_small_and_soon_ready() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 10, "{ chunk_records: 50 }").await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let instance = company.read("quietus.yaml");
    let instance = instance.replace("127.0.0.1:0", &format!("127.0.0.1:{port}"));
    company.write("quietus.yaml", &instance);
    company.quietus(&["hold", "list"]).await.expect(0);

    let begun = Instant::now();
    let child = company.start(&["run"]);
    let address = format!("http://127.0.0.1:{port}/health");
    let client = reqwest::Client::new();
    until("the interface", 20, async || client.get(&address).send().await.ok().map(drop)).await;
    let ready = begun.elapsed();
    assert!(ready < Duration::from_secs(3), "ready after {ready:?}");

    tokio::time::sleep(Duration::from_secs(7)).await;
    let identifier = child.id().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{identifier}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    // A debug build carries its unoptimised code as well.
    let most = if cfg!(debug_assertions) { MOST_KILOBYTES * 2 } else { MOST_KILOBYTES };
    assert!(kilobytes <= most, "{kilobytes} kB resident");
    std::process::Command::new("kill").args(["-TERM", &identifier.to_string()]).status().unwrap();
    wait(child).await.expect(0);
}
