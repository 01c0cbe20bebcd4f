//! The truth beside `completed`: what became of a request, what is kept and until when, and where
//! its certificate is.
//!
//! It says what the certificate in force says. Of a legal hold only that there is one: whose matter
//! it is, is no business of another controller.

use jiff::tz::TimeZone;
use quietus_connectors::opendsr::intake::Complaint;
use quietus_connectors::opendsr::protocol::{OutcomeReport, OutcomeWord, Retained};
use uuid::Uuid;

use super::complaint;
use super::desk::{Asking, Desk};
use super::standing::source_of;
use crate::app::reading::Lookup;
use crate::app::reading::certificates::CertificatePart;
use crate::app::request::OpenRequest;
use crate::app::{AppError, Quietus};
use crate::domain::RequestOutcome;
use crate::evidence::certificate::Certificate;
use crate::evidence::statement::{KeptReason, StatementOutcome, SystemStatement};
use crate::store::Certificate as StoredCertificate;

/// A report names no more than this.
const MOST_RETAINED: usize = 100;

impl Quietus {
    /// What became of a request that is over.
    pub(super) async fn outcome_report(
        &self,
        desk: &Desk,
        request: &OpenRequest,
    ) -> Result<OutcomeReport, AppError> {
        let certificate = match request.stored.case_id {
            Some(case) => self.store.certificate_of_case(case).await?,
            None => None,
        };
        let retained = match &certificate {
            Some(certificate) => retained(request, &statements_of(certificate)?),
            None => Vec::new(),
        };
        let address = &desk.settings.address;
        Ok(OutcomeReport {
            outcome: word_of(request.stored.outcome),
            retained,
            certificate_url: certificate
                .map(|one| format!("{address}/opendsr/certificates/{}", one.summary.id)),
        })
    }

    /// `GET /opendsr/certificates/{id}`: the certificate of a request that the controller brought.
    ///
    /// # Errors
    /// Where it is about no such request, or not in the log yet.
    pub async fn opendsr_certificate(
        &self,
        asking: &Asking,
        id: &str,
    ) -> Result<Vec<u8>, Complaint> {
        let gone = || Complaint::new(404, "there is no certificate of this id");
        let id: Uuid = id.parse().map_err(|_| gone())?;
        let read = async {
            let Some(certificate) = self.store.certificate(id).await? else {
                return Ok(Lookup::Missing);
            };
            let request = self.store.request_of_case(certificate.summary.case_id).await?;
            if request.is_none_or(|one| one.source != source_of(&asking.controller)) {
                return Ok(Lookup::Missing);
            }
            self.read_certificate_part(id, CertificatePart::Bundle).await
        };
        match read.await.map_err(complaint)? {
            Lookup::Here(bundle) => Ok(bundle),
            Lookup::NotYet => {
                Err(Complaint::new(409, "it is signed but not in the log yet: try again soon"))
            }
            Lookup::Missing => Err(gone()),
        }
    }
}

fn statements_of(certificate: &StoredCertificate) -> Result<Vec<SystemStatement>, AppError> {
    let read: Certificate = serde_json::from_slice(&certificate.statement)
        .map_err(|error| AppError::Unreadable { what: "a certificate", why: error.to_string() })?;
    Ok(read.predicate.statements)
}

/// `OpenDSR` has no word for a failure. One that comes after the request was completed, when the
/// date of what was kept has come, leaves it kept.
fn word_of(outcome: Option<RequestOutcome>) -> OutcomeWord {
    match outcome {
        Some(RequestOutcome::Fulfilled | RequestOutcome::Handled) => OutcomeWord::Fulfilled,
        Some(RequestOutcome::NotFound) => OutcomeWord::NotFound,
        Some(RequestOutcome::Refused | RequestOutcome::Cancelled) => OutcomeWord::Refused,
        Some(RequestOutcome::PartiallyRetained | RequestOutcome::Failed) | None => {
            OutcomeWord::PartiallyRetained
        }
    }
}

fn retained(request: &OpenRequest, statements: &[SystemStatement]) -> Vec<Retained> {
    let mut found: Vec<Retained> = Vec::new();
    let mut add = |category: String, basis: String, until| {
        let one = Retained { category, basis, until };
        if !found.contains(&one) && found.len() < MOST_RETAINED {
            found.push(one);
        }
    };
    for statement in statements {
        let category = statement.category.as_ref().map(ToString::to_string);
        let name =
            category.clone().or_else(|| statement.collection.as_ref().map(ToString::to_string));
        let name = name.unwrap_or_else(|| statement.system.operator.clone());
        let by_law = |citation: &str| {
            let laws = request.record.kept.iter().filter(|law| {
                law.system == statement.system.id.as_str()
                    && category.as_deref() == Some(law.category.as_str())
                    && citation.contains(&law.citation)
            });
            let until = laws.filter_map(|law| law.until).max();
            until.map(|moment| moment.to_zoned(TimeZone::UTC).date())
        };
        for kept in &statement.kept {
            match kept.reason {
                KeptReason::StatutoryMinimum => {
                    let until = kept.until.or_else(|| by_law(&kept.because));
                    add(name.clone(), kept.because.clone(), until);
                }
                KeptReason::LegalHold => add(name.clone(), "legal hold".to_owned(), None),
                KeptReason::Referenced | KeptReason::StillRestricted => {
                    add(name.clone(), kept.because.clone(), kept.until);
                }
            }
        }
        if !statement.staying_fields.is_empty() {
            add(name.clone(), "part of a record that is kept".to_owned(), None);
        }
        if matches!(statement.outcome, StatementOutcome::Failed | StatementOutcome::Partial) {
            add(name, "it could not be erased yet".to_owned(), None);
        }
    }
    found
}
