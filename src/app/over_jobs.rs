//! What the jobs of one system amount to: a dated job goes on where an earlier one ended.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use quietus_connectors::{CollectionOutcome, Testimony};
use uuid::Uuid;

use super::account::VerificationOnRecord;
use super::carry_out::Payload;
use super::progress::Done;
use crate::domain::JobState;
use crate::evidence::SystemStatement;
use crate::evidence::statement::KeptReason;
use crate::store::{Attempt, AttemptResult, Case, Job, JobKind};

/// A dated job that waits has nothing to say yet, nor has the upkeep of a restriction that ended.
pub(super) fn has_its_say(job: &Job) -> bool {
    match job.kind {
        JobKind::Sweep | JobKind::Request => true,
        JobKind::Retained | JobKind::Replay => job.state.is_final(),
        JobKind::Upkeep => matches!(job.state, JobState::Completed | JobState::Failed),
        // It speaks of a store, or of files, and not of what the system shows.
        JobKind::Backup | JobKind::Residue => false,
    }
}

/// The job by which a system is stated, of those that have a say: one that is not over, else the one
/// that came to its end last. A dated job was made long before others that are over when its date
/// comes.
pub(super) fn speaking<'a>(jobs: impl IntoIterator<Item = &'a Job>) -> Option<&'a Job> {
    let by = |job: &&Job| (job.settled_at.is_none(), job.settled_at, job.created_at, job.id);
    jobs.into_iter().max_by_key(by)
}

/// What all jobs of a system have done together: a dated job goes on where an earlier one ended.
pub(super) fn outcome_over<'a>(jobs: &[&'a Job]) -> Vec<CollectionOutcome> {
    let mut all: Vec<CollectionOutcome> = Vec::new();
    let mut jobs = jobs.to_vec();
    jobs.sort_by_key(|job| (job.created_at, job.id));
    let parts = |job: &'a Job| {
        done_of(Some(job)).total().collections.into_iter().map(move |one| (job, one))
    };
    for (job, part) in jobs.into_iter().flat_map(parts) {
        let Some(sum) = all.iter_mut().find(|one| one.collection == part.collection) else {
            all.push(part);
            continue;
        };
        // Not sums: how many there were at the last look.
        sum.referenced = part.referenced;
        sum.held = part.held;
        // What came back with a restore was counted when it went for the first time.
        if job.kind == JobKind::Replay {
            continue;
        }
        sum.deleted += part.deleted;
        sum.restricted += part.restricted;
        sum.lifted += part.lifted;
        sum.partitions_dropped += part.partitions_dropped;
        for (category, count) in part.treated {
            *sum.treated.entry(category).or_default() += count;
        }
    }
    all
}

/// As of which moment a job does its part for a person; `None` is that of the case. One that has come
/// forward, because its date was computed by a law of before, does so as of the moment from which it
/// may begin, and never as of a date that is to come.
pub(super) fn as_of(job: &Job) -> Option<Timestamp> {
    match serde_json::from_value(job.payload.clone()).ok()? {
        Payload::Person { moment, .. } => moment.map(|moment| moment.min(job.available_at)),
        Payload::First { .. } | Payload::Backup { .. } | Payload::Residue { .. } => None,
    }
}

/// As of which moment was decided last in a system what a minimum keeps of a person: that of the job
/// which came to its end last, done or in need of somebody.
pub(super) fn decided_as_of(case: &Case, jobs: &[Job], system: &str) -> Timestamp {
    decided_last(jobs, system).and_then(as_of).unwrap_or(case.moment)
}

/// The holds that kept something out of the order of that job.
pub(super) fn holds_behind(jobs: &[Job], system: &str) -> BTreeSet<Uuid> {
    let done = done_of(decided_last(jobs, system));
    done.ordered.map(|ordered| ordered.holds).unwrap_or_default()
}

/// The last job that decided in a system what a minimum keeps of a person was carried out, and needs
/// nobody.
pub(super) fn decided_well(jobs: &[Job], system: &str) -> bool {
    decided_last(jobs, system).is_some_and(|job| job.state == JobState::Completed)
}

fn decided_last<'a>(jobs: &'a [Job], system: &str) -> Option<&'a Job> {
    let decides = |job: &&Job| {
        matches!(job.kind, JobKind::Request | JobKind::Retained | JobKind::Replay)
            && matches!(job.state, JobState::Completed | JobState::Failed)
            && job.system == system
    };
    jobs.iter().filter(decides).max_by_key(|job| (job.settled_at, job.id))
}

