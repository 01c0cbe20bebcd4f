//! The answer to a request: its certificate is about the person, by an opening that only the person
//! gets; what is kept gets a job with a date; the request ends, and in time the person is
//! forgotten.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use quietus_connectors::{Grade, SubjectAction};
use serde_json::json;
use uuid::Uuid;

use super::fan_out::action_of;
use super::kept_by_law::KeptByLaw;
use super::letters::{OutcomeFacts, ToldRecipient};
use super::outcome::outcome_for;
use super::record::{Move, OpenRequest};
use crate::app::carry_out::Payload;
use crate::app::law::LawNow;
use crate::app::mutation::Mutation;
use crate::app::over_jobs::{decided_as_of, decided_well, holds_behind};
use crate::app::{AppError, Quietus};
use crate::domain::{AskedRight, CategoryName, CollectionName, JobState, RequestState, SystemName};
use crate::evidence::certificate::CertificateClass;
use crate::evidence::files::StatedFiles;
use crate::evidence::signing;
use crate::evidence::statement::{KeptReason, StatementOutcome, SystemStatement};
use crate::rights::{CopiesPart, FilesPart, KeptPart};
use crate::store::{Case, HeldBy, Job, JobKind, NewCertificate, NewJob, NewLetter, RequestChange};

/// Attempts of a later job before a person is asked; those that end without its fault do not count.
const ATTEMPTS: u32 = 8;
/// Records of one person that a dated job may change in a system.
const MOST_RECORDS: u64 = 100_000;

/// Whether something of a request is left to do once a certificate is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GoesOn {
    /// A part of it is overdue: it is not answered.
    Executing,
    /// What is kept goes later, or a restriction is kept up.
    Later,
    /// Nothing.
    No,
}

/// What of a certificate comes from the request behind its case.
pub(crate) struct Asked {
    pub(crate) request: OpenRequest,
    pub(crate) class: CertificateClass,
    pub(crate) action: SubjectAction,
    /// The bytes of the opening.
    pub(crate) opening: Vec<u8>,
    /// The law in force, by which what is kept gets its dates.
    pub(crate) law: LawNow,
    /// The restriction that it imposed has ended, so that nobody keeps it up.
    pub(super) restriction_ended: bool,
}

impl Asked {
    /// What minimums keep of the person in a system after a moment, and until when.
    pub(crate) fn kept_in(&self, system: &SystemName, since: Timestamp) -> Vec<KeptByLaw> {
        let kept = self.request.record.kept.iter().filter(|one| one.system == system.as_str());
        kept.map(|one| KeptByLaw { ends: one.ends_after(since), ..one.clone() }).collect()
    }
}

impl Quietus {
    /// The request behind a case, with a new opening; `None` for cases of schedules and commands.
    pub(crate) async fn asked_in(&self, case: &Case) -> Result<Option<Asked>, AppError> {
        let Some(stored) = self.store.request_of_case(case.id).await? else { return Ok(None) };
        let request = self.open_request(stored)?;
        let given: BTreeSet<(String, String)> = request
            .person()?
            .given
            .iter()
            .map(|identity| (identity.kind.clone(), identity.value.clone()))
            .collect();
        let opening = signing::opening(&given, self.ids.random())
            .map_err(|error| AppError::Evidence(error.to_string()))?;
        let action = action_of(&request);
        let class = match action {
            SubjectAction::Erase => CertificateClass::RightsRequest,
            SubjectAction::Restrict | SubjectAction::Lift => CertificateClass::Restriction,
        };
        let law = self.law_now().await?;
        let restriction_ended =
            action == SubjectAction::Restrict && self.has_restriction_ended(&request).await?;
        Ok(Some(Asked { request, class, action, opening, law, restriction_ended }))
    }

