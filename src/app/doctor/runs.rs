//! Runs of rules: what is paused, which occurrences nobody looked at, which cases wait for a second
//! person, and which rules are silent.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{Finding, Found, Manner};
use crate::app::occurrences::ScheduleStanding;
use crate::app::pause::words;
use crate::app::silence::{RuleStanding, Silence};
use crate::app::{AppError, Quietus};
use crate::datamap::house::HOUSE;
use crate::domain::{AlarmKind, CaseState, RuleName};
use crate::plan::{Acting, StepStatus, would_change};
use crate::store::{CaseFilter, PauseScope};

/// Whoever has to agree has so much time before it is said to be wrong that a case waits.
const AGREED_WITHIN: SignedDuration = SignedDuration::from_hours(72);
/// Cases that wait and are looked at.
const MOST_CASES: u32 = 1_000;
/// For how many days something may have been overdue, at least, longest first.
const OVERDUE_DAYS: [i64; 6] = [1_095, 365, 90, 30, 7, 1];

/// A duration as people say it, in the largest unit of which there are two.
pub(super) fn duration_in_words(lasting: SignedDuration) -> String {
    let seconds = lasting.as_secs();
    let units = [(86_400, "days"), (3_600, "hours"), (60, "minutes")];
    let fits = units.iter().find(|(size, _)| seconds >= 2 * size);
    fits.map_or_else(
        || format!("{seconds} seconds"),
        |(size, unit)| format!("{} {unit}", seconds / size),
    )
}

impl Quietus {
    /// What somebody has paused.
    pub(super) async fn pauses_at_fault(&self) -> Found {
        let pauses = self.store.active_pauses().await?.into_iter();
        Ok(pauses
            .map(|pause| {
                let scope = words(&pause.scope);
                let resume = format!("quietus resume {scope}");
                Finding::look(scope, "it is paused: what is due there waits")
                    .kind(AlarmKind::PauseLasting)
                    .since(pause.paused_at)
                    .command(resume)
            })
            .collect())
    }

    /// Schedules that nobody looked at in time.
    pub(super) async fn schedules_at_fault(&self) -> Found {
        let standings = self.schedule_standings().await?;
        if standings.iter().all(|one| one.looked_at_until.is_none()) {
            return self.nobody_serves().await;
        }
        let pauses = self.store.active_pauses().await?;
        let stopped = pauses.iter().any(|one| one.scope == PauseScope::Everything);
        let mut found = Vec::new();
        for one in standings {
            found.extend(overdue(&one, stopped));
            if one.missed == 0 {
                continue;
            }
            let missed = Finding::wrong(
                format!("schedule {}", one.schedule),
                format!("its latest {} occurrences were missed", one.missed),
            )
            .kind(AlarmKind::ScheduleMissed)
            .since(one.missed_since);
            found.push(match self.store.active_case_for(&one.schedule).await? {
                Some(case) => missed
                    .because("an earlier case is still open, and it runs again once that is closed")
                    .command(format!("quietus status {case}")),
                None => missed
                    .advice("it skips what it missed (`missed: skip`); this runs it now")
                    .command(format!("quietus run --once --schedule {}", one.schedule)),
            });
        }
        Ok(found)
    }

    /// No process counts occurrences: rules run where somebody calls `quietus run --once`, or not.
    async fn nobody_serves(&self) -> Found {
        let latest = self.store.latest_runs(None, 1).await?;
        let recent = latest
            .first()
            .filter(|run| !self.has_lasted(SignedDuration::from_hours(49), run.opened_at));
        if recent.is_some() {
            return Ok(Vec::new());
        }
        let found = Finding::look(
            "timer",
            "no `quietus run` counts occurrences, and nothing was run by hand for two days",
        );
        Ok(vec![
            found
                .kind(AlarmKind::ScheduleUnserved)
                .since(latest.first().map(|run| run.opened_at))
                .advice("start `quietus run`, or have a timer of yours call `quietus run --once`")
                .command("quietus run --once"),
        ])
    }

    /// Schedules in few words.
    pub(super) async fn schedules_in_words(&self) -> String {
        let standings = self.schedule_standings().await.unwrap_or_default();
        if standings.iter().all(|one| one.looked_at_until.is_none()) {
            return "run by hand: no process counts their occurrences".to_owned();
        }
        format!("{} are looked at in time", standings.len())
    }

    /// Cases that wait for a second person.
    pub(super) async fn approvals_at_fault(&self) -> Found {
        let filter = CaseFilter {
            state: Some(CaseState::AwaitingApproval),
            limit: MOST_CASES,
            ..CaseFilter::default()
        };
        let waiting = self.store.list_cases(filter).await?.into_iter();
        Ok(waiting
            .map(|case| {
                let why = case.blocked_reason.as_deref().unwrap_or("nobody wrote down why");
                let (place, what) = (
                    format!("case {}", case.id),
                    format!("nothing of it goes before a second person agrees: {why}"),
                );
                let found = if self.has_lasted(AGREED_WITHIN, case.created_at) {
                    Finding::wrong(place, what)
                } else {
                    Finding::look(place, what)
                };
                found
                    .kind(AlarmKind::CaseUnapproved)
                    .since(case.created_at)
                    .advice("not the author of the rule; to call it off: `quietus cancel`")
                    .command(format!("quietus approve {} --by NAME --reason WHY", case.id))
            })
            .collect())
    }

    /// Rules that should have done something.
    pub(super) async fn silent_rules(&self, manner: Manner) -> Found {
        let standings = self.rule_standings().await?;
        let mut found: Vec<Finding> = standings.iter().filter_map(silent).collect();
        if manner.overdue && !manner.offline {
            found.extend(self.overdue_records(&standings).await?);
        }
        Ok(found)
    }