/// The date of something that was kept has come, or its hold was released, and the job that was made
/// for that is done.
pub(super) fn is_dated_job_done(job: &Job) -> bool {
    job.kind == JobKind::Retained && job.state == JobState::Completed
}

/// Something stays by a statement for which there is a dated job.
pub(super) fn is_dated(statement: &SystemStatement) -> bool {
    let reasons = [KeptReason::StatutoryMinimum, KeptReason::LegalHold];
    statement.kept.iter().any(|one| reasons.contains(&one.reason))
}

/// Nobody knows what an attempt has done: its process died, or its answer never came.
pub(super) fn is_lost(attempt: &Attempt) -> bool {
    let unknown = attempt.fault.as_ref().is_some_and(|fault| fault.kind == "unknown");
    unknown || attempt.result == Some(AttemptResult::Lost)
}

/// What a third party said in all jobs together: where the person was found to be known by more, it
/// was asked again.
pub(super) fn said_over(jobs: &[&Job]) -> Vec<Testimony> {
    let mut jobs = jobs.to_vec();
    jobs.sort_by_key(|job| (job.created_at, job.id));
    jobs.into_iter().flat_map(|job| done_of(Some(job)).current.testimonies).collect()
}

pub(super) fn done_of(job: Option<&Job>) -> Done {
    job.and_then(|job| job.done.clone())
        .and_then(|done| serde_json::from_value(done).ok())
        .unwrap_or_default()
}

pub(super) fn verification_of(job: &Job) -> Option<VerificationOnRecord> {
    let done = || serde_json::from_value::<Done>(job.done.clone()?).ok()?.survivors;
    serde_json::from_value(job.verification.clone().or_else(done)?).ok()
}

/// It has come to its end since the certificate in force was issued; `None` where there is none yet.
pub(super) fn has_ended_since(job: &Job, issued_at: Option<Timestamp>) -> bool {
    job.settled_at.is_some_and(|at| issued_at.is_none_or(|issued_at| at > issued_at))
}

/// All that has come to its end since the certificate in force does again what had been undone, by a
/// restore for example: the person was told of it when it was done for the first time.
pub(super) fn is_done_again(jobs: &[Job], issued_at: Option<Timestamp>) -> bool {
    // An upkeep or a look that was called off says nothing of which a person is told.
    let tells = |job: &&Job| has_its_say(job) || is_look(job) && job.state == JobState::Completed;
    let news = jobs.iter().filter(|job| has_ended_since(job, issued_at)).filter(tells);
    let mut news = news.peekable();
    news.peek().is_some() && news.all(|job| job.kind == JobKind::Replay)
}

/// A part of a person's request has failed, and no later one has done its work: somebody may try it
/// again, and cannot once the person is forgotten. A restriction that was lifted since is not imposed
/// again.
pub(super) fn can_be_tried_again(jobs: &[Job]) -> bool {
    let is_lifted =
        jobs.iter().any(|job| job.kind == JobKind::Upkeep && job.state == JobState::Cancelled);
    let has_failed = |job: &Job| {
        decided_last(jobs, &job.system).is_some_and(|last| last.state == JobState::Failed)
    };
    !is_lifted && jobs.iter().any(has_failed)
}

/// It looks at copies, or at files and logs, and changes nothing of what a system shows.
pub(super) fn is_look(job: &Job) -> bool {
    matches!(job.kind, JobKind::Backup | JobKind::Residue)
}

/// Why a certificate is the last one, where looks have ended and at least one saw it gone: the last
/// copy is gone, or what files and logs have held. `None` where none of them saw that.
pub(super) fn end_of_looks(looks: &[&Job]) -> Option<&'static str> {
    let mut ends = looks.iter().filter(|job| saw_it_gone(job)).peekable();
    ends.peek()?;
    let copies = ends.any(|job| job.kind == JobKind::Backup);
    Some(if copies { "backup-expired" } else { "residues-gone" })
}

/// The days by which copies, files and logs let go what a statement says is gone, `None` for each
/// that has none.
pub(super) fn days_pending(statement: &SystemStatement) -> Vec<Option<Date>> {
    let copies = statement.backup.iter().filter(|one| one.is_pending()).map(|one| one.gone_by);
    let files = statement.files.iter().filter(|one| one.is_pending()).map(|one| one.gone_by);
    copies.chain(files).collect()
}

