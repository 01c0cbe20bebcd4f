//! From finished jobs to a certificate: sequence the evidence, state what became of every system,
//! sign, write the certificate with its leaf while the case closes, publish and bundle.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use jiff::Timestamp;
use serde_json::json;
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use super::account::Ordered;
use super::backup::CopiesOfCase;
use super::coverage::{not_covered, swept};
use super::crash::CrashPoint;
use super::issuing::Issuing;
use super::opening::Pinned;
use super::over_jobs::{
    days_pending, decided_as_of, done_of, end_of_looks, has_ended_since, has_its_say, is_dated,
    is_dated_job_done, is_done_again, is_look, is_lost, outcome_over, said_over, speaking,
    verification_of,
};
use super::plan_on_record::PlanOnRecord;
use super::recording::About;
use super::request::{Asked, stated_request};
use super::residue::not_looked_at;
use super::statement::{SystemAccount, counts_of, statements};
use super::status_list::status_entry;
use super::{AppError, Quietus, spans};
use crate::domain::{Digest, LegalHold, SystemName};
use crate::evidence::EvidenceKind;
use crate::evidence::certificate::{
    self, CertificateClass, Issuer, IssuerRole, Pending, Predicate, STANDING_LIMITS, Scope,
    Supersedes, Tool, Trigger,
};
use crate::evidence::statement::{Count, EvidenceReference, SystemStatement};
use crate::evidence::summary::{self, Overall};
use crate::store::{Case, Certificate, Detail, Job, Leaf, NewCertificate, OutboxEntry};

/// What a certificate says where moments on record cannot be so.
const CLOCK_FAULT: &str = "The clock of the machine was set back while this was carried out: \
    moments in this certificate are not exact.";
/// Cases read in one go.
const CASES: u32 = 50;
/// Who agreed, as certificates say it.
const APPROVER: &str = "approver";

impl Quietus {
    /// Certifies every case whose jobs are final, failed or not. A failed job that somebody tries
    /// again opens its case once more; the certificate that follows supersedes this one.
    ///
    /// # Errors
    /// Where the store or a key does not do its part.
    pub async fn certify_finished(&self) -> Result<Vec<Uuid>, AppError> {
        let (mut certified, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.cases_to_certify(after, CASES).await?;
            after = last_of(&page, CASES);
            certified.extend(self.certify_all(page).await?);
            if after.is_none() {
                return Ok(certified);
            }
        }
    }

    /// Takes a turn at certifying finished cases, at most so many: it goes on where the last turn
    /// stopped, so that those that cannot be certified keep nobody waiting. Whether more are left.
    ///
    /// # Errors
    /// As [`Self::certify_finished`]. The next turn goes on behind these cases all the same.
    pub async fn certify_some(&self, most: u32) -> Result<bool, AppError> {
        let up_to = || self.certified_up_to.lock().unwrap_or_else(PoisonError::into_inner);
        let after = *up_to();
        let page = self.store.cases_to_certify(after, most).await?;
        let last = last_of(&page, most);
        *up_to() = last;
        self.certify_all(page).await?;
        Ok(last.is_some())
    }

    /// Certifies this case if it is finished.
    ///
    /// # Errors
    /// As [`Self::certify_finished`].
    pub(crate) async fn certify_case(&self, case: Uuid) -> Result<(), AppError> {
        // They are read in the order of their identifiers.
        let before = Uuid::from_u128(case.as_u128().saturating_sub(1));
        let mut page = self.store.cases_to_certify(Some(before), 1).await?;
        page.retain(|one| one.id == case);
        self.certify_all(page).await?;
        Ok(())
    }

