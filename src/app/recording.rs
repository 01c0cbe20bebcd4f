//! Evidence entries: a salted detail, sealed under the key of its case, and the leaf that commits to
//! it. What is said of the instance itself (its log, rules, keys, holds and pauses, and what was
//! shredded) is sealed with the vault's secret and stays.

use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::epochs::Epochs;
use super::vault::Vault;
use super::{AppError, Quietus};
use crate::domain::{Clock, Ids};
use crate::evidence::{CanonicalDetail, EvidenceKind, fits_a_producer};
use crate::store::{Detail, Numbered, OutboxEntry, SealedDetail};

/// What an entry is about.
#[derive(Debug, Clone, Copy, Default)]
pub struct About {
    /// The case.
    pub case: Option<Uuid>,
    /// The job.
    pub job: Option<Uuid>,
}

/// Time between two heartbeats of a producer.
const BETWEEN_BEATS: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

/// Purpose under which details are sealed.
pub(super) const DETAIL_PURPOSE: &str = "evidence detail";

/// Whether an entry is about the instance, so that its detail outlives every case.
fn stays(kind: EvidenceKind) -> bool {
    use EvidenceKind as Kind;
    matches!(
        kind,
        Kind::LogOpened
            | Kind::LogClosed
            | Kind::LogRefilled
            | Kind::RulesPublished
            | Kind::MapPublished
            | Kind::Rehearsed
            | Kind::DrillBegun
            | Kind::DrillEnded
            | Kind::DrillCleaned
            | Kind::Paused
            | Kind::Resumed
            | Kind::RestoreBegun
            | Kind::RestoreOpened
            | Kind::HoldPlaced
            | Kind::HoldReleased
            | Kind::KeyAdded
            | Kind::KeyRetired
            | Kind::KeyCompromised
            | Kind::CertificateStatus
            | Kind::ProducerHeartbeat
            | Kind::EvidenceShredded
            | Kind::AnchorTsa
            | Kind::BackupExpired
            | Kind::ListWritten
            | Kind::StoreRecovered
    )
}

/// What an entry is made with; for what outlives a borrow of the product.
#[derive(Clone)]
pub(crate) struct Recorder {
    vault: Arc<Vault>,
    epochs: Arc<Epochs>,
    ids: Arc<dyn Ids>,
    clock: Arc<dyn Clock>,
    producer: String,
}

impl Recorder {
    /// Builds an entry for the outbox. The detail must hold no personal data. It gets its number,
    /// and with it its bytes, in the transaction that writes it.
    pub(crate) fn record(
        &self,
        kind: EvidenceKind,
        about: About,
        detail: &Value,
    ) -> Result<OutboxEntry, AppError> {
        let (time, salt, nonce) = (self.clock.now(), self.ids.random(), self.ids.random());
        // Where it cannot be written at all, whoever says it is told at once.
        let detail = fits_a_producer(&self.producer)
            .and_then(|()| CanonicalDetail::of(detail))
            .map_err(|error| AppError::Evidence(error.to_string()))?;
        let (key, vault) = if stays(kind) {
            (None, Arc::clone(&self.vault))
        } else {
            let (key, vault) = self.epochs.key_for(about.case, self.ids.as_ref(), time)?;
            (Some(key), vault)
        };
        let numbered = Numbered::new(self.producer.clone(), move |producer, number| {
            let entry = detail
                .numbered(kind, salt, (producer, number), time)
                .map_err(|error| error.to_string())?;
            let text = String::from_utf8(entry.detail_bytes).map_err(|error| error.to_string())?;
            let sealed =
                vault.seal(DETAIL_PURPOSE, &text, nonce).map_err(|error| error.to_string())?;
            let sha256 = entry.detail_sha256;
            Ok((entry.body, SealedDetail { sha256, sealed, key: key.clone() }))
        });
        Ok(OutboxEntry {
            entry_id: self.ids.new_id(),
            case_id: about.case,
            job_id: about.job,
            kind: kind.as_str().to_owned(),
            body: Vec::new(),
            detail: None,
            numbered: Some(numbered),
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
            epochs: Arc::clone(&self.epochs),
            ids: Arc::clone(&self.ids),
            clock: Arc::clone(&self.clock),
            producer: self.keys.producer.clone(),
        }
    }

    /// Writes the heartbeat of each producer that has not given one for an hour: how many entries it
    /// has written, so that whoever counts its leaves in the log notices if some are missing.
    pub(super) async fn beat(&self) -> Result<(), AppError> {
        let (family, now) = (self.keys.producer.as_str(), self.now());
        let before = now.checked_sub(BETWEEN_BEATS).unwrap_or(now);
        for producer in self.store.due_producers(family, before).await? {
            let entry =
                self.record(EvidenceKind::ProducerHeartbeat, About::default(), &Value::Null)?;
            self.store.write_heartbeat(&producer.name, entry, (now, before)).await?;
        }
        Ok(())
    }

    /// The exact bytes of a detail, whose SHA-256 stands in the leaf; `None` once shredded, or once
    /// the key of its month is gone.
    ///
    /// # Errors
    /// Where it does not open.
    pub fn open_detail(&self, detail: &Detail) -> Result<Option<String>, AppError> {
        let Some(sealed) = &detail.sealed else { return Ok(None) };
        let Some(key) = &detail.key else {
            return Ok(Some(self.vault.open(DETAIL_PURPOSE, sealed)?));
        };
        let Some(vault) = self.epochs.vault_of(key)? else { return Ok(None) };
        Ok(Some(vault.open(DETAIL_PURPOSE, sealed)?))
    }
}
