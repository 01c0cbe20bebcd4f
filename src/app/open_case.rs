//! Opening a case: plan, count, check caps, and write the case with its plan, its jobs and its
//! first evidence in one transaction.

use jiff::Timestamp;
use quietus_connectors::{Counts, Drift};
use serde_json::json;
use tracing::Instrument as _;
use uuid::Uuid;

use super::carry_out::Payload;
use super::fire::MISSED_AFTER;
use super::forecast::CountedPlan;
use super::marking::mark_of;
use super::plan_on_record::PlanOnRecord;
use super::recording::About;
use super::{Actor, AppError, Quietus, spans};
use crate::domain::{CaseState, Rounding, ScheduleName};
use crate::evidence::EvidenceKind;
use crate::plan::{Acting, CapExceeded, Plan, SystemPlan};
use crate::schedule::{RetentionRule, Timetable};
use crate::store::{
    BlockedReason, CaseCause, FireBatch, Job, JobKind, NewCase, NewJob, NewMark, OpenedCase,
    OutboxEntry, PauseScope, PlannedDocument, Restore,
};

/// Attempts that a job gets before a person is asked.
const ATTEMPTS: u32 = 8;
/// Records beyond the planned ones that a job may touch, because life went on since the count.
const SLACK_RECORDS: u64 = 1_000;
/// A day on which clocks are put forward; a grace that is shorter counts hours.
const SHORTEST_DAY: jiff::SignedDuration = jiff::SignedDuration::from_hours(23);

/// Why and for what a case is opened.
pub struct Opening<'a> {
    /// What caused it.
    pub cause: CaseCause,
    /// Who caused it.
    pub actor: Actor,
    /// The moment that decides what is due; never later than now.
    pub moment: Timestamp,
    /// Whose turn it is.
    pub acting: &'a Acting,
    /// The schedule's occurrence, for a scheduled case.
    pub occurrence: Option<Occurrence>,
}

/// An occurrence of a schedule.
pub struct Occurrence {
    /// The schedule.
    pub schedule: ScheduleName,
    /// When it was due.
    pub due_at: Timestamp,
    /// What is written with it.
    pub fires: FireBatch,
}

/// What the jobs of a case have in common.
struct JobCircumstances<'a> {
    acting: &'a Acting,
    holds_version: u64,
    blocked: Option<BlockedReason>,
    available_at: Timestamp,
}

/// What became of the wish to open a case.
#[derive(Debug, Clone, PartialEq)]
pub enum CaseOpened {
    /// It is open; its jobs are available.
    Open {
        /// Its identifier.
        case: Uuid,
    },
    /// It is open and waits for a second person; it may have been opened by an earlier command.
    AwaitingApproval {
        /// Its identifier.
        case: Uuid,
        /// The caps that it exceeds.
        exceeded: Vec<CapExceeded>,
    },
    /// Another replica was faster.
    Lost,
    /// An earlier case of the schedule is still open.
    Overlapping(Uuid),
}

impl Quietus {
    /// Opens a case for what is due as of a moment. A command that exceeds a cap opens none where
    /// an earlier one waits for a second person with the same request.
    ///
    /// # Errors
    /// Where the moment lies in the future or the store is not there.
    pub async fn open_case(&self, opening: Opening<'_>) -> Result<CaseOpened, AppError> {
        if opening.moment > self.now() {
            return Err(AppError::Input(format!(
                "{} lies in the future: nothing can be deleted before it is due; look with `quietus plan --at`",
                opening.moment
            )));
        }
        if opening.acting.is_ours() {
            self.close_own_records().await?;
        }
        let span = spans::plan(&opening);
        let opened = Box::pin(self.plan_and_open(opening)).instrument(span.clone()).await?;
        spans::opened(&span, &opened);
        Ok(opened)
    }

    async fn plan_and_open(&self, opening: Opening<'_>) -> Result<CaseOpened, AppError> {
        let counted = self.counted_plan(opening.moment, opening.acting, None).await?;
        spans::planned(&counted);
        if let Some((case, exceeded)) = self.waiting_case_for(&opening, &counted).await? {
            return Ok(CaseOpened::AwaitingApproval { case, exceeded });
        }
        let case = self.ids.new_id();
        let exceeded = counted.exceeded.clone();
        let new_case = self.new_case(case, opening, counted)?;
        let opening = self.store.open_case(new_case, self.now());
        let opened = opening.instrument(spans::open()).await?;
        self.wake.up();
        Ok(match opened {
            OpenedCase::Opened if exceeded.is_empty() => CaseOpened::Open { case },
            OpenedCase::Opened => CaseOpened::AwaitingApproval { case, exceeded },
            OpenedCase::Lost => CaseOpened::Lost,
            OpenedCase::Overlapping(other) => CaseOpened::Overlapping(other),
        })
    }

