//! Silence of rules: what their latest runs found due and what went, from the plans and jobs on
//! record. A rule whose records were due and stayed, or that finds nothing for much longer than it
//! ever did, is a fault until somebody has looked.
//!
//! A run that could not be counted and did nothing says nothing; that it failed is told elsewhere.
//! What is known of a closed case never changes, so each is read once by a process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use uuid::Uuid;

use super::done::Done;
use super::plan_on_record::PlanOnRecord;
use super::{AppError, Quietus};
use crate::datamap::house::HOUSE;
use crate::domain::{CaseOutcome, CaseState, RuleName, ScheduleName};
use crate::plan::{RuleCitation, Step, StepStatus, SystemPlan, would_change};
use crate::schedule::Action;
use crate::store::{Job, JobKind, RunOnRecord};

/// Runs that are looked back upon, of each schedule and of commands.
const LOOKED_BACK: u32 = 30;
/// Plans that are read for it, in bytes; the newest is read however large it is.
const MOST_BYTES: u64 = 64 * 1024 * 1024;
/// From so many runs in which something went on, a rule is known to have a rhythm.
const RHYTHM: u64 = 3;
/// Fewer runs that find nothing are no silence.
const FEWEST: u64 = 3;

/// What is known of runs, by case.
#[derive(Debug, Default)]
pub(crate) struct RunsSeen(Mutex<BTreeMap<Uuid, Arc<RunSeen>>>);

/// A run that is over.
#[derive(Debug)]
struct RunSeen {
    opened_at: Timestamp,
    rules: BTreeMap<RuleName, RuleRun>,
}

/// What a run found and did for one rule. Records are counted for every rule that speaks for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct RuleRun {
    due: u64,
    gone: u64,
    /// Some system could not be counted.
    uncounted: bool,
}

/// Why a rule is said to be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// Records were due in the latest run, and none of them went.
    Stayed,
    /// Nothing was due for more than twice as many runs as ever before.
    Unusual,
}

/// How a rule stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleStanding {
    /// The rule.
    pub rule: RuleName,
    /// Its schedule.
    pub schedule: ScheduleName,
    /// The latest run that is over and in which it acted: its case, and when it was opened.
    pub last_run: Option<(Uuid, Timestamp)>,
    /// When the latest run was opened in which something went.
    pub last_gone: Option<Timestamp>,
    /// Records that were due in the latest run and did not go.
    pub stayed: u64,
    /// How many of the latest runs, one after the other, saw nothing go.
    pub runs_without: u64,
    /// When the first of these was opened.
    pub without_since: Option<Timestamp>,
    /// How many runs in a row saw nothing go before, at most.
    pub longest_before: u64,
    /// It is silent.
    pub silence: Option<Silence>,
}

impl Quietus {
    /// How each rule stands; those for our own records aside, which have an alarm of their own.
    ///
    /// # Errors
    /// Where the store is not there or holds a plan that this version cannot read.
    pub async fn rule_standings(&self) -> Result<Vec<RuleStanding>, AppError> {
        let runs = self.runs_that_are_over().await?;
        let rules = self.rules.rules.iter().filter(|rule| rule.schedule.as_str() != HOUSE);
        let standing = |name: &RuleName, schedule: &ScheduleName| {
            let of_rule: Vec<(Uuid, Timestamp, RuleRun)> = runs
                .iter()
                .filter_map(|(case, run)| Some((*case, run.opened_at, *run.rules.get(name)?)))
                .collect();
            judge(name, schedule, &of_rule)
        };
        Ok(rules.map(|rule| standing(&rule.name, &rule.schedule)).collect())
    }