    /// What goes on after the answer: of a restriction its upkeep, and of an erasure a dated job for
    /// each system in which a minimum or a hold keeps something: what is over by then goes when the
    /// date comes or the hold is released, with nobody's help. The certificate of that job brings
    /// the next one, until nothing is kept.
    fn later_jobs(
        &self,
        asked: &Asked,
        statements: &[SystemStatement],
        (case, jobs): (&Case, &[Job]),
    ) -> Result<Vec<NewJob>, AppError> {
        if asked.action != SubjectAction::Erase {
            return self.upkeep_jobs(asked, statements, jobs);
        }
        let mut later = Vec::new();
        let systems: BTreeSet<&SystemName> = statements.iter().map(|one| &one.system.id).collect();
        for system in systems {
            let waits = |state: JobState| {
                let own = jobs.iter().filter(move |job| job.system == system.as_str());
                own.filter(move |job| job.kind == JobKind::Retained && job.state == state)
            };
            let of_system = || statements.iter().filter(move |one| one.system.id == *system);
            if of_system().any(|one| keeps(one, KeptReason::StatutoryMinimum)) {
                let since = decided_as_of(case, jobs, system.as_str());
                let mut date = self.next_date(&asked.request, of_system(), since);
                // What was found under a law of before is decided anew at once.
                let noted = asked.request.record.kept_under.get(system.as_str());
                let is_old = noted.zip(asked.law.limits).is_some_and(|(noted, now)| *noted != now);
                if is_old && decided_well(jobs, system.as_str()) {
                    date = self.now();
                }
                if !waits(JobState::Scheduled).any(|job| job.available_at <= date) {
                    later.push(self.later_job(JobKind::Retained, system, date, Some(date))?);
                }
            }
            let kept = of_system().flat_map(|one| &one.kept);
            let held = kept.filter(|one| one.reason == KeptReason::LegalHold);
            let mut matters: Vec<String> = held.map(|one| one.because.clone()).collect();
            matters.sort_unstable();
            matters.dedup();
            if !matters.is_empty() && waits(JobState::Held).next().is_none() {
                let now = self.now();
                let job = self.later_job(JobKind::Retained, system, now, Some(now))?;
                let mut held_by = HeldBy { matters, holds: holds_behind(jobs, system.as_str()) };
                if self.suffers(Mutation::ReleaseMissed) {
                    held_by = HeldBy::default();
                }
                later.push(NewJob { held_by: Some(held_by), ..job });
            }
        }
        Ok(later)
    }

    /// A job of an answered case, carried out when its time comes; `moment` decides what a minimum
    /// still keeps, that of the case where it is `None`.
    pub(super) fn later_job(
        &self,
        kind: JobKind,
        system: &SystemName,
        available_at: Timestamp,
        moment: Option<Timestamp>,
    ) -> Result<NewJob, AppError> {
        self.job_for_person(kind, system, available_at, (moment, false))
    }

    /// A job that does again what had been done for a person whom systems may know by something else
    /// now.
    pub(crate) fn replay_job(
        &self,
        system: &SystemName,
        moment: Option<Timestamp>,
    ) -> Result<NewJob, AppError> {
        self.job_for_person(JobKind::Replay, system, self.now(), (moment, true))
    }

    /// The same, which changes no more than so many records.
    pub(crate) fn replay_job_within(
        &self,
        system: &SystemName,
        moment: Option<Timestamp>,
        most: u64,
    ) -> Result<NewJob, AppError> {
        let job = self.replay_job(system, moment)?;
        let payload =
            Payload::Person { most_records: Some(most), holds_version: 0, moment, anew: true };
        let payload = serde_json::to_value(payload)
            .map_err(|error| AppError::Unreadable { what: "a job", why: error.to_string() })?;
        Ok(NewJob { payload, ..job })
    }

    fn job_for_person(
        &self,
        kind: JobKind,
        system: &SystemName,
        available_at: Timestamp,
        (moment, anew): (Option<Timestamp>, bool),
    ) -> Result<NewJob, AppError> {
        let most_records = Some(MOST_RECORDS);
        let payload = Payload::Person { most_records, holds_version: 0, moment, anew };
        Ok(NewJob {
            id: self.ids.new_id(),
            system: system.clone(),
            kind,
            blocked: None,
            held_by: None,
            available_at,
            attempts_allowed: ATTEMPTS,
            payload: serde_json::to_value(payload)
                .map_err(|error| AppError::Unreadable { what: "a job", why: error.to_string() })?,
            total_estimate: None,
        })
    }