    async fn certify_all(&self, cases: Vec<Case>) -> Result<Vec<Uuid>, AppError> {
        let mut over = Vec::new();
        for case in self.outside_of_quarantine(cases).await? {
            let jobs = self.store.jobs_of_case(case.id).await?;
            if !self.goes_on(&case, &jobs).await? {
                over.push(case);
            }
        }
        if !over.is_empty() {
            let ids: Vec<Uuid> = over.iter().map(|case| case.id).collect();
            self.store.begin_verifying(&ids).await?;
            self.crash.reach(CrashPoint::BeforeCertificate);
            // Statements name the place of their evidence in the log, so it has to be there.
            self.sequence_outbox().await?;
        }
        let (mut certified, mut cases) = (Vec::new(), Vec::new());
        for case in &over {
            let certificate = self.certify_over(case).await?;
            cases.extend(certificate.map(|_| case.id));
            certified.extend(certificate);
        }
        let logging: Vec<Span> = cases.into_iter().map(spans::log).collect();
        self.advance_log().await?;
        logging.iter().for_each(spans::said);
        Ok(certified)
    }

    async fn certify_over(&self, case: &Case) -> Result<Option<Uuid>, AppError> {
        let jobs = self.store.jobs_of_case(case.id).await?;
        self.forget_what_is_over(case, &jobs).await?;
        let span = spans::certification(case.id);
        match Box::pin(self.certify(case, &jobs)).instrument(span).await {
            Err(error @ AppError::Store(_)) => Err(error),
            // What cannot be said of one case must not keep the others waiting, nor the log.
            Err(error) => {
                tracing::error!(%error, case = %case.id, "a case cannot be certified; `quietus cancel` closes it without a certificate");
                Ok(None)
            }
            certified => certified,
        }
    }

    /// Whether a case has to go on before it is certified, because more is known of its person now.
    async fn goes_on(&self, case: &Case, jobs: &[Job]) -> Result<bool, AppError> {
        match Box::pin(self.catch_up(case, jobs)).await {
            Err(error @ AppError::Store(_)) => Err(error),
            Err(error) => {
                tracing::error!(%error, case = %case.id, "nobody knows yet whether all of a person was found");
                Ok(true)
            }
            decided => decided,
        }
    }

    async fn certify(&self, case: &Case, jobs: &[Job]) -> Result<Option<Uuid>, AppError> {
        let issuer = self.issuer_in_use().await?;
        let on_record = PlanOnRecord::of(case)?;
        let pinned = self.pinned(case).await?;
        let mut asked = self.asked_in(case).await?;
        let (said, copies) = self.say(case, jobs, (&on_record, asked.as_ref()), &pinned).await?;
        let id = self.ids.new_id();
        let mut predicate =
            self.predicate(id, case, (&on_record, asked.as_ref()), said, &pinned).await?;
        let earlier = self.store.certificate_of_case(case.id).await?;
        predicate.supersedes = earlier.as_ref().map(|one| supersedes(one, jobs, &predicate));
        self.tell_of_restores(&mut predicate, case, jobs).await?;
        let issuing = Issuing { case, jobs, copies: &copies, issuer: &issuer };
        let mut new = self.issue(&predicate, asked.as_mut(), issuing)?;
        new.evidence.push(self.closed(case, &new)?);
        new.evidence.extend(self.first_looks(case, &copies)?);
        if let Some(earlier) = &predicate.supersedes {
            new.evidence.push(self.status_change(case, earlier, id)?);
        }
        let since = earlier.map(|one| one.summary.issued_at);
        if let Some(asked) = asked.as_ref().filter(|_| !is_done_again(jobs, since)) {
            new.letter = self.letter_with(&new, asked, &predicate).await?;
        }
        if !self.store.insert_certificate(new).await? {
            return Ok(None);
        }
        self.crash.reach(CrashPoint::CertificateSigned);
        let (overall, earlier) = (predicate.summary.overall.as_str(), &predicate.supersedes);
        let (span, earlier_id) = (Span::current(), earlier.as_ref().map(|one| one.certificate_id));
        spans::written(&span, (id, overall), earlier_id);
        if earlier.is_none() {
            let request = asked.as_ref().map(|one| &one.request.stored);
            spans::whole(case, request, (jobs.len(), overall));
        }
        self.call_off_outdated(&copies).await?;
        Ok(Some(id))
    }

