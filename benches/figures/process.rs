//! Figure e: the size of the binary, how soon it answers, and what it holds in memory when it has
//! nothing to do.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::arguments::{Database, ProcessArguments};
use super::ground::{Going, Instance};
use super::measure::{Memory, as_float, mib};
use super::report::{Report, Row};

/// The product as it is built for this run.
const BINARY: &str = env!("CARGO_BIN_EXE_quietus");
/// Systems of the instance that it opens.
const SYSTEMS: u32 = 20;
/// Nothing here takes so long.
const LONGEST: Duration = Duration::from_secs(30);

/// Measures figure e.
pub async fn measure(arguments: &ProcessArguments, server: Option<&str>, report: &mut Report) {
    let size = std::fs::metadata(BINARY).expect("the binary is built").len();
    report.add(Row::new("e", "size of the binary", "MiB", vec![as_float(size) / 1_048_576.0]));
    let places = [(Database::Sqlite, true), (Database::Postgres, server.is_some())];
    for (database, _) in places.into_iter().filter(|(_, there)| *there) {
        let (mut starts, mut idle, mut peaks) = (Vec::new(), Vec::new(), Vec::new());
        let instance = Instance::new(database, (SYSTEMS, Going::Together), server).await;
        // The first start makes schema and keys; the others are those that count.
        for round in 0..=arguments.rounds {
            let (started, memory) = run(instance.path(), arguments.idle_seconds).await;
            if round > 0 {
                starts.push(started.as_secs_f64() * 1_000.0);
                idle.push(mib(memory.resident_kib));
                peaks.push(mib(memory.peak_kib));
            } else {
                let first = vec![started.as_secs_f64() * 1_000.0];
                let what = format!("first start, with schema and keys, {}", database.name());
                report.add(Row::new("e", what, "ms", first));
            }
        }
        instance.remove().await;
        let name = database.name();
        report.add(Row::new("e", format!("start until it answers, {name}"), "ms", starts));
        report.add(Row::new("e", format!("idle memory, {name}"), "MiB", idle));
        report.add(Row::new("e", format!("peak memory until idle, {name}"), "MiB", peaks));
    }
}

/// Starts the product and stops it again: how long it took until it answered, and its memory after
/// some idleness.
async fn run(folder: &Path, idle_seconds: u64) -> (Duration, Memory) {
    let port = free_port();
    let file = folder.join("quietus.yaml");
    let text = std::fs::read_to_string(&file).expect("the instance file");
    let lines = text.lines().map(|line| match line.strip_prefix("listen: ") {
        Some(_) => format!("listen: 127.0.0.1:{port}\n"),
        None => format!("{line}\n"),
    });
    std::fs::write(&file, lines.collect::<String>()).expect("the instance file");
    let begun = Instant::now();
    let mut process = Command::new(BINARY)
        .args(["--dir", &folder.display().to_string(), "run"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the binary starts");
    while !answers(port).await {
        assert!(begun.elapsed() < LONGEST, "it does not answer");
        assert!(process.try_wait().expect("its state").is_none(), "it ended");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let started = begun.elapsed();
    tokio::time::sleep(Duration::from_secs(idle_seconds)).await;
    let memory = Memory::of(process.id().expect("it runs"));
    stop(&mut process).await;
    (started, memory)
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Whether it says that it is well.
async fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else { return false };
    let asked = "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    if stream.write_all(asked.as_bytes()).await.is_err() {
        return false;
    }
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer).await;
    read.is_ok() && answer.starts_with("HTTP/1.1 200")
}

async fn stop(process: &mut Child) {
    let identifier = process.id().expect("it runs").to_string();
    let told = Command::new("kill").args(["-TERM", &identifier]).status().await;
    assert!(told.expect("`kill` is there").success(), "it can be stopped");
    let ended = tokio::time::timeout(LONGEST, process.wait()).await.expect("it stops");
    assert!(ended.expect("it ends").success(), "it ends well");
}
