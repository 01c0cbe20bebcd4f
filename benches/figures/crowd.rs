//! Figure c: requests of many persons, from the first that comes in to the last certificate in the
//! log, against systems in memory: time, memory and the size of the store at several sizes, and
//! whether they grow in a straight line. What the whole would take follows from that line.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quietus::app::Quietus;
use quietus::domain::JobState;
use quietus::worker;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::arguments::{CarryArguments, CrowdArguments, Database};
use super::ground::{self, Going, Instance};
use super::measure::{Line, Memory, as_float, median, mib, written};
use super::memory_system;
use super::plot::Growth;
use super::race::this_program;
use super::report::{Report, Row};

/// What is asked of a night.
const WHOLE: u64 = 300_000;
/// What `--whole` adds.
const LARGE: [u64; 2] = [30_000, WHOLE];
/// Pause between two turns in which nothing was left to do.
const BETWEEN_TURNS: Duration = Duration::from_millis(100);

/// What one process has measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Measured {
    intake_s: f64,
    carried_s: f64,
    peak_mib: f64,
    jobs: u64,
}

/// Measures figure c for persons; what there is to draw.
pub async fn measure(
    arguments: &CrowdArguments,
    server: Option<&str>,
    report: &mut Report,
) -> Vec<Growth> {
    let database = arguments.database.unwrap_or(Database::Sqlite);
    let mut sizes = arguments.subjects.clone();
    if arguments.whole {
        sizes.extend(LARGE);
    }
    sizes.sort_unstable();
    sizes.dedup();
    let mut points: [Vec<(f64, f64)>; 3] = Default::default();
    for subjects in sizes {
        let mut samples: [Vec<f64>; 4] = Default::default();
        let mut jobs = 0;
        for _ in 0..arguments.rounds {
            let (measured, bytes) = run(arguments, database, subjects, server).await;
            jobs = measured.jobs;
            let gib = as_float(bytes) / 1_073_741_824.0;
            let each = as_float(bytes) / as_float(jobs);
            let whole = measured.intake_s + measured.carried_s;
            for (kept, number) in samples.iter_mut().zip([whole, measured.peak_mib, gib, each]) {
                kept.push(number);
            }
            eprintln!("{subjects} subjects: {measured:?}, {gib:.2} GiB");
        }
        let [seconds, peaks, sizes, each] = samples;
        let x = as_float(jobs);
        for (kept, samples) in points.iter_mut().zip([&seconds, &peaks, &sizes]) {
            kept.push((x, median(samples)));
        }
        let rates: Vec<f64> = seconds.iter().map(|seconds| x / seconds).collect();
        let who =
            format!("{subjects} subjects × {} systems, {}", arguments.systems, database.name());
        report.add(Row::new(
            "c",
            format!("{who}: from the first request to the last certificate"),
            "s",
            seconds,
        ));
        report.add(Row::new("c", format!("{who}: jobs, end to end"), "a second", rates));
        report.add(Row::new("c", format!("{who}: peak memory"), "MiB", peaks));
        report.add(Row::new("e", format!("{who}: the store"), "bytes a job", each));
    }
    extrapolate(&points, arguments.systems, report);
    let names = ["end to end, s", "peak memory, MiB", "the store, GiB"];
    let drawn = names.into_iter().zip(points);
    drawn.map(|(name, points)| Growth { name: name.to_owned(), points }).collect()
}

/// What the whole would take, where growth goes on in a straight line; said only from what was
/// measured.
fn extrapolate(points: &[Vec<(f64, f64)>; 3], systems: u32, report: &mut Report) {
    let jobs = as_float(WHOLE * u64::from(systems));
    let [seconds, peaks, sizes] = points;
    if let Some(&(_, seconds)) = seconds.iter().find(|point| point.0 >= jobs) {
        report.remark(format!(
            "Figure c: {} jobs took {:.2} hours, as measured.",
            written(jobs),
            seconds / 3_600.0
        ));
        return;
    }
    if seconds.len() < 2 {
        return;
    }
    let [time, memory, size] = [seconds, peaks, sizes].map(|points| Line::through(points));
    let (first, last) = (seconds[0], seconds[seconds.len() - 1]);
    report.remark(format!(
        "Figure c: a job takes {:.2} ms at {} jobs and {:.2} ms at {}; a straight line explains {:.2} % of the time, {:.2} % of the memory and {:.2} % of the store. On that line {} jobs would take {:.1} hours, {:.0} MiB of memory and a store of {:.1} GiB: extrapolated, not measured.",
        first.1 * 1_000.0 / first.0,
        written(first.0),
        last.1 * 1_000.0 / last.0,
        written(last.0),
        time.fit * 100.0,
        memory.fit * 100.0,
        size.fit * 100.0,
        written(jobs),
        time.at(jobs) / 3_600.0,
        memory.at(jobs),
        size.at(jobs)
    ));
}