/// A look saw that no copy is left, or that files and logs hold nothing any more.
fn saw_it_gone(job: &Job) -> bool {
    if job.kind == JobKind::Residue {
        let gone = job.done.as_ref().is_some_and(|done| done["gone"] == true);
        return gone && job.state == JobState::Completed;
    }
    let done = job.done.as_ref().and_then(|done| done.get("systems"));
    let systems = done.and_then(serde_json::Value::as_object);
    job.kind == JobKind::Backup
        && job.state == JobState::Completed
        && systems.is_some_and(|systems| systems.values().all(|seen| seen["gone"] == true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(id: u128, created: i64, settled: Option<i64>) -> Job {
        let at = |second| Timestamp::from_second(second).unwrap();
        Job {
            id: Uuid::from_u128(id),
            case_id: Uuid::nil(),
            system: "shop".to_owned(),
            kind: JobKind::Retained,
            state: settled.map_or(JobState::Waiting, |_| JobState::Completed),
            attempt: 1,
            attempts_allowed: 8,
            available_at: at(created),
            lease: None,
            payload: serde_json::Value::Null,
            done: None,
            verification: None,
            total_estimate: None,
            blocked: None,
            hold_matters: Vec::new(),
            reference: None,
            last_fault: None,
            cancel_requested: None,
            created_at: at(created),
            settled_at: settled.map(at),
        }
    }

    fn speaks(jobs: &[Job]) -> Option<u128> {
        speaking(jobs).map(|job| job.id.as_u128())
    }

    /// A dated job is made with the first answer and comes to its end years later; meanwhile a restore,
    /// or the release of a hold, brings jobs that are made later and over earlier.
    #[test]
    fn a_system_is_stated_by_what_came_to_its_end_last() {
        let (first, dated, replay) =
            (job(1, 0, Some(5)), job(2, 5, Some(900)), job(3, 70, Some(80)));
        assert_eq!(speaks(&[first.clone(), dated, replay.clone()]), Some(2));
        assert_eq!(speaks(&[first.clone(), replay.clone()]), Some(3));
        // What is not over is what there is to be said of a system.
        assert_eq!(speaks(&[job(4, 1, None), first, replay]), Some(4));
        // At one moment, the later one.
        assert_eq!(speaks(&[job(6, 2, Some(9)), job(5, 1, Some(9))]), Some(6));
        assert_eq!(speaks(&[]), None);
    }

    fn ended(id: u128, system: &str, kind: JobKind, state: JobState, settled: i64) -> Job {
        Job { system: system.to_owned(), kind, state, ..job(id, 0, Some(settled)) }
    }

    /// A part that somebody had tried again, and a restore in the same days.
    #[test]
    fn a_person_is_told_unless_all_is_done_again() {
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        let of = |id, kind, settled| ended(id, "shop", kind, JobState::Completed, settled);
        let part = |settled| of(1, JobKind::Request, settled);
        let replay = of(2, JobKind::Replay, 60);
        assert!(is_done_again(&[part(10), replay.clone()], at(20)), "she was told then");
        assert!(
            !is_done_again(&[part(50), replay.clone()], at(20)),
            "what ended last says not all"
        );
        assert!(!is_done_again(&[part(10), replay.clone()], None), "nothing was told yet");
        assert!(!is_done_again(&[part(10)], at(20)), "nothing is done again");
        let look = of(3, JobKind::Backup, 50);
        assert!(!is_done_again(&[part(10), look.clone(), replay.clone()], at(20)));
        let outdated = Job { state: JobState::Cancelled, ..look };
        let lifted = ended(4, "shop", JobKind::Upkeep, JobState::Cancelled, 55);
        assert!(is_done_again(&[part(10), outdated, lifted, replay], at(20)));
    }

    #[test]
    fn a_part_can_be_tried_again_until_its_work_is_done() {
        use JobKind::{Replay, Request, Retained, Upkeep};
        use JobState::{Cancelled, Completed, Failed};
        let done = ended(1, "desk", Request, Completed, 10);
        let failed = ended(2, "shop", Request, Failed, 20);
        assert!(!can_be_tried_again(std::slice::from_ref(&done)));
        assert!(can_be_tried_again(&[done.clone(), failed.clone()]));
        assert!(can_be_tried_again(&[done.clone(), ended(3, "desk", Retained, Failed, 20)]));
        // One that came later has done it.
        assert!(!can_be_tried_again(&[failed.clone(), ended(4, "shop", Replay, Completed, 30)]));
        assert!(can_be_tried_again(&[failed.clone(), ended(4, "shop", Replay, Completed, 15)]));
        // The next look of an upkeep does the work of one that failed.
        assert!(!can_be_tried_again(&[done.clone(), ended(5, "desk", Upkeep, Failed, 20)]));
        assert!(!can_be_tried_again(&[done, failed, ended(6, "desk", Upkeep, Cancelled, 30)]));
    }
}
