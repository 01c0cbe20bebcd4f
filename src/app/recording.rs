//! Evidence entries: a salted detail, sealed, and the leaf that commits to it.

use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::vault::Vault;
use super::{AppError, Quietus};
use crate::domain::{Clock, Ids};
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

/// What an entry is made with; for what outlives a borrow of the product.
#[derive(Clone)]
pub(crate) struct Recorder {
    vault: Arc<Vault>,
    ids: Arc<dyn Ids>,
    clock: Arc<dyn Clock>,
    producer: String,
}

impl Recorder {
    /// Builds an entry for the outbox. The detail must hold no personal data.
    pub(crate) fn record(
        &self,
        kind: EvidenceKind,
        about: About,
        detail: &Value,
    ) -> Result<OutboxEntry, AppError> {
        let entry =
            evidence_entry(kind, detail, self.ids.random(), &self.producer, self.clock.now())
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
}

impl Quietus {
    /// Builds an entry for the outbox. The detail must hold no personal data.
    pub(crate) fn record(
        &self,
        kind: EvidenceKind,
        about: About,
        detail: &Value,
    ) -> Result<OutboxEntry, AppError> {
        self.recorder().record(kind, about, detail)
    }

    /// What entries are made with.
    pub(crate) fn recorder(&self) -> Recorder {
        Recorder {
            vault: Arc::clone(&self.vault),
            ids: Arc::clone(&self.ids),
            clock: Arc::clone(&self.clock),
            producer: self.keys.producer.clone(),
        }
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
