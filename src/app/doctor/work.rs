//! Jobs and tasks: what has failed, what nobody took over, what nobody does.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Finding, Found};
use crate::app::{AppError, Quietus};
use crate::domain::{AlarmKind, JobState};
use crate::store::{Job, JobKind, PauseScope, TaskState, Waiting};

/// A worker takes a job over as soon as its lease has ended.
const TAKEN_OVER_WITHIN: SignedDuration = SignedDuration::from_mins(5);
/// Where a process works, a job that could be claimed waits no longer.
const CLAIMED_WITHIN: SignedDuration = SignedDuration::from_mins(15);
/// Where somebody calls `quietus run --once`, that is once a day.
const RUN_BY_HAND_WITHIN: SignedDuration = SignedDuration::from_hours(49);
/// Jobs and tasks that are looked at.
const MOST: u32 = 1_000;

/// Numbers of what somebody has to see to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkGauges {
    /// Failed jobs that somebody has to try again, by system; of the oldest 1000.
    pub failed: BTreeMap<String, u64>,
    /// Since when the oldest job waits that a worker could claim.
    pub claimable_since: Option<Timestamp>,
    /// Cases that wait for a second person.
    pub awaiting: u64,
    /// Since when the oldest of them waits.
    pub awaiting_since: Option<Timestamp>,
    /// Since when the oldest entry waits to be published.
    pub unpublished_since: Option<Timestamp>,
}

/// Jobs of one system that failed in one way.
struct Failures {
    jobs: u64,
    since: Timestamp,
    /// What the newest of them says.
    newest: (Uuid, String),
}

