//! What `quietus run --once` does for persons' requests: carries each on, works on their jobs until
//! none of them can go on soon, and says how each stands.
//!
//! A third party may take weeks to answer, so this does not wait for everybody: what is left goes
//! on with the next run or with a running worker.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::bars::Bars;
use super::opening::{WARN, say};
use super::run::stop_on_signal;
use super::spared::tell_what_waits;
use super::{FINE, NOT_DONE};
use crate::app::spared::Spared;
use crate::app::upgrade::waits_for_newer;
use crate::app::{AppError, Quietus};
use crate::domain::JobState;
use crate::store::{Job, JobKind, RequestFilter};
use crate::worker;

/// A job whose time comes within this is waited for.
const SOON: SignedDuration = SignedDuration::from_secs(5);
/// Requests read at once.
const PAGE: u32 = 1000;

/// Carries requests on, and their jobs as far as they go now.
///
/// # Errors
/// Where the store is not there.
pub async fn carry_out_requests(product: &Arc<Quietus>) -> Result<u8, AppError> {
    // Whoever is forgotten cannot be looked for in what was put back.
    product.look_after_restores().await?;
    product.advance_requests().await?;
    let (mut under_way, mut put_off) = (BTreeMap::new(), false);
    let (spared, now) = (product.spared().await?, product.now());
    for (request, case) in cases_of_requests(product).await? {
        let jobs = product.store.jobs_of_case(case).await?;
        if any_goes_on(product, &jobs, &spared).await? {
            under_way.insert(case, request);
        }
        put_off |= jobs.iter().any(|job| is_soon(job, now) && is_put_off(job, &spared, now));
    }
    let mut code = if put_off { NOT_DONE } else { FINE };
    if under_way.is_empty() {
        if put_off {
            tell_what_waits(product).await?;
        }
        return Ok(code);
    }
    work_on(product, under_way.keys().copied().collect()).await?;
    product.certify_finished().await?;
    for (case, request) in under_way {
        let jobs = product.store.jobs_of_case(case).await?;
        code = code.max(tell(request, &jobs));
    }
    if code != FINE {
        tell_what_waits(product).await?;
    }
    Ok(code)
}

/// Requests that have a case, with it.
async fn cases_of_requests(product: &Quietus) -> Result<Vec<(Uuid, Uuid)>, AppError> {
    let mut found = Vec::new();
    let mut before = None;
    loop {
        let filter = RequestFilter { before, limit: PAGE, ..RequestFilter::default() };
        let page = product.store.list_requests(filter).await?;
        found.extend(page.iter().filter_map(|one| Some((one.id, one.case_id?))));
        let full = page.len() >= PAGE as usize;
        match page.last().filter(|_| full) {
            Some(last) => before = Some((last.received_at, last.id)),
            None => return Ok(found),
        }
    }
}

/// Whether one of the jobs is at work, or its time comes soon and its system is not spared for longer.
async fn any_goes_on(
    product: &Quietus,
    jobs: &[Job],
    spared: &BTreeMap<String, Spared>,
) -> Result<bool, AppError> {
    let now = product.now();
    for job in jobs {
        let running = is_at_work(job, now);
        let due = is_soon(job, now) && !is_put_off(job, spared, now);
        if running || (due && !is_paused(product, job).await?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Somebody works on it: whoever died in it has no lease any more, and its system may let nobody take
/// over for a while.
pub fn is_at_work(job: &Job, now: Timestamp) -> bool {
    let leased = job.lease.as_ref().is_some_and(|(_, until)| *until >= now);
    job.state == JobState::Running && leased
}

fn is_soon(job: &Job, now: Timestamp) -> bool {
    let left_behind = job.state == JobState::Running && !is_at_work(job, now);
    let claimable = left_behind
        || matches!(job.state, JobState::Available | JobState::Scheduled | JobState::Waiting);
    claimable && !waits_for_newer(job) && job.available_at.duration_since(now) <= SOON
}

/// Its system is spared for longer than this waits.
fn is_put_off(job: &Job, spared: &BTreeMap<String, Spared>, now: Timestamp) -> bool {
    spared.get(&job.system).is_some_and(|one| one.puts_off(job, now))
}

async fn is_paused(product: &Quietus, job: &Job) -> Result<bool, AppError> {
    product.is_paused(job).await
}

/// Works until none of the jobs of these cases goes on soon.
///
/// # Errors
/// Where the store is not there.
pub(super) async fn work_on(product: &Arc<Quietus>, cases: Vec<Uuid>) -> Result<(), AppError> {
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    worker::start(product, product.instance.workers, &stop, &tasks);
    worker::start_schema_watch(product, &stop, &tasks);
    let bars = Bars::new();
    let signal = tokio::spawn(stop_on_signal(stop.clone()));
    let mut result = Ok(());
    while !stop.is_cancelled() {
        match look(product, &cases, &bars).await {
            Ok(true) => tokio::time::sleep(Duration::from_millis(60)).await,
            Ok(false) => break,
            Err(error) => {
                result = Err(error);
                break;
            }
        }
    }
    bars.finish();
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    signal.abort();
    result
}

/// Shows how far the cases have come; whether one of them goes on.
async fn look(product: &Quietus, cases: &[Uuid], bars: &Bars) -> Result<bool, AppError> {
    let mut goes_on = false;
    let spared = product.spared().await?;
    for case in cases {
        let jobs = product.store.jobs_of_case(*case).await?;
        bars.show(&jobs);
        goes_on |= any_goes_on(product, &jobs, &spared).await?;
    }
    Ok(goes_on)
}

/// Says how a request stands.
fn tell(request: Uuid, jobs: &[Job]) -> u8 {
    let left: Vec<String> = jobs
        .iter()
        .filter(|job| job.kind == JobKind::Request)
        .filter(|job| job.state != JobState::Completed)
        .map(|job| format!("{} is {}", job.system, job.state))
        .collect();
    if left.is_empty() {
        say(format!("request {request} is carried out: `quietus request show {request}`"));
        return FINE;
    }
    say(format!(
        "{WARN}request {request} is not carried out everywhere{WARN:#}: {}; see `quietus request show {request}`",
        left.join(", ")
    ));
    NOT_DONE
}
