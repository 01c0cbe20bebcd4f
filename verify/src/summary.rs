//! What a certificate may claim as a whole, computed from its statements and never written by hand.
//!
//! `complete` needs every statement completed and verified. One that is pending, skipped,
//! unverified or does not add up makes the whole `partial`; one that failed makes it `failed`;
//! what stays for a hold, a law or a reference, or in a file, a log or a copy for recovery that was
//! not seen to have let it go, makes it `complete-with-exceptions` at best.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::certificate::{CertificateClass, ERROR, Predicate, Scope};
use crate::files::{self, StatedFiles};
use crate::statement::{
    StatedBackup, StatementOutcome, SystemStatement, VerificationFinding, VerificationType,
};

/// What the certificate claims as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overall {
    /// Everything due is gone, verified.
    Complete,
    /// Everything due is gone, verified, but for what stays for a named reason.
    CompleteWithExceptions,
    /// Something is pending, skipped or unverified.
    Partial,
    /// Something failed.
    Failed,
}

impl Overall {
    /// The word on the certificate.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::CompleteWithExceptions => "complete-with-exceptions",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
}

/// The summary: the claim as a whole and how many statements stand behind each part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The claim.
    pub overall: Overall,
    /// Statements completed and verified, nothing kept.
    pub completed: u32,
    /// Statements completed and verified, but for what stays for a named reason.
    pub retained: u32,
    /// Statements pending, partly done or skipped.
    pub pending: u32,
    /// Statements that say done, and nobody looked again or the counts do not add up.
    pub unverified: u32,
    /// Statements that failed.
    pub failed: u32,
}

/// Where one statement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Completed and verified.
    Complete,
    /// Completed and verified, but for what stays for a named reason.
    Retained,
    /// Said to be done, without proof that nothing is left.
    Unverified,
    /// Pending, partly done or skipped.
    Pending,
    /// Failed.
    Failed,
}

/// Where a statement stands, by what it says itself.
pub fn standing(statement: &SystemStatement) -> Standing {
    match statement.outcome {
        StatementOutcome::Failed => Standing::Failed,
        StatementOutcome::Pending | StatementOutcome::Skipped | StatementOutcome::Partial => {
            Standing::Pending
        }
        StatementOutcome::AttestedByProcessor => Standing::Unverified,
        StatementOutcome::Completed | StatementOutcome::NotFound | StatementOutcome::Retained => {
            settled(statement)
        }
    }
}

fn settled(statement: &SystemStatement) -> Standing {
    let keeps = !statement.kept.is_empty()
        || !statement.staying_fields.is_empty()
        || statement.exception.is_some();
    let stays = keeps
        || statement.backup.iter().any(StatedBackup::is_pending)
        || statement.files.as_ref().is_some_and(StatedFiles::is_pending);
    if statement.failure.is_some() {
        return Standing::Pending;
    }
    let proven = verified(statement) && adds_up(statement) && statement.records.left.0 == 0;
    let nothing_due = statement.records.matched.0 == 0;
    let fits = match statement.outcome {
        StatementOutcome::NotFound => nothing_due && statement.kept.is_empty(),
        StatementOutcome::Retained => keeps,
        _ => true,
    };
    match (proven && fits, stays) {
        (false, _) => Standing::Unverified,
        (true, true) => Standing::Retained,
        (true, false) => Standing::Complete,
    }
}

/// Whether it says done, somebody looked again over everything that was due, and found nothing. A
/// sample is not everything.
pub fn verified(statement: &SystemStatement) -> bool {
    says_done(statement)
        && statement.verification.kind == VerificationType::PostQuery
        && statement.verification.at.is_some()
        && statement.verification.result == VerificationFinding::Absent
}

/// Whether it claims that nothing is left to do.
pub fn says_done(statement: &SystemStatement) -> bool {
    matches!(
        statement.outcome,
        StatementOutcome::Completed | StatementOutcome::NotFound | StatementOutcome::Retained
    )
}

/// Whether every matched record is accounted for exactly once.
pub fn adds_up(statement: &SystemStatement) -> bool {
    let records = &statement.records;
    let parts =
        [records.deleted, records.cleared, records.anonymised, records.restricted, records.left];
    let kept = statement.kept.iter().map(|kept| kept.records);
    let total =
        parts.into_iter().chain(kept).try_fold(0_u64, |total, count| total.checked_add(count.0));
    total == Some(records.matched.0)
}

/// How many systems the statements speak for.
pub fn systems_stated(statements: &[SystemStatement]) -> u32 {
    let systems: BTreeSet<_> = statements.iter().map(|statement| &statement.system.id).collect();
    u32::try_from(systems.len()).unwrap_or(u32::MAX)
}