    /// Whether a pause keeps a job from being claimed, or the quarantine of its system where it does
    /// not belong to the restore.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn is_paused(&self, job: &Job) -> Result<bool, AppError> {
        let (case, system) = (job.case_id, job.system.as_str());
        let quarantined = self.store.restores_under_way().await?;
        let waits = |one: &Restore| one.system == system && one.case_id != case;
        if job.kind != JobKind::Replay && quarantined.iter().any(waits) {
            return Ok(true);
        }
        let pauses = self.store.active_pauses().await?;
        Ok(pauses.iter().any(|pause| match &pause.scope {
            PauseScope::Everything => true,
            PauseScope::System(name) => name.as_str() == system,
            PauseScope::Case(id) => *id == case,
            PauseScope::Rule(_) => false,
        }))
    }

    /// The case with its plan, its jobs and its first evidence.
    pub(super) fn new_case(
        &self,
        case: Uuid,
        opening: Opening<'_>,
        mut counted: CountedPlan,
    ) -> Result<NewCase, AppError> {
        let now = self.now();
        let holds_version = counted.holds_version;
        let marks = self.marks(&mut counted.plan, &opening, now)?;
        let on_record = PlanOnRecord::from(counted);
        let plan = on_record.document()?;
        let blocked = (!on_record.exceeded.is_empty()).then_some(BlockedReason::Cap);
        let circumstances = JobCircumstances {
            acting: opening.acting,
            holds_version,
            blocked,
            available_at: self.available_at(&opening, now),
        };
        let jobs = on_record
            .plan
            .systems
            .iter()
            // Also where nothing can be due: that nothing is left is looked at all the same.
            .filter(|system| system.instructions.iter().any(|one| !one.keep))
            .map(|system| {
                self.new_job(system, on_record.counts.get(&system.system), &circumstances)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let opened = self.record_opening(case, &opening, &plan, &jobs, blocked)?;
        let lag = opening
            .occurrence
            .as_ref()
            .map(|one| now.as_microsecond().saturating_sub(one.due_at.as_microsecond()).max(0));
        Ok(NewCase {
            id: case,
            cause: opening.cause,
            schedule: opening.occurrence.as_ref().map(|one| one.schedule.clone()),
            due_at: opening.occurrence.as_ref().map(|one| one.due_at),
            moment: opening.moment,
            state: if blocked.is_some() {
                CaseState::AwaitingApproval
            } else {
                CaseState::Executing
            },
            rules: self.rules_document.clone(),
            map: self.map_document.clone(),
            authors: authors(&on_record, &opening.actor),
            opened_by: opening.actor.0,
            lag_us: lag,
            blocked_reason: blocked.map(|_| words_for(&on_record.exceeded)),
            marks,
            plan,
            jobs,
            fires: opening.occurrence.map(|one| one.fires),
            request: None,
            ends: Vec::new(),
            evidence: vec![opened],
        })
    }

    /// Marks to record, and their moment in the plan.
    ///
    /// An occurrence that is answered promptly marks as of its own moment, so that a grace of seven
    /// days is over on the seventh night and not on the eighth. Whatever comes later, and a grace
    /// that counts hours, begins when it is written: no grace is ever cut short by a machine that
    /// was off.
    fn marks(
        &self,
        plan: &mut Plan,
        opening: &Opening<'_>,
        now: Timestamp,
    ) -> Result<Vec<NewMark>, AppError> {
        let due_at = opening.occurrence.as_ref().map(|one| one.due_at);
        let prompt = due_at.filter(|due_at| now.duration_since(*due_at) <= MISSED_AFTER);
        let mut marks = Vec::new();
        for mark in &mut plan.marks_to_make {
            let named = |rule: &&RetentionRule| rule.name == mark.rule;
            let Some(rule) = self.rules.rules.iter().find(named) else { continue };
            let nights = |from: &Timestamp| {
                let grace = rule.grace.map(|grace| grace.due_at(*from, Rounding::None, &self.zone));
                grace.is_some_and(|end| end.duration_since(*from) >= SHORTEST_DAY)
            };
            mark.at = prompt.filter(nights).unwrap_or(now);
            marks.push(NewMark { rule: mark_of(&self.map, &self.rules, rule)?, at: mark.at });
        }
        Ok(marks)
    }

    fn record_opening(
        &self,
        case: Uuid,
        opening: &Opening<'_>,
        plan: &PlannedDocument,
        jobs: &[NewJob],
        blocked: Option<BlockedReason>,
    ) -> Result<OutboxEntry, AppError> {
        let jobs: Vec<_> =
            jobs.iter().map(|job| json!({ "id": job.id, "system": job.system })).collect();
        self.record(
            EvidenceKind::CaseOpened,
            About { case: Some(case), job: None },
            &json!({
                "case": case,
                "cause": opening.cause.as_str(),
                "by": opening.actor.0,
                "moment": opening.moment,
                "schedule": opening.occurrence.as_ref().map(|one| one.schedule.to_string()),
                "occurrence": opening.occurrence.as_ref().map(|one| one.due_at),
                "planSha256": plan.digest,
                "rulesSha256": self.rules.digest,
                "mapSha256": self.map.digest,
                "jobs": jobs,
                "waitsForApproval": blocked.is_some(),
            }),
        )
    }

    fn available_at(&self, opening: &Opening<'_>, now: Timestamp) -> Timestamp {
        let schedule = opening
            .occurrence
            .as_ref()
            .and_then(|one| self.rules.schedules.get(&one.schedule))
            .and_then(|schedule| Timetable::of(schedule).ok());
        schedule.and_then(|timetable| timetable.opens_at(now)).unwrap_or(now)
    }

    fn new_job(
        &self,
        system: &SystemPlan,
        counts: Option<&Counts>,
        circumstances: &JobCircumstances<'_>,
    ) -> Result<NewJob, AppError> {
        // What a system counts while it does not look as mapped says nothing.
        let planned = counts.filter(|one| one.drift.is_empty()).map(planned_records);
        let schedules = match circumstances.acting {
            Acting::Everything => None,
            Acting::Schedules(names) => Some(names.iter().cloned().collect()),
        };
        let most_records = Some(planned.map_or_else(
            || self.fewest_cap(system),
            |planned| most_for(planned, self.fewest_cap(system)),
        ));
        let payload = serde_json::to_value(Payload::First {
            schedules,
            most_records,
            counted: planned.is_some(),
            holds_version: Some(circumstances.holds_version),
        })
        .map_err(|error| AppError::Unreadable { what: "a job", why: error.to_string() })?;
        Ok(NewJob {
            id: self.ids.new_id(),
            system: system.system.clone(),
            kind: JobKind::Sweep,
            held_by: None,
            blocked: circumstances.blocked,
            available_at: circumstances.available_at,
            attempts_allowed: ATTEMPTS,
            payload,
            total_estimate: planned,
        })
    }

    /// The bound for a system that could not be counted: the strictest cap of its rules.
    pub(crate) fn fewest_cap(&self, system: &SystemPlan) -> u64 {
        system
            .steps
            .iter()
            .filter_map(|step| step.rule.as_ref())
            .filter_map(|cited| self.rules.rules.iter().find(|rule| rule.name == cited.name))
            .filter_map(|rule| rule.cap.records)
            .min()
            .unwrap_or(SLACK_RECORDS)
    }
}

/// The most records that a job may touch where so many were counted: a twentieth more, and some,
/// but never more beyond the count than its strictest cap allows in all.
pub(crate) fn most_for(planned: u64, cap: u64) -> u64 {
    planned.saturating_add((planned / 20).saturating_add(SLACK_RECORDS).min(cap))
}

/// Records that a system would change, as counted.
pub(crate) fn planned_records(counts: &Counts) -> u64 {
    counts
        .collections
        .iter()
        .map(|one| one.delete + one.restrict + one.lift + one.treat.values().sum::<u64>())
        .sum()
}

/// Who may not approve: authors of the rules whose caps are exceeded, and whoever opened the case.
fn authors(on_record: &PlanOnRecord, opener: &Actor) -> Vec<String> {
    let mut authors: Vec<String> =
        on_record.exceeded.iter().map(|one| one.author.clone()).collect();
    authors.push(opener.0.clone());
    authors.sort();
    authors.dedup();
    authors
}

/// The caps that are exceeded, in words.
pub fn words_for(exceeded: &[CapExceeded]) -> String {
    let parts: Vec<String> = exceeded
        .iter()
        .map(|one| {
            let most = match one.measure {
                crate::plan::CapMeasure::Records { most } => format!("{most} records"),
                crate::plan::CapMeasure::Share { most_percent } => {
                    format!("{most_percent} % of the collection")
                }
            };
            format!(
                "rule `{}` would change {} of {} records of `{}.{}`, its cap is {most}",
                one.rule, one.would_change, one.total, one.system, one.collection
            )
        })
        .collect();
    parts.join("; ")
}

/// Deviations of systems from the data map, in words.
pub fn words_for_drift(drift: &[Drift]) -> String {
    drift.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
