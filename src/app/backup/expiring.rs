//! Removing copies whose time is over with the store's own commands, where the data map says that
//! quietus does so.

use quietus_connectors::BackupStore;
use serde_json::json;

use super::seen::{Listing, Trouble};
use crate::app::recording::About;
use crate::app::{AppError, Quietus};
use crate::datamap::{Backup, Expire, System};
use crate::evidence::EvidenceKind;
use crate::plan::concerns_system;

/// Copies that are removed in one go; the others go with the next listing.
const MOST_AT_ONCE: usize = 500;

impl Quietus {
    /// Removes what is over; whether anything was asked to go. A store that takes no new copies keeps
    /// those that it has, and so does one that copies something that a legal hold speaks of.
    ///
    /// # Errors
    /// Where the store of ours is not there. What the store of copies does not give up, or that it
    /// does not answer, is on record and no error.
    pub(super) async fn remove_expired(
        &self,
        system: &System,
        backup: &Backup,
        (store, listing): (&dyn BackupStore, &Listing),
    ) -> Result<bool, AppError> {
        if backup.expire != Expire::ByQuietus || listing.trouble() == Some(Trouble::Stale) {
            return Ok(false);
        }
        let mut ids = listing.expired();
        ids.truncate(MOST_AT_ONCE);
        if ids.is_empty() || self.store_is_paused(system).await? {
            return Ok(false);
        }
        if let Some(matter) = self.matter_that_keeps(system, backup).await? {
            tracing::info!(store = %system.name, %matter, "a legal hold keeps old copies from being removed");
            return Ok(false);
        }
        let begun = json!({ "store": system.name, "result": "begun", "copies": ids });
        let begun = self.record(EvidenceKind::BackupExpired, About::default(), &begun)?;
        self.store.record_evidence(vec![begun], self.now()).await?;
        let ended = match store.expire(&ids).await {
            Ok(expiry) => {
                tracing::info!(
                    store = %system.name, gone = expiry.gone.len(), kept = expiry.kept.len(),
                    "old copies were removed"
                );
                let kept: Vec<_> = expiry
                    .kept
                    .iter()
                    .map(|(id, stay)| json!({ "copy": id, "until": stay.until, "why": stay.why }))
                    .collect();
                json!({ "store": system.name, "result": "ended", "gone": expiry.gone, "kept": kept })
            }
            Err(fault) => {
                tracing::warn!(store = %system.name, %fault, "old copies could not be removed");
                json!({ "store": system.name, "result": "failed", "fault": fault.to_string() })
            }
        };
        let ended = self.record(EvidenceKind::BackupExpired, About::default(), &ended)?;
        self.store.record_evidence(vec![ended], self.now()).await?;
        Ok(true)
    }

    pub(super) async fn store_is_paused(&self, system: &System) -> Result<bool, AppError> {
        use crate::store::PauseScope;
        let stops = |scope: &PauseScope| match scope {
            PauseScope::Everything => true,
            PauseScope::System(name) => *name == system.name,
            PauseScope::Rule(_) | PauseScope::Case(_) => false,
        };
        Ok(self.store.active_pauses().await?.iter().any(|pause| stops(&pause.scope)))
    }

    /// The matter of a legal hold that speaks of the store or of a system in it, if there is one.
    pub(super) async fn matter_that_keeps(
        &self,
        system: &System,
        backup: &Backup,
    ) -> Result<Option<String>, AppError> {
        let holds = self.holds().await?;
        let keeps = holds.into_iter().find(|hold| {
            let of_store = hold.released_at.is_none()
                && hold.scope.system.as_ref().is_some_and(|name| *name == system.name);
            of_store || backup.copies.iter().any(|one| concerns_system(&self.map, hold, one))
        });
        Ok(keeps.map(|hold| hold.matter))
    }
}
