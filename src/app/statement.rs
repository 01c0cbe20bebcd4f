//! From jobs to the statements of a certificate: one for each category of each collection, and one
//! for the records of each collection as a whole.
//!
//! Numbers come from the connector's receipts and from the looks after them, never from the plan
//! alone: see [`Done::total`](super::done::Done::total) for what may be claimed. Only what a minimum
//! keeps is taken from the counts, because nothing was done to it.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use quietus_connectors::{
    Capabilities, CollectionOutcome, Counts, Cutoff, Instruction, ProbeCount, Verification,
};
use serde::Deserialize;

use super::done::{Done, RESTRICTION, survivors_in};
use super::open_case::PlanOnRecord;
use crate::datamap::{Role, System};
use crate::domain::{CategoryName, CollectionName, JobState, LegalHold, RuleName};
use crate::evidence::statement::{
    CertifiedAction, Count, EvidenceReference, KeptReason, RemovalGrade, StatedCutOff,
    StatedFailure, StatedKept, StatedMethod, StatedRecords, StatedRule, StatedSystem,
    StatedVerification, StatementOutcome, SystemKind, SystemStatement, VerificationFinding,
    VerificationType,
};
use crate::plan::{ProbeName, RuleCitation, StartCutoff, Step, StepStatus, SystemPlan};
use crate::schedule::Action;
use crate::store::Job;

/// What is on record about one job's verification.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct VerificationOnRecord {
    pub(crate) at: Timestamp,
    pub(crate) found: Verification,
}

/// Everything that statements about one system rest on.
pub(crate) struct SystemAccount<'a> {
    pub(crate) system: &'a System,
    pub(crate) plan: &'a SystemPlan,
    pub(crate) counts: Option<Counts>,
    pub(crate) job: Option<&'a Job>,
    /// Why the case was called off, if it was.
    pub(crate) called_off: Option<&'a str>,
    pub(crate) outcome: Vec<CollectionOutcome>,
    pub(crate) done: Done,
    pub(crate) verification: Option<VerificationOnRecord>,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) evidence: Vec<EvidenceReference>,
    pub(crate) capabilities: Capabilities,
    pub(crate) holds: &'a [LegalHold],
    pub(crate) zone: &'a TimeZone,
}

