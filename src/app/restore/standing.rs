//! How far restores have come, and what is missing before a system can be opened.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::app::{AppError, Quietus};
use crate::domain::{CaseState, JobState};
use crate::store::{BlockedReason, Job, Restore, RestoreCounts};

/// Failed jobs that are named one by one.
const NAMED: u32 = 5;

/// How far the jobs of persons have come.
#[derive(Debug, Clone, Serialize)]
pub struct RestoredPersonsFacts {
    /// Cases of persons in which something has to be done again.
    pub all: u64,
    /// Of those, done and verified.
    pub done: u64,
    /// Of those, in need of somebody.
    pub failed: u64,
    /// Persons of whom something was there again; only where it was asked for.
    pub came_back: Option<u64>,
    /// Records of theirs that were erased or restricted again; only where it was asked for.
    pub records: Option<u64>,
    /// Cases of persons who are forgotten, so that they cannot be looked for.
    pub forgotten: u64,
    /// Cases done in a second so far.
    pub per_second: f64,
    /// Seconds that the rest takes at this rate; `None` where nothing is known yet.
    pub seconds_left: Option<u64>,
}

/// A restore in a list.
#[derive(Debug, Clone, Serialize)]
pub struct RestoreFacts {
    /// Its identifier.
    pub id: Uuid,
    /// The system.
    pub system: String,
    /// `quarantined` or `opened`.
    pub state: &'static str,
    /// The system held the state of this moment.
    pub taken_at: Timestamp,
    /// The copy that it was restored from.
    pub copy: Option<String>,
    /// Somebody told of it; otherwise its canary did.
    pub announced: bool,
    /// Since when what had gone may have been back.
    pub back_since: Timestamp,
    /// Since when it was in quarantine.
    pub begun_at: Timestamp,
    /// Who began it.
    pub begun_by: String,
    /// Why.
    pub reason: String,
    /// The case that carries out what rules have made due.
    pub case: Uuid,
    /// What is done again for persons.
    pub persons: RestoredPersonsFacts,
    /// What is missing before it can be opened, in words.
    pub missing: Vec<String>,
    /// Who opened it.
    pub opened_by: Option<String>,
    /// When.
    pub opened_at: Option<Timestamp>,
    /// Its certificate.
    pub certificate: Option<Uuid>,
}