/// Computes the summary. Without statements, or with a system of the scope unstated, nothing is
/// ever complete.
pub fn summarise(scope: &Scope, statements: &[SystemStatement]) -> Summary {
    let count = |wanted: Standing| {
        let number = statements.iter().filter(|one| standing(one) == wanted).count();
        u32::try_from(number).unwrap_or(u32::MAX)
    };
    let covered = !statements.is_empty()
        && scope.systems_in_scope == scope.systems_stated
        && scope.systems_stated == systems_stated(statements);
    let mut summary = Summary {
        overall: Overall::Complete,
        completed: count(Standing::Complete),
        retained: count(Standing::Retained),
        pending: count(Standing::Pending),
        unverified: count(Standing::Unverified),
        failed: count(Standing::Failed),
    };
    summary.overall = if summary.failed > 0 {
        Overall::Failed
    } else if summary.pending > 0 || summary.unverified > 0 || !covered {
        Overall::Partial
    } else if summary.retained > 0 {
        Overall::CompleteWithExceptions
    } else {
        Overall::Complete
    };
    summary
}

/// Everything in which the certificate contradicts itself or claims what it may not; empty where
/// it is sound. A certificate with a violation is neither signed nor verified.
pub fn violations(predicate: &Predicate) -> Vec<String> {
    let mut found = Vec::new();
    let scope = &predicate.scope;
    let stated = systems_stated(&predicate.statements);
    if scope.systems_stated != stated {
        found.push(format!(
            "it says that {} systems are stated, and its statements speak for {stated}",
            scope.systems_stated
        ));
    }
    if scope.systems_in_scope != scope.systems_stated {
        found.push(format!(
            "{} systems are in scope and {} are stated; state a missing one as failed or pending",
            scope.systems_in_scope, scope.systems_stated
        ));
    }
    let expected = summarise(scope, &predicate.statements);
    if predicate.summary != expected {
        found.push(format!(
            "its summary says `{}`, and its statements amount to `{}` \
             ({} completed, {} retained, {} pending, {} unverified, {} failed)",
            predicate.summary.overall.as_str(),
            expected.overall.as_str(),
            expected.completed,
            expected.retained,
            expected.pending,
            expected.unverified,
            expected.failed
        ));
    }
    if predicate.as_of > predicate.issued_at {
        found.push("it speaks for a moment after it was issued".to_owned());
    }
    if predicate.limits.iter().all(|limit| limit.trim().is_empty()) {
        found.push("it does not say what it does not cover".to_owned());
    }
    found.extend(restore_violations(predicate));
    found.extend(reappearance_violations(predicate));
    found.extend(correction_violations(predicate).into_iter().map(str::to_owned));
    let mut names = BTreeSet::new();
    for statement in &predicate.statements {
        let fits = |one: char| one.is_ascii_alphanumeric() || matches!(one, '.' | '_' | '-');
        let plain = (1..=40).contains(&statement.id.len()) && statement.id.chars().all(fits);
        if !plain {
            found.push("a statement has no plain short name".to_owned());
        }
        if !names.insert(&statement.id) {
            found.push(format!("two statements are called `{}`", statement.id));
        }
        let problems = statement_violations(predicate, statement);
        found
            .extend(problems.into_iter().map(|why| format!("statement `{}`: {why}", statement.id)));
    }
    found
}

fn restore_violations(predicate: &Predicate) -> Vec<String> {
    let mut found = Vec::new();
    let own = predicate.restores.iter().filter(|one| one.persons.is_some()).count();
    let of_restore = predicate.about() == CertificateClass::Restore;
    if own != usize::from(of_restore) || of_restore && predicate.restores.len() != 1 {
        found.push("it does not say of exactly one restore who came back, or says so of one that it is not about".to_owned());
    }
    for one in &predicate.restores {
        if one.back_from > one.gone_again_at || one.gone_again_at > predicate.issued_at {
            found.push(format!("the moments of the restore of `{}` cannot be so", one.system));
        }
        if one.state_of > one.gone_again_at {
            found.push(format!("`{}` was put back to a state of later", one.system));
        }
        if one.persons.as_ref().is_some_and(|who| who.came_back.0 > who.done_again.0) {
            found.push("more persons came back than were looked for".to_owned());
        }
    }
    found
}

fn reappearance_violations(predicate: &Predicate) -> Vec<String> {
    let mut found = Vec::new();
    for one in &predicate.reappearances {
        let ends = one.done_again_at.is_none_or(|at| one.found_at <= at);
        let latest = one.done_again_at.unwrap_or(one.found_at);
        if one.last_well_at > one.found_at || !ends || latest > predicate.issued_at {
            found.push(format!(
                "the moments at which data were back in `{}` cannot be so",
                one.system
            ));
        }
        if one.records.0 == 0 {
            found.push(format!("it says that no record was back in `{}`", one.system));
        }
    }
    found
}

