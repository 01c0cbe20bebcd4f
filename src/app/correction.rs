//! Correcting a certificate that was issued in error: its case is stated anew, in a certificate of the
//! class `correction` that takes the place of the withdrawn one.
//!
//! What was wrong may well be what is on record, for instance where a connection led to another
//! database. So the record is not just repeated: every database of which the case says that it is done
//! is searched once more, as it is connected now, and what is found there counts. Of third parties and
//! of what failed nobody can look again; that their statements repeat the record is said.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use uuid::Uuid;

use super::account::VerificationOnRecord;
use super::coverage::swept;
use super::done::Done;
use super::issuing::Issuing;
use super::law::GoesBy;
use super::opening::Pinned;
use super::over_jobs::{done_of, has_its_say, speaking, verification_of};
use super::plan_on_record::PlanOnRecord;
use super::prepare::order_of;
use super::recording::About;
use super::settle::{counts_at_planning, survivors_in_words};
use super::{Actor, AppError, Quietus, spans};
use crate::datamap::System;
use crate::domain::{CaseState, Digest, JobState, SystemName};
use crate::evidence::EvidenceKind;
use crate::evidence::certificate::{CertificateClass, Correction, ERROR, Predicate, Supersedes};
use crate::evidence::status_list::CertificateStatus;
use crate::evidence::summary::Overall;
use crate::store::{Case, Certificate, ClaimedJob, Job, JobFault, OutboxEntry};

/// Who looks, where attempts name their worker.
const LOOKER: &str = "correction";

/// How a certificate is corrected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correcting {
    /// What was wrong, as it stands on the correction; it names nobody.
    pub what_was_wrong: String,
    /// Systems that are not searched again, because nobody can ask them any more: of these the
    /// correction says that nobody looked.
    pub without: BTreeSet<String>,
}

/// A certificate that corrects another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corrected {
    /// The new certificate.
    pub certificate: Uuid,
    /// What it says.
    pub overall: Overall,
    /// Systems that were searched again for it.
    pub looked_again_in: Vec<SystemName>,
    /// Systems about which it repeats what was on record.
    pub on_record_only: Vec<SystemName>,
}

/// What was found when everything was looked at again.
struct Looks {
    /// The jobs, as they stand after it.
    jobs: Vec<Job>,
    again: BTreeSet<SystemName>,
    evidence: Vec<OutboxEntry>,
}

impl Quietus {
    /// States the case of a withdrawn certificate anew. Nothing is erased by it.
    ///
    /// # Errors
    /// Where the certificate is not withdrawn, has been superseded, or its case goes on; where its
    /// person is forgotten; where a system that has to be searched again cannot be asked; nothing is
    /// issued then.
    pub async fn correct_certificate(
        &self,
        id: Uuid,
        correcting: &Correcting,
        actor: &Actor,
    ) -> Result<Corrected, AppError> {
        let withdrawn = self.withdrawn(id).await?;
        let case = self.closed_case_of(&withdrawn).await?;
        let span = spans::certification(case.id);
        let mut asked = self.asked_in(&case).await?;
        let issuer = self.issuer_in_use().await?;
        let on_record = PlanOnRecord::of(&case)?;
        let pinned = self.pinned(&case).await?;
        let Looks { jobs, again, evidence } =
            Box::pin(self.look_at_all_again(&case, &on_record, (&pinned, correcting))).await?;
        self.store.record_evidence(evidence, self.now()).await?;
        // Statements name the place of their evidence in the log, so it has to be there.
        self.sequence_outbox().await?;
        let about = (&on_record, asked.as_ref());
        let (said, copies) = self.say(&case, &jobs, about, &pinned).await?;
        let new = self.ids.new_id();
        let mut predicate = self.predicate(new, &case, about, said, &pinned).await?;
        self.tell_of_restores(&mut predicate, &case, &jobs).await?;
        correct(&mut predicate, &withdrawn, &correcting.what_was_wrong, &again);
        let issuing = Issuing { case: &case, jobs: &jobs, copies: &copies, issuer: &issuer };
        let mut certificate = span.in_scope(|| self.issue(&predicate, asked.as_mut(), issuing))?;
        certificate.evidence.push(self.correction_entry(&case, (id, new), correcting, actor)?);
        certificate.evidence.extend(self.first_looks(&case, &copies)?);
        if let Some(asked) = &asked {
            certificate.letter = self.letter_with(&certificate, asked, &predicate).await?;
        }
        if !self.store.insert_correction(certificate, id).await? {
            return Err(AppError::Input(format!(
                "the case of certificate `{id}` has moved in this moment: look at `quietus certificate list` and try again"
            )));
        }
        spans::written(&span, (new, predicate.summary.overall.as_str()), Some(id));
        drop(span);
        self.advance_log().await?;
        Ok(corrected(&predicate))
    }