    /// The latest runs that came to their end, newest first.
    async fn runs_that_are_over(&self) -> Result<Vec<(Uuid, Arc<RunSeen>)>, AppError> {
        let mut on_record = self.store.latest_runs(None, LOOKED_BACK).await?;
        for schedule in self.rules.schedules.keys().filter(|name| name.as_str() != HOUSE) {
            on_record.extend(self.store.latest_runs(Some(schedule), LOOKED_BACK).await?);
        }
        on_record.retain(is_over);
        on_record.sort_by_key(|run| std::cmp::Reverse((run.opened_at, run.case_id)));
        let known = self.runs_seen.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (mut seen, mut bytes) = (Vec::with_capacity(on_record.len()), 0_u64);
        for run in &on_record {
            if let Some(known) = known.get(&run.case_id) {
                seen.push((run.case_id, Arc::clone(known)));
                continue;
            }
            bytes = bytes.saturating_add(run.plan_bytes);
            if bytes > MOST_BYTES && !seen.is_empty() {
                break;
            }
            seen.push((run.case_id, Arc::new(self.read_run(run).await?)));
        }
        *self.runs_seen.0.lock().unwrap_or_else(PoisonError::into_inner) =
            seen.iter().map(|(case, run)| (*case, Arc::clone(run))).collect();
        Ok(seen)
    }

    async fn read_run(&self, run: &RunOnRecord) -> Result<RunSeen, AppError> {
        let mut rules: BTreeMap<RuleName, RuleRun> = BTreeMap::new();
        if let Some(case) = self.store.case(run.case_id).await? {
            let on_record = PlanOnRecord::of(&case)?;
            let jobs = self.store.jobs_of_case(run.case_id).await?;
            for system in &on_record.plan.systems {
                let job = jobs
                    .iter()
                    .find(|job| job.kind == JobKind::Sweep && job.system == system.system.as_str());
                let counts = on_record.counts.get(&system.system);
                add_system(&mut rules, system, counts, job);
            }
        }
        Ok(RunSeen { opened_at: run.opened_at, rules })
    }
}

/// A case that was called off ran nothing.
fn is_over(run: &RunOnRecord) -> bool {
    run.state == CaseState::Closed && run.outcome != Some(CaseOutcome::Cancelled)
}

/// Adds what a run found and did in one system.
fn add_system(
    rules: &mut BTreeMap<RuleName, RuleRun>,
    system: &SystemPlan,
    counts: Option<&quietus_connectors::Counts>,
    job: Option<&Job>,
) {
    let done: Option<Done> =
        job.and_then(|job| job.done.clone()).and_then(|done| serde_json::from_value(done).ok());
    let total = done.map(|done| done.total()).unwrap_or_default();
    for step in system.steps.iter().filter(|step| step.status == StepStatus::Acting) {
        let Some(rule) = &step.rule else { continue };
        let run = rules.entry(rule.name.clone()).or_default();
        let due = due_by(system, step, rule, counts);
        run.uncounted |= due.is_none();
        run.due = run.due.saturating_add(due.unwrap_or_default());
        let collection = step.collection.as_str();
        let part = total.collections.iter().find(|part| part.collection == collection);
        let Some(part) = part else { continue };
        let treated = part.treated.get(step.category.as_str()).copied().unwrap_or_default();
        let gone = match rule.action {
            Action::Restrict => part.restricted,
            Action::Anonymise => treated,
            Action::Erase => treated.saturating_add(part.deleted),
        };
        // What another rule made due in the same collection is none of this one's.
        run.gone = run.gone.saturating_add(due.map_or(gone, |due| gone.min(due)));
    }
}

/// Records that were due by a rule in one collection; `None` where nobody could count them.
fn due_by(
    system: &SystemPlan,
    step: &Step,
    rule: &RuleCitation,
    counts: Option<&quietus_connectors::Counts>,
) -> Option<u64> {
    let collection = step.collection.as_str();
    let instruction = system.instructions.iter().find(|one| one.collection == collection)?;
    let count = counts?.collections.iter().find(|one| one.collection == collection)?;
    Some(would_change(step, rule.action, instruction, count))
}