/// One size in a process of its own, and the bytes of its store afterwards.
async fn run(
    arguments: &CrowdArguments,
    database: Database,
    subjects: u64,
    server: Option<&str>,
) -> (Measured, u64) {
    let instance = Instance::new(database, (arguments.systems, Going::Together), server).await;
    let folder = instance.path().display().to_string();
    let (many, workers) = (subjects.to_string(), arguments.workers.to_string());
    let mut command = this_program(&["carry", &folder, "--subjects", &many, "--workers", &workers]);
    let output = command.output().await.expect("the process starts");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the process failed: {complaint}");
    let said = String::from_utf8_lossy(&output.stdout);
    let last = said.lines().last().expect("a line");
    let measured: Measured = serde_json::from_str(last).expect("what was measured");
    assert_eq!(measured.jobs, subjects * u64::from(arguments.systems), "every job");
    let bytes = instance.bytes().await;
    instance.remove().await;
    (measured, bytes)
}

/// In a process of its own: takes the requests in, then does what a process of the product does until
/// every case has its certificate.
pub async fn carry(arguments: &CarryArguments) {
    let loaded = quietus::config::load(&arguments.folder).expect("the folder is in order");
    let systems = loaded.data_map.systems.values().filter(|one| one.holds_persons()).count();
    let systems = u32::try_from(systems).expect("few systems");
    let persons = memory_system::systems(systems, arguments.subjects);
    let product = ground::open(&arguments.folder, persons).await;
    let begun = Instant::now();
    for person in 0..arguments.subjects {
        ground::ask(&product, person).await;
    }
    let intake_s = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    worker::start(&product, arguments.workers, &stop, &tasks);
    look_after(&product, arguments.subjects).await;
    let carried_s = begun.elapsed().as_secs_f64();
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    let jobs = completed(&product).await;
    let certificates = certificates(&product).await;
    assert_eq!(certificates, arguments.subjects, "every case has its certificate");
    let measured = Measured { intake_s, carried_s, peak_mib: mib(Memory::own().peak_kib), jobs };
    product.store.close().await;
    println!("{}", serde_json::to_string(&measured).expect("numbers are JSON"));
}

/// Looks after everything as at each ring of the bell, but without waiting for it, until every
/// request has its certificate in the log.
async fn look_after(product: &Arc<Quietus>, subjects: u64) {
    let stop = CancellationToken::new();
    loop {
        worker::look_after_all(product, &stop).await;
        let waiting = product.store.requests_to_look_at(product.now(), 1, true).await;
        if !waiting.expect("the store answers").is_empty() {
            continue;
        }
        let next = product.store.next_available_at().await.expect("the store answers");
        if next.is_none() && certificates(product).await == subjects {
            return;
        }
        tokio::time::sleep(BETWEEN_TURNS).await;
    }
}

async fn completed(product: &Quietus) -> u64 {
    let counts = product.store.job_counts().await.expect("the store answers");
    assert_eq!(counts.len(), 1, "every job is completed: {counts:?}");
    counts.get(&JobState::Completed).copied().unwrap_or_default()
}

/// Certificates that are in the log; each has a place in one of the log's status lists.
async fn certificates(product: &Quietus) -> u64 {
    let logs = product.store.logs().await.expect("the store answers");
    let log = logs.last().expect("a log").origin.clone();
    let (mut signed, mut number) = (0, 1);
    loop {
        let list = format!("{log}/status/{number}");
        let more = product.store.certificates_of_status_list(&list).await.expect("a number");
        if more == 0 {
            break;
        }
        signed += more;
        number += 1;
    }
    let gauges = product.store.gauges(product.now()).await.expect("the store answers");
    signed - gauges.unlogged_certificates
}