impl Quietus {
    /// Failed jobs that somebody has to try again: those whose work a later run has done, and those of
    /// cases that were called off, aside. At most 1000 are looked at.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn failed_jobs(&self) -> Result<Vec<Job>, AppError> {
        let mut failed = self.store.failed_jobs(None, Uuid::nil(), MOST).await?;
        // Where the system is open again, nobody waits for what was to be done there anew.
        let restored = self.store.restores_under_way().await?;
        let waits = |job: &Job| restored.iter().any(|one| one.system == job.system);
        failed.retain(|job| job.kind != JobKind::Replay || waits(job));
        self.not_superseded(failed).await
    }

    /// What has failed, what nobody took over, and what nobody does.
    pub(super) async fn jobs_at_fault(&self) -> Found {
        let mut found = by_cause(self.failed_jobs().await?);
        let before = self.now().checked_sub(TAKEN_OVER_WITHIN).unwrap_or(Timestamp::MIN);
        let (spared, now) = (self.spared().await?, self.now());
        for lease in self.store.ended_leases(before, MOST).await? {
            // Nobody may take over while its system is spared.
            if spared.get(&lease.system).is_some_and(|one| one.waits_rightly(now)) {
                continue;
            }
            found.push(
                Finding::wrong(
                    format!("job {}", lease.job),
                    format!(
                        "whoever worked on it in `{}` is gone, and nobody took over",
                        lease.system
                    ),
                )
                .kind(AlarmKind::JobAbandoned)
                .since(lease.since)
                .advice("any worker takes it over and loses nothing")
                .command("quietus run"),
            );
        }
        found.extend(self.unclaimed().await?);
        Ok(found)
    }

    /// Jobs that could be claimed and are not.
    async fn unclaimed(&self) -> Found {
        let serves = self.schedule_standings().await?;
        let by_hand = serves.iter().all(|one| one.looked_at_until.is_none());
        let (within, command) = if by_hand {
            (RUN_BY_HAND_WITHIN, "quietus run --once")
        } else {
            (CLAIMED_WITHIN, "quietus run")
        };
        let at_work = self.store.jobs_at_work(self.now()).await?;
        let waiting = self.jobs_to_claim().await?.into_iter();
        Ok(waiting
            .filter(|one| self.has_lasted(within, one.since))
            .map(|one| {
                let place = format!("system {}", one.system);
                if at_work > 0 {
                    let what = format!("{} jobs wait while {at_work} are worked on", one.jobs);
                    return Finding::look(place, what)
                        .kind(AlarmKind::JobWaiting)
                        .since(one.since)
                        .advice(
                            "more `workers` in `quietus.yaml`, or another process, do more at once",
                        )
                        .command("quietus status");
                }
                Finding::wrong(place, format!("{} jobs wait, and nobody works", one.jobs))
                    .kind(AlarmKind::JobWaiting)
                    .since(one.since)
                    .command(command)
            })
            .collect())
    }

    /// Jobs that a worker could claim now, by system, those that have waited longest first. Where
    /// something is paused, in quarantine or spared they wait rightly, which is told by itself.
    async fn jobs_to_claim(&self) -> Result<Vec<Waiting>, AppError> {
        let pauses = self.store.active_pauses().await?;
        let quarantined = self.store.restores_under_way().await?;
        let (spared, now) = (self.spared().await?, self.now());
        let stopped = |system: &str| {
            spared.get(system).is_some_and(|one| one.waits_rightly(now))
                || quarantined.iter().any(|one| one.system == system)
                || pauses.iter().any(|pause| match &pause.scope {
                    PauseScope::Everything => true,
                    PauseScope::System(name) => name.as_str() == system,
                    PauseScope::Rule(_) | PauseScope::Case(_) => false,
                })
        };
        let mut waiting = self.store.waiting_jobs(self.now()).await?;
        waiting.retain(|one| !stopped(&one.system));
        Ok(waiting)
    }

    /// Numbers of what somebody has to see to, for metrics.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn work_gauges(&self) -> Result<WorkGauges, AppError> {
        let mut failed: BTreeMap<String, u64> = BTreeMap::new();
        for job in self.failed_jobs().await? {
            *failed.entry(job.system).or_default() += 1;
        }
        let (awaiting, awaiting_since) = self.store.awaiting_approval().await?;
        Ok(WorkGauges {
            failed,
            claimable_since: self.jobs_to_claim().await?.iter().map(|one| one.since).min(),
            awaiting,
            awaiting_since,
            unpublished_since: self.store.unpublished().await?.entries_since,
        })
    }

    /// Tasks beyond their date.
    pub(super) async fn tasks_at_fault(&self) -> Found {
        let mut found = Vec::new();
        for task in self.store.list_tasks(true, MOST).await? {
            if task.due_at > self.now() {
                // Those that are due first come first.
                break;
            }
            let job = self.store.job(task.job_id).await?;
            let called_off = job.is_some_and(|job| {
                job.state == JobState::Cancelled || job.cancel_requested.is_some()
            });
            if called_off {
                continue;
            }
            let place = format!("task {}", task.job_id);
            // Who has to do it is told by the list, to whoever may see it.
            found.push(if task.state == TaskState::Done {
                Finding::wrong(
                    place,
                    format!("in `{}` it is done, and nobody has confirmed it", task.system),
                )
                .kind(AlarmKind::TaskUnconfirmed)
                .since(task.due_at)
                .advice("a second person confirms it")
                .command(format!("quietus task confirm {} --by NAME", task.job_id))
            } else {
                Finding::wrong(
                    place,
                    format!("what has to be done by hand in `{}` is overdue", task.system),
                )
                .kind(AlarmKind::TaskOverdue)
                .since(task.due_at)
                .advice("the list says who does it, and only that person is shown whom it is about")
                .command("quietus task list")
                .command(format!("quietus task show {} --by NAME", task.job_id))
            });
        }
        Ok(found)
    }
}

/// Failed jobs, those of one system and one kind of fault together.
fn by_cause(jobs: Vec<Job>) -> Vec<Finding> {
    let mut causes: BTreeMap<(String, String), Failures> = BTreeMap::new();
    for job in jobs {
        let at = job.settled_at.unwrap_or(job.created_at);
        let (kind, message) = job.last_fault.map_or_else(
            || ("unknown".to_owned(), "nobody knows why".to_owned()),
            |fault| (fault.kind, fault.message),
        );
        let newest = (job.id, message);
        let alike = causes.entry((job.system, kind)).or_insert_with(|| Failures {
            jobs: 0,
            since: at,
            newest: newest.clone(),
        });
        alike.jobs += 1;
        alike.since = alike.since.min(at);
        alike.newest = newest;
    }
    let causes = causes.iter();
    causes.map(|((system, kind), failures)| failed(system, kind, failures)).collect()
}

fn failed(system: &str, kind: &str, failures: &Failures) -> Finding {
    let (newest, message) = &failures.newest;
    let what = match failures.jobs {
        1 => format!("job {newest} has failed ({kind}): {message}"),
        many => format!("{many} jobs have failed ({kind}), the latest of them: {message}"),
    };
    Finding::wrong(format!("system {system}"), what)
        .kind(AlarmKind::JobFailed)
        .since(failures.since)
        .advice("mend the cause first")
        .command(format!("quietus retry --system {system}"))
}
