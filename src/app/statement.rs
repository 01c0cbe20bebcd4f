//! From jobs to the statements of a certificate: one for each category of each collection, and one
//! for the records of each collection as a whole.
//!
//! They speak of the order as it was carried out. What was done comes from the connector's receipt
//! and from the verification; what stays, and why, was counted once more after the second look.
//! Where nobody looked, what is left is what had been counted before, less what was done.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use quietus_connectors::{
    Capabilities, CollectionOutcome, Counts, Cutoff, ProbeCount, SubjectAction, Testimony,
};

use super::account::{Ordered, VerificationOnRecord, counted_in, says_something};
use super::associations::{emptied, in_words};
use super::done::{Done, RESTRICTION};
use super::plan_on_record::PlanOnRecord;
use super::request::KeptByLaw;
use super::second_look::Part;
use super::testimony::action_asked;
use crate::datamap::{Role, System};
use crate::domain::{CategoryName, CollectionName, JobState};
use crate::evidence::statement::{
    CertifiedAction, Count, EvidenceReference, KeptReason, RemovalGrade, StatedCutOff,
    StatedFailure, StatedKept, StatedMethod, StatedRecords, StatedRule, StatedSystem,
    StatementOutcome, SystemKind, SystemStatement,
};
use crate::plan::{RuleCitation, StartCutoff, Step, StepStatus, SystemPlan};
use crate::schedule::{Action, LimitKind};
use crate::store::Job;

