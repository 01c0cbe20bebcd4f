//! Figure b: how long a certificate takes once the last job of its case is settled, in a process
//! that has nothing else to do, and where many cases end at once.

use std::time::{Duration, Instant};

use quietus::app::Quietus;
use quietus::store::CertificateState;
use quietus::ticker::Bell;
use quietus::worker;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::arguments::{Database, EvidenceArguments};
use super::evidence::databases;
use super::ground::{self, Going};
use super::measure::{Memory, mib, share};
use super::memory_system::systems;
use super::replica::carry_out_all;
use super::report::{Report, Row};

/// Systems of each case.
const SYSTEMS: u32 = 5;
/// Between two looks whether a certificate is there.
const GLANCE: Duration = Duration::from_millis(5);
/// Nothing here takes so long.
const LONGEST: Duration = Duration::from_mins(2);

/// Measures how long certificates take.
pub async fn measure(arguments: &EvidenceArguments, server: Option<&str>, report: &mut Report) {
    for database in databases(arguments.database) {
        let name = database.name();
        let latencies = calm(database, arguments.calm, server).await;
        let [issued, logged] = latencies;
        let what = format!("from the last job to its certificate, {name}, nothing else to do");
        report.add(Row::new("b", what, "s", issued));
        let what = format!("from the last job to its certificate in the log, {name}");
        report.add(Row::new("b", what, "s", logged));
        let (mut each, mut worst) = (Vec::new(), Vec::new());
        for _ in 0..arguments.rounds {
            let (took, latencies) = flood(database, arguments.cases, server).await;
            each.push(took.as_secs_f64() * 1_000.0 / f64::from(arguments.cases));
            worst.push(share(&latencies, 0.99));
        }
        let cases = arguments.cases;
        let what = format!("a certificate, {cases} cases that end at once, {name}");
        report.add(Row::new("b", what, "ms each", each));
        let what = format!("from the last job to its certificate, {cases} at once, 99 %, {name}");
        report.add(Row::new("b", what, "s", worst));
    }
    report.remark(format!(
        "Figure b: a case has {SYSTEMS} systems here. With nothing else to do a certificate waits for the bell, which rings every five seconds. Peak memory of the measuring process: {:.0} MiB.",
        mib(Memory::own().peak_kib)
    ));
}

/// Seconds from the last job of a case to its certificate, as both are on record, and to the moment
/// at which it is in the log; requests come one by one.
async fn calm(database: Database, requests: u32, server: Option<&str>) -> [Vec<f64>; 2] {
    let instance = ground::with_jobs(database, (SYSTEMS, Going::Together), 0, server).await;
    let many = u64::from(requests);
    let product = ground::open(instance.path(), systems(SYSTEMS, many)).await;
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    worker::start(&product, product.instance.workers, &stop, &tasks);
    let asking = async {
        let mut latencies = [Vec::new(), Vec::new()];
        for person in 0..many {
            let request = ground::ask(&product, person).await;
            let (issued, logged) = certified(&product, request).await;
            latencies[0].push(issued);
            latencies[1].push(logged);
        }
        stop.cancel();
        latencies
    };
    let (latencies, ()) = Box::pin(async { tokio::join!(asking, ring(&product, &stop)) }).await;
    tasks.close();
    tasks.wait().await;
    product.store.close().await;
    drop(product);
    instance.remove().await;
    latencies
}

/// Looks after everything at each ring of the bell, as a process of the product does.
async fn ring(product: &Quietus, stop: &CancellationToken) {
    let mut bell = Bell::start().await.expect("the bell starts");
    while bell.next(stop).await.is_some() {
        worker::look_after_all(product, stop).await;
    }
    bell.stop().await;
}

/// Waits for the certificate of a request; seconds to it, and to the log.
async fn certified(product: &Quietus, request: Uuid) -> (f64, f64) {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < LONGEST, "a request is not certified");
        tokio::time::sleep(GLANCE).await;
        let request = product.store.request(request).await.expect("the store answers");
        let Some(case) = request.and_then(|request| request.case_id) else { continue };
        let found = product.store.certificate_of_case(case).await.expect("the store answers");
        let Some(certificate) = found.map(|certificate| certificate.summary) else { continue };
        if certificate.state == CertificateState::Signed {
            continue;
        }
        let settled = last_settled(product, case).await;
        return (
            certificate.issued_at.duration_since(settled).as_secs_f64(),
            product.now().duration_since(settled).as_secs_f64(),
        );
    }
}

async fn last_settled(product: &Quietus, case: Uuid) -> jiff::Timestamp {
    let jobs = product.store.jobs_of_case(case).await.expect("the store answers");
    jobs.iter().filter_map(|job| job.settled_at).max().expect("its jobs are settled")
}

/// How long it takes to certify so many cases whose jobs are all settled, and the seconds from the
/// last job of each to its certificate.
async fn flood(database: Database, cases: u32, server: Option<&str>) -> (Duration, Vec<f64>) {
    let many = u64::from(cases);
    let instance = ground::with_jobs(database, (SYSTEMS, Going::Together), 0, server).await;
    let product = ground::open(instance.path(), systems(SYSTEMS, many)).await;
    for person in 0..many {
        ground::ask(&product, person).await;
    }
    ground::open_cases(&product).await;
    carry_out_all(&product, product.instance.workers).await;
    let begun = Instant::now();
    let certified = Box::pin(product.certify_finished()).await.expect("certified");
    let took = begun.elapsed();
    assert_eq!(certified.len() as u64, many, "every case is certified");
    let latencies = latencies(&product, &certified).await;
    product.store.close().await;
    drop(product);
    instance.remove().await;
    (took, latencies)
}

async fn latencies(product: &Quietus, certificates: &[Uuid]) -> Vec<f64> {
    let mut seconds = Vec::with_capacity(certificates.len());
    for id in certificates {
        let found = product.store.certificate(*id).await.expect("the store answers");
        let certificate = found.expect("a certificate").summary;
        assert_eq!(certificate.state, CertificateState::Logged, "in the log");
        let settled = last_settled(product, certificate.case_id).await;
        seconds.push(certificate.issued_at.duration_since(settled).as_secs_f64());
    }
    seconds
}
