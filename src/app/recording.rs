//! Evidence entries: a salted detail, sealed, and the leaf that commits to it.

use serde_json::Value;
use uuid::Uuid;

use super::{AppError, Quietus};
use crate::evidence::{EvidenceKind, evidence_entry};
use crate::store::{Detail, OutboxEntry, SealedDetail};

/// What an entry is about.
#[derive(Debug, Clone, Copy, Default)]
pub struct About {
    /// The case.
    pub case: Option<Uuid>,
    /// The job.
    pub job: Option<Uuid>,
}

/// Purpose under which details are sealed.
pub(super) const DETAIL_PURPOSE: &str = "evidence detail";

impl Quietus {
    /// Builds an entry for the outbox. The detail must hold no personal data.
    pub(crate) fn record(
        &self,
        kind: EvidenceKind,
        about: About,
        detail: &Value,
    ) -> Result<OutboxEntry, AppError> {
        let entry =
            evidence_entry(kind, detail, self.ids.random(), &self.keys.producer, self.now())
                .map_err(|error| AppError::Evidence(error.to_string()))?;
        let text = String::from_utf8(entry.detail_bytes)
            .map_err(|_| AppError::Evidence("a detail is not text".to_owned()))?;
        let sealed = self.vault.seal(DETAIL_PURPOSE, &text, self.ids.random())?;
        Ok(OutboxEntry {
            entry_id: self.ids.new_id(),
            case_id: about.case,
            job_id: about.job,
            kind: kind.as_str().to_owned(),
            body: entry.body,
            detail: Some(SealedDetail { sha256: entry.detail_sha256, sealed }),
        })
    }

    /// The exact bytes of a detail, whose SHA-256 stands in the leaf; `None` once shredded.
    ///
    /// # Errors
    /// Where it does not open.
    pub fn open_detail(&self, detail: &Detail) -> Result<Option<String>, AppError> {
        let Some(sealed) = &detail.sealed else { return Ok(None) };
        Ok(Some(self.vault.open(DETAIL_PURPOSE, sealed)?))
    }
}