    fn closed(&self, case: &Case, new: &NewCertificate) -> Result<OutboxEntry, AppError> {
        self.record(
            EvidenceKind::CaseClosed,
            About { case: Some(case.id), job: None },
            &json!({
                "case": case.id,
                "certificate": new.id,
                "overall": new.overall,
                "outcome": new.outcome.as_str(),
            }),
        )
    }

    /// What became of every system, and of the copies of what was erased.
    pub(super) async fn say(
        &self,
        case: &Case,
        jobs: &[Job],
        (on_record, asked): (&PlanOnRecord, Option<&Asked>),
        pinned: &Pinned<'_>,
    ) -> Result<(Said, CopiesOfCase), AppError> {
        let holds = self.holds().await?;
        let details = self.store.details_of_case(case.id).await?;
        let about = (on_record, asked, details.as_slice());
        let mut said = self.state(case, jobs, about, pinned, &holds).await?;
        let copies = self.copies_of_case(jobs, &said.statements, &details).await?;
        copies.state(&mut said.statements, self.now(), pinned.zone());
        self.state_as_mutated(&mut said.statements);
        Ok((said, copies))
    }

    async fn state(
        &self,
        case: &Case,
        jobs: &[Job],
        (on_record, asked, details): (&PlanOnRecord, Option<&Asked>, &[Detail]),
        pinned: &Pinned<'_>,
        holds: &[LegalHold],
    ) -> Result<Said, AppError> {
        // Once for all of its systems, which may be many.
        let leaves = self.leaves_by_entry(case.id).await?;
        let mut attempts_of = self.store.attempts_of_case(case.id).await?;
        let mut accounts = Vec::new();
        for plan in swept(on_record) {
            let Some(system) = pinned.map().systems.get(&plan.system) else { continue };
            let own = jobs.iter().filter(|job| job.system == plan.system.as_str());
            let own: Vec<&Job> = own.filter(|job| has_its_say(job)).collect();
            let job = speaking(own.iter().copied());
            let attempts = job.and_then(|job| attempts_of.remove(&job.id)).unwrap_or_default();
            let about_job: Vec<&Detail> =
                details.iter().filter(|one| one.job_id == job.map(|job| job.id)).collect();
            let since = decided_as_of(case, jobs, plan.system.as_str());
            let done = done_of(job);
            let ordered = done.ordered.clone();
            accounts.push(SystemAccount {
                system,
                plan,
                due: done.counted.clone().or_else(|| counts_of(on_record, system)),
                outcome: outcome_over(&own),
                asked: asked.map(|one| one.action),
                kept_by_law: asked.map_or_else(Vec::new, |one| one.kept_in(&plan.system, since)),
                said: said_over(&own),
                lost: attempts.iter().any(is_lost),
                done,
                ordered: ordered.unwrap_or_else(|| Ordered::as_planned(plan, holds)),
                verification: job.and_then(verification_of),
                started_at: attempts.iter().filter_map(|attempt| attempt.started_at).min(),
                evidence: references(&about_job, &leaves),
                capabilities: self.capabilities(pinned.map(), system),
                job,
                called_off: case.cancelled.as_ref().map(|decision| decision.reason.as_str()),
                zone: pinned.zone(),
            });
        }
        let idle = accounts.iter().filter(|one| !one.speaks());
        Ok(Said {
            statements: statements(&accounts),
            idle: idle.map(|one| one.system.name.clone()).collect(),
        })
    }

    fn capabilities(
        &self,
        planned: &crate::datamap::DataMap,
        system: &crate::datamap::System,
    ) -> quietus_connectors::Capabilities {
        let again = |_| self.connect_as_planned(planned, system.name.as_str());
        self.connect(system).or_else(again).map_or_else(
            |_| quietus_connectors::Capabilities {
                kind: system.kind.clone(),
                erasure_grade: "none".to_owned(),
                residues: Vec::new(),
                can_verify: false,
                identities: Vec::new(),
            },
            |connector| connector.capabilities(),
        )
    }