/// The statements of a case, numbered through.
pub(crate) fn statements(accounts: &[SystemAccount<'_>]) -> Vec<SystemStatement> {
    let mut all: Vec<SystemStatement> = accounts.iter().flat_map(SystemAccount::state).collect();
    for (number, statement) in all.iter_mut().enumerate() {
        statement.id = format!("s{}", number + 1);
    }
    all
}

/// What was counted when the case was planned.
pub(crate) fn counts_of(on_record: &PlanOnRecord, system: &System) -> Option<Counts> {
    on_record.counts.get(&system.name).cloned()
}

impl SystemAccount<'_> {
    fn state(&self) -> Vec<SystemStatement> {
        let mut stated = Vec::new();
        for instruction in self.plan.instructions.iter().filter(|one| !one.keep) {
            let Ok(collection) = CollectionName::parse(&instruction.collection) else { continue };
            for steps in self.steps_by_category(&collection) {
                stated.extend(self.state_category(&collection, &steps));
            }
            stated.push(self.state_records(&collection));
        }
        stated
    }

    /// Steps of a collection that this run speaks for, one list for each category.
    fn steps_by_category(&self, collection: &CollectionName) -> Vec<Vec<&Step>> {
        let mut by_category: BTreeMap<_, Vec<&Step>> = BTreeMap::new();
        for step in &self.plan.steps {
            let speaks = step.collection == *collection
                && !matches!(
                    step.status,
                    StepStatus::WaitingForSchedule | StepStatus::Exempt { .. } | StepStatus::NoRule
                );
            if speaks {
                by_category.entry(&step.category).or_default().push(step);
            }
        }
        by_category.into_values().collect()
    }

    fn outcome(&self, collection: &CollectionName) -> Option<&CollectionOutcome> {
        self.outcome.iter().find(|one| one.collection == collection.as_str())
    }

    fn counted(&self, collection: &CollectionName) -> Option<&ProbeCount> {
        let counts = self.counts.as_ref()?;
        counts.collections.iter().find(|one| one.collection == collection.as_str())
    }

    fn state_category(
        &self,
        collection: &CollectionName,
        steps: &[&Step],
    ) -> Option<SystemStatement> {
        let first = steps.first()?;
        let category = first.category.as_str();
        let outcome = self.outcome(collection);
        let action = first.rule.as_ref().map_or(CertifiedAction::None, action_of);
        let treated = outcome.and_then(|one| one.treated.get(category)).copied().unwrap_or(0);
        let mut records = StatedRecords::default();
        match action {
            CertifiedAction::Erase => {
                records.cleared = Count(treated);
                records.deleted = Count(outcome.map_or(0, |one| one.deleted));
            }
            CertifiedAction::Anonymise => records.anonymised = Count(treated),
            CertifiedAction::Restrict => {
                records.restricted = Count(outcome.map_or(0, |one| one.restricted));
            }
            CertifiedAction::CryptoShred | CertifiedAction::None => {}
        }
        let found_under = self.found_under(collection, category, action);
        records.left = Count(self.latest_survivors(collection, found_under));
        let mut statement = self.blank(Some(collection.clone()), records, action);
        statement.category = Some(first.category.clone());
        statement.rules = steps.iter().filter_map(|step| step.rule.as_ref()).map(rule_of).collect();
        statement.cut_offs = self.cut_offs(steps);
        statement.kept = self.kept(collection, steps);
        self.finish(&mut statement, steps);
        Some(statement)
    }

    /// Records that are due as a whole.
    fn state_records(&self, collection: &CollectionName) -> SystemStatement {
        let outcome = self.outcome(collection);
        let records = StatedRecords {
            deleted: Count(outcome.map_or(0, |one| one.deleted)),
            left: Count(self.latest_survivors(collection, None)),
            ..StatedRecords::default()
        };
        let mut statement = self.blank(Some(collection.clone()), records, CertifiedAction::Erase);
        for (by, count) in outcome.iter().flat_map(|one| &one.referenced) {
            if *count > 0 {
                statement.kept.push(StatedKept {
                    reason: KeptReason::Referenced,
                    records: Count(*count),
                    because: format!(
                        "records of `{by}` that are kept refer to them; their own due fields are cleared"
                    ),
                    until: None,
                    review_on: None,
                    restricted: false,
                });
            }
        }
        let held = outcome.map_or(0, |one| one.held);
        if held > 0 {
            statement.kept.push(self.held(collection, None, held));
        }
        self.finish(&mut statement, &[]);
        let steps: Vec<&Step> =
            self.plan.steps.iter().filter(|step| step.collection == *collection).collect();
        if statement.failure.is_none()
            && let Some(rule) = self.paused_meanwhile(&steps)
        {
            // What the rule would have let go as a whole stayed.
            let why = format!("rule `{rule}` was paused while it was carried out");
            statement.outcome = StatementOutcome::Skipped;
            statement.failure = Some(self.failure(why));
        }
        statement
    }

    fn latest_survivors(&self, collection: &CollectionName, category: Option<&str>) -> u64 {
        let found = self.verification.as_ref().map(|one| one.found.survivors.as_slice());
        survivors_in(found.unwrap_or_default(), collection.as_str(), category)
    }

    /// Under which name survivors of a category are found.
    fn found_under<'b>(
        &self,
        collection: &CollectionName,
        category: &'b str,
        action: CertifiedAction,
    ) -> Option<&'b str> {
        if action == CertifiedAction::Restrict {
            return Some(RESTRICTION);
        }
        let instruction = |one: &&Instruction| one.collection == collection.as_str();
        let instruction = self.plan.instructions.iter().find(instruction);
        let treated = instruction.iter().flat_map(|one| &one.treatments);
        let looked_for =
            treated.filter(|one| !one.fields.is_empty()).any(|one| one.category == category);
        // What is only ever deleted as a whole is looked for as a whole.
        looked_for.then_some(category)
    }

    /// How often it was begun anew, and what was found after each round; empty where one was enough.
    fn rounds(&self, statement: &SystemStatement) -> String {
        let Some(collection) = &statement.collection else { return String::new() };
        let category = statement.category.as_ref().map(CategoryName::as_str);
        let under = category.and_then(|one| self.found_under(collection, one, statement.action));
        let found = self.done.found_of(collection.as_str(), under);
        let (reported, gone) = (
            self.done.reported_deletions(collection.as_str()),
            self.outcome(collection).map_or(0, |one| one.deleted),
        );
        if found.is_empty() && reported > gone {
            return format!(
                "; the system reports {reported} deletions, and {gone} records are gone: what came back is counted once"
            );
        }
        if found.is_empty() {
            return String::new();
        }
        let after: Vec<String> = found.iter().map(u64::to_string).collect();
        format!(
            "; {} round(s), with {} survivor(s) found after each in turn: a record is counted once, and only as gone where it stayed away",
            found.len(),
            after.join(", ")
        )
    }

    fn kept(&self, collection: &CollectionName, steps: &[&Step]) -> Vec<StatedKept> {
        let Some(counted) = self.counted(collection) else { return Vec::new() };
        let Some(first) = steps.first() else { return Vec::new() };
        let category = first.category.to_string();
        let restricted = self.system.collections.get(collection);
        let restricted = restricted.is_some_and(|one| one.restriction.is_some());
        let mut kept = Vec::new();
        for limit in &first.limits {
            let name =
                ProbeName::Minimum { category: category.clone(), limit: limit.name.to_string() };
            let records = counted.probes.get(&name.to_string()).copied().unwrap_or(0);
            if records > 0 {
                kept.push(StatedKept {
                    reason: KeptReason::StatutoryMinimum,
                    records: Count(records),
                    because: format!("{}: {} ({})", limit.name, limit.citation, limit.jurisdiction),
                    until: None,
                    review_on: None,
                    restricted,
                });
            }
        }
        let name = ProbeName::Held(category).to_string();
        let records = counted.probes.get(&name).copied().unwrap_or(0);
        if records > 0 {
            kept.push(self.held(collection, Some(first), records));
        }
        kept
    }

    fn held(&self, collection: &CollectionName, step: Option<&Step>, records: u64) -> StatedKept {
        let covers = |hold: &&LegalHold| {
            let scope = &hold.scope;
            hold.released_at.is_none()
                && scope.system.as_ref().is_none_or(|one| *one == self.system.name)
                && scope.collection.as_ref().is_none_or(|one| one == collection)
                && step.is_none_or(|step| {
                    scope.category.as_ref().is_none_or(|one| *one == step.category)
                })
        };
        let mut matters: Vec<&str> =
            self.holds.iter().filter(covers).map(|hold| hold.matter.as_str()).collect();
        matters.sort_unstable();
        matters.dedup();
        let review_on = self.holds.iter().filter(covers).filter_map(|hold| hold.review_on).min();
        StatedKept {
            reason: KeptReason::LegalHold,
            records: Count(records),
            because: match matters.as_slice() {
                [] => "a legal hold in force when it was carried out".to_owned(),
                matters => format!("matter {}", matters.join(", ")),
            },
            until: None,
            review_on,
            restricted: false,
        }
    }

    fn cut_offs(&self, steps: &[&Step]) -> Vec<StatedCutOff> {
        let mut cut_offs = Vec::new();
        for step in steps {
            let Some(rule) = &step.rule else { continue };
            for start in &step.start {
                let Some(at_or_before) = self.moment_of(start) else { continue };
                cut_offs.push(StatedCutOff {
                    rule: rule.name.clone(),
                    starting_point: rule.starting_point.clone(),
                    period: rule.period.to_string(),
                    at_or_before,
                });
            }
        }
        cut_offs.dedup();
        cut_offs
    }

    /// The last instant that a cut-off covers.
    fn moment_of(&self, start: &StartCutoff) -> Option<Timestamp> {
        match start.cutoff? {
            Cutoff::Moment(moment) => Some(moment),
            Cutoff::Day(day) => {
                let next = day.tomorrow().ok()?.to_zoned(self.zone.clone()).ok()?;
                next.timestamp().checked_sub(1.microsecond()).ok()
            }
        }
    }

    fn blank(
        &self,
        collection: Option<CollectionName>,
        records: StatedRecords,
        action: CertifiedAction,
    ) -> SystemStatement {
        SystemStatement {
            id: String::new(),
            job_id: self.job.map(|job| job.id),
            system: StatedSystem {
                id: self.system.name.clone(),
                kind: kind_of(self.system.role),
                operator: "self".to_owned(),
                region: self.system.region.clone(),
            },
            collection,
            category: None,
            rules: Vec::new(),
            cut_offs: Vec::new(),
            action,
            outcome: StatementOutcome::Pending,
            method: StatedMethod {
                nist80088: RemovalGrade::Clear,
                technique: self.capabilities.erasure_grade.clone(),
                tool: format!("quietus {} {}", self.capabilities.kind, env!("CARGO_PKG_VERSION")),
            },
            records,
            kept: Vec::new(),
            verification: self.second_look(),
            started_at: self.started_at,
            completed_at: self.job.and_then(|job| job.settled_at),
            failure: None,
            exception: None,
            backup: None,
            recipient: None,
            evidence: self.evidence.clone(),
        }
    }

    fn second_look(&self) -> StatedVerification {
        match &self.verification {
            Some(on_record) => StatedVerification {
                kind: VerificationType::PostQuery,
                at: Some(on_record.at),
                result: if on_record.found.survivors.is_empty() {
                    VerificationFinding::Absent
                } else {
                    VerificationFinding::Survivors
                },
                method: on_record.found.method.clone(),
            },
            None => StatedVerification {
                kind: VerificationType::None,
                at: None,
                result: VerificationFinding::Unknown,
                method: "nobody looked again".to_owned(),
            },
        }
    }

    /// Sums up what matched and says how it ended.
    fn finish(&self, statement: &mut SystemStatement, steps: &[&Step]) {
        let records = &statement.records;
        let parts = [
            records.deleted,
            records.cleared,
            records.anonymised,
            records.restricted,
            records.left,
        ];
        let kept: u64 = statement.kept.iter().map(|kept| kept.records.0).sum();
        let acted: u64 = parts.iter().map(|count| count.0).sum();
        statement.records.matched = Count(acted + kept);
        let rounds = self.rounds(statement);
        statement.verification.method.push_str(&rounds);
        let (outcome, failure) = self.how_it_ended(steps, acted, kept);
        statement.outcome = outcome;
        statement.failure = failure;
    }

    fn how_it_ended(
        &self,
        steps: &[&Step],
        acted: u64,
        kept: u64,
    ) -> (StatementOutcome, Option<StatedFailure>) {
        for step in steps {
            let why = match &step.status {
                StepStatus::Paused => "the rule is paused".to_owned(),
                StepStatus::NotReadable { why } => why.clone(),
                _ => continue,
            };
            return (StatementOutcome::Skipped, Some(self.failure(why)));
        }
        if let Some(rule) = self.paused_meanwhile(steps) {
            let why = format!("rule `{rule}` was paused while it was carried out");
            return (StatementOutcome::Skipped, Some(self.failure(why)));
        }
        let Some(job) = self.job else {
            return (StatementOutcome::Skipped, Some(self.failure("no job was made".to_owned())));
        };
        let words = job.last_fault.as_ref().map(|fault| fault.message.clone());
        match job.state {
            JobState::Completed if acted == 0 && kept == 0 => (StatementOutcome::NotFound, None),
            JobState::Completed if acted == 0 => (StatementOutcome::Retained, None),
            JobState::Completed => (StatementOutcome::Completed, None),
            JobState::Failed => {
                let why = words.unwrap_or_else(|| "it failed".to_owned());
                (StatementOutcome::Failed, Some(self.failure(why)))
            }
            JobState::Cancelled => {
                let why = match self.called_off {
                    Some(reason) => format!("called off: {reason}"),
                    None => "called off".to_owned(),
                };
                (StatementOutcome::Skipped, Some(self.failure(why)))
            }
            state => {
                let why = words.unwrap_or_else(|| format!("the job is {state}"));
                (StatementOutcome::Pending, Some(self.failure(why)))
            }
        }
    }

    /// A rule of these steps that did nothing in the latest order, because somebody paused it.
    fn paused_meanwhile(&self, steps: &[&Step]) -> Option<&RuleName> {
        let mut cited = steps.iter().filter_map(|step| step.rule.as_ref()).map(|rule| &rule.name);
        cited.find_map(|name| self.done.paused.get(name))
    }

    fn failure(&self, reason: String) -> StatedFailure {
        StatedFailure {
            reason,
            attempts: self.job.map_or(0, |job| job.attempt),
            owner: Some(self.system.owner.clone()).filter(|owner| !owner.is_empty()),
            next_attempt_at: None,
        }
    }
}

fn action_of(rule: &RuleCitation) -> CertifiedAction {
    match rule.action {
        Action::Erase => CertifiedAction::Erase,
        Action::Anonymise => CertifiedAction::Anonymise,
        Action::Restrict => CertifiedAction::Restrict,
    }
}

fn rule_of(rule: &RuleCitation) -> StatedRule {
    StatedRule {
        id: rule.name.clone(),
        version: rule.version.clone(),
        sha256: rule.digest,
        basis: rule.basis.citation.clone(),
    }
}

fn kind_of(role: Role) -> SystemKind {
    match role {
        Role::Database => SystemKind::Database,
        Role::Backup => SystemKind::Backup,
        Role::Processor => SystemKind::Processor,
        Role::Files => SystemKind::Files,
        Role::Queue => SystemKind::Queue,
    }
}
