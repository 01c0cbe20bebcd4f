//! `pt-archiver --purge` on a sample of the same table.
//!
//! Its speed is told in rows a second of the sample; nothing is extrapolated but by dividing. Its
//! start is in the time.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::ground::{Ground, execute, number};
use crate::{Measured, as_float};

/// Name and arguments of the modes that are compared.
const MODES: [(&str, &[&str]); 3] = [
    ("pt-archiver --purge", &[]),
    ("… --limit 1000 --txn-size 1000", &["--limit", "1000", "--txn-size", "1000"]),
    ("… --bulk-delete --limit 5000", &["--bulk-delete", "--limit", "5000", "--commit-each"]),
];

/// Runs each mode on a fresh sample of so many rows and prints how the connector compares.
pub(crate) async fn compare(ground: &Ground, sample: u64, connector: Measured) {
    if Command::new("pt-archiver").arg("--version").output().is_err() {
        println!("pt-archiver is not installed (Debian: percona-toolkit): not compared");
        return;
    }
    println!("samples of {sample} rows, half of them due, for pt-archiver:");
    let url = ground.copy_url();
    for (name, arguments) in MODES {
        for statement in ground.fill("sample", sample) {
            execute(&url, &statement).await;
        }
        let due = format!("SELECT COUNT(*) FROM sample WHERE left_at <= {}", ground.cutoff());
        let before = number(&url, &due).await;
        let took = archive(&url, ground.cutoff(), arguments);
        let left = number(&url, &due).await;
        assert_eq!(left, 0, "pt-archiver deleted what was due");
        let speed = as_float(before) / took.as_secs_f64();
        println!(
            "{name:<34} {:>9.2} s {speed:>12.0} rows/s; the connector is {:.1} times as fast",
            took.as_secs_f64(),
            as_float(connector.deleted) / connector.took.as_secs_f64() / speed
        );
        execute(&url, "DROP TABLE sample").await;
    }
}

fn archive(url: &str, cutoff: &str, arguments: &[&str]) -> Duration {
    // mysql://user:password@host:port/database
    let parts: Vec<&str> = url.split(['/', ':', '@']).filter(|part| !part.is_empty()).collect();
    let [_, user, password, host, port, database] = parts[..] else {
        panic!("a URL with user, password, host, port and database")
    };
    let source = format!("h={host},P={port},u={user},p={password},D={database},t=sample,A=utf8mb4");
    let started = Instant::now();
    let status = Command::new("pt-archiver")
        .args(["--source", &source, "--purge", "--no-check-charset", "--primary-key-only"])
        .args(["--where", &format!("left_at <= {cutoff}")])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .expect("pt-archiver starts");
    let took = started.elapsed();
    assert!(status.success(), "pt-archiver failed");
    took
}
