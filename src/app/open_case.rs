//! Opening a case: plan, count, check caps, and write the case with its plan, its jobs and its
//! first evidence in one transaction.

use std::collections::BTreeMap;

use jiff::Timestamp;
use quietus_connectors::{Counts, Drift};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::carry_out::Payload;
use super::fire::SCHEDULER;
use super::forecast::CountedPlan;
use super::marking::mark_of;
use super::recording::About;
use super::{Actor, AppError, Quietus};
use crate::domain::{CaseState, Digest, RuleName, ScheduleName, SystemName};
use crate::evidence::EvidenceKind;
use crate::plan::{Acting, CapExceeded, MarkToMake, Plan, SystemPlan};
use crate::schedule::Timetable;
use crate::store::{
    BlockedReason, CaseCause, CaseFilter, FireBatch, JobKind, NewCase, NewJob, OpenedCase,
    OutboxEntry, PauseScope, PlannedDocument,
};

/// Attempts that a job gets before a person is asked.
const ATTEMPTS: u32 = 8;
/// Records beyond the planned ones that a job may touch, because life went on since the count.
const SLACK_RECORDS: u64 = 1_000;

/// A plan on record, with what the systems counted when it was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlanOnRecord {
    /// The plan.
    pub plan: Plan,
    /// What the systems counted.
    pub counts: BTreeMap<SystemName, Counts>,
    /// Systems that could not be counted, and why.
    pub uncounted: BTreeMap<SystemName, String>,
    /// Caps that it exceeds.
    pub exceeded: Vec<CapExceeded>,
    /// No event that was told later is in it, nor makes anything due when it is carried out;
    /// `None` on plans of earlier versions, for which it is the plan's moment.
    #[serde(default)]
    pub told_until: Option<Timestamp>,
}

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

/// What became of the wish to open a case.
#[derive(Debug, Clone, PartialEq)]
pub enum CaseOpened {
    /// It is open; its jobs are available.
    Open {
        /// Its identifier.
        case: Uuid,
    },
    /// It is open and waits for a second person.
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
    /// Opens a case for what is due as of a moment.
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
        let counted = self.counted_plan(opening.moment, opening.acting, None).await?;
        let case = self.ids.new_id();
        let exceeded = counted.exceeded.clone();
        let new_case = self.new_case(case, opening, counted)?;
        let opened = self.store.open_case(new_case, self.now()).await?;
        self.wake.up();
        Ok(match opened {
            OpenedCase::Opened if exceeded.is_empty() => CaseOpened::Open { case },
            OpenedCase::Opened => CaseOpened::AwaitingApproval { case, exceeded },
            OpenedCase::Lost => CaseOpened::Lost,
            OpenedCase::Overlapping(other) => CaseOpened::Overlapping(other),
        })
    }

    /// Cases opened by a command that still have something to do, oldest first; those that wait
    /// for a second person are not among them.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn unfinished_cases(&self) -> Result<Vec<Uuid>, AppError> {
        let mut unfinished = Vec::new();
        for state in [CaseState::Planned, CaseState::Executing, CaseState::Verifying] {
            unfinished.extend(self.command_cases(state).await?);
        }
        unfinished.sort_unstable();
        Ok(unfinished)
    }

    /// Calls off earlier cases of commands that wait for a second person: the later one asks for
    /// all that they asked for.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn take_over_waiting_cases(&self, later: Uuid) -> Result<(), AppError> {
        for earlier in self.command_cases(CaseState::AwaitingApproval).await? {
            if earlier != later {
                let reason = format!("case {later} took over");
                self.call_off(earlier, SCHEDULER, &reason).await?;
            }
        }
        self.certify_finished().await?;
        Ok(())
    }

    /// Whether a pause keeps a job of this case from being claimed.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn is_paused(&self, case: Uuid, system: &str) -> Result<bool, AppError> {
        let pauses = self.store.active_pauses().await?;
        Ok(pauses.iter().any(|pause| match &pause.scope {
            PauseScope::Everything => true,
            PauseScope::System(name) => name.as_str() == system,
            PauseScope::Case(id) => *id == case,
            PauseScope::Rule(_) => false,
        }))
    }

    async fn command_cases(&self, state: CaseState) -> Result<Vec<Uuid>, AppError> {
        let filter = CaseFilter { state: Some(state), limit: 1000, ..CaseFilter::default() };
        let cases = self.store.list_cases(filter).await?;
        let commands = cases.into_iter().filter(|case| case.cause == CaseCause::Command);
        Ok(commands.map(|case| case.id).collect())
    }

    fn new_case(
        &self,
        case: Uuid,
        opening: Opening<'_>,
        counted: CountedPlan,
    ) -> Result<NewCase, AppError> {
        let now = self.now();
        let on_record = PlanOnRecord {
            uncounted: counted
                .faults
                .iter()
                .map(|(system, fault)| (system.clone(), fault.to_string()))
                .collect(),
            plan: counted.plan,
            counts: counted.counts,
            exceeded: counted.exceeded,
            told_until: Some(counted.told_until),
        };
        let text = serde_json::to_string(&on_record)
            .map_err(|error| AppError::Unreadable { what: "a plan", why: error.to_string() })?;
        let plan = PlannedDocument { digest: Digest::of(text.as_bytes()), text };
        let blocked = (!on_record.exceeded.is_empty()).then_some(BlockedReason::Cap);
        let available_at = self.available_at(&opening, now);
        let acting = opening.acting;
        let jobs = on_record
            .plan
            .systems
            .iter()
            // Also where nothing can be due: that nothing is left is looked at all the same.
            .filter(|system| system.instructions.iter().any(|one| !one.keep))
            .map(|system| {
                self.new_job(
                    system,
                    acting,
                    on_record.counts.get(&system.system),
                    blocked,
                    available_at,
                )
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
            marks: self.marks(&on_record.plan)?,
            plan,
            jobs,
            fires: opening.occurrence.map(|one| one.fires),
            evidence: vec![opened],
        })
    }

    fn marks(&self, plan: &Plan) -> Result<Vec<RuleName>, AppError> {
        let marked =
            |mark: &MarkToMake| self.rules.rules.iter().find(|rule| rule.name == mark.rule);
        let marking = plan.marks_to_make.iter().filter_map(marked);
        marking.map(|rule| mark_of(&self.map, &self.rules, rule)).collect()
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
        acting: &Acting,
        counts: Option<&Counts>,
        blocked: Option<BlockedReason>,
        available_at: Timestamp,
    ) -> Result<NewJob, AppError> {
        let planned = counts.map(planned_records);
        let schedules = match acting {
            Acting::Everything => None,
            Acting::Schedules(names) => Some(names.iter().cloned().collect()),
        };
        let most_records = match planned {
            Some(planned) => {
                Some(planned.saturating_add(planned / 20).saturating_add(SLACK_RECORDS))
            }
            None => Some(self.fewest_cap(system)),
        };
        let payload = serde_json::to_value(Payload::First {
            schedules,
            most_records,
            counted: planned.is_some(),
        })
        .map_err(|error| AppError::Unreadable { what: "a job", why: error.to_string() })?;
        Ok(NewJob {
            id: self.ids.new_id(),
            system: system.system.clone(),
            kind: JobKind::Sweep,
            blocked,
            available_at,
            attempts_allowed: ATTEMPTS,
            payload,
            total_estimate: planned,
        })
    }

    /// The bound for a system that could not be counted: the strictest cap of its rules.
    fn fewest_cap(&self, system: &SystemPlan) -> u64 {
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