    /// The first date after a moment on which more of a person may go, of what minimums keep by these
    /// statements about a system; now where it has passed meanwhile. Where a date is not known,
    /// somebody looks again in a month.
    fn next_date<'a>(
        &self,
        request: &OpenRequest,
        statements: impl Iterator<Item = &'a SystemStatement>,
        since: Timestamp,
    ) -> Timestamp {
        let now = self.now();
        let month = now.checked_add(jiff::SignedDuration::from_hours(30 * 24)).unwrap_or(now);
        let mut dates: Vec<Timestamp> = Vec::new();
        for statement in statements.filter(|one| keeps(one, KeptReason::StatutoryMinimum)) {
            for law in request.record.kept.iter().filter(|law| is_of(law, statement)) {
                dates.extend(law.ends_after(since).first());
                dates.extend(law.until.is_none().then_some(month));
            }
        }
        dates.into_iter().min().unwrap_or(month).max(now)
    }

    /// What is written with a certificate: dated jobs for what is kept, looks at stores of copies, and
    /// how the request goes on.
    pub(crate) fn answer(
        &self,
        asked: &mut Asked,
        certificate: Uuid,
        statements: &[SystemStatement],
        (case, jobs, looks): (&Case, &[Job], Vec<NewJob>),
    ) -> Result<(Vec<NewJob>, Option<RequestChange>), AppError> {
        let mut later = self.later_jobs(asked, statements, (case, jobs))?;
        later.extend(looks);
        let overdue = |job: &Job| job.kind == JobKind::Request && !job.state.is_final();
        let goes_on = if jobs.iter().any(overdue) {
            GoesOn::Executing
        } else if !later.is_empty() || jobs.iter().any(|job| !job.state.is_final()) {
            GoesOn::Later
        } else {
            GoesOn::No
        };
        let change = self.answered(asked, certificate, statements, goes_on)?;
        Ok((later, Some(change)))
    }

    fn answered(
        &self,
        asked: &mut Asked,
        certificate: Uuid,
        statements: &[SystemStatement],
        goes_on: GoesOn,
    ) -> Result<RequestChange, AppError> {
        if let Some(person) = &mut asked.request.person {
            let opening = String::from_utf8_lossy(&asked.opening).into_owned();
            person.openings.insert(certificate, opening);
        }
        let request = &asked.request;
        let outcome = outcome_for(request, asked.action, statements);
        let undecided = request.stored.asked == AskedRight::Objection
            && asked.action == SubjectAction::Restrict
            && request.stored.state != RequestState::Closed;
        if goes_on == GoesOn::Executing || request.record.verdict.is_some() {
            return self.change_of(request, Move::stay(&request.stored));
        }
        let mut next = if undecided {
            Move::to(&request.stored, RequestState::WithAPerson)
        } else {
            Move::closed(&request.stored, outcome)
        };
        if !undecided && goes_on == GoesOn::No {
            next.look_at = Some(self.forget_at());
        }
        self.change_of(request, next)
    }

    /// The letter that tells the person what came of it, to be written with the certificate; `None`
    /// where there is nothing to tell yet, or nobody is written to.
    pub(crate) async fn answer_letter(
        &self,
        asked: &Asked,
        certificate: &NewCertificate,
        statements: &[SystemStatement],
    ) -> Result<Option<NewLetter>, AppError> {
        let mut request = asked.request.clone();
        if let Some(change) = &certificate.request {
            (request.stored.state, request.stored.outcome) = (change.state, change.outcome);
        }
        // The decision about an objection was told by itself.
        if request.stored.state == RequestState::Executing || request.record.verdict.is_some() {
            return Ok(None);
        }
        // Who was kept from being told by a hold that was released since is told now.
        self.write_due_letters(request.stored.id).await;
        let facts = letter_facts(&request, certificate.id, statements, &self.zone);
        self.outcome_letter(&request, facts).await
    }

    /// The opening of a certificate about a person, with the request that it answers.
    ///
    /// # Errors
    /// Where the certificate is about nobody, or the person is forgotten.
    pub(crate) async fn opening_of(
        &self,
        certificate: Uuid,
        case: Uuid,
    ) -> Result<(OpenRequest, Vec<u8>), AppError> {
        let stored = self.store.request_of_case(case).await?.ok_or_else(|| {
            AppError::Input(format!("certificate `{certificate}` is about no person"))
        })?;
        let request = self.open_request(stored)?;
        let opening = request.person()?.openings.get(&certificate).cloned().ok_or_else(|| {
            AppError::Input(format!("certificate `{certificate}` has no opening on record"))
        })?;
        Ok((request, opening.into_bytes()))
    }
}