/// In what a correction contradicts itself.
fn correction_violations(predicate: &Predicate) -> Vec<&'static str> {
    let is_one = predicate.class == CertificateClass::Correction;
    let Some(correction) = &predicate.correction else {
        return if is_one {
            vec!["it corrects, and does not say what was wrong"]
        } else {
            Vec::new()
        };
    };
    let mut found = Vec::new();
    if !is_one || correction.corrects == CertificateClass::Correction {
        found.push("it says what was wrong with another one, and its class does not fit that");
    }
    if predicate.supersedes.as_ref().is_none_or(|old| old.reason != ERROR) {
        found.push("it corrects, and takes the place of none that held an error");
    }
    if correction.what_was_wrong.trim().is_empty() {
        found.push("it does not say what was wrong");
    }
    let stated: BTreeSet<_> = predicate.statements.iter().map(|one| &one.system.id).collect();
    let (again, before) = (&correction.looked_again_in, &correction.on_record_only);
    let named: BTreeSet<_> = again.iter().chain(before).collect();
    if named.len() != again.len() + before.len() || named != stated {
        found.push("it does not say once of each system whether somebody looked again");
    }
    found
}

fn statement_violations(predicate: &Predicate, statement: &SystemStatement) -> Vec<String> {
    let mut found = Vec::new();
    let done = says_done(statement);
    if done && statement.verification.at.is_some_and(|at| at < predicate.as_of) {
        found.push("it was looked at before the moment that the certificate speaks for".to_owned());
    }
    if done && !adds_up(statement) {
        found.push("its counts do not add up to the records matched".to_owned());
    }
    if statement.kept.iter().any(|kept| kept.records.0 == 0 || kept.because.trim().is_empty()) {
        found.push("it keeps records without saying how many or why".to_owned());
    }
    if statement.outcome == StatementOutcome::Failed && statement.failure.is_none() {
        found.push("it failed and does not say why".to_owned());
    }
    let looked = statement.verification.at.is_some();
    if looked == (statement.verification.kind == VerificationType::None) {
        found.push("it does not say when and how somebody looked again".to_owned());
    }
    if statement.verification.result == VerificationFinding::Absent && statement.records.left.0 > 0
    {
        found.push("verification found nothing, and records are left".to_owned());
    }
    let moments = [statement.started_at, statement.completed_at, statement.verification.at];
    if moments.into_iter().flatten().any(|moment| moment > predicate.issued_at) {
        found.push("something happened after the certificate was issued".to_owned());
    }
    if let Some(started) = statement.started_at {
        let before = |moment: Option<_>| moment.is_some_and(|moment| moment < started);
        if before(statement.completed_at) || before(statement.verification.at) {
            found.push("it ended or was verified before it began".to_owned());
        }
    }
    for backup in &statement.backup {
        let problems = backup_violations(predicate, statement, backup);
        found.extend(problems.into_iter().map(|why| format!("store `{}`: {why}", backup.store)));
    }
    if let Some(stated) = &statement.files {
        let problems = files::violations(predicate, statement, stated);
        found.extend(problems.into_iter().map(str::to_owned));
    }
    found
}

/// In what a statement contradicts itself about the copies in a store.
fn backup_violations(
    predicate: &Predicate,
    statement: &SystemStatement,
    backup: &StatedBackup,
) -> Vec<&'static str> {
    let mut found = Vec::new();
    if backup.store.trim().is_empty() || backup.mechanism.trim().is_empty() {
        found.push("it does not say where copies are or how they end");
    }
    if statement.backup.iter().filter(|one| one.store == backup.store).count() > 1 {
        found.push("it is stated twice");
    }
    let why = backup.without_day.as_deref().is_some_and(|why| !why.trim().is_empty());
    let says = [backup.gone_by.is_some(), why, backup.seen_gone_at.is_some()];
    if says.iter().filter(|one| **one).count() != 1 {
        found.push(
            "it has to say by which day copies are gone, why no day is promised, or when they were \
             seen to be gone: one of the three",
        );
    }
    if let Some(seen) = backup.seen_gone_at {
        if backup.listed_at.is_none_or(|listed| listed < seen) {
            found.push("copies were seen to be gone by no listing");
        }
        if statement.completed_at.is_none_or(|erased| seen <= erased) {
            found.push("copies were seen to be gone before it was erased in the system");
        }
        if backup.copies.is_none_or(|copies| copies.0 > 0) {
            found.push("copies were seen to be gone, and some are counted");
        }
    }
    let moments = [backup.listed_at, backup.seen_gone_at];
    if moments.into_iter().flatten().any(|moment| moment > predicate.issued_at) {
        found.push("the store was listed after the certificate was issued");
    }
    // A day of any zone begins at most 14 hours before that of UTC and ends 12 hours after it.
    let issued = predicate.issued_at.to_zoned(jiff::tz::TimeZone::UTC).date();
    let yesterday = issued.yesterday().unwrap_or(issued);
    if backup.gone_by.is_some_and(|day| day < yesterday) {
        found.push("the day on which copies are gone was over when the certificate was issued");
    }
    found
}
