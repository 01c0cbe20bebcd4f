//! MUST SHOW 10: a process that waits is small and soon ready.

use std::time::{Duration, Instant};

use crate::company::database::Kind;
use crate::company::{heap, until, wait};

/// What an idle process may take of the memory in all, in kilobytes.
const MOST_RESIDENT: u64 = 40 * 1024;
/// What it may hold of it for itself: the rest are pages of the program's own file.
const MOST_HELD: u64 = 24 * 1024;

/// A line of what the system tells of a process, in kilobytes.
fn kilobytes(status: &str, name: &str) -> u64 {
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

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
    let held = kilobytes(&status, "RssAnon:");
    assert!(held <= MOST_HELD, "{held} kB held");
    // How many pages of a program that is not optimised are read says nothing of the product.
    if !cfg!(debug_assertions) {
        let resident = kilobytes(&status, "VmRSS:");
        assert!(resident <= MOST_RESIDENT, "{resident} kB resident");
    }
    std::process::Command::new("kill").args(["-TERM", &identifier.to_string()]).status().unwrap();
    wait(child).await.expect(0);
}