/// Says how a rule stands by its runs, newest first.
fn judge(
    rule: &RuleName,
    schedule: &ScheduleName,
    runs: &[(Uuid, Timestamp, RuleRun)],
) -> RuleStanding {
    let known: Vec<&(Uuid, Timestamp, RuleRun)> =
        runs.iter().filter(|(_, _, run)| run.gone > 0 || !run.uncounted).collect();
    let without = known.iter().take_while(|(_, _, run)| run.gone == 0).count();
    let (latest, earlier) = known.split_at(without);
    let finds = earlier.iter().filter(|(_, _, run)| run.gone > 0).count() as u64;
    let longest_before = longest_gap(earlier.iter().map(|(_, _, run)| run.gone > 0));
    let stayed = latest.first().map_or(0, |(_, _, run)| run.due);
    let runs_without = latest.len() as u64;
    let unusual = finds >= RHYTHM
        && runs_without >= FEWEST
        && runs_without > longest_before.saturating_mul(2)
        && latest.iter().all(|(_, _, run)| run.due == 0);
    let silence = match (stayed, unusual) {
        (1.., _) => Some(Silence::Stayed),
        (0, true) => Some(Silence::Unusual),
        (0, false) => None,
    };
    RuleStanding {
        rule: rule.clone(),
        schedule: schedule.clone(),
        last_run: runs.first().map(|(case, at, _)| (*case, *at)),
        last_gone: earlier.first().map(|(_, at, _)| *at),
        stayed,
        runs_without,
        without_since: latest.last().map(|(_, at, _)| *at),
        longest_before,
        silence,
    }
}

/// The most runs in a row without a find between two with one.
fn longest_gap(finds: impl Iterator<Item = bool>) -> u64 {
    let (mut longest, mut gap) = (0, 0);
    for find in finds {
        if find {
            longest = longest.max(gap);
            gap = 0;
        } else {
            gap += 1;
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs, newest first, by what was due and what went; `u64::MAX` due is a run that nobody counted.
    fn judged(runs: &[(u64, u64)]) -> RuleStanding {
        let begun: Timestamp = "2026-11-29T00:00:00Z".parse().unwrap();
        let runs: Vec<(Uuid, Timestamp, RuleRun)> = runs
            .iter()
            .zip(0_i64..)
            .map(|((due, gone), day)| {
                let uncounted = *due == u64::MAX;
                let due = if uncounted { 0 } else { *due };
                let at = begun - jiff::SignedDuration::from_hours(24 * day);
                (Uuid::from_u128(7), at, RuleRun { due, gone: *gone, uncounted })
            })
            .collect();
        let schedule = ScheduleName::parse("nightly").unwrap();
        judge(&RuleName::parse("old-notes").unwrap(), &schedule, &runs)
    }

    fn silence(runs: &[(u64, u64)]) -> Option<Silence> {
        judged(runs).silence
    }

    #[test]
    fn what_was_due_and_stayed_is_silence_at_once() {
        assert_eq!(silence(&[(5, 0)]), Some(Silence::Stayed));
        assert_eq!(judged(&[(5, 0)]).stayed, 5);
        assert_eq!(silence(&[(5, 5), (5, 0)]), None);
        // Some of it went: what stays is on the certificate, with its reason.
        assert_eq!(silence(&[(5, 1)]), None);
    }

    #[test]
    fn a_rule_is_silent_that_finds_nothing_for_much_longer_than_ever() {
        let find = (3, 3);
        let nothing = (0, 0);
        assert_eq!(silence(&[nothing; 30]), None, "nobody knows a rhythm");
        assert_eq!(silence(&[nothing, nothing, find, find, find]), None, "too short");
        let silent = [nothing, nothing, nothing, find, find, find];
        assert_eq!(silence(&silent), Some(Silence::Unusual));
        let weekly = [nothing, nothing, nothing, find, nothing, nothing, find, find];
        assert_eq!(silence(&weekly), None, "two in a row were usual");
        let silent = [&[nothing, nothing][..], &weekly].concat();
        let told = judged(&silent);
        assert_eq!(told.silence, Some(Silence::Unusual));
        assert_eq!((told.runs_without, told.longest_before), (5, 2));
        assert_eq!(told.last_gone, Some("2026-11-24T00:00:00Z".parse().unwrap()));
        assert_eq!(told.without_since, Some("2026-11-25T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn a_run_that_nobody_counted_says_nothing() {
        let failed = (u64::MAX, 0);
        let told = judged(&[failed, failed, failed, (1, 1), (1, 1), (1, 1)]);
        assert_eq!((told.silence, told.runs_without), (None, 0));
        assert!(told.last_run.is_some());
        assert_eq!(judged(&[]).last_run, None);
    }
}
