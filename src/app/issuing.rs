//! From what a certificate says to what is written with it: its signature and its leaf, by what it is
//! found, what goes on after it, and the answer to the request behind it. A certificate at the end of
//! a case and one that corrects another differ in what they say, and in the evidence they bring.

use super::backup::CopiesOfCase;
use super::request::Asked;
use super::{AppError, Quietus, spans};
use crate::domain::CaseOutcome;
use crate::evidence::IssuerKey;
use crate::evidence::certificate::Predicate;
use crate::evidence::signing::{self, SignedCertificate, SubjectFile};
use crate::evidence::summary::Overall;
use crate::store::{
    Case, Job, JobsStated, NewCertificate, NewLetter, OutboxEntry, StatusPlace, Topic, TopicKind,
};

/// What a certificate is written from, but for what it says.
pub(super) struct Issuing<'a> {
    pub(super) case: &'a Case,
    pub(super) jobs: &'a [Job],
    /// What is known of copies and files of what was erased.
    pub(super) copies: &'a CopiesOfCase,
    pub(super) issuer: &'a IssuerKey,
}

impl Quietus {
    /// Signs a certificate, and puts together what is written with it, but for the evidence that it
    /// brings and the letter. `asked` learns the opening of this certificate.
    ///
    /// # Errors
    /// Where it is not sound, cannot be signed, or its request cannot be carried on.
    pub(super) fn issue(
        &self,
        predicate: &Predicate,
        asked: Option<&mut Asked>,
        Issuing { case, jobs, copies, issuer }: Issuing<'_>,
    ) -> Result<NewCertificate, AppError> {
        let (id, later) = (predicate.certificate_id, copies.planned());
        let opening = asked.as_ref().map(|asked| asked.opening.clone());
        let rules_version = asked.as_ref().map(|asked| asked.law.version);
        let (later, request) = match asked {
            None => (later, None),
            Some(asked) => self.answer(asked, id, &predicate.statements, (case, jobs, later))?,
        };
        let about = opening.as_deref().map_or(SubjectFile::Counts, SubjectFile::Opening);
        let signed = spans::sign().in_scope(|| signing::sign(predicate.clone(), about, issuer));
        let SignedCertificate { envelope, leaf, manifest } =
            signed.map_err(|error| AppError::Evidence(error.to_string()))?;
        let overall = predicate.summary.overall;
        Ok(NewCertificate {
            id,
            case_id: case.id,
            outcome: outcome_of(case, overall),
            class: predicate.class.as_str().to_owned(),
            overall: overall.as_str().to_owned(),
            issued_at: predicate.issued_at,
            stated: JobsStated::of(jobs),
            envelope: Self::envelope_bytes(&envelope)?,
            statement: envelope.payload,
            manifest,
            topics: topics(predicate),
            status: place_of(predicate),
            leaf: self.leaf_entry(case, leaf),
            later,
            rules_version,
            request,
            letter: None,
            evidence: Vec::new(),
        })
    }

    /// The letter that tells the person what came of a case: written with the certificate, so that
    /// no death in between leaves a person without it. One that cannot be composed keeps no
    /// certificate back, and is told in the log.
    ///
    /// # Errors
    /// Where the store is not there.
    pub(super) async fn letter_with(
        &self,
        certificate: &NewCertificate,
        asked: &Asked,
        predicate: &Predicate,
    ) -> Result<Option<NewLetter>, AppError> {
        match self.answer_letter(asked, certificate, &predicate.statements).await {
            Err(error @ AppError::Store(_)) => Err(error),
            Err(error) => {
                tracing::error!(%error, case = %certificate.case_id, "the answer could not be written");
                Ok(None)
            }
            letter => letter,
        }
    }

    fn leaf_entry(&self, case: &Case, leaf: Vec<u8>) -> OutboxEntry {
        OutboxEntry {
            entry_id: self.ids.new_id(),
            case_id: Some(case.id),
            job_id: None,
            kind: "certificate".to_owned(),
            body: leaf,
            detail: None,
            numbered: None,
        }
    }
}

/// Where the store keeps its place in the status list.
fn place_of(predicate: &Predicate) -> Option<StatusPlace> {
    let entry = predicate.status.as_ref()?;
    Some(StatusPlace { list: entry.list.clone(), index: u32::try_from(entry.index.0).ok()? })
}

fn topics(predicate: &Predicate) -> Vec<Topic> {
    let mut topics = Vec::new();
    for statement in &predicate.statements {
        topics.push(Topic { kind: TopicKind::System, name: statement.system.id.to_string() });
        for rule in &statement.rules {
            topics.push(Topic { kind: TopicKind::Rule, name: rule.id.to_string() });
        }
        if let Some(category) = &statement.category {
            topics.push(Topic { kind: TopicKind::Category, name: category.to_string() });
        }
    }
    topics.sort_by(|one, other| {
        (one.kind.as_str(), &one.name).cmp(&(other.kind.as_str(), &other.name))
    });
    topics.dedup_by(|one, other| one.kind == other.kind && one.name == other.name);
    topics
}

fn outcome_of(case: &Case, overall: Overall) -> CaseOutcome {
    if case.cancelled.is_some() {
        return CaseOutcome::Cancelled;
    }
    match overall {
        Overall::Complete => CaseOutcome::Fulfilled,
        Overall::CompleteWithExceptions | Overall::Partial => CaseOutcome::PartiallyRetained,
        Overall::Failed => CaseOutcome::Failed,
    }
}