impl Quietus {
    /// The latest restores, newest first.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn read_restores(&self, limit: u32) -> Result<Vec<RestoreFacts>, AppError> {
        let mut facts = Vec::new();
        for restore in self.store.latest_restores(limit).await? {
            facts.push(self.restore_facts(&restore).await?);
        }
        Ok(facts)
    }

    /// One restore, with who came back; `None` where there is none.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn read_restore(&self, id: Uuid) -> Result<Option<RestoreFacts>, AppError> {
        let Some(restore) = self.store.restore(id).await? else { return Ok(None) };
        let mut facts = self.restore_facts(&restore).await?;
        let back = self.came_back(&restore).await?;
        facts.persons.came_back = Some(back.persons);
        facts.persons.records = Some(back.records);
        Ok(Some(facts))
    }

    /// How many systems are in quarantine because somebody said so, and how many because a restore
    /// was noticed that nobody told of.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn quarantines(&self) -> Result<(u64, u64), AppError> {
        let under_way = self.store.restores_under_way().await?;
        let (announced, noticed): (Vec<_>, Vec<_>) =
            under_way.into_iter().partition(|one| one.announced);
        let many = |restores: &[Restore]| u64::try_from(restores.len()).unwrap_or(u64::MAX);
        Ok((many(&announced), many(&noticed)))
    }

    /// The latest restore of a system.
    ///
    /// # Errors
    /// Where there is no such system, or it was never restored.
    pub async fn latest_restore_of(&self, system: &str) -> Result<Uuid, AppError> {
        self.system(system)?;
        let mut latest = self.store.latest_restores(1000).await?.into_iter();
        latest
            .find(|one| one.system == system)
            .map(|one| one.id)
            .ok_or_else(|| AppError::Input(format!("no restore of `{system}` is on record")))
    }

    async fn restore_facts(&self, restore: &Restore) -> Result<RestoreFacts, AppError> {
        let counts = self.store.restore_counts(restore.id).await?;
        let missing = match restore.opened {
            Some(_) => Vec::new(),
            None => self.missing_of(restore).await?,
        };
        let certificate = self.store.certificate_of_case(restore.case_id).await?;
        let until = restore.opened.as_ref().map_or_else(|| self.now(), |(_, at)| *at);
        let (opened_by, opened_at) = restore.opened.clone().unzip();
        Ok(RestoreFacts {
            id: restore.id,
            system: restore.system.clone(),
            state: if opened_at.is_some() { "opened" } else { "quarantined" },
            taken_at: restore.taken_at,
            copy: restore.copy.clone(),
            announced: restore.announced,
            back_since: restore.back_since,
            begun_at: restore.begun_at,
            begun_by: restore.begun_by.clone(),
            reason: restore.reason.clone(),
            case: restore.case_id,
            persons: progress_of(restore, counts, until),
            missing,
            opened_by,
            opened_at,
            certificate: certificate.map(|one| one.summary.id),
        })
    }

    /// What is missing before a system can be opened, in words; empty where nothing is.
    ///
    /// # Errors
    /// Where the store is not there.
    pub(crate) async fn missing_of(&self, restore: &Restore) -> Result<Vec<String>, AppError> {
        let mut missing = Vec::new();
        let counts = self.store.restore_counts(restore.id).await?;
        let left = counts.replays.saturating_sub(counts.completed + counts.failed);
        if left > 0 {
            missing.push(format!(
                "{left} of {} cases of persons are not done again yet",
                counts.replays
            ));
        }
        let state = Some(JobState::Failed);
        let failed = self.store.restore_jobs(restore.id, state, Uuid::nil(), NAMED).await?;
        missing.extend(failed.iter().map(words_of_failed));
        let named = u64::try_from(failed.len()).unwrap_or(u64::MAX);
        if counts.failed > named {
            missing.push(format!(
                "{} more cases of persons have failed: `quietus retry --system {}` tries all again",
                counts.failed - named,
                restore.system
            ));
        }
        missing.extend(self.missing_of_case(restore).await?);
        Ok(missing)
    }

    async fn missing_of_case(&self, restore: &Restore) -> Result<Vec<String>, AppError> {
        let mut missing = Vec::new();
        let case = restore.case_id;
        let Some(on_record) = self.store.case(case).await? else { return Ok(missing) };
        if on_record.state == CaseState::AwaitingApproval {
            let asks = on_record.blocked_reason.unwrap_or_default();
            missing.push(format!(
                "case {case}, what rules have made due, waits for a second person: {asks}: `quietus approve {case} --by NAME --reason WHY`"
            ));
        }
        for job in self.store.jobs_of_case(case).await? {
            let waits = matches!(job.blocked, Some(BlockedReason::Approval | BlockedReason::Cap));
            match job.state {
                JobState::Completed | JobState::Cancelled => {}
                JobState::Failed => missing.push(words_of_failed(&job)),
                JobState::Blocked if waits => {}
                JobState::Held => missing.push(format!(
                    "case {case} is held by matter {}: `quietus restore open` calls it off and names the hold",
                    job.hold_matters.join(", ")
                )),
                state => missing.push(format!(
                    "case {case}, what rules have made due, is not done yet: {state}"
                )),
            }
        }
        Ok(missing)
    }
}

fn words_of_failed(job: &Job) -> String {
    let why = job.last_fault.as_ref().map_or("nobody knows why", |fault| fault.message.as_str());
    format!(
        "job {} of case {} has failed: {why}: mend the cause, then `quietus retry --job {}`",
        job.id, job.case_id, job.id
    )
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn progress_of(restore: &Restore, counts: RestoreCounts, until: Timestamp) -> RestoredPersonsFacts {
    let seconds = until.duration_since(restore.begun_at).as_secs_f64().max(0.001);
    let per_second = counts.completed as f64 / seconds;
    let left = counts.replays.saturating_sub(counts.completed + counts.failed);
    let seconds_left = if left == 0 {
        Some(0)
    } else if counts.completed == 0 {
        None
    } else {
        // Whole seconds, rounded up.
        let elapsed = until.duration_since(restore.begun_at).as_secs().max(1).unsigned_abs();
        Some(left.saturating_mul(elapsed).div_ceil(counts.completed))
    };
    RestoredPersonsFacts {
        all: counts.replays,
        done: counts.completed,
        failed: counts.failed,
        came_back: None,
        records: None,
        forgotten: restore.forgotten,
        per_second: (per_second * 10.0).round() / 10.0,
        seconds_left,
    }
}