    /// The certificate, where it is withdrawn and nothing has taken its place.
    async fn withdrawn(&self, id: Uuid) -> Result<Certificate, AppError> {
        let certificate = self.certificate_to_export(id).await?;
        if let Some(later) = certificate.summary.superseded_by {
            return Err(AppError::Input(format!(
                "certificate `{id}` has been superseded by `{later}` already: correct that one"
            )));
        }
        let status = self.status_of(&certificate.summary).await?;
        if status == CertificateStatus::Withdrawn {
            return Ok(certificate);
        }
        Err(AppError::Input(format!(
            "certificate `{id}` is {}, and only a withdrawn one is corrected: `quietus certificate declare {id} withdrawn --reason WHY` first",
            status.as_str()
        )))
    }

    async fn closed_case_of(&self, certificate: &Certificate) -> Result<Case, AppError> {
        let id = certificate.summary.case_id;
        let case = self.store.case(id).await?.ok_or_else(|| AppError::Unreadable {
            what: "a certificate",
            why: "its case is missing".to_owned(),
        })?;
        if case.state == CaseState::Closed {
            return Ok(case);
        }
        Err(AppError::Input(format!(
            "case `{id}` goes on, and the certificate at its end takes the place of this one: see `quietus status`"
        )))
    }

    async fn look_at_all_again(
        &self,
        case: &Case,
        on_record: &PlanOnRecord,
        (pinned, correcting): (&Pinned<'_>, &Correcting),
    ) -> Result<Looks, AppError> {
        let jobs = self.store.jobs_of_case(case.id).await?;
        let known = |name: &&String| jobs.iter().any(|job| job.system == **name);
        if let Some(unknown) = correcting.without.iter().find(|name| !known(name)) {
            return Err(AppError::Input(format!("the case did nothing in a system `{unknown}`")));
        }
        let (mut looks, mut seen) = ((BTreeSet::new(), Vec::new()), BTreeMap::new());
        for plan in swept(on_record) {
            let of_system = |job: &&Job| job.system == plan.system.as_str() && has_its_say(job);
            let Some(job) = speaking(jobs.iter().filter(of_system)) else { continue };
            if job.state != JobState::Completed {
                continue;
            }
            if correcting.without.contains(&job.system) {
                seen.insert(job.id, unseen(job));
                continue;
            }
            let refuse = |error: AppError| match error {
                AppError::Store(_) => error,
                why => cannot_look(&job.system, &why),
            };
            let system = self.system(&job.system).map_err(refuse)?;
            if system.third_party.is_some() {
                continue;
            }
            let looked =
                Box::pin(self.look_once_more(job, pinned, system)).await.map_err(refuse)?;
            looks.1.push(self.look_entry(&looked)?);
            looks.0.insert(plan.system.clone());
            seen.insert(job.id, looked);
        }
        let jobs = jobs.into_iter().map(|job| seen.remove(&job.id).unwrap_or(job)).collect();
        Ok(Looks { jobs, again: looks.0, evidence: looks.1 })
    }

    /// A job as it stands after another look for what it has done.
    async fn look_once_more(
        &self,
        job: &Job,
        pinned: &Pinned<'_>,
        system: &System,
    ) -> Result<Job, AppError> {
        let refuse = |fault| AppError::System { system: job.system.clone(), fault };
        let claimed = ClaimedJob { job: job.clone(), lost_attempt: None, trial: false };
        let attempt = self.attempt_of(&claimed, (LOOKER, self.now())).await?;
        attempt.span.record("outcome", "looked at again");
        // What was kept rightly when it was done is no survivor now.
        let law = self.law_for((pinned, Some(&system.name)), GoesBy::Both).await?;
        let compiled = self.compile_job(&attempt, (pinned, &law), &system.name).await?;
        let order = order_of(&attempt, &compiled)?;
        let connector = self.connect_as_planned(pinned.map(), &job.system)?;
        let found = connector.verify(&order).await.map_err(refuse)?;
        let mut done = Done { ordered: Some(compiled.ordered), ..done_of(Some(job)) };
        let (at, mut seen) = (self.now(), job.clone());
        if found.survivors.is_empty() {
            let counted = connector.preview(&order).await.map_err(refuse)?;
            done.survivors = None;
            let look = VerificationOnRecord { at, found, counted: Some(counted) };
            seen.verification = serde_json::to_value(&look).ok();
        } else {
            let words = survivors_in_words(&found);
            if done.counted.is_none() {
                done.counted = counts_at_planning(&attempt);
            }
            // What the look of then found, or did not, is no longer what is so.
            done.found.truncate(done.rounds.len());
            done.survivors = Some(json!({ "at": at, "found": found }));
            done.begin_another_round(found.survivors);
            seen.verification = None;
            seen.state = JobState::Failed;
            seen.last_fault = Some(JobFault { kind: "survivors".to_owned(), message: words });
        }
        seen.done = serde_json::to_value(&done).ok();
        Ok(seen)
    }

    fn look_entry(&self, seen: &Job) -> Result<OutboxEntry, AppError> {
        let on_record = verification_of(seen);
        self.record(
            EvidenceKind::VerificationResult,
            About { case: Some(seen.case_id), job: Some(seen.id) },
            &json!({
                "case": seen.case_id,
                "job": seen.id,
                "system": seen.system,
                "for": "a correction",
                "found": on_record.as_ref().map(|look| &look.found),
                "counted": on_record.as_ref().and_then(|look| look.counted.as_ref()),
            }),
        )
    }

    fn correction_entry(
        &self,
        case: &Case,
        (earlier, new): (Uuid, Uuid),
        correcting: &Correcting,
        actor: &Actor,
    ) -> Result<OutboxEntry, AppError> {
        self.record(
            EvidenceKind::CertificateStatus,
            About { case: Some(case.id), job: None },
            &json!({
                "certificate": earlier,
                "status": CertificateStatus::Superseded.as_str(),
                "reason": ERROR,
                "successor": new,
                "whatWasWrong": correcting.what_was_wrong,
                "by": actor.0,
            }),
        )
    }
}

/// Without another look, nothing is stated anew, unless somebody says so.
fn cannot_look(system: &str, why: &AppError) -> AppError {
    AppError::Input(format!(
        "system `{system}` cannot be searched again, so nothing is issued: {why}. Try again later, or state with `--without {system}` that nobody looked"
    ))
}

/// A job of which nobody looks whether it did what it says.
fn unseen(job: &Job) -> Job {
    let done = Done { survivors: None, ..done_of(Some(job)) };
    Job { verification: None, done: serde_json::to_value(&done).ok(), ..job.clone() }
}

/// Makes a statement of a case the correction of a certificate.
fn correct(
    predicate: &mut Predicate,
    withdrawn: &Certificate,
    what_was_wrong: &str,
    again: &BTreeSet<SystemName>,
) {
    let stated: BTreeSet<&SystemName> =
        predicate.statements.iter().map(|one| &one.system.id).collect();
    let (again, before): (Vec<&SystemName>, Vec<&SystemName>) =
        stated.into_iter().partition(|system| again.contains(*system));
    let correction = Correction {
        corrects: predicate.class,
        what_was_wrong: what_was_wrong.to_owned(),
        looked_again_in: again.into_iter().cloned().collect(),
        on_record_only: before.into_iter().cloned().collect(),
    };
    predicate.class = CertificateClass::Correction;
    predicate.correction = Some(correction);
    predicate.supersedes = Some(Supersedes {
        certificate_id: withdrawn.summary.id,
        statement_sha256: Digest::of(&withdrawn.statement),
        reason: ERROR.to_owned(),
    });
}

fn corrected(predicate: &Predicate) -> Corrected {
    let looks = predicate.correction.as_ref();
    Corrected {
        certificate: predicate.certificate_id,
        overall: predicate.summary.overall,
        looked_again_in: looks.map(|one| one.looked_again_in.clone()).unwrap_or_default(),
        on_record_only: looks.map(|one| one.on_record_only.clone()).unwrap_or_default(),
    }
}