    /// Rules in few words.
    pub(super) async fn runs_in_words(&self) -> String {
        let standings = self.rule_standings().await.unwrap_or_default();
        let ran = standings.iter().filter(|one| one.last_run.is_some()).count();
        format!("{ran} of {} have run, and none is silent", standings.len())
    }

    /// Records that should have gone by a rule's latest run and are there, counted in the databases,
    /// with the largest of some ages that one of them has reached.
    async fn overdue_records(&self, standings: &[RuleStanding]) -> Found {
        let last: BTreeMap<&RuleName, Timestamp> =
            standings.iter().filter_map(|one| Some((&one.rule, one.last_run?.1))).collect();
        let mut overdue: BTreeMap<RuleName, u64> = BTreeMap::new();
        for moment in last.values().copied().collect::<BTreeSet<_>>() {
            let due = self.due_at(moment).await?.into_iter();
            overdue.extend(
                due.filter(|(rule, records)| *records > 0 && last.get(rule) == Some(&moment)),
            );
        }
        let mut found = Vec::new();
        for days in OVERDUE_DAYS {
            if overdue.is_empty() {
                break;
            }
            let age = SignedDuration::from_hours(24 * days);
            let Ok(moment) = self.now().checked_sub(age) else { continue };
            for (rule, old) in self.due_at(moment).await?.into_iter().filter(|(_, old)| *old > 0) {
                // What became due since the rule's latest run waits for the next one rightly.
                if last.get(&rule).is_none_or(|ran| moment > *ran) {
                    continue;
                }
                if let Some(records) = overdue.remove(&rule) {
                    found.push(records_overdue(&rule, records, moment, Some(old)));
                }
            }
        }
        let young = overdue.into_iter();
        found.extend(young.map(|(rule, records)| {
            let ran = last.get(&rule).copied().unwrap_or_else(|| self.now());
            records_overdue(&rule, records, ran, None)
        }));
        Ok(found)
    }

    /// Records that each rule would have made due at a moment, as the databases count them now.
    async fn due_at(&self, moment: Timestamp) -> Result<BTreeMap<RuleName, u64>, AppError> {
        let counted = self.counted_plan(moment, &Acting::Everything, None).await?;
        let mut due: BTreeMap<RuleName, u64> = BTreeMap::new();
        for system in counted.plan.systems.iter().filter(|one| one.system.as_str() != HOUSE) {
            let Some(counts) = counted.counts.get(&system.system) else { continue };
            for step in system.steps.iter().filter(|one| one.status == StepStatus::Acting) {
                let named = |name: &String| name == step.collection.as_str();
                let instruction = system.instructions.iter().find(|one| named(&one.collection));
                let count = counts.collections.iter().find(|one| named(&one.collection));
                let (Some(rule), Some(instruction), Some(count)) = (&step.rule, instruction, count)
                else {
                    continue;
                };
                *due.entry(rule.name.clone()).or_default() +=
                    would_change(step, rule.action, instruction, count);
            }
        }
        Ok(due)
    }
}

/// Occurrences that nobody has looked at.
fn overdue(one: &ScheduleStanding, everything_is_paused: bool) -> Option<Finding> {
    if one.overdue == 0 {
        return None;
    }
    let (place, what) = (
        format!("schedule {}", one.schedule),
        format!("{} occurrences are overdue: nobody has looked at them", one.overdue),
    );
    let found =
        Finding::wrong(place, what).kind(AlarmKind::ScheduleOverdue).since(one.overdue_since);
    Some(if everything_is_paused {
        found.because("everything is paused").command("quietus resume everything")
    } else {
        found
            .advice("no `quietus run` is running, or it cannot open a case: its log says why")
            .command("quietus run")
    })
}

fn silent(one: &RuleStanding) -> Option<Finding> {
    let place = format!("rule {}", one.rule);
    let case = one.last_run.map(|(case, _)| case)?;
    match one.silence? {
        Silence::Stayed => {
            let what = format!("{} records were due in its latest run, and none went", one.stayed);
            Some(
                Finding::wrong(place, what)
                    .kind(AlarmKind::RuleStayed)
                    .since(one.without_since)
                    .advice("the certificate says why: held, referred to, failed or not reached")
                    .command(format!("quietus status {case}")),
            )
        }
        Silence::Unusual => {
            let what = format!(
                "nothing was due in its latest {} runs, and never before in more than {} in a row",
                one.runs_without, one.longest_before
            );
            Some(
                Finding::look(place, what)
                    .kind(AlarmKind::RuleSilent)
                    .since(one.without_since)
                    .advice("see whether its starting point is still written, and what the plan keeps and why")
                    .command(format!("quietus plan --schedule {}", one.schedule)),
            )
        }
    }
}

/// `old` of them were due at `moment` already, where that is known.
fn records_overdue(rule: &RuleName, records: u64, moment: Timestamp, old: Option<u64>) -> Finding {
    let what = match old {
        Some(old) => format!(
            "{records} records that should have gone are there, {old} of them overdue since before then"
        ),
        None => format!("{records} records that should have gone are there"),
    };
    Finding::wrong(format!("rule {rule}"), what)
        .kind(AlarmKind::RuleOverdue)
        .since(moment)
        .advice("this shows what keeps them; a hold, a minimum or a reference does so rightly")
        .command("quietus plan")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_the_largest_unit_of_which_there_are_two() {
        let told = |seconds: i64| duration_in_words(SignedDuration::from_secs(seconds));
        assert_eq!(told(119), "119 seconds");
        assert_eq!(told(120), "2 minutes");
        assert_eq!(told(7_199), "119 minutes");
        assert_eq!(told(26 * 3_600), "26 hours");
        assert_eq!(told(49 * 3_600), "2 days");
    }
}