    /// Entries of the log about these jobs.
    pub(super) async fn references_about(
        &self,
        jobs: &[&Job],
        details: &[Detail],
    ) -> Result<Vec<EvidenceReference>, AppError> {
        let own = |one: &&Detail| jobs.iter().any(|job| one.job_id == Some(job.id));
        let about: Vec<&Detail> = details.iter().filter(own).collect();
        let Some(case) = about.first().and_then(|detail| detail.case_id) else {
            return Ok(Vec::new());
        };
        Ok(references(&about, &self.leaves_by_entry(case).await?))
    }

    /// What is on record about a case and has a place in a log, by its entries.
    async fn leaves_by_entry(&self, case: Uuid) -> Result<BTreeMap<Uuid, Leaf>, AppError> {
        let leaves = self.store.leaves_of_case(case).await?;
        Ok(leaves.into_iter().map(|leaf| (leaf.entry_id, leaf)).collect())
    }

    pub(super) async fn predicate(
        &self,
        id: Uuid,
        case: &Case,
        (on_record, asked): (&PlanOnRecord, Option<&Asked>),
        said: Said,
        pinned: &Pinned<'_>,
    ) -> Result<Predicate, AppError> {
        let Said { mut statements, idle } = said;
        let (issued_at, clock_fault) = in_order(&mut statements, self.now());
        let in_scope = swept(on_record).count().saturating_sub(idle.len());
        let scope = Scope {
            plan_sha256: case.plan.digest,
            data_map_sha256: case.map_digest,
            data_map_log_index: None,
            rule_set_sha256: case.rules_digest,
            systems_in_scope: u32::try_from(in_scope).unwrap_or(u32::MAX),
            systems_stated: summary::systems_stated(&statements),
            not_covered: not_covered(&on_record.plan, &idle, &statements),
        };
        let mut limits: Vec<String> =
            STANDING_LIMITS.iter().map(|&limit| limit.to_owned()).collect();
        for plan in &on_record.plan.systems {
            let Some(system) = pinned.map().systems.get(&plan.system) else { continue };
            let residues = self.capabilities(pinned.map(), system).residues;
            let residues = not_looked_at(self.map.systems.get(&plan.system), residues);
            if !residues.is_empty() {
                limits.push(format!(
                    "System `{}` may still hold what was deleted in: {}.",
                    plan.system,
                    residues.join("; ")
                ));
            }
        }
        limits.extend(clock_fault.map(str::to_owned));
        if asked.is_some_and(|asked| asked.request.record.drill.is_some()) {
            limits.insert(0, certificate::OF_A_DRILL.to_owned());
        }
        let summary = summary::summarise(&scope, &statements);
        let pending = pending(&statements, pinned.zone());
        let schedule = case.schedule.as_deref().map(crate::domain::ScheduleName::parse);
        let log = self.log_name().await?;
        Ok(Predicate {
            certificate_id: id,
            nonce: certificate::nonce(self.ids.random()),
            class: asked.map_or(CertificateClass::ScheduledDisposal, |asked| asked.class),
            issuer: Issuer {
                name: self.instance.controller.name.clone(),
                role: IssuerRole::Controller,
                log: log.clone(),
            },
            tool: Tool {
                name: "quietus".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            issued_at,
            as_of: earliest_look(&statements).unwrap_or(issued_at),
            trigger: Trigger {
                case_id: case.id,
                schedule: schedule.and_then(Result::ok),
                occurrence: case.due_at,
                planned_at: case.moment,
                // Certificates travel: who it was stands in the sealed evidence.
                approved_by: case.approved.as_ref().map(|_| APPROVER.to_owned()),
            },
            request: asked.map(stated_request),
            scope,
            statements,
            pending,
            restores: Vec::new(),
            reappearances: Vec::new(),
            supersedes: None,
            correction: None,
            summary,
            status: Some(status_entry(&self.free_status_place(&log).await?)),
            limits,
        })
    }
}

/// The certificate in force, of which a new one of the same case takes the place.
fn supersedes(earlier: &Certificate, jobs: &[Job], new: &Predicate) -> Supersedes {
    let overall = new.summary.overall;
    let last = matches!(overall, Overall::Complete | Overall::CompleteWithExceptions);
    let news = jobs.iter().filter(|job| has_ended_since(job, Some(earlier.summary.issued_at)));
    let (looks, others): (Vec<&Job>, Vec<&Job>) = news.partition(|job| is_look(job));
    let looked = others.is_empty() && !looks.is_empty();
    let gone = looked.then(|| end_of_looks(&looks)).flatten();
    let dated = !others.is_empty() && others.iter().all(|job| is_dated_job_done(job));
    let more_is_dated = dated && new.statements.iter().any(is_dated);
    Supersedes {
        certificate_id: earlier.summary.id,
        statement_sha256: Digest::of(&earlier.statement),
        reason: match (gone, last) {
            (Some(end), _) => end,
            // What had no day yet has one now, or the day that it had is over.
            (None, _) if looked => "looked-again",
            // The date of a part has come, and the rest has one of its own.
            (None, _) if more_is_dated => "kept-looked-at",
            (None, true) => "final",
            (None, false) => "tried-again",
        }
        .to_owned(),
    }
}

/// Where entries stand in the log, of those that have a place in it.
fn references(details: &[&Detail], leaves: &BTreeMap<Uuid, Leaf>) -> Vec<EvidenceReference> {
    let placed = details.iter().filter_map(|one| Some((one, leaves.get(&one.entry_id)?)));
    let mut references: Vec<EvidenceReference> = placed
        .map(|(detail, leaf)| EvidenceReference {
            log: leaf.log_id.clone(),
            index: Count(leaf.index),
            leaf_hash: leaf.leaf_hash,
            detail_sha256: detail.sha256,
        })
        .collect();
    references.sort_by_key(|reference| reference.index);
    references
}

/// The last case of a full page, behind which more may wait.
fn last_of(page: &[Case], most: u32) -> Option<Uuid> {
    page.last().filter(|_| page.len() >= most as usize).map(|case| case.id)
}

/// What was said of a case.
pub(super) struct Said {
    statements: Vec<SystemStatement>,
    /// Systems in which no rule had its turn.
    idle: Vec<SystemName>,
}

/// The earliest second look behind what is said to be done.
fn earliest_look(statements: &[SystemStatement]) -> Option<Timestamp> {
    let done = statements.iter().filter(|one| summary::says_done(one));
    done.filter_map(|one| one.verification.at).min()
}

/// The moment of issue, not before anything that the statements tell of. Where the machine's clock
/// was set back meanwhile, moments that cannot be so are left out, and the sentence says it.
fn in_order(
    statements: &mut [SystemStatement],
    now: Timestamp,
) -> (Timestamp, Option<&'static str>) {
    let mut issued_at = now;
    let mut set_back = false;
    for statement in statements {
        let ends = [statement.completed_at, statement.verification.at];
        if let Some(started) = statement.started_at
            && ends.into_iter().flatten().any(|end| end < started)
        {
            statement.started_at = None;
            set_back = true;
        }
        let moments = [statement.started_at, statement.completed_at, statement.verification.at];
        let listed = statement.backup.iter().filter_map(|one| one.listed_at);
        let listed = listed.chain(statement.files.iter().filter_map(|one| one.looked_at));
        issued_at = moments.into_iter().flatten().chain(listed).fold(issued_at, Timestamp::max);
    }
    set_back |= issued_at > now;
    (issued_at, set_back.then_some(CLOCK_FAULT))
}

/// By when a final certificate follows, where copies with a day are all that it waits for.
fn pending(statements: &[SystemStatement], zone: &jiff::tz::TimeZone) -> Option<Pending> {
    let days = || statements.iter().flat_map(days_pending);
    let last = days().flatten().max()?;
    let others = statements.iter().any(|one| {
        let without = SystemStatement { backup: Vec::new(), files: None, ..one.clone() };
        summary::standing(&without) != summary::Standing::Complete
    });
    if others || days().any(|day| day.is_none()) {
        return None;
    }
    let end = last.tomorrow().ok()?.to_zoned(zone.clone()).ok()?;
    Some(Pending { next_review_at: None, final_certificate_by: Some(end.timestamp()) })
}