/// Whether something stays for this reason by a statement.
fn keeps(statement: &SystemStatement, reason: KeptReason) -> bool {
    statement.kept.iter().any(|one| one.reason == reason)
}

/// Whether a law keeps a part of what a statement is about.
fn is_of(law: &KeptByLaw, statement: &SystemStatement) -> bool {
    let is = |name: Option<&str>, of_law: &str| name == Some(of_law);
    law.system == statement.system.id.as_str()
        && is(statement.collection.as_ref().map(CollectionName::as_str), &law.collection)
        && is(statement.category.as_ref().map(CategoryName::as_str), &law.category)
}

/// The request as the certificate shows it: it names nobody.
pub(crate) fn stated_request(asked: &Asked) -> serde_json::Value {
    let (stored, record) = (&asked.request.stored, &asked.request.record);
    let mut stated = json!({
        "id": stored.id,
        "right": stored.asked,
        "ground": record.ground,
        "regime": record.regime,
        "receivedAt": stored.received_at,
        "requester": record.requester,
        "identityTypes": record.identity_types,
        "identityCheck": record.check.as_ref().map(|check| json!({
            "assurance": check.assurance,
            "method": check.method,
            "at": check.at,
        })),
        "answerBy": record.deadlines.answer_by,
        "legalLatest": record.deadlines.legal_latest,
    });
    if let Some(drill) = &record.drill {
        stated["drill"] = json!(drill.id);
    }
    stated
}

/// What the letter says of a certificate's statements.
fn letter_facts(
    request: &OpenRequest,
    certificate: Uuid,
    statements: &[SystemStatement],
    zone: &TimeZone,
) -> OutcomeFacts {
    let mut kept: Vec<KeptPart> = Vec::new();
    for statement in statements {
        for one in &statement.kept {
            let collection = statement.collection.as_ref().map(ToString::to_string);
            let what = statement.category.as_ref().map(ToString::to_string).or(collection);
            let party = statement.recipient.as_ref().map(|party| party.name.clone());
            let what = what.or(party).unwrap_or_default();
            let part = KeptPart {
                what,
                because: one.because.clone(),
                until: one.until,
                first_until: one.first_until,
                restricted: one.restricted,
            };
            if !kept.contains(&part) {
                kept.push(part);
            }
        }
    }
    let third_parties = statements
        .iter()
        .filter(|one| one.recipient.is_some() && one.outcome != StatementOutcome::Retained)
        .map(|one| ToldRecipient {
            system: one.system.id.clone(),
            grade: one.recipient.as_ref().and_then(|party| grade_of(party.grade.as_deref()?)),
        })
        .collect();
    OutcomeFacts {
        outcome: outcome_for(request, action_of(request), statements),
        kept,
        copies: copies_in(statements, zone),
        files: files_in(statements, zone),
        third_parties,
        certificate: Some(certificate),
    }
}

/// What a certificate says of copies, all stores together: seen to be gone, gone by a day, or neither.
fn copies_in(statements: &[SystemStatement], zone: &TimeZone) -> Option<CopiesPart> {
    let backups = || statements.iter().flat_map(|one| &one.backup);
    backups().next()?;
    let pending = || backups().filter(|one| one.is_pending());
    let dated = pending().all(|one| one.gone_by.is_some());
    let seen = || backups().filter_map(|one| one.seen_gone_at).max();
    Some(CopiesPart {
        until: pending().filter_map(|one| one.gone_by).max().filter(|_| dated),
        gone_on: seen()
            .filter(|_| pending().next().is_none())
            .map(|at| at.to_zoned(zone.clone()).date()),
    })
}

/// What a certificate says of files and logs, all systems together: seen to be gone, or not yet.
fn files_in(statements: &[SystemStatement], zone: &TimeZone) -> Option<FilesPart> {
    let files = || statements.iter().filter_map(|one| one.files.as_ref());
    let last = files().map(|one| one.seen_gone_at).max()?;
    let pending = files().any(StatedFiles::is_pending);
    Some(FilesPart {
        gone_on: last.filter(|_| !pending).map(|at| at.to_zoned(zone.clone()).date()),
    })
}

fn grade_of(word: &str) -> Option<Grade> {
    [Grade::Verified, Grade::Signed, Grade::Reported, Grade::Told]
        .into_iter()
        .find(|grade| grade.as_str() == word)
}