/// Everything that statements about one system rest on.
pub(crate) struct SystemAccount<'a> {
    pub(crate) system: &'a System,
    pub(crate) plan: &'a SystemPlan,
    /// What was due before anything was done; `None` where it was not counted.
    pub(crate) due: Option<Counts>,
    pub(crate) job: Option<&'a Job>,
    /// Why the case was called off, if it was.
    pub(crate) called_off: Option<&'a str>,
    pub(crate) outcome: Vec<CollectionOutcome>,
    /// What a person asked for; `None` where rules decided.
    pub(crate) asked: Option<SubjectAction>,
    /// What minimums keep here of the person who asked, and until when.
    pub(crate) kept_by_law: Vec<KeptByLaw>,
    /// What a third party said.
    pub(crate) said: Vec<Testimony>,
    /// An attempt ended without a word: what it has done is not known.
    pub(crate) lost: bool,
    pub(crate) done: Done,
    /// The order as it was carried out last.
    pub(crate) ordered: Ordered,
    pub(crate) verification: Option<VerificationOnRecord>,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) evidence: Vec<EvidenceReference>,
    pub(crate) capabilities: Capabilities,
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
    /// Whether a rule had its turn in this system.
    pub(crate) fn speaks(&self) -> bool {
        if self.plan.persons.is_some() {
            return self.done.unreached.is_none();
        }
        self.ordered.steps_of(self.plan).into_iter().any(speaks)
    }

    fn state(&self) -> Vec<SystemStatement> {
        if let (Some(party), Some(asked)) = (&self.system.third_party, self.asked) {
            return vec![self.state_third_party(party, asked)];
        }
        let mut stated = Vec::new();
        let steps = self.ordered.steps_of(self.plan);
        for instruction in &self.plan.instructions {
            let Ok(collection) = CollectionName::parse(&instruction.collection) else { continue };
            let associated = !self.ordered.associations(&collection).is_empty();
            let mut by_category: BTreeMap<&CategoryName, Vec<&Step>> = BTreeMap::new();
            let here = steps.iter().filter(|step| step.collection == collection && speaks(step));
            for step in here {
                by_category.entry(&step.category).or_default().push(step);
            }
            if by_category.is_empty() && !associated {
                // Its rules have their turn in other runs: nothing was asked, nothing is said.
                continue;
            }
            for (category, steps) in &by_category {
                let actions = steps.iter().filter_map(|step| step.rule.as_ref());
                let mut actions: Vec<Action> = actions.map(|rule| rule.action).collect();
                actions.extend(self.asked.and_then(action_asked));
                stated.push(self.state_category(&Part {
                    collection: &collection,
                    category: Some(category),
                    steps,
                    actions,
                }));
            }
            let all: Vec<&Step> = by_category.into_values().flatten().collect();
            stated.extend(self.state_records(&Part {
                collection: &collection,
                category: None,
                steps: &all,
                actions: vec![Action::Erase, Action::Restrict],
            }));
        }
        stated
    }

    pub(super) fn outcome(&self, collection: &CollectionName) -> Option<&CollectionOutcome> {
        self.outcome.iter().find(|one| one.collection == collection.as_str())
    }

    /// What the system counted after a second look that found nothing.
    pub(super) fn counted_after(&self, collection: &CollectionName) -> Option<&ProbeCount> {
        let on_record = self.verification.as_ref().filter(|_| self.is_completed())?;
        counted_in(
            on_record.counted.as_ref().filter(|one| says_something(one))?,
            collection.as_str(),
        )
    }

    /// What was due before anything was done.
    pub(super) fn counted_before(&self, collection: &CollectionName) -> Option<&ProbeCount> {
        counted_in(self.due.as_ref().filter(|one| says_something(one))?, collection.as_str())
    }

    pub(super) fn is_completed(&self) -> bool {
        self.job.is_some_and(|job| job.state == JobState::Completed)
    }

    fn state_category(&self, part: &Part<'_>) -> SystemStatement {
        let outcome = self.outcome(part.collection);
        let treated = |one: &CollectionOutcome| {
            part.category_name().and_then(|name| one.treated.get(name)).copied().unwrap_or(0)
        };
        let treated = outcome.map_or(0, treated);
        let mut records = StatedRecords::default();
        match part.action() {
            CertifiedAction::Anonymise => records.anonymised = Count(treated),
            _ => records.cleared = Count(treated),
        }
        if part.wants(Action::Erase) {
            records.deleted = Count(outcome.map_or(0, |one| one.deleted));
        }
        if part.wants(Action::Restrict) {
            records.restricted = Count(outcome.map_or(0, |one| one.restricted));
        }
        let mut statement = self.blank(part, records);
        statement.rules =
            part.steps.iter().filter_map(|step| step.rule.as_ref()).map(rule_of).collect();
        statement.cut_offs = self.cut_offs(part.steps);
        statement.kept = self.kept(part);
        statement.staying_fields = self.staying_fields(part);
        self.finish(&mut statement, part);
        statement
    }

    /// Records that are due as a whole or to be restricted; `None` where the order asked for
    /// neither and none of them stays for a reason.
    fn state_records(&self, part: &Part<'_>) -> Option<SystemStatement> {
        let outcome = self.outcome(part.collection);
        let emptied = outcome.map(emptied).unwrap_or_default();
        let records = StatedRecords {
            deleted: Count(outcome.map_or(0, |one| one.deleted)),
            restricted: Count(outcome.map_or(0, |one| one.restricted)),
            cleared: Count(emptied.values().sum()),
            ..StatedRecords::default()
        };
        let acted = records.deleted.0 + records.restricted.0 + records.cleared.0;
        let mut statement = self.blank(part, records);
        statement.method.technique.push_str(&in_words(&emptied));
        for (by, count) in outcome.iter().flat_map(|one| &one.referenced) {
            if *count > 0 {
                statement.kept.push(StatedKept {
                    reason: KeptReason::Referenced,
                    records: Count(*count),
                    because: format!(
                        "records of `{by}` that are kept refer to them; their own due fields are cleared"
                    ),
                    until: None,
                    first_until: None,
                    review_on: None,
                    restricted: false,
                });
            }
        }
        let held = match self.counted_after(part.collection) {
            Some(counted) => counted.held,
            None => outcome.map_or(0, |one| one.held),
        };
        statement.kept.extend(self.held(part, held));
        let asked = |what| self.ordered.asked(part.collection, what);
        let associated = !self.ordered.associations(part.collection).is_empty();
        let nothing_asked = !asked(None) && !asked(Some(RESTRICTION)) && !associated;
        if nothing_asked && acted == 0 && statement.kept.is_empty() {
            return None;
        }
        self.finish(&mut statement, part);
        Some(statement)
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

    fn blank(&self, part: &Part<'_>, records: StatedRecords) -> SystemStatement {
        SystemStatement {
            id: String::new(),
            job_id: self.job.map(|job| job.id),
            system: StatedSystem {
                id: self.system.name.clone(),
                kind: kind_of(self.system.role),
                operator: operator_of(self.system),
                region: self.system.region.clone(),
            },
            collection: Some(part.collection.clone()),
            category: part.category.cloned(),
            rules: Vec::new(),
            cut_offs: Vec::new(),
            limits_rule_set_sha256: self.ordered.limits_from,
            action: part.action(),
            outcome: StatementOutcome::Pending,
            method: StatedMethod {
                nist80088: RemovalGrade::NotApplicable,
                technique: self.capabilities.erasure_grade.clone(),
                tool: format!("quietus {} {}", self.capabilities.kind, env!("CARGO_PKG_VERSION")),
            },
            records,
            kept: Vec::new(),
            staying_fields: Vec::new(),
            verification: self.second_look(part),
            started_at: self.started_at,
            completed_at: self.job.and_then(|job| job.settled_at),
            failure: None,
            exception: None,
            backup: Vec::new(),
            files: None,
            recipient: None,
            evidence: self.evidence.clone(),
        }
    }

    /// Sums up what matched and says how it ended.
    fn finish(&self, statement: &mut SystemStatement, part: &Part<'_>) {
        let records = &mut statement.records;
        let gone = records.deleted.0 + records.cleared.0 + records.anonymised.0;
        let acted = gone + records.restricted.0;
        let left = self.left(part, acted);
        records.left = Count(left.unwrap_or(0));
        let kept: u64 = statement.kept.iter().map(|kept| kept.records.0).sum();
        records.matched = Count(acted + records.left.0 + kept);
        let (outcome, mut failure) = self.how_it_ended(part, acted, kept);
        if let Some(failure) = failure.as_mut().filter(|_| left.is_none()) {
            failure.reason.push_str("; how much is left is not known, because it was not counted");
        }
        let done = matches!(outcome, StatementOutcome::Completed | StatementOutcome::Partial);
        if done && gone > 0 {
            statement.method.nist80088 = RemovalGrade::Clear;
        }
        statement.outcome = outcome;
        statement.failure = failure;
    }

    fn how_it_ended(
        &self,
        part: &Part<'_>,
        acted: u64,
        kept: u64,
    ) -> (StatementOutcome, Option<StatedFailure>) {
        let stopped = if acted > 0 { StatementOutcome::Partial } else { StatementOutcome::Skipped };
        let Some(job) = self.job else {
            return (stopped, Some(self.failure("no job was made".to_owned())));
        };
        let words = job.last_fault.as_ref().map(|fault| fault.message.clone());
        if job.state == JobState::Failed {
            let why = words.unwrap_or_else(|| "it failed".to_owned());
            return (StatementOutcome::Failed, Some(self.failure(why)));
        }
        if let Some(why) = part.steps.iter().find_map(|step| why_stopped(step)) {
            return (stopped, Some(self.failure(why)));
        }
        match job.state {
            JobState::Completed => self.completed(part, acted, kept),
            JobState::Cancelled => {
                let why = match self.called_off {
                    Some(reason) => format!("called off: {reason}"),
                    None => "called off".to_owned(),
                };
                (stopped, Some(self.failure(why)))
            }
            state => {
                let why = words.unwrap_or_else(|| format!("the job is {state}"));
                (StatementOutcome::Pending, Some(self.failure(why)))
            }
        }
    }

    /// The outcome of what was carried out and looked at again.
    fn completed(
        &self,
        part: &Part<'_>,
        acted: u64,
        kept: u64,
    ) -> (StatementOutcome, Option<StatedFailure>) {
        let minimum = |step: &&Step| step.limits.iter().any(|one| one.kind == LimitKind::Minimum);
        let may_stay = part.category.is_some() && part.steps.iter().any(minimum)
            || !self.ordered.held(part.collection, part.category).0.is_empty();
        if may_stay && self.counted_after(part.collection).is_none() {
            let why = "what laws or holds keep here was not counted after it was carried out";
            return (StatementOutcome::Partial, Some(self.failure(why.to_owned())));
        }
        match (acted, kept) {
            (0, 0) => (StatementOutcome::NotFound, None),
            (0, _) => (StatementOutcome::Retained, None),
            _ => (StatementOutcome::Completed, None),
        }
    }

    pub(super) fn failure(&self, reason: String) -> StatedFailure {
        StatedFailure {
            reason,
            attempts: self.job.map_or(0, |job| job.attempt),
            owner: Some(self.system.owner.clone()).filter(|owner| !owner.is_empty()),
            next_attempt_at: None,
        }
    }
}

/// Whether a run speaks for a step: it is its turn, or would be if nothing stood in the way.
fn speaks(step: &Step) -> bool {
    !matches!(
        step.status,
        StepStatus::WaitingForSchedule
            | StepStatus::Exempt { .. }
            | StepStatus::NoRule
            | StepStatus::NotAsked
            | StepStatus::NotCovered { .. }
    )
}

/// Something stands in the way of one of the rules.
pub(super) fn is_stopped(steps: &[&Step]) -> bool {
    steps.iter().any(|step| why_stopped(step).is_some())
}

fn why_stopped(step: &Step) -> Option<String> {
    match &step.status {
        StepStatus::Paused => {
            let rule = step.rule.as_ref().map(|rule| format!("rule `{}`", rule.name));
            Some(format!("{} is paused", rule.unwrap_or_else(|| "its rule".to_owned())))
        }
        StepStatus::NotReadable { why } => Some(why.clone()),
        _ => None,
    }
}

/// Who runs a system. Of a processor the data map knows no more than the system's name.
fn operator_of(system: &System) -> String {
    match system.role {
        Role::Processor => system.name.to_string(),
        Role::Database | Role::Backup | Role::Files | Role::Queue => "self".to_owned(),
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
